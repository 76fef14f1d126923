"""Download of an image within limits of size and time. Nothing else in this package uses the network."""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPResponse
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

#: No photo is larger; videos and archives are.
MAX_BYTES = 64 << 20

#: Seconds for the whole download.
TIMEOUT = 30.0

_CHUNK_BYTES = 1 << 16
_EXPECTED = "An image at an http(s) address was expected"


def download_image(url: str, *, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> bytes:
    """The content at an ``http`` or ``https`` address: at most ``max_bytes``, within ``timeout`` seconds.

    At most five redirects are followed. Raises :class:`FetchError`. Whether the content is an image is checked when it
    is loaded.
    """
    if not url.strip().lower().startswith(("http://", "https://")):
        raise FetchError(f"{quote_source(url)} cannot be downloaded", _EXPECTED, "Download it, and pass the file")
    end = time.monotonic() + timeout
    # People paste addresses with spaces and other characters that must be escaped.
    escaped = quote(url.strip(), safe="%/:=&?~#+!$,;'@()*[]")
    try:
        request = Request(escaped, headers={"User-Agent": f"mien/{__version__}", "Accept": "image/*"})
        with _build_opener().open(request, timeout=timeout) as response:
            return _read_body(response, url, max_bytes, end)
    except HTTPError as error:
        error.close()
        raise _fetch_error(url, f"the server answered {error.code} {_describe_error(error.reason)}") from error
    except URLError as error:
        raise _fetch_error(url, _describe_error(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _fetch_error(url, _describe_error(error)) from error


class _RedirectHandler(HTTPRedirectHandler):
    max_redirections = 5
    max_repeats = 2


def _build_opener() -> OpenerDirector:
    """An opener for http and https only, so that no redirect leads to ``file:``, ``ftp:`` or ``data:``."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        UnknownHandler(),
        HTTPHandler(),
        HTTPSHandler(),
        HTTPDefaultErrorHandler(),
        _RedirectHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _read_body(response: HTTPResponse, url: str, max_bytes: int, end: float) -> bytes:
    header = response.headers.get("Content-Length")
    length = int(header) if header else None
    if length is not None and length > max_bytes:
        raise _size_error(url, max_bytes)
    body = bytearray()
    while chunk := response.read1(_CHUNK_BYTES):
        body += chunk
        if len(body) > max_bytes:
            raise _size_error(url, max_bytes)
        if time.monotonic() > end:
            raise _fetch_error(url, "it took too long")
    if length is not None and len(body) < length:
        raise _fetch_error(url, f"it was truncated after {len(body):,} of {length:,} bytes")
    return bytes(body)


def _fetch_error(url: str, reason: str) -> FetchError:
    happened = f"{quote_source(url)} could not be downloaded: {reason}"
    return FetchError(happened, _EXPECTED, "Try again, or download it and pass the file")


def _size_error(url: str, max_bytes: int) -> FetchError:
    happened = f"{quote_source(url)} has more than {max_bytes:,} bytes"
    return FetchError(happened, _EXPECTED, "Download it, make it smaller, and pass the file")


def _describe_error(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "the server stopped sending"
    return str(getattr(reason, "strerror", None) or reason).strip().partition("\n")[0] or type(reason).__name__
