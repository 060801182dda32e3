"""What mkdocs is told while it builds the site: links of the README's kind lead to the repository's files.

Pages of `data/` and the changelog are included as they are (pymdownx.snippets), and link to what stands beside them.
"""

from __future__ import annotations

import re
from typing import Any

ELSEWHERE = {  # a file of the repository, and the page of the site that shows it
    "data/CLAIMS.md": "data/claims.md",
    "data/INTERVALS.md": "statistics.md",
    "data/README.md": "data/fashion14.md",
    "data/PILOT.md": "data/pilot.md",
    "data/SCALE.md": "data/scale.md",
}


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to the files of `data/`, from a page of docs/, become links to the pages that include them."""
    up = "../" * page.file.src_uri.count("/")
    names = "|".join(map(re.escape, ELSEWHERE))

    def turned(match: re.Match[str]) -> str:
        return f"]({up}{ELSEWHERE[match[1]]}{match[2] or ''})"

    return re.sub(rf"\]\((?:\.\./)+({names})(#[^)]*)?\)", turned, markdown)
