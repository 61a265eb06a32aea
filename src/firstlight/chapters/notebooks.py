"""The verb `lessons`: each chapter as a Jupyter notebook, with its outputs and pictures.

Nothing is computed: what the code prints and draws stands in the chapter. Code for the shell and
the complete program, which repeats the cells, stay text.
"""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firstlight.chapters.chapter import Chapter, Code, Live, Part, Prose, chapters
from firstlight.errors import UsageError
from firstlight.runs.files import write_text

IMAGE = re.compile(r"!\[(?P<alt>[^\]]*)\]\((?P<path>pictures/[^)]+)\)")
CHAPTER_LINK = re.compile(r"\]\((\d-[\w-]+)\.md\)")
MEDIA = {".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Notebooks:
    """The notebooks that `lessons` has written."""

    files: tuple[Path, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what `firstlight lessons --json` prints."""
        return {"files": [str(file) for file in self.files]}


def write_notebooks(folder: Path) -> Notebooks:
    """Write the series into a folder, a notebook for each chapter.

    Raises:
        UsageError: the folder has a notebook of that name, or cannot be written.
    """
    import nbformat

    notebooks = {folder / f"{chapter.name}.ipynb": notebook(chapter) for chapter in chapters()}
    for path in notebooks:
        if path.exists():
            raise UsageError(f"{path} exists, and may hold your work; choose another folder")
    try:
        for path, content in notebooks.items():
            write_text(path, nbformat.writes(content) + "\n")
    except OSError as error:
        raise UsageError(f"{folder}: cannot be written ({error.strerror})") from None
    return Notebooks(tuple(notebooks))


def notebook(chapter: Chapter) -> Any:
    """Return the chapter as an nbformat notebook."""
    from nbformat import v4

    cells: list[Any] = []
    for part in joined(chapter):
        if isinstance(part, Prose):
            cell = v4.new_markdown_cell(**markdown(part.text, chapter.path.parent))
        else:
            source = part.source.rstrip("\n")
            cell = v4.new_code_cell(source, outputs=outputs(part, chapter.path.parent))
        cell.id = f"cell-{len(cells)}"  # the same each time: nbformat draws random ones
        cells.append(cell)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def joined(chapter: Chapter) -> list[Prose | Code]:
    """Return the parts; neighbouring ones that do not run become one."""
    runs = {id(cell) for cell in chapter.cells}
    parts: list[Prose | Code] = []
    for part in chapter.parts:
        if isinstance(part, Code) and id(part) in runs:
            parts.append(part)
            continue
        text = as_markdown(part)
        before = parts[-1] if parts else None
        if isinstance(before, Prose):
            parts[-1] = Prose(f"{before.text}\n\n{text}")
        else:
            parts.append(Prose(text))
    return parts


def as_markdown(part: Part) -> str:
    if isinstance(part, Live):
        return part.note
    return part.text if isinstance(part, Prose) else fenced(part)


def fenced(code: Code) -> str:
    printed = f"\n```text\n{code.printed}```" if code.printed else ""
    return f"```{code.language}\n{code.source}```{printed}"


def markdown(text: str, folder: Path) -> dict[str, Any]:
    """Return a Markdown cell's source, and the pictures attached to it.

    Links between chapters become links between notebooks.
    """
    attachments: dict[str, dict[str, str]] = {}

    def attached(image: re.Match[str]) -> str:
        path = folder / image["path"]
        attachments[path.name] = {MEDIA[path.suffix]: encoded(path)}
        return f"![{image['alt']}](attachment:{path.name})"

    source = CHAPTER_LINK.sub(r"](\1.ipynb)", IMAGE.sub(attached, text))
    return {"source": source, "attachments": attachments}


def outputs(code: Code, folder: Path) -> list[Any]:
    """Return what the chapter shows below the code: text, a picture, or both."""
    from nbformat import v4

    shown = []
    if code.printed:
        shown.append(v4.new_output("stream", name="stdout", text=code.printed))
    if code.picture:
        path = folder / code.picture.path
        content = path.read_text("utf-8") if path.suffix == ".svg" else encoded(path)
        data = {MEDIA[path.suffix]: content, "text/plain": code.picture.alt}
        shown.append(v4.new_output("display_data", data=data))
    return shown


def encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
