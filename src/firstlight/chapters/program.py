"""A chapter's code → one program: all imports, and then each block under its section's name."""

import ast
import sys

from firstlight.chapters.chapter import ANSWERS, Chapter, Code


def complete_program(chapter: Chapter) -> str:
    """Return the chapter's Python code up to its exercises, as a file that runs.

    A line that is a value alone is for a notebook, which shows it; a file has no use for it.
    """
    blocks = [block for block in chapter.cells if block.section != ANSWERS]
    imports: dict[str, list[str]] = {}
    body: list[str] = []
    section = ""
    for block in blocks:
        lines = without_imports(block, imports)
        if not lines:
            continue
        body += empty_lines(body, lines)
        if block.section != section:
            section = block.section
            body.append(f"# {section}")
        body += lines
    return "\n".join([f'"""{chapter.title}"""', "", *import_lines(imports), *body]) + "\n"


def empty_lines(before: list[str], after: list[str]) -> list[str]:
    """Return what stands between two blocks: two empty lines around a function, else one."""
    neighbours = [*ast.parse("\n".join(before)).body[-1:], *ast.parse("\n".join(after)).body[:1]]
    if any(isinstance(each, ast.FunctionDef | ast.ClassDef) for each in neighbours):
        return ["", ""]
    return [""]


def without_imports(block: Code, imports: dict[str, list[str]]) -> list[str]:
    """Return the block's lines without its imports, which are added to `imports`.

    Args:
        imports: "import x" → no names; "from x import" → the imported names.
    """
    lines = block.source.splitlines()
    left_out: set[int] = set()
    for statement in ast.parse(block.source).body:
        if isinstance(statement, ast.Import):
            imports[ast.unparse(statement)] = []
        elif isinstance(statement, ast.ImportFrom):
            names = imports.setdefault(f"from {statement.module} import", [])
            names += [
                name for alias in statement.names if (name := ast.unparse(alias)) not in names
            ]
        elif not is_shown_value(statement):
            continue
        left_out |= set(range(statement.lineno - 1, statement.end_lineno or statement.lineno))
    kept = [line for number, line in enumerate(lines) if number not in left_out]
    return "\n".join(kept).strip("\n").splitlines()


def is_shown_value(statement: ast.stmt) -> bool:
    """Return whether the statement is a name alone, such as `figure`."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name)


def import_lines(imports: dict[str, list[str]]) -> list[str]:
    """Return the imports as lines: Python's own modules first, all in the chapter's order."""
    own: list[str] = []
    others: list[str] = []
    for statement, names in imports.items():
        line = " ".join([statement, ", ".join(names)]).strip()
        module = statement.split()[1].partition(".")[0]
        (own if module in sys.stdlib_module_names else others).append(line)
    return [*own, *([""] if own and others else []), *others]
