"""How long a frame takes from the camera to the picture in the window of ``mien live``, at 640x480 and 30 frames/s.

A film of MJPEG plays as the camera, so that decoding is in the figures as it is with a camera's; the window stands on
a screen of Xvfb. Told are the delay until the screen has drawn the frame, frames read and left out, and the processor
time.

    python benchmarks/live.py --yunet face_detection_yunet_2026may.onnx
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from _drawing import portrait
from _machine import write
from _tables import Figures, format_table

from mien import Engine, video
from mien.apps.session.live_camera import CameraWorker
from mien.faces.detectors import load_detector
from mien.models import load_classifier, resolve_model

SIZE, FPS, SECONDS = (640, 480), 30, 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, required=True, help="the file of YuNet's model")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, screen():
        film = drawn(Path(folder) / "two.avi")
        figures = {
            f"{name}{', inside shown' if inside else ''}": shown(film, name, told.yunet, inside)
            for name in ("yunet", "haar")
            for inside in (False, True)
        }
    load = round(os.getloadavg()[0], 1)
    print(write("live", {"size": SIZE, "fps": FPS, "target_ms": 60, "load": load, "shown": figures}))


@contextmanager
def screen() -> Iterator[None]:
    reads, writes = os.pipe()
    words = ["Xvfb", "-displayfd", str(writes), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[writes], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            os.close(writes)
            with os.fdopen(reads) as told:
                os.environ["DISPLAY"] = f":{told.readline().strip()}"
            yield
        finally:
            server.terminate()


def drawn(path: Path) -> Path:
    """The two portraits, drifting apart and together, with a camera's noise."""
    rng, width, height = np.random.default_rng(0), *SIZE
    people = [cv2.resize(portrait(name)[:400], (256, 200)) for name in ("astronaut", "hopper")]
    noise = [rng.normal(0, 3, (height, width, 3)) for _ in range(8)]
    out = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for index in range(FPS * SECONDS):
        frame = np.full((height, width, 3), 120, np.uint8)
        for number, person in enumerate(people):
            left = 30 + number * 320 + round(24 * np.sin(index / 20 + number))
            frame[140:340, left : left + 256] = person[..., ::-1]
        out.write(np.clip(frame + noise[index % 8], 0, 255).astype(np.uint8))
    out.release()
    return path


def shown(film: Path, detector: str, yunet: Path, inside: bool) -> dict[str, Any]:
    from mien.apps.desktop.main_loop import open_root, run_live_window

    engine = Engine(load_classifier(resolve_model("base"), threads=1), load_detector(detector, yunet=yunet, threads=1))
    root = open_root()
    began, processor = time.monotonic(), time.process_time()
    with video.open_camera(film) as camera, CameraWorker(engine, camera) as watching:
        delays, looks = run_live_window(root, watching, engine, explain=inside)
        passed, view = time.monotonic() - began, watching.newest()
    assert view is not None
    # What comes first waits for windows and models to be made.
    steady = np.array(delays[len(delays) // 4 :]) * 1000
    return {
        "delay_ms": {"median": round(float(np.median(steady)), 1), "p95": round(float(np.quantile(steady, 0.95)), 1)},
        "frames_read": view.number,
        "left_out": view.dropped,
        "rate": round(view.fps, 1),
        "looks_per_s": round(looks, 1) if inside else None,
        "cores": round((time.process_time() - processor) / passed, 2),
    }


def live_table(figures: Figures) -> str:
    rows = [
        (
            name,
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            f"< {figures['target_ms']}",
            row["rate"],
            row.get("looks_per_s") or "",
            row["left_out"],
            row["cores"],
        )
        for name, row in figures["shown"].items()
    ]
    header = [
        "detector",
        "delay, median ms",
        "95 %, ms",
        "target",
        "frames read/s",
        "looks inside/s",
        "left out",
        "cores",
    ]
    # Whoever shares the machine is in the figures: say so.
    told = f"\n\nThe machine's load was {figures['load']} meanwhile: other work ran on it."
    return format_table(header, rows) + (told if figures["load"] > 3 else "")


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "live": ("live", live_table),
}


if __name__ == "__main__":
    main()
