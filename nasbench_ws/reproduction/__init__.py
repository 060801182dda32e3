"""The paper's experiments and its four claims, on any table: what to run, and what came of it.

    scale = SCALES["smoke"]
    results = run(table, experiments(table, scale), "reproduction/")       # goes on where it stopped
    print(render(findings(results, table)))

evaluation/catalogue.py says what is run, claims.py decides by stated tests, text.py shows it. No torch until something
runs.
"""

from nasbench_ws.evaluation.catalogue import SCALES, Scale, experiments
from nasbench_ws.evaluation.experiment import Experiment, run
from nasbench_ws.reproduction.claims import CLAIMS, Finding, findings
from nasbench_ws.reproduction.text import page, render

__all__ = ["CLAIMS", "SCALES", "Experiment", "Finding", "Scale", "experiments", "findings", "page", "render", "run"]
