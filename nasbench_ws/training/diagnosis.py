"""What trains here: the processor's path, its vectors, and the GPU that torch sees.

    for name, text in diagnosis().items(): ...

Not here: the versions of what is installed (provenance.py).
"""

from __future__ import annotations

import os

import torch

from nasbench_ws.training.compiled import available, description, lanes
from nasbench_ws.training.kernels.library import built

WIDTHS = (8, 16)  # channels of the presets


def diagnosis() -> dict[str, str]:
    """A sentence by name; where the compiled kernels are not used, one says why."""
    found = {"computes on": description(available(), WIDTHS[0])}
    if available():
        widths = {channels: lanes(channels, torch.float32) for channels in WIDTHS}
        found["vectors"] = ", ".join(f"{width} numbers for {channels} channels" for channels, width in widths.items())
    elif os.environ.get("NASBENCH_WS_ENGINE") == "plain":
        found["kernels"] = "not used because NASBENCH_WS_ENGINE=plain; unset it to use them"
    else:
        why = "they do not load" if built() else "they were not built"
        found["kernels"] = f"not used because {why}: install a C++ compiler, then this package again"
    found["cuda"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "none"
    return found
