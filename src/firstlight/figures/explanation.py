"""The pictures of what a network looks at, drawn from an `Explanation`."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap

from firstlight.errors import UsageError
from firstlight.explanation.explanation import Explanation
from firstlight.explanation.features import MapProjections, Projection, strongest_maps
from firstlight.figures.page import (
    CAPTION,
    IMAGE_GAP,
    PAGE_HEADER,
    PAGE_MARGIN,
    Grid,
    Page,
    Rgb,
    Square,
)
from firstlight.figures.style import (
    ACCENT,
    FOR_AND_AGAINST,
    GREY_TEXT,
    PALE,
    WARNING,
    NotebookFigure,
    save_figure,
    styled,
)
from firstlight.figures.text import fitted, text_width, wrapped

ACTIVE = LinearSegmentedColormap.from_list("active", ["#ffffff", "#7da2f5", "#12337f"])
FILTERS_PER_ROW = 12
MAPS_PER_ROW = 12
MAX_CLASSES = 10  # whose weights are drawn
MAX_NAME_WIDTH = 84  # pixels: of a class in the caption of a unit
MAX_OTHER_CLASSES = 6  # with a colour of their own, where the occluder changes the predicted class
MIN_CHANGE = 0.1  # smaller changes of a probability do not get the full colour
NO_CHANGE = 0.0005  # of a probability: what is written as 0.1 % or more is a change
ROUNDING = 1e-5  # smaller changes, as a fraction of an activity, are float32's rounding
LEGEND_GAP = 20  # pixels: a colour, and the gaps beside it
Draw = Callable[[Explanation], NotebookFigure]


def draw_explanation(explanation: Explanation, folder: Path) -> list[Path]:
    """Write the pictures to the folder, and return their paths, sorted."""
    drawings = drawings_of(explanation)
    for name, draw in drawings.items():
        save_figure(draw(explanation), folder / f"{name}.png")
    return [folder / f"{name}.png" for name in sorted(drawings)]


def explanation_figures(explanation: Explanation) -> dict[str, NotebookFigure]:
    """Return the pictures by their names: those of the files, without .png."""
    return {name: draw(explanation) for name, draw in drawings_of(explanation).items()}


def drawings_of(explanation: Explanation) -> dict[str, Draw]:
    """Return what draws each picture; occlusion, which must first be computed, comes last."""
    drawings: dict[str, Draw] = {"strongest": strongest_units, "top_nine": top_nine}
    if explanation.feature_maps:
        drawings["maps"] = feature_maps
    if explanation.first_layer.contributions is None:
        drawings["filters"] = filter_weights
    else:
        drawings["weights"] = contributions
    return drawings | {"occlusion": occlusion}


@styled
def filter_weights(explanation: Explanation) -> NotebookFigure:
    """Draw the weights of the first layer's filters."""
    filters, side = explanation.first_layer.filters, 72
    grid = Grid(
        left=PAGE_MARGIN,
        top=PAGE_HEADER,
        side=side,
        across=side + IMAGE_GAP,
        down=side + IMAGE_GAP + CAPTION,
    )
    columns = min(FILTERS_PER_ROW, len(filters))
    picture = Square(grid.right(columns) + 20, grid.top, 110)
    height, width, channels = next(iter(filters.values())).shape
    title = (
        f"The filters of the first layer, {explanation.first_layer.name}: {height}×{width} weights"
    )
    if len(filters) < explanation.first_layer.filter_count:
        title += f"; {len(filters)} of {explanation.first_layer.filter_count:,} filters"
    if channels == 1:
        meaning = what_activates(explanation)
    else:
        meaning = "Grey is a weight of zero. What has the filter's colours activates the unit."
    page = Page(
        width=picture.x + picture.side + PAGE_MARGIN,
        height=max(grid.bottom(math.ceil(len(filters) / columns)), picture.bottom) + PAGE_MARGIN,
        title=title,
        lines=[meaning, "The filters that respond most to the picture on the right come first."],
    )
    largest = max(np.abs(weights).max() for weights in filters.values()) if channels == 1 else 0.0
    for place, (number, weights) in enumerate(filters.items()):
        cell = grid.cell(*divmod(place, columns))
        page.image(cell, signed(weights, largest))
        number_below(page, cell, number)
    page.image(picture, displayed(explanation, explanation.image))
    return page.figure


@styled
def contributions(explanation: Explanation) -> NotebookFigure:
    """Draw each class's weights, and these times the picture, for a network of one layer.

    Raises:
        UsageError: the network has several layers.
    """
    filters, products = explanation.first_layer.filters, explanation.first_layer.contributions
    if products is None:
        raise UsageError(f"{explanation.network} has several layers; draw its filter_weights")
    probable = np.argsort(-explanation.probabilities, kind="stable")[:MAX_CLASSES]
    chosen = sorted(probable.tolist())
    light = "light" if explanation.image_kind == "pictures" else "ink"
    side = 100
    grid = Grid(
        left=170, top=PAGE_HEADER + 20, side=side, across=side + IMAGE_GAP, down=side + IMAGE_GAP
    )
    page = Page(
        width=grid.right(len(chosen)) + PAGE_MARGIN,
        height=grid.bottom(2) + CAPTION + PAGE_MARGIN,
        title=f"Why {predicted_text(explanation)}",
        lines=[
            f"Each class has one weight for each pixel. Blue: {light} there counts for the class; "
            f"red: against it. A pixel without {light} does not count.",
            "The products and the class's bias are added up. The class with the largest sum is "
            "the prediction.",
        ],
    )
    picture = Square(PAGE_MARGIN, grid.top + side // 2, side)
    page.image(picture, displayed(explanation, explanation.image))
    for row, name in enumerate(("weights", "times the picture")):
        y = grid.cell(row, 0).y + side / 2
        page.text(grid.left - 12, y, name, ha="right", va="center", rotation=90, color=GREY_TEXT)
    largest_weight = max(np.abs(weights).max() for weights in filters.values())
    largest_product = np.abs(products).max()
    for column, number in enumerate(chosen):
        upper, lower = grid.cell(0, column), grid.cell(1, column)
        page.image(upper, signed(filters[number], largest_weight))
        page.image(lower, signed(products[number], largest_product))
        class_texts(page, explanation, number, upper=upper, lower=lower)
    return page.figure


def class_texts(
    page: Page, explanation: Explanation, number: int, *, upper: Square, lower: Square
) -> None:
    """Write a class's name above its weights, and the sum of the products below them."""
    style: dict[str, Any] = {"ha": "center"}
    name = fitted(explanation.classes[number], upper.side, 9)
    if number == explanation.predicted:
        style |= {"color": ACCENT, "weight": "bold"}
    middle = upper.x + upper.side / 2
    page.text(middle, upper.y - 18, name, 9, **style)
    page.text(middle, lower.bottom + 4, f"sum {explanation.logits[number]:+.1f}", **style)


@styled
def feature_maps(explanation: Explanation) -> NotebookFigure:
    """Draw the feature maps of each layer that are most active for the picture."""
    side = 72
    grid = Grid(
        left=190,
        top=PAGE_HEADER,
        side=side,
        across=side + IMAGE_GAP,
        down=side + IMAGE_GAP + CAPTION,
    )
    most_maps = max(maps.shape[2] for maps in explanation.feature_maps.values())
    page = Page(
        width=grid.right(min(MAPS_PER_ROW, most_maps)) + PAGE_MARGIN,
        height=grid.bottom(len(explanation.feature_maps)) + PAGE_MARGIN,
        title=f"The feature maps of each layer: {predicted_text(explanation)}",
        lines=[
            "A feature map shows where in the picture its filter responds: the darker, the more. "
            "Each row has a layer's most active maps, by number;",
            "a shade means the same value in the whole row. Negative values are red.",
        ],
    )
    page.image(Square(PAGE_MARGIN, grid.top, side), displayed(explanation, explanation.image))
    for row, (layer, maps) in enumerate(explanation.feature_maps.items()):
        height, width, count = maps.shape
        x, y = grid.left - 16, grid.cell(row, 0).y
        page.text(x, y + 18, layer, ha="right", weight="bold", size=9)
        page.text(x, y + 34, f"{count} maps\n{height}×{width}", ha="right", color=GREY_TEXT)
        largest = np.abs(maps).max() or 1.0
        for column, number in enumerate(strongest_maps(maps, MAPS_PER_ROW)):
            cell = grid.cell(row, column)
            page.image(cell, map_colors(maps[..., number], largest, has_negative=maps.min() < 0))
            number_below(page, cell, number)
    return page.figure


def map_colors(feature_map: np.ndarray, largest: float, has_negative: bool) -> Rgb:
    """Return a feature map (height, width) in colours; `largest` is the darkest."""
    if has_negative:
        return signed(feature_map[..., None], largest)
    return np.asarray(ACTIVE(feature_map / largest))[..., :3]


@styled
def strongest_units(explanation: Explanation) -> NotebookFigure:
    """Draw the strongest units of each layer: their projections and their receptive fields."""
    side = 104 if has_few_pixels(explanation) else 150
    grid = Grid(
        left=PAGE_MARGIN + side + 160,
        top=PAGE_HEADER,
        side=side,
        across=2 * side + 28,
        down=side + IMAGE_GAP + 20,
    )
    layers = explanation.projections
    page = Page(
        width=grid.right(max(map(len, layers.values()))) + PAGE_MARGIN,
        height=grid.bottom(len(layers)) + PAGE_MARGIN,
        title=f"The strongest units of each layer: {predicted_text(explanation)}",
        lines=[
            "Left of each pair: the unit's activation, projected down to pixels. "
            f"{projection_meaning(explanation)} Right: the unit's receptive field in the picture.",
            "From layer to layer the receptive field grows. Each row has a layer's most active "
            "maps, each with its strongest unit.",
        ],
    )
    image = displayed(explanation, explanation.image)
    for row, (layer, maps) in enumerate(layers.items()):
        picture = Square(PAGE_MARGIN, grid.cell(row, 0).y, side)
        page.image(picture, image)
        layer_name(page, grid, row, layer, maps)
        for column, projections in enumerate(maps):
            cell, projection = grid.cell(row, column), projections.picture
            page.region(picture, projection.receptive_field, explanation.image, ACCENT, 0.7)
            projection_pair(page, cell, projection, image, gap=4)
            name = unit_name(explanation, layer, projections)
            value = "largest value" if layer in explanation.feature_maps else "value"
            caption = f"{name}, {value} {projection.activation:.1f}"
            page.text(cell.x, cell.bottom + 3, caption, color=GREY_TEXT, size=7)
    return page.figure


def projection_pair(
    page: Page, cell: Square, projection: Projection, image: Rgb, *, gap: float
) -> None:
    """Draw a unit's projection, and beside it the receptive field in the image."""
    page.image(cell, signed(field_of(projection.pixels, projection)))
    page.image(cell.shifted(cell.side + gap), field_of(image, projection))


@styled
def top_nine(explanation: Explanation) -> NotebookFigure:
    """Draw the nine images that activate each map most, and their projections: as in figure 2."""
    side = 46 if has_few_pixels(explanation) else 84
    grid = Grid(
        left=170,
        top=PAGE_HEADER + 16,
        side=side,
        across=6 * side + 44,
        down=3 * side + IMAGE_GAP + 30,
    )
    layers = explanation.projections
    page = Page(
        width=grid.right(max(map(len, layers.values()))) + PAGE_MARGIN,
        height=grid.bottom(len(layers)) + PAGE_MARGIN,
        title=f"What the same maps of {explanation.network} detect: the nine validation images of "
        f"{explanation.data} that activate each most",
        lines=[
            "Left: the strongest activation in each image, projected down to pixels. "
            + projection_meaning(explanation),
            "Right: the receptive field in that image. What the nine have in common is what the "
            "map detects; what differs between them does not matter to it.",
        ],
    )
    for row, (layer, maps) in enumerate(layers.items()):
        layer_name(page, grid, row, layer, maps)
        for column, projections in enumerate(maps):
            cell = grid.cell(row, column)
            name = unit_name(explanation, layer, projections)
            page.text(cell.x, cell.y + 3 * side + 5, name, color=GREY_TEXT, size=7)
            nine_images(page, cell, explanation, projections)
    return page.figure


def nine_images(
    page: Page, cell: Square, explanation: Explanation, projections: MapProjections
) -> None:
    """Draw the nine projections as a block of 3×3, and beside it the nine receptive fields."""
    side = cell.side
    nine = Grid(left=cell.x, top=cell.y, side=side - 2, across=side, down=side)
    for number, projection in enumerate(projections.top_nine):
        place = nine.cell(*divmod(number, 3))
        image = displayed(explanation, projection.image)
        projection_pair(page, place, projection, image, gap=2 * side + 8)


def layer_name(
    page: Page, grid: Grid, row: int, layer: str, maps: Sequence[MapProjections]
) -> None:
    """Write a layer's name beside its row, and the size of its units' receptive fields."""
    fields = np.array(
        [
            projection.receptive_field
            for projections in maps
            for projection in [projections.picture, *projections.top_nine]
        ]
    )
    height, width = (fields[:, 2:] - fields[:, :2]).max(0)  # a unit at an edge has a smaller one
    is_whole_image = (height, width) == maps[0].picture.image.shape[:2]
    field = "sees all pixels" if is_whole_image else f"sees {height}×{width} pixels"
    x, y = grid.left - 20, grid.cell(row, 0).y
    page.text(x, y + 34, layer, ha="right", weight="bold", size=9)
    page.text(x, y + 50, field, ha="right", color=GREY_TEXT)


def number_below(page: Page, cell: Square, number: int) -> None:
    """Write the number of a filter or a feature map below its image."""
    middle = cell.x + cell.side / 2
    page.text(middle, cell.bottom + 2, str(number), color=GREY_TEXT, ha="center", size=7)


def has_few_pixels(explanation: Explanation) -> bool:
    """Return whether an image is so small that each pixel must be visible."""
    height, width, _ = explanation.image.shape
    return bool(max(height, width) <= 32)


def predicted_text(explanation: Explanation) -> str:
    """Return the prediction as a part of a title: "lenet5 predicts 7 (99.8%)"."""
    probability = explanation.probabilities[explanation.predicted]
    name = explanation.classes[explanation.predicted]
    return f"{explanation.network} predicts {name} ({probability:.1%})"


def unit_name(explanation: Explanation, layer: str, projections: MapProjections) -> str:
    """Return what a caption calls the unit: "class 7", "map 12" or "unit 12"."""
    if layer == explanation.last_layer:
        return f"class {fitted(explanation.classes[projections.number], MAX_NAME_WIDTH, 7)}"
    kind = "map" if layer in explanation.feature_maps else "unit"
    return f"{kind} {projections.number}"


def projection_meaning(explanation: Explanation) -> str:
    """Return what the colours of a projection mean."""
    if explanation.image.shape[-1] == 1:
        return what_activates(explanation)
    return "Grey: this pixel does not matter."


def what_activates(explanation: Explanation) -> str:
    """Return what the colours of a unit mean that sees grey images."""
    light = "light" if explanation.image_kind == "pictures" else "ink"  # 255 is what it says
    return f"Blue: {light} here activates the unit; red: {light} here inhibits it."


@styled
def occlusion(explanation: Explanation) -> NotebookFigure:
    """Draw what the network predicts while a square covers a part of the picture: figure 7."""
    side, has_feature_map = 250, bool(explanation.occlusion.feature_map)
    grid = Grid(
        left=PAGE_MARGIN, top=PAGE_HEADER + 28, side=side, across=side + PAGE_MARGIN, down=side
    )
    page = Page(
        width=grid.right(4 if has_feature_map else 3),
        height=grid.bottom(1) + 100,
        title=f"Which part of the picture matters: {predicted_text(explanation)}",
        lines=[
            "A square covers one part of the picture after another, and each time the network "
            "classifies the picture.",
            "The colour of a pixel shows the result for the square centred there: red is less than "
            "for the uncovered picture, blue is more.",
        ],
    )
    panels = [grid.cell(0, column) for column in range(4)]
    covered_panel(page, panels.pop(0), explanation)
    probability_panel(page, panels.pop(0), explanation)
    if has_feature_map:
        activity_panel(page, panels.pop(0), explanation)
    predicted_panel(page, panels.pop(0), explanation)
    return page.figure


def covered_panel(page: Page, panel: Square, explanation: Explanation) -> None:
    """Draw the picture with the square where it changes the probability most."""
    measured = explanation.occlusion
    panel_title(page, panel, "Where it matters most")
    if largest_change(explanation) < NO_CHANGE:
        say_in_panel(page, panel, "Nowhere: the probability does not change.")
        return
    page.image(panel, displayed(explanation, measured.covered))
    page.region(panel, measured.occluder, explanation.image, WARNING, 1.5)


def probability_panel(page: Page, panel: Square, explanation: Explanation) -> None:
    """Draw the label's probability for each position of the square."""
    panel_title(page, panel, f"Probability of {explanation.classes[explanation.label]}")
    values = explanation.occlusion.probability
    baseline = float(explanation.probabilities[explanation.label])
    largest = largest_change(explanation)
    if largest < NO_CHANGE:
        say_in_panel(page, panel, f"Nothing changes: it is always {baseline:.1%}.")
        return
    largest = max(largest, MIN_CHANGE)
    page.image(panel, change_colors(explanation, values - baseline, largest))
    change_scale(page, panel, f"{largest:.1%}", f"{baseline:.1%}")


def largest_change(explanation: Explanation) -> float:
    """Return the largest change of the label's probability by the square, 0 to 1."""
    baseline = explanation.probabilities[explanation.label]
    return float(np.abs(explanation.occlusion.probability - baseline).max())


def activity_panel(page: Page, panel: Square, explanation: Explanation) -> None:
    """Draw the watched feature map's activity for each position of the square."""
    measured = explanation.occlusion
    panel_title(page, panel, f"Sum of {measured.feature_map}")
    change = measured.activity - measured.baseline
    largest = float(np.abs(change).max())
    if largest <= ROUNDING * abs(measured.baseline):
        say_in_panel(page, panel, f"Nothing changes: it is always {measured.baseline:.3g}.")
        return
    page.image(panel, change_colors(explanation, change, largest))
    change_scale(page, panel, f"{largest:.3g}", f"{measured.baseline:.3g}")


def change_colors(explanation: Explanation, change: np.ndarray, largest: float) -> Rgb:
    """Return changes (rows, columns) as colours over the picture: zero is white, less is red."""
    colors = np.asarray(FOR_AND_AGAINST(0.5 + change / largest / 2))[..., :3]
    return over_picture(colors, explanation)


def change_scale(page: Page, panel: Square, largest: str, baseline: str) -> None:
    """Draw the colours of the changes below a panel, and the value for the uncovered picture."""
    corner = panel.x, panel.bottom + 12
    page.color_bar(corner, panel.side, FOR_AND_AGAINST, (f"−{largest}", f"+{largest}"))
    page.text(
        panel.x + panel.side / 2,
        panel.bottom + 23,
        f"uncovered: {baseline}",
        ha="center",
        color=GREY_TEXT,
    )


def predicted_panel(page: Page, panel: Square, explanation: Explanation) -> None:
    """Draw the predicted class for each position of the square, and a legend of the colours."""
    panel_title(page, panel, "Predicted class")
    predicted = explanation.occlusion.predicted
    if (predicted == explanation.predicted).all():
        name = fitted(explanation.classes[explanation.predicted], panel.side / 2, 8)
        say_in_panel(page, panel, f"Nothing changes: it is always {name}.")
        return
    classes, counts = np.unique(predicted, return_counts=True)
    by_count = [int(number) for number in classes[np.argsort(-counts, kind="stable")]]
    others = [number for number in by_count if number != explanation.predicted]
    palette = [colormaps["Set2"](i)[:3] for i in range(MAX_OTHER_CLASSES)]
    colors = {explanation.predicted: (1.0, 1.0, 1.0)}
    colors |= dict(zip(others, palette, strict=False))
    rest = (0.6, 0.6, 0.6)
    pixels = np.array([[colors.get(int(number), rest) for number in row] for row in predicted])
    page.image(panel, over_picture(pixels, explanation))
    entries = [(explanation.classes[number], color) for number, color in colors.items()]
    if len(others) > MAX_OTHER_CLASSES:
        entries.append(("others", rest))
    legend(page, panel, entries)


def legend(
    page: Page, panel: Square, entries: Sequence[tuple[str, tuple[float, float, float]]]
) -> None:
    """Draw names and their colours below a panel."""
    widths = [text_width(name, 8) for name, _ in entries]
    columns = 4 if max(widths) < panel.side / 4 - LEGEND_GAP else 2
    grid = Grid(
        left=panel.x,
        top=panel.bottom + 12,
        side=11,
        across=panel.side // columns,
        down=18,
    )
    for place, (name, color) in enumerate(entries):
        cell = grid.cell(*divmod(place, columns))
        page.image(cell, np.full((1, 1, 3), color))
        page.text(cell.x + 16, cell.y - 1, fitted(name, grid.across - LEGEND_GAP, 8))


def panel_title(page: Page, panel: Square, title: str) -> None:
    """Write a title above a panel; one that is wider than the panel is cut off."""
    text = fitted(title, panel.side, 9, "bold")
    page.text(panel.x, panel.y - 24, text, weight="bold", size=9)


def say_in_panel(page: Page, panel: Square, text: str) -> None:
    """Write why a panel has no image."""
    middle = panel.x + panel.side / 2, panel.y + panel.side / 2
    page.box((panel.x, panel.y), (panel.side, panel.side), PALE, 0.5)
    lines = "\n".join(wrapped(text, panel.side - 2 * IMAGE_GAP, 8))
    page.text(*middle, lines, color=GREY_TEXT, ha="center", va="center")


def displayed(explanation: Explanation, image: np.ndarray) -> Rgb:
    """Return an image (height, width, 1 or 3) uint8 in colours; a digit is dark ink on white."""
    light = image / 255
    if image.shape[-1] == 1 and explanation.image_kind != "pictures":
        light = 1 - light
    return np.repeat(light, 3 // image.shape[-1], axis=-1)


def signed(values: np.ndarray, largest: float = 0.0) -> Rgb:
    """Return values (height, width, 1 or 3) about zero in colours.

    One channel becomes red below zero, white, and blue above. Three channels are colours
    themselves, with grey as zero.

    Args:
        values: positive and negative.
        largest: the value with the full colour; 0 for the largest of the values.
    """
    scaled = values / (largest or np.abs(values).max() or 1)
    if values.shape[-1] == 1:
        return np.asarray(FOR_AND_AGAINST(0.5 + scaled[..., 0] / 2))[..., :3]
    # Three standard deviations get the full colour: a single bright pixel must not dim the rest.
    spread = min(1.0, 3 * float(np.std(scaled))) or 1.0
    rgb: Rgb = (0.5 + scaled / (2 * spread)).clip(0, 1)
    return rgb


def field_of(image: np.ndarray, projection: Projection) -> np.ndarray:
    """Return the part of an image that is the projected unit's receptive field."""
    top, left, bottom, right = projection.receptive_field
    return image[top:bottom, left:right]


def over_picture(colors: Rgb, explanation: Explanation) -> Rgb:
    """Return colours (rows, columns, 3), enlarged, with the picture's light and dark in them."""
    height, width = explanation.image.shape[:2]
    rows = (np.arange(height) * colors.shape[0] // height).clip(0, colors.shape[0] - 1)
    columns = (np.arange(width) * colors.shape[1] // width).clip(0, colors.shape[1] - 1)
    light = displayed(explanation, explanation.image).mean(-1, keepdims=True)
    mixed: Rgb = colors[rows][:, columns] * (0.3 + 0.7 * light)
    return mixed
