"""From a finished run to a file every window can load: ONNX with its card inside, refused unless both sides agree.

The other kinds of file are in :mod:`mien.export.formats`.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from mien.datasets.dataset import PUBLIC, FaceDataset
from mien.datasets.splits import split_training_validation
from mien.errors import ExperimentError, MienError
from mien.evaluation import calibration
from mien.evaluation.calibration import Calibration
from mien.evaluation.evaluate import VALIDATION_FINGERPRINT, evaluate_classifier, fingerprint_faces
from mien.evaluation.metrics import accuracy, classification_metrics
from mien.export.formats import TOLERANCE
from mien.export.keras_to_onnx import build_onnx_model
from mien.export.quantize import convert_float16, quantize_int8
from mien.files import write_atomically
from mien.labels import VOTES
from mien.models import ModelCard, OnnxClassifier, write_card
from mien.training import checkpoint, cost, environment, networks, run_folder
from mien.training.recipe import Recipe

log = logging.getLogger(__name__)

LICENSE = "See the LICENSE beside the weights: trained on FER2013 and FER+, whose rights are unresolved."

#: Training faces from which the int8 file learns its ranges.
CALIBRATION_FACES = 2000

#: Faces in one pass of Keras.
BATCH_SIZE = 250

#: Faces on which Keras and a file must agree, and from which on a smaller file's accuracy can be judged.
MIN_FACES = 60

#: A smaller file may cost so much accuracy; one that costs more is not written.
MAX_LOSS = 0.1


@dataclass(frozen=True)
class FinishedRun:
    """A finished run, ready to be written: its averaged net in float32, calibrated on the faces it never saw."""

    model: keras.Model
    recipe: Recipe
    fitted: Calibration
    card: ModelCard
    learned: FaceDataset
    kept: FaceDataset

    @property
    def measured(self) -> FaceDataset:
        """The faces on which a file's accuracy is told: the held-out ones, or without any some it learned from."""
        return self.kept if len(self.kept) else self.learned.take(np.arange(len(self.learned)) < CALIBRATION_FACES)

    @property
    def real(self) -> NDArray[np.uint8]:
        """Real faces on which two files must agree, uint8 (N, 48, 48): held-out ones, where there are any."""
        return (self.kept if len(self.kept) >= MIN_FACES else self.learned).pixels[:MIN_FACES]


def load_finished_run(run: Path, faces: FaceDataset, name: str = "", views: int | None = None) -> FinishedRun:
    """The run in a folder with the faces it came from; a ExperimentError where it has not ended.

    ``views`` is in how many ways the net shall look at each face; without it, as the recipe says.
    """
    recipe = checkpoint.read_recipe(run)
    recipe = recipe if views is None else replace(recipe, net=replace(recipe.net, views=views))
    model = load_trained_network(run, recipe)
    learned, kept = split_training_validation(recipe.data, faces)
    if not len(learned):
        raise ExperimentError(
            "The data has no Training faces", "the faces that the run learned from were expected", "Name its own data"
        )
    _refuse_other_faces(run, faces, kept)
    fitted = calibrate_network(model, kept)
    return FinishedRun(model, recipe, fitted, make_card(model, recipe, fitted, name or recipe.name), learned, kept)


def _refuse_other_faces(run: Path, faces: FaceDataset, kept: FaceDataset) -> None:
    """Of other data other faces are held out, and some of these the run may have learned from."""
    if not len(kept):
        return
    told = run_folder.read_run(run).environment.get("data", {})
    before = told.get("held_out")
    now = fingerprint_faces(kept)
    if before is None:  # runs wrote less down once
        before, now = told.get("fingerprint"), environment.fingerprint_dataset(faces)
    if before not in (None, now):
        happened = f"'{run}' held other faces out than would be held out of these"
        raise ExperimentError(happened, "the faces that it learned from were expected, in whatever file", "Name its own data")


def export_onnx(
    run: Path,
    faces: FaceDataset,
    target: Path,
    *,
    name: str = "",
    eight_bit: bool = False,
    sixteen_bit: bool = False,
    notes: Mapping[str, Any] | None = None,
    split: str = PUBLIC,
    views: int | None = None,
) -> ModelCard:
    """Writes the run's averaged net, calibrated on its held-out faces, to ``target``; the card it carries.

    ``eight_bit`` makes the int8 file, ``sixteen_bit`` one of half the size; what that costs on the held-out faces is
    written into the card. ``notes`` are
    further entries for the card's scores, such as how often the reported split was looked at. ``split`` is the one
    whose figures the card tells, empty for the held-out faces, which are no look at a test. ``views`` is as in
    :func:`finished`.
    """
    done = load_finished_run(run, faces, name, views)
    content, scores = to_int8(done) if eight_bit else to_float16(done) if sixteen_bit else to_onnx(done)
    told = evaluate_classifier(OnnxClassifier(content), faces, split) if split else validation_scores(content, done.kept)
    card = replace(done.card, scores=round_scores({**told, **scores, **cost.training_cost(run), **(notes or {})}))
    write_atomically(target, write_card(content, card), sync=True)
    return card


def to_onnx(done: FinishedRun) -> tuple[bytes, dict[str, Any]]:
    """The float32 file, refused unless it answers as Keras does; and what its card tells of it."""
    content = write_card(build_onnx_model(done.model, done.fitted.temperatures).SerializeToString(), done.card)
    difference = check_equal(done.model, done.fitted, OnnxClassifier(content), done.real)
    log.info("Keras and ONNX Runtime differ by %.1e at most", difference)
    told = {"precision": "float32", "keras_difference": difference, **_right(content, done)}
    return content, told | ({VALIDATION_FINGERPRINT: fingerprint_faces(done.kept)} if len(done.kept) else {})


def to_int8(done: FinishedRun, seen: NDArray[np.uint8] | None = None) -> tuple[bytes, dict[str, Any]]:
    """The int8 file, its ranges learnt from ``seen`` faces (N, 48, 48), else from those the run learned from.

    What it costs is measured on the held-out faces and told: ``held_out_accuracy`` and ``held_out_accuracy_int8``,
    or where none are held out ``learned_accuracy``. A ExperimentError where it costs more than COSTS.
    """
    content, scores = to_onnx(done)
    proto = quantize_int8(onnx.load_from_string(content), (done.learned.pixels if seen is None else seen)[:CALIBRATION_FACES])
    return _smaller(proto, "int8", done, scores)


def to_float16(done: FinishedRun) -> tuple[bytes, dict[str, Any]]:
    """The file with sixteen-bit weights: half of the size, the same time."""
    content, scores = to_onnx(done)
    return _smaller(convert_float16(onnx.load_from_string(content)), "float16", done, scores)


def _smaller(
    proto: onnx.ModelProto, precision: str, done: FinishedRun, scores: Mapping[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    small = write_card(proto.SerializeToString(), done.card)
    ((key, after),) = _right(small, done).items()
    lost = scores[key] - after
    if lost > MAX_LOSS and len(done.measured) >= MIN_FACES:  # of fewer, one face is several points
        happened = f"{precision} costs {100 * lost:.1f} points of accuracy"
        raise ExperimentError(happened, f"at most {100 * MAX_LOSS:.0f} points were expected", "Nothing was written")
    return small, {**scores, "precision": precision, f"{key}_{precision}": after}


def validation_scores(content: bytes, kept: FaceDataset) -> dict[str, Any]:
    """The score sheet on the held-out faces, empty where there are none."""
    if not len(kept):
        return {}
    shares = OnnxClassifier(content).run(kept.pixels[..., None]).scores
    return {"split": "validation", "faces": len(kept), **classification_metrics(shares, kept.labels, kept.classes)}


def _right(content: bytes, done: FinishedRun) -> dict[str, float]:
    """How many of the measured faces the file gets right, and in the key which these are."""
    faces = done.measured
    right = accuracy(OnnxClassifier(content).run(faces.pixels[..., None]).scores, faces.labels)
    return {"held_out_accuracy" if len(done.kept) else "learned_accuracy": right}


def round_scores(figures: Any) -> Any:
    """Nested figures with four places after the point: what a card can honestly claim."""
    if isinstance(figures, dict):
        return {key: round_scores(value) for key, value in figures.items()}
    if isinstance(figures, list | tuple):
        return [round_scores(value) for value in figures]
    if isinstance(figures, float):
        return round(figures, 4) if abs(figures) >= 5e-5 else float(f"{figures:.1e}")
    return figures


def load_trained_network(run: Path, recipe: Recipe) -> keras.Model:
    """The run's averaged net in float32, whatever it was trained in, as it reads."""
    model = networks.build_recipe_network(recipe, "float32", finished=True)
    checkpoint.load_weights(run, model)
    return model


def calibrate_network(model: keras.Model, kept: FaceDataset) -> Calibration:
    """Temperatures and thresholds from faces the net never saw; without any, all stays as it is."""
    if not len(kept):
        return Calibration(dict.fromkeys(model.output_names, 1.0), 0.0, 0.2)
    goals = {"shares": np.eye(len(kept.classes))[kept.labels], "votes": kept.vote_scores()}
    return calibration.calibrate(logits_by_head(model, kept.pixels), goals)


def logits_by_head(model: keras.Model, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Logits (N, K) under each head's name, for uint8 faces (N, 48, 48)."""
    batches = [pixels[i : i + BATCH_SIZE, ..., None].astype(np.float32) for i in range(0, len(pixels), BATCH_SIZE)]
    answers = [keras.tree.flatten(model(faces, training=False)) for faces in batches]
    return {
        name: np.concatenate([keras.ops.convert_to_numpy(answer[head]) for answer in answers])
        for head, name in enumerate(model.output_names)
    }


def check_equal(
    model: keras.Model, fitted: Calibration, classifier: OnnxClassifier, pixels: np.ndarray
) -> float:
    """The largest difference of any share, by ones and by threes; a ExperimentError where it passes the tolerance."""
    wanted = [
        calibration.softmax(logits / fitted.temperatures[head]) for head, logits in logits_by_head(model, pixels).items()
    ]
    worst = 0.0
    for size in (1, 3):
        batches = [classifier.run(pixels[i : i + size, ..., None]) for i in range(0, len(pixels) - size + 1, size)]
        for goal, found in zip(wanted, zip(*batches, strict=True), strict=False):
            answers = np.concatenate(found)
            worst = max(worst, float(np.abs(answers - goal[: len(answers)]).max()))
    if not worst <= TOLERANCE:
        raise ExperimentError(
            f"Keras and ONNX Runtime differ by {worst:.2e}",
            f"at most {TOLERANCE:.0e} was expected",
            "Nothing was written",
        )
    return worst


def make_card(model: keras.Model, recipe: Recipe, fitted: Calibration, name: str) -> ModelCard:
    """What the file says about itself, but for the scores."""
    return ModelCard(
        name=name,
        labels=recipe.data.classes,
        vote_labels=VOTES if "votes" in fitted.temperatures else (),
        side=networks.SIDE,
        temperature=fitted.temperatures["shares"],
        votes_temperature=fitted.temperatures.get("votes", 1.0),
        uncertain_below=fitted.uncertain_below,
        mixture_above=fitted.mixture_above,
        parameters=model.count_params(),
        multiply_adds=networks.count_multiply_adds(model),
        recipe=recipe.public_table(),
        license=LICENSE,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def main() -> None:
    """``python -m mien.export.onnx runs/base --data fer2013.csv --to base.onnx``."""
    import argparse

    from mien.datasets import dataset

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = argparse.ArgumentParser(
        prog="python -m mien.export.onnx", description="Write a run as an ONNX file with its card."
    )
    words.add_argument("run", type=Path)
    words.add_argument("--data", type=Path, required=True)
    words.add_argument("--to", type=Path, required=True)
    words.add_argument("--name", default="")
    words.add_argument("--int8", action="store_true", help="write the eight-bit file")
    words.add_argument("--looks", type=int, default=1, help="how often PublicTest was looked at, this time counted")
    given = words.parse_args()
    try:
        faces, notes = loading.load_faces(given.data), {"looks": given.looks}
        card = export_onnx(given.run, faces, given.to, name=given.name, eight_bit=given.int8, notes=notes)
    except MienError as error:
        raise SystemExit(str(error)) from None
    log.info("%s", card.to_json())


if __name__ == "__main__":
    main()
