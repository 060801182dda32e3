"""How one network is trained: every number that can change a result, in one frozen record.

A table holds one recipe, and a super-net's result holds the one it was trained with. Seeds are not part of
it: they are the runs' own.

    recipe = Recipe(images="fashion14", epochs=4)
    recipe.digest, Recipe.from_dict(recipe.to_dict()) == recipe
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from nasbench_ws.errors import UsageError, near_misses
from nasbench_ws.limits import MOST_STEPS, check_most, plain

MOST_CYCLES = 100


@dataclass(frozen=True)
class Recipe:
    """Defaults are those of the shipped table `fashion14` (see data/PILOT.md)."""

    images: str = "fashion14"  # data set, as `load_images` names it
    train_images: int = 50_000  # the first so many of the training split
    space: str = "deeper64"
    macro: str = "small"  # preset ...
    channels: int = 0  # ... with other channels per node and in the stem, 0: the preset's
    cells: int = 0  # ... and another number of cells, 0: the preset's
    output: str = ""  # ... and "concat", "sum" or "last" of a cell's nodes, "": the preset's
    dilated_kernel: int = 0  # ... and 3 or 5 for dil_conv_5x5 (the paper's text says 3), 0: the preset's
    epochs: float = 10.0  # passes over the training images of a standalone child
    batch_size: int = 64  # images a step
    points: int = 10  # recorded points of the curves, evenly spaced over training
    lr: float = 0.1  # highest learning rate
    lr_final: float = 0.0  # learning rate of the last step
    warmup: float = 0.2  # part of the steps over which the rate rises linearly from 0; then a cosine
    momentum: float = 0.9
    weight_decay: float = 5e-4  # on every parameter, as in the paper
    flip: bool = True  # horizontal, probability 1/2
    shift: int = 1  # pixels, either way along both axes
    bn_momentum: float = 0.1  # weight of the newest batch in running statistics; the paper's is 0.4
    inactive: Literal["frozen", "drift"] = "frozen"  # weights that a step did not use
    cycles: str = ""  # "N[:M]": N cosines after the warm-up, each M times as long as the one before; "": one

    def __post_init__(self) -> None:
        positive = ("train_images", "epochs", "batch_size", "points", "lr")
        for field in dataclasses.fields(self):
            value = _typed(field.name, field.default, getattr(self, field.name))
            object.__setattr__(self, field.name, value)
            if field.type in ("int", "float") and not (math.isfinite(value) and value >= 0):
                raise UsageError(f"recipe {field.name} is {value}; it must be finite and at least 0")
        for name in positive:
            if getattr(self, name) <= 0:
                raise UsageError(f"recipe {name} is {getattr(self, name)}; it must be greater than 0")
        for name in ("warmup", "momentum", "bn_momentum"):
            if getattr(self, name) > 1:
                raise UsageError(f"recipe {name} is {getattr(self, name)}; it must be between 0 and 1")
        if self.inactive not in ("frozen", "drift"):
            raise UsageError(f"recipe inactive is {self.inactive!r}; allowed are 'frozen' and 'drift'")
        self._cycles()
        if self.batch_size > self.train_images:
            raise UsageError(
                f"a batch of {self.batch_size} images is more than the {self.train_images} training images"
            )
        check_most(f"the number of steps in {self.epochs:g} epochs", self.epochs * self.steps_per_epoch, MOST_STEPS)

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in one pass; the images left over are dropped until the next shuffle."""
        return self.train_images // self.batch_size

    @property
    def steps(self) -> int:
        """Steps of a standalone child."""
        return max(1, round(self.epochs * self.steps_per_epoch))

    @property
    def recorded_steps(self) -> tuple[int, ...]:
        """The steps after which a standalone child's curves get a point, the last step among them."""
        points = min(self.points, self.steps)
        return tuple(round((i + 1) * self.steps / points) for i in range(points))

    def learning_rate(self, step: float, steps: int) -> float:
        """Rate of a step (from 0) among `steps`: linear warm-up, then half a cosine down to `lr_final`.

        With `cycles` it starts again at `lr`, as in SGDR (Loshchilov and Hutter, ICLR 2017).
        """
        rise = self.warmup * steps
        if step < rise:
            return self.lr * (step + 1) / (rise + 1)
        where = min(1.0, (step - rise) / max(1.0, steps - 1 - rise))
        if self.cycles:
            where = self._within_cycle(where)
        return self.lr_final + (self.lr - self.lr_final) * 0.5 * (1 + math.cos(math.pi * where))

    def _cycles(self) -> tuple[int, float]:
        """How many cosines, and how much longer each is than the one before."""
        count, colon, factor = self.cycles.partition(":")
        try:
            found = (int(count), float(factor) if colon else 1.0) if self.cycles else (1, 1.0)
        except ValueError:
            found = 0, 0.0
        if not (1 <= found[0] <= MOST_CYCLES and 1 <= found[1] < math.inf):
            raise UsageError(
                f"recipe cycles is {self.cycles!r}; write N or N:M, 1 to {MOST_CYCLES} cosines of which each is M "
                "times as long as the one before, M at least 1"
            )
        return found

    def _within_cycle(self, where: float) -> float:
        """Of the time after the warm-up, 0 to 1, to that of the cosine at hand."""
        count, factor = self._cycles()
        lengths = [factor**i for i in range(count)]
        left = where * sum(lengths)
        for length in lengths[:-1]:
            if left < length * (1 - 1e-12):
                return left / length
            left -= length
        return min(1.0, max(0.0, left / lengths[-1]))

    def to_dict(self) -> dict[str, Any]:
        """For JSON. `cycles` is left out where there is one: files that came before it have none."""
        return {key: value for key, value in dataclasses.asdict(self).items() if key != "cycles" or value}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """UsageError for an unknown key or a value of the wrong kind, naming it."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name in data:
            if name not in fields:
                raise UsageError(
                    f"unknown recipe key {name!r}{near_misses(name, fields)}; known are {', '.join(fields)}"
                )
        typed = {name: _typed(name, fields[name].default, value) for name, value in data.items()}
        values: dict[str, Any] = {
            name: float(value) if isinstance(fields[name].default, float) else value for name, value in typed.items()
        }
        return cls(**values)

    def override(self, text: str) -> Recipe:
        """The recipe with changes written as `epochs=4,lr=0.2`. A comma that no KEY= follows belongs to its value.

        >>> Recipe().override("images=folder:cats, dogs,epochs=4").images
        'folder:cats, dogs'
        """
        changes, seen = self.to_dict(), set()
        for item in filter(None, (part.strip() for part in re.split(r",(?=\s*(?:[A-Za-z_]\w*\s*=|$))", text))):
            name, equals, value = item.partition("=")
            if not equals:
                raise UsageError(f"recipe change {item!r} has no '='; write e.g. epochs=4,lr=0.2")
            if name in seen:
                raise UsageError(f"recipe {name} is there twice in {text!r}; give it once")
            seen.add(name)
            default = changes.get(name)
            try:
                changes[name] = value if default is None or isinstance(default, str) else json.loads(value)
            except ValueError:
                raise UsageError(f"recipe {name} is {value!r}, which is not a number, true or false") from None
        return Recipe.from_dict(changes)

    @property
    def digest(self) -> str:
        """First 16 hex digits of SHA-256 over the canonical JSON."""
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _typed(name: str, default: object, value: Any) -> Any:
    """A value of a field, numpy's as Python's. UsageError where it is of another type than the field's default."""
    found = plain(value)
    kinds: tuple[type, ...] = (float, int) if isinstance(default, float) else (type(default),)
    if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
        raise UsageError(f"recipe {name} is {value!r}; it must be of type {type(default).__name__}")
    return found


# Of the spaces whose tables ship, or are to: chosen in pilots (data/PILOT.md, data/PILOT-topology.md).
RECIPES = {
    "deeper64": Recipe(),
    "topology729": Recipe(space="topology729", output="last", cells=4, channels=8, epochs=3.0, points=3),
}


def recipe_of(space: str) -> Recipe:
    """The recipe that children of a space are trained with unless something else is said; of others, the default."""
    return RECIPES.get(space) or dataclasses.replace(Recipe(), space=space)
