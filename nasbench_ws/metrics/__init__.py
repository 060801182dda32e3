"""How well scores order the children of a space, and how sure that is. No table is read here.

    from nasbench_ws import metrics
    metrics.kendall_tau(scores, truth)

rank.py and top.py hold the metrics and their conventions, curves.py how fast something is learnt, arithmetic.py what
they compute with, values.py the checks of what they are given; pairs.py the pairs of children that a table can decide;
intervals.py how sure a mean is, estimates.py means with moderated variances and their differences, prior.py the
variances that are usual, power.py what could have been told; bound.py and ceiling.py what a table's own noise leaves to
reach.
"""

from nasbench_ws.metrics.curves import alc
from nasbench_ws.metrics.rank import (
    EVALUATION,
    MeanStd,
    Stability,
    gt_tau_mean,
    kendall_tau,
    kendall_tau_matrix,
    kendall_taus,
    measure,
    partial_tau,
    pearson,
    sparse_tau,
    spearman,
    stability_tau,
    tau_ties_random,
    undefined_reason,
    weighted_tau,
)
from nasbench_ws.metrics.top import (
    best_rank,
    ndcg,
    p_random,
    precision_at_bottom,
    precision_at_top,
    regret,
    survival,
    top_rank,
    worst_rank,
)
from nasbench_ws.metrics.values import nan_as_worst, rankable

__all__ = [
    "EVALUATION", "MeanStd", "Stability", "alc", "best_rank", "gt_tau_mean", "kendall_tau", "kendall_tau_matrix",
    "kendall_taus", "measure", "nan_as_worst", "ndcg", "p_random", "partial_tau", "pearson", "precision_at_bottom",
    "precision_at_top", "rankable", "regret", "sparse_tau", "spearman", "stability_tau", "survival",
    "tau_ties_random", "top_rank", "undefined_reason", "weighted_tau", "worst_rank",
]  # fmt: skip
