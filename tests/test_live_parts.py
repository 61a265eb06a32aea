"""The live parts of chapters 5 and 6 in Chromium: what they show is what Python computes."""

import base64
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import pytest
from test_page import BROWSER, Watch, draw, playwright

from firstlight.serve.public_files import public_file

if not BROWSER:
    pytestmark = pytest.mark.skip(reason="no chromium: apt-get install chromium")

HOST = "http://localhost/"
HTML = """<!doctype html><html lang="en"><title>A live part</title>
<link rel="stylesheet" href="style.css"><link rel="icon" href="data:,">
<main class="chapter"><div class="live" data-live="{part}"></div></main>
<script type="module">
  import {{ onAddress }} from "./address.js";
  import {{ liveParts }} from "./live.js";
  const live = liveParts(document.querySelector("main"));
  onAddress(() => live.onAddress());
</script>"""
TYPES = {"js": "text/javascript", "css": "text/css"}
FILTERS = {
    "upper edges": np.array([[-1, -1, -1], [0, 0, 0], [1, 1, 1]]),
    "left edges": np.array([[-1, 0, 1]] * 3),
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]]),
}
EXAMPLES = public_file("mnist-few.bin")
IMAGES = np.frombuffer(EXAMPLES, np.uint8, 20 * 784).reshape(20, 28, 28)
Open = Callable[..., Any]


def answer(route: Any) -> None:
    """Answer as a static server would."""
    name = route.request.url.removeprefix(HOST)
    ending = name.rpartition(".")[2]
    if name.startswith("data/"):
        route.fulfill(body=public_file(name.removeprefix("data/")))
    elif ending in TYPES:
        body = (files("firstlight.serve") / "page" / name).read_text("utf-8")
        route.fulfill(body=body, content_type=TYPES[ending])
    else:
        route.fulfill(body=HTML.format(part=name), content_type="text/html")


@pytest.fixture(scope="module")
def context() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        context = browser.new_context()
        context.route("**/*", answer)
        yield context
        browser.close()


FOLLOW = """(hash) => new Promise((done) => {
  if (location.hash === hash) return done();
  addEventListener("hashchange", () => done(), { once: true });
  location.hash = hash;
})"""


@pytest.fixture(scope="module")
def open_part(context: Any) -> Iterator[Open]:
    """open_part("convolution#?conv-digit=1") → a page with this part, watched (see `Watch`).

    Unless it must be fresh, it is the page of the test before, which follows a link.
    """
    watch, pages = Watch(HOST), dict[str, Any]()

    def call(address: str, *, fresh: bool = False) -> Any:
        part, _, state = address.partition("#")
        if part in pages and not fresh:
            pages[part].bring_to_front()  # a page behind another one is slow
            pages[part].evaluate(FOLLOW, f"#{state}" if state else "")
            return pages[part]
        page = context.new_page()
        watch.add(page)
        page.goto(HOST + address)
        page.locator(".chips button").first.wait_for()
        pages.setdefault(part, page)
        return page

    yield call
    assert watch.problems == []


def address(page: Any) -> str:
    """Return the address at once; `page.url` comes a little later."""
    return str(page.evaluate("location.href"))


def opened_again(open_part: Open, page: Any) -> Any:
    """Open the address of a page, as another person would."""
    return open_part(address(page).removeprefix(HOST), fresh=True)


NAMES = """() => Array.from(document.querySelectorAll("button, input, canvas[tabindex]"), (each) =>
  each.ariaLabel ?? each.closest("label")?.innerText ?? each.innerText)"""


@pytest.mark.parametrize("part", ["convolution", "augmentation"])
def test_each_control_has_a_name_of_its_own(open_part: Open, part: str) -> None:
    names = open_part(part).evaluate(NAMES)
    assert len(set(names)) == len(names) and "" not in names
    digits = ["a 5", "a 0", "a 4", "a 1, 1 of 2", "a 9", "a 2", "a 1, 2 of 2", "a 3"]
    assert [name for name in names if name.startswith("a ")] == digits


# --- Chapter 5 -------------------------------------------------------------------------------

CELLS = """(canvas, side) => {
  const { width, height } = canvas;
  const copy = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  copy.drawImage(canvas, 0, 0);
  const { data } = copy.getImageData(0, 0, width, height);
  const cell = width / side;
  const middle = (i) => Math.floor((i + 0.5) * cell);
  return Array.from({ length: side * side }, (_, i) => {
    const pixel = middle(Math.floor(i / side)) * width + middle(i % side);
    return Array.from(data.slice(4 * pixel, 4 * pixel + 3));
  });
}"""
COLORS = """async () => (await import("./pixels.js")).colors()"""


def cells(page: Any, canvas: str, side: int) -> np.ndarray:
    """Return the colours (side, side, 3) of the squares of the canvas "digit" or "map"."""
    found = page.locator("figure", has_text=canvas).locator("canvas").first.evaluate(CELLS, side)
    return np.array(found).reshape(side, side, 3)


def shown(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".").replace("-", "−")


def shown_digit(page: Any) -> np.ndarray:
    """Return the pixels (28, 28), 0 to 1."""
    return cells(page, "digit", 28)[:, :, 0] / 255


def slide(image: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    windows = np.lib.stride_tricks.sliding_window_view(image, kernel.shape)
    return np.einsum("yxij,ij->yx", windows, kernel)


def expect_map(page: Any, sums: np.ndarray) -> None:
    """Each place has the colour of its sum: blue above 0, red below, both as strong as it is."""
    colors = {name: np.array(color) for name, color in page.evaluate(COLORS).items()}
    strength = (np.abs(sums) / np.abs(sums).max())[:, :, None]
    full = np.where((sums > 0)[:, :, None], colors["accent"], colors["wrong"])
    expected = colors["paper"] + strength * (full - colors["paper"])
    np.testing.assert_allclose(cells(page, "map", 26), expected, atol=1)


def filled(page: Any) -> np.ndarray:
    """Return which places of the map are filled: they have another colour on an even digit."""
    empty = cells(page, "map", 26)[0, 25]
    playwright.expect(page.get_by_text("of 676 places filled")).to_be_attached()
    return (cells(page, "map", 26) != empty).any(axis=2)


def test_the_filled_map_is_numpys_for_each_filter(open_part: Open) -> None:
    page = open_part("convolution#?conv-digit=2")
    page.get_by_role("button", name="Fill the map").click()
    image = IMAGES[2] / 255
    np.testing.assert_allclose(shown_digit(page), image, atol=1e-9)
    for name, kernel in FILTERS.items():
        page.get_by_role("button", name=name).click()
        expect_map(page, slide(image, kernel))
    page.get_by_label("weight in row 1, column 2").fill("-2.5")
    page.get_by_label("ReLU").check()
    other = FILTERS["sharpen"] + np.array([[0, -1.5, 0], [0, 0, 0], [0, 0, 0]])
    expect_map(page, slide(image, other).clip(0))
    again = opened_again(open_part, page)
    expect_map(again, slide(image, other).clip(0))
    assert again.get_by_label("ReLU").is_checked()


def test_the_working_of_one_place_is_numpys(open_part: Open) -> None:
    """Blur has weights of 1/9, though they are shown as 0.11."""
    page = open_part("convolution#?conv-filter=blur&conv-at=7,11")
    image = IMAGES[0, 7:10, 11:14] / 255
    said = page.locator(".convolution .sum")
    playwright.expect(said).to_have_text(f"Row 7, column 11: the sum is {shown(image.mean())}.")
    assert page.get_by_label("weight in row 1, column 1").input_value() == "0.11"
    page.get_by_label("weight in row 2, column 2").fill("-0.67")
    page.keyboard.press("Tab")
    kernel = np.full((3, 3), 1 / 9)
    kernel[1, 1] = -0.67
    products = page.locator("figure", has_text="products").locator("span").all_text_contents()
    found = [float(text.replace("−", "-")) for text in products]
    np.testing.assert_allclose(found, (image * kernel).reshape(-1), atol=0.0051)
    playwright.expect(said).to_contain_text(f"the sum is {shown((image * kernel).sum())}.")
    page.get_by_label("weight in row 2, column 2").fill("11")
    page.keyboard.press("Tab")
    page.get_by_text("a weight is a number from −10 to 10").wait_for()


OVERFLOWING = """() => Array.from(document.querySelectorAll(".nine span, .nine input"))
  .filter((each) => each.scrollWidth > each.clientWidth).length"""
TEXT_COLORS = """() => Array.from(document.querySelectorAll(".nine span"), (each) => {
  const { color, backgroundColor } = getComputedStyle(each);
  return [color, backgroundColor].map((text) => text.match(/\\d+/g).map(Number));
})"""


def luminance(color: list[int]) -> float:
    """As WCAG 2 defines it."""
    parts = np.array(color) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_the_numbers_fit_their_boxes_on_a_phone_and_can_be_read(open_part: Open) -> None:
    page = open_part(
        "convolution#?conv-filter=-0.67,-9.96,0.125,-0.5,-3,-2,3.14,-0.25,9.99", fresh=True
    )
    page.set_viewport_size({"width": 390, "height": 800})
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        page.locator(".two canvas").first.focus()
        for key in ("ArrowLeft", "ArrowDown", "ArrowRight"):
            page.keyboard.press(key)
            assert page.evaluate(OVERFLOWING) == 0
            for text, ground in page.evaluate(TEXT_COLORS):
                dark, light = sorted([luminance(text), luminance(ground)])
                assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_dragging_fills_places_and_the_address_brings_them_back(open_part: Open) -> None:
    page = open_part("convolution#?conv-at=3,3")
    canvas = page.locator("figure", has_text="digit").locator("canvas").first
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    pixel = box["width"] / 28
    for number, column in enumerate(range(11, 16)):  # the pixel in the middle of the frame
        page.mouse.move(box["x"] + (column + 0.5) * pixel, box["y"] + 7.5 * pixel)
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    expected = np.zeros((26, 26), bool)
    expected[6, 10:15] = expected[3, 3] = True
    np.testing.assert_array_equal(filled(page), expected)
    page.locator(".two canvas").last.focus()
    page.keyboard.press("ArrowDown")
    expected[7, 14] = True
    again = opened_again(open_part, page)
    np.testing.assert_array_equal(filled(again), expected)
    assert "Row 7, column 14" in (again.locator(".convolution .sum").text_content() or "")
    again.get_by_role("button", name="Empty it").click()
    np.testing.assert_array_equal(np.argwhere(filled(again)), [[7, 14]])
    broken = open_part(
        "convolution#?conv-map=-3,1e99,x,7&conv-at=99&conv-filter=1e9,x&conv-digit=-1"
    )
    assert broken.locator(".nine span").count() == 18
    said = broken.locator(".error:not(:empty)")
    for name in ("conv-at=99", "conv-filter=1e9,x", "conv-digit=-1"):
        playwright.expect(said).to_contain_text(name)
    broken.get_by_role("button", name="Fill the map").click()
    assert said.count() == 0 and "1e9" not in address(broken)


def test_the_filter_slides_over_ones_own_drawing(open_part: Open) -> None:
    page = open_part("convolution#?conv-digit=3")
    page.get_by_role("button", name="Draw your own").click()
    np.testing.assert_array_equal(shown_digit(page), IMAGES[3] / 255)
    draw(page, "7", left=0.3)
    page.get_by_role("button", name="Fill the map").click()
    image = shown_digit(page)
    assert 30 < (image > 0.5).sum() < 150
    expect_map(page, slide(image, FILTERS["upper edges"]))
    again = opened_again(open_part, page)
    np.testing.assert_array_equal(shown_digit(again), image)
    page.get_by_role("button", name="a 5").click()
    assert "ink" not in address(page) and not page.locator(".sheet").is_visible()


# --- Chapter 6 -------------------------------------------------------------------------------

AUGMENT = """async ({ pixels, strengths, numbers }) => {
  const { augmented } = await import("./augment.js");
  let next = 0;
  const version = augmented(Uint8Array.from(atob(pixels), (letter) => letter.charCodeAt(0)),
    strengths, () => numbers[next++]);
  return { version: Array.from(version), used: next };
}"""
NO_CHANGE = dict.fromkeys(
    ("rotate", "scale", "shear", "shift", "elastic", "stroke", "blur", "noise"), 0.0
)
TRIED = [
    {},
    {"rotate": 90, "scale": 0.5, "shear": 0.6, "shift": 5},
    {"elastic": 4},
    {"stroke": 1},
    {"blur": 1},
    {"noise": 100},
    {"rotate": 8, "scale": 0.08, "shear": 0.1, "shift": 0.7, "elastic": 1},
    {"rotate": 40, "scale": 0.3, "shear": 0.4, "shift": 3, "elastic": 3}
    | {"stroke": 0.8, "blur": 0.9, "noise": 60},
]


class Numbers(NamedTuple):
    """The random numbers of one image, all uniform from 0 to 1, in the order of augment.js."""

    affine: np.ndarray
    knots: np.ndarray
    stroke: np.ndarray
    blur: np.ndarray
    noise: np.ndarray
    pixels: np.ndarray

    @classmethod
    def drawn(cls, seed: int) -> "Numbers":
        random = np.random.default_rng(seed)
        return cls(*(random.uniform(size=size) for size in (6, 2 * 2 * 49, 1, 2, 1, 2 * 784)))

    def by_seed(self) -> dict[int, np.ndarray]:
        """Return them by the seeds with which training/augment.py draws them."""
        of_knots = normal(self.knots).reshape(2, 7, 7).transpose(1, 2, 0)
        strokes_and_blur = {0: self.stroke, 10: self.blur[0], 11: self.blur[1]}
        return strokes_and_blur | {
            20: self.affine, 21: of_knots, 80: self.noise, 81: normal(self.pixels)
        }  # fmt: skip


def normal(uniform: np.ndarray) -> np.ndarray:
    """Return normal numbers, each from two uniform ones (Box and Muller)."""
    first, second = uniform[::2], uniform[1::2]
    return np.sqrt(-2 * np.log(1 - first)) * np.cos(2 * np.pi * second)


def augmented_in_python(
    monkeypatch: pytest.MonkeyPatch, image: np.ndarray, strengths: dict[str, float], given: Numbers
) -> np.ndarray:
    """Return what training/augment.py makes of an image (28, 28) with these random numbers."""
    from firstlight.quiet import tf
    from firstlight.training import augment

    numbers = given.by_seed()

    def uniform(shape: Any, seed: Any, low: float = 0, high: float = 1) -> Any:
        values = np.reshape(numbers[int(seed[0])], shape)
        return tf.constant(low + (high - low) * values, tf.float32)

    def normal(shape: Any, seed: Any, stddev: float = 1) -> Any:
        return stddev * uniform(shape, seed)

    with monkeypatch.context() as patched:
        patched.setattr(tf.random, "stateless_uniform", uniform)
        patched.setattr(tf.random, "stateless_normal", normal)
        tf.config.run_functions_eagerly(True)  # a traced function would keep its numbers
        try:
            return augment.augmented(image[None, :, :, None], strengths)[0, :, :, 0]
        finally:
            tf.config.run_functions_eagerly(False)


def test_an_image_is_augmented_as_in_training(
    open_part: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same random numbers, a version is the one of training/augment.py."""
    page = open_part("augmentation")
    for seed, strengths in enumerate(TRIED):
        numbers, image = Numbers.drawn(seed), IMAGES[seed]
        given = {
            "pixels": base64.b64encode(image.tobytes()).decode(),
            "strengths": NO_CHANGE | strengths,
            "numbers": np.concatenate(numbers).tolist(),
        }
        found = page.evaluate(AUGMENT, given)
        assert found["used"] == 6 + 196 + 4 + (1568 if "noise" in strengths else 0)
        expected = augmented_in_python(monkeypatch, image, strengths, numbers)
        difference = np.abs(np.reshape(found["version"], (28, 28)) - expected.astype(int))
        assert difference.max() <= 1 and difference.mean() < 0.005, strengths


PICTURES = "all => all.map((canvas) => canvas.toDataURL())"


def pictures(page: Any) -> list[str]:
    """The digit and its sixteen versions."""
    found: list[str] = page.locator(".from canvas").evaluate_all(PICTURES)
    return found


def set_knob(page: Any, name: str, value: float) -> None:
    page.get_by_role("slider", name=name).fill(str(value))


def test_one_digit_becomes_many(open_part: Open) -> None:
    page = open_part("augmentation#?aug-digit=4")
    first = pictures(page)
    page.get_by_role("slider", name="rotate").focus()
    page.keyboard.press("End")
    page.get_by_text("this 9 can become a 6").wait_for()
    turned = pictures(page)
    assert (
        first[0] == turned[0] and len({*first, *turned}) == 33 and "aug-rotate=180" in address(page)
    )
    page.get_by_role("button", name="New versions").click()
    assert len({*turned, *pictures(page)}) == 33
    page.get_by_role("button", name="No change").click()
    assert len(set(pictures(page))) == 1
    page.get_by_role("button", name="a 5").click()
    page.get_by_role("button", name="Too much").click()
    page.get_by_text("a digit is upside down").wait_for()
    page.get_by_text("chosen digit").wait_for()


def test_who_changes_one_strength_keeps_the_other_random_numbers(open_part: Open) -> None:
    page = open_part("augmentation#?aug-elastic=0&aug-blur=0")
    first = pictures(page)
    for name in ("elastic", "blur", "noise"):
        set_knob(page, name, 1)
        assert pictures(page) != first
        set_knob(page, name, 0)
        assert pictures(page) == first


def test_the_address_brings_back_digit_strengths_seed_and_drawing(open_part: Open) -> None:
    page = open_part("augmentation")
    page.get_by_role("button", name="a 1, 2 of 2").click()
    strengths = {"rotate": 20, "scale": 0.25, "shear": 0.35, "shift": 2.5}
    strengths |= {"elastic": 0, "stroke": 0.3, "blur": 0.45, "noise": 17}
    for name, strength in strengths.items():
        set_knob(page, name, strength)
    page.get_by_role("button", name="New versions").click()
    again = opened_again(open_part, page)
    assert pictures(again) == pictures(page)
    values = {each: again.get_by_role("slider", name=each).input_value() for each in strengths}
    assert {name: float(value) for name, value in values.items()} == strengths
    playwright.expect(again.get_by_role("button", name="a 1, 2 of 2")).to_have_attribute(
        "aria-pressed", "true"
    )
    again.get_by_role("button", name="Draw your own").click()
    draw(again, "4", left=0.3)
    own = opened_again(open_part, again)
    assert pictures(own) == pictures(again) and pictures(own)[0] != pictures(page)[0]
    broken = open_part("augmentation#?aug-rotate=x&aug-seed=-1&aug-digit=99&aug-ink=zz.0.-1")
    assert len(pictures(broken)) == 17
    said = broken.locator(".error:not(:empty)")
    for name in ("aug-rotate=x", "aug-seed=-1", "aug-digit=99"):
        playwright.expect(said).to_contain_text(name)
