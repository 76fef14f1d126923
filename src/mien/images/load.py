"""Loading images from any source, and checks of arrays.

An array that does not fit is not converted by guessing: the error says what to do.
"""

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

#: What an image can be loaded from. Arrays are RGB, not BGR.
Source: TypeAlias = str | PathLike[str] | bytes | bytearray | memoryview | Image.Image | NDArray[Any]

#: A pipe is read completely before decoding; one that never ends must not fill the memory.
MAX_PIPE_BYTES = 1 << 30

_ANY_SOURCE = "A path, the bytes of an image file, a PIL image or an RGB uint8 array was expected"
_IMAGE = "RGB uint8 (height, width, 3), gray (height, width) or RGBA (height, width, 4) was expected"
_CROPS = "Expected: face crops are uint8 (N, height, width), or (N, height, width, 3) in RGB"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """Pixels RGB uint8 ``(height, width, 3)``, C-contiguous and perhaps read-only, and the name of their source."""

    pixels: Pixels
    name: str


def load_image(source: Source, *, max_pixels: int | None = None) -> LoadedImage:
    """Load an image from a path, the bytes of an image file, a PIL image or an array.

    Arrays are uint8 **RGB** ``(h, w, 3)``, gray ``(h, w)`` or RGBA ``(h, w, 4)``. OpenCV reads BGR, which cannot be
    told from RGB: convert it with ``array[..., ::-1]``, or pass the path. Of an animation (GIF, WebP) the first frame
    is loaded; transparent pixels become white; the EXIF orientation is applied.

    More pixels than ``max_pixels`` (else ``MIEN_MAX_PIXELS``, else :data:`MAX_PIXELS`) are rejected before decoding.
    Raises :class:`SourceError`, or :class:`ArrayError` for an array that is not an image.
    """
    limit, name = resolve_pixel_limit(max_pixels), quote_source(source)
    match source:
        case np.ndarray():
            pixels = convert_array(source)
        case Image.Image():
            pixels = convert_pil_image(source, name, limit)
        case bytes() | bytearray() | memoryview():
            pixels = decode_image(BytesIO(bytes(source)), name, limit)
        case str() | PathLike():
            with _open_file(source) as file:
                pixels = decode_image(file, name, limit)
        case _:
            raise SourceError(f"A {type(source).__name__} is not an image", _ANY_SOURCE, _source_advice(source))
    return LoadedImage(pixels, source_name(source))


def iterate_sources(sources: object) -> Iterable[Any]:
    """The sources to iterate over; a single one is a list of one.

    An array is several images only if it is a stack: ``(N, h, w, channels)``, or ``(N, h, w)`` if that cannot be one
    image.
    """
    match sources:
        case str() | PathLike() | bytes() | bytearray() | memoryview() | Image.Image():
            return [sources]
        # One image, also if its channels come first, which is an error with advice.
        case np.ndarray() if sources.ndim < 3 or (sources.ndim == 3 and {*sources.shape[::2]} & {1, 3, 4}):
            return [sources]
        case Iterable():
            return sources
    return [sources]


def convert_array(array: NDArray[Any]) -> Pixels:
    """An array as RGB uint8 ``(h, w, 3)``; the same memory if it is RGB already.

    It may be gray ``(h, w)`` or ``(h, w, 1)``, RGB, or RGBA, which is put on white. Convert OpenCV's BGR with
    ``array[..., ::-1]`` or ``cv2.cvtColor(array, cv2.COLOR_BGR2RGB)`` before.
    """
    shape = array.shape
    if 0 in shape:
        raise ArrayError(f"The array has no pixels: its shape is {shape}", _IMAGE, "Check the slice it comes from")
    if array.ndim != 2 and not (array.ndim == 3 and shape[2] in (1, 3, 4)):
        raise ArrayError(f"An array of shape {shape} is not an image", _IMAGE, _shape_advice(shape))
    _check_dtype(array, _IMAGE)
    if array.ndim == 2 or shape[2] == 1:
        return np.repeat(array.reshape(*shape[:2], 1), 3, axis=2)
    if shape[2] == 4:
        return np.ascontiguousarray(composite_on_white(Image.fromarray(np.ascontiguousarray(array))), np.uint8)
    return np.ascontiguousarray(array)


def check_crops(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Face crops as ``(N, H, W)`` gray or ``(N, H, W, 3)`` RGB uint8, or an ArrayError. N may be 0, H and W not."""
    try:
        array = np.asarray(array)
    except (ValueError, TypeError) as error:
        remedy = "Resize them to one size, or score them one by one"
        raise ArrayError("The crops do not all have the same size", _CROPS, remedy) from error
    shape = array.shape
    is_stack = (array.ndim == 3 and shape[2] not in (1, 3, 4)) or (array.ndim == 4 and shape[3] in (1, 3))
    if not is_stack or 0 in shape[1:]:
        raise ArrayError(f"An array of shape {shape} is no stack of face crops", _CROPS, _stack_advice(shape))
    _check_dtype(array, _CROPS)
    return np.ascontiguousarray(array[..., 0] if array.ndim == 4 and shape[3] == 1 else array)


@contextmanager
def _open_file(source: str | PathLike[str]) -> Iterator[IO[bytes]]:
    if path_error := check_path(source):
        raise path_error
    try:
        # An OSError in the block, such as that of a network share that was disconnected, is translated too.
        with Path(os.fsdecode(source)).open("rb") as file:
            yield file if file.seekable() else _read_pipe(file, quote_source(source))
    except (OSError, ValueError) as error:
        raise open_error(source, error) from error


def _read_pipe(pipe: IO[bytes], name: str) -> IO[bytes]:
    data = pipe.read(MAX_PIPE_BYTES + 1)
    if len(data) > MAX_PIPE_BYTES:
        happened = f"{name} is a pipe with more than 1 GiB of data"
        raise SourceTooLarge(happened, "One image was expected", "Save it to a file first")
    return BytesIO(data)


def _check_dtype(array: NDArray[Any], expected: str) -> None:
    if array.dtype == np.uint8:
        return
    has_nan = array.dtype.kind == "f" and np.isnan(array).any()
    happened = f"The array has the dtype {array.dtype}{' and contains NaN' if has_nan else ''}"
    raise ArrayError(happened, expected, _dtype_advice(array))


# Advice


def _source_advice(source: object) -> str:
    if hasattr(source, "read"):
        return "Pass what its .read() returns"
    if hasattr(source, "numpy") or hasattr(source, "__array__"):
        return "Pass it as an array: np.asarray(...), uint8, (height, width, 3)"
    if isinstance(source, list | tuple):
        return "Read several images with engine.read_many(...)"
    return "Pass one of these"


def _shape_advice(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[0] in (1, 3, 4):
        return "Its channels come first; convert it with array.transpose(1, 2, 0)"
    if len(shape) == 4:
        return "It may be several images; read them with engine.read_many(array)"
    if len(shape) == 1:
        return "Pass the bytes of an image file as bytes, not as an array"
    return "Reshape it to one of these"


def _stack_advice(shape: tuple[int, ...]) -> str:
    if 0 in shape[1:] or len(shape) < 2:
        return "Check the slice it comes from"
    if len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3, 4)):
        return "For a single crop add an axis: crops[None]"
    if len(shape) == 4 and shape[1] in (1, 3):
        return "Its channels come first; convert it with crops.transpose(0, 2, 3, 1)"
    if len(shape) == 4 and shape[3] == 4:
        return "Leave out the alpha channel: crops[..., :3]"
    return "Reshape it to one of these"


def _dtype_advice(array: NDArray[Any]) -> str:
    kind, size = array.dtype.kind, array.dtype.itemsize
    if kind == "b":
        return "Convert it to 0 and 255: array.astype(np.uint8) * 255"
    if kind == "f" and not np.isfinite(array).all():
        return "Check where the values that are not finite come from"
    if kind in "fiu" and array.size == 0:
        return "Create it with dtype=np.uint8"
    if kind in "iu" and size == 2 and array.max() > 255:
        return "Scale 16 bits down: (array // 257).astype(np.uint8)"
    if kind in "iuf" and array.min() >= 0 and array.max() <= (1 if kind == "f" else 255):
        return "Scale it: (array * 255).round().astype(np.uint8)" if kind == "f" else "Use array.astype(np.uint8)"
    if kind == "f" and array.min() >= 0 and array.max() <= 255:
        return "Use array.round().astype(np.uint8)"
    return "Scale the values to 0..255 and use array.astype(np.uint8)"
