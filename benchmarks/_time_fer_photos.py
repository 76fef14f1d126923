"""Runs inside an environment with fer: prints what one folder of photos costs, as JSON. Called by peers.py."""

import json
import sys
import time
from pathlib import Path

start = time.perf_counter()
import cv2  # noqa: E402
from fer.fer import FER  # noqa: E402

photos = sorted(Path(sys.argv[1]).glob("*.jpg"))
detector = FER()
first = detector.detect_emotions(cv2.imread(str(photos[0])))
ready = time.perf_counter() - start

start = time.perf_counter()
faces = [[face["box"] for face in detector.detect_emotions(cv2.imread(str(path)))] for path in photos]
one_by_one = time.perf_counter() - start

spent = 0.0
for path, boxes in zip(photos, faces, strict=True):
    pixels = cv2.imread(str(path))
    start = time.perf_counter()
    detector.detect_emotions(pixels, face_rectangles=boxes)
    spent += time.perf_counter() - start

print(
    json.dumps(
        {
            "first_reading_s": round(ready, 3),
            "photos_per_s": round(len(photos) / one_by_one, 1),
            "ms_a_face": round(1000 * spent / sum(map(len, faces)), 2),
            "photos_with_a_face": sum(map(bool, faces)),
            "faces_found": sum(map(len, faces)),
        }
    )
)
