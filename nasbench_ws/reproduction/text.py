"""Findings as text, at most 100 columns wide, and as a Markdown page."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from nasbench_ws.evaluation.catalogue import Scale
from nasbench_ws.markup import number
from nasbench_ws.reproduction.claims import CLAIMS, Finding
from nasbench_ws.tables.table import Table

WIDTH = 100


def render(found: Sequence[Finding]) -> str:
    """Claim by claim: the paper's figure, ours with its interval and n, and the verdict."""
    lines = []
    for title, own in _by_claim(found):
        lines += [*textwrap.wrap(f"{title}.", WIDTH, break_on_hyphens=False), ""]
        for finding in own:
            ours = f"{number(finding.mean, short=True)} {_interval(finding)} n={finding.n}"
            lines += textwrap.wrap(finding.what, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"      ours {ours:36} {finding.verdict}".rstrip())
            lines.append(f"      paper {finding.paper}")
        lines.append("")
    return "\n".join(lines).rstrip()


def page(found: Sequence[Finding], scale: Scale, table: Table) -> str:
    """The same as a Markdown page."""
    how = (
        f"{scale.note} This is what `nasbench-ws reproduce --scale {scale.name}` makes of the results that ship, and a "
        "test compares the two. Each figure has its 95 % interval and the number n of instances behind it. "
        'A difference "holds" where that interval lies on the side that the paper says, "does not hold" where it lies '
        "on the other, and is undecided where it has 0 in it, or no width."
    )
    title = f"# The paper's claims on `{table.name}`, {len(table.seeds)} seeds"
    lines = [title, "", *textwrap.wrap(how, 120, break_on_hyphens=False), ""]
    for title, own in _by_claim(found):
        lines += [f"## {title}", "", "| what | ours | n | the paper's | verdict |", "|---|---|---|---|---|"]
        for one in own:
            ours = f"{number(one.mean, short=True)} {_interval(one)}"
            lines.append(f"| {one.what} | {ours} | {one.n} | {one.paper} | {one.verdict} |")
        lines.append("")
    return "\n".join(lines)


def _by_claim(found: Sequence[Finding]) -> Iterator[tuple[str, list[Finding]]]:
    for claim, sentence in CLAIMS.items():
        own = [finding for finding in found if finding.claim == claim]
        if own:
            counts = Counter(finding.verdict for finding in own if finding.verdict)
            summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "figures alone"
            yield f"Claim {claim}. {sentence}: {summary}", own


def _interval(finding: Finding) -> str:
    return f"[{number(finding.low, short=True)}, {number(finding.high, short=True)}]"
