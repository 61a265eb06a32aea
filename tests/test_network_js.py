"""The page's network.js computes what TensorFlow computes, in Chromium."""

import base64
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np
import pytest
from test_page import BROWSER, playwright

from firstlight.datasets import flat, mnist, one_hot, shuffled

if not BROWSER:
    pytestmark = pytest.mark.skip(reason="no chromium: apt-get install chromium")

STEPS, SIZE = 100, 100
Arrays = list[np.ndarray]

# From Python: an array is [shape, its float32 values in base64].
HELPERS = """
  const network = await import("/network.js");
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
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
CONVNET = f"""async ({{ images, layers, output }}) => {{{HELPERS}
  let x = array(images);
  for (const {{ stride, kernel, norm }} of layers) {{
    const names = Object.entries(norm).map(([name, values]) => [name, array(values)]);
    const sums = network.convolution(x, array(kernel), stride);
    x = network.relu(network.batchNorm(sums, Object.fromEntries(names)));
  }}
  const logits = network.dense(network.flatten(x), ...output.map(array));
  return [logits.shape, Array.from(logits.values)];
}}"""


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    """An empty page that can import network.js."""
    module = files("firstlight.serve").joinpath("page/network.js").read_text("utf-8")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        page = browser.new_page()
        page.route("**/*", lambda route: route.fulfill(body="", content_type="text/html"))
        page.route(
            "**/network.js",
            lambda route: route.fulfill(body=module, content_type="text/javascript"),
        )
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


def test_a_convolutional_network_has_tensorflows_logits(page: Any, batches: Any) -> None:
    from firstlight import catalog

    network = catalog.network("convnet").build(10)
    random = np.random.default_rng(0)
    for weight in network.weights:  # biases of 0 and variances of 1 would hide a mistake
        weight.assign(weight + random.uniform(0, 0.3, weight.shape) * (len(weight.shape) == 1))
    images = batches[0][:50]
    layers = [
        {
            "stride": network.get_layer(name).strides[0],
            "kernel": for_page(network.get_layer(name).kernel),
            "norm": {
                part: for_page(getattr(network.get_layer(f"{name}_norm"), part))
                for part in ("gamma", "beta", "mean", "variance")
            },
        }
        for name in ("conv1", "conv2", "conv3", "conv4")
    ]
    output = [for_page(weight) for weight in network.get_layer("output").weights]
    given = {"images": for_page(images / 255), "layers": layers, "output": output}
    shape, logits = page.evaluate(CONVNET, given)
    assert shape == [50, 10]
    expected = network.predict(images, verbose=0)
    np.testing.assert_allclose(np.reshape(logits, shape), expected, rtol=0, atol=1e-4)
