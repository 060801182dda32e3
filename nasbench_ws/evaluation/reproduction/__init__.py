"""The paper's experiments and its four claims, on any table: what to run, and what came of it.

    scale = SCALES["smoke"]
    results = run(table, experiments(table, scale), "reproduction/")       # goes on where it stopped
    print(render(findings(results, table)))

evaluation/catalogue.py says what is run, claims.py and sharing.py what came of it, finding.py decides by one rule,
smaller.py has the same at a smaller scale, and text.py shows it.
"""

from nasbench_ws.evaluation.catalogue import SCALES, Scale, experiments
from nasbench_ws.evaluation.experiment import Experiment, present, run, wanting
from nasbench_ws.evaluation.reproduction.claims import CLAIMS, findings
from nasbench_ws.evaluation.reproduction.finding import Finding, overall
from nasbench_ws.evaluation.reproduction.smaller import Smaller, shipped_smaller
from nasbench_ws.evaluation.reproduction.text import page, render

__all__ = [
    "CLAIMS", "SCALES", "Experiment", "Finding", "Scale", "Smaller", "experiments", "findings", "overall", "page",
    "present", "render", "run", "shipped_smaller", "wanting",
]  # fmt: skip
