"""The network around the cell: stem, cells, channels, image size; and the two presets.

    macro = build_macro(recipe, 14, 14, image_channels=1, classes=10)      # or macro_for(recipe, images)
    get_macro("paper").cells

Not here: what an operation is made of (child.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.json_files import check_keys

if TYPE_CHECKING:
    from nasbench_ws.images.dataset import Images
    from nasbench_ws.recipe import Recipe


OUTPUTS = ("concat", "sum", "last")  # "last" is NAS-Bench-201's: the last node alone


@dataclass(frozen=True)
class Macro:
    """How cells become a network (paper, section 3; the code's choices are the defaults)."""

    name: str
    stem: tuple[int, ...]  # channels of each stem convolution 3x3, each followed by an affine batch norm
    channels: int  # of each node in a cell
    cells: int
    height: int
    width: int
    image_channels: int
    classes: int = 10
    output: Literal["concat", "sum", "last"] = "concat"  # of a cell's nodes; the paper's text sums them
    dilated_kernel: int = 5  # of dil_conv_5x5; the paper's text says 3
    bn_momentum: float = 0.4  # weight of the newest batch in the running statistics (paper)
    bn_eps: float = 1e-5

    def __post_init__(self) -> None:
        """A macro may come from a stranger's file: kinds first, then limits, before anything is computed with it."""
        if not isinstance(self.name, str) or len(self.name) > 100:
            raise UsageError(f"macro name is {str(self.name)[:40]!r}; it is a text of at most 100 letters")
        if self.output not in OUTPUTS:
            raise UsageError(f"macro output is {self.output!r}; allowed are 'concat', 'sum' and 'last'")
        if self.dilated_kernel not in (3, 5) or isinstance(self.dilated_kernel, float):
            raise UsageError(f"dilated_kernel is {self.dilated_kernel}; allowed are 3 and 5")
        for field, most in MOST.items():
            _check_count(f"macro {field}", getattr(self, field), most)
        if not self.stem:
            raise UsageError("the stem has no convolution; give at least one number of channels")
        if not isinstance(self.stem, tuple) or len(self.stem) > MAX_STEM:
            raise UsageError(f"the macro's stem is {str(self.stem)[:40]}; it has 1 to {MAX_STEM} convolutions")
        for channels in self.stem:
            _check_count("channels of the stem", channels, MOST["channels"])
        for field in ("bn_momentum", "bn_eps"):
            value = getattr(self, field)
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
                raise UsageError(f"macro {field} is {str(value)[:40]!r}; it must be a number from 0 to 1")


# What no network of this suite comes near; a table that says more is refused before it is computed with.
MOST = {"channels": 4096, "cells": 64, "height": 4096, "width": 4096, "image_channels": 64, "classes": 100_000}
MAX_STEM = 16


def _check_count(what: str, value: object, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise UsageError(f"{what} is {str(value)[:40]!r}; it must be a whole number")
    if value < 1:
        raise UsageError(f"{what} is {value}; it must be at least 1")
    if value > most:
        raise UsageError(f"{what} is {str(value)[:40]}; it must be at most {most:,}")


PAPER = Macro("paper", stem=(48, 48), channels=16, cells=4, height=32, width=32, image_channels=3)
SMALL = Macro("small", stem=(8,), channels=8, cells=3, height=14, width=14, image_channels=1)
MACROS = {macro.name: macro for macro in (PAPER, SMALL)}


def get_macro(name: str) -> Macro:
    """The preset of that name. UsageError lists the known ones."""
    try:
        return MACROS[name]
    except KeyError:
        known = ", ".join(sorted(MACROS))
        raise UsageError(f"unknown macro {name!r}{near_misses(name, MACROS)}; known are {known}") from None


def build_macro(recipe: Recipe, height: int, width: int, image_channels: int, classes: int) -> Macro:
    """The macro of a recipe for images of that shape: its preset, with the recipe's own channels, cells and output."""
    macro = get_macro(recipe.macro)
    stem = macro.stem
    if recipe.channels:
        stem = tuple(s * recipe.channels // macro.channels for s in stem)
    return replace(
        macro, height=height, width=width, image_channels=image_channels, classes=classes, stem=stem,
        channels=recipe.channels or macro.channels, cells=recipe.cells or macro.cells,
        output=recipe.output or macro.output,  # type: ignore[arg-type]  # Macro refuses other texts
        bn_momentum=recipe.bn_momentum,
        dilated_kernel=recipe.dilated_kernel or macro.dilated_kernel,
    )  # fmt: skip


def macro_for(recipe: Recipe, images: Images) -> Macro:
    """The macro of a recipe for a data set."""
    return build_macro(recipe, images.height, images.width, images.channels, len(images.classes))


def macro_to_dict(macro: Macro) -> dict[str, Any]:
    """For JSON."""
    return {field.name: getattr(macro, field.name) for field in fields(macro)} | {"stem": list(macro.stem)}


def macro_from_dict(data: Mapping[str, Any]) -> Macro:
    """UsageError for keys that are unknown or missing, or invalid values."""
    check_keys("macro", data, Macro)
    stem = data["stem"]
    return Macro(**{**data, "stem": tuple(stem) if isinstance(stem, list | tuple) else stem})
