"""YuNet: a small network that detects faces with landmarks, run by ONNX Runtime.

The network sees an image in cells of 8, 16 and 32 pixels and predicts a score, a box and five landmarks for each cell.
They are decoded here, and overlapping boxes are suppressed. ONNX Runtime needs a third of the time that OpenCV's
FaceDetectorYN needs for the same file, and has no state, so that threads share one session
(``yunet`` in benchmarks/results/speed.json).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mien.errors import DetectorError
from mien.faces.crop import Framing, crop_face
from mien.faces.tiling import Detection, TilingSettings, convert_to_faces, detect_in_tiles, suppress_overlaps
from mien.onnx_session import OnnxSession, SessionError
from mien.results import Box, Face, Pixels, Point

#: The sides of the cells in pixels, each with outputs of its own.
STRIDES = (8, 16, 32)

#: Images are extended to a multiple of this number of pixels, and to two cells of the coarsest kind.
_PADDING = 32
MIN_SIDE = 64

#: Detections below this score are no faces; of detections that share more of their union one is retained.
MIN_SCORE, MAX_UNION_OVERLAP = 0.6, 0.3

#: The patch in which YuNet detects a face near the position in an earlier frame.
NEAR_FRAMING, NEAR_SIDE = Framing(2.4), 96

_OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]

_EXPECTED = "the file that 'mien models pull yunet' downloads"
_REMEDY = "Download it again with 'mien models pull yunet', or use detector 'haar', which needs no file"


class YunetDetector:
    """YuNet also detects landmarks, and faces that are turned or tilted. Threads may share one detector."""

    name = "yunet"
    tiling = TilingSettings(smallest=18, area=576 * 432, close_up=192, min_side=MIN_SIDE, linear_above=0.5)

    def __init__(self, path: Path, *, threads: int | None = None) -> None:
        try:
            self._session = OnnxSession(path.read_bytes(), threads)
            self.detect_once(np.zeros((MIN_SIDE, MIN_SIDE, 3), np.uint8))
        except OSError as error:
            happened = f"The YuNet file {path} cannot be read ({error.strerror})"
            raise DetectorError(happened, _EXPECTED, _REMEDY) from error
        except SessionError as error:
            happened = f"The YuNet file {path} is damaged or is another model"
            raise DetectorError(happened, _EXPECTED, _REMEDY) from error

    def detect(self, pixels: Pixels, *, min_face: int | None = None) -> tuple[Face, ...]:
        """The faces in an RGB uint8 image, largest first; ``min_face`` is the width of the smallest in pixels."""
        return convert_to_faces(detect_in_tiles(pixels, self.detect_once, self.tiling, min_face))

    def detect_near(self, pixels: Pixels, boxes: Sequence[Box]) -> tuple[Face, ...]:
        """The faces near these boxes, each once."""
        return convert_to_faces(
            suppress_overlaps(detection for box in boxes for detection in self._detect_near(pixels, box))
        )

    def _detect_near(self, pixels: Pixels, box: Box) -> Iterator[Detection]:
        """The faces in a patch around a box, without those at its edge, which belong to other boxes."""
        face, side = Face(box), NEAR_SIDE
        left, top, size = NEAR_FRAMING.square(face)
        for detection in self.detect_once(crop_face(pixels, face, NEAR_FRAMING, side)):
            x, y = detection.x + detection.width / 2, detection.y + detection.height / 2
            if min(x, y, side - x, side - y) > 0.15 * side:
                yield detection.to_image(side / size, left, top)

    def detect_once(self, pixels: Pixels) -> list[Detection]:
        """The faces in one run of the network."""
        network_input = _to_input(pixels)
        outputs = dict(zip(_OUTPUTS, self._session.run(_OUTPUTS, network_input), strict=True))
        rows = np.concatenate([_decode(outputs, stride, network_input.shape[3] // stride) for stride in STRIDES])
        return [_to_detection(row) for row in suppress_by_union(rows[np.isfinite(rows).all(1)])]


def _to_input(pixels: Pixels) -> NDArray[np.float32]:
    """BGR float32 ``(1, 3, H, W)``, extended at the right and bottom: black, and gray for a side below MIN_SIDE."""
    height, width = pixels.shape[:2]
    padded_height, padded_width = padded_side(height), padded_side(width)
    network_input = np.zeros((1, 3, padded_height, padded_width), np.float32)
    if min(height, width) < MIN_SIDE:
        network_input[:, :, : max(height, MIN_SIDE), : max(width, MIN_SIDE)] = 127
    network_input[0, :, :height, :width] = pixels.transpose(2, 0, 1)[::-1]
    return network_input


def padded_side(side: int) -> int:
    """The side of the image that the network sees, for an image with this side."""
    return max(-(-side // _PADDING) * _PADDING, MIN_SIDE)


def _decode(outputs: dict[str, NDArray[np.float32]], stride: int, columns: int) -> NDArray[np.float32]:
    """The detections of one stride with at least MIN_SCORE, ``(n, 15)``: box, five landmarks, score."""
    label, present = (np.clip(outputs[f"{kind}_{stride}"].reshape(-1), 0, 1) for kind in ("cls", "obj"))
    scores = np.sqrt(label * present)
    cells = np.flatnonzero(scores >= MIN_SCORE)
    corners = np.stack([cells % columns, cells // columns], axis=1).astype(np.float32)
    boxes = outputs[f"bbox_{stride}"].reshape(-1, 4)[cells]
    with np.errstate(over="ignore"):
        sizes = np.exp(boxes[:, 2:]) * stride
    centres = (corners + boxes[:, :2]) * stride
    points = (outputs[f"kps_{stride}"].reshape(-1, 5, 2)[cells] + corners[:, None]) * stride
    return np.concatenate([centres - sizes / 2, sizes, points.reshape(-1, 10), scores[cells, None]], axis=1)


def suppress_by_union(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The rows of detections ``(n, 15)`` without a better one that shares much of the union, best first."""
    rows = rows[np.argsort(-rows[:, 14], kind="stable")]
    left, top = rows[:, 0], rows[:, 1]
    right, bottom, areas = left + rows[:, 2], top + rows[:, 3], rows[:, 2] * rows[:, 3]
    retained: list[int] = []
    remaining = np.arange(len(rows))
    while len(remaining):
        best, remaining = remaining[0], remaining[1:]
        retained.append(int(best))
        width = np.minimum(right[best], right[remaining]) - np.maximum(left[best], left[remaining])
        height = np.minimum(bottom[best], bottom[remaining]) - np.maximum(top[best], top[remaining])
        shared = np.maximum(width, 0) * np.maximum(height, 0)
        union = np.maximum(areas[best] + areas[remaining] - shared, 1e-9)
        remaining = remaining[shared / union <= MAX_UNION_OVERLAP]
    return rows[retained]


def _to_detection(row: NDArray[np.float32]) -> Detection:
    x, y, width, height = map(float, row[:4])
    landmarks = tuple(Point(float(px), float(py)) for px, py in row[4:14].reshape(5, 2))
    return Detection(x, y, width, height, float(row[14]), landmarks)
