"""Watches one film in a process of its own and prints what that cost, as JSON. Called by video.py."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2

from mien import Engine, video
from mien.draw import draw_readings
from mien.video import readers
from mien.video.tracker import DetectionSchedule, FaceTracker, InterpolatingTracker


def main() -> None:
    if os.environ.get("MIEN_BENCHMARK_WITHOUT") == "av":
        readers.find_spec = lambda name: None
    film, detector, how, *output = sys.argv[1:]
    engine = Engine.load(detector=detector, **({"threads": 1} if how == "shares" else {}))
    told = shares(engine, film, *output) if how == "shares" else whole(engine, film, how, *output)
    print(json.dumps(told))


def whole(engine: Engine, film: str, how: str, output: str = "") -> dict[str, Any]:
    """From the opened film to the last moment, as a caller does it."""
    start, frames, faces = time.perf_counter(), 0, 0
    about = video.open_video(film).info
    with video.open_writer(output, about.size, about.fps) if output else nullcontext() as out:
        for moment in engine.analyze_video(film, frames=bool(output)):
            frames, faces = frames + 1, faces + len(moment.result)
            if out is not None:
                out.write(draw_readings(moment.pixels, moment.result), moment.seconds)
    seconds = time.perf_counter() - start
    return {
        "frames": frames,
        "faces_a_frame": round(faces / frames, 2),
        "frames_per_s": round(frames / seconds, 1),
        "cpu_ms_a_frame": round(1000 * time.process_time() / frames, 2),
        "peak_mb": peak(),
    }


def peak() -> float | None:
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


def shares(engine: Engine, film: str, output: str) -> dict[str, float]:
    """Processor time of each stage, one after the other on one thread: milliseconds a frame."""
    cv2.setNumThreads(1)
    spent: Counter[str] = Counter()
    opened = video.open_video(film)
    searcher = DetectionSchedule(engine._detector)
    strides: InterpolatingTracker[Any] = InterpolatingTracker(FaceTracker(engine._detector, searcher))
    frames = 0
    with video.open_writer(output, opened.info.size, opened.info.fps) as out:
        for frame in timed(spent, "decoding", opened.frames()):
            frames += 1
            with clock(spent, "searching whole frames"):
                searched = searcher.search(frame.pixels, frame.seconds)
            with clock(spent, "following"):
                ready = strides.step(frame, frame.pixels, frame.seconds, searched)
            with clock(spent, "cutting out and judging"):
                found = [engine._cut_out("", each.pixels, tuple(f for _, f in people)) for each, people in ready]
            with clock(spent, "reading"):
                results = engine._read_found(found)
            for (each, _), result in zip(ready, results, strict=True):
                with clock(spent, "painting"):
                    painted = draw_readings(each.pixels, result)
                with clock(spent, "writing"):
                    out.write(painted, each.seconds)
    return {name: round(1000 * seconds / frames, 2) for name, seconds in spent.items()}


class clock:
    def __init__(self, spent: Counter[str], name: str) -> None:
        self.spent, self.name = spent, name

    def __enter__(self) -> None:
        self.start = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.spent[self.name] += time.process_time() - self.start


def timed(spent: Counter[str], name: str, items: Iterator[Any]) -> Iterator[Any]:
    while True:
        with clock(spent, name):
            item = next(items, None)
        if item is None:
            return
        yield item


if __name__ == "__main__":
    main()
