"""``--annotate``: painted copies, in one file or in a folder that mirrors where the pictures were."""

from __future__ import annotations

from pathlib import Path

from mien import media
from mien.apps.cli.paths import is_file, same_file
from mien.apps.cli.sources import Item
from mien.draw import paint
from mien.errors import OutputError
from mien.types import Failure, FrameResult


class Copies:
    """Writes the copies. The originals are never written to, whatever the folder is called."""

    def __init__(self, target: str, max_pixels: int | None = None) -> None:
        self.target = Path(target)
        self.one_file = is_file(target)
        self._max_pixels = max_pixels
        self._taken: set[str] = set()

    def write(self, item: Item, result: FrameResult) -> Path:
        assert not isinstance(item.source, Failure), "a failure has no result"
        place = self.target if self.one_file else self.target / self._free(_writable(item.place))
        _spare_the_original(item.source, place)
        # Decoded a second time: the engine lets pictures go, so that a long run stays small.
        pixels = media.picture(item.source, max_pixels=self._max_pixels).pixels
        if not self.one_file:
            _make_folder(place.parent)
        media.save(paint(pixels, result), place)
        return place

    def _free(self, wanted: Path) -> Path:
        """``x.gif.png`` may be the copy of ``x.gif`` and a picture itself: who comes second gets a number."""
        place, number = wanted, 1
        while str(place).lower() in self._taken:
            number += 1
            place = wanted.with_stem(f"{wanted.stem}-{number}")
        self._taken.add(str(place).lower())
        return place


def _writable(place: Path) -> Path:
    """The name of a copy; a picture in a format we do not write gets ``.png`` behind its name."""
    return place if place.suffix.lower() in media.WRITABLE else place.with_name(place.name + ".png")


def _spare_the_original(source: Path | bytes, place: Path) -> None:
    if isinstance(source, Path) and same_file(place, source):
        raise OutputError(
            f"'{place}' is the picture itself", "A painted copy needs a place of its own", "Name another file or folder"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{folder}' could not be made: {error.strerror or error}",
            "Painted copies go there",
            "Name another folder with --annotate",
        ) from error
