"""How many drawings the page's server reads in a second, how long each waits, and what it keeps.

    python benchmarks/serving.py                      a minute; writes results/serving.json
    python benchmarks/serving.py --memory 100000      its memory after so many requests: 20 minutes
    python benchmarks/serving.py --table              only write the table into README

Clients are threads of this process, each with one connection, asking as soon as it is answered. A
drawing is a sheet of 400×300 pixels with one to three of MNIST's test digits; each answer is
compared with the one that the drawing got alone, so none may be lost or go to another client.
"""

import argparse
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from report import RESULTS, circumstances, into_readme, processor

from firstlight.datasets import mnist

FILE = RESULTS / "serving.json"
CLIENTS = (1, 8, 64)
SECONDS = 15.0  # for each number of clients
DRAWINGS = 100


class Client:
    """One connection to the server, with the headers that its page sends."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        page = self.ask("GET", "/", None, {}).decode()
        token = page.partition('name="token" content="')[2].partition('"')[0]
        kind, origin = "image/x-portable-graymap", f"http://127.0.0.1:{port}"
        self.own = {"Content-Type": kind, "Origin": origin, "X-Firstlight-Token": token}

    def ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        told = response.read()
        assert response.status == 200, told
        return told

    def read(self, drawing: bytes) -> bytes:
        return self.ask("POST", "/api/read", drawing, self.own)


@contextmanager
def served() -> Iterator[tuple[int, int]]:
    """A server's process id and port."""
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["url"]
        yield process.pid, int(url.rpartition(":")[2].strip("/"))
        process.send_signal(2)


def drawings() -> list[bytes]:
    images = mnist.load("test").images
    chance, found = np.random.default_rng(0), []
    for _ in range(DRAWINGS):
        sheet = np.zeros((300, 400), np.uint8)
        for place in range(chance.integers(1, 4)):
            side = int(chance.integers(84, 120))
            image = Image.fromarray(images[chance.integers(len(images)), ..., 0])
            y, x = int(chance.integers(5, 300 - side)), 5 + 130 * place
            sheet[y : y + side, x : x + side] = image.resize((side, side), Image.Resampling.BICUBIC)
        found.append(b"P5 400 300 255\n" + (255 - sheet).tobytes())
    return found


def load(port: int, count: int, sheets: list[bytes], alone: list[bytes]) -> dict[str, Any]:
    """So many clients asking for a while."""
    until = time.perf_counter() + SECONDS

    def ask(number: int) -> tuple[list[float], int]:
        client, waits, wrong = Client(port), [], 0
        at = number
        while (began := time.perf_counter()) < until:
            told = client.read(sheets[at % len(sheets)])
            waits.append(time.perf_counter() - began)
            wrong += told != alone[at % len(sheets)]
            at += 1
        return waits, wrong

    began = time.perf_counter()
    with ThreadPoolExecutor(count) as clients:
        results = list(clients.map(ask, range(count)))
    waits = np.array([wait for each, _ in results for wait in each])
    return {
        "clients": count,
        "requests": len(waits),
        "per_second": round(len(waits) / (time.perf_counter() - began), 1),
        "p50_ms": round(1000 * float(np.percentile(waits, 50)), 1),
        "p99_ms": round(1000 * float(np.percentile(waits, 99)), 1),
        "lost_or_mixed_up": sum(wrong for _, wrong in results),
    }


def memory(pid: int) -> float:
    """Of the server's process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def memory_after(pid: int, port: int, sheets: list[bytes], requests: int) -> dict[str, float]:
    client, found = Client(port), {}
    for number in range(1, requests + 1):
        client.read(sheets[number % len(sheets)])
        if number in (1000, requests):
            found[str(number)] = memory(pid)
    return found


def measure(requests: int) -> dict[str, Any]:
    """Its memory after so many requests; speed and waiting where none are asked for."""
    sheets = drawings()
    began = time.perf_counter()
    with served() as (pid, port):
        first = Client(port)
        first.read(sheets[0])
        start = round(time.perf_counter() - began, 2)
        if requests:
            return {"memory_mb": memory_after(pid, port, sheets, requests)}
        alone = [first.read(sheet) for sheet in sheets]
        found = [load(port, count, sheets, alone) for count in CLIENTS]
    return {"start_to_first_answer_s": start, "load": found} | {
        "processor": processor(),
        "versions": {
            name: metadata.version(name) for name in ("starlette", "uvicorn", "onnxruntime")
        },
    }


def table(found: dict[str, Any]) -> str:
    lines = [
        "| clients | drawings a second | p50, ms | p99, ms | lost or mixed up |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in found["load"]:
        numbers = (row["clients"], row["per_second"], row["p50_ms"], row["p99_ms"])
        lost = f"{row['lost_or_mixed_up']} of {row['requests']:,}"
        lines.append(f"| {' | '.join(map(str, numbers))} | {lost} |")
    memory_mb = found.get("memory_mb", {})
    kept = ", ".join(f"{mb:.0f} MB after {int(n):,} requests" for n, mb in memory_mb.items())
    lines += [
        "",
        f"Server start to first answer: {found['start_to_first_answer_s']} s. {kept}".strip(),
    ]
    return "\n".join([*lines, "", circumstances(found["processor"], found["versions"])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--memory", type=int, default=0, metavar="N", help="memory alone, after so many requests"
    )
    parser.add_argument("--table", action="store_true", help="only write the table into README")
    arguments = parser.parse_args()
    found = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    if arguments.memory and not found:
        parser.error("first without --memory: speed and memory stand in one table")
    if not arguments.table:
        found |= measure(arguments.memory)
        FILE.write_text(json.dumps(found, indent=2) + "\n", "utf-8")
    into_readme("serving", table(found))
    print(table(found))


if __name__ == "__main__":
    main()
