"""Image formats, recognized by the first bytes of a file; its suffix is not used.

The list is short on purpose: Pillow reads many more formats, some of which run other programs or have no size limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import IO

from PIL.ImageFile import ImageFile

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
