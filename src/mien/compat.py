"""The interfaces of DeepFace and fer, so that a script changes to mien by changing one import.

::

    from mien import compat as DeepFace      # DeepFace.analyze("photo.jpg", actions=["emotion"])
    from mien.compat import FER              # FER().detect_emotions(cv2.imread("photo.jpg"))

Arrays are **BGR** here, as OpenCV loads them and as both libraries expect them; everywhere else in mien they are RGB.
Faces are sorted by size, the largest first. Every error is a ``MienError`` and a ``ValueError``, which these scripts
catch.
"""

from __future__ import annotations

import base64
import binascii
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien import images
from mien.engine import Engine, select_framing
from mien.errors import MienError, suggest_name
from mien.faces.crop import crop_face
from mien.faces.detectors import detector_names
from mien.results import Box, Face, FrameResult, Reading

#: A path, ``data:image/...;base64,`` text, a file opened for reading bytes, bytes, or a BGR array.
Image: TypeAlias = str | Path | bytes | IO[bytes] | NDArray[np.uint8]

_ACTIONS = ("emotion",)
_OTHER_ACTIONS = ("age", "gender", "race")

#: The names of DeepFace's detectors that mien has under another name, and of those that it replaces.
_BACKENDS = {"opencv": "haar", "skip": "none"}
_OTHER_BACKENDS = ("retinaface", "mtcnn", "fastmtcnn", "ssd", "dlib", "mediapipe", "yolo", "centerface")


class CompatError(MienError, ValueError):
    """A request that mien does not support, or an image that it cannot read."""


class FaceNotDetected(CompatError):
    """No face was detected and ``enforce_detection`` was set."""


# DeepFace


def analyze(
    img_path: Any,
    actions: str | Sequence[str] = _ACTIONS,
    enforce_detection: bool = True,
    detector_backend: str = "opencv",
    align: bool = True,
    expand_percentage: int = 0,
    silent: bool = False,
    anti_spoofing: bool = False,
    *,
    engine: Engine | None = None,
) -> list[dict[str, Any]] | list[list[dict[str, Any]]]:
    """The result of ``DeepFace.analyze`` for ``actions=["emotion"]``: a dict per face; for a batch a list of these.

    Each has ``emotion`` (percentages), ``dominant_emotion``, ``region`` and ``face_confidence``. An image without a
    face raises ``FaceNotDetected``; without ``enforce_detection``, or with the backend ``skip``, the whole image is the
    face. The backends are ``opencv``, ``yunet`` and ``skip``; for other backends of DeepFace mien's own detectors are
    used, with a warning. ``align``, ``expand_percentage`` and ``silent`` have no effect: the model's card defines the
    crop.
    """
    _check_actions([actions] if isinstance(actions, str) else actions, anti_spoofing)
    with _convert_errors():
        engine = engine or shared_engine(_select_detector(detector_backend))
        whole_image = detector_backend in ("skip", "none")
        is_batch = isinstance(img_path, list | tuple) or (isinstance(img_path, np.ndarray) and img_path.ndim == 4)
        if is_batch:
            return [_analyze_image(engine, image, enforce_detection, whole_image) for image in img_path]
        return _analyze_image(engine, img_path, enforce_detection, whole_image)


def _check_actions(actions: Sequence[str], anti_spoofing: bool) -> None:
    if anti_spoofing:
        happened = "mien does not tell real faces from pictures of faces"
        raise CompatError(happened, "Expected anti_spoofing=False", "Leave anti_spoofing out")
    expected = "Expected actions=['emotion']"
    if not actions:
        raise CompatError("There is no action", expected, "Leave actions out")
    for action in actions:
        if action in _OTHER_ACTIONS:
            happened = f"mien does not predict {action}: it reads expressions and nothing else"
            raise CompatError(happened, expected, "Leave the other actions out")
        if action not in _ACTIONS:
            remedy = suggest_name(str(action), _ACTIONS) or "Leave it out"
            raise CompatError(f"There is no action {action!r}", expected, remedy)


def _select_detector(backend: str) -> str:
    name = _BACKENDS.get(backend, backend)
    if name in detector_names():
        return name
    if backend.startswith(_OTHER_BACKENDS):
        warnings.warn(f"mien has no {backend}; it uses its own face detectors", stacklevel=3)
        return "auto"
    names = (*_BACKENDS, *detector_names())
    expected = f"Expected one of {', '.join(names)}"
    raise CompatError(f"There is no detector '{backend}'", expected, suggest_name(backend, names))


def _analyze_image(engine: Engine, image: Image, enforce: bool, whole_image: bool) -> list[dict[str, Any]]:
    source = _convert_source(image)
    if not whole_image:
        result = engine.read(source)
        if result.readings:
            return [_format_reading(reading, result.size) for reading in result]
        if enforce:
            remedy = "Pass enforce_detection=False to use the whole image as the face"
            raise FaceNotDetected(f"No face was found in {result.source}", "Expected an image with a face", remedy)
    pixels = images.load_image(source).pixels
    height, width = pixels.shape[:2]
    box = Box(0, 0, width, height)
    [scores] = _score_boxes(engine, pixels, [box], "none")
    return [_format_analysis(scores, _format_region(box, (width, height), None, None), 0.0)]


def _format_reading(reading: Reading, size: tuple[int, int]) -> dict[str, Any]:
    face = reading.face
    right_eye, left_eye = face.landmarks[:2] if face.landmarks else (None, None)
    region = _format_region(face.box, size, left_eye, right_eye)
    return _format_analysis(dict(reading.emotions.scores), region, face.detection)


def _format_analysis(scores: Mapping[str, float], region: dict[str, Any], confidence: float) -> dict[str, Any]:
    total = sum(scores.values())
    return {
        "emotion": {label: 100 * score / total for label, score in scores.items()},
        "dominant_emotion": max(scores, key=scores.__getitem__),
        "region": region,
        "face_confidence": round(confidence, 2),
    }


def _format_region(
    box: Box, size: tuple[int, int], left_eye: tuple[float, float] | None, right_eye: tuple[float, float] | None
) -> dict[str, Any]:
    # DeepFace's regions end one pixel before the right and bottom edge of the image; scripts slice images with them.
    x, y = max(box.x, 0), max(box.y, 0)
    return {
        "x": x,
        "y": y,
        "w": min(box.width, size[0] - x - 1),
        "h": min(box.height, size[1] - y - 1),
        "left_eye": _format_eye(left_eye, size),
        "right_eye": _format_eye(right_eye, size),
    }


def _format_eye(point: tuple[float, float] | None, size: tuple[int, int]) -> tuple[int, int] | None:
    """Whole pixels; None outside the image."""
    if point is None or not (0 <= point[0] < size[0] and 0 <= point[1] < size[1]):
        return None
    return int(point[0]), int(point[1])


# fer


class FER:
    """The class of fer, with ``detect_emotions`` and ``top_emotion``.

    Faces are detected by mien's own detectors, with or without ``mtcnn``. ``scale_factor``, ``min_neighbors``,
    ``offsets`` and ``use_tflite`` have no effect.
    """

    def __init__(
        self,
        cascade_file: str | None = None,
        mtcnn: bool = False,
        tfserving: bool = False,
        use_tflite: bool = True,
        scale_factor: float = 1.1,
        min_face_size: int = 50,
        min_neighbors: int = 5,
        offsets: tuple[int, int] = (10, 10),
        *,
        engine: Engine | None = None,
    ) -> None:
        if cascade_file or tfserving:
            happened = f"mien has no {'cascade_file' if cascade_file else 'tfserving'}"
            remedy = "Leave it out, or pass engine=Engine.load(...)"
            raise CompatError(happened, "Expected mien's own detectors and models", remedy)
        self._min_face = min_face_size
        with _convert_errors():
            self._engine = engine or shared_engine("auto")

    def detect_emotions(
        self, img: Image, face_rectangles: Sequence[Sequence[int]] | None = None
    ) -> list[dict[str, Any]]:
        """``[{"box": [x, y, w, h], "emotions": {label: probability, two decimals}}]``; empty without a face.

        ``face_rectangles`` are boxes ``(x, y, w, h)`` of faces that were detected before.
        """
        with _convert_errors():
            if face_rectangles is None:
                readings = self._read(img)
                return [_format_fer(reading.face.box, dict(reading.emotions.scores)) for reading in readings]
            boxes = list(map(_parse_rectangle, face_rectangles))
            pixels = images.load_image(_convert_source(img)).pixels
            return list(map(_format_fer, boxes, _score_boxes(self._engine, pixels, boxes, "haar")))

    def batch_detect_emotions(self, imgs: Sequence[Image]) -> list[list[dict[str, Any]]]:
        """``detect_emotions`` for each image."""
        return [self.detect_emotions(img) for img in imgs]

    def top_emotion(self, img: Image) -> tuple[str, float] | tuple[None, None]:
        """The leading label of the first face and its probability, two decimals; ``(None, None)`` without a face."""
        for face in self.detect_emotions(img):
            emotions: dict[str, float] = face["emotions"]
            label = max(emotions, key=emotions.__getitem__)
            return label, emotions[label]
        return None, None

    def find_faces(self, img: Image, bgr: bool = True) -> list[list[int]]:
        """The boxes ``[x, y, w, h]`` of the faces."""
        with _convert_errors():
            return [list(reading.face.box) for reading in self._read(img)]

    def _read(self, img: Image) -> FrameResult:
        return self._engine.read(_convert_source(img), min_face=self._min_face)


def _format_fer(box: Box, scores: Mapping[str, float]) -> dict[str, Any]:
    return {"box": list(box), "emotions": {label: round(score, 2) for label, score in scores.items()}}


def _parse_rectangle(rectangle: Sequence[int]) -> Box:
    try:
        return Box(*map(int, rectangle))
    except (TypeError, ValueError) as error:
        happened = f"{rectangle!r} is no face rectangle"
        raise CompatError(happened, "Expected (x, y, width, height)", "Correct it") from error


# Both

_loading = threading.Lock()


def shared_engine(detector: str) -> Engine:
    """The engine of all calls without one, loaded once for each detector: these interfaces cannot store an engine."""
    with _loading:
        return _load_engine(detector)


@cache
def _load_engine(detector: str) -> Engine:
    return Engine.load(detector=detector)


@contextmanager
def _convert_errors() -> Iterator[None]:
    try:
        yield
    except CompatError:
        raise
    except MienError as error:
        raise CompatError(error.happened, error.expected, error.remedy) from error


def _score_boxes(
    engine: Engine, pixels: NDArray[np.uint8], boxes: Sequence[Box], detector: str
) -> list[dict[str, float]]:
    """Scores by label for boxes of another detector; the crops have the framing of the detector that is named."""
    if not boxes:
        return []
    framing = select_framing(engine.card, detector)
    crops = np.stack([crop_face(pixels, Face(box), framing, engine.card.side) for box in boxes])
    return [dict(zip(engine.labels, map(float, row), strict=True)) for row in engine.score(crops)]


def _convert_source(image: Image) -> images.Source:
    """The image as mien's functions expect it: BGR arrays as RGB, text and files as bytes."""
    if isinstance(image, np.ndarray):
        order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(image.shape[2] if image.ndim == 3 else 0)
        return image if order is None else image[..., order]
    if isinstance(image, str):
        return _parse_text(image)
    # Paths, bytes and PIL images are unchanged.
    content = image.read() if hasattr(image, "read") else image
    if isinstance(content, str):  # it would be read as a path
        raise CompatError("The file was opened as text", "Expected a file of bytes", "Open it with mode 'rb'")
    return content


def _parse_text(text: str) -> str | bytes:
    if text.startswith(("http://", "https://")):
        remedy = "Download it, and pass its path"
        raise CompatError(f"mien does not download '{text}'", "Expected a local image", remedy)
    if not text.startswith("data:image/"):
        return text
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except binascii.Error as error:
        happened = f"The base64 text of the image is invalid: {error}"
        raise CompatError(happened, "Expected data:image/...;base64, and the image", "Encode it again") from error
