"""Which picture formats there are, told by a file's first bytes; a suffix is only what somebody called it.

The list is closed on purpose. Pillow knows many more, some of which run other programs or have no limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from typing import IO

from PIL.ImageFile import ImageFile

#: How many bytes are enough to tell.
HEAD_BYTES = 512


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """One format: how it begins, how a whole file ends (where that is told), and who decodes it."""

    name: str
    begins: re.Pattern[bytes]
    module: str
    decoder: str
    ends: bytes = b""

    @property
    def package(self) -> str:
        """What to install where the decoder is missing."""
        return "pillow-heif" if self.module == "pillow_heif" else "a current Pillow"

    def open(self, file: IO[bytes]) -> ImageFile:
        """The header, read; not the pixels.

        Raises what the decoder raises when the header is damaged, and ImportError when there is no decoder.
        """
        image: ImageFile = self._decoder()(file, "")
        return image

    def _decoder(self) -> type[ImageFile]:
        # The decoder itself, not Image.open: that one has a limit of its own, process-wide, below a phone's 200 MP.
        module = import_module(self.module)
        if not getattr(module, "SUPPORTED", True):
            raise ImportError(f"this Pillow was built without {self.name}")
        decoder: type[ImageFile] = getattr(module, self.decoder)
        return decoder


def _format(name: str, begins: bytes, module: str, decoder: str, ends: bytes = b"") -> ImageFormat:
    return ImageFormat(name, re.compile(begins, re.DOTALL), module, decoder, ends)


_FORMATS = (
    _format("JPEG", rb"\xff\xd8\xff", "PIL.JpegImagePlugin", "JpegImageFile", ends=b"\xff\xd9"),
    _format("PNG", rb"\x89PNG\r\n\x1a\n", "PIL.PngImagePlugin", "PngImageFile", ends=b"IEND"),
    _format("WebP", rb"RIFF....WEBP", "PIL.WebPImagePlugin", "WebPImageFile"),
    _format("GIF", rb"GIF8[79]a", "PIL.GifImagePlugin", "GifImageFile", ends=b";"),
    _format("TIFF", rb"II[*+]\0|MM\0[*+]", "PIL.TiffImagePlugin", "TiffImageFile"),
    _format("BMP", rb"BM", "PIL.BmpImagePlugin", "BmpImageFile"),
    _format("AVIF", rb"....ftyp(avi[fs]|m[is]f1.{4}(.{4}){0,8}?avi[fs])", "PIL.AvifImagePlugin", "AvifImageFile"),
    _format("HEIC", rb"....ftyp(hei[cfmsx]|hev[cmsx]|mif1|msf1)", "pillow_heif", "HeifImageFile"),
    _format("JPEG 2000", rb"\xff\x4f\xff\x51|\0\0\0\x0cjP  \r\n\x87\n", "PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile"),
    _format("PNM", rb"P[1-6]\s", "PIL.PpmImagePlugin", "PpmImageFile"),
)

#: Things that people hand in by mistake, and what to call them.
_STRANGERS = (
    (rb"\s*(<!doctype html|<html)", "a web page"),
    (rb"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)?(<!doctype svg[^>]*>\s*)?<svg", "a drawing (SVG)"),
    (rb"%PDF", "a PDF document"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"....ftyp|\x1aE\xdf\xa3|RIFF....AVI |....moov", "a film"),
    (rb"8BPS", "a Photoshop document"),
    (
        rb"version https://git-lfs",
        "a Git LFS pointer; the picture itself was not downloaded ('git lfs pull' does that)",
    ),
)


def detect_format(head: bytes) -> ImageFormat | None:
    """The format a file begins as; None when it is none of ours."""
    return next((each for each in _FORMATS if each.begins.match(head)), None)


def describe_content(head: bytes) -> str:
    """What a file that is no picture seems to be."""
    for begins, what in _STRANGERS:
        if re.match(begins, head, re.DOTALL | re.IGNORECASE):
            return what
    return "text" if _is_text(head) else "in another format"


def format_names() -> str:
    return ", ".join(each.name for each in _FORMATS)


def _is_text(head: bytes) -> bool:
    # A character may be cut in two at the end of the head.
    text = head.decode("utf-8", "ignore")
    return len(text.encode()) >= len(head) - 3 and all(c.isprintable() or c.isspace() for c in text)
