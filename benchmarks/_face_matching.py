"""Which of the faces that were found is the one that was drawn."""

from __future__ import annotations

from collections.abc import Iterable

from mien.results import Box, Face


def is_same_face(found: Box, drawn: Box) -> bool:
    """Centres within a third of the drawn face, and less than twice as large or small."""
    off_x = found.x + found.width / 2 - drawn.x - drawn.width / 2
    off_y = found.y + found.height / 2 - drawn.y - drawn.height / 2
    return max(abs(off_x), abs(off_y)) < drawn.width / 3 and 0.5 < found.width / drawn.width < 2.0


def select_match(faces: Iterable[Face], drawn: Box) -> Face | None:
    """The surest face that is the drawn one."""
    return max((face for face in faces if is_same_face(face.box, drawn)), key=lambda face: face.detection, default=None)
