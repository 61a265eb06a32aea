"""The page's modules without a server, in Chromium: what they compute is what Python computes."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from conftest import names_by_input
from test_export import METADATA, network_in
from test_page import BROWSER, PHONE, STROKES, Watch, expect_headline, playwright

from firstlight.datasets import flat, mnist, one_hot, shuffled
from firstlight.onnx_model import OnnxModel, open_session
from firstlight.reading.reader import read_drawing
from firstlight.reading.recognizer import DIGITS_MODEL, recognizer

if not BROWSER:
    pytestmark = pytest.mark.skip(reason="no chromium: apt-get install chromium")

STEPS, SIZE = 100, 100
OF_DIGITS = replace(
    METADATA, network="convnet", input=(28, 28, 1), classes=mnist.CLASSES, image_kind="digits"
)
Arrays = list[np.ndarray]

# From Python: an array is [shape, its float32 values in base64].
HELPERS = """
  const network = await import("/network.js");
  const { decode: bytes } = await import("/pixels.js");
  const array = ([shape, text]) => network.array(shape, new Float32Array(bytes(text).buffer));
"""
TRAIN = f"""async ({{ pixels, labels, start, rate }}) => {{{HELPERS}
  const parameters = start.map(array);
  const images = network.flat(bytes(pixels));
  const oneHot = network.oneHot(labels, 10);
  const batch = (step) => Array.from({{ length: {SIZE} }}, (_, i) => step * {SIZE} + i);
  return Array.from({{ length: {STEPS} }}, (_, step) => {{
    const [x, y] = [images, oneHot].map((all) => network.takeRows(all, batch(step)));
    return network.trainStep(x, y, parameters, rate);
  }});
}}"""
RUN_MODEL = f"""async ({{ file, images }}) => {{{HELPERS}
  const {{ readModel }} = await import("/onnx.js");
  const [model, pixels] = [readModel(bytes(file)), bytes(images)];
  const inputs = Array.from({{ length: pixels.length / 784 }}, (_, i) =>
    pixels.subarray(784 * i, 784 * (i + 1)));
  const letters = (values) => Array.from(values, (byte) => String.fromCharCode(byte)).join("");
  const encoded = ({{ shape, values }}) => {{
    const floats = new Float32Array(values);
    return {{ shape, values: btoa(letters(new Uint8Array(floats.buffer))) }};
  }};
  const {{ maps }} = model.run(inputs[0]);
  return {{
    classes: model.classes,
    logits: inputs.map((input) => Array.from(model.run(input).logits)),
    maps: Object.fromEntries(Object.entries(maps).map(([name, map]) => [name, encoded(map)])),
  }};
}}"""
OPEN_MODEL = f"""async (file) => {{{HELPERS}
  const {{ readModel }} = await import("/onnx.js");
  try {{ return typeof readModel(bytes(file)).run; }} catch (error) {{ return error.message; }}
}}"""
READ_DRAWINGS = f"""async ({{ file, drawings }}) => {{{HELPERS}
  const {{ readModel }} = await import("/onnx.js");
  const {{ recognize }} = await import("/recognizer.js");
  const {{ normalize }} = await import("/normalize.js");
  const {{ Pad, padCanvas }} = await import("/pad.js");
  const model = readModel(bytes(file));
  const pad = new Pad(padCanvas(""), () => {{}});
  const text = (values) => btoa(String.fromCharCode(...values));
  return drawings.map((strokes) => {{
    pad.setStrokes(strokes);
    const {{ values, width, height }} = pad.ink();
    const image = normalize(values, width, height);
    if (image === null) return null;
    const rows = Array.from({{ length: height }}, (_, y) =>
      text(values.subarray(y * width, (y + 1) * width)));
    return {{ rows, image: text(image), ...recognize(model, image), maps: null }};
  }});
}}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """An empty page that can import the page's modules; it has no server."""
    modules = files("firstlight.serve") / "page"

    def answer(route: Any) -> None:
        name = route.request.url.rpartition("/")[2]
        body = modules.joinpath(name).read_text("utf-8") if name.endswith(".js") else ""
        kind = "text/javascript" if body else "text/html"
        route.fulfill(body=body, content_type=kind)

    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.route("**/*", answer)
        page.goto("http://localhost/")
        yield page
        browser.close()


def for_page(values: Any) -> list[Any]:
    """Return an array as HELPERS takes it."""
    numbers = np.asarray(values, np.float32)
    return [list(numbers.shape), base64.b64encode(numbers.tobytes()).decode()]


@pytest.fixture(scope="module")
def batches() -> tuple[np.ndarray, np.ndarray]:
    """Images (STEPS * SIZE, 28, 28, 1) uint8 and labels, in the order of the first graph."""
    train = mnist.load("train")
    rows = shuffled(len(train), 0)(0, STEPS * SIZE)
    return train.images[rows], train.labels[rows]


def costs_in_page(page: Any, batches: Any, start: Arrays, rate: float) -> np.ndarray:
    images, labels = batches
    given = {"pixels": base64.b64encode(images.tobytes()).decode(), "labels": labels.tolist()}
    given |= {"start": [for_page(group) for group in start], "rate": rate}
    return np.array(page.evaluate(TRAIN, given))


@pytest.mark.parametrize("rate", [0.01, 0.5])
def test_the_first_graph_has_tensorflows_costs(page: Any, batches: Any, rate: float) -> None:
    from firstlight import first_graph

    images, labels = flat(batches[0]), one_hot(batches[1], 10)
    first = first_graph.build(SIZE, rate)
    with first_graph.v1.Session(graph=first.graph) as session:
        session.run(first.initialize)
        start = session.run([first.weights, first.biases])
        costs = [
            first_graph.take_step(session, first, images[i : i + SIZE], labels[i : i + SIZE], i)
            for i in range(0, STEPS * SIZE, SIZE)
        ]
    ours = costs_in_page(page, batches, start, rate)
    assert costs[-1] < costs[0] - 1  # it learns
    np.testing.assert_allclose(ours, costs, rtol=0, atol=1e-5)


def test_a_hidden_layer_has_tensorflows_costs(page: Any, batches: Any) -> None:
    from firstlight.quiet import keras, tf

    random = np.random.default_rng(0)
    weights1 = random.normal(size=(784, 100)) * np.sqrt(2 / 784)
    weights2 = random.normal(size=(100, 10)) * np.sqrt(2 / 100)
    groups = [weights1, np.zeros(100), weights2, np.zeros(10)]
    start = [group.astype(np.float32) for group in groups]
    variables = [tf.Variable(group) for group in start]
    descent = keras.optimizers.SGD(0.3)
    images, labels = flat(batches[0]), one_hot(batches[1], 10)
    costs = []
    for i in range(0, STEPS * SIZE, SIZE):
        with tf.GradientTape() as tape:
            hidden = tf.nn.relu(images[i : i + SIZE] @ variables[0] + variables[1])
            logits = hidden @ variables[2] + variables[3]
            losses = tf.nn.softmax_cross_entropy_with_logits(labels[i : i + SIZE], logits)
            cost = tf.reduce_mean(losses)
        descent.apply(tape.gradient(cost, variables), variables)
        costs.append(float(cost))
    ours = costs_in_page(page, batches, start, 0.3)
    assert costs[-1] < 0.6  # it learns
    np.testing.assert_allclose(ours, costs, rtol=0, atol=1e-5)


def as_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def exported(name: str, path: Path) -> Any:
    """Write a network with random weights as an ONNX file; return the network."""
    from firstlight import catalog
    from firstlight.exports.onnx import write_onnx

    network = catalog.network(name).build(10)
    random = np.random.default_rng(0)
    for weight in network.weights:  # biases of 0 and variances of 1 would hide a mistake
        weight.assign(weight + random.uniform(0, 0.3, weight.shape) * (len(weight.shape) == 1))
    write_onnx(network, path, OF_DIGITS)
    return network


def outputs(network: Any, image: np.ndarray) -> dict[str, np.ndarray]:
    """Return the output of each layer for an image, as onnx.js names and shapes them."""
    from firstlight.quiet import keras

    layers = {layer.name: layer.output for layer in network.layers[1:]}
    every = keras.Model(network.input, layers)(image[None])
    values = {name: np.asarray(value[0], np.float32) for name, value in every.items()}
    return {
        name: value.transpose(2, 0, 1) if value.ndim == 3 else value[None, None]
        for name, value in values.items()
    }


@pytest.mark.parametrize("name", names_by_input((28, 28, 1)))
def test_an_onnx_file_gives_the_outputs_of_its_network(
    page: Any, batches: Any, tmp_path: Path, name: str
) -> None:
    """The logits are ONNX Runtime's; each layer's output is Keras's."""
    file = tmp_path / "network.onnx"
    network = exported(name, file)
    images = batches[0][:5]
    given = {"file": as_base64(file.read_bytes()), "images": as_base64(images.tobytes())}
    answer = page.evaluate(RUN_MODEL, given)
    (expected,) = open_session(file).run(["logits"], {"image": images})
    np.testing.assert_allclose(answer["logits"], expected, rtol=0, atol=1e-4)
    layers = outputs(network, images[0])
    assert len(answer["maps"]) > 2 and list(answer["maps"])[-1] == network.layers[-1].name
    for layer, output in answer["maps"].items():
        assert tuple(output["shape"]) == layers[layer].shape, layer
        values = np.frombuffer(base64.b64decode(output["values"]), np.float32)
        values = values.reshape(output["shape"])
        np.testing.assert_allclose(values, layers[layer], rtol=0, atol=1e-4, err_msg=layer)


def test_the_readers_network_gives_the_same_logits_in_the_browser(page: Any, batches: Any) -> None:
    images = batches[0][:5]
    given = {"file": as_base64(DIGITS_MODEL.read_bytes()), "images": as_base64(images.tobytes())}
    answer = page.evaluate(RUN_MODEL, given)
    model = OnnxModel(DIGITS_MODEL, is_ours=True)
    assert answer["classes"] == list(model.classes)
    np.testing.assert_allclose(answer["logits"], model.logits(images), rtol=0, atol=1e-4)


def test_a_file_that_the_browser_cannot_compute_is_one_line(page: Any) -> None:
    content = DIGITS_MODEL.read_bytes()

    def changed(operation: str, **attributes: Any) -> bytes:
        """The reader's network with another first convolution."""
        model = onnx.load_from_string(content)
        node = next(node for node in model.graph.node if node.op_type == "Conv")
        kept = [each for each in node.attribute if each.name not in attributes]
        node.CopyFrom(
            onnx.helper.make_node(operation, node.input, node.output, "first", **attributes)
        )
        node.attribute.extend(kept)
        return bytes(model.SerializeToString())

    own = "not an ONNX file of firstlight: "
    for file, message in (
        (content, "function"),
        (changed("Erfc"), "the operation Erfc (first) is unknown in the browser"),
        (changed("Conv", group=2), "Conv (first) with group 2 is unknown in the browser"),
        (content[:-100], f"{own}the file is cut off"),
        (b"<html>", f"{own}this is no protobuf that can be read"),
        (b"", f"{own}it has no property `firstlight`; `firstlight export` writes one"),
    ):
        assert page.evaluate(OPEN_MODEL, as_base64(file)) == message


def test_a_drawing_becomes_the_readers_image_and_has_the_readers_answer(page: Any) -> None:
    """Large and small digits, and a drawing without ink."""
    boxes = [(250, 60, 300, 480), (330, 380, 90, 150)]  # left, top, width, height on the sheet
    drawings = [
        [[[left + x * width, top + y * height] for x, y in stroke] for stroke in strokes]
        for left, top, width, height in boxes
        for strokes in STROKES.values()
    ]
    given = {"file": as_base64(DIGITS_MODEL.read_bytes()), "drawings": [*drawings, []]}
    *answers, nothing = page.evaluate(READ_DRAWINGS, given)
    assert nothing is None and [answer["digit"] for answer in answers] == [*STROKES] * 2
    for answer in answers:
        ink = np.array([[*base64.b64decode(row)] for row in answer["rows"]], np.uint8)
        image = np.frombuffer(base64.b64decode(answer["image"]), np.uint8).reshape(28, 28, 1)
        (line,) = read_drawing(255 - ink).lines
        (digit,) = line.digits
        assert digit.digit == answer["digit"]
        difference = np.abs(image - digit.image.astype(float))  # of 255
        assert difference.mean() < 1 and difference.max() < 32
        expected = recognizer(DIGITS_MODEL).probabilities(image[None])[0]
        np.testing.assert_allclose(answer["probabilities"], expected, rtol=0, atol=1e-5)


# --- The exported page -----------------------------------------------------------------------

INPUT_PIXELS = """() => {
  const canvas = document.querySelector(".digit canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, 28, 28);
  return Array.from({ length: 784 }, (_, i) => data[4 * i]);
}"""
FETCH = """() => new Promise((done) => {
  document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
  fetch("https://example.com/");
})"""


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose network has random weights: it is sure of nothing."""
    from firstlight import catalog
    from firstlight.exports.html import write_html

    path = tmp_path_factory.mktemp("page") / "convnet.html"
    write_html(catalog.network("convnet").build(10), path, OF_DIGITS)
    return path


def test_an_exported_page_answers_on_a_phone_without_a_network_connection(
    page: Any, page_file: Path, tmp_path: Path
) -> None:
    context = page.context.browser.new_context(viewport=PHONE, offline=True)
    phone, watch = context.new_page(), Watch("file://")
    watch.own_urls = ("file:", "data:")
    watch.add(phone)
    phone.goto(page_file.as_uri())
    expect_headline(phone, "nothing drawn")
    phone.get_by_role("button", name="Draw the example").click()
    phone.wait_for_selector(".digit")
    pixels = np.array(phone.evaluate(INPUT_PIXELS), np.uint8).reshape(1, 28, 28, 1)
    onnx_file = tmp_path / "network.onnx"
    onnx_file.write_bytes(network_in(page_file))
    order = np.argsort(-recognizer(onnx_file).probabilities(pixels)[0])
    expect_headline(phone, f"not sure: {order[0]} or {order[1]} or {order[2]}")
    assert phone.locator(".bars .bar").count() == 10
    assert phone.locator(".first-layer canvas").count() == 16
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert "trained in 1 steps" in phone.locator("footer").inner_text()
    assert watch.problems == []
    assert phone.evaluate(FETCH) == "connect-src"
    context.close()


def test_an_exported_page_works_by_keyboard(page: Any, page_file: Path) -> None:
    own = page.context.browser.new_page()
    own.goto(page_file.as_uri())
    expect_headline(own, "nothing drawn")
    for key in ("Tab", " ", *["ArrowDown"] * 9, " "):  # the sheet is the first that takes keys
        own.keyboard.press(key)
    own.wait_for_selector(".digit")
    for key in ("Tab", "Tab", "Enter"):  # Undo, Clear
        own.keyboard.press(key)
    expect_headline(own, "nothing drawn")
    assert own.locator(".digit").count() == 0
    own.close()
