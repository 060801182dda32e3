"""Findings as text, at most 100 columns wide, and as a Markdown page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from nasbench_ws.evaluation.catalogue import Scale
from nasbench_ws.evaluation.reproduction.claims import CLAIMS
from nasbench_ws.evaluation.reproduction.finding import Finding, overall
from nasbench_ws.markup import number
from nasbench_ws.results.truth import GroundTruth

WIDTH = 100
RULE = (
    "A test asks whether our figure lies on the side of 0 where the paper's lies; where the paper has none, on the "
    "side that the claim says. Its p value is Holm's, corrected over all tests of this page that can be made: at .05 "
    "a test holds on the paper's side and does not hold on the other; between, it is undecided. A test whose control "
    "fails is not testable at this scale, and the reason stands beside it; a claim is not where most of its tests "
    "are not. Otherwise it holds where every test that decides holds, does not hold where every one says so, and is "
    "mixed where they disagree. Strategies are compared unpaired, with variances drawn towards those that are usual, "
    "at every match and way of batch norm that was run. Each test that was made has the difference that it could "
    "have told, with a chance of 80 % and before the correction."
)


def render(found: Sequence[Finding]) -> str:
    """Claim by claim: the paper's figure, ours with its interval and n, and the verdict."""
    lines = []
    for title, own in _by_claim(found):
        lines += [*textwrap.wrap(f"{title}.", WIDTH, break_on_hyphens=False), ""]
        for finding in own:
            ours = f"{number(finding.mean, short=True)} {_interval(finding)} n={finding.n}"
            lines += textwrap.wrap(finding.what, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"      ours {ours:36} {finding.verdict}{_corrected(finding, ', ')}{_told(finding)}".rstrip())
            lines.append(f"      paper {finding.paper}")
            if finding.why:
                lines += textwrap.wrap(finding.why, WIDTH - 6, initial_indent=" " * 6, subsequent_indent=" " * 8)
        lines.append("")
    return "\n".join(lines).rstrip()


def page(found: Sequence[Finding], scale: Scale, table: GroundTruth, absent: Sequence[str] = ()) -> str:
    """The same as a Markdown page.

    Args:
        found: the findings, with their verdicts.
        scale: at which the experiments were run.
        table: what results were measured against.
        absent: experiments of that scale that were not run.
    """
    how = (
        f"{scale.note} This is what `nasbench-ws reproduce --scale {scale.name}` makes of the results that ship, and a "
        f"test compares the two. Each figure has its 95 % interval and the number n of instances behind it. {RULE}"
    )
    title = f"# The paper's claims on `{table.name}`, {len(table.seeds)} seeds"
    if absent:
        how += f" Not run yet, and so not here: {', '.join(absent)}."
    lines = [title, "", *textwrap.wrap(how, 120, break_on_hyphens=False), ""]
    for title, own in _by_claim(found):
        lines += [f"## {title}", "", "| what | ours | n | the paper's | verdict |", "|---|---|---|---|---|"]
        for one in own:
            ours = f"{number(one.mean, short=True)} {_interval(one)}"
            why = f": {one.why}" if one.why else ""
            verdict = f"{one.verdict}{_corrected(one, ', ')}{_told(one)}{why}"
            lines.append(f"| {one.what} | {ours} | {one.n} | {one.paper} | {verdict} |")
        lines.append("")
    return "\n".join(lines)


def _by_claim(found: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    for claim, sentence in CLAIMS.items():
        own = [finding for finding in found if finding.claim == claim]
        if own:
            counts = Counter(finding.verdict for finding in own if finding.verdict)
            summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "figures alone"
            yield f"Claim {claim}. {sentence}: {overall(own, claim)} ({summary})", own


def _corrected(one: Finding, before: str) -> str:
    return "" if not one.verdict or one.adjusted != one.adjusted else f"{before}p {one.adjusted:.2g}"


def _told(one: Finding) -> str:
    """What a test that was made could have found."""
    known = one.verdict and not one.why and one.detectable == one.detectable
    return f"; could have told {number(one.detectable, short=True)}" if known else ""


def _interval(finding: Finding) -> str:
    return f"[{number(finding.low, short=True)}, {number(finding.high, short=True)}]"
