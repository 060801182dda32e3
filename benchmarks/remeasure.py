"""Measure the results that ship again, by this version's metrics: their scores stay as they are.

    python benchmarks/remeasure.py                  # each against the table of its space that ships

To be run when a metric, an interval or the verdict changes, or the table does. Prints what each says now.
"""

from __future__ import annotations

from nasbench_ws import Result, load
from nasbench_ws.evaluation.experiment import shipped_folders
from nasbench_ws.tables.table import shipped


def main() -> None:
    for table in (table for table in map(load, shipped()) if not table.foreign):
        for path in (path for folder in shipped_folders(table.space.name) for path in sorted(folder.glob("*.json"))):
            result = Result.load(path).against(table)
            result.save(path)
            print(f"{path.parent.name}/{path.stem}: {result.verdict}")


if __name__ == "__main__":
    main()
