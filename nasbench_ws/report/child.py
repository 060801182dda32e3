"""A child drawn as its cell: nodes, edges and the operation on each. SVG by hand: a dozen shapes need no library."""

from __future__ import annotations

import html

from nasbench_ws.report.canvas import FAINT, INK, SERIES, VARIABLES
from nasbench_ws.space.cell import Architecture

STEP, HEIGHT, RADIUS = 190, 210, 17  # pixels between nodes, of the picture, of a node


def draw_child(child: Architecture) -> str:
    """An <svg> element. Node 0 is the cell's input; the output joins all others."""
    nodes = child.space.nodes + 1
    width, middle = STEP * (nodes - 1) + 2 * RADIUS + 40, HEIGHT / 2
    at = [RADIUS + 20 + STEP * node for node in range(nodes)]
    parts = []
    for source, target in child.space.edges:
        operation = child.operation((source, target))
        colour = _var(SERIES[child.space.operations.index(operation) % len(SERIES)])
        left, right, span = at[source] + RADIUS, at[target] - RADIUS, target - source
        lift = 0 if span == 1 else (-1) ** target * 52 * span
        centre = (left + right) / 2
        parts.append(
            f'<path d="M{left} {middle} Q{centre} {middle + lift} {right} {middle}" fill="none" '
            f'stroke="{colour}" stroke-width="3"/>'
            f'<text x="{centre}" y="{middle + lift / 2 + (-9 if lift <= 0 else 20)}" text-anchor="middle" '
            f'fill="{_var(INK)}">{html.escape(operation)}</text>'
        )
    for node, x in enumerate(at):
        parts.append(
            f'<circle cx="{x}" cy="{middle}" r="{RADIUS}" fill="none" stroke="{_var(FAINT)}" stroke-width="2"/>'
            f'<text x="{x}" y="{middle + 5}" text-anchor="middle" fill="{_var(INK)}">x{node}</text>'
        )
    label = f"the cell of {child.name}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT}" role="img" aria-label="{label}" '
        f'font-family="sans-serif" font-size="14"><title>{label}</title>{"".join(parts)}</svg>'
    )


def _var(colour: str) -> str:
    return f"var(--{VARIABLES[colour]}, {colour})"
