"""The jobs that the page starts on a run: trainings and evaluations.

A training is `firstlight train` in a process and a session of its own: it goes on when the page is
closed, and when the server ends, however it ends. The next server shows it as one that trains
elsewhere, and can stop it: the lock of its run folder says which process it is.

An evaluation may take minutes, so it runs in its own worker process, beside the one that answers
the page's questions. Evaluations wait for one another. One that is stopped leaves nothing.
"""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, Protocol, TypedDict

from firstlight.errors import UsageError
from firstlight.recipe import LIMITS, check_learning_rate
from firstlight.runs import lock
from firstlight.runs.run import Run, next_folder
from firstlight.serve.data_checks import DataChecks, DataJson
from firstlight.serve.fields import int_field
from firstlight.serve.questions import Evaluate
from firstlight.serve.run_views import RUNNING, RunFolders, run_summary
from firstlight.serve.worker import Worker, printed_line, require_tensorflow
from firstlight.settings import MAX_SEED

MAX_JOBS = 2
MAX_OUTPUT_LINES = 30
SECONDS_TO_STOP = 30.0
SECONDS_BETWEEN_LOOKS = 0.1  # at a training: its messages, and whether it has ended
EVALUATOR_SECONDS_IDLE = 60.0  # after which the evaluations' process gives its memory back
EXIT_OK, EXIT_FAILED, EXIT_INTERRUPTED = 0, 1, 130

Kind = Literal["train", "evaluate"]


class JobJson(TypedDict):
    kind: Kind
    exit_code: int | None  # None while it runs
    output: list[str]  # the last lines that it printed
    stopping: bool  # whether the user has stopped it; also after it has ended


class Job(Protocol):
    """A training or an evaluation, which may have ended."""

    kind: Kind
    output: deque[str]
    stopping: bool
    ended_at: float  # in seconds since 1970, as files' times are; RUNNING until it has ended

    @property
    def exit_code(self) -> int | None: ...

    async def wait(self) -> None: ...

    def stop(self) -> None: ...


class TrainingJob:
    """`firstlight train` in a process.

    It writes its messages into a file without a name: a pipe would break when the server ends, and
    the next message would end the training.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        self.kind: Kind = "train"
        self.output: deque[str] = deque(maxlen=MAX_OUTPUT_LINES)
        self.stopping = False
        self.ended_at = RUNNING
        self.is_left = False  # whether it goes on alone, because the server ends
        descriptor, name = tempfile.mkstemp()
        self.messages = open(name, "rb")
        with suppress(OSError):  # Windows does not remove an open file
            os.unlink(name)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "firstlight", "train", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=descriptor,
            start_new_session=True,  # Ctrl-C in the server's terminal must not reach it as well
        )
        os.close(descriptor)

    @property
    def exit_code(self) -> int | None:
        return self.process.returncode

    async def wait(self) -> None:
        with self.messages:
            while self.process.poll() is None and not self.is_left:
                await asyncio.sleep(SECONDS_BETWEEN_LOOKS)
                self.read_messages()
            self.read_messages()
        self.ended_at = time.time()

    def read_messages(self) -> None:
        """Take over the lines that were written since the last time."""
        while (line := self.messages.readline()).endswith(b"\n"):
            self.output.append(printed_line(line))
        self.messages.seek(-len(line), os.SEEK_CUR)  # the rest of this line will come

    def stop(self) -> None:
        if not self.stopping:  # a second signal would end it without a checkpoint
            self.stopping = True
            self.process.send_signal(signal.SIGINT)


class EvaluationJob:
    """A run's evaluation, computed by a worker process."""

    def __init__(self, run: Run, evaluator: Worker) -> None:
        self.kind: Kind = "evaluate"
        self.output: deque[str] = deque(maxlen=MAX_OUTPUT_LINES)
        self.stopping = False
        self.ended_at = RUNNING
        self.exit_code: int | None = None
        question = Evaluate(run=str(run.folder))
        self.answer = asyncio.create_task(evaluator.ask(question, self.output.append))

    async def wait(self) -> None:
        try:
            await self.answer
            self.exit_code = EXIT_OK
        except asyncio.CancelledError:
            self.output.append("the evaluation was stopped")
            self.exit_code = EXIT_INTERRUPTED
        except Exception as error:  # whatever it is, the job has ended
            self.output.append(str(error) or type(error).__name__)
            self.exit_code = EXIT_FAILED
        self.ended_at = time.time()

    def stop(self) -> None:
        self.stopping = True
        self.answer.cancel()


class Jobs:
    """The last job of each run that this server has worked on."""

    def __init__(self, folders: RunFolders, data: DataChecks, trust: bool = False) -> None:
        self.folders = folders
        self.data = data
        self.evaluator = Worker(None, EVALUATOR_SECONDS_IDLE, trust)
        self.by_run: dict[str, Job] = {}
        self.interrupted: set[int] = set()  # processes that others have started
        # Held from the checks before a start until the job is in `by_run`: another start that
        # waits meanwhile then checks with this job included.
        self.start_lock = asyncio.Lock()
        self.tasks: set[asyncio.Task[None]] = set()  # one for each running job

    def running(self) -> set[str]:
        return {name for name, job in self.by_run.items() if job.ended_at == RUNNING}

    def training_ended_at(self) -> dict[str, float]:
        """Return the time at which each training of this server ended; RUNNING until then."""
        return {name: job.ended_at for name, job in self.by_run.items() if job.kind == "train"}

    def status(self, name: str) -> JobJson | None:
        """Return the last job of a run; None if this server has started none."""
        job = self.by_run.get(name)
        if not job:
            return None
        return {
            "kind": job.kind,
            "exit_code": job.exit_code,
            "output": list(job.output),
            "stopping": job.stopping,
        }

    async def train(self, document: dict[str, Any]) -> str:
        """Start a training; return the name of its run.

        Raises:
            UsageError: the network or recipe does not exist or does not suit the data, a number is
                out of range, or MAX_JOBS jobs are running.
            DataError: the data does not exist, or cannot be read.
            HTTPException: the data is a path, and others reach this server (403).
        """
        data = await self.data.known(document.get("data", "mnist"))
        arguments = train_arguments(document, data)
        async with self.start_lock:
            self.refuse_too_many()
            name = f"{document['network']}-{Path(data['location']).name or 'data'}"
            folder = next_folder(name, self.folders.root)
            self.folders.started[folder.name] = folder
            self.watch(folder.name, TrainingJob([*arguments, "--out", str(folder)]))
        return folder.name

    async def resume(self, name: str) -> None:
        """Continue a training that was stopped.

        Raises:
            NotFound: the run does not exist.
            UsageError: it is not stopped, or MAX_JOBS jobs are running.
        """
        async with self.start_lock:
            run = self.folders.find(name)
            summary = run_summary(run.folder, name, self.training_ended_at().get(name))
            if summary["state"] != "stopped":
                raise UsageError(f"{name} is not a stopped training")
            self.refuse_busy(name)
            self.watch(name, TrainingJob(["--resume", str(run.folder)]))

    async def evaluate(self, name: str) -> None:
        """Start the evaluation of a run.

        Raises:
            NotFound: the run does not exist.
            UsageError: it has a running job, or MAX_JOBS jobs are running.
        """
        async with self.start_lock:
            run = self.folders.find(name)
            self.refuse_busy(name)
            self.watch(name, EvaluationJob(run, self.evaluator))

    def watch(self, name: str, job: Job) -> None:
        """Make it the run's job, and wait for its end in the background."""
        self.by_run[name] = job
        task = asyncio.create_task(self.wait_for(job, name))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def wait_for(self, job: Job, name: str) -> None:
        await job.wait()
        with suppress(OSError):  # a training that could not start leaves an empty folder
            (self.folders.root / name).rmdir()

    async def stop(self, name: str) -> None:
        """Stop a run's job, also if another server has started it, or a terminal.

        A training writes a checkpoint first.

        Raises:
            UsageError: the run has no running job.
        """
        if name in self.running():
            self.by_run[name].stop()
            return
        process = lock.holding_process(self.folders.find(name).folder)
        if process is None:
            raise UsageError(f"{name} is not running here")
        if process not in self.interrupted:  # a second signal would end it without a checkpoint
            self.interrupted.add(process)
            os.kill(process, signal.SIGINT)

    async def close(self) -> None:
        """Stop the evaluations and wait for their end, for SECONDS_TO_STOP; trainings go on."""
        for name in self.running():
            job = self.by_run[name]
            if isinstance(job, TrainingJob):
                print(f"{name} goes on training, as process {job.process.pid}", file=sys.stderr)
                job.is_left = True
            else:
                job.stop()
        if self.tasks:
            await asyncio.wait(self.tasks, timeout=SECONDS_TO_STOP)
        await self.evaluator.close()

    def refuse_too_many(self) -> None:
        """Raises UsageError if TensorFlow is not installed, or if MAX_JOBS jobs are running."""
        require_tensorflow()
        if len(self.running()) >= MAX_JOBS:
            raise UsageError(f"{MAX_JOBS} jobs are already running: stop one, or wait")

    def refuse_busy(self, name: str) -> None:
        """Raises UsageError if the run has a running job, and what `refuse_too_many` does."""
        self.refuse_too_many()
        if name in self.running():
            raise UsageError(f"{name} has a running job")


def train_arguments(document: dict[str, Any], data: DataJson) -> list[str]:
    """Return the arguments of `firstlight train`, each checked: none is passed on unchecked.

    Raises:
        UsageError: the network or recipe does not exist or does not suit the data, or a number is
            out of range.
    """
    network, recipe = document.get("network"), document.get("recipe") or ""
    suitable = data["recipes"]
    if not isinstance(network, str) or network not in suitable:
        raise UsageError(
            f"no network {network!r} for {data['data']}; networks: {', '.join(suitable)}"
        )
    arguments = [network]
    if data["location"] != "mnist":
        arguments += ["--data", data["location"]]
    if recipe:
        if recipe not in suitable[network]:
            raise UsageError(
                f"no recipe {recipe!r} of {network} for {data['data']}; recipes: "
                f"{', '.join(suitable[network])}"
            )
        arguments += ["--recipe", recipe]
    return arguments + number_arguments(document)


def number_arguments(document: dict[str, Any]) -> list[str]:
    """Return the arguments that are numbers. Raises UsageError if one is out of range."""
    arguments = []
    for name, (minimum, maximum) in {**LIMITS, "seed": (0, MAX_SEED)}.items():
        if document.get(name) is not None:
            value = int_field(document, name, minimum=minimum, maximum=maximum)
            arguments += [f"--{name.replace('_', '-')}", str(value)]
    if document.get("epochs") is not None and document.get("steps") is not None:
        raise UsageError("epochs and steps both set the length of a training: give only one")
    rate = document.get("learning_rate")
    if rate is not None:
        check_learning_rate(rate)
        arguments += ["--lr", repr(rate)]
    return arguments
