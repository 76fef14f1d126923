"""Receptive fields: on which part of the crop each value of a tensor depends, traced through the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from mien.explain.explanation import ReceptiveField
from mien.explain.onnx_graph import OnnxGraph, OnnxNode


@dataclass(frozen=True, slots=True)
class SpatialLayout:
    """How the values of a tensor lie on the crop: the same in both directions except for the position of the first.

    ``channels`` is the axis of the channels (1 or 3 of four), ``length`` the number of values in a row. The other
    numbers are those of :class:`ReceptiveField`. For several views of each face in the batch, ``views`` has the offset
    of each view from the first, down and to the right.
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

    @property
    def height_axis(self) -> int:
        return 2 if self.channels == 1 else 1

    def shift(self, distance: float, **changes: Any) -> SpatialLayout:
        """A layout whose first value lies further down and to the right by ``distance``, with other changes."""
        return replace(self, offset_y=self.offset_y + distance, offset_x=self.offset_x + distance, **changes)


def trace_layouts(graph: OnnxGraph, side: int, channels: int) -> Mapping[str, SpatialLayout]:
    """The layout of every tensor with spatial positions, by name, for an input ``(side, side, channels)``."""
    layouts = {name: SpatialLayout(3, side) for name in graph.varying if name not in graph.producers}
    for node in graph.nodes:
        inputs = [layouts[name] for name in node.inputs if name in layouts]
        if inputs and is_batch_split(node):
            layouts.update(zip(node.outputs, _split_views(inputs[0], len(node.outputs)), strict=True))
        elif inputs and (output := _output_layout(node, inputs, graph, side, channels)):
            layouts.update(dict.fromkeys(filter(None, node.outputs), output))
    return layouts


def is_batch_concat(node: OnnxNode) -> bool:
    """Does the node join views of a face in the batch, for test-time augmentation inside the graph?"""
    return node.op == "Concat" and node.attributes.get("axis") == 0


def is_batch_split(node: OnnxNode) -> bool:
    """Does the node split the batch into views again?"""
    return node.op == "Split" and node.attributes.get("axis", 0) == 0


def _output_layout(
    node: OnnxNode, inputs: Sequence[SpatialLayout], graph: OnnxGraph, side: int, channels: int
) -> SpatialLayout | None:
    """The layout after a node; None where the spatial positions end."""
    layout = inputs[0]
    match node.op:
        case "Conv" | "MaxPool" | "AveragePool" | "LpPool":
            return _after_window(node, layout, graph)
        case "GlobalAveragePool" | "GlobalMaxPool" | "Flatten" | "Gemm" | "MatMul" | "Softmax" | "Squeeze":
            return None
        case "ReduceMean" | "ReduceMax" | "ReduceSum":
            return None
        case "Transpose":
            perm = node.attributes.get("perm", [3, 2, 1, 0])
            return replace(layout, channels=perm.index(layout.channels)) if len(perm) == 4 else None
        case "Reshape":
            return _after_reshape(node, layout, graph, channels)
        case "Slice":
            return _after_slice(node, layout, graph, side)
        case "Pad":
            return _after_pad(node, layout, graph)
        case "Resize" | "Upsample":
            return _after_resize(node, layout, graph)
        case "Concat" if is_batch_concat(node):
            return _join_views(inputs)
    return _after_elementwise(inputs)


def _join_views(inputs: Sequence[SpatialLayout]) -> SpatialLayout:
    """The layout of the first view, with the offsets of all views."""
    first = inputs[0]
    views = [
        (each.offset_y - first.offset_y + down, each.offset_x - first.offset_x + right)
        for each in inputs
        for down, right in each.views
    ]
    return replace(first, views=tuple(views))


def _split_views(layout: SpatialLayout, count: int) -> list[SpatialLayout]:
    """The layout of each view."""
    views = layout.views if len(layout.views) == count else ((0.0, 0.0),) * count
    single = replace(layout, views=((0.0, 0.0),))
    return [replace(single, offset_y=layout.offset_y + down, offset_x=layout.offset_x + right) for down, right in views]


def _after_elementwise(inputs: Sequence[SpatialLayout]) -> SpatialLayout:
    """Of several inputs the one with the largest receptive field: a gate without spatial positions changes nothing.

    For equally large receptive fields at different positions, such as those of a face and of its mirror image, the
    mean position and a receptive field that contains them all.
    """
    largest = max(inputs, key=lambda each: each.size)
    shape = (largest.size, largest.length, largest.stride)
    same = [each for each in inputs if (each.size, each.length, each.stride) == shape]
    vertical, horizontal = [each.offset_y for each in same], [each.offset_x for each in same]
    distance = max(max(vertical) - min(vertical), max(horizontal) - min(horizontal))
    return replace(
        largest,
        size=round(largest.size + distance),
        offset_y=sum(vertical) / len(same),
        offset_x=sum(horizontal) / len(same),
    )


def _after_window(node: OnnxNode, layout: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    """After a convolution or a pooling."""
    weights = graph.constant(node.inputs[1]) if node.op == "Conv" else None
    kernel = node.attributes.get("kernel_shape") or ([] if weights is None else list(weights.shape[2:])) or [1]
    stride, dilation = (node.attributes.get(key, [1])[0] for key in ("strides", "dilations"))
    window = (max(kernel) - 1) * dilation + 1
    start, end = _padding(node, layout.length, window, stride)
    rounding = ceil if node.attributes.get("ceil_mode") else int
    return layout.shift(
        ((window - 1) / 2 - start) * layout.stride,
        channels=1,
        length=rounding((layout.length + start + end - window) / stride) + 1,
        size=round(layout.size + (window - 1) * layout.stride),
        stride=layout.stride * stride,
    )


def _padding(node: OnnxNode, length: int, window: int, stride: int) -> tuple[int, int]:
    mode = node.attributes.get("auto_pad", "NOTSET")
    if mode.startswith("SAME"):
        total = max((-(-length // stride) - 1) * stride + window - length, 0)
        small, large = total // 2, total - total // 2
        return (small, large) if mode == "SAME_UPPER" else (large, small)
    pads = node.attributes.get("pads") or [0, 0]
    return (pads[0], pads[len(pads) // 2]) if mode == "NOTSET" else (0, 0)


def _after_reshape(node: OnnxNode, layout: SpatialLayout, graph: OnnxGraph, channels: int) -> SpatialLayout | None:
    """Only a reshape that moves the single channel of a grayscale input keeps the positions."""
    shape = graph.constant(node.inputs[1])
    if shape is None or shape.size != 4:
        return None
    axes = [axis for axis in (1, 3) if shape[axis] == channels]
    return replace(layout, channels=axes[0]) if axes and layout.size == 1 else None


def _after_slice(node: OnnxNode, layout: SpatialLayout, graph: OnnxGraph, side: int) -> SpatialLayout:
    bounds = _settings(node, graph, ("starts", "ends", "axes"))
    axis = layout.height_axis
    axes = [each % 4 for each in bounds[2]] if len(bounds) == 3 else []
    if _is_mirror(node, graph):
        last = side - 1 - (layout.length - 1) * layout.stride
        return replace(
            layout,
            offset_y=last - layout.offset_y if axes == [axis] else layout.offset_y,
            offset_x=last - layout.offset_x if axes == [axis + 1] else layout.offset_x,
        )
    if axis not in axes:
        return layout
    start, end = (int(each[axes.index(axis)]) for each in bounds[:2])
    start, end = (min(each + layout.length if each < 0 else each, layout.length) for each in (start, end))
    return layout.shift(start * layout.stride, length=end - start)


def _is_mirror(node: OnnxNode, graph: OnnxGraph) -> bool:
    """Does a slice have a step of -1 along one axis?"""
    steps = graph.constant(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] else None
    return steps is not None and steps.tolist() == [-1]


def _after_pad(node: OnnxNode, layout: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    pads = _settings(node, graph, ("pads",))
    if not pads or len(pads[0]) < 8:
        return layout
    start, end = int(pads[0][layout.height_axis]), int(pads[0][layout.height_axis + 4])
    return layout.shift(-start * layout.stride, length=layout.length + start + end)


def _after_resize(node: OnnxNode, layout: SpatialLayout, graph: OnnxGraph) -> SpatialLayout:
    """By factors or to a size; each new value is interpolated between the two old ones around it."""
    factor = 1.0
    for name, is_size in zip(node.inputs[2:4], (False, True), strict=False):
        values = graph.constant(name) if name else None
        if values is not None and values.size == 4:
            value = float(values[layout.height_axis])
            factor = value / layout.length if is_size else value
    return layout.shift(
        (0.5 / factor - 0.5) * layout.stride,
        length=round(layout.length * factor),
        size=round(layout.size + layout.stride),
        stride=layout.stride / factor,
    )


def _settings(node: OnnxNode, graph: OnnxGraph, names: Sequence[str]) -> list[list[Any]]:
    """Settings that newer graphs have as inputs and older ones as attributes."""
    if all(name in node.attributes for name in names):
        return [list(node.attributes[name]) for name in names]
    constants = [graph.constant(name) for name in node.inputs[1 : 1 + len(names)]]
    return [each.tolist() for each in constants if each is not None]
