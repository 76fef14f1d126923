"""Runs in an environment with fer: times a folder of photos and prints the figures as JSON. Called by peers.py."""

import json
import sys
import time
from pathlib import Path

start = time.perf_counter()
import cv2  # noqa: E402
from fer.fer import FER  # noqa: E402

photos = sorted(Path(sys.argv[1]).glob("*.jpg"))
detector = FER()
detector.detect_emotions(cv2.imread(str(photos[0])))
first_reading_seconds = time.perf_counter() - start

start = time.perf_counter()
faces = [[face["box"] for face in detector.detect_emotions(cv2.imread(str(path)))] for path in photos]
read_seconds = time.perf_counter() - start

face_seconds = 0.0
for path, boxes in zip(photos, faces, strict=True):
    pixels = cv2.imread(str(path))
    start = time.perf_counter()
    detector.detect_emotions(pixels, face_rectangles=boxes)
    face_seconds += time.perf_counter() - start

print(
    json.dumps(
        {
            "first_reading_s": round(first_reading_seconds, 3),
            "photos_per_s": round(len(photos) / read_seconds, 1),
            "ms_a_face": round(1000 * face_seconds / sum(map(len, faces)), 2),
            "photos_with_a_face": sum(map(bool, faces)),
            "faces_detected": sum(map(len, faces)),
        }
    )
)
