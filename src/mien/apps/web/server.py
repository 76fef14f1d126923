"""Memory that threads share: glibc keeps a pool for each of them, and what was freed in one is of no use to others.

Over 10,000 requests 209 MB became 213, where 231 became 251 before.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

from mien.apps.session.ports import make_listen_error
from mien.apps.web.errors import PROBLEM_TYPE
from mien.apps.web.service import WebService
from mien.apps.web.settings import MB, WebSettings

#: ``M_ARENA_MAX`` of glibc's ``malloc.h``.
_ARENA_MAX = -8

#: As many pools as requests are mostly worked on at once.
POOLS = 2


def limit_memory_arenas(pools: int = POOLS) -> None:
    """Let this process keep so many pools at most, if it has glibc and MALLOC_ARENA_MAX does not say otherwise."""
    if "MALLOC_ARENA_MAX" in os.environ:
        return
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(_ARENA_MAX, pools)


# ==== mien.apps.web.arrival
# What comes to the server, before the app hears of it: bounded in length by address, altogether, and in time.

#: A request has this many seconds to come whole, and a little more for each megabyte.
REQUEST_SECONDS, _A_MEGABYTE = 20.0, 2.0

#: All bodies that are on their way may be this large together, beside one film.
_BUDGET = 256 * MB

_FILMS = "/api/v1/videos"

#: What a form is made of besides what it carries; and how long a body may be that is let in to be forgotten.
_ENVELOPE, _FORGOTTEN = 100_000, 1000 * MB


class _Refused(Error):  # type: ignore[misc]
    """An answer that this server gives itself, before the app hears of the request."""

    def __init__(self, code: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.reason = code, reason


class _Told(ErrorTask):  # type: ignore[misc]
    """Errors in the shape of all others."""

    def execute(self) -> None:
        error = self.request.error
        detail = error.body if isinstance(error, _Refused) else f"The request could not be followed: {error.body}."
        problem = {"type": "about:blank", "title": error.reason, "status": error.code, "detail": detail}
        body = json.dumps(problem).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [("Content-Type", PROBLEM_TYPE), ("X-Content-Type-Options", "nosniff")]
        self.response_headers += [("Cache-Control", "no-store")] + [("Retry-After", "5")] * (error.code == 503)
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Nowhere:
    """A body that is refused is let in and forgotten: clients that send first and listen later hear why."""

    def append(self, data: bytes) -> None:
        pass

    def getfile(self) -> io.BytesIO:
        return io.BytesIO()

    def close(self) -> None:
        pass

    def __len__(self) -> int:
        return 0


class LimitingRequestParser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a body by what its headers say, before it comes."""

    #: Set for each server; waitress makes parsers itself. Lengths of the large bodies that are here or on their way.
    service: WebService
    arriving: dict[int, int]
    refused: _Refused | None = None
    error: Error | None = None
    expect_continue: bool = False

    @property
    def most(self) -> int:
        settings = self.service.settings
        return (settings.max_film_bytes if self.path == _FILMS else settings.max_bytes) + _ENVELOPE

    @property
    def length(self) -> int:
        """How long the body is, by its headers; of one that comes in chunks, as far as it has come."""
        return int(self.body_bytes_received if self.chunked else self.content_length)

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if why := self._too_much():
            self._refuse(why)

    def received(self, data: bytes) -> int:
        taken: int = super().received(data)
        if self.chunked and not self.error and (why := self._too_much()):
            self.error, self.completed = why, True
        if self.refused and self.completed:
            self.error = self.refused
        return taken

    def close(self) -> None:
        self.arriving.pop(id(self), None)
        super().close()

    def _too_much(self) -> _Refused | None:
        """Why this body is not let in, if so; one that is let in counts from then on."""
        others = sum(length for key, length in list(self.arriving.items()) if key != id(self))
        if self.length > self.most:
            return _too_large(self.most)
        if self.length + others > _BUDGET + self.service.settings.max_film_bytes:
            busy = "Too much is on its way to this server. Try again in a little while."
            return _Refused(503, "Service Unavailable", busy)
        if self.length > MB:
            self.arriving[id(self)] = self.length
        return None

    def _refuse(self, why: _Refused) -> None:
        self.refused = why
        if self.expect_continue or self.content_length > _FORGOTTEN:
            # It has not been sent yet, or is too long even to be forgotten.
            self.error, self.expect_continue, self.completed = why, False, True
        else:
            self.body_rcv = FixedStreamReceiver(self.content_length, _Nowhere())


def _too_large(most: int) -> _Refused:
    told = f"The request is larger than this server takes here, which is {most // MB} MB."
    return _Refused(413, "Content Too Large", told)


class TimedChannel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when its request has been coming."""

    error_task_class = _Told
    began: float | None = None

    def received(self, data: bytes) -> bool:
        if self.began is None:
            self.began = time.monotonic()
        done: bool = super().received(data)
        if self.request is None:
            self.began = None
        return done

    def too_slow(self, patience: float) -> bool:
        if self.began is None:
            return False
        length = self.request.length if self.request else 0
        return time.monotonic() - self.began > patience + _A_MEGABYTE * length / MB

    def handle_close(self) -> None:
        if self.request is not None:
            self.request.close()
        super().handle_close()


class ListeningServer(TcpWSGIServer):  # type: ignore[misc]
    patience: float

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        for channel in list(self.active_channels.values()):
            gone = not channel.connected and not channel.requests
            if gone or channel.too_slow(self.patience):
                channel.will_close = True


# ==== mien.apps.web.server
# waitress, with nothing on the disk and a stop that finishes what was begun.
#
# Bodies stay in memory: nothing that somebody sent is ever written to the disk. Therefore what may be sent is bounded
# before it is received: a body by its address, all bodies together by a budget, and the time in which one has to come.

#: waitress writes what is larger than this to the disk.
_NEVER = 1 << 62


class WebServer:
    """One app behind one socket. ``run`` returns when SIGTERM or SIGINT (or ``stop``) ended it."""

    def __init__(self, app: Flask, *, patience: float = REQUEST_SECONDS) -> None:
        self._service: WebService = app.extensions["mien"]
        self._stopping = threading.Event()
        parser = type("Parser", (LimitingRequestParser,), {"service": self._service, "arriving": {}})
        channel = type("Channel", (TimedChannel,), {"parser_class": parser})
        kind = type("Server", (ListeningServer,), {"channel_class": channel, "patience": patience})
        self._map: dict[int, Any] = {}
        self._server = _bound(kind, app, self._map, self._service.settings)

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens: the host, and the port that was taken."""
        return self._server.effective_host, int(self._server.effective_port)

    def stop(self) -> None:
        self._stopping.set()
        self._server.pull_trigger()

    def run(self) -> bool:
        """Serve until told to stop, then finish what was begun. False where not everything came to its end in time."""
        with self._listening_to_signals():
            while not self._stopping.is_set():
                self._turn()
            return self._finish()

    def _turn(self, timeout: float = 1.0) -> None:
        wasyncore.loop(timeout=timeout, map=self._map, use_poll=True, count=1)

    def _finish(self) -> bool:
        settings, server = self._service.settings, self._server
        self._service.leaving.set()
        server.accepting = False
        server.del_channel(self._map)
        server.socket.close()
        until = time.monotonic() + settings.grace
        while (busy := self._busy()) and time.monotonic() < until:
            self._turn(0.05)
        self._service.jobs.close()
        server.task_dispatcher.shutdown(timeout=1)
        with suppress(OSError):
            wasyncore.close_all(self._map)
        return not busy

    def _busy(self) -> bool:
        """Is any request being worked on, or any answer being sent?"""
        channels = list(self._server.active_channels.values())
        return any(channel.requests or channel.total_outbufs_len for channel in channels)

    @contextmanager
    def _listening_to_signals(self) -> Iterator[None]:
        try:
            before = {
                number: signal.signal(number, lambda *_: self.stop()) for number in (signal.SIGTERM, signal.SIGINT)
            }
        except ValueError:  # not the main thread: whoever runs us there minds the signals
            yield
            return
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _bound(kind: type[ListeningServer], app: Flask, sockets: dict[int, Any], settings: WebSettings) -> ListeningServer:
    """The server, listening; or one sentence about why it cannot."""
    try:
        adjusted = _adjusted(settings)
        return kind(app, sockets, adj=adjusted, sockinfo=adjusted.listen[0])
    except (OSError, ValueError, OverflowError) as error:
        for each in list(sockets.values()):
            each.close()
        raise make_listen_error(settings.host, settings.port, error, "mien serve") from error


def _adjusted(settings: WebSettings) -> Adjustments:
    return Adjustments(
        host=settings.host,
        port=settings.port,
        threads=settings.threads,
        ident="mien",
        # Both larger than anything that is let in or goes out: waitress would write to the disk beyond.
        inbuf_overflow=_NEVER,
        outbuf_overflow=_NEVER,
        max_request_body_size=_NEVER,
        max_request_header_size=32_768,
        connection_limit=500,
        channel_timeout=60,
        cleanup_interval=2,
        asyncore_use_poll=True,
        clear_untrusted_proxy_headers=False,
    )
