"""Comparison of models on the same faces: accuracy with intervals, cost, and whether the difference is significant."""

from __future__ import annotations

import csv
import json
import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from mien import plots
from mien.errors import ExperimentError
from mien.evaluation.evaluate import SPLITS, Predictions
from mien.evaluation.metrics import Mask, chance_accuracy
from mien.evaluation.report import (
    METRICS,
    TABLE,
    describe_chance,
    describe_faces,
    encode_json,
    percent_or_dash,
    write_files,
)
from mien.html import render
from mien.models.registry import RUN_FILE

#: The keys of ``metrics.json`` that a comparison needs.
_REQUIRED = ("model", "fingerprint", "ci95", "accuracy", "balanced_accuracy", "ece", "split")


class McNemar(NamedTuple):
    """``only_first`` and ``only_second``: the faces on which only that model is correct.

    ``p``: the probability of a difference at least so large between two models of the same accuracy.
    """

    only_first: int
    only_second: int
    p: float


class PairedDifference(NamedTuple):
    """The accuracy of the first model minus that of the second on the same faces, and its standard error."""

    difference: float
    standard_error: float


@dataclass(frozen=True)
class EvaluatedModel:
    """One evaluated model. ``correct`` is bool over the faces, None where the predictions were not stored.

    ``location`` distinguishes models of the same name; ``training_seconds`` is None where it is unknown.
    """

    name: str
    location: str
    metrics: Mapping[str, Any]
    correct: Mask | None = None
    training_seconds: float | None = None

    @property
    def fingerprint(self) -> str:
        """The fingerprint of the faces."""
        return str(self.metrics["fingerprint"])

    @property
    def chance(self) -> Mapping[str, Any] | None:
        """The accuracy by chance, as ``chance_accuracy`` has it; None in metrics without the classes."""
        table = self.metrics.get("per_class")
        return chance_accuracy({name: row["support"] for name, row in table.items()}) if table else None


@dataclass(frozen=True)
class ComparisonRow:
    """One model, or the mean of runs of one recipe with different seeds.

    ``spread`` is the standard deviation of their accuracies, 0 for a single run. ``milliseconds`` is None for
    out-of-fold predictions.
    """

    name: str
    models: tuple[EvaluatedModel, ...]
    accuracy: float
    low: float
    high: float
    spread: float
    accuracy_no_duplicates: float | None
    balanced_accuracy: float
    ece: float
    parameters: int
    megabytes: float
    milliseconds: float | None
    training_seconds: float | None


@dataclass(frozen=True)
class Comparison:
    """``rows``, the most accurate first; ``test`` and ``paired`` compare the first two.

    They are None with a ``reason`` where these cannot be compared.
    """

    rows: tuple[ComparisonRow, ...]
    test: McNemar | None = None
    reason: str = ""
    paired: PairedDifference | None = None


def mcnemar(first: Mask, second: Mask) -> McNemar:
    """McNemar's exact test of two models that are correct where these are true, bool (N,) over the same faces."""
    only_first, only_second = int(np.sum(first & ~second)), int(np.sum(second & ~first))
    return McNemar(only_first, only_second, _binomial_p(min(only_first, only_second), only_first + only_second))


def paired_difference(first: Mask, second: Mask) -> PairedDifference:
    """Of two models that are correct where these are true, bool (N,) over the same faces."""
    differences = first.astype(float) - second.astype(float)
    return PairedDifference(float(differences.mean()), float(differences.std() / math.sqrt(len(differences))))


def _binomial_p(fewer: int, total: int) -> float:
    """The two-sided p-value of ``fewer`` heads or less in ``total`` throws of a fair coin."""
    logs = [
        math.lgamma(total + 1) - math.lgamma(heads + 1) - math.lgamma(total - heads + 1) - total * math.log(2)
        for heads in range(fewer + 1)
    ]
    return min(1.0, 2 * math.fsum(map(math.exp, logs)))


def compare_models(models: Sequence[EvaluatedModel]) -> Comparison:
    """The rows of the table and the test of the best two."""
    groups = _group_seeds(_with_distinct_names(models))
    rows = tuple(sorted(map(_summarize, groups), key=lambda row: -row.accuracy))
    if len(rows) < 2:
        return Comparison(rows, None, "there is nothing to compare it with")
    first, second = (max(row.models, key=lambda each: each.metrics["accuracy"]) for row in rows[:2])
    if first.fingerprint != second.fingerprint:
        return Comparison(rows, None, f"{rows[0].name} and {rows[1].name} were evaluated on different faces")
    if first.correct is None or second.correct is None:
        name = (first if first.correct is None else second).name
        return Comparison(rows, None, f"the predictions of {name} were not stored")
    paired = paired_difference(first.correct, second.correct)
    return Comparison(rows, mcnemar(first.correct, second.correct), paired=paired)


def evaluated_model(predictions: Predictions, metrics: Mapping[str, Any], model: Path) -> EvaluatedModel:
    """A model that was evaluated just now; the history of its training may be in the folder of its file."""
    correct = predictions.scores.argmax(1) == predictions.faces.labels
    location = model.parent.name if model.name == RUN_FILE else model.name
    name = str(metrics["model"]["name"])
    return EvaluatedModel(name, location, metrics, correct, read_training_seconds(model.parent))


def read_evaluation(folder: Path) -> EvaluatedModel | None:
    """The evaluation in a folder; None where there is none."""
    try:
        metrics = json.loads((folder / METRICS).read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise _unreadable(folder / METRICS, getattr(error, "strerror", None) or str(error)) from error
    if not isinstance(metrics, dict) or any(key not in metrics for key in _REQUIRED):
        return None
    correct = _read_correct(folder / TABLE, metrics["faces"])
    name = str(metrics["model"]["name"])
    return EvaluatedModel(name, folder.name, metrics, correct, read_training_seconds(folder))


def _read_correct(path: Path, count: int) -> Mask | None:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            correct = np.array([row["label"] == row["prediction"] for row in csv.DictReader(file)], bool)
    except FileNotFoundError:
        return None
    except (OSError, KeyError, ValueError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or str(error)) from error
    if len(correct) != count:
        raise _unreadable(path, f"{len(correct)} rows for {count} faces")
    return correct


def _unreadable(path: Path, reason: str) -> ExperimentError:
    return ExperimentError(
        f"'{path}' cannot be read: {reason}", "a file written by 'mien evaluate' was expected", "Evaluate it again"
    )


def read_training_seconds(folder: Path) -> float | None:
    """The seconds in a run's ``history.csv``, summed over its epochs; None without it."""
    try:
        with (folder / "history.csv").open(encoding="utf-8", newline="") as file:
            return sum(float(row["seconds"]) for row in csv.DictReader(file))
    except (OSError, KeyError, ValueError, TypeError):
        return None


def has_model(folder: Path) -> bool:
    """Whether the folder has a model that can be evaluated again; a folder written by 'mien evaluate' has none."""
    return (folder / RUN_FILE).is_file()


def check_split(name: str, model: EvaluatedModel, split: str) -> None:
    """An ExperimentError where the evaluation is of another split than the requested one."""
    actual = model.metrics["split"]
    if actual != split:
        remedy = f"Add --split {actual}, or evaluate its model on the {split} split"
        if actual not in SPLITS:
            remedy = f"Compare it with other {actual} predictions, without --split"
        raise ExperimentError(f"'{name}' was evaluated on the {actual} split", f"{split} was expected", remedy)


def _with_distinct_names(models: Sequence[EvaluatedModel]) -> list[EvaluatedModel]:
    """Models of the same name get their location in brackets, and a number where that is the same too."""
    names = Counter(model.name for model in models)
    locations = Counter((model.name, model.location) for model in models)
    distinct = []
    for number, model in enumerate(models, 1):
        same = locations[model.name, model.location] > 1
        location = f"{model.location}, {number}" if same else model.location
        distinct.append(replace(model, name=f"{model.name} ({location})") if names[model.name] > 1 else model)
    return distinct


def _group_seeds(models: Sequence[EvaluatedModel]) -> list[list[EvaluatedModel]]:
    """Runs that differ only in their seed together; all others alone."""
    groups: dict[object, list[EvaluatedModel]] = defaultdict(list)
    for number, model in enumerate(models):
        groups[_recipe_without_seed(model) or number].append(model)
    single = [[each] for group in groups.values() if not _has_distinct_seeds(group) for each in group]
    return [group for group in groups.values() if _has_distinct_seeds(group)] + single


def _recipe_without_seed(model: EvaluatedModel) -> str:
    """The same text for runs of one recipe on the same faces with files of one size (int8 is not another seed)."""
    recipe = model.metrics["model"].get("recipe")
    if not isinstance(recipe, Mapping) or not isinstance(recipe.get("training"), Mapping):
        return ""
    training = {key: value for key, value in recipe["training"].items() if key != "seed"}
    size = round(model.metrics["model"]["megabytes"], 1)
    return json.dumps([{**recipe, "training": training, "name": ""}, model.fingerprint, size], sort_keys=True)


def _has_distinct_seeds(group: Sequence[EvaluatedModel]) -> bool:
    if len(group) < 2:
        return False
    seeds = [each.metrics["model"]["recipe"]["training"].get("seed") for each in group]
    return len(set(seeds)) == len(seeds)


def _summarize(group: Sequence[EvaluatedModel]) -> ComparisonRow:
    each = [model.metrics for model in group]
    facts = [metrics["model"] for metrics in each]
    times = [model.training_seconds for model in group if model.training_seconds is not None]
    latencies = [model["milliseconds"] for model in facts if model["milliseconds"] is not None]
    unique = [value for metrics in each if (value := metrics.get("accuracy_no_duplicates")) is not None]
    return ComparisonRow(
        name=group[0].name if len(group) == 1 else f"{facts[0]['name']} ({len(group)} seeds)",
        models=tuple(group),
        accuracy=statistics.fmean(metrics["accuracy"] for metrics in each),
        low=statistics.fmean(metrics["ci95"][0] for metrics in each),
        high=statistics.fmean(metrics["ci95"][1] for metrics in each),
        spread=statistics.stdev(metrics["accuracy"] for metrics in each) if len(each) > 1 else 0.0,
        accuracy_no_duplicates=statistics.fmean(unique) if unique else None,
        balanced_accuracy=statistics.fmean(metrics["balanced_accuracy"] for metrics in each),
        ece=statistics.fmean(metrics["ece"] for metrics in each),
        parameters=facts[0]["parameters"],
        megabytes=facts[0]["megabytes"],
        milliseconds=statistics.median(latencies) if latencies else None,
        training_seconds=statistics.fmean(times) if times else None,
    )


#: McNemar's test is called significant below this p-value.
_SIGNIFICANCE_LEVEL = 0.05

#: The fields of a row that are values of ``comparison.json`` under the same name.
_ROW_VALUES = tuple(field.name for field in fields(ComparisonRow))[5:]

_COLUMNS = (
    "model",
    "accuracy",
    "95 % interval",
    "no duplicates",
    "balanced",
    "ECE",
    "parameters",
    "MB",
    "ms",
    "training",
)


def comparison_title(comparison: Comparison) -> str:
    """``Models on the public split: 3,589 faces``; without the count where the models have different ones."""
    metrics = [model.metrics for row in comparison.rows for model in row.models]
    splits = " and ".join(f"the {split} split" for split in dict.fromkeys(each["split"] for each in metrics))
    counts = {each.get("faces") for each in metrics}
    has_count = len(counts) == 1 and counts != {None}
    return f"Models on {splits}" + (f": {describe_faces(metrics[0])}" if has_count else "")


def format_comparison(comparison: Comparison) -> str:
    """The title, the table, and the sentences about it."""
    rows = [_COLUMNS, *map(_cells, comparison.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_align(row, widths) for row in rows]
    return "\n".join([comparison_title(comparison), "", *lines, "", *summary_sentences(comparison)]) + "\n"


def table_rows(comparison: Comparison) -> list[dict[str, str]]:
    """The cells of the table as text, by the column's title."""
    return [dict(zip(_COLUMNS, _cells(row), strict=True)) for row in comparison.rows]


def summary_sentences(comparison: Comparison) -> Iterator[str]:
    """Sentences about the table, the test of the best two first."""
    if comparison.test is None:
        yield f"No test of the best two: {comparison.reason}."
    else:
        first, second = (row.name for row in comparison.rows[:2])
        only_first, only_second, p = comparison.test
        yield f"Only {first} is right on {only_first:,} faces, only {second} on {only_second:,}. McNemar's test:"
        significant = p < _SIGNIFICANCE_LEVEL
        yield f"significant (p = {p:.2g})." if significant else f"not significant (p = {p:.2g})."
    if comparison.paired is not None:
        difference, error = (100 * value for value in comparison.paired)
        yield f"Difference of the accuracies: {difference:.2f} points, with a standard error of {error:.2f}."
    chances = {describe_chance(chance) for row in comparison.rows for model in row.models if (chance := model.chance)}
    if len(chances) == 1:
        yield f"Accuracy by chance: {chances.pop()}."
    if len({model.fingerprint for row in comparison.rows for model in row.models}) > 1:
        yield "The models were evaluated on different faces, so the order of the rows means little."
    if any(len(row.models) > 1 for row in comparison.rows):
        yield "± is the standard deviation over the seeds of one recipe."
    if any(row.milliseconds is not None for row in comparison.rows):
        yield "ms: one face on one core, measured on the machine of each evaluation."


def plot_comparison(comparison: Comparison, runs: Sequence[str] = ()) -> Figure | None:
    """Accuracy against speed; None where no speed is known.

    ``runs`` are names of run folders in the order of their colours; other rows have the colours after them.
    """
    points = [
        plots.ModelPoint(row.name, row.milliseconds, row.accuracy, row.low, row.high, row.megabytes)
        for row in comparison.rows
        if row.milliseconds is not None
    ]
    if not points:
        return None
    folders = {row.name: row.models[0].location for row in comparison.rows}
    ordered = plots.assign_colours([*runs, *(folder for folder in folders.values() if folder not in runs)])
    return plots.plot_accuracy_and_speed(points, {name: ordered[folder] for name, folder in folders.items()})


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """The table and the test as plain numbers."""
    rows = [
        {
            "name": row.name,
            "runs": [{"name": model.name, "accuracy": model.metrics["accuracy"]} for model in row.models],
            "split": row.models[0].metrics["split"],
            "accuracy": row.accuracy,
            "ci95": [row.low, row.high],
            **{key: getattr(row, key) for key in _ROW_VALUES},
        }
        for row in comparison.rows
    ]
    test = None
    if comparison.test is not None:
        significant = comparison.test.p < _SIGNIFICANCE_LEVEL
        models = [row.name for row in comparison.rows[:2]]
        test = {**comparison.test._asdict(), "significant": significant, "models": models}
    if test is not None and comparison.paired is not None:
        test |= comparison.paired._asdict()
    return {"rows": rows, "mcnemar": test, "mcnemar_missing": comparison.reason or None}


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write ``comparison.json``, ``.txt``, ``.html`` and ``accuracy_and_speed.png``; the paths, the page last.

    There is no figure where no speed is known.
    """
    figure = plot_comparison(comparison)
    synthetic = any(model.metrics.get("synthetic") for row in comparison.rows for model in row.models)
    files = {"accuracy_and_speed.png": plots.render_png(figure, synthetic=synthetic)} if figure else {}
    files |= {
        "comparison.txt": format_comparison(comparison).encode(),
        "comparison.json": encode_json(comparison_values(comparison)),
        "comparison.html": render(
            "comparison.html",
            title=comparison_title(comparison),
            columns=_COLUMNS,
            rows=table_rows(comparison),
            sentences=list(summary_sentences(comparison)),
            figure=plots.render_svg(figure, "accuracy against speed", synthetic=synthetic) if figure else "",
        ).encode(),
    }
    return write_files(folder, files)


def _cells(row: ComparisonRow) -> tuple[str, ...]:
    interval = f"± {100 * row.spread:.1f}" if len(row.models) > 1 else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
    return (
        row.name,
        percent_or_dash(row.accuracy),
        interval,
        percent_or_dash(row.accuracy_no_duplicates),
        percent_or_dash(row.balanced_accuracy),
        percent_or_dash(row.ece),
        f"{row.parameters / 1e6:.2f} M" if row.parameters else "-",
        f"{row.megabytes:.1f}",
        "-" if row.milliseconds is None else f"{row.milliseconds:.2f}",
        _format_duration(row.training_seconds),
    )


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The first cell left-aligned, the others right-aligned."""
    first, *others = cells
    aligned = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *aligned]).rstrip()


def _format_duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{minutes} min"
