"""Search on a table, every query charged: who finds a good child sooner?

    from nasbench_ws.search import World, search

    result = search("re", load("fashion14"), budget=64)        # 500 repetitions, each in a world of its own
    World(load("fashion14"), seed=0)("434").valid_accuracy     # one observation, for optimisers of your own

oracle.py is the world, searcher.py what a searcher is, run.py the loop, result.py what is kept of it, compare.py the
figures; names.py knows the searchers, one file a family.
"""

from nasbench_ws.search.names import BUILT_IN, resolve_searcher
from nasbench_ws.search.oracle import Oracle, Rules, Seen, World
from nasbench_ws.search.result import SearchResult
from nasbench_ws.search.run import search, search_tables
from nasbench_ws.search.searcher import Ask, Make, Searcher, Setting

__all__ = [
    "BUILT_IN", "Ask", "Make", "Oracle", "Rules", "SearchResult", "Searcher", "Seen", "Setting", "World",
    "resolve_searcher", "search", "search_tables",
]  # fmt: skip
