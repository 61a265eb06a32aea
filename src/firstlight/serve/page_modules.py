"""The page's JavaScript modules, and which of them one needs."""

import re
from importlib.resources import files

PAGE = files("firstlight.serve") / "page"
IMPORT = re.compile(r'from "\./(\w+\.js)"')


def modules(*entries: str) -> dict[str, str]:
    """Return the sources of modules and of all that these import, by their file's name."""
    sources: dict[str, str] = {}
    missing = list(entries)
    while missing:
        name = missing.pop()
        sources[name] = PAGE.joinpath(name).read_text("utf-8")
        missing += set(IMPORT.findall(sources[name])) - sources.keys()
    return sources
