"""The door: whatever people call a picture becomes one thing, RGB uint8, upright; or it is refused with a reason.

::

    door.py       one picture from a path, bytes, a PIL image or an array
    formats.py    which formats there are, told by their first bytes
    decode.py     a file's bytes to pixels, within a limit
    arrays.py     which arrays are pictures, and which are stacks of face crops
    search.py     the pictures that paths, folders and globs name
    saving.py     pixels to a file, whole or not at all
    film.py       films: frames with the time at which each is shown (and film_*.py, cameras.py, sinks.py)
    address.py    the bytes behind a URL; nothing else here goes to a network
    refusal.py    why a path could not be opened
    names.py      what sources are called in messages
    quiet.py      keeps a decoder's warnings to itself
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.media.arrays import crops
from mien.media.decode import MAX_PIXELS
from mien.media.door import Picture, Source, picture, several
from mien.media.film import About, Choice, Film, FilmSource, Frame
from mien.media.film_open import film
from mien.media.names import name_of
from mien.media.saving import WRITABLE, save
from mien.media.search import SUFFIXES, find_pictures

if TYPE_CHECKING:
    from mien.media.address import fetch as fetch
    from mien.media.cameras import Camera as Camera
    from mien.media.cameras import camera as camera
    from mien.media.sinks import sink as sink

__all__ = [
    "MAX_PIXELS",
    "SUFFIXES",
    "WRITABLE",
    "About",
    "Camera",
    "Choice",
    "Film",
    "FilmSource",
    "Frame",
    "Picture",
    "Source",
    "camera",
    "crops",
    "fetch",
    "film",
    "find_pictures",
    "name_of",
    "picture",
    "save",
    "several",
    "sink",
]


#: Loaded when it is first asked for: Python's HTTP takes longer to load than a photo to read, and so does OpenCV.
_LATER = {"fetch": "address", "Camera": "cameras", "camera": "cameras", "sink": "sinks"}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(f"mien.media.{_LATER[name]}"), name)
    raise AttributeError(f"module 'mien.media' has no attribute {name!r}")
