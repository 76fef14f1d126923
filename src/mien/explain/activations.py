"""What the layers of a network say about one face, as values."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain import class_map as cam
from mien.explain.class_map import PooledHead
from mien.explain.explanation import Contribution, Layer, Map
from mien.explain.layers import GraphLayer, NetworkStructure
from mien.explain.onnx_graph import OnnxGraph, OnnxNode, dequantize
from mien.explain.receptive_field import SpatialLayout
from mien.models.classifier import IntermediateOutputs, open_intermediate_outputs
from mien.results import Score

#: Channels that move less than this, over all places, say nothing.
_STILL = 1e-6


def build_layer(part: GraphLayer, tensor: NDArray[np.float32]) -> Layer:
    """The layer with its activations on the first face of a tensor ``(N, ...)``."""
    activations = _channels_first(tensor[0], part)
    strength = np.abs(activations).reshape(len(activations), -1).mean(axis=1)
    return Layer(
        name=part.name,
        kind=part.kind,
        shape=activations.shape,
        activations=freeze_map(activations),
        zero_activation=int(_still(activations).sum()),
        order=tuple(np.argsort(-strength, kind="stable").tolist()),
        receptive_field=part.receptive_field,
        tensor=part.tensor,
    )


def freeze_map(array: NDArray[Any]) -> Map:
    """The same numbers, whole and read-only."""
    kept = np.array(array, np.float32, order="C")
    kept.setflags(write=False)
    return kept


def _channels_first(activations: NDArray[np.float32], part: GraphLayer) -> NDArray[np.float32]:
    """``(channels, height, width)``, or ``(channels,)`` where there are no places."""
    if activations.ndim != 3 or activations.shape[1:] == (1, 1):
        return activations.reshape(-1)
    last = part.layout is not None and part.layout.channels == 3
    return activations.transpose(2, 0, 1) if last else activations


def _still(activations: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Channels that are nowhere different from 0, or, with places, from themselves."""
    if activations.ndim == 1:
        return np.asarray(np.abs(activations) <= _STILL)
    flat = activations.reshape(len(activations), -1)
    return np.asarray(flat.max(axis=1) - flat.min(axis=1) <= _STILL)


# ==== mien.explain.taps
# The tensors inside a network, on one face: opened as further outputs of a second session, kept for the next face.

#: How many selections of tensors stay open: a window shows one, a session of exploring a few.
_OPEN = 4


class TensorReader:
    """Sessions by what they show. Faces pass through and leave nothing behind; threads may share it."""

    def __init__(self, model: bytes, graph: OnnxGraph, threads: int | None = None) -> None:
        self._model = model
        self._blueprint = graph
        self._threads = threads
        self._open: OrderedDict[frozenset[str], IntermediateOutputs] = OrderedDict()
        self._lock = Lock()

    def run(self, faces: NDArray[np.uint8], tensors: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """Each tensor by name, float32, for faces ``(N, side, side, channels)`` uint8."""
        wanted = {name: self._rounded(name) for name in dict.fromkeys(tensors)}
        session = self._session(frozenset(name if node is None else node.outputs[0] for name, node in wanted.items()))
        # A network of several views has the others behind the first of each face.
        found = {name: each[: len(faces)] for name, each in session.run(faces).items()}
        return {name: self._floats(found, name, node) for name, node in wanted.items()}

    def _session(self, shown: frozenset[str]) -> IntermediateOutputs:
        with self._lock:
            if shown not in self._open:
                self._open[shown] = open_intermediate_outputs(self._model, sorted(shown), threads=self._threads)
            self._open.move_to_end(shown)
            while len(self._open) > _OPEN:
                self._open.popitem(last=False)
            return self._open[shown]

    def _rounded(self, tensor: str) -> OnnxNode | None:
        """The node that rounds a tensor to eight bits.

        Looked at behind it, nothing in an eight-bit network runs otherwise than when it reads; before it, the runtime
        could not make one step of several.
        """
        return next((node for node in self._blueprint.takers.get(tensor, []) if node.op == "QuantizeLinear"), None)

    def _floats(self, found: Mapping[str, NDArray[Any]], tensor: str, node: OnnxNode | None) -> NDArray[np.float32]:
        if node is None:
            return np.asarray(found[tensor], np.float32)
        scale = self._blueprint.constant(node.inputs[1])
        zero = self._blueprint.constant(node.inputs[2]) if len(node.inputs) > 2 else None
        assert scale is not None, "a static rounding has its scale in the file"
        return dequantize(found[node.outputs[0]], scale, zero, node.attributes.get("axis", 1))


# ==== mien.explain.sight
# What the taps showed of one face: its layers, its logits, and where the last layer found its evidence.


@dataclass(frozen=True, eq=False)
class FaceTensors:
    """Tensors by name, as the face made them; ``anatomy`` says what they are."""

    structure: NetworkStructure
    tensors: Mapping[str, NDArray[Any]]

    @property
    def pooled(self) -> PooledHead | None:
        """The end of a network that has exact class maps; None for another, and where nobody tapped it."""
        found = self.structure.pooled
        return found if found is not None and found.maps in self.tensors else None

    def layers(self, parts: Sequence[GraphLayer]) -> tuple[Layer, ...]:
        return tuple(build_layer(part, self.tensors[part.tensor]) for part in parts)

    def logits(self, tensor: str | None, labels: Sequence[str], temperature: float) -> tuple[Score, ...]:
        """As the network gave them: the temperature is folded into the last weights, and is taken out again."""
        if tensor is None or tensor not in self.tensors:
            return ()
        values = self.tensors[tensor].reshape(-1) * temperature
        return tuple(Score(label, round(float(value), 6)) for label, value in zip(labels, values, strict=True))

    def contributions(self, target: int) -> tuple[tuple[Contribution, ...], float]:
        """What each channel adds to the target's logit, the largest amounts first; and the bias."""
        if self.pooled is None:
            return (), 0.0
        places = self._places(self.pooled)
        means, weights = places.reshape(len(places), -1).mean(axis=1), self.pooled.weights[:, target]
        amounts = means * weights
        order = np.argsort(-np.abs(amounts), kind="stable").tolist()
        rows = (Contribution(k, float(means[k]), float(weights[k]), float(amounts[k])) for k in order)
        return tuple(rows), float(self.pooled.bias[target])

    def class_map(self, target: int, versus: int | None, side: int) -> Map:
        """The exact class activation map, laid over a crop of this side."""
        assert self.pooled is not None, "asked for only where there are maps"
        coarse = cam.compute_class_map(self.pooled, self._places(self.pooled), target, versus)
        laid = cam.project_to_crop(coarse, self._spread(self.pooled).receptive_field, side)
        return freeze_map(laid if versus is not None else np.maximum(laid, 0))

    def _places(self, pooled: PooledHead) -> NDArray[np.float32]:
        maps = self.tensors[pooled.maps][0]
        return np.asarray(maps.transpose(2, 0, 1) if self._spread(pooled).channels == 3 else maps, np.float32)

    def _spread(self, pooled: PooledHead) -> SpatialLayout:
        layout = self.structure.layout(pooled.maps)
        assert layout is not None, "what is pooled has places"
        return layout


# ==== mien.explain.exciting
# Which faces excite a channel most: what it responds to, told by examples.

#: Faces looked at together: a wide layer of more of them would fill the memory.
_BATCH = 32


def find_top_activating(
    taps: TensorReader, faces: NDArray[np.uint8], part: GraphLayer, channels: Sequence[int], count: int
) -> Mapping[int, tuple[int, ...]]:
    """For each channel the places of the ``count`` faces on which it is strongest (in the mean), strongest first.

    A face on which a channel says nothing is not among them, so there may be fewer.
    """
    strengths = np.concatenate([_strengths(taps, faces[i : i + _BATCH], part) for i in range(0, len(faces), _BATCH)])
    best = {channel: np.argsort(-strengths[:, channel], kind="stable")[:count] for channel in channels}
    return {
        channel: tuple(place for place in places.tolist() if strengths[place, channel] > 0)
        for channel, places in best.items()
    }


def _strengths(taps: TensorReader, faces: NDArray[np.uint8], part: GraphLayer) -> NDArray[np.float64]:
    """``(N, channels)``: the mean activation, what is below 0 left out."""
    found = np.maximum(taps.run(faces, [part.tensor])[part.tensor], 0).astype(np.float64)
    if found.ndim == 2:
        return np.asarray(found)
    last = part.layout is not None and part.layout.channels == 3
    return np.asarray(found.mean(axis=(1, 2) if last else (2, 3)))
