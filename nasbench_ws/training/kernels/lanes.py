"""How wide the vectors of the kernels are: as wide as the processor's, but for networks too narrow to fill them.

    lanes(16, torch.float32)            # 8 on AVX2, 16 on AVX-512
"""

from __future__ import annotations

import platform

import torch

from nasbench_ws.training.kernels.library import library


def lanes(channels: int, dtype: torch.dtype) -> int:
    """Width of the vectors used for networks of that many channels, in numbers; 0 without the kernels."""
    found = library()
    if found is None:
        return 0
    if dtype == torch.float64:
        return 4
    widest = int(found.nbws_lanes())
    while widest > 4 and channels % widest and channels < widest:
        widest //= 2
    return widest if platform.machine() == "x86_64" else 4
