"""What is run for the paper's claims, at each scale: experiments, each one evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from nasbench_ws.evaluation.experiment import Experiment, What
from nasbench_ws.rankers.plan import END_LR, Match, Plan
from nasbench_ws.tables.table import Table

KINDS = ("similar", "random")  # of groups
EQUAL: tuple[Match, ...] = ("child-updates", "group-compute")  # as many multiply-adds in all as sharing everything


@dataclass(frozen=True)
class Scale:
    """How much of everything. `steps` are those of a super-net that shares all."""

    name: str
    instances: int  # of what is asked how stable it is; of the rest too, where `others` is 0
    steps: int
    last: int  # snapshots at the end of a training of its own: k of GT-Tau-Mean-k
    calibration: int  # training images for recalibrating batch norm
    both: bool  # score all with and without it, not only what tells of batch norm
    last_images: int  # validation images for them, for fine-tuning and interference
    groups: tuple[int, ...]  # m, at each match with a fixed total; every child alone is there at any scale
    free: tuple[int, ...]  # m, each group with all the steps, as in the paper
    prefixes: tuple[int, ...] | None  # k; None: 0 to the number of cells
    fine_tune: tuple[int, ...]
    interference: int  # steps
    note: str
    end_lr: float = END_LR  # of the training with these snapshots, as a share of the peak
    matches: tuple[Match, ...] = EQUAL  # of m groups, beside all the steps for each
    times: tuple[int, ...] = ()  # full sharing with so many times the steps: the control of as many groups with all
    others: int = 0  # instances of what shares less, and of what is read from the last steps
    costly: int = 0  # of MANY groups or more with all the steps each; 0: as of others


STABILITY = ("seeds", "orders", "shuffle")  # what the paper's instances differ in
MANY = 16  # groups
SCALES = {
    scale.name: scale
    for scale in (
        Scale(
            "smoke", 2, 320, 4, 128, False, 100, (4, 16), (4,), (0,), (0, 5), 1,
            "Smoke: five updates of each child. It shows that everything runs, and proves little.",
        ),
        Scale(
            "standard", 3, 6400, 64, 1024, True, 1000, (2, 4, 8, 16, 32), (4,), None, (0, 1, 5, 10), 2,
            "Standard: a hundred updates of each child, three instances or more; an hour or two of two cores.",
        ),
        Scale(
            "paper", 10, 39_200, 64, 1024, True, 1000, (2, 4, 8, 16), (2, 4, 8, 16), None, (0, 1, 5, 10, 20), 2,
            "Paper: the paper's 612 updates of each child, ten instances of what is asked how stable it is, five of "
            "the rest (three of 16 groups with all the steps each); two days of one processor.",
            matches=("child-updates",), times=(2, 4, 8), others=5, costly=3,
        ),
    )
}  # fmt: skip


def experiments(table: Table, scale: Scale, claims: Sequence[int] = (1, 2, 3, 4)) -> list[Experiment]:
    """What the claims need at that scale: what is asked of full sharing first, then groups, then other ways.

    Args:
        table: whose recipe and macro network they have.
        scale: one of SCALES, or your own.
        claims: numbers of the paper's claims, as in `CLAIMS`.
    """
    modes = ("running", f"recalibrate:{scale.calibration}")
    full = Plan(
        "full", table.recipe, steps=scale.steps, last_images=scale.last_images,
        batch_norm=modes if scale.both else modes[:1],
    )  # fmt: skip
    found = [
        # One run of the paper's fixed cycle serves stability by seed, fine-tuning and interference.
        _of(What("seeds"), {1, 2, 3}, full, schedule="cycle", fine_tune=scale.fine_tune, batch_norm=modes,
            interference=scale.interference),
        _of(What("orders"), {1}, full, schedule="order"),
        _of(What("shuffle"), {1, 2, 3, 4}, full, schedule="shuffle", batch_norm=modes),
        # Training that ends at a live learning rate is another training, whose last scores nothing else reads.
        _of(What("window"), {1, 2, 3}, full, schedule="shuffle", last=scale.last, end_lr=scale.end_lr,
            batch_norm=modes),
    ]  # fmt: skip
    for match in scale.matches:
        none = What("none", match=match)
        found.append(_of(none, {4}, full, strategy="none", match=match, schedule="shuffle"))
        found += [_grouped(full, kind, m, match) for m in scale.groups for kind in KINDS if m < len(table)]
    found += [_grouped(full, kind, m, "steps") for m in scale.free for kind in KINDS if m < len(table)]
    found += [_of(What("full-times", m), {4}, full, steps=m * scale.steps, schedule="shuffle") for m in scale.times]
    prefixes = range(table.macro.cells + 1) if scale.prefixes is None else scale.prefixes
    found += [_of(What("prefix", k), {4}, full, strategy=f"prefix:{k}", match="group-compute") for k in prefixes]
    found += [
        _of(What("private-bn"), {4}, full, strategy="private:bn", schedule="shuffle"),
        _of(What("drift"), {4}, full, schedule="shuffle", recipe=dataclasses.replace(table.recipe, inactive="drift")),
    ]
    return [dataclasses.replace(one, instances=_instances(one, scale)) for one in found if one.claims & set(claims)]


def _instances(one: Experiment, scale: Scale) -> int:
    others = scale.others or scale.instances
    if one.what.kind in STABILITY:
        return scale.instances
    many = one.what.match == "steps" and (one.what.count or 0) >= MANY
    return scale.costly or others if many else others


def _of(what: What, claims: set[int], plan: Plan, **changes: object) -> Experiment:
    return Experiment(what, dataclasses.replace(plan, **changes), 0, frozenset(claims))  # type: ignore[arg-type]


def _grouped(full: Plan, kind: str, m: int, match: Match) -> Experiment:
    what = What(kind, m, match=match)
    return _of(what, {4}, full, strategy=f"groups:{kind}:{m}", match=match, schedule="shuffle")
