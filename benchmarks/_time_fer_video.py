"""Runs in an environment with fer: analyses a video with its video function and prints the speed as JSON."""

import json
import sys
import tempfile
import time

import cv2
from fer.classes import Video
from fer.fer import FER

# fer calls OpenCV's window functions, which headless OpenCV does not have.
cv2.waitKey, cv2.destroyAllWindows = lambda wait: -1, lambda: None
path, frames = sys.argv[1], int(sys.argv[2])
detector = FER()
with tempfile.TemporaryDirectory() as folder:
    video = Video(path, outdir=folder)
    start = time.perf_counter()
    video.analyze(detector, display=False, save_frames=False, save_video=False, annotate_frames=False, zip_images=False)
    seconds = time.perf_counter() - start
print(json.dumps({"frames": frames, "frames_per_s": round(frames / seconds, 1)}))
