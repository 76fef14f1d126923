"""A recipe: everything that decides how a net comes out, as frozen values read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from mien.errors import LabError, nearest
from mien.lab import bounds
from mien.labels import EMOTIONS


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
class Net:
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
class Augment:
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
PLAIN = Augment(
    rotation=0, scale=0, shift=0, flip=False, contrast=0, brightness=0, erase_part=0, jpeg_part=0, blur_part=0,
    small_part=0, dark_part=0, mixup=0, cutmix=0, nothing_part=0,
)  # fmt: skip


@dataclass(frozen=True)
class Loss:
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
class Teach:
    """What teachers say, mixed into what the labels say; ``weight`` is their part, 0 to 1.

    ``targets`` is a file that ``mien distill`` wrote, ``runs`` are folders of finished runs that see the very picture
    that the student sees; both stand beside the recipe. ``temperature`` above 1 makes what they say softer.
    """

    targets: str = ""
    runs: tuple[str, ...] = ()
    weight: float = 0.7
    temperature: float = 1.0


@dataclass(frozen=True)
class Fit:
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
    net: Net = field(default_factory=Net)
    augment: Augment = field(default_factory=Augment)
    loss: Loss = field(default_factory=Loss)
    teach: Teach = field(default_factory=Teach)
    fit: Fit = field(default_factory=Fit)
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
    filled = kind(**{key: fitting(hints[key], value, f"{where}.{key}".lstrip(".")) for key, value in table.items()})
    bounds.refuse_misfits(where, filled)
    return filled


def fitting(kind: Any, value: Any, where: str) -> Any:
    """A value for the setting ``where``, which is of this kind; a LabError where it is none."""
    if is_dataclass(kind):
        return _filled(kind, _of_kind(dict, value, where), where)
    if get_origin(kind) is tuple:
        parts = _of_kind((list, tuple), value, where)
        return bounds.checked_list(where, tuple(fitting(get_args(kind)[0], part, where) for part in parts))
    if get_origin(kind) is Mapping:
        return {str(key): _of_kind(str, part, where) for key, part in _of_kind(Mapping, value, where).items()}
    found = bounds.checked(where, _of_kind((float, int) if kind is float else kind, value, where))
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
