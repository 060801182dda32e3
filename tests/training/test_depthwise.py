"""Depthwise convolutions by Triton are torch's; run by Triton's interpreter, for there is no GPU here."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys

import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="torch for CUDA brings Triton"),
]
SCRIPT = """
import sys

import torch
from torch.nn import functional as F

from nasbench_ws.training.depthwise import depthwise

kernel, dilation, height, width = map(int, sys.argv[1:])
torch.manual_seed(0)
x = torch.randn(3, 4, height, width, dtype=torch.float64, requires_grad=True)
weight = torch.randn(4, 1, kernel, kernel, dtype=torch.float64, requires_grad=True)
ours = depthwise(x, weight, dilation)
theirs = F.conv2d(x, weight, padding=(kernel - 1) * dilation // 2, dilation=dilation, groups=4)
gradient = torch.randn_like(theirs).transpose(2, 3).contiguous().transpose(2, 3)
pairs = [(ours, theirs), *zip(*(torch.autograd.grad(y, (x, weight), gradient) for y in (ours, theirs)), strict=True)]
for one, other in pairs:
    torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
print(len(pairs), "are equal")
"""


@pytest.mark.parametrize("shape", [(3, 1, 7, 7), (5, 1, 7, 6), (5, 2, 8, 5), (3, 2, 4, 9)])
def test_results_and_gradients_are_torchs(shape: tuple[int, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, shape)], capture_output=True, text=True,
        env={**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "3 are equal\n"
