"""The embedded models under everything that happens to faces, beside other models in the same run on the same pixels.

    python benchmarks/robustness.py fer2013.csv [--rival fer=emotion_model.hdf5 --scale=-1-1]

Rivals learned from FER2013's Training faces, so PublicTest is used: one more look at it. A rival is an ONNX file with a
card, or a Keras file with FER2013's labels in their order, for which --scale tells the pixels it takes.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import _machine

from mien.evaluation import robustness_report
from mien.evaluation.groups import estimate_groups, measure_groups
from mien.evaluation.robustness import ModelRobustness, compare_robustness
from mien.export import keras_import
from mien.labels import EMOTIONS
from mien.models import load_classifier, resolve_model
from mien.models.checksums import read_checksums


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("data", type=Path, help="fer2013.csv or fer2013.npz")
    words.add_argument("--rival", action="append", default=[], metavar="NAME=FILE")
    words.add_argument(
        "--scale", choices=keras_import.SCALES, default="0-1", help="of the pixels that Keras files take"
    )
    words.add_argument("--split", choices=["public", "validation"], default="public")
    given = words.parse_args()
    paths = {name: resolve_model(name) for name in read_checksums()}
    paths |= {name: opened(Path(file), given.scale) for name, _, file in (word.partition("=") for word in given.rival)}
    held = compare_robustness(
        [load_classifier(path) for path in paths.values()], loading.load_faces(given.data), given.split, told
    )
    print(_machine.write("robustness", robustness_report.robustness_values(report(tuple(paths), held))))


def opened(path: Path, scale: str) -> Path:
    return (
        keras_import.convert_to_onnx(path, labels=EMOTIONS, scale=scale) if keras_import.is_keras_file(path) else path
    )


def report(names: tuple[str, ...], held: list[ModelRobustness]) -> robustness_report.RobustnessReport:
    faces = held[0].answers.faces
    columns, missing = estimate_groups(faces.pixels)
    splits = [
        tuple(measure_groups(name, words, each.answers.shares, faces.labels) for name, words in columns.items())
        for each in held
    ]
    return robustness_report.RobustnessReport(names, tuple(held), tuple(splits), tuple(missing))


def told(done: int, total: int) -> None:
    if done % 50_000 < 128:
        print(f"{done:,} of {total:,} faces", file=sys.stderr)


if __name__ == "__main__":
    main()
