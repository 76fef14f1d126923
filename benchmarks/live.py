"""The delay from the camera to the window of ``mien live``, at 640x480 and 30 frames a second.

A video of MJPEG is played as the camera, so that decoding is measured too; the window is on a virtual display (Xvfb).
Measured are the delay until the frame is write_video, analysed and dropped frames, and the processor time.

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
from _results import write_result
from _scenes import load_portrait
from _tables import Figures, format_table

from mien import Engine, video
from mien.apps.session.live_camera import CameraWorker
from mien.faces.detectors import load_detector
from mien.models import load_classifier, resolve_model

SIZE, FPS, SECONDS = (640, 480), 30, 14


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, required=True, help="the file of YuNet's model")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, virtual_display():
        path = write_video(Path(folder) / "two.avi")
        figures = {
            f"{name}{', with explanation' if explain else ''}": measure(path, name, options.yunet, explain)
            for name in ("yunet", "haar")
            for explain in (False, True)
        }
    load = round(os.getloadavg()[0], 1)
    print(write_result("live", {"size": SIZE, "fps": FPS, "target_ms": 60, "load": load, "detectors": figures}))


@contextmanager
def virtual_display() -> Iterator[None]:
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    with subprocess.Popen(
        command, pass_fds=[write_end], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            os.close(write_end)
            with os.fdopen(read_end) as stream:
                os.environ["DISPLAY"] = f":{stream.readline().strip()}"
            yield
        finally:
            server.terminate()


def write_video(path: Path) -> Path:
    """The two portraits, moving slowly, with sensor noise."""
    rng, width, height = np.random.default_rng(0), *SIZE
    people = [cv2.resize(load_portrait(name)[:400], (256, 200)) for name in ("astronaut", "hopper")]
    noise = [rng.normal(0, 3, (height, width, 3)) for _ in range(8)]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, SIZE)
    for index in range(FPS * SECONDS):
        frame = np.full((height, width, 3), 120, np.uint8)
        for number, person in enumerate(people):
            left = 30 + number * 320 + round(24 * np.sin(index / 20 + number))
            frame[140:340, left : left + 256] = person[..., ::-1]
        writer.write(np.clip(frame + noise[index % 8], 0, 255).astype(np.uint8))
    writer.release()
    return path


def measure(path: Path, detector: str, yunet: Path, explain: bool) -> dict[str, Any]:
    from mien.apps.desktop.main_loop import open_root, run_live_window

    engine = Engine(load_classifier(resolve_model("base"), threads=1), load_detector(detector, yunet=yunet, threads=1))
    root = open_root()
    started, processor = time.monotonic(), time.process_time()
    with video.open_camera(path) as camera, CameraWorker(engine, camera) as worker:
        delays, updates = run_live_window(root, worker, engine, explain=explain)
        elapsed, frame = time.monotonic() - started, worker.newest()
    assert frame is not None
    # The first frames wait for the window and the model.
    settled = np.array(delays[len(delays) // 4 :]) * 1000
    return {
        "delay_ms": {"median": round(float(np.median(settled)), 1), "p95": round(float(np.quantile(settled, 0.95)), 1)},
        "frames": frame.number,
        "dropped": frame.dropped,
        "fps": round(frame.fps, 1),
        "updates_per_s": round(updates, 1) if explain else None,
        "cores": round((time.process_time() - processor) / elapsed, 2),
    }


def format_live_table(figures: Figures) -> str:
    rows = [
        (
            name,
            row["delay_ms"]["median"],
            row["delay_ms"]["p95"],
            f"< {figures['target_ms']}",
            row["fps"],
            row.get("updates_per_s") or "",
            row["dropped"],
            row["cores"],
        )
        for name, row in figures["detectors"].items()
    ]
    header = [
        "detector",
        "delay, median ms",
        "95 %, ms",
        "target",
        "frames/s",
        "explanations/s",
        "dropped",
        "cores",
    ]
    # Other work on the machine is part of the figures.
    options = f"\n\nThe machine's load was {figures['load']} meanwhile: other work ran on it."
    return format_table(header, rows) + (options if figures["load"] > 3 else "")


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "live": ("live", format_live_table),
}


if __name__ == "__main__":
    main()
