"""Export of finished runs to ONNX files with a card, refused unless ONNX Runtime predicts the same as Keras.

Other formats are in :mod:`mien.export.formats`.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from numpy.typing import NDArray

from mien.datasets.dataset import PUBLIC, SIDE, FaceDataset
from mien.errors import ExperimentError
from mien.evaluation.calibration import Calibration, calibrate, fit_decision, softmax
from mien.evaluation.compare import read_training_seconds
from mien.evaluation.evaluate import VALIDATION_FINGERPRINT, evaluate_classifier, fingerprint_faces
from mien.evaluation.metrics import accuracy, classification_metrics, people_metrics
from mien.export.formats import TOLERANCE
from mien.export.keras_to_onnx import build_onnx_model
from mien.export.quantize import convert_float16, quantize_int8
from mien.files import write_atomically
from mien.labels import VOTES
from mien.models import ModelCard, OnnxClassifier, write_card
from mien.training import checkpoint, networks, run_folder
from mien.training.plan import RunPlan
from mien.training.recipe import Recipe

log = logging.getLogger(__name__)

LICENSE = "See the LICENSE beside the weights: trained on FER2013 and FER+, whose rights are unresolved."

#: Training faces that calibrate the ranges of the int8 file.
CALIBRATION_FACES = 2000

#: Faces in one batch of Keras.
BATCH_SIZE = 250

#: Faces on which Keras and a file must agree; with fewer, the accuracy of a smaller file is not judged.
MIN_FACES = 60

#: The greatest loss of accuracy of a smaller file; one that loses more is not written.
MAX_LOSS = 0.1


@dataclass(frozen=True)
class FinishedRun:
    """A finished run for export: its network in float32, its card without scores, and its faces.

    The network has the heads of the file, in this order: ``scores``, and with two targets ``votes`` and ``label``;
    ``temperatures`` are the divisors of their logits.
    """

    model: keras.Model
    temperatures: Mapping[str, float]
    card: ModelCard
    training: FaceDataset
    validation: FaceDataset

    @property
    def test_faces(self) -> FaceDataset:
        """The faces for the accuracy of a file: the validation faces, or without any some training faces."""
        if len(self.validation):
            return self.validation
        return self.training.take(np.arange(len(self.training)) < CALIBRATION_FACES)

    @property
    def test_pixels(self) -> NDArray[np.uint8]:
        """Faces on which two files must agree, uint8 (N, 48, 48): validation faces, if there are enough."""
        return (self.validation if len(self.validation) >= MIN_FACES else self.training).pixels[:MIN_FACES]


def load_finished_run(run: Path, faces: FaceDataset, name: str = "", views: int | None = None) -> FinishedRun:
    """The finished run in a folder, with the data that it was trained on; an ExperimentError where it is not finished.

    ``views`` replaces the ``net.views`` of the recipe.
    """
    recipe = checkpoint.read_recipe(run)
    recipe = recipe if views is None else replace(recipe, net=replace(recipe.net, views=views))
    model = networks.build_recipe_network(recipe, "float32", finished=True)
    checkpoint.load_weights(run, model)
    plan = RunPlan(recipe, faces)
    if not len(plan.training):
        expected = "the training data of the run was expected"
        raise ExperimentError("The data has no Training faces", expected, "Name the data of the run")
    check_same_validation(run, plan.validation)
    calibration = calibrate_network(model, plan.validation, recipe.data.classes)
    card = make_card(model, recipe, calibration, name or recipe.name)
    finished, temperatures = add_decision_head(model, calibration, recipe.data.classes)
    return FinishedRun(finished, temperatures, card, plan.training, plan.validation)


def check_same_validation(run: Path, validation: FaceDataset) -> None:
    """Other data has other validation faces, some of which the run may have been trained on."""
    if not len(validation):
        return
    before = run_folder.read_run(run).environment.get("data", {}).get("validation")
    if before not in (None, fingerprint_faces(validation)):
        happened = f"'{run}' had other validation faces than this data has"
        expected = "the training data of the run was expected, in any file format"
        raise ExperimentError(happened, expected, "Name the data of the run")


def calibrate_network(model: keras.Model, validation: FaceDataset, labels: Sequence[str]) -> Calibration:
    """Temperatures, thresholds and the decision from the validation faces; the defaults without any."""
    targets = {"label": np.eye(len(labels))[validation.labels], "votes": validation.vote_scores()}
    if len(validation):
        logits = predict_logits_by_head(model, validation.pixels)
        return calibrate(logits, targets, validation.majority_labels(), labels)
    logits = {name: np.zeros((0, head.shape[-1])) for name, head in zip(model.output_names, model.outputs, strict=True)}
    decision = fit_decision(logits, targets["label"], validation.majority_labels(), labels) if "votes" in logits else {}
    return Calibration(dict.fromkeys(model.output_names, 1.0), 0.0, 0.2, decision)


def add_decision_head(
    model: keras.Model, calibration: Calibration, labels: Sequence[str]
) -> tuple[keras.Model, dict[str, float]]:
    """The network with the heads of a file, see :class:`FinishedRun`, and the temperatures of these heads.

    The logits of both heads are linear in the features, and so is their weighted sum: the new head is a dense layer.
    """
    decision, temperatures = calibration.decision, calibration.temperatures
    heads = {name: model.get_layer(name) for name in model.output_names}
    kernel, bias = heads["label"].get_weights()
    others = [name for name in ("votes", "label") if name in heads and (name == "votes" or decision)]
    if decision:
        columns = [VOTES.index(label) for label in labels]
        votes_kernel, votes_bias = heads["votes"].get_weights()
        kernel = decision["votes"] * votes_kernel[:, columns] + decision["label"] * kernel
        offsets = np.array([decision["offsets"][label] for label in labels])
        bias = decision["votes"] * votes_bias[columns] + decision["label"] * bias + offsets
    head = keras.layers.Dense(len(labels), dtype="float32", name="scores")
    finished = keras.Model(model.inputs[0], [head(heads["label"].input), *(heads[name].output for name in others)])
    finished.name = model.name
    head.set_weights([kernel.astype(np.float32), bias.astype(np.float32)])
    return finished, {
        "scores": 1.0 if decision else temperatures["label"],
        **{key: temperatures[key] for key in others},
    }


def predict_logits_by_head(model: keras.Model, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """The logits (N, K) of each head by its name, for uint8 faces (N, 48, 48)."""
    starts = range(0, len(pixels), BATCH_SIZE)
    batches = [pixels[start : start + BATCH_SIZE, ..., None].astype(np.float32) for start in starts]
    outputs = [keras.tree.flatten(model(faces, training=False)) for faces in batches]
    return {
        name: np.concatenate([keras.ops.convert_to_numpy(heads[index]) for heads in outputs])
        for index, name in enumerate(model.output_names)
    }


def make_card(model: keras.Model, recipe: Recipe, calibration: Calibration, name: str) -> ModelCard:
    """The card without scores."""
    return ModelCard(
        name=name,
        labels=recipe.data.classes,
        vote_labels=VOTES if "votes" in calibration.temperatures else (),
        side=SIDE,
        temperature=calibration.temperatures["label"],
        votes_temperature=calibration.temperatures.get("votes", 1.0),
        uncertain_below=calibration.uncertain_below,
        mixture_above=calibration.mixture_above,
        decision=calibration.decision,
        parameters=model.count_params(),
        multiply_adds=networks.count_multiply_adds(model),
        recipe=recipe.public_table(),
        license=LICENSE,
        date=datetime.datetime.now(datetime.UTC).date().isoformat(),
    )


def export_onnx(
    run: Path,
    faces: FaceDataset,
    target: Path,
    *,
    name: str = "",
    precision: str = "float32",
    notes: Mapping[str, Any] | None = None,
    split: str = PUBLIC,
    views: int | None = None,
) -> ModelCard:
    """Write the calibrated network of a finished run to ``target``; its card.

    ``precision`` is float32, int8 or float16 (half of the size); the loss of accuracy is written into the card.
    ``split`` is the split of the scores in the card, empty for the validation faces, which is no evaluation on test
    data. ``notes`` are further entries of the scores, such as the number of evaluations on a test split.
    """
    finished = load_finished_run(run, faces, name, views)
    content, export_scores = EXPORTS[precision](finished)
    classifier = OnnxClassifier(content)
    scores = (
        evaluate_classifier(classifier, faces, split) if split else validation_scores(classifier, finished.validation)
    )
    scores = {**scores, **export_scores, **training_cost(run), **(notes or {})}
    card = replace(finished.card, metrics=round_scores(scores))
    write_atomically(target, write_card(content, card), sync=True)
    return card


def to_onnx(finished: FinishedRun) -> tuple[bytes, dict[str, Any]]:
    """The float32 file, checked against Keras, and its scores for the card."""
    model = build_onnx_model(finished.model, finished.temperatures)
    content = write_card(model.SerializeToString(), finished.card)
    difference = check_equal(finished.model, finished.temperatures, OnnxClassifier(content), finished.test_pixels)
    log.info("Keras and ONNX Runtime differ by at most %.1e", difference)
    scores = {"precision": "float32", "keras_difference": difference, **_measure_accuracy(content, finished)}
    if len(finished.validation):
        scores[VALIDATION_FINGERPRINT] = fingerprint_faces(finished.validation)
    return content, scores


def to_int8(finished: FinishedRun, calibration_pixels: NDArray[np.uint8] | None = None) -> tuple[bytes, dict[str, Any]]:
    """The int8 file and its scores; its ranges are calibrated on training faces, or on these faces (N, 48, 48).

    The scores have the accuracy before and after: ``validation_accuracy`` and ``validation_accuracy_int8``, or without
    validation faces ``training_accuracy``. An ExperimentError where more than MAX_LOSS is lost.
    """
    content, scores = to_onnx(finished)
    pixels = finished.training.pixels if calibration_pixels is None else calibration_pixels
    model = quantize_int8(onnx.load_from_string(content), pixels[:CALIBRATION_FACES])
    return _finish_smaller(model, "int8", finished, scores)


def to_float16(finished: FinishedRun) -> tuple[bytes, dict[str, Any]]:
    """The file with float16 weights and its scores: half of the size, the same speed."""
    content, scores = to_onnx(finished)
    return _finish_smaller(convert_float16(onnx.load_from_string(content)), "float16", finished, scores)


EXPORTS = {"float32": to_onnx, "int8": to_int8, "float16": to_float16}


def _finish_smaller(
    model: onnx.ModelProto, precision: str, finished: FinishedRun, scores: Mapping[str, Any]
) -> tuple[bytes, dict[str, Any]]:
    content = write_card(model.SerializeToString(), finished.card)
    ((key, accuracy_after),) = _measure_accuracy(content, finished).items()
    loss = scores[key] - accuracy_after
    if loss > MAX_LOSS and len(finished.test_faces) >= MIN_FACES:  # with fewer, one face is several points
        happened = f"{precision} loses {100 * loss:.1f} points of accuracy"
        raise ExperimentError(happened, f"at most {100 * MAX_LOSS:.0f} points were expected", "Nothing was written")
    return content, {**scores, "precision": precision, f"{key}_{precision}": accuracy_after}


def _measure_accuracy(content: bytes, finished: FinishedRun) -> dict[str, float]:
    """The accuracy of the file on the test faces, under a key that says which faces these are."""
    faces = finished.test_faces
    scores = OnnxClassifier(content).run(faces.pixels[..., None]).target_scores("label")
    key = "validation_accuracy" if len(finished.validation) else "training_accuracy"
    return {key: accuracy(scores, faces.labels)}


def validation_scores(classifier: OnnxClassifier, validation: FaceDataset) -> dict[str, Any]:
    """All metrics on the validation faces, empty without any."""
    if not len(validation):
        return {}
    outputs = classifier.run(validation.pixels[..., None])
    metrics = classification_metrics(outputs.target_scores("label"), validation.labels, validation.classes)
    people = people_metrics(outputs.scores, validation)
    return {"split": "validation", "faces": len(validation), **metrics, **people}


def round_scores(scores: Any) -> Any:
    """Nested scores rounded to four decimals, which is the precision of a card."""
    if isinstance(scores, dict):
        return {key: round_scores(value) for key, value in scores.items()}
    if isinstance(scores, list | tuple):
        return [round_scores(value) for value in scores]
    if isinstance(scores, float):
        return round(scores, 4) if abs(scores) >= 5e-5 else float(f"{scores:.1e}")
    return scores


def check_equal(
    model: keras.Model, temperatures: Mapping[str, float], classifier: OnnxClassifier, pixels: np.ndarray
) -> float:
    """The largest difference of a probability, in batches of one and of three; an ExperimentError above TOLERANCE."""
    logits = predict_logits_by_head(model, pixels)
    expected = [softmax(logits[head] / temperatures[head]) for head in logits]
    worst = 0.0
    for size in (1, 3):
        starts = range(0, len(pixels) - size + 1, size)
        outputs = [classifier.run(pixels[start : start + size, ..., None]) for start in starts]
        for target, batches in zip(expected, zip(*outputs, strict=True), strict=False):
            predicted = np.concatenate(batches)
            worst = max(worst, float(np.abs(predicted - target[: len(predicted)]).max()))
    if not worst <= TOLERANCE:
        happened = f"Keras and ONNX Runtime differ by {worst:.2e}"
        raise ExperimentError(happened, f"at most {TOLERANCE:.0e} was expected", "Nothing was written")
    return worst


def training_cost(run: Path) -> dict[str, Any]:
    """What the run folder says about the cost of the training, for the card.

    ``training_seconds``, ``training_seconds_before`` of the runs whose weights it started from, and ``trained_on``, the
    machine; each only where it is known.
    """
    cost: dict[str, Any] = {}
    if seconds := read_training_seconds(run):
        cost["training_seconds"] = round(seconds)
    if seconds := _sum_earlier_seconds(run, {run.resolve()}):
        cost["training_seconds_before"] = round(seconds)
    with suppress(KeyError, TypeError, ExperimentError):
        machine = run_folder.read_run(run).environment["machine"]
        cores = machine["cores"]
        cost["trained_on"] = f"{machine['processor']}, {cores} core{'' if cores == 1 else 's'}"
    return cost


def _sum_earlier_seconds(run: Path, visited: set[Path]) -> float:
    """The training time of the run whose weights this run started from, and of those before it; 0 where unknown."""
    try:
        weights = checkpoint.read_recipe(run).net.weights
    except ExperimentError:
        return 0.0
    earlier = Path(weights).resolve()
    if weights in ("", "none", "imagenet") or earlier in visited:
        return 0.0
    return (read_training_seconds(earlier) or 0.0) + _sum_earlier_seconds(earlier, visited | {earlier})
