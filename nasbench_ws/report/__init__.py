"""Pages to look at: results against the ground truth, a table, and a child as a picture.

    Path("report.html").write_text(results_page([Result.load("full.json")], load("fashion14")))
    Path("table.html").write_text(table_page(load("fashion14")))
    draw_child(load("fashion14").space.architecture("434"))          # SVG text

canvas.py has the drawing surface, figures.py a function a figure, page.py what is around them. A page needs no network
and no scripts. Drawing needs matplotlib (extra `[report]`), a child's picture nothing.
"""

from nasbench_ws.report.child import draw_child
from nasbench_ws.report.results import FIGURES, results_page
from nasbench_ws.report.table import table_page

__all__ = ["FIGURES", "draw_child", "results_page", "table_page"]
