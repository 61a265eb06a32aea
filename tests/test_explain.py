"""What a network looks at: the arrays first, then the verb and its pictures."""

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import matplotlib
import numpy as np
import pytest
from conftest import Answer, built, names_by_input
from drawn import check_texts, images_of, joined
from PIL import Image

from firstlight import catalog, model
from firstlight.api import train
from firstlight.datasets import mnist
from firstlight.errors import DataError, UsageError
from firstlight.explanation import features, network_layers, occlusion
from firstlight.explanation.explain import explain
from firstlight.explanation.explanation import Explanation, compute_explanation
from firstlight.explanation.features import FirstLayer, MapProjections, Projection
from firstlight.explanation.occlusion import Occlusion
from firstlight.figures import explanation as figures
from firstlight.figures.explanation import draw_explanation
from firstlight.recipe import Recipe
from firstlight.runs.documents import ModelInfo
from firstlight.runs.run import Run
from firstlight.settings import Plan, Settings

pytestmark = pytest.mark.usefixtures("no_figures")
Firstlight = Callable[..., Answer]
DIGIT = (28, 28, 1)


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "seven.png"
    Image.fromarray(mnist.load("test").images[0, ..., 0]).save(path)
    return path


@pytest.fixture
def few_positions(monkeypatch: pytest.MonkeyPatch) -> None:
    """The occluder takes 7×7 positions instead of 28×28."""
    monkeypatch.setattr(occlusion, "POSITIONS_PER_SIDE", 7)


def untrained(network: str, data: Path, folder: Path) -> Run:
    """A run of a network with random weights: what is tested here does not depend on them."""
    recipe = next(iter(catalog.network(network).recipes.values()))
    settings = Settings(network=network, data=str(data), recipe=recipe, seed=0, sha256={})
    plan = Plan(settings, catalog.network(network), catalog.dataset("mnist"))
    Run.create(plan, total_steps=0, folder=folder)
    run = Run(folder)
    info = ModelInfo(network, mnist.CLASSES, "digits")
    model.save(run, info, model.arrays(built(network, 10)))
    return run


def projections(
    network: keras.Model, layer: str, image: np.ndarray, images: np.ndarray
) -> list[MapProjections]:
    stage = network_layers.stages(network)[layer]
    outputs = features.activations({layer: stage}, image)
    return features.project_maps([stage], image, outputs, images)[layer]


def test_the_top_nine_are_the_images_that_activate_a_map_most() -> None:
    network, images = built("convnet", 10), mnist.load("val").images[:100]
    path = network_layers.stages(network)["conv3"].path
    maxima = network_layers.forward(path, images)[-1].numpy().max((1, 2))
    maps = projections(network, "conv3", images[0], images)
    assert len(maps) == features.MAPS_PER_LAYER
    for each in maps:
        values = [projection.activation for projection in each.top_nine]
        np.testing.assert_allclose(values, np.sort(maxima[:, each.number])[::-1][:9], rtol=1e-4)
        assert each.picture.activation == pytest.approx(maxima[0, each.number], rel=1e-4)
        for projection in each.top_nine:
            assert projection.pixels.shape == projection.image.shape == DIGIT


def test_an_image_that_does_not_activate_a_map_is_not_among_its_top_nine() -> None:
    image = keras.Input(DIGIT)
    x = keras.layers.Conv2D(1, 3, activation="relu", kernel_initializer="ones", name="conv")(image)
    network = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    images = np.zeros((20, *DIGIT), np.uint8)
    images[[3, 11], 5, 5, 0] = 9, 200
    (only,) = projections(network, "conv", images[3], images)
    assert [projection.image.max() for projection in only.top_nine] == [200, 9]


def test_a_networks_only_layer_has_contributions_that_add_up_to_the_logits() -> None:
    network = built("softmax", 10)
    image = mnist.load("test").images[3]
    weights = features.filters(network.get_layer("layer1"), DIGIT)
    contributions = features.contributions(network_layers.stages(network), weights, image)
    assert weights.shape == contributions.shape == (10, *DIGIT)
    # The first biases are zero.
    np.testing.assert_allclose(contributions.sum((1, 2, 3)), network(image[None])[0], rtol=1e-3)


def test_an_activation_may_follow_the_only_layer() -> None:
    image = keras.Input(DIGIT, dtype="uint8")
    dense = keras.layers.Dense(10, use_bias=False, name="only")(keras.layers.Flatten()(image))
    network = keras.Model(image, keras.layers.Activation("linear")(dense))
    picture = mnist.load("test").images[3]
    weights = features.filters(network.get_layer("only"), DIGIT)
    contributions = features.contributions(network_layers.stages(network), weights, picture)
    expected = network(picture[None])[0]
    np.testing.assert_allclose(contributions.sum((1, 2, 3)), expected, rtol=1e-3)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", [keras.layers.DepthwiseConv2D, keras.layers.SeparableConv2D])
def test_filters_by_channel_are_drawn_as_those_of_a_convolution(kind: Any, channels: int) -> None:
    image = keras.Input((9, 8, channels))
    maps = {"depth_multiplier": 2} if kind is keras.layers.DepthwiseConv2D else {"filters": 4}
    layer = kind(kernel_size=(3, 2), use_bias=False, depthwise_initializer="normal", **maps)
    network = keras.Model(image, layer(image))
    pixels = np.random.default_rng(0).normal(size=(1, 9, 8, channels)).astype(np.float32)
    weights = features.filters(layer, (9, 8, channels))
    assert len(weights) == network.output.shape[-1]
    expected = keras.ops.conv(pixels, weights.transpose(1, 2, 3, 0))
    np.testing.assert_allclose(network(pixels), expected, rtol=1e-4, atol=1e-5)


OWN = """import keras
from keras import layers

INPUT = (28, 28, 1)


def build(classes):
    image = keras.Input(INPUT, dtype="uint8")
    x = layers.Rescaling(1 / 255)(image)
    x = {}
    return keras.Model(image, {})
"""
DENSE = "layers.Dense(classes, name='logits')(layers.Flatten()(x))"
EXPLAINED = {
    "dilated": "layers.Conv2D(4, 3, dilation_rate=2, activation='relu')(x)",
    "depthwise": "layers.DepthwiseConv2D(5, depth_multiplier=3)(x)",
    "separable": "layers.SeparableConv2D(4, 5)(layers.MaxPooling2D(2)(x))",
    "nested": "keras.Sequential([layers.Conv2D(4, 3), layers.ReLU()])(layers.Conv2D(4, 5)(x))",
    "attention": (
        "layers.Reshape((49, 8))(layers.Conv2D(8, 4, 4)(x))\n"
        "    x = x + layers.MultiHeadAttention(2, 4)(x, x)"
    ),
}
REFUSED = {
    "nested": "keras.Sequential([layers.Conv2D(4, 3)], name='culprit')(x)",
    "recurrent": "layers.LSTM(4, name='culprit')(layers.Reshape((28, 28))(x))",
    "embedding": "layers.Embedding(256, 2, name='culprit')(layers.Flatten()(image))",
    "transposed": "layers.Conv2DTranspose(4, 3, name='culprit')(x)",
    "fewer pixels": "layers.Dense(9, name='culprit')(layers.Flatten()(layers.Resizing(9, 9)(x)))",
}


def own_run(x: str, logits: str, digits: Path, here: Path) -> Run:
    """A run, one step long, of a file of the user's own."""
    (here / "own.py").write_text(OWN.format(x, logits))
    recipe = Recipe(steps=1, batch_size=10, learning_rate=0.01)
    return train(here / "own.py", data=digits, recipe=recipe, out=here / "run", quiet=True)


@pytest.mark.parametrize("x", EXPLAINED.values(), ids=EXPLAINED)
def test_a_network_of_ones_own_is_explained(
    x: str, digits: Path, here: Path, picture: Path, few_positions: None
) -> None:
    run = own_run(x, DENSE, digits, here)
    explanation = compute_explanation(run, picture, quiet=True)
    assert explanation.logits.shape == (10,) and explanation.last_layer == "logits"
    assert all(explanation.projections.values())
    names = {path.name for path in draw_explanation(explanation, here)}
    figures = explanation.figures()
    assert {f"{name}.png" for name in figures} == names
    assert figures["occlusion"]._repr_png_() == (here / "occlusion.png").read_bytes()
    assert {"filters.png", "maps.png", "strongest.png", "occlusion.png"} <= names


def test_the_logits_are_the_networks_output_and_not_the_last_convolutions(
    digits: Path, here: Path, picture: Path, few_positions: None
) -> None:
    x, logits = "layers.Conv2D(classes, 5, name='maps')(x)", "layers.GlobalMaxPooling2D()(x)"
    explanation = compute_explanation(own_run(x, logits, digits, here), picture, quiet=True)
    assert explanation.logits.shape == (10,) and explanation.last_layer == "maps"


@pytest.mark.parametrize("x", REFUSED.values(), ids=REFUSED)
def test_a_first_layer_without_filters_is_refused_and_named(
    x: str, digits: Path, here: Path, picture: Path
) -> None:
    run = own_run(x, DENSE, digits, here)
    with pytest.raises(UsageError, match=r"culprit .* no filters that can be drawn") as refused:
        compute_explanation(run, picture, quiet=True)
    assert "\n" not in str(refused.value) and "classify" in str(refused.value)


def test_default_layers_are_spread_over_the_convolutions() -> None:
    chosen = features.choose_stages(network_layers.stages(built("nin", 10)), ())
    names = [stage.name for stage in chosen]
    assert len(names) == features.DEFAULT_LAYERS
    assert (names[0], names[-1]) == ("conv1", "cccp6")
    with pytest.raises(UsageError, match="layers: hidden, output"):
        features.choose_stages(network_layers.stages(built("mlp", 10)), ["conv1"])


@pytest.mark.parametrize("name", names_by_input(DIGIT))
def test_every_network_is_explained(
    name: str, digits: Path, here: Path, picture: Path, few_positions: None
) -> None:
    stages = network_layers.stages(built(name, 10))
    layers = list(dict.fromkeys([*stages][:1] + [*stages][-1:]))  # the first and the last
    run = untrained(name, digits, here / "run")
    explanation = compute_explanation(run, picture, layers=layers, quiet=True)
    assert explanation.predicted == explanation.label == explanation.probabilities.argmax()
    assert list(explanation.projections) == layers and all(explanation.projections.values())
    convolutions = [layer for layer, stage in stages.items() if stage.is_convolution]
    assert explanation.feature_maps.keys() <= stages.keys()
    assert set(convolutions[:1]) <= explanation.feature_maps.keys()
    assert (explanation.first_layer.contributions is None) == (len(stages) > 1)
    for weights in explanation.first_layer.filters.values():
        assert weights.ndim == 3 and weights.shape[-1] == 1
    assert explanation.occlusion.probability.shape == (7, 7)
    assert not (here / "run" / "figures").exists()


@pytest.mark.parametrize(
    ("network", "special"),
    [("softmax", {"weights.png"}), ("lenet5", {"filters.png", "maps.png"})],
    ids=["of one layer", "of convolutions"],
)
def test_the_verb_writes_the_pictures_that_suit_the_network(
    network: str,
    special: set[str],
    firstlight: Firstlight,
    digits: Path,
    here: Path,
    picture: Path,
    few_positions: None,
) -> None:
    untrained(network, digits, here / "run")
    answer = firstlight("explain", "run", picture, "--json")
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert list(printed) == ["run", "file", "labels", "files"]
    assert (printed["run"], printed["file"]) == ("run", str(picture))
    assert len(printed["labels"]) == 5
    names = {"strongest.png", "top_nine.png", "occlusion.png"} | special
    assert printed["files"] == [f"run/figures/explain/seven/{name}" for name in sorted(names)]
    folder = here / "run" / "figures" / "explain" / "seven"
    assert {path.name for path in folder.iterdir()} == names
    for path in folder.iterdir():
        with Image.open(path) as drawn:
            drawn.load()
            assert min(drawn.size) > 200


def test_layers_data_label_and_folder_are_chosen_alike_by_the_function_and_the_verb(
    firstlight: Firstlight, digits: Path, here: Path, picture: Path, few_positions: None
) -> None:
    run = untrained("mlp", here / "gone", here / "run")
    explanation = explain(
        run,
        picture,
        layers=["output"],
        data=str(digits),
        label="3",
        out=here / "by function",
        quiet=True,
    )
    assert list(explanation.projections) == ["output"] and explanation.label == 3
    assert explanation.data == digits.name
    names = ["filters.png", "occlusion.png", "strongest.png", "top_nine.png"]
    assert explanation.files == tuple(here / "by function" / name for name in names)
    flags = ["--layer", "output", "--data", digits, "--label", "3", "--out", "by verb"]
    printed = json.loads(firstlight("explain", run.folder, picture, *flags, "--json").out)
    files = [f"by verb/{name}" for name in names]
    assert printed == explanation.to_json() | {"files": files}
    assert not run.figures.exists()
    for path, file in zip(explanation.files, files, strict=True):
        assert Path(file).read_bytes() == path.read_bytes()


@pytest.fixture(scope="module")
def folder_with_a_run(
    digits: Path, picture: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("mistakes")
    untrained("mlp", digits, folder / "run")
    (folder / "seven.png").write_bytes(picture.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "seven.png"], 4, "no run at nowhere"),
        (["run", "nowhere.png"], 4, "nowhere.png: no such file"),
        (["run", "run/run.json"], 4, "run.json: not a picture"),
        (["run", "seven.png", "--layer", "conv9"], 2, "no layer 'conv9' to look into; layers: "),
        (["run", "seven.png", "--label", "ten"], 2, "no class 'ten'; the network knows: 0, 1, 2"),
        (["run", "seven.png", "--data", "nothing"], 4, "there is no folder or file nothing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line(
    firstlight: Firstlight,
    folder_with_a_run: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    monkeypatch.chdir(folder_with_a_run)
    answer = firstlight("explain", *arguments, "-q")
    assert answer.code == code and message in answer.err
    assert answer.out == "" and len(answer.err.splitlines()) == 1
    assert not (folder_with_a_run / "run" / "figures").exists()


def test_missing_data_of_the_run_is_named(here: Path, picture: Path) -> None:
    run = untrained("mlp", here / "gone", here / "run")
    with pytest.raises(DataError, match="gone"):
        compute_explanation(run, picture)


def colour_explanation(classes: tuple[str, ...]) -> Explanation:
    """An explanation of random arrays, for a colour picture."""
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (64, 64, 3), np.uint8)
    projection = Projection(
        image=image,
        pixels=random.normal(size=(64, 64, 3)),
        receptive_field=(0, 9, 40, 64),
        activation=123.4,
    )
    last = len(classes) - 1
    occluded = Occlusion(
        covered=image,
        occluder=(0, 0, 9, 9),
        probability=random.random((32, 32)),
        predicted=random.integers(0, len(classes), (32, 32)),
        feature_map="",
        activity=np.zeros((32, 32)),
        baseline=0.0,
    )
    return Explanation(
        run=Path("run"),
        file=Path("picture.jpg"),
        network="net",
        classes=classes,
        image_kind="pictures",
        image=image,
        logits=random.normal(size=len(classes)),
        label=4,
        first_layer=FirstLayer(
            name="conv1",
            filters={number: random.normal(size=(7, 7, 3)) for number in range(3)},
            filter_count=3,
            contributions=None,
        ),
        last_layer="output",
        feature_maps={"conv1": random.normal(size=(9, 9, 3))},
        projections={
            "conv1": [MapProjections(number=3, picture=projection, top_nine=[projection] * 2)],
            "output": [MapProjections(number=last, picture=projection, top_nine=[])],
        },
        data="data",
        occlude=lambda: occluded,
    )


def test_colours_are_drawn_and_nothing_is_cut_off_beside_long_names(here: Path) -> None:
    names = tuple(f"a class with quite a long name, {number}" for number in range(12))
    for path in draw_explanation(colour_explanation(names), here):
        with Image.open(path) as drawn:
            pixels = np.asarray(drawn.convert("L"))
        assert pixels.shape[1] > 400
        assert (pixels[:, -12:] == 255).all()  # a title that is cut off reaches the edge


def unchanged_by_the_occluder(explanation: Explanation) -> Explanation:
    """Return the explanation of a network that the occluder never impresses."""
    probability = float(explanation.probabilities[explanation.label])
    shape = explanation.occlusion.probability.shape
    unchanged = replace(
        explanation.occlusion,
        probability=np.full(shape, probability),
        predicted=np.full(shape, explanation.predicted),
        feature_map="conv5, map 3",
        activity=np.full(shape, 7.25) + 1e-6 * np.random.default_rng(0).normal(size=shape),
        baseline=7.25,
    )
    return replace(explanation, occlude=lambda: unchanged)


def of_one_layer(explanation: Explanation) -> Explanation:
    """Return the explanation of a network of one layer, for a picture of one channel."""
    weights = np.random.default_rng(0).normal(size=(len(explanation.classes), 28, 28, 1))
    layer = FirstLayer(
        name="layer1",
        filters=dict(enumerate(weights)),
        filter_count=len(weights),
        contributions=weights,
    )
    return replace(explanation, image=np.zeros((28, 28, 1), np.uint8), first_layer=layer)


@pytest.mark.parametrize(
    "prefix", ["", "a class with quite a long name ", "длинное имя ", "猫と犬"]
)
@pytest.mark.parametrize("classes", [10, 1000])
def test_no_text_of_an_explanation_is_cut_off_or_covered(classes: int, prefix: str) -> None:
    explanation = colour_explanation(tuple(f"{prefix}{number}" for number in range(classes)))
    for name in ("filter_weights", "feature_maps", "strongest_units", "top_nine", "occlusion"):
        check_texts(getattr(figures, name)(explanation))
    check_texts(figures.contributions(of_one_layer(explanation)))


def test_a_panel_in_which_nothing_changes_says_so() -> None:
    explanation = colour_explanation(tuple("abcdefghij"))
    assert "Nothing changes" not in joined(check_texts(figures.occlusion(explanation)))
    figure = figures.occlusion(unchanged_by_the_occluder(explanation))
    texts = joined(check_texts(figure))
    assert texts.count("Nothing changes") == 3 and "Nowhere" in texts
    assert not images_of(figure)


def test_contributions_are_those_of_a_single_layer() -> None:
    with pytest.raises(UsageError, match="net has several layers; draw its filter_weights"):
        figures.contributions(colour_explanation(tuple("abcdefghij")))


def matplotlib_settings() -> dict[str, object]:
    """Return matplotlib's settings except the backend: matplotlib sets it when it is first read."""
    return {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}


def test_importing_and_drawing_leave_the_users_matplotlib_settings_as_they_are(here: Path) -> None:
    explanation = colour_explanation(tuple("abcdefghij"))
    plain = [path.read_bytes() for path in draw_explanation(explanation, here / "plain")]
    with matplotlib.rc_context({"font.size": 20, "text.color": "red", "figure.dpi": 50}):
        users = matplotlib_settings()
        for module in (catalog.PACKAGE / "figures").glob("*.py"):
            runpy.run_path(str(module))
        own = [path.read_bytes() for path in draw_explanation(explanation, here / "own")]
        assert matplotlib_settings() == users
    assert own == plain  # the pictures do not depend on the user's settings
