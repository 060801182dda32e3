"""The same claims at a smaller scale, to stand beside: what more training changed.

    smaller = shipped_smaller(table, SCALES["paper"], judge)       # at 100 updates of each child; None where none ships
    smaller.words(found[0])                                        # "0.32, n=5, holds"
    smaller.changed(found)                                         # {"decided the other way": [...], ...}
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nasbench_ws.evaluation.catalogue import SCALES, Scale, experiments
from nasbench_ws.evaluation.experiment import present, wanting
from nasbench_ws.evaluation.reproduction.claims import CLAIMS, findings
from nasbench_ws.evaluation.reproduction.finding import HOLDS, NOT, Finding
from nasbench_ws.markup import number
from nasbench_ws.results.truth import GroundTruth
from nasbench_ws.tables.table import Table


@dataclass(frozen=True)
class Smaller:
    """The findings of a smaller scale, to stand beside: what more training changed."""

    updates: int  # of each child, in a super-net that shares all
    found: Mapping[str, Finding]  # by what they are

    @classmethod
    def of(cls, found: Sequence[Finding], updates: int) -> Smaller:
        return cls(updates, {one.what: one for one in found})

    def words(self, one: Finding) -> str:
        """The figure there, with its verdict; "" where that was not asked there."""
        there = self.found.get(one.what)
        if there is None:
            return ""
        verdict = f", {there.verdict}" if there.verdict else ""
        return f"{number(there.mean, short=True)}, n={there.n}{verdict}"

    def changed(self, found: Sequence[Finding]) -> dict[str, list[Finding]]:
        """Tests of both scales by what became of their verdicts, where they differ."""
        kinds: dict[str, list[Finding]] = {"decided the other way": [], "decided now": [], "not decided any more": []}
        for one in found:
            there = self.found.get(one.what)
            if there is None or not one.verdict or one.verdict == there.verdict:
                continue
            now, then = ({verdict} <= {HOLDS, NOT} for verdict in (one.verdict, there.verdict))
            if now or then:
                kinds[list(kinds)[0 if now and then else 1 if now else 2]].append(one)
        return kinds


def shipped_smaller(
    table: Table, scale: Scale, judge: GroundTruth, claims: Sequence[int] = tuple(CLAIMS)
) -> Smaller | None:
    """Of scale standard, where that is the smaller one and all of it ships for the table's recipe; else None."""
    standard = SCALES["standard"]
    wanted = experiments(table, standard, claims)
    if scale.steps <= standard.steps:
        return None
    results = present(wanted, os.devnull, judge)
    if wanting(wanted, results):
        return None
    return Smaller.of(findings(results, judge, claims), standard.steps // len(table))
