"""The two pictures of a graph: all that the lesson names is in them, and they can be read."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import keras
import pytest
import tensorflow as tf

from firstlight import catalog, first_graph
from firstlight.errors import UsageError
from firstlight.graphs import svg
from firstlight.graphs.draw import draw
from firstlight.graphs.layers import of_network, total
from firstlight.graphs.operations import of_first_graph, operations
from firstlight.graphs.svg import Arrow, Box

NETWORKS = [entry.name for entry in catalog.networks() if entry.parameters < 10_000_000]
SVG = "{http://www.w3.org/2000/svg}"


def nodes(svg: str) -> dict[str, tuple[tuple[float, ...], list[str]]]:
    """Each box of a picture by name: its rectangle x, y, width, height, and its texts."""
    root = ET.fromstring(svg)
    assert root.get("role") == "img" and root.find(f"{SVG}title") is not None
    assert not root.findall(f".//{SVG}script") and "http" not in svg.replace(
        "http://www.w3.org/2000/svg", ""
    )
    found = {}
    for group in root.findall(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        sides = tuple(float(rect.get(side) or 0) for side in ("x", "y", "width", "height"))
        found[group.get("data-name") or ""] = (
            sides,
            ["".join(t.itertext()) for t in group.findall(f"{SVG}text")],
        )
    return found


def legible(svg: str) -> None:
    """No two boxes overlap, all lie within the picture, and every text fits its box."""
    view = [float(v) for v in (ET.fromstring(svg).get("viewBox") or "").split()]
    boxes = nodes(svg)
    placed = [sides for sides, _ in boxes.values()]
    for i, (x, y, w, h) in enumerate(placed):
        assert view[0] <= x and x + w <= view[0] + view[2] and y + h <= view[1] + view[3]
        for x2, y2, w2, h2 in placed[:i]:
            assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y
    for (_, _, width, _), texts in boxes.values():
        assert all(7 * len(text) <= width for text in texts)


def functional(graph: tf.Graph) -> str:
    boxes, arrows = of_first_graph(graph)
    return svg.svg(boxes, arrows, "title", total(boxes))


def test_the_first_graph_as_its_author_means_it() -> None:
    picture = functional(first_graph.build().graph)
    legible(picture)
    texts = {name: " ".join(lines) for name, (_, lines) in nodes(picture).items()}
    assert texts.keys() == {
        "input", "labels", "layer1_weights", "layer1_biases", "matmul", "logits",
        "softmax_cross_entropy", "cost", "optimizer",
    }  # fmt: skip
    assert "100×784" in texts["input"] and "placeholder" in texts["labels"]
    assert "784×10" in texts["layer1_weights"] and "7,840 parameters" in texts["layer1_weights"]
    assert "7,850 trainable parameters" in picture and picture.count("stroke-dasharray") == 2


def test_a_layer_that_a_learner_adds_is_drawn() -> None:
    v1 = tf.compat.v1
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, (100, 784), name="input")
        y = v1.placeholder(tf.float32, (100, 10), name="labels")
        w1 = v1.get_variable("layer1_weights", (784, 50))
        hidden = tf.nn.relu(tf.matmul(x, w1, name="matmul1"), name="relu")
        w2 = v1.get_variable("layer2_weights", (50, 10))
        logits = tf.matmul(hidden, w2, name="logits")
        losses = tf.nn.softmax_cross_entropy_with_logits(y, logits, name="softmax_cross_entropy")
        cost = tf.reduce_mean(losses, name="cost")
        v1.train.GradientDescentOptimizer(0.01).minimize(cost, name="optimizer")
    picture = functional(graph)
    legible(picture)
    assert {"relu", "layer2_weights", "matmul1"} <= nodes(picture).keys()
    assert f"{784 * 50 + 500:,} trainable parameters" in picture


def test_the_first_graph_as_tensorflow_runs_it() -> None:
    graph = first_graph.build().graph
    picture = svg.svg(*operations(graph), "title", "")
    legible(picture)
    assert {"input", "layer1_weights", "gradients", "optimizer", "init"} <= nodes(picture).keys()
    held = re.search(r"(\d+) operations in all", " ".join(nodes(picture)["gradients"][1]))
    in_scope = [op for op in graph.get_operations() if op.name.startswith("gradients/")]
    assert held and int(held[1]) == len(in_scope)


@pytest.mark.parametrize("name", NETWORKS)
def test_both_pictures_of_every_network(name: str, here: Path) -> None:
    files = draw(name, here)
    assert [path.name for path in files] == ["functional.svg", "operations.svg"]
    pictures = [path.read_text("utf-8") for path in files]
    for picture in pictures:
        legible(picture)
    assert f"{catalog.network(name).parameters:,} trainable parameters" in pictures[0]
    chosen = catalog.network(name)
    network = chosen.build(chosen.classes)
    assert nodes(pictures[0]).keys() == {layer.name for layer in network.layers}
    assert len(nodes(pictures[1])) > 3


def test_branches_are_drawn_side_by_side() -> None:
    image = keras.Input((8,), name="image")
    left, right = (keras.layers.Dense(4, name=side)(image) for side in ("left", "right"))
    network = keras.Model(image, keras.layers.Add(name="sum")([left, right]))
    boxes, arrows = of_network(network)
    joined = {("image", "left"), ("image", "right"), ("left", "sum"), ("right", "sum")}
    assert {(arrow.source, arrow.target) for arrow in arrows} == joined
    placed = {name: sides for name, (sides, _) in nodes(svg.svg(boxes, arrows, "t", "")).items()}
    assert placed["left"][1] == placed["right"][1] and placed["left"][0] != placed["right"][0]


def test_names_are_escaped_and_circles_survive() -> None:
    boxes = [Box('<&"', "<b>&", ["]]>"]), Box("b", "b", []), Box("c", "c", ["x"])]
    picture = svg.svg(boxes, [Arrow('<&"', "b"), Arrow("b", "c"), Arrow("c", "b")], "<t>", "&")
    assert '<&"' in nodes(picture)
    legible(picture)


def test_a_deep_network_goes_on_in_another_column() -> None:
    boxes = [Box(f"layer{i}", f"layer{i}", ["Conv2D"]) for i in range(60)]
    arrows = [Arrow(f"layer{i}", f"layer{i + 1}") for i in range(59)]
    picture = svg.svg(boxes, arrows, "deep", "")
    legible(picture)
    assert float(ET.fromstring(picture).get("height") or 0) < 1200


def test_an_unknown_target_names_what_there_is(here: Path) -> None:
    with pytest.raises(
        UsageError, match="no network or run 'convent'; networks: first-graph, conv"
    ):
        draw("convent", None)
