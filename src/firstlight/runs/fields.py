"""The types of a document's fields, as its dataclass says them."""

import types
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

Document = TypeVar("Document")


def with_right_types(value: Document) -> Document:
    """Return a dataclass whose fields have the types of its annotations, and theirs.

    Raises:
        TypeError: a field has another type. A whole number is also a float; a bool is no number.
    """
    hints = get_type_hints(type(value))
    for each in fields(value):  # type: ignore[arg-type]
        content = getattr(value, each.name)
        if not matches(content, hints[each.name]):
            raise TypeError(f"{each.name} cannot be {str(content)[:60]!r}")
    return value


def matches(value: Any, hint: Any) -> bool:
    """Return whether a value has the type of an annotation."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(matches(value, each) for each in inner)
    if origin is Literal:
        return isinstance(value, str) and value in inner
    if origin is dict:
        return isinstance(value, dict) and all(
            matches(name, inner[0]) and matches(content, inner[1])
            for name, content in value.items()
        )
    if origin in (list, tuple):
        return isinstance(value, origin) and _items_match(value, inner)
    if isinstance(hint, type) and is_dataclass(hint) and isinstance(value, hint):
        with_right_types(value)
        return True
    if isinstance(value, bool):
        return hint is bool
    return isinstance(value, (int, float) if hint is float else hint)


def _items_match(items: Any, hints: tuple[Any, ...]) -> bool:
    """Return whether the items of a list or a tuple have the types in its annotation."""
    if len(hints) == 1 or hints[1] is ...:
        return all(matches(item, hints[0]) for item in items)
    return len(items) == len(hints) and all(map(matches, items, hints))
