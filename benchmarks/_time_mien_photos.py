"""Runs in an environment with mien: times a folder of photos and prints the figures as JSON. Called by peers.py."""

import json
import sys
import time
from pathlib import Path

start = time.perf_counter()
from mien import Engine  # noqa: E402
from mien.faces.detectors import load_detector  # noqa: E402
from mien.images import load_image  # noqa: E402
from mien.models import find_model_file, load_classifier, resolve_model  # noqa: E402

photos = sorted(Path(sys.argv[1]).glob("*.jpg"))
classifier = load_classifier(resolve_model("base"))
detector = load_detector(sys.argv[2], yunet=find_model_file("yunet"))
engine = Engine(classifier, detector)
engine.read(photos[0])
first_reading_seconds = time.perf_counter() - start

start = time.perf_counter()
faces = [engine.read(path).faces for path in photos]
read_seconds = time.perf_counter() - start

start = time.perf_counter()
face_count = sum(len(result) for result in engine.read_many(photos))
read_many_seconds = time.perf_counter() - start


class FixedDetector:
    """Returns the faces that were detected before, so that only cropping, quality and the network are timed."""

    name = detector.name

    def __init__(self, faces):
        self.faces = faces

    def detect(self, pixels, *, min_face=None):
        return self.faces


face_seconds = 0.0
for path, boxes in zip(photos, faces, strict=True):
    pixels = load_image(path).pixels
    engine = Engine(classifier, FixedDetector(boxes))
    start = time.perf_counter()
    engine.read(pixels)
    face_seconds += time.perf_counter() - start

print(
    json.dumps(
        {
            "first_reading_s": round(first_reading_seconds, 3),
            "photos_per_s": round(len(photos) / read_seconds, 1),
            "photos_per_s_read_many": round(len(photos) / read_many_seconds, 1),
            "ms_a_face": round(1000 * face_seconds / sum(map(len, faces)), 2),
            "photos_with_a_face": sum(map(bool, faces)),
            "faces_detected": face_count,
        }
    )
)
