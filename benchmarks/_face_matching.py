"""Which detected face is the true one."""

from __future__ import annotations

from collections.abc import Iterable

from mien.results import Box, Face


def is_same_face(box: Box, truth: Box) -> bool:
    """Centres within a third of the true width of each other, and widths within a factor of two."""
    offset_x = box.x + box.width / 2 - truth.x - truth.width / 2
    offset_y = box.y + box.height / 2 - truth.y - truth.height / 2
    return max(abs(offset_x), abs(offset_y)) < truth.width / 3 and 0.5 < box.width / truth.width < 2.0


def select_match(faces: Iterable[Face], truth: Box) -> Face | None:
    """The face with the highest detector confidence among those that match the true box."""
    return max((face for face in faces if is_same_face(face.box, truth)), key=lambda face: face.detection, default=None)
