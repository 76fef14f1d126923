"""Speed of explanations, with targets; writes results/explain.json.

    python benchmarks/explain.py            two cores, base, two faces; under a minute
    python benchmarks/explain.py --dry      print without writing

Every figure is the median over the faces of examples/portraits.jpg and several runs. No other job should run.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import _results
from _tables import Figures, format_table

from mien import Engine, images
from mien.explain.explainer import Explainer
from mien.explain.page import render_walkthrough
from mien.models import load_classifier, resolve_model

PORTRAITS = Path(__file__).resolve().parent.parent / "examples" / "portraits.jpg"
TARGETS = {"cam_adds_ms": 2, "occlusion_ms": 60, "rise_ms": 600, "activations_per_s": 10, "walkthrough_ms": 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="print without writing")
    options = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    figures = {**measure(), "targets": TARGETS, "model": "base", "cores": 2}
    _results.write_or_print("explain", figures, options.dry)


def measure() -> dict[str, Any]:
    engine = Engine.load(detector="haar", threads=2)
    start = time.perf_counter()
    crops = [explanation.crop for explanation in engine.explain_image(PORTRAITS, layers=())]
    first = time.perf_counter() - start
    explainer = Explainer(load_classifier(resolve_model("base"), threads=2))
    faces = [crop[:, :, None] for crop in crops]

    def time_median(function: Callable[[int], object], runs: int) -> float:
        """Milliseconds for one face, the median over faces and runs, after one run for each face."""
        for face in range(len(faces)):
            function(face)
        milliseconds = []
        for run in range(runs):
            start = time.perf_counter()
            function(run % len(faces))
            milliseconds.append(1000 * (time.perf_counter() - start))
        return median(milliseconds)

    reading = time_median(lambda i: engine.score(crops[i][None]), 200)
    cam = time_median(lambda i: engine.activations(crops[i], ()), 200)
    activations = time_median(lambda i: engine.activations(crops[i]), 200)
    return {
        "first_explanation_ms": round(1000 * first),
        "reading_ms": round(reading, 2),
        "cam_adds_ms": round(cam - reading, 2),
        "activations_ms": round(activations, 2),
        "activations_per_s": round(1000 / activations),
        "all_layers_ms": round(time_median(lambda i: engine.explain(crops[i], (), "all"), 40), 1),
        "occlusion_ms": round(time_median(lambda i: explainer.saliency(faces[i], "occlusion", "happy"), 40), 1),
        "rise_ms": round(time_median(lambda i: explainer.saliency(faces[i], "rise", "happy"), 20), 1),
        "walkthrough_ms": round(time_median(lambda i: render_face(engine, i + 1), 10)),
        "occlusion_and_counterfactual_ms": round(time_median(lambda i: engine.explain(crops[i], "occlusion"), 20), 1),
    }


def render_face(engine: Engine, face: int) -> str:
    """From the image file to the page of one face, as ``mien explain --format html`` writes it."""
    pixels = images.load_image(PORTRAITS).pixels
    [explanation] = engine.explain_image(pixels, face)
    return render_walkthrough(explanation, pixels)


def format_explain_table(figures: Figures) -> str:
    """The time of each part of an explanation, with targets."""
    targets = figures["targets"]
    rows = [
        ("cam_adds_ms", "class activation map, in addition to a prediction", "ms", "<"),
        ("occlusion_ms", "occlusion", "ms", "<"),
        ("rise_ms", "RISE, 500 masks", "ms", "<"),
        ("activations_per_s", "`engine.activations`: layers, scores and class map", "faces/s", "≥"),
        ("walkthrough_ms", "walkthrough page of one face, from the image file to the HTML", "ms", "<"),
        ("all_layers_ms", "activations of all layers", "ms", ""),
        ("occlusion_and_counterfactual_ms", "occlusion and counterfactual", "ms", ""),
        ("first_explanation_ms", "first explanation of two faces, with face detection and the session", "ms", ""),
    ]
    lines = [
        (text, f"{figures[name]} {unit}", f"{sign} {targets[name]} {unit}" if name in targets else "")
        for name, text, unit, sign in rows
        if name in figures
    ]
    return format_table([f"{figures['model']}, two cores", "measured", "target"], lines)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "explain": ("explain", format_explain_table),
}


if __name__ == "__main__":
    main()
