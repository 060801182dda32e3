"""Measure the results that ship again, by this version's metrics: their scores stay as they are.

    python benchmarks/remeasure.py                  # data/results/*.json against the table that ships

To be run when a metric, an interval or the verdict changes, or the table does. Prints what each says now.
"""

from __future__ import annotations

from pathlib import Path

from nasbench_ws import Result, load

RESULTS = Path(__file__).resolve().parent.parent / "data" / "results"


def main() -> None:
    table = load("fashion14")
    for path in sorted(RESULTS.glob("*.json")):
        result = Result.load(path).against(table)
        result.save(path)
        print(f"{path.stem}: {result.verdict}")


if __name__ == "__main__":
    main()
