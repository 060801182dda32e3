"""Student's t distribution, and the normal one that it becomes with infinitely many degrees of freedom.

    quantile(0.975, 4)             # 2.776: half a 95 % interval of five instances, in standard errors
    tail(2.776, 4)                 # 0.025: the chance of more than that

The same numbers as `scipy.stats.t` and `norm` give, from the functions that those call: importing scipy.stats takes a
second of the processor, which every verdict would wait for, and scipy.special .3, which a look-up without an interval
of its own does without.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from nasbench_ws.metrics.arithmetic import Array


def quantile(chance: npt.ArrayLike, df: float) -> Array:
    """Below which the variable is with that chance.

    >>> round(float(quantile(0.975, 4)), 3), round(float(quantile(0.975, math.inf)), 3)
    (2.776, 1.96)
    """
    from scipy import special

    below = np.asarray(chance, dtype=np.float64)
    if math.isinf(df):
        return np.asarray(special.ndtri(below))
    return np.where(below == 0, -np.inf, special.stdtrit(df, below))  # stdtrit says inf of a chance of 0


def tail(value: float, df: float) -> float:
    """The chance that the variable is above `value`.

    >>> round(tail(2.776, 4), 3)
    0.025
    """
    from scipy import special

    return float(special.ndtr(-value) if math.isinf(df) else special.stdtr(df, -value))
