"""Names for layers, made of the names that exporters leave in a graph: short, readable, and each only once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mien.errors import ModelError, nearest
from mien.explain.class_map import PooledHead, SoftmaxHead, find_head
from mien.explain.explanation import Kernels, LayerCost, ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode
from mien.explain.receptive_field import SpatialLayout, is_batch_concat, is_batch_split, trace_layouts
from mien.models.onnx_file import ModelSource

#: What exporters call operations; a layer is called after what stands before it.
_OPERATIONS = {"convolution", "biasadd", "matmul", "maxpool2d", "maxpool", "avgpool", "mean", "batchnorm", "mul_1"}

#: Names that an exporter made up: ``Conv__138``, ``Identity``, ``onnx::Conv_12``, or a mere number.
_MADE_UP = re.compile(r"(?:onnx::)?(?:Conv|Gemm|MatMul|Add|Relu|MaxPool|AveragePool|Mul|Softmax|Clip|Identity)?_*\d*$")


class LayerTensor(NamedTuple):
    """A layer to be named: its kind, its tensor's name, and whether it pools over all places."""

    kind: str
    tensor: str
    overall: bool = False


def build_layer_names(layers: Sequence[LayerTensor]) -> list[str]:
    """A name for each layer: ``stem``, ``stage1.block2.conv1``, ``conv3``."""
    paths = [_bare(path) for path in _without_common([_steps(layer.tensor) for layer in layers])]
    names = [_shortened(place, layers, paths) for place in range(len(layers))]
    names = [layer.kind if _MADE_UP.match(name) else name for name, layer in zip(names, layers, strict=True)]
    return _unique(names, [layer.kind for layer in layers])


def _steps(tensor: str) -> tuple[str, ...]:
    """The steps of a tensor's name, a number taken to the word behind it: ``block1/2/conv`` is block1, conv2."""
    merged: list[str] = []
    for step in filter(None, re.sub(r":\d+$", "", tensor).split("/")):
        number = merged.pop() if merged and merged[-1].isdigit() and not step.isdigit() else ""
        merged.append(step + number)
    return tuple(merged)


def _without_common(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """The first step that all longer names share says nothing; so does the next."""
    while len(deep := [path for path in paths if len(path) > 1]) > 1 and len({path[0] for path in deep}) == 1:
        paths = [path[1:] if len(path) > 1 else path for path in paths]
    return paths


def _bare(path: tuple[str, ...]) -> tuple[str, ...]:
    """Without the names of operations at its end, as long as something is left."""
    while len(path) > 1 and path[-1].lower() in _OPERATIONS:
        path = path[:-1]
    return path


def _shortened(place: int, layers: Sequence[LayerTensor], paths: Sequence[tuple[str, ...]]) -> str:
    """A group's last activation, and a pooling over all, stand for the group: ``stage1.block1``, not ``...relu``."""
    path = paths[place]
    group = path[:-1]
    last = place == max(i for i, other in enumerate(paths) if other[: len(group)] == group)
    stands = layers[place].overall or (layers[place].kind == "activation" and not path[-1][-1].isdigit())
    return ".".join(group if group and last and stands and group not in paths else path)


def _unique(names: list[str], kinds: Sequence[str]) -> list[str]:
    """What is there twice gets its kind, where that tells it apart, and else a number."""
    counted = Counter(names)
    told = [f"{n}.{k}" if counted[n] > 1 and n != k else n for n, k in zip(names, kinds, strict=True)]
    again, seen = Counter(told), Counter[str]()
    unique = []
    for name in told:
        seen[name] += 1
        unique.append(f"{name}{seen[name]}" if again[name] > 1 else name)
    return unique


# ==== mien.explain.anatomy
# A network's layers, by names that people understand: what they are, what they see, and what they cost.

#: What people call the operations of ONNX.
KINDS = {
    **dict.fromkeys(("Conv", "ConvTranspose"), "conv"),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"), "pool"),
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Clip", "HardSwish", "Gelu"), "activation"),
    **dict.fromkeys(("Sigmoid", "Tanh", "HardSigmoid", "Softplus", "Softsign", "Mish"), "activation"),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization", "LayerNormalization"), "norm"),
    **dict.fromkeys(("Gemm", "MatMul"), "dense"),
    **{"Add": "sum", "Mean": "sum", "Concat": "sum", "Softmax": "softmax"},
}

_GLOBAL = ("GlobalAveragePool", "GlobalMaxPool", "ReduceMean")
_GATES = ("Sigmoid", "HardSigmoid", "Tanh")


@dataclass(frozen=True, slots=True)
class GraphLayer:
    """A layer of the graph: its name, its kind, the tensor it makes and the node behind it.

    ``spread`` says how its places lie on the crop; None behind the global pooling.
    """

    name: str
    kind: str
    tensor: str
    node: OnnxNode
    layout: SpatialLayout | None

    @property
    def receptive_field(self) -> ReceptiveField | None:
        return None if self.layout is None else self.layout.receptive_field


class NetworkStructure:
    """What can be told of a model from its file alone."""

    def __init__(self, model: ModelSource, side: int, channels: int) -> None:
        self.graph = OnnxGraph(model)
        self._spreads = trace_layouts(self.graph, side, channels)
        named = list(self._named())
        self.parts = tuple(named)
        self.by_name = {part.name: part for part in self.parts}

    @cached_property
    def head(self) -> SoftmaxHead | None:
        """How the shares are made of the last layer; None where the graph ends in another way."""
        return find_head(self.graph, "shares")

    @cached_property
    def votes(self) -> SoftmaxHead | None:
        """The same of the second head."""
        return find_head(self.graph, "votes")

    @property
    def pooled(self) -> PooledHead | None:
        """The end of a network that has exact class maps: global average pooling of places we know, one dense layer."""
        found = None if self.head is None else self.head.pooled
        return found if found is not None and self.layout(found.maps) is not None else None

    @cached_property
    def kernels(self) -> Kernels | None:
        """The filters of the first convolution."""
        first = next((part for part in self.parts if part.kind == "conv"), None)
        weights = None if first is None else self.graph.constant(first.node.inputs[1])
        return None if first is None or weights is None else Kernels(first.name, weights.astype("float32"))

    @cached_property
    def costs(self) -> tuple[LayerCost, ...]:
        """Parameters and multiply-adds of every layer that has any."""
        return tuple(cost for part in self.parts if (cost := self._cost(part)).parameters)

    @cached_property
    def _looks(self) -> dict[str, int]:
        """How many pictures of each face a tensor is of: two where its mirror image is looked at as well."""
        known: dict[str, int] = {}
        for node in self.graph.nodes:
            before = [known.get(name, 1) for name in node.inputs if name in self.graph.varying] or [1]
            looks = sum(before) if is_batch_concat(node) else max(before)
            looks = max(looks // len(node.outputs), 1) if is_batch_split(node) else looks
            known.update(dict.fromkeys(node.outputs, looks))
        return known

    def layout(self, tensor: str) -> SpatialLayout | None:
        return self._spreads.get(tensor)

    def choose(self, layers: str | Sequence[str]) -> tuple[GraphLayer, ...]:
        """The layers of ``auto``, of ``all``, or of these names, in the order of the network."""
        if layers == "all":
            return self.parts
        if layers == "auto":
            return tuple(part for part in self.parts if part.name in self.landmarks)
        names = [each.strip() for each in layers.split(",")] if isinstance(layers, str) else list(layers)
        for name in names:
            self._refuse_unknown(name)
        return tuple(part for part in self.parts if part.name in names)

    @cached_property
    def landmarks(self) -> frozenset[str]:
        """What ``auto`` shows: the end of every stage (before the maps shrink), poolings, views, dense layers."""
        pools = [part for part in self.parts if part.kind == "pool" and _is_main(part)]
        # Of the global ones the last: those before it stand in gates.
        chosen = [part for part in pools if part.layout is not None]
        chosen += [part for part in pools if part.layout is None][-1:]
        chosen += [part for part in self.parts if self.head is not None and part.tensor == self.head.logits]
        chosen += self._hidden() if self.head is not None else []
        placed = [part for part in self.parts if part.layout is not None and part.kind in ("conv", "activation")]
        steps = {part.layout.length: part for part in placed if part.layout is not None}
        first = [part for part in placed if part.kind == "activation" or len(placed) == 1][:1]
        views = [part for part in self.parts if part.kind == "views"]
        return frozenset(part.name for part in [*chosen, *steps.values(), *first, *views])

    def _hidden(self) -> list[GraphLayer]:
        """The end of every dense layer between the maps and the heads: its activation, where it has one."""
        last = max((place for place, part in enumerate(self.parts) if part.layout is not None), default=-1)
        found: list[GraphLayer] = []
        for part in self.parts[last + 1 :]:
            if part.kind == "dense":
                found.append(part)
            elif found and part.kind in ("activation", "norm"):
                found[-1] = part
            elif found and part.kind == "softmax" and found[-1].kind == "dense":
                found.pop()  # what goes into a softmax is a head
        return found

    def _refuse_unknown(self, name: str) -> None:
        if name not in self.by_name:
            known = ", ".join(self.by_name)
            hint = nearest(name, self.by_name) or "layers='all' shows every one"
            raise ModelError(f"The model has no layer '{name}'", f"It has {known}", hint)

    def _cost(self, part: GraphLayer) -> LayerCost:
        if part.kind not in ("conv", "dense", "norm"):
            return LayerCost(part.name, part.kind, 0, 0)
        apart = [] if part.tensor in part.node.outputs else self.graph.makers[part.tensor].inputs
        found = [self.graph.constant(name) for name in (*part.node.inputs[1:], *apart) if name]
        sizes = [each.size for each in found if each is not None]
        places = part.layout.length**2 if part.kind == "conv" and part.layout is not None else 1
        looks = self._looks.get(part.tensor, 1)
        work = 0 if part.kind == "norm" or not sizes else sizes[0] * places * looks
        return LayerCost(part.name, part.kind, sum(sizes), work)

    def _named(self) -> Iterator[GraphLayer]:
        found = list(_layers(self.graph))
        names = build_layer_names([LayerTensor(kind, tensor, node.op in _GLOBAL) for kind, tensor, node in found])
        for name, (kind, tensor, node) in zip(names, found, strict=True):
            yield GraphLayer(name, kind, tensor, node, self._spreads.get(tensor))


def _is_main(part: GraphLayer) -> bool:
    """Poolings of one pixel only fit a shortcut to the path beside it, and so do those that are named so."""
    return max(part.node.attributes.get("kernel_shape", [2])) > 1 and "short" not in part.name.split(".")


def _layers(graph: OnnxGraph) -> Iterator[tuple[str, str, OnnxNode]]:
    """Kind, tensor and node of everything that people would call a layer."""
    for node in graph.nodes:
        if node.op == "Mul" and _gated(graph, node):
            yield "activation", node.outputs[0], node
        elif node.op == "Mean" and _of_views(graph, node):
            yield "views", node.outputs[0], node
        elif node.op in KINDS and _depends(graph, node) and not _only_gate(graph, node):
            yield KINDS[node.op], _with_bias(graph, node), node


def _depends(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Is it more than a constant, and more than adding one?"""
    varying = [name for name in node.inputs if name in graph.varying]
    if KINDS[node.op] == "sum":
        return len(varying) > 1 and not is_batch_concat(node)
    return bool(varying)


def _of_views(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Is it the mean of a batch's parts, turned back where they are mirror images?"""
    makers = [graph.makers.get(name) for name in node.inputs]
    behind = [graph.makers.get(each.inputs[0]) if each and each.op == "Slice" else each for each in makers]
    return len({each for each in behind if each is not None and is_batch_split(each)}) == 1 and None not in behind


def _gated(graph: OnnxGraph, node: OnnxNode) -> bool:
    """``x * sigmoid(x)``: one activation, written as two nodes."""
    makers = [graph.makers.get(name) for name in node.inputs]
    return any(m is not None and m.op in _GATES and m.inputs[0] in node.inputs for m in makers)


def _only_gate(graph: OnnxGraph, node: OnnxNode) -> bool:
    taking = graph.takers.get(node.outputs[0], [])
    return node.op in _GATES and bool(taking) and all(t.op == "Mul" and _gated(graph, t) for t in taking)


def _with_bias(graph: OnnxGraph, node: OnnxNode) -> str:
    """The tensor of a layer whose bias is added by a node of its own."""
    taking = graph.takers.get(node.outputs[0], [])
    if node.op in ("MatMul", "Conv") and len(taking) == 1 and taking[0].op == "Add":
        others = [name for name in taking[0].inputs if name != node.outputs[0]]
        if others and graph.constant(others[0]) is not None:
            return taking[0].outputs[0]
    return node.outputs[0]
