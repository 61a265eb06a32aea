"""Which accessibility problems axe-core finds in each state of the page, the site and a file.

    python benchmarks/accessibility.py HOME [--pictures DIR]    writes results/accessibility.json

HOME is a folder in which three runs are trained at the first call (two minutes): the first graph, a
convnet, and a network for photographs if `--pictures` names a folder of them. Each state is looked
at 1,280 and 390 pixels wide, in light and in dark. It needs Chromium, Playwright, and npm, which
fetches axe-core.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright
from report import RESULTS, processor

from firstlight.chapters.chapter import chapters

FILE = RESULTS / "accessibility.json"
AXE_VERSION = "4.14.1"
VIEWPORTS = ((1280, 900), (390, 844))
SCHEMES = ("light", "dark")
SEVEN = "ink=4y3cbi3caw5cac7ca08w9kb4"  # a 7, as the page writes it into its address
RUN_AXE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.map(({ id, help, nodes }) => `${id}: ${help}: ${nodes[0].html.slice(0, 160)}`);
}"""
GOING = "going-on"  # a run that is trained all the while
Act = Callable[[Any], None]


@dataclass(frozen=True)
class State:
    """A state of the page: its address, what shows that it is there, and what is done then."""

    name: str
    address: str
    ready: str  # a CSS selector
    act: Act | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("home", type=Path)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--only", default="", help="states whose name begins so")
    arguments = parser.parse_args()
    arguments.home.mkdir(parents=True, exist_ok=True)
    train_runs(arguments.home, arguments.pictures)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        axe = axe_source(Path(folder))
        browser = driver.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        found = look_at_page(browser, axe, arguments)
        found |= look_at_site(browser, axe, arguments)
        browser.close()
    problems = sum(len(each) for each in found.values())
    print(f"{problems} problems in {len(found)} looks")
    if not arguments.only:
        document = {
            "axe": AXE_VERSION,
            "chromium": browser.version,
            "processor": processor(),
            "firstlight": metadata.version("firstlight"),
            "looks": len(found),
            "problems": {name: each for name, each in found.items() if each},
        }
        FILE.write_text(json.dumps(document, indent=1) + "\n")


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "no chromium: apt-get install chromium"
    return found


def axe_source(folder: Path) -> str:
    """Return axe-core's program, which npm fetches."""
    subprocess.run(
        ["npm", "pack", "--silent", f"axe-core@{AXE_VERSION}"],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    shutil.unpack_archive(folder / f"axe-core-{AXE_VERSION}.tgz", folder, "gztar")
    return (folder / "package" / "axe.min.js").read_text()


# --- What is looked at ------------------------------------------------------------------------


def firstlight(home: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "firstlight", *arguments]
    subprocess.run(command, cwd=home, check=True, capture_output=True)


def train_runs(home: Path, pictures: Path | None) -> None:
    """Train and evaluate the runs that do not exist yet."""
    trainings = {
        "first-graph-mnist-1": ["first-graph"],
        "convnet": ["train", "convnet", "--recipe", "quick", "--out", "runs/convnet"],
    }
    if pictures:
        data = ["--data", str(pictures.resolve())]
        trainings["photographs"] = [
            *("train", "lenet5", "--recipe", "pictures", "--steps", "30", *data),
            *("--out", "runs/photographs"),
        ]
    for name, arguments in trainings.items():
        if not (home / "runs" / name).exists():
            firstlight(home, *arguments)
            firstlight(home, "evaluate", f"runs/{name}")


def page_states(photograph: Path, notes: Path) -> list[State]:
    """Return the states of all views."""
    return [
        State("draw, empty", "#draw", ".headline:not(:empty)"),
        State("draw, a digit", f"#draw?{SEVEN}", ".digits article"),
        State("draw, not normalised", f"#draw?{SEVEN}&normalize=off", ".digits article"),
        State("draw, a photograph", "#draw", ".headline:not(:empty)", opened(photograph)),
        State("draw, a file that is no picture", "#draw", ".headline:not(:empty)", opened(notes)),
        State("learn, all chapters", "#learn", ".contents a"),
        *(
            State(f"learn, {chapter.name}", f"#learn?chapter={chapter.name}", "article", unfolded)
            for chapter in chapters()
        ),
        State("inside, empty", "#inside", ".layers"),
        State("inside, the reader", f"#inside?{SEVEN}&by=reader", ".input-card canvas"),
        State("inside, first graph", f"#inside?{SEVEN}&run=first-graph-mnist-1", ".flow button"),
        *(
            State(f"inside, {layer}", f"#inside?{SEVEN}&run=convnet&layer={layer}", ".flow button")
            for layer in ("conv1", "conv3", "output")
        ),
        State("first graph", "#first", ".samples > div"),
        State("first graph, 30 steps", "#first?rate=0.5&steps=30", ".samples > div"),
        State("train", "#train", "select:has(option)"),
        State("train, a run that is done", "#train?run=convnet", ".numbers b"),
        State("train, a training that goes on", f"#train?run={GOING}", ".numbers b"),
        State("train, photographs", "#train?run=photographs", ".numbers b"),
        State("runs", "#runs", "tbody tr"),
        State("runs, compared", "#runs?show=convnet,first-graph-mnist-1", "svg"),
        State("runs, mistakes", "#runs?run=convnet", "tbody tr", waited),
        State("runs, mistakes of photographs", "#runs?run=photographs", "tbody tr", waited),
    ]


def opened(file: Path) -> Act:
    def act(page: Any) -> None:
        page.locator("input[type=file]").first.set_input_files(str(file))
        page.wait_for_timeout(1500)

    return act


def waited(page: Any) -> None:
    page.wait_for_timeout(1500)


def unfolded(page: Any) -> None:
    """Open all that is folded, and scroll through the text, so that its live parts appear."""
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    height = page.evaluate("document.documentElement.scrollHeight")
    for top in range(0, height, 800):
        page.evaluate(f"scrollTo(0, {top})")
        page.wait_for_timeout(50)
    page.wait_for_timeout(800)


# --- Looking ----------------------------------------------------------------------------------


def look_at_page(browser: Any, axe: str, arguments: argparse.Namespace) -> dict[str, list[str]]:
    photograph, notes = arguments.home / "seven.png", arguments.home / "notes.txt"
    write_photograph(photograph)
    notes.write_text("no picture")
    with a_training(arguments.home), serving(arguments.home) as url:
        return look_at_all(browser, axe, url, page_states(photograph, notes), arguments.only)


def look_at_site(browser: Any, axe: str, arguments: argparse.Namespace) -> dict[str, list[str]]:
    """Look at each page of the static site, and at a network in one file."""
    home = arguments.home
    firstlight(home, "site", "site")
    file = ("--out", "exported.html")
    firstlight(home, "export", "runs/convnet", "--format", "html", *file)
    pages = [*sorted(home.glob("site/*.html")), home / "exported.html"]
    states = [
        State(f"site, {page.stem}", page.relative_to(home).as_posix(), "h1", unfolded)
        for page in pages
    ]
    with serving_files(home) as url:
        return look_at_all(browser, axe, url, states, arguments.only)


def look_at_all(
    browser: Any, axe: str, url: str, states: list[State], only: str
) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for width, height in VIEWPORTS:
        for scheme in SCHEMES:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme
            )
            for state in states:
                if not state.name.startswith(only):
                    continue
                name = f"{state.name}, {width} pixels, {scheme}"
                began = time.monotonic()
                found[name] = look(context, axe, url, state)
                seconds = time.monotonic() - began
                print(f"{name}: {len(found[name])} problems, {seconds:.0f} s", file=sys.stderr)
                for problem in found[name]:
                    print(f"{name}: {problem}", flush=True)
            context.close()
    return found


def look(context: Any, axe: str, url: str, state: State) -> list[str]:
    """Return the problems in a state; an error in the page's console is one too."""
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(url + state.address)
    page.wait_for_selector(state.ready, timeout=120_000)
    if state.act:
        state.act(page)
    page.wait_for_timeout(300)
    page.evaluate(axe)
    problems += page.evaluate(RUN_AXE)
    page.close()
    return problems


@contextmanager
def a_training(home: Path) -> Iterator[None]:
    """Train a network until the end of the block."""
    shutil.rmtree(home / "runs" / GOING, ignore_errors=True)
    command = [sys.executable, "-m", "firstlight", *("train", "softmax", "--epochs", "9999")]
    command += ["--out", f"runs/{GOING}", "-q"]
    with subprocess.Popen(command, cwd=home, stderr=subprocess.DEVNULL) as process:
        while not (home / "runs" / GOING / "metrics.jsonl").exists():
            time.sleep(0.5)
        yield
        process.terminate()


@contextmanager
def serving(home: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, cwd=home, stdout=subprocess.PIPE) as process:
        assert process.stdout
        yield json.loads(process.stdout.readline())["url"]
        process.send_signal(2)


@contextmanager
def serving_files(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def write_photograph(file: Path) -> None:
    """Write a picture of a 7 in dark ink on light paper."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (640, 480), (225, 222, 215))
    pen = ImageDraw.Draw(picture)
    pen.line([(220, 120), (400, 120), (290, 380)], fill=(30, 34, 60), width=18, joint="curve")
    picture.save(file)


if __name__ == "__main__":
    main()
