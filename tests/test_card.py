"""The card of the shipped table says what the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nasbench_ws.card import card
from nasbench_ws.metrics import kendall_tau
from nasbench_ws.table import load

CARD = Path(__file__).parent.parent / "data" / "README.md"


def test_the_shipped_card_is_generated_from_the_shipped_table():
    assert CARD.read_text() == card(load("fashion14"))


def test_its_figures_are_those_of_the_table():
    table, text = load("fashion14"), CARD.read_text()
    children, seeds, _ = table.content.shape
    assert f"all {children} children" in text
    assert f"{seeds} seeds each ({children * seeds} runs, {len(table.absent())} of them" in text
    assert f"Kendall tau {kendall_tau(table.column('params'), table.truth):.3f}" in text
    assert f"{np.max(table.truth):.4f} ({table.best('test_accuracy')[0].name})" in text
    assert table.digest in text
