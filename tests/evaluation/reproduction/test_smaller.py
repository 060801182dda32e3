"""The claims at the paper's scale, as far as it was run, beside those of a smaller one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nasbench_ws.evaluation.experiment import lacking, longer_results, present, wanting
from nasbench_ws.evaluation.reproduction import SCALES, experiments, findings, page, render
from nasbench_ws.evaluation.reproduction.finding import Finding
from nasbench_ws.evaluation.reproduction.smaller import Smaller, shipped_smaller
from nasbench_ws.metrics.values import rankable
from nasbench_ws.results.result import Result
from nasbench_ws.results.standing import minus_params
from nasbench_ws.tables.table import load

CLAIMS_PAGE, PAPERS_PAGE = (Path(__file__).parents[3] / "data" / f"CLAIMS{name}.md" for name in ("", "-PAPER"))


def test_the_shipped_pages_are_made_of_the_shipped_results(tmp_path: Path) -> None:
    table, standard, whole = load("fashion14"), SCALES["standard"], SCALES["paper"]
    assert lacking(experiments(table, standard), tmp_path) == []  # nothing would be trained
    smaller = shipped_smaller(table, whole, table)
    assert smaller is not None
    assert shipped_smaller(table, standard, table) is None
    assert CLAIMS_PAGE.read_text() == page(list(smaller.found.values()), standard, table)
    wanted = experiments(table, whole)
    results = present(wanted, tmp_path, table)
    absent = wanting(wanted, results)
    assert PAPERS_PAGE.read_text() == page(findings(results, table), whole, table, absent, smaller)
    assert sum(one.instances for one in lacking(wanted, tmp_path)) == sum(
        one.instances - (results[one.name].outcome.instances if one.name in results else 0) for one in wanted
    )
    assert {"shuffle", "none-child-updates"} <= set(results)  # named by what is trained and its steps


def test_what_more_training_changed_is_said() -> None:
    def verdicts(*texts: str) -> list[Finding]:
        return [Finding(4, f"test {i}", "", 0.5, 0, 1, 5, verdict=text) for i, text in enumerate(texts)]

    before = verdicts("holds", "undecided", "does not hold", "holds", "not testable at this scale", "undecided", "")
    now = verdicts("does not hold", "holds", "undecided", "holds", "undecided", "not testable at this scale", "")
    smaller, absent = Smaller.of(before, 100), {"seeds": frozenset({1}), "drift": frozenset({4})}
    assert {kind: [one.what for one in some] for kind, some in smaller.changed(now).items()} == {
        "decided the other way": ["test 0"], "decided now": ["test 1"], "not decided any more": ["test 2"]
    }  # fmt: skip
    text = render(now, absent, smaller)
    assert text.startswith("Not run yet, or not whole: seeds, drift.\n\nClaim 4. ")
    assert "mixed so far: 1 of its experiments were not run, or not whole (1 does not hold, 2 holds," in " ".join(
        text.split()
    )
    assert "      at 100 updates 0.500, n=5, holds\n" in text
    assert text.endswith("\n\nBeside 100 updates, not decided any more:\n  test 2: does not hold, and now undecided")
    assert smaller.words(Finding(4, "another", "", 0, 0, 0, 5)) == ""


def test_the_paper_scale_has_the_instances_and_the_controls_that_it_states() -> None:
    each = {one.name: one for one in experiments(load("fashion14"), SCALES["paper"])}
    assert {one.instances for name, one in each.items() if name in ("seeds", "orders", "shuffle")} == {10}
    assert {one.instances for name, one in each.items() if name.endswith("-16-steps")} == {3}
    rest = {name for name in each if name not in ("seeds", "orders", "shuffle") and not name.endswith("-16-steps")}
    assert {each[name].instances for name in rest} == {5}
    assert [each[f"full-times-{m}"].plan.steps for m in (2, 4, 8)] == [2 * 39_200, 4 * 39_200, 8 * 39_200]


def test_findings_are_what_the_results_say_themselves() -> None:
    """That is by the variances of their own budget."""
    table, longer = load("fashion14"), Result.load(longer_results() / "full-39200.json")
    found = {one.what: one for one in findings({"shuffle": longer}, table)}
    for mode in longer.outcome.scores:
        one = found[f"GT-Tau of full sharing minus parameter count's (0.79), {mode}"]
        theirs = minus_params(rankable(longer.outcome.scores[mode]), table, mode, longer.outcome.regime)
        assert (one.mean, (one.low, one.high), one.p_value) == (theirs.mean, theirs.interval, theirs.p_value)
    standing, own = longer.assessment.standing, longer.outcome.batch_norm
    assert standing is not None
    one = found[f"GT-Tau of full sharing minus parameter count's (0.79), {own}"]
    assert (one.low, one.high) == standing.minus_params.interval


def test_an_instance_that_diverged_under_one_way_of_batch_norm_has_no_gain() -> None:
    table, whole = load("fashion14"), Result.load(longer_results() / "full-39200.json")
    (first, second), scores = whole.outcome.scores, {mode: rows.copy() for mode, rows in whole.outcome.scores.items()}
    scores[first][0] = scores[second][1] = np.nan
    broken = Result.of(replace(whole.outcome, scores=scores), table)
    text = f"GT-Tau gained by batch norm {first} over {second}"
    before, after = (
        next(one for one in findings({"shuffle": one}, table, (2,)) if one.what == text) for one in (whole, broken)
    )
    taus = [np.array(whole.under(mode)["kendall_tau"].values) for mode in (first, second)]
    assert after.n == before.n - 2
    assert after.mean == pytest.approx((taus[0] - taus[1])[2:].mean())
