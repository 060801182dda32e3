"""Scores on the way: the same as those of a training that ends there, and nothing after them is another number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nasbench_ws.errors import ResultError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.report.results import results_page
from nasbench_ws.results.join import join
from nasbench_ws.results.result import Result


def run(tiny: Any, tmp_path: Path | None = None, instances: int = 1, **changes: Any) -> Result:
    plan = Plan("groups:similar:2", tiny.recipe, steps=64, batch_norm=("batch", "running"), **changes)
    return evaluate(
        "groups:similar:2", tiny.table, plan=plan, instances=instances, first_seed=1, load=tiny.load, folder=tmp_path
    )


def test_points_on_the_way(tiny: Any, quick: None, tmp_path: Path) -> None:
    plain, watched = run(tiny), run(tiny, tmp_path, score_every=24)
    assert all(np.array_equal(watched.outcome.scores[mode], one) for mode, one in plain.outcome.scores.items())
    trace = watched.outcome.trace
    assert trace["progress"].tolist() == [[24 / 64, 48 / 64]]
    assert trace["accuracy"].shape == trace["accuracy, running"].shape == (1, 2, 64)
    assert Result.from_dict(watched.to_dict()) == watched
    assert "trace" not in plain.to_dict()
    assert "score_every" not in plain.outcome.plan
    ended = run(tiny, score_every=64)  # the last of 64 steps; all 64 validation images
    for mode, name in (("batch", "accuracy"), ("running", "accuracy, running")):
        assert np.array_equal(ended.outcome.trace[name][:, -1], plain.outcome.scores[mode])
    again = run(tiny, tmp_path, score_every=24)  # from what is kept
    assert again.to_dict() == watched.to_dict()
    kept = next(tmp_path.rglob("1-0.json"))
    part = read_record(kept, "nasbench-ws part")
    write_record(kept, "nasbench-ws part", {**part, "points": {"batch": part["points"]["batch"]}})
    with pytest.raises(ResultError, match="points are not the 2 of the plan, under each of its modes"):
        run(tiny, tmp_path, score_every=24)


def test_points_are_joined_drawn_and_refused(tiny: Any, quick: None) -> None:
    from matplotlib import pyplot

    two = run(tiny, instances=2, score_every=32)
    assert two.outcome.trace["accuracy"].shape == (2, 2, 64)
    axes = two.plot.progress(tiny.table)
    assert [list(line.get_xdata()) for line in axes.lines] == [[32, 64], [32, 64]]
    pyplot.close("all")
    assert "Correlation against progress" in results_page([two], tiny.table)
    assert join([two], tiny.table).outcome.trace["progress"].shape == (2, 2)
    for changes, said in (
        ({"score_every": 65}, "score_every is 65; it is 1 to the 64 steps, or 0 for none"),
        ({"score_every": -1}, "score_every is -1; it is 1 to the 64 steps, or 0 for none"),
    ):
        with pytest.raises(UsageError) as caught:
            run(tiny, **changes)
        assert str(caught.value) == said
    with pytest.raises(UsageError) as caught:
        run(tiny).plot.progress(tiny.table)
    assert str(caught.value) == "this result has no scores on the way; evaluate it with --score-every N"
