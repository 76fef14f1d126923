"""How fast the looking inside is, beside its targets; writes results/explain.json.

    python benchmarks/explain.py            two cores, base, on the free portraits; under a minute
    python benchmarks/explain.py --dry      print, and write nothing

Every figure is the median over the faces of examples/portraits.jpg and several runs. The machine should be quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import _machine
from _tables import Figures, format_table

from mien import Engine, images
from mien.explain.explainer import Explainer
from mien.explain.page import render_walkthrough

PORTRAITS = Path(__file__).resolve().parent.parent / "examples" / "portraits.jpg"
TARGETS = {"cam_adds_ms": 2, "occlusion_ms": 60, "rise_ms": 600, "looks_per_s": 10, "journey_ms": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    figures = {**measured(), "targets": TARGETS, "model": "base", "cores": 2}
    print(json.dumps(figures, indent=2) if options.dry else f"written: {_machine.write('explain', figures).name}")


def measured() -> dict[str, Any]:
    engine = Engine.load(detector="haar", threads=2)
    first = time.perf_counter()
    crops = [told.crop for told in engine.explain_image(PORTRAITS, layers=())]
    first = time.perf_counter() - first
    inside = Explainer(engine._classifier)
    faces = [crop[:, :, None] for crop in crops]

    def over(work: Callable[[int], object], times: int) -> float:
        """Milliseconds for one face, the median over faces and runs."""
        for place in range(len(faces)):
            work(place)
        taken = []
        for run in range(times):
            start = time.perf_counter()
            work(run % len(faces))
            taken.append(1000 * (time.perf_counter() - start))
        return median(taken)

    reading = over(lambda i: engine.score(crops[i][None]), 200)
    cam = over(lambda i: engine.activations(crops[i], ()), 200)
    look = over(lambda i: engine.activations(crops[i]), 200)
    return {
        "first_explanation_ms": round(1000 * first),
        "reading_ms": round(reading, 2),
        "cam_adds_ms": round(cam - reading, 2),
        "look_ms": round(look, 2),
        "looks_per_s": round(1000 / look),
        "all_layers_ms": round(over(lambda i: engine.explain(crops[i], (), "all"), 40), 1),
        "occlusion_ms": round(over(lambda i: inside.saliency(faces[i], "occlusion", "happy"), 40), 1),
        "rise_ms": round(over(lambda i: inside.saliency(faces[i], "rise", "happy"), 20), 1),
        "journey_ms": round(over(lambda i: render_face(engine, i + 1), 10)),
        "occlusion_and_flip_ms": round(over(lambda i: engine.explain(crops[i], "occlusion"), 20), 1),
    }


def render_face(engine: Engine, face: int) -> str:
    """From the file of the picture to the whole page of one face, as ``mien explain --format html`` makes it."""
    pixels = images.load_image(PORTRAITS).pixels
    [told] = engine.explain_image(pixels, face)
    return render_walkthrough(told, pixels)


def explain_table(figures: Figures) -> str:
    """What looking inside costs, beside its targets."""
    wanted = figures["targets"]
    rows = [
        ("cam_adds_ms", "a class map, on top of a reading", "ms", "<"),
        ("occlusion_ms", "occlusion", "ms", "<"),
        ("rise_ms", "RISE, 500 masks", "ms", "<"),
        ("looks_per_s", "`engine.look`: layers, shares and class map", "faces/s", "≥"),
        ("journey_ms", "the walkthrough page of one face, from the image file to the HTML", "ms", "<"),
        ("all_layers_ms", "activations of every layer", "ms", ""),
        ("occlusion_and_flip_ms", "occlusion, and the smallest part that changes the answer", "ms", ""),
        ("first_explanation_ms", "the first explanation, two faces found and the model opened", "ms", ""),
    ]
    lines = [
        (words, f"{figures[name]} {unit}", f"{sign} {wanted[name]} {unit}" if name in wanted else "")
        for name, words, unit, sign in rows
        if name in figures
    ]
    return format_table([f"{figures['model']}, two cores", "measured", "target"], lines)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "explain": ("explain", explain_table),
}


if __name__ == "__main__":
    main()
