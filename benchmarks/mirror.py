"""What looking at a face's mirror image as well brings to finished runs, and costs; writes results/mirror.json.

    python benchmarks/mirror.py runs/base runs/small --data fer2013.npz     half a minute a run

Every run is exported to int8 twice, with ``net.mirror`` off and on, each calibrated on its held-out Training faces and
measured on the same ones: the difference is what counts. PublicTest is not looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import _machine
from accuracy import milliseconds

from mien.lab import data, export
from mien.lab.data import Faces
from mien.lab.scores import score_sheet
from mien.models import OnnxClassifier


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("runs", type=Path, nargs="+")
    words.add_argument("--data", type=Path, required=True)
    given = words.parse_args()
    faces = data.read(given.data)
    ways = {"once": False, "twice": True}
    figures = {run.name: {name: measured(run, faces, way) for name, way in ways.items()} for run in given.runs}
    print(f"written: {_machine.write('mirror', figures).name}")


def measured(run: Path, faces: Faces, mirror: bool) -> dict[str, Any]:
    done = export.finished(run, faces, mirror=mirror)
    content, _ = export.as_int8(done)
    classifier = OnnxClassifier(content, threads=1)
    shares = classifier.run(done.kept.pixels[..., None]).shares
    found = score_sheet(shares, done.kept.labels)
    told = {key: round(found[key], 4) for key in ("accuracy", "balanced_accuracy", "nll")}
    spent = milliseconds(classifier, faces.pixels[:1, ..., None])
    return {"held_out": len(done.kept), **told, "one_face_one_core_ms": spent}


if __name__ == "__main__":
    main()
