"""``--annotate``: painted copies, in one file or in a folder that mirrors where the pictures were."""

from __future__ import annotations

from pathlib import Path

from mien import media
from mien.apps.cli.paths import is_file
from mien.apps.cli.sources import Item
from mien.draw import paint
from mien.errors import OutputError
from mien.types import Failure, FrameResult

#: What a copy can be written as; a picture in another format gets ``.png`` behind its name.
WRITABLE = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class Copies:
    """Writes the copies. The originals are never written to, whatever the folder is called."""

    def __init__(self, target: str, max_pixels: int | None = None) -> None:
        self.target = Path(target)
        self.one_file = is_file(target)
        self._max_pixels = max_pixels

    def write(self, item: Item, result: FrameResult) -> Path:
        assert not isinstance(item.source, Failure), "a failure has no result"
        place = self.target if self.one_file else self.target / _writable(item.place)
        _spare_the_original(item.source, place)
        # Decoded a second time: the engine lets pictures go, so that a long run stays small.
        pixels = media.picture(item.source, max_pixels=self._max_pixels).pixels
        if not self.one_file:
            _make_folder(place.parent)
        media.save(paint(pixels, result), place)
        return place


def _writable(place: Path) -> Path:
    return place if place.suffix.lower() in WRITABLE else place.with_name(place.name + ".png")


def _spare_the_original(source: Path | bytes, place: Path) -> None:
    if isinstance(source, Path) and place.exists() and place.samefile(source):
        raise OutputError(
            f"'{place}' is the picture itself", "a painted copy needs a place of its own", "name another file or folder"
        )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder '{folder}' could not be made: {error.strerror or error}",
            "painted copies go there",
            "name another folder with --annotate",
        ) from error
