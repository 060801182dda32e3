"""Student's t is that of scipy.stats, to the last bit."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from nasbench_ws.metrics.student import quantile, tail


@pytest.mark.parametrize("df", [1, 2, 2.5, 4, 9, 19, 199.5, 1999, math.inf])
def test_as_scipy_stats(df: float) -> None:
    rng = np.random.default_rng(0)
    theirs = stats.norm if math.isinf(df) else stats.t(df)
    chances = [*rng.random(1000), 0.0, 0.5, 1.0]
    assert np.array_equal(quantile(chances, df), theirs.ppf(chances))
    for value in [*rng.standard_normal(300) * 5, 0.0, math.inf]:
        assert tail(value, df) == theirs.sf(value)
