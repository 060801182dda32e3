"""The claims as one self-contained page: a verdict for each, and every figure in a table that sorts.

    claims_page(findings(results, table), SCALES["standard"], table)            # HTML

Not here: the findings (finding.py), and the same as text and Markdown (text.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from nasbench_ws.evaluation.catalogue import Scale
from nasbench_ws.evaluation.reproduction.claims import CLAIMS
from nasbench_ws.evaluation.reproduction.finding import Finding
from nasbench_ws.evaluation.reproduction.smaller import Smaller
from nasbench_ws.evaluation.reproduction.text import NOTHING, Absent, changes_of, not_run, overall_text, rule
from nasbench_ws.markup import escaped, number, paragraph
from nasbench_ws.report.page import Section, facts, page
from nasbench_ws.report.sortable import SCRIPT, Cell, Column, Filters, Line, sortable
from nasbench_ws.results.truth import GroundTruth, seeds_each

COLUMNS = (
    Column("claim", "of the paper, by its number"),
    Column("figure", "what was measured", text=True),
    Column("ours", "mean over instances"),
    Column("95 %", "interval of our mean", text=True),
    Column("n", "instances"),
    Column("paper", "what the paper has, in its words", text=True),
    Column("verdict", "holds, does not hold, undecided or not testable; nothing where it is a figure alone", text=True),
    Column("p", "Holm's, corrected over all tests of the page"),
    Column("could have told", "the difference that the test would have found with a chance of 80 %"),
)
BEFORE = Column("smaller", "mean at a smaller scale, at {} updates of each child, with its n and verdict", text=True)
FILTERS = Filters(find=1, choose={0: "any claim", 6: "any verdict"})


def claims_page(
    found: Sequence[Finding], scale: Scale, table: GroundTruth, absent: Absent = NOTHING,
    smaller: Smaller | None = None,
) -> str:  # fmt: skip
    """HTML, one file: nothing is loaded, and nothing is lost without scripts.

    Args:
        found: the findings, with their verdicts.
        scale: at which the experiments were run.
        table: what results were measured against.
        absent: experiments of that scale that were not run, or not whole, with their claims.
        smaller: findings of a smaller scale, in a column of their own.
    """
    columns: tuple[Column, ...] = COLUMNS
    if smaller:
        said = BEFORE.said.format(smaller.updates)
        columns = (*COLUMNS, replace(BEFORE, head=f"at {smaller.updates} updates", said=said))
    claims = {claim: sentence for claim, sentence in CLAIMS.items() if any(one.claim == claim for one in found)}
    verdicts = "".join(
        f"<p>{claim}. {escaped(sentence)}: <b>{escaped(overall_text(found, claim, absent))}</b></p>"
        for claim, sentence in claims.items()
    )
    about = f"The claims of arXiv:2001.01431 on {table.name} ({seeds_each(table)} seeds). {scale.note}"
    if absent:
        about += f" {not_run(absent)}"
    changes = "".join(
        f"<p>{escaped(title)}:</p><ul>{''.join(f'<li>{escaped(text)}</li>' for text in texts)}</ul>"
        for title, texts in changes_of(found, smaller)
    )
    sections = [
        Section("Verdicts", verdicts),
        *([Section("What more training changed", changes)] if changes else []),
        Section("All figures", sortable(columns, [_line(one, smaller) for one in found], filters=FILTERS)),
        Section("How a verdict is made", paragraph(rule(found))),
        Section("What the columns are", facts({one.head: one.said for one in columns})),
    ]
    return page(f"The paper's claims on {table.name}", sections, about=about, script=SCRIPT)


def _line(one: Finding, smaller: Smaller | None) -> Line:
    interval = "" if math.isnan(one.low) else f"[{number(one.low, short=True)}, {number(one.high, short=True)}]"
    why = f'<span class="note"> {escaped(one.why)}</span>' if one.why else ""
    told = one.detectable if one.verdict and not one.why else math.nan
    return Line([
        Cell(one.claim, str(one.claim)),
        Cell(one.what, f'<span class="long">{escaped(one.what)}</span>'),
        Cell(one.mean, number(one.mean, short=True)),
        Cell.text(interval),
        Cell(one.n, str(one.n)),
        Cell(one.paper, f'<span class="long">{escaped(one.paper)}</span>'),
        Cell(one.verdict, f'<span class="long">{escaped(one.verdict)}{why}</span>'),
        Cell(one.adjusted, f"{one.adjusted:.2g}" if math.isfinite(one.adjusted) else ""),
        Cell(told, number(told, short=True) if math.isfinite(told) else ""),
        *([Cell.text(smaller.words(one))] if smaller else []),
    ])  # fmt: skip
