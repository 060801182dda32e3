"""What options may name, written down so that help, a mistyped word and completion wait for no library.

tests/cli/test_startup.py compares each with what the package knows.
"""

from __future__ import annotations

MATCHES = ("child-updates", "group-compute", "steps")  # rankers/plan.py
SCHEDULES = ("cycle", "order", "shuffle", "uniform", "similar", "fair")  # sharing/schedules.py
MIXED = ("mixed:params", "mixed:macs", "mixed:FILE.json")  # sharing/schedules.py
FIGURES = ("scatter", "ranks", "window", "progress", "tuning", "interference")  # report/results.py
SCALES = ("smoke", "standard", "paper")  # evaluation/catalogue.py
CLAIMS = 4  # evaluation/reproduction/claims.py
METRICS = (  # results/text.py
    "kendall_tau", "spearman", "pearson", "weighted_tau", "sparse_tau", "T1R", "T3R", "P@top5", "P@bottom5",
    "regret@1", "NDCG@5", "partial_tau",
)  # fmt: skip
MODES = ("running", "recalibrate", "batch", "private", "probe")  # training/batch_norm.py
UNITS = ("evaluations", "epochs", "macs", "seconds")  # search/oracle.py
SIGNALS = ("valid_accuracy", "valid_loss", "train_loss")  # search/oracle.py
