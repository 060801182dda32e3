"""Pages: self-contained, escaped, whole, and the same every time; what is missing is left out, and said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from conftest import COST, scored

from nasbench_ws.errors import ResultError, UsageError
from nasbench_ws.markup import paragraph, table
from nasbench_ws.metrics.rank import kendall_tau
from nasbench_ws.report import table_figures as figures
from nasbench_ws.report.child import draw_child
from nasbench_ws.report.page import Section, page
from nasbench_ws.report.results import FIGURES, results_page
from nasbench_ws.report.table import table_page
from nasbench_ws.results.assess import assess
from nasbench_ws.results.outcome import Changes, Readouts, Window
from nasbench_ws.results.result import Result
from nasbench_ws.results.text import UP
from nasbench_ws.space.registry import DEEPER64
from nasbench_ws.tables.table import load

Make = Callable[..., Result]


@pytest.fixture
def everything(make: Make) -> Result:
    """A result with all readouts."""
    rng = np.random.default_rng(1)
    part = Changes(tuple(range(64)), rng.normal(size=(64, 64)) / 100, np.eye(64))
    return make(
        scores={"running": scored(), "recalibrate": scored(1)},
        last=3,
        window=Window(rng.random((2, 3, 64)), ((((0,),) * 3,),) * 2),
        readouts=Readouts(
            fine_tune={m: {f: rng.random((2, 64)) for f in ("0", "5")} for m in ("running", "recalibrate")},
            interference=((part,), (part,)),
        ),
    )


def headings(html: str) -> list[str]:
    return re.findall(r"<h2>(.*?)</h2>", html)


def check_page(html: str) -> None:
    """What every page must be: nothing from elsewhere, no scripts, every id once, every reference to one of them."""
    assert html.startswith("<!doctype html>")
    assert "<script" not in html
    assert not re.search(r"@import|url\((?!#)", html)
    for target in re.findall(r'(?:src|href)="([^"]*)"', html):
        assert target.startswith(("#", "data:")), target
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="#|url\(#)([^")]*)', html)) <= set(ids)
    assert len(html) < 2_000_000


def test_a_trace_is_drawn_against_progress(make: Make, tiny: Any) -> None:
    """Also where nothing could be told apart at first; what has no trace says nothing of it."""
    rng = np.random.default_rng(2)
    logp = rng.random((2, 3, 64))
    logp[:, 0] = -4.0
    trace = {"progress": np.tile([0.0, 0.5, 1.0], (2, 1)), "logp": logp, "accuracy": rng.random((2, 3, 64))}
    html = results_page([make(trace=trace)], tiny.table)
    check_page(html)
    assert "Correlation against progress" in headings(html)
    taus = [kendall_tau(one, tiny.table.truth) for one in logp[:, -1]]
    assert f"log-probability of each child: mean at the end {np.mean(taus):.3f}" in html
    assert "Correlation against progress" not in results_page([make()], tiny.table)


def test_one_result_has_every_figure(everything: Result, tiny: Any) -> None:
    html = results_page([everything], tiny.table)
    check_page(html)
    assert headings(html) == [
        "Verdict", "Scores against the ground truth", "Ranks across instances", "Over the last steps",
        "After fine-tuning", "Interference", "How it was made",
    ]  # fmt: skip
    assert html.count("<svg") == 5
    for child in DEEPER64:
        assert f"<title>{child.name}: score " in html
    assert everything.verdict in html
    assert tiny.table.digest in html
    assert "Kendall tau, batch norm recalibrate" in html
    assert html == results_page([everything], tiny.table)


def test_what_is_missing_is_left_out_with_a_word(make: Make, tiny: Any) -> None:
    html = results_page([make(scores={"running": scored(0, 1)})], tiny.table)
    check_page(html)
    assert headings(html) == ["Verdict", "Scores against the ground truth", "Left out", "How it was made"]
    for text in (
        "Ranks across instances: it takes two instances or more.",
        "Over the last steps: snapshots were not taken; evaluate with --last K.",
        "After fine-tuning: it was not measured; evaluate with --fine-tune 0,5,10.",
        "Interference: it was not measured; evaluate with --interference N.",
    ):
        assert text in html
    html = results_page([make()], None)
    assert html.count("the table is not at hand.") == len(FIGURES)
    assert "<svg" not in html
    diverged = make(scores={"running": np.full((2, 64), np.nan)})
    assert "Scores against the ground truth: every instance diverged." in results_page([diverged], tiny.table)


@pytest.mark.slow  # CI runs it
def test_several_results_stand_side_by_side(make: Make, everything: Result, tiny: Any) -> None:
    close = make(strategy="close", scores={"running": np.vstack([tiny.table.truth] * 2) + scored() / 50})
    html = results_page([everything, close], tiny.table)
    check_page(html)
    assert headings(html)[0] == "Side by side"
    assert "2. close: Verdict" in headings(html)
    assert html.count("<svg") == 1 + 5 + 2  # no front of what costs the same
    assert "All cost the same within 5 %: there is no front to draw." in html
    dear = make(strategy="dear", cost=replace(COST, macs=2 * COST.macs))
    assert results_page([everything, dear], tiny.table).count("<svg") == 2 + 5 + 2
    cells = (
        r"<td>close - full end-lr 0.04</td><td>\+0\.\d{3}</td><td>\[.*?\]</td><td>2 and 2</td><td>[\d.]+</td>"
        r"<td>(not )?distinguishable</td>"
    )
    assert re.search(cells, re.sub(r' data-l="[^"]*"', "", html))
    assert 'data-l="verdict">' in html  # the heading, for a card on a phone
    assert "T1R \N{DOWNWARDS ARROW}" in html
    assert "[&#x27;" not in html  # no list as Python writes it
    other = make(plan={**close.outcome.plan, "steps": 1})
    said = "No differences: full end-lr 0.04 has number of steps 6400, and full 1;"
    assert said in results_page([everything, other], tiny.table)


def test_what_files_say_is_escaped(make: Make, tiny: Any) -> None:
    evil = '<script>alert("1")</script>&'
    result = make(strategy=evil, versions={evil: evil}, match=evil)
    html = results_page([result, make()], tiny.table)
    check_page(html)
    assert "&lt;script&gt;alert" in html
    text = page(evil, [Section(evil, paragraph(evil) + table([evil], [[evil]]))])
    check_page(text)
    assert text.count("&lt;script&gt;") == 6  # title twice, heading, paragraph, head, cell


def test_another_table_measures_the_same_scores_again(everything: Result, tiny: Any) -> None:
    assert everything.against(tiny.table).data == everything.data
    other = tiny.remade(tiny.recipe, seed=5)
    again = everything.against(other)
    expected = assess(everything.scores, other)
    assert again["metrics"]["kendall_tau"]["values"] == list(expected.metrics["kendall_tau"].values)
    assert again["table"]["digest"] == other.digest
    assert again["window"]["gt_tau"] != everything["window"]["gt_tau"]
    assert again.against(tiny.table).data == everything.data
    html = results_page([everything], other)
    assert "1 of 1 were evaluated with another table; here they are measured against this." in html
    assert again.verdict in html
    broken = Result.from_dict({**everything.data, "children": everything["children"][::-1]})
    with pytest.raises(ResultError) as caught:
        broken.against(other)
    others = (
        "the scores of full are of 64 children, and those of tiny are others; measure it against a table of the same "
        "space"
    )
    assert str(caught.value) == others
    for changed in ({"images_digest": "0" * 64}, {"recipe": {**everything["recipe"], "images": "cifar10"}}):
        with pytest.raises(ResultError) as caught:
            Result.from_dict({**everything.data, **changed}).against(other)
        assert str(caught.value) == (
            "the scores of full are of other images than tiny; measure it against a table of the same networks and "
            "images"
        )
    for draw in (broken.plot.scatter, broken.plot.ranks):
        with pytest.raises(ResultError) as caught:
            draw(tiny.table)
        assert str(caught.value) == others


@pytest.mark.parametrize("name", ["tiny", "fashion14"])
def test_the_page_of_a_table(tiny: Any, name: str) -> None:
    truth = tiny.table if name == "tiny" else load(name)
    html = table_page(truth)
    check_page(html)
    assert "ceiling" not in html
    assert headings(html) == [
        "In a sentence", "Accuracies", "By operation and edge", "Learning curves", "Spread between seeds",
        "What explains this table", "What can be reached", "How well seeds agree",
        "Tau against cost", "Cost", "The best and the worst", "Recipe and digests",
    ]  # fmt: skip
    assert html.count("<svg") == 7 + 6
    assert truth.digest in html
    assert f"({truth.best('test_accuracy')[0].name})" in html


def test_a_child_is_drawn_as_its_cell() -> None:
    drawn = ElementTree.fromstring(draw_child(DEEPER64.architecture("124")))
    shapes = [element.tag.rpartition("}")[2] for element in drawn]
    assert shapes.count("path") == 3
    assert shapes.count("circle") == 3
    texts = [element.text for element in drawn if element.tag.endswith("text")]
    assert texts == ["max_pool_3x3", "sep_conv_3x3", "dil_conv_5x5", "x0", "x1", "x2"]


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError) as caught:
        figures.distribution(np.arange(10.0))
    assert str(caught.value) == "figures need matplotlib; get it with: pip install 'nasbench-ws[report]'"


def test_tidy_data(everything: Result, tiny: Any) -> None:
    frame, data = everything.to_frame(), everything.to_xarray()
    assert frame.shape == (2 * 2 * 64, 5)
    one = frame[(frame.batch_norm == "recalibrate") & (frame.instance == 1) & (frame.hash == DEEPER64[7].hash)]
    assert one.score.tolist() == [scored(1)[1, 7]]
    chosen = data.score.sel(batch_norm="recalibrate", instance=1, architecture=DEEPER64[7].hash)
    assert float(chosen) == scored(1)[1, 7]
    known = everything.to_frame(tiny.table)
    assert known.shape == (2 * 2 * 64, 8)
    row = known[known.hash == DEEPER64[7].hash].iloc[0]
    assert (row["name"], row["truth"]) == (DEEPER64[7].name, tiny.table.truth[7])
    table_data = tiny.table.to_xarray()
    beside = data.score - table_data.test_accuracy  # by the architecture; no seed meets an instance
    assert beside.sizes == {"batch_norm": 2, "instance": 2, "architecture": 64, "seed": 3, "epoch": 2}
    assert dict(table_data.sizes) == {"architecture": 64, "seed": 3, "epoch": 2}
    np.testing.assert_array_equal(table_data.test_accuracy.mean("seed").isel(epoch=-1), tiny.table.truth)
    assert table_data.test_accuracy.attrs["units"] == "fraction"
    assert table_data.status.dtype.kind == "U"


def test_tidy_data_needs_its_library(everything: Result, tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("pandas", "xarray"):
        monkeypatch.setitem(sys.modules, library, None)
        method = {"pandas": "to_frame", "xarray": "to_xarray"}[library]
        for thing in (everything, tiny.table):
            with pytest.raises(UsageError) as caught:
                getattr(thing, method)()
            assert str(caught.value) == f"{method} needs {library}; get it with: pip install 'nasbench-ws[{library}]'"


def test_notebooks_show_little(everything: Result, tiny: Any) -> None:
    assert everything.verdict in everything._repr_html_()
    assert f">Kendall tau {UP}</td>" in everything._repr_html_()
    html = tiny.table._repr_html_()
    assert "64 children x 3 seeds" in html
    assert html.count("<tr>") == 6
    assert "<script" not in everything._repr_html_() + html


@pytest.mark.slow  # it draws everything; CI runs it
def test_plots_are_axes_to_go_on_with(everything: Result, make: Make, tiny: Any) -> None:
    from matplotlib import pyplot

    from nasbench_ws.evaluation.leaderboard import leaderboard

    scatter = everything.plot.scatter(tiny.table)
    assert scatter.get_xlabel() == "ground truth (%)"
    curves = tiny.table.plot.curves()
    assert len(curves.lines) == 64
    assert curves.get_ylabel() == "valid accuracy (%)"
    some = tiny.table.plot.curves(["111", "434"], column="train_loss", ax=curves)
    assert some is curves
    assert [text.get_text() for text in curves.get_legend().get_texts()] == ["111", "434"]
    with pytest.raises(UsageError) as flat:
        load("nasbench201-cifar10").plot.curves()
    assert str(flat.value) == (
        "nasbench201-cifar10 has no curves of valid_accuracy; draw those of a table that has more epochs"
    )
    assert len(everything.plot.ranks(tiny.table).lines) == 2 + 1  # instances, and the line where ranks are true
    window = everything.plot.window(tiny.table, ax=scatter)
    assert window is scatter
    with pytest.raises(UsageError) as caught:
        make().plot.window(tiny.table)
    assert str(caught.value) == "this result has no scores of its last steps; evaluate it with --last K"
    board = leaderboard()
    assert len(board.plot.forest().get_yticklabels()) == len(board.rows)
    assert board.plot.frontier().get_xscale() == "log"
    assert repr(board) == f"Leaderboard('fashion14': {len(board.rows)} rows by kendall_tau, matched in child-updates)"
    html = board._repr_html_()
    assert html.count("<tr>") == 20 + 1  # and a word on the rest
    assert f">{len(board.rows) - 20} more rows: print the leaderboard, or take its to_frame()<" in html
    assert "more rows" not in board.only(top=3)._repr_html_()
    pyplot.close("all")
