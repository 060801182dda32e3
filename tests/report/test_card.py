"""The card of the shipped table says what the table says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from test_outside_paper import FIGURES, papers_table

from nasbench_ws.evaluation.reference import shipped_full
from nasbench_ws.images.loaders import VALID_ONE_IN
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.report.card import IMAGES, card
from nasbench_ws.report.explained import Explained, between, explained, followed, sentences
from nasbench_ws.results.yardstick import yardstick
from nasbench_ws.tables.outside.paper import published
from nasbench_ws.tables.table import Table, load

CARD = Path(__file__).parents[2] / "data" / "README.md"


def test_the_shipped_card_is_generated_from_the_shipped_table():
    own, agreement = CARD.read_text(), "## Agreement with other tables"
    start, end = own.index(agreement), own.index("## Known limits")
    table = load("fashion14")
    assert own[:start] + own[end:] == card(table, net=shipped_full(table))
    assert "ceiling" not in own


@pytest.mark.skipif(not FIGURES.exists(), reason="the paper's figures are not at hand; they do not ship")
def test_so_is_its_agreement_with_the_paper():
    table = load("fashion14")
    assert CARD.read_text() == card(table, [papers_table()], shipped_full(table))


def test_what_explains_a_table():
    """Its truth by groups of children, against least squares on indicators; and what the scores follow, by scipy."""
    table, text = load("fashion14"), CARD.read_text()
    found, params = explained(table), table.column("params").astype(float)
    pools = [sum(op == "max_pool_3x3" for op in (c.operation(e) for e in table.space.edges)) for c in table.space]
    for groups, r2 in ((np.array(pools), found.pools), (params, found.params)):
        indicators = (groups[:, None] == np.unique(groups)).astype(float)
        left = table.truth - indicators @ np.linalg.lstsq(indicators, table.truth, rcond=None)[0]
        assert r2 == pytest.approx(1 - left.var() / table.truth.var(), abs=1e-9)
    assert f"number of poolings of a child (4 values) explains {found.pools:.2f} of the variance" in text
    net = shipped_full(table)
    taus = [
        np.mean([stats.kendalltau(row, other).statistic for row in net.outcome.scores["running"]])
        for other in (params, table.truth)
    ]
    assert followed(table, net).by_mode["running"] == pytest.approx(tuple(taus), abs=1e-12)
    assert f"{taus[0]:.2f} with parameter count and {taus[1]:.2f} with the truth (batch norm running)" in text
    reach = yardstick(table).reach["partial_tau"]
    assert f"| partial tau | {reach.bound:.3f} +- {reach.bound_std:.3f} | {reach.standalone:.3f} |" in text


def test_what_is_equal_explains_nothing():
    truth = np.array([0.1, 0.2, 0.4])
    assert np.isnan(between(truth, [1, 1, 1]))  # one group
    assert np.isnan(between(truth, [1, 2, 3]))  # a group each
    assert np.isnan(between(np.ones(3), [1, 1, 2]))
    assert between(truth, [1, 1, 2]) == pytest.approx(1 - 0.005 / truth.var() / 3)
    assert sentences(Explained(np.nan, 1, np.nan, 3, 0.5)) == []


def test_a_card_is_about_its_own_table(tiny):
    """Not about the shipped one: neither its images, nor how long it took, nor its licence."""
    text = card(tiny.table)
    assert "Fashion-MNIST" not in text
    assert (
        f"`tiny`: images of the maker's own; the table keeps their name and digest. Digest `{tiny.images.digest}`."
    ) in text
    assert "* tiny, the macro network small, 1 epochs: a finding here is about this setting." in text


@pytest.mark.parametrize("name", VALID_ONE_IN)
def test_data_sets_that_recipes_can_name_are_described(name):
    """With the numbers of the splits that `load_images` makes."""
    whole = 60_000 if name == "fashion-mnist" else 50_000
    valid = whole // VALID_ONE_IN[name]
    assert f"original {whole:,} training images are divided, by class, into {whole - valid:,}" in IMAGES[name]
    assert f"{valid:,} for validation" in IMAGES[name]


def test_a_published_table_claims_no_images_of_ours():
    means = np.linspace(0.8, 0.9, 64)
    text = card(Table(published(means, np.full(64, 0.002)), "paper"))
    assert (
        "`cifar10`: CIFAR-10, as its authors divided it; this package has not seen their images. The table has no "
        "digest of them."
    ) in text
    assert "The table does not say how long its runs took." in text
    assert "The table's licence: the authors' own." in text
    assert "nan" not in text


def test_its_figures_are_those_of_the_table():
    table, text = load("fashion14"), CARD.read_text()
    assert f"all {len(table)} children" in text
    assert f"10 to 27 seeds each ({37 * 10 + 27 * 27} runs, {len(table.absent())} of them" in text
    assert f"Kendall tau {kendall_tau(table.column('params'), table.truth):.3f}" in text
    assert f"{np.max(table.truth):.4f} ({table.best('test_accuracy')[0].name})" in text
    assert table.digest in text
