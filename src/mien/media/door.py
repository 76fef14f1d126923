"""One picture from whatever people have in hand."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.errors import SourceError, SourceTooLarge
from mien.media import arrays
from mien.media.decode import decoded, pixel_limit, upright
from mien.media.names import name_of, shown
from mien.media.refusal import refusal, refused_unopened
from mien.types import Pixels

#: What a picture can be read from. Arrays are RGB, not BGR.
Source: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[Any]

#: A pipe is read whole before it is decoded; one that never ends must not fill the memory.
_PIPE_BYTES = 1 << 30

_ANY_SOURCE = "A path, the bytes of a picture file, a PIL image or an RGB uint8 array was expected"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels RGB uint8 ``(height, width, 3)``, C-contiguous, upright (they may be read-only); and what to call them."""

    pixels: Pixels
    name: str


def picture(source: Source, *, max_pixels: int | None = None) -> Picture:
    """Open one picture: a path, the bytes of a picture file, a PIL image or an array.

    Arrays are uint8 **RGB** ``(h, w, 3)``, gray ``(h, w)`` or RGBA ``(h, w, 4)``. What OpenCV reads is BGR, which no
    program can tell from RGB: turn it with ``array[..., ::-1]``, or pass the path. Of films (GIF, WebP) it is the
    first frame; what is transparent becomes white; a phone's photo is turned upright.

    More pixels than ``max_pixels`` (else ``MIEN_MAX_PIXELS``, else :data:`MAX_PIXELS`) are refused before decoding.
    Raises :class:`SourceError`, or :class:`ArrayError` for an array that is no picture.
    """
    limit = pixel_limit(max_pixels)
    match source:
        case np.ndarray():
            pixels = arrays.rgb(source)
        case Image.Image():
            pixels = upright(source, shown(source), limit)
        case bytes() | bytearray() | memoryview():
            pixels = decoded(BytesIO(bytes(source)), shown(source), limit)
        case str() | PathLike():
            with _opened(source) as file:
                pixels = decoded(file, shown(source), limit)
        case _:
            raise SourceError(f"A {type(source).__name__} is no picture", _ANY_SOURCE, _advice(source))
    return Picture(pixels, name_of(source))


def several(sources: object) -> Iterable[Any]:
    """Sources to go through; a lone one becomes a list of one, for text would come apart into letters.

    Of arrays only a stack comes apart: ``(N, h, w, channels)``, or ``(N, h, w)`` where it cannot be one picture.
    """
    match sources:
        case str() | PathLike() | bytes() | bytearray() | memoryview() | Image.Image():
            return [sources]
        case np.ndarray() if arrays.is_one(sources):
            return [sources]
        case Iterable():
            return sources
    return [sources]


@contextmanager
def _opened(source: str | PathLike[str]) -> Iterator[IO[bytes]]:
    if refused := refused_unopened(source):
        raise refused
    with _handle(source) as file:
        try:
            yield file if file.seekable() else _emptied(file, shown(source))
        except OSError as error:  # a disk or a network share that gives out after the file was opened
            raise refusal(source, error) from error


def _handle(source: str | PathLike[str]) -> IO[bytes]:
    try:
        return Path(os.fsdecode(source)).open("rb")
    except (OSError, ValueError) as error:
        raise refusal(source, error) from error


def _emptied(pipe: IO[bytes], name: str) -> IO[bytes]:
    data = pipe.read(_PIPE_BYTES + 1)
    if len(data) > _PIPE_BYTES:
        raise SourceTooLarge(
            f"{name} is a pipe that brought more than 1 GiB", "One picture was expected", "Save it to a file first"
        )
    return BytesIO(data)


def _advice(source: object) -> str:
    if hasattr(source, "read"):
        return "Pass what its .read() returns"
    if hasattr(source, "numpy") or hasattr(source, "__array__"):
        return "Pass it as an array: np.asarray(...), uint8, (height, width, 3)"
    if isinstance(source, list | tuple):
        return "For several pictures use engine.read_many(...)"
    return "Pass one of these"
