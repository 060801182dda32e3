"""Measure what ships for the leaderboard, and write data/leaderboard.json, so that nothing is read to show it.

    python benchmarks/keep_leaderboard.py            # says what would change
    python benchmarks/keep_leaderboard.py --write    # and writes the file, and draws the picture that the docs have

Run it again when a result or a table ships, or when what they are measured by changes; until then what changed is read
and measured at each call, and tests/evaluation/test_board_facts.py fails, as tests/docs/test_pictures.py may.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import msgspec

from nasbench_ws import load
from nasbench_ws.evaluation.board_facts import FORMAT, KEPT, Facts, facts
from nasbench_ws.evaluation.board_figure import forest
from nasbench_ws.evaluation.experiment import shipped_folders
from nasbench_ws.evaluation.leaderboard import leaderboard
from nasbench_ws.json_files import read_record, write_record
from nasbench_ws.report.canvas import standalone
from nasbench_ws.results.truth import judged
from nasbench_ws.tables.table import Table, shipped

ROOT = Path(__file__).resolve().parent.parent
PATH = ROOT / "data" / KEPT
PICTURE = ROOT / "docs" / "pictures" / "leaderboard.svg"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help=f"write {PATH.name} and {PICTURE.name}")
    write = parser.parse_args().write
    there = read_record(PATH, FORMAT) if PATH.exists() else {}
    tables = [table for table in map(load, shipped()) if not table.foreign]
    here = msgspec.json.decode(msgspec.json.encode({table.digest: measured(table) for table in tables}))
    count = sum(map(len, here.values()))
    print("nothing changes" if here == there else f"{count} results, {PATH.name} is to be written")
    if write:
        write_record(PATH, FORMAT, here)
        PICTURE.write_text(standalone(forest(leaderboard())), encoding="utf-8")


def measured(table: Table) -> dict[str, Facts]:
    """Of every result that ships of the table's space, whatever is kept."""
    judge, nothing = judged(table, allow_missing=False), Path(os.devnull)
    each = [facts(folder, table, judge, kept=nothing) for folder in shipped_folders(table.space.name)]
    return {name: one for known in each for name, one in known.items()}


if __name__ == "__main__":
    main()
