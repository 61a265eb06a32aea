"""The two pictures of a graph have all that the lesson names, and are legible."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

import keras
import pytest
import tensorflow as tf
from conftest import built

from firstlight import catalog, first_graph
from firstlight.errors import UsageError
from firstlight.graphs import svg
from firstlight.graphs.draw import FIRST_GRAPH, draw_graph, parameter_count
from firstlight.graphs.functional import from_graph, from_keras
from firstlight.graphs.layout import Arrow, Box, with_equal_widths
from firstlight.graphs.operations import from_operations, trace

NETWORKS = [entry for entry in catalog.networks() if entry.parameters < 10_000_000]
NAMES = [entry.name for entry in NETWORKS]
SVG = "{http://www.w3.org/2000/svg}"


class Drawn(NamedTuple):
    """A box as it is drawn."""

    x: float
    y: float
    width: float
    height: float
    texts: list[str]


def boxes_of(picture: str) -> dict[str, Drawn]:
    """The boxes of an SVG document by name; the document fetches nothing and runs nothing."""
    root = ET.fromstring(picture)
    assert root.get("role") == "img" and root.find(f"{SVG}title") is not None
    assert not root.findall(f".//{SVG}script")
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")
    boxes = {}
    for group in root.findall(f"{SVG}g"):
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        sides = [float(rect.get(side) or 0) for side in ("x", "y", "width", "height")]
        texts = ["".join(text.itertext()) for text in group.findall(f"{SVG}text")]
        boxes[group.get("data-name") or ""] = Drawn(*sides, texts)
    return boxes


def assert_legible(picture: str) -> None:
    """No two boxes overlap, all lie within the picture, and every text fits its box."""
    view_box = (ET.fromstring(picture).get("viewBox") or "").split()
    left, top, width, height = (float(value) for value in view_box)
    boxes = list(boxes_of(picture).values())
    for i, box in enumerate(boxes):
        assert left <= box.x and box.x + box.width <= left + width
        assert box.y + box.height <= top + height
        assert all(7 * len(text) <= box.width for text in box.texts)
        for other in boxes[:i]:
            beside = box.x + box.width <= other.x or other.x + other.width <= box.x
            above = box.y + box.height <= other.y or other.y + other.height <= box.y
            assert beside or above


def functional_picture(graph: tf.Graph) -> str:
    boxes, arrows = from_graph(graph)
    return svg.render(boxes, arrows, "title", parameter_count(boxes))


def test_the_first_graph_as_its_author_thinks_of_it() -> None:
    picture = functional_picture(first_graph.build().graph)
    assert_legible(picture)
    texts = {name: " ".join(box.texts) for name, box in boxes_of(picture).items()}
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
    picture = functional_picture(graph)
    assert_legible(picture)
    assert {"relu", "layer2_weights", "matmul1"} <= boxes_of(picture).keys()
    assert f"{784 * 50 + 500:,} trainable parameters" in picture


def test_the_first_graph_as_tensorflow_runs_it() -> None:
    graph = first_graph.build().graph
    picture = svg.render(*from_operations(graph), "title", "")
    assert_legible(picture)
    boxes = boxes_of(picture)
    assert {"input", "layer1_weights", "gradients", "optimizer", "init"} <= boxes.keys()
    count = re.search(r"(\d+) operations in all", " ".join(boxes["gradients"].texts))
    in_scope = [op for op in graph.get_operations() if op.name.startswith("gradients/")]
    assert count and int(count[1]) == len(in_scope)


@pytest.mark.parametrize("entry", NETWORKS, ids=NAMES)
def test_both_pictures_of_every_network(entry: dict[str, object]) -> None:
    network = built(entry.name, catalog.network(entry.name).classes)
    boxes, arrows = from_keras(network)
    assert parameter_count(boxes) == f"{entry.parameters:,} trainable parameters"
    functional = svg.render(with_equal_widths(boxes), arrows, network.name, "")
    operations = svg.render(*from_operations(trace(network)), network.name, "")
    assert_legible(functional)
    assert_legible(operations)
    assert boxes_of(functional).keys() == {layer.name for layer in network.layers}
    assert len(boxes_of(operations)) > 3


@pytest.mark.parametrize("target", [FIRST_GRAPH, "mlp"])
def test_the_pictures_are_written_and_named(target: str, here: Path) -> None:
    pictures = draw_graph(target)
    folder = Path("runs") / f"graph-{target}"
    assert pictures.files == (folder / "functional.svg", folder / "operations.svg")
    files = [str(path) for path in pictures.files]
    assert pictures.to_json() == {"target": target, "files": files}
    functional, operations = (path.read_text("utf-8") for path in pictures.files)
    assert f"<title>{target}: " in functional and "trainable parameters" in functional
    assert "TensorFlow's operations by scope" in operations
    elsewhere = draw_graph(target, here / "elsewhere").files
    assert [path.read_text("utf-8") for path in elsewhere] == [functional, operations]


def test_branches_are_drawn_side_by_side() -> None:
    image = keras.Input((8,), name="image")
    left, right = (keras.layers.Dense(4, name=side)(image) for side in ("left", "right"))
    network = keras.Model(image, keras.layers.Add(name="sum")([left, right]))
    boxes, arrows = from_keras(network)
    ends = {("image", "left"), ("image", "right"), ("left", "sum"), ("right", "sum")}
    assert {(arrow.source, arrow.target) for arrow in arrows} == ends
    drawn = boxes_of(svg.render(boxes, arrows, "t", ""))
    assert drawn["left"].y == drawn["right"].y and drawn["left"].x != drawn["right"].x


def test_names_are_escaped_and_circles_are_drawn() -> None:
    boxes = [Box('<&"', "<b>&", ["]]>"]), Box("b", "b", []), Box("c", "c", ["x"])]
    arrows = [Arrow('<&"', "b"), Arrow("b", "c"), Arrow("c", "b")]
    picture = svg.render(boxes, arrows, "<t>", "&")
    assert '<&"' in boxes_of(picture)
    assert_legible(picture)


def test_a_deep_network_continues_in_another_column() -> None:
    boxes = [Box(f"layer{i}", f"layer{i}", ["Conv2D"]) for i in range(60)]
    arrows = [Arrow(f"layer{i}", f"layer{i + 1}") for i in range(59)]
    picture = svg.render(boxes, arrows, "deep", "")
    assert_legible(picture)
    assert float(ET.fromstring(picture).get("height") or 0) < 1200


def test_an_unknown_target_is_answered_with_the_known_ones(here: Path) -> None:
    names = ", ".join([FIRST_GRAPH, *(entry.name for entry in catalog.networks())])
    with pytest.raises(UsageError) as error:
        draw_graph("convent")
    assert str(error.value) == f"no network or run 'convent'; networks: {names}"
