"""Is a face good enough to judge? Size so far; blur, light and pose follow with their measurement."""

from __future__ import annotations

from mien.types import Face, Pixels, Quality

#: Faces under this many pixels say little, whatever the model claims.
SMALLEST = 20


def judge(pixels: Pixels, face: Face, crop: Pixels) -> Quality:
    """Whether the face can be judged, and the reason if not."""
    side = min(face.box.width, face.box.height)
    return Quality() if side >= SMALLEST else Quality(False, f"the face is only {side} pixels wide")
