"""docs/rankers.md names every row and readout, and its own ranker runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from row_table import row_table

from nasbench_ws.evaluation.evaluate import evaluate
from nasbench_ws.rankers.named import PROXIES
from nasbench_ws.rankers.plan import Plan
from nasbench_ws.rankers.rows import ROWS, made
from nasbench_ws.testing import check_ranker

pytestmark = pytest.mark.usefixtures("quick")
PAGE = (Path(__file__).parents[2] / "docs" / "rankers.md").read_text()
(MINE,) = re.findall(r"```python title=\"my.py\"\n(.*?)```", PAGE, flags=re.DOTALL)


def test_every_row_and_readout_is_on_the_page() -> None:
    assert set(re.findall(r"`([a-z_0-9-]+)[:`]", PAGE)) >= ROWS.keys() | PROXIES.keys()
    for name in ROWS:
        line = next(line for line in PAGE.splitlines() if re.match(rf"\|.*`{name}[:`]", line))
        assert all(one in line for one in made(name).readouts)


def test_your_own_ranker(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MINE.count("\n") <= 20
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(MINE)
    plan = Plan("full", tiny.recipe, steps=64, batch_norm=("recalibrate:64",))
    result = evaluate("my.py:Mixtures", tiny.table, plan=plan, instances=1, load=tiny.load)
    assert list(result.outcome.scores) == ["recalibrate:64", "perturbation"]
    assert result.outcome.cost.macs >= 64 * 64 * 3 * int(tiny.table.column("macs").mean())


@pytest.mark.slow  # a process of its own
def test_your_own_ranker_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my.py").write_text(MINE)
    assert 'check_ranker("my.py:Mixtures")' in PAGE
    check_ranker("my.py:Mixtures")


def test_what_the_rows_reach_is_what_ships() -> None:
    """Every row is there at both budgets; `spos` trains as `rs-ws` does."""
    for table in (row_table(), row_table(39_200)):
        assert table in PAGE
        assert {name for name in ROWS if f"| `{name}` |" in table} == ROWS.keys() - {"spos"}
