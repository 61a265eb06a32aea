"""What the page may train on: it looks at data before a training, as `firstlight data check` does.

Pictures are decoded in a process of their own, which ends when the time is over. A path is on the
server's own disk. So it is only taken by a server that nobody else reaches.
"""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, TypedDict

from starlette.exceptions import HTTPException

from firstlight import catalog
from firstlight.catalog import NetworkEntry
from firstlight.errors import DataError, FirstlightError, UsageError
from firstlight.images.crops import Size
from firstlight.settings import too_few_classes

SECONDS_TO_CHECK = 100.0  # less than the guard's limit
MAX_PATH_LENGTH = 4096
MAX_FAULTS_SHOWN = 20
SMALL_SIDE = 32  # pixels: arrays this small or smaller are for the networks of 28 or 32 pixels
HAS_FAULTS = 3  # the exit code of `data check`


class DataJson(TypedDict):
    data: str  # its name
    location: str  # what `firstlight train --data` takes: a name, or an absolute path
    pictures: bool  # whether it is a folder of pictures
    classes: dict[str, int]  # name → number of examples
    examples: int
    splits: dict[str, int]  # name → number of examples
    faults: list[dict[str, str]]  # at most MAX_FAULTS_SHOWN of them: file, problem
    fault_count: int
    near_copies: list[dict[str, str]]  # at most MAX_FAULTS_SHOWN: file, like
    near_copy_count: int
    remarks: list[str]  # how the data was understood
    recipes: dict[str, list[str]]  # network → its recipes for such data, the default first


class DataChecks:
    """The data that this server has looked at.

    Args:
        private: whether others reach this server.
    """

    def __init__(self, private: bool) -> None:
        self.private = private
        self.found: dict[str, DataJson] = {}  # by location
        self.lock = asyncio.Lock()  # held while a process looks at data: one at a time
        self.process: asyncio.subprocess.Process | None = None  # that looks at data, or has

    async def look(self, data: Any) -> DataJson:
        """Look at data by its name or path.

        Raises:
            UsageError: it is no name or path, or has fewer than two classes.
            DataError: it does not exist or cannot be read.
            HTTPException: a path on a server that others reach (403).
        """
        location = self.location(data)
        if location not in self.found or Path(location).is_absolute():  # a folder may change
            async with self.lock:
                found = await self.check(location)
            refuse_single_class(found)
            self.found[location] = found
        return self.found[location]

    async def known(self, data: Any) -> DataJson:
        """Return what was found when data was last looked at, or look. Raises what `look` does."""
        return self.found.get(self.location(data)) or await self.look(data)

    def location(self, data: Any) -> str:
        """Return a dataset's name, or the absolute path that is meant. It opens nothing."""
        names = [entry.name for entry in catalog.datasets()]
        if data in names:
            return str(data)
        if not isinstance(data, str) or not data.strip() or len(data) > MAX_PATH_LENGTH:
            raise UsageError(f"data is {str(data)[:40]!r}; give the path of data, or a name")
        if self.private:
            raise HTTPException(
                403,
                "this server is open to others, so it opens no path of its disk: train on "
                f"{' or '.join(names)}, or start `firstlight serve` on your own machine",
            )
        if not data.isprintable():
            raise UsageError(f"data is {data[:40]!r}; a path has no such characters")
        try:
            return str(Path(data.strip().strip("\"'")).expanduser().resolve())
        except (OSError, ValueError, RuntimeError) as error:
            raise DataError(f"{data[:80]}: not a path that can be used ({error})") from None

    async def check(self, location: str) -> DataJson:
        """Run `firstlight data check`.

        Raises:
            DataError: the data does not exist, or cannot be read.
            FirstlightError: it takes longer than SECONDS_TO_CHECK.
        """
        self.process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-P", "-m", "firstlight", "data", "check", "--json", "--quiet", "--", location),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C in the server's terminal must not reach it
        )
        output, errors = await printed_in_time(process, location)
        if process.returncode not in (0, HAS_FAULTS):
            raise DataError(problem(errors.decode(errors="replace")))
        return described(json.loads(output), location)

    def close(self) -> None:
        """End the process that looks at data: who waits for it gets an error."""
        if self.process and self.process.returncode is None:
            self.process.kill()


async def printed_in_time(
    process: asyncio.subprocess.Process, location: str
) -> tuple[bytes, bytes]:
    """Return what the process prints on stdout and on stderr; kill it when the time is over.

    Raises:
        FirstlightError: it takes longer than SECONDS_TO_CHECK.
    """
    try:
        async with asyncio.timeout(SECONDS_TO_CHECK):
            return await process.communicate()
    except TimeoutError:
        raise FirstlightError(
            f"{location}: looking at it takes more than {SECONDS_TO_CHECK:.0f} seconds; train it "
            f"in a terminal: firstlight train NETWORK --data {location}"
        ) from None
    finally:
        if process.returncode is None:
            process.kill()


def refuse_single_class(found: DataJson) -> None:
    """Raises UsageError if there is nothing to tell apart: the message has the first fault."""
    if len(found["classes"]) < 2:
        of_files = [fault for fault in found["faults"] if fault["file"] != found["data"]]
        first = "".join(f"; {fault['file']}: {fault['problem']}" for fault in of_files[:1])
        raise UsageError(too_few_classes(found["location"], list(found["classes"])) + first)


def problem(errors: str) -> str:
    """Return what the last line on stderr says, without the program's name."""
    lines = errors.strip().splitlines() or ["it could not be read"]
    return lines[-1].removeprefix("firstlight: ")


def described(checked: dict[str, Any], location: str) -> DataJson:
    """Return what the page shows of a DatasetCheck."""
    size: Size | None = tuple(checked["image_size"]) if checked["image_size"] else None
    return {
        "data": checked["data"],
        "location": location,
        "pictures": size is None,
        "classes": checked["classes"],
        "examples": checked["examples"],
        "splits": checked["splits"],
        "faults": checked["faults"][:MAX_FAULTS_SHOWN],
        "fault_count": len(checked["faults"]),
        "near_copies": checked["near_copies"][:MAX_FAULTS_SHOWN],
        "near_copy_count": len(checked["near_copies"]),
        "remarks": checked["remarks"],
        "recipes": {
            entry.name: list(catalog.suitable_recipes(entry.recipes, pictures=size is None))
            for entry in catalog.networks()
            if suits(entry, size)
        },
    }


def suits(entry: NetworkEntry, size: Size | None) -> bool:
    """Return whether a network suits images of a size; pictures are reduced for any network."""
    if size is None:
        return True
    side = max(SMALL_SIDE, *size[:2])
    return max(entry.input[:2]) <= side and entry.input[2] <= size[2]
