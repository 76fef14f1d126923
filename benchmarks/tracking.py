"""Tracking on synthetic videos with ground truth and real detectors; writes results/tracking.json.

python benchmarks/tracking.py --yunet FILE       every scene, both detectors; about eight minutes
python benchmarks/tracking.py --dry --seeds 1    print, and write nothing
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import _results
import numpy as np
from _face_matching import is_same_face
from _synthetic_videos import SyntheticVideo, VideoScene, scenes
from _tables import Figures, format_percent, format_table

from mien.concurrency import single_core_opencv
from mien.faces.detectors import Detector, load_detector
from mien.video.tracker import DetectionSchedule, FaceTracker, InterpolatingTracker, TrackedFaces, solve_assignment

#: A face with a smaller visible part counts neither as detected nor as missed.
MIN_VISIBLE = 0.5
SIMPLE = ("two cross", "two cross, alike", "two cross fast", "two meet and part")


def main() -> None:
    options = arguments()
    detectors = {name: load_detector(name, yunet=options.yunet) for name in options.detectors}
    selected = [scene for scene in scenes() if not options.only or options.only in scene.name]
    with single_core_opencv:
        figures = {
            name: measure_modes(detector, selected, options.seeds, options.modes)
            for name, detector in detectors.items()
        }
    figures["targets"] = {"idf1": 0.95, "switches_on_simple_crossings": 0}
    _results.write_or_print("tracking", figures, options.dry)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's file")
    parser.add_argument("--detectors", nargs="+", default=["haar", "yunet"], choices=["haar", "yunet"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--modes", nargs="+", default=["tracked", "whole"], choices=["tracked", "whole"])
    parser.add_argument("--only", help="scenes whose names contain this")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def measure_modes(detector: Detector, selected: list[VideoScene], seeds: int, modes: list[str]) -> dict[str, Any]:
    """The tracker of mien, and for comparison the detector in each whole frame."""
    return {mode: measure_scenes(detector, selected, seeds, mode == "whole") for mode in modes}


class FullFrameDetector:
    """A detector without local search: it runs in each whole frame."""

    def __init__(self, detector: Detector) -> None:
        self.name, self.detect = detector.name, detector.detect


def measure_scenes(detector: Detector, selected: list[VideoScene], seeds: int, whole_frames: bool) -> dict[str, Any]:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    seeds = 1 if whole_frames else seeds  # slow, and only for comparison
    for seed in range(seeds):
        for scene in selected:
            rows[scene.name].update(
                track_scene(FullFrameDetector(detector) if whole_frames else detector, SyntheticVideo(scene, seed))
            )
    total: Counter[str] = sum(rows.values(), Counter())
    simple: Counter[str] = sum((rows[name] for name in SIMPLE if name in rows), Counter())
    return {
        "seeds": seeds,
        "all": rates(total),
        "switches_on_simple_crossings": simple["switches"],
        "scenes": {name: rates(row) for name, row in rows.items()},
    }


def rates(row: Counter[str]) -> dict[str, float]:
    return {
        "idf1": round(2 * row["id_right"] / max(row["true"] + row["detected"], 1), 4),
        "switches": row["switches"],
        "fragments": row["fragments"],
        "people": row["people"],
        "numbers": row["numbers"],
        "missed": round(1 - row["hit"] / max(row["true"], 1), 4),
        "false": round(1 - row["hit"] / max(row["detected"], 1), 4),
        "ms_a_frame": round(row["us"] / 1000 / max(row["frames"], 1), 2),
    }


def track_scene(detector: Detector, video: SyntheticVideo) -> Counter[str]:
    schedule = DetectionSchedule(detector)
    tracker: InterpolatingTracker[int] = InterpolatingTracker(FaceTracker(detector, schedule))
    tracked, seconds = [], 0.0
    for frame in video.frames():
        start = time.thread_time()
        detection = schedule.step(frame.pixels, frame.seconds)
        tracked += tracker.step(frame.index, frame.pixels, frame.seconds, detection)
        seconds += time.thread_time() - start
    tracked += tracker.flush()
    return count_matches(video, [faces for _, faces in tracked]) + Counter(us=round(seconds * 1e6), frames=len(tracked))


def count_matches(video: SyntheticVideo, tracked: list[TrackedFaces]) -> Counter[str]:
    """Counts over one video."""
    count: Counter[str] = Counter()
    pair_counts: Counter[tuple[Any, Any]] = Counter()
    last: dict[Any, int] = {}
    missed: dict[Any, bool] = {}
    numbers: set[int] = set()
    for index, faces in enumerate(tracked):
        truth = video.truth[index]
        costs = np.array([[0.0 if is_same_face(face.box, true.box) else np.inf for _, face in faces] for true in truth])
        pairs = dict(solve_assignment(_add_distances(costs.reshape(len(truth), len(faces)), truth, faces)))
        ignored = sum(truth[row].visible < MIN_VISIBLE for row in pairs)
        count["detected"] += len(faces) - ignored
        numbers |= {number for number, _ in faces if number is not None}
        for row, true in enumerate(truth):
            if true.visible < MIN_VISIBLE:
                continue
            count["true"] += 1
            number = faces[pairs[row]][0] if row in pairs else None
            if number is None:
                missed[true.person] = true.person in last
                continue
            count["hit"] += 1
            pair_counts[true.person, number] += 1
            count["switches"] += last.get(true.person, number) != number
            count["fragments"] += missed.pop(true.person, False)
            last[true.person] = number
    count["id_right"] = _count_correct(pair_counts)
    count["people"], count["numbers"] = len(last), len(numbers)
    return count


def _add_distances(allowed: np.ndarray, truth: list[Any], faces: TrackedFaces) -> np.ndarray:
    """Costs of the allowed pairs: the distance of the boxes."""
    costs = allowed.copy()
    for row, true in enumerate(truth):
        for column, (_, face) in enumerate(faces):
            costs[row, column] += abs(face.box.x - true.box.x) + abs(face.box.y - true.box.y)
    return costs


def _count_correct(pair_counts: Counter[tuple[Any, Any]]) -> int:
    """The number of faces with the correct track number, for the best assignment of numbers to people."""
    people, numbers = sorted({p for p, _ in pair_counts}), sorted({n for _, n in pair_counts})
    costs = np.array([[-float(pair_counts[p, n]) for n in numbers] for p in people]).reshape(len(people), len(numbers))
    return round(-sum(costs[pair] for pair in solve_assignment(costs)))


def format_tracking_table(figures: Figures) -> str:
    """Both detectors, with the tracker of mien and with the detector in each whole frame."""
    rows = [
        (
            f"{detector}, {'as in mien' if mode == 'tracked' else 'detection in each frame'}",
            f"{row['all']['idf1']:.3f}",
            row["all"]["switches"],
            row["switches_on_simple_crossings"],
            row["all"]["fragments"],
            f"{row['all']['numbers']} for {row['all']['people']}",
            format_percent(row["all"]["missed"]),
            format_percent(row["all"]["false"]),
            row["all"]["ms_a_frame"],
        )
        for detector in ("yunet", "haar")
        for mode, row in figures[detector].items()
    ]
    header = ["detector", "IDF1", "switches", "on simple crossings", "gaps", "numbers", "missed", "false", "ms a frame"]
    return format_table(header, rows)


def format_tracking_scenes_table(figures: Figures) -> str:
    names = figures["yunet"]["tracked"]["scenes"]
    rows = [
        (
            name,
            *(
                cell
                for detector in ("yunet", "haar")
                for cell in _scene_cells(figures[detector]["tracked"]["scenes"][name])
            ),
        )
        for name in names
    ]
    return format_table(["video", "yunet: IDF1", "switches", "gaps", "haar: IDF1", "switches", "gaps"], rows)


def _scene_cells(row: Figures) -> tuple[str, int, int]:
    return f"{row['idf1']:.3f}", row["switches"], row["fragments"]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "tracking": ("tracking", format_tracking_table),
    "tracking-scenes": ("tracking", format_tracking_scenes_table),
}


if __name__ == "__main__":
    main()
