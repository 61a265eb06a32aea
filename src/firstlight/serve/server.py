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
from firstlight.serve import addresses, app, guard
from firstlight.serve.sharing import Sharing, new_token

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
    on_ready: Callable[[Sharing], None],
    trust: bool = False,
    read_only: bool = False,
) -> None:
    """Serve the page until Ctrl-C; call `on_ready` when it can be opened.

    Args:
        model: an ONNX file to read with, or a run folder to look inside.
        token: that visitors must know; if it is empty and others can reach the address, one is
            made.
        trust: run the sources of own networks that run folders hold.
        read_only: start, stop, continue and evaluate no trainings.

    Raises:
        UsageError: the token is too short.
        DataError: the model does not exist, or cannot be read.
        FirstlightError: the address cannot be bound.
    """
    server, listener, sharing = create_server(
        host, port, model, token, trust=trust, read_only=read_only
    )
    on_ready(sharing)
    with suppress(KeyboardInterrupt):  # Ctrl-C is the usual way to stop it
        server.run(sockets=[listener])


def create_server(
    host: str,
    port: int,
    model: Path | None,
    token: str,
    *,
    trust: bool = False,
    read_only: bool = False,
) -> tuple[uvicorn.Server, socket.socket, Sharing]:
    """Return a server, its socket, which already listens, and what people need to open its page.

    Raises what `serve` does.
    """
    check_token(token)
    private = not guard.is_loopback(host) or bool(token)
    is_made_to_type = private and not token  # telephones begin with a capital letter
    token = token or (new_token() if private else secrets.token_urlsafe(24))
    service = create_service(model, private=private, trust=trust, read_only=read_only)
    listener = bind(host, port)
    sharing = Sharing(addresses.urls(host, listener), token if private else None)
    application = app.build(service, sharing, "" if private else token)
    hosts = (host.lower(), listener.getsockname()[0])
    config = uvicorn.Config(
        guard.Guard(application, hosts, token, private, ignores_case=is_made_to_type),
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
    return Server(config, service), listener, sharing


def check_token(token: str) -> None:
    """Raises UsageError if a given token is short, or if no request can carry it in a header."""
    if not token:
        return
    if len(token) < MIN_TOKEN_LENGTH:
        raise UsageError(
            f"a --token of {len(token)} characters is too easy to guess: give at least "
            f"{MIN_TOKEN_LENGTH}, or leave it out, and one is made"
        )
    if not token.isascii() or not token.isprintable() or token != token.strip():
        raise UsageError(
            "a --token has letters without accents, digits and signs, and no space at an end"
        )


def create_service(
    model: Path | None, *, private: bool, trust: bool, read_only: bool
) -> app.Service:
    """Return what the routes share; `model` is an ONNX file, or a run folder to look inside."""
    is_run = model is not None and (model / "run.json").is_file()
    return app.Service(
        model=None if is_run else model,
        root=RUNS,
        run=model if is_run else None,
        private=private,
        trust=trust,
        read_only=read_only,
    )


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


class Server(uvicorn.Server):
    """Uvicorn's server; at its end nobody waits for a process that still computes."""

    def __init__(self, config: uvicorn.Config, service: app.Service) -> None:
        super().__init__(config)
        self.service = service

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.service.data.close()
        self.service.worker.kill()
        self.service.pictures.kill()
        await super().shutdown(sockets)


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
