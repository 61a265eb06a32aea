"""The documents → the HTML of each page, from the files in templates/."""

from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template

from firstlight import __version__
from firstlight.chapters.chapter import Live
from firstlight.chapters.html import Heading
from firstlight.website.documents import Document, guides, series

LISTING = "site.json"  # it names all files, so that a site can be told from other folders
ABOUT = (
    "firstlight leads you from a first neural network to one that wins competitions. Draw a digit "
    "and see it read, read nine chapters, and try their networks in the browser."
)
CURRENT = ' data-current aria-current="true"'


def pages() -> dict[str, str]:
    """Return the HTML of each page, by its address."""
    return {
        "index.html": index(),
        "404.html": not_found(),
        **documents(series(), "learn", "chapter"),
        **documents(guides(), "guides", "guide"),
    }


def not_found() -> str:
    """Return the page that hosts show at any address that is not there: it needs no other file."""
    script = filled("404.js", listing=LISTING)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    return filled("404.html", about=ABOUT, script=script, hash=f"sha256-{digest}")


def index() -> str:
    """Return the first page: a sheet to draw on, the chapters and the guides."""
    content = filled(
        "index.html",
        chapters="".join(map(chapter_card, series())),
        guides="".join(map(guide_card, guides())),
    )
    return framed("Learn neural networks by running them", ABOUT, content, current="draw")


def chapter_card(chapter: Document) -> str:
    number, _, title = chapter.title.partition(". ")
    big = f'<span class="big" aria-hidden="true">{number}</span>'
    return card(chapter, f"{big}<h3>{escape(title)}</h3>")


def guide_card(guide: Document) -> str:
    return card(guide, f"<h3>{escape(guide.title)}</h3>")


def card(document: Document, title: str) -> str:
    about = f'<p class="quiet">{escape(document.about)}</p>'
    live = "".join(live_link(document, part) for part in document.text.live)
    link = f'<a href="{document.address}">{title}</a>'
    return f'<li class="card">{link}{about}{live}</li>\n'


def live_link(document: Document, part: Live) -> str:
    address = f"{document.address}#{part.slug}"
    return f'<p class="try"><a href="{address}">Try it: {escape(part.title)}</a></p>'


def documents(group: Sequence[Document], view: str, kind: str) -> dict[str, str]:
    """Return the pages of the chapters or of the guides, each with links to its neighbours."""
    shown = {}
    for number, document in enumerate(group):
        content = filled(
            "document.html",
            kind=kind,
            view="chapters" if kind == "chapter" else "guides",
            outline=outline(document.outline()),
            html=document.html(),
            previous=neighbour("Previous", kind, group[max(number - 1, 0) : number]),
            next=neighbour("Next", kind, group[number + 1 : number + 2]),
        )
        shown[document.address] = framed(document.title, document.about, content, current=view)
    return shown


def outline(headings: Sequence[Heading]) -> str:
    """Return links to the sections; those of lower headings are marked as such."""
    return "".join(
        f'<li class="level{heading.level}"><a href="#{heading.slug}">{heading.html}</a></li>\n'
        for heading in headings
    )


def neighbour(label: str, kind: str, document: Sequence[Document]) -> str:
    """Return a link to a document, if there is one."""
    return "".join(
        f'<a class="card" href="{each.address}"><span>{label} {kind}</span>{escape(each.title)}</a>'
        for each in document
    )


def framed(title: str, about: str, content: str, current: str = "") -> str:
    """Return a whole page. `current` is the view whose link is marked."""
    marks = {view: CURRENT if view == current else "" for view in ("draw", "learn", "guides")}
    return filled(
        "frame.html",
        title=escape(title),
        about=escape(about),
        content=content,
        version=__version__,
        **marks,
    )


def filled(template: str, **values: str) -> str:
    """Return a file of templates/ with HTML in place of its $names."""
    text = files(__package__).joinpath("templates", template).read_text("utf-8")
    return Template(text).substitute(values)
