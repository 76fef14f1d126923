"""TOML as a person would write it, from plain tables: what ``tomllib`` reads, written."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from mien.errors import LabError, nearest
from mien.labels import EMOTIONS

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def written(table: Mapping[str, Any]) -> str:
    """The table as TOML: plain values first, then a section for each table, then one for each of a list of tables."""
    return "\n".join(_lines(table, ())).strip() + "\n"


def _lines(table: Mapping[str, Any], path: tuple[str, ...]) -> list[str]:
    lines = [f"{_key(name)} = {_value(value)}" for name, value in table.items() if not _is_section(value)]
    for name, value in table.items():
        here = (*path, name)
        if isinstance(value, Mapping) and _is_section(value):
            lines += ["", f"[{_dotted(here)}]", *_lines(value, here)]
        elif _is_section(value):
            lines += [line for one in value for line in ("", f"[[{_dotted(here)}]]", *_values(one))]
    return lines


def _values(table: Mapping[str, Any]) -> list[str]:
    """Tables inside a list stay on one line each: a label map is read better so."""
    return [f"{_key(name)} = {_value(value)}" for name, value in table.items()]


def _is_section(value: Any) -> bool:
    """A table, or a list of tables; an empty list is a value."""
    if isinstance(value, Mapping):
        return True
    return isinstance(value, Sequence) and not isinstance(value, str) and any(isinstance(one, Mapping) for one in value)


def _dotted(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, Mapping):
        inside = ", ".join(f"{_key(name)} = {_value(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(_value, value))}]"
    return repr(value)


def _text(text: str) -> str:
    """JSON's escapes are TOML's, but for one control character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# ==== mien.lab.bounds
# What each setting of a recipe may be: numbers between two ends, words out of a few, lists of some length.
#
# What is checked here is refused before any data is read. Whether a network, a file or a class is there is known later,
# to whoever looks for it.

_LEAVE_OUT = "Leave it out for the usual one"


class Ends(NamedTuple):
    """The least and the most a number may be, both inside; where ``above``, the least itself is outside."""

    low: float
    high: float
    above: bool = False

    def __str__(self) -> str:
        low, high = (f"{end:,.10g}" for end in self[:2])
        return f"above {low}, up to {high}" if self.above else f"from {low} to {high}"

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and (self.low < value or (self.low == value and not self.above))
            and value <= self.high
        )


_SHARE, _STEPS = Ends(0, 1), Ends(0, 100_000)

#: Every number of a recipe, by its dotted name; of a list each of its numbers.
NUMBERS = {
    "data.held_out": Ends(0, 10_000_000),
    "data.folds": Ends(0, 1000),
    "data.fold": Ends(1, 1000),
    "net.width": Ends(1, 1024),
    "net.depth": Ends(1, 50),
    "net.dropout": Ends(0, 0.99),
    "net.views": Ends(1, 4),
    "net.side": Ends(32, 1024),  # below, the well-known networks pool to nothing
    "augment.rotation": Ends(0, 180),
    "augment.scale": Ends(0, 3),
    "augment.shift": Ends(0, 48),
    "augment.contrast": _SHARE,
    "augment.brightness": _SHARE,
    "augment.erase_part": _SHARE,
    "augment.jpeg_part": _SHARE,
    "augment.blur_part": _SHARE,
    "augment.small_part": _SHARE,
    "augment.dark_part": _SHARE,
    "augment.mixup": Ends(0, 100),
    "augment.cutmix": Ends(0, 100),
    "augment.mixup_until": _SHARE,
    "augment.nothing_part": Ends(0, 0.5),
    "loss.smoothing": Ends(0, 0.99),
    "loss.votes": Ends(0, 1000),
    "loss.focal": Ends(0, 20),
    "loss.soft": _SHARE,
    "teach.weight": _SHARE,
    "teach.temperature": Ends(0, 100, above=True),
    "fit.epochs": Ends(1, 100_000),
    "fit.batch": Ends(1, 65_536),
    "fit.rate": Ends(0, 100, above=True),
    "fit.momentum": Ends(0, 0.9999),
    "fit.warmup": _STEPS,
    "fit.patience": Ends(1, 100_000),
    "fit.stop_after": _STEPS,
    "fit.decay": _SHARE,
    "fit.clip": Ends(0, 1_000_000),
    "fit.average": _SHARE,
    "fit.frozen": _STEPS,
    "fit.fine": Ends(0, 100, above=True),
    "fit.devices": Ends(0, 1024),
    "fit.seed": Ends(0, 2**32 - 1),  # what NumPy and Keras take
}

#: Every word that is one of a few.
WORDS = {
    "net.order": ("norm-pool", "pool-norm"),
    "net.color": ("auto", "gray", "rgb"),
    "fit.optimizer": ("sgd", "adam", "adamw"),
    "fit.schedule": ("cosine", "steps", "plateau", "constant"),
    "fit.keep": ("last", "best"),
    "fit.sampling": ("all", "balanced"),
    "fit.precision": ("auto", "float32", "mixed_bfloat16"),
}

#: How long a list may be. A stage of ``net.depth`` halves the picture, and after five of them 44 pixels are one.
LENGTHS = {"net.depth": Ends(1, 5), "data.classes": Ends(1, 100)}
#: Lists of which each entry counts once.
_DISTINCT = ("data.classes",)


def checked(key: str, value: Any) -> Any:
    """The value of that setting; a LabError where it cannot be."""
    if key in NUMBERS and value not in NUMBERS[key]:
        raise LabError(f"The recipe's {key} is {value!r}", f"a number {NUMBERS[key]} was expected", _LEAVE_OUT)
    if key in WORDS and value not in WORDS[key]:
        remedy = nearest(value, WORDS[key]) or _LEAVE_OUT
        raise LabError(f"The recipe's {key} is '{value}'", f"known are {', '.join(WORDS[key])}", remedy)
    return value


def checked_list(key: str, values: Sequence[Any]) -> Sequence[Any]:
    """The values of a setting that is a list, each of them checked already."""
    if key in LENGTHS and len(values) not in LENGTHS[key]:
        happened = f"The recipe's {key} has {len(values)} entries"
        raise LabError(happened, f"a number of them {LENGTHS[key]} was expected", _LEAVE_OUT)
    twice = [value for place, value in enumerate(values) if value in values[:place]]
    if key in _DISTINCT and twice:
        raise LabError(f"The recipe's {key} names '{twice[0]}' twice", "each of them once was expected", "")
    return values


def refuse_misfits(section: str, settings: Any) -> None:
    """A LabError where settings of one section, each of which may be, cannot be together."""
    if section in _TOGETHER:
        _TOGETHER[section](settings)


def _folds(data: Any) -> None:
    if data.folds == 1:
        happened = "The recipe's data.folds is 1, which leaves nothing to learn from"
        raise LabError(happened, "2 or more were expected, or 0 for none", "")
    if data.folds and data.fold > data.folds:
        happened = f"The recipe's data.fold is {data.fold}, and data.folds is {data.folds}"
        raise LabError(happened, f"1 to {data.folds} was expected", "Folds count from 1")


def _parts(augment: Any) -> None:
    total = augment.jpeg_part + augment.blur_part + augment.small_part
    if total > 1 + 1e-9:
        happened = f"The recipe's augment.jpeg_part, blur_part and small_part come to {total:.3g} of each batch"
        raise LabError(happened, "no more than 1 together was expected", "Make one of them smaller")


_TOGETHER: dict[str, Callable[[Any], None]] = {"data": _folds, "augment": _parts}


# ==== mien.lab.recipe
# A recipe: everything that decides how a net comes out, as frozen values read from a TOML file.


@dataclass(frozen=True)
class Source:
    """One of several places with faces: ``labels`` says what its own words mean (``{ "1" = "surprise" }``, an empty
    word leaves a class out), ``usage`` which split all of its faces go to, where its own shall not count.
    """

    path: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    usage: str = ""


@dataclass(frozen=True)
class Data:
    """Which faces are trained on, of which ``classes``, and which of Training are held out to judge the epochs by.

    ``sources`` say where the faces are; paths count from the recipe's folder, and ``--data`` stands above them. Held
    out are ``held_out`` faces without a twin, classes in proportion; or, where ``folds`` is 2 or more, one part of so
    many, the ``fold``-th, twins in the same one. ``group`` names a column (a person, a photograph) whose faces never
    stand on both sides.
    """

    sources: tuple[Source, ...] = ()
    held_out: int = 1500
    folds: int = 0
    fold: int = 1
    group: str = ""
    drop_non_faces: bool = True
    classes: tuple[str, ...] = EMOTIONS


@dataclass(frozen=True)
class NetworkSettings:
    """Which architecture. ``width`` and ``depth`` are for the families that have them, ``order`` for ``batchnorm``.

    ``side`` is the size in pixels at which the layers see a face, ``color`` whether they see it gray or rgb (auto: rgb
    for the well-known networks); faces are resized and coloured inside the graph. ``weights`` to begin with are none,
    imagenet for a well-known network, or a file or run of a net with the same trunk. ``views`` is in how many ways the
    finished net looks at each face to answer with their mean: 2 are the face and its mirror image, 4 are both, each
    from two corners of the rim that is otherwise cut away, in so many times the time. It learns from one at a time.
    """

    name: str = "residual"
    width: int = 32
    depth: tuple[int, ...] = (2, 2, 2)
    dropout: float = 0.1
    votes: bool = True
    crop: bool = True
    order: str = "norm-pool"
    side: int = 48
    color: str = "auto"
    views: int = 1
    weights: str = "none"


@dataclass(frozen=True)
class AugmentationSettings:
    """How faces are varied. Strengths are half-widths of a uniform range; ``*_part`` are shares of each batch.

    ``mixup`` and ``cutmix`` are the strengths at which neighbours are blended and pasted into each other, up to
    ``mixup_until`` of the epochs; where both are given each has half of the batch. ``nothing_part`` of a batch are no
    faces, of which the net shall learn to say that it does not know.
    """

    rotation: float = 15.0
    scale: float = 0.18
    shift: float = 4.0
    flip: bool = True
    contrast: float = 0.3
    brightness: float = 0.15
    erase_part: float = 0.3
    jpeg_part: float = 0.1
    blur_part: float = 0.1
    small_part: float = 0.15
    dark_part: float = 0.1
    mixup: float = 0.2
    cutmix: float = 0.0
    mixup_until: float = 0.85
    nothing_part: float = 0.03


#: Faces as they are.
NO_AUGMENTATION = AugmentationSettings(
    rotation=0, scale=0, shift=0, flip=False, contrast=0, brightness=0, erase_part=0, jpeg_part=0, blur_part=0,
    small_part=0, dark_part=0, mixup=0, cutmix=0, nothing_part=0,
)  # fmt: skip


@dataclass(frozen=True)
class LossSettings:
    """Cross-entropy on the label, smoothed, and ``votes`` times cross-entropy on the shares of FER+ voters.

    ``balanced`` weighs each class by how rare it is; ``focal`` (0: off) is the power that takes easy faces out.
    ``soft`` is how much of the label gives way to what FER+ voters said, 0 to 1.
    """

    smoothing: float = 0.08
    votes: float = 0.4
    balanced: bool = False
    focal: float = 0.0
    soft: float = 0.0


@dataclass(frozen=True)
class DistillationSettings:
    """What teachers say, mixed into what the labels say; ``weight`` is their part, 0 to 1.

    ``targets`` is a file that ``mien distill`` wrote, ``runs`` are folders of finished runs that see the very picture
    that the student sees; both stand beside the recipe. ``temperature`` above 1 makes what they say softer.
    """

    targets: str = ""
    runs: tuple[str, ...] = ()
    weight: float = 0.7
    temperature: float = 1.0


@dataclass(frozen=True)
class TrainingSettings:
    """How long and how fast. ``rate`` is the peak; ``decay`` is not on biases and norms.

    ``optimizer`` is sgd (Nesterov), adam or adamw; ``schedule`` is cosine, steps, plateau or constant. ``patience`` is
    for plateau: epochs without gain before the rate is halved; ``stop_after`` as many end the run (0: never).
    ``average`` is how much of the running average of the weights stays at each step (0: no average); ``clip`` is the
    largest norm of all gradients together (0: any). ``keep`` is "last" or "best": whose weights the run ends with.
    ``sampling`` is all (each face once an epoch) or balanced (each class as often as the others).

    Where ``net.weights`` are given, only the heads learn for the first ``frozen`` epochs, at ``rate``; then all layers
    do, at ``fine`` times as much. ``precision`` is float32, mixed_bfloat16, or auto: the faster here, found by trying.
    ``deterministic`` gives the same bits on every run, in float32. ``devices`` share each batch (0: all there are).
    """

    epochs: int = 80
    batch: int = 128
    optimizer: str = "sgd"
    rate: float = 0.1
    momentum: float = 0.9
    schedule: str = "cosine"
    warmup: float = 3.0
    patience: int = 5
    stop_after: int = 0
    keep: str = "last"
    decay: float = 4e-4
    clip: float = 0.0
    average: float = 0.9995
    sampling: str = "all"
    frozen: int = 3
    fine: float = 0.1
    precision: str = "auto"
    deterministic: bool = False
    devices: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Recipe:
    """One experiment. ``place`` is the folder of its file, from which paths in it count; it is no setting."""

    name: str = "untitled"
    data: Data = field(default_factory=Data)
    net: NetworkSettings = field(default_factory=NetworkSettings)
    augment: AugmentationSettings = field(default_factory=AugmentationSettings)
    loss: LossSettings = field(default_factory=LossSettings)
    teach: DistillationSettings = field(default_factory=DistillationSettings)
    fit: TrainingSettings = field(default_factory=TrainingSettings)
    place: Path = field(default=Path(), repr=False, compare=False)

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """The recipe in a TOML file; what it leaves out keeps its default."""
        try:
            table = tomllib.loads(Path(path).read_text("utf-8"))
        except FileNotFoundError:
            raise LabError(
                f"There is no recipe at {path}", "", "Recipes are TOML files, see recipes/base.toml"
            ) from None
        except OSError as error:
            raise LabError(f"{path} cannot be read: {error.strerror or error}", "a TOML file was expected") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
            raise LabError(f"{path} is not TOML: {broken}", "", "Compare it with recipes/base.toml") from None
        return replace(cls.from_table(table), place=Path(path).parent)

    @classmethod
    def from_table(cls, table: dict[str, Any]) -> Recipe:
        """The recipe in nested tables, refusing words it does not know, and values of another kind or out of bounds."""
        recipe: Recipe = _filled(cls, table, "")
        return recipe

    def to_table(self) -> dict[str, Any]:
        """Plain nested dictionaries, the reverse of ``from_table``."""
        return {key: value for key, value in asdict(self).items() if key != "place"}

    def beside(self, path: str) -> Path:
        """Where a path in the recipe leads: it counts from the recipe's own folder."""
        return self.place / path

    def settled(self) -> Recipe:
        """The same with whole paths, so that it can be read from any folder."""
        return self._with_paths(self._whole)

    def to_publish(self) -> dict[str, Any]:
        """The table for a file that is given away: of paths only the last part."""
        return self._with_paths(lambda path: Path(path).name).to_table()

    def _whole(self, path: str) -> str:
        """What was typed on the command line counts from where it was typed."""
        beside = self.beside(path)
        return str((beside if beside.exists() or not Path(path).exists() else Path(path)).absolute())

    def _with_paths(self, of: Callable[[str], str]) -> Recipe:
        sources = tuple(replace(source, path=of(source.path)) for source in self.data.sources)
        targets = of(self.teach.targets) if self.teach.targets else ""
        weights = self.net.weights if self.net.weights in ("", "none", "imagenet") else of(self.net.weights)
        return replace(
            self,
            data=replace(self.data, sources=sources),
            net=replace(self.net, weights=weights),
            teach=replace(self.teach, targets=targets, runs=tuple(map(of, self.teach.runs))),
        )

    def difference(self, other: Recipe) -> dict[str, tuple[Any, Any]]:
        """Which settings differ, by dotted name: ``{"fit.epochs": (80, 60)}``."""
        mine, theirs = _flat(self.to_table()), _flat(other.to_table())
        return {key: (mine[key], theirs[key]) for key in mine if mine[key] != theirs[key]}


def _filled(kind: type, table: dict[str, Any], where: str) -> Any:
    known = [part.name for part in fields(kind) if part.compare]
    for key in table:
        if key not in known:
            expected = f"known {'in [' + where + ']' if where else 'at the top'} are {', '.join(known)}"
            raise LabError(
                f"The recipe has an unknown word '{where + '.' if where else ''}{key}'", expected, nearest(key, known)
            )
    hints = get_type_hints(kind)
    filled = kind(**{key: check_value(hints[key], value, f"{where}.{key}".lstrip(".")) for key, value in table.items()})
    refuse_misfits(where, filled)
    return filled


def check_value(kind: Any, value: Any, where: str) -> Any:
    """A value for the setting ``where``, which is of this kind; a LabError where it is none."""
    if is_dataclass(kind):
        return _filled(kind, _of_kind(dict, value, where), where)
    if get_origin(kind) is tuple:
        parts = _of_kind((list, tuple), value, where)
        return checked_list(where, tuple(check_value(get_args(kind)[0], part, where) for part in parts))
    if get_origin(kind) is Mapping:
        return {str(key): _of_kind(str, part, where) for key, part in _of_kind(Mapping, value, where).items()}
    found = checked(where, _of_kind((float, int) if kind is float else kind, value, where))
    return float(found) if kind is float else found


def _of_kind(kind: Any, value: Any, where: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        words = kind.__name__ if isinstance(kind, type) else " or ".join(one.__name__ for one in kind)
        raise LabError(f"The recipe's {where} is {value!r}", f"a value of kind {words} was expected", "")
    return value


def _flat(table: dict[str, Any], where: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{where}{key}.") if isinstance(value, dict) else {where + key: value}
    return flat


# ==== mien.lab.settings
# Settings as people type them: ``fit.batch=64``, on top of a recipe.


def apply_settings(recipe: Recipe, words: Iterable[str]) -> Recipe:
    """The recipe with each ``section.key=value`` in it; a key it does not know is refused with the nearest."""
    table: dict[str, Any] = recipe.to_table()
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals:
            raise LabError(f"'{word}' has no '='", "settings look like fit.batch=64")
        kinds = dict(list_settings())
        if key not in kinds:
            hint = nearest(key, kinds) or nearest(key, [name.rpartition(".")[2] for name in kinds])
            raise LabError(f"The recipe has no setting '{key}'", "settings look like fit.batch=64", hint)
        _put(table, key.split("."), _value_settings(kinds[key], value.strip()))
    return replace(Recipe.from_table(table), place=recipe.place)


def list_settings(kind: type = Recipe, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name, and the kind of its value; sections are gone through."""
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from list_settings(hint, f"{where}{name}.")
        elif name != "place" and not _is_tables(hint):
            yield where + name, hint


def _is_tables(hint: Any) -> bool:
    return get_origin(hint) is tuple and is_dataclass(get_args(hint)[0])


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        table = table[part]
    table[path[-1]] = value


def _value_settings(kind: Any, text: str) -> Any:
    """What TOML would make of it; words need no quotes, and lists no brackets."""
    if kind is str and text[:1] not in ("'", '"'):
        return text
    if get_origin(kind) is tuple and not text.startswith("["):
        return [_value_settings(get_args(kind)[0], part.strip()) for part in text.split(",") if part.strip()]
    read = _toml(text)
    if isinstance(read, Mapping):
        raise LabError(f"'{text}' is a table", "one value was expected")
    return read


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


# ==== mien.lab.shelf
# The recipes that come with mien: one for each network, to be named instead of a path.

#: In a wheel the recipes lie beside this file, in a checkout at its top.
_PLACES = (Path(__file__).with_name("recipes"), Path(__file__).parents[3] / "recipes")


def load_recipe(word: str) -> Recipe:
    """The recipe at a path, or of that name."""
    names = builtin_names()
    if is_builtin(word):
        return Recipe.read(_place() / f"{word}.toml")
    if os.sep in word or Path(word).suffix or Path(word).is_file():
        return Recipe.read(word)
    known = f"there are {', '.join(names)}, and TOML files"
    raise LabError(f"There is no recipe '{word}'", known, nearest(word, names))


def is_builtin(word: str) -> bool:
    """Whether the word names a recipe that comes with mien; a file of that name goes before it."""
    return word in builtin_names() and not Path(word).is_file()


def load_network_recipe(name: str) -> Recipe:
    """The usual recipe of a network: of that name, else the first that uses it."""
    names = builtin_names()
    if name in names:
        return load_recipe(name)
    raise LabError(f"There is no net '{name}'", f"recipes are there for {', '.join(names)}", nearest(name, names))


def builtin_names() -> list[str]:
    return sorted(path.stem for path in _place().glob("*.toml"))


def _place() -> Path:
    return next((place for place in _PLACES if place.is_dir()), _PLACES[0])
