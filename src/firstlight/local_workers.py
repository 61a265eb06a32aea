"""Several processes on this machine that train one network: to use a cluster's way on one machine.

Each is this program again with the same arguments, and with a TF_CONFIG of its own. The first, the
chief, writes to this terminal. The others are heard only if they fail.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import IO

from firstlight.errors import UsageError
from firstlight.training.cluster import VARIABLE, local_addresses, tf_config

MARK = "FIRSTLIGHT_LOCAL_WORKER"  # an environment variable: this process was started here
SECONDS_TO_END = 20.0  # for the others, when one has failed: they notice it, and say so
SECONDS_BETWEEN_LOOKS = 0.05
LOST = "another worker has ended"  # how the others begin what they say then

Process = subprocess.Popen[bytes]


def is_one() -> bool:
    """Return whether this process is a local worker."""
    return MARK in os.environ


def train_together(count: int) -> int:
    """Run this program's command in several processes; return the exit code.

    Raises:
        UsageError: TF_CONFIG already names a cluster.
    """
    if os.environ.get(VARIABLE):
        raise UsageError(
            f"--local-workers {count}: {VARIABLE} already names a cluster; unset it, or leave out "
            "--local-workers"
        )
    addresses = local_addresses(count)
    with ExitStack() as stack:
        outputs = [stack.enter_context(tempfile.TemporaryFile()) for _ in addresses[1:]]
        processes: list[Process] = []
        with forwarding_signals(processes):
            for index, output in enumerate([None, *outputs]):
                processes.append(start(addresses, index, output))
            try:
                wait(processes)
            finally:
                codes = [process.poll() for process in processes]  # None: it does not end
                kill(processes)
        return exit_code(codes, outputs)


def start(addresses: list[str], index: int, output: IO[bytes] | None) -> Process:
    """Start a worker. It gets its share of the cores.

    Args:
        output: a file for what it prints; None: it prints here.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "firstlight", *sys.argv[1:]],
        env={**os.environ, VARIABLE: tf_config(addresses, index), MARK: "1"},
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,  # a signal from the terminal comes from us, once
    )
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) >= len(addresses):
            os.sched_setaffinity(process.pid, cores[index :: len(addresses)])
    return process


@contextmanager
def forwarding_signals(processes: list[Process]) -> Iterator[None]:
    """Send each SIGINT and SIGTERM that comes in this context to all processes."""

    def forward(number: int, frame: FrameType | None) -> None:
        for process in processes:
            if process.poll() is None:
                process.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def wait(processes: Sequence[Process]) -> None:
    """Wait until all have ended, or for some time after one has failed."""
    deadline = float("inf")
    codes = [process.poll() for process in processes]
    while None in codes and time.monotonic() < deadline:
        if any(codes) and deadline == float("inf"):
            deadline = time.monotonic() + SECONDS_TO_END
        time.sleep(SECONDS_BETWEEN_LOOKS)
        codes = [process.poll() for process in processes]


def kill(processes: Sequence[Process]) -> None:
    for process in processes:
        process.kill()
        process.wait()


def exit_code(codes: Sequence[int | None], outputs: Sequence[IO[bytes]]) -> int:
    """Return the chief's exit code, 1 if it has none; print what the chief has not said.

    Args:
        codes: of the processes; None for those that had to be ended, because another had failed.
        outputs: what the others than the chief have printed.
    """
    chief = codes[0]
    lines = [last_line(output) for output in outputs]
    if (chief is None or chief < 0) and any(lines):  # the chief has said nothing
        print(next(line for line in lines if line), file=sys.stderr)
    for index, code in enumerate(codes):
        if code is not None and code < 0:
            print(f"firstlight: worker {index} was ended by signal {-code}", file=sys.stderr)
    for index, (code, line) in enumerate(zip(codes[1:], lines, strict=True), start=1):
        if code and 0 < code != chief and LOST not in line:
            print(f"worker {index}: {line}", file=sys.stderr)
    return 1 if chief is None or chief < 0 else chief


def last_line(output: IO[bytes]) -> str:
    """Return the last line of a file; "" if there is none."""
    output.seek(0)
    lines = output.read().decode(errors="replace").splitlines()
    return lines[-1] if lines else ""
