"""Runs inside an environment with mien: prints what one folder of photos costs, as JSON. Called by peers.py."""

import json
import sys
import time
from pathlib import Path

start = time.perf_counter()
from mien import Engine  # noqa: E402
from mien.images import load_image  # noqa: E402

DETECTOR = sys.argv[2]
photos = sorted(Path(sys.argv[1]).glob("*.jpg"))
engine = Engine.load(detector=DETECTOR)
first = engine.read(photos[0])
ready = time.perf_counter() - start

start = time.perf_counter()
faces = [engine.read(path).faces for path in photos]
one_by_one = time.perf_counter() - start

start = time.perf_counter()
found = sum(len(result) for result in engine.read_many(photos))
together = time.perf_counter() - start


class Known:
    """Says where the faces are without looking, so that only cropping and the network are timed."""

    name = DETECTOR

    def detect(self, pixels, *, min_face=None):
        return faces[self.turn]


known = Known()
judging = Engine(engine._classifier, known)
spent = 0.0
for known.turn, path in enumerate(photos):
    pixels = load_image(path).pixels
    start = time.perf_counter()
    judging.read(pixels)
    spent += time.perf_counter() - start

print(
    json.dumps(
        {
            "first_reading_s": round(ready, 3),
            "photos_per_s": round(len(photos) / one_by_one, 1),
            "photos_per_s_read_many": round(len(photos) / together, 1),
            "ms_a_face": round(1000 * spent / sum(map(len, faces)), 2),
            "photos_with_a_face": sum(map(bool, faces)),
            "faces_found": found,
        }
    )
)
