"""Findings as text, at most 100 columns wide, and as a Markdown page."""

from __future__ import annotations

import math
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from nasbench_ws.evaluation.catalogue import Scale
from nasbench_ws.evaluation.reproduction.claims import CLAIMS
from nasbench_ws.evaluation.reproduction.finding import Finding, overall
from nasbench_ws.evaluation.reproduction.smaller import Smaller
from nasbench_ws.markup import number
from nasbench_ws.results.truth import GroundTruth, seeds_each

Absent: TypeAlias = Mapping[str, frozenset[int]]  # experiments in words, and the claims that ask for them
NOTHING: Absent = {}
WIDTH = 100
_RULE = (
    "A test asks whether our figure lies on the side of 0 where the paper's lies; where the paper has none, on the "
    "side that the claim says. Its p value is Holm's, corrected over the {tests} tests that are made here: at .05 "
    "a test holds on the paper's side and does not hold on the other; between, it is undecided. A test whose control "
    "fails is not testable at this scale, and the reason stands beside it; a claim is not where most of its tests "
    "are not. Otherwise it holds where every test that decides holds, does not hold where every one says so, and is "
    "mixed where they disagree. Strategies are compared unpaired, with variances drawn towards those that are usual, "
    "at every match and way of batch norm that was run. Each test that was made has the difference that it could "
    "have told, with a chance of 80 % and before the correction."
)


def rule(found: Sequence[Finding]) -> str:
    """How a verdict is made, with the number of tests that p values are corrected over."""
    return _RULE.format(tests=tests_made(found))


def tests_made(found: Sequence[Finding]) -> int:
    """Of how many findings a test could be made: p values are corrected over these."""
    return sum(not math.isnan(one.adjusted) for one in found)


def render(found: Sequence[Finding], absent: Absent = NOTHING, smaller: Smaller | None = None) -> str:
    """Claim by claim: the paper's figure, ours with its interval and n, the verdict, and those of a smaller scale."""
    lines = [*textwrap.wrap(not_run(absent), WIDTH, break_on_hyphens=False), ""] if absent else []
    for title, own in _by_claim(found, absent):
        lines += [*textwrap.wrap(f"{title}.", WIDTH, break_on_hyphens=False), ""]
        for finding in own:
            ours = f"{number(finding.mean, short=True)} {_interval(finding)} n={finding.n}"
            lines += textwrap.wrap(finding.what, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"      ours {ours:36} {finding.verdict}{_corrected(finding, ', ')}{_told(finding)}".rstrip())
            lines.append(f"      paper {finding.paper}")
            there = smaller.words(finding) if smaller else ""
            lines += [f"      at {smaller.updates} updates {there}"] if smaller and there else []
            if finding.why:
                lines += textwrap.wrap(finding.why, WIDTH - 6, initial_indent=" " * 6, subsequent_indent=" " * 8)
        lines.append("")
    if tests := tests_made(found):
        lines += [f"p values are Holm's, corrected over the {tests} tests that are made here.", ""]
    for title, texts in changes_of(found, smaller):
        wrapped = (textwrap.wrap(text, WIDTH - 2, initial_indent="  ", subsequent_indent="    ") for text in texts)
        lines += [f"{title}:", *(line for text in wrapped for line in text), ""]
    return "\n".join(lines).rstrip()


def page(
    found: Sequence[Finding], scale: Scale, table: GroundTruth, absent: Absent = NOTHING,
    smaller: Smaller | None = None,
) -> str:  # fmt: skip
    """The same as a Markdown page.

    Args:
        found: the findings, with their verdicts.
        scale: at which the experiments were run.
        table: what results were measured against.
        absent: experiments of that scale that were not run, or not whole, with their claims.
        smaller: findings of a smaller scale, in a column of their own.
    """
    how = (
        f"{scale.note} This is what `nasbench-ws reproduce --scale {scale.name}` makes of the results that ship, and a "
        f"test compares the two. Each figure has its 95 % interval and the number n of instances behind it. "
        + rule(found)
    )
    updates = scale.steps // len(table.space)
    title = f"# The paper's claims on `{table.name}`, {seeds_each(table)} seeds, {updates:,} updates of each child"
    lines = [title, ""]
    for text in (how, *([not_run(absent)] if absent else [])):
        lines += [*textwrap.wrap(text, 120, break_on_hyphens=False), ""]
    for title, own in _by_claim(found, absent):
        also = [f"at {smaller.updates} updates"] if smaller else []
        heads = ["what", "ours", "n", "the paper's", "verdict", *also]
        lines += [f"## {title}", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
        for one in own:
            ours = f"{number(one.mean, short=True)} {_interval(one)}"
            why = f": {one.why}" if one.why else ""
            verdict = f"{one.verdict}{_corrected(one, ', ')}{_told(one)}{why}"
            cells = [one.what, ours, str(one.n), one.paper, verdict, *([smaller.words(one)] if smaller else [])]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    for title, texts in changes_of(found, smaller):
        lines += [f"## {title}", "", *(f"* {text}" for text in texts), ""]
    return "\n".join(lines)


def not_run(absent: Absent) -> str:
    """A sentence on the experiments that are lacking."""
    return f"Not run yet, or not whole: {', '.join(absent)}."


def changes_of(found: Sequence[Finding], smaller: Smaller | None) -> Iterator[tuple[str, list[str]]]:
    """What more training changed, by kind."""
    for kind, changed in (smaller.changed(found) if smaller else {}).items():
        if smaller and changed:
            texts = [f"{one.what}: {smaller.found[one.what].verdict}, and now {one.verdict}" for one in changed]
            yield f"Beside {smaller.updates} updates, {kind}", texts


def overall_text(found: Sequence[Finding], claim: int, absent: Absent) -> str:
    """The verdict on a claim, with what it lacks."""
    count = sum(claim in claims for claims in absent.values())
    lacks = f" so far: {count} of its experiments were not run, or not whole" if count else ""
    return f"{overall(found, claim)}{lacks}"


def _by_claim(found: Sequence[Finding], absent: Absent) -> Iterator[tuple[str, list[Finding]]]:
    for claim, sentence in CLAIMS.items():
        own = [finding for finding in found if finding.claim == claim]
        if own:
            counts = Counter(finding.verdict for finding in own if finding.verdict)
            summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "figures alone"
            yield f"Claim {claim}. {sentence}: {overall_text(own, claim, absent)} ({summary})", own


def _corrected(one: Finding, before: str) -> str:
    return "" if not one.verdict or one.adjusted != one.adjusted else f"{before}p {one.adjusted:.2g}"


def _told(one: Finding) -> str:
    """What a test that was made could have found."""
    known = one.verdict and not one.why and one.detectable == one.detectable
    return f"; could have told {number(one.detectable, short=True)}" if known else ""


def _interval(finding: Finding) -> str:
    return f"[{number(finding.low, short=True)}, {number(finding.high, short=True)}]"
