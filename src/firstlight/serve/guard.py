"""Checks every request before a route sees it: who sent it, its size, and its duration.

A page of another site can make a browser send requests to this server, and its host name can
resolve to this machine (DNS rebinding). So the Host must be ours, a POST must come from our own
page and carry a token that only our page knows, and no response header invites other sites. Another
program gives the token as `Authorization: Bearer TOKEN`.
"""

import asyncio
import ipaddress
import math
import re
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from firstlight.images.open import PICTURE_FORMATS

LOOPBACK = ("localhost", "127.0.0.1", "::1")
ALL_ADDRESSES = ("0.0.0.0", "::")  # a server that is bound to one of them is reached by any address
MAX_PICTURE_BYTES = 16 * 2**20  # enough for a photograph as a telephone takes it
MAX_JSON_BYTES = 2**16
MAX_DISCARDED_BYTES = 64 * 2**20  # of a body that is refused; a larger one is cut off
# Further ones are refused with 503. A browser sends up to six at once, and 40 pupils may open the
# page at the same moment.
MAX_OPEN_REQUESTS = 256
SECONDS_TO_SEND = 10.0  # for a request's body
SECONDS_TO_ANSWER = 120.0  # the first question to the worker waits until TensorFlow is imported
# RFC 3986, section 3.2.2: an IPv6 address in brackets, or a name; then perhaps a port.
HOST = re.compile(
    r"(\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^\[\]:/@?#\s]+))(:[0-9]{1,5})?", re.ASCII
)
TOKEN_HEADER = "x-firstlight-token"
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

NOT_OUR_PAGE = (
    "not sent by this server's own page; another program gives the token of `serve --token TOKEN`: "
    "Authorization: Bearer TOKEN"
)

NO_TOKEN = (
    "the token is missing or wrong, or from an earlier start: reload the page; another program "
    "gives the token of `serve --token TOKEN`: Authorization: Bearer TOKEN"
)

Refusal = tuple[int, str]  # HTTP status, reason


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


def without_port(host: str) -> str:
    """Return the host alone: `127.0.0.1:8000` → `127.0.0.1`, `[::1]:8000` → `::1`.

    What is not a host with at most a port, such as `[::1].example`, gives "".
    """
    match = HOST.fullmatch(host)
    return (match["address"] or match["name"]).lower() if match else ""


def bearer_token(headers: Headers) -> str:
    """Return the token of `Authorization: Bearer TOKEN`, "" without one."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def is_from_program(headers: Headers) -> bool:
    """Return whether a request is a program's: it names no origin, which every browser does.

    A page of another site cannot make a browser send the header Authorization: the browser asks
    this server first, and is refused.
    """
    return "origin" not in headers and bool(bearer_token(headers))


def media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def not_readable(body_type: str) -> str:
    """Return why a body of a media type is refused, and what can be sent."""
    given = f"{body_type} cannot be read" if body_type else "the request names no media type"
    return f"{given}; send a picture ({', '.join(PICTURE_FORMATS)}) as image/*, or application/json"


def too_large(size: int | None, limit: int) -> str:
    """Return why a body is refused; its size, in bytes, is None while it is not known."""
    given = f"this file has {in_units(size)}" if size else f"more than {in_units(limit)} were sent"
    return f"{given}, and at most {in_units(limit)} are read; make it smaller, or send a part of it"


def in_units(size: int) -> str:
    """Return a number of bytes as a person says it, rounded up: a limit that is missed shows."""
    if size < 2**20:
        return f"{math.ceil(size / 2**10)} kB"
    return f"{math.ceil(10 * size / 2**20) / 10:g} MB"


@dataclass
class Guard:
    """An ASGI application that stands before the application."""

    app: ASGIApp
    hosts: tuple[str, ...]  # the address that the server is bound to, and the name it was given by
    token: str
    private: bool  # True beyond loopback: then GET requests to /api/ need the token too
    ignores_case: bool = False  # whether capital letters in a sent token count as small ones
    open_requests: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # no web sockets are served
            return await send({"type": "websocket.close", "code": 1008})
        send = with_security_headers(send)
        refusal = self.refusal(scope)
        if refusal:
            return await refuse(*refusal)(scope, receive, send)
        self.open_requests += 1
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                await self.app(scope, LimitedBody(scope, receive), send)
        except TimeoutError:
            await refuse(503, "that took too long")(scope, receive, send)
        finally:
            self.open_requests -= 1

    def refusal(self, scope: Scope) -> Refusal | None:
        """Return the status and reason to refuse a request with; None if a route may see it."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_own_host(without_port(hosts[0])):
            return 421, "this Host is not served here"
        if self.open_requests >= MAX_OPEN_REQUESTS:
            return 503, "too many requests at once; try again in a second"
        if scope["method"] in ("GET", "HEAD"):
            return self.refusal_of_get(headers, scope["path"])
        if scope["method"] != "POST":
            return 405, "only GET and POST are served"
        return self.refusal_of_post(headers, hosts[0])

    def refusal_of_get(self, headers: Headers, path: str) -> Refusal | None:
        if self.private and path.startswith("/api/") and not self.has_token(headers):
            return 401, NO_TOKEN
        return None

    def refusal_of_post(self, headers: Headers, host: str) -> Refusal | None:
        """Return why a POST is refused: another origin, no token, or another media type."""
        own = (f"http://{host}", f"https://{host}")
        if not is_from_program(headers) and headers.get("origin") not in own:
            return 403, NOT_OUR_PAGE
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, NOT_OUR_PAGE
        if not self.has_token(headers):
            return 401, NO_TOKEN
        body_type = media_type(headers)
        if body_type != "application/json" and not body_type.startswith("image/"):
            return 415, not_readable(body_type)
        return None

    def is_own_host(self, host: str) -> bool:
        """Return whether a Host header without its port names this server."""
        if host in (*LOOPBACK, *self.hosts):
            return True
        # A server that is bound to all addresses is reached by any of them. An address cannot be
        # rebound; a name can, so names are refused.
        return any(each in ALL_ADDRESSES for each in self.hosts) and is_ip_address(host)

    def has_token(self, headers: Headers) -> bool:
        given = headers.get(TOKEN_HEADER) or bearer_token(headers)
        given = given.lower() if self.ignores_case else given
        return secrets.compare_digest(given.encode(), self.token.encode())


class LimitedBody:
    """Receives a body as it streams in, and refuses it when it is too long or too slow."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers = Headers(scope=scope)
        is_picture = media_type(headers).startswith("image/")
        self.limit = self.bytes_left = MAX_PICTURE_BYTES if is_picture else MAX_JSON_BYTES
        length = headers.get("content-length", "")
        self.size = int(length) if length.isascii() and length.isdigit() else None
        self.receive = receive
        self.deadline = time.monotonic() + SECONDS_TO_SEND
        self.more = True

    async def __call__(self) -> Message:
        if not self.more:  # this call waits until the client disconnects, which has no limit
            return await self.receive()
        message = await self.next_message()
        self.bytes_left -= len(message.get("body", b""))
        if self.bytes_left < 0:
            await self.discard_rest()
            raise HTTPException(413, too_large(self.size, self.limit))
        return message

    async def next_message(self) -> Message:
        """Return the next part of the body. Raises HTTPException (408) after the deadline."""
        try:
            async with asyncio.timeout(max(0.0, self.deadline - time.monotonic())):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408, "the request was sent too slowly") from None
        self.more = bool(message.get("more_body"))
        return message

    async def discard_rest(self) -> None:
        """Receive the rest of a body that is not much too large, and keep nothing of it.

        A browser reads the answer only when it has sent everything.
        """
        if self.size is not None and self.size <= MAX_DISCARDED_BYTES:
            while self.more:
                await self.next_message()


def with_security_headers(send: Send) -> Send:
    """Return a `send` that adds SECURITY_HEADERS to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers


def refuse(status: int, reason: str) -> JSONResponse:
    """Return the response to a refused request.

    The connection is closed, so that the server need not receive the rest of the request.
    """
    return JSONResponse({"error": reason}, status, {"connection": "close"})
