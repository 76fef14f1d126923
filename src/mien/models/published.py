"""Files that others publish: fetched on request, never part of the package."""

from __future__ import annotations

from typing import NamedTuple

from mien.models.seal import Seal


class Publication(NamedTuple):
    """A file under its publisher's address, and what its content must be."""

    name: str
    kind: str
    file: str
    url: str
    seal: Seal
    license: str


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"

PUBLISHED = {
    "yunet": Publication(
        name="yunet",
        kind="detector",
        file="face_detection_yunet_2026may.onnx",
        url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        seal=Seal("ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0", 229_738),
        license="MIT",
    ),
}
