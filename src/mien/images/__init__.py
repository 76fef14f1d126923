"""Images from paths, bytes, PIL images and arrays as RGB uint8 with the EXIF orientation applied, or an error."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.images.decode import MAX_PIXELS
from mien.images.find import IMAGE_SUFFIXES, find_images
from mien.images.load import LoadedImage, Source, check_crops, iterate_sources, load_image
from mien.images.save import WRITABLE_SUFFIXES, save_image
from mien.images.sources import source_name

if TYPE_CHECKING:
    from mien.images.download import download_image as download_image

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "WRITABLE_SUFFIXES",
    "LoadedImage",
    "Source",
    "check_crops",
    "download_image",
    "find_images",
    "iterate_sources",
    "load_image",
    "save_image",
    "source_name",
]


def __getattr__(name: str) -> Any:
    # Imported when first used: importing Python's HTTP client takes longer than reading a photo.
    if name == "download_image":
        return import_module("mien.images.download").download_image
    raise AttributeError(f"module 'mien.images' has no attribute {name!r}")
