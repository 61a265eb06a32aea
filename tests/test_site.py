"""The static site: all that its pages name is there, and it works in a browser below a path."""

import re
import tomllib
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from test_page import BROWSER, DESKTOP, IS_AT_TOP, PHONE, Watch, draw, expect_headline, playwright

from firstlight.errors import UsageError
from firstlight.website import write
from firstlight.website.documents import guides, series
from firstlight.website.write import write_site

in_a_browser = pytest.mark.skipif(not BROWSER, reason="no chromium: apt-get install chromium")
ROOT = Path(__file__).parents[1]
PAGES = [document.address for document in (*series(), *guides())]
FILES_IN_SCRIPTS = re.compile(r'file(?:Bytes|Text)\("([^"$]+)"\)|(?:from |import\()"\./([^"]+)"')


class Parsed(HTMLParser):
    """A page: its tags with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def names(self) -> list[str]:
        return [tag for tag, _ in self.tags]

    def values(self, attribute: str) -> list[str]:
        return [given[attribute] or "" for _, given in self.tags if attribute in given]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("host") / "some" / "project"
    write_site(folder)
    return folder


@pytest.fixture(scope="module")
def parsed(site: Path) -> dict[str, Parsed]:
    return {page.name: Parsed(page.read_text("utf-8")) for page in site.glob("*.html")}


def test_it_has_a_page_for_each_document(parsed: dict[str, Parsed]) -> None:
    assert set(parsed) == {"index.html", "404.html", *PAGES}
    guides_there = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("docs/*.md")}
    assert guides_there <= {guide.source for guide in guides()}
    on_first_page = parsed["index.html"].values("href")
    assert [address for address in on_first_page if address in PAGES] == PAGES


def test_all_that_a_page_names_is_there(site: Path, parsed: dict[str, Parsed]) -> None:
    for page, html in parsed.items():
        for target in html.values("href") + html.values("src"):
            if target.startswith("https://"):
                assert ("a", target) in [(tag, given.get("href")) for tag, given in html.tags]
                continue
            assert ":" not in target and not target.startswith("/"), f"{page}: {target}"
            file, _, section = target.partition("#")
            assert (site / (file or page)).is_file(), f"{page}: {target}"
            if section:
                assert section in parsed[file or page].values("id"), f"{page}: {target}"


def test_all_that_a_script_or_a_style_names_is_there(site: Path) -> None:
    for script in site.glob("page/*.js"):
        for data, module in FILES_IN_SCRIPTS.findall(script.read_text("utf-8")):
            assert (site / data if data else script.with_name(module)).is_file(), script.name
    assert not (site / "page" / "server.js").exists()
    assert not re.search(r"url\(|@import", (site / "page" / "style.css").read_text("utf-8"))


def test_each_live_part_is_there(site: Path, parsed: dict[str, Parsed]) -> None:
    parts = [part for html in parsed.values() for part in html.values("data-live")]
    assert "sheet" in parts and all((site / "page" / f"{part}.js").is_file() for part in parts)


def test_each_live_part_is_named_in_the_lists_and_linked_above_it(
    site: Path, parsed: dict[str, Parsed]
) -> None:
    parts = [(chapter, part) for chapter in series() for part in chapter.text.live]
    assert len(parts) >= 4
    first_page = (site / "index.html").read_text("utf-8")
    for chapter, part in parts:
        assert f"Try it: {part.title}" in first_page
        links = [link.partition("#")[2] for link in parsed[chapter.address].values("href")]
        assert links.count(part.slug) == 2  # at the top, and in the outline


def test_no_page_needs_more_than_the_policy_allows(parsed: dict[str, Parsed]) -> None:
    for page, html in parsed.items():
        assert not {"style", "iframe"} & set(html.names()), page
        own = {"type": "module"} | ({} if page == "404.html" else {"src": "page/site.js"})
        assert [given for tag, given in html.tags if tag == "script"] == [own]
        names = {name for _, given in html.tags for name in given}
        assert not [name for name in names if name == "style" or name.startswith("on")], page
        (policy,) = [each for each in html.values("content") if "default-src 'none'" in each]
        assert "unsafe" not in policy and "http" not in policy


def test_a_search_engine_and_a_screen_reader_find_their_way(
    site: Path, parsed: dict[str, Parsed]
) -> None:
    titles = [
        re.findall("<title>(.*)</title>", (site / page).read_text("utf-8")) for page in parsed
    ]
    assert len({title for (title,) in titles}) == len(parsed)
    for page, html in parsed.items():
        assert html.names().count("h1") == 1, page
        ids = html.values("id")
        assert len(ids) == len(set(ids)), page
        assert ("html", {"lang": "en"}) in html.tags and "description" in html.values("name")
        levels = [int(tag[1]) for tag in html.names() if re.fullmatch(r"h\d", tag)]
        assert all(low <= high + 1 for high, low in pairwise(levels)), page


def test_a_link_to_what_is_not_in_the_site_is_text(site: Path) -> None:
    assert "<a>CONTRIBUTING.md</a>" in (site / "readme.html").read_text("utf-8")


def test_a_package_holds_all_documents_and_their_pictures() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert all(path == f"firstlight/markdown/{source}" for source, path in included.items())
    documents = [*series(), *guides()]
    files = [file for document in documents for file in document.pictures().values()]
    for file in [*(document.text.path for document in documents), *files]:
        path = file.relative_to(ROOT).as_posix()
        assert [source for source in included if f"{path}/".startswith(f"{source}/")], path


# --- The folder ------------------------------------------------------------------------------


def test_an_earlier_site_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site"
    folder.mkdir()  # nothing is lost
    for name in ("page/old.js", "page/new.js"):
        monkeypatch.setattr(write, "all_files", lambda name=name: {name: b"12"})
        written = write_site(folder)
        files = [file for file in folder.rglob("*") if file.is_file()]
        assert {str(file.relative_to(folder)) for file in files} == {name, "site.json"}
        assert written.to_json() == {
            "folder": str(folder),
            "files": 2,
            "bytes": sum(file.stat().st_size for file in files),
        }
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("listing", [None, "", "[]", '{"files": 1}'])
def test_a_folder_with_something_else_is_refused(tmp_path: Path, listing: str | None) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").write_text("years")
    if listing is not None:
        (tmp_path / "site.json").write_text(listing)
    with pytest.raises(
        UsageError, match=r"holds another file, [a-z.]+; give a new or an empty folder"
    ):
        write_site(tmp_path)
    assert (tmp_path / "work" / "thesis.txt").read_text() == "years"


def test_what_is_no_folder_of_its_own_is_refused(here: Path) -> None:
    (here / "file").touch()
    (here / "folder").mkdir()
    (here / "link").symlink_to("folder")
    for path in ("file", "link"):
        with pytest.raises(UsageError, match=f"{path} exists and is no folder"):
            write_site(here / path)
    with pytest.raises(UsageError, match="cannot be written"):
        write_site(here / "file" / "site")
    with pytest.raises(UsageError, match="the current folder"):
        write_site(Path())


def test_a_site_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write, "all_files", lambda: {"a.html": b"", LONG: b""})
    with pytest.raises(UsageError, match="cannot be written"):
        write_site(tmp_path / "site")
    assert not list(tmp_path.iterdir())


LONG = "a" * 300  # longer than the name of a file can be


# --- In a browser ----------------------------------------------------------------------------


class Quiet(SimpleHTTPRequestHandler):
    """The host: `python -m http.server`, which prints no line for each request."""

    def log_message(self, *_: Any) -> None:
        pass

    def send_error(self, code: int, *_: Any) -> None:
        """Answer with the site's own page, at whatever address: as GitHub Pages does."""
        self.send_response(code)
        self.end_headers()
        self.wfile.write((Path(self.directory) / "some" / "project" / "404.html").read_bytes())


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    handler = partial(Quiet, directory=site.parents[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/some/project/"
        server.shutdown()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Any, url: str) -> Iterator[Any]:
    watch = Watch(url)
    page = chromium.new_page(viewport=DESKTOP)
    watch.add(page)
    yield page
    page.close()
    assert watch.problems == []


@in_a_browser
def test_a_digit_is_read_and_a_chapter_found(page: Any, url: str) -> None:
    page.goto(url)
    page.locator(".pad").wait_for()
    draw(page, "7", left=0.3)
    expect_headline(page, "7")
    page.get_by_role("link", name="A first graph").click()
    playwright.expect(page.get_by_role("heading", level=1)).to_have_text("1. A first graph")
    page.get_by_role("link", name="Break it").click()
    page.wait_for_function(IS_AT_TOP, arg="break-it")
    playwright.expect(page.locator(".outline [aria-current]")).to_have_text("Break it")
    page.reload()
    page.wait_for_function(IS_AT_TOP, arg="break-it")
    page.evaluate("location.hash = 'exercise-2'")
    playwright.expect(page.locator(".chapter details[open] summary")).to_have_text("Exercise 2")
    page.evaluate("location.hash = 'the-session?rate=0.5'")
    page.wait_for_function(IS_AT_TOP, arg="try-first")  # the address has settings of the live part
    page.mouse.move(800, 400)
    page.mouse.wheel(0, 3000)  # what a live part has put into the address stays there
    page.wait_for_url(re.compile(r"#(?!try-first)[\w-]+\?rate=0.5$"))
    page.get_by_role("link", name="Next chapter").click()
    playwright.expect(page.get_by_role("heading", level=1)).to_contain_text("2. ")
    page.go_back()
    playwright.expect(page.get_by_role("heading", level=1)).to_have_text("1. A first graph")


@in_a_browser
def test_a_link_to_a_moment_opens_the_live_part_on_a_phone(page: Any, url: str) -> None:
    page.set_viewport_size(PHONE)
    page.goto(f"{url}1-a-first-graph.html#the-session?rate=0.5&steps=20")
    playwright.expect(page.locator(".numbers b").first).to_have_text("20", timeout=20_000)
    page.wait_for_function(IS_AT_TOP, arg="try-first")
    playwright.expect(page.locator("#try-first")).to_be_focused()
    title = page.get_by_role("heading", level=3, name="Try it: the graph learns")
    playwright.expect(title).to_be_attached()
    page.wait_for_url("**#try-first?rate=0.5&steps=20")
    playwright.expect(page.locator(".numbers")).to_be_in_viewport()
    frame = page.locator(".graph.more-right")
    assert page.locator(".sideways").is_visible()
    frame.evaluate("frame => { frame.scrollLeft = frame.scrollWidth; }")
    playwright.expect(page.locator(".graph.more-left:not(.more-right)")).to_be_attached()
    page.get_by_label("learning rate").fill("0.2")
    page.get_by_label("learning rate").press("Enter")
    said = page.locator(".live .restarted[role=status]")
    playwright.expect(said).to_have_text("A new learning rate starts again from step 0.")


@in_a_browser
def test_try_it_leads_to_the_live_part_and_back(page: Any, url: str) -> None:
    page.goto(url)
    page.get_by_role("link", name="Try it: a filter by hand").click()
    page.wait_for_url("**/5-convolutions.html#try-convolution")
    page.wait_for_function(IS_AT_TOP, arg="try-convolution")
    page.locator(".live-title").wait_for()
    page.evaluate("scrollTo(0, 600)")
    page.wait_for_url("**#a-filter-by-hand")
    page.locator(".outline").get_by_role("link", name="Try it: a filter by hand").click()
    page.wait_for_function(IS_AT_TOP, arg="try-convolution")
    page.go_back()
    page.wait_for_url("**#a-filter-by-hand")
    page.wait_for_function("() => Math.abs(scrollY - 600) < 2")
    page.go_back()
    playwright.expect(page.get_by_role("heading", name="Chapters")).to_be_attached()


@in_a_browser
def test_one_can_draw_before_the_network_is_there(page: Any, url: str) -> None:
    held: list[Any] = []
    page.route("**/digits.onnx", lambda route: held.append(route))
    page.goto(url)
    page.get_by_role("button", name="Draw the example").click()
    expect_headline(page, "the network is loading")
    held[0].continue_()
    expect_headline(page, "2")


@in_a_browser
def test_the_keyboard_skips_the_links_and_reaches_a_heading_below_a_section(
    page: Any, url: str
) -> None:
    page.goto(f"{url}api.html#fl-export")
    page.wait_for_function(IS_AT_TOP, arg="fl-export")
    playwright.expect(page.locator("#fl-export")).to_be_focused()
    playwright.expect(page.locator(".outline [aria-current]")).to_be_in_viewport()
    page.goto(f"{url}use.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    playwright.expect(page.locator("main")).to_be_focused()


@in_a_browser
def test_no_page_is_wider_than_a_phone(page: Any, url: str) -> None:
    page.set_viewport_size(PHONE)
    for address in ("", "404.html", *PAGES):
        page.goto(url + address)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], address


@in_a_browser
def test_a_page_is_read_without_javascript(chromium: Any, url: str) -> None:
    page = chromium.new_page(java_script_enabled=False)
    page.goto(f"{url}1-a-first-graph.html")
    page.get_by_role("link", name="The session").click()
    playwright.expect(page.get_by_role("heading", name="The session")).to_be_in_viewport()
    page.get_by_role("link", name="All chapters").click()
    playwright.expect(page.get_by_text("It needs JavaScript.")).to_be_attached()
    playwright.expect(page.get_by_role("heading", name="Chapters")).to_be_in_viewport()
    page.close()


@in_a_browser
def test_what_is_not_there_leads_to_the_first_page_from_any_folder(chromium: Any, url: str) -> None:
    page = chromium.new_page()
    for missing in ("missing.html", "a/b/missing.html"):
        page.goto(url + missing)
        link = page.get_by_role("link")
        page.wait_for_function("url => document.links[0].href === url", arg=f"{url}index.html")
        link.click()
        page.wait_for_url(f"{url}index.html")
    page.close()
