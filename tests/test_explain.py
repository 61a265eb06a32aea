"""What a network looks at: in arrays first, then through the command line, in pictures."""

import json
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import Answer
from PIL import Image

from firstlight import catalog, model
from firstlight.datasets import mnist
from firstlight.errors import DataError, UsageError
from firstlight.explanation import deconvnet, features
from firstlight.explanation.occlusion import Occlusion
from firstlight.figures import explanation
from firstlight.runs.run import Run, create

Firstlight = Callable[..., Answer]


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("picture") / "seven.png"
    Image.fromarray(mnist.load("test").images[0, ..., 0]).save(path)
    return path


def untrained(network: str, data: Path, folder: Path) -> Run:
    """A run of a network with its first weights: what is looked at does not depend on them."""
    run = create({"network": network, "data": str(data)}, folder)
    built = catalog.network(network).build(10)
    model.save(run, network, mnist.CLASSES, "digits", model.arrays(built))
    return run


def test_the_nine_are_those_to_which_a_map_answers_most(digits: Path, here: Path) -> None:
    run = untrained("convnet", digits, here / "run")
    network, _ = model.load(run)
    stage = deconvnet.stages(network)["conv3"]
    images = catalog.dataset(str(digits)).load("val").images
    values = deconvnet.forward(stage.path, images)[-1].numpy().max((1, 2))
    answers = features.answers_of({stage.name: stage}, images[0])
    (seen,) = features.sights([stage], images[0], answers, images).values()
    assert len(seen) == features.MAPS
    for each in seen:
        given = [sight.value for sight in each.nine]
        np.testing.assert_allclose(given, np.sort(values[:, each.number])[::-1][:9], rtol=1e-4)
        assert each.own.value == pytest.approx(values[0, each.number], rel=1e-4)
        for sight in each.nine:
            assert sight.pixels.shape == sight.image.shape == (28, 28, 1)


def test_a_picture_that_a_map_is_silent_about_is_none_of_the_nine() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((28, 28, 1))
    x = keras.layers.Conv2D(1, 3, activation="relu", kernel_initializer="ones", name="conv")(image)
    network = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(x)))
    stage = deconvnet.stages(network)["conv"]
    images = np.zeros((20, 28, 28, 1), np.uint8)
    images[[3, 11], 5, 5, 0] = 9, 200
    answers = features.answers_of({"conv": stage}, images[3])
    ((seen,),) = features.sights([stage], images[3], answers, images).values()
    assert [sight.image.max() for sight in seen.nine] == [200, 9]


def test_weights_times_the_picture_add_up_to_the_logits(digits: Path, here: Path) -> None:
    run = untrained("softmax", digits, here / "run")
    network, _ = model.load(run)
    image = mnist.load("test").images[3]
    stages = deconvnet.stages(network)
    weights = features.filters(network.get_layer("layer1"), (28, 28, 1))
    products = features.products(stages, weights, image)
    assert weights.shape == products.shape == (10, 28, 28, 1)
    np.testing.assert_allclose(products.sum((1, 2, 3)), network(image[None])[0], rtol=1e-3)


@pytest.mark.parametrize("network", ["softmax", "mlp", "lenet5", "convnet", "nin"])
def test_every_network_is_explained(
    network: str, firstlight: Firstlight, digits: Path, here: Path, picture: Path
) -> None:
    untrained(network, digits, here / "run")
    answer = firstlight("explain", "run", picture, "--json")
    assert answer.code == 0, answer.err
    facts = json.loads(answer.out)
    assert list(facts) == ["run", "file", "labels", "files"] and len(facts["labels"]) == 5
    names = {Path(file).name for file in facts["files"]}
    assert names >= {"strongest.png", "top_nine.png", "occlusion.png"}
    assert ("weights.png" in names) == (network == "softmax")
    assert ("maps.png" in names) == (network in ("lenet5", "convnet", "nin"))
    for file in facts["files"]:
        assert file.startswith("run/figures/explain/seven/")
        with Image.open(here / file) as drawn:
            drawn.load()
            assert min(drawn.size) > 200
    assert {path.name for path in (here / facts["files"][0]).parent.iterdir()} == names


def test_layers_data_and_place_can_be_chosen(
    firstlight: Firstlight, digits: Path, here: Path, picture: Path
) -> None:
    run = untrained("nin", digits, here / "run")
    found = features.explain(run, picture, ["pool2", "cccp6"], str(digits), "3")
    assert list(found.sights) == ["pool2", "cccp6"] and found.label == 3
    flags = ["--layer", "pool2", "--data", digits, "--label", "3", "--out", "here", "-q"]
    assert firstlight("explain", "run", picture, *flags).code == 0
    assert (here / "here" / "top_nine.png").is_file()


def test_colours_and_long_names_are_drawn(here: Path) -> None:
    names = tuple(f"a class with quite a long name, {number}" for number in range(12))
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (64, 64, 3), np.uint8)
    sight = features.Sight(image, random.normal(size=(64, 64, 3)), (0, 9, 40, 64), 123.4)
    seen = {"conv1": [features.Map(3, sight, [sight] * 2)], "output": [features.Map(11, sight, [])]}
    answers = random.integers(0, 12, (32, 32))
    found = features.Explanation(
        "net", names, "pictures", image, random.normal(size=12), 4, "conv1", "output", 3,
        {number: random.normal(size=(7, 7, 3)) for number in range(3)}, None,
        {"conv1": random.normal(size=(9, 9, 3))}, seen, "data",
        Occlusion(
            image, (0, 0, 9, 9), random.random((32, 32)), answers, "", answers, 0.0
        ),
    )  # fmt: skip
    for path in explanation.draw(found, here):
        with Image.open(path) as drawn:
            assert drawn.size[0] > 400


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere", "seven.png"], 4, "no run at nowhere"),
        (["run", "nowhere.png"], 4, "nowhere.png: no such file"),
        (["run", "run/run.json"], 4, "run.json: not a picture"),
        (["run", "seven.png", "--layer", "conv9"], 2, "no layer 'conv9' to look into; there are: "),
        (["run", "seven.png", "--label", "ten"], 2, "no class 'ten'; the network knows: 0, 1, 2"),
        (["run", "seven.png", "--data", "nothing"], 4, "no dataset or path 'nothing'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_line(
    firstlight: Firstlight,
    digits: Path,
    here: Path,
    picture: Path,
    arguments: list[str],
    code: int,
    message: str,
) -> None:
    untrained("mlp", digits, here / "run")
    (here / "seven.png").write_bytes(picture.read_bytes())
    answer = firstlight("explain", *arguments, "-q")
    assert answer.code == code and message in answer.err
    assert answer.out == "" and len(answer.err.splitlines()) == 1
    assert not (here / "run" / "figures").exists()


def test_the_runs_own_data_being_gone_is_said(digits: Path, here: Path, picture: Path) -> None:
    run = untrained("mlp", here / "gone", here / "run")
    with pytest.raises(DataError, match="gone"):
        features.explain(run, picture)
    assert features.explain(run, picture, data=str(digits)).data == digits.name


def test_default_layers_are_spread_over_the_convolutions() -> None:
    stages = deconvnet.stages(catalog.network("nin").build(10))
    names = [stage.name for stage in features.choose(stages, ())]
    assert len(names) == features.LAYERS and (names[0], names[-1]) == ("conv1", "cccp6")
    with pytest.raises(UsageError, match="there are: hidden, output"):
        features.choose(deconvnet.stages(catalog.network("mlp").build(10)), ["conv1"])
