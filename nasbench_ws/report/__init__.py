"""Pages to look at: results against the ground truth, a table, and a child as a picture.

    from nasbench_ws.report.results import results_page
    Path("report.html").write_text(results_page([Result.load("full.json")], load("fashion14")))

results.py and table.py make a page each, child.py draws a child (SVG, without any library), card.py writes a table's
card as Markdown; canvas.py has the drawing surface, figures.py a function a figure, page.py what is around them. A page
needs no network and no scripts. Drawing needs matplotlib (extra `[report]`).
"""
