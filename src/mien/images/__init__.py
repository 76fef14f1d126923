"""Images from every source people use, loaded as RGB uint8 with the EXIF orientation applied, or refused with a reason."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.images.decode import MAX_PIXELS
from mien.images.find import SUFFIXES, find_images
from mien.images.load import LoadedImage, Source, check_crops, iterate_sources, load_image
from mien.images.save import WRITABLE, save_image
from mien.images.sources import source_name

if TYPE_CHECKING:
    from mien.images.download import download as download

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "WRITABLE",
    "LoadedImage",
    "Source",
    "check_crops",
    "download",
    "find_images",
    "iterate_sources",
    "load_image",
    "save_image",
    "source_name",
]


def __getattr__(name: str) -> Any:
    # Loaded when first used: Python's HTTP client takes longer to import than a photo to read.
    if name == "download":
        return import_module("mien.images.download").download
    raise AttributeError(f"module 'mien.images' has no attribute {name!r}")
