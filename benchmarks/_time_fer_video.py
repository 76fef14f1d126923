"""Runs inside an environment with fer: reads a film with its video function and prints the time, as JSON."""

import json
import sys
import tempfile
import time

import cv2
from fer.classes import Video
from fer.fer import FER

# fer asks for keys and closes windows also where OpenCV has none.
cv2.waitKey, cv2.destroyAllWindows = lambda wait: -1, lambda: None
film, frames = sys.argv[1], int(sys.argv[2])
detector = FER()
with tempfile.TemporaryDirectory() as folder:
    video = Video(film, outdir=folder)
    start = time.perf_counter()
    video.analyze(detector, display=False, save_frames=False, save_video=False, annotate_frames=False, zip_images=False)
    seconds = time.perf_counter() - start
print(json.dumps({"frames": frames, "frames_per_s": round(frames / seconds, 1)}))
