"""The fields of a request: each is checked before it is used."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from firstlight.errors import DataError, UsageError
from firstlight.serve import guard

MAX_DIGITS_IN_QUERY = 9


async def json_body(request: Request) -> dict[str, Any]:
    """Return the JSON object that the request holds.

    Raises:
        DataError: the body is not JSON, or not an object.
        HTTPException: the body is longer than JSON may be (413).
    """
    body = await request.body()
    if len(body) > guard.MAX_JSON_BYTES:  # a body sent as a picture gets past the guard's limit
        raise HTTPException(413, guard.too_large(len(body), guard.MAX_JSON_BYTES))
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise DataError("not a JSON document") from None
    if not isinstance(document, dict):
        raise DataError("not a JSON object")
    return document


def int_field(document: dict[str, Any], name: str, *, minimum: int, maximum: int) -> int:
    """Return a field that must be an integer from `minimum` to `maximum`.

    Raises:
        UsageError: it is missing, is not an integer, or is out of range.
    """
    value = document.get(name)
    if type(value) is not int or not minimum <= value <= maximum:  # type: a bool is refused
        raise UsageError(
            f"{name} is {str(value)[:40]!r}; it must be a whole number from {minimum} to "
            f"{maximum:,}"
        )
    return value


def int_query(request: Request, name: str) -> int | None:
    """Return an integer ≥ 0 from the query; None if the query does not have it.

    Raises:
        UsageError: it is not an integer ≥ 0, or has more than nine digits.
    """
    value = request.query_params.get(name, "")
    if not value:
        return None
    if not value.isascii() or not value.isdigit() or len(value) > MAX_DIGITS_IN_QUERY:
        raise UsageError(f"{name}={value[:20]!r}: must be an integer of at most 9 digits")
    return int(value)
