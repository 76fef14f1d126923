"""What comes to the server, before the app hears of it: bounded in length by address, altogether, and in time."""

from __future__ import annotations

import io
import json
import time

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.receiver import FixedStreamReceiver
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error

from mien.apps.web.problems import KIND
from mien.apps.web.service import Service
from mien.apps.web.settings import MB

#: A request has this many seconds to come whole, and a little more for each megabyte.
PATIENCE, _A_MEGABYTE = 20.0, 2.0

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
        self.response_headers += [("Content-Type", KIND), ("X-Content-Type-Options", "nosniff")]
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


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a body by what its headers say, before it comes."""

    #: Set for each server; waitress makes parsers itself. Lengths of the large bodies that are here or on their way.
    service: Service
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


class Channel(HTTPChannel):  # type: ignore[misc]
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
