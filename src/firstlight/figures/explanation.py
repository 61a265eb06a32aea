"""The pictures of what a network looks at, drawn from what explain.py finds."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from firstlight.explanation.features import Explanation, Map, Sight, most_active
from firstlight.explanation.occlusion import Box
from firstlight.figures.style import ACCENT, FOR_AND_AGAINST, PALE, WARNING
from firstlight.runs.files import whole

DOTS = 120  # an inch
MARGIN, GAP = 24, 8
ACTIVE = LinearSegmentedColormap.from_list("active", ["#ffffff", "#7da2f5", "#12337f"])
FAINT = "#6b7785"
A_ROW = 12  # maps shown of a layer
CLASSES = 10  # of a network of one layer, shown at most
LEAST = 0.1  # a change of a probability that is not to look large
OTHERS = 6  # classes that a hidden part leads to, told apart

Rgb = np.ndarray  # (height, width, 3) float, 0 to 1


class Sheet:
    """A white page, measured in pixels from its upper left corner."""

    def __init__(self, width: int, height: int, title: str, says: Sequence[str]) -> None:
        """`says` are lines below the title, which is to say what is to be seen, and how."""
        self.figure = Figure((width / DOTS, height / DOTS), dpi=DOTS)
        self.page = self.figure.add_axes((0, 0, 1, 1))
        self.page.set(xlim=(0, width), ylim=(height, 0), autoscale_on=False)
        self.page.axis("off")
        self.text(MARGIN, MARGIN, title, size=13, weight="bold")
        for number, line in enumerate(says):
            self.text(MARGIN, MARGIN + 32 + 19 * number, line, color=FAINT)

    def text(self, x: float, y: float, text: str, size: float = 8, **style: Any) -> None:
        self.page.text(x, y, text, size=size, parse_math=False, **{"va": "top", **style})

    def image(self, x: float, y: float, side: float, rgb: Rgb) -> None:
        """An image with its longer side so long, in the middle of a square of that side."""
        height, width = (side * n / max(rgb.shape[:2]) for n in rgb.shape[:2])
        x, y = x + (side - width) / 2, y + (side - height) / 2
        way = "nearest" if max(rgb.shape[:2]) < side else "antialiased"
        extent = (x, x + width, y + height, y)
        self.page.imshow(rgb, extent=extent, interpolation=way, aspect="auto", vmin=0, vmax=1)
        self.page.set(xlim=self.page.get_xlim(), ylim=self.page.get_ylim())
        self.box(x, y, width, height, PALE, 0.5)

    def box(self, x: float, y: float, width: float, height: float, color: str, lw: float) -> None:
        self.page.add_patch(Rectangle((x, y), width, height, fill=False, ec=color, lw=lw))

    def bar(self, x: float, y: float, width: float, colors: Any, ends: tuple[str, str]) -> None:
        """What the colours mean: from the value at the left end to that at the right."""
        shades = np.asarray(colors(np.linspace(0, 1, 100)))[None, :, :3]
        extent = (x, x + width, y + 8, y)
        self.page.imshow(shades, extent=extent, aspect="auto")
        self.box(x, y, width, 8, PALE, 0.5)
        self.text(x, y + 11, ends[0], color=FAINT)
        self.text(x + width, y + 11, ends[1], color=FAINT, ha="right")

    def save(self, path: Path) -> None:
        with whole(path) as file:
            self.figure.savefig(file, format="png")


def draw(found: Explanation, folder: Path) -> list[Path]:
    """Write the pictures to a folder, and say which."""
    drawings = {"strongest.png": strongest, "top_nine.png": top_nine, "occlusion.png": occluded}
    drawings |= {"maps.png": maps} if found.maps else {}
    of_one_layer = found.products is not None
    drawings |= {"weights.png": weights} if of_one_layer else {"filters.png": filters}
    for file, drawing in drawings.items():
        drawing(found).save(folder / file)
    return [folder / file for file in sorted(drawings)]


def answered(found: Explanation) -> str:
    best = int(found.probabilities.argmax())
    return f"{found.network} answers {found.classes[best]} ({found.probabilities[best]:.1%})"


def filters(found: Explanation) -> Sheet:
    """The weights of the first layer."""
    count, side, across = len(found.filters), 72, 12
    rows = -(-count // across)
    height, width, channels = next(iter(found.filters.values())).shape
    if channels == 1:
        says = ["Blue: ink here makes the unit answer; red: ink here keeps it silent."]
    else:
        says = ["In its colours, grey being no weight: what looks like this makes the unit answer."]
    says.append("They stand in the order in which they answer to the picture on the right.")
    title = f"The filters of the first layer, {found.first}: {height}×{width} weights each"
    if count < found.units:
        title += f"; {count} of {found.units:,}"
    step = side + GAP + 16
    page = Sheet(
        2 * MARGIN + across * (side + GAP) + 130,
        MARGIN + 84 + rows * step + MARGIN,
        title,
        says,
    )
    largest = max(np.abs(each).max() for each in found.filters.values())
    for place, (number, each) in enumerate(found.filters.items()):
        row, column = divmod(place, across)
        x, y = MARGIN + column * (side + GAP), MARGIN + 84 + row * step
        page.image(x, y, side, signed(each, largest if channels == 1 else np.abs(each).max()))
        page.text(x + side / 2, y + side + 2, str(number), color=FAINT, ha="center", size=7)
    page.image(MARGIN + across * (side + GAP) + 20, MARGIN + 84, 110, shown(found, found.image))
    return page


def weights(found: Explanation) -> Sheet:
    """Of a network of one layer: each class's weights, and these times the picture."""
    assert found.products is not None
    chosen = sorted(np.argsort(-found.probabilities, kind="stable")[:CLASSES].tolist())
    side, left, top = 100, 170, 128
    page = Sheet(
        left + len(chosen) * (side + GAP) + MARGIN,
        top + 2 * side + 62,
        f"Why {answered(found)}",
        [
            "Each class has a weight for each pixel. Blue: ink there speaks for the class; red: "
            "against it. Where there is no ink, a weight says nothing;",
            "what remains is added up, with the class's bias, and the highest sum is the answer.",
        ],
    )
    page.image(MARGIN, top + side // 2, side, shown(found, found.image))
    for row, says in enumerate(("weights", "times the picture")):
        y = top + row * (side + GAP) + side / 2
        page.text(left - 12, y, says, ha="right", va="center", rotation=90, color=FAINT)
    best = int(found.probabilities.argmax())
    largest = max(np.abs(each).max() for each in found.filters.values())
    most = np.abs(found.products).max()
    for place, number in enumerate(chosen):
        x, style = left + place * (side + GAP), {}
        if number == best:
            style = {"color": ACCENT, "weight": "bold"}
        page.text(x + side / 2, top - 18, found.classes[number], 9, ha="center", **style)
        page.image(x, top, side, signed(found.filters[number], largest))
        page.image(x, top + side + GAP, side, signed(found.products[number], most))
        told = f"sum {found.logits[number]:+.1f}"
        page.text(x + side / 2, top + 2 * side + GAP + 4, told, 8, ha="center", **style)
    return page


def maps(found: Explanation) -> Sheet:
    """Of each layer the maps that answer most to the picture."""
    side, left, top = 72, 190, MARGIN + 84
    page = Sheet(
        left + A_ROW * (side + GAP) + MARGIN,
        top + len(found.maps) * (side + GAP + 16) + MARGIN,
        f"What each layer answers to the picture: {answered(found)}",
        [
            "A map says where in the picture its filter found what it looks for; "
            "the darker, the more. Of each layer its most active maps, by number;",
            "one shade means the same in a whole row. Where a layer answers below zero, red is so.",
        ],
    )
    for row, (name, values) in enumerate(found.maps.items()):
        y = top + row * (side + GAP + 16)
        height, width, count = values.shape
        if row == 0:
            page.image(MARGIN, y, side, shown(found, found.image))
        page.text(left - 16, y + 18, name, ha="right", weight="bold", size=9)
        size = f"{count} maps\n{height}×{width}"
        page.text(left - 16, y + 34, size, ha="right", color=FAINT)
        largest = np.abs(values).max() or 1
        for place, number in enumerate(most_active(values, A_ROW)):
            x, tile = left + place * (side + GAP), values[..., number, None]
            below = values.min() < 0
            rgb = signed(tile, largest) if below else ACTIVE(tile[..., 0] / largest)[..., :3]
            page.image(x, y, side, rgb)
            page.text(x + side / 2, y + side + 2, str(number), color=FAINT, ha="center", size=7)
    return page


def strongest(found: Explanation) -> Sheet:
    """Of each layer the units that answer most: what they saw, beside what they could see."""
    side = 104 if small(found) else 150
    left, top = MARGIN + side + 160, MARGIN + 84
    block, step = 2 * side + 28, side + GAP + 20
    most = max(map(len, found.sights.values()))
    page = Sheet(
        left + most * block + MARGIN,
        top + len(found.sights) * step + MARGIN,
        f"What the strongest units of each layer saw: {answered(found)}",
        [
            "Left of each pair: a unit's answer, sent back down to pixels. "
            + meaning(found.image)
            + " Right: all that the unit can see of the picture.",
            "From layer to layer a unit sees more. Of each layer the maps that answer most, "
            "each at its strongest place.",
        ],
    )
    for row, (name, looks) in enumerate(found.sights.items()):
        y = top + row * step
        page.image(MARGIN, y, side, shown(found, found.image))
        layer_name(page, left - 20, y, name, looks)
        for place, each in enumerate(looks):
            x = left + place * block
            page.image(x, y, side, signed(cut(each.own.pixels, each.own)))
            page.image(x + side + 4, y, side, cut(shown(found, found.image), each.own))
            outlined(page, each.own.box, found.image, (MARGIN, y, side))
            told = f"{unit(found, name, each)} answers {each.own.value:.1f}"
            page.text(x, y + side + 3, told, color=FAINT, size=7)
    return page


def layer_name(page: Sheet, right: float, y: float, name: str, looks: list[Map]) -> None:
    """The layer's name, and how much its units see: those at an edge see less."""
    boxes = np.array([sight.box for each in looks for sight in [each.own, *each.nine]])
    high, wide = (boxes[:, 2:] - boxes[:, :2]).max(0)
    all_of_it = (high, wide) == looks[0].own.image.shape[:2]
    sees = "sees all of it" if all_of_it else f"sees {high}×{wide} pixels"
    page.text(right, y + 34, name, ha="right", weight="bold", size=9)
    page.text(right, y + 50, sees, ha="right", color=FAINT)


def small(found: Explanation) -> bool:
    """Whether an image has so few pixels that each is to be seen."""
    height, width, _ = found.image.shape
    return bool(max(height, width) <= 32)


def unit(found: Explanation, layer: str, seen: Map) -> str:
    if layer == found.last:
        return f"class {found.classes[seen.number]}"
    return f"{'map' if layer in found.maps else 'unit'} {seen.number}"


def outlined(
    page: Sheet,
    part: Box,
    image: np.ndarray,
    place: tuple[float, float, float],
    color: str = ACCENT,
    lw: float = 0.7,
) -> None:
    """A part of an image outlined, where the image stands on the page: x, y, side."""
    x, y, side = place
    by = side / max(image.shape[:2])
    x, y = x + (side - by * image.shape[1]) / 2, y + (side - by * image.shape[0]) / 2
    top, left, bottom, right = (by * edge for edge in part)
    page.box(x + left, y + top, right - left, bottom - top, color, lw)


def top_nine(found: Explanation) -> Sheet:
    """The nine images to which a map answers most, and what it saw in them: as in figure 2."""
    side = 46 if small(found) else 84
    left, top, block = 170, MARGIN + 100, 6 * side + 44
    step = 3 * side + GAP + 30
    most = max(map(len, found.sights.values()))
    page = Sheet(
        left + most * block + MARGIN,
        top + len(found.sights) * step + MARGIN,
        f"What the same maps of {found.network} look for: the nine images of {found.data} "
        "(validation) that each answers most to",
        [
            "Left: the strongest answer in each, sent back down to pixels. " + meaning(found.image),
            "Right: the part of the image that was seen. What the nine have in common is what the "
            "map looks for; in what they differ, it does not care.",
        ],
    )
    for row, (name, looks) in enumerate(found.sights.items()):
        y = top + row * step
        layer_name(page, left - 20, y, name, looks)
        for place, each in enumerate(looks):
            x = left + place * block
            page.text(x, y + 3 * side + 5, unit(found, name, each), color=FAINT, size=7)
            for number, sight in enumerate(each.nine):
                down, across = divmod(number, 3)
                at = x + across * side, y + down * side
                page.image(*at, side - 2, signed(cut(sight.pixels, sight)))
                seen = cut(shown(found, sight.image), sight)
                page.image(at[0] + 3 * side + 6, at[1], side - 2, seen)
    return page


def occluded(found: Explanation) -> Sheet:
    """What the network says while a square hides a part of the picture: figure 7 of the paper."""
    side, top, seen = 250, MARGIN + 112, found.occlusion
    name = found.classes[found.label]
    page = Sheet(
        MARGIN + (4 if seen.map else 3) * (side + MARGIN),
        top + side + 100,
        f"Which part of the picture matters: {answered(found)}",
        [
            "A square hides one part of the picture after another, and each time the network is "
            "asked again.",
            "The colour at a place says what it answered when the middle of the square was there: "
            "red is less than with nothing hidden, blue is more.",
        ],
    )
    x = MARGIN
    page.text(x, top - 24, "Hidden where it matters most", weight="bold", size=9)
    page.image(x, top, side, shown(found, found.occlusion.covered))
    outlined(page, seen.square, found.image, (x, top, side), WARNING, 1.5)
    x += side + MARGIN
    whole = float(found.probabilities[found.label])
    page.text(x, top - 24, f"How probable it holds {name}", weight="bold", size=9)
    change(page, x, top, side, found, seen.probability, whole, LEAST, ".1%")
    if seen.map:
        x += side + MARGIN
        page.text(x, top - 24, f"How active {seen.map} is", weight="bold", size=9)
        change(page, x, top, side, found, seen.activity, seen.whole, 0.0, ".3g")
    answers(page, x + side + MARGIN, top, side, found)
    return page


def change(
    page: Sheet,
    x: float,
    y: float,
    side: float,
    found: Explanation,
    values: np.ndarray,
    whole: float,
    least: float,
    digits: str,
) -> None:
    """Values (rows, columns) of places as colours over the image: red where they fell.

    Args:
        whole: the value with nothing hidden, which is white.
        least: a change that is not to look large, even if there is no larger one.
        digits: how to write the values.
    """
    most = max(float(np.abs(values - whole).max()), least) or 1.0
    heat = np.asarray(FOR_AND_AGAINST(0.5 + (values - whole) / most / 2))[..., :3]
    page.image(x, y, side, over(heat, found))
    page.bar(x, y + side + 12, side, FOR_AND_AGAINST, (f"−{most:{digits}}", f"+{most:{digits}}"))
    page.text(x + side / 2, y + side + 23, f"all of it: {whole:{digits}}", ha="center", color=FAINT)


def answers(page: Sheet, x: float, y: float, side: int, found: Explanation) -> None:
    """The panel of the most probable classes, and which colour is which."""
    classes, counts = np.unique(found.occlusion.answer, return_counts=True)
    order = classes[np.argsort(-counts, kind="stable")]
    palette = [colormaps["Set2"](i)[:3] for i in range(OTHERS)]
    unmoved = int(found.logits.argmax())
    colours = {unmoved: (1.0, 1.0, 1.0)}
    others = [int(number) for number in order if number != unmoved]
    colours |= {number: palette[i] for i, number in enumerate(others[:OTHERS])}
    rest = (0.6, 0.6, 0.6)
    picture = np.array([[colours.get(int(n), rest) for n in row] for row in found.occlusion.answer])
    page.text(x, y - 24, "What it then answers", weight="bold", size=9)
    page.image(x, y, side, over(picture, found))
    named = [(found.classes[number], colour) for number, colour in colours.items()]
    named += [("others", rest)] if len(others) > OTHERS else []
    columns = 4 if max(len(name) for name, _ in named) < 7 else 2
    for place, (name, colour) in enumerate(named):
        row, column = divmod(place, columns)
        at = x + column * (side // columns), y + side + 12 + 18 * row
        page.image(*at, 11, np.full((1, 1, 3), colour))
        page.text(at[0] + 16, at[1] - 1, name)


def meaning(image: np.ndarray) -> str:
    if image.shape[-1] == 1:
        return "Blue: here it wants ink; red: here it wants none."
    return "Grey: what is there does not matter to it."


def shown(found: Explanation, image: np.ndarray) -> Rgb:
    """An image (height, width, 1 or 3) uint8; a grey digit is shown as dark ink on white paper."""
    light = image / 255 if image.shape[-1] == 3 or found.learned == "pictures" else 1 - image / 255
    return np.repeat(light, 3 // image.shape[-1], axis=-1)


def signed(values: np.ndarray, largest: float = 0.0) -> Rgb:
    """Values (height, width, 1 or 3) about zero: white and two colours, or grey and all colours."""
    part = values / (largest or np.abs(values).max() or 1)
    if values.shape[-1] == 1:
        return np.asarray(FOR_AND_AGAINST(0.5 + part[..., 0] / 2))[..., :3]
    spread = min(1.0, 3 * float(np.std(part))) or 1.0  # a single bright pixel must not dim the rest
    rgb: Rgb = (0.5 + part / (2 * spread)).clip(0, 1)
    return rgb


def cut(whole: np.ndarray, sight: Sight) -> np.ndarray:
    """Of the picture, or of what comes down to it, the part that the unit sees."""
    top, left, bottom, right = sight.box
    return whole[top:bottom, left:right]


def over(heat: Rgb, found: Explanation) -> Rgb:
    """A map of colours with the picture's own light and dark in it, pixel by pixel."""
    height, width = found.image.shape[:2]
    rows = (np.arange(height) * heat.shape[0] // height).clip(0, heat.shape[0] - 1)
    columns = (np.arange(width) * heat.shape[1] // width).clip(0, heat.shape[1] - 1)
    light = shown(found, found.image).mean(-1, keepdims=True)
    mixed: Rgb = heat[rows][:, columns] * (0.3 + 0.7 * light)
    return mixed
