"""What a search may try: a TOML file with a section for each setting of a recipe.

::

    [training.learning_rate]
    low = 0.01
    high = 0.3
    log = true          # as many tries from 0.01 to 0.05 as from 0.06 to 0.3

    [training.batch_size]
    low = 64
    high = 256
    step = 64

    [net.width]
    choices = [24, 32, 48]
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
from mien.datasets.splits import split_training_validation
from mien.errors import ExperimentError, suggest_name
from mien.files import write_atomically
from mien.training import checkpoint
from mien.training import recipe as toml
from mien.training.callbacks import Callback, EpochEvent, Event, StopCheck, TrainingStopped
from mien.training.recipe import Recipe, check_value, list_settings
from mien.training.schedule import adapt_validation


@dataclass(frozen=True)
class NumberRange:
    """Numbers from ``low`` to ``high``, both inside; whole ones for a setting that is whole."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False


@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[Any, ...]

    @property
    def words(self) -> list[str]:
        """Each as one word, so that lists can be chosen among too."""
        return [json.dumps(value) for value in self.values]

    def of_word(self, word: str) -> Any:
        return self.values[self.words.index(word)]


Space = Mapping[str, NumberRange | Choices]


def read_space(path: Path) -> Space:
    """The space in a TOML file; a ExperimentError says what in it cannot be meant."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        happened = f"The space '{path}' cannot be read: {error.strerror or error}"
        raise ExperimentError(happened, "a TOML file with a section for each setting was expected") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise ExperimentError(f"'{path}' is not TOML: {broken}", "sections such as [training.learning_rate] were expected") from None
    found = dict(_sections(table))
    if not found:
        raise ExperimentError(f"'{path}' tries nothing", "a section such as [training.learning_rate] with low and high was expected")
    return {key: _dimension(key, section) for key, section in found.items()}


def replace_settings(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings, by their dotted names."""
    table = recipe.to_table()
    for key, value in values.items():
        inside = table
        *sections, last = key.split(".")
        for section in sections:
            inside = inside[section]
        inside[last] = value
    return replace(Recipe.from_table(table), place=recipe.folder)


def _sections(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inside in table.items():
        if not isinstance(inside, Mapping):
            expected = "a section such as [training.learning_rate] with low and high was expected"
            raise ExperimentError(f"The space has '{where}{name}' by itself", expected)
        if any(isinstance(value, Mapping) for value in inside.values()):
            yield from _sections(inside, f"{where}{name}.")
        else:
            yield where + name, inside


def _dimension(key: str, section: Mapping[str, Any]) -> NumberRange | Choices:
    kinds = dict(list_settings())
    if key not in kinds:
        raise ExperimentError(f"The recipe has no setting '{key}'", "a setting such as training.learning_rate", suggest_name(key, kinds))
    known = ("low", "high", "log", "step", "choices")
    strange = [word for word in section if word not in known]
    if strange:
        raise ExperimentError(f"[{key}] has an unknown word '{strange[0]}'", f"known are {', '.join(known)}")
    found = _choices(key, section) if "choices" in section else _range(key, section, kinds[key])
    ends = found.values if isinstance(found, Choices) else (_typed(found, found.low), _typed(found, found.high))
    for value in ends:
        check_value(kinds[key], value, key)
    return found


def _choices(key: str, section: Mapping[str, Any]) -> Choices:
    values = section["choices"]
    if len(section) > 1 or not isinstance(values, list) or not values:
        raise ExperimentError(f"[{key}] has choices that are no list alone", "choices = [a, b, ...] was expected")
    return Choices(tuple(values))


def _range(key: str, section: Mapping[str, Any], kind: Any) -> NumberRange:
    if kind not in (int, float) or get_origin(kind):
        raise ExperimentError(f"[{key}] is no number", "choices = [a, b, ...] was expected")
    numbers = {word: section.get(word) for word in ("low", "high")}
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers.values()):
        raise ExperimentError(f"[{key}] has no two ends", "low = ... and high = ... were expected, or choices = [...]")
    found = NumberRange(whole=kind is int, **{**numbers, "log": section.get("log", False), "step": section.get("step")})
    if found.low >= found.high or (found.log and (found.low <= 0 or found.step)):
        happened = f"[{key}] goes from {found.low:g} to {found.high:g}{' by powers' if found.log else ''}"
        raise ExperimentError(happened, "low below high was expected, and above 0 and without step where log is true")
    return found


def _typed(found: NumberRange, value: float) -> float:
    return int(value) if found.whole and float(value).is_integer() else value


# ==== mien.lab.tune
# A search for better settings: trials are trained, the hopeless ones ended early, and what was tried is never lost.
#
# What the recipe holds out is taken away before the search begins: settings are chosen on other Training faces, held out
# of the rest. PublicTest is not looked at. The study lies in ``study.db`` (SQLite); the same call goes on with it, a
# trial that was killed from its last whole epoch.

STUDY, TRIALS, BEST = "study.db", "trials.csv", "best.toml"

#: Trials that run to their end before any is compared with them, and the part of the epochs each gets in peace.
_FIRST, _PEACE = 4, 0.25
#: So many trials may fail one after the other: their settings are not what is at fault, or all of the space is.
_FAILURES = 5
_COMPARED = "settings are compared on held-out faces"


class TrainFunction(Protocol):
    """What one trial asks for: :func:`mien.training.loop.train`, or in tests somebody who is quicker."""

    def __call__(
        self, recipe: Recipe, faces: FaceDataset, folder: Path, *, watch: Callback | None, stop: StopCheck | None
    ) -> object: ...


@dataclass(frozen=True)
class Trial:
    """One set of settings: ``state`` is finished, ended early, failed or interrupted; ``value`` the accuracy, or None.

    ``epochs`` are those that were trained.
    """

    number: int
    state: str
    settings: Mapping[str, Any]
    value: float | None
    epochs: int


@dataclass(frozen=True)
class SearchResult:
    """All trials, the best finished one, and the recipe with its settings; None where none was finished.

    ``importance`` is known when the search ends: by setting, the part of the differences that it explains.
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
    watch: Callback | None = None,
    tell: Callable[[Trial, SearchResult], None] | None = None,
    train: TrainFunction | None = None,
) -> SearchResult:
    """Trains until there are ``trials`` finished or ended ones, or ``hours`` are over; what was found.

    ``watch`` hears of every epoch, ``tell`` of every trial that ends. A study of another recipe or space is refused.
    """
    recipe = adapt_validation(recipe, faces)
    learned = _kept_apart(recipe, faces)
    deadline = time.monotonic() + hours * 3600 if hours else float("inf")
    folder.mkdir(parents=True, exist_ok=True)
    study = _study(folder, recipe, space)
    _take_up(study)
    failed = 0
    while _done(study) < trials and time.monotonic() < deadline:
        trial = study.ask()
        try:
            value = _trained(train or _fit(), _tried(trial, recipe, space), learned, folder, watch, deadline)
        except TrainingStopped:
            break  # its state stays "running": the next call takes it up
        except _Hopeless:
            study.tell(trial, state=TrialState.PRUNED)
        except ExperimentError as error:
            study.tell(trial, state=TrialState.FAIL)
            failed += 1
            if failed == _FAILURES or not _done(study):  # it is the recipe or the data, not the settings
                raise error
        else:
            study.tell(trial, value)
            failed = 0
        found = _found(study, recipe)
        _write(folder, found)
        if tell:
            tell(found.trials[trial.number], found)
    found = _found(study, recipe)
    return replace(found, importance=_importance(study, found))


class _Hopeless(Exception):
    """A trial that lies behind the others."""


def _kept_apart(recipe: Recipe, faces: FaceDataset) -> FaceDataset:
    """The faces without those that the recipe holds out: what is chosen here is not measured on them."""
    learned, kept = split_training_validation(recipe.data, faces)
    if not len(kept):
        raise ExperimentError("The recipe holds no faces out", _COMPARED, "Set data.validation in it")
    return learned


def _study(folder: Path, recipe: Recipe, space: Space) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = optuna.storages.RDBStorage(f"sqlite:///{(folder / STUDY).absolute()}")
    told = json.dumps([recipe.to_table(), {key: repr(each) for key, each in space.items()}], sort_keys=True)
    study = optuna.create_study(
        storage=storage,
        study_name="mien",
        direction="maximize",
        load_if_exists=True,
        pruner=optuna.pruners.MedianPruner(_FIRST, max(round(recipe.training.epochs * _PEACE), 1)),
    )
    # With the same seed a study that goes on would try again what it tried first.
    study.sampler = optuna.samplers.TPESampler(seed=recipe.training.seed + len(study.trials))
    before = study.user_attrs.get("told")
    if before is None:
        study.set_user_attr("told", told)
    elif before != told:
        happened = f"'{folder}' holds a search of another recipe or space"
        raise ExperimentError(happened, "the same two were expected", "Name another folder with -o")
    return study


def _take_up(study: optuna.Study) -> None:
    """Trials that a kill left behind are asked for again, first, and go on in their folder."""
    for trial in study.get_trials(states=(TrialState.RUNNING,)):
        study.enqueue_trial(trial.params, user_attrs={"folder": _folder(trial)})
        study.tell(trial.number, state=TrialState.FAIL)


def _folder(trial: Any) -> str:
    return str(trial.user_attrs.get("folder") or f"{trial.number:04d}")


def _done(study: optuna.Study) -> int:
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def _fit() -> TrainFunction:
    from mien.training.loop import train as fit  # Keras takes seconds to begin

    return fit


def _tried(trial: optuna.Trial, recipe: Recipe, space: Space) -> tuple[optuna.Trial, Recipe]:
    values = {key: _suggested(trial, key, each) for key, each in space.items()}
    return trial, replace_settings(recipe, values).with_absolute_paths()


def _trained(
    train: TrainFunction,
    tried: tuple[optuna.Trial, Recipe],
    faces: FaceDataset,
    folder: Path,
    watch: Callback | None,
    deadline: float,
) -> float:
    """The accuracy of one trial on its held-out faces."""
    trial, recipe = tried
    place, rows = folder / "trials" / _folder(trial), list[float]()

    def look(event: Event) -> None:
        if watch:
            watch(event)
        if isinstance(event, EpochEvent):
            for number in range(len(rows), len(event.history)):
                rows.append(_figure(event.history[number]))
                trial.report(rows[-1], number + 1)
            if trial.should_prune():
                raise _Hopeless

    try:
        train(recipe, faces, place, watch=look, stop=lambda: time.monotonic() > deadline)
    except _Hopeless:
        _clear(place)
        raise
    if not rows:  # it had its last epoch when it was killed
        rows = [_figure(row) for row in checkpoint.load_state(place, checkpoint.read_recipe(place))[1]]
    _clear(place)
    return max(rows) if recipe.training.keep == "best" else rows[-1]


def _figure(row: Mapping[str, float]) -> float:
    if "held_out" not in row:
        raise ExperimentError("A trial holds no faces out", _COMPARED, "Take data.validation out of the space")
    return row["held_out"]


def _suggested(trial: optuna.Trial, key: str, each: NumberRange | Choices) -> Any:
    if isinstance(each, Choices):
        return each.of_word(trial.suggest_categorical(key, each.words))
    if each.whole:
        return trial.suggest_int(key, int(each.low), int(each.high), step=int(each.step or 1), log=each.log)
    return trial.suggest_float(key, each.low, each.high, step=each.step, log=each.log)


def _clear(place: Path) -> None:
    """Recipe and history of a trial stay; its weights would fill the disk."""
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE, checkpoint.BEST, checkpoint.WEIGHTS):
        (place / name).unlink(missing_ok=True)


def _found(study: optuna.Study, recipe: Recipe) -> SearchResult:
    told = tuple(_told(each) for each in study.get_trials(deepcopy=False))
    finished = [each for each in told if each.state == "finished" and each.value is not None]
    if not finished:
        return SearchResult(told, None, None, {})
    best = max(finished, key=lambda each: (each.value, -each.number))
    return SearchResult(told, best, replace_settings(recipe, best.settings), {})


_STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "ended early",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
    TrialState.WAITING: "waiting",
}


def _told(trial: FrozenTrial) -> Trial:
    values = trial.intermediate_values
    settings = {
        key: json.loads(value) if isinstance(trial.distributions[key], _CATEGORICAL) else value
        for key, value in trial.params.items()
    }
    last = values[max(values)] if values else None
    value = last if trial.value is None else trial.value
    return Trial(trial.number, _STATES[trial.state], settings, value, len(values))


_CATEGORICAL = optuna.distributions.CategoricalDistribution


def _importance(study: optuna.Study, found: SearchResult) -> dict[str, float]:
    """By setting how much of the differences it explains, 0 to 1; empty while there is too little to tell."""
    finished = [each for each in found.trials if each.state == "finished"]
    if len(finished) < 3 or len({each.value for each in finished}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))


def _write(folder: Path, found: SearchResult) -> None:
    write_atomically(folder / TRIALS, trials_csv(found), sync=True)
    if found.recipe and found.best and found.best.value is not None:
        head = _HEAD.format(found.best.number, len(found.trials), 100 * found.best.value, found.best.epochs)
        write_atomically(folder / BEST, (head + toml.written(found.recipe.with_absolute_paths().to_table())), sync=True)


_HEAD = """\
# Trial {} of {}: {:.1f} % of its held-out faces, after {} epochs.
# It was chosen because it came out best, so another run of it will come out a little lower.

"""


def trials_csv(found: SearchResult) -> str:
    """``trials.csv``: a row for each trial."""
    names = sorted({key for each in found.trials for key in each.settings})
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["trial", "state", "accuracy", "epochs", *names])
    for each in found.trials:
        value = "" if each.value is None else f"{each.value:.5f}"
        rows.writerow([each.number, each.state, value, each.epochs, *(each.settings.get(name, "") for name in names)])
    return text.getvalue()
