"""What is asked about a face: which expression, against which, and by which method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, nearest
from mien.results import Emotions, Face, Quality, Score

#: What can be asked for on any install; the first is what is shown when neither the caller nor the card says otherwise.
METHODS = ("cam", "occlusion", "rise")

#: Whichever the audit in the model's card found to be the first that holds.
AUTO = "auto"

#: Those that need gradients, and so Keras; they live in the laboratory.
GRADIENT_METHODS = ("grad-cam", "layer-cam", "integrated-gradients", "smoothgrad")


class ExplanationTarget(NamedTuple):
    """Evidence for the label at ``target``, against the one at ``versus`` (None: against all the others)."""

    target: int
    versus: int | None = None
    seed: int = 0


def resolve_target(labels: Sequence[str], target: str, versus: str | None, seed: int) -> ExplanationTarget:
    """The question in a model's own labels; words it does not know are refused."""
    goal = _place(target, labels)
    rival = None if versus is None else _place(versus, labels)
    if rival == goal:
        happened = f"'{versus}' was to be held against itself"
        raise MienError(happened, "Expected two different expressions", "Name another one to hold it against")
    return ExplanationTarget(goal, rival, seed)


def parse_methods(methods: str | Sequence[str], default: str = METHODS[0]) -> tuple[str, ...]:
    """The methods by name, each once; in one string they stand with commas between. ``auto`` is the default."""
    given = [each.strip() for each in methods.split(",")] if isinstance(methods, str) else list(methods)
    named = [default if name == AUTO else name for name in given]
    for name in named:
        _refuse_unknown(name)
    return tuple(dict.fromkeys(named))


def _place(word: str, labels: Sequence[str]) -> int:
    if word not in labels:
        hint = nearest(word, labels) or "Choose one of these"
        happened = f"The model does not know the expression '{word}'"
        raise MienError(happened, f"It knows {', '.join(labels)}", hint)
    return list(labels).index(word)


def _refuse_unknown(name: str) -> None:
    known = f"There are {', '.join(METHODS)}"
    if name in GRADIENT_METHODS:
        happened = f"The method '{name}' needs gradients, which an ONNX file does not give"
        raise MienError(happened, known, "For Keras files mien.training.gradient_maps has it")
    if name not in METHODS:
        raise MienError(f"There is no method '{name}'", known, nearest(name, METHODS) or "Choose one of these")


# ==== mien.explain.explanation
# What an explanation is: frozen values and read-only arrays that every picture, page and window is drawn from.

#: A map or activations: float32, read-only.
Map: TypeAlias = NDArray[np.float32]


class ReceptiveField(NamedTuple):
    """What one place of a layer sees, in pixels of the crop.

    ``size`` is the side of the square it sees, ``stride`` the step from one place to the next. ``offset`` and
    ``across`` are how far down and how far right the middle of the square lies that the first place sees (pixel 0 has
    its middle at 0); they differ where a network lays what it found over what it found in the mirror image. A layer
    behind the global pooling sees all.
    """

    size: int
    stride: float
    offset_y: float
    offset_x: float


class LayerCost(NamedTuple):
    """Where parameters and work are: one convolution or dense layer, for one face."""

    layer: str
    kind: str
    parameters: int
    multiply_adds: int


class Kernels(NamedTuple):
    """The filters of the first convolution, ``(out, in, height, width)`` float32, and the layer they stand in."""

    layer: str
    weights: Map


class Contribution(NamedTuple):
    """What one channel adds to the target's logit: its mean activation times its weight."""

    channel: int
    activation: float
    weight: float
    amount: float


class Counterfactual(NamedTuple):
    """The smallest covered rectangle that changes the answer, in pixels of the crop.

    ``becomes`` is the label that leads then, and ``share`` what it leads with; ``area`` is the covered part of the
    crop, 0 to 1.
    """

    x: int
    y: int
    width: int
    height: int
    area: float
    emotion: str
    score: float


class Placement(NamedTuple):
    """Where the crop lies in the picture: a square, turned about its middle by ``lean`` degrees (clockwise)."""

    left: float
    top: float
    side: float
    angle: float = 0.0


@dataclass(frozen=True, eq=False, slots=True)
class Saliency:
    """Where a model looked: float32 ``(side, side)`` in pixels of the crop.

    Evidence for ``target``: 0 or more. With ``versus`` it is signed: above 0 speaks for ``target``, below 0 for
    ``versus``. ``parameters`` are what the method was run with; ``seed`` is None for methods without chance.
    """

    map: Map
    target: str
    method: str
    versus: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None

    @property
    def signed(self) -> bool:
        return self.versus is not None

    @property
    def scale(self) -> float:
        """The strongest evidence either way; 0 for a map without any."""
        return float(np.abs(self.map).max(initial=0.0))

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "target": self.target,
            "versus": self.versus,
            "seed": self.seed,
            "parameters": dict(self.parameters),
            "strongest": round(self.scale, 6),
        }


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """One layer on one face.

    ``kind`` is conv, pool, activation, norm, sum, views (the mean of what was found in the face and in its mirror
    image), dense or softmax. ``activations`` are float32 ``(channels, height, width)``, or ``(channels,)`` for a layer
    without places. ``dead`` counts channels that say nothing on this face; ``order`` are all channels, the strongest
    first. ``tensor`` is the layer's name inside the ONNX file.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    activations: Map
    zero_activation: int
    order: tuple[int, ...]
    receptive_field: ReceptiveField | None
    tensor: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "channels": self.shape[0],
            "zero_activation": self.zero_activation,
            "strongest": list(self.order[:9]),
            "receptive_field": None if self.receptive_field is None else self.receptive_field._asdict(),
            "tensor": self.tensor,
        }


@dataclass(frozen=True, slots=True)
class Regions:
    """How a map's evidence lies on the face: shares of brows, eyes, nose, mouth and rest.

    ``basis`` is ``landmarks``, or ``mean geometry`` where nobody knows where this face's eyes and mouth are. Empty
    shares mean a map without evidence. Of a signed map the evidence for the target is counted.
    """

    method: str
    basis: str
    evidence: tuple[Score, ...]

    @property
    def top(self) -> Score | None:
        """The region with most of the evidence; None where there is none."""
        return max(self.evidence, key=lambda share: share.score, default=None)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "basis": self.basis, "evidence": dict(self.evidence)}


@dataclass(frozen=True, eq=False, slots=True)
class Activations:
    """The quick look: what a window shows beside a moving picture. ``map`` is None where no quick one exists."""

    crop: NDArray[np.uint8]
    emotions: Emotions
    layers: tuple[Layer, ...]
    map: Saliency | None = None
    regions: Regions | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """One face, and what the network made of it.

    ``crop`` is the face as the model saw it, uint8 ``(side, side)`` or ``(side, side, 3)``. ``logits`` are what goes
    into the softmax before the temperature divides them (empty where the graph does not show them). ``regions`` has
    one entry for each of ``maps``; ``region_map`` says for each pixel which region it belongs to, as an index into
    ``mien.explain.regions.REGIONS``. ``contributions`` are the channels of the last layer by what they add to the
    target, the largest amounts first; with ``bias`` they make the target's logit as the graph computes it, behind
    the temperature. They are empty where a network does not end in global average pooling. ``flip`` is None when it
    was not looked for or nothing changed the answer (``flip_sought`` tells which). ``notes`` are things a reader
    must know, as sentences.
    """

    crop: NDArray[np.uint8]
    emotions: Emotions
    target: str
    versus: str | None
    logits: tuple[Score, ...]
    temperature: float
    layers: tuple[Layer, ...]
    maps: tuple[Saliency, ...]
    regions: tuple[Regions, ...]
    region_map: NDArray[np.uint8]
    votes_logits: tuple[Score, ...] = ()
    votes_temperature: float = 1.0
    contributions: tuple[Contribution, ...] = ()
    bias: float = 0.0
    kernels: Kernels | None = None
    costs: tuple[LayerCost, ...] = ()
    counterfactual: Counterfactual | None = None
    counterfactual_searched: bool = False
    notes: tuple[str, ...] = ()
    model: str = ""
    source: str = ""
    size: tuple[int, int] | None = None
    detector: str = ""
    face: Face | None = None
    number: int | None = None
    quality: Quality | None = None
    placement: Placement | None = None

    @property
    def scores_without_temperature(self) -> tuple[Score, ...]:
        """The shares as they would be without the temperature; empty without logits."""
        values = np.array([share for _, share in self.logits], np.float64)
        parts = np.exp(values - values.max(initial=0.0))
        named = zip(self.logits, parts / parts.sum() if len(parts) else parts, strict=True)
        return tuple(Score(logit.label, round(float(part), 7)) for logit, part in named)

    def layer(self, name: str) -> Layer:
        """The layer of that name; KeyError when it was not asked for."""
        return {each.name: each for each in self.layers}[name]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the arrays, as plain JSON values; :meth:`arrays` has those."""
        emotions = self.emotions
        return {
            "source": self.source,
            "number": self.number,
            "model": self.model,
            "detector": self.detector,
            "size": None if self.size is None else list(self.size),
            "box": None if self.face is None else list(self.face.box),
            "detection": None if self.face is None else self.face.detection,
            "landmarks": _points(self.face),
            "quality": None if self.quality is None else self.quality.to_dict(),
            "placement": None if self.placement is None else self.placement._asdict(),
            "emotion": emotions.top,
            "scores": dict(emotions.scores),
            "uncertain": emotions.uncertain,
            "votes": None if emotions.votes is None else dict(emotions.votes),
            "mixture": dict(emotions.mixture),
            "target": self.target,
            "versus": self.versus,
            "logits": dict(self.logits),
            "temperature": self.temperature,
            "scores_without_temperature": dict(self.scores_without_temperature),
            "votes_logits": dict(self.votes_logits),
            "votes_temperature": self.votes_temperature,
            "maps": [{**each.to_dict(), "regions": where.to_dict()} for each, where in self._mapped()],
            "counterfactual": None if self.counterfactual is None else self.counterfactual._asdict(),
            "counterfactual_searched": self.counterfactual_searched,
            "contributions": [each._asdict() for each in self.contributions],
            "bias": self.bias,
            "layers": [each.to_dict() for each in self.layers],
            "kernels": None if self.kernels is None else self.kernels.layer,
            "costs": [each._asdict() for each in self.costs],
            "notes": list(self.notes),
        }

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Every array by name, as it is written into an ``.npz`` file."""
        kernels = {} if self.kernels is None else {"kernels": self.kernels.weights}
        return {
            "crop": self.crop,
            "region_map": self.region_map,
            **kernels,
            **{f"map.{each.method}": each.map for each in self.maps},
            **{f"layer.{each.name}": each.activations for each in self.layers},
        }

    def _mapped(self) -> list[tuple[Saliency, Regions]]:
        return list(zip(self.maps, self.regions, strict=True))


def _points(face: Face | None) -> list[list[float]] | None:
    return None if face is None or face.landmarks is None else [list(point) for point in face.landmarks]
