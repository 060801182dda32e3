"""How fast something is learnt: the area under a learning curve.

    alc([0, 16, 64], [0.31, 0.52, 0.60])        # of tau after so many steps of fine-tuning

Not here: metrics of one ranking (rank.py, top.py).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nasbench_ws.errors import MetricError
from nasbench_ws.metrics.values import checked_vector


def alc(steps: npt.ArrayLike, values: npt.ArrayLike) -> float:
    """Area under the learning curve: the mean of (n,) values over log2(1 + steps), joined by straight lines.

    In the units of the values: 1 of a curve that is 1 throughout, whatever the steps. The logarithm weighs each
    doubling alike, so what is learnt early counts most. NaN where a value is.

    Args:
        steps: (n,) at least two, from 0, each larger than the one before.
        values: (n,) such as Kendall's tau, or accuracy, after as many steps.

    Source: Guyon et al., "Results of the active learning challenge", 2011, of labelled examples instead of steps.

    >>> round(alc([0, 1, 3], [0.2, 0.4, 0.6]), 9)
    0.4
    """
    x, y = checked_vector(steps, "steps"), np.asarray(values, dtype=np.float64)
    if x.shape != y.shape or len(x) < 2:
        raise MetricError(f"{len(x)} steps and values of shape {y.shape}; give one of each for two points at least")
    if x[0] < 0 or not (np.diff(x) > 0).all():
        raise MetricError(f"steps are {x.tolist()}; they begin at 0 or later, and each is larger than the one before")
    log = np.log2(1 + x)
    between = np.diff(log)
    return float((y[:-1] + y[1:]) @ between / (2 * between.sum()))
