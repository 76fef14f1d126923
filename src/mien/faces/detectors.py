"""Face detectors by name: Haar, YuNet, none, and those of other packages."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from mien.errors import DetectorError, suggest_name
from mien.results import Face, Pixels

#: Other packages add detectors with an entry point in this group: a callable without arguments that returns one.
ENTRY_POINT_GROUP = "mien.detectors"

_BUILT_IN = ("haar", "yunet", "none")


@runtime_checkable
class Detector(Protocol):
    """Detects faces. Several threads may call one detector at once."""

    @property
    def name(self) -> str:
        """The name in results and model cards."""

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """The faces in an RGB uint8 image ``(height, width, 3)``, largest first; empty if there is none.

        The box of a face that the edge of the image cuts may extend beyond the image. ``min_face`` is the width in
        pixels of the smallest face to detect; None is a fast default that depends on the detector.
        """


def detector_names() -> tuple[str, ...]:
    """The names that :func:`load_detector` accepts, those of other packages last."""
    return ("auto", *_BUILT_IN, *(name for name in _package_detectors() if name not in _BUILT_IN))


def load_detector(name: str = "auto", *, yunet: Path | None = None, threads: int | None = None) -> Detector:
    """A detector by name. ``yunet`` is the path of YuNet's model file; "auto" is yunet if that is passed, else haar.

    ``threads`` is the number of cores that OpenCV uses for an image. OpenCV has one such number for the whole process,
    which is changed only if ``threads`` is passed.
    """
    if name == "auto":
        name = "haar" if yunet is None else "yunet"
    point = None if name in _BUILT_IN else _package_detectors().get(name)
    if name not in _BUILT_IN and point is None:
        names = detector_names()
        remedy = suggest_name(name, names) or "Choose one of these"
        raise DetectorError(f"There is no detector '{name}'", f"one of {', '.join(names)}", remedy)
    if threads is not None:
        import cv2

        cv2.setNumThreads(max(threads, 1))
    return _load_built_in(name, yunet, threads) if point is None else _load_entry_point(point)


def _load_built_in(name: str, yunet: Path | None, threads: int | None) -> Detector:
    # Imported here: the names are needed without OpenCV.
    from mien.faces.opencv_detectors import HaarDetector, WholeImageDetector

    if name == "haar":
        return HaarDetector()
    if name == "none":
        return WholeImageDetector()
    if yunet is None:
        raise DetectorError(
            "The model file of the detector 'yunet' was not downloaded yet",
            "its file in mien's cache folder",
            "Download it once with 'mien models pull yunet', or use detector 'haar', which needs no file",
        )
    from mien.faces.yunet import YunetDetector

    return YunetDetector(yunet, threads=threads)


def _package_detectors() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def _load_entry_point(point: EntryPoint) -> Detector:
    name = f"The detector '{point.name}' of {point.value}"
    expected = "an object that implements mien.faces.detectors.Detector"
    remedy = "Report this to the authors of the package, or use detector 'haar'"
    try:
        detector = point.load()()
    except (ImportError, AttributeError) as error:
        raise DetectorError(f"{name} cannot be loaded ({error})", expected, remedy) from error
    if not isinstance(detector, Detector):
        raise DetectorError(f"{name} has no 'name' and 'detect'", expected, remedy)
    return detector
