"""The verb `serve`: binds an address and serves the page until it is interrupted."""

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

MAX_CONNECTIONS = 512
SECONDS_TO_BEGIN = 10.0  # for a client to send its first request line and headers
SECONDS_KEPT_ALIVE = 15  # an idle connection waits this long for its next request
SECONDS_TO_SHUT_DOWN = 5
MIN_TOKEN_LENGTH = 12
RUNS = Path("runs")


def serve(
    host: str,
    port: int,
    model: Path | None,
    token: str,
    *,
    on_ready: Callable[[str], None],
    trust: bool = False,
) -> None:
    """Serve the page until Ctrl-C; call `on_ready(url)` when it can be opened.

    Args:
        model: an ONNX file to read with, or a run folder to look inside.
        trust: run the sources of own networks that run folders hold.

    Raises:
        UsageError: the address is not a loopback one and the token is missing or too short.
        DataError: the model does not exist, or cannot be read.
        FirstlightError: the address cannot be bound.
    """
    server, listener = create_server(host, port, model, token, trust)
    on_ready(url_of(listener))
    with suppress(KeyboardInterrupt):  # Ctrl-C is the usual way to stop it
        server.run(sockets=[listener])


def create_server(
    host: str, port: int, model: Path | None, token: str, trust: bool = False
) -> tuple[uvicorn.Server, socket.socket]:
    """Return a server, and its socket, which already listens. Raises what `serve` does."""
    private = not guard.is_loopback(host) or bool(token)
    if private and len(token) < MIN_TOKEN_LENGTH:
        raise UsageError(
            f"--host {host} or a --token lets others use this page: the token must have at least "
            f"{MIN_TOKEN_LENGTH} characters"
        )
    service = create_service(model, private, trust)
    page_token = token or secrets.token_urlsafe(24)
    application = app.build(service, "" if private else page_token)
    config = uvicorn.Config(
        guard.Guard(application, host, page_token, private),
        http=TimeLimitedProtocol,
        ws="none",
        log_level="error",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=SECONDS_KEPT_ALIVE,
        timeout_graceful_shutdown=SECONDS_TO_SHUT_DOWN,
    )
    return uvicorn.Server(config), bind(host, port)


def create_service(model: Path | None, private: bool, trust: bool) -> app.Service:
    """Return what the routes share; `model` is an ONNX file, or a run folder to look inside."""
    run = model if model and (model / "run.json").is_file() else None
    own_model = None if run else model
    return app.Service(model=own_model, root=RUNS, run=run, private=private, trust=trust)


def bind(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 takes any free port. Raises FirstlightError."""
    listener = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # The protocol must be given: without it asyncio leaves Nagle's algorithm on, and a browser
        # waits 40 ms for the second half of each answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
        return listener
    except OSError as error:
        if listener:
            listener.close()
        reason = error.strerror or str(error)
        raise FirstlightError(f"{host}, port {port}: {reason}; give another --port") from None


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if ":" in host:  # IPv6
        return f"http://[{host}]:{port}/"
    return f"http://{host}:{port}/"


class TimeLimitedProtocol(H11Protocol):
    """Uvicorn's protocol with a time limit for clients that connect and send no request."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.idle_timer = self.loop.call_later(SECONDS_TO_BEGIN, self.close_if_idle)

    def on_response_complete(self) -> None:
        self.idle_timer.cancel()
        seconds = SECONDS_KEPT_ALIVE + SECONDS_TO_BEGIN
        self.idle_timer = self.loop.call_later(seconds, self.close_if_idle)
        super().on_response_complete()

    def close_if_idle(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # no (further) request has come
            self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle_timer.cancel()
        super().connection_lost(exc)
