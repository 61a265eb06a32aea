"""The reader: pictures composed of MNIST's digits, in many of the forms in which pictures come."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Answer
from PIL import Image, ImageDraw

from firstlight.datasets import _cut_candidates, mnist
from firstlight.errors import DataError, UsageError
from firstlight.images.open import WORKING_PIXELS
from firstlight.onnx_model import ModelMetadata, OnnxModel
from firstlight.probabilities import softmax
from firstlight.reading import (
    finder,
    ink,
    locate,
    normalize,
    read,
    reader,
    recognition,
    recognizer,
    strip,
    unread,
)
from firstlight.reading.blobs import Blob
from firstlight.reading.recognizer import DIGITS_MODEL

Firstlight = Callable[..., Answer]


def test_ink_may_be_dark_on_light_or_light_on_dark(write: Any) -> None:
    page = write("0123456789")
    assert read(page).text == "0123456789"
    assert read(255 - page).text == "0123456789"


def test_lines_are_in_reading_order_and_boxes_in_the_pictures_pixels(write: Any) -> None:
    result = read(write("314", "2760"))
    assert result.text == "314\n2760" and result.note is None
    tops = [[digit.box[1] for digit in line.digits] for line in result.lines]
    assert max(tops[0]) < 120 < min(tops[1])
    x, y, _, height = result.lines[0].digits[0].box
    assert (x, y) == pytest.approx((30, 30), abs=3) and height == pytest.approx(80, abs=6)


def test_digits_far_apart_in_a_row_are_one_line_from_left_to_right(write: Any) -> None:
    page = np.full((400, 1000), 255, np.uint8)
    for text, x, y in (("3", 700, 36), ("1", 30, 44), ("2", 350, 30), ("405", 60, 200)):
        digits = write(text)
        page[y : y + digits.shape[0], x : x + digits.shape[1]] = digits
    assert read(page).text == "123\n405"


def test_ink_as_light_as_the_paper_is_seen_by_its_colour(write: Any) -> None:
    ink = (255 - write("2019").astype(float))[..., None] / 255
    green, red = np.array([54, 117, 76.0]), np.array([132, 81, 65.0])
    picture = (green * (1 - ink) + red * ink).round().astype(np.uint8)
    assert np.ptp(np.asarray(Image.fromarray(picture).convert("L")).astype(int)) <= 3
    assert read(picture).text == "2019"


def test_a_line_has_the_readers_strip_and_the_places_of_its_digits(write: Any) -> None:
    (line,) = read(write("4071")).lines
    assert line.strip is not None and line.strip.shape[0] == 32
    columns = [digit.column for digit in line.digits]
    assert columns == sorted(columns) and 0 < columns[0] < columns[-1] < line.strip.shape[1]
    boxes = [digit.box[0] + digit.box[2] / 2 for digit in line.digits]
    assert np.corrcoef(columns, boxes)[0, 1] > 0.99


def test_only_an_unsure_digit_is_looked_at_again(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    recognized, strips = [], []

    def recognize(blobs: Any, network: Any) -> Any:
        recognized.extend(blobs)
        return recognition.recognize(blobs, network)

    def cut_area(*arguments: Any) -> Any:
        strips.append(arguments)
        return strip.cut_area(*arguments)

    monkeypatch.setattr(reader, "recognize", recognize)
    monkeypatch.setattr(reader, "cut_area", cut_area)
    picture = write("7210")
    assert read(picture).text == "7210"
    lines = len(strips)  # one line, which the finder may find in two sizes
    assert lines and not recognized
    monkeypatch.setattr(reader, "RECOGNIZER_BELOW", 1.1)
    monkeypatch.setattr(reader, "SECOND_MARGIN_BELOW", 1.1)
    assert read(picture).text == "7210"
    assert (len(recognized), len(strips) - lines) == (4 * lines, 2 * lines)


def test_uneven_light_and_a_hard_shadow_do_no_harm(write: Any) -> None:
    page = write("50324")
    light = np.linspace(1, 0.5, page.shape[1]) * np.where(np.arange(page.shape[1]) < 220, 0.6, 1)
    noise = np.random.default_rng(0).normal(0, 3, page.shape)
    assert read((page * light + noise).clip(0, 255).astype(np.uint8)).text == "50324"


def test_ruled_lines_are_left_out(write: Any) -> None:
    page = write("8063")
    page[10::40] = np.minimum(page[10::40], 150)
    page[11::40] = np.minimum(page[11::40], 150)
    assert read(page).text == "8063"


def test_a_frame_and_an_underline_are_left_out(write: Any) -> None:
    image = Image.fromarray(write("472"))
    pen = ImageDraw.Draw(image)
    pen.rectangle((10, 10, image.width - 10, image.height - 10), outline=60, width=3)
    pen.line((25, 140, 300, 143), 60, 4)
    assert read(image).text == "472"


def test_dots_dashes_and_equals_are_left_out(write: Any) -> None:
    image = Image.fromarray(write("302", gap=60))
    pen = ImageDraw.Draw(image)
    pen.ellipse((120, 100, 132, 112), fill=50)  # a dot on the line
    pen.line((260, 70, 295, 66), 50, 7)  # a dash
    for y in (60, 80):  # "="
        pen.line((image.width - 50, y, image.width - 15, y), 50, 7)
    assert read(image).text == "302"


def test_a_broken_stroke_is_joined(write: Any) -> None:
    page = write("6")
    page[60:64] = 255
    assert read(page).text == "6"


def test_touching_digits_are_cut(write: Any) -> None:
    assert read(write("2753", gap=-6)).text == "2753"


def test_single_reads_the_whole_picture_as_one_digit(write: Any) -> None:
    page = write("5")
    assert read(page, single=True).text == "5"
    small = Image.fromarray(page).resize((28, 28))
    assert read(small, single=True).text == "5"


def test_a_digit_that_the_frame_cuts_off_is_right_or_unsure() -> None:
    four = Image.new("L", (50, 50), 250)
    pen = ImageDraw.Draw(four)
    for stroke in ((0, 28, 28, 0), (0, 32, 50, 32), (33, 0, 33, 50)):
        pen.line(stroke, 20)
    assert read(four, single=True).text in ("4", "?")


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA", "CMYK", "I;16", "I", "F"])
def test_every_mode_of_pixels_is_read(write: Any, mode: str) -> None:
    grey = write("728")
    if mode == "1":
        image = Image.fromarray(grey > 128)
    elif mode in ("I;16", "I", "F"):
        dtype = {"I;16": np.uint16, "I": np.int32, "F": np.float32}[mode]
        scale = 1 if mode == "F" else 257
        image = Image.fromarray((grey.astype(np.float64) * scale).astype(dtype))
        assert image.mode == mode
    else:
        image = Image.fromarray(grey).convert("RGB").convert(mode)
    assert read(image).text == "728"


@pytest.mark.parametrize("ink_level", [0, 255])
def test_ink_on_a_transparent_canvas_is_read(write: Any, ink_level: int) -> None:
    """All pixels of such a drawing have the same colour; only their opacity differs."""
    grey = write("39", dark=1)
    color = np.full_like(grey, ink_level)
    assert read(Image.fromarray(np.dstack([color, color, color, 255 - grey]))).text == "39"


def test_a_file_is_rotated_as_its_exif_says(write: Any, tmp_path: Path) -> None:
    upright = Image.fromarray(write("461"))
    exif = Image.Exif()
    exif[0x0112] = 6  # viewers rotate it clockwise by 90 degrees
    path = tmp_path / "rotated.jpg"
    upright.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    result = read(path)
    assert result.text == "461" and result.picture.size == upright.size


def test_a_large_photograph_is_reduced_but_boxes_are_in_its_own_pixels(
    write: Any, tmp_path: Path
) -> None:
    image = Image.fromarray(write("9270")).resize((4400, 1900))
    path = tmp_path / "large.jpg"
    image.save(path)
    result = read(path)
    assert result.text == "9270"
    assert result.picture.grey.size <= WORKING_PIXELS * 1.01
    x, _, width, _ = result.lines[0].digits[-1].box
    assert 2500 < x < x + width < 4400


@pytest.mark.parametrize("paper", [0, 128, 255])
def test_an_empty_picture_has_no_digits(paper: int) -> None:
    blank = np.full((300, 400), paper, np.uint8)
    noisy = (blank + np.random.default_rng(1).normal(0, 4, blank.shape)).clip(0, 255)
    for page in (blank, noisy.astype(np.uint8)):
        result = read(page)
        assert result.text == "" and result.note == "no digits found"


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (10_000, 20), (3, 3)])
def test_a_picture_of_unusual_size_has_no_digits(size: tuple[int, int]) -> None:
    assert read(Image.new("L", size, 255)).note == "no digits found"


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4, 7)), np.zeros(5), np.zeros((0, 5)), np.full((9, 9), np.nan)]
)
def test_an_array_that_is_no_picture_is_refused(array: np.ndarray) -> None:
    with pytest.raises(UsageError, match="an array of"):
        read(array)


def bad_files(folder: Path) -> dict[str, str]:
    """Write files that cannot be read; return for each a part of the error."""
    good = folder / "good.png"
    Image.effect_noise((200, 200), 80).save(good)
    (folder / "truncated.png").write_bytes(good.read_bytes()[:3000])
    (folder / "empty.png").touch()
    (folder / "text.png").write_text("a letter")
    (folder / "directory.png").mkdir()
    Image.new("1", (30_000, 30_000)).save(folder / "bomb.png")
    Image.new("RGB", (9, 9)).save(folder / "other.ppm")
    return {
        "truncated.png": "damaged picture",
        "empty.png": "empty file",
        "text.png": "not a picture; PNG, JPEG",
        "directory.png": "is a directory",
        "bomb.png": "more than 40 million pixels",
        "other.ppm": "not a picture",
        "missing.png": "no such file",
    }


def test_unreadable_files_are_named_and_the_others_are_read(
    firstlight: Firstlight, write: Any, here: Path
) -> None:
    problems = bad_files(here)
    Image.fromarray(write("15")).save(here / "fine.png")
    answer = firstlight("read", *problems, "fine.png", "--json")
    assert answer.code == 1
    errors = answer.err.splitlines()
    assert len(errors) == len(problems)
    for line, (name, problem) in zip(errors, problems.items(), strict=True):
        assert line.startswith(f"firstlight: {name}: ") and problem in line
    results = json.loads(answer.out)
    assert [result["file"] for result in results] == [*problems, "fine.png"]
    assert results[-1]["text"] == "15"
    assert results[0]["lines"] == [] and "damaged picture" in results[0]["note"]
    assert firstlight("read", "empty.png", "--explain", "how.png").code == 4
    assert not (here / "how.png").exists()  # nothing was read, so nothing is drawn
    with pytest.raises(DataError, match=r"empty\.png: empty file"):
        read("empty.png")


def test_the_command_line_prints_text_or_json(
    firstlight: Firstlight, write: Any, here: Path
) -> None:
    Image.fromarray(write("273", "60")).save("page.png")
    Image.new("L", (90, 90), 255).save("blank.png")
    assert firstlight("read", "page.png").out == "273\n60\n"
    both = firstlight("read", "page.png", "blank.png", "--explain", "how.png")
    assert both.out == "page.png: 273\npage.png: 60\nblank.png: no digits found\n"
    assert both.code == 0
    with Image.open("how.png") as picture:
        assert picture.width == 1200
    (result,) = json.loads(firstlight("read", "page.png", "--json").out)
    assert list(result) == ["file", "text", "lines", "note"] and result["note"] is None
    assert list(result["lines"][1]) == ["text", "digits"]
    digit = result["lines"][1]["digits"][0]
    assert list(digit) == ["digit", "confidence", "box"] and digit["digit"] == "6"
    assert 0.5 < digit["confidence"] <= 1 and len(digit["box"]) == 4


def test_an_unsure_digit_is_a_question_mark_with_its_candidates(
    firstlight: Firstlight, write: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(write("7")).save("seven.png")
    monkeypatch.setattr(reader, "MIN_CONFIDENCE", 1.1)
    (result,) = json.loads(firstlight("read", "seven.png", "--json").out)
    assert result["text"] == "?"
    (digit,) = result["lines"][0]["digits"]
    assert len(digit["candidates"]) == 3
    assert digit["candidates"][0] == {"digit": "7", "confidence": digit["confidence"]}


def test_a_missing_model_and_a_file_that_is_no_model_are_refused(
    firstlight: Firstlight, write: Any, here: Path
) -> None:
    Image.fromarray(write("1")).save("one.png")
    Path("text.onnx").write_text("no model")
    missing = firstlight("read", "one.png", "--model", "missing.onnx")
    assert missing.code == 4 and "no model at missing.onnx" in missing.err
    text = firstlight("read", "one.png", "--model", "text.onnx")
    assert text.code == 4 and len(text.err.splitlines()) == 1


def test_the_bundled_model_says_what_it_is() -> None:
    onnx = pytest.importorskip("onnx")
    (prop,) = onnx.load(DIGITS_MODEL).metadata_props
    document = json.loads(prop.value)
    assert document.keys() == {
        *("network", "classes", "input", "image_kind", "data", "preprocessing", "trained"),
        *("temperature", "threshold", "calibration_error", "coverage", "error_rate"),
    }
    metadata = ModelMetadata.from_json(document)
    assert (metadata.input, metadata.image_kind) == ((28, 28, 1), "digits")
    assert metadata.classes == (*"0123456789", "none")


def test_none_is_less_probable_to_the_reader_than_to_its_model() -> None:
    model, reader = OnnxModel(DIGITS_MODEL, is_ours=True), recognizer.recognizer(DIGITS_MODEL)
    images = np.concatenate([mnist.load("test").images[:20], np.zeros((1, 28, 28, 1), np.uint8)])
    plain = softmax(model.logits(images) / model.metadata.temperature).astype(float)
    lowered = reader.probabilities(images).astype(float)
    np.testing.assert_allclose(lowered.sum(1), 1, rtol=1e-6)
    digits = plain[:, :10].sum(1), lowered[:, :10].sum(1)
    odds = plain[:, 10] / digits[0], lowered[:, 10] / digits[1]
    np.testing.assert_allclose(odds[1] / odds[0], recognizer.NOT_A_DIGIT_PRIOR_RATIO, rtol=1e-4)
    assert (
        model.probabilities(images[:0]).shape == reader.probabilities(images[:0]).shape == (0, 11)
    )


def test_a_model_of_something_else_and_one_with_weights_elsewhere_are_refused(
    firstlight: Firstlight, write: Any, here: Path
) -> None:
    onnx = pytest.importorskip("onnx")
    Image.fromarray(write("1")).save("one.png")
    model = onnx.load(DIGITS_MODEL)
    onnx.save(model, "outside.onnx", save_as_external_data=True, location="w", size_threshold=99)
    outside = firstlight("read", "one.png", "--model", "outside.onnx")
    assert outside.code == 4 and "outside.onnx is not an ONNX model that can be run" in outside.err
    model = onnx.load(DIGITS_MODEL)
    model.doc_string = "location"  # the word alone does not name another file
    onnx.save(model, "same.onnx")
    assert firstlight("read", "one.png", "--model", "same.onnx").out == "1\n"
    document = json.loads(model.metadata_props[0].value) | {"image_kind": "arrays"}
    model.metadata_props[0].value = json.dumps(document)
    onnx.save(model, "shirts.onnx")
    shirts = firstlight("read", "one.png", "--model", "shirts.onnx")
    assert shirts.code == 2 and "takes arrays 28×28×1: not a model of digits" in shirts.err
    del document["image_kind"]
    model.metadata_props[0].value = json.dumps(document)
    onnx.save(model, "unknown.onnx")
    assert (
        "not a model of firstlight" in firstlight("read", "one.png", "--model", "unknown.onnx").err
    )
    del model.metadata_props[:]
    onnx.save(model, "other.onnx")
    other = firstlight("read", "one.png", "--model", "other.onnx")
    assert other.code == 2 and "other.onnx takes image tensor(uint8)" in other.err


def test_reading_imports_neither_tensorflow_nor_scipy_nor_rich(write: Any, tmp_path: Path) -> None:
    Image.fromarray(write("8")).save(tmp_path / "eight.png")
    program = (
        "import sys\n"
        "import firstlight\n"
        "assert 'numpy' not in sys.modules\n"
        "from firstlight import cli\n"
        "assert cli.run() == 0\n"
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'scipy', 'cv2', 'rich'}\n"
        "heavy &= sys.modules.keys()\n"
        "assert not heavy, heavy\n"
    )
    command = [sys.executable, "-c", program, "read", str(tmp_path / "eight.png")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == "8\n"


def test_a_normalised_digit_is_like_those_of_mnist() -> None:
    ink_ = np.zeros((300, 100), np.float32)
    ink_[:, 40:60] = 1  # a vertical stroke with a foot to the right
    ink_[200:, 60:] = 1
    image = normalize.normalize(Blob(0, 0, ink_))[..., 0]
    rows, columns = np.flatnonzero(image.max(1)), np.flatnonzero(image.max(0))
    assert np.ptp(rows) + 1 in (20, 21) and np.ptp(columns) < 10
    y, x = np.average(np.indices((28, 28)), axis=(1, 2), weights=np.stack([image, image]))
    assert (y, x) == pytest.approx((13.5, 13.5), abs=0.6)
    assert image[0].max() == 0 and image.max() == 255


def test_a_thin_pens_strokes_are_thickened() -> None:
    thin = np.zeros((400, 200), np.float32)
    thin[:, 98:101] = 1
    thin[397:, :] = 1
    image = normalize.normalize(Blob(0, 0, thin))[..., 0]
    assert (image[4:18] / 255).sum(1).mean() == pytest.approx(normalize.MIN_STROKE_WIDTH, abs=0.5)


@pytest.mark.parametrize("size", [1, 3, 21, 151])
def test_a_sliding_maximum_is_the_maximum_of_each_window(size: int) -> None:
    array = np.random.default_rng(2).integers(0, 256, (40, 57), np.uint8)
    padded = np.pad(array, size // 2, "edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size))
    assert (ink.sliding_extremum(array, size, np.maximum) == windows.max((2, 3))).all()


def test_a_seam_goes_around_the_ink() -> None:
    pair = np.zeros((60, 80), np.float32)
    pair[:, 5:30] = pair[:, 50:75] = 1
    pair[40:44, 30:50] = 1  # where they touch
    seam = min(_cut_candidates.cheapest_seams(pair, 10), key=lambda seam: seam.ink)
    assert ((seam.columns >= 29) & (seam.columns <= 50)).all() and seam.ink == pytest.approx(4)


# What was not read


def test_a_pale_digit_that_is_left_out_is_named(
    firstlight: Firstlight, write: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line finder finds this one; so it is made to look at the left of the page alone."""
    find = finder.LineFinder.find
    monkeypatch.setattr(
        finder.LineFinder, "find", lambda self, grey: [x for x in find(self, grey) if x.left < 300]
    )
    dark, pale = write("301", gap=40), write("7", dark=0.25)
    page = np.hstack([dark, pale])
    Image.fromarray(page).save("page.png")
    answer = firstlight("read", "page.png")
    assert answer.out == "301\n"
    assert answer.err == "firstlight: page.png: 1 mark was not read\n"
    assert firstlight("read", "page.png", "-q").err == ""
    (result,) = json.loads(firstlight("read", "page.png", "--json").out)
    assert result["text"] == "301" and result["note"] == "1 mark was not read"
    ((x, _, width, height),) = result["unread"]
    assert dark.shape[1] < x < x + width < page.shape[1] and height == pytest.approx(80, abs=6)


def test_small_digits_beside_large_ones_are_read_as_a_line(write: Any) -> None:
    large = np.asarray(Image.fromarray(write("49", gap=60)).resize((560, 400)))
    small = np.asarray(Image.fromarray(write("72")).resize((100, 76)))
    page = np.hstack([large[:, :440], np.full((400, 200), 255, np.uint8)])
    page[150:226, 440:540] = small
    reading = read(page)
    assert reading.text == "4972" and reading.note is None


def test_a_letter_between_digits_is_named_as_not_read(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network calls every 8 "none", as it does with a letter."""
    predict = recognizer.Recognizer.probabilities

    def without_eights(self: Any, images: np.ndarray) -> np.ndarray:
        probabilities = predict(self, images)
        probabilities[:, 10] += probabilities[:, 8]
        probabilities[:, 8] = 0
        return probabilities

    monkeypatch.setattr(recognizer.Recognizer, "probabilities", without_eights)
    reading = read(write("3817"), model=DIGITS_MODEL)
    assert reading.text == "317" and len(reading.unread) == 1


def test_a_model_of_the_users_says_which_digits_those_are(
    write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one takes every digit for a 5."""
    only_fives = np.eye(11, dtype=np.float32)[5]
    predict = recognizer.Recognizer.probabilities
    own = recognizer.Recognizer(OnnxModel(DIGITS_MODEL, is_ours=True))
    monkeypatch.setattr(
        recognizer.Recognizer,
        "probabilities",
        lambda self, images: (
            np.tile(only_fives, (len(images), 1)) if self is own else predict(self, images)
        ),
    )
    bundled = recognizer.recognizer(DIGITS_MODEL)
    monkeypatch.setattr(reader, "recognizer", lambda path: bundled if path == DIGITS_MODEL else own)
    for picture, text in ((write("30172"), "55555"), (write("9"), "5")):
        reading = read(picture, "own.onnx")
        assert reading.text == text
        assert read(picture, "own.onnx", single=True).text == "5"
        assert len(reading.lines[0].digits) == len(read(picture).text)


def test_ink_too_pale_to_be_cut_out_is_unsure_to_a_model_of_the_users(write: Any) -> None:
    (line,) = read(write("4")).lines
    nothing_to_see = replace(line.digits[0], image=np.zeros((28, 28, 1), np.uint8))
    digit = reader.read_digit(nothing_to_see, recognizer.recognizer(DIGITS_MODEL))
    assert digit.digit == "?" and digit.confidence == pytest.approx(1 / 11)


def test_dots_lines_and_frames_are_not_missed(write: Any) -> None:
    image = Image.fromarray(write("302", gap=60))
    pen = ImageDraw.Draw(image)
    pen.ellipse((120, 100, 132, 112), fill=50)
    pen.line((260, 70, 295, 66), 50, 7)
    pen.rectangle((10, 10, image.width - 10, image.height - 10), outline=60, width=3)
    assert read(image).note is None


def test_candidates_of_an_unsure_digit_are_printed_on_request(
    firstlight: Firstlight, write: Any, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(write("7")).save("seven.png")
    monkeypatch.setattr(reader, "MIN_CONFIDENCE", 1.1)
    assert firstlight("read", "seven.png").out == "?\n"
    first, second = firstlight("read", "seven.png", "-v").out.splitlines()
    assert first == "?" and second.startswith("  digit 1: 7 ")


# Pages, folders, standard input


@pytest.fixture
def three_pages(write: Any, here: Path) -> Path:
    """A TIFF file with a number on each of three pages."""
    first, *others = (Image.fromarray(write(text)) for text in ("15", "273", "60"))
    first.save(here / "three.tif", save_all=True, append_images=others)
    return here / "three.tif"


def test_every_page_of_a_tiff_is_read(firstlight: Firstlight, three_pages: Path) -> None:
    assert firstlight("read", "three.tif").out == (
        "three.tif page 1: 15\nthree.tif page 2: 273\nthree.tif page 3: 60\n"
    )
    results = json.loads(firstlight("read", "three.tif", "--json").out)
    assert [list(result) for result in results] == [["file", "page", "text", "lines", "note"]] * 3
    assert [result["page"] for result in results] == [1, 2, 3]
    assert read(three_pages).note == "the first of 3 pages"
    assert read(three_pages, page=2).text == "273" and read(three_pages, page=2).note is None
    with pytest.raises(DataError, match=r"three\.tif: no page 4; it has 3"):
        read(three_pages, page=4)


def test_a_file_of_too_many_pages_is_refused(
    firstlight: Firstlight, three_pages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("firstlight.images.open.MAX_PAGES", 2)
    answer = firstlight("read", "three.tif")
    assert answer.code == 4 and "three.tif: more than 2 pages; split the file" in answer.err


def test_every_page_of_a_pdf_is_read(firstlight: Firstlight, write: Any, here: Path) -> None:
    pytest.importorskip("pypdfium2")
    first, second = (Image.fromarray(write(text)) for text in ("1523", "60"))
    first.save("scan.pdf", save_all=True, append_images=[second], resolution=144)
    assert firstlight("read", "scan.pdf").out == "scan.pdf page 1: 1523\nscan.pdf page 2: 60\n"
    reading = read("scan.pdf", page=1)
    assert reading.picture.size == pytest.approx(first.size, abs=1)
    assert reading.lines[0].digits[0].box[:2] == pytest.approx((30, 30), abs=4)
    Path("damaged.pdf").write_bytes(Path("scan.pdf").read_bytes()[:200])
    damaged = firstlight("read", "damaged.pdf")
    assert damaged.code == 4 and damaged.err.startswith("firstlight: damaged.pdf: damaged PDF")


def test_a_pdf_with_a_huge_picture_is_refused(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pypdfium2")
    Image.new("1", (900, 900), 1).save("huge.pdf")
    monkeypatch.setattr("firstlight.images.pdf.HAS_DEADLINE", True)  # drawn in this process
    monkeypatch.setattr("firstlight.images.pdf.MAX_PIXELS", 100 * 100)
    with pytest.raises(DataError, match=r"huge\.pdf: a picture of 900×900 is more than"):
        read("huge.pdf")


def test_without_pdfium_a_pdf_says_what_to_install(
    firstlight: Firstlight, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("scan.pdf").write_bytes(b"%PDF-1.4")
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    answer = firstlight("read", "scan.pdf")
    assert answer.code == 4 and "scan.pdf: a PDF, which needs pypdfium2: pip install" in answer.err


def test_folders_and_patterns_stand_for_their_pictures(
    firstlight: Firstlight, write: Any, here: Path
) -> None:
    (here / "scans" / "more").mkdir(parents=True)
    for name, text in (("10.png", "10"), ("9.jpg", "9"), ("more/no_ending", "7"), (".no.png", "1")):
        Image.fromarray(write(text)).save(here / "scans" / name, "PNG")
    (here / "scans" / "notes.txt").write_text("no picture")
    everything = "scans/9.jpg: 9\nscans/10.png: 10\nscans/more/no_ending: 7\n"
    assert firstlight("read", "scans").out == everything
    assert firstlight("read", "scans/[19]*.*").out == "".join(everything.splitlines(True)[:2])
    assert firstlight("read", "scans/**/no_*").out == "7\n"
    (here / "empty").mkdir()
    for nothing in ("empty", "scans/*.gif"):
        answer = firstlight("read", nothing)
        assert answer.code == 4 and nothing in answer.err


def test_standard_input_is_a_picture(write: Any, here: Path) -> None:
    Image.fromarray(write("15")).save("a.png")
    command = [sys.executable, "-m", "firstlight", "read", "-"]
    picture = subprocess.run(command, input=Path("a.png").read_bytes(), capture_output=True)
    assert (picture.returncode, picture.stdout) == (0, b"15\n")
    text = subprocess.run(command, input=b"no picture", capture_output=True)
    assert text.returncode == 4 and text.stderr.startswith(b"firstlight: -: not a picture")


def test_a_shadow_does_not_hide_the_digits_in_its_box() -> None:
    digit, shadow = np.ones((60, 40), np.float32), np.ones((500, 300), np.float32)
    marks = locate.Marks(
        [
            locate.MeasuredBlob(Blob(10, 10, shadow), 0.2),
            locate.MeasuredBlob(Blob(50, 50, digit), 0.3),
        ],
        others=np.zeros((0, 4), np.int64),
    )
    (found,) = unread.left_out(marks, [Blob(10, 10, shadow)], height=60)
    assert (found.x, found.y) == (50, 50)
    assert unread.left_out(marks, [Blob(48, 48, digit)], height=60) == []


def test_of_boxes_in_boxes_the_smaller_ones_are_looked_at() -> None:
    nested = np.array([(edge, edge, 600 - edge, 600 - edge) for edge in range(0, 290, 2)])
    row = np.array([(50 * i, 0, 50 * i + 40, 60) for i in range(12)])
    numbers = np.arange(1, len(nested) + 1)
    used = locate.beside_each_other(numbers, nested, 600 * 600)
    sides = nested[used - 1, 2] - nested[used - 1, 0]
    assert 0 < (sides**2).sum() < 4 * 600 * 600 and used[-1] == numbers[-1]
    assert locate.beside_each_other(np.arange(1, 13), row, 600 * 60).tolist() == [*range(1, 13)]
