"""Pages and measures of tables that others made: whole or in part, with and without sizes, each child once."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from foreign_tables import small

from nasbench_ws.cli import group
from nasbench_ws.errors import UsageError
from nasbench_ws.report.table import table_page
from nasbench_ws.results.assess import assess
from nasbench_ws.results.truth import Among
from nasbench_ws.tables.table import write_table

pytestmark = pytest.mark.usefixtures("quick")
PAIRS = np.array([0, 0, *range(2, 27)])  # children 0 and 1 compute the same


def test_a_page_says_who_made_it():
    page = table_page(small())
    assert "All 27 children of small201 as others trained them on cifar10, with up to 3 seeds each: validation" in page
    assert "cite them" in page
    assert "test accuracy" not in page


def test_a_page_of_a_part_without_sizes():
    page = table_page(small(part=9, params=None, seeds=1))
    assert "9 of the 27 children of small201" in page
    assert "parameters" not in page


def test_what_has_no_sizes_is_measured_all_the_same():
    table = small(params=None)
    found = assess(table.truth + 0.01 * np.random.default_rng(0).random(27), table)
    assert found.metrics["kendall_tau"].mean > 0.8
    assert "Counting parameters" not in found.verdict
    assert found.standing.minus_params.reason == "parameter counts are all equal, or the table does not know them"


def test_isomorphs_once():
    table = small(isomorph=PAIRS)
    some = Among.unique(table)
    assert some.places == [0, *range(2, 27)]
    np.testing.assert_array_equal(some.truth, table.truth[some.places])
    with pytest.raises(UsageError) as caught:
        Among.unique(small())
    assert str(caught.value) == "theirs does not know isomorph; it has hash, spec, name, params, valid_accuracy"


def assessed(table, tmp_path, *words, children=27):
    write_table(tmp_path / "t.h5", table.content)
    lines = [f"{child.name},{child.index}" for child in table.space][:children]
    (tmp_path / "s.csv").write_text("\n".join(lines))
    words = ["assess", str(tmp_path / "s.csv"), "--table", str(tmp_path / "t.h5"), "--json", *words]
    return CliRunner().invoke(group, words)


def test_assess_measures_among_the_children_that_a_table_has(tmp_path):
    result = assessed(small(part=9), tmp_path, children=9)
    assert json.loads(result.stdout)["metrics"]["kendall_tau"]["n"] == 1
    result = assessed(small(part=9), tmp_path, "--children", "111,112,333")
    text = "t.h5 has 9 of the 27 children of small201, and not 333; leave these out"
    assert str(result.exception) == text


def test_assess_takes_isomorphs_once(tmp_path):
    whole, once = (assessed(small(isomorph=PAIRS), tmp_path, *words) for words in ((), ("--unique",)))
    assert whole.exit_code == once.exit_code == 0
    assert json.loads(whole.stdout)["verdict"] != json.loads(once.stdout)["verdict"]
    result = assessed(small(isomorph=PAIRS), tmp_path, "--unique", "--top", "0.5")
    assert str(result.exception) == "--top and --unique both say which children; give one of them"
