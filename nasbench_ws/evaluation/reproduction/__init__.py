"""The paper's experiments and its four claims, on any table: what to run, and what came of it.

    scale = SCALES["smoke"]
    results = run(table, experiments(table, scale), "reproduction/")       # goes on where it stopped
    print(render(findings(results, table)))

evaluation/catalogue.py says what is run, claims.py and sharing.py what came of it, finding.py decides by one rule, and
text.py shows it.
"""

from nasbench_ws.evaluation.catalogue import SCALES, Scale, experiments
from nasbench_ws.evaluation.experiment import Experiment, run
from nasbench_ws.evaluation.reproduction.claims import CLAIMS, findings
from nasbench_ws.evaluation.reproduction.finding import Finding, overall
from nasbench_ws.evaluation.reproduction.text import page, render

__all__ = [
    "CLAIMS", "SCALES", "Experiment", "Finding", "Scale", "experiments", "findings", "overall", "page", "render", "run",
]  # fmt: skip
