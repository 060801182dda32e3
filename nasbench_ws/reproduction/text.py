"""Findings as text, at most 100 columns wide."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from nasbench_ws.reproduction.claims import CLAIMS, Finding

WIDTH = 100


def render(found: Sequence[Finding]) -> str:
    """Claim by claim: the paper's figure, ours with its interval and n, and the verdict."""
    lines = []
    for claim, sentence in CLAIMS.items():
        own = [finding for finding in found if finding.claim == claim]
        if not own:
            continue
        counts = Counter(finding.verdict for finding in own if finding.verdict)
        summary = ", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())) or "figures alone"
        lines += [*textwrap.wrap(f"Claim {claim}. {sentence}: {summary}.", WIDTH), ""]
        for finding in own:
            interval = f"[{_number(finding.low)}, {_number(finding.high)}]"
            ours = f"{_number(finding.mean)} {interval} n={finding.n}"
            lines += textwrap.wrap(finding.what, WIDTH - 2, initial_indent="  ", subsequent_indent="    ")
            lines.append(f"      ours {ours:36} {finding.verdict}".rstrip())
            lines.append(f"      paper {finding.paper}")
        lines.append("")
    return "\n".join(lines).rstrip()


def _number(value: float) -> str:
    return "-" if value != value else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
