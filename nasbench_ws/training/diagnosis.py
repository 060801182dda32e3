"""What trains here: the processor's path, its vectors, and the GPU that torch sees.

    for name, text in diagnosis().items(): ...

Not here: the versions of what is installed (provenance.py).
"""

from __future__ import annotations

import torch

from nasbench_ws.training.backend import chosen
from nasbench_ws.training.compiled import available, lanes
from nasbench_ws.training.kernels.library import missing

WIDTHS = (8, 16)  # channels of the presets


def diagnosis() -> dict[str, str]:
    """A sentence by name; where the compiled kernels are not used, one says why."""
    found = {"computes on": chosen().description(WIDTHS[0])}
    if available():
        widths = {channels: lanes(channels, torch.float32) for channels in WIDTHS}
        found["vectors"] = ", ".join(f"{width} numbers for {channels} channels" for channels, width in widths.items())
    else:
        found["kernels"] = f"not used because {missing()}"
    found["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found
