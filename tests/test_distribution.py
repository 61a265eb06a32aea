"""Several devices and processes that train one network."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer

from firstlight.errors import UsageError
from firstlight.training import cluster
from firstlight.training.workers import Workers, start_workers

Firstlight = Callable[..., Answer]
TWO = {"worker": ["one:2222", "two:2222"]}


def config(clusters: Any = TWO, task: Any = None) -> str:
    return json.dumps({"cluster": clusters, "task": task or {"type": "worker", "index": 0}})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "not JSON"),
        ("[]", "must be a JSON object"),
        ("{}", "must name the addresses"),
        (config({}), "must name the addresses"),
        (config({"worker": []}), "must be a list of host:port"),
        (config({"worker": "one:1"}), "must be a list of host:port"),
        (config({"worker": ["one", "two:1"]}), "must be a list of host:port"),
        (config({"worker": ["one:99999", "two:1"]}), "must be a list of host:port"),
        (config({"worker": ["one:1", "one:1"]}), "names an address twice"),
        (config({"worker": ["one:1"], "ps": ["two:1"]}), "has 'ps'"),
        (config({"chief": ["one:1", "two:1"]}), "more than one chief"),
        (config(TWO, {"type": "evaluator", "index": 0}), "must have a `type`"),
        (config(TWO, {"type": "worker"}), "must be a whole number"),
        (config(TWO, {"type": "worker", "index": 2}), "there is no worker 2"),
        (config(TWO, {"type": "worker", "index": -1}), "must be a whole number"),
        (config(TWO, {"type": "worker", "index": True}), "must be a whole number"),
    ],
)
def test_a_broken_description_of_a_cluster_is_refused_in_a_line(text: str, problem: str) -> None:
    with pytest.raises(UsageError, match=r"^TF_CONFIG: ") as raised:
        cluster.from_environment({"TF_CONFIG": text})
    assert problem in str(raised.value)


def test_a_broken_cluster_ends_the_command_with_a_line(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", config(TWO, {"type": "worker", "index": 5}))
    answer = firstlight("train", "softmax")
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith("firstlight: TF_CONFIG: there is no worker 5")


def test_a_verb_that_ignores_the_cluster_says_so(
    here: Path, firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", config(TWO, {"type": "worker", "index": 1}))
    for verb in (("find-lr", "softmax"), ("first-graph", "--steps", "1")):
        answer = firstlight(*verb)
        assert answer.err.startswith(f"{verb[0]} computes on this machine alone: only `train` use")


def test_the_chief_comes_first() -> None:
    clusters = {"chief": ["a:1"], "worker": ["b:1", "c:1"]}
    chief = cluster.from_tf_config(config(clusters, {"type": "chief", "index": 0}))
    second = cluster.from_tf_config(config(clusters, {"type": "worker", "index": "1"}))
    assert chief == cluster.Cluster(("a:1", "b:1", "c:1"), 0, 3)
    assert second.index == 2 and second.size == 3


def test_without_a_cluster_or_with_one_of_one_a_process_trains_alone() -> None:
    alone = config({"worker": ["here:1"]})
    for environment in ({}, {"TF_CONFIG": " "}, {"TF_CONFIG": alone}, {"SLURM_PROCID": "0"}):
        assert cluster.from_environment(environment) is None
    slurm = {"SLURM_STEP_NUM_TASKS": "4", "SLURM_PROCID": "3"}
    assert cluster.from_environment(slurm) == cluster.Cluster((), 3, 4)


@pytest.mark.parametrize("replicas", [1, 2, 3, 7])
def test_the_parts_of_a_batch_are_all_of_it(replicas: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Workers, "replicas", replicas)
    parts = [
        part for index in range(replicas) for part in Workers(None, index, replicas).parts(100)
    ]
    assert [part.first for part in parts[1:]] == [part.last for part in parts[:-1]]
    assert parts[0].first == 0 and parts[-1].last == 100
    sizes = {part.last - part.first for part in parts}
    assert max(sizes) - min(sizes) <= 1
    if replicas > 1:
        with pytest.raises(UsageError, match="cannot be parted among"):
            Workers(None, 0, replicas).parts(replicas - 1)


@pytest.mark.parametrize(
    ("devices", "problem"),
    [("tpu", "give cpu, gpu"), ("cpu:0", "give cpu, gpu"), ("gpu:x", "each GPU's number")],
)
def test_devices_that_are_none_are_refused(
    firstlight: Firstlight, devices: str, problem: str
) -> None:
    answer = firstlight("train", "softmax", "--devices", devices)
    assert answer.code == 2 and problem in answer.err


def test_a_gpu_that_is_not_there_is_refused(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    assert "TensorFlow finds no GPU" in firstlight("train", "mlp", "--devices", "gpu").err
    assert "no GPU 1; TensorFlow" in firstlight("train", "mlp", "--devices", "gpu:1").err


@pytest.mark.parametrize(("gpus", "copies"), [(0, False), (1, False), (3, True)])
def test_several_gpus_are_used_together(
    gpus: int, copies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: list(range(gpus)))
    monkeypatch.setattr("tensorflow.distribute.MirroredStrategy", lambda: "mirrored")
    assert (start_workers().strategy == "mirrored") == copies


ON_TWO_DEVICES = """
import sys
from dataclasses import replace

import numpy as np
from firstlight.quiet import tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
from firstlight.settings import prepare
from firstlight.training import loop
from firstlight.training.state import TrainState
from firstlight.training.step import compile_steps
from firstlight.training.workers import Workers

def train(network, workers):
    plan = prepare(network, sys.argv[1], limit=60, steps=2, batch_size=9)
    changes = {"augment": {"shift": 1, "noise": 9}, "ema_decay": 0.9, "precision": "float32"}
    recipe = replace(plan.settings.recipe, **changes)
    state = TrainState(replace(plan, settings=replace(plan.settings, recipe=recipe)), workers)
    run = compile_steps(state)
    losses = np.concatenate([run(call, 0)[0].losses for call in loop.batches(state)])
    return losses, [variable.numpy() for variable in state.variables().values()]

two = Workers(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
for network in sys.argv[2:]:
    (losses, weights), (of_two, weights_of_two) = train(network, None), train(network, two)
    apart = max(float(np.abs(a - b).max()) for a, b in zip(weights, weights_of_two))
    print(network, float(np.abs(losses - of_two).max()), apart)
"""


def test_two_devices_of_a_process_train_as_one_does(digits: Path) -> None:
    """The networks have batch norm and dropout, and the images are augmented."""
    networks = ("convnet", "nin")
    done = subprocess.run(
        [sys.executable, "-c", ON_TWO_DEVICES, digits, *networks],
        capture_output=True,
        text=True,
        check=True,
    )
    apart = {name: numbers for name, *numbers in map(str.split, done.stdout.splitlines())}
    assert apart.keys() == set(networks)
    for loss, weight in apart.values():
        # Sums in another order can turn a ReLU on or off: that moves single weights a little.
        assert float(loss) < 1e-4 and float(weight) < 5e-3


def program(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "firstlight", *map(str, arguments)]


def weights(run: str) -> dict[str, np.ndarray]:
    with np.load(Path(run) / "model" / "weights.npz") as arrays:
        return {name: arrays[name] for name in arrays if not name.endswith(".json")}


def test_two_local_workers_train_as_one_does(digits: Path, here: Path) -> None:
    train = ("train", "softmax", "--data", digits, "--steps", 20, "--batch-size", 25)
    one = subprocess.run(program(*train, "--out", "one", "--json"), capture_output=True)
    two = subprocess.run(
        program(*train, "--out", "two", "--json", "--local-workers", 2), capture_output=True
    )
    assert (one.returncode, two.returncode) == (0, 0), two.stderr.decode()
    assert b"2 workers take a part of each batch" in two.stderr
    assert b"worker 1:" not in two.stderr  # it has not failed
    results = [json.loads(each.stdout) for each in (one, two)]
    assert results[0]["final_cost"] == pytest.approx(results[1]["final_cost"], rel=1e-5)
    assert sorted(path.name for path in Path("two").iterdir()) == sorted(
        path.name for path in Path("one").iterdir()
    )
    kept, kept_by_two = weights("one"), weights("two")
    for name, array in kept.items():
        np.testing.assert_allclose(array, kept_by_two[name], atol=1e-6)


def test_local_workers_and_a_cluster_are_refused_together(
    firstlight: Firstlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TF_CONFIG", config())
    answer = firstlight("train", "softmax", "--local-workers", 2)
    assert answer.code == 2 and "already names a cluster" in answer.err


@pytest.mark.large
@pytest.mark.parametrize("victim", ["chief", "other", "none"])
def test_a_lost_worker_ends_the_others_and_the_run_goes_on(
    digits: Path, here: Path, victim: str
) -> None:
    train = ("train", "convnet", "--data", digits, "--steps", 400, "--batch-size", 32)
    whole = program(*train, "--out", "whole", "-q", "--local-workers", 2)
    subprocess.run(whole, check=True, capture_output=True)
    process = subprocess.Popen(
        program(*train, "--out", "run", "--local-workers", 2),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    wait_for_steps(Path("run"))
    began = time.monotonic()
    if victim == "none":
        process.send_signal(signal.SIGINT)
    else:
        os.kill(children(process.pid)[victim == "other"], signal.SIGKILL)
    said, _ = process.communicate(timeout=60)
    assert time.monotonic() - began < 60
    assert process.returncode == (130 if victim == "none" else 1)
    assert said.count("firstlight train --resume run") == 1 and "Traceback" not in said
    resume = program("train", "--resume", "run", "-q", "--local-workers", 2)
    subprocess.run(resume, check=True, capture_output=True)
    resumed = weights("run")
    for name, array in weights("whole").items():
        assert np.array_equal(array, resumed[name]), name


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, in order."""
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True)
    return sorted(int(number) for number in listed.stdout.split())


def wait_for_steps(run: Path) -> None:
    """Wait until a training has logged some steps."""
    deadline = time.monotonic() + 120
    metrics = run / "metrics.jsonl"
    while not metrics.exists() or metrics.read_bytes().count(b"\n") < 5:
        assert time.monotonic() < deadline
        time.sleep(0.05)
