"""waitress, with nothing on the disk and a stop that finishes what was begun.

Bodies stay in memory: nothing that somebody sent is ever written to the disk. Therefore what may be sent is bounded
before it is received: a body by its address, all bodies together by a budget, and the time in which one has to come.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from flask import Flask
from waitress import wasyncore
from waitress.adjustments import Adjustments

from mien.apps.port import refused
from mien.apps.web.arrival import PATIENCE, Channel, ListeningServer, Parser
from mien.apps.web.service import Service
from mien.apps.web.settings import Settings

#: waitress writes what is larger than this to the disk.
_NEVER = 1 << 62


class Server:
    """One app behind one socket. ``run`` returns when SIGTERM or SIGINT (or ``stop``) ended it."""

    def __init__(self, app: Flask, *, patience: float = PATIENCE) -> None:
        self._service: Service = app.extensions["mien"]
        self._stopping = threading.Event()
        parser = type("Parser", (Parser,), {"service": self._service, "arriving": {}})
        channel = type("Channel", (Channel,), {"parser_class": parser})
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


def _bound(kind: type[ListeningServer], app: Flask, sockets: dict[int, Any], settings: Settings) -> ListeningServer:
    """The server, listening; or one sentence about why it cannot."""
    try:
        adjusted = _adjusted(settings)
        return kind(app, sockets, adj=adjusted, sockinfo=adjusted.listen[0])
    except (OSError, ValueError, OverflowError) as error:
        for each in list(sockets.values()):
            each.close()
        raise refused(settings.host, settings.port, error, "mien serve") from error


def _adjusted(settings: Settings) -> Adjustments:
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
