"""Files that visitors send, undecoded: which paths are accepted, and how large the files may be.

Gradio's own decoding is off (``preprocess=False``): images are decoded by mien, which checks their size first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from gradio.utils import get_upload_folder
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse

from mien.apps.gradio.results import make_user_error
from mien.apps.session.uploads import (
    MAX_IMAGE_BYTES,
    MAX_VIDEO_BYTES,
    Upload,
    check_image_size,
    check_video_size,
)
from mien.images.decode import resolve_pixel_limit
from mien.results import Pixels


class SentFile(NamedTuple):
    """A file in the folder of uploads, and the name that the visitor has for it."""

    path: Path
    name: str

    def decode_image(self) -> Pixels:
        """RGB uint8 with the EXIF orientation applied, or a SourceError with the visitor's name for the file."""
        check_image_size(self.name, self.path.stat().st_size)
        with self.path.open("rb") as file:
            return Upload(self.name, file.read(MAX_IMAGE_BYTES)).decode_image(resolve_pixel_limit(None))

    def video_path(self) -> Path:
        """The path of a video that is neither too large nor empty, else a SourceError."""
        check_video_size(self.name, self.path.stat().st_size, MAX_VIDEO_BYTES)
        return self.path


def find_sent_file(payload: Any) -> SentFile | None:
    """The file in the value of a component; None if there is none. A file that was not uploaded is an error."""
    first = payload[0] if isinstance(payload, list) and payload else payload
    if not isinstance(first, dict) or not first.get("path"):
        return None
    path = _check_path(first["path"])
    return SentFile(path, Path(str(first.get("orig_name") or path)).name)


def _check_path(path: object) -> Path:
    """The resolved path, inside the folder of uploads. The error is the same whether another file exists or not."""
    try:
        resolved = Path(str(path)).resolve()
        if resolved.is_file() and resolved.is_relative_to(Path(get_upload_folder()).resolve()):
            return resolved
    except (OSError, ValueError):  # not a possible file name
        pass
    raise make_user_error("That file is not among the uploaded ones, or no longer. Upload it again.")


def reject_urls(inputs: Any) -> None:
    """Raise an error for a URL in place of a file: Gradio would download it, to wherever a request points."""

    def check(file: dict[str, Any]) -> dict[str, Any]:
        if is_http_url_like(file.get("path") or ""):
            raise make_user_error("URLs are not opened here. Download the file, and upload it.")
        return file

    traverse(inputs, check, is_file_obj_with_meta)
