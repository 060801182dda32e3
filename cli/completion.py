"""What a shell completes: names of the package, and files. Imported by options, so that nothing heavy is at the top.

    @click.argument("ranker", shell_complete=complete_rankers)

bash breaks words at colons and at signs, of which `groups:similar:4` and `P@top5` are made: `Bash` puts them together.
Not here: what options may name where that is written down (choices.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class, split_arg_string

from nasbench_ws.cli.choices import METRICS, MIXED, MODES, SCHEDULES

Complete = Callable[[click.Context, click.Parameter, str], list[Any]]


def names(known: Callable[[], Iterable[str]], *, files: bool = False) -> Complete:
    """Completes one of `known()`, whatever the case of its letters; or a file, where one does as well."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[Any]:
        found = [CompletionItem(one) for one in known() if one.lower().startswith(incomplete.lower())]
        return [*found, CompletionItem(incomplete, type="file")] if files else found

    return complete


def tables() -> list[str]:
    """Those that ship."""
    from nasbench_ws.tables.table import shipped

    return list(shipped())


def columns() -> list[str]:
    """Of a table, those by which children have an order."""
    from nasbench_ws.tables.columns import COLUMNS

    return [name for name in COLUMNS if name.endswith(("_accuracy", "_loss"))]


def strategies() -> list[str]:
    """Built-in ones."""
    from nasbench_ws.sharing.strategies import BUILT_IN

    return _beginnings(usage for one in BUILT_IN.values() for usage in one.usage.split(" | "))


def rankers() -> list[str]:
    """Strategies, and all else that `evaluate` takes by name."""
    from nasbench_ws.rankers.named import NAMED
    from nasbench_ws.rankers.rows import ROWS

    others = [one.usage for one in NAMED.values()] + [one.usage for one in ROWS.values()]
    return [*strategies(), *_beginnings(others)]


def searchers() -> list[str]:
    """Built-in ones."""
    from nasbench_ws.search.names import BUILT_IN

    return _beginnings(one.usage for one in BUILT_IN.values())


def results() -> list[str]:
    """Those that ship."""
    from nasbench_ws.evaluation.named import known_names

    return known_names()


def _beginnings(usages: Iterable[str]) -> list[str]:
    """Up to the first argument: of `groups:similar:M` groups:similar:, of `darts[:second]` darts."""
    ends = {
        usage[: next((i for i, c in enumerate(usage) if c.isupper() or c in "[="), len(usage))] for usage in usages
    }
    return sorted(ends - {""})


complete_tables = names(tables, files=True)
complete_strategies = names(strategies, files=True)
complete_rankers = names(rankers, files=True)
complete_searchers = names(searchers, files=True)
complete_results = names(results, files=True)
complete_schedules = names(lambda: (*SCHEDULES, *MIXED[:2]), files=True)
complete_metrics = names(lambda: METRICS)
complete_modes = names(lambda: MODES)
complete_columns = names(columns)

BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' response completion type value
    response=$(env COMP_WORDS="${COMP_LINE:0:COMP_POINT}" COMP_WORD="$2" %(complete_var)s=bash_complete "$1")
    COMPREPLY=()
    for completion in $response; do
        IFS=',' read -r type value <<< "$completion"
        if [[ $type == 'file' || $type == 'dir' ]]; then
            local there=($(compgen -"${type:0:1}" -- "$2"))
            [[ ${#there[@]} == 0 ]] || compopt -o filenames
            COMPREPLY+=("${there[@]}")
        else
            COMPREPLY+=("$value")
        fi
    done
    [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *[:=] ]] && compopt -o nospace
    return 0
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


@add_completion_class
class Bash(BashComplete):
    """click's, by the line instead of bash's words, of which an unfinished one is only the part behind a colon.

    `COMP_WORD` is that part; a reply is what comes in its place.
    """

    source_template = BASH

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the one to complete, and that one."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)
        unfinished = words.pop() if words and not line[-1].isspace() else ""
        return words[1:], unfinished

    def format_completion(self, item: CompletionItem) -> str:
        """Without what stands before bash's own word."""
        whole, part = self.get_completion_args()[1], os.environ.get("COMP_WORD")
        cut = len(whole) - len(part) if part is not None and whole.endswith(part) else 0
        return f"{item.type},{item.value if item.type != 'plain' else item.value[cut:]}"
