"""What mkdocs is told while it builds the site: links of the README's kind lead to the repository's files.

Pages of `data/` and the changelog are included as they are (pymdownx.snippets), and link to what stands beside them.
Notebooks are shown as pages, without outputs as they are kept, and can be downloaded.
"""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ELSEWHERE = {  # a file of the repository, and the page of the site that shows it
    "data/CLAIMS.md": "data/claims.md",
    "data/CLAIMS-PAPER.md": "data/claims-paper.md",
    "data/INTERVALS.md": "statistics.md",
    "data/README.md": "data/fashion14.md",
    "data/PILOT.md": "data/pilot.md",
    "data/SCALE.md": "data/scale.md",
}


def on_files(files: Files, *, config: Any) -> Files:
    """A page beside every notebook, and one of every file of code."""
    for file in [one for one in files if one.src_uri.endswith(".ipynb")]:
        assert file.abs_src_path is not None
        path = Path(file.abs_src_path)
        files.append(File.generated(config, file.src_uri.removesuffix(".ipynb") + ".md", content=notebook_page(path)))
    files.append(File.generated(config, "files.md", content=files_page(Path(config.config_file_path).parent)))
    return files


def files_page(root: Path) -> str:
    """What each file holds, wing after wing, as its own first line says."""
    package, lines = root / "nasbench_ws", ["# Every file"]
    wings = [one.name for one in package.iterdir() if (one / "__init__.py").exists() and not one.is_symlink()]
    for wing in ("", *sorted(wings), "cli"):
        folder = root / "cli" if wing == "cli" else package / wing
        lines += ["", f"## {wing or 'nasbench_ws'}", "", "| file | what it holds |", "|---|---|"]
        for path in sorted(folder.rglob("*.py") if wing else folder.glob("*.py")):
            said = (ast.get_docstring(ast.parse(path.read_text())) or "").partition("\n")[0]
            lines += [f"| `{path.relative_to(folder)}` | {said.replace('|', ' or ')} |"] if said else []
    return "\n".join(lines) + "\n"


def notebook_page(path: Path) -> str:
    """A notebook's cells as Markdown, with a link to the notebook under its title."""
    cells = [
        "".join(cell["source"]) if cell["cell_type"] == "markdown" else f"```python\n{''.join(cell['source'])}\n```"
        for cell in json.loads(path.read_text())["cells"]
    ]
    title, _, rest = cells[0].partition("\n")
    return "\n\n".join([title, f"[Download this notebook]({path.name})", rest, *cells[1:]]) + "\n"


def on_page_content(html: str, *, page: Any, **_: Any) -> str:
    """In the reference of commands: no default where there is none, and examples a line each."""
    if page.file.src_uri != "commands.md":
        return html

    def listed(match: re.Match[str]) -> str:
        lines = "\n".join(line.strip() for line in match[2].splitlines() if line.strip())
        return f"<p>{match[1]}</p>\n<pre><code>{lines}</code></pre>"

    without = re.sub(r"<code>(?:Sentinel\.UNSET|None|False)</code>", "", html)
    return re.sub(r"<p>(Examples?:|Completion of [^<]*?:|Exit codes:)\n([^<]*)</p>", listed, without)


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links to the files of `data/`, from a page of docs/, become links to the pages that include them."""
    up = "../" * page.file.src_uri.count("/")
    names = "|".join(map(re.escape, ELSEWHERE))

    def turned(match: re.Match[str]) -> str:
        return f"]({up}{ELSEWHERE[match[1]]}{match[2] or ''})"

    return re.sub(rf"\]\((?:\.\./)+({names})(#[^)]*)?\)", turned, markdown)
