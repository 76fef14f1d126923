"""The one hint mien gives unasked: that a better face finder can be fetched."""

from __future__ import annotations

import os

from mien.apps.cli.output import remark
from mien.models import home

#: A run that took this many seconds of reading is one that YuNet would have shortened.
SLOW = 1.0

_HINT = "Faces were found with haar. 'mien models pull yunet' fetches a faster and better finder, once."


def hint_at_yunet(seconds: float) -> None:
    """Say it after the first slow run; an empty file in mien's cache folder remembers that it was said."""
    said = home() / "hint-yunet"
    if seconds < SLOW or os.path.lexists(said):
        return
    remark(_HINT)
    try:
        said.parent.mkdir(parents=True, exist_ok=True)
        said.touch()
    except OSError:
        pass  # a folder that cannot be written to costs a repeated hint and nothing else
