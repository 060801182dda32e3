"""Compute what is kept of the tables that ship, and write data/yardsticks.json: their first look-up is fast too.

    python benchmarks/keep_yardsticks.py            # says what would change
    python benchmarks/keep_yardsticks.py --write    # and writes the file

Run it again when a table ships or what it is measured by changes; tests/results/test_yardstick.py says when.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from nasbench_ws import load
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.results.kept import FORMAT, SHIPPED, as_json
from nasbench_ws.results.truth import once
from nasbench_ws.results.yardstick import identity, measure_table
from nasbench_ws.tables.table import shipped

PATH = Path(__file__).resolve().parent.parent / "data" / SHIPPED


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PATH.name}")
    write = parser.parse_args().write
    there: dict[str, Any] = read_record(PATH, FORMAT) if PATH.exists() else {}
    here = {identity(table): as_json(measure_table(table)) for table in map(once, map(load, shipped()))}
    print("nothing changes" if here == there else f"{len(here)} tables, {PATH.name} is to be written")
    if write:
        write_record(PATH, FORMAT, here)


if __name__ == "__main__":
    main()
