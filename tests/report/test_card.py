"""The card of the shipped table says what the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_outside_paper import FIGURES, papers_table

from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.report.card import card
from nasbench_ws.tables.table import load

CARD = Path(__file__).parents[2] / "data" / "README.md"


def test_the_shipped_card_is_generated_from_the_shipped_table():
    own, agreement = CARD.read_text(), "## Agreement with other tables"
    start, end = own.index(agreement), own.index("## Known limits")
    assert own[:start] + own[end:] == card(load("fashion14"))


@pytest.mark.skipif(not FIGURES.exists(), reason="the paper's figures are not at hand; they do not ship")
def test_so_is_its_agreement_with_the_paper():
    assert CARD.read_text() == card(load("fashion14"), [papers_table()])


def test_its_figures_are_those_of_the_table():
    table, text = load("fashion14"), CARD.read_text()
    children, seeds, _ = table.content.shape
    assert f"all {children} children" in text
    assert f"{seeds} seeds each ({children * seeds} runs, {len(table.absent())} of them" in text
    assert f"Kendall tau {kendall_tau(table.column('params'), table.truth):.3f}" in text
    assert f"{np.max(table.truth):.4f} ({table.best('test_accuracy')[0].name})" in text
    assert table.digest in text
