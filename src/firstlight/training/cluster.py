"""The cluster that a training runs on, as its environment describes it; without TensorFlow.

TF_CONFIG is TensorFlow's own variable. Each machine has one, with the addresses of all workers and
its own place among them:

    {"cluster": {"worker": ["one:2222", "two:2222"]}, "task": {"type": "worker", "index": 0}}

Under Slurm, `srun` says the same in variables of its own.
"""

import json
import os
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from firstlight.errors import UsageError

TASKS = ("chief", "worker")  # those that train; the chief comes first
VARIABLE = "TF_CONFIG"


@dataclass(frozen=True)
class Cluster:
    """The processes that train one network together, and which of them this one is."""

    addresses: tuple[str, ...]  # host:port of each, the chief's first; () under Slurm
    index: int
    size: int


def from_environment(environment: Mapping[str, str] = os.environ) -> Cluster | None:
    """Return the cluster that this process is in; None if it trains alone.

    Raises:
        UsageError: TF_CONFIG is no description of a cluster with this process in it.
    """
    if text := environment.get(VARIABLE, "").strip():
        cluster = from_tf_config(text)
        return cluster if cluster.size > 1 else None
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks.isdigit() and int(tasks) > 1:
        return Cluster((), int(environment.get("SLURM_PROCID", "0")), int(tasks))
    return None


def is_chief() -> bool:
    """Return whether this process is the first of its cluster, or trains alone."""
    cluster = from_environment()
    return cluster is None or cluster.index == 0


def notice_alone(verb: str) -> str | None:
    """Return what a verb says that computes on one machine although there is a cluster."""
    cluster = from_environment()
    if cluster is None:
        return None
    return f"{verb} computes on this machine alone: only `train` uses the cluster of {cluster.size}"


def local_addresses(count: int) -> list[str]:
    """Return addresses of this machine, host:port, that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]


def tf_config(addresses: list[str], index: int) -> str:
    """Return the value of TF_CONFIG for one of the workers at these addresses."""
    task = {"type": "worker", "index": index}
    return json.dumps({"cluster": {"worker": addresses}, "task": task})


def from_tf_config(text: str) -> Cluster:
    """Return what TF_CONFIG says. Raises UsageError if it is broken or incomplete."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise refusal(f"it is not JSON ({error})") from None
    if not isinstance(document, dict):
        raise refusal("it must be a JSON object with `cluster` and `task`")
    tasks = addresses_of(document.get("cluster"))
    task = document.get("task")
    if not isinstance(task, dict) or task.get("type") not in tasks:
        kinds = " or ".join(map(repr, tasks))
        raise refusal(f"`task` must have a `type`, {kinds}, and an `index`")
    kind, index = task["type"], task.get("index")
    if isinstance(index, bool) or not isinstance(index, int | str) or not str(index).isdigit():
        raise refusal("the `index` of `task` must be a whole number")
    if int(index) >= len(tasks[kind]):
        raise refusal(f"there is no {kind} {index}: `cluster` has {len(tasks[kind])}, from 0")
    before = len(tasks.get("chief", ())) if kind == "worker" else 0
    addresses = tuple(address for name in TASKS for address in tasks.get(name, ()))
    return Cluster(addresses, before + int(index), len(addresses))


def addresses_of(cluster: Any) -> dict[str, list[str]]:
    """Return the addresses of each kind of task. Raises UsageError."""
    if not isinstance(cluster, dict) or not cluster:
        raise refusal("`cluster` must name the addresses of all workers")
    unknown = cluster.keys() - set(TASKS)
    if unknown:
        raise refusal(
            f"`cluster` has {', '.join(map(repr, sorted(unknown)))}; a training has only 'worker' "
            "and at most one 'chief'"
        )
    for kind, addresses in cluster.items():
        if not isinstance(addresses, list) or not addresses or not all(map(is_address, addresses)):
            raise refusal(f"{kind!r} in `cluster` must be a list of host:port")
    if len(cluster.get("chief", ())) > 1:
        raise refusal("`cluster` has more than one chief")
    everyone = [address for addresses in cluster.values() for address in addresses]
    if len(set(everyone)) < len(everyone):
        raise refusal("`cluster` names an address twice")
    return cluster


def is_address(value: Any) -> bool:
    """Return whether a value is host:port."""
    if not isinstance(value, str):
        return False
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 65536


def refusal(problem: str) -> UsageError:
    return UsageError(f"{VARIABLE}: {problem}; unset it to train on this machine alone")
