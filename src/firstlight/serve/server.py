"""The verb `serve`: an address, and a server on it until it is interrupted."""

import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from firstlight.errors import FirstlightError, UsageError
from firstlight.serve import app, guard

MOST_CONNECTIONS = 512
SECONDS_TO_BEGIN = 10.0  # to send the first line and headers
SECONDS_KEPT = 15  # a connection, for a next request
SHORTEST_TOKEN = 12


def serve(
    host: str, port: int, model: Path | None, token: str, on_ready: Callable[[str], None]
) -> None:
    """Serve the page until Ctrl-C; `on_ready(url)` is told when it can be asked.

    Raises:
        UsageError: an address beyond this machine without a token.
        DataError: no such model.
        FirstlightError: the address is not to be had.
    """
    server, listening = prepared(host, port, model, token)
    on_ready(address(listening))
    with suppress(KeyboardInterrupt):  # the way to stop it
        server.run(sockets=[listening])


def prepared(
    host: str, port: int, model: Path | None, token: str
) -> tuple[uvicorn.Server, socket.socket]:
    """A server, and its socket, which takes connections already; see `serve`."""
    private = not guard.is_loopback(host) or bool(token)
    if private and len(token) < SHORTEST_TOKEN:
        raise UsageError(
            f"--host {host}, or a --token, is for letting others in: a token has {SHORTEST_TOKEN} "
            "letters or more"
        )
    run = model if model and (model / "run.json").is_file() else None
    service = app.Service(None if run else model, Path("runs"), run)
    known = token or secrets.token_urlsafe(24)
    config = uvicorn.Config(
        guard.Guard(app.build(service, "" if private else known), host, known, private),
        http=Patient,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=SECONDS_KEPT,
        timeout_graceful_shutdown=5,
    )
    return uvicorn.Server(config), bind(host, port)


def bind(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any that is free."""
    listening = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol must be named: else asyncio leaves Nagle's algorithm on, and a browser waits
        # 40 ms for the second half of each answer.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(1024)
        return listening
    except OSError as error:
        if listening:
            listening.close()
        reason = error.strerror or str(error)
        raise FirstlightError(f"{host}, port {port}: {reason}; give another --port") from None


def address(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Patient(H11Protocol):
    """Uvicorn's protocol, but a client that connects and asks nothing is not waited for long."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.waiting = self.loop.call_later(SECONDS_TO_BEGIN, self.leave)

    def on_response_complete(self) -> None:
        self.waiting.cancel()
        self.waiting = self.loop.call_later(SECONDS_KEPT + SECONDS_TO_BEGIN, self.leave)
        super().on_response_complete()

    def leave(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # no request, or no other, has come
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.cancel()
        super().connection_lost(exc)
