"""A space as optimisers know one: names, dictionaries, ConfigSpace."""

from __future__ import annotations

import json

import pytest

import nasbench_ws
from nasbench_ws.errors import ArchitectureError, UsageError
from nasbench_ws.space import DEEPER64, Space, config_space, parameter_names, space_json

GOOD = {"0->1": "max_pool_3x3", "0->2": "sep_conv_3x3", "1->2": "dil_conv_5x5"}


@pytest.mark.parametrize("style", ["arrow", "plain"])
def test_every_child_comes_back_from_its_dictionary(style):
    for child in DEEPER64:
        choices = child.choices_dict(style)
        assert DEEPER64.from_dict(choices) == child
        assert DEEPER64.from_dict(dict(reversed(choices.items()))) == child


def test_what_is_wrong_with_a_dictionary():
    for changes, text in (
        ({"0->3": "max_pool_3x3"}, "deeper64 has no edge '0->3' (did you mean 0->2 or 0->1); its edges are"),
        ({"0->1": "sep_conv_3x"}, "edge 0->1 has the unknown operation 'sep_conv_3x' (did you mean sep_conv_3x3"),
        ({"O01": "sep_conv_3x3"}, "edge O01 has two operations, one in each style of its name; write one of them"),
    ):
        with pytest.raises(ArchitectureError) as caught:
            DEEPER64.from_dict({**GOOD, **changes})
        assert str(caught.value).startswith(text.split(" (did")[0])
        assert ("did you mean" in text) == ("did you mean" in str(caught.value))
    with pytest.raises(ArchitectureError) as caught:
        DEEPER64.from_dict({"0->1": "max_pool_3x3"})
    assert str(caught.value) == ("no operation is given for edge 0->2, 1->2; deeper64 needs one for each of its edges")
    with pytest.raises(UsageError) as caught:
        parameter_names(DEEPER64, "snake")
    assert str(caught.value) == "there is no style 'snake'; names are written in arrow or plain"


def test_a_config_space_names_children(tmp_path):
    library = pytest.importorskip("ConfigSpace")
    space = Space("mine", 2, ("a", "b", "c"))
    made = config_space(space, seed=1)
    assert made.estimate_size() == len(space)
    for configuration in made.sample_configuration(30):
        assert space.from_dict(dict(configuration)) in space
    (tmp_path / "space.json").write_text(space_json(space))
    assert library.ConfigurationSpace.from_json(tmp_path / "space.json") == made
    assert nasbench_ws.config_space(space) == made
    assert json.loads(space_json(space, "plain"))["hyperparameters"][2]["name"] == "O12"
