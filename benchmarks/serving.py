"""How fast the page's server reads drawings, how long a person waits, and how much memory it keeps.

    python benchmarks/serving.py                      a minute; writes results/serving.json
    python benchmarks/serving.py --memory 100000      its memory after so many requests: 20 minutes
    python benchmarks/serving.py --browser            from the lifted pen to the answer on the page
    python benchmarks/serving.py --table              only write the table into its page

Clients are threads of this process. Each has one connection and sends its next request as soon as
it has an answer. A drawing is a sheet of 400×300 pixels with one to three of MNIST's test digits.
Each answer is compared with the answer to the same drawing sent alone, so that a lost answer, or
one that went to another client, is found.

`--browser` needs Chromium and Playwright. A digit is drawn with the mouse, and two times are taken:
from the lifted pen to the answer on the page (often 0: the answer is there before the pen is
lifted), and from the request to its answer on the page.
"""

import argparse
import http.client
import json
import shutil
import statistics
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
from report import RESULTS, circumstances, into_page, processor

from firstlight.datasets import mnist

FILE = RESULTS / "serving.json"
CLIENTS = (1, 8, 64)
SECONDS = 15.0  # for each number of clients
DRAWINGS = 100
STROKES = {  # digits as a mouse draws them, in a box from 0 to 1
    "1": [(0.5, 0.02), (0.5, 0.98)],
    "7": [(0.1, 0.05), (0.9, 0.05), (0.4, 0.98)],
}
ROUNDS = 5  # in which each digit is drawn once
WATCH_PAGE = """() => {
  const page = document.querySelector(".page");
  addEventListener("pointerup", () => (window.lifted = performance.now()), true);
  const onAnswer = () => (window.answered = performance.now());
  const options = { attributes: true, attributeFilter: ["data-answer-milliseconds"] };
  new MutationObserver(onAnswer).observe(page, options);
}"""


class Client:
    """One connection to the server, with the headers that its page sends."""

    def __init__(self, port: int) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        page = self.send("GET", "/", None, {}).decode()
        self.headers = {
            "Content-Type": "image/x-portable-graymap",
            "Origin": f"http://127.0.0.1:{port}",
            "X-Firstlight-Token": page.partition('name="token" content="')[2].partition('"')[0],
        }

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> bytes:
        self.connection.request(method, path, body, headers)
        response = self.connection.getresponse()
        content = response.read()
        assert response.status == 200, content
        return content

    def read(self, drawing: bytes) -> bytes:
        return self.send("POST", "/api/read", drawing, self.headers)


@contextmanager
def running_server() -> Iterator[tuple[int, int]]:
    """A server's process id and port."""
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        url = json.loads(process.stdout.readline())["url"]
        yield process.pid, int(url.rpartition(":")[2].strip("/"))
        process.send_signal(2)


def make_drawings() -> list[bytes]:
    images = mnist.load("test").images
    chance = np.random.default_rng(0)
    drawings = []
    for _ in range(DRAWINGS):
        sheet = np.zeros((300, 400), np.uint8)
        for position in range(chance.integers(1, 4)):
            side = int(chance.integers(84, 120))
            image = Image.fromarray(images[chance.integers(len(images)), ..., 0])
            y, x = int(chance.integers(5, 300 - side)), 5 + 130 * position
            sheet[y : y + side, x : x + side] = image.resize((side, side), Image.Resampling.BICUBIC)
        drawings.append(b"P5 400 300 255\n" + (255 - sheet).tobytes())
    return drawings


def measure_load(port: int, clients: int, expected: dict[bytes, bytes]) -> dict[str, Any]:
    """Let `clients` clients send requests for SECONDS; `expected` is drawing → answer."""
    drawings = list(expected)
    end = time.perf_counter() + SECONDS

    def run_client(first: int) -> tuple[list[float], int]:
        client = Client(port)
        waits: list[float] = []
        wrong = 0
        while (start := time.perf_counter()) < end:
            drawing = drawings[(first + len(waits)) % len(drawings)]
            answer = client.read(drawing)
            waits.append(time.perf_counter() - start)
            wrong += answer != expected[drawing]
        return waits, wrong

    start = time.perf_counter()
    with ThreadPoolExecutor(clients) as threads:
        results = list(threads.map(run_client, range(clients)))
    seconds = time.perf_counter() - start
    waits = np.concatenate([each for each, _ in results])
    return {
        "clients": clients,
        "requests": len(waits),
        "per_second": round(len(waits) / seconds, 1),
        "p50_ms": round(1000 * float(np.percentile(waits, 50)), 1),
        "p99_ms": round(1000 * float(np.percentile(waits, 99)), 1),
        "lost_or_mixed_up": sum(wrong for _, wrong in results),
    }


def measure_speed() -> dict[str, Any]:
    drawings = make_drawings()
    start = time.perf_counter()
    with running_server() as (_, port):
        client = Client(port)
        client.read(drawings[0])
        seconds_to_start = time.perf_counter() - start
        expected = {drawing: client.read(drawing) for drawing in drawings}
        load = [measure_load(port, clients, expected) for clients in CLIENTS]
    packages = ("starlette", "uvicorn", "onnxruntime")
    return {
        "start_to_first_answer_s": round(seconds_to_start, 2),
        "load": load,
        "processor": processor(),
        "versions": {name: metadata.version(name) for name in packages},
    }


def measure_memory(requests: int) -> dict[str, Any]:
    """The server's memory in MB after 1,000 requests and after all of them."""
    drawings = make_drawings()
    megabytes = {}
    with running_server() as (pid, port):
        client = Client(port)
        for number in range(1, requests + 1):
            client.read(drawings[number % len(drawings)])
            if number in (1000, requests):
                megabytes[str(number)] = resident_memory(pid)
    return {"memory_mb": megabytes}


def resident_memory(pid: int) -> float:
    """The memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return round(int(line.split()[1]) / 1024, 1)


def measure_browser() -> dict[str, Any]:
    """Median milliseconds in Chromium."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    lifted_to_shown, asked_to_shown = [], []
    with running_server() as (_, port), sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1600, "height": 900})
        page.goto(f"http://127.0.0.1:{port}/")
        page.get_by_text("nothing drawn").wait_for()
        page.evaluate(WATCH_PAGE)
        for digit in [*STROKES] * ROUNDS:
            draw(page, digit)
            page.locator(".headline", has_text=digit).wait_for()
            page.wait_for_load_state("networkidle")
            lifted_to_shown.append(max(0.0, page.evaluate("answered - lifted")))
            milliseconds = page.locator(".page").get_attribute("data-answer-milliseconds")
            asked_to_shown.append(float(milliseconds or "nan"))
            page.get_by_role("button", name="Clear").click()
            page.get_by_text("nothing drawn").wait_for()
        first_paint = page.evaluate("performance.getEntriesByType('paint')[0].startTime")
        browser.close()
    medians = {
        "pen_lifted_to_answer_ms": statistics.median(lifted_to_shown),
        "asked_to_answer_ms": statistics.median(asked_to_shown),
        "first_paint_ms": first_paint,
    }
    return {"browser": {name: round(value, 1) for name, value in medians.items()}}


def draw(page: Any, digit: str) -> None:
    sheet = page.locator("canvas.pad").bounding_box()
    left, top = sheet["x"] + 0.35 * sheet["width"], sheet["y"] + 0.2 * sheet["height"]
    width, height = 0.22 * sheet["width"], 0.55 * sheet["height"]
    first, *others = [(left + x * width, top + y * height) for x, y in STROKES[digit]]
    page.mouse.move(*first)
    page.mouse.down()
    for point in others:
        page.mouse.move(*point, steps=10)
    page.mouse.up()


def table(result: dict[str, Any]) -> str:
    lines = [
        "| clients | drawings per second | p50, ms | p99, ms | answers lost or swapped |",
        "|--:|--:|--:|--:|--:|",
    ]
    for row in result["load"]:
        numbers = (row["clients"], row["per_second"], row["p50_ms"], row["p99_ms"])
        lost = f"{row['lost_or_mixed_up']} of {row['requests']:,}"
        lines.append(f"| {' | '.join(map(str, numbers))} | {lost} |")
    memory = result.get("memory_mb", {})
    memory_text = ", ".join(f"{mb:.0f} MB after {int(n):,} requests" for n, mb in memory.items())
    if memory_text:
        memory_text = f"Memory of the server: {memory_text}."
    start = f"From the server's start to the first answer: {result['start_to_first_answer_s']} s."
    lines += ["", f"{start} {memory_text}".strip()]
    if browser := result.get("browser"):
        lines += [
            "",
            f"In Chromium, medians of {len(STROKES) * ROUNDS} drawings: "
            f"{browser['pen_lifted_to_answer_ms']:.0f} ms from lifting the pen to the answer "
            f"on the page, {browser['asked_to_answer_ms']:.0f} ms from the request to the answer; "
            f"the first paint is after {browser['first_paint_ms']:.0f} ms.",
        ]
    return "\n".join([*lines, "", circumstances(result["processor"], result["versions"])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--memory", type=int, default=0, metavar="N", help="only its memory after N requests"
    )
    parser.add_argument("--browser", action="store_true", help="only the waiting in a browser")
    parser.add_argument("--table", action="store_true", help="only write the table into its page")
    arguments = parser.parse_args()
    result = json.loads(FILE.read_text("utf-8")) if FILE.exists() else {}
    if (arguments.memory or arguments.browser) and not result:
        parser.error("run it without flags first: all results stand in one table")
    if arguments.memory:
        result |= measure_memory(arguments.memory)
    if arguments.browser:
        result |= measure_browser()
    if not (arguments.memory or arguments.browser or arguments.table):
        result |= measure_speed()
    FILE.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    text = table(result)
    into_page("serving", text)
    print(text)


if __name__ == "__main__":
    main()
