"""Downloads of published files: from their address or from a local copy, verified before they get their name."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Iterable
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from mien._version import __version__
from mien.errors import FetchError
from mien.files import TEMPORARY_FILES, atomic_path
from mien.models.checksums import Checksum, PublishedFile

#: Called with the number of bytes received and the expected number.
ProgressCallback: TypeAlias = Callable[[int, int], None]

_CHUNK_BYTES = 1 << 16

#: Temporary files that are older belong to a killed process; younger ones may belong to a download in progress.
_STALE_SECONDS = 3600.0


def stream_download(published: PublishedFile, url: str, *, timeout: float, deadline: float) -> Generator[bytes]:
    """The content at an address, in chunks; FetchError if it does not arrive.

    ``timeout`` limits the seconds without data, ``deadline`` the seconds in all.
    """
    end = time.monotonic() + deadline
    try:
        if not url.startswith(("https://", "http://")):
            raise ValueError("its address does not begin with https://")
        request = Request(url, headers={"User-Agent": f"mien/{__version__}"})
        with urlopen(request, timeout=min(timeout, deadline)) as response:
            while chunk := response.read1(_CHUNK_BYTES):
                yield chunk
                if time.monotonic() > end:
                    raise _fetch_error(published, url, f"it was not complete after {deadline:g} seconds")
    except HTTPError as error:
        error.close()
        reason = f"the server answered {error.code} ({_first_line(error.reason)})"
        raise _fetch_error(published, url, reason) from error
    except URLError as error:
        raise _fetch_error(published, url, _describe_network_error(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _fetch_error(published, url, _describe_network_error(error)) from error


def stream_file(published: PublishedFile, source: Path) -> Generator[bytes]:
    """The content of a local copy, in chunks."""
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK_BYTES):
                yield chunk
    except OSError as error:
        happened, expected = f"'{source}' cannot be read: {error.strerror}", f"Expected the file {published.file}"
        raise FetchError(happened, expected, f"It comes from {published.url}") from error


def install_file(
    published: PublishedFile, chunks: Iterable[bytes], target: Path, progress: ProgressCallback | None = None
) -> Path:
    """Write the content to a temporary file beside the target, verify it, and rename it to the target."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale_files(target.parent)
        with atomic_path(target) as temporary:
            _verify(published, _write_chunks(chunks, temporary, published.checksum.size, progress))
    except OSError as error:
        happened = f"'{published.name}' could not be written to '{target.parent}': {error.strerror or error}"
        remedy = "Free some space there, or set MIEN_HOME to another folder"
        raise FetchError(happened, "Expected a writable folder with enough space", remedy) from error
    return target


def _write_chunks(chunks: Iterable[bytes], path: Path, size: int, progress: ProgressCallback | None) -> Checksum:
    digest, received = hashlib.sha256(), 0
    with path.open("xb") as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            if progress:
                progress(received, size)
            if received > size:
                # It is the wrong file, and may have no end.
                break
    return Checksum(digest.hexdigest(), received)


def _verify(published: PublishedFile, actual: Checksum) -> None:
    expected = published.checksum
    if actual == expected:
        return
    if actual.size < expected.size:
        happened = f"'{published.name}' was truncated after {actual.size:,} of {expected.size:,} bytes"
    else:
        happened = f"The content received for '{published.name}' is another file (SHA-256 {actual.sha256})"
    raise FetchError(happened, f"Expected the SHA-256 {expected.sha256}", _manual_download(published))


def _fetch_error(published: PublishedFile, url: str, reason: str) -> FetchError:
    happened = f"'{published.name}' could not be fetched from {url}: {reason}"
    return FetchError(happened, "Expected the complete file from its publisher", _manual_download(published))


def _manual_download(published: PublishedFile) -> str:
    command = f"mien models pull {published.name} --from FILE"
    return f"Try again, or fetch {published.url} another way and run '{command}'"


def _describe_network_error(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "the server stopped sending"
    if isinstance(reason, IncompleteRead):
        return "the connection was closed early"
    return _first_line(getattr(reason, "strerror", None) or reason) or type(reason).__name__


def _first_line(reason: object) -> str:
    return str(reason).strip().partition("\n")[0]


def _remove_stale_files(folder: Path) -> None:
    for path in folder.glob(TEMPORARY_FILES):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE_SECONDS:
                path.unlink()
