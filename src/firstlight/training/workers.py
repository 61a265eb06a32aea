"""The workers of a training: the devices that compute, in this process and in others.

    one device                 TensorFlow's default strategy
    several GPUs of a machine  MirroredStrategy: a copy of the weights on each
    several processes          MultiWorkerMirroredStrategy: a copy of the weights in each

Each device, a *replica*, takes a part of every batch. The gradients of all parts are added up, so
each replica makes the same update and keeps the same weights. The first process is the *chief*: it
alone writes, prints and measures.
"""

import faulthandler
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from firstlight.errors import FirstlightError, UsageError
from firstlight.local_workers import is_one as is_local_worker
from firstlight.quiet import without_stderr
from firstlight.training import cluster as clusters
from firstlight.training.cluster import Cluster
from firstlight.training.precision import bfloat16_speedup

MAX_SECONDS_TO_MEET = 300.0  # until all processes of a cluster have begun
MAX_TEXT = 4096  # bytes of a text that the chief tells the others
LOST_WORKER = "another worker has ended, or cannot be reached"
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError)


@dataclass(frozen=True)
class Part:
    """The rows of every batch that a replica takes: from `first` up to, not including, `last`."""

    first: int
    last: int


@dataclass(frozen=True)
class Workers:
    """The replicas of this process, and its place among the processes."""

    strategy: tf.distribute.Strategy = field(default_factory=tf.distribute.get_strategy)
    index: int = 0
    processes: int = 1

    @property
    def is_chief(self) -> bool:
        return self.index == 0

    @property
    def replicas(self) -> int:
        """The number of replicas in all processes."""
        return int(self.strategy.num_replicas_in_sync)

    @property
    def local_replicas(self) -> int:
        """The number of replicas in this process."""
        return self.replicas // self.processes

    def parts(self, batch_size: int) -> list[Part]:
        """Return the parts of a batch that this process's replicas take; sizes differ by one.

        Raises:
            UsageError: there are more replicas than images in a batch.
        """
        replicas = self.replicas
        if batch_size < replicas:
            raise UsageError(
                f"a batch of {batch_size} images cannot be parted among {replicas} workers; give a "
                "larger --batch-size, or fewer workers"
            )
        bounds = [number * batch_size // replicas for number in range(replicas + 1)]
        own = range(self.index * self.local_replicas, (self.index + 1) * self.local_replicas)
        return [Part(bounds[number], bounds[number + 1]) for number in own]

    def notices(self, network: keras.Model) -> list[str]:
        """Return what a user must know before several replicas train a network."""
        if self.replicas == 1:
            return []
        notices = [f"{self.replicas} workers take a part of each batch"]
        alone = [
            layer.name
            for layer in network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and not layer.synchronized
        ]
        if alone:
            notices.append(
                f"{', '.join(alone)}: each worker normalises by its own part of the batch; "
                "BatchNormalization(synchronized=True) uses all of it"
            )
        return notices

    @contextmanager
    def making_variables(self) -> Iterator[None]:
        """Make the variables that are created in this context those of all local replicas.

        Processes need no copies in others: they begin alike, and make the same updates. On several
        devices of one process, what a layer changes by itself, such as the moving mean of a batch
        norm, is the same on each: the first one's is taken.
        """
        if self.local_replicas == 1:
            yield
            return

        def creator(create: Any, **arguments: Any) -> Any:
            if arguments.get("aggregation") in (None, tf.VariableAggregation.NONE):
                arguments["aggregation"] = tf.VariableAggregation.ONLY_FIRST_REPLICA
            return create(**arguments)

        with self.strategy.scope(), tf.variable_creator_scope(creator):
            yield

    def for_replicas(self, values: Sequence[Any]) -> Any:
        """Return the values, one for each local replica, in the form that strategy.run takes."""
        if len(values) == 1:
            return values[0]
        first = self.index * self.local_replicas

        def value_of(context: Any) -> Any:
            return values[context.replica_id_in_sync_group - first]

        return self.strategy.experimental_distribute_values_from_function(value_of)

    def local(self, value: Any) -> tf.Tensor:
        """Return what the first of this process's replicas has computed."""
        return self.strategy.experimental_local_results(value)[0]

    def total(self, array: np.ndarray) -> np.ndarray:
        """Return the sum of the arrays (of any shape) that the processes have, in each of them.

        Raises what `watched` raises.
        """
        if self.processes == 1:
            return array
        with self.watched():
            summed: np.ndarray = self._total(tf.constant(array)).numpy()
        # Each replica of this process has added the process's array.
        return (summed / self.local_replicas).astype(array.dtype)

    @cached_property
    def _total(self) -> Any:
        def add(value: tf.Tensor) -> tf.Tensor:
            own = tf.identity(value)  # on the replica's device
            return tf.distribute.get_replica_context().all_reduce("SUM", own)

        @tf.function
        def total(value: tf.Tensor) -> tf.Tensor:
            return self.local(self.strategy.run(add, (value,)))

        return total

    def bfloat16_speedup(self) -> float:
        """Return how many times as fast as float32 bfloat16 is, in the process that gains least."""
        speedups = np.zeros(self.processes, np.float32)
        speedups[self.index] = bfloat16_speedup()
        return float(min(self.total(speedups)))

    def from_chief(self, text: str) -> str:
        """Return, in each process, the text that the chief has."""
        encoded = text.encode() if self.is_chief else b""
        array = np.zeros(MAX_TEXT, np.int32)
        array[: len(encoded)] = list(encoded)
        return bytes(self.total(array).astype(np.uint8)).rstrip(b"\0").decode()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Turn what TensorFlow raises when another process has ended into one line.

        Raises:
            WorkerLost: another process has ended, or cannot be reached.
        """
        try:
            yield
        except LOST as error:
            if self.processes == 1:
                raise
            raise WorkerLost(f"{LOST_WORKER}; start all of them again") from error


class WorkerLost(FirstlightError):
    """Another process of the training has ended."""


def start_workers(devices: str = "", verbose: bool = False) -> Workers:
    """Return the workers of a training. Call it before TensorFlow computes anything.

    In a cluster, the process ends if the others do not begin in time.

    Args:
        devices: "cpu", "gpu", or "gpu:0,1" for some of the GPUs; "" for all GPUs, or without one
            the CPU.
        verbose: show TensorFlow's messages.

    Raises:
        UsageError: there is no such device; or TF_CONFIG is broken.
    """
    cluster = clusters.from_environment()
    gpus = choose_devices(devices)
    if cluster:
        with without_stderr(verbose) as stderr:
            strategy = multi_worker_strategy(cluster, stderr)
        return Workers(strategy, cluster.index, cluster.size)
    if gpus > 1:
        return Workers(tf.distribute.MirroredStrategy())
    return Workers()


def choose_devices(devices: str) -> int:
    """Let TensorFlow see these devices alone; return how many GPUs those are.

    Raises:
        UsageError: there is no such device, or TensorFlow has begun to use others.
    """
    gpus = tf.config.list_physical_devices("GPU")
    kind, _, numbers = devices.partition(":")
    if devices and (kind not in ("cpu", "gpu") or (":" in devices and kind == "cpu")):
        raise UsageError(f"--devices {devices}: give cpu, gpu, or the numbers of GPUs as gpu:0,1")
    if not devices:
        return len(gpus)
    chosen = [] if kind == "cpu" else numbered(gpus, numbers, devices)
    if kind == "gpu" and not chosen:
        raise UsageError(f"--devices {devices}: TensorFlow finds no GPU here; leave it out")
    try:
        tf.config.set_visible_devices(chosen, "GPU")
    except RuntimeError:
        if chosen != tf.config.get_visible_devices("GPU"):
            raise UsageError(
                f"--devices {devices}: TensorFlow already uses other devices in this process; "
                "start a new one"
            ) from None
    return len(chosen)


def numbered(gpus: list[Any], numbers: str, devices: str) -> list[Any]:
    """Return the GPUs of these numbers, as "0,1"; all of them for "". Raises UsageError."""
    if not numbers:
        return gpus
    names = numbers.split(",")
    if not all(name.isdigit() for name in names) or len(set(names)) < len(names):
        raise UsageError(f"--devices {devices}: give each GPU's number once, as gpu:0,1")
    if missing := [name for name in names if int(name) >= len(gpus)]:
        there = f"{len(gpus)} GPUs, from 0" if gpus else "no GPU"
        raise UsageError(f"--devices {devices}: no GPU {missing[0]}; TensorFlow finds {there}")
    return [gpus[int(name)] for name in names]


def multi_worker_strategy(cluster: Cluster, stderr: int) -> tf.distribute.Strategy:
    """Return the strategy of a cluster, as soon as all its processes have begun.

    Args:
        stderr: a file descriptor for the line that says that it waits.

    Raises:
        UsageError: TensorFlow has computed something before.
    """
    resolver = None
    if not cluster.addresses:  # TF_CONFIG is what TensorFlow reads by itself
        # Slurm gives each process its GPUs. By itself, TensorFlow would count them with nvidia-smi,
        # which is not there without a GPU: so it gets a number that is large enough for all.
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver(
            gpus_per_node=cluster.size, gpus_per_task=1, auto_set_gpu=False
        )
    try:
        with ended_if_alone(cluster, stderr):
            return tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except RuntimeError as error:
        raise UsageError(
            f"this process cannot join a cluster any more ({str(error).split('.')[0]}); begin the "
            "training in a new one"
        ) from None


@contextmanager
def ended_if_alone(cluster: Cluster, stderr: int) -> Iterator[None]:
    """End the process with exit code 1 if the others do not begin in time.

    TensorFlow would wait for an hour. It lets no code of Python run meanwhile, so a timer or a
    handler of Ctrl-C would have no effect: the system and the watchdog of faulthandler end it.
    """
    if not is_local_worker():  # these are ended by the process that has started them
        line = f"worker {cluster.index} of {cluster.size} waits for the others, at most"
        os.write(stderr, f"firstlight: {line} {MAX_SECONDS_TO_MEET:.0f} s\n".encode())
    in_main_thread = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_DFL) if in_main_thread else None
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        faulthandler.dump_traceback_later(MAX_SECONDS_TO_MEET, exit=True, file=nowhere)
        try:
            yield
        finally:
            faulthandler.cancel_dump_traceback_later()
            if before is not None:
                signal.signal(signal.SIGINT, before)
