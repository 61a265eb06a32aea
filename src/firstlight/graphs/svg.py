"""Boxes and arrows as one SVG file: laid out in layers, each box below what it needs.

The layout is Sugiyama's ("Methods for visual understanding of hierarchical system structures",
1981): a layer a box by its longest path, waypoints where an arrow crosses a layer, then each
layer ordered by the mean place of its neighbours, so that few arrows cross.
"""

from dataclasses import dataclass, field
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

FILL = {"data": "#eef1f4", "trained": "#e3ecfd", "goal": "#fbe9eb", "operation": "#ffffff"}
EDGE = {"data": "#9aa5b1", "trained": "#2f6fed", "goal": "#d1495b", "operation": "#9aa5b1"}
CHARACTER, LINE, PADDING = 7.3, 17, 12  # pixels: of text at 12 px, and around it
GAP, RISE = 28, 52  # pixels between boxes of a layer, and between layers
A_COLUMN = 760  # pixels: a picture much taller goes on in another column


Route = list[tuple[float, float]]
Ends = tuple[str, str]  # the names of the boxes at the ends of an arrow


@dataclass
class Box:
    """A box; `place` is filled in by the layout: the left edge and the top, in pixels."""

    name: str
    title: str
    lines: list[str]
    corner: str = ""  # at the right of the title: a shape
    role: str = "operation"
    parameters: int = 0
    place: tuple[float, float] = (0, 0)
    width: float = field(init=False)
    height: float = field(init=False)

    def __post_init__(self) -> None:
        first = len(self.title) * 1.1 + len(self.corner) + 3 * bool(self.corner)
        longest = max([first, *map(len, self.lines)])
        self.width = max(110, longest * CHARACTER + 2 * PADDING)
        self.height = LINE * (1 + len(self.lines)) + 2 * PADDING - 4

    @property
    def middle(self) -> float:
        return self.place[0] + self.width / 2

    @property
    def bottom(self) -> float:
        return self.place[1] + self.height


@dataclass(frozen=True)
class Arrow:
    source: str
    target: str
    back: bool = False  # against the flow: drawn dashed, around the side
    label: str = ""


def svg(boxes: list[Box], arrows: list[Arrow], title: str, subtitle: str) -> str:
    """The picture as an SVG document: no scripts, nothing fetched."""
    by_name = {box.name: box for box in boxes}
    forward, back = ([arrow for arrow in arrows if arrow.back is way] for way in (False, True))
    routes = _layout(boxes, forward)
    points = [point for route in routes.values() for point in route]
    points += [(x, box.bottom) for box in boxes for x in (box.place[0], box.place[0] + box.width)]
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    drawn = [_line(routes[arrow.source, arrow.target]) for arrow in forward]
    drawn += [_labels(box, forward) for box in boxes]
    drawn += [_return(by_name, arrow, left - 30 * (i + 1)) for i, arrow in enumerate(back)]
    drawn += [_box(box) for box in boxes]
    left -= 24 + 30 * len(back)
    width = max(right + 24 - left, 11 * len(title) + 48, 7 * len(subtitle) + 48)
    return _page(title, subtitle, drawn, left, width, max(y for _, y in points) + 40)


def _page(
    title: str, subtitle: str, drawn: list[str], left: float, width: float, bottom: float
) -> str:
    """What is drawn, on white, under its title; the drawing starts at y = 0."""
    top = -84
    size = f"{width:.0f} {bottom - top:.0f}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{width:.0f}" '
        f'height="{bottom - top:.0f}" viewBox="{left:.0f} {top} {size}" '
        'font-family="system-ui, sans-serif" font-size="12" fill="#1f2933">\n'
        f"<title>{escape(title)}: {escape(subtitle)}</title>\n"
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="#616e7c"/></marker></defs>\n'
        f'<rect x="{left:.0f}" y="{top}" width="100%" height="100%" rx="10" fill="#ffffff"/>\n'
        f'<text x="{left + 24:.0f}" y="-52" font-size="18" font-weight="600">{escape(title)}'
        "</text>\n"
        f'<text x="{left + 24:.0f}" y="-32" fill="#616e7c">{escape(subtitle)}</text>\n'
        + "\n".join(drawn)
        + "\n</svg>\n"
    )


def even(boxes: list[Box]) -> list[Box]:
    """The same boxes, all as wide as the widest."""
    for box in boxes:
        box.width = max(other.width for other in boxes)
    return boxes


def _layout(boxes: list[Box], arrows: list[Arrow]) -> dict[Ends, Route]:
    """Place the boxes; returns the points that each arrow goes through."""
    by_name = {box.name: box for box in boxes}
    layer = _layers(boxes, arrows)
    rows: list[list[str]] = [[] for _ in range(max(layer.values()) + 1)]
    widths = {box.name: box.width for box in boxes}
    for box in boxes:
        rows[layer[box.name]].append(box.name)
    neighbours: dict[str, list[str]] = {}
    chains: dict[Ends, list[str]] = {}
    for arrow in arrows:
        between = range(layer[arrow.source] + 1, layer[arrow.target])
        chain = [arrow.source, *(f"{arrow}{n}" for n in between), arrow.target]
        chains[arrow.source, arrow.target] = chain
        for n, waypoint in zip(between, chain[1:-1], strict=True):
            rows[n].append(waypoint)
            widths[waypoint] = 24
        for one, other in pairwise(chain):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    middle = _middles(rows, widths, neighbours)
    tops = _tops(rows, by_name)
    lane = _into_columns(rows, widths, list(chains.values()), middle, tops)
    for box in boxes:
        box.place = (middle[box.name] - box.width / 2, tops[layer[box.name]])
    return {
        ends: _up(by_name[ends[0]], by_name[ends[1]], lane[ends[1]])
        if by_name[ends[1]].place[1] < by_name[ends[0]].bottom
        else _down(chain, by_name, middle, tops, layer)
        for ends, chain in chains.items()
    }


def _layers(boxes: list[Box], arrows: list[Arrow]) -> dict[str, int]:
    """The layer of each box: below all it needs; what needs nothing stands just above its user."""
    needs: dict[str, list[str]] = {box.name: [] for box in boxes}
    for arrow in arrows:
        needs[arrow.target].append(arrow.source)
    layer: dict[str, int] = {}

    def place(name: str, path: tuple[str, ...] = ()) -> int:
        if name not in layer:  # scopes can need each other in a circle: the path breaks it
            above = [place(n, (*path, name)) for n in needs[name] if n not in path and n != name]
            layer[name] = 1 + max(above, default=-1)
        return layer[name]

    for box in boxes:
        place(box.name)
    for name in needs:
        users = [layer[arrow.target] for arrow in arrows if arrow.source == name]
        if not needs[name] and users:
            layer[name] = max(0, min(users) - 1)
    return layer


def _middles(
    rows: list[list[str]], widths: dict[str, float], neighbours: dict[str, list[str]]
) -> dict[str, float]:
    """The horizontal middle of each box and waypoint, after sweeps down and up the layers."""
    middle: dict[str, float] = {}
    for row in rows:
        middle.update(_pack(row, widths, dict.fromkeys(row, 0.0)))
    for sweep in range(8):
        for row in rows if sweep % 2 == 0 else reversed(rows):
            wanted = {}
            for name in row:
                near = [middle[n] for n in neighbours.get(name, ())] or [middle[name]]
                wanted[name] = sum(near) / len(near)
            row.sort(key=lambda name: wanted[name])
            middle.update(_pack(row, widths, wanted))
    return middle


def _pack(row: list[str], widths: dict[str, float], wanted: dict[str, float]) -> dict[str, float]:
    """Side by side in this order without touching, as near to what is wanted as can be."""
    middle: dict[str, float] = {}
    edge = float("-inf")
    for name in row:
        middle[name] = max(wanted[name], edge + widths[name] / 2)
        edge = middle[name] + widths[name] / 2 + GAP
    pushed = sum(middle[name] - wanted[name] for name in row) / max(1, len(row))
    return {name: place - pushed for name, place in middle.items()}


def _tops(rows: list[list[str]], by_name: dict[str, Box]) -> list[float]:
    """The top of each layer, and of the one that would follow."""
    tops = [0.0]
    for row in rows:
        tallest = max((by_name[name].height for name in row if name in by_name), default=0)
        tops.append(tops[-1] + tallest + RISE)
    return tops


def _into_columns(
    rows: list[list[str]],
    widths: dict[str, float],
    chains: list[list[str]],
    middle: dict[str, float],
    tops: list[float],
) -> dict[str, float]:
    """Move the lower layers of a tall picture beside the upper ones, read like a newspaper.

    It is cut only where a single arrow would have to go from column to column. Returns the lane
    at the left of each box's column, for that arrow.
    """
    layer = {name: n for n, row in enumerate(rows) for name in row}
    columns = max(1, round(tops[-1] / A_COLUMN))
    crossing = [0] * len(rows)  # how many arrows lead into each layer
    for chain in chains:
        for name in chain[1:]:
            crossing[layer[name]] += 1
    cuts = [0]
    for n in range(1, len(rows)):
        if tops[n] - tops[cuts[-1]] >= tops[-1] / columns - RISE and crossing[n] == 1:
            cuts.append(n)
    left, lane = 0.0, {}
    for start, end in pairwise([*cuts, len(rows)]):
        names = [name for row in rows[start:end] for name in row]
        shift = left - min(middle[name] - widths[name] / 2 for name in names)
        for name in names:
            middle[name] += shift
            lane[name] = left - GAP
        left = max(middle[name] + widths[name] / 2 for name in names) + 2 * GAP
        tops[start:end] = [top - tops[start] for top in tops[start:end]]
    return lane


def _up(source: Box, target: Box, lane: float) -> Route:
    """From the foot of a column to the head of the next."""
    (x0, y0), (x1, y1) = (source.middle, source.bottom), (target.middle, target.place[1] - 2)
    return [(x0, y0), (x0, y0 + 18), (lane, y0 + 18), (lane, y1 - 16), (x1, y1 - 16), (x1, y1)]


def _down(
    chain: list[str],
    by_name: dict[str, Box],
    middle: dict[str, float],
    tops: list[float],
    layer: dict[str, int],
) -> Route:
    """From the bottom of the first box, straight through the layers between, to the last's top."""
    source, target = by_name[chain[0]], by_name[chain[-1]]
    route = [(source.middle, source.bottom)]
    for n, waypoint in enumerate(chain[1:-1], layer[chain[0]] + 1):
        route += [(middle[waypoint], tops[n] - 6), (middle[waypoint], tops[n + 1] - RISE + 6)]
    return [*route, (target.middle, target.place[1] - 2)]


def _line(route: Route) -> str:
    """A curve through the points of a route, straight down where it enters and leaves each."""
    path = f"M{route[0][0]:.1f} {route[0][1]:.1f}"
    for (x0, y0), (x1, y1) in pairwise(route):
        if abs(x1 - x0) < 1 or abs(y1 - y0) < 1:
            path += f" L{x1:.1f} {y1:.1f}"
        else:
            half = (y0 + y1) / 2
            path += f" C{x0:.1f} {half:.1f} {x1:.1f} {half:.1f} {x1:.1f} {y1:.1f}"
    return f'<path d="{path}" fill="none" stroke="#616e7c" marker-end="url(#tip)"/>'


def _labels(box: Box, arrows: list[Arrow]) -> str:
    """Below a box, what goes out of it; a tensor that goes to several boxes is named once."""
    labels = dict.fromkeys(a.label for a in arrows if a.source == box.name and a.label)
    x, y = box.middle + 6, box.bottom + 14
    return "".join(
        f'<text x="{x:.0f}" y="{y + 12 * i:.0f}" font-size="11" '
        f'fill="#616e7c" paint-order="stroke" stroke="#ffffff" stroke-width="3">'
        f"{escape(label)}</text>"
        for i, label in enumerate(labels)
    )


def _return(by_name: dict[str, Box], arrow: Arrow, lane: float) -> str:
    """A dashed arrow back up, along a lane at the left of all boxes."""
    source, target = by_name[arrow.source], by_name[arrow.target]
    y0, y1 = source.place[1] + source.height / 2, target.place[1] - 14
    path = (
        f"M{source.place[0]:.0f} {y0:.0f} H{lane:.0f} V{y1:.0f} H{target.middle - 16:.0f} "
        f"V{target.place[1] - 2:.0f}"
    )
    dashes = 'stroke="#d1495b" stroke-dasharray="5 4" marker-end="url(#tip)"'
    return f'<path d="{path}" fill="none" {dashes}/>'


def _box(box: Box) -> str:
    x, y = box.place
    right = x + box.width - PADDING
    parts = [
        f'<g class="node" data-name={quoteattr(box.name)}>'
        f"<title>{escape(' · '.join(filter(None, [box.title, *box.lines, box.corner])))}</title>"
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}" rx="8" '
        f'fill="{FILL[box.role]}" stroke="{EDGE[box.role]}"/>'
        f'<text x="{x + PADDING:.1f}" y="{y + 22:.1f}" font-weight="600">{escape(box.title)}</text>'
    ]
    if box.corner:
        parts.append(
            f'<text x="{right:.1f}" y="{y + 22:.1f}" text-anchor="end">{escape(box.corner)}</text>'
        )
    for i, line in enumerate(box.lines, 1):
        parts.append(
            f'<text x="{x + PADDING:.1f}" y="{y + 22 + LINE * i:.1f}" fill="#616e7c">'
            f"{escape(line)}</text>"
        )
    return "".join(parts) + "</g>"
