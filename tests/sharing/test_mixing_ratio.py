"""Children drawn in a mixing ratio: as often as their weights say, from a file or by counting."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nasbench_ws.errors import NasbenchError, UsageError
from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.evaluation.sources import file_of
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.sharing.mixed import Mixed
from nasbench_ws.sharing.schedules import get_schedule, realise
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import build_macro
from nasbench_ws.space.registry import DEEPER64

CHILDREN = list(DEEPER64)


@pytest.mark.parametrize(("rule", "count"), [("params", parameter_count), ("macs", mac_count)])
def test_draws_are_as_often_as_children_are_small(rule, count, tiny):
    macro = build_macro(tiny.recipe, 6, 6, 1, 4)
    drawn = realise(get_schedule(f"mixed:{rule}", macro), CHILDREN, 64_000, 0)[:, 0]
    odds = 1 / np.array([count(child_network(macro, arch)) for arch in CHILDREN])
    expected = 64_000 * odds / odds.sum()
    assert ((np.bincount(drawn, minlength=64) - expected) ** 2 / expected).sum() < 120  # chi-square, 63 degrees


def test_a_file_of_weights_names_children_as_anything_does_and_its_bytes_count(tmp_path):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({arch.name: arch.index + 1 for arch in CHILDREN}))
    found = Mixed(str(path)).weights(CHILDREN[16:32])
    assert found == pytest.approx(np.arange(17, 33) / 32)
    assert file_of(f"mixed:{path}") == path
    assert file_of("mixed:params") is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"111": 0}', "gives 111 the weight 0; write {form}"),
        ('{"111": true}', "gives 111 the weight True; write {form}"),
        ('{"111": 1e999}', "gives 111 the weight inf; write {form}"),
        (f'{{"111": 1{"0" * 400}}}', f"gives 111 the weight 1{'0' * 39}; write {{form}}"),
        ('{"111": 1}', "gives child 112 and 62 more no weight; every child needs one"),
        ("[1, 2]", "does not say which child has which weight; write {form}"),
    ],
)
def test_a_wrong_file_says_so(tmp_path, content, text):
    path = tmp_path / "w.json"
    path.write_text(content)
    with pytest.raises(NasbenchError) as caught:
        Mixed(str(path)).weights(CHILDREN)
    form = '{"111": 2, "112": 0.5, ...}, a number above 0 for each child'
    assert str(caught.value) == f"{path} {text.format(form=form)}"


def test_no_rule_and_no_network():
    with pytest.raises(UsageError) as caught:
        get_schedule("mixed:")
    assert str(caught.value) == (
        "the schedule 'mixed:' has no rule; write mixed:params, mixed:macs, or mixed:FILE.json"
    )
    with pytest.raises(UsageError) as caught:
        realise(get_schedule("mixed:macs"), CHILDREN, 64, 0)
    assert str(caught.value) == "the schedule 'mixed:macs' counts in a network, and got none"


@pytest.mark.usefixtures("one_thread")
def test_a_plan_takes_it_and_every_super_net_draws_among_its_own(tiny, quick):
    plan = Plan("edge:0-1", tiny.recipe, steps=64, schedule="mixed:macs", batch_norm=("running",), valid_images=64)
    result = evaluate("edge:0-1", tiny.table, plan=plan, instances=1, load=tiny.load, workers=1)
    assert result.outcome.plan["schedule"] == "mixed:macs"
    (trained,) = result.outcome.trained
    assert sum(trained.values()) == 64
    assert all(sum(trained[arch.name] for arch in CHILDREN[at : at + 16]) == 16 for at in range(0, 64, 16))


def test_weights_so_far_apart_that_a_child_is_never_drawn(tmp_path):
    path = tmp_path / "weights.json"
    path.write_text(json.dumps({arch.name: 1e308 if arch.name == "112" else 5e-324 for arch in CHILDREN}))
    with pytest.raises(NasbenchError) as caught:
        Mixed(str(path)).weights(CHILDREN)
    assert str(caught.value) == (
        f"{path} gives 111 the weight 4.94066e-324, and the largest is 1e+308: it would never be drawn; give weights "
        "within a factor of 1e+09"
    )
