"""The processes that open the pictures that are sent to the page (picture_worker.py).

Each answers one question at a time. One that is too slow is killed, and the next question starts
another. So no picture holds the page for longer than its deadline.
"""

import asyncio
from pathlib import Path

from firstlight.serve.questions import Answer, Question
from firstlight.serve.worker import Worker

PROCESSES = 2  # pictures that are opened at the same time
SECONDS_TO_ANSWER = 20.0  # with the start of the process
SECONDS_IDLE = 15 * 60.0  # after which a process gives its memory back
PROGRAM = "firstlight.serve.picture_worker"


class PictureWorkers:
    """Some processes; a question is answered by the one that was used last, if it is free."""

    def __init__(self, model: Path) -> None:
        self.all = [
            Worker(SECONDS_TO_ANSWER, SECONDS_IDLE, program=(PROGRAM, str(model)))
            for _ in range(PROCESSES)
        ]
        self.free: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        for worker in reversed(self.all):
            self.free.put_nowait(worker)

    async def ask(self, question: Question[Answer]) -> Answer:
        """Return the answer of a process. Raises what `Worker.ask` does."""
        worker = await self.free.get()
        try:
            return await worker.ask(question)
        finally:
            self.free.put_nowait(worker)

    async def start(self) -> None:
        """Start the first process, so that the first picture need not wait for it."""
        await self.all[0].running_process()

    def kill(self) -> None:
        for worker in self.all:
            worker.kill()

    async def close(self) -> None:
        """End all processes, and wait for their end."""
        for worker in self.all:
            await worker.close()
