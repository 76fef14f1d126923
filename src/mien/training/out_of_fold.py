"""Out-of-fold predictions: each network predicts only faces that it was not trained on.

The Training faces are divided into folds, and a network is trained without each. Its predictions for the faces of that
fold, all folds together, cover every Training face. They are soft targets for a student, and the faces on which
decisions are taken: there are twenty times as many as validation faces, so the standard error is a quarter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien._version import __version__
from mien.datasets.dataset import TRAINING, FaceDataset, Progress
from mien.errors import ExperimentError
from mien.evaluation import calibration
from mien.evaluation.evaluate import Predictions, compute_metrics, fingerprint_faces
from mien.evaluation.inference import augment_views
from mien.evaluation.metrics import accuracy
from mien.labels import VOTES
from mien.models import ModelCard
from mien.training.distillation import TTA_VIEWS
from mien.training.recipe import Recipe
from mien.training.targets import SoftTargets, hash_faces

#: The name of the split in metrics and reports.
SPLIT = "out-of-fold"


def predict_folds(
    runs: Sequence[Path], faces: FaceDataset, *, tta: bool = True, progress: Progress | None = None
) -> SoftTargets:
    """The out-of-fold predictions of finished runs for all Training faces; of several runs of a fold their mean.

    With ``tta`` each logit is the mean over ten views of the face. The temperatures of both heads are fitted for each
    run on the faces of its fold. There are votes where all runs have that head. An ExperimentError where a fold has no
    run, or a run is unfinished, was trained on other data, or does not fit the others; before the first prediction.
    """
    # Imported here: the predictions can be read without Keras.
    from mien.export import onnx
    from mien.training import checkpoint, networks
    from mien.training.plan import RunPlan

    recipes = {run: checkpoint.read_recipe(run) for run in runs}
    by_fold = _group_by_fold(recipes)
    models, validation_faces = {}, {}
    for fold, fold_runs in sorted(by_fold.items()):
        validation_faces[fold] = RunPlan(recipes[fold_runs[0]], faces).validation
        for run in fold_runs:
            onnx.check_same_validation(run, validation_faces[fold])
            models[run] = networks.build_recipe_network(recipes[run], "float32", finished=True)
            checkpoint.load_weights(run, models[run])
    heads = ["label", "votes"] if all("votes" in model.output_names for model in models.values()) else ["label"]
    parts, run_facts, done = [], [], 0
    views, total = (TTA_VIEWS if tta else 1), len(models) * (TTA_VIEWS if tta else 1)
    for fold, validation in validation_faces.items():
        outputs = []
        for run in by_fold[fold]:
            means: dict[str, NDArray[np.float64]] = dict.fromkeys(heads, np.float64(0))
            for view in augment_views(validation.pixels) if tta else [validation.pixels]:
                logits = onnx.predict_logits_by_head(models[run], view)
                means = {head: mean + logits[head].astype(np.float64) / views for head, mean in means.items()}
                done += 1
                if progress:
                    progress(done, total)
            scores, facts = _calibrate(means, validation)
            outputs.append(scores)
            run_facts.append({"name": recipes[run].name, "fold": fold, "faces": len(validation), **facts})
        parts.append((validation, {head: np.mean([each[head] for each in outputs], axis=0) for head in heads}))
    pixels = np.concatenate([validation.pixels for validation, _ in parts])
    scores, votes = (
        np.concatenate([outputs[name] for _, outputs in parts]).astype(np.float32) if name in heads else None
        for name in ("label", "votes")
    )
    assert scores is not None, "every network has a head for the label"
    first = next(iter(recipes.values()))
    facts = {
        "classes": list(first.data.classes),
        "vote_classes": [] if votes is None else list(VOTES),
        "folds": first.data.folds,
        "runs": run_facts,
        "views": views,
        "faces": len(pixels),
        "fingerprint": fingerprint_faces(_training_faces(faces, first.data.classes)),
    }
    return SoftTargets.from_predictions(pixels, scores, votes, facts)


def _group_by_fold(recipes: Mapping[Path, Recipe]) -> dict[int, list[Path]]:
    first = next(iter(recipes.values()), Recipe())
    by_fold: dict[int, list[Path]] = defaultdict(list)
    for run, recipe in recipes.items():
        if recipe.data.folds < 2:
            happened = f"The run '{run.name}' was trained without folds"
            raise ExperimentError(happened, "runs with data.folds were expected", "Train with --set data.folds=5")
        if (recipe.data.folds, recipe.data.classes, recipe.data.group) != (
            first.data.folds,
            first.data.classes,
            first.data.group,
        ):
            happened = f"The run '{run.name}' has other folds or classes than the first run"
            raise ExperimentError(happened, "runs of the same folds were expected", "Name runs of one series")
        by_fold[recipe.data.fold].append(run)
    missing = [str(fold) for fold in range(1, first.data.folds + 1) if fold not in by_fold]
    if missing:
        happened = f"There is no run of fold {', '.join(missing)} of {first.data.folds}"
        remedy = f"Train it with --set data.fold={missing[0]}"
        raise ExperimentError(happened, "a run of each fold was expected", remedy)
    return by_fold


def _calibrate(
    logits: Mapping[str, NDArray[np.float64]], validation: FaceDataset
) -> tuple[dict[str, NDArray[np.floating[Any]]], dict[str, float]]:
    """The scores of each head at its temperature, and the facts about the run."""
    targets = {"label": np.eye(len(validation.classes))[validation.labels], "votes": validation.vote_scores()}
    temperatures = {head: calibration.fit_temperature(values, targets[head]) for head, values in logits.items()}
    scores = {head: calibration.softmax(values / temperatures[head]) for head, values in logits.items()}
    facts = {"accuracy": round(accuracy(scores["label"], validation.labels), 4)}
    facts |= {f"{head}_temperature": temperature for head, temperature in temperatures.items()}
    return scores, facts


def _training_faces(faces: FaceDataset, classes: tuple[str, ...]) -> FaceDataset:
    faces = faces.only(classes)
    return faces.take(faces.usage == TRAINING)


def evaluate_folds(path: Path, faces: FaceDataset) -> tuple[Predictions, dict[str, Any]]:
    """The out-of-fold predictions of a file for all Training faces, and their metrics.

    The decision that joins both heads for the target ``people`` is fitted on one half of the faces and applied to the
    other, both ways. An ExperimentError where the file has other soft targets, or other faces than the data.
    """
    soft_targets = SoftTargets.read(path)
    if not soft_targets.facts.get("folds"):
        happened = f"'{path}' has soft targets of teachers that were trained on these faces"
        raise ExperimentError(happened, "out-of-fold predictions were expected", "Write them with mien distill --folds")
    classes = tuple(soft_targets.facts.get("classes", ()))
    training = _training_faces(faces, classes)
    of_classes = np.isin(faces.labels, [faces.classes.index(name) for name in classes])
    others = Counter(faces.classes[label] for label in faces.labels[(faces.usage == TRAINING) & ~of_classes])
    covered, rows = soft_targets.find_rows(hash_faces(training.pixels))
    if not covered.all() or not len(training):
        happened = f"'{path}' has predictions for {int(covered.sum()):,} of the {len(training):,} Training faces"
        raise ExperimentError(happened, "the data of its runs was expected", "Name the data of the runs")
    scores = soft_targets.scores[rows]
    votes = None if soft_targets.votes is None else soft_targets.votes[rows]
    card = ModelCard(path.stem, classes, VOTES if votes is not None else ())
    predictions = Predictions(
        card=card,
        split=SPLIT,
        faces=training,
        indices=np.flatnonzero((faces.usage == TRAINING) & of_classes),
        unique=np.ones(len(training), bool),
        excluded={name: others[name] for name in faces.classes if others[name]},
        scores=scores,
        people_scores=scores if votes is None else _join_halves(scores, votes, training),
        votes=votes,
        calibrated=scores,
        temperature=None,
        validation_faces=0,
        tta={},
    )
    size = path.stat().st_size / 1e6
    model = {"name": card.name, "file": path.name, "megabytes": size, "parameters": 0, "multiply_adds": 0}
    facts = {"mien": __version__, "model": {**model, "milliseconds": None, "recipe": dict(soft_targets.facts)}}
    metrics = compute_metrics(predictions)
    metrics["calibration"] = {"temperature": None, "faces": len(training), "on": "the own fold of each run"}
    error = (metrics["accuracy"] * (1 - metrics["accuracy"]) / len(training)) ** 0.5
    return predictions, {**facts, **metrics, "standard_error": error}


def _join_halves(scores: NDArray[np.float32], votes: NDArray[np.float32], faces: FaceDataset) -> NDArray[np.float32]:
    logits = {"label": np.log(np.maximum(scores, 1e-7)), "votes": np.log(np.maximum(votes, 1e-7))}
    one_hot, majority = np.eye(len(faces.classes))[faces.labels], faces.majority_labels()
    joined = np.empty_like(scores)
    even = np.arange(len(scores)) % 2 == 0
    for half in (even, ~even):
        fitting = {head: values[~half] for head, values in logits.items()}
        decision = calibration.fit_decision(fitting, one_hot[~half], majority[~half], faces.classes)
        if not decision:
            return scores
        measured = {head: values[half] for head, values in logits.items()}
        joined[half] = calibration.softmax(calibration.join_logits(measured, faces.classes, decision))
    return joined
