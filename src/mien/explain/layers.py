"""The layers of a network: names, kinds, positions on the crop, parameters and multiply-adds, from its ONNX file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from mien.errors import ModelError, suggest_name
from mien.explain.class_map import PooledHead, SoftmaxHead, find_head
from mien.explain.explanation import Kernels, LayerCost, NetworkRow, ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode
from mien.explain.receptive_field import SpatialLayout, is_batch_concat, is_batch_split, trace_layouts
from mien.models.onnx_file import ModelSource

#: Kinds of layers by ONNX operation.
KINDS = {
    **dict.fromkeys(("Conv", "ConvTranspose"), "conv"),
    **dict.fromkeys(("MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "ReduceMean"), "pool"),
    **dict.fromkeys(("Relu", "LeakyRelu", "PRelu", "Elu", "Selu", "Clip", "HardSwish", "Gelu"), "activation"),
    **dict.fromkeys(("Sigmoid", "Tanh", "HardSigmoid", "Softplus", "Softsign", "Mish"), "activation"),
    **dict.fromkeys(("BatchNormalization", "InstanceNormalization", "LayerNormalization"), "norm"),
    **dict.fromkeys(("Gemm", "MatMul"), "dense"),
    **{"Add": "sum", "Mean": "sum", "Concat": "sum", "Softmax": "softmax"},
}

_GLOBAL_POOLING = ("GlobalAveragePool", "GlobalMaxPool", "ReduceMean")
_GATES = ("Sigmoid", "HardSigmoid", "Tanh")


@dataclass(frozen=True, slots=True)
class GraphLayer:
    """A layer of the graph: its name, its kind, its output tensor and its node.

    ``layout`` is how its values lie on the crop; None for a layer without spatial positions.
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
    """What the file of a model says about its network. ``layers`` are in the order of the graph."""

    def __init__(self, model: ModelSource, side: int, channels: int) -> None:
        self.graph = OnnxGraph(model)
        self._layouts = trace_layouts(self.graph, side, channels)
        layers = list(_find_layers(self.graph))
        names = build_layer_names(
            [LayerTensor(kind, tensor, node.op in _GLOBAL_POOLING) for kind, tensor, node in layers]
        )
        self.layers = tuple(
            GraphLayer(name, kind, tensor, node, self._layouts.get(tensor))
            for name, (kind, tensor, node) in zip(names, layers, strict=True)
        )

    @cached_property
    def head(self) -> SoftmaxHead | None:
        """The head of the expressions; None if the graph ends in another way."""
        return find_head(self.graph, "scores")

    @cached_property
    def votes_head(self) -> SoftmaxHead | None:
        """The head of the predicted annotator votes."""
        return find_head(self.graph, "votes")

    @property
    def pooled(self) -> PooledHead | None:
        """The head of a network with exact class maps: global average pooling of a known layout, one dense layer."""
        pooled = None if self.head is None else self.head.pooled
        return pooled if pooled is not None and self.layout(pooled.maps) is not None else None

    @cached_property
    def kernels(self) -> Kernels | None:
        """The kernels of the first convolution."""
        first = next((layer for layer in self.layers if layer.kind == "conv"), None)
        weights = None if first is None else self.graph.constant(first.node.inputs[1])
        if first is None or weights is None:
            return None
        bias = self.graph.constant(first.node.inputs[2]) if len(first.node.inputs) > 2 else None
        pads = first.node.attributes.get("pads", [0, 0])
        return Kernels(
            first.name,
            weights.astype("float32"),
            None if bias is None else bias.astype("float32"),
            stride=first.node.attributes.get("strides", [1])[0],
            padding=(pads[0], pads[1]),
        )

    @cached_property
    def kernel_input(self) -> str | None:
        """The tensor that the first convolution receives, before its rounding to eight bits."""
        first = next((layer for layer in self.layers if layer.kind == "conv"), None)
        if first is None or first.node.inputs[0] not in self.graph.producers:
            return None
        node = self.graph.producers[first.node.inputs[0]]
        if node.op == "DequantizeLinear" and node.inputs[0] in self.graph.producers:
            return self.graph.producers[node.inputs[0]].inputs[0]
        return first.node.inputs[0]

    @cached_property
    def rows(self) -> tuple[NetworkRow, ...]:
        """The rows of the architecture diagram: every layer but activations, norms, and those in shortcuts."""
        kinds = ("conv", "pool", "dense", "sum", "views", "softmax")
        layers = [layer for layer in self.layers if layer.kind in kinds and "short" not in layer.name.split(".")]
        index_of = {layer.tensor: index for index, layer in enumerate(layers)}
        rows: list[NetworkRow] = []
        channels = 1
        for layer in layers:
            kernel = stride = 0
            skip_from = None
            before = self._rows_before(layer.node.inputs[0], index_of)
            channels = rows[max(before)].channels if before else channels
            if layer.kind in ("conv", "dense"):
                weights = self.graph.constant(layer.node.inputs[1])
                if weights is not None and layer.kind == "conv":
                    channels, kernel = weights.shape[0], weights.shape[2]
                    stride = layer.node.attributes.get("strides", [1])[0]
                elif weights is not None:
                    channels = weights.shape[0 if layer.node.attributes.get("transB") else 1]
            elif layer.kind == "sum" and layer.node.op == "Add":
                paths = [self._rows_before(name, index_of) for name in layer.node.inputs]
                skip_from = max(set.intersection(*paths), default=-1)
            side = 0 if layer.layout is None else layer.layout.length
            rows.append(NetworkRow(layer.name, layer.kind, channels, side, kernel, stride, skip_from))
        return tuple(rows)

    def _rows_before(self, tensor: str, index_of: Mapping[str, int]) -> set[int]:
        """The indices of the rows on which a tensor depends, its own included."""
        pending, visited, indices = [tensor], set[str](), set[int]()
        while pending:
            name = pending.pop()
            if name in visited:
                continue
            visited.add(name)
            if name in index_of:
                indices.add(index_of[name])
            if name in self.graph.producers:
                pending += self.graph.producers[name].inputs
        return indices

    @cached_property
    def costs(self) -> tuple[LayerCost, ...]:
        """Parameters and multiply-adds of each layer with parameters.

        The head of the scores is left out where the weights of two other heads were joined into it.
        """
        joined = None if self.head is None or find_head(self.graph, "label") is None else self.head.logits
        layers = [layer for layer in self.layers if layer.tensor != joined]
        return tuple(cost for layer in layers if (cost := self._cost(layer)).parameters)

    def layout(self, tensor: str) -> SpatialLayout | None:
        return self._layouts.get(tensor)

    def select_layers(self, layers: str | Sequence[str]) -> tuple[GraphLayer, ...]:
        """The layers of ``auto``, of ``all``, or with these names, in the order of the network."""
        if layers == "all":
            return self.layers
        if layers == "auto":
            return tuple(layer for layer in self.layers if layer.name in self._default_names)
        selected = [each.strip() for each in layers.split(",")] if isinstance(layers, str) else list(layers)
        names = [layer.name for layer in self.layers]
        for name in selected:
            if name not in names:
                hint = suggest_name(name, names) or "layers='all' selects every one"
                raise ModelError(f"The model has no layer '{name}'", f"It has {', '.join(names)}", hint)
        return tuple(layer for layer in self.layers if layer.name in selected)

    @cached_property
    def _default_names(self) -> frozenset[str]:
        """The layers of ``auto``: the last of each resolution, poolings, the mean over views, dense layers, logits."""
        pools = [layer for layer in self.layers if layer.kind == "pool" and _is_main_pooling(layer)]
        selected = [layer for layer in pools if layer.layout is not None]
        # Of the global poolings only the last: those before it belong to gates.
        selected += [layer for layer in pools if layer.layout is None][-1:]
        if self.head is not None:
            selected += [layer for layer in self.layers if layer.tensor == self.head.logits]
            selected += self._hidden_layers()
        spatial = [layer for layer in self.layers if layer.layout is not None and layer.kind in ("conv", "activation")]
        last_of_resolution = {layer.layout.length: layer for layer in spatial if layer.layout is not None}
        first = [layer for layer in spatial if layer.kind == "activation" or len(spatial) == 1][:1]
        views = [layer for layer in self.layers if layer.kind == "views"]
        return frozenset(layer.name for layer in [*selected, *last_of_resolution.values(), *first, *views])

    def _hidden_layers(self) -> list[GraphLayer]:
        """The last layer of each dense block between the feature maps and the heads: its activation, if it has one."""
        last = max((index for index, layer in enumerate(self.layers) if layer.layout is not None), default=-1)
        hidden: list[GraphLayer] = []
        for layer in self.layers[last + 1 :]:
            if layer.kind == "dense":
                hidden.append(layer)
            elif hidden and layer.kind in ("activation", "norm"):
                hidden[-1] = layer
            elif hidden and layer.kind == "softmax" and hidden[-1].kind == "dense":
                hidden.pop()  # the input of a softmax is a head
        return hidden

    def _cost(self, layer: GraphLayer) -> LayerCost:
        if layer.kind not in ("conv", "dense", "norm"):
            return LayerCost(layer.name, layer.kind, 0, 0)
        separate_bias = [] if layer.tensor in layer.node.outputs else self.graph.producers[layer.tensor].inputs
        constants = [self.graph.constant(name) for name in (*layer.node.inputs[1:], *separate_bias) if name]
        sizes = [each.size for each in constants if each is not None]
        positions = layer.layout.length**2 if layer.kind == "conv" and layer.layout is not None else 1
        work = 0 if layer.kind == "norm" or not sizes else sizes[0] * positions * self._view_counts.get(layer.tensor, 1)
        return LayerCost(layer.name, layer.kind, sum(sizes), work)

    @cached_property
    def _view_counts(self) -> dict[str, int]:
        """The number of views of each face in a tensor, for test-time augmentation inside the graph."""
        counts: dict[str, int] = {}
        for node in self.graph.nodes:
            inputs = [counts.get(name, 1) for name in node.inputs if name in self.graph.varying] or [1]
            count = sum(inputs) if is_batch_concat(node) else max(inputs)
            count = max(count // len(node.outputs), 1) if is_batch_split(node) else count
            counts.update(dict.fromkeys(node.outputs, count))
        return counts


def _is_main_pooling(layer: GraphLayer) -> bool:
    """Not one with a window of one pixel, and not one in a shortcut: these only match the size of another path."""
    return max(layer.node.attributes.get("kernel_shape", [2])) > 1 and "short" not in layer.name.split(".")


def _find_layers(graph: OnnxGraph) -> Iterator[tuple[str, str, OnnxNode]]:
    """Kind, output tensor and node of each operation that counts as a layer."""
    for node in graph.nodes:
        if node.op == "Mul" and _is_gated(graph, node):
            yield "activation", node.outputs[0], node
        elif node.op == "Mean" and _is_mean_of_views(graph, node):
            yield "views", node.outputs[0], node
        elif node.op in KINDS and _depends_on_face(graph, node) and not _is_only_gate(graph, node):
            yield KINDS[node.op], _tensor_with_bias(graph, node), node


def _depends_on_face(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Not a constant; and for a sum, not the addition of a constant, and not the concatenation of views."""
    varying = [name for name in node.inputs if name in graph.varying]
    return len(varying) > 1 and not is_batch_concat(node) if KINDS[node.op] == "sum" else bool(varying)


def _is_mean_of_views(graph: OnnxGraph, node: OnnxNode) -> bool:
    """Is the node the mean of the parts of a batch, mirrored back where they are mirror images?"""
    producers = [graph.producers.get(name) for name in node.inputs]
    sources = [graph.producers.get(each.inputs[0]) if each and each.op == "Slice" else each for each in producers]
    return len({each for each in sources if each is not None and is_batch_split(each)}) == 1 and None not in sources


def _is_gated(graph: OnnxGraph, node: OnnxNode) -> bool:
    """``x * sigmoid(x)``: one activation in two nodes."""
    producers = [graph.producers.get(name) for name in node.inputs]
    return any(each is not None and each.op in _GATES and each.inputs[0] in node.inputs for each in producers)


def _is_only_gate(graph: OnnxGraph, node: OnnxNode) -> bool:
    consumers = graph.consumers.get(node.outputs[0], [])
    gates = all(each.op == "Mul" and _is_gated(graph, each) for each in consumers)
    return node.op in _GATES and bool(consumers) and gates


def _tensor_with_bias(graph: OnnxGraph, node: OnnxNode) -> str:
    """The output tensor of a layer, after the addition of its bias where that is a separate node."""
    consumers = graph.consumers.get(node.outputs[0], [])
    if node.op in ("MatMul", "Conv") and len(consumers) == 1 and consumers[0].op == "Add":
        others = [name for name in consumers[0].inputs if name != node.outputs[0]]
        if others and graph.constant(others[0]) is not None:
            return consumers[0].outputs[0]
    return node.outputs[0]


# Short names of layers, from the tensor names that exporters write.

#: Names of operations at the end of a path, which are dropped.
_OPERATIONS = {"convolution", "biasadd", "matmul", "maxpool2d", "maxpool", "avgpool", "mean", "batchnorm", "mul_1"}

#: Names without meaning: ``Conv__138``, ``Identity``, ``onnx::Conv_12``, or a mere number.
_GENERATED = re.compile(
    r"(?:onnx::)?(?:Conv|Gemm|MatMul|Add|Relu|MaxPool|AveragePool|Mul|Softmax|Clip|Identity)?_*\d*$"
)


class LayerTensor(NamedTuple):
    """A layer without a name: its kind, the name of its output tensor, and whether it is a global pooling."""

    kind: str
    tensor: str
    global_pooling: bool = False


def build_layer_names(layers: Sequence[LayerTensor]) -> list[str]:
    """A short, unique name for each layer: ``stem``, ``stage1.block2.conv1``, ``conv3``."""
    paths = [_drop_operations(path) for path in _drop_common_prefix([_split_path(layer.tensor) for layer in layers])]
    names = []
    for index, layer in enumerate(layers):
        name = _shorten(index, layers, paths)
        names.append(layer.kind if layer.kind == "views" or _GENERATED.match(name) else name)
    return _make_unique(names, [layer.kind for layer in layers])


def _split_path(tensor: str) -> tuple[str, ...]:
    """The parts of a tensor name; a number moves to the word after it: ``block1/2/conv`` is block1, conv2."""
    parts: list[str] = []
    path = re.sub(r":\d+$", "", tensor)
    for part in filter(None, path.split("/")):
        number = parts.pop() if parts and parts[-1].isdigit() and not part.isdigit() else ""
        parts.append(part + number)
    return tuple(parts)


def _drop_common_prefix(paths: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Without the first part, again and again, as long as all paths of several parts have the same one."""
    while len(deep := [path for path in paths if len(path) > 1]) > 1 and len({path[0] for path in deep}) == 1:
        paths = [path[1:] if len(path) > 1 else path for path in paths]
    return paths


def _drop_operations(path: tuple[str, ...]) -> tuple[str, ...]:
    while len(path) > 1 and path[-1].lower() in _OPERATIONS:
        path = path[:-1]
    return path


def _shorten(index: int, layers: Sequence[LayerTensor], paths: Sequence[tuple[str, ...]]) -> str:
    """The last activation of a block, and a global pooling, get the name of the block: ``stage1.block1``."""
    path = paths[index]
    block = path[:-1]
    is_last = index == max(i for i, other in enumerate(paths) if other[: len(block)] == block)
    activation = layers[index].kind == "activation" and not path[-1][-1].isdigit()
    represents_block = is_last and (layers[index].global_pooling or activation) and block not in paths
    return ".".join(block if block and represents_block else path)


def _make_unique(names: list[str], kinds: Sequence[str]) -> list[str]:
    """Equal names get their kind, and a number if that does not make them different."""
    counts = Counter(names)
    names = [f"{n}.{k}" if counts[n] > 1 and n != k else n for n, k in zip(names, kinds, strict=True)]
    counts, used = Counter(names), Counter[str]()
    unique = []
    for name in names:
        used[name] += 1
        unique.append(f"{name}{used[name]}" if counts[name] > 1 else name)
    return unique
