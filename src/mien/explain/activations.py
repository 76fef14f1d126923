"""The tensors inside a network on given faces: activations of layers, logits, class maps, top activating faces."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain.class_map import PooledHead, compute_class_map, project_to_crop
from mien.explain.explanation import Contribution, Kernels, Layer, Map
from mien.explain.layers import GraphLayer, NetworkStructure
from mien.explain.onnx_graph import OnnxGraph, OnnxNode, dequantize
from mien.explain.receptive_field import SpatialLayout
from mien.models.classifier import IntermediateOutputs
from mien.results import Score

#: A channel whose values differ by less than this has zero activation.
_ZERO = 1e-6

#: Selections of tensors whose sessions are cached: a window shows one, a user who explores a few.
_SESSIONS = 4

#: Faces in one run of :func:`find_top_activating`: more of them would need too much memory for wide layers.
_BATCH = 32


class TensorReader:
    """Reads tensors inside a network, as additional outputs of sessions that are cached. Safe for several threads."""

    def __init__(self, model: bytes, graph: OnnxGraph, threads: int | None = None) -> None:
        self._model = model
        self._graph = graph
        self._threads = threads
        self._sessions: OrderedDict[frozenset[str], IntermediateOutputs] = OrderedDict()
        self._lock = Lock()

    def read(self, faces: NDArray[np.uint8], tensors: Iterable[str]) -> Mapping[str, NDArray[Any]]:
        """The tensors by name, float32, for faces ``(N, side, side, channels)`` uint8."""
        quantizers = {name: self._find_quantizer(name) for name in dict.fromkeys(tensors)}
        session = self._session(frozenset(name if q is None else q.outputs[0] for name, q in quantizers.items()))
        # A network with several views has the other views after the first view of all faces.
        values = {name: each[: len(faces)] for name, each in session.run(faces).items()}
        return {name: self._dequantize(values, name, quantizer) for name, quantizer in quantizers.items()}

    def _session(self, outputs: frozenset[str]) -> IntermediateOutputs:
        with self._lock:
            if outputs not in self._sessions:
                self._sessions[outputs] = IntermediateOutputs(self._model, sorted(outputs), threads=self._threads)
            self._sessions.move_to_end(outputs)
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
            return self._sessions[outputs]

    def _find_quantizer(self, tensor: str) -> OnnxNode | None:
        """The node that rounds a tensor to eight bits.

        An output after it changes nothing in how an eight-bit network runs; an output before it would keep the runtime
        from fusing operations.
        """
        return next((node for node in self._graph.consumers.get(tensor, []) if node.op == "QuantizeLinear"), None)

    def _dequantize(
        self, values: Mapping[str, NDArray[Any]], tensor: str, quantizer: OnnxNode | None
    ) -> NDArray[np.float32]:
        if quantizer is None:
            return np.asarray(values[tensor], np.float32)
        scale = self._graph.constant(quantizer.inputs[1])
        zero_point = self._graph.constant(quantizer.inputs[2]) if len(quantizer.inputs) > 2 else None
        assert scale is not None, "static quantization stores its scales in the file"
        return dequantize(values[quantizer.outputs[0]], scale, zero_point, quantizer.attributes.get("axis", 1))


@dataclass(frozen=True, eq=False)
class FaceTensors:
    """Tensors of one face by name; ``structure`` describes them."""

    structure: NetworkStructure
    tensors: Mapping[str, NDArray[Any]]

    @property
    def pooled(self) -> PooledHead | None:
        """The head with exact class maps; None for another network, and if its feature maps were not read."""
        pooled = self.structure.pooled
        return pooled if pooled is not None and pooled.maps in self.tensors else None

    def layers(self, layers: Sequence[GraphLayer]) -> tuple[Layer, ...]:
        return tuple(build_layer(layer, self.tensors[layer.tensor]) for layer in layers)

    def kernels(self) -> Kernels | None:
        """The kernels of the first convolution with the pixels that it receives."""
        kernels, name = self.structure.kernels, self.structure.kernel_input
        if kernels is None or name is None or name not in self.tensors or self.tensors[name].ndim != 4:
            return kernels
        return kernels._replace(inputs=freeze_map(self.tensors[name][0]))

    def logits(self, tensor: str | None, labels: Sequence[str], temperature: float) -> tuple[Score, ...]:
        """The logits as they were trained: the last weights in the file are divided by the temperature."""
        if tensor is None or tensor not in self.tensors:
            return ()
        values = self.tensors[tensor].reshape(-1) * temperature
        return tuple(Score(label, round(float(value), 6)) for label, value in zip(labels, values, strict=True))

    def contributions(self, target: int) -> tuple[tuple[Contribution, ...], float]:
        """What each channel adds to the target's logit, the largest amounts first; and the bias."""
        if self.pooled is None:
            return (), 0.0
        maps = self._pooled_maps(self.pooled)
        means, weights = maps.reshape(len(maps), -1).mean(axis=1), self.pooled.weights[:, target]
        amounts = means * weights
        order = np.argsort(-np.abs(amounts), kind="stable").tolist()
        rows = (Contribution(k, float(means[k]), float(weights[k]), float(amounts[k])) for k in order)
        return tuple(rows), float(self.pooled.bias[target])

    def class_map(self, target: int, versus: int | None, side: int) -> Map:
        """The exact class activation map, interpolated to a crop ``(side, side)``."""
        assert self.pooled is not None, "the caller checks for class maps"
        class_map = compute_class_map(self.pooled, self._pooled_maps(self.pooled), target, versus)
        projected = project_to_crop(class_map, self._pooled_layout(self.pooled).receptive_field, side)
        return freeze_map(projected if versus is not None else np.maximum(projected, 0))

    def _pooled_maps(self, pooled: PooledHead) -> NDArray[np.float32]:
        maps = self.tensors[pooled.maps][0]
        channels_last = self._pooled_layout(pooled).channels == 3
        return np.asarray(maps.transpose(2, 0, 1) if channels_last else maps, np.float32)

    def _pooled_layout(self, pooled: PooledHead) -> SpatialLayout:
        layout = self.structure.layout(pooled.maps)
        assert layout is not None, "a pooled tensor has spatial positions"
        return layout


def build_layer(layer: GraphLayer, tensor: NDArray[np.float32]) -> Layer:
    """The layer with its activations on the first face of a tensor ``(N, ...)``."""
    activations = tensor[0]
    if activations.ndim != 3 or activations.shape[1:] == (1, 1):
        activations = activations.reshape(-1)
    elif _has_channels_last(layer):
        activations = activations.transpose(2, 0, 1)
    flat = activations.reshape(len(activations), -1)
    strength = np.abs(flat).mean(axis=1)
    # A single value is compared with 0, a map with itself.
    spread = strength if activations.ndim == 1 else flat.max(axis=1) - flat.min(axis=1)
    return Layer(
        name=layer.name,
        kind=layer.kind,
        shape=activations.shape,
        activations=freeze_map(activations),
        zero_activation=int((spread <= _ZERO).sum()),
        order=tuple(np.argsort(-strength, kind="stable").tolist()),
        receptive_field=layer.receptive_field,
        tensor=layer.tensor,
    )


def _has_channels_last(layer: GraphLayer) -> bool:
    return layer.layout is not None and layer.layout.channels == 3


def freeze_map(array: NDArray[Any]) -> Map:
    """A contiguous, read-only float32 copy."""
    copy = np.array(array, np.float32, order="C")
    copy.setflags(write=False)
    return copy


def find_top_activating(
    reader: TensorReader, faces: NDArray[np.uint8], layer: GraphLayer, channels: Sequence[int], count: int
) -> Mapping[int, tuple[int, ...]]:
    """The indices of the ``count`` faces with the highest mean activation of each channel, highest first.

    Faces with zero activation are excluded, so there may be fewer.
    """
    batches = [faces[start : start + _BATCH] for start in range(0, len(faces), _BATCH)]
    strengths = np.concatenate([_mean_activations(reader, batch, layer) for batch in batches])
    best = {channel: np.argsort(-strengths[:, channel], kind="stable")[:count].tolist() for channel in channels}
    return {
        channel: tuple(index for index in indices if strengths[index, channel] > 0) for channel, indices in best.items()
    }


def _mean_activations(reader: TensorReader, faces: NDArray[np.uint8], layer: GraphLayer) -> NDArray[np.float64]:
    """``(N, channels)``: the mean activation, with negative values as 0."""
    values = np.maximum(reader.read(faces, [layer.tensor])[layer.tensor], 0).astype(np.float64)
    if values.ndim == 2:
        return np.asarray(values)
    return np.asarray(values.mean(axis=(1, 2) if _has_channels_last(layer) else (2, 3)))
