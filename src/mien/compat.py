"""The shapes people already know, so that a script moves to mien by changing one import.

::

    from mien import compat as DeepFace      # DeepFace.analyze("photo.jpg", actions=["emotion"])
    from mien.compat import FER              # FER().detect_emotions(cv2.imread("photo.jpg"))

Arrays are **BGR** here, as OpenCV loads them and as both libraries expect them; everywhere else in mien they are RGB.
Faces come largest first. Every failure is a ``MienError`` and a ``ValueError`` at once: what these scripts catch.
"""

from __future__ import annotations

import base64
import binascii
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien import images as media
from mien.engine import Engine, select_framing
from mien.errors import MienError, suggest_name
from mien.faces.crop import crop_face
from mien.faces.detectors import detector_names
from mien.results import Box, Face, FrameResult, Reading

#: A path, ``data:image/...;base64,`` text, a file opened for reading bytes, bytes, or a BGR array.
Image: TypeAlias = str | Path | bytes | IO[bytes] | NDArray[np.uint8]

_ACTIONS = ("emotion",)
_OTHER_ACTIONS = ("age", "gender", "race")

_BACKENDS = {"opencv": "haar", "skip": "none"}
_OTHER_BACKENDS = ("retinaface", "mtcnn", "fastmtcnn", "ssd", "dlib", "mediapipe", "yolo", "centerface")


class CompatError(MienError, ValueError):
    """What mien will not do, or could not read, in the words of the caller's library."""


class FaceNotDetected(CompatError):
    """No face was found and ``enforce_detection`` was on."""


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
    """What ``DeepFace.analyze`` returns for ``actions=["emotion"]``: a dict for each face; a list of those for a batch.

    Each has ``emotion`` (percentages), ``dominant_emotion``, ``region`` and ``face_confidence``. Where no face is found
    it raises ``FaceNotDetected``; with ``enforce_detection`` off, or the backend ``skip``, the picture is the face.
    The backends are ``opencv``, ``yunet`` and ``skip``; other known ones warn and use mien's own. ``align``,
    ``expand_percentage`` and ``silent`` are taken and change nothing: the model's card says how its faces are cut.
    """
    _check_actions([actions] if isinstance(actions, str) else actions, anti_spoofing)
    with _as_value_errors():
        engine = engine or _shared(_detector(detector_backend))
        whole = detector_backend in ("skip", "none")
        if _is_batch(img_path):
            return [_analyzed(engine, each, enforce_detection, whole) for each in img_path]
        return _analyzed(engine, img_path, enforce_detection, whole)


class FER:
    """fer's class, with ``detect_emotions`` and ``top_emotion``.

    Faces are found by mien's own detector, with or without ``mtcnn``. ``scale_factor``, ``min_neighbors``, ``offsets``
    and ``use_tflite`` are taken and change nothing.
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
        with _as_value_errors():
            self._engine = engine or _shared("auto")

    def detect_emotions(
        self, img: Image, face_rectangles: Sequence[Sequence[int]] | None = None
    ) -> list[dict[str, Any]]:
        """``[{"box": [x, y, w, h], "emotions": {label: share, two decimals}}]``; empty without a face.

        ``face_rectangles`` are boxes that were found before, ``(x, y, w, h)``: they are scored as they are.
        """
        with _as_value_errors():
            if face_rectangles is None:
                return [_as_fer(reading.face.box, dict(reading.emotions.scores)) for reading in self._read(img)]
            boxes = list(map(_box, face_rectangles))
            return list(map(_as_fer, boxes, _scored(self._engine, _opened(img), boxes, "haar")))

    def batch_detect_emotions(self, imgs: Sequence[Image]) -> list[list[dict[str, Any]]]:
        """``detect_emotions`` of each picture."""
        return [self.detect_emotions(img) for img in imgs]

    def top_emotion(self, img: Image) -> tuple[str, float] | tuple[None, None]:
        """The leading label of the first face and its share, two decimals; ``(None, None)`` without a face."""
        for face in self.detect_emotions(img):
            emotions: dict[str, float] = face["emotions"]
            label = max(emotions, key=emotions.__getitem__)
            return label, emotions[label]
        return None, None

    def find_faces(self, img: Image, bgr: bool = True) -> list[list[int]]:
        """The boxes ``[x, y, w, h]`` of the faces."""
        with _as_value_errors():
            return [list(reading.face.box) for reading in self._read(img)]

    def _read(self, img: Image) -> FrameResult:
        return self._engine.read(_source(img), min_face=self._min_face)


_engines: dict[str, Engine] = {}
_loading = threading.Lock()


def _shared(detector: str) -> Engine:
    """One engine for all callers, loaded when it is first asked for: these interfaces have no place to keep one."""
    with _loading:
        if detector not in _engines:
            _engines[detector] = Engine.load(detector=detector)
        return _engines[detector]


@contextmanager
def _as_value_errors() -> Iterator[None]:
    try:
        yield
    except CompatError:
        raise
    except MienError as error:
        raise CompatError(error.happened, error.expected, error.remedy) from error


def _is_batch(images: Any) -> bool:
    return isinstance(images, list | tuple) or (isinstance(images, np.ndarray) and images.ndim == 4)


def _analyzed(engine: Engine, image: Image, enforce: bool, whole: bool) -> list[dict[str, Any]]:
    source = _source(image)
    if not whole:
        result = engine.read(source)
        if result.readings:
            return [_as_deepface(reading, result.size) for reading in result]
        if enforce:
            remedy = "Pass enforce_detection=False to take the whole picture for one"
            raise FaceNotDetected(f"No face was found in {result.source}", "Expected a picture with a face", remedy)
    return [_whole(engine, media.load_image(source).pixels)]


def _as_deepface(reading: Reading, size: tuple[int, int]) -> dict[str, Any]:
    face = reading.face
    right, left = face.landmarks[:2] if face.landmarks else (None, None)
    return _verdict(dict(reading.emotions.scores), _region(face.box, size, left, right), face.detection)


def _whole(engine: Engine, pixels: NDArray[np.uint8]) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    box = Box(0, 0, width, height)
    return _verdict(_scored(engine, pixels, [box], "none")[0], _region(box, (width, height), None, None), 0.0)


def _verdict(shares: Mapping[str, float], region: dict[str, Any], confidence: float) -> dict[str, Any]:
    total = sum(shares.values())
    return {
        "emotion": {label: 100 * share / total for label, share in shares.items()},
        "dominant_emotion": max(shares, key=shares.__getitem__),
        "region": region,
        "face_confidence": round(confidence, 2),
    }


def _region(
    box: Box, size: tuple[int, int], left: tuple[float, float] | None, right: tuple[float, float] | None
) -> dict[str, Any]:
    # DeepFace keeps one pixel between a region and the picture's far borders; people rely on slicing with these.
    x, y = max(box.x, 0), max(box.y, 0)
    return {
        "x": x,
        "y": y,
        "w": min(box.width, size[0] - x - 1),
        "h": min(box.height, size[1] - y - 1),
        "left_eye": _inside(left, size),
        "right_eye": _inside(right, size),
    }


def _inside(point: tuple[float, float] | None, size: tuple[int, int]) -> tuple[int, int] | None:
    if point is None or not (0 <= point[0] < size[0] and 0 <= point[1] < size[1]):
        return None
    return int(point[0]), int(point[1])


def _as_fer(box: Box, shares: Mapping[str, float]) -> dict[str, Any]:
    return {"box": list(box), "emotions": {label: round(share, 2) for label, share in shares.items()}}


def _scored(engine: Engine, pixels: NDArray[np.uint8], boxes: Sequence[Box], detector: str) -> list[dict[str, float]]:
    """Shares by label for boxes that no detector of ours found; they are cut as that detector's would be."""
    if not boxes:
        return []
    framing = select_framing(engine.card, detector)
    crops = np.stack([crop_face(pixels, Face(box), framing, engine.card.side) for box in boxes])
    return [dict(zip(engine.labels, map(float, row), strict=True)) for row in engine.score(crops)]


def _opened(image: Image) -> NDArray[np.uint8]:
    return media.load_image(_source(image)).pixels


def _source(image: Image) -> media.Source:
    """The picture as mien takes it: arrays turned from BGR to RGB, text and files turned into bytes."""
    if isinstance(image, np.ndarray):
        return _rgb(image)
    if isinstance(image, str):
        return _from_text(image)
    # Whatever else the door takes goes through: paths, bytes, PIL images.
    content = image.read() if hasattr(image, "read") else image
    if isinstance(content, str):  # which the door would take for a path
        raise CompatError("The file was opened as text", "Expected a file of bytes", "Open it with mode 'rb'")
    return content


def _box(rectangle: Sequence[int]) -> Box:
    try:
        return Box(*map(int, rectangle))
    except (TypeError, ValueError) as error:
        raise CompatError(f"{rectangle!r} is no face rectangle", "Expected (x, y, width, height)", "Mend it") from error


def _rgb(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
    order = {3: [2, 1, 0], 4: [2, 1, 0, 3]}.get(array.shape[2] if array.ndim == 3 else 0)
    return array if order is None else array[..., order]


def _from_text(text: str) -> str | bytes:
    if text.startswith(("http://", "https://")):
        raise CompatError(
            f"mien does not fetch '{text}'", "Expected a picture that is here", "Download it, pass its path"
        )
    if not text.startswith("data:image/"):
        return text
    try:
        return base64.b64decode(text.partition(",")[2], validate=True)
    except binascii.Error as error:
        expected = "Expected data:image/...;base64, and the picture"
        raise CompatError(f"The picture's base64 text is broken: {error}", expected, "Encode it again") from error


def _check_actions(actions: Sequence[str], anti_spoofing: bool) -> None:
    if anti_spoofing:
        happened = "mien does not tell real faces from pictures of faces"
        raise CompatError(happened, "Expected anti_spoofing=False", "Leave anti_spoofing out")
    expected = "Expected actions=['emotion']"
    if not actions:
        raise CompatError("No action was asked for", expected, "Leave actions out")
    for action in actions:
        if action in _OTHER_ACTIONS:
            happened = f"mien does not judge {action}: it reads expressions and nothing else"
            raise CompatError(happened, expected, "Leave the other actions out")
        if action not in _ACTIONS:
            raise CompatError(
                f"There is no action {action!r}", expected, suggest_name(str(action), _ACTIONS) or "Leave it out"
            )


def _detector(backend: str) -> str:
    name = _BACKENDS.get(backend, backend)
    if name in detector_names():
        return name
    if backend.startswith(_OTHER_BACKENDS):
        warnings.warn(f"mien has no {backend}; it finds the faces with its own detectors", stacklevel=3)
        return "auto"
    known = (*_BACKENDS, *detector_names())
    raise CompatError(
        f"There is no detector '{backend}'", f"Expected one of {', '.join(known)}", suggest_name(backend, known)
    )
