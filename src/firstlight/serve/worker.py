"""One process with TensorFlow beside the server, started when somebody first looks inside.

Questions and answers are JSON, a line each; see inside.py, which is what runs there.
"""

import asyncio
import json
import sys
from typing import Any

from firstlight.errors import FirstlightError
from firstlight.serve import jobs

SECONDS_TO_ANSWER = 100.0
LONGEST_ANSWER = 64 * 2**20
SECONDS_IDLE = 15 * 60.0  # after which its memory is given back


class Worker:
    def __init__(self) -> None:
        self.process: asyncio.subprocess.Process | None = None
        self.turn = asyncio.Lock()  # one question at a time
        self.leaving: asyncio.TimerHandle | None = None

    async def ask(self, question: dict[str, Any]) -> dict[str, Any]:
        """Its answer.

        Raises:
            UsageError: TensorFlow is not installed.
            FirstlightError: it could not, took too long, or died; the next question starts anew.
        """
        jobs.need_tensorflow()
        async with self.turn:
            if self.leaving:
                self.leaving.cancel()
            try:
                async with asyncio.timeout(SECONDS_TO_ANSWER):
                    line = await self.exchange(json.dumps(question) + "\n")
            except BaseException as error:  # a question that was dropped leaves its answer behind
                self.kill()
                if isinstance(error, TimeoutError | OSError | ValueError):
                    raise FirstlightError("looking inside took too long, or failed") from None
                raise
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise FirstlightError(answer["error"])
        return answer

    async def exchange(self, question: str) -> bytes:
        process = await self.running()
        assert process.stdin and process.stdout
        process.stdin.write(question.encode())
        await process.stdin.drain()
        line = await process.stdout.readline()
        if not line:
            raise OSError
        self.leaving = asyncio.get_running_loop().call_later(SECONDS_IDLE, self.kill)
        return line

    async def running(self) -> asyncio.subprocess.Process:
        if self.process is None or self.process.returncode is not None:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "firstlight.serve.tf_worker"),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                limit=LONGEST_ANSWER,
            )
        return self.process

    def kill(self) -> None:
        if self.process and self.process.returncode is None:
            self.process.kill()
        self.process = None

    async def close(self) -> None:
        process = self.process
        if self.leaving:
            self.leaving.cancel()
        self.kill()
        if process:
            await process.wait()
