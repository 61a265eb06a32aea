"""A diagram of boxes and arrows as an SVG document: no scripts, nothing fetched."""

from collections.abc import Iterable
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from firstlight.graphs.layout import (
    LINE_HEIGHT,
    PADDING,
    Arrow,
    Box,
    Layout,
    PlacedBox,
    Role,
    Route,
    lay_out,
)

FILL: dict[Role, str] = {
    "data": "#eef1f4",
    "trained": "#e3ecfd",
    "goal": "#fbe9eb",
    "operation": "#ffffff",
}
EDGE: dict[Role, str] = {
    "data": "#9aa5b1",
    "trained": "#2f6fed",
    "goal": "#d1495b",
    "operation": "#9aa5b1",
}
MUTED = "#616e7c"
TOP_MARGIN = 84  # pixels: for the title and the subtitle
SIDE_MARGIN = 24  # pixels: at the left and right
LANE_WIDTH = 30  # pixels: for each feedback arrow


def render(boxes: list[Box], arrows: list[Arrow], title: str, subtitle: str) -> str:
    """Return the diagram as an SVG document.

    Args:
        boxes: at least one.
        arrows: between them; several may have the same ends.
        title: of the page.
        subtitle: the line below the title.
    """
    forward = [arrow for arrow in arrows if not arrow.is_feedback]
    feedback = [arrow for arrow in arrows if arrow.is_feedback]
    layout = lay_out(boxes, forward)
    left, right, bottom = _extent(layout)
    elements = [_line(arrow, layout.routes[arrow.source, arrow.target]) for arrow in forward]
    elements += [_labels(placed, forward) for placed in layout.boxes.values()]
    for number, arrow in enumerate(feedback, start=1):
        source, target = layout.boxes[arrow.source], layout.boxes[arrow.target]
        elements.append(_feedback_line(source, target, left - LANE_WIDTH * number))
    elements += [_box(placed) for placed in layout.boxes.values()]
    left -= SIDE_MARGIN + LANE_WIDTH * len(feedback)
    width = max(
        right + SIDE_MARGIN - left,
        11 * len(title) + 2 * SIDE_MARGIN,
        7 * len(subtitle) + 2 * SIDE_MARGIN,
    )
    header = _header(title, subtitle, left)
    return _document(f"{title}: {subtitle}", [*header, *elements], left, width, bottom + 40)


def _extent(layout: Layout) -> tuple[float, float, float]:
    """Return the left, right and bottom edge of all boxes and routes."""
    points = [point for route in layout.routes.values() for point in route]
    for placed in layout.boxes.values():
        points += [(placed.left, placed.bottom), (placed.right, placed.bottom)]
    xs, ys = zip(*points, strict=True)
    return min(xs), max(xs), max(ys)


def _document(
    description: str, elements: Iterable[str], left: float, width: float, bottom: float
) -> str:
    """Return the elements on a white page; the diagram begins below the header, at y = 0."""
    height = bottom + TOP_MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="{left:.0f} {-TOP_MARGIN} {width:.0f} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">\n'
        f"<title>{escape(description)}</title>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="{MUTED}"/></marker></defs>\n'
        f'<rect x="{left:.0f}" y="{-TOP_MARGIN}" width="100%" height="100%" rx="10" '
        'fill="#ffffff"/>\n' + "\n".join(elements) + "\n</svg>\n"
    )


def _header(title: str, subtitle: str, left: float) -> list[str]:
    x = f"{left + SIDE_MARGIN:.0f}"
    return [
        f'<text x="{x}" y="-52" font-size="18" font-weight="600">{escape(title)}</text>',
        f'<text x="{x}" y="-32" fill="{MUTED}">{escape(subtitle)}</text>',
    ]


def _ends(source: str, target: str) -> str:
    """Return the names of an arrow's boxes as attributes: the page lights arrows by them."""
    return f"data-from={quoteattr(source)} data-to={quoteattr(target)}"


def _line(arrow: Arrow, route: Route) -> str:
    """Return a curve through the points of a route, vertical where it passes each point."""
    path = f"M{route[0][0]:.1f} {route[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(route):
        if abs(x1 - x0) < 1 or abs(y1 - y0) < 1:
            path += f" L{x1:.1f} {y1:.1f}"
        else:
            half = (y0 + y1) / 2
            path += f" C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}"
    ends = _ends(arrow.source, arrow.target)
    return f'<path {ends} d="{path}" fill="none" stroke="{MUTED}" marker-end="url(#tip)"/>'


def _labels(placed: PlacedBox, arrows: list[Arrow]) -> str:
    """Return the labels of a box's outgoing arrows, below the box; equal labels once."""
    own = [arrow.label for arrow in arrows if arrow.source == placed.box.name and arrow.label]
    x, y = placed.center + 6, placed.bottom + 14
    return "".join(
        f'<text x="{x:.0f}" y="{y + 12 * i:.0f}" font-size="11" '
        f'fill="{MUTED}" paint-order="stroke" stroke="#ffffff" stroke-width="3">'
        f"{escape(label)}</text>"
        for i, label in enumerate(dict.fromkeys(own))
    )


def _feedback_line(source: PlacedBox, target: PlacedBox, lane: float) -> str:
    """Return a dashed arrow back up, along a lane at the left of all boxes."""
    y0, y1 = source.top + source.box.height / 2, target.top - 14
    path = (
        f"M{source.left:.0f} {y0:.0f} H{lane:.0f} V{y1:.0f} H{target.center - 16:.0f} "
        f"V{target.top - 2:.0f}"
    )
    style = f'stroke="{EDGE["goal"]}" stroke-dasharray="5 4" marker-end="url(#tip)"'
    ends = _ends(source.box.name, target.box.name)
    return f'<path {ends} d="{path}" fill="none" {style}/>'


def _box(placed: PlacedBox) -> str:
    """Return a box with its texts, and all of them as a tooltip."""
    box, x, y = placed.box, placed.left, placed.top
    tooltip = " · ".join(filter(None, [box.title, *box.lines, box.shape]))
    baseline = y + 22  # of the title
    parts = [
        f'<g class="node" data-name={quoteattr(box.name)}>'
        f"<title>{escape(tooltip)}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
        f'fill="{FILL[box.role]}" stroke="{EDGE[box.role]}"/>'
        f'<text x="{x + PADDING:.1f}" y="{baseline:.1f}" font-weight="600">'
        f"{escape(box.title)}</text>"
    ]
    if box.shape:
        parts.append(
            f'<text x="{placed.right - PADDING:.1f}" y="{baseline:.1f}" text-anchor="end">'
            f"{escape(box.shape)}</text>"
        )
    for number, line in enumerate(box.lines, start=1):
        parts.append(
            f'<text x="{x + PADDING:.1f}" y="{baseline + LINE_HEIGHT * number:.1f}" '
            f'fill="{MUTED}">{escape(line)}</text>'
        )
    return "".join(parts) + "</g>"
