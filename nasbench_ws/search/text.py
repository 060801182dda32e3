"""A comparison of searchers as lines to read. Not here: the numbers (compare.py), the page (report/search.py).

print(render(comparison, results))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nasbench_ws.markup import number
from nasbench_ws.search.compare import Comparison, Row
from nasbench_ws.search.result import SearchResult
from nasbench_ws.search.sample import Estimate

UNITS = {
    "evaluations": "full trainings", "epochs": "epochs", "macs": "multiply-adds of training",
    "seconds": "modelled seconds",
}  # fmt: skip
SIZES = {"macs": "multiply-adds", "params": "parameters"}


def render(comparison: Comparison, results: Sequence[SearchResult], lines: Mapping[str, float]) -> str:
    """`lines` are regrets of exhaustive search, by name."""
    first = results[0]
    table, rules = first.header["table"]["name"], first.header["rules"]
    head = (
        f"{table}: {len(first)} repetitions, budget {first.budget:.4g} {UNITS[rules['unit']]} "
        f"({first.budget / first.header['evaluation']:.3g} of a mean child's)"
    )
    if rules.get("limit") is not None:
        head += f", choices of at most {rules['limit']:.4g} multiply-adds ({first.candidates.sum()} networks)"
    size = SIZES[first.header.get("sizes", "macs")]
    width = max(len(row.name) for row in comparison.rows) + 2
    rows = [
        f"{'':{width}}{'anytime':>22}  {'final regret':>24}  {'wins':>5}  {'best':>5}  {'rank':>5}  {'distinct':>8}  "
        f"{'front':>7}"
    ]
    rows += [_line(row, width) for row in comparison.rows]
    told = [
        f"anytime: area under the regret curve over log cost, over that of {comparison.baseline}; below 1 is better.",
        "+ better, - worse, = not distinguishable after Holm's correction.",
        "final regret: in points of accuracy; wins: how often a search ends better than it in the same world.",
        f"front: part of the hypervolume of accuracy and {size} of those trained networks that no other beats in "
        "both.",
        *[f"{row.name}: {shared(row)}" for row in comparison.rows if row.instances],
        *[f"{name}: regret {_points(value)}" for name, value in lines.items()],
    ]
    return "\n".join([head, "", *rows, "", *told, "", comparison.text])


def shared(row: Row) -> str:
    """What its repetitions share, and what that means for its intervals."""
    nets = "super-net" if row.instances == 1 else "super-nets"
    return f"its repetitions share {row.instances} {nets}, which its intervals and tests are over"


def _line(row: Row, width: int) -> str:
    anytime = f"{_interval(row.anytime, 1, 2):>19} {_mark(row.anytime_verdict):>2}"
    end = f"{_interval(row.final, 100, 3):>21} {_mark(row.final_verdict):>2}"
    rest = f"{row.wins.mean:5.2f}  {row.best_child:5.2f}  {row.rank:5.1f}  {row.distinct:8.1f}"
    rest += f"  {row.front.mean:5.3f} {_mark(row.front_verdict)}"
    return f"{row.name:{width}}{anytime}  {end}  {rest}"


def _interval(value: Estimate, scale: float, digits: int) -> str:
    mean, low, high = (number(scale * one, digits) for one in (value.mean, value.low, value.high))
    return f"{mean} [{low}, {high}]"


def _mark(verdict: str) -> str:
    """+ better, - worse, = not distinguishable, after correction."""
    return {"better": "+", "worse": "-", "not distinguishable": "="}[verdict]


def _points(value: float) -> str:
    return number(100 * value)
