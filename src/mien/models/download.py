"""Bringing a published file home: from its address or from a file, whole and verified, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections.abc import Callable, Generator, Iterable
from http.client import HTTPException, IncompleteRead
from pathlib import Path
from typing import IO, Any, TypeAlias
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from mien._version import __version__
from mien.errors import FetchError
from mien.files import TEMPORARY_FILES, atomic_path
from mien.models.checksums import Checksum, PublishedFile

#: Called with the bytes that have arrived and the bytes there are.
ProgressCallback: TypeAlias = Callable[[int, int], None]

_CHUNK = 1 << 16

#: A part file this old was left by a process that was killed; a younger one may belong to a pull under way.
_STALE_SECONDS = 3600.0


def stream_download(publication: PublishedFile, url: str, *, timeout: float, deadline: float) -> Generator[bytes]:
    """The content behind an address, piece by piece; FetchError when it stops coming.

    ``timeout`` is for one silence, ``deadline`` for the whole: a server that drips is not waited for all night.
    """
    end = time.monotonic() + deadline
    try:
        with _open(url, min(timeout, deadline)) as response:
            while chunk := response.read1(_CHUNK):
                yield chunk
                if time.monotonic() > end:
                    raise _failed(publication, url, f"it was not through after {deadline:g} seconds")
    except HTTPError as error:
        error.close()
        raise _failed(publication, url, f"the server answered {error.code} ({_first_line(error.reason)})") from error
    except URLError as error:
        raise _failed(publication, url, _network(error.reason)) from error
    except (OSError, HTTPException, ValueError) as error:
        raise _failed(publication, url, _network(error)) from error


def stream_file(publication: PublishedFile, source: Path) -> Generator[bytes]:
    """The content of a file that somebody brought."""
    try:
        with source.open("rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    except OSError as error:
        happened, expected = f"'{source}' cannot be read: {error.strerror}", f"Expected the file {publication.file}"
        raise FetchError(happened, expected, f"It comes from {publication.url}") from error


def install_file(
    publication: PublishedFile, chunks: Iterable[bytes], target: Path, progress: ProgressCallback | None = None
) -> Path:
    """Write the content beside the target, verify it, and only then give it its name."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        with atomic_path(target) as part:
            with part.open("xb") as file:
                found = _write(chunks, file, publication.seal.size, progress)
            _check(publication, found)
    except OSError as error:
        happened = f"'{publication.name}' could not be written to '{target.parent}': {error.strerror or error}"
        remedy = "Make room there, or set MIEN_HOME to another folder"
        raise FetchError(happened, "Expected a folder with room that may be written to", remedy) from error
    return target


def _open(url: str, timeout: float) -> Any:
    if not url.startswith(("https://", "http://")):
        raise ValueError("its address does not begin with https://")
    return urlopen(Request(url, headers={"User-Agent": f"mien/{__version__}"}), timeout=timeout)


def _write(chunks: Iterable[bytes], file: IO[bytes], size: int, progress: ProgressCallback | None) -> Checksum:
    digest, arrived = hashlib.sha256(), 0
    for chunk in chunks:
        file.write(chunk)
        digest.update(chunk)
        arrived += len(chunk)
        if progress:
            progress(arrived, size)
        if arrived > size:
            # The rest cannot make it right, and there may be no end to it.
            break
    return Checksum(digest.hexdigest(), arrived)


def _check(publication: PublishedFile, found: Checksum) -> None:
    wanted = publication.seal
    if found == wanted:
        return
    if found.size < wanted.size:
        happened = f"'{publication.name}' was cut off after {found.size:,} of {wanted.size:,} bytes"
    else:
        happened = f"What arrived as '{publication.name}' is another file (SHA-256 {found.sha256})"
    raise FetchError(happened, f"Expected the SHA-256 {wanted.sha256}", _by_hand(publication))


def _failed(publication: PublishedFile, url: str, reason: str) -> FetchError:
    happened = f"'{publication.name}' could not be fetched from {url}: {reason}"
    return FetchError(happened, "Expected the whole file from its publisher", _by_hand(publication))


def _by_hand(publication: PublishedFile) -> str:
    again = f"fetch {publication.url} another way and run 'mien models pull {publication.name} --from FILE'"
    return f"Try again, or {again}"


def _network(reason: object) -> str:
    if isinstance(reason, TimeoutError):
        return "the server fell silent"
    if isinstance(reason, IncompleteRead):
        return "the connection was cut"
    return _first_line(getattr(reason, "strerror", None) or reason) or type(reason).__name__


def _first_line(reason: object) -> str:
    return str(reason).strip().partition("\n")[0]


def _sweep(folder: Path) -> None:
    for part in folder.glob(TEMPORARY_FILES):
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime > _STALE_SECONDS:
                part.unlink()
