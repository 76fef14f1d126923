"""A file's bytes to RGB uint8, upright, within a limit that is checked before anything is decoded."""

from __future__ import annotations

import os
import struct
import zlib
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image
from PIL.Image import Transpose
from PIL.ImageFile import ImageFile

from mien.errors import SourceError, SourceTooLarge, SourceUnreadable
from mien.images.decoder_warnings import suppress_decoder_warnings
from mien.images.formats import HEAD_BYTES, ImageFormat, describe_content, detect_format, format_names
from mien.results import Pixels

#: Pictures with more pixels are refused before they are decoded. The largest phone sensors stay just below.
MAX_PIXELS = 200_000_000

_LIMIT_VARIABLE = "MIEN_MAX_PIXELS"

# What Pillow's decoders raise for damaged files; fuzzing found each of them.
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

#: EXIF's orientation, and what stands the picture upright again.
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}


def resolve_pixel_limit(max_pixels: int | None) -> int:
    """The limit in force: the argument, else the environment's ``MIEN_MAX_PIXELS``, else :data:`MAX_PIXELS`."""
    told: object = os.environ.get(_LIMIT_VARIABLE, MAX_PIXELS) if max_pixels is None else max_pixels
    try:
        limit = int(str(told).replace("_", ""))
    except ValueError:
        limit = 0
    if limit < 1:
        where = _LIMIT_VARIABLE if max_pixels is None else "max_pixels"
        raise SourceError(
            f"{where} is {told!r}", "A whole number of pixels was expected", f"The default is {MAX_PIXELS}"
        )
    return limit


def decode_image(file: IO[bytes], shown: str, limit: int) -> Pixels:
    """The first picture of a seekable file that stands at its beginning. ``shown`` is its name in messages."""
    head = file.read(HEAD_BYTES)
    form = detect_format(head)
    if form is None:
        raise _no_picture(head, shown)
    file.seek(0)
    with suppress_decoder_warnings():
        return _pixels_of(form, file, shown, limit)


def _no_picture(head: bytes, shown: str) -> SourceUnreadable:
    expected = f"A picture was expected: {format_names()}"
    if not head:
        return SourceUnreadable(f"{shown} is empty", expected, "Copy or download it again")
    remedy = "Open it in the program it comes from and save it as PNG or JPEG"
    return SourceUnreadable(f"{shown} is {describe_content(head)}, not a picture that mien reads", expected, remedy)


def convert_pil_image(image: Image.Image, shown: str, limit: int) -> Pixels:
    """A PIL image as RGB uint8: loaded, turned as its EXIF says, transparency on white, 16 bits scaled to 8."""
    _check_size(image.size, shown, limit)
    with suppress_decoder_warnings():
        try:
            return _rgb(image)
        except DECODER_ERRORS as error:
            raise SourceUnreadable(
                f"{shown} could not be loaded: {_word(error)}", "A picture with pixels was expected", "Open it anew"
            ) from error
        except MemoryError as error:
            raise _no_room(image.size, shown) from error


def composite_on_white(image: Image.Image) -> Image.Image:
    """What shows through an RGBA image is white, as on paper."""
    paper = Image.new("RGB", image.size, "white")
    paper.paste(image, mask=image.getchannel("A"))
    return paper


def _pixels_of(form: ImageFormat, file: IO[bytes], shown: str, limit: int) -> Pixels:
    image = _header(form, file, shown)
    try:
        _check_size(image.size, shown, limit)
        return _rgb(image)
    except DECODER_ERRORS as error:
        _refuse_damaged(form, file, shown, error, _readable_share(image))
    except Image.DecompressionBombError as error:
        raise _too_large(shown, str(error)) from error
    except MemoryError as error:
        raise _no_room(image.size, shown) from error
    finally:
        image.close()


def _header(form: ImageFormat, file: IO[bytes], shown: str) -> ImageFile:
    try:
        return form.open(file)
    except ImportError as error:
        raise SourceUnreadable(
            f"{shown} is a {form.name} picture, and there is no decoder for it here",
            f"{form.name} needs the package '{form.package}'",
            f"Install {form.package}, or save the picture as JPEG",
        ) from error
    except Image.DecompressionBombError as error:
        raise _too_large(shown, str(error)) from error
    except MemoryError as error:
        raise _too_large(shown, "its header asks for more memory than there is") from error
    except DECODER_ERRORS as error:
        _refuse_damaged(form, file, shown, error, 0.0)


def _check_size(size: tuple[int, int], shown: str, limit: int) -> None:
    width, height = size
    if width * height > limit:
        raise _too_large(shown, f"{width} × {height} pixels", limit)


def _too_large(shown: str, why: str, limit: int | None = None) -> SourceTooLarge:
    return SourceTooLarge(
        f"{shown} is too large: {why}",
        f"At most {limit:,} pixels are decoded" if limit else "A picture that can be decoded was expected",
        f"Make it smaller, or raise the limit with {_LIMIT_VARIABLE} or max_pixels" if limit else "Make it smaller",
    )


def _no_room(size: tuple[int, int], shown: str) -> SourceTooLarge:
    return _too_large(shown, f"there is no memory for {size[0]} × {size[1]} pixels")


def _refuse_damaged(form: ImageFormat, file: IO[bytes], shown: str, error: Exception, share: float) -> NoReturn:
    if _ends_early(form, file, error):
        readable = f"; only its upper {share:.0%} can be read".replace("%", " %") if share >= 0.01 else ""
        raise SourceUnreadable(
            f"{shown} is a {form.name} that ends too early{readable}",
            "The whole file was expected",
            "Copy or download it again",
        ) from error
    raise SourceUnreadable(
        f"{shown} is a damaged {form.name}: {_word(error)}",
        "A picture that decodes to its end was expected",
        "Take another copy, or open it in a picture program and save it anew",
    ) from error


def _word(error: Exception) -> str:
    """Pillow's reason, without a full stop; its type where there is no reason."""
    return str(error).strip().rstrip(".").partition("\n")[0][:160] or type(error).__name__


def _ends_early(form: ImageFormat, file: IO[bytes], error: Exception) -> bool:
    if "truncated" in str(error).lower() or isinstance(error, EOFError):
        return True
    if not form.ends or file.closed:
        return False
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - 64, 0))
    return form.ends not in file.read()


def _readable_share(image: ImageFile) -> float:
    """How much of the height came out before a decoder gave up; what it did not reach is black."""
    try:
        reached = image.im.getbbox()
    except DECODER_ERRORS:  # it had not even begun
        return 0.0
    return reached[3] / image.height if reached and image.height else 0.0


def _rgb(image: Image.Image) -> Pixels:
    image.load()
    return np.ascontiguousarray(_coloured(_turned(image)), np.uint8)


def _turned(image: Image.Image) -> Image.Image:
    # After loading: a PNG may keep its EXIF behind the pixels, and TIFF turns itself then.
    turn = _UPRIGHT.get(_orientation(image))
    return image if turn is None else image.transpose(turn)


def _orientation(image: Image.Image) -> int:
    """1 to 8; 1 when there is no EXIF that can be followed, for that is no reason to refuse the picture."""
    try:
        told = image.getexif().get(ExifTags.Base.Orientation, 1)
    except DECODER_ERRORS:
        return 1
    return told if isinstance(told, int) else 1


def _coloured(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        image = Image.fromarray(_eight_bits(np.asarray(image), _full_scale(image)))
    elif image.has_transparency_data:
        image = composite_on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _full_scale(image: Image.Image) -> float | None:
    """What is white, where the format says so; None where only the values can tell."""
    return 65535.0 if image.mode.startswith("I;16") or image.format in ("PNG", "PPM") else None


def _eight_bits(values: NDArray[np.generic], white: float | None) -> NDArray[np.uint8]:
    """One channel of 16 or 32 bits or of floats, scaled to 0..255; never clipped.

    Where white is not known it is the smallest usual one that holds all values: 1 for floats, 255, 65535, else the
    largest value. Negative values move black down to the least.
    """
    known = values.astype(np.float64)
    if not np.isfinite(known).all():
        raise ValueError("it holds values that are no numbers")
    least, most = min(float(known.min()), 0.0), float(known.max())
    usual = (1.0, 255.0, 65535.0) if values.dtype.kind == "f" else (255.0, 65535.0)
    white = white or next((each for each in usual if most <= each), most)
    return np.asarray((known - least) * (255.0 / (white - least)) + 0.5).astype(np.uint8)
