"""Instances of one evaluation that were run at different times, as one result.

more = evaluate("full", table, instances=2, first_seed=3)
join([Result.load("full.json"), more], table)             # instances 0 to 2, and 3 and 4
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from nasbench_ws.cost import Cost
from nasbench_ws.errors import ResultError
from nasbench_ws.json_files import differences
from nasbench_ws.metrics.arithmetic import Array
from nasbench_ws.results.outcome import Outcome, Readouts, Window
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.space.code import other_code

ALIKE = ("strategy", "plan", "recipe", "children", "batch_norm")
BETWEEN = ", then "  # what instances were made with, where it is not the same for all


def join(results: Sequence[Result], table: GroundTruth) -> Result:
    """All their instances in order of seed, measured against the table.

    ResultError where they are not of one plan, or have a seed twice.
    """
    ordered = sorted(results, key=lambda result: min(result.outcome.seeds))
    first, *others = ordered
    for other in others:
        for key in ALIKE:
            there, here = getattr(other.outcome, key), getattr(first.outcome, key)
            if there != here:
                what = f"{key}: {differences(there, here)}" if isinstance(here, Mapping) else key
                raise ResultError(
                    f"{first!r} and {other!r} differ in {what}; only instances of one evaluation can be joined"
                )
    outcomes = [result.outcome for result in ordered]
    images = list(dict.fromkeys(outcome.images_digest for outcome in outcomes if outcome.images_digest is not None))
    if len(images) > 1:
        raise ResultError(
            f"the images of one of the results have digest {images[0]}, and of another {images[1]}; only instances of "
            "one evaluation can be joined"
        )
    codes = {outcome.code.sha256: outcome.code for outcome in outcomes if outcome.code is not None}
    if len(codes) > 1:
        one, two, *_ = codes.values()
        raise ResultError(
            f"the code of {first.outcome.strategy} is {one.name} with digest {one.sha256[:16]} in one of the results, "
            f"and {two.name} with {two.sha256[:16]} in another; only instances of one evaluation can be joined"
        )
    for other_one in outcomes[1:]:
        different_code = other_code(outcomes[0].versions, other_one.versions)
        if different_code is not None:
            raise ResultError(
                f"in one of the results {different_code} in another; only instances of one evaluation can be joined"
            )
    seeds = [seed for outcome in outcomes for seed in outcome.seeds]
    twice = {seed for seed in seeds if seeds.count(seed) > 1}
    if twice:
        raise ResultError(f"seed {min(twice)} is in two of the results; join those of different seeds")
    return Result.of(stack(outcomes), table)


def stack(outcomes: Sequence[Outcome]) -> Outcome:
    """Instances of one evaluation as one outcome, in the order given; readouts that one of them lacks are left out."""
    first = outcomes[0]
    windows = [outcome.window for outcome in outcomes if outcome.window is not None]
    readouts = [outcome.readouts for outcome in outcomes]
    names = list(dict.fromkeys(name for outcome in outcomes for name in outcome.versions))
    devices = [outcome.device for outcome in outcomes if outcome.device is not None]
    return Outcome(
        strategy=first.strategy,
        children=first.children,
        seeds=tuple(seed for outcome in outcomes for seed in outcome.seeds),
        scores=_stacked([outcome.scores for outcome in outcomes]),
        cost=Cost.mean([outcome.cost for outcome in outcomes], [outcome.instances for outcome in outcomes]),
        match=first.match,
        plan=first.plan,
        recipe=first.recipe,
        window=Window(
            np.concatenate([window.scores for window in windows]),
            tuple(instance for window in windows for instance in window.trained),
            _stacked([window.others for window in windows]),
        )
        if len(windows) == len(outcomes)
        else None,
        readouts=Readouts(
            _stacked([one.average for one in readouts]),
            {
                mode: _stacked([one.fine_tune[mode] for one in readouts])
                for mode in readouts[0].fine_tune
                if all(mode in one.fine_tune for one in readouts)
            },
            tuple(instance for one in readouts for instance in one.interference)
            if all(one.interference for one in readouts)
            else (),
            _stacked([one.other for one in readouts]),
        ),
        diverged=tuple(one for outcome in outcomes for one in outcome.diverged),
        trained=tuple(one for outcome in outcomes for one in outcome.trained),
        versions={name: different([outcome.versions.get(name, "none") for outcome in outcomes]) for name in names},
        device=different(devices) if devices else None,
        trace=_stacked([outcome.trace for outcome in outcomes]),
        code=next((outcome.code for outcome in outcomes if outcome.code is not None), None),
        images_digest=next((one.images_digest for one in outcomes if one.images_digest is not None), None),
    )


def different(texts: Sequence[str]) -> str:
    """One text where all are the same; else each of them once, in their order.

    >>> different(["torch 2.2", "torch 2.2", "torch 2.3"])
    'torch 2.2, then torch 2.3'
    """
    return BETWEEN.join(dict.fromkeys(part for text in texts for part in text.split(BETWEEN)))


def _stacked(by_name: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """Instances one behind the other, of the names that all have."""
    return {
        name: np.concatenate([one[name] for one in by_name])
        for name in by_name[0]
        if all(name in one for one in by_name)
    }
