"""The training loop: the first graph's mathematics, and nothing lost when it is stopped."""

import errno
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import kills
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from conftest import Answer, large_if_alike
from PIL import Image

from firstlight import catalog, first_graph, model
from firstlight.datasets import mnist
from firstlight.errors import DataError, FirstlightError, Interrupted, UsageError
from firstlight.networks._weight_names import weight_names
from firstlight.progress import Progress
from firstlight.recipe import Recipe
from firstlight.runs import checkpoint, lock
from firstlight.runs.documents import TrainingResult
from firstlight.runs.files import atomic_write, read_json, write_json, write_text
from firstlight.runs.run import Run
from firstlight.settings import Plan, prepare
from firstlight.training import checkpoints, loop, step, trainer
from firstlight.training.optimizer import adjust_gradients, build_optimizer, clip_filter_norm
from firstlight.training.precision import bfloat16_speedup
from firstlight.training.state import TrainState
from firstlight.training.step import History, compile_steps

pytestmark = pytest.mark.usefixtures("no_figures")
NETWORKS = [entry.name for entry in catalog.networks() if entry.input == (28, 28, 1)]
Firstlight = Callable[..., Answer]
v1 = tf.compat.v1


def prepared(
    network: str, data: Path | str, patience: int = 0, limit: int | None = None, **fields: Any
) -> Plan:
    """Return a training that can begin; `fields` change the recipe."""
    plan = prepare(network, str(data), patience=patience, limit=limit)
    if "steps" in fields:
        fields["epochs"] = None
    if fields.get("epochs"):
        fields["steps"] = None
    settings = replace(plan.settings, recipe=replace(plan.settings.recipe, **fields))
    return replace(plan, settings=settings)


def train(folder: Path, network: str, data: Path | str, **fields: Any) -> TrainingResult:
    return trainer.train(prepared(network, data, **fields), folder, quiet=True).result


def run_steps(state: TrainState) -> list[History]:
    """Run all steps of a training without log, checkpoints and validation."""
    run = compile_steps(state)
    return [run(call, 0)[0] for call in loop.batches(state)]


def run_all(state: TrainState, folder: Path) -> list[float]:
    """Run a training into a folder; return the loss of each step."""
    state.into(Run.create(state.plan, state.total_steps, folder))
    with Progress(state.total_steps, quiet=True) as progress:
        loop.run_training(state, progress)
    return [logged.loss for logged in state.run.metrics() if logged.split == "train"]


def stop_after(calls: int, plan: Plan, folder: Path) -> None:
    """Begin a training and stop it after some calls of the compiled graph."""
    state = TrainState(plan)
    state.into(Run.create(plan, state.total_steps, folder))
    state.save()
    answers = iter([False] * (calls - 1))
    with Progress(state.total_steps, quiet=True) as progress:
        loop.run_training(state, progress, stop_requested=lambda: next(answers, True))


def assert_bit_equal(one: Path, other: Path) -> None:
    """Check that the last checkpoints and the logged losses of two runs are the same."""
    arrays, others = (checkpoint.load(Run(folder).last)[0] for folder in (one, other))
    assert arrays.keys() == others.keys()
    for name in arrays:
        assert np.array_equal(arrays[name], others[name]), name
    logs = [
        [(logged.step, logged.split, logged.loss) for logged in Run(folder).metrics()]
        for folder in (one, other)
    ]
    assert logs[0] == logs[1]


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

    state = TrainState(prepare("softmax"))
    state.network.get_layer("layer1").set_weights([weights.T, biases])
    losses = run_all(state, here / "run")
    assert len(losses) == len(expected) == 1000
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize(
    "network", [pytest.param(name, marks=large_if_alike(name)) for name in NETWORKS]
)
def test_a_stopped_training_continues_to_bit_equal_weights(
    network: str, digits: Path, here: Path
) -> None:
    """Ten steps, an epoch ends after the ninth; stopped after the fifth step."""
    fields = {"steps": 10, "batch_size": 20, "steps_per_call": 1}
    plan = prepared(network, digits, limit=180, **fields)
    run_all(TrainState(plan), here / "whole")
    with pytest.raises(Interrupted, match=r"after step 5; continue with: .* --resume .*cut"):
        stop_after(5, plan, here / "cut")
    run = Run.open(here / "cut")
    state = TrainState(Plan(run.record().settings, run.network(), run.dataset())).into(run)
    state.restore()
    with Progress(state.total_steps, quiet=True) as progress:
        loop.run_training(state, progress)
    assert_bit_equal(here / "whole", here / "cut")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.large)]
)
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
    shorter = read_json(run.record_file)
    shorter["recipe"] |= {"epochs": None, "steps": facts["step"] + 1}
    write_json(run.record_file, shorter)
    assert trainer.resume(run, quiet=True).result.steps == facts["step"] + 1


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch, plan: Plan, folder: Path) -> Run:
    """Train what was planned, and press Ctrl-C at a step."""
    original = loop.run_training

    def stopping(state: TrainState, progress: Progress) -> None:
        original(state, progress, stop_requested=lambda: state.status.step >= step)

    with monkeypatch.context() as patched, pytest.raises(Interrupted):
        patched.setattr(loop, "run_training", stopping)
        trainer.train(plan, folder, quiet=True)
    return Run(folder)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_stopped_training_is_used_with_the_weights_that_it_would_keep(
    keep: str, digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch, firstlight: Firstlight
) -> None:
    averaged = {"ema_decay": 0.9} if keep == "last" else {}
    plan = prepared("mlp", digits, epochs=4, batch_size=50, steps_per_call=1, keep=keep, **averaged)
    run = stop_at(13, monkeypatch, plan, Path("run"))  # an epoch has 11 steps
    network, classes = model.load(run)
    state = TrainState(plan).into(run)
    state.restore()
    step, expected = 13, state.eval_model
    state._update_eval_model()
    if keep == "best":
        step, (arrays, _) = 11, checkpoint.load(run.best)
        checkpoint.restore(weight_names(expected), arrays, run.best)
    for name, array in model.arrays(expected).items():
        np.testing.assert_array_equal(model.arrays(network)[name], array)
    assert len(classes) == 10 and f"the weights of step {step} of 44" in card_of(run)
    trainer.resume(run, quiet=True)
    assert run.unfinished() is None and "not finished" not in card_of(run)


def test_each_verb_says_once_that_a_training_is_not_finished(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch, firstlight: Firstlight
) -> None:
    run = stop_at(
        2, monkeypatch, prepared("softmax", digits, steps=9, steps_per_call=1), Path("run")
    )
    Image.fromarray(mnist.load("test").images[0][..., 0]).save("7.png")
    notice = "the training of run is not finished: these are the weights of step 2 of 9\n"
    for verb in ("evaluate run", "classify run 7.png", "export run --format onnx"):
        assert firstlight(*verb.split()).err == notice
        assert firstlight(*verb.split(), "--quiet").err == ""
    assert Path("run/evaluation-step-2.json").exists() and not run.evaluation_file.exists()
    exported = onnxruntime.InferenceSession("run/model/softmax.onnx").get_modelmeta()
    trained = json.loads(exported.custom_metadata_map["firstlight"])["trained"]
    assert trained["steps"] == 2 and trained["finished"] is False


def card_of(run: Run) -> str:
    return " ".join(run.card.read_text("utf-8").split())


def test_ctrl_c_after_the_last_step_says_that_the_training_is_finished(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(trainer, "measure", interrupted)
        with pytest.raises(Interrupted, match=r"training is finished.*train --resume run"):
            train(Path("run"), "softmax", digits, steps=3)
    assert trainer.resume(Run(Path("run")), quiet=True).result.test_accuracy is not None


def test_it_stops_when_validation_no_longer_improves(digits: Path, here: Path) -> None:
    result = train(here / "run", "softmax", digits, patience=2, epochs=50, learning_rate=1e-12)
    run = Run(here / "run")
    status = run.record().status
    assert status and status.best_step == 6 and status.epochs_without_better == 2
    assert result.steps == status.step == 17  # three epochs of 550 images, 100 at a time
    assert status.stopped.startswith("validation accuracy has not risen for 2 epochs; kept the")
    logged = run.metrics()
    assert trainer.resume(run, quiet=True).result == result
    assert run.metrics() == logged


def test_a_run_does_not_go_on_with_other_data(digits: Path, here: Path) -> None:
    data = shutil.copytree(digits, here / "data")
    train(here / "run", "softmax", data, steps=2)
    labels = data / "train-labels-idx1-ubyte"
    labels.write_bytes(labels.read_bytes()[:-1] + b"\0")
    with pytest.raises(DataError, match=r"has changed since .*run was made"):
        trainer.resume(Run(here / "run"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "run folder of format 2, but this version of firstlight reads format 1"),
        ({"format": ...}, "run folder of format 0 .it has no number"),
        ({"recipe": {"warp": 9}}, "warp"),
        ({"seed": ...}, "damaged"),
        ({"sha256": 3}, "damaged"),
    ],
)
def test_a_run_folder_of_another_version_is_refused_in_one_line(
    change: dict[str, Any], message: str, run: Run, here: Path
) -> None:
    copy = Run(Path(shutil.copytree(run.folder, here / "run")))
    document = read_json(copy.record_file) | change
    write_json(copy.record_file, {k: v for k, v in document.items() if v is not ...})
    with pytest.raises(DataError, match=message) as error:
        trainer.resume(copy)
    assert "run.json" in str(error.value) and "\n" not in str(error.value)


def test_a_folder_called_like_a_dataset_is_not_taken_for_it(digits: Path, here: Path) -> None:
    shutil.copytree(digits, here / "mnist")
    assert prepare("softmax", "mnist").settings.data == "mnist"
    assert prepare("softmax", "./mnist").settings.data == str(here / "mnist")


def test_the_best_weights_are_kept_not_the_last(digits: Path, here: Path) -> None:
    train(here / "run", "mlp", digits, epochs=6)
    run = Run(here / "run")
    measured = {
        logged.step: (logged.accuracy, -logged.loss)
        for logged in run.metrics()
        if logged.split == "val"
    }
    status = run.record().status
    assert status and status.best_step == max(measured, key=lambda step: measured[step])
    best, kept = checkpoint.load(run.best)[0], checkpoint.load(run.weights)[0]
    assert all(np.array_equal(best[name], kept[name]) for name in kept)


def test_the_last_weights_are_kept_if_the_recipe_says_so(digits: Path, here: Path) -> None:
    train(here / "run", "mlp", digits, epochs=4, keep="last")
    status = Run(here / "run").record().status
    assert status and status.best_step == status.step


def test_metrics_have_the_contracts_keys(run: Run) -> None:
    for text in run.metrics_file.read_text().splitlines():
        keys = ["step", "epoch", "split", "loss", "accuracy", "lr", "seconds", "crc"]
        assert list(json.loads(text)) == keys


@pytest.mark.parametrize("xla", [False, True])
def test_steps_per_call_changes_nothing_but_speed(xla: bool, digits: Path) -> None:
    histories = []
    for count in (1, 4, 7):
        fields = {"steps": 9, "xla": xla, "steps_per_call": count, "schedule": "one-cycle"}
        calls = run_steps(TrainState(prepared("softmax", digits, **fields)))
        histories.append(
            [
                np.concatenate([getattr(call, name) for call in calls])
                for name in ("losses", "accuracies", "learning_rates")
            ]
        )
    assert np.array_equal(histories[0], histories[1])
    assert np.array_equal(histories[0], histories[2])
    rates = histories[0][2]
    assert rates[0] == 0 and rates[1] == max(rates)  # a fifth of the nine steps leads up


def test_progress_shows_the_cost_and_accuracy_of_the_step_that_it_names(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts: dict[int, str] = {}
    monkeypatch.setattr(Progress, "at", lambda _, step, text: texts.setdefault(step, text))
    train(here / "run", "softmax", digits, steps=9, steps_per_call=4)
    logged = [line for line in Run(here / "run").metrics() if line.split == "train"]
    expected = {line.step: f"cost {line.loss:.4f}  accuracy {line.accuracy:.2%}" for line in logged}
    assert texts.keys() >= {4, 9}
    assert all(texts[step] == expected[step] for step in texts if step <= 9)


@pytest.mark.parametrize(
    ("speedup", "notice"),
    [
        (0.0, "computing in float32: this device has no bfloat16"),
        (0.25, "computing in float32: a convolution in bfloat16 is 0.2 times as fast"),
        (1.2, "computing in float32: a convolution in bfloat16 is 1.2 times as fast"),
        (1.8, "computing in bfloat16: a convolution in bfloat16 is 1.8 times as fast"),
    ],
)
def test_a_recipe_for_bfloat16_computes_in_what_was_measured_to_be_faster(
    digits: Path, speedup: float, notice: str
) -> None:
    settings = prepare("convnet", str(digits), measure_bfloat16=lambda: speedup).settings
    assert settings.recipe.precision == notice.split()[2].rstrip(":")
    assert any(line.startswith(notice) for line in settings.notices)
    resumed = prepare("convnet", str(digits), settings.recipe, measure_bfloat16=lambda: 4.0)
    assert resumed.settings.recipe.precision == settings.recipe.precision


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_update_is_that_of_keras(momentum: float, nesterov: bool) -> None:
    recipe = Recipe(
        steps=10, batch_size=1, learning_rate=0.1, momentum=momentum, nesterov=nesterov,
        weight_decay=0.01, schedule="one-cycle",
    )  # fmt: skip
    ours = build_optimizer(recipe, 10)
    theirs = tf.keras.optimizers.SGD.from_config(ours.get_config())
    theirs.exclude_from_weight_decay(var_names=["bias"])
    weights = [
        [tf.keras.Variable(np.ones((3, 2), np.float32), name=n) for n in ("a", "bias")]
        for _ in "ab"
    ]
    for optimizer, variables in zip((ours, theirs), weights, strict=True):
        optimizer.build(variables)
        update = tf.function(optimizer.apply)
        random = np.random.default_rng(0)
        for _ in range(5):
            update([tf.constant(random.normal(size=(3, 2)), tf.float32)] * 2)
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-7)


def test_a_recipe_for_float32_measures_nothing(digits: Path) -> None:
    def measure() -> float:
        raise AssertionError("measured")

    settings = prepare("softmax", str(digits), measure_bfloat16=measure).settings
    assert settings.recipe.precision == "float32"


def test_the_speed_of_bfloat16_is_measured_quickly() -> None:
    began = time.process_time()
    assert 0.05 < bfloat16_speedup.__wrapped__() < 50
    assert time.process_time() - began < 1


def test_notices_are_shown_before_training(
    digits: Path, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = prepared("softmax", digits, steps=1, batch_size=8)
    settings = replace(plan.settings, notices=("mind the gap",))
    trainer.train(replace(plan, settings=settings), here / "run")
    assert "mind the gap" in capfd.readouterr().err


def test_bfloat16_computes_nearly_what_float32_does(digits: Path) -> None:
    losses = []
    for precision in ("float32", "bfloat16"):
        fields = {"steps": 3, "batch_size": 60, "precision": precision, "steps_per_call": 3}
        state = TrainState(prepared("convnet", digits, **fields))
        for network in (state.network, state.eval_model):
            assert {weight.dtype for weight in network.weights} == {"float32"}
            assert network.get_layer("conv1").compute_dtype == precision
        (history,) = run_steps(state)
        losses.append(history.losses)
    np.testing.assert_allclose(losses[0], losses[1], rtol=0.05)


def test_the_kept_weights_are_the_moving_average(digits: Path) -> None:
    fields = {"steps": 2, "learning_rate": 1.0, "ema_decay": 0.75, "steps_per_call": 1}
    state = TrainState(prepared("softmax", digits, **fields))
    biases = [state.network.get_layer("layer1").get_weights()[1]]
    run = compile_steps(state)
    for call in loop.batches(state):
        run(call, 0)
        biases.append(state.network.get_layer("layer1").get_weights()[1])
    state.eval_logits(state.val.images)
    kept = state.eval_model.get_layer("layer1").get_weights()[1]
    first = 2 / 11 * biases[0] + 9 / 11 * biases[1]  # the decay begins as (1 + step) / (10 + step)
    np.testing.assert_allclose(kept, 3 / 12 * first + 9 / 12 * biases[2], rtol=1e-5, atol=1e-7)


def test_an_update_that_is_compiled_as_one_is_the_same_update(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fields = {
        "steps": 4, "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.01,
        "clip_norm": 1.0, "max_filter_rms": 0.1, "ema_decay": 0.9,
    }  # fmt: skip
    arrays = []
    for compiled_from in (10**9, 0):
        monkeypatch.setattr(step, "MIN_COMPILED_UPDATES", compiled_from)
        state = TrainState(prepared("lenet5", digits, **fields))
        run_steps(state)
        arrays.append([v.numpy() for v in (*state.network.weights, *state.averages)])
    for plain, compiled in zip(*arrays, strict=True):
        np.testing.assert_allclose(plain, compiled, rtol=1e-3, atol=1e-5)


def test_the_last_epochs_see_the_images_as_they_are(digits: Path) -> None:
    losses = []
    for augment, epochs in (({"shift": 3}, 1), ({"shift": 3}, 0), ({}, 0)):
        fields = {
            "epochs": 2, "batch_size": 50, "augment": augment, "no_augment_epochs": epochs,
            "learning_rate": 1e-9,
        }  # fmt: skip
        calls = run_steps(TrainState(prepared("softmax", digits, **fields)))
        losses.append(np.concatenate([call.losses for call in calls]).tolist())
    adapted, augmented, plain = losses
    assert adapted[:11] == augmented[:11] and adapted[11:] == plain[11:]
    assert adapted[:11] != plain[:11] and adapted[11:] != augmented[11:]


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
    assert decayed == {f"conv{i}/kernel" for i in range(1, 4)} | {"output/kernel"}


def test_a_cost_that_is_not_a_number_ends_the_training(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.recipe.MAX_LEARNING_RATE", math.inf)  # a sure way to get there
    with pytest.raises(FirstlightError, match=r"the cost was .* at step .*: lower --lr"):
        train(here / "run", "mlp", digits, epochs=5, learning_rate=1e30)


def test_what_cannot_be_trained_leaves_no_folder(tmp_path: Path, here: Path) -> None:
    from conftest import write_idx

    for name in ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte"):
        write_idx(tmp_path / name, np.zeros((24, 20, 20)))
    for name in ("train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"):
        write_idx(tmp_path / name, np.zeros(24))
    with pytest.raises(DataError, match=r"has one class, 0: a network needs at least two"):
        train(here / "run", "softmax", tmp_path)
    assert not (here / "run").exists()


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_is_used(
    run: Run, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = Run(Path(shutil.copytree(run.folder, here / "run")))
    weights = checkpoint.load(copy.weights)[0]
    copy.last.write_bytes(copy.last.read_bytes()[:-50])
    trainer.resume(copy)
    assert "last.npz: damaged or incomplete checkpoint" in (error := capsys.readouterr().err)
    assert "going on from the one before it, of step" in error
    for name, array in checkpoint.load(copy.weights)[0].items():
        assert np.array_equal(array, weights[name]), name
    copy.last.write_bytes(copy.last.read_bytes()[:-50])
    copy.previous.unlink()
    with pytest.raises(DataError, match=r"last\.npz: damaged .* no other .* delete .*checkpoints"):
        trainer.resume(copy, quiet=True)
    copy.last.rename(copy.previous)
    shutil.copyfile(run.last, copy.previous)
    copy.last.mkdir()
    with pytest.raises(DataError, match=r"last\.npz: damaged \(it is no file\); remove it"):
        trainer.resume(copy, quiet=True)


@pytest.mark.parametrize("start", ["softmax", None])
def test_a_run_without_a_checkpoint_begins_at_its_first_step(
    start: str | None, digits: Path, here: Path
) -> None:
    plan = prepared("softmax", digits, limit=100, steps=3, steps_per_call=1)
    first = trainer.train(plan, here / "first", quiet=True) if start else None
    trainer.train(plan, here / "whole", quiet=True, start=first)
    state = TrainState(plan)
    if first:
        state.start_from(first)
    state.into(Run.create(state.plan, state.total_steps, here / "cut"))
    (here / "cut" / "checkpoints").mkdir()
    (here / "cut" / "checkpoints" / ".last.npz.1.part").write_bytes(b"half")
    trainer.resume(Run.open(here / "cut"), quiet=True)
    assert_bit_equal(here / "whole", here / "cut")
    assert not list(here.rglob("*.part"))


def dead_process() -> int:
    """Return the number of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


def test_a_start_that_was_killed_before_run_json_begins_again_in_its_folder(
    digits: Path, here: Path
) -> None:
    plan = prepared("softmax", digits, limit=100, steps=1)
    folder = here / "run"
    folder.mkdir()
    (folder / ".lock").write_text("")
    (folder / ".run.json.77.part").write_text("{")
    (folder / f".curves.png.{dead_process()}.part").write_text("half")
    assert trainer.train(plan, folder, quiet=True).result.steps == 1
    assert not list(folder.rglob("*.part"))
    with pytest.raises(UsageError, match="is not empty"):
        trainer.train(plan, folder, quiet=True)


def test_two_trainings_do_not_share_a_run(run: Run, here: Path, firstlight: Firstlight) -> None:
    copy = Run(Path(shutil.copytree(run.folder, here / "run")))
    with lock.held(copy.folder):
        code, _, error = firstlight("train", "--resume", copy.folder)
    assert code == 2 and re.search(rf"is being trained by process {os.getpid()} on .+ since", error)
    assert len(error.splitlines()) == 1
    assert firstlight("train", "--resume", copy.folder).code == 0


def test_a_folder_that_is_renamed_while_it_trains_is_not_split_in_two(
    digits: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = prepared("softmax", digits, limit=100, steps=5, steps_per_call=1)
    trainer.train(plan, here / "whole", quiet=True)
    monkeypatch.setattr(checkpoints, "MIN_SECONDS_BETWEEN_CHECKPOINTS", 0.0)
    run_call = loop.run_call

    def rename(state: TrainState, *rest: Any) -> None:
        run_call(state, *rest)
        if state.status.step == 3:
            (here / "cut").rename(here / "moved")

    monkeypatch.setattr(loop, "run_call", rename)
    with pytest.raises(DataError, match=r"cut was renamed or removed .* --resume .*moved`"):
        trainer.train(plan, here / "cut", quiet=True)
    monkeypatch.setattr(loop, "run_call", run_call)
    assert not (here / "cut").exists()
    trainer.resume(Run.open(here / "moved"), quiet=True)
    assert_bit_equal(here / "whole", here / "moved")


def test_other_versions_are_told_when_a_training_goes_on(
    run: Run, here: Path, firstlight: Firstlight
) -> None:
    copy = Run(Path(shutil.copytree(run.folder, here / "run")))
    record = copy.record()
    copy.write_record(replace(record, versions=record.versions | {"numpy": "1.0"}))
    _, _, error = firstlight("train", "--resume", copy.folder)
    assert f"other versions: numpy {np.__version__} (it began with 1.0)" in error
    assert "keras" not in error.partition("other versions")[2].splitlines()[0]


def test_a_half_written_file_never_takes_the_name(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "before")
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "before" and os.listdir(tmp_path) == ["file"]


def test_a_full_disk_names_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: 'whole\.json'"):
        write_json(Path("whole.json"), {})
    assert not list(here.iterdir())


def test_a_shorter_last_call_of_an_epoch_is_filled_up(digits: Path) -> None:
    state = TrainState(prepared("softmax", digits, steps=300))
    batch = next(loop.batches(state))
    assert (batch.start, batch.end) == (0, 6)  # an epoch of 550 images, 100 in a batch
    assert batch.images.shape == (100, 100, 28, 28, 1) and batch.labels.shape == (100, 100)


def test_input_is_gathered_while_the_graph_computes(
    digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = TrainState(prepared("softmax", digits, steps=300))
    gathered = []
    augmented = state.train.images.augmented

    def gather(*arguments: Any, **keywords: Any) -> np.ndarray:
        images = augmented(*arguments, **keywords)
        gathered.append(len(images))
        return images

    monkeypatch.setattr(state.train.images, "augmented", gather)
    stream = loop.batches(state)
    next(stream)
    deadline = time.monotonic() + 60
    while len(gathered) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(gathered) == 2  # the second call's batch, before anybody asks for it
    stream.close()


def test_a_papers_first_kernels_rates_and_decay_are_used(digits: Path) -> None:
    fields = {
        "precision": "float32", "init_stddev": 0.05, "l2": 0.1, "momentum": 0.0,
        "weight_decay": 0.0, "lr_multipliers": {"bias": 2.0, "cccp6/kernel": 0.0},
        "schedule": "constant", "learning_rate": 0.1, "steps_per_call": 1, "steps": 1,
        "batch_size": 4,
    }  # fmt: skip
    state = TrainState(prepared("nin", digits, **fields))
    variables = {v.path: v for v in state.network.trainable_variables}
    before = {path: v.numpy() for path, v in variables.items()}
    assert before["conv2/kernel"].std() == pytest.approx(0.05, rel=0.02)
    run_steps(state)
    assert np.array_equal(variables["cccp6/kernel"].numpy(), before["cccp6/kernel"])
    assert not np.array_equal(variables["conv1/kernel"].numpy(), before["conv1/kernel"])


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
    fields = {"epochs": 5, "learning_rate": 1e-12, "plateau_epochs": 2}
    train(here / "run", "softmax", digits, **fields)
    run = Run(here / "run")
    rates = [logged.lr for logged in run.metrics() if logged.split == "val"]
    assert rates == pytest.approx([1e-12, 1e-12, 1e-12, 1e-13, 1e-13])
    state = TrainState(prepared("softmax", digits, **fields)).into(run)
    state.restore()
    assert float(state.optimizer.learning_rate) == pytest.approx(1e-14)


def test_pictures_resume_to_bit_equal_weights(here: Path, tmp_path: Path) -> None:
    """Random crops, mirrors and colours included."""
    for number in range(20):
        folder = tmp_path / "shop" / ("a", "b")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(number).integers(0, 256, (40, 44, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    plan = prepared("nin-cifar", tmp_path / "shop", steps=8, batch_size=4)
    trainer.train(plan, here / "whole", quiet=True)
    with pytest.raises(Interrupted, match="after step 5"):
        stop_after(5, plan, here / "cut")
    trainer.resume(Run.open(here / "cut"), quiet=True)
    assert_bit_equal(here / "whole", here / "cut")


def test_a_training_that_is_killed_in_its_first_checkpoint_comes_to_the_same_weights(
    digits: Path, here: Path
) -> None:
    """`benchmarks/kills.py` kills at many moments."""
    plan = prepared("softmax", digits, limit=100, steps=40)
    whole = trainer.train(plan, here / "whole", quiet=True)
    folder = here / "killed"
    verb = [sys.executable, "-m", "firstlight", "train", "softmax", "--data", str(digits)]
    arguments = [*verb, "--limit", "100", "--steps", "40", "--out", str(folder)]
    assert kills.kill_once(arguments, folder, seconds=120, wanted=2)  # run.json, then last.npz
    killed = Run(folder)
    if killed.record_file.exists():
        trainer.resume(killed, quiet=True)
    else:
        trainer.train(plan, folder, quiet=True)
    assert kills.difference(whole, killed) == "" and not list(folder.rglob("*.part"))
