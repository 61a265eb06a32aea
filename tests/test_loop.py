"""The training loop: the first graph's mathematics, and nothing lost when it is stopped."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from firstlight import catalog, first_graph
from firstlight.datasets import mnist
from firstlight.errors import DataError, FirstlightError, Interrupted
from firstlight.progress import Progress
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint
from firstlight.runs.files import whole, write_json, write_text
from firstlight.runs.run import Run, create, existing
from firstlight.settings import prepare
from firstlight.training import loop, step
from firstlight.training.optimizer import adjust_gradients, build_optimizer, clip_filter_norm
from firstlight.training.state import Training
from firstlight.training.step import compile_steps

NETWORKS = [entry.name for entry in catalog.networks() if entry.input == (28, 28, 1)]
v1 = tf.compat.v1


def settings(
    network: str, data: object = "mnist", patience: int = 0, **changes: Any
) -> dict[str, Any]:
    return prepare(network, str(data), "", 0, patience, None, **changes)


def test_softmax_through_the_loop_is_the_first_graph(here: Path) -> None:
    expected: list[float] = []
    examples = mnist.load("train")
    first_graph.train(
        examples, examples.images[:1], on_cost=lambda step, cost: expected.append(cost)
    )
    first = first_graph.build()
    with v1.Session(graph=first.graph) as session:
        session.run(first.initialize)
        weights, biases = session.run([first.weights, first.biases])

    training = Training(settings("softmax"))
    training.network.get_layer("layer1").set_weights([weights.T, biases])
    training.into(create(training.settings))
    with Progress(1000, quiet=True) as progress:
        loop.steps(training, progress)

    costs = [line["loss"] for line in training.run.metrics() if line["split"] == "train"]
    assert len(costs) == len(expected) == 1000
    np.testing.assert_allclose(costs, expected, rtol=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_stopped_run_resumes_to_bit_equal_weights(
    network: str, digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = settings(network, digits, steps=10, batch_size=60)
    loop.train(whole, here / "whole", quiet=True)
    stop_at = iter([False] * 4)  # the fifth call, or the one that ends the epoch of nine steps
    ask = lambda: next(stop_at, True)  # noqa: E731
    cut = whole | {"recipe": whole["recipe"] | {"steps_per_call": 1}}
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_signals", _always(ask))
        with pytest.raises(Interrupted, match=r"after step 5; go on with: .* --resume .*cut"):
            loop.train(cut, here / "cut", quiet=True)
    loop.resume(existing(here / "cut"), quiet=True)

    one, other = (
        checkpoint.load(here / name / "checkpoints/last.npz")[0] for name in ("whole", "cut")
    )
    assert one.keys() == other.keys()
    for name in one:
        assert np.array_equal(one[name], other[name]), name
    lines = [
        [(m["step"], m["split"], m["loss"]) for m in Run(here / n).metrics()]
        for n in ("whole", "cut")
    ]
    assert lines[0] == lines[1]


class _always:
    """In the place of `stop_signals`: asks to stop when the test says so."""

    def __init__(self, ask: Any) -> None:
        self.ask = ask

    def __call__(self) -> "_always":
        return self

    def __enter__(self) -> Any:
        return self.ask

    def __exit__(self, *_: object) -> None:
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_after_a_checkpoint(number: int, digits: Path, here: Path) -> None:
    arguments = ["train", "lenet5", "--data", str(digits), "--epochs", "3000", "--out", "cut"]
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    process = subprocess.Popen(
        [sys.executable, "-m", "firstlight", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    killer = threading.Timer(100, process.kill)
    with process:
        killer.start()
        assert process.stderr
        for line in process.stderr:
            if line.startswith("epoch 2 "):
                process.send_signal(number)
                break
        rest = process.stderr.read()
    killer.cancel()
    assert process.returncode == 130
    assert rest.splitlines()[-1].startswith("firstlight: interrupted after step ")
    assert "firstlight train --resume cut" in rest and "Traceback" not in rest
    _, facts = checkpoint.load(here / "cut/checkpoints/last.npz")
    assert facts["step"] > 0 and not list(here.rglob("*.part"))
    run = Run(here / "cut")
    shorter = run.settings() | {
        "recipe": run.settings()["recipe"] | {"epochs": None, "steps": facts["step"] + 1}
    }
    write_json(run.settings_file, shorter)
    assert loop.resume(run, quiet=True)["steps"] == facts["step"] + 1


def test_it_stops_when_validation_no_longer_improves(digits: Path, here: Path) -> None:
    never_better = settings("softmax", digits, patience=2, epochs=50, learning_rate=1e-12)
    result = loop.train(never_better, here / "run", quiet=True)
    state = Run(here / "run").settings()["result"]
    assert state["best_step"] == 6 and state["epochs_without_better"] == 2
    assert result["steps"] == state["step"] == 17  # three epochs of 550 images, 100 at a time
    assert state["stopped"].startswith("validation accuracy has not risen for 2 epochs; kept the")
    logged = Run(here / "run").metrics()
    assert loop.resume(Run(here / "run"), quiet=True) == result
    assert Run(here / "run").metrics() == logged


def test_a_run_does_not_go_on_with_other_data(digits: Path, here: Path) -> None:
    data = shutil.copytree(digits, here / "data")
    loop.train(settings("softmax", data, steps=2), here / "run", quiet=True)
    labels = data / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match=r"is not what .*run was trained on"):
        loop.resume(Run(here / "run"))


def test_a_run_does_not_go_on_with_a_recipe_of_another_version(digits: Path, here: Path) -> None:
    loop.train(settings("softmax", digits, steps=2), here / "run", quiet=True)
    run = Run(here / "run")
    written = run.settings()
    write_json(run.settings_file, written | {"recipe": written["recipe"] | {"warp": 9}})
    with pytest.raises(DataError, match=r"run: no recipe has warp any more"):
        loop.resume(run)


def test_a_folder_called_like_a_dataset_is_not_taken_for_it(digits: Path, here: Path) -> None:
    shutil.copytree(digits, here / "mnist")
    assert prepare("softmax", "mnist", "", 0, 0, None)["data"] == "mnist"
    assert prepare("softmax", "./mnist", "", 0, 0, None)["data"] == str(here / "mnist")


def test_the_best_weights_are_kept_not_the_last(digits: Path, here: Path) -> None:
    loop.train(settings("mlp", digits, epochs=6), here / "run", quiet=True)
    run = Run(here / "run")
    held_out = {
        m["step"]: (m["accuracy"], -m["loss"]) for m in run.metrics() if m["split"] == "val"
    }
    assert run.settings()["result"]["best_step"] == max(held_out, key=lambda step: held_out[step])
    best, kept = checkpoint.load(run.best)[0], checkpoint.load(run.weights)[0]
    assert all(np.array_equal(best[name], kept[name]) for name in kept)


def test_the_last_weights_are_kept_if_the_recipe_says_so(digits: Path, here: Path) -> None:
    chosen = settings("mlp", digits, epochs=4)
    chosen["recipe"] |= {"keep": "last"}
    loop.train(chosen, here / "run", quiet=True)
    state = Run(here / "run").settings()["result"]
    assert state["best_step"] == state["step"]


def test_metrics_have_the_contracts_keys(digits: Path, here: Path) -> None:
    loop.train(settings("softmax", digits, steps=20), here / "run", quiet=True)
    for text in (here / "run/metrics.jsonl").read_text().splitlines():
        keys = ["step", "epoch", "split", "loss", "accuracy", "lr", "seconds"]
        assert list(json.loads(text)) == keys


@pytest.mark.parametrize("xla", [False, True])
@pytest.mark.parametrize("steps_per_call", [1, 4, 7])
def test_steps_per_call_changes_nothing_but_speed(
    xla: bool, steps_per_call: int, digits: Path, here: Path
) -> None:
    losses = []
    for count in (1, steps_per_call):
        chosen = settings("softmax", digits, steps=9)
        chosen["recipe"] |= {"xla": xla, "steps_per_call": count, "schedule": "one-cycle"}
        loop.train(chosen, here / f"run{count}-{len(losses)}", quiet=True)
        lines = Run(here / f"run{count}-{len(losses)}").metrics()
        losses.append([(m["loss"], m["accuracy"], m["lr"]) for m in lines])
    assert losses[0] == losses[1]
    rates = [rate for _, _, rate in losses[0]]
    assert rates[0] == 0 and rates[1] == max(rates)  # a fifth of the nine steps leads up


def test_progress_tells_the_cost_and_accuracy_of_the_step_that_it_names(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[int, str] = {}
    monkeypatch.setattr(Progress, "at", lambda _, step, text: told.setdefault(step, text))
    chosen = settings("softmax", digits, steps=9)
    chosen["recipe"] |= {"steps_per_call": 4}
    loop.train(chosen, here / "run", quiet=True)
    lines = [m for m in Run(here / "run").metrics() if m["split"] == "train"]
    texts = [f"cost {m['loss']:.4f}  accuracy {m['accuracy']:.2%}" for m in lines]
    assert told.keys() >= {4, 9} and all(told[s] == texts[s - 1] for s in told if s <= 9)


def test_a_processor_without_bfloat16_is_said(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("firstlight.settings.multiplies_bfloat16", lambda: False)
    chosen = settings("convnet", digits, steps=1, batch_size=8)
    assert chosen["recipe"]["precision"] == "float32"
    loop.train(chosen, here / "run")
    assert "computing in float32: this processor does not" in capfd.readouterr().err


def test_bfloat16_computes_nearly_what_float32_does(digits: Path, here: Path) -> None:
    costs = []
    for precision in ("float32", "bfloat16"):
        chosen = settings("convnet", digits, steps=20, batch_size=60)
        chosen["recipe"] |= {"precision": precision}
        training = Training(chosen)
        training.into(create(chosen, here / precision))
        for network in (training.network, training.twin):
            assert {w.dtype for w in network.weights} == {"float32"}
            assert network.get_layer("conv1").compute_dtype == precision
        with Progress(20, quiet=True) as progress:
            loop.steps(training, progress)
        costs.append([m["loss"] for m in training.run.metrics() if m["split"] == "train"])
    np.testing.assert_allclose(costs[0][:3], costs[1][:3], rtol=0.05)


def test_the_kept_weights_are_the_running_mean(digits: Path, here: Path) -> None:
    chosen = settings("softmax", digits, steps=2, learning_rate=1.0)
    chosen["recipe"] |= {"ema_decay": 0.75, "steps_per_call": 1}
    training = Training(chosen)
    first = training.network.get_layer("layer1").get_weights()[1]
    take, seen = compile_steps(training), []
    for start, end, images, labels in loop.batches(training):
        take(images, labels, start, end - start)
        seen.append(training.network.get_layer("layer1").get_weights()[1])
    training.measure(training.held_out.images)
    kept = training.twin.get_layer("layer1").get_weights()[1]
    after_one = 2 / 11 * first + 9 / 11 * seen[0]  # (1 + step) / (10 + step) of the old at first
    np.testing.assert_allclose(kept, 3 / 12 * after_one + 9 / 12 * seen[1], rtol=1e-5, atol=1e-7)


def test_an_update_that_is_compiled_as_one_is_the_same_update(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = settings("lenet5", digits, steps=4, learning_rate=0.05)
    chosen["recipe"] |= {"momentum": 0.9, "weight_decay": 0.01}
    chosen["recipe"] |= {"clip_norm": 1.0, "max_filter_rms": 0.1, "ema_decay": 0.9}
    kept = []
    for many in (10**9, 0):
        monkeypatch.setattr(step, "MANY", many)
        training = Training(chosen)
        take = compile_steps(training)
        for start, end, images, labels in loop.batches(training):
            take(images, labels, start, end - start)
        kept.append([v.numpy() for v in (*training.network.weights, *training.averages)])
    for plain, compiled in zip(*kept, strict=True):
        np.testing.assert_allclose(plain, compiled, rtol=1e-3, atol=1e-5)


def test_the_last_epochs_see_the_images_as_they_are(digits: Path, here: Path) -> None:
    chosen = settings("softmax", digits, epochs=2, batch_size=50)
    costs = []
    for augment, no_augment_epochs in (({"shift": 3}, 1), ({"shift": 3}, 0), ({}, 0)):
        chosen["recipe"] |= {"augment": augment, "no_augment_epochs": no_augment_epochs}
        chosen["recipe"] |= {"learning_rate": 1e-9}
        training = Training(chosen)
        training.into(create(chosen, here / f"{len(costs)}"))
        with Progress(22, quiet=True) as progress:
            loop.steps(training, progress)
        costs.append([m["loss"] for m in training.run.metrics() if m["split"] == "train"])
    settled, varied, plain = costs
    assert settled[:11] == varied[:11] and settled[11:] == plain[11:]
    assert settled[:11] != plain[:11] and settled[11:] != varied[11:]


def test_the_schedule_goes_up_and_down_to_nothing() -> None:
    recipe = Recipe(epochs=1, batch_size=1, learning_rate=0.5, schedule="one-cycle")
    rates = [
        float(build_optimizer(recipe, 100)._learning_rate(step)) for step in (0, 10, 20, 60, 100)
    ]
    assert rates == pytest.approx([0, 0.25, 0.5, 0.25, 0], abs=1e-6)


def test_weight_decay_leaves_biases_and_batch_norm_alone() -> None:
    recipe = Recipe(epochs=1, batch_size=1, learning_rate=0.1, weight_decay=0.5)
    network = catalog.network("convnet").build(10)
    optimizer = build_optimizer(recipe, 10)
    optimizer.build(network.trainable_variables)
    decayed = {v.path for v in network.trainable_variables if optimizer._use_weight_decay(v)}
    assert decayed == {f"conv{i}/kernel" for i in range(1, 5)} | {"output/kernel"}


def test_a_cost_that_is_no_number_is_said(digits: Path, here: Path) -> None:
    with pytest.raises(FirstlightError, match=r"the cost was .* at step .*; lower --lr"):
        loop.train(settings("mlp", digits, epochs=5, learning_rate=1e30), here / "run", quiet=True)


def test_what_cannot_be_trained_leaves_no_folder(tmp_path: Path, here: Path) -> None:
    from conftest import write_idx

    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        write_idx(tmp_path / name, np.zeros((24, 20, 20)))
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        write_idx(tmp_path / name, np.zeros(24))
    with pytest.raises(DataError, match=r"has one class, 0: nothing to tell it from"):
        loop.train(settings("softmax", tmp_path), here / "run", quiet=True)
    assert not (here / "run").exists()


def test_a_damaged_checkpoint_is_named(digits: Path, here: Path) -> None:
    loop.train(settings("softmax", digits, steps=2), here / "run", quiet=True)
    last = here / "run/checkpoints/last.npz"
    last.write_bytes(last.read_bytes()[:-50])
    with pytest.raises(DataError, match=r"last\.npz: not a whole checkpoint"):
        loop.resume(existing(here / "run"), quiet=True)


def test_a_half_written_file_never_takes_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "before")
    with pytest.raises(RuntimeError), whole(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["file"]


def test_input_is_gathered_while_the_graph_computes(digits: Path) -> None:
    training = Training(settings("softmax", digits, steps=300))
    stream = loop.batches(training)
    start, end, images, labels = next(stream)
    assert (start, end) == (0, 6)  # an epoch's end ends a call, which is filled up to its length
    assert images.shape == (100, 100, 28, 28, 1) and labels.shape == (100, 100)
    time.sleep(0.2)
    began = time.perf_counter()
    next(stream)
    assert time.perf_counter() - began < 0.1  # it lay ready
    stream.close()


def test_a_papers_first_kernels_rates_and_decay_are_carried_out(digits: Path, here: Path) -> None:
    chosen = settings("nin", digits, steps=1, batch_size=4)
    chosen["recipe"] |= {
        "precision": "float32",
        "init_stddev": 0.05,
        "l2": 0.1,
        "momentum": 0.0,
        "weight_decay": 0.0,
        "lr_multipliers": {"bias": 2.0, "cccp6/kernel": 0.0},
        "schedule": "constant",
        "learning_rate": 0.1,
        "steps_per_call": 1,
    }
    training = Training(chosen)
    by_path = {v.path: v for v in training.network.trainable_variables}
    before = {path: v.numpy() for path, v in by_path.items()}
    assert before["conv2/kernel"].std() == pytest.approx(0.05, rel=0.02)
    for start, end, images, labels in loop.batches(training):
        compile_steps(training)(images, labels, start, end - start)
    assert np.array_equal(by_path["cccp6/kernel"].numpy(), before["cccp6/kernel"])
    assert not np.array_equal(by_path["conv1/kernel"].numpy(), before["conv1/kernel"])


def test_l2_and_rates_change_the_gradient() -> None:
    recipe = Recipe(
        epochs=1, batch_size=1, learning_rate=0.1, l2=0.5, lr_multipliers={"bias": 2, "out/bias": 3}
    )
    variables = [_Weight(path) for path in ("out/kernel", "out/bias", "in/bias")]
    ones = [tf.ones(2)] * 3
    kernel, out, other = adjust_gradients(ones, variables, recipe)
    assert kernel.numpy().tolist() == [2, 2]  # 1 + 0.5 · 2
    assert out.numpy().tolist() == [3, 3] and other.numpy().tolist() == [2, 2]


class _Weight:
    """A weight of twos, with a path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __rmul__(self, by: float) -> tf.Tensor:
        return by * tf.fill(2, 2.0)


def test_filters_are_scaled_back_to_the_largest_rms() -> None:
    kernel = tf.Variable(np.stack([np.full((3, 3, 2), 0.5), np.full((3, 3, 2), 0.05)], -1))
    dense = tf.Variable(tf.ones((4, 4)))
    clip_filter_norm([kernel, dense], 0.1)
    assert np.allclose(kernel[..., 0], 0.1) and np.allclose(kernel[..., 1], 0.05)
    assert np.all(dense == 1)


def test_the_rate_is_lowered_where_the_recipe_says() -> None:
    recipe = Recipe(
        epochs=9, batch_size=1, learning_rate=1.0, lr_drops=(1 / 3, 2 / 3), lr_drop_factor=0.5
    )
    optimizer = build_optimizer(recipe, 90)
    rates = [float(optimizer._learning_rate(step)) for step in (0, 29, 30, 60, 89)]
    assert rates == [1, 1, 0.5, 0.25, 0.25]


def test_the_rate_is_lowered_where_validation_stalls_and_stays_so_when_resumed(
    digits: Path, here: Path
) -> None:
    chosen = settings("softmax", digits, epochs=5, learning_rate=1e-12)
    chosen["recipe"] |= {"plateau_epochs": 2}
    loop.train(chosen, here / "run", quiet=True)
    rates = [m["lr"] for m in Run(here / "run").metrics() if m["split"] == "val"]
    assert rates == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13, 1e-13])
    training = Training(chosen).into(existing(here / "run"))
    training.restore()
    assert float(training.optimizer.learning_rate) == pytest.approx(1e-14)


def test_pictures_resume_to_bit_equal_weights(
    here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut-outs, mirrors and colours included."""
    for number in range(40):
        folder = tmp_path / "shop" / ("a", "b")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (40, 44, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    chosen = settings("nin-cifar", tmp_path / "shop", steps=8, batch_size=8)
    loop.train(chosen, here / "whole", quiet=True)
    stop_at = iter([False] * 4)
    with monkeypatch.context() as patch:
        patch.setattr(loop, "stop_signals", _always(lambda: next(stop_at, True)))
        with pytest.raises(Interrupted, match="after step 5"):
            loop.train(chosen, here / "cut", quiet=True)
    loop.resume(existing(here / "cut"), quiet=True)
    one, other = (
        checkpoint.load(here / name / "checkpoints/last.npz")[0] for name in ("whole", "cut")
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
