"""How well scores order the children of a space, and how sure that is. No table is read here.

    from nasbench_ws import metrics
    metrics.kendall_tau(scores, truth)

rank.py holds the metrics and their conventions, arithmetic.py what they compute with, values.py the checks of what
they are given, intervals.py and bootstrap.py how sure a mean is, ceiling.py what a table's own noise leaves to reach.
"""

from nasbench_ws.metrics.rank import (
    EVALUATION,
    MeanStd,
    Stability,
    best_rank,
    gt_tau_mean,
    kendall_tau,
    kendall_tau_matrix,
    kendall_taus,
    measure,
    ndcg,
    pearson,
    precision_at_bottom,
    precision_at_top,
    regret,
    sparse_tau,
    spearman,
    stability_tau,
    survival,
    top_rank,
    undefined_reason,
    weighted_tau,
    worst_rank,
)
from nasbench_ws.metrics.values import nan_as_worst, rankable

__all__ = [
    "EVALUATION", "MeanStd", "Stability", "best_rank", "gt_tau_mean", "kendall_tau", "kendall_tau_matrix",
    "kendall_taus", "measure", "nan_as_worst", "ndcg", "pearson", "precision_at_bottom", "precision_at_top",
    "rankable", "regret", "sparse_tau", "spearman", "stability_tau", "survival", "top_rank", "undefined_reason",
    "weighted_tau", "worst_rank",
]  # fmt: skip
