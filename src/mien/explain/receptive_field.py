"""Which part of the crop each place of a layer sees: kernel by kernel, from the input on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from mien.explain.explanation import ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode


@dataclass(frozen=True, slots=True)
class SpatialLayout:
    """How a tensor's places lie on the crop, the same down as across but for where the first one lies.

    ``channels`` is the axis of the channels (1 or 3 of four), ``length`` how many places there are in a row. Where
    several views of each face stand in the batch, ``views`` says how far down and right each lies from the first.
    """

    channels: int
    length: int
    size: int = 1
    stride: float = 1.0
    offset_y: float = 0.0
    offset_x: float = 0.0
    views: tuple[tuple[float, float], ...] = ((0.0, 0.0),)

    @property
    def receptive_field(self) -> ReceptiveField:
        return ReceptiveField(self.size, self.stride, self.offset_y, self.offset_x)

    def moved(self, by: float, **changed: Any) -> SpatialLayout:
        """Its first place further down and right."""
        return replace(self, offset_y=self.offset_y + by, offset_x=self.offset_x + by, **changed)


def trace_layouts(graph: OnnxGraph, side: int, channels: int) -> Mapping[str, SpatialLayout]:
    """The spread of every tensor that has places, by name."""
    # What no node makes is the input.
    known = {name: SpatialLayout(3, side) for name in graph.varying if name not in graph.makers}
    for node in graph.nodes:
        before = [known[name] for name in node.inputs if name in known]
        if before and is_batch_split(node):
            known.update(zip(node.outputs, _apart(before[0], len(node.outputs)), strict=True))
        elif before and (after := _after(node, before, graph, (side, channels))):
            known.update(dict.fromkeys(filter(None, node.outputs), after))
    return known


def is_batch_concat(node: OnnxNode) -> bool:
    """Does it set pictures behind each other in the batch, as a network of several views does?"""
    return node.op == "Concat" and node.attributes.get("axis") == 0


def is_batch_split(node: OnnxNode) -> bool:
    """Does it take apart what was set behind each other?"""
    return node.op == "Split" and node.attributes.get("axis", 0) == 0


def _after(
    node: OnnxNode, before: Sequence[SpatialLayout], graph: OnnxGraph, crop: tuple[int, int]
) -> SpatialLayout | None:
    seen, (side, channels) = before[0], crop
    match node.op:
        case "Conv" | "MaxPool" | "AveragePool" | "LpPool":
            return _slid(node, seen, graph)
        case "GlobalAveragePool" | "GlobalMaxPool" | "Flatten" | "Gemm" | "MatMul" | "Softmax" | "Squeeze":
            return None
        case "ReduceMean" | "ReduceMax" | "ReduceSum":
            return None
        case "Transpose":
            perm = node.attributes.get("perm", [3, 2, 1, 0])
            return replace(seen, channels=perm.index(seen.channels)) if len(perm) == 4 else None
        case "Reshape":
            return _reshaped(node, seen, graph, channels)
        case "Slice":
            return _sliced(node, seen, graph, side)
        case "Pad":
            return _padded(node, seen, graph)
        case "Resize" | "Upsample":
            return _resized(node, seen, graph)
        case "Concat" if is_batch_concat(node):
            return _beside(before)
    return _joined(before)


def _beside(before: Sequence[SpatialLayout]) -> SpatialLayout:
    """Views set behind each other; what is told is where the first lies."""
    first = before[0]
    views = [
        (each.offset_y - first.offset_y + down, each.offset_x - first.offset_x + right)
        for each in before
        for down, right in each.views
    ]
    return replace(first, views=tuple(views))


def _apart(seen: SpatialLayout, count: int) -> list[SpatialLayout]:
    """Each view alone again."""
    views = seen.views if len(seen.views) == count else ((0.0, 0.0),) * count
    alone = replace(seen, views=((0.0, 0.0),))
    return [replace(alone, offset_y=seen.offset_y + down, offset_x=seen.offset_x + right) for down, right in views]


def _joined(before: Sequence[SpatialLayout]) -> SpatialLayout:
    """Of several inputs the one that sees most: a gate without places beside it changes nothing.

    Where two see as much of different places, such as a face and its mirror image, what lies between them.
    """
    most = max(before, key=lambda each: each.size)
    alike = [each for each in before if (each.size, each.length, each.stride) == (most.size, most.length, most.stride)]
    apart = max(max(at) - min(at) for at in ([each.offset_y for each in alike], [each.offset_x for each in alike]))
    return replace(
        most,
        size=round(most.size + apart),
        offset_y=sum(each.offset_y for each in alike) / len(alike),
        offset_x=sum(each.offset_x for each in alike) / len(alike),
    )


def _slid(node: OnnxNode, seen: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    weights = graph.constant(node.inputs[1]) if node.op == "Conv" else None
    shape = node.attributes.get("kernel_shape") or ([] if weights is None else list(weights.shape[2:])) or [1]
    stride, dilation = (node.attributes.get(key, [1])[0] for key in ("strides", "dilations"))
    span = (max(shape) - 1) * dilation + 1
    start, end = _pads(node, seen.length, span, stride)
    rounded = ceil if node.attributes.get("ceil_mode") else int
    return seen.moved(
        ((span - 1) / 2 - start) * seen.stride,
        channels=1,
        length=rounded((seen.length + start + end - span) / stride) + 1,
        size=round(seen.size + (span - 1) * seen.stride),
        stride=seen.stride * stride,
    )


def _pads(node: OnnxNode, length: int, span: int, stride: int) -> tuple[int, int]:
    how = node.attributes.get("auto_pad", "NOTSET")
    if how.startswith("SAME"):
        whole = max((-(-length // stride) - 1) * stride + span - length, 0)
        small, large = whole // 2, whole - whole // 2
        return (small, large) if how == "SAME_UPPER" else (large, small)
    pads = node.attributes.get("pads") or [0, 0]
    return (pads[0], pads[len(pads) // 2]) if how == "NOTSET" else (0, 0)


def _reshaped(node: OnnxNode, seen: SpatialLayout, graph: OnnxGraph, channels: int) -> SpatialLayout | None:
    """Only one that moves the single channel of a gray face keeps the places where they are."""
    shape = graph.constant(node.inputs[1])
    if shape is None or shape.size != 4:
        return None
    axes = [axis for axis in (1, 3) if shape[axis] == channels]
    return replace(seen, channels=axes[0]) if axes and seen.size == 1 else None


def _sliced(node: OnnxNode, seen: SpatialLayout, graph: OnnxGraph, side: int) -> SpatialLayout:
    bounds = _settings(node, graph, ("starts", "ends", "axes"))
    place = 2 if seen.channels == 1 else 1
    axes = [axis % 4 for axis in bounds[2]] if len(bounds) == 3 else []
    if _turned(node, graph):
        last = side - 1 - (seen.length - 1) * seen.stride
        down, right = axes == [place], axes == [place + 1]
        return replace(
            seen,
            offset_y=last - seen.offset_y if down else seen.offset_y,
            offset_x=last - seen.offset_x if right else seen.offset_x,
        )
    if place not in axes:
        return seen
    start, end = (int(each[axes.index(place)]) for each in bounds[:2])
    start, end = (min(each + seen.length if each < 0 else each, seen.length) for each in (start, end))
    return seen.moved(start * seen.stride, length=end - start)


def _turned(node: OnnxNode, graph: OnnxGraph) -> bool:
    """Does a slice go backwards, along one axis, over all there is?"""
    steps = graph.constant(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] else None
    return steps is not None and steps.tolist() == [-1]


def _padded(node: OnnxNode, seen: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    found = _settings(node, graph, ("pads",))
    if not found or len(found[0]) < 8:
        return seen
    place = 2 if seen.channels == 1 else 1
    start, end = int(found[0][place]), int(found[0][place + 4])
    return seen.moved(-start * seen.stride, length=seen.length + start + end)


def _resized(node: OnnxNode, seen: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    """By factors or to a size; each new place looks at the two old ones around it."""
    place = 2 if seen.channels == 1 else 1
    factor = 1.0
    for input_, is_size in zip(node.inputs[2:4], (False, True), strict=False):
        told = graph.constant(input_) if input_ else None
        if told is not None and told.size == 4:
            factor = float(told[place]) / seen.length if is_size else float(told[place])
    return seen.moved(
        (0.5 / factor - 0.5) * seen.stride,
        length=round(seen.length * factor),
        size=round(seen.size + seen.stride),
        stride=seen.stride / factor,
    )


def _settings(node: OnnxNode, graph: OnnxGraph, names: Sequence[str]) -> list[list[Any]]:
    """Settings that newer graphs give as inputs and older ones as attributes."""
    if all(name in node.attributes for name in names):
        return [list(node.attributes[name]) for name in names]
    found = [graph.constant(name) for name in node.inputs[1 : 1 + len(names)]]
    return [each.tolist() for each in found if each is not None]
