"""Which arrays are pictures, and which are stacks of face crops. Nothing is guessed: what does not fit gets advice."""

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

from mien.errors import ArrayError, SourceError, SourceTooLarge
from mien.images.decode import composite_on_white, convert_pil_image, decode_image, resolve_pixel_limit
from mien.images.sources import check_path, open_error, quote_source, source_name
from mien.results import Pixels

_PICTURE = "RGB uint8 (height, width, 3), gray (height, width) or RGBA (height, width, 4) was expected"
_CROPS = "face crops are uint8 (N, height, width), or (N, height, width, 3) in RGB"


def convert_array(array: NDArray[Any]) -> Pixels:
    """An array as RGB uint8 ``(h, w, 3)``; the same memory where it already is one.

    Takes gray ``(h, w)`` or ``(h, w, 1)``, RGB, and RGBA (put on white). OpenCV's BGR looks the same to a program:
    turn it with ``array[..., ::-1]`` or ``cv2.cvtColor(array, cv2.COLOR_BGR2RGB)`` before it comes here.
    """
    _check_shape(array)
    _check_kind(array, _PICTURE)
    if array.ndim == 2 or array.shape[2] == 1:
        return np.repeat(array.reshape(*array.shape[:2], 1), 3, axis=2)
    if array.shape[2] == 4:
        return np.ascontiguousarray(composite_on_white(Image.fromarray(np.ascontiguousarray(array))), np.uint8)
    return np.ascontiguousarray(array)


def is_single_image(array: NDArray[Any]) -> bool:
    """Is this meant as one picture? Also when its channels come first, which is refused with advice."""
    return array.ndim < 3 or (array.ndim == 3 and bool({array.shape[0], array.shape[2]} & {1, 3, 4}))


def check_crops(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Face crops, held to ``(N, H, W)`` gray or ``(N, H, W, 3)`` RGB uint8. N may be 0, H and W may not."""
    array = _stacked(array)
    _check_stack(array)
    _check_kind(array, f"Expected: {_CROPS}")
    return np.ascontiguousarray(array[..., 0] if array.ndim == 4 and array.shape[3] == 1 else array)


def _check_shape(array: NDArray[Any]) -> None:
    shape = array.shape
    if 0 in shape:
        raise ArrayError(f"The array has no pixels: its shape is {shape}", _PICTURE, "Check the slice it comes from")
    if array.ndim == 2 or (array.ndim == 3 and shape[2] in (1, 3, 4)):
        return
    raise ArrayError(f"An array of shape {shape} is no picture", _PICTURE, _shape_advice(shape))


def _shape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "Its channels come first; turn it with array.transpose(1, 2, 0)"
    if len(shape) == 4:
        return "It looks like several pictures; read them one by one with engine.read_many(array)"
    if len(shape) == 1:
        return "Pass the bytes of a picture file as bytes, not as an array"
    return "Reshape it to one of these"


def _stacked(array: Any) -> NDArray[Any]:
    """Sequences of crops become one array, as long as all have the same size."""
    try:
        return np.asarray(array)
    except (ValueError, TypeError) as error:
        raise ArrayError(
            "The crops are not all of one size",
            f"Expected: {_CROPS}",
            "Resize them to one size, or score them one by one",
        ) from error


def _check_stack(array: NDArray[Any]) -> None:
    shape = array.shape
    whole = (array.ndim == 3 and shape[2] not in (1, 3, 4)) or (array.ndim == 4 and shape[3] in (1, 3))
    if not whole or 0 in shape[1:]:
        advice = _stack_advice(shape)
        raise ArrayError(f"An array of shape {shape} holds no face crops", f"Expected: {_CROPS}", advice)


def _stack_advice(shape: tuple[int, ...]) -> str:
    if 0 in shape[1:] or len(shape) < 2:
        return "Check the slice it comes from"
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return "For a single crop add an axis: crops[None]"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "Its channels come first; turn it with crops.transpose(0, 2, 3, 1)"
    if len(shape) == 4 and shape[3] == 4:
        return "Leave the alpha channel out: crops[..., :3]"
    return "Reshape it to one of these"


def _check_kind(array: NDArray[Any], expected: str) -> None:
    if array.dtype != np.uint8:
        raise ArrayError(f"The array holds {array.dtype}{_nan(array)}", expected, _kind_advice(array))


def _nan(array: NDArray[Any]) -> str:
    return " with NaN among the values" if array.dtype.kind == "f" and np.isnan(array).any() else ""


def _kind_advice(array: NDArray[Any]) -> str:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return "Turn it into 0 and 255: array.astype(np.uint8) * 255"
    if kind == "f" and not np.isfinite(array).all():
        return "Find where the values that are no numbers come from"
    if kind in "fiu" and array.size == 0:
        return "Make it with dtype=np.uint8"
    if kind in "iu" and size == 2 and array.max() > 255:
        return "Scale 16 bits down: (array // 257).astype(np.uint8)"
    if kind in "iuf" and array.min() >= 0 and array.max() <= (1 if kind == "f" else 255):
        return "Scale it: (array * 255).round().astype(np.uint8)" if kind == "f" else "Use array.astype(np.uint8)"
    if kind == "f" and array.min() >= 0 and array.max() <= 255:
        return "Use array.round().astype(np.uint8)"
    return "Bring the values to 0..255 and use array.astype(np.uint8)"


# ==== mien.media.door
# One picture from whatever people have in hand.

#: What a picture can be read from. Arrays are RGB, not BGR.
Source: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[Any]

#: A pipe is read whole before it is decoded; one that never ends must not fill the memory.
_PIPE_BYTES = 1 << 30

_ANY_SOURCE = "A path, the bytes of a picture file, a PIL image or an RGB uint8 array was expected"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """Pixels RGB uint8 ``(height, width, 3)``, C-contiguous, upright (they may be read-only); and what to call them."""

    pixels: Pixels
    name: str


def load_image(source: Source, *, max_pixels: int | None = None) -> LoadedImage:
    """Open one picture: a path, the bytes of a picture file, a PIL image or an array.

    Arrays are uint8 **RGB** ``(h, w, 3)``, gray ``(h, w)`` or RGBA ``(h, w, 4)``. What OpenCV reads is BGR, which no
    program can tell from RGB: turn it with ``array[..., ::-1]``, or pass the path. Of films (GIF, WebP) it is the
    first frame; what is transparent becomes white; a phone's photo is turned upright.

    More pixels than ``max_pixels`` (else ``MIEN_MAX_PIXELS``, else :data:`MAX_PIXELS`) are refused before decoding.
    Raises :class:`SourceError`, or :class:`ArrayError` for an array that is no picture.
    """
    limit = resolve_pixel_limit(max_pixels)
    match source:
        case np.ndarray():
            pixels = convert_array(source)
        case Image.Image():
            pixels = convert_pil_image(source, quote_source(source), limit)
        case bytes() | bytearray() | memoryview():
            pixels = decode_image(BytesIO(bytes(source)), quote_source(source), limit)
        case str() | PathLike():
            with _opened(source) as file:
                pixels = decode_image(file, quote_source(source), limit)
        case _:
            raise SourceError(f"A {type(source).__name__} is no picture", _ANY_SOURCE, _advice(source))
    return LoadedImage(pixels, source_name(source))


def iterate_sources(sources: object) -> Iterable[Any]:
    """Sources to go through; a lone one becomes a list of one, for text would come apart into letters.

    Of arrays only a stack comes apart: ``(N, h, w, channels)``, or ``(N, h, w)`` where it cannot be one picture.
    """
    match sources:
        case str() | PathLike() | bytes() | bytearray() | memoryview() | Image.Image():
            return [sources]
        case np.ndarray() if is_single_image(sources):
            return [sources]
        case Iterable():
            return sources
    return [sources]


@contextmanager
def _opened(source: str | PathLike[str]) -> Iterator[IO[bytes]]:
    if refused := check_path(source):
        raise refused
    with _handle(source) as file:
        try:
            yield file if file.seekable() else _emptied(file, quote_source(source))
        except OSError as error:  # a disk or a network share that gives out after the file was opened
            raise open_error(source, error) from error


def _handle(source: str | PathLike[str]) -> IO[bytes]:
    try:
        return Path(os.fsdecode(source)).open("rb")
    except (OSError, ValueError) as error:
        raise open_error(source, error) from error


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
