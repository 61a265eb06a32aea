"""Python code → HTML, in which its keywords, strings, comments and numbers are marked."""

import io
import keyword
import tokenize
from html import escape
from itertools import accumulate

CLASSES = {"COMMENT": "comment", "NUMBER": "number", "STRING": "string"}


def highlighted(source: str) -> str:
    """Return Python code as HTML. Its text stays as it is, also if it is no complete Python."""
    lines = list(io.StringIO(source))
    starts = [0, *accumulate(map(len, lines))]  # of the lines
    html, end = [], 0
    for token in tokens(source):
        name = class_of(token)
        start, stop = (starts[line - 1] + column for line, column in (token.start, token.end))
        if not name or start < end:
            continue
        marked = f'<span class="{name}">{escape(source[start:stop], quote=False)}</span>'
        html += [escape(source[end:start], quote=False), marked]
        end = stop
    return "".join([*html, escape(source[end:], quote=False)])


def tokens(source: str) -> list[tokenize.TokenInfo]:
    """Return the tokens of Python code; none if it is not Python."""
    try:
        return list(tokenize.generate_tokens(io.StringIO(source).readline))
    except (tokenize.TokenError, SyntaxError):
        return []


def class_of(token: tokenize.TokenInfo) -> str:
    """Return the class of a token that is marked; "" for all others."""
    kind = tokenize.tok_name[token.type]
    if kind.startswith("FSTRING"):  # since Python 3.12 an f-string is several tokens
        return "string"
    if kind == "NAME" and keyword.iskeyword(token.string):
        return "keyword"
    return CLASSES.get(kind, "")
