"""What a paper takes from results: figures as PDF at the width of a column, a LaTeX table, and BibTeX.

    for name, make in paper([full, mine], load("fashion14")).items():          # "scatter-full.pdf", "table.tex", ...
        Path(name).write_bytes(make())

Fonts are embedded as outlines that can be selected (type 42: some conferences refuse type 3). The same results give the
same bytes. Not here: the figures themselves (results/plot.py), and pages (results.py).
"""

from __future__ import annotations

import io
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from nasbench_ws.errors import UsageError, extra
from nasbench_ws.markup import number, on_one_line
from nasbench_ws.provenance import versions
from nasbench_ws.results.compare import names_beside, steps_beside, unusual
from nasbench_ws.results.result import Result
from nasbench_ws.results.truth import GroundTruth, once
from nasbench_ws.tables.plot import AS_IT_IS, axes_or_new

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES = (3.15, 2.4)  # fits a column of most two-column styles, article's of 3.17 too
LETTERS = 22  # of a name in a line beside a plot
STYLE: Any = {
    "pdf.fonttype": 42, "font.size": 8, "axes.titlesize": 8, "axes.labelsize": 8, "legend.fontsize": 7,
    "xtick.labelsize": 7, "ytick.labelsize": 7, "lines.linewidth": 1.0, "lines.markersize": 3.5,
}  # fmt: skip
BIBTEX = """@article{{zhang2020deeper,
  title   = {{Deeper Insights into Weight Sharing in Neural Architecture Search}},
  author  = {{Zhang, Yuge and Lin, Zejun and Jiang, Junyang and Zhang, Quanlu and Wang, Yujing and Xue, Hui and
             Zhang, Chen and Yang, Yaming}},
  journal = {{arXiv preprint arXiv:2001.01431}},
  year    = {{2020}}
}}

@misc{{nasbenchws,
  title  = {{nasbench-ws: does a way of sharing weights rank architectures?}},
  author = {{{{The nasbench-ws maintainers}}}},
  note   = {{Version {version}; table {table}, digest {digest}}}
}}
"""
ESCAPES = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def paper(results: Sequence[Result], truth: GroundTruth) -> dict[str, Callable[[], bytes]]:
    """Files by name, each made when it is called. UsageError where there is no result.

    ResultError for one without a single finite score, or of other children than the table's.

    Args:
        results: in the order of the table's rows; measured against `truth` where they were against another table.
        truth: the table.
    """
    if not results:
        raise UsageError("no result for a paper; give at least one file of `nasbench-ws evaluate -o FILE`")
    judge = once(truth)
    judged = [result.measured_by(judge) for result in results]
    for result in judged:
        _ = result.tau  # which refuses one that diverged
    with extra("report", "figures need matplotlib"):
        import matplotlib  # noqa: F401
    found: dict[str, Callable[[], bytes]] = {}
    for result, name in zip(judged, _file_names(judged), strict=True):
        there = {
            "scatter": True, "ranks": len(result.outcome.seeds) > 1, "window": result.outcome.window is not None,
            "progress": "accuracy" in result.outcome.trace,
        }  # fmt: skip
        for figure in (figure for figure, drawn in there.items() if drawn):
            found[f"{figure}-{name}.pdf"] = partial(_pdf, partial(getattr(result.plot, figure), judge))
    height = max(1.2, 0.8 + sum(0.1 + 0.12 * len(textwrap.wrap(name, LETTERS)) for name in names_beside(judged)))
    found["forest.pdf"] = partial(_pdf, partial(forest, judged), height)
    found["table.tex"] = lambda: latex(judged).encode()
    found["nasbench-ws.bib"] = lambda: bibtex(judged[0]).encode()
    return found


def bibtex(result: Result) -> str:
    """What to cite: the paper whose questions these are, and this package with the table's digest."""
    table = result.assessment.table
    return BIBTEX.format(version=versions()["nasbench-ws"], table=_tex(table.name), digest=table.digest[:16])


def forest(results: Sequence[Result], ax: Axes | None = None) -> Axes:
    """Kendall tau of each result with its interval, the first on top; lines are parameter count and the bound."""
    axes = axes_or_new(ax)
    first = results[0].assessment
    lines = {"parameters": first.baselines["params"]["kendall_tau"].mean}
    if first.standing is not None:
        lines["bound"] = first.standing.reach["kendall_tau"].bound
    for (label, value), style in zip(lines.items(), ("--", ":"), strict=False):
        axes.axvline(value, color="0.5", linestyle=style, linewidth=0.9, label=f"{label} {value:.2f}")
    for place, result in enumerate(results):
        low, high = result.tau.interval
        if not math.isnan(low):
            axes.hlines(place, low, high, linewidth=1.2, color="C0")
        axes.plot(result.tau.mean, place, "o", color="C0")
    names = [textwrap.fill(on_one_line(name), LETTERS) for name in names_beside(results)]
    axes.set_yticks(range(len(results)), names, **AS_IT_IS)
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.set_xlabel("Kendall tau, with 95 % interval")
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, frameon=False)
    return axes


def latex(results: Sequence[Result]) -> str:
    """A table for booktabs: a row a result, then what costs nothing and the bound."""
    first = results[0].assessment
    rows = [
        [
            _tex(f"{unusual(result)} {steps}".rstrip()), _tex(result.outcome.batch_norm), str(result.tau.n),
            _mean(result.tau.mean, result.tau.interval),
            _mean(beyond.mean, beyond.interval) if (beyond := result.metrics.get("partial_tau")) else "--",
            f"{result.outcome.cost.macs / 1e12:.1f}",
        ]
        for result, steps in zip(results, steps_beside(results), strict=True)
    ]  # fmt: skip
    params = first.baselines["params"]["kendall_tau"]
    others = [["parameter count", "", "", _mean(params.mean, (math.nan, math.nan)), "--", "0.0"]]
    if first.standing is not None:
        reach = first.standing.reach
        taus = [_mean(reach[name].bound, (math.nan, math.nan)) for name in ("kendall_tau", "partial_tau")]
        others.append(["bound", "", "", *taus, ""])
    body = "\n".join(f"  {' & '.join(row)} \\\\" for row in rows)
    below = "\n".join(f"  {' & '.join(row)} \\\\" for row in others)
    table = first.table
    return (
        f"% nasbench-ws {versions()['nasbench-ws']}, table {_tex(table.name)}, digest {table.digest}\n"
        "% \\usepackage{booktabs}; intervals are of 95 \\%: other super-nets, and other seeds of the table\n"
        "\\begin{tabular}{llrllr}\n  \\toprule\n"
        "  strategy & batch norm & $n$ & Kendall $\\tau$ & partial $\\tau$ & $10^{12}$ MACs \\\\\n  \\midrule\n"
        f"{body}\n  \\midrule\n{below}\n  \\bottomrule\n\\end{{tabular}}\n"
    )


def _mean(value: float, interval: tuple[float, float]) -> str:
    low, high = interval
    shown = number(value, 2).replace("-", "--") if math.isnan(value) else f"${value:.2f}$"
    return shown if math.isnan(low) else f"{shown} $[{low:.2f}, {high:.2f}]$"


def _tex(text: str) -> str:
    """On one line, for a stranger's name with a line's end in it would end a comment, and begin a command.

    >>> _tex("a_b 50 %")
    'a\\\\_b 50 \\\\%'
    """
    return "".join(ESCAPES.get(letter, letter) for letter in on_one_line(text))


def _file_names(results: Sequence[Result]) -> Iterator[str]:
    """Of each result, letters, digits and dashes; a number behind one that stood before."""
    seen: dict[str, int] = {}
    for whole in names_beside(results):
        name = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"(?<=\d),(?=\d{3} steps)", "", whole)).strip("-")[-60:] or "result"
        seen[name] = seen.get(name, 0) + 1
        yield name if seen[name] == 1 else f"{name}-{seen[name]}"


def _pdf(draw: Callable[..., Any], height: float = INCHES[1]) -> bytes:
    """Drawn on Axes of a figure that belongs to nobody's session; without a date, so that equal figures are equal."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_pdf import FigureCanvasPdf
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    about = {"Creator": f"nasbench-ws {versions()['nasbench-ws']}", "CreationDate": None}
    with rc_context(STYLE):
        figure = Figure(figsize=(INCHES[0], height), layout="constrained")
        FigureCanvasPdf(figure)
        draw(ax=figure.subplots())
        figure.savefig(stream, format="pdf", metadata=about)
    return stream.getvalue()
