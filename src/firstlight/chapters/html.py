"""A chapter's Markdown → HTML, for the page's view Learn and for the site.

Raw HTML in the Markdown is shown as text. There are no scripts, and no styles in attributes: the
page's Content-Security-Policy (serve/guard.py) forbids both.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from PIL import Image

from firstlight.chapters.chapter import ANSWERS, PROGRAM, Chapter, Code, Live
from firstlight.chapters.highlight import highlighted

CHAPTER_LINK = re.compile(r"(?P<name>\d+-[\w-]+)\.md(?:#(?P<section>[\w-]+))?")
SVG_SIZE = re.compile(r'<svg[^>]* width="(?P<width>\d+)" height="(?P<height>\d+)"')
LANGUAGES = {"python": "Python", "console": "Shell"}


@dataclass(frozen=True)
class Heading:
    """A heading of a chapter: its level in the Markdown, and its text as HTML."""

    level: int
    tag: str  # h2
    html: str
    slug: str  # its name in addresses: `what-it-predicts`


Block = Heading | Live | str  # a heading, a part to try out, or HTML
# The address of a page or a picture in the Markdown → the address where it is shown; "": nowhere.
Link = Callable[[str], str]
LOWER = 1  # the headings on the page, which has a title of its own


def link_on_page(address: str) -> str:
    """Return where a link of a chapter leads on the page: to the view Learn for a chapter.

    The page's address is `/`, so the path of a picture is the address of the picture's route.
    """
    chapter = CHAPTER_LINK.fullmatch(address)
    if not chapter:
        return address
    section = f"&section={chapter['section']}" if chapter["section"] else ""
    return f"#learn?chapter={chapter['name']}{section}"


def chapter_html(chapter: Chapter, link: Link = link_on_page, lower: int = LOWER) -> str:
    """Return the chapter as HTML: an introduction, and a section for each heading of level 2.

    Args:
        lower: by how many levels the headings are lower than in the Markdown.
    """
    introduction, *sections = split_at(2, list(blocks(chapter, link, lower)))
    before, title, *rest = introduction
    links = "".join(live_link(chapter, part, link) for part in chapter.live)
    start = joined([before, title, links, *rest])
    intro = f'<section class="intro">\n{start}</section>\n'
    return intro + "".join(map(section_html, sections))


def section_html(section: Sequence[Block]) -> str:
    """Return a section as HTML; what gives an answer away, or is long, is folded."""
    heading, *body = section
    assert isinstance(heading, Heading)
    if heading.html == ANSWERS:
        start, *answers = split_at(3, body)
        content = joined(start) + "".join(map(folded_answer, answers))
    elif heading.html == PROGRAM:
        content = "".join(map(folded_program, body))
    else:
        content = joined(body)
    return (
        f'<section id="{heading.slug}">\n'
        f'<{heading.tag} tabindex="-1">{heading.html}</{heading.tag}>\n{content}</section>\n'
    )


def folded_answer(answer: Sequence[Block]) -> str:
    heading, *body = answer
    assert isinstance(heading, Heading)
    return folded(heading.html, joined(body), f' id="{heading.slug}"')


def folded_program(block: Block) -> str:
    html = joined([block])
    return folded("Show the program", html) if html.startswith('<div class="code">') else html


def folded(summary: str, content: str, attributes: str = "") -> str:
    return f"<details{attributes}>\n<summary>{summary}</summary>\n{content}</details>\n"


def joined(some: Sequence[Block]) -> str:
    return "".join(map(block_html, some))


def block_html(block: Block) -> str:
    if isinstance(block, Heading):
        return heading_html(block)
    return live_html(block) if isinstance(block, Live) else block


def heading_html(heading: Heading) -> str:
    tag = heading.tag
    return f'<{tag} id="{heading.slug}" tabindex="-1">{heading.html}</{tag}>\n'


def live_html(part: Live) -> str:
    """Return the place of a part that one can try out; a script puts it in (serve/page/live.js).

    Without JavaScript there is a sentence: links lead here.
    """
    title = f"Try it: {escape(part.title)}"
    return (
        f'<div class="live" data-live="{part.name}" id="{part.slug}" tabindex="-1" '
        f'role="group" aria-label="{title}">\n'
        f'<p class="quiet">{title}. This part needs JavaScript.</p>\n</div>\n'
    )


def live_link(chapter: Chapter, part: Live, link: Link) -> str:
    """Return the link from a chapter's start to a part that one can try out."""
    address = escape(link(f"{chapter.path.name}#{part.slug}"))
    return f'<p class="try"><a href="{address}">Try it: {escape(part.title)}</a></p>\n'


def split_at(level: int, all_blocks: Sequence[Block]) -> list[list[Block]]:
    """Return what stands before the first heading of a level, and a group for each of them."""
    groups: list[list[Block]] = [[]]
    for block in all_blocks:
        if isinstance(block, Heading) and block.level == level:
            groups.append([])
        groups[-1].append(block)
    return groups


def blocks(chapter: Chapter, link: Link, lower: int) -> Iterator[Block]:
    """Yield a chapter's headings, and all between them as HTML.

    A name in addresses that was there before gets a number, as on GitHub: `the-data-1`.
    """
    seen: Counter[str] = Counter()
    for block in rendered(chapter, link, lower):
        if isinstance(block, Heading):
            before = seen[block.slug]
            seen[block.slug] += 1
            yield replace(block, slug=f"{block.slug}-{before}") if before else block
        else:
            yield block


def rendered(chapter: Chapter, link: Link, lower: int) -> Iterator[Block]:
    """Yield the headings and the HTML of each part of a chapter."""
    markdown = parser(chapter.path.parent, link)
    for part in chapter.parts:
        if isinstance(part, Code):
            yield code_html(part)
            if part.picture:
                yield markdown.render(f"![{part.picture.alt}]({part.picture.path})")
        elif isinstance(part, Live):
            yield part
        else:
            yield from prose_blocks(markdown, part.text, lower)


def prose_blocks(markdown: MarkdownIt, text: str, lower: int) -> Iterator[Block]:
    """Yield the headings of Markdown, and all between them as HTML."""

    def html(some: list[Token]) -> str:
        return str(markdown.renderer.render(some, markdown.options, {}))

    pending: list[Token] = []
    tokens = iter(markdown.parse(text))
    for token in tokens:
        if token.type != "heading_open" or token.level:
            pending.append(token)
            continue
        yield html(pending)
        pending = []
        words, _ = next(tokens), next(tokens)  # its inline content, and its end
        level = int(token.tag[1])
        yield Heading(level, f"h{level + lower}", html([words]), slug(words.content))
    yield html(pending)


def slug(title: str) -> str:
    """Return a title's name in addresses: `Is it right?` → `is-it-right`."""
    return re.sub(r"[^\w]+", "-", title.lower()).strip("-")


def code_html(code: Code) -> str:
    """Return a block of code, and below it what it prints, without how far numbers may differ."""
    label = LANGUAGES.get(code.language, code.language)
    source = {"python": highlighted, "console": prompts_marked}.get(code.language, as_text)
    shown = framed(label, f"<pre><code>{source(code.source)}</code></pre>")
    if code.printed:
        printed = f'<pre class="output"><samp>{as_text(code.printed)}</samp></pre>'
        shown += framed("Output", printed)
    return f'<div class="code">\n{shown}</div>\n'


def framed(label: str, html: str) -> str:
    return f'<p class="label">{label}</p>\n{html}\n'


def prompts_marked(source: str) -> str:
    """Return commands for a shell as HTML; their prompts are marked, since nobody types them."""
    prompt = '<span class="prompt">$ </span>'
    return re.sub(r"^\$ ", prompt, as_text(source), flags=re.MULTILINE)


def as_text(text: str) -> str:
    return escape(text, quote=False)


def parser(folder: Path, link: Link) -> MarkdownIt:
    """Return a Markdown parser for a text in a folder; its pictures are there, or below it."""

    def link_open(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
        address = link(str(tokens[index].attrs["href"]))
        return f'<a href="{escape(address)}">' if address else "<a>"

    def image(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
        path = str(tokens[index].attrs["src"])
        return image_html(folder / path, tokens[index].content, link(path))

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("image", image)
    markdown.add_render_rule("link_open", link_open)
    markdown.add_render_rule("code_block", indented_code)
    markdown.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    markdown.add_render_rule("table_close", lambda *_: "</table></div>\n")
    for cell in ("th", "td"):
        markdown.add_render_rule(f"{cell}_open", cell_open)
        markdown.add_render_rule(f"{cell}_close", cell_close)
    return markdown


def indented_code(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    """Render a block of code without a language: it is indented."""
    code = framed("Code", f"<pre><code>{as_text(tokens[index].content)}</code></pre>")
    return f'<div class="code">\n{code}</div>\n'


def cell_open(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    """Render the start of a table's cell: columns of numbers have a class, and no style."""
    tag = cell_tag(tokens[index], tokens[index + 1])
    is_number = "right" in str(tokens[index].attrs.get("style", ""))
    return f'<{tag} class="number">' if is_number else f"<{tag}>"


def cell_close(self: Any, tokens: Sequence[Token], index: int, *_: Any) -> str:
    return f"</{cell_tag(tokens[index], tokens[index - 1])}>\n"


def cell_tag(cell: Token, words: Token) -> str:
    """Return the tag of a table's cell: a header without words is none."""
    return cell.tag if words.content else "td"


def image_html(file: Path, alt: str, address: str) -> str:
    """Return a picture as HTML, with its size, so that nothing moves when it arrives.

    It is a link to itself: wide pictures are shown smaller than they are.
    """
    width, height = picture_size(file)
    size = f'width="{width}" height="{height}"'
    image = f'<img src="{escape(address)}" alt="{escape(alt)}" {size} loading="lazy">'
    return f'<a class="picture" href="{escape(address)}">{image}</a>'


def picture_size(path: Path) -> tuple[int, int]:
    """Return a picture's width and height in pixels."""
    if path.suffix != ".svg":
        with Image.open(path) as picture:
            return picture.size
    match = SVG_SIZE.match(path.read_text("utf-8"))
    assert match, f"{path} does not say its size"
    return int(match["width"]), int(match["height"])
