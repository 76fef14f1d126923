"""From the bytes of a file to RGB uint8 with the EXIF orientation applied; the size is checked before decoding."""

from __future__ import annotations

import os
import re
import struct
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import IO, Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.ImageFile import ImageFile

from mien.errors import SourceError, SourceTooLarge, SourceUnreadable
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.results import Pixels
from mien.text import format_percent

#: Images with more pixels are rejected before they are decoded. The largest phone sensors have slightly fewer.
MAX_PIXELS = 200_000_000

_LIMIT_VARIABLE = "MIEN_MAX_PIXELS"

#: What Pillow's decoders raise for damaged files; each was found by fuzzing.
DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    AttributeError,
    RuntimeError,
    AssertionError,
    struct.error,
    zlib.error,
    Warning,
)

#: Seconds after which a file is no longer read, and the most scans of a JPEG: cameras write one, web sites up to
#: twelve, and each is decoded over the whole image.
MAX_SECONDS, MAX_SCANS = 20.0, 100


def resolve_pixel_limit(max_pixels: int | None) -> int:
    """The argument, else the environment variable ``MIEN_MAX_PIXELS``, else :data:`MAX_PIXELS`."""
    value: object = os.environ.get(_LIMIT_VARIABLE, MAX_PIXELS) if max_pixels is None else max_pixels
    try:
        limit = int(str(value).replace("_", ""))
    except ValueError:
        limit = 0
    if limit < 1:
        name = _LIMIT_VARIABLE if max_pixels is None else "max_pixels"
        happened = f"{name} is {value!r}"
        raise SourceError(happened, "A whole number of pixels was expected", f"The default is {MAX_PIXELS}")
    return limit


def decode_image(file: IO[bytes], name: str, limit: int) -> Pixels:
    """The first image of a seekable file that is at its start; ``name`` is its name in messages."""
    head = file.read(HEAD_BYTES)
    image_format = detect_format(head)
    if image_format is None:
        expected = f"An image was expected: {format_names()}"
        if not head:
            raise SourceUnreadable(f"{name} is empty", expected, "Copy or download it again")
        happened = f"{name} is {describe_content(head)}, not an image that mien reads"
        raise SourceUnreadable(happened, expected, "Open it in the program it comes from and save it as PNG or JPEG")
    file.seek(0)
    if image_format.name == "JPEG":
        _check_scans(file, name)
    file = cast("IO[bytes]", _TimedFile(file, name))
    with suppress_decoder_warnings():
        image = _read_header(image_format, file, name)
        try:
            _check_size(image.size, name, limit)
            return _to_rgb(image)
        except DECODER_ERRORS as error:
            _raise_damaged(image_format, file, name, error, _decoded_part(image))
        except Image.DecompressionBombError as error:
            raise _too_large_error(name, str(error)) from error
        except MemoryError as error:
            raise _memory_error(image.size, name) from error
        finally:
            image.close()


def count_decoding_pixels(file: IO[bytes]) -> int:
    """The pixels of an image by its header, twice for WebP, which needs more memory; 0 for what cannot be decoded.

    It has no limit: what is refused as too large is counted too.
    """
    image_format = detect_format(file.read(HEAD_BYTES))
    if image_format is None:
        return 0
    file.seek(0)
    with suppress_decoder_warnings():
        try:
            with image_format.open(file) as image:
                return image.width * image.height * (2 if image_format.name == "WebP" else 1)
        except (ImportError, MemoryError, Image.DecompressionBombError, *DECODER_ERRORS):
            return 0


def convert_pil_image(image: Image.Image, name: str, limit: int) -> Pixels:
    """A PIL image as RGB uint8: orientation applied, transparency on white, 16 bits scaled to 8."""
    _check_size(image.size, name, limit)
    with suppress_decoder_warnings():
        try:
            return _to_rgb(image)
        except DECODER_ERRORS as error:
            happened = f"{name} could not be loaded: {_describe_error(error)}"
            raise SourceUnreadable(happened, "An image with pixels was expected", "Open it again") from error
        except MemoryError as error:
            raise _memory_error(image.size, name) from error


def composite_on_white(image: Image.Image) -> Image.Image:
    """An RGBA image on a white background."""
    background = Image.new("RGB", image.size, "white")
    background.paste(image, mask=image.getchannel("A"))
    return background


def _read_header(image_format: ImageFormat, file: IO[bytes], name: str) -> ImageFile:
    try:
        return image_format.open(file)
    except ImportError as error:
        raise SourceUnreadable(
            f"{name} is an image in the format {image_format.name}, whose decoder is not installed",
            f"{image_format.name} needs the package '{image_format.package}'",
            f"Install {image_format.package}, or save the image as JPEG",
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large_error(name, str(error)) from error
    except MemoryError as error:
        raise _too_large_error(name, "its header requires more memory than there is") from error
    except DECODER_ERRORS as error:
        _raise_damaged(image_format, file, name, error, 0.0)


class _TimedFile:
    """A file that can only be read for MAX_SECONDS: some decoders need minutes for a file of some megabytes."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file, self._name, self._end = file, name, time.monotonic() + MAX_SECONDS

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def read(self, size: int = -1) -> bytes:
        if time.monotonic() > self._end:
            raise _too_large_error(self._name, f"it was not decoded after {MAX_SECONDS:g} seconds")
        return self._file.read(size)


def _check_scans(file: IO[bytes], name: str) -> None:
    """Count the scans by their markers, which do not occur inside compressed data."""
    scans, last = 0, b""
    while block := file.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:]
    file.seek(0)
    if scans > MAX_SCANS:
        raise _too_large_error(name, f"it has {scans:,} scans")


# Errors


def _check_size(size: tuple[int, int], name: str, limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise _too_large_error(name, f"{width} × {height} pixels", limit)


def _too_large_error(name: str, reason: str, limit: int | None = None) -> SourceTooLarge:
    happened = f"{name} is too large: {reason}"
    if limit is None:
        return SourceTooLarge(happened, "An image that can be decoded was expected", "Make it smaller")
    remedy = f"Make it smaller, or raise the limit with {_LIMIT_VARIABLE} or max_pixels"
    return SourceTooLarge(happened, f"At most {limit:,} pixels are decoded", remedy)


def _memory_error(size: tuple[int, int], name: str) -> SourceTooLarge:
    return _too_large_error(name, f"there is no memory for {size[0]} × {size[1]} pixels")


def _raise_damaged(
    image_format: ImageFormat, file: IO[bytes], name: str, error: Exception, decoded_part: float
) -> NoReturn:
    if _is_truncated(image_format, file, error):
        readable = f"; only its upper {format_percent(decoded_part)} can be read" if decoded_part >= 0.01 else ""
        happened = f"{name} is a truncated {image_format.name}{readable}"
        raise SourceUnreadable(happened, "The complete file was expected", "Copy or download it again") from error
    raise SourceUnreadable(
        f"{name} is a damaged {image_format.name}: {_describe_error(error)}",
        "An image that can be decoded to its end was expected",
        "Use another copy, or open it in an image program and save it again",
    ) from error


def _describe_error(error: Exception) -> str:
    """Pillow's reason without a full stop; the type of the exception if there is no reason."""
    return str(error).strip().rstrip(".").partition("\n")[0][:160] or type(error).__name__


def _is_truncated(image_format: ImageFormat, file: IO[bytes], error: Exception) -> bool:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return True
    if not image_format.end or file.closed:
        return False
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 64, 0))
    return image_format.end not in file.read()


def _decoded_part(image: ImageFile) -> float:
    """The part of the height that was decoded before the decoder failed; the rest is black."""
    try:
        box = image.im.getbbox()
    except DECODER_ERRORS:  # decoding had not begun
        return 0.0
    return box[3] / image.height if box and image.height else 0.0


# Conversion. Rows are converted in blocks, so that beside the decoded image (4 bytes a pixel in Pillow) there is only
# the result (3 bytes a pixel), whatever the mode of the image is.

_BLOCK_PIXELS = 1 << 20


def _to_rgb(image: Image.Image) -> Pixels:
    image.load()
    width, height = image.size
    # Pillow has a limit for crops too, which the program that uses mien may have lowered.
    rows = max(min(_BLOCK_PIXELS, Image.MAX_IMAGE_PIXELS or _BLOCK_PIXELS) // width, 1)
    boxes = [(0, top, width, min(top + rows, height)) for top in range(0, height, rows)]
    scale = _measure_scale(image, boxes) if image.mode.startswith(("I", "F")) else None
    # After loading: a PNG may have its EXIF data after the pixels, and TIFF applies the orientation itself.
    orientation = _read_orientation(image)
    upright = np.empty((width, height, 3) if orientation in _TURNED else (height, width, 3), np.uint8)
    pixels = _view_as_stored(upright, orientation)
    for box in boxes:
        block = image.crop(box)
        if scale is not None:
            pixels[box[1] : box[3]] = scale.to_8_bits(np.asarray(block))[..., None]
        elif image.has_transparency_data:
            pixels[box[1] : box[3]] = np.asarray(composite_on_white(block.convert("RGBA")))
        else:
            pixels[box[1] : box[3]] = np.asarray(block if block.mode == "RGB" else block.convert("RGB"))
    return upright


#: The EXIF orientations whose rows are columns of the upright image.
_TURNED = (5, 6, 7, 8)


def _view_as_stored(upright: Pixels, orientation: int) -> Pixels:
    """A view of the upright image in which rows and columns are those of the file with this EXIF orientation."""
    if orientation in (3, 4, 7, 8):
        upright = upright[::-1]
    if orientation in (2, 3, 6, 7):
        upright = upright[:, ::-1]
    return upright.transpose(1, 0, 2) if orientation in _TURNED else upright


def _read_orientation(image: Image.Image) -> int:
    """1 to 8; 1 also if the EXIF data are damaged, which is no reason to reject the image."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS:
        return 1
    return orientation if isinstance(orientation, int) else 1


@dataclass(frozen=True, slots=True)
class _Scale:
    """The values of one channel of 16 or 32 bits, or of floats, that become 0 and 255."""

    black: float
    white: float

    def to_8_bits(self, values: NDArray[np.generic]) -> NDArray[np.uint8]:
        scaled = (values.astype(np.float64) - self.black) * (255.0 / (self.white - self.black))
        return np.asarray(scaled + 0.5).astype(np.uint8)


def _measure_scale(image: Image.Image, boxes: Sequence[tuple[int, int, int, int]]) -> _Scale:
    """The scale with which no value is clipped.

    White is 65535 for 16 bits, else the smallest usual value that no value exceeds: 1 for floats, 255, 65535, else the
    maximum. Black is 0, or the minimum if that is negative.
    """
    minimum, maximum = 0.0, float("-inf")
    for box in boxes:
        values = np.asarray(image.crop(box))
        if not np.isfinite(values).all():
            raise ValueError("it has values that are not finite")
        minimum, maximum = min(minimum, float(values.min())), max(maximum, float(values.max()))
    if image.mode.startswith("I;16") or image.format in ("PNG", "PPM"):
        return _Scale(minimum, 65535.0)
    usual = (1.0, 255.0, 65535.0) if image.mode.startswith("F") else (255.0, 65535.0)
    return _Scale(minimum, next((value for value in usual if maximum <= value), maximum))


# Formats, recognized by the first bytes of a file; its suffix is not used. The list is short on purpose: Pillow reads
# many more formats, some of which run other programs or have no size limits.

#: The number of bytes that are enough to recognize a format.
HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A format: the pattern of its first bytes, the last bytes of a complete file, and its decoder in a module.

    ``end`` is empty if complete files have no common end.
    """

    name: str
    head: re.Pattern[bytes]
    module: str
    decoder: str
    end: bytes = b""

    @property
    def package(self) -> str:
        """The package that has the decoder."""
        return "pillow-heif" if self.module == "pillow_heif" else "a current Pillow"

    def open(self, file: IO[bytes]) -> ImageFile:
        """Read the header, not the pixels.

        Raises ImportError if the decoder is not installed, and what the decoder raises for a damaged header.
        """
        # The decoder itself, not Image.open, which has a limit for the whole process below a phone's 200 megapixels.
        module = import_module(self.module)
        if not getattr(module, "SUPPORTED", True):
            raise ImportError(f"this Pillow was built without {self.name}")
        decoder: type[ImageFile] = getattr(module, self.decoder)
        return decoder(file, "")


def _define(name: str, head: bytes, module: str, decoder: str, end: bytes = b"") -> ImageFormat:
    return ImageFormat(name, re.compile(head, re.DOTALL), module, decoder, end)


_FORMATS = (
    _define("JPEG", rb"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile", end=b"\xff\xd9"),
    _define("PNG", rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile", end=b"IEND"),
    _define("WebP", rb"RIFF....WEBP", "PIL.WebPImagePlugin", "WebPImageFile"),
    _define("GIF", rb"GIF8[79]a", "PIL.GifImagePlugin", "GifImageFile", end=b";"),
    _define("TIFF", rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin", "TiffImageFile"),
    _define("BMP", rb"BM", "PIL.BmpImagePlugin", "BmpImageFile"),
    _define("AVIF", rb"....ftyp(avi[fs]|m[is]f1.{4}(.{4}){0,8}?avi[fs])", "PIL.AvifImagePlugin", "AvifImageFile"),
    _define("HEIC", rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", "pillow_heif", "HeifImageFile"),
    _define("JPEG 2000", rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    _define("PNM", rb"P[1-6]\s", "PIL.PpmImagePlugin", "PpmImageFile"),
)

#: Other content that people pass by mistake, and its name.
_OTHER_CONTENT = (
    (rb"\s*(<!doctype html|<html)", "a web page"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg", "a drawing (SVG)"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |....moov", "a video"),
    (rb"8BPS", "a Photoshop document"),
    (
        rb"version https://git-lfs",
        "a Git LFS pointer; the image itself was not downloaded ('git lfs pull' downloads it)",
    ),
)


def detect_format(head: bytes) -> ImageFormat | None:
    """The format of a file that begins with these bytes; None if it is none of :func:`format_names`."""
    return next((image_format for image_format in _FORMATS if image_format.head.match(head)), None)


def describe_content(head: bytes) -> str:
    """What a file that is not an image seems to be."""
    for pattern, description in _OTHER_CONTENT:
        if re.match(pattern, head, re.DOTALL | re.IGNORECASE):
            return description
    # The last character may be incomplete.
    text = head.decode("utf-8", "ignore")
    is_text = len(text.encode()) >= len(head) - 3 and all(c.isprintable() or c.isspace() for c in text)
    return "text" if is_text else "in another format"


def format_names() -> str:
    return ", ".join(image_format.name for image_format in _FORMATS)
