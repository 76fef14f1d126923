"""Explanations: the methods, and frozen values with read-only arrays that all figures, pages and windows show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, suggest_name
from mien.results import Emotions, Face, Quality, Score

#: An evidence map or activations: float32, read-only.
Map: TypeAlias = NDArray[np.float32]


class MapMethod(NamedTuple):
    """A method that computes evidence maps: its name in options and JSON, its title, and one sentence about it."""

    name: str
    title: str
    description: str


#: The methods that need no gradients, by name.
MAP_METHODS: Mapping[str, MapMethod] = {
    method.name: method
    for method in (
        MapMethod(
            "cam",
            "Class activation map (CAM)",
            "The last feature maps, each multiplied by its weight: exactly the terms of which the logit is the sum.",
        ),
        MapMethod(
            "occlusion",
            "Occlusion",
            "A soft patch covers one position after another: where the probability drops, the network needs the "
            "region.",
        ),
        MapMethod(
            "rise",
            "RISE (random masks)",
            "Hundreds of random masks cover the face: regions are bright if the probability is high while they are "
            "visible.",
        ),
    )
}

#: Their names; the first is the default where neither the caller nor the model's card names one.
METHODS = tuple(MAP_METHODS)

#: Selects the first method that the audit in the model's card trusts.
AUTO = "auto"
AUTO_METHOD = MapMethod(AUTO, "Automatic", "The first method that this model's audit trusts.")

#: The methods of ``mien.training.gradient_maps``, which need Keras.
GRADIENT_METHODS = ("grad-cam", "layer-cam", "integrated-gradients", "smoothgrad")


def parse_methods(methods: str | Sequence[str], default: str = METHODS[0]) -> tuple[str, ...]:
    """The names of the methods without repetition; a string has commas between them. ``auto`` becomes ``default``."""
    names = [each.strip() for each in methods.split(",")] if isinstance(methods, str) else list(methods)
    names = [default if name == AUTO else name for name in names]
    expected = f"Methods are {', '.join(METHODS)}"
    for name in names:
        if name in GRADIENT_METHODS:
            happened = f"The method '{name}' needs gradients, which an ONNX file does not provide"
            raise MienError(happened, expected, "For Keras files use mien.training.gradient_maps")
        if name not in METHODS:
            raise MienError(
                f"There is no method '{name}'", expected, suggest_name(name, METHODS) or "Choose one of these"
            )
    return tuple(dict.fromkeys(names))


class ExplanationTarget(NamedTuple):
    """Explain the label at index ``target``, compared with the label at index ``versus`` (None: with all others)."""

    target: int
    versus: int | None = None
    seed: int = 0


def resolve_target(labels: Sequence[str], target: str, versus: str | None, seed: int) -> ExplanationTarget:
    """The indices of the expressions among the labels of a model. MienError for unknown and for equal ones."""
    for name in (target, versus):
        if name is not None and name not in labels:
            happened = f"The model does not have the expression '{name}'"
            raise MienError(
                happened, f"It has {', '.join(labels)}", suggest_name(name, labels) or "Choose one of these"
            )
    if target == versus:
        happened = f"'{target}' was to be compared with itself"
        raise MienError(happened, "Expected two different expressions", "Choose another one for the comparison")
    indices = {label: index for index, label in enumerate(labels)}
    return ExplanationTarget(indices[target], None if versus is None else indices[versus], seed)


class ReceptiveField(NamedTuple):
    """The part of the crop on which the values of a layer depend, in pixels of the crop.

    ``size`` is the side of the square on which one value depends, ``stride`` the distance between the squares of
    neighbouring values. ``offset_y`` and ``offset_x`` are the centre of the square of the first value (pixel 0 has its
    centre at 0). The two differ where a network combines the views of a face and of its mirror image.
    """

    size: int
    stride: float
    offset_y: float
    offset_x: float


class LayerCost(NamedTuple):
    """Parameters and multiply-adds of one layer, for one face."""

    layer: str
    kind: str
    parameters: int
    multiply_adds: int


class Kernels(NamedTuple):
    """The kernels of the first convolution, float32 ``(out, in, height, width)``, and the name of its layer.

    ``bias`` is ``(out,)``, ``inputs`` ``(in, height, width)`` are the rescaled pixels which the convolution receives;
    both None where they are unknown. ``padding`` is the number of zero rows above and zero columns left of them.
    """

    layer: str
    weights: Map
    bias: Map | None = None
    inputs: Map | None = None
    stride: int = 1
    padding: tuple[int, int] = (0, 0)


class NetworkRow(NamedTuple):
    """One row of the architecture diagram, from the input to the output.

    ``kind`` is that of the layer; its output are ``channels`` maps of ``side`` times ``side`` values, or a vector where
    ``side`` is 0. ``kernel`` and ``stride`` are those of a convolution, else 0. ``skip_from`` is the index of the row
    whose output a residual connection adds here (-1: the input), None for other rows.
    """

    name: str
    kind: str
    channels: int
    side: int
    kernel: int = 0
    stride: int = 0
    skip_from: int | None = None


class Contribution(NamedTuple):
    """What one channel adds to the logit of the target: ``amount`` is its mean ``activation`` times its ``weight``."""

    channel: int
    activation: float
    weight: float
    amount: float


class Counterfactual(NamedTuple):
    """The smallest covered rectangle that changes the leading label, in pixels of the crop.

    ``area`` is the covered part of the crop, 0 to 1; ``emotion`` is the label that leads then, with ``score``.
    """

    x: int
    y: int
    width: int
    height: int
    area: float
    emotion: str
    score: float


class Placement(NamedTuple):
    """Position of the crop in the image: a square, rotated about its centre by ``angle`` degrees (clockwise)."""

    left: float
    top: float
    side: float
    angle: float = 0.0

    def corners(self) -> list[tuple[float, float]]:
        """The corners in pixels of the image, clockwise from the upper left one of the crop."""
        x, y, half, radians = self.left + self.side / 2, self.top + self.side / 2, self.side / 2, np.deg2rad(self.angle)
        dx, dy = half * float(np.cos(radians)), half * float(np.sin(radians))
        return [(x + a * dx - b * dy, y + a * dy + b * dx) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]


@dataclass(frozen=True, eq=False, slots=True)
class Saliency:
    """An evidence map: float32 ``(side, side)`` in pixels of the crop.

    Evidence for ``target`` is 0 or more. With ``versus`` the map is signed: positive values are evidence for
    ``target``, negative ones for ``versus``. ``parameters`` are those of the method; ``seed`` is None for methods
    without random numbers.
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
    def strongest(self) -> float:
        """The largest absolute value; 0 for a map without evidence."""
        return float(np.abs(self.map).max(initial=0.0))

    def to_dict(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "target": self.target,
            "versus": self.versus,
            "seed": self.seed,
            "parameters": dict(self.parameters),
            "strongest": round(self.strongest, 6),
        }


@dataclass(frozen=True, eq=False, slots=True)
class Layer:
    """One layer with its activations on one face.

    ``kind`` is conv, pool, activation, norm, sum, views (the mean over views: test-time augmentation), dense or
    softmax. ``activations`` are float32 ``(channels, height, width)``, or ``(channels,)`` for a layer without spatial
    positions. ``zero_activation`` counts the channels that are constant on this face; ``order`` has all channels, the
    strongest first. ``tensor`` is the name of the layer's output inside the ONNX file.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    activations: Map
    zero_activation: int
    order: tuple[int, ...]
    receptive_field: ReceptiveField | None
    tensor: str

    def active_channels(self) -> tuple[int, ...]:
        """The channels that are not constant on this face, strongest first; all of them for single values."""
        if len(self.shape) < 3:
            return self.order
        varies = np.ptp(self.activations.reshape(self.shape[0], -1), axis=1) > 0
        return tuple(channel for channel in self.order if varies[channel])

    def omitted_maps(self, count: int) -> list[str]:
        """What is missing where only ``count`` maps are drawn: ``12 weaker maps``, ``3 with zero activation``."""
        weaker = self.shape[0] - count - self.zero_activation
        omitted = ((weaker, "weaker maps"), (self.zero_activation, "with zero activation"))
        return [f"{number:,} {text}" for number, text in omitted if number > 0]

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
    """The part of a map's evidence in each region of the face: brows, eyes, nose, mouth and rest; the sum is 1.

    ``basis`` is ``landmarks`` (those of this face) or ``mean geometry`` (average positions). ``evidence`` is empty for
    a map without evidence. In a signed map the evidence for the target counts.
    """

    method: str
    basis: str
    evidence: tuple[Score, ...]

    @property
    def top(self) -> Score | None:
        """The region with the most evidence; None for a map without evidence."""
        return max(self.evidence, key=lambda region: region.score, default=None)

    def to_dict(self) -> dict[str, Any]:
        return {"method": self.method, "basis": self.basis, "evidence": dict(self.evidence)}


@dataclass(frozen=True, eq=False, slots=True)
class Activations:
    """A fast explanation for live video. ``map`` and ``regions`` are None for a network without class maps."""

    crop: NDArray[np.uint8]
    emotions: Emotions
    layers: tuple[Layer, ...]
    map: Saliency | None = None
    regions: Regions | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Explanation:
    """How the network computes its prediction for one face.

    ``crop`` is the network input, uint8 ``(side, side)`` or ``(side, side, 3)``. ``logits`` are the inputs of the
    softmax before the division by ``temperature``; they are empty for a model without a readable graph. ``regions``
    has one entry for each of ``maps``. ``region_map`` has the region of each pixel, as an index into
    ``mien.explain.regions.REGIONS``. ``contributions`` are the channels of the last layer with what they add to the
    target's logit, the largest amounts first: with ``bias`` their sum is the logit after the division by the
    temperature. They are empty for a network that does not end in global average pooling. ``counterfactual`` is None
    when it was not searched for (``counterfactual_searched`` is False) or when no covered rectangle changes the
    prediction. ``notes`` are sentences about limits of this explanation. ``placement`` is the position of the crop in
    the image; ``source``, ``size``, ``detector``, ``face`` and ``number`` belong to that image.
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
    decision: Mapping[str, Any] = field(default_factory=dict)
    contributions: tuple[Contribution, ...] = ()
    bias: float = 0.0
    kernels: Kernels | None = None
    rows: tuple[NetworkRow, ...] = ()
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
        """The probabilities without the division by the temperature; empty without logits."""
        values = np.array([logit.score for logit in self.logits], np.float64)
        exponentials = np.exp(values - values.max(initial=0.0))
        scores = exponentials / exponentials.sum() if len(values) else values
        labelled = zip(self.logits, scores, strict=True)
        return tuple(Score(logit.label, round(float(score), 7)) for logit, score in labelled)

    def layer(self, name: str) -> Layer:
        """The layer of that name. KeyError if it is not part of this explanation."""
        return {each.name: each for each in self.layers}[name]

    def to_dict(self) -> dict[str, Any]:
        """All values except the arrays, as plain JSON; :meth:`arrays` has the arrays."""
        emotions, face = self.emotions, self.face
        landmarks = None if face is None or face.landmarks is None else [list(point) for point in face.landmarks]
        maps = zip(self.maps, self.regions, strict=True)
        return {
            "source": self.source,
            "number": self.number,
            "model": self.model,
            "detector": self.detector,
            "size": None if self.size is None else list(self.size),
            "box": None if face is None else list(face.box),
            "detection": None if face is None else face.detection,
            "landmarks": landmarks,
            "quality": None if self.quality is None else self.quality.to_dict(),
            "placement": None if self.placement is None else self.placement._asdict(),
            "emotion": emotions.top,
            "scores": dict(emotions.scores),
            "uncertain": emotions.uncertain,
            "votes": None if emotions.votes is None else dict(emotions.votes),
            "label_scores": None if emotions.label_scores is None else dict(emotions.label_scores),
            "mixture": dict(emotions.mixture),
            "target": self.target,
            "versus": self.versus,
            "logits": dict(self.logits),
            "temperature": self.temperature,
            "scores_without_temperature": dict(self.scores_without_temperature),
            "votes_logits": dict(self.votes_logits),
            "votes_temperature": self.votes_temperature,
            "decision": dict(self.decision),
            "maps": [{**saliency.to_dict(), "regions": regions.to_dict()} for saliency, regions in maps],
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
        """All arrays by name, as in ``arrays.npz``."""
        kernels = {} if self.kernels is None else {"kernels": self.kernels.weights}
        return {
            "crop": self.crop,
            "region_map": self.region_map,
            **kernels,
            **{f"map.{each.method}": each.map for each in self.maps},
            **{f"layer.{each.name}": each.activations for each in self.layers},
        }
