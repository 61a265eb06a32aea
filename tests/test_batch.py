"""Many pictures become a table: every kind of row, in order, complete after any stop."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import Answer
from PIL import Image

import firstlight as fl
from firstlight import tables
from firstlight.errors import DataError, Interrupted, UsageError
from firstlight.images.files import find_pictures
from firstlight.reading import batch, pages, table
from firstlight.reading.pages import Page
from firstlight.reading.result import FileReading
from firstlight.tables import digits_cell

COLUMNS = table.LINE_COLUMNS
Firstlight = Callable[..., Answer]


@pytest.fixture(scope="module")
def scans(write: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures of each kind."""
    folder = tmp_path_factory.mktemp("many") / "scans"
    (folder / "below").mkdir(parents=True)
    Image.fromarray(write("0042", "15")).save(folder / "9.png")
    Image.fromarray(write("273")).save(folder / "10.png")
    first, second = (Image.fromarray(write(text)) for text in ("60", "1"))
    first.save(folder / "12.tif", save_all=True, append_images=[second])
    Image.new("L", (90, 90), 255).save(folder / "blank.png")
    (folder / "damaged.png").write_bytes((folder / "9.png").read_bytes()[:900])
    (folder / "notes.txt").write_text("no picture")
    Image.fromarray(write("7")).save(folder / "below" / "=1+1,\n.png")
    return folder


@pytest.fixture
def beside(scans: Path, here: Path) -> Path:
    """The current folder is empty; `scans` in it is the folder with pictures."""
    (here / "scans").symlink_to(scans)
    return here


@pytest.fixture(scope="module")
def readings(scans: Path) -> list[FileReading]:
    """What is written on all pages, read once for all tests."""
    here = Path.cwd()
    os.chdir(scans.parent)
    read = list(pages.read_files(find_pictures([Path("scans")], pdf=True).files))
    os.chdir(here)
    return read


@pytest.fixture
def at_once(readings: list[FileReading], monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages are read without time, and without processes."""

    def read_pages(*_: Any, is_done: Callable[[Page], bool], **__: Any) -> Iterator[FileReading]:
        yield from (each for each in readings if not is_done(Page(each.file, each.page)))

    monkeypatch.setattr(batch, "read_pages", read_pages)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_folder_becomes_a_table(firstlight: Firstlight, beside: Path) -> None:
    answer = firstlight("read", "scans", "--out", "digits.csv", "--jobs", 2)
    assert answer.code == 1 and "firstlight: scans/damaged.png: damaged picture" in answer.err
    assert answer.out == (
        "digits.csv: 7 pages of 6 files, 1 page without digits, 1 unreadable page, "
        "1 other file left out\n"
    )
    rows = rows_of(Path("digits.csv"))
    assert list(rows[0]) == [*("file", "page", "line", "text", "confidence", "unsure"), "note"]
    found = [(row["file"], row["page"], row["line"], row["text"]) for row in rows]
    assert found == [
        ("scans/9.png", "1", "1", "'0042"),
        ("scans/9.png", "1", "2", "15"),
        ("scans/10.png", "1", "1", "273"),
        ("scans/12.tif", "1", "1", "60"),
        ("scans/12.tif", "2", "1", "1"),
        ("scans/blank.png", "1", "", ""),
        ("scans/damaged.png", "1", "", ""),
        ("scans/below/=1+1,\n.png", "1", "1", "7"),
    ]
    assert all(0.5 < float(row["confidence"]) <= 1 for row in rows if row["text"])
    assert rows[5]["note"] == "no digits found"
    assert rows[6]["note"].startswith("not read: damaged picture")
    assert sorted(path.name for path in beside.iterdir()) == ["digits.csv", "scans"]


def test_a_row_may_be_a_digit_with_its_box(
    beside: Path, at_once: None, readings: list[FileReading]
) -> None:
    summary = fl.read_to_file("scans", "digits.jsonl", digits=True, quiet=True)
    assert (summary.files, summary.pages, summary.unreadable, summary.left_out) == (6, 7, 1, 1)
    rows = [json.loads(line) for line in Path("digits.jsonl").read_text("utf-8").splitlines()]
    assert all(tuple(row) == table.DIGIT_COLUMNS for row in rows)
    second = readings[0].lines[0].digits[1]
    place = {"file": "scans/9.png", "page": 1, "line": 1, "position": 2, "digit": "0"}
    box = dict(zip(("x", "y", "width", "height"), second.box, strict=True))
    assert (
        place.items() | box.items()
        <= {k: v for k, v in rows[1].items() if k != "candidates"}.items()
    )
    assert "".join(row["digit"] or "" for row in rows) == "004215273" + "601" + "7"


def test_unsure_digits_and_unread_marks_are_in_the_table(
    beside: Path, readings: list[FileReading]
) -> None:
    reading = readings[0]
    first, *others = reading.lines[0].digits
    line = replace(reading.lines[0], digits=(replace(first, digit="?"), *others))
    unsure = replace(reading, lines=(line,), unread=((1, 2, 3, 4),), note="1 mark was not read")
    (row,) = table.line_rows(unsure, as_csv=True)
    assert (row["text"], row["unsure"], row["note"]) == ("?042", 1, "1 mark was not read")
    rows = table.digit_rows(unsure, as_csv=False)
    assert len(rows[0]["candidates"]) == 3 and rows[1]["candidates"] == []
    assert (rows[-1]["digit"], rows[-1]["x"], rows[-1]["height"]) == ("", 1, 4)
    summary = table.ReadSummary(Path("a.csv"))
    table.count(summary, rows)
    assert (summary.unsure, summary.incomplete, summary.empty) == (1, 1, 0)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("0042", "'0042"),
        ("42", "42"),
        ("0", "0"),
        ("", ""),
        ("1" * 16, "'" + "1" * 16),
        ("0?", "0?"),
    ],
)
def test_a_spreadsheet_keeps_all_digits(text: str, cell: str) -> None:
    assert digits_cell(text) == cell


def test_cells_of_different_texts_are_different_and_tell_the_text() -> None:
    texts = ["=x", "'=x", "''=x", "x", "'x", "-1", "'-1", "\rx", "'", ""]
    cells = [tables.cell(text) for text in texts]
    assert len(set(cells)) == len(texts)
    assert [tables.text_of(cell) for cell in cells] == texts
    assert not any(cell.startswith(tables.FORMULA) for cell in cells)


# Stopped, and continued


@pytest.mark.parametrize("name", ["o.csv", "o.jsonl"])
def test_any_name_of_a_file_is_found_again(here: Path, name: str) -> None:
    files = [Path(each) for each in ("a", "b\rc", "d\ne", "=x", "'=x", '"', "caf\udce9", "last")]
    written = [FileReading(file, note="no digits found") for file in files]
    with pytest.raises(KeyboardInterrupt), table.growing_table(Path(name), COLUMNS, []) as part:
        assert list(part.complete_pages()) == []
        for reading in written:
            part.write(table.line_rows(reading, part.as_csv))
        raise KeyboardInterrupt
    with table.growing_table(Path(name), COLUMNS, []) as part:
        keys = {table.key(rows[0]) for rows in part.complete_pages()}
    assert keys == {table.page_key(Page(file)) for file in files[:-1]} and len(keys) == 7
    with pytest.raises(UsageError, match="would have the same name in a table; rename one"):
        table.written_names([Path("caf\udce9"), Path(r"caf\udce9")])


def test_a_page_is_read_again_when_its_package_is_installed(
    beside: Path, readings: list[FileReading], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And those after it, so that the table stays in order."""
    missing = "scans/10.png: needs a package: pip install 'firstlight[pdf]', or pip install lost-x"
    without = [replace(readings[0], problem=None), replace(readings[1], lines=(), problem=missing)]
    found = iter([[*without, *readings[2:]], readings[1:]])

    def read_pages(*_: Any, is_done: Callable[[Page], bool], **__: Any) -> Iterator[FileReading]:
        pages = [each for each in next(found) if not is_done(Page(each.file, each.page))]
        yield from pages[:4]
        if len(pages) > 6:
            raise KeyboardInterrupt

    monkeypatch.setattr(batch, "read_pages", read_pages)
    with pytest.raises(Interrupted):
        fl.read_to_file("scans", "o.csv", quiet=True)
    monkeypatch.setattr(table, "find_spec", {"lost_x": True}.get)
    summary = fl.read_to_file("scans", "o.csv", quiet=True)
    assert summary.continued == 1 and rows_of(Path("o.csv"))[2]["text"] == "273"


@pytest.mark.parametrize("name", ["digits.csv", "digits.jsonl"])
@pytest.mark.parametrize("digits", [False, True])
def test_a_table_that_was_cut_anywhere_is_continued(
    beside: Path, at_once: None, name: str, digits: bool
) -> None:
    """A killed process leaves the first bytes of the table, whatever their number."""
    part = begin(name, digits)
    fl.read_to_file("scans", name, digits=digits, quiet=True)
    whole = Path(name).read_bytes()
    for end in (*range(0, len(whole), 5), len(whole)):
        part.write_bytes(whole[:end])
        summary = fl.read_to_file("scans", name, digits=digits, quiet=True)
        assert Path(name).read_bytes() == whole, end
        assert (summary.files, summary.pages, summary.empty, summary.unreadable) == (6, 7, 1, 1)
    assert summary.continued == 6  # all but the last page, which is read again


def begin(name: str, digits: bool) -> Path:
    """Stop at the first page; return the part that is left."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "write_pages", stop)
        with pytest.raises(KeyboardInterrupt):
            fl.read_to_file("scans", name, digits=digits, quiet=True)
    (part,) = Path().glob(f"{name}.*.part")
    return part


def stop(*_: Any) -> None:
    raise KeyboardInterrupt


def test_ctrl_c_says_how_to_continue(
    beside: Path, readings: list[FileReading], monkeypatch: pytest.MonkeyPatch
) -> None:
    def two_pages(*_: Any, **__: Any) -> Iterator[FileReading]:
        yield from readings[:2]
        raise KeyboardInterrupt

    monkeypatch.setattr(batch, "read_pages", two_pages)
    with pytest.raises(Interrupted, match=r"2 pages are in digits\.csv\..*; the same command"):
        fl.read_to_file("scans", "digits.csv", quiet=True)
    assert not Path("digits.csv").exists()


def test_a_table_is_continued_only_with_the_same_settings_and_by_one_process(
    beside: Path, at_once: None
) -> None:
    part = begin("digits.csv", digits=False)
    with pytest.raises(UsageError, match="begun with another model or other flags"):
        fl.read_to_file("scans", "digits.csv", digits=True)
    with part.open("a+b") as file:
        table.lock(file, part)
        with pytest.raises(UsageError, match="being written by another process"):
            fl.read_to_file("scans", "digits.csv")
    whole = Path("digits.csv")
    fl.read_to_file("scans", whole, quiet=True)
    part.write_bytes(whole.read_bytes())
    Path("scans").rename("other")
    with pytest.raises(UsageError, match=r"pages of scans/.*not given now"):
        fl.read_to_file("other", whole, quiet=True)


def test_a_killed_process_is_continued(beside: Path, write: Any) -> None:
    """SIGKILL, in the middle of the work; its workers end with it."""
    (beside / "more").mkdir()
    for number in range(30):
        Image.fromarray(write(str(number))).save(beside / "more" / f"{number}.png")
    command = [sys.executable, "-m", "firstlight", "read", "more", "--jobs", "1"]
    process = subprocess.Popen([*command, "--out", "digits.csv"], stderr=subprocess.DEVNULL)
    while not any(path.stat().st_size > 200 for path in beside.glob("*.part")):
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    summary = fl.read_to_file("more", "digits.csv", jobs=1, quiet=True)
    assert 0 < summary.continued < 30 and summary.pages == 30
    assert [row["text"] for row in rows_of(Path("digits.csv"))] == [str(n) for n in range(30)]


# Processes


def test_a_process_that_ends_costs_one_page(beside: Path) -> None:
    workers = batch.Workers(1, None, single=False)
    try:
        workers._all[0]._process.kill()
        lost = workers.read(Page(Path("scans/10.png")))
        assert lost.problem and lost.problem.startswith("scans/10.png: the process that read it")
        assert workers.read(Page(Path("scans/10.png"))).text == "273"
        assert workers.count(Path("scans/12.tif")) == 2
    finally:
        workers.close()


def test_many_pictures_are_read_as_one_is(beside: Path) -> None:
    one = fl.read("scans/10.png")
    (among_many,) = fl.read_all("scans/10.png", jobs=1)
    assert among_many.to_json()["lines"] == one.to_json()["lines"]
    assert among_many.lines[0].strip is not None  # the line reader read it, not the recogniser


def test_a_page_that_takes_too_long_is_given_up(
    beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "MAX_SECONDS", 0.01)
    (reading,) = fl.read_all("scans/10.png", jobs=1)
    assert reading.problem and "took over" in reading.problem


def test_what_cannot_be_begun_is_refused(
    firstlight: Firstlight, beside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: Sequence[tuple[list[str], int, str]] = [
        (["scans", "--out", "digits.txt"], 2, "ends in .csv or .jsonl"),
        (["scans", "--out", "scans"], 2, "ends in .csv or .jsonl"),
        (["scans", "--digits"], 2, "--digits is for rows in a file"),
        (["scans", "--out", "a.csv", "--explain", "b.png"], 2, "give one of them"),
        (["-", "--out", "a.csv"], 2, "standard input cannot be read again"),
        (["scans", "--out", "a.csv", "--jobs", "0"], 2, "--jobs"),
        (["scans/notes*", "nowhere.png", "--out", "a.csv"], 4, "nowhere.png: no such file"),
        (["empty", "--out", "a.csv"], 4, "no pictures in empty"),
        (["scans", "--out", "a.csv", "--model", "missing.onnx"], 4, "no model at missing.onnx"),
    ]
    (beside / "empty").mkdir()
    for arguments, code, message in cases:
        answer = firstlight("read", *arguments, "-q")
        assert (answer.code, message in answer.err) == (code, True), (arguments, answer)
    with pytest.raises(DataError, match="no pictures in empty"):
        fl.read_to_file("empty", "b.csv")


@pytest.mark.large
def test_ray_reads_what_the_command_line_reads(beside: Path, firstlight: Firstlight) -> None:
    pytest.importorskip("ray")
    script = Path(__file__).parents[1] / "docs" / "ray_read.py"
    firstlight("read", "scans", "--out", "here.csv", "-q")
    command = [sys.executable, script, "scans", "there.csv", "--workers", "2"]
    subprocess.run(command, check=True, capture_output=True)
    assert Path("there.csv").read_bytes() == Path("here.csv").read_bytes()
