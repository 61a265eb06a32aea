"""Trainings that the page starts: each is the command line, in a process of its own.

A training goes on when the page is closed. When the server stops, it is told to stop too: it
writes a checkpoint and can be continued.
"""

import asyncio
import math
import signal
import sys
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from firstlight import catalog
from firstlight.errors import UsageError
from firstlight.runs.run import next_folder
from firstlight.serve.run_views import Folders, row

MOST_AT_ONCE = 2
MOST_STEPS = 1_000_000
LINES_KEPT = 30
SECONDS_TO_STOP = 30.0


@dataclass
class Job:
    """A process at work on a run, and the last lines it said."""

    kind: str  # train, evaluate
    process: asyncio.subprocess.Process
    said: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))
    stopping: bool = False
    ended: float = math.inf  # when it did, as files' times are told

    @property
    def going(self) -> bool:
        return self.ended == math.inf

    async def listen(self) -> None:
        assert self.process.stderr
        async for line in self.process.stderr:
            self.said.append(line.decode(errors="replace").rstrip()[:500])
        await self.process.wait()
        self.ended = time.time()

    def stop(self) -> None:
        if not self.stopping:  # a second signal would end it without a checkpoint
            self.stopping = True
            with suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGINT)


class Jobs:
    def __init__(self, folders: Folders) -> None:
        self.folders = folders
        self.by_run: dict[str, Job] = {}
        self.starting = asyncio.Lock()  # what is checked must still be so when the process is there
        self.listening: set[asyncio.Task[None]] = set()

    def going(self) -> set[str]:
        return {name for name, job in self.by_run.items() if job.going}

    def trainings(self) -> dict[str, float]:
        """This server's trainings, and when they ended: infinity for those that are going on."""
        return {name: job.ended for name, job in self.by_run.items() if job.kind == "train"}

    def facts(self, name: str) -> dict[str, Any] | None:
        job = self.by_run.get(name)
        if not job:
            return None
        code, said = job.process.returncode, list(job.said)
        return {"kind": job.kind, "code": code, "said": said, "stopping": job.stopping}

    async def train(self, wanted: dict[str, Any]) -> str:
        """Start a training; returns the name of its run.

        Raises:
            UsageError: there is no such network or recipe, or a number is out of range.
        """
        arguments = training(wanted)
        async with self.starting:
            self.refuse_too_many()
            folder = next_folder(f"{wanted['network']}-mnist", self.folders.root)
            self.folders.begun[folder.name] = folder
            await self.start("train", folder.name, ["train", *arguments, "--out", str(folder)])
        return folder.name

    async def resume(self, name: str) -> None:
        """Go on with a run that was stopped."""
        async with self.starting:
            run = self.folders.run(name)
            state = row(run.folder, name, self.trainings().get(name))["state"]
            if state != "stopped" or not run.last.exists():
                raise UsageError(f"{name} is not a stopped training")
            await self.start("train", name, ["train", "--resume", str(run.folder)])

    async def evaluate(self, name: str) -> None:
        async with self.starting:
            run = self.folders.run(name)
            await self.start("evaluate", name, ["evaluate", str(run.folder), "--json"])

    async def start(self, kind: str, name: str, arguments: list[str]) -> None:
        self.refuse_too_many()
        if name in self.going():
            raise UsageError(f"{name} is being worked on")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "firstlight", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the server's terminal is not meant for it as well
        )
        self.by_run[name] = job = Job(kind, process)
        task = asyncio.create_task(self.watch(job, name))
        self.listening.add(task)
        task.add_done_callback(self.listening.discard)

    async def watch(self, job: Job, name: str) -> None:
        await job.listen()
        with suppress(OSError):  # a training that could not begin leaves an empty folder
            (self.folders.root / name).rmdir()

    async def stop(self, name: str) -> None:
        """Ask a training to write a checkpoint and stop."""
        if name not in self.going():
            raise UsageError(f"{name} is not running here")
        self.by_run[name].stop()

    async def stop_all(self) -> None:
        for name in self.going():
            self.by_run[name].stop()
        if self.listening:
            await asyncio.wait(self.listening, timeout=SECONDS_TO_STOP)

    def refuse_too_many(self) -> None:
        need_tensorflow()
        if len(self.going()) >= MOST_AT_ONCE:
            raise UsageError(f"{MOST_AT_ONCE} are running already: stop one, or wait")


def can_train() -> bool:
    return find_spec("tensorflow") is not None


def need_tensorflow() -> None:
    if not can_train():
        raise UsageError("TensorFlow is not installed: pip install 'firstlight[train]'")


def training(wanted: dict[str, Any]) -> list[str]:
    """Flags of `train`, each checked: nothing that was sent is handed on as it came."""
    network, recipe = wanted.get("network"), wanted.get("recipe", "")
    known = {entry.name: entry.recipes for entry in catalog.networks()}
    if not isinstance(network, str) or network not in known:
        raise UsageError(f"no network {network!r}; there are: {', '.join(known)}")
    if recipe and recipe not in known[network]:
        raise UsageError(f"no recipe {recipe!r} for {network}")
    flags = [network, *(["--recipe", recipe] if recipe else [])]
    for name, most in (("steps", MOST_STEPS), ("epochs", 1000), ("seed", 2**32 - 1)):
        value = wanted.get(name)
        if value is not None:
            if type(value) is not int or not (name == "seed" or value) or not 0 <= value <= most:
                raise UsageError(f"{name} {value!r}: a whole number up to {most:,}")
            flags += [f"--{name}", str(value)]
    return flags
