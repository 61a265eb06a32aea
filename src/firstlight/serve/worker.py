"""The client of a worker process: tf_worker.py, the only one with TensorFlow, or picture_worker.py.

The process is started at the first question. Questions and answers are JSON, a line each.
"""

import asyncio
import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import cast

from firstlight.errors import FirstlightError, NotFound, UsageError
from firstlight.serve.questions import Answer, Question, to_line

MAX_ANSWER_BYTES = 64 * 2**20
NO_TENSORFLOW = (  # the page shows it
    "TensorFlow is not installed where this server runs; run pip install '.[train]' in the folder "
    "of firstlight's source, then start firstlight serve again"
)
TF_PROGRAM = "firstlight.serve.tf_worker"
TF_FAILED = "the process with TensorFlow took too long, or failed"
PICTURE_FAILED = "this picture takes too long, or too much memory; make it smaller"
MAX_LINE_LENGTH = 500  # characters of a line that the process prints on stderr

OnOutput = Callable[[str], object]


def has_tensorflow() -> bool:
    return find_spec("tensorflow") is not None


def require_tensorflow() -> None:
    """Raises UsageError if TensorFlow is not installed."""
    if not has_tensorflow():
        raise UsageError(NO_TENSORFLOW)


def printed_line(line: bytes) -> str:
    """Return a line that a process printed on stderr, as the page shows it."""
    return line.decode(errors="replace").rstrip()[:MAX_LINE_LENGTH]


class Worker:
    """Starts the worker process when it is needed, and asks it one question at a time.

    Args:
        seconds_to_answer: after which a question has failed; None for no limit.
        seconds_idle: after which the process is ended, to free its memory.
        trust: run the sources of own networks that run folders hold.
        program: the module that the process runs, and its arguments; by default tf_worker.
    """

    def __init__(
        self,
        seconds_to_answer: float | None,
        seconds_idle: float,
        trust: bool = False,
        program: tuple[str, ...] = (),
    ) -> None:
        self.needs_tensorflow = not program
        self.program = program or (TF_PROGRAM, *(["--trust"] if trust else []))
        self.seconds_to_answer = seconds_to_answer
        self.seconds_idle = seconds_idle
        self.process: asyncio.subprocess.Process | None = None
        self.killed: list[asyncio.subprocess.Process] = []  # whose end nobody has waited for
        self.lock = asyncio.Lock()  # held while a question is answered
        self.idle_timer: asyncio.TimerHandle | None = None
        self.on_output: OnOutput = ignore_line
        self.output_task: asyncio.Task[None] | None = None

    async def ask(self, question: Question[Answer], on_output: OnOutput | None = None) -> Answer:
        """Ask the process, and wait for its answer.

        If the caller is cancelled, the process is killed; the next question starts another.

        Args:
            on_output: called with each line that the process prints meanwhile, as its progress.

        Raises:
            UsageError: TensorFlow is not installed.
            FirstlightError: the process reported an error, took too long, or died.
        """
        if self.needs_tensorflow:
            require_tensorflow()
        async with self.lock:
            if self.idle_timer:
                self.idle_timer.cancel()
            self.on_output = on_output or ignore_line
            try:
                line = await self.exchange_in_time(to_line(question))
            finally:
                self.on_output = ignore_line
        answer = json.loads(line)
        if answer.pop("ends", False):
            await self.close()
        if "error" in answer:
            kind = NotFound if answer.get("is_missing") else FirstlightError
            raise kind(answer["error"])
        return cast(Answer, answer)

    async def exchange_in_time(self, question: str) -> bytes:
        """Return the process's answer, a line of JSON.

        If anything goes wrong, the process is killed: a late answer must not be taken for the
        answer to the next question.

        Raises:
            FirstlightError: the process took too long, or ended.
        """
        try:
            async with asyncio.timeout(self.seconds_to_answer):
                return await self.exchange(question)
        except (TimeoutError, OSError, ValueError):
            self.kill()
            raise FirstlightError(TF_FAILED if self.needs_tensorflow else PICTURE_FAILED) from None
        except BaseException:  # the caller was cancelled
            self.kill()
            raise

    async def exchange(self, question: str) -> bytes:
        """Send a line to the process, and return its next line. Raises OSError if it has ended."""
        process = await self.running_process()
        assert process.stdin and process.stdout
        process.stdin.write(question.encode())
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise OSError("the process has ended")
        self.idle_timer = asyncio.get_running_loop().call_later(self.seconds_idle, self.kill)
        return line

    async def running_process(self) -> asyncio.subprocess.Process:
        """Return the worker process; start one if none is running."""
        if self.process is None or self.process.returncode is not None:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-P",  # no module comes from the folder of the runs
                "-m",
                *self.program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # Ctrl-C in the server's terminal must not reach it
                limit=MAX_ANSWER_BYTES,
            )
            self.output_task = asyncio.create_task(self.forward_output(self.process))
        return self.process

    async def forward_output(self, process: asyncio.subprocess.Process) -> None:
        """Read all that the process prints on stderr: otherwise it would block one day."""
        assert process.stderr
        async for line in process.stderr:
            if process is self.process:
                self.on_output(printed_line(line))

    def kill(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
            self.killed.append(self.process)
        self.process = None

    async def close(self) -> None:
        """End the worker process, and wait for its end."""
        if self.idle_timer:
            self.idle_timer.cancel()
        self.kill()
        while self.killed:
            await self.killed.pop().wait()
        if self.output_task:
            await self.output_task


def ignore_line(line: str) -> None:
    """Do nothing with a line of the process's output, while nobody wants it."""
