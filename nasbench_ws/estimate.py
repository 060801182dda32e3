"""How long training will take, before any of it is done. Where it runs it may be several times faster or slower.

    training_seconds(multiply_adds * images, workers=2)

No torch here.
"""

from __future__ import annotations

# Seconds for a multiply-add of the forward pass of a trained image (its backward pass, update and share of the
# scoring included): the median of the 640 runs of fashion14, two at a time on a busy 2-vCPU AMD EPYC.
PACE = 2.5e-10
RUN_BYTES = 4096  # of a finished run's file, as file systems count


def disk_mib(runs: int) -> float:
    """What so many finished runs take in their folder."""
    return runs * RUN_BYTES / 2**20


def training_seconds(macs: float, workers: int) -> float:
    """`macs` are multiply-adds of forward passes: a child's, times the images that train it, summed."""
    return macs * PACE / max(1, workers)
