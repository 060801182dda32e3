"""The command line: `nasbench-ws COMMAND`. One file a group of commands, loaded when it is called.

What the commands do is in the package; here are options, messages and exit codes. stdout is the answer,
progress and errors go to stderr.
"""

from __future__ import annotations

import functools
import importlib
import os

import click

from nasbench_ws.cli.failures import guarded
from nasbench_ws.cli.options import without_empty

# command: the file that has it
WHERE = {
    "tables": "query",
    "query": "query",
    "top": "query",
    "evaluate": "evaluate",
    "compare": "evaluate",
    "why": "why",
    "join": "join",
    "assess": "assess",
    "power": "power",
    "leaderboard": "leaderboard",
    "search": "search",
    "export": "export",
    "reproduce": "reproduce",
    "report": "report",
    "show": "show",
    "strategies": "strategies",
    "check": "check",
    "group": "strategies",
    "build": "build",
    "train": "build",
    "merge": "build",
    "import": "outside",
    "verify": "build",
    "data": "data",
    "doctor": "data",
}


@functools.cache
def _command(name: str) -> click.Command:
    module = importlib.import_module(f"nasbench_ws.cli.{WHERE[name]}")
    command: click.Command = getattr(module, "import_" if name == "import" else name)
    for one in (command, *getattr(command, "commands", {}).values()):  # of `data`, too
        if one.callback is not None:
            one.callback = without_empty(one.callback)
    return command


class Commands(click.Group):
    """Commands imported when they are called, so that `query` and `--help` never import torch."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(WHERE)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in WHERE and not args[0].startswith("-") and not ctx.resilient_parsing:
            from nasbench_ws.errors import near_misses

            ctx.fail(f"there is no command {args[0]!r}{near_misses(args[0], WHERE)}; `nasbench-ws --help` lists them")
        return super().resolve_command(ctx, args)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in WHERE:
            return None
        return _command(name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, SHORT[name]) for name in WHERE])


SHORT = {
    "tables": "list the tables that ship",
    "query": "what a table knows of one child",
    "top": "the best children of a table",
    "evaluate": "train a strategy's super-nets and measure their ranking",
    "compare": "results side by side, with their differences",
    "why": "where a ranking lost its tau, and to which operation",
    "join": "instances that were run apart, as one result",
    "assess": "measure a ranking of your own, whatever made it",
    "power": "how many instances a difference needs",
    "leaderboard": "strategies in order, and where yours stands",
    "search": "searchers on a table, every query charged",
    "export": "a table for other people's optimisers",
    "reproduce": "the paper's experiments and claims, with verdicts",
    "report": "a page to look at: results, or a table",
    "show": "a child: its cell, curve, neighbours; or a result",
    "strategies": "list the built-in strategies, or describe one",
    "check": "whether a strategy keeps the protocol",
    "group": "find groups of similar children from a short run",
    "build": "train every child standalone",
    "train": "train one child again and compare with a table",
    "merge": "make a table of finished runs",
    "import": "make a table of what others measured",
    "verify": "check a table",
    "data": "the images: list, check, prepare",
    "doctor": "versions, processor, and which path computes",
}


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="nasbench-ws")
def group() -> None:
    """Does your way of sharing weights rank architectures?

    \b
    Examples:
      nasbench-ws evaluate full
      nasbench-ws query 434
      nasbench-ws evaluate my.py:MyStrategy -o mine.json

    \b
    Exit codes: 0 done; 1 a fault of this program; 2 a wrong option or recipe;
    3 no such architecture; 4 a table missing or broken; 5 images absent or
    damaged; 6 a strategy that cannot be used; 7 a path that cannot be written;
    8 a run that failed for good; 9 a broken result file; 130 interrupted by
    Ctrl-C, 143 by SIGTERM, 129 by a terminal that closed.

    \b
    Completion of commands, options, tables and strategies, for bash (zsh, fish):
      eval "$(_NASBENCH_WS_COMPLETE=bash_source nasbench-ws)"
    """


def main() -> None:
    """All but the start (__main__.py): errors of this package become messages and exit codes."""
    if "_NASBENCH_WS_COMPLETE" in os.environ:
        import nasbench_ws.cli.completion  # noqa: F401  # tells click of bash's script
    guarded(group)
