"""What people send, as it came: Gradio's own components would decode and rewrite it before mien's door sees it.

A photo would lose its name, and what is damaged would be told as a fault of the page. Therefore every listener that
takes a file asks for it with ``preprocess=False``. And only what was sent is opened: Gradio looks at the path of a
payload that is marked as a file, and takes one for a picture without the mark.
"""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from mien.apps.gradio.errors import make_user_error
from mien.errors import SourceTooLarge, SourceUnreadable
from mien.images.decode import decode_image
from mien.images.sources import quote_source
from mien.results import Pixels

MB = 1_000_000

#: The largest photo, in bytes and in pixels, and the largest film; what is larger than a film is refused on its way.
MAX_BYTES, MAX_PIXELS, MAX_FILM_BYTES = 20 * MB, 50 * MB, 200 * MB

#: So much of a film is read, in its own seconds.
MAX_FILM_SECONDS = 1800.0


class SentFile(NamedTuple):
    """A file that was sent, and the name it had where it came from."""

    path: Path
    name: str

    def pixels(self) -> Pixels:
        """Upright RGB uint8, or one of :class:`mien.errors.SourceError` with the photo's name."""
        self._within(MAX_BYTES, "photo")
        with self.path.open("rb") as file:
            return decode_image(BytesIO(file.read(MAX_BYTES)), quote_source(self.name), MAX_PIXELS)

    def film(self) -> Path:
        """The film's file, if it is not too large and not empty."""
        self._within(MAX_FILM_BYTES, "film")
        if not self.path.stat().st_size:
            expected = "A film was expected: mp4, mov, webm, mkv, avi or an animated GIF"
            raise SourceUnreadable(f"{quote_source(self.name)} is empty", expected)
        return self.path

    def _within(self, most: int, what: str) -> None:
        size = self.path.stat().st_size
        if size > most:
            happened = f"{quote_source(self.name)} is a file of {size / MB:.0f} MB"
            raise SourceTooLarge(happened, f"A {what} of at most {most // MB} MB was expected", "Send a smaller one")


def find_sent_file(payload: Any) -> SentFile | None:
    """The file in what a listener was given; None where there is none. Any file but those that were sent is refused."""
    one = payload[0] if isinstance(payload, list) and payload else payload
    if not isinstance(one, dict) or not one.get("path"):
        return None
    path = _own(one["path"])
    return SentFile(path, Path(str(one.get("orig_name") or path)).name)


def _own(path: object) -> Path:
    """The file itself, which lies in the folder for what is sent; the same refusal whether another exists or not."""
    try:
        own = Path(str(path)).resolve()
        if own.is_file() and own.is_relative_to(Path(get_upload_folder()).resolve()):
            return own
    except (OSError, ValueError):  # no name that a file could have
        pass
    raise make_user_error("That file is not among those that were sent, or no longer. Send it again.")


def reject_urls(inputs: Any) -> None:
    """Gradio would fetch an address that somebody sends; nobody's request makes this machine call another."""

    def look(file: dict[str, Any]) -> dict[str, Any]:
        if is_http_url_like(file.get("path") or ""):
            raise make_user_error("Addresses are not opened here. Download the file, and send it itself.")
        return file

    traverse(inputs, look, is_file_obj_with_meta)
