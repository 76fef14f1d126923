"""Who is who, on films with known truth, with real detections; writes results/tracking.json.

python benchmarks/tracking.py --yunet FILE       every scene, both detectors; about eight minutes
python benchmarks/tracking.py --dry --seeds 1    print, and write nothing
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import _machine
import numpy as np
from _films import Drawn, Scene, scenes
from _matching import same
from _tables import Figures, format_percent, format_table

from mien.concurrency import single_core_opencv
from mien.faces.detectors import Detector, load_detector
from mien.video.tracker import DetectionSchedule, FaceTracker, InterpolatingTracker, TrackedFaces, solve_assignment

#: Someone of whom less shows need not be found, and may be.
SHOWS = 0.5
SIMPLE = ("two cross", "two cross, alike", "two cross fast", "two meet and part")


def main() -> None:
    options = arguments()
    detectors = {name: load_detector(name, yunet=options.yunet) for name in options.detectors}
    wanted = [scene for scene in scenes() if not options.only or options.only in scene.name]
    with single_core_opencv:
        figures = {name: whole(detector, wanted, options.seeds, options.ways) for name, detector in detectors.items()}
    figures["targets"] = {"idf1": 0.95, "switches_on_simple_crossings": 0}
    print(json.dumps(figures, indent=2) if options.dry else f"written: {_machine.write('tracking', figures).name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's file")
    parser.add_argument("--detectors", nargs="+", default=["haar", "yunet"], choices=["haar", "yunet"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--ways", nargs="+", default=["followed", "searched"], choices=["followed", "searched"])
    parser.add_argument("--only", help="scenes whose names hold this")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def whole(detector: Detector, wanted: list[Scene], seeds: int, chosen: list[str]) -> dict[str, Any]:
    """Both ways of following, in the same frames: searching now and then, and searching each."""
    return {way: ways(detector, wanted, seeds, way == "searched") for way in chosen}


class Plain:
    """A detector that cannot look near: every frame is searched."""

    def __init__(self, detector: Detector) -> None:
        self.name, self.detect = detector.name, detector.detect


def ways(detector: Detector, wanted: list[Scene], seeds: int, plain: bool) -> dict[str, Any]:
    rows: dict[str, Counter[str]] = defaultdict(Counter)
    seeds = 1 if plain else seeds  # searching every frame takes long, and is there to compare
    for seed in range(seeds):
        for scene in wanted:
            rows[scene.name].update(watched(Plain(detector) if plain else detector, Drawn(scene, seed)))
    total: Counter[str] = sum(rows.values(), Counter())
    simple: Counter[str] = sum((rows[name] for name in SIMPLE if name in rows), Counter())
    return {
        "seeds": seeds,
        "all": told(total),
        "switches_on_simple_crossings": simple["switches"],
        "scenes": {name: told(row) for name, row in rows.items()},
    }


def told(row: Counter[str]) -> dict[str, float]:
    return {
        "idf1": round(2 * row["id_right"] / max(row["true"] + row["found"], 1), 4),
        "switches": row["switches"],
        "fragments": row["fragments"],
        "people": row["people"],
        "numbers": row["numbers"],
        "missed": round(1 - row["hit"] / max(row["true"], 1), 4),
        "false": round(1 - row["hit"] / max(row["found"], 1), 4),
        "ms_a_frame": round(row["us"] / 1000 / max(row["frames"], 1), 2),
    }


def watched(detector: Detector, film: Drawn) -> Counter[str]:
    searcher = DetectionSchedule(detector)
    strides: InterpolatingTracker[int] = InterpolatingTracker(FaceTracker(detector, searcher))
    tracked, spent = [], 0.0
    for frame in film.frames():
        start = time.thread_time()
        searched = searcher.search(frame.pixels, frame.seconds)
        tracked += strides.step(frame.index, frame.pixels, frame.seconds, searched)
        spent += time.thread_time() - start
    tracked += strides.rest()
    return judged(film, [people for _, people in tracked]) + Counter(us=round(spent * 1e6), frames=len(tracked))


def judged(film: Drawn, tracked: list[TrackedFaces]) -> Counter[str]:
    """Counts over one film; a person who hardly shows counts neither when found nor when missed."""
    count: Counter[str] = Counter()
    together: Counter[tuple[Any, Any]] = Counter()
    last: dict[Any, int] = {}
    gone: dict[Any, bool] = {}
    numbers: set[int] = set()
    for index, people in enumerate(tracked):
        truth = film.truth[index]
        costs = np.array([[0.0 if same(face.box, true.box) else np.inf for _, face in people] for true in truth])
        pairs = dict(solve_assignment(_nearest(costs.reshape(len(truth), len(people)), truth, people)))
        ignored = sum(truth[row].shows < SHOWS for row in pairs)
        count["found"] += len(people) - ignored
        numbers |= {number for number, _ in people if number is not None}
        for row, true in enumerate(truth):
            if true.shows < SHOWS:
                continue
            count["true"] += 1
            number = people[pairs[row]][0] if row in pairs else None
            if number is None:
                gone[true.person] = true.person in last
                continue
            count["hit"] += 1
            together[true.person, number] += 1
            count["switches"] += last.get(true.person, number) != number
            count["fragments"] += gone.pop(true.person, False)
            last[true.person] = number
    count["id_right"] = _best(together)
    count["people"], count["numbers"] = len(last), len(numbers)
    return count


def _nearest(allowed: np.ndarray, truth: list[Any], people: TrackedFaces) -> np.ndarray:
    """Of several that fit, the nearest."""
    costs = allowed.copy()
    for row, true in enumerate(truth):
        for column, (_, face) in enumerate(people):
            costs[row, column] += abs(face.box.x - true.box.x) + abs(face.box.y - true.box.y)
    return costs


def _best(together: Counter[tuple[Any, Any]]) -> int:
    """How many faces have the right number, when numbers are given to people as well as can be."""
    people, numbers = sorted({p for p, _ in together}), sorted({n for _, n in together})
    costs = np.array([[-float(together[p, n]) for n in numbers] for p in people]).reshape(len(people), len(numbers))
    return round(-sum(costs[pair] for pair in solve_assignment(costs)))


def tracking_table(figures: Figures) -> str:
    """Both detectors, as films are followed and with every frame searched, which is the slow way to compare with."""
    rows = [
        (
            f"{detector}, {'as in mien' if way == 'followed' else 'every frame searched'}",
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
        for way, row in figures[detector].items()
    ]
    header = ["detector", "IDF1", "switches", "on simple crossings", "gaps", "numbers", "missed", "false", "ms a frame"]
    return format_table(header, rows)


def tracking_scenes_table(figures: Figures) -> str:
    names = figures["yunet"]["followed"]["scenes"]
    rows = [
        (
            name,
            *(
                cell
                for detector in ("yunet", "haar")
                for cell in _scene_cells(figures[detector]["followed"]["scenes"][name])
            ),
        )
        for name in names
    ]
    return format_table(["film", "yunet: IDF1", "switches", "gaps", "haar: IDF1", "switches", "gaps"], rows)


def _scene_cells(row: Figures) -> tuple[str, int, int]:
    return f"{row['idf1']:.3f}", row["switches"], row["fragments"]


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "tracking": ("tracking", tracking_table),
    "tracking-scenes": ("tracking", tracking_scenes_table),
}


if __name__ == "__main__":
    main()
