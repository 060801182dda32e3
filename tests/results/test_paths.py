"""Results that were computed by different paths: comparing and joining says so."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import ResultError
from nasbench_ws.results.compare import compare
from nasbench_ws.results.join import join
from nasbench_ws.results.paths import path_note

X4, X8, X16, TORCH = (f"cpu AMD EPYC, {path}" for path in ("kernels x4", "kernels x8", "kernels x16", "torch"))
NOTE = (
    "Computed by different paths ({}), on which one seed gives different scores: these are instances of one "
    "population, and not the same runs."
)


@pytest.mark.parametrize(
    ("devices", "paths"),
    [
        ((X8, X16), ""), ((X8, X8.replace("AMD", "Intel")), ""), ((None, X8), ""), ((None, None), ""),
        ((TORCH, TORCH), ""), ((X4, X8), "kernels x4; kernels x8 or x16"), ((X16, TORCH), "kernels x8 or x16; torch"),
        ((f"{X8}, then {TORCH}", X8), "kernels x8 or x16; torch"), (("cuda A100", X8), "cuda A100; kernels x8 or x16"),
    ],
    ids=range(9),
)  # fmt: skip
def test_a_comparison_names_the_paths(make, devices, paths):
    results = [make(device=device, strategy=name) for device, name in zip(devices, ("full", "none"), strict=True)]
    found = compare(results)
    assert found.note == (NOTE.format(paths) if paths else "")
    assert found.to_dict()["note"] == (found.note or None)
    assert (" ".join(NOTE.format(paths).split()) in " ".join(str(found).split())) == bool(paths)


def test_joined_instances_of_two_paths(make, tiny):
    joined = join([make(device=X8), make(device=TORCH, seeds=(2, 3))], tiny.table)
    with pytest.raises(ResultError) as caught:
        join([make(images_digest="0" * 64), make(images_digest="1" * 64, seeds=(2, 3))], tiny.table)
    assert str(caught.value) == (
        f"the images of one of the results have digest {'0' * 64}, and of another {'1' * 64}; only instances of one "
        "evaluation can be joined"
    )
    assert join([make(), make(images_digest="1" * 64, seeds=(2, 3))], tiny.table).outcome.images_digest == "1" * 64
    assert path_note([joined]) == NOTE.format("kernels x8 or x16; torch")


def test_one_result_of_two_paths_says_so(make, tmp_path):
    """Parts that were kept, and a machine that was changed meanwhile."""
    make(device=f"{TORCH}, then {X8}").save(tmp_path / "mixed.json")
    text = CliRunner().invoke(group, ["show", str(tmp_path / "mixed.json")], catch_exceptions=False).stdout
    assert NOTE.format("kernels x8 or x16; torch") in text
