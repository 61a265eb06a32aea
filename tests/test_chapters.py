"""Chapters: their parts, the program of their code, numbers that agree, notebooks, HTML."""

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import nbformat
import pytest
from hypothesis import given
from hypothesis import strategies as st

import firstlight as fl
from firstlight.chapters.agreement import Tolerance, disagreement
from firstlight.chapters.chapter import Chapter, Code, Prose, chapters, folder
from firstlight.chapters.highlight import highlighted
from firstlight.chapters.html import chapter_html
from firstlight.chapters.notebooks import notebook
from firstlight.chapters.program import complete_program
from firstlight.errors import UsageError

PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d76360"
    "60000000040001274205e30000000049454e44ae426082"
)
TEXT = """# 3. When to stop

Prose, and ![a picture](pictures/3/given.png) in it. See [chapter 2](2-how-good.md).

## A section

```python
import math

print(math.pi)
figure = "costs.png"
figure
```
```text within 5 %
3.14
```

![The costs](pictures/3/costs.png)

```console
$ firstlight list
```

## Answers

```python
print("an answer")
```
```text
an answer
```

## The complete program

```python
print("all of it")
```
"""


@pytest.fixture
def chapter(tmp_path: Path) -> Chapter:
    pictures = tmp_path / "pictures" / "3"
    pictures.mkdir(parents=True)
    for name in ("given.png", "costs.png"):
        (pictures / name).write_bytes(PIXEL)
    return Chapter(tmp_path / "3-when-to-stop.md", TEXT)


def test_a_chapter_is_prose_and_code(chapter: Chapter) -> None:
    assert chapter.title == "3. When to stop"
    kinds = [type(part) for part in chapter.parts]
    assert kinds == [Prose, Code, Code, Prose, Code, Prose, Code]
    first, answer = chapter.cells
    assert (first.section, first.printed) == ("A section", "3.14\n")
    assert first.tolerance.share == 0.05
    assert first.picture and first.picture.path == "pictures/3/costs.png"
    assert (answer.printed, answer.tolerance) == ("an answer\n", Tolerance())
    assert answer.picture is None


def test_a_picture_that_the_code_does_not_name_is_prose(chapter: Chapter) -> None:
    other = Chapter(chapter.path, TEXT.replace('"costs.png"', '"other.png"'))
    assert other.cells[0].picture is None
    assert any("costs.png" in part.text for part in other.parts if isinstance(part, Prose))


def test_the_program_is_the_code_before_the_answers(chapter: Chapter) -> None:
    assert complete_program(chapter) == (
        '"""3. When to stop"""\n\nimport math\n\n'
        '# A section\nprint(math.pi)\nfigure = "costs.png"\n'
    )


def test_the_program_has_two_empty_lines_around_a_function(chapter: Chapter) -> None:
    function = "```python\ndef f():\n    return 1\n```\n\n```python\nprint(f())\n```\n\n## Answers"
    program = complete_program(Chapter(chapter.path, TEXT.replace("## Answers", function)))
    assert program.endswith("\n\n\ndef f():\n    return 1\n\n\nprint(f())\n")


@pytest.mark.parametrize(
    ("said", "printed", "within"),
    [
        ("cost 12.7", "cost 12.8", ""),
        ("cost 0.0", "cost 0.1", ""),  # one in the last place
        ("1,000 steps: 44.1 %", "1,000  steps:  44.0 %", ""),
        ("96 mistakes", "104 mistakes", "within 10 %"),
        ("12% right", "20% right", "within 10 points"),
        ("-1.5e-07", "-1.52e-07", ""),
        ("conv1 (7, 7, 64)", "conv1 (7, 7, 64)", ""),
    ],
)
def test_numbers_agree(said: str, printed: str, within: str) -> None:
    assert disagreement(said, printed, Tolerance.from_text(within)) == ""


@pytest.mark.parametrize(
    ("said", "printed", "within"),
    [
        ("cost 12.7", "cost 0.3", ""),
        ("cost 12.7", "loss 12.7", ""),
        ("96 mistakes", "97 mistakes", ""),
        ("96 mistakes", "120 mistakes", "within 10 %"),
        ("12% right", "24% right", "within 10 points"),
        ("one\ntwo", "one", ""),
        ("one", "one\ntwo", ""),
        ("", "one", ""),
        ("1.5", "-1.5", ""),
        ("conv1", "conv2", ""),
        ("1.5e-07", "1.5e-02", ""),
        ("1.0", "nan", ""),
        ("0", "0.4", ""),
    ],
)
def test_what_differs_is_found(said: str, printed: str, within: str) -> None:
    assert disagreement(said, printed, Tolerance.from_text(within))


def test_a_tolerance_that_nobody_understands_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'within reason' is no tolerance"):
        Tolerance.from_text("within reason")


@given(st.floats(-1e6, 1e6), st.integers(0, 6))
def test_each_number_agrees_with_itself(value: float, decimals: int) -> None:
    text = f"a {value:,.{decimals}f} b"
    assert disagreement(text, text) == ""


def test_a_notebook_has_the_outputs_of_the_chapter(chapter: Chapter) -> None:
    written = notebook(chapter)
    nbformat.validate(written)
    kinds = [cell.cell_type for cell in written.cells]
    assert kinds == ["markdown", "code", "markdown", "code", "markdown"]
    prose, code, *_ = written.cells
    assert "(attachment:given.png)" in prose.source and "given.png" in prose.attachments
    assert "(2-how-good.ipynb)" in prose.source
    stream, picture = code.outputs
    assert stream.text == "3.14\n"
    assert picture.data["image/png"] and picture.data["text/plain"] == "The costs"


def test_the_series_becomes_notebooks(here: Path) -> None:
    files = fl.lessons("notebooks").files
    assert [file.name[0] for file in files] == [str(number) for number in range(1, len(files) + 1)]
    for file in files:
        nbformat.validate(nbformat.read(file, as_version=4))


def test_a_notebook_that_exists_is_never_replaced(here: Path) -> None:
    first, *_, last = fl.lessons("notebooks").files
    first.unlink()
    last.write_text("my work")
    with pytest.raises(UsageError, match="may hold your work"):
        fl.lessons("notebooks")
    assert last.read_text() == "my work" and not first.exists()


def test_a_folder_that_cannot_be_made_is_named(here: Path) -> None:
    Path("file").write_text("")
    with pytest.raises(UsageError, match="file"):
        fl.lessons("file")


def test_the_command_writes_them_without_tensorflow(here: Path) -> None:
    program = (
        "import sys; from firstlight.__main__ import main\n"
        "try: main()\n"
        "finally: assert 'tensorflow' not in sys.modules"
    )
    command = [sys.executable, "-c", program, "lessons", "out", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert all(Path(file).is_file() for file in json.loads(done.stdout)["files"])


# --- HTML ------------------------------------------------------------------------------------


class Parsed(HTMLParser):
    """A chapter's HTML: the tags with their attributes, and the text of each <pre>."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[str] = []
        self.is_block = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "pre":
            self.is_block = True
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        self.is_block = self.is_block and tag != "pre"

    def handle_data(self, data: str) -> None:
        if self.is_block:
            self.blocks[-1] += data

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]

    def values(self, attribute: str) -> list[str | None]:
        return [attributes[attribute] for _, attributes in self.tags if attribute in attributes]


by_chapter = pytest.mark.parametrize("chapter", chapters(), ids=lambda chapter: chapter.name)


@by_chapter
def test_a_chapter_is_whole_on_the_page(chapter: Chapter) -> None:
    parsed = Parsed(chapter_html(chapter))
    blocks = [part for part in chapter.parts if isinstance(part, Code)]
    assert parsed.blocks == [
        text for block in blocks for text in (block.source, block.printed) if text
    ]
    assert parsed.names().count("img") == chapter.text.count("](pictures/")
    assert parsed.names().count("h3") == len(re.findall("^## ", chapter.text, re.M))
    ids = parsed.values("id")
    assert len(ids) == len(set(ids))


@by_chapter
def test_its_links_lead_somewhere_and_the_page_s_policy_allows_all_of_it(chapter: Chapter) -> None:
    parsed = Parsed(chapter_html(chapter))
    names = [other.name for other in chapters()]
    for target in parsed.values("href") + parsed.values("src"):
        assert target
        file, _, name = target.partition("#learn?chapter=")
        name, _, section = name.partition("&section=")
        is_there = (folder() / file).is_file() if file else name in names
        assert not section or section in parsed.values("id"), target
        assert is_there or target.startswith("https://"), target
    assert not {"script", "style", "iframe"} & set(parsed.names())
    for _, attributes in parsed.tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_the_page_has_the_parts_of_a_chapter(chapter: Chapter) -> None:
    html = chapter_html(chapter)
    assert '<h2 id="3-when-to-stop" tabindex="-1">3. When to stop</h2>' in html
    assert '<section id="a-section">' in html
    assert '<a href="#learn?chapter=2-how-good">chapter 2</a>' in html
    assert '<img src="pictures/3/costs.png" alt="The costs" width="1" height="1"' in html
    assert '<pre class="output"><samp>3.14\n</samp></pre>' in html and "within" not in html
    assert '<span class="prompt">$ </span>firstlight list' in html
    assert re.search(r'(?s)<summary>Show the program</summary>.*"all of it"', html)


def test_each_answer_is_folded(chapter: Chapter) -> None:
    answers = "## Answers\n\n### Exercise 1\n\nOne.\n\n### Exercise 2\n\nTwo."
    html = chapter_html(Chapter(chapter.path, TEXT.replace("## Answers", answers)))
    assert html.count("<details") == 3  # two answers, and the program
    assert '<details id="exercise-1">\n<summary>Exercise 1</summary>\n<p>One.</p>' in html


def test_columns_of_numbers_have_a_class(chapter: Chapter) -> None:
    table = "## A section\n\n| name | error |\n|---|--:|\n| a | 1 |\n"
    html = chapter_html(Chapter(chapter.path, TEXT.replace("## A section", table)))
    assert '<th class="number">error</th>' in html and '<td class="number">1</td>' in html


def test_two_headings_of_the_same_words_have_two_names(chapter: Chapter) -> None:
    text = TEXT.replace("## Answers", "## A section\n\nMore.\n\n## Answers")
    html = chapter_html(Chapter(chapter.path, text))
    assert '<section id="a-section">' in html and '<section id="a-section-1">' in html


def test_a_column_without_a_title_has_no_header(chapter: Chapter) -> None:
    table = "## A section\n\n| | error |\n|---|--:|\n| a | 1 |\n"
    html = chapter_html(Chapter(chapter.path, TEXT.replace("## A section", table)))
    assert html.count("<th") == 1 + html.count("<thead") and "<td></td>" in html


def test_code_without_a_language_can_be_copied(chapter: Chapter) -> None:
    html = chapter_html(
        Chapter(chapter.path, TEXT.replace("Prose, and", "    pip install <x>\n\nP"))
    )
    assert '<p class="label">Code</p>\n<pre><code>pip install &lt;x&gt;\n</code></pre>' in html


def test_a_live_part_is_on_the_page_and_elsewhere_a_note_says_so(chapter: Chapter) -> None:
    where = "Run `firstlight serve`, and open this chapter in Learn."
    note = f"*Try it in the page: a filter. ({where})*"
    mark = f"<!-- live: convolution, a filter -->\n{note}"
    text = TEXT.replace("## A section\n", f"## A section\n\n{mark}\n")
    live = Chapter(chapter.path, text)
    html = chapter_html(live)
    assert '<div class="live" data-live="convolution" id="try-convolution"' in html
    assert 'section=try-convolution">Try it: a filter</a>' in html and "&lt;!--" not in html
    assert "in the page" not in html
    written = nbformat.writes(notebook(live))
    assert "live:" not in written and note in written
    assert complete_program(live) == complete_program(chapter)


def test_each_live_part_of_the_series_has_its_note() -> None:
    parts = [(each, part) for each in chapters() for part in each.live]
    assert len(parts) >= 4
    for each, part in parts:
        assert f" {part.title} -->\n{part.note}\n" in each.text


@pytest.mark.parametrize(
    "place", ["Prose", "A section", "import math", "3.14", "The costs", "firstlight list"]
)
def test_html_in_a_chapter_is_text(chapter: Chapter, place: str) -> None:
    evil = '<script>alert("1")</script><b onclick="alert(1)">'
    assert place in TEXT
    html = chapter_html(Chapter(chapter.path, TEXT.replace(place, evil)))
    parsed = Parsed(html)
    assert not {"script", "b"} & set(parsed.names()) and not parsed.values("onclick")
    assert "&lt;script&gt;alert(" in html


def test_a_link_is_no_script(chapter: Chapter) -> None:
    html = chapter_html(Chapter(chapter.path, TEXT.replace("2-how-good.md", "javascript:alert(1)")))
    assert "javascript:alert(1)" in html
    assert not [href for href in Parsed(html).values("href") if href and "script" in href]


def test_code_is_marked() -> None:
    assert highlighted('if x:  # why\n    print("a<b", 1.5)\n') == (
        '<span class="keyword">if</span> x:  <span class="comment"># why</span>\n'
        '    print(<span class="string">"a&lt;b"</span>, <span class="number">1.5</span>)\n'
    )


@pytest.mark.parametrize("code", ['f"{a!r:>{width}} {{b}}"', '"""two\nlines"""', '"–", "×"  # ±'])
def test_what_is_a_string_is_marked_as_one(code: str) -> None:
    assert highlighted(code).startswith('<span class="string">')
    assert text_of(highlighted(code)) == code


@given(st.text("ab \n\"'#{}()1.<&:\\\f–"))
def test_marked_code_keeps_its_text_also_if_it_is_not_python(code: str) -> None:
    assert text_of(highlighted(code)) == code


def text_of(html: str) -> str:
    return unescape(re.sub("</?span[^>]*>", "", html))
