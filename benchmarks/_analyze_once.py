"""Analyses one video in a process of its own and prints speed and memory as JSON. Called by video.py."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mien import Engine, video
from mien.draw import draw_readings
from mien.faces.crop import to_model_input
from mien.faces.detectors import load_detector
from mien.faces.quality import assess_quality
from mien.models import Classifier, find_model_file, load_classifier, resolve_model
from mien.models.decision import build_emotions
from mien.results import Emotions, FrameResult, Pixels, Reading
from mien.video import readers
from mien.video.tracker import DetectionSchedule, FaceTracker, InterpolatingTracker


def main() -> None:
    if os.environ.get("MIEN_BENCHMARK_WITHOUT") == "av":
        readers.find_spec = lambda name: None
    path, detector, mode, *output = sys.argv[1:]
    if mode == "stages":
        figures = measure_stages(path, detector, *output)
    else:
        figures = analyze(Engine.load(detector=detector), path, *output)
    print(json.dumps(figures))


def analyze(engine: Engine, path: str, output: str = "") -> dict[str, Any]:
    """From opening the video to the last frame."""
    start, frames, faces = time.perf_counter(), 0, 0
    info = video.open_video(path).info
    with video.open_writer(output, info.size, info.fps) if output else nullcontext() as writer:
        for frame in engine.analyze_video(path, frames=bool(output)):
            frames, faces = frames + 1, faces + len(frame.result)
            if writer is not None:
                writer.write(draw_readings(frame.pixels, frame.result), frame.seconds)
    seconds = time.perf_counter() - start
    return {
        "frames": frames,
        "faces_a_frame": round(faces / frames, 2),
        "frames_per_s": round(frames / seconds, 1),
        "cpu_ms_a_frame": round(1000 * time.process_time() / frames, 2),
        "peak_mb": read_peak_megabytes(),
    }


def read_peak_megabytes() -> float | None:
    """The peak resident memory of this process; None where the system has no ``/proc``."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return round(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024, 1)


def measure_stages(path: str, detector_name: str, output: str) -> dict[str, float]:
    """Processor time of each stage on one thread: milliseconds a frame."""
    detector = load_detector(detector_name, yunet=find_model_file("yunet"), threads=1)
    classifier = load_classifier(resolve_model("base"), threads=1)
    engine = Engine(classifier, detector)
    seconds_by_stage: Counter[str] = Counter()
    reader = video.open_video(path)
    schedule = DetectionSchedule(detector)
    tracker: InterpolatingTracker[Any] = InterpolatingTracker(FaceTracker(detector, schedule))
    frames = 0
    with video.open_writer(output, reader.info.size, reader.info.fps) as writer:
        for frame in time_items(seconds_by_stage, "decoding", reader.frames()):
            frames += 1
            with StageTimer(seconds_by_stage, "detection in whole frames"):
                detection = schedule.step(frame.pixels, frame.seconds)
            with StageTimer(seconds_by_stage, "tracking"):
                ready = tracker.step(frame, frame.pixels, frame.seconds, detection)
            with StageTimer(seconds_by_stage, "cropping and quality"):
                crops = [(each, face, engine.crop(each.pixels, face)) for each, faces in ready for _, face in faces]
                qualities = [assess_quality(each.pixels, face, crop) for each, face, crop in crops]
            with StageTimer(seconds_by_stage, "classification"):
                emotions = classify(classifier, [crop for _, _, crop in crops])
            readings = iter(map(Reading, (face for _, face, _ in crops), emotions, qualities))
            for each, faces in ready:
                with StageTimer(seconds_by_stage, "annotation"):
                    frame_readings = tuple(islice(readings, len(faces)))
                    result = FrameResult("", reader.info.size, frame_readings, detector.name, classifier.card.name)
                    annotated = draw_readings(each.pixels, result)
                with StageTimer(seconds_by_stage, "writing"):
                    writer.write(annotated, each.seconds)
    return {name: round(1000 * seconds / frames, 2) for name, seconds in seconds_by_stage.items()}


def classify(classifier: Classifier, crops: list[Pixels]) -> list[Emotions]:
    if not crops:
        return []
    card = classifier.card
    outputs = classifier.run(to_model_input(np.stack(crops), card.side, card.color))
    votes = outputs.votes if outputs.votes is not None else [None] * len(crops)
    return [build_emotions(card, *values) for values in zip(outputs.scores, votes, strict=True)]


class StageTimer:
    def __init__(self, seconds_by_stage: Counter[str], name: str) -> None:
        self.seconds_by_stage, self.name = seconds_by_stage, name

    def __enter__(self) -> None:
        self.start = time.process_time()

    def __exit__(self, *_: object) -> None:
        self.seconds_by_stage[self.name] += time.process_time() - self.start


def time_items(seconds_by_stage: Counter[str], name: str, items: Iterator[Any]) -> Iterator[Any]:
    while True:
        with StageTimer(seconds_by_stage, name):
            item = next(items, None)
        if item is None:
            return
        yield item


if __name__ == "__main__":
    main()
