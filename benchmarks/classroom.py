"""A class uses the page: 30 pupils open it at once, and then draw for half a minute.

    python benchmarks/classroom.py                a minute; writes results/classroom.json
    python benchmarks/classroom.py --table        only write the table into its page

Pupils are threads of this process, which shares its processor cores with the server. Each opens the
page as a browser does, with six connections: all files of the page, the first chapter with its
pictures, and the examples of the first graph. All of them begin at the same moment. After a reload,
each sends the same requests again, with the ETags that it has got.

Then each draws: two seconds with a moving pen, two seconds of looking at the answer, and so on. The
pen moves eight times a second, and each movement asks for an answer, as the page does: while an
answer is awaited, further movements wait, and then the newest drawing is sent. A drawing is a sheet
of 400×300 pixels with one to three of MNIST's test digits.
"""

import argparse
import gzip
import http.client
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from importlib import metadata
from importlib.resources import files
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from report import RESULTS, circumstances, into_page, processor
from serving import make_drawings

FILE = RESULTS / "classroom.json"
PUPILS = 30
CONNECTIONS = 6  # that a browser opens to one host
CHAPTER = "/api/chapters/1-a-first-graph"
EXAMPLES = ("/data/mnist-train.bin.gz", "/data/mnist-val.bin.gz")
SECONDS = 30.0
SECONDS_DRAWING, SECONDS_LOOKING = 2.0, 2.0
MOVEMENTS_PER_SECOND = 8


@dataclass(frozen=True)
class Server:
    """A server that is running."""

    pid: int
    host: str  # with the port
    token: str


@dataclass
class Pupil:
    """A browser: what it has got, how long it has waited, and what went wrong."""

    server: Server
    etags: dict[str, str] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)  # seconds, one for each drawing
    opened: list[float] = field(default_factory=list)  # seconds, for each opening of the page
    received: int = 0  # bytes of bodies, as they were sent over the network
    sent: int = 0
    errors: list[str] = field(default_factory=list)
    counting: threading.Lock = field(default_factory=threading.Lock)

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self.server.host, timeout=120)

    def send(
        self,
        connection: http.client.HTTPConnection,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Send a request, and count it; return the answer's body, decompressed."""
        known = {"If-None-Match": self.etags[path]} if path in self.etags else {}
        own = {"X-Firstlight-Token": self.server.token, "Accept-Encoding": "gzip"}
        connection.request("POST" if body else "GET", path, body, own | known | (headers or {}))
        response = connection.getresponse()
        content = response.read()
        with self.counting:
            self.received += len(content)
            self.sent += len(body or b"")
        if response.status not in (200, 304):
            self.errors.append(f"{path}: {response.status} {content[:80].decode()}")
        if etag := response.headers["ETag"]:
            self.etags[path] = etag
        is_zipped = response.headers["Content-Encoding"] == "gzip"
        return gzip.decompress(content) if is_zipped else content

    def open_page(self, paths: list[str]) -> None:
        """Ask for all paths, over several connections at once, as a browser does."""
        waiting = SimpleQueue[str]()
        for path in paths:
            waiting.put(path)

        def load() -> None:
            connection = self.connect()
            with suppress(Empty):
                while True:
                    self.send(connection, waiting.get_nowait())
            connection.close()

        start = time.perf_counter()
        with ThreadPoolExecutor(CONNECTIONS) as connections:
            for done in [connections.submit(load) for _ in range(CONNECTIONS)]:
                done.result()
        self.opened.append(time.perf_counter() - start)

    def draw(self, movements: list[list[bytes]], begin: float) -> None:
        """Draw from the time `begin` on, for SECONDS; each drawing is one list of movements."""
        connection = self.connect()
        for number in range(int(SECONDS / (SECONDS_DRAWING + SECONDS_LOOKING))):
            start = begin + number * (SECONDS_DRAWING + SECONDS_LOOKING)
            self.draw_digits(connection, movements[number % len(movements)], start)
        connection.close()

    def draw_digits(
        self, connection: http.client.HTTPConnection, moments: list[bytes], start: float
    ) -> None:
        """Send the sheet for each movement of the pen, or the newest if an answer was late."""
        done = 0
        while done < len(moments):
            time.sleep(max(0.0, start + done / MOVEMENTS_PER_SECOND - time.perf_counter()))
            asked = time.perf_counter()
            done = min(len(moments), int((asked - start) * MOVEMENTS_PER_SECOND) + 1)
            self.send(connection, "/api/read", moments[done - 1], drawing_headers(self.server))
            self.waits.append(time.perf_counter() - asked)


def drawing_headers(server: Server) -> dict[str, str]:
    return {
        "Content-Type": "image/x-portable-graymap",
        "Content-Encoding": "gzip",
        "Origin": f"http://{server.host}",
    }


@contextmanager
def class_server() -> Iterator[Server]:
    """A server as a teacher starts it."""
    command = [sys.executable, "-m", "firstlight", "serve", "--host", "0.0.0.0", "--port", "0"]
    with subprocess.Popen([*command, "--read-only", "--json"], stdout=subprocess.PIPE) as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        yield Server(process.pid, urlsplit(printed["url"]).netloc, printed["token"])
        process.send_signal(2)


def paths_of_page(server: Server) -> list[str]:
    """Return what the page asks for until the first chapter and the first graph are shown."""
    names = {file.name for file in files("firstlight.serve").joinpath("page").iterdir()}
    page = [f"/page/{name}" for name in names - {"index.html"}]
    probe = Pupil(server)
    with closing(probe.connect()) as connection:
        chapter = json.loads(probe.send(connection, CHAPTER))["html"]
    pictures = [f"/{path}" for path in re.findall(r'src="(pictures/[^"]+)"', chapter)]
    return ["/", *sorted(page), "/api/about", "/api/chapters", CHAPTER, *pictures, *EXAMPLES]


def movements(drawing: bytes) -> list[bytes]:
    """Return a sheet while it is drawn, more and more of its columns, compressed as it is sent."""
    header, width, height = b"P5 400 300 255\n", 400, 300
    whole = np.frombuffer(drawing[len(header) :], np.uint8).reshape(height, width)
    inked = np.flatnonzero((whole < 255).any(0))
    count = int(SECONDS_DRAWING * MOVEMENTS_PER_SECOND)
    sheets = []
    for end in np.linspace(inked[0], inked[-1] + 1, count + 1)[1:].astype(int):
        sheet = np.where(np.arange(width) < end, whole, np.uint8(255))
        sheets.append(gzip.compress(header + sheet.tobytes(), compresslevel=6))
    return sheets


def memory(pid: int, name: str) -> float:
    """Return a process's memory in MB: now ("VmRSS"), or its largest so far ("VmHWM")."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(name))
    return round(int(line.split()[1]) / 1024, 1)


def total(pupils: list[Pupil], name: str) -> int:
    """Return the bytes that all pupils have "received" or "sent" so far."""
    return sum(getattr(pupil, name) for pupil in pupils)


def measure_opening(pupils: list[Pupil], paths: list[str]) -> dict[str, Any]:
    """Let all pupils open the page at the same moment."""
    before = total(pupils, "received")
    with ThreadPoolExecutor(PUPILS) as threads:
        list(threads.map(lambda pupil: pupil.open_page(paths), pupils))
    return {
        "requests": len(paths),
        "slowest_s": round(max(pupil.opened[-1] for pupil in pupils), 2),
        "bytes_per_pupil": (total(pupils, "received") - before) // PUPILS,
    }


def measure_drawing(pupils: list[Pupil], drawings: list[list[bytes]]) -> dict[str, Any]:
    """Let all pupils draw; they begin one after the other, within the first four seconds."""
    received, sent = total(pupils, "received"), total(pupils, "sent")
    begin = time.perf_counter()
    seconds_apart = (SECONDS_DRAWING + SECONDS_LOOKING) / PUPILS

    def draw(number: int) -> None:
        own = drawings[number:] + drawings[:number]
        pupils[number].draw(own, begin + number * seconds_apart)

    with ThreadPoolExecutor(PUPILS) as threads:
        list(threads.map(draw, range(PUPILS)))
    waits = 1000 * np.concatenate([pupil.waits for pupil in pupils])
    return {
        "requests": len(waits),
        "p50_ms": round(float(np.percentile(waits, 50)), 1),
        "p99_ms": round(float(np.percentile(waits, 99)), 1),
        "worst_ms": round(float(waits.max()), 1),
        "sent_per_request": (total(pupils, "sent") - sent) // len(waits),
        "received_per_request": (total(pupils, "received") - received) // len(waits),
    }


def measure() -> dict[str, Any]:
    drawings = [movements(drawing) for drawing in make_drawings()]
    with class_server() as server:
        before = memory(server.pid, "VmRSS")
        paths = paths_of_page(server)
        pupils = [Pupil(server) for _ in range(PUPILS)]
        opening = [measure_opening(pupils, paths) for _ in range(2)]  # then they reload it
        drawing = measure_drawing(pupils, drawings)
        peak = memory(server.pid, "VmHWM")
    return {
        "pupils": PUPILS,
        "opening": opening,
        "drawing": drawing,
        "errors": [error for pupil in pupils for error in pupil.errors],
        "memory_mb": {"before": before, "peak": peak},
        "processor": processor(),
        "versions": {name: metadata.version(name) for name in ("starlette", "uvicorn")},
    }


def table(result: dict[str, Any]) -> str:
    first, again = result["opening"]
    drawing, mb = result["drawing"], result["memory_mb"]
    lines = [
        f"| {result['pupils']} pupils at once | requests of each | KB to each | slowest pupil, s |",
        "|---|--:|--:|--:|",
    ]
    for name, row in (("open the page", first), ("reload it", again)):
        kilobytes = row["bytes_per_pupil"] / 1000
        lines.append(f"| {name} | {row['requests']} | {kilobytes:,.0f} | {row['slowest_s']} |")
    lines += [
        "",
        "| answers while they draw | p50, ms | p99, ms | worst, ms | KB sent | KB received |",
        "|--:|--:|--:|--:|--:|--:|",
        f"| {drawing['requests']:,} | {drawing['p50_ms']} | {drawing['p99_ms']} "
        f"| {drawing['worst_ms']} | {drawing['sent_per_request'] / 1000:.1f} "
        f"| {drawing['received_per_request'] / 1000:.1f} |",
        "",
        f"Errors: {len(result['errors'])}. Memory of the server: {mb['before']:.0f} MB before, "
        f"{mb['peak']:.0f} MB at most. Pupils and server share the processor's cores.",
        "",
        circumstances(result["processor"], result["versions"]),
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true", help="only write the table into its page")
    arguments = parser.parse_args()
    if not arguments.table:
        FILE.write_text(json.dumps(measure(), indent=2) + "\n", "utf-8")
    text = table(json.loads(FILE.read_text("utf-8")))
    into_page("classroom", text)
    print(text)


if __name__ == "__main__":
    main()
