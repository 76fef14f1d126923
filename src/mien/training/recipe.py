"""A recipe: every setting of a training run, as frozen values read from a TOML file.

The sections are dataclasses whose fields carry their limits, see :mod:`mien.settings`. A recipe that exists is valid in
itself; whether a file, a class or a network exists is checked by the code that needs it.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mien import settings
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError, suggest_name
from mien.settings import Settings, choice, number, sequence


@dataclass(frozen=True)
class NetworkSettings(Settings, section="net"):
    """The architecture. ``width`` and ``depth`` are for the families that have them, ``order`` is for ``batchnorm``.

    ``input_size`` is the size in pixels of the images that the layers receive, ``color`` their colour (auto: rgb for
    the Keras applications, gray for the others); faces are resized and coloured inside the graph. ``weights`` are the
    initial weights: none, imagenet (Keras applications), or a file or run of a network with the same trunk. ``views``
    is the number of test-time augmentations whose mean the trained network computes: 2 are the face and its mirror
    image, 4 are both at two crops, in as many times the time. Training uses one view.
    """

    name: str = "residual"
    width: int = number(32, 1, 1024)
    depth: tuple[int, ...] = sequence((2, 2, 2), (1, 5), bounds=(1, 50))  # five stages pool 44 pixels to one
    dropout: float = number(0.1, 0, 0.99)
    votes: bool = True
    crop: bool = True
    order: str = choice("norm-pool", "pool-norm")
    input_size: int = number(48, 32, 1024)  # below 32 the Keras applications pool to nothing
    color: str = choice("auto", "gray", "rgb")
    views: int = choice(1, 2, 4)
    weights: str = "none"

    @property
    def pretrained(self) -> bool:
        """Whether training starts from the weights of another network."""
        return self.weights != "none"


@dataclass(frozen=True)
class AugmentationSettings(Settings, section="augment"):
    """Data augmentation. Strengths are half-widths of a uniform range; ``*_fraction`` are fractions of each batch.

    ``mixup`` and ``cutmix`` are the parameters of the beta distributions; they end after ``mixup_until`` of the epochs;
    where both are set each augments one half of the batch. ``non_face_fraction`` of each batch is replaced by images
    without a face, whose target is the uniform distribution.
    """

    rotation: float = number(15.0, 0, 180)
    scale: float = number(0.18, 0, 3)
    shift: float = number(4.0, 0, 48)
    flip: bool = True
    contrast: float = number(0.3, 0, 1)
    brightness: float = number(0.15, 0, 1)
    erase_fraction: float = number(0.3, 0, 1)
    jpeg_fraction: float = number(0.1, 0, 1)
    blur_fraction: float = number(0.1, 0, 1)
    small_fraction: float = number(0.15, 0, 1)
    dark_fraction: float = number(0.1, 0, 1)
    mixup: float = number(0.2, 0, 100)
    cutmix: float = number(0.0, 0, 100)
    mixup_until: float = number(0.85, 0, 1)
    non_face_fraction: float = number(0.03, 0, 0.5)

    def check_combinations(self) -> None:
        total = self.jpeg_fraction + self.blur_fraction + self.small_fraction
        if total > 1 + 1e-9:
            happened = f"The recipe's augment.jpeg_fraction, blur_fraction and small_fraction add up to {total:.3g}"
            raise ExperimentError(happened, "at most 1 was expected", "Make one of them smaller")


#: Faces without any augmentation.
NO_AUGMENTATION = AugmentationSettings(
    rotation=0, scale=0, shift=0, flip=False, contrast=0, brightness=0, erase_fraction=0, jpeg_fraction=0,
    blur_fraction=0, small_fraction=0, dark_fraction=0, mixup=0, cutmix=0, non_face_fraction=0,
)  # fmt: skip


@dataclass(frozen=True)
class LossSettings(Settings, section="loss"):
    """Cross-entropy with the label, plus ``vote_weight`` times cross-entropy with the distribution of the FER+ votes.

    ``class_weights`` weights each class by its rarity; ``focal`` is the exponent of the focal loss (0: off).
    ``soft_labels`` is the fraction of the label that is replaced by the distribution of the votes.
    """

    label_smoothing: float = number(0.08, 0, 0.99)
    vote_weight: float = number(0.4, 0, 1000)
    class_weights: bool = False
    focal: float = number(0.0, 0, 20)
    soft_labels: float = number(0.0, 0, 1)


@dataclass(frozen=True)
class DistillationSettings(Settings, section="distillation"):
    """Soft targets of teachers, mixed with the labels; ``weight`` is their fraction of the mixture.

    ``targets`` is a file written by ``mien distill``; ``runs`` are finished runs that predict every augmented batch
    during training (on-the-fly distillation). A ``temperature`` above 1 makes the soft targets softer.
    """

    targets: str = ""
    runs: tuple[str, ...] = ()
    weight: float = number(0.7, 0, 1)
    temperature: float = number(1.0, 0, 100, above=True)


@dataclass(frozen=True)
class TrainingSettings(Settings, section="training"):
    """Optimizer, learning rate and length of the training.

    ``optimizer`` is sgd (Nesterov momentum), adam or adamw. ``learning_rate`` is the peak of the ``schedule``, reached
    after ``warmup`` epochs; ``patience`` epochs without improvement halve it in the plateau schedule, and
    ``early_stopping`` epochs without improvement end the run (0: never). ``weight_decay`` applies to kernels, not to
    biases and normalisation. ``clip_norm`` is the maximum global norm of the gradients (0: no clipping). ``ema`` is the
    decay of the exponential moving average of the weights (0: no average). ``keep`` says which weights the run ends
    with: those of the last or of the best epoch. ``sampling`` is all (each face once an epoch) or balanced (each class
    equally often).

    With initial weights (``net.weights``) only the heads are trained for the first ``frozen_epochs``, at
    ``learning_rate``, then all layers at ``fine_tune_rate`` times the schedule. ``precision`` auto measures which one
    is faster on this machine. ``deterministic`` makes runs reproducible to the bit, in float32. ``devices`` split each
    batch (0: all devices).
    """

    epochs: int = number(80, 1, 100_000)
    batch_size: int = number(128, 1, 65_536)
    optimizer: str = choice("sgd", "adam", "adamw")
    learning_rate: float = number(0.1, 0, 100, above=True)
    momentum: float = number(0.9, 0, 0.9999)
    schedule: str = choice("cosine", "steps", "plateau", "constant")
    warmup: float = number(3.0, 0, 100_000)
    patience: int = number(5, 1, 100_000)
    early_stopping: int = number(0, 0, 100_000)
    keep: str = choice("last", "best")
    weight_decay: float = number(4e-4, 0, 1)
    clip_norm: float = number(0.0, 0, 1_000_000)
    ema: float = number(0.9995, 0, 1)
    sampling: str = choice("all", "balanced")
    frozen_epochs: int = number(3, 0, 100_000)
    fine_tune_rate: float = number(0.1, 0, 100, above=True)
    precision: str = choice("auto", "float32", "mixed_bfloat16")
    deterministic: bool = False
    devices: int = number(1, 0, 1024)
    seed: int = number(0, 0, 2**32 - 1)  # the seeds that NumPy and Keras accept

    def check_combinations(self) -> None:
        if self.deterministic and self.precision == "mixed_bfloat16":
            happened = "The recipe has training.deterministic with training.precision mixed_bfloat16"
            raise ExperimentError(happened, "float32 was expected", "Leave one of them out")


@dataclass(frozen=True)
class Recipe:
    """All settings of a run. ``folder`` is that of the recipe's file; paths in the recipe are relative to it."""

    name: str = "untitled"
    data: DataSettings = field(default_factory=DataSettings)
    net: NetworkSettings = field(default_factory=NetworkSettings)
    augment: AugmentationSettings = field(default_factory=AugmentationSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    folder: Path = field(default=Path(), repr=False, compare=False)

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """The recipe in a TOML file; settings that it leaves out have their default."""
        try:
            table = tomllib.loads(Path(path).read_text("utf-8"))
        except FileNotFoundError:
            hint = "Recipes are TOML files, see recipes/base.toml"
            raise ExperimentError(f"There is no recipe at {path}", "a TOML file was expected", hint) from None
        except OSError as error:
            raise ExperimentError(
                f"{path} cannot be read: {error.strerror or error}", "a TOML file was expected"
            ) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ExperimentError(
                f"{path} is not valid TOML: {error}", "", "Compare it with recipes/base.toml"
            ) from None
        return replace(cls.from_table(table), folder=Path(path).parent)

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Recipe:
        """The recipe in nested tables. Unknown keys and invalid values are refused."""
        return settings.from_table(cls, table)

    def to_table(self) -> dict[str, Any]:
        """Nested dictionaries of plain values, the reverse of ``from_table``."""
        return {key: value for key, value in asdict(self).items() if key != "folder"}

    def to_toml(self) -> str:
        """Every setting as TOML, paths absolute."""
        import tomli_w

        return tomli_w.dumps(self.with_absolute_paths().to_table())

    def public_table(self) -> dict[str, Any]:
        """The table for a published file: only the last part of each path."""
        return self._map_paths(lambda path: Path(path).name).to_table()

    def resolve_path(self, path: str) -> Path:
        """A path in the recipe, relative to the folder of the recipe."""
        return self.folder / path

    def with_absolute_paths(self) -> Recipe:
        """The same recipe for any folder. A path that only exists in the current folder is taken from there."""

        def absolute(path: str) -> str:
            beside = self.resolve_path(path)
            return str((beside if beside.exists() or not Path(path).exists() else Path(path)).absolute())

        return self._map_paths(absolute)

    def _map_paths(self, function: Callable[[str], str]) -> Recipe:
        sources = tuple(replace(source, path=function(source.path)) for source in self.data.sources)
        targets = function(self.distillation.targets) if self.distillation.targets else ""
        weights = self.net.weights if self.net.weights in ("", "none", "imagenet") else function(self.net.weights)
        runs = tuple(map(function, self.distillation.runs))
        return replace(
            self,
            data=replace(self.data, sources=sources),
            net=replace(self.net, weights=weights),
            distillation=replace(self.distillation, targets=targets, runs=runs),
        )

    def with_settings(self, typed: Iterable[str]) -> Recipe:
        """The recipe with settings as people type them: ``training.batch_size=64``, ``net.depth=2,2,2``."""
        table = self.to_table()
        settings.set_typed(Recipe, table, typed)
        return replace(Recipe.from_table(table), folder=self.folder)

    def with_values(self, values: dict[str, Any]) -> Recipe:
        """The recipe with these values by dotted key."""
        table = self.to_table()
        for key, value in values.items():
            section = table
            *path, name = key.split(".")
            for part in path:
                section = section[part]
            section[name] = value
        return replace(Recipe.from_table(table), folder=self.folder)

    def difference(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """The settings that differ, by dotted key: ``{"training.epochs": (80, 60)}``."""
        mine, theirs = _flatten(self.to_table()), _flatten(other.to_table())
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}


def _flatten(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat


#: The folder of the built-in recipes: in a wheel beside this file, in a checkout at its top level.
_BUILTIN_FOLDERS = (Path(__file__).with_name("recipes"), Path(__file__).parents[3] / "recipes")


def load_recipe(name: str) -> Recipe:
    """The recipe at a path, or the built-in recipe of that name."""
    names = builtin_names()
    if is_builtin(name):
        return Recipe.read(_builtin_folder() / f"{name}.toml")
    if os.sep in name or Path(name).suffix or Path(name).is_file():
        return Recipe.read(name)
    expected = f"a TOML file or one of {', '.join(names)} was expected"
    raise ExperimentError(f"There is no recipe '{name}'", expected, suggest_name(name, names))


def is_builtin(name: str) -> bool:
    """Whether this is the name of a built-in recipe; a file of that name in the current folder is preferred to it."""
    return name in builtin_names() and not Path(name).is_file()


def load_network_recipe(network: str) -> Recipe:
    """The built-in recipe that has the name of the network."""
    names = builtin_names()
    if network in names:
        return load_recipe(network)
    raise ExperimentError(
        f"There is no network '{network}'", f"one of {', '.join(names)} was expected", suggest_name(network, names)
    )


def builtin_names() -> list[str]:
    """The names of the built-in recipes."""
    return sorted(path.stem for path in _builtin_folder().glob("*.toml"))


def _builtin_folder() -> Path:
    return next((folder for folder in _BUILTIN_FOLDERS if folder.is_dir()), _BUILTIN_FOLDERS[0])
