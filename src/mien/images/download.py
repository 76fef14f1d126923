"""The bytes behind a URL, within limits. Only who was told to (``--allow-url``) calls this; nothing else here does."""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPResponse
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
    UnknownHandler,
)

from mien._version import __version__
from mien.errors import FetchError
from mien.images.sources import quote_source

#: No photo is larger; a film or an archive is.
MAX_BYTES = 64 << 20

#: Seconds for everything: finding the server, waiting for it, and the last byte.
TIMEOUT = 30.0

_CHUNK = 1 << 16
_EXPECTED = "A picture at an http(s) address was expected"


def download_image(url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """What lies at an ``http`` or ``https`` address: whole, at most ``max_bytes``, within ``timeout`` seconds.

    At most five redirects are followed. Raises :class:`FetchError`. Whether the bytes are a picture is for
    ``picture(bytes)`` to say.
    """
    if not url.strip().lower().startswith(("http://", "https://")):
        raise FetchError(f"{quote_source(url)} cannot be fetched", _EXPECTED, "Download it, and pass the file")
    end = time.monotonic() + timeout
    try:
        with _opener().open(_request(url), timeout=timeout) as response:
            return _body(response, url, max_bytes, end)
    except HTTPError as error:
        error.close()
        raise _failed(url, f"the server answered {error.code} {_reason(error.reason)}") from error
    except URLError as error:
        raise _failed(url, _reason(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _failed(url, _reason(error)) from error


class _FewRedirects(HTTPRedirectHandler):
    max_redirections = 5
    max_repeats = 2


def _opener() -> OpenerDirector:
    """Only the web: no ``file:``, ``ftp:`` or ``data:``, whatever a redirect says."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        _FewRedirects(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _request(url: str) -> Request:
    # People paste addresses with spaces and letters; servers want them escaped.
    escaped = quote(url.strip(), safe="%/:=&?~#+!$,;'@()*[]")
    return Request(escaped, headers={"User-Agent": f"mien/{__version__}", "Accept": "image/*"})


def _body(response: HTTPResponse | IO[bytes], url: str, max_bytes: int, end: float) -> bytes:
    told = getattr(response, "headers", {}).get("Content-Length")
    length = int(told) if told else None
    if length is not None and length > max_bytes:
        raise _too_long(url, max_bytes)
    body = bytearray()
    while chunk := response.read1(_CHUNK):  # type: ignore[union-attr]
        body += chunk
        if len(body) > max_bytes:
            raise _too_long(url, max_bytes)
        if time.monotonic() > end:
            raise _failed(url, "it took too long")
    if length is not None and len(body) < length:
        raise _failed(url, f"it was cut off after {len(body):,} of {length:,} bytes")
    return bytes(body)


def _failed(url: str, reason: str) -> FetchError:
    return FetchError(
        f"{quote_source(url)} could not be fetched: {reason}", _EXPECTED, "Try again, or download it and pass the file"
    )


def _too_long(url: str, max_bytes: int) -> FetchError:
    return FetchError(
        f"{quote_source(url)} holds more than {max_bytes:,} bytes",
        _EXPECTED,
        "Download it, make it smaller, and pass the file",
    )


def _reason(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "the server fell silent"
    return str(getattr(reason, "strerror", None) or reason).strip().partition("\n")[0] or type(reason).__name__
