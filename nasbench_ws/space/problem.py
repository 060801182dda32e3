"""What is ranked: the children, the network around their cells, and the images. Not how any of it is trained.

    problem = Problem.of(recipe, table.space)
    problem.children, problem.network(images)

A recipe's JSON has these fields beside those of training, and a table has it whole; two evaluations are of the same
problem where these are equal. Not here: learning rates and the like (recipe.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cached_property

from nasbench_ws.images.dataset import Images
from nasbench_ws.recipe import Recipe
from nasbench_ws.space.cell import Architecture, Space
from nasbench_ws.space.macro import Macro, macro_for


@dataclass(frozen=True)
class Problem:
    """Fields as of `Recipe`, but for the space, which is here itself: a name may stand for another elsewhere."""

    space: Space
    images: str
    macro: str
    channels: int
    cells: int
    output: str
    dilated_kernel: int
    train_images: int = field(compare=False)  # how many of the training images: a matter of budget

    @classmethod
    def of(cls, recipe: Recipe, space: Space) -> Problem:
        """What a recipe trains, of that space."""
        return cls(space, **{one.name: getattr(recipe, one.name) for one in fields(cls) if one.name != "space"})

    @cached_property
    def children(self) -> list[Architecture]:
        return list(self.space)

    @property
    def untrained(self) -> Recipe:
        """A recipe of this problem, for networks that nobody trains: what says how is as it comes."""
        names = [one.name for one in fields(self) if one.name != "space"]
        return Recipe(**{name: getattr(self, name) for name in names}, batch_size=1)

    def network(self, images: Images) -> Macro:
        """What the cells are put into, for images of that shape."""
        return macro_for(self.untrained, images)

    def __getstate__(self) -> dict[str, object]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    def difference(self, other: Problem) -> str | None:
        """The first field in which two problems differ; None where they are the same.

        Two folders of images may have any paths: what is in them has a digest of its own.
        """
        for one in fields(self):
            ours, theirs = getattr(self, one.name), getattr(other, one.name)
            folders = one.name == "images" and ours.startswith("folder:") and theirs.startswith("folder:")
            if one.compare and ours != theirs and not folders:
                return one.name
        return None


def same(one: Recipe, other: Recipe) -> bool:
    """Whether two recipes are of the same problem, the space by its name, and of as many training images."""
    return all(getattr(one, of.name) == getattr(other, of.name) for of in fields(Problem))
