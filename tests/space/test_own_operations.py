"""Operations and spaces of a user's own: from a file, in this process and others, and what is wrong with some."""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from nasbench_ws.cli import group
from nasbench_ws.errors import TableError, UsageError
from nasbench_ws.recipe import recipe_of
from nasbench_ws.space import operations, registry
from nasbench_ws.space.cell import Space
from nasbench_ws.space.child import child_network, mac_count, parameter_count
from nasbench_ws.space.macro import SMALL
from nasbench_ws.space.operations import OPERATIONS, Layer, layers_of, register_operation
from nasbench_ws.space.registry import SPACES, get_space

MINE = """
from nasbench_ws.space import Space
from nasbench_ws.space.operations import Layer, register_operation

@register_operation("wide_conv")
def wide_conv(macro):
    return Layer(depthwise=5, dilation=2, conv=1), Layer(conv=1)

@register_operation("huge_conv")
def huge_conv(macro):
    return (Layer(depthwise=7, conv=1),)

SPACE = Space("mine", 2, ("wide_conv", "huge_conv", "skip_connect"))
NUMBER = 3
"""


@pytest.fixture(autouse=True)
def _as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "SPACES", dict(SPACES))
    monkeypatch.setattr(operations, "OPERATIONS", dict(OPERATIONS))
    monkeypatch.setattr(registry, "_files", {})


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(MINE)
    return path


def refusal(call, *arguments, **options) -> str:
    with pytest.raises(UsageError) as caught:
        call(*arguments, **options)
    return str(caught.value)


def test_a_space_of_a_file_is_known_with_its_operations(mine: Path) -> None:
    space = get_space(f"{mine}:SPACE")
    assert (space.name, len(space)) == ("mine", 27)
    assert get_space("mine") is space is get_space(f"{mine}:SPACE")
    assert recipe_of("mine").space == "mine"
    channels, pixels = SMALL.channels, 14 * 14
    one = child_network(replace(SMALL, cells=1, output="last"), space.architecture("313"))
    base = child_network(replace(SMALL, cells=1, output="last"), space.architecture("333"))
    assert parameter_count(one) - parameter_count(base) == 25 * channels + 2 * channels**2
    assert mac_count(one) - mac_count(base) == pixels * (25 * channels + 2 * channels**2)


def test_it_travels_with_its_file(mine: Path) -> None:
    """Another process, which has heard of neither, gets the children with their operations."""
    child = get_space(f"{mine}:SPACE").architecture("121")
    code = (
        "import pickle, sys; from nasbench_ws.space.child import child_network; "
        "from nasbench_ws.space.macro import SMALL; child = pickle.load(sys.stdin.buffer); "
        "print(child.spec, len(child_network(SMALL, child).blocks))"
    )
    command = [sys.executable, "-P", "-c", code]
    found = subprocess.run(command, input=pickle.dumps(child), capture_output=True, check=True)
    assert found.stdout.decode().split() == [child.spec, str(len(child_network(SMALL, child).blocks))]
    assert pickle.loads(pickle.dumps(child)) == child


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("NUMBER", "{} is int '3', and must be a Space(...)"),
        ("OTHER", "{path} has no 'OTHER'; it has Space, Layer, register_operation, wide_conv, huge_conv"),
    ],
)
def test_what_is_no_space(mine: Path, name: str, message: str) -> None:
    text = f"{mine}:{name}"
    assert refusal(get_space, text) == message.format(text, path=mine)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        (
            ("huge_conv",),
            "odd has the operation huge_conv alone, and so one child, which makes no ranking; give it two operations "
            "or more",
        ),
        (
            ("wide_conv", "twin", "skip_connect"),
            "the operations wide_conv and twin of odd are the same, so that every network has several names and "
            "is trained as often; leave one of them out",
        ),
        (
            ("conv_3x3", "nor_conv_3x3"),
            "the operations conv_3x3 and nor_conv_3x3 of odd are the same, so that every network has several "
            "names and is trained as often; leave one of them out",
        ),
    ],
    ids=["one operation", "two that are equal", "two names of one built in"],
)
def test_a_space_with_nothing_to_rank_is_refused(tmp_path: Path, operations: tuple[str, ...], message: str) -> None:
    path = tmp_path / "odd.py"
    twin = '@register_operation("twin")\ndef twin(macro):\n    return wide_conv(macro)\n'
    path.write_text(f'{MINE}\n{twin}\nODD = Space("odd", 1, {operations!r})\n')
    assert refusal(get_space, f"{path}:ODD") == message
    assert "odd" not in registry.SPACES


@pytest.mark.parametrize("command", ["evaluate", "check", "train", "strategies"])
def test_commands_that_take_a_table_know_a_space_of_a_file(mine: Path, command: str) -> None:
    said = CliRunner().invoke(group, [command, "--space", f"{mine}:SPACE", "--table", "no/such.h5", "full"])
    assert "mine" in registry.SPACES
    assert isinstance(said.exception, TableError)  # what comes after the space


@pytest.mark.parametrize("command", ["evaluate", "check", "train", "strategies"])
def test_commands_refuse_what_is_no_space(mine: Path, command: str) -> None:
    said = CliRunner().invoke(group, [command, "--space", f"{mine}:NUMBER", "full"])
    assert str(said.exception) == f"{mine}:NUMBER is int '3', and must be a Space(...)"


def test_a_name_keeps_its_meaning() -> None:
    assert refusal(register_operation("conv_3x3"), lambda macro: ()) == (
        "the operation conv_3x3 is built in; give your own a name of its own"
    )
    assert refusal(register_operation("Big Conv"), lambda macro: ()) == (
        "'Big Conv' cannot name an operation; use lower-case letters, digits and _, as in sep_conv_3x3"
    )


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (
            lambda macro: "conv",
            "the operation odd returned str 'conv'; it must return a tuple of Layer(...), () for the identity, None "
            "for an edge that is absent, or a torch.nn.Module",
        ),
        (lambda macro: 1 / 0, "the operation odd raised ZeroDivisionError: division by zero"),
        (
            lambda macro: (Layer(depthwise=4, conv=1),),
            "the operation odd raised UsageError: a layer's depthwise kernel is 4; an even one changes height and "
            "width, which layers on an edge keep: take an odd one",
        ),
    ],
)
def test_an_operation_that_is_none(returned, message: str) -> None:
    register_operation("odd")(returned)
    assert refusal(layers_of, "odd", SMALL) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conv": -1}, "a layer's conv is -1; it must be a whole number, at least 0"),
        ({"conv": 3, "groups": 0}, "a layer's groups is 0; it must be a whole number, at least 1"),
        ({"pool": "mean"}, "a layer's pool is 'mean'; allowed are '', 'max' and 'average'"),
        (
            {"pool": "max", "conv": 1},
            "Layer(relu=True, pool='max', depthwise=0, dilation=1, conv=1, groups=1) is both pooling and convolution; "
            "a layer is one of the two, and the identity is () in the place of layers",
        ),
    ],
)
def test_layers_that_cannot_be(fields, message: str) -> None:
    assert refusal(Layer, **fields) == message


def test_channels_that_groups_do_not_divide() -> None:
    assert refusal(layers_of, "group_conv", replace(SMALL, channels=6)) == (
        "group_conv divides the channels into groups of 4, and 6 channels are no multiple of that; take channels=4 or "
        "another multiple of 4"
    )


def test_of_two_spaces_of_one_name_the_second_is_refused(mine: Path, tmp_path: Path) -> None:
    get_space(f"{mine}:SPACE")
    other = tmp_path / "other.py"
    other.write_text('from nasbench_ws.space import Space\nSPACE = Space("mine", 1, ("conv_1x1", "conv_3x3"))\n')
    assert refusal(get_space, f"{other}:SPACE") == (
        "the name mine belongs to another space, mine (nodes=2, operations=wide_conv, huge_conv, skip_connect); give "
        "mine (nodes=1, operations=conv_1x1, conv_3x3) a name of its own"
    )
    assert isinstance(get_space("mine"), Space)
