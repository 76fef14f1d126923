"""Robustness of the embedded models and of other models, in one run on the same pixels.

    python benchmarks/robustness.py fer2013.csv [--other fer=emotion_model.hdf5 --scale=-1-1]

The other models were trained on FER2013's Training faces, so this is one more evaluation on PublicTest. Each is an ONNX
file with a card, or a Keras file with FER2013's labels in their order and --scale for its pixel values.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import _results

from mien.datasets.loading import load_faces
from mien.evaluation import robustness
from mien.evaluation.groups import estimate_groups, measure_groups
from mien.evaluation.robustness import ModelRobustness, compare_robustness
from mien.export import keras_import
from mien.labels import EMOTIONS
from mien.models import load_classifier, resolve_model
from mien.models.checksums import read_checksums


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fer2013.csv or fer2013.npz")
    parser.add_argument("--other", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--scale", choices=keras_import.SCALES, default="0-1", help="pixel values of the Keras files")
    parser.add_argument("--split", choices=["public", "validation"], default="public")
    options = parser.parse_args()
    paths = {name: resolve_model(name) for name in read_checksums()}
    others = [argument.partition("=") for argument in options.other]
    paths |= {name: to_onnx(Path(file), options.scale) for name, _, file in others}
    classifiers = [load_classifier(path) for path in paths.values()]
    results = compare_robustness(classifiers, load_faces(options.data), options.split, print_progress)
    values = robustness.robustness_values(make_report(tuple(paths), results))
    print(_results.write_result("robustness", values))


def to_onnx(path: Path, scale: str) -> Path:
    return (
        keras_import.convert_to_onnx(path, labels=EMOTIONS, scale=scale) if keras_import.is_keras_file(path) else path
    )


def make_report(names: tuple[str, ...], results: list[ModelRobustness]) -> robustness.RobustnessReport:
    faces = results[0].predictions.faces
    columns, missing = estimate_groups(faces.pixels)
    groups = [
        tuple(measure_groups(name, values, each.predictions.scores, faces.labels) for name, values in columns.items())
        for each in results
    ]
    return robustness.RobustnessReport(names, tuple(results), tuple(groups), tuple(missing))


def print_progress(done: int, total: int) -> None:
    if done % 50_000 < 128:
        print(f"{done:,} of {total:,} faces", file=sys.stderr)


if __name__ == "__main__":
    main()
