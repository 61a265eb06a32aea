"""Whole files and documents become damaged ones: what the fuzzers and `hostile.py` share."""

import json
from collections.abc import Callable
from copy import deepcopy
from random import Random
from typing import Any

HEADER = 64  # bytes in which most formats say how large everything is
EXTREMES = (b"\0", b"\xff", b"\x7f", b"\x80", b"\1")  # repeated: the ends of each type of number
VALUES: tuple[Any, ...] = (  # in place of what a document holds
    None, True, False, 0, 1, -1, 2**31, 10**30, 10**400, 0.5, 1e308, float("nan"), float("inf"),
    "", "a", "../../etc/passwd", "/", "\0", "\x1b[31m", "\u202e", "\ud800", "x" * 5000, "NaN",
    [], {}, [[]], [None], ["a"], [1, 2, 3], {"a": 1}, {"": None}, [[[[[[[[]]]]]]]],
)  # fmt: skip


def flipped(content: bytes, random: Random) -> bytes:
    """Return the content with some bits turned."""
    changed = bytearray(content)
    for _ in range(random.choice((1, 2, 8, 64))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def extreme(content: bytes, random: Random) -> bytes:
    """Return the content with the smallest or largest number of 1 to 8 bytes somewhere."""
    length = random.choice((1, 2, 4, 8))
    end = len(content) if random.random() < 0.3 else min(HEADER, len(content))
    start = random.randrange(end)
    number = random.choice(EXTREMES) * length
    return content[:start] + number + content[start + length :]


def cut_off(content: bytes, random: Random) -> bytes:
    return content[: random.randrange(len(content))]


def without_block(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:start] + content[end:]


def with_block_twice(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:end] + content[start:end] * random.choice((1, 1, 1, 100)) + content[end:]


def with_zeros(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:start] + bytes(end - start) + content[end:]


def with_noise(content: bytes, random: Random) -> bytes:
    start, end = _block(content, random)
    return content[:start] + random.randbytes(end - start) + content[end:]


def only_noise(content: bytes, random: Random) -> bytes:
    """Return the first bytes, which say what the file is, and noise."""
    kept = random.choice((0, 2, 4, 8, 16, 32))
    return content[:kept] + random.randbytes(random.choice((0, 1, 100, 2000)))


def with_other_number(content: bytes, random: Random) -> bytes:
    """Return a text with another number somewhere."""
    places = [place for place, byte in enumerate(content) if byte in b"0123456789"]
    if not places:
        return flipped(content, random)
    place = random.choice(places)
    numbers = (b"-1", b"1e999", b"nan", b"9" * 20, b"9" * 5000, b"0", b"-", b".5", b"\xd9\xa1")
    return content[:place] + random.choice(numbers) + content[place + 1 :]


def _block(content: bytes, random: Random) -> tuple[int, int]:
    start = random.randrange(len(content))
    return start, min(len(content), start + random.choice((1, 4, 16, 256)))


CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    flipped, flipped, extreme, extreme, extreme, cut_off, without_block, with_block_twice,
    with_zeros, with_noise, only_noise, with_other_number,
)  # fmt: skip


def damaged(content: bytes, random: Random) -> bytes:
    """Return the content with one to three changes."""
    for _ in range(random.choice((1, 1, 2, 3))):
        if content:
            content = random.choice(CHANGES)(content, random)
    return content


def damaged_document(document: Any, random: Random) -> Any:
    """Return a JSON document in which a part is another value, has gone, or has something more."""
    changed = deepcopy(document)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        parts = list(_parts(changed))
        if not parts:
            return _value(random)
        parent, key = random.choice(parts)
        match random.randrange(6):
            case 0:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[random.choice(("", "other", "format", "\x1b"))] = _value(random)
            case 2 if isinstance(parent, list):
                parent[:] = parent * random.choice((2, 50))
            case _:
                parent[key] = _value(random)
    return changed


def _value(random: Random) -> Any:
    return deepcopy(random.choice(VALUES))


def _parts(document: Any) -> Any:
    """Yield each list or dictionary in a document, with each of its keys."""
    keys: Any = ()
    if isinstance(document, dict):
        keys = list(document)
    elif isinstance(document, list):
        keys = range(len(document))
    for key in keys:
        yield document, key
        yield from _parts(document[key])


def damaged_text(document: Any, random: Random) -> bytes:
    """Return a document as JSON, with another value or other bytes in it."""
    if random.random() < 0.7:
        return as_json(damaged_document(document, random))
    text = json.dumps(document).encode()
    if random.random() < 0.1:  # deeper than Python's own stack
        place = text.index(b":") + 1
        return text[:place] + b"[" * 100_000 + b"]" * 100_000 + b"," + text[place:]
    return damaged(text, random)


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()
