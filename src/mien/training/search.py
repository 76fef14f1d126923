"""Hyperparameter search: which settings are tried (the search space), and the trials.

A search space is a TOML file with a section for each setting::

    [training.learning_rate]
    low = 0.01
    high = 0.3
    log = true          # uniform on a logarithmic scale

    [training.batch_size]
    low = 64
    high = 256
    step = 64

    [net.width]
    choices = [24, 32, 48]

The validation faces of the recipe are removed before the search; trials are compared on other validation faces, split
from the rest of the Training faces. PublicTest is not used. The study is saved in ``study.db`` (SQLite); the same call
resumes it, and an interrupted trial from its last completed epoch.
"""

from __future__ import annotations

import csv
import io
import json
import time
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, get_origin

import optuna
from optuna.trial import FrozenTrial, TrialState

from mien.datasets.dataset import FaceDataset
from mien.errors import ExperimentError
from mien.files import write_atomically
from mien.settings import Setting, check_setting, find_setting
from mien.training import checkpoint, schedule
from mien.training.callbacks import Callback, EpochEvent, Event, StopCheck, TrainingStopped
from mien.training.plan import RunPlan, adapt_validation
from mien.training.recipe import Recipe

STUDY, TRIALS, BEST = "study.db", "trials.csv", "best.toml"

#: Trials that are finished before any other is compared with them, and the fraction of the epochs before a comparison.
_STARTUP_TRIALS, _WARMUP_FRACTION = 4, 0.25
#: After so many failed trials in a row the search ends: the failure is not due to single settings.
_MAX_FAILURES = 5
_SECTION_EXAMPLE = "a section such as [training.learning_rate] with low and high was expected"
_COMPARISON = "trials are compared on validation faces"


# The search space


@dataclass(frozen=True)
class NumberRange:
    """Numbers from ``low`` to ``high``, both included; integers for an integer setting."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    integer: bool = False


@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[Any, ...]

    @property
    def words(self) -> list[str]:
        """Each value as JSON text, as Optuna's choices cannot be lists."""
        return [json.dumps(value) for value in self.values]

    def parse(self, word: str) -> Any:
        return self.values[self.words.index(word)]


Space = Mapping[str, NumberRange | Choices]


def read_space(path: Path) -> Space:
    """The search space in a TOML file."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        happened = f"The search space '{path}' cannot be read: {error.strerror or error}"
        raise ExperimentError(happened, "a TOML file with a section for each setting was expected") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentError(f"'{path}' is not valid TOML: {error}", _SECTION_EXAMPLE) from None
    sections = dict(_list_sections(table))
    if not sections:
        raise ExperimentError(f"The search space '{path}' has no settings", _SECTION_EXAMPLE)
    return {key: _parse_dimension(find_setting(Recipe, key), section) for key, section in sections.items()}


def _list_sections(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, section in table.items():
        if not isinstance(section, Mapping):
            raise ExperimentError(f"The search space has '{prefix}{name}' outside of a section", _SECTION_EXAMPLE)
        if any(isinstance(value, Mapping) for value in section.values()):
            yield from _list_sections(section, f"{prefix}{name}.")
        else:
            yield prefix + name, section


def _parse_dimension(setting: Setting, section: Mapping[str, Any]) -> NumberRange | Choices:
    names = ("low", "high", "log", "step", "choices")
    unknown = [name for name in section if name not in names]
    if unknown:
        happened = f"[{setting.key}] has the unknown key '{unknown[0]}'"
        raise ExperimentError(happened, f"the keys are {', '.join(names)}")
    if "choices" in section:
        values = section["choices"]
        if len(section) > 1 or not isinstance(values, list) or not values:
            happened = f"[{setting.key}] has choices that are not a list, or other keys beside them"
            raise ExperimentError(happened, "choices = [a, b, ...] was expected")
        for value in values:
            check_setting(setting, value)
        return Choices(tuple(values))
    return _parse_range(setting, section)


def _parse_range(setting: Setting, section: Mapping[str, Any]) -> NumberRange:
    key = setting.key
    if setting.type not in (int, float) or get_origin(setting.type):
        raise ExperimentError(f"[{key}] is not a number", "choices = [a, b, ...] was expected")
    ends = {name: section.get(name) for name in ("low", "high")}
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends.values()):
        expected = "low = ... and high = ... were expected, or choices = [...]"
        raise ExperimentError(f"[{key}] has no low or no high", expected)
    log, step = section.get("log", False), section.get("step")
    numbers = NumberRange(**ends, log=log, step=step, integer=setting.type is int)  # type: ignore[arg-type]
    if numbers.low >= numbers.high or (numbers.log and (numbers.low <= 0 or numbers.step)):
        happened = f"[{key}] has low {numbers.low:g} and high {numbers.high:g}{' with log' if numbers.log else ''}"
        expected = "low below high was expected; with log, low above 0 and no step"
        raise ExperimentError(happened, expected)
    for end in (numbers.low, numbers.high):
        check_setting(setting, int(end) if numbers.integer and float(end).is_integer() else end)
    return numbers


# The trials


class TrainFunction(Protocol):
    """The function that trains one trial: :func:`mien.training.loop.train`, or a faster one in tests."""

    def __call__(
        self,
        plan: RunPlan,
        folder: Path,
        *,
        callback: Callback | None,
        should_stop: StopCheck | None,
    ) -> object: ...


@dataclass(frozen=True)
class Trial:
    """One set of settings. ``value`` is the validation accuracy, None without one; ``epochs`` are the trained ones.

    ``state`` is finished, pruned, failed, interrupted or waiting.
    """

    number: int
    state: str
    settings: Mapping[str, Any]
    value: float | None
    epochs: int


@dataclass(frozen=True)
class SearchResult:
    """All trials, the best finished trial and the recipe with its settings; None where none is finished.

    ``importance`` is the fraction of the variance that each setting explains; it is only computed at the end.
    """

    trials: tuple[Trial, ...]
    best: Trial | None
    recipe: Recipe | None
    importance: Mapping[str, float]


def search_settings(
    recipe: Recipe,
    space: Space,
    faces: FaceDataset,
    folder: Path,
    *,
    trials: int,
    hours: float | None = None,
    callback: Callback | None = None,
    trial_callback: Callable[[Trial, SearchResult], None] | None = None,
    train: TrainFunction | None = None,
) -> SearchResult:
    """Train until ``trials`` are finished or pruned, or ``hours`` have passed.

    ``callback`` receives the events of each training, ``trial_callback`` each trial that ends. A study of another
    recipe or space is refused.
    """
    plan = adapt_validation(recipe, faces)
    recipe = plan.recipe
    if not len(plan.validation):
        raise ExperimentError("The recipe has no validation faces", _COMPARISON, "Set data.validation in it")
    deadline = time.monotonic() + hours * 3600 if hours else float("inf")
    folder.mkdir(parents=True, exist_ok=True)
    study = _open_study(folder, recipe, space)
    _enqueue_interrupted(study)
    failures = 0
    while _count_done(study) < trials and time.monotonic() < deadline:
        trial = study.ask()
        settings = {key: _suggest(trial, key, dimension) for key, dimension in space.items()}
        try:
            trial_plan = RunPlan(recipe.with_values(settings).with_absolute_paths(), plan.training)
            value = _train_trial(train, trial, trial_plan, folder, callback, deadline)
        except TrainingStopped:
            break  # its state remains "running": the next call resumes it
        except _PrunedTrial:
            study.tell(trial, state=TrialState.PRUNED)
        except ExperimentError:
            study.tell(trial, state=TrialState.FAIL)
            failures += 1
            if failures == _MAX_FAILURES or not _count_done(study):  # the recipe or the data, not the settings
                raise
        else:
            study.tell(trial, value)
            failures = 0
        result = _collect_results(study, recipe)
        _write_results(folder, result)
        if trial_callback:
            trial_callback(result.trials[trial.number], result)
    result = _collect_results(study, recipe)
    return replace(result, importance=_compute_importance(study, result))


class _PrunedTrial(Exception):
    """A trial that is worse than the others."""


def _open_study(folder: Path, recipe: Recipe, space: Space) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / STUDY).absolute()}")
    warmup_epochs = max(round(recipe.training.epochs * _WARMUP_FRACTION), 1)
    study = optuna.create_study(
        storage=storage,
        study_name="mien",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(_STARTUP_TRIALS, warmup_epochs),
    )
    # With the same seed a resumed study would repeat its first trials.
    study.sampler = optuna.samplers.TPESampler(seed=recipe.training.seed + len(study.trials))
    facts = json.dumps([recipe.to_table(), {key: repr(each) for key, each in space.items()}], sort_keys=True)
    before = study.user_attrs.get("recipe_and_space")
    if before is None:
        study.set_user_attr("recipe_and_space", facts)
    elif before != facts:
        happened = f"'{folder}' has a search of another recipe or space"
        raise ExperimentError(happened, "the same recipe and space were expected", "Name another folder with -o")
    return study


def _enqueue_interrupted(study: optuna.Study) -> None:
    """Interrupted trials are the next ones; they are resumed in their folders."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.enqueue_trial(trial.params, user_attrs={"folder": _folder_name(trial)})
        study.tell(trial.number, state=TrialState.FAIL)


def _folder_name(trial: Any) -> str:
    return str(trial.user_attrs.get("folder") or f"{trial.number:04d}")


def _count_done(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _suggest(trial: optuna.Trial, key: str, dimension: NumberRange | Choices) -> Any:
    if isinstance(dimension, Choices):
        return dimension.parse(trial.suggest_categorical(key, dimension.words))
    low, high, step, log = dimension.low, dimension.high, dimension.step, dimension.log
    if dimension.integer:
        return trial.suggest_int(key, int(low), int(high), step=int(step or 1), log=log)
    return trial.suggest_float(key, low, high, step=step, log=log)


def _train_trial(
    train: TrainFunction | None,
    trial: optuna.Trial,
    plan: RunPlan,
    folder: Path,
    callback: Callback | None,
    deadline: float,
) -> float:
    """Train one trial; its validation accuracy."""
    if train is None:
        from mien.training.loop import train  # Keras takes seconds to import
    run, values = folder / "trials" / _folder_name(trial), list[float]()

    def report(event: Event) -> None:
        if callback:
            callback(event)
        if isinstance(event, EpochEvent):
            for epoch in range(len(values), len(event.history)):
                values.append(_read_accuracy(event.history[epoch]))
                trial.report(values[-1], epoch + 1)
            if trial.should_prune():
                raise _PrunedTrial

    try:
        train(plan, run, callback=report, should_stop=lambda: time.monotonic() > deadline)
    except _PrunedTrial:
        _remove_weights(run)
        raise
    if not values:  # its last epoch was completed before the interruption
        values = [_read_accuracy(row) for row in checkpoint.read_history(run)]
    _remove_weights(run)
    return max(values) if plan.recipe.training.keep == "best" else values[-1]


def _read_accuracy(row: Mapping[str, float]) -> float:
    if schedule.METRIC not in row:
        happened, remedy = "A trial has no validation faces", "Remove data.validation from the search space"
        raise ExperimentError(happened, _COMPARISON, remedy)
    return row[schedule.METRIC]


def _remove_weights(run: Path) -> None:
    """Recipe and history of a trial remain; the weights of all trials would fill the disk."""
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE, checkpoint.BEST, checkpoint.WEIGHTS):
        (run / name).unlink(missing_ok=True)


# The results

_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
    TrialState.WAITING: "waiting",
}


def _collect_results(study: optuna.Study, recipe: Recipe) -> SearchResult:
    trials = tuple(_read_trial(each) for each in study.get_trials(deepcopy=False))
    finished = [each for each in trials if each.state == "finished" and each.value is not None]
    if not finished:
        return SearchResult(trials, None, None, {})
    best = max(finished, key=lambda each: (each.value, -each.number))
    return SearchResult(trials, best, recipe.with_values(dict(best.settings)), {})


def _read_trial(trial: FrozenTrial) -> Trial:
    values = trial.intermediate_values
    categorical = optuna.distributions.CategoricalDistribution
    settings = {
        key: json.loads(value) if isinstance(trial.distributions[key], categorical) else value
        for key, value in trial.params.items()
    }
    last = values[max(values)] if values else None
    value = last if trial.value is None else trial.value
    return Trial(trial.number, _STATES[trial.state], settings, value, len(values))


def _compute_importance(study: optuna.Study, result: SearchResult) -> dict[str, float]:
    """The fraction of the variance that each setting explains, 0 to 1; empty with too few different results."""
    finished = [each for each in result.trials if each.state == "finished"]
    if len(finished) < 3 or len({each.value for each in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


_BEST_HEADER = """\
# Trial {} of {}: validation accuracy {:.1f} % after {} epochs.
# It was selected because it is the best, so another training with it will be a little less accurate.

"""


def _write_results(folder: Path, result: SearchResult) -> None:
    write_atomically(folder / TRIALS, format_trials(result), sync=True)
    if result.recipe and result.best and result.best.value is not None:
        best = result.best
        header = _BEST_HEADER.format(best.number, len(result.trials), 100 * result.best.value, best.epochs)
        write_atomically(folder / BEST, header + result.recipe.to_toml(), sync=True)


def format_trials(result: SearchResult) -> str:
    """``trials.csv``: one row for each trial."""
    names = sorted({key for each in result.trials for key in each.settings})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", "accuracy", "epochs", *names])
    for each in result.trials:
        value = "" if each.value is None else f"{each.value:.5f}"
        rows.writerow([each.number, each.state, value, each.epochs, *(each.settings.get(name, "") for name in names)])
    return text.getvalue()
