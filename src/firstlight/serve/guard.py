"""Who may ask, how much, and for how long: stands before every route.

A page on another site can make a browser send requests to this server, and can make its own name
point to this machine (DNS rebinding). So the Host must be ours, a POST must come from our own page
and carry a token that only our page is given, and no header invites other sites.
"""

import asyncio
import ipaddress
import secrets
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "::1")
MOST_BYTES = 16 * 2**20  # of a photograph as it comes from a telephone
MOST_BYTES_OF_JSON = 2**16
MOST_AT_ONCE = 128  # requests; what comes on top is told to come again
SECONDS_TO_SEND = 10.0  # a request's body
SECONDS_TO_ANSWER = 120.0  # the first look inside imports TensorFlow
TOKEN = "x-firstlight-token"
SECURITY = {
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


def is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def without_port(host: str) -> str:
    """`127.0.0.1:8000` → `127.0.0.1`, `[::1]:8000` → `::1`."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower()


def kind_of(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass
class Guard:
    """The ASGI application before the application."""

    app: ASGIApp
    host: str  # what the server is bound to
    token: str
    private: bool  # whether even looking needs the token: beyond loopback it does
    asking: int = field(default=0, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # a web socket: there are none
            return await send({"type": "websocket.close", "code": 1008})
        send = with_security(send)
        refused = self.refusal(scope)
        if refused:
            return await answer(*refused)(scope, receive, send)
        self.asking += 1
        try:
            async with asyncio.timeout(SECONDS_TO_ANSWER):
                await self.app(scope, Limited(scope, receive), send)
        except TimeoutError:
            await answer(503, "that took too long")(scope, receive, send)
        finally:
            self.asking -= 1

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """The status and reason with which a request is refused, before any route sees it."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self.is_ours(without_port(hosts[0])):
            return 421, "this Host is not served here"
        if self.asking >= MOST_AT_ONCE:
            return 503, "too many requests at once; try again in a second"
        if scope["method"] in ("GET", "HEAD"):
            locked = self.private and scope["path"].startswith("/api/")
            return (401, "the token is missing") if locked and not self.knows(headers) else None
        if scope["method"] != "POST":
            return 405, "only GET and POST are served"
        return self.refusal_of_post(headers, hosts[0])

    def refusal_of_post(self, headers: Headers, host: str) -> tuple[int, str] | None:
        if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return 403, "not sent by this server's own page"
        if headers.get("sec-fetch-site", "same-origin") != "same-origin":
            return 403, "not sent by this server's own page"
        if not self.knows(headers):
            return 401, "the token is missing, or from an earlier start: load the page again"
        kind = kind_of(headers)
        if kind != "application/json" and not kind.startswith("image/"):
            return 415, "a request is application/json or image/*"
        return None

    def is_ours(self, host: str) -> bool:
        if host in (*LOOPBACK, self.host.lower()):
            return True
        # Bound to all addresses, it is asked by any of them. An address cannot be rebound; a name
        # can, so names are refused.
        return self.host in ("0.0.0.0", "::") and is_address(host)

    def knows(self, headers: Headers) -> bool:
        return secrets.compare_digest(headers.get(TOKEN, "").encode(), self.token.encode())


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
        return True
    except ValueError:
        return False


class Limited:
    """Receives a body as it streams in, and refuses it when it is too long or too slow."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        picture = kind_of(Headers(scope=scope)).startswith("image/")
        self.left = MOST_BYTES if picture else MOST_BYTES_OF_JSON
        self.receive = receive
        self.until = time.monotonic() + SECONDS_TO_SEND
        self.more = True

    async def __call__(self) -> Message:
        if not self.more:  # a wait for the client to go away, which has no limit
            return await self.receive()
        try:
            async with asyncio.timeout(max(0.0, self.until - time.monotonic())):
                message = await self.receive()
        except TimeoutError:
            raise HTTPException(408, "the request was sent too slowly") from None
        self.more = bool(message.get("more_body"))
        self.left -= len(message.get("body", b""))
        if self.left < 0:
            raise HTTPException(413, "too large")
        return message


def with_security(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def answer(status: int, error: str) -> JSONResponse:
    """A refusal. The connection is closed: what is still being sent is not listened to."""
    return JSONResponse({"error": error}, status, {"connection": "close"})
