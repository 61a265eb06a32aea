"""The layout of a diagram: boxes in layers, each box below the boxes that it needs.

This is Sugiyama's method ("Methods for visual understanding of hierarchical system structures",
1981), in its three steps:

1. Each box gets a layer, by the longest path that leads to it.
2. An arrow that crosses layers gets a waypoint in each of them. Then each layer is ordered by the
   barycenter of its neighbours, so that few arrows cross.
3. Boxes and waypoints get their positions.

A tall diagram is then cut into columns. All sizes and positions are in pixels.
"""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, NamedTuple

CHARACTER_WIDTH, LINE_HEIGHT = 7.3, 17  # for text of 12 px
PADDING = 12  # around the text in a box
MIN_BOX_WIDTH = 110
BOX_GAP, LAYER_GAP = 28, 52  # between the boxes of a layer, and between layers
WAYPOINT_WIDTH = 24
COLUMN_HEIGHT = 760  # a much taller diagram is cut into columns of about this height
SWEEPS = 8  # passes over the layers, to order them

Role = Literal["data", "trained", "goal", "operation"]  # it decides a box's colour
Point = tuple[float, float]
Route = list[Point]
ArrowEnds = tuple[str, str]  # the names of the boxes at an arrow's ends


@dataclass(frozen=True)
class Box:
    """A box of the diagram; `shape` stands at the right of the title."""

    name: str  # unique
    title: str
    lines: list[str]
    shape: str = ""
    role: Role = "operation"
    parameters: int = 0
    min_width: float = MIN_BOX_WIDTH

    @property
    def width(self) -> float:
        characters = len(self.title) * 1.1  # the title is bold
        if self.shape:
            characters += len(self.shape) + 3
        longest = max([characters, *map(len, self.lines)])
        return max(self.min_width, longest * CHARACTER_WIDTH + 2 * PADDING)

    @property
    def height(self) -> float:
        return LINE_HEIGHT * (1 + len(self.lines)) + 2 * PADDING - 4


@dataclass(frozen=True)
class Arrow:
    """An arrow from one box to another, by their names."""

    source: str
    target: str
    is_feedback: bool = False  # against the flow: it is drawn dashed, around the left side
    label: str = ""


class PlacedBox(NamedTuple):
    """A box at its position."""

    box: Box
    left: float
    top: float

    @property
    def right(self) -> float:
        return self.left + self.box.width

    @property
    def bottom(self) -> float:
        return self.top + self.box.height

    @property
    def center(self) -> float:
        return self.left + self.box.width / 2


class Layout(NamedTuple):
    boxes: dict[str, PlacedBox]  # by name
    routes: dict[ArrowEnds, Route]  # the points that an arrow goes through


@dataclass
class Layers:
    """The layers of a diagram, from the top: names of boxes and waypoints, from left to right."""

    rows: list[list[str]]
    widths: dict[str, float]
    neighbours: dict[str, list[str]] = field(default_factory=dict)  # in the layers above and below
    chains: dict[ArrowEnds, list[str]] = field(
        default_factory=dict
    )  # an arrow's boxes and waypoints

    def left(self, name: str, centers: dict[str, float]) -> float:
        return centers[name] - self.widths[name] / 2

    def right(self, name: str, centers: dict[str, float]) -> float:
        return centers[name] + self.widths[name] / 2


def with_equal_widths(boxes: list[Box]) -> list[Box]:
    """Return the same boxes, all as wide as the widest."""
    widest = max(box.width for box in boxes)
    return [replace(box, min_width=widest) for box in boxes]


def lay_out(boxes: list[Box], arrows: list[Arrow]) -> Layout:
    """Place the boxes, and find the arrows' routes; the arrows must not be feedback arrows."""
    layer_of = assign_layers(boxes, arrows)
    layers = add_waypoints(boxes, arrows, layer_of)
    centers = place_across(layers)
    tops = place_down(layers, {box.name: box.height for box in boxes})
    lanes = cut_into_columns(layers, centers, tops)
    placed = {
        box.name: PlacedBox(box, centers[box.name] - box.width / 2, tops[layer_of[box.name]])
        for box in boxes
    }
    routes = {}
    for (source, target), chain in layers.chains.items():
        start, end = placed[source], placed[target]
        if end.top < start.bottom:
            routes[source, target] = route_to_next_column(start, end, lanes[target])
        else:
            waypoints = [
                [(centers[name], tops[layer] - 6), (centers[name], tops[layer + 1] - LAYER_GAP + 6)]
                for layer, name in enumerate(chain[1:-1], layer_of[source] + 1)
            ]
            routes[source, target] = route_down(start, waypoints, end)
    return Layout(placed, routes)


def assign_layers(boxes: list[Box], arrows: list[Arrow]) -> dict[str, int]:
    """Return each box's layer: below all that it needs.

    A box that needs nothing stands just above the first box that needs it.
    """
    needs: dict[str, list[str]] = {box.name: [] for box in boxes}
    for arrow in arrows:
        needs[arrow.target].append(arrow.source)
    layer: dict[str, int] = {}

    def assign(name: str, path: tuple[str, ...] = ()) -> int:
        if name not in layer:
            # Scopes can need each other in a circle: `path` breaks it.
            sources = [source for source in needs[name] if source not in (*path, name)]
            above = [assign(source, (*path, name)) for source in sources]
            layer[name] = 1 + max(above, default=-1)
        return layer[name]

    for box in boxes:
        assign(box.name)
    for name in needs:
        users = [layer[arrow.target] for arrow in arrows if arrow.source == name]
        if not needs[name] and users:
            layer[name] = max(0, min(users) - 1)
    return layer


def add_waypoints(boxes: list[Box], arrows: list[Arrow], layer_of: dict[str, int]) -> Layers:
    """Return the layers, in which an arrow has a waypoint in each layer that it crosses."""
    layers = Layers(
        rows=[[] for _ in range(max(layer_of.values()) + 1)],
        widths={box.name: box.width for box in boxes},
    )
    for box in boxes:
        layers.rows[layer_of[box.name]].append(box.name)
    for arrow in arrows:
        crossed = range(layer_of[arrow.source] + 1, layer_of[arrow.target])
        waypoints = [f"{arrow} in layer {number}" for number in crossed]
        for number, waypoint in zip(crossed, waypoints, strict=True):
            layers.rows[number].append(waypoint)
            layers.widths[waypoint] = WAYPOINT_WIDTH
        chain = [arrow.source, *waypoints, arrow.target]
        layers.chains[arrow.source, arrow.target] = chain
        for upper, lower in pairwise(chain):
            layers.neighbours.setdefault(upper, []).append(lower)
            layers.neighbours.setdefault(lower, []).append(upper)
    return layers


def place_across(layers: Layers) -> dict[str, float]:
    """Order each layer by barycenters, in sweeps down and up; return the horizontal centers."""
    centers: dict[str, float] = {}
    for row in layers.rows:
        centers |= pack(row, layers.widths, dict.fromkeys(row, 0.0))
    for sweep in range(SWEEPS):
        rows = layers.rows if sweep % 2 == 0 else layers.rows[::-1]
        for row in rows:
            barycenters = {}
            for name in row:
                near = [centers[neighbour] for neighbour in layers.neighbours.get(name, [])]
                barycenters[name] = sum(near) / len(near) if near else centers[name]
            row.sort(key=lambda name: barycenters[name])
            centers |= pack(row, layers.widths, barycenters)
    return centers


def pack(row: list[str], widths: dict[str, float], wanted: dict[str, float]) -> dict[str, float]:
    """Return the centers of a layer in this order, without overlap, near the wanted ones."""
    centers: dict[str, float] = {}
    edge = float("-inf")
    for name in row:
        centers[name] = max(wanted[name], edge + widths[name] / 2)
        edge = centers[name] + widths[name] / 2 + BOX_GAP
    mean_shift = sum(centers[name] - wanted[name] for name in row) / max(1, len(row))
    return {name: center - mean_shift for name, center in centers.items()}


def place_down(layers: Layers, heights: dict[str, float]) -> list[float]:
    """Return the top of each layer, and the top of a layer that would follow."""
    tops = [0.0]
    for row in layers.rows:
        tallest = max((heights[name] for name in row if name in heights), default=0)
        tops.append(tops[-1] + tallest + LAYER_GAP)
    return tops


def cut_into_columns(
    layers: Layers, centers: dict[str, float], tops: list[float]
) -> dict[str, float]:
    """Move the lower layers of a tall diagram beside the upper ones, as in a newspaper.

    Changes `centers` and `tops`. Returns the lane at the left of each box's column, in which an
    arrow from the column before comes up.
    """
    left = 0.0
    lanes = {}
    for start, end in pairwise([*column_starts(layers, tops), len(layers.rows)]):
        names = [name for row in layers.rows[start:end] for name in row]
        shift = left - min(layers.left(name, centers) for name in names)
        for name in names:
            centers[name] += shift
            lanes[name] = left - BOX_GAP
        left = max(layers.right(name, centers) for name in names) + 2 * BOX_GAP
        tops[start:end] = [top - tops[start] for top in tops[start:end]]
    return lanes


def column_starts(layers: Layers, tops: list[float]) -> list[int]:
    """Return the first layer of each column.

    A column begins only where a single arrow has to go from column to column.
    """
    layer_of = {name: number for number, row in enumerate(layers.rows) for name in row}
    arrows_into = [0] * len(layers.rows)
    for chain in layers.chains.values():
        for name in chain[1:]:
            arrows_into[layer_of[name]] += 1
    columns = max(1, round(tops[-1] / COLUMN_HEIGHT))
    min_height = tops[-1] / columns - LAYER_GAP
    starts = [0]
    for number in range(1, len(layers.rows)):
        if tops[number] - tops[starts[-1]] >= min_height and arrows_into[number] == 1:
            starts.append(number)
    return starts


def route_to_next_column(start: PlacedBox, end: PlacedBox, lane: float) -> Route:
    """Return the route from the foot of a column up the lane to the head of the next."""
    (x0, y0), (x1, y1) = (start.center, start.bottom), (end.center, end.top - 2)
    return [(x0, y0), (x0, y0 + 18), (lane, y0 + 18), (lane, y1 - 16), (x1, y1 - 16), (x1, y1)]


def route_down(start: PlacedBox, waypoints: list[list[Point]], end: PlacedBox) -> Route:
    """Return the route from a box down to another, straight through each waypoint's layer."""
    between = [point for points in waypoints for point in points]
    return [(start.center, start.bottom), *between, (end.center, end.top - 2)]
