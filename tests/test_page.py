"""The page in a real browser: Chromium, as Debian has it, driven by Playwright."""

import base64
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import cos, pi, sin
from pathlib import Path
from typing import Any

import pytest
from conftest import write_lenet5
from PIL import Image, ImageDraw

from firstlight.datasets import Listing
from firstlight.reading import read
from firstlight.recipe import Recipe
from firstlight.runs.documents import LoggedStep, RunRecord
from firstlight.runs.files import read_json, write_json
from firstlight.runs.run import Run
from firstlight.settings import Settings

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
if not BROWSER and os.environ.get("CI") == "true":
    pytest.exit("the tests of the page need chromium: apt-get install chromium", returncode=1)
playwright = pytest.importorskip("playwright.sync_api", reason="pip install playwright")
if not BROWSER:  # `skip`, not `skipif`: pytest then counts them in a few lines
    pytestmark = pytest.mark.skip(reason="no chromium: apt-get install chromium")

Point = tuple[float, float]
Stroke = list[Point]
DESKTOP, PHONE = {"width": 1600, "height": 900}, {"width": 360, "height": 740}
STARTED = {  # view → what it shows when it has asked the server all that it asks at its start
    "draw": ".headline:not(:empty)",
    "learn": ".contents a",
    "inside": ".layers .quiet",
    "first": ".samples > div",
    "train": "select option",
    "runs": "tbody tr, .no-runs a",
    "share": ".share p",
}


def arc(center: Point, radii: Point, start: float, end: float, *, pieces: int = 14) -> Stroke:
    """A part of an ellipse; angles in turns, clockwise from the right."""
    (x, y), (w, h) = center, radii
    turns = [start + (end - start) * i / pieces for i in range(pieces + 1)]
    return [(x + w * cos(2 * pi * t), y + h * sin(2 * pi * t)) for t in turns]


STROKES: dict[str, list[Stroke]] = {  # in a box from 0 to 1, as a person writes them
    "0": [arc((0.5, 0.5), (0.38, 0.48), -0.25, 0.75)],
    "1": [[(0.5, 0.02), (0.5, 0.98)]],
    "2": [[*arc((0.5, 0.28), (0.36, 0.26), -0.45, 0.1), (0.1, 0.95), (0.92, 0.95)]],
    "3": [
        [*arc((0.45, 0.26), (0.36, 0.24), -0.4, 0.22), *arc((0.45, 0.74), (0.4, 0.24), -0.22, 0.4)]
    ],
    "4": [[(0.55, 0.02), (0.1, 0.65), (0.95, 0.65)], [(0.72, 0.35), (0.72, 1.0)]],
    "5": [[(0.85, 0.03), (0.25, 0.03), (0.2, 0.45), *arc((0.45, 0.68), (0.4, 0.28), -0.3, 0.4)]],
    "6": [[(0.7, 0.02), (0.3, 0.35), (0.15, 0.7), *arc((0.5, 0.72), (0.34, 0.25), 0.45, -0.55)]],
    "7": [[(0.1, 0.05), (0.9, 0.05), (0.4, 0.98)]],
    "8": [
        [*arc((0.5, 0.27), (0.3, 0.24), 0.25, 1.25), *arc((0.5, 0.75), (0.36, 0.24), -0.25, -1.25)]
    ],
    "9": [[*arc((0.48, 0.3), (0.32, 0.27), -0.05, -1.0), (0.8, 0.3), (0.7, 0.98)]],
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the server is started in; it is empty at first."""
    return tmp_path_factory.mktemp("site")


@contextmanager
def serving(home: Path, *flags: str) -> Iterator[str]:
    """The URL of a server that is started as a person starts it."""
    with sharing(home, *flags) as shared:
        yield shared["url"]


@contextmanager
def sharing(home: Path, *flags: str) -> Iterator[dict[str, Any]]:
    """What a server prints that is started as a person starts it."""
    command = [sys.executable, "-m", "firstlight", "serve", "--port", "0", "--json", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=home) as process:
        try:
            assert process.stdout
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(2)


ASK_TENSORFLOW = """() => {
  import("/page/server.js").then((server) => server.post("graph", { network: "softmax" }));
}"""


@pytest.fixture(scope="module")
def site(home: Path, chromium: Any) -> Iterator[str]:
    """One server for all tests; its worker imports TensorFlow while the first tests run."""
    with serving(home) as url:
        warm_up = chromium.new_page()
        warm_up.goto(url)
        warm_up.evaluate(ASK_TENSORFLOW)
        yield url
        warm_up.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


class Watch:
    """Collects what no page may do: print on the console, fail, or ask another host."""

    def __init__(self, site: str) -> None:
        self.own_urls = (site, "blob:" + site.rstrip("/"))
        self.problems: list[str] = []

    def add(self, page: Any) -> None:
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", self.on_request)

    def on_request(self, request: Any) -> None:
        if not request.url.startswith(self.own_urls):
            self.problems.append(request.url)


@pytest.fixture
def open_page(chromium: Any, site: str) -> Iterator[Callable[..., Any]]:
    """open_page("draw", viewport=...) → a page, which is watched (see `Watch`) and closed."""
    contexts, watch = [], Watch(site)

    def call(address: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": DESKTOP} | options)
        contexts.append(context)
        page = context.new_page()
        watch.add(page)
        page.goto(f"{site}#{address}")
        page.wait_for_selector(".page *", state="attached")
        return page

    yield call
    for context in contexts:
        context.close()
    assert watch.problems == []


@pytest.fixture(scope="module")
def shared_sheet(chromium: Any, site: str) -> Iterator[Any]:
    """A page with the view Draw that several tests use one after the other."""
    watch = Watch(site)
    page = chromium.new_page(viewport=DESKTOP)
    watch.add(page)
    page.goto(site)
    yield page
    page.close()
    assert watch.problems == []


@pytest.fixture
def sheet(shared_sheet: Any) -> Any:
    """The view Draw with an empty sheet."""
    button = shared_sheet.get_by_role("button", name="Clear")
    if button.is_enabled():
        button.click()
    expect_headline(shared_sheet, "nothing drawn")
    return shared_sheet


Box = tuple[float, float, float, float]  # left, top, width, height as fractions of the sheet
WIDE_BOX, NARROW_BOX = (0.3, 0.2, 0.25, 0.6), (0.35, 0.2, 0.22, 0.55)


def on_screen(page: Any, stroke: Stroke, box: Box) -> list[Point]:
    """The points of a stroke that is drawn in a box of the sheet, in pixels of the screen."""
    left, top, width, height = box
    sheet = page.locator("canvas.pad").bounding_box()
    return [
        (
            sheet["x"] + sheet["width"] * (left + x * width),
            sheet["y"] + sheet["height"] * (top + y * height),
        )
        for x, y in stroke
    ]


def draw(page: Any, text: str, left: float = 0.1, size: float = 0.55) -> None:
    """Draw digits side by side with the mouse."""
    for position, digit in enumerate(text):
        for stroke in STROKES[digit]:
            box = (left + 0.28 * position, 0.2, size * 0.4, size)
            first, *others = on_screen(page, stroke, box)
            page.mouse.move(*first)
            page.mouse.down()
            for point in others:
                page.mouse.move(*point)
            page.mouse.up()


def expect_headline(page: Any, text: str) -> None:
    """Wait for a headline. The page looks at each frame; `expect` would look once a second."""
    shows = "text => document.querySelector('.headline')?.textContent.trim() === text"
    try:
        page.wait_for_function(shows, arg=text, timeout=15_000)
    except playwright.TimeoutError:
        assert page.locator(".headline").all_text_contents() == [text]


def settle(page: Any) -> None:
    """Wait until the page has handled what has arrived, and has painted."""
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


# --- Draw ------------------------------------------------------------------------------------


@pytest.mark.parametrize("digit", STROKES)
def test_a_drawn_digit_is_read_and_its_answer_is_shown(sheet: Any, digit: str) -> None:
    draw(sheet, digit, left=0.35)
    expect_headline(sheet, digit)
    assert sheet.locator(".digit .bars .bar").count() == 10
    assert sheet.locator(".digit canvas").get_attribute("width") == "28"


def test_several_digits_are_drawn_undone_and_cleared(sheet: Any) -> None:
    draw(sheet, "172")
    expect_headline(sheet, "172")
    assert sheet.locator(".digit").count() == 3
    sheet.get_by_role("button", name="Undo").click()
    expect_headline(sheet, "17")
    sheet.get_by_role("button", name="Clear").click()
    expect_headline(sheet, "nothing drawn")
    assert sheet.locator(".digit").count() == 0 and "ink" not in sheet.url


def test_it_answers_while_the_pen_is_down(sheet: Any) -> None:
    first, *others = on_screen(sheet, STROKES["7"][0], WIDE_BOX)
    sheet.mouse.move(*first)
    sheet.mouse.down()
    for point in others:
        sheet.mouse.move(*point, steps=5)
    expect_headline(sheet, "7")
    sheet.mouse.up()


def test_fingers_draw_and_the_page_does_not_scroll(open_page: Any) -> None:
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True, device_scale_factor=3)
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *point: float) -> None:
        touches = [{"x": point[0], "y": point[1]}] if point else []
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    first, *others = on_screen(page, STROKES["1"][0], (0.3, 0.05, 0.3, 0.9))
    touch("touchStart", *first)
    steps = 12
    for x, y in others:
        for i in range(1, steps + 1):  # upwards and downwards: what would scroll a page
            touch("touchMove", x, first[1] + (y - first[1]) * i / steps)
    touch("touchEnd")
    expect_headline(page, "1")
    assert page.evaluate("scrollY") == 0
    canvas = page.locator("canvas.pad")
    assert canvas.evaluate("c => getComputedStyle(c).touchAction") == "none"
    assert canvas.evaluate("c => c.width") == round(3 * canvas.bounding_box()["width"])


def test_a_pen_draws_and_the_palm_beside_it_does_not(open_page: Any) -> None:
    page = open_page(has_touch=True)
    hand = page.context.new_cdp_session(page)

    def pen(kind: str, x: float, y: float) -> None:
        event = {"type": kind, "pointerType": "pen", "x": x, "y": y}
        event |= {"button": "left", "buttons": 1, "clickCount": 1}
        hand.send("Input.dispatchMouseEvent", event)

    page.evaluate(
        "addEventListener('pointerdown', e => (window.pens ??= []).push(e.pointerType), true)"
    )
    first, *others = on_screen(page, STROKES["7"][0], WIDE_BOX)
    (palm,) = on_screen(page, [(0.8, 0.9)], (0, 0, 1, 1))
    pen("mousePressed", *first)
    hand.send(
        "Input.dispatchTouchEvent",
        {"type": "touchStart", "touchPoints": [{"x": palm[0], "y": palm[1]}]},
    )
    for x, y in others:
        pen("mouseMoved", x, y)
    pen("mouseReleased", *others[-1])
    expect_headline(page, "7")
    assert page.evaluate("window.pens") == ["pen", "touch"]


COLLECT_CONFIDENCES = """() => {
  window.confidences = [];
  const collect = () => {
    const shown = document.querySelector(".digit .verdict span");
    if (shown) window.confidences.push(parseFloat(shown.textContent));
  };
  new MutationObserver(collect).observe(document.body, { childList: true, subtree: true });
}"""


@pytest.mark.large
def test_between_a_3_and_an_8_it_is_less_sure(open_page: Any) -> None:
    """A 3 that is closed little by little to an 8 is, on the way, neither for sure."""
    page = open_page()
    draw(page, "3", left=0.35)
    expect_headline(page, "3")
    page.evaluate(COLLECT_CONFIDENCES)
    lower = arc((0.45, 0.74), (0.4, 0.24), 0.4, 0.78)
    upper = arc((0.45, 0.26), (0.36, 0.24), 0.22, 0.6, pieces=40)
    for stroke in (lower, upper):
        first, *others = on_screen(page, stroke, NARROW_BOX)
        page.mouse.move(*first)
        page.mouse.down()
        for point in others:
            with page.expect_response(re.compile("/api/read")):
                page.mouse.move(*point)
        page.mouse.up()
    expect_headline(page, "8")
    confidences = page.evaluate("window.confidences")
    assert min(confidences) < 90 < confidences[-1]


def test_an_unsure_digit_is_named_with_what_it_may_be(open_page: Any) -> None:
    page = open_page()

    def unsure(route: Any) -> None:
        answer = route.fetch().json()
        for digit in answer["digits"]:
            digit |= {"digit": "?", "probabilities": [0, 0, 0, 0.52, 0, 0, 0, 0, 0.45, 0.03]}
        route.fulfill(json=answer)

    page.route(re.compile("/api/read"), unsure)
    draw(page, "3", left=0.35)
    expect_headline(page, "not sure: 3 or 8")
    page.unroute_all(behavior="wait")


def test_without_normalisation_a_small_digit_in_a_corner_is_another_picture(sheet: Any) -> None:
    draw(sheet, "52", size=0.3)
    expect_headline(sheet, "52")
    sheet.get_by_role("switch").click()
    playwright.expect(sheet.locator(".digit")).to_have_count(1)
    assert "normalize=off" in sheet.url
    sheet.get_by_role("switch").click()
    expect_headline(sheet, "52")


def test_what_is_no_digit_is_not_named(sheet: Any) -> None:
    box = sheet.locator("canvas.pad").bounding_box()
    sheet.mouse.click(box["x"] + 200, box["y"] + 200)
    expect_headline(sheet, "no digit found")


def test_the_keyboard_draws_too(sheet: Any) -> None:
    sheet.locator("canvas.pad").focus()
    sheet.keyboard.press("Space")
    for _ in range(15):
        sheet.keyboard.press("ArrowDown")
    sheet.keyboard.press("Space")
    expect_headline(sheet, "1")


def test_an_example_is_read_with_a_click(sheet: Any) -> None:
    answers = {
        "a 7": "7",
        "2013": "2013",
        "4 or 9?": re.compile("4|9"),
        "a star": "no digit found",
        "ink on paper": "7\n2013",
    }
    names = sheet.locator(".examples button").all_text_contents()
    assert names == list(answers)
    for name, text in answers.items():
        sheet.get_by_role("button", name=name, exact=True).click()
        playwright.expect(sheet.locator(".headline")).to_have_text(text)
        assert ("ink=" in sheet.url) == (name != "ink on paper")
        if name == "4 or 9?":  # neither for sure
            label = sheet.locator(".digit .bars").get_attribute("aria-label")
            shares = {digit: float(share) for digit, share in re.findall(r"(\d): ([\d.]+)", label)}
            assert min(shares["4"], shares["9"]) > 20, label
        sheet.get_by_role("button", name="Clear").click()
        expect_headline(sheet, "nothing drawn")


def photograph() -> bytes:
    """A photograph of digits off the centre of grey paper, in uneven light."""
    paper = Image.new("L", (1200, 900), 190)
    pen = ImageDraw.Draw(paper)
    for position, digit in enumerate("273"):
        for stroke in STROKES[digit]:
            points = [(300 + 230 * position + 130 * x, 250 + 260 * y) for x, y in stroke]
            pen.line(points, fill=40, width=18, joint="curve")
    gradient = Image.linear_gradient("L").resize(paper.size)
    light = gradient.point([180 + value // 4 for value in range(256)])
    file = io.BytesIO()
    Image.composite(paper, Image.new("L", paper.size, 0), light).save(file, "JPEG")
    return file.getvalue()


HAND_OVER = """([kind, text]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], "photo.jpg", { type: "image/jpeg" }));
  const event = kind === "paste" ? new ClipboardEvent(kind, { clipboardData: data, bubbles: true })
    : new DragEvent(kind, { dataTransfer: data, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event);
}"""


@pytest.mark.parametrize("event", ["drop", "paste"])
def test_a_photograph_is_read_as_the_command_line_reads_it(
    sheet: Any, tmp_path: Path, event: str
) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(photograph())
    direct = read(path)
    assert direct.text == "273"
    sheet.evaluate(HAND_OVER, [event, base64.b64encode(path.read_bytes()).decode()])
    expect_headline(sheet, direct.text)
    boxes = sheet.locator(".photo rect")
    assert boxes.count() == 3
    digits = [digit for line in direct.lines for digit in line.digits]
    for index, digit in enumerate(digits):
        drawn = [float(boxes.nth(index).get_attribute(n)) for n in ("x", "y", "width", "height")]
        assert drawn == list(digit.box)
    sheet.get_by_role("button", name="Clear").click()
    expect_headline(sheet, "nothing drawn")


DROP = """([name, kind]) => {
  const files = new DataTransfer();
  files.items.add(new File(name.startsWith("empty") ? [] : ["hello"], name, { type: kind }));
  dispatchEvent(new DragEvent("drop", { dataTransfer: files, cancelable: true }));
}"""


def test_a_dropped_file_that_is_no_picture_is_answered(open_page: Any) -> None:
    page = open_page()
    expect_headline(page, "nothing drawn")
    for name, kind, message in (
        ("notes.txt", "text/plain", "notes.txt is text/plain. Open a picture instead: PNG, JPEG,"),
        ("page.pdf", "application/pdf", "page.pdf cannot be read: it is a PDF; save its pages as"),
        (
            "photo.HEIC",
            "",
            "photo.HEIC cannot be read: it is a HEIC picture, as phones take",
        ),
        ("empty.png", "image/png", "empty.png is empty."),
    ):
        page.evaluate(DROP, [name, kind])
        assert page.locator(".headline").text_content().startswith(message)


def crowded_paper() -> bytes:
    """Digits at every edge of the paper, and close lines of them in the middle."""
    paper = Image.new("L", (900, 640), 230)
    pen = ImageDraw.Draw(paper)
    edges = [(x, y) for x in (6, 430, 858) for y in (6, 300, 592)]
    middle = [(150 + 40 * i, 120 + 46 * line) for i in range(6) for line in range(3)]
    for number, (left, top) in enumerate(edges + middle):
        for stroke in STROKES[str(number % 10)]:
            points = [(left + 26 * x, top + 34 * y) for x, y in stroke]
            pen.line(points, fill=20, width=4, joint="curve")
    file = io.BytesIO()
    paper.save(file, "PNG")
    return file.getvalue()


OUTSIDE_AND_OVERLAPPING = """() => {
  const picture = document.querySelector(".photo").getBoundingClientRect();
  const labels = [...document.querySelectorAll(".photo text")];
  const frames = labels.map((label) => label.getBoundingClientRect());
  const outside = ({ left, right, top, bottom }) => left < picture.left - 2
    || right > picture.right + 2 || top < picture.top - 2 || bottom > picture.bottom + 2;
  const middle = ({ left, right, top, bottom }) => [(left + right) / 2, (top + bottom) / 2];
  const covers = (one, [x, y]) => one.left < x && x < one.right && one.top < y && y < one.bottom;
  const covered = frames.filter((one) => frames.some((o) => o !== one && covers(o, middle(one))));
  const small = frames.filter(({ height }) => height < 8);
  return [labels.length, frames.filter(outside).length, covered.length, small.length];
}"""


def test_labels_stay_in_the_picture_and_can_be_read(open_page: Any) -> None:
    page = open_page("draw")
    file = {"name": "paper.png", "mimeType": "image/png", "buffer": crowded_paper()}
    page.locator("input[type=file]").first.set_input_files(file)
    page.locator(".photo text").nth(20).wait_for()
    for size in (DESKTOP, PHONE):
        page.set_viewport_size(size)
        settle(page)
        labels, *problems = page.evaluate(OUTSIDE_AND_OVERLAPPING)
        assert labels > 20 and problems == [0, 0, 0]


def test_a_large_photograph_is_reduced_before_it_is_sent_and_stays_upright(open_page: Any) -> None:
    """A telephone stores twelve megapixels as its sensor lies, and how to turn them."""
    with Image.open(io.BytesIO(photograph())) as image:
        stored = image.resize((4000, 3000)).transpose(Image.Transpose.ROTATE_90)
    turn = Image.Exif()
    turn[0x112] = 6
    file = io.BytesIO()
    stored.save(file, "JPEG", exif=turn)
    assert not open_page().get_by_text("Take a photo").is_visible()
    page = open_page(viewport=PHONE, has_touch=True, is_mobile=True)
    camera = page.get_by_role("button", name="Take a photo")
    with page.expect_file_chooser() as chooser, page.expect_response(re.compile("read")) as read_:
        camera.click()
        chooser.value.set_files(
            {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": file.getvalue()}
        )
    width, height = read_.value.json()["size"]
    assert width > height and width * height < 3_300_000
    expect_headline(page, "273")


def test_few_images_are_learned_by_heart(open_page: Any) -> None:
    """The same address gives the same numbers, and a sentence says what one sees."""
    address = "learn?chapter=3-when-to-stop&section=too-long&fit-images=100&fit-steps=400"
    seen = []
    for _ in range(2):
        page = open_page(address)
        part = page.locator("[data-live]")
        part.scroll_into_view_if_needed()
        playwright.expect(part.locator(".numbers")).to_contain_text("400", timeout=20_000)
        part.get_by_text("This is overfitting").wait_for()
        seen.append(
            [part.locator(".numbers").text_content(), part.locator("p").nth(1).inner_text()]
        )
    assert seen[0] == seen[1] and "100.0" in seen[0][0]
    page.get_by_label("learning rate").fill("1e9")
    page.keyboard.press("Tab")
    part.get_by_text("the learning rate is a number from 0.0001 to 10").wait_for()


def test_the_address_holds_the_drawing(open_page: Any, site: str) -> None:
    page = open_page()
    draw(page, "34", left=0.2)
    expect_headline(page, "34")
    page.wait_for_function("location.hash.includes('ink')")
    other = open_page(page.url.partition("#")[2], viewport=PHONE)
    expect_headline(other, "34")
    broken = open_page("draw?ink=zz.0.-1.%00&normalize=maybe")
    assert broken.locator(".headline").count() == 1
    inside = open_page(page.url.partition("#")[2].replace("draw?", "inside?digit=-1&"))
    said = inside.locator(".error:not(:empty)")
    playwright.expect(said).to_contain_text("digit=-1, which is not")
    inside.get_by_role("heading", name="Where the network looks").wait_for()


# --- Learn -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_chapter_fits_the_screen(open_page: Any, scheme: str) -> None:
    page = open_page("learn?chapter=1-a-first-graph", color_scheme=scheme)
    page.locator(".chapter img").first.wait_for()
    page.locator("details").evaluate_all("all => all.forEach((each) => (each.open = true))")
    expect_tidy(page)


def test_a_chapter_is_read_and_then_the_next(open_page: Any) -> None:
    page = open_page("learn", viewport=PHONE)
    page.get_by_role("link", name="Try it: many from one").click()
    page.wait_for_function(IS_AT_TOP, arg="try-augmentation")
    page.go_back()
    playwright.expect(page.get_by_role("link", name="Try it: many from one")).to_be_in_viewport()
    page.get_by_role("link", name="A first graph").click()
    title = page.get_by_role("heading", level=2)
    playwright.expect(title).to_have_text("1. A first graph")
    playwright.expect(title).to_be_focused()
    assert page.title() == "1. A first graph · firstlight"
    link = page.get_by_role("link", name="Break it")
    assert not link.is_visible()
    page.locator("summary", has_text="In this chapter").press("Enter")
    link.press("Enter")
    page.wait_for_function(IS_AT_TOP, arg="break-it")
    assert not link.is_visible()
    page.get_by_role("link", name="Next chapter").click()
    playwright.expect(title).to_have_text(re.compile(r"^2\. How good"))
    assert page.evaluate("scrollY") == 0 and "section" not in page.url
    page.go_back()
    playwright.expect(title).to_have_text("1. A first graph")
    page.locator("header a[href='#learn']").click()
    page.locator(STARTED["learn"]).first.wait_for()
    assert page.title() == "Learn · firstlight"


IS_AT_TOP = "(id) => Math.abs(document.getElementById(id)?.getBoundingClientRect().top) < 2"


def test_the_address_holds_the_section_that_is_read(open_page: Any) -> None:
    page = open_page("learn?chapter=1-a-first-graph&section=the-session")
    page.wait_for_function(IS_AT_TOP, arg="the-session")
    page.get_by_role("link", name="Break it").click()
    page.wait_for_function(IS_AT_TOP, arg="break-it")
    playwright.expect(page.get_by_role("heading", name="Break it")).to_be_focused()
    page.mouse.move(800, 400)
    current = page.locator(".outline [aria-current]")
    while current.text_content() != "The same today":  # a person scrolls back
        page.mouse.wheel(0, -100)
        page.wait_for_timeout(20)
    assert "section=the-same-today" in page.url
    page.reload()
    page.wait_for_function(IS_AT_TOP, arg="the-same-today")
    page.evaluate("location.hash = location.hash.replace(/section=.*/, 'section=exercise-2')")
    playwright.expect(page.locator(".chapter details[open] summary")).to_have_text("Exercise 2")


def test_code_is_copied_without_the_shells_prompt(open_page: Any) -> None:
    rights = ["clipboard-read", "clipboard-write"]
    page = open_page("learn?chapter=1-a-first-graph", permissions=rights)
    for number, start in ((0, "firstlight lessons notebooks\n"), (1, "from firstlight.datasets")):
        button = page.locator(".code button").nth(number)
        button.click()
        playwright.expect(button).to_have_text("Copied")
        assert page.evaluate("navigator.clipboard.readText()").startswith(start)


def test_where_nothing_can_be_copied_the_code_is_selected(open_page: Any) -> None:
    page = open_page("learn?chapter=1-a-first-graph")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.locator(".code button").first.click()
    page.get_by_role("button", name="Selected").wait_for()
    assert page.evaluate("getSelection().toString()").strip() == "firstlight lessons notebooks"


def test_a_chapter_that_arrives_late_changes_nothing(open_page: Any) -> None:
    page = open_page("learn")
    page.locator(STARTED["learn"]).first.wait_for()
    held: list[Any] = []
    page.route("**/api/chapters/1-*", lambda route: held.append(route))
    with page.expect_request("**/api/chapters/1-*"):
        page.get_by_role("link", name="A first graph").click()
    page.locator("header a[href='#draw']").last.click()
    expect_headline(page, "nothing drawn")
    with page.expect_response("**/api/chapters/1-*"):
        held[0].continue_()
    settle(page)
    assert page.title() == "Draw · firstlight" and page.url.endswith("#draw")


# --- Every view ------------------------------------------------------------------------------


UNNAMED = """() => {
  const asked = "button, input:not([hidden]), select, canvas[tabindex]";
  const named = (e) => e.textContent.trim() || e.ariaLabel || e.labels?.length;
  return [...document.querySelectorAll(asked)].filter((e) => !named(e)).map((e) => e.outerHTML);
}"""


def expect_tidy(page: Any) -> None:
    """Nothing is wider than the screen, a small or a large one, and every control has a name."""
    assert page.evaluate(UNNAMED) == []
    for size in (PHONE, DESKTOP):
        page.set_viewport_size(size)
        settle(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]


def test_every_view_of_the_page_is_tried(open_page: Any) -> None:
    links = open_page("draw").locator("nav a").evaluate_all("all => all.map((a) => a.hash)")
    assert links == [f"#{view}" for view in STARTED]


@pytest.mark.parametrize("view", STARTED)
def test_nothing_sticks_out_and_everything_has_a_name(open_page: Any, view: str) -> None:
    page = open_page(view, viewport=PHONE)
    page.locator(STARTED[view]).first.wait_for(state="attached", timeout=60_000)
    assert page.locator("nav [aria-current]").get_attribute("href") == f"#{view}"
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        expect_tidy(page)


def test_training_is_started_watched_and_seen_into(open_page: Any) -> None:
    page = open_page("train")
    page.get_by_label("network").select_option("softmax")
    page.get_by_label("train for").fill("3000")
    page.get_by_label("epochs or steps").select_option("steps")
    page.get_by_role("button", name="Train", exact=True).click()
    curve = page.locator(".curve path").first
    curve.wait_for(timeout=60_000)
    before = curve.get_attribute("d")
    page.wait_for_function(
        "d => document.querySelector('.curve path').getAttribute('d') !== d", arg=before
    )
    page.get_by_text("done", exact=True).wait_for(timeout=60_000)
    assert "run=softmax-mnist-1" in page.url
    assert page.locator(".maps canvas").count() == 10
    page.get_by_role("button", name="Watch 100").click()
    page.locator(".samples .correct").first.wait_for(timeout=60_000)
    assert page.locator(".samples > div").count() == 100
    page.get_by_role("button", name="Show the graph").click()
    page.locator(".graph svg").wait_for(timeout=60_000)

    page.get_by_role("link", name="mistakes").click()
    page.get_by_role("button", name="Evaluate").click()
    page.locator(".confusion").wait_for(timeout=60_000)
    cell = page.locator(".confusion button:enabled").first
    cell.click()
    page.locator(".mistakes canvas").first.wait_for()
    label, predicted = cell.get_attribute("data-cell").split("-")
    assert f"label={label}&predicted={predicted}" in page.url
    again = open_page(page.url.partition("#")[2])  # the address restores it all
    again.locator(".confusion button[aria-pressed=true]").wait_for()
    mistakes = page.locator(".mistakes figure").count()
    playwright.expect(again.locator(".mistakes figure")).to_have_count(mistakes)

    page.goto(re.sub("#.*", "#inside?run=softmax-mnist-1", page.url))
    page.get_by_label("Sheet to draw a digit on").wait_for()
    draw(page, "4", left=0.35)
    page.locator(".input-card canvas").nth(1).wait_for(timeout=60_000)
    page.get_by_role("button", name="layer1").click()
    page.locator(".maps.ten canvas").nth(19).wait_for(timeout=60_000)  # weights, and × input
    page.wait_for_function("location.hash.includes('ink')")
    ink = page.evaluate("new URLSearchParams(location.hash.split('?')[1]).get('ink')")
    shown = {
        f"inside?run=softmax-mnist-1&layer=layer1&ink={ink}": ".nine canvas",
        f"draw?ink={ink}": ".bars",
        "train?run=softmax-mnist-1": ".curve path",
        "runs?run=softmax-mnist-1": ".confusion",
    }
    for address, selector in shown.items():
        full = open_page(address, viewport=PHONE)
        full.locator(selector).first.wait_for()
        expect_tidy(full)


def test_the_form_of_a_training_shows_the_recipes_numbers_and_names_each_range(
    open_page: Any, home: Path
) -> None:
    page = open_page("train")
    playwright.expect(page.get_by_label("network")).to_have_value("convnet")
    page.get_by_label("network").select_option("convnet-short")
    page.get_by_label("recipe").select_option("short")
    length, rate = page.get_by_label("train for"), page.get_by_label("learning rate")
    playwright.expect(length).to_have_value("5", timeout=60_000)
    page.get_by_text("about 21 s on two cores, as measured").wait_for()
    page.get_by_label("epochs or steps").select_option("steps")
    assert length.input_value() == str(round(5 * 55_000 / 128))
    length.fill("10")
    page.get_by_text("the recipe has 5 epochs").wait_for()
    rate.fill("1e9")
    page.get_by_role("button", name="Train", exact=True).click()
    message = "learning rate is 1e9; it must be a number above 0 and at most 100"
    playwright.expect(page.locator(".error:not(:empty)")).to_have_text(message)
    assert rate.evaluate("input => input.validationMessage") == message

    for name in ("cat", "dog"):
        (home / "pets" / name).mkdir(parents=True)
        for i in range(3):
            Image.new("RGB", (40, 40), (90 * i, 9, ord(name[0]))).save(
                home / "pets" / name / f"{i}.png"
            )
    (home / "pets" / "dog" / "notes.png").write_text("no picture")
    page.get_by_label("data").first.select_option("own")
    page.get_by_label("path of the folder or file").fill(str(home / "pets"))
    page.keyboard.press("Enter")
    page.get_by_text("1 fault is left out").wait_for()
    page.get_by_text("Pictures of each class – cat: 3, dog: 3.").wait_for()
    assert page.get_by_label("recipe").locator("option").all_text_contents() == ["pictures"]
    assert page.get_by_label("network").locator("option", has_text="zfnet").count() == 2
    expect_tidy(page)


OUTPUT_WEIGHTS = """async (classes) => {
  const { weightsBlock } = await import("/page/weights.js");
  const pixels = btoa("\\0".repeat(classes.length * 784));
  const weights = { name: "out/kernel", shape: [10, 28, 28], largest: 1, biases: [], pixels };
  const layer = { stage: "out", shape: [1, 1, 10] };
  const words = { light: "light" };
  return [classes, null].map((classes) =>
    weightsBlock(weights, new Uint8Array(784), layer, { words, classes }).textContent);
}"""


def test_a_run_on_pictures_is_looked_into_with_pictures(open_page: Any, home: Path) -> None:
    recipe = Recipe(learning_rate=0.1, batch_size=10, steps=20)
    pictures = home / "fruit"
    (pictures / "kiwi").mkdir(parents=True)
    Image.new("RGB", (40, 40), (90, 200, 9)).save(pictures / "kiwi" / "1.png")
    settings = Settings(network="zfnet", data=str(pictures), recipe=recipe, seed=0, sha256={})
    folder = home / "runs" / "zfnet-fruit-1"
    folder.mkdir(parents=True)
    run = Run(folder)
    run.write_record(RunRecord(settings=settings, total_steps=20, versions={}, machine=""))
    files = dict.fromkeys(("kiwi/1.png", "kiwi/gone.png"), "")
    listing = Listing(classes=("apple", "kiwi"), splits={"test": files}, made="", faults=())
    run.pictures_file.write_text(json.dumps(listing.to_json()))
    page = open_page("inside?run=zfnet-fruit-1")
    page.get_by_role("button", name="kiwi").wait_for()
    assert page.locator(".own-pictures button").count() == 1  # the other one is gone
    page.get_by_text("224 × 224 pixels in colour").wait_for()
    page.get_by_text("firstlight explain runs/zfnet-fruit-1 photo.jpg").wait_for()
    as_output, as_hidden = page.evaluate(OUTPUT_WEIGHTS, [f"fruit {i}" for i in range(10)])
    assert "fruit 9: 0.0" in as_output and "digit" not in as_output
    assert "fruit" not in as_hidden
    assert not page.locator(".sheet").is_visible()
    notes = {"name": "notes.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    page.locator("input[type=file]").set_input_files(notes)
    page.get_by_text("notes.txt is text/plain").wait_for()
    assert not page.locator(".class-bars").count() and not page.locator(".verdict").count()
    page.get_by_label("network").select_option("")
    page.locator(".sheet").wait_for()
    assert not page.get_by_role("button", name="Open a picture").is_visible()
    shutil.rmtree(folder)


PIXELS = "() => [...document.querySelectorAll('.maps canvas')].map(c => c.toDataURL()).join()"


@pytest.mark.large
def test_weights_and_answers_change_while_it_trains_and_it_is_stopped_and_continued(
    open_page: Any,
) -> None:
    page = open_page("train")
    page.get_by_label("network").select_option("softmax")
    page.get_by_label("train for").fill("1000")
    page.get_by_label("epochs or steps").select_option("epochs")
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator(".maps canvas").first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Watch 100").click()
    page.locator(".samples > div").first.wait_for(timeout=60_000)
    before = page.evaluate(PIXELS)
    page.wait_for_function(f"before => ({PIXELS})() !== before", arg=before, timeout=10_000)
    page.locator(".samples .changed").first.wait_for(timeout=20_000)
    state = page.locator("h2 + b")
    playwright.expect(state).to_have_text("training")
    playwright.expect(page.locator(".numbers b").first).to_contain_text(" of ")

    page.get_by_role("button", name="Stop").click()
    playwright.expect(state).to_have_text("stopped", timeout=30_000)
    stopped = page.locator(".numbers b").first.text_content()
    page.get_by_role("button", name="Continue").click()
    playwright.expect(state).to_have_text("training", timeout=60_000)
    page.wait_for_function(
        "step => document.querySelector('.numbers b').textContent !== step",
        arg=stopped,
        timeout=60_000,
    )
    page.get_by_role("button", name="Stop").click()
    playwright.expect(state).to_have_text("stopped", timeout=30_000)


def test_a_layer_is_explained_and_a_map_shows_what_activates_it(open_page: Any, home: Path) -> None:
    folder = write_lenet5(home / "runs" / "lenet5")
    page = open_page("inside?run=lenet5")
    page.get_by_role("button", name="a 7").click()
    page.get_by_text("A cover of 8×8 pixels").wait_for(timeout=60_000)
    names = page.locator(".flow button").evaluate_all("all => all.map((b) => b.firstChild.data)")
    assert names == ["input", "C1", "S2", "C3", "S4", "C5", "F6", "output"]
    page.get_by_role("button", name="S2").click()
    playwright.expect(page.get_by_role("button", name="S2")).to_be_focused()
    page.get_by_text("mean of 2×2 values: 6 maps of 14×14").wait_for()
    assert "layer=S2" in page.url and page.locator(".maps input").count() == 6
    page.locator(".nine canvas").nth(8).wait_for()
    page.get_by_text("2,000 validation images of mnist").wait_for()

    page.get_by_role("radio", name="map 1", exact=True).focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="map 2 of S2").wait_for()
    assert "map=2" in page.url
    assert page.locator(".framed rect").count() == 2  # in the map and in the drawing
    page.reload()
    page.get_by_role("heading", name="map 2 of S2").wait_for()
    assert page.get_by_role("radio", name="map 2", exact=True).is_checked()
    expect_tidy(page)
    assert page.evaluate("document.documentElement.scrollHeight") < 1200

    page.get_by_role("button", name="output").click()
    page.locator(".neurons label").nth(3).click()
    page.get_by_role("heading", name="class 3").wait_for()
    shutil.rmtree(folder)


def test_without_tensorflow_it_says_how_to_see_layers(open_page: Any, begun: Path) -> None:
    page = open_page()

    def without_tensorflow(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"has_tensorflow": False})

    page.route("**/api/about", without_tensorflow)
    page.get_by_role("link", name="Look inside").click()
    page.get_by_role("button", name="a 7").click()
    page.locator(".input-card canvas").nth(1).wait_for()
    page.get_by_text("need TensorFlow").locator("code", has_text="pip install").wait_for()
    assert page.get_by_label("network").locator("option").count() == 1
    page.route("**/api/runs", lambda route: route.fulfill(json={"runs": []}))  # none is watched
    page.get_by_role("link", name="Train", exact=True).click()
    page.locator(".error code", has_text="pip install").wait_for()
    assert page.get_by_role("button", name="Train", exact=True).is_disabled()
    assert "`" not in page.locator("main").text_content()


@pytest.fixture
def begun(home: Path) -> Iterator[Path]:
    """Write the run folder of a training that has just begun elsewhere; its costs fell to 0."""
    folder = home / "runs" / "begun"
    folder.mkdir(parents=True)
    recipe = Recipe(learning_rate=0.1, batch_size=10, steps=9)
    settings = Settings(network="softmax", data="mnist", recipe=recipe, seed=0, sha256={})
    run = Run(folder)
    run.write_record(RunRecord(settings=settings, total_steps=9, versions={}, machine=""))
    steps = [
        LoggedStep(
            step=i, epoch=i / 9, split="train", loss=2 - i, accuracy=1, lr=0.1, seconds=i / 10
        )
        for i in range(3)
    ]
    run.metrics_file.write_text("".join(json.dumps(step.to_json()) + "\n" for step in steps))
    yield folder
    shutil.rmtree(folder)


def test_a_cost_of_0_is_drawn_too(open_page: Any, begun: Path) -> None:
    page = open_page("runs?show=begun")
    playwright.expect(page.locator(".curve path")).to_have_count(2)
    assert "NaN" not in page.locator(".curve").first.inner_html()


def test_runs_are_compared_and_a_phone_shows_what_matters_first(
    open_page: Any, begun: Path
) -> None:
    other = shutil.copytree(begun, begun.with_name("other"))
    document = read_json(other / "run.json")
    document["recipe"] |= {"learning_rate": 0.5, "momentum": 0.9}
    write_json(other / "run.json", document | {"seed": 3})
    page = open_page("runs?show=begun,other", viewport={"width": 390, "height": 844})
    page.get_by_text("They differ in: ").wait_for()
    sentence = page.get_by_text("They differ in: ").text_content()
    differing = sentence.removeprefix("They differ in: ").removesuffix(".").split(", ")
    assert {re.sub(r" [\d.]+ / [\d.]+", "", each) for each in differing} == {
        "momentum", "learning rate", "seed",
    }  # fmt: skip
    assert page.locator("td.differs").count() == 4
    headings = page.locator("thead th").all_text_contents()
    assert headings[:4] == ["compare", "run", "state", "accuracy"]
    assert {"recipe", "learning rate", "batch"} <= set(headings)
    for cell in page.locator("tbody tr").first.locator("td").all()[:4]:
        box = cell.bounding_box()
        assert box["x"] + box["width"] <= 390
    shutil.rmtree(other)


def test_a_damaged_run_does_not_hide_the_curves_of_others(
    chromium: Any, site: str, begun: Path
) -> None:
    odd = shutil.copytree(begun, begun.with_name("odd"))
    (odd / "metrics.jsonl").write_text("nothing\n")
    page = chromium.new_page()
    page.goto(f"{site}#runs?show=odd,begun")
    playwright.expect(page.locator(".curve path")).to_have_count(2)
    playwright.expect(page.locator(".error")).to_contain_text("odd: ")
    page.close()
    shutil.rmtree(odd)


@pytest.mark.parametrize("view", ["train", "inside", "runs"])
def test_a_view_that_was_left_leaves_the_address_alone(
    open_page: Any, begun: Path, view: str
) -> None:
    page = open_page()
    held: list[Any] = []
    page.route("**/api/runs", lambda route: held.append(route))
    with page.expect_request("**/api/runs"):
        page.locator(f"nav a[href='#{view}']").click()
    page.get_by_role("link", name="Draw", exact=True).click()
    expect_headline(page, "nothing drawn")
    assert len(held) == 1
    with page.expect_response("**/api/runs"):
        held[0].continue_()
    settle(page)
    assert page.url.endswith("#draw")


def test_a_drawing_goes_along_and_a_second_click_does_not_empty_the_sheet(open_page: Any) -> None:
    page = open_page()
    draw(page, "34", left=0.2)
    expect_headline(page, "34")
    playwright.expect(page.locator("main")).not_to_be_focused()
    page.get_by_role("link", name="Look inside").click()
    playwright.expect(page.locator("main")).to_be_focused()
    page.get_by_role("button", name="digit 2").click()
    page.locator(".input-card canvas").first.wait_for()
    assert page.title() == "Look inside · firstlight" and "digit=1" in page.url
    assert page.get_by_role("heading", level=1).text_content() == "Look inside"
    page.reload()
    pressed = page.locator(".chips button[aria-pressed=true]")
    playwright.expect(pressed).to_have_attribute("aria-label", "digit 2")
    page.get_by_role("link", name="Draw", exact=True).click()
    expect_headline(page, "34")
    for name in ("Draw", "firstlight"):
        page.get_by_role("link", name=name, exact=True).click()
        settle(page)
        expect_headline(page, "34")
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("link", name="Look inside").click()
    page.get_by_text("Draw a digit to see").wait_for()
    assert "ink" not in page.url


def test_the_runs_follow_a_training_that_begins_elsewhere(
    open_page: Any, request: pytest.FixtureRequest
) -> None:
    page = open_page()
    page.clock.install()
    page.get_by_role("link", name="Runs", exact=True).click()
    page.locator(STARTED["runs"]).first.wait_for()
    row = page.locator("tbody tr", has_text="begun")
    assert row.count() == 0
    folder = request.getfixturevalue("begun")
    page.clock.run_for(7000)
    playwright.expect(row).to_contain_text("training")
    playwright.expect(page.get_by_label("curves of begun")).to_be_checked()
    *_, last = (folder / "metrics.jsonl").read_text().splitlines()
    with (folder / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(json.loads(last) | {"step": 1234}) + "\n")
    page.clock.run_for(3000)
    playwright.expect(row).to_contain_text("1,234")


def test_the_table_of_runs_keeps_the_focus(open_page: Any, begun: Path) -> None:
    page = open_page("runs?show=begun")
    box = page.get_by_label("curves of begun")
    box.focus()
    page.keyboard.press("Space")
    page.wait_for_function("() => location.hash.includes('show=none')")
    page.reload()
    playwright.expect(box).not_to_be_checked()
    box.focus()
    page.keyboard.press("Space")
    playwright.expect(page.locator(".curve path").first).to_be_visible()
    assert box.evaluate("box => box === document.activeElement && box.checked")


def test_the_reader_can_be_chosen_beside_the_run_that_is_served(
    chromium: Any, home: Path, begun: Path
) -> None:
    with serving(home, "--model", str(begun)) as url:
        page = chromium.new_page()
        page.goto(url + "#inside")
        chosen = page.get_by_label("network")
        playwright.expect(chosen).to_have_value("begun")
        chosen.select_option("")
        page.reload()
        chosen.locator("option", has_text="begun").wait_for(state="attached")
        settle(page)
        assert chosen.input_value() == ""
        page.close()


@pytest.fixture(scope="module")
def shared(home: Path) -> Iterator[dict[str, Any]]:
    """What is printed by a server that a class may open."""
    with sharing(home, "--host", "0.0.0.0", "--read-only") as printed:
        yield printed


def test_the_link_opens_the_page_and_leaves_no_token_in_the_address(
    chromium: Any, shared: dict[str, Any]
) -> None:
    page = chromium.new_page(viewport=PHONE)
    page.goto(shared["link"])
    expect_headline(page, "nothing drawn")
    assert page.url == shared["url"] + "#draw" and page.locator("dialog").count() == 0
    with page.expect_request("**/api/read") as asked:
        draw(page, "7", left=0.35)
    assert asked.value.headers["content-encoding"] == "gzip"  # the network carries thirty of them
    expect_headline(page, "7")
    page.get_by_role("link", name="Share").click()
    code = page.get_by_alt_text("QR code")
    code.wait_for()
    assert code.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert page.get_by_text(shared["token"]).is_visible()
    expect_tidy(page)
    page.close()


def test_all_tabs_have_the_token_until_it_is_refused(chromium: Any, shared: dict[str, Any]) -> None:
    context = chromium.new_context()
    page = context.new_page()
    page.goto(shared["link"])
    expect_headline(page, "nothing drawn")
    tab = context.new_page()
    tab.goto(shared["url"] + "#learn?token=from-an-earlier-start")  # a link that somebody kept
    tab.locator(".contents a").first.wait_for()
    assert tab.locator("dialog").count() == 0
    tab.evaluate("() => localStorage.setItem('token', 'from-an-earlier-start')")
    tab.reload()
    tab.get_by_text("does not know this token").wait_for()
    assert tab.evaluate("() => localStorage.getItem('token')") is None
    page.goto(shared["link"] + "&normalize=off")  # the tab that asks hears of it
    page.reload()
    tab.locator(".contents a").first.wait_for()
    assert tab.locator("dialog").count() == 0
    context.close()


def test_share_shows_the_moment_that_one_came_from(chromium: Any, shared: dict[str, Any]) -> None:
    page = chromium.new_page(viewport=PHONE)
    page.goto(shared["link"].replace("#draw?", "#learn?chapter=5-convolutions&kernel=edges&"))
    page.locator("article.chapter h2").wait_for()
    page.get_by_role("link", name="Share").click()
    page.get_by_alt_text("QR code").wait_for()
    expect_tidy(page)
    link = page.get_by_role("group", name="link", exact=True).text_content()
    moment = link.removeprefix(shared["url"])
    assert moment.startswith("#learn?chapter=5-convolutions&kernel=edges")
    assert moment.endswith(f"&token={shared['token']}")
    page.get_by_role("button", name="The first page").click()
    page.get_by_text(shared["token"], exact=True).wait_for()
    assert page.get_by_role("group", name="link", exact=True).text_content() == shared["link"]
    page.goto(f"{shared['url']}#share?moment=draw%3Fink%3D{'1.2-' * 400}")
    page.get_by_text("too long for a QR code").wait_for()
    assert page.get_by_alt_text("QR code").count() == 0
    page.get_by_role("button", name="Copy the link").click()
    playwright.expect(page.get_by_role("button", name="Ctrl+C")).to_be_visible()
    assert page.evaluate("() => getSelection().toString()").startswith(shared["url"])
    page.close()


def test_a_server_that_stops_is_named_in_every_view_until_it_answers(
    chromium: Any, shared: dict[str, Any]
) -> None:
    page = chromium.new_page()
    page.goto(shared["link"].replace("#draw?", "#learn?chapter=5-convolutions&"))
    part = page.locator("[data-live=convolution]")
    part.wait_for(state="attached")
    page.context.set_offline(True)
    part.evaluate("(part) => part.scrollIntoView()")
    part.get_by_text("the server does not answer").wait_for()
    page.context.set_offline(False)
    part.get_by_role("button", name="Try again").click()
    part.locator("canvas").first.wait_for()
    assert part.get_by_text("the server does not answer").count() == 0
    page.context.set_offline(True)
    for view in ("Train", "Runs", "Share"):
        page.get_by_role("link", name=view, exact=True).click()
        page.get_by_text("the server does not answer").wait_for()
        playwright.expect(page.locator("nav [aria-current]")).to_have_text(view)
    page.context.set_offline(False)
    page.get_by_role("link", name="Share", exact=True).click()
    page.get_by_alt_text("QR code").wait_for()
    assert page.get_by_text("the server does not answer").count() == 0
    page.close()


def test_a_wrong_token_is_asked_for_again(chromium: Any, shared: dict[str, Any]) -> None:
    page = chromium.new_page(viewport=PHONE)
    page.goto(shared["url"] + "#runs")
    entry = page.get_by_role("textbox", name="token")
    entry.fill("guess")
    entry.press("Enter")
    page.get_by_text("does not know this token").wait_for()
    expect_tidy(page)
    entry.fill(shared["token"])
    entry.press("Enter")
    runs = page.locator(".no-runs:not(:empty), tbody tr").first  # other tests may have left some
    runs.wait_for()
    assert page.locator("dialog").count() == 0
    page.reload()
    runs.wait_for()
    page.close()


def test_a_visitor_without_a_token_is_asked_once(chromium: Any, shared: dict[str, Any]) -> None:
    page = chromium.new_page()
    page.goto(shared["url"] + "#train?run=any")
    page.locator("dialog").wait_for()
    page.keyboard.press("Escape")
    playwright.expect(page.locator(".error").last).to_contain_text("reload the page")
    page.get_by_role("link", name="Runs").click()
    playwright.expect(page.locator(".error").first).to_contain_text("reload the page")
    assert page.locator("dialog").count() == 0
    page.close()


def test_a_read_only_page_offers_no_training(
    chromium: Any, shared: dict[str, Any], begun: Path, home: Path
) -> None:
    run = home / "runs" / "kept"
    shutil.copytree(begun, run)
    os.utime(Run(run).metrics_file, (0, 0))  # nobody trains it
    page = chromium.new_page()
    page.goto(shared["link"].replace("#draw?", "#train?run=kept&"))
    page.get_by_text("here you watch trainings").wait_for()
    page.get_by_text("stopped", exact=True).wait_for()
    for name in ("Train", "Stop", "Continue"):
        assert not page.get_by_role("button", name=name, exact=True).is_visible()
    page.get_by_role("link", name="mistakes").click()
    page.get_by_text("can be evaluated when its training is done").wait_for()
    assert page.get_by_role("button", name="Evaluate").count() == 0
    page.close()
    shutil.rmtree(run)


def test_a_training_that_begins_later_is_followed_and_a_further_one_offered(
    chromium: Any, site: str, request: pytest.FixtureRequest
) -> None:
    page = chromium.new_page()
    page.clock.install()
    page.goto(site + "#train")
    page.locator("select option", has_text="none").wait_for(state="attached")
    chosen = page.get_by_label("watch a run")
    assert chosen.input_value() == ""
    begun = request.getfixturevalue("begun")
    page.clock.fast_forward(5000)
    playwright.expect(chosen).to_have_value("begun")
    chosen.select_option("")
    page.get_by_role("link", name="Train", exact=True).click()
    page.get_by_role("button", name="Watch begun").click()
    playwright.expect(chosen).to_have_value("begun")
    page.close()  # it watches the run, whose folder is about to be removed
    assert begun.is_dir()


def test_a_phone_shows_the_run_that_is_opened(
    chromium: Any, shared: dict[str, Any], begun: Path, home: Path
) -> None:
    page = chromium.new_page(viewport=PHONE)
    page.goto(shared["link"].replace("#draw?", "#runs?show=begun&"))

    def done(route: Any) -> None:
        answer = route.fetch().json()
        route.fulfill(json={"runs": [run | {"state": "done"} for run in answer["runs"]]})

    page.route("**/api/runs", done)
    page.reload()
    page.get_by_role("button", name="begun").click()
    command = page.get_by_text("firstlight evaluate runs/begun")
    command.wait_for()
    playwright.expect(command).to_be_in_viewport()
    assert page.evaluate("() => document.activeElement.textContent") == "begun"
    page.close()


def test_visitors_are_not_told_to_install(chromium: Any, shared: dict[str, Any]) -> None:
    page = chromium.new_page()

    def without_tensorflow(route: Any) -> None:
        response = route.fetch()
        route.fulfill(response=response, json=response.json() | {"has_tensorflow": False})

    page.route("**/api/about", without_tensorflow)
    page.goto(shared["link"].replace("#draw?", "#inside?"))
    page.get_by_text("This server cannot compute the layers of trained networks.").wait_for()
    assert page.locator("main").get_by_text("pip install").count() == 0
    page.close()


@pytest.mark.large
def test_a_training_of_the_command_line_is_followed(open_page: Any, home: Path) -> None:
    command = [sys.executable, "-m", "firstlight", "train", "softmax", "--steps", "4000"]
    with subprocess.Popen([*command, "--out", "runs/followed", "--quiet"], cwd=home) as process:
        while not (home / "runs/followed/run.json").exists():
            assert process.poll() is None
            time.sleep(0.1)
        page = open_page("train?run=followed")
        state = page.locator("h2 + b")
        playwright.expect(state).to_have_text("training (started elsewhere)")
        page.locator(".maps canvas").first.wait_for(timeout=60_000)
        assert page.get_by_role("button", name="Stop").count() == 0
        playwright.expect(state).to_have_text("done", timeout=240_000)
    page.get_by_text("test accuracy").wait_for()
    again = open_page("train?run=followed")
    again.locator(".maps canvas").nth(9).wait_for()
    page.wait_for_function(f"kept => ({PIXELS})() === kept", arg=again.evaluate(PIXELS))


ACCURACY = "() => parseFloat(document.querySelectorAll('.numbers b')[2].textContent)"


def expect_step(page: Any, step: int) -> None:
    playwright.expect(page.locator(".numbers b").first).to_have_text(str(step), timeout=30_000)


def test_the_first_graph_learns_in_the_browser(open_page: Any) -> None:
    page = open_page("first")
    page.locator(".samples > div").first.wait_for()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="100 steps").click()
    expect_step(page, 100)
    assert page.evaluate(ACCURACY) < 40
    page.get_by_role("button", name="Use 0.5").click()
    expect_step(page, 0)
    assert page.locator(".low-rate").text_content() == ""
    page.get_by_role("button", name="100 steps").click()
    expect_step(page, 100)
    assert page.evaluate(ACCURACY) > 70
    assert page.locator(".maps canvas").count() == 10
    assert page.locator(".batch canvas").count() == 20
    assert not [url for url in asked if "/api/" in url]  # the server has no part in it


def test_the_first_graph_learns_in_its_chapter(open_page: Any) -> None:
    page = open_page("learn?chapter=1-a-first-graph&section=the-session")
    part = page.locator(".live")
    part.scroll_into_view_if_needed()
    part.get_by_role("button", name="10 steps").click(timeout=20_000)
    expect_step(page, 10)
    cost = page.locator(".numbers b").nth(1).text_content()
    assert float(cost) > 0
    page.get_by_role("link", name="What it predicts").click()
    page.wait_for_url("**section=what-it-predicts**")
    assert "steps=10" in page.url  # the outline keeps what the reader has done
    again = open_page(page.url.split("#")[1].replace("what-it-predicts", "the-session"))
    again.locator(".live").scroll_into_view_if_needed()
    expect_step(again, 10)
    assert again.locator(".numbers b").nth(1).text_content() == cost


def test_values_and_gradients_light_the_arrows(open_page: Any) -> None:
    page = open_page("learn?chapter=1-a-first-graph&section=the-session&slowly=on")
    page.locator(".live").scroll_into_view_if_needed()
    page.locator(".live .node").first.wait_for()
    page.clock.install()
    page.locator(".live").get_by_role("button", name="One step").click(timeout=20_000)
    seen = []
    for _ in range(9):
        lit = page.locator(".graph path.lit")
        seen.append(lit.evaluate_all("all => all.map((each) => each.dataset.from).sort()"))
        page.clock.run_for(400)
    forward, backward, update = seen[:5], seen[5:8], seen[8]
    assert forward[1] == ["input", "layer1_weights"] and forward[4] == ["softmax_cross_entropy"]
    assert backward[0] == ["logits", "softmax_cross_entropy"]
    assert backward[2] == ["layer1_weights", "matmul"]
    assert update == ["optimizer", "optimizer"]
    assert page.locator(".graph path.lit").count() == 0


def test_a_slow_step_lights_the_boxes_forward_and_backward(open_page: Any) -> None:
    page = open_page("first?slowly=on")
    page.locator(".samples > div").first.wait_for()
    page.set_viewport_size({"width": 1280, "height": 800})
    page.clock.install()
    page.get_by_role("button", name="One step").click()
    for shown in (page.locator(".arrived b"), page.locator(".walk")):
        playwright.expect(shown).to_be_in_viewport(ratio=0.99)
    seen = []
    for _ in range(9):
        lit = page.locator(".graph .node.lit")
        names = lit.evaluate_all("all => all.map((box) => box.dataset.name)")
        direction = re.split("[s:]", page.locator(".arrived b").text_content())[0]
        backward = page.locator(".graph .node.backward").count()
        assert backward == (direction == "backward") * len(names)
        seen.append((direction, *sorted(names)))
        page.clock.run_for(400)
    assert seen == [
        ("forward", "input", "labels"),
        ("forward", "matmul"),
        ("forward", "logits"),
        ("forward", "softmax_cross_entropy"),
        ("forward", "cost"),
        ("backward", "logits", "softmax_cross_entropy"),
        ("backward", "layer1_biases"),
        ("backward", "layer1_weights", "matmul"),
        ("update", "layer1_biases", "layer1_weights", "optimizer"),
    ]
    expect_step(page, 1)
    cost = page.locator(".numbers b").nth(1).text_content()
    assert cost in page.locator(".node[data-name=cost]").text_content()
    assert page.locator(".lit").count() == 0
    page.get_by_role("button", name="One step").click()
    page.get_by_role("button", name="Start again").click()  # in the middle of a step
    page.get_by_role("button", name="10 steps").click()
    page.clock.run_for(1000)
    expect_step(page, 10)
    page.get_by_role("button", name="One step").click()
    page.clock.run_for(1000)
    page.get_by_role("button", name="Use 0.5").click()  # the step is taken with the new rate
    page.clock.run_for(4000)
    expect_step(page, 1)
    assert "rate=0.5&steps=1" in page.url


def test_the_address_holds_the_steps_of_the_first_graph(open_page: Any) -> None:
    page = open_page("first?seed=3&batch=50")
    page.get_by_label("learning rate").fill("0.25")
    page.get_by_label("learning rate").press("Enter")
    for step in (10, 20):
        page.get_by_role("button", name="10 steps").click()
        expect_step(page, step)
    page.get_by_role("button", name="One step").click()
    expect_step(page, 21)
    page.wait_for_function("location.hash.includes('steps=21')")
    again = open_page(page.url.partition("#")[2])
    expect_step(again, 21)
    assert again.get_by_label("learning rate").input_value() == "0.25"
    numbers = [each.locator(".numbers").text_content() for each in (page, again)]
    assert numbers[0] == numbers[1]
    other = open_page(page.url.partition("#")[2].replace("seed=3", "seed=4"))
    expect_step(other, 21)
    assert other.locator(".numbers").text_content() != numbers[0]


@pytest.mark.parametrize(
    ("label", "value"),
    [("learning rate", "0"), ("learning rate", ""), ("images in a batch", "2.5"), ("seed", "-1")],
)
def test_a_knob_of_the_first_graph_has_a_range(open_page: Any, label: str, value: str) -> None:
    page = open_page("first")
    buttons = [page.get_by_role("button", name=name) for name in ("Run", "One step")]
    for button in buttons:
        playwright.expect(button).to_be_enabled()
    page.get_by_label(label).fill(value)
    page.keyboard.press("Enter")
    error = page.locator(".error:not(:empty)")
    playwright.expect(error).to_contain_text("number from")
    wrong = page.locator("input[aria-invalid=true]")
    assert wrong.get_attribute("aria-describedby") == error.get_attribute("id")
    assert all(button.is_disabled() for button in buttons)
    wrong.fill("1")  # while it is typed
    for button in buttons:
        playwright.expect(button).to_be_enabled()
    assert wrong.count() == 0 and error.count() == 0


@pytest.mark.parametrize(
    ("view", "wrong"),
    [
        ("first?", {"rate": "abc", "batch": "2.5", "seed": "-1", "steps": "1e9"}),
        (
            "learn?chapter=3-when-to-stop&section=try-overfitting&",
            {"fit-images": "7", "fit-units": "x", "fit-rate": "0", "fit-steps": "-1"},
        ),
    ],
)
def test_a_wrong_number_in_a_link_is_named_and_replaced(
    open_page: Any, view: str, wrong: dict[str, str]
) -> None:
    page = open_page(view + "&".join(f"{name}={value}" for name, value in wrong.items()))
    said = page.locator(".error:not(:empty)")
    for name, value in wrong.items():
        playwright.expect(said).to_contain_text(f"{name}={value}, which is not")
    page.get_by_role("button", name="Start again").click()
    playwright.expect(said).to_have_count(0)
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => Number(document.querySelector('.numbers b')?.textContent) > 0")
    assert not [name for name, value in wrong.items() if f"{name}={value}" in page.url]


def test_the_first_graph_runs_until_it_is_paused(open_page: Any) -> None:
    page = open_page("first")
    page.locator(".samples > div").first.wait_for()
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => Number(document.querySelector('.numbers b').textContent) > 60")
    page.get_by_role("button", name="Pause").click()
    settle(page)
    step = page.locator(".numbers b").first.text_content()
    assert f"steps={step}" in page.url
    page.get_by_role("link", name="Draw", exact=True).click()
    expect_headline(page, "nothing drawn")
    assert page.url.endswith("#draw")


def test_the_pictures_of_the_first_graph_are_moved(open_page: Any) -> None:
    page = open_page("first", has_touch=True)
    page.get_by_role("button", name="Show the graph").click()
    picture = page.locator(".graph[tabindex] svg")
    picture.wait_for()
    whole = picture.get_attribute("viewBox")
    picture.scroll_into_view_if_needed()
    box = page.locator(".graph[tabindex]").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130)
    page.mouse.up()
    moved = picture.get_attribute("viewBox")
    page.mouse.wheel(0, -300)
    page.wait_for_function(
        "d => document.querySelector('.graph[tabindex] svg').getAttribute('viewBox') !== d",
        arg=moved,
    )
    zoomed = [float(n) for n in picture.get_attribute("viewBox").split()]
    assert moved != whole and zoomed[2] < float(whole.split()[2])
    page.get_by_role("button", name="Show the whole picture").click()
    assert picture.get_attribute("viewBox") == whole

    fingers, (x, y) = page.context.new_cdp_session(page), (box["x"] + 200, box["y"] + 150)
    for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90)):
        two = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": two})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    pinched = [float(n) for n in picture.get_attribute("viewBox").split()]
    assert 0.25 < pinched[2] / float(whole.split()[2]) < 0.45  # three times as large
    assert page.evaluate("visualViewport.scale") == 1  # the graph, and not the page
    page.get_by_role("button", name="Show the whole picture").click()
    page.get_by_role("button", name="TensorFlow's operations").click()
    assert "gradients" in page.locator(".graph[tabindex]").text_content()
