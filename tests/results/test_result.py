"""Results: what is stored, what is read back, what is refused, and what is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import COST, scored
from scipy import stats

from nasbench_ws.cost import Cost
from nasbench_ws.errors import OutputError, ResultError
from nasbench_ws.evaluation.experiment import shipped_results
from nasbench_ws.json_files import digest
from nasbench_ws.metrics.rank import REPORTED
from nasbench_ws.results.assess import assess
from nasbench_ws.results.form import KEYS
from nasbench_ws.results.outcome import Divergence, Readouts, Window
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import render

N = 64

# -- what is stored -----------------------------------------------------------------------------------


def test_the_keys_of_the_interface(make: Callable[..., Result], tiny: Any) -> None:
    """These keys are promised: programs read them."""
    data = json.loads(json.dumps(make().to_dict()))
    assert set(KEYS) <= set(data)
    assert data["strategy"] == "full"
    assert data["table"] == {"name": "tiny", "digest": tiny.table.digest}
    assert data["instances"] == 2
    assert data["seeds"] == [0, 1]
    assert data["children"] == [entry.hash for entry in tiny.table]
    assert [len(row) for row in data["scores"]] == [N, N]
    assert set(data["metrics"]) == set(REPORTED)
    for baseline in ("random", "params", "macs"):
        assert set(data["baselines"][baseline]) == set(REPORTED)
    for metric in (*data["metrics"].values(), *data["baselines"]["random"].values()):
        assert {"mean", "std", "interval"} <= set(metric)
        assert len(metric["interval"]) == 2
    assert {"held_out", "perfect", "split_half", "single_seeds", "seeds"} <= set(data["ceiling"]["all"])
    assert {"steps", "images", "child_updates", "macs", "seconds", "weight_bytes"} <= set(data["budget"])
    assert data["recipe"] == tiny.recipe.to_dict()
    assert data["versions"] == {"nasbench-ws": "0.1.0", "python": "3.11.7"}
    assert data["plan"]["match"] == "child-updates"
    assert "recipe" not in data["plan"]
    assert isinstance(data["verdict"], str)


def test_what_is_derived_can_be_derived_again(make: Callable[..., Result], tiny: Any) -> None:
    result = make()
    assert np.array_equal(result.scores, scored())
    found = assess(result.scores, tiny.table, batch_norm="running", macs=COST.macs)
    assert result["metrics"]["kendall_tau"]["mean"] == found.metrics["kendall_tau"].mean
    assert result.verdict == found.verdict == result["verdict"]
    assert repr(result) == f"Result('full', 2 instances, GT-Tau {result['metrics']['kendall_tau']['mean']:.3f})"


def test_other_batch_norms_stand_beside_the_first(make: Callable[..., Result], tiny: Any) -> None:
    result = make(scores={"batch": scored(0), "running": scored(1)})
    assert result["batch_norm"] == "batch"
    assert np.array_equal(result.scores, scored(0))
    other = result["other_batch_norm"]["running"]
    assert np.array_equal(other["scores"], scored(1))
    expected = assess(scored(1), tiny.table).metrics["kendall_tau"].mean
    assert other["metrics"]["kendall_tau"]["mean"] == expected


def test_a_window_is_summed_up(make: Callable[..., Result], tiny: Any) -> None:
    window = np.stack([scored(7, 3), scored(8, 3)])  # (instances, k, children)
    result = make(window=Window(window, ((((1,), (2,), (3,)),),) * 2), last=3)
    assert np.array_equal(result["window"]["scores"], window)
    assert set(result["window"]["gt_tau"]) == {"mean", "std"}
    assert set(result["window"]["readouts"]) == {"mean", "max"}  # no step of most children is in the window
    for name, scores in (("mean", window.mean(axis=1)), ("max", window.max(axis=1))):
        taus = [stats.kendalltau(row, tiny.table.truth).statistic for row in scores]
        assert result["window"]["readouts"][name] == pytest.approx(taus, abs=1e-12)
    assert "\nlast 3 steps, batch norm running: GT-Tau mean " in str(result)
    both = make(window=Window(window, ((((1,), (2,), (3,)),),) * 2, {"batch": window[:, ::-1]}), last=3)
    other = both["window"]["other_batch_norm"]["batch"]
    assert other["readouts"]["mean"] == pytest.approx(result["window"]["readouts"]["mean"])
    assert Result.from_dict(both.data) == both
    assert Result.from_dict(both.data).data == both.data
    assert "\nlast 3 steps, batch norm batch: GT-Tau mean " in str(both)

    cycle = np.stack([scored(7, 64), scored(8, 64)])
    whole = make(window=Window(cycle, ((tuple((step,) for step in range(64)),),) * 2), last=64)
    taus = [stats.kendalltau(np.diag(row), tiny.table.truth).statistic for row in cycle]
    assert whole["window"]["readouts"]["own step"] == pytest.approx(taus, abs=1e-12)
    assert "\n  each child right after its own step: GT-Tau " in str(whole)


# -- files --------------------------------------------------------------------------------------------


def test_round_trip(make: Callable[..., Result], tmp_path: Path) -> None:
    result = make(scores={"running": scored(), "batch": scored(1)})
    result.save(tmp_path / "a" / "result.json")
    loaded = Result.load(tmp_path / "a" / "result.json")
    assert loaded == result
    assert loaded.to_dict() == result.to_dict()
    assert loaded.scores.tobytes() == result.scores.tobytes()  # to the last bit
    assert str(loaded) == str(result)
    assert Result.load(str(tmp_path / "a" / "result.json")) == result


def test_nan_is_null(make: Callable[..., Result], tmp_path: Path) -> None:
    scores = scored()
    scores[0] = np.nan
    scores[1, 5] = np.nan
    diverged = (Divergence(0, tuple(range(N)), 17), Divergence(1, (5,), 3))
    result = make(scores={"running": scores}, diverged=diverged)
    result.save(tmp_path / "result.json")
    text = (tmp_path / "result.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    stored = json.loads(text)
    assert stored["scores"][0] == [None] * N
    assert stored["scores"][1][5] is None
    loaded = Result.load(tmp_path / "result.json")
    assert np.array_equal(loaded.scores, scores, equal_nan=True)
    assert loaded.outcome.diverged == diverged
    assert loaded["diverged"][1] == {"seed": 1, "children": [5], "step": 3}
    assert loaded["metrics"]["kendall_tau"]["n"] == 1
    assert loaded["metrics"]["kendall_tau"]["std"] is None  # of one instance
    assert "diverged: 2 super-nets, the first at step 17" in str(loaded)


def test_all_diverged(make: Callable[..., Result], tmp_path: Path) -> None:
    scores = np.full((2, N), np.nan)
    diverged = tuple(Divergence(seed, tuple(range(N)), 3) for seed in (0, 1))
    readouts = Readouts(average={"running": scores})
    result = make(scores={"running": scores, "batch": scores}, diverged=diverged, readouts=readouts)
    result.save(tmp_path / "result.json")
    text = str(Result.load(tmp_path / "result.json"))
    assert "Every instance diverged: there is nothing to rank." in text
    assert "batch norm batch: every instance diverged" in text
    assert "averaged weights, batch norm running: GT-Tau -" in text
    assert result["readouts"]["average"]["running"]["kendall_tau"] == [None, None]
    assert repr(result) == "Result('full', 2 instances, GT-Tau none)"


def refused(path: Path) -> str:
    with pytest.raises(ResultError) as caught:
        Result.load(path)
    return str(caught.value)


def resealed(path: Path, edit: Callable[[dict[str, Any]], object]) -> str:
    """What is said of a file that was edited, and given the digest of the new content."""
    data = json.loads(path.read_text())
    data.pop("digest")
    edit(data)
    path.write_text(json.dumps({**data, "digest": digest(data)}))
    return refused(path)


_made: list[str] = []  # the text of a file, assessed once for all the tests that spoil a copy


@pytest.fixture
def path(make: Callable[..., Result], tmp_path: Path) -> Path:
    path = tmp_path / "result.json"
    if not _made:
        make().save(path)
        _made.append(path.read_text())
    path.write_text(_made[0])
    return path


def test_an_altered_file_is_refused(path: Path) -> None:
    data = json.loads(path.read_text())
    stated = data.pop("digest")
    data["scores"][0][0] = 0.999
    path.write_text(json.dumps({**data, "digest": stated}))
    assert refused(path) == (
        f"{path} is damaged: its contents have SHA-256 {digest(data)}, and it states {stated}; "
        "delete it, and run the command that wrote it again"
    )


def test_a_truncated_file_and_one_of_another_kind(path: Path) -> None:
    path.write_text(path.read_text()[:1000])
    assert refused(path).startswith(f"{path} is not a whole file of a nasbench-ws result (")
    path.write_text("{}")
    assert refused(path) == f"{path} is JSON, but not a nasbench-ws result; name another file"


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key(path: Path, key: str) -> None:
    assert resealed(path, lambda data: data.pop(key)) == (
        f"{path}: it has no {key!r}; it is not a whole result: evaluate again with -o FILE"
    )


@pytest.mark.parametrize(
    ("edit", "found"),
    [
        (lambda data: data["scores"].pop(), "scores are not of 2 instances and 64 children"),
        (lambda data: [row.pop() for row in data["scores"]], "scores are not of 2 instances and 64 children"),
        (lambda data: data["scores"][0].pop(), "scores are not of 2 instances and 64 children"),
        (lambda data: data.update(scores="none"), "scores is 'none', not a list"),
        (lambda data: data.update(scores=[["a"] * N] * 2), "scores[0][0] is 'a', not a number or null"),
        (lambda data: data.update(instances=True), "instances is True, not a whole number"),
        (lambda data: data.update(seeds=[0]), "it has 1 seeds and 2 instances"),
        (lambda data: data["table"].pop("name"), "table has no 'name'"),
        (lambda data: data["metrics"]["pearson"].pop("interval"), "metrics.pearson has no 'interval'"),
        (
            lambda data: data["metrics"]["pearson"].update(interval=[1]),
            "metrics.pearson.interval is [1], not a list of 2",
        ),
        (
            lambda data: data["baselines"]["macs"]["spearman"].update(n="x"),
            "baselines.macs.spearman.n is 'x', not a whole number",
        ),
        (lambda data: data["baselines"].pop("macs"), "baselines has no 'macs'"),
        (lambda data: data["budget"].update(macs=1.5), "budget.macs is 1.5, not a whole number"),
        (lambda data: data["budget"].pop("macs"), "budget has no 'macs'"),
        (lambda data: data["plan"].update(schedule=None), "plan.schedule is None, not a text"),
        (lambda data: data.update(window=3), "window is 3, not an object or null"),
        (lambda data: data["baselines"]["macs"].pop("ndcg@5"), "metrics have 'ndcg@5', and a baseline has not"),
        (lambda data: data["readouts"].update(fine_tune=3), "readouts.fine_tune is 3, not an object"),
        (
            lambda data: data["readouts"].update(
                interference=[[{"children": [0], "interference": [[1, 0.5]], "gradient_cosine": [[1]]}]]
            ),
            "readouts.interference is not of its children",
        ),
        (lambda data: data["scores"][1].__setitem__(3, 7.0), "scores[1][3] is 7.0; it must be at most 1"),
        (
            lambda data: data.update(
                other_batch_norm={"batch:64": {"scores": [[-0.25] * N] * 2, "metrics": data["metrics"]}}
            ),
            "other_batch_norm.batch:64.scores[0][0] is -0.25; it must be at least 0",
        ),
        (
            lambda data: data["readouts"].update(average={"running": {"scores": [[2] * N] * 2, "kendall_tau": [0, 0]}}),
            "readouts.average.running.scores[0][0] is 2; it must be at most 1",
        ),
        (
            lambda data: data["readouts"].update(average={"running": {"scores": [[1] * N] * 2, "kendall_tau": [0, 3]}}),
            "readouts.average.running.kendall_tau[1] is 3; it must be at most 1",
        ),
        (lambda data: data["budget"].update(seconds=-1.5), "budget.seconds is -1.5; it must be at least 0"),
        (lambda data: data["budget"].update(macs=-1), "budget.macs is -1; it must be at least 0"),
        (lambda data: data.update(seeds=[0, -1]), "seeds[1] is -1; it must be at least 0"),
        (lambda data: data["plan"].update(steps=-64), "plan.steps is -64; it must be at least 0"),
        (lambda data: data["s_tau"].update(max=1.5), "s_tau.max is 1.5; it must be at most 1"),
        (lambda data: data["ceiling"]["all"].update(seeds=-1), "ceiling.all.seeds is -1; it must be at least 0"),
        (
            lambda data: data["standing"].update(children_accuracy=83.0),
            "standing.children_accuracy is 83.0; it must be at most 1",
        ),
        (
            lambda data: data["standing"]["minus_params"].update(p_value=-0.1),
            "standing.minus_params.p_value is -0.1; it must be at least 0",
        ),
        (
            lambda data: data["metrics"]["kendall_tau"].update(mean=1.25),
            "metrics.kendall_tau.mean is 1.25; it must be at most 1",
        ),
        (
            lambda data: data["metrics"]["ndcg@5"].update(values=[0.5, -3]),
            "metrics.ndcg@5.values[1] is -3.0; it must be at least 0",
        ),
        (
            lambda data: data["baselines"]["params"]["pearson"].update(mean=-2),
            "baselines.params.pearson.mean is -2.0; it must be at least -1",
        ),
        (
            lambda data: data["baselines"]["random"]["kendall_tau"].update(std=-0.1),
            "baselines.random.kendall_tau.std is -0.1; it must be at least 0",
        ),
        (
            lambda data: data.update(diverged=[{"seed": 9, "children": [0], "step": 1}]),
            "diverged[0].seed is 9, and the instances' seeds are 0, 1",
        ),
        (
            lambda data: data.update(diverged=[{"seed": 0, "children": [N], "step": 1}]),
            "diverged[0] is not of 64 children and a step of at least 0",
        ),
    ],
)
def test_what_cannot_be(path: Path, edit: Callable[[dict[str, Any]], object], found: str) -> None:
    assert resealed(path, edit) == f"{path}: {found}; it is not a whole result: evaluate again with -o FILE"


def test_scores_of_other_rankers_are_any_numbers(make: Callable[..., Result], tmp_path: Path) -> None:
    make(scores={"logp": np.arange(2.0 * N).reshape(2, N) - 100}).save(tmp_path / "result.json")
    assert Result.load(tmp_path / "result.json").scores[0, 0] == -100


def test_a_place_that_cannot_be_written(make: Callable[..., Result], path: Path) -> None:
    with pytest.raises(OutputError) as caught:
        make().save(path / "result.json")
    assert str(caught.value) == (
        f"{path / 'result.json'} cannot be written: File exists; choose a place that can be written"
    )


# -- what is shown ------------------------------------------------------------------------------------


def test_a_rendering_in_full(make: Callable[..., Result]) -> None:
    shown = str(make()).splitlines()
    result = make()
    assert shown[0] == "full on tiny: 2 instances, batch norm running, schedule shuffle"
    assert " ".join(" ".join(shown[2:]).split()).startswith(result.verdict)
    start = shown.index("                   mean     std  95 % interval       params    macs  random")
    labels = [line[:15].rstrip() for line in shown[start + 1 : start + 14]]
    assert labels == [
        "Kendall tau", "Spearman", "Pearson", "weighted tau", "sparse tau", "T1R", "T3R", "P@top5", "P@bottom5",
        "regret@1", "NDCG@5", "partial tau", "S-Tau",
    ]  # fmt: skip
    tau, params = result["metrics"]["kendall_tau"], result["baselines"]["params"]["kendall_tau"]
    low, high = tau["interval"]
    assert shown[start + 1].split("[")[0].split() == ["Kendall", "tau", f"{tau['mean']:.3f}", f"{tau['std']:.3f}"]
    assert f"[{low:.3f}, {high:.3f}]" in shown[start + 1]
    assert shown[start + 1].split("]")[1].split()[0] == f"{params['mean']:.3f}"
    assert shown[-2:] == [
        "cost of one instance (matched in child-updates): 6,400 steps, 6,400 child",
        "updates, 409,600 images, 0.35T multiply-adds, 17 KiB of weights, 22 s",
    ]


def test_seconds_of_the_processor_are_told_and_survive_a_file(make: Callable[..., Result], tmp_path: Path) -> None:
    """Where they were measured: older files have the clock's alone."""
    result = make(cost=replace(COST, cpu_seconds=19.25))
    assert " ".join(str(result).split()).endswith("17 KiB of weights, 22 s (19 s of a processor)")
    result.save(tmp_path / "new.json")
    assert Result.load(tmp_path / "new.json").outcome.cost == result.outcome.cost
    assert "cpu_seconds" not in make()["budget"]


def test_a_rendering_fits_80_columns(make: Callable[..., Result], tiny: Any) -> None:
    cost = Cost(**{name: value * 10**6 for name, value in COST.to_dict().items()})
    scores = {f"recalibrate:{n}": scored(n, 12) for n in (1024, 512)}
    long = "a/folder/of/mine/with-a-long-name/" * 4 + "my.py:MyStrategy"
    window = np.stack([scored(7, 3)] * 12)
    readouts = Readouts(
        average={mode: scored(2, 12) for mode in scores},
        fine_tune={mode: {"0": scored(3, 12), "5": scored(4, 12)} for mode in scores},
        other={"the entropy of gates": scored(5, 12)},
    )
    result = make(
        strategy=long, scores=scores, cost=cost, window=Window(window, ()), last=3, readouts=readouts,
        diverged=(Divergence(0, (1,), 123456),) * 100,
    )  # fmt: skip
    for one in (result, make(), make(scores={"running": scored(0, 1)})):
        text = render(one.outcome, one.assessment)
        assert max(map(len, text.splitlines())) <= 80
        assert one.verdict in " ".join(text.split())
        assert str(one) == text


def test_one_instance_is_told_as_such(make: Callable[..., Result]) -> None:
    text = str(make(scores={"running": scored(0, 1)}))
    assert text.startswith("full on tiny: 1 instance, batch norm running, schedule shuffle\n")
    assert "S-Tau" not in text
    line = next(line for line in text.splitlines() if line.startswith("Kendall tau"))
    assert line.split()[3] == "-"  # the deviation of one


def test_numbers_that_are_not_known_are_dashes(make: Callable[..., Result]) -> None:
    data = make().to_dict()
    data["metrics"]["kendall_tau"] |= {"mean": None, "interval": [None, None]}
    line = next(line for line in str(Result.from_dict(data)).splitlines() if line.startswith("Kendall tau"))
    assert line.split()[2] == "-"
    assert "[-, -]" in line


# -- those that ship ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(shipped_results().glob("*.json")), ids=lambda path: path.stem)
def test_a_shipped_result_is_written_back_as_it_was(path: Path, tmp_path: Path) -> None:
    """Key by key and number by number, so that its digest is the same."""
    Result.load(path).save(tmp_path / path.name)
    assert json.loads((tmp_path / path.name).read_text()) == json.loads(path.read_text())
