"""Where are the faces? Detectors by name, and the crop that shows a face to a model."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from mien.errors import DetectorError, suggest_name
from mien.results import Face, Pixels

#: Other packages add a detector with an entry point in this group: a callable without arguments that returns one.
ENTRY_POINT_GROUP = "mien.detectors"


@runtime_checkable
class Detector(Protocol):
    """Finds faces. One detector may be used by many threads at once and answers each as if it were alone."""

    @property
    def name(self) -> str:
        """What results and model cards call it."""

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """The faces in an RGB uint8 picture ``(height, width, 3)``, largest first; empty when there are none.

        The box of a face that the picture cuts off may reach beyond its edges: ``cut`` needs to know where it would be.
        ``min_face`` is the smallest face to look for, in pixels of the picture; None is the detector's sensible and
        fast choice.
        """


def detector_names() -> tuple[str, ...]:
    """Every name that ``load_detector`` takes, those of installed packages last."""
    return ("auto", *_BUILT_IN, *(name for name in _added() if name not in _BUILT_IN))


def load_detector(name: str = "auto", *, yunet: Path | None = None, threads: int | None = None) -> Detector:
    """A detector by name. ``yunet`` is the path of YuNet's model file; "auto" is yunet if it is given, else haar.

    ``threads`` limits how many cores OpenCV takes for one picture. OpenCV knows one such number for the whole
    process, so it is changed only when given.
    """
    chosen = ("haar" if yunet is None else "yunet") if name == "auto" else name
    make = _BUILT_IN.get(chosen) or _from_package(chosen)
    if threads is not None:
        _limit_threads(threads)
    return make(yunet)


def _limit_threads(threads: int) -> None:
    import cv2

    cv2.setNumThreads(max(threads, 1))


def _haar(yunet: Path | None) -> Detector:
    from mien.faces.opencv_detectors import HaarDetector

    return HaarDetector()


def _yunet(yunet: Path | None) -> Detector:
    from mien.faces.opencv_detectors import YunetDetector

    if yunet is None:
        raise DetectorError(
            "The detector 'yunet' has no model file yet",
            "its file in mien's folder",
            "Fetch it once with 'mien models pull yunet', or use detector 'haar', which needs no file",
        )
    return YunetDetector(yunet)


def _none(yunet: Path | None) -> Detector:
    from mien.faces.opencv_detectors import WholeImageDetector

    return WholeImageDetector()


_BUILT_IN: dict[str, Callable[[Path | None], Detector]] = {"haar": _haar, "yunet": _yunet, "none": _none}


def _added() -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=ENTRY_POINT_GROUP)}


def _from_package(name: str) -> Callable[[Path | None], Detector]:
    entry = _added().get(name)
    if entry is None:
        known = detector_names()
        raise DetectorError(
            f"There is no detector '{name}'",
            f"one of {', '.join(known)}",
            suggest_name(name, known) or "Choose one of these",
        )
    return lambda yunet: _checked(entry)


def _checked(entry: EntryPoint) -> Detector:
    try:
        made = entry.load()()
    except (ImportError, AttributeError) as error:
        raise _unusable(entry, f"cannot be loaded ({error})") from error
    if not isinstance(made, Detector):
        raise _unusable(entry, "has no 'name' and 'detect'")
    return made


def _unusable(entry: EntryPoint, why: str) -> DetectorError:
    return DetectorError(
        f"The detector '{entry.name}' of {entry.value} {why}",
        "an object that follows mien.faces.detectors.Detector",
        "Ask the package that brings it, or use detector 'haar'",
    )
