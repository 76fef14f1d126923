"""Two models on the same faces: is one really better, or was it luck?"""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from mien.errors import ExperimentError
from mien.evaluation.evaluate import Predictions
from mien.evaluation.metrics import Mask
from mien.evaluation.report import METRICS, TABLE
from mien.models.registry import RUN_FILE


class McNemar(NamedTuple):
    """``only_first`` and ``only_second``: faces that one got right and the other did not.

    ``p``: how often chance alone would split those faces at least so unevenly.
    """

    only_first: int
    only_second: int
    p: float


def mcnemar(first: Mask, second: Mask) -> McNemar:
    """McNemar's exact test of two models that were right where these are true, bool (N,) over the same faces."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return McNemar(only_first, only_second, _two_sided(min(only_first, only_second), only_first + only_second))


def _two_sided(fewer: int, both: int) -> float:
    """Twice the chance that a fair coin falls on one side ``fewer`` times or less in ``both`` throws; 1 at most."""
    logs = [_log_choices(both, heads) - both * math.log(2) for heads in range(fewer + 1)]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def _log_choices(both: int, heads: int) -> float:
    return math.lgamma(both + 1) - math.lgamma(heads + 1) - math.lgamma(both - heads + 1)


# ==== mien.lab.compare
# Several models in one table: what each gets right, how sure that is, what it costs, and who is really better.

#: What a row needs of ``metrics.json``.
_NEEDED = ("model", "fingerprint", "ci95", "accuracy", "balanced_accuracy", "ece", "split")


@dataclass(frozen=True)
class EvaluatedModel:
    """One evaluated model. ``right`` is bool over the faces, None where the answers were not kept.

    ``place`` tells it from others of its name; ``trained`` are the seconds its training took, None where nobody knows.
    """

    name: str
    place: str
    metrics: Mapping[str, Any]
    right: Mask | None = None
    trained: float | None = None

    @property
    def faces(self) -> str:
        return str(self.metrics["fingerprint"])


@dataclass(frozen=True)
class ComparisonRow:
    """One line of the table: a model, or the mean of runs of one recipe that differ in their seed.

    ``spread`` is the standard deviation of the accuracies, 0 for a single run.
    """

    name: str
    entries: tuple[EvaluatedModel, ...]
    accuracy: float
    low: float
    high: float
    spread: float
    no_twins: float | None
    balanced: float
    ece: float
    parameters: int
    megabytes: float
    milliseconds: float
    trained: float | None


@dataclass(frozen=True)
class Comparison:
    """``rows``, the most accurate first; ``test`` is of the first two, None where it cannot be made, and ``why``."""

    rows: tuple[ComparisonRow, ...]
    test: McNemar | None = None
    why: str = ""


def read_evaluation(folder: Path) -> EvaluatedModel | None:
    """The evaluation in a folder; None where there is none."""
    try:
        metrics = json.loads((folder / METRICS).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _torn(folder / METRICS, getattr(error, "strerror", None) or str(error)) from error
    if not isinstance(metrics, dict) or any(key not in metrics for key in _NEEDED):
        return None
    return EvaluatedModel(
        _name(metrics), folder.name, metrics, _right(folder / TABLE, metrics["faces"]), read_training_seconds(folder)
    )


def has_model(folder: Path) -> bool:
    """Whether a folder holds a model that can be evaluated anew; one that 'mien evaluate' wrote holds none."""
    return (folder / RUN_FILE).is_file()


def check_split(word: str, entry: EvaluatedModel, split: str) -> None:
    """A LabError where an evaluation is of another split than is asked for."""
    told = entry.metrics["split"]
    if told != split:
        remedy = f"Add --split {told}, or evaluate its model on the {split} split"
        raise ExperimentError(f"'{word}' was evaluated on the {told} split", f"{split} was expected", remedy)


def evaluated_model(found: Predictions, metrics: Mapping[str, Any], model: Path) -> EvaluatedModel:
    """A model that was evaluated just now; beside its file may lie the history of its training."""
    right = found.shares.argmax(1) == found.faces.labels
    place = model.parent.name if model.name == RUN_FILE else model.name
    return EvaluatedModel(_name(metrics), place, metrics, right, read_training_seconds(model.parent))


def compare_models(entries: Sequence[EvaluatedModel]) -> Comparison:
    """The table and the test of the best two."""
    rows = tuple(sorted(map(_row, _grouped(_told_apart(entries))), key=lambda row: -row.accuracy))
    if len(rows) < 2:
        return Comparison(rows, None, "there is nothing to compare it with")
    first, second = (max(row.entries, key=lambda each: each.metrics["accuracy"]) for row in rows[:2])
    if first.faces != second.faces:
        return Comparison(rows, None, f"{rows[0].name} and {rows[1].name} were measured on different faces")
    if first.right is None or second.right is None:
        return Comparison(rows, None, f"the answers of {(first if first.right is None else second).name} were not kept")
    return Comparison(rows, mcnemar(first.right, second.right))


def read_training_seconds(folder: Path) -> float | None:
    """The seconds in a run's ``history.csv``, summed over its epochs."""
    try:
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError, TypeError):
        return None


def _told_apart(entries: Sequence[EvaluatedModel]) -> list[EvaluatedModel]:
    """The entries, those that share a name told apart by their place, or where that is shared too by a number."""
    names = Counter(entry.name for entry in entries)
    places = Counter((entry.name, entry.place) for entry in entries)
    told = []
    for number, entry in enumerate(entries, 1):
        place = entry.place if places[entry.name, entry.place] == 1 else f"{entry.place}, {number}"
        told.append(replace(entry, name=f"{entry.name} ({place})") if names[entry.name] > 1 else entry)
    return told


def _grouped(entries: Sequence[EvaluatedModel]) -> list[list[EvaluatedModel]]:
    groups: dict[object, list[EvaluatedModel]] = defaultdict(list)
    for number, entry in enumerate(entries):
        groups[_recipe_but_seed(entry) or number].append(entry)
    apart = [[each] for group in groups.values() if not _seeds_differ(group) for each in group]
    return [group for group in groups.values() if _seeds_differ(group)] + apart


def _recipe_but_seed(entry: EvaluatedModel) -> str:
    """The same for runs of one recipe, on the same faces, in files of one size: an int8 file is no other seed."""
    recipe = entry.metrics["model"].get("recipe")
    if not isinstance(recipe, Mapping) or not isinstance(recipe.get("fit"), Mapping):
        return ""
    fit = {key: value for key, value in recipe["fit"].items() if key != "seed"}
    size = round(entry.metrics["model"]["megabytes"], 1)
    return json.dumps([{**recipe, "fit": fit, "name": ""}, entry.faces, size], sort_keys=True)


def _seeds_differ(group: Sequence[EvaluatedModel]) -> bool:
    if len(group) < 2:
        return False
    seeds = [each.metrics["model"]["recipe"]["fit"].get("seed") for each in group]
    return len(set(seeds)) == len(seeds)


def _row(group: Sequence[EvaluatedModel]) -> ComparisonRow:
    each = [entry.metrics for entry in group]
    models = [metrics["model"] for metrics in each]
    times = [entry.trained for entry in group if entry.trained is not None]
    twins = [metrics["accuracy_no_twins"] for metrics in each if metrics.get("accuracy_no_twins") is not None]
    return ComparisonRow(
        name=group[0].name if len(group) == 1 else f"{_name(each[0])} ({len(group)} seeds)",
        entries=tuple(group),
        accuracy=statistics.fmean(metrics["accuracy"] for metrics in each),
        low=statistics.fmean(metrics["ci95"][0] for metrics in each),
        high=statistics.fmean(metrics["ci95"][1] for metrics in each),
        spread=statistics.stdev(metrics["accuracy"] for metrics in each) if len(each) > 1 else 0.0,
        no_twins=statistics.fmean(twins) if twins else None,
        balanced=statistics.fmean(metrics["balanced_accuracy"] for metrics in each),
        ece=statistics.fmean(metrics["ece"] for metrics in each),
        parameters=models[0]["parameters"],
        megabytes=models[0]["megabytes"],
        milliseconds=statistics.median(model["milliseconds"] for model in models),
        trained=statistics.fmean(times) if times else None,
    )


def _name(metrics: Mapping[str, Any]) -> str:
    return str(metrics["model"]["name"])


def _right(path: Path, count: int) -> Mask | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            right = np.array([row["label"] == row["answer"] for row in csv.DictReader(file)], bool)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        raise _torn(path, getattr(error, "strerror", None) or str(error)) from error
    if len(right) != count:
        raise _torn(path, f"{len(right)} rows for {count} faces")
    return right


def _torn(path: Path, reason: str) -> ExperimentError:
    return ExperimentError(
        f"'{path}' cannot be read: {reason}", "what 'mien evaluate' wrote was expected", "Evaluate it again"
    )
