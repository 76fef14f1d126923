"""The HTTP server: waitress, with limits before a request is received, and a graceful stop.

waitress is subclassed for what its settings do not offer, and what a service for other people needs:

- It writes large request bodies to the disk. Here they stay in memory, since nothing that a client sends may be stored;
  therefore the length of a body is limited by its address, before it is received, and so is the sum of all bodies.
- It waits for a slow request as long as bytes arrive. Here a request has a deadline.
- Its own error responses are plain text. Here they are ``application/problem+json`` as all others.
- It drops open requests when it stops. Here it finishes them first.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import threading
import time
from contextlib import suppress
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import FixedStreamReceiver
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from mien.apps.session.ports import handle_stop_signals, make_listen_error
from mien.apps.session.uploads import MB
from mien.apps.web.app import FORM_OVERHEAD
from mien.apps.web.errors import PROBLEM_TYPE
from mien.apps.web.service import WebService
from mien.apps.web.settings import WebSettings

#: The deadline of a request: these seconds, and some more for each megabyte.
REQUEST_SECONDS, _SECONDS_PER_MB = 20.0, 2.0

#: The limit of all bodies that are being received, besides one video.
_TOTAL_BODY_BYTES = 256 * MB

#: A rejected body up to this length is received and discarded; see :class:`LimitingRequestParser`.
_MAX_DISCARDED_BYTES = 1000 * MB

_VIDEO_PATH = "/api/v1/videos"

#: Connections at once, and how many of them may be idle while others arrive.
_MAX_CONNECTIONS, _MAX_IDLE = 500, 400

#: waitress writes to the disk what is larger than this.
_NO_LIMIT = 1 << 62

#: ``M_ARENA_MAX`` of glibc's ``malloc.h``, and the number of arenas: as many as requests are mostly processed at once.
_ARENA_MAX, MEMORY_ARENAS = -8, 2


def limit_memory_arenas(arenas: int = MEMORY_ARENAS) -> None:
    """Let glibc use few memory arenas, unless MALLOC_ARENA_MAX is set; without effect on other C libraries.

    glibc has arenas for each thread, and what was freed in one is not available to others: after 10,000 requests the
    process had 213 MB with two arenas, and 251 MB without a limit.
    """
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, arenas)


class WebServer:
    """One app behind one socket."""

    def __init__(self, app: Flask, *, request_seconds: float = REQUEST_SECONDS) -> None:
        self._service: WebService = app.extensions["mien"]
        self._stop_requested = threading.Event()
        # waitress creates parsers and channels from classes: what they need is set in a subclass for each server.
        parser = type("BoundParser", (LimitingRequestParser,), {"service": self._service, "body_lengths": {}})
        channel = type("BoundChannel", (TimedChannel,), {"parser_class": parser})
        server = type("BoundServer", (_SocketServer,), {"channel_class": channel, "request_seconds": request_seconds})
        self._sockets: dict[int, Any] = {}
        self._server = _listen(server, app, self._sockets, self._service.settings)

    @property
    def address(self) -> tuple[str, int]:
        """The host and the port that it listens on."""
        return self._server.effective_host, int(self._server.effective_port)

    def stop(self) -> None:
        """End :meth:`run`; may be called from any thread and from signal handlers."""
        self._stop_requested.set()
        self._server.pull_trigger()

    def run(self) -> bool:
        """Serve until SIGTERM, SIGINT or :meth:`stop`, then finish open requests. False if some were not finished."""
        with handle_stop_signals(self.stop):
            while not self._stop_requested.is_set():
                self._poll_sockets(1.0)
            return self._finish_requests()

    def _poll_sockets(self, timeout: float) -> None:
        wasyncore.loop(timeout=timeout, map=self._sockets, use_poll=True, count=1)

    def _finish_requests(self) -> bool:
        server = self._server
        self._service.stopping.set()
        server.accepting = False
        server.del_channel(self._sockets)
        server.socket.close()
        deadline = time.monotonic() + self._service.settings.grace
        while (busy := self._has_open_requests()) and time.monotonic() < deadline:
            self._poll_sockets(0.05)
        self._service.jobs.close()
        server.task_dispatcher.shutdown(timeout=1)
        with suppress(OSError):
            wasyncore.close_all(self._sockets)
        return not busy

    def _has_open_requests(self) -> bool:
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)


class _RejectedRequest(Error):  # type: ignore[misc]
    """A response of the server itself, before the app gets the request."""

    def __init__(self, code: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.reason = code, reason


class _ProblemTask(ErrorTask):  # type: ignore[misc]
    """Sends errors of the server as ``application/problem+json``."""

    def execute(self) -> None:
        error = self.request.error
        detail = error.body if isinstance(error, _RejectedRequest) else f"Malformed HTTP request: {error.body}."
        problem = {"type": "about:blank", "title": error.reason, "status": error.code, "detail": detail}
        body = json.dumps(problem).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", PROBLEM_TYPE), ("X-Content-Type-Options", "nosniff")]
        self.response_headers += [("Cache-Control", "no-store")] + [("Retry-After", "5")] * (error.code == 503)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _DiscardingBuffer:
    """A buffer for a body that nobody reads."""

    def append(self, data: bytes) -> None:
        pass

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        pass

    def __len__(self) -> int:
        return 0


class LimitingRequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Rejects a request body by its headers, or by its length so far if it is chunked.

    The response to a rejected request is sent after its body, which is received and discarded, since many clients read
    the response only when they have sent everything. Only the response to a body that is extremely long, or to a
    client that waits for ``100 Continue``, is sent at once.
    """

    #: Set in a subclass for each server. The lengths of the large bodies that are being received or processed.
    service: WebService
    body_lengths: dict[int, int]
    rejection: _RejectedRequest | None = None
    error: Error | None = None
    expect_continue: bool = False

    @property
    def max_length(self) -> int:
        settings = self.service.settings
        return (settings.max_video_bytes if self.path == _VIDEO_PATH else settings.max_bytes) + FORM_OVERHEAD

    @property
    def length(self) -> int:
        """The length of the body by its headers; of a chunked one, the length so far."""
        return int(self.body_bytes_received if self.chunked else self.content_length)

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        rejection = self._check_length()
        if rejection is None:
            return
        self.rejection = rejection
        if self.expect_continue or self.content_length > _MAX_DISCARDED_BYTES:
            self.error, self.expect_continue, self.completed = rejection, False, True
        else:
            self.body_rcv = FixedStreamReceiver(self.content_length, _DiscardingBuffer())

    def received(self, data: bytes) -> int:
        consumed: int = super().received(data)
        if self.chunked and not self.error and (rejection := self._check_length()):
            self.error, self.completed = rejection, True
        if self.rejection and self.completed:
            self.error = self.rejection
        return consumed

    def close(self) -> None:
        self.body_lengths.pop(id(self), None)
        super().close()

    def _check_length(self) -> _RejectedRequest | None:
        """The rejection of a body that is too long; an accepted one is added to the sum of all bodies."""
        if self.length > self.max_length:
            detail = f"The request is too large: this address accepts up to {self.max_length // MB} MB."
            return _RejectedRequest(413, "Content Too Large", detail)
        others = sum(length for key, length in list(self.body_lengths.items()) if key != id(self))
        if self.length + others > _TOTAL_BODY_BYTES + self.service.settings.max_video_bytes:
            detail = "The server is receiving too many large requests. Try again in a little while."
            return _RejectedRequest(503, "Service Unavailable", detail)
        if self.length > MB:
            self.body_lengths[id(self)] = self.length
        return None


class TimedChannel(HTTPChannel):  # type: ignore[misc]
    """A connection that measures for how long its request has been arriving."""

    error_task_class = _ProblemTask
    request_start: float | None = None

    def received(self, data: bytes) -> bool:
        if self.request_start is None:
            self.request_start = time.monotonic()
        result: bool = super().received(data)
        if self.request is None:
            self.request_start = None
        return result

    def is_too_slow(self, request_seconds: float) -> bool:
        if self.request_start is None:
            return False
        length = self.request.length if self.request else 0
        return time.monotonic() - self.request_start > request_seconds + _SECONDS_PER_MB * length / MB

    @property
    def is_idle(self) -> bool:
        """Whether no request is being processed, and not even the header of one is complete."""
        return not self.requests and (self.request is None or not self.request.headers_finished)

    def handle_close(self) -> None:
        if self.request is not None:
            self.request.close()
        super().handle_close()


class _SocketServer(TcpWSGIServer):  # type: ignore[misc]
    request_seconds: float

    def readable(self) -> bool:
        self._close_idle_connections()
        return bool(super().readable())

    def _close_idle_connections(self) -> None:
        """Make room for new connections: those that have sent no complete request for the longest time are closed."""
        channels = list(self.active_channels.values())
        if len(channels) <= _MAX_IDLE:
            return
        idle = [channel for channel in channels if channel.is_idle and not channel.will_close]
        for channel in sorted(idle, key=lambda channel: channel.last_activity)[: len(channels) - _MAX_IDLE]:
            channel.will_close = True

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            disconnected = not channel.connected and not channel.requests
            if disconnected or channel.is_too_slow(self.request_seconds):
                channel.will_close = True


def _listen(server: type[_SocketServer], app: Flask, sockets: dict[int, Any], settings: WebSettings) -> _SocketServer:
    """The listening server; MienError if it cannot listen."""
    try:
        adjustments = Adjustments(
            host=settings.host,
            port=settings.port,
            threads=settings.threads,
            ident="mien",
            inbuf_overflow=_NO_LIMIT,
            outbuf_overflow=_NO_LIMIT,
            max_request_body_size=_NO_LIMIT,
            max_request_header_size=32_768,
            connection_limit=_MAX_CONNECTIONS,
            channel_timeout=60,
            cleanup_interval=2,
            asyncore_use_poll=True,
            clear_untrusted_proxy_headers=False,
        )
        return server(app, sockets, adj=adjustments, sockinfo=adjustments.listen[0])
    except (OSError, ValueError, OverflowError) as error:
        for each in list(sockets.values()):
            each.close()
        raise make_listen_error(settings.host, settings.port, error, "mien serve") from error
