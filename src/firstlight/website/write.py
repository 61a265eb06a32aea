"""Writes the site: the pages, and all files that they need."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight import __version__
from firstlight.errors import UsageError
from firstlight.runs.files import replacing
from firstlight.serve.page_modules import PAGE, modules
from firstlight.serve.public_files import PUBLIC_FILES, public_file
from firstlight.website.documents import guides, series
from firstlight.website.pages import LISTING, pages

ENTRIES = ("site.js", "sheet.js")  # what every page loads, and the first page's sheet


@dataclass(frozen=True)
class Site:
    """The static site that `site` has written."""

    folder: Path
    files: int  # how many
    bytes: int  # of all files together

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight site --json` prints."""
        return {"folder": str(self.folder), "files": self.files, "bytes": self.bytes}


def write_site(folder: Path) -> Site:
    """Write the site whole, or not at all.

    Raises:
        UsageError: the folder holds something else than a site, or cannot be written.
    """
    refuse_to_replace(folder)
    contents = all_files()
    contents[LISTING] = listing(contents)
    try:
        with replacing(folder) as new:
            for name, content in contents.items():
                (new / name).parent.mkdir(parents=True, exist_ok=True)
                (new / name).write_bytes(content)
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from None
    return Site(folder, len(contents), sum(map(len, contents.values())))


def refuse_to_replace(folder: Path) -> None:
    """Raises UsageError if at the path is anything that `site` has not written."""
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} exists and is no folder; choose another one")
    if folder.resolve() == Path.cwd():
        raise UsageError(f"{folder} is the current folder, which is not replaced; choose another")
    own = listed(folder)
    for file in folder.rglob("*"):
        is_folder = file.is_dir() and not file.is_symlink()
        if not is_folder and file.relative_to(folder).as_posix() not in own:
            raise UsageError(
                f"{folder} holds another file, {file.name}; give a new or an empty folder"
            )


def listed(folder: Path) -> set[str]:
    """Return the files that the site in a folder consists of; none if there is no site."""
    try:
        listing = json.loads((folder / LISTING).read_text("utf-8"))
        return {LISTING, *map(str, listing["files"])}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def listing(contents: dict[str, bytes]) -> bytes:
    """Return the content of the file that names all others."""
    document = {"firstlight": __version__, "files": sorted(contents)}
    return (json.dumps(document, indent=2) + "\n").encode()


def all_files() -> dict[str, bytes]:
    """Return the content of each file of the site, by its address."""
    text = {**pages(), **{f"page/{name}": source for name, source in scripts().items()}}
    looks = {f"page/{name}": PAGE.joinpath(name).read_bytes() for name in ("style.css", "icon.svg")}
    return {
        **{name: content.encode() for name, content in text.items()},
        **looks,
        **pictures(),
        **{f"data/{name}": public_file(name) for name in PUBLIC_FILES},
    }


def scripts() -> dict[str, str]:
    """Return the JavaScript modules that the pages load, by their file's name."""
    live = {f"{part.name}.js" for document in (*series(), *guides()) for part in document.text.live}
    return modules(*ENTRIES, *sorted(live))


def pictures() -> dict[str, bytes]:
    """Return the pictures of all documents, by address."""
    found: dict[str, Path] = {}
    for document in (*series(), *guides()):
        found |= document.pictures()
    return {address: path.read_bytes() for address, path in found.items()}
