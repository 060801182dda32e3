"""The ways in which a super-net's children are scored, by name: how batch norm normalises meanwhile.

    running        the running statistics of training (what the paper's code does)
    batch[:n]      statistics of each batch of n images of the split being scored (500)
    recalibrate[:n]  statistics over the first n training images (1024), for each child anew
    private        running statistics of training, each child's from its own steps (`Weights.keep_own`)
    probe[:n]      statistics as of batch, and a classifier of each child's own, fitted to the first n training images
                   (4096) in the place of the one that is shared (probe.py)

    BatchNorm.parse("recalibrate:512").images       # 512

A mistyped mode is refused before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.limits import shown, whole

MODES = {"running": 0, "batch": 500, "recalibrate": 1024, "private": 0, "probe": 4096}  # default images


def is_mode(name: str) -> bool:
    """Whether scores of that name are accuracies under a way of batch norm, and not another readout.

    >>> is_mode("recalibrate:1024"), is_mode("logp")
    (True, False)
    """
    return name.partition(":")[0] in MODES


def whole_name(name: str) -> str:
    """A way of batch norm as scores are kept under it, with its images; another readout as it is.

    UsageError for a number of images that it does not take.

    >>> whole_name("recalibrate"), whole_name("logp")
    ('recalibrate:1024', 'logp')
    """
    return str(BatchNorm.parse(name)) if is_mode(name) else name


def labelled(name: str) -> str:
    """What scores of that name were read off by, in words.

    >>> labelled("running"), labelled("logp")
    ('batch norm running', 'readout logp')
    """
    return f"{'batch norm' if is_mode(name) and not name.startswith('probe') else 'readout'} {name}"


@dataclass(frozen=True)
class BatchNorm:
    """How batch norm normalises while scoring; `images` is n of `batch:n`, `recalibrate:n` and `probe:n`."""

    mode: str = "running"
    images: int = 0

    @classmethod
    def parse(cls, text: str) -> BatchNorm:
        mode, _, number = text.partition(":")
        if mode not in MODES:
            raise UsageError(
                f"unknown batch norm mode {text!r}{near_misses(mode, MODES)}; "
                f"known are running, batch[:n], recalibrate[:n], private, probe[:n]"
            )
        if not number:
            return cls(mode, MODES[mode])
        images = whole(number)
        if not MODES[mode] or images is None or images < 2:
            raise UsageError(f"batch norm mode {shown(text)}: n must be a whole number of at least 2 images")
        return cls(mode, images)

    def __str__(self) -> str:
        return f"{self.mode}:{self.images}" if self.images else self.mode
