"""The steps from the photo to the last layer before the prediction: input, convolution, pooling, dense layers."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Layer
from mien.explain.figures.colormaps import apply_colours
from mien.explain.page.images import MapSheet, PageImages, colour_crop_uri
from mien.explain.page.values import WalkthroughStep, format_number

#: Bars of a vector, at most; with more of them a single bar is too narrow to see.
_BARS = 256

#: Longest side of the photo on the page, in CSS pixels.
_PHOTO_SIDE = 1100


def photo_step(images: PageImages) -> WalkthroughStep:
    width, height = images.photo_size
    side = min(height, width)
    return WalkthroughStep(
        kind="photo",
        key="image",
        short="Image",
        term="input image",
        title="The input image",
        lead=f"The image is an array of {height * width:,} pixels with three values each: red, green and blue. No "
        "single value says that there is a person, let alone an expression.",
        facts=(("size", f"{width:,} × {height:,} pixels"), ("values", f"{height * width * 3:,}")),
        values={
            "size": _fit_photo(images),
            "description": f"The image, {width} by {height} pixels",
            "thumb_box": f"{(width - side) / 2:g} {(height - side) / 2:g} {side} {side}",
        },
    )


def face_step(images: PageImages) -> WalkthroughStep:
    explanation = images.explanation
    assert explanation.face is not None
    box, landmarks = explanation.face.box, explanation.face.landmarks or ()
    facts = [("detector", explanation.detector), ("face", f"{box.width} × {box.height} pixels")]
    if explanation.face.detection < 1:
        facts.append(("detection score", f"{100 * explanation.face.detection:.0f} %"))
    width, height = images.photo_size
    stroke = max(height, width) / 260
    square, thumb_box = "", f"{box.x} {box.y} {box.width} {box.height}"
    if (placement := explanation.placement) is not None:
        square = " ".join(f"{x:.1f},{y:.1f}" for x, y in placement.corners())
        thumb_box = f"{placement.left:.1f} {placement.top:.1f} {placement.side:.1f} {placement.side:.1f}"
    number = f"Face {explanation.number or 1}" if explanation.source else ""
    return WalkthroughStep(
        kind="face",
        key="face",
        short="Face",
        term="face detection",
        title="Face detection",
        lead="A face detector searches the image at all positions and sizes and returns a bounding box"
        f"{', with landmarks at eyes, nose and mouth' if landmarks else ''}. Only the bright square is passed to the "
        "network.",
        facts=tuple(facts),
        values={
            "size": _fit_photo(images),
            "description": f"The image with the face marked. {number}",
            "shade": f"M0 0H{width}V{height}H0ZM{square.replace(' ', 'L')}Z",
            "square": square,
            "box": box,
            "stroke": stroke,
            "landmarks": landmarks,
            "radius": max(box.width / 45, stroke),
            "thumb_box": thumb_box,
        },
    )


def _fit_photo(images: PageImages) -> tuple[str, str]:
    """Width and height of the photo as SVG, so that the page can scale it to the window in both directions."""
    width, height = images.photo_size
    factor = _PHOTO_SIDE / max(height, width)
    return f"{width * factor:.0f}", f"{height * factor:.0f}"


def crop_step(images: PageImages) -> WalkthroughStep:
    explanation, side = images.explanation, images.side
    crop, quality = explanation.crop, explanation.quality
    gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    if crop.ndim == 2:
        channels = "Low resolution and grayscale are enough: shapes carry the expression."
    else:
        channels = "Each pixel has three of them, for red, green and blue."
    enlarged = ""
    if explanation.placement is not None and explanation.placement.side < side:
        enlarged = " This face is smaller than the input and had to be scaled up, which adds no detail."
    return WalkthroughStep(
        kind="crop",
        key="crop",
        short="Crop",
        term="network input",
        title=f"Network input: {side} × {side} pixels",
        lead=f"The square is cut out, rotated upright and resampled: {crop.size:,} values from 0 (dark) to 255 "
        f"(bright) remain. {channels}{enlarged}",
        values={
            # Brightness of each pixel as two hexadecimal digits, row by row.
            "brightness": gray.tobytes().hex() if side <= 96 else "",
            "colour_uri": colour_crop_uri(images),
            "quality": quality.reason if quality is not None and not quality.ok else "",
        },
    )


def is_pooled(layer: Layer) -> bool:
    """Is the layer a global pooling, with one value for each feature map?"""
    return layer.kind == "pool" and len(layer.shape) == 1


def stage_of(layer: Layer) -> str:
    return layer.name.split(".")[0]


def is_hidden(images: PageImages, index: int) -> bool:
    """Is the layer at this index the end of a dense layer between the feature maps and the output layer?"""
    layer, *following = images.layers[index:]
    outputs = (len(images.labels), len(images.explanation.votes_logits))
    flat = len(layer.shape) == 1 and layer.kind in ("dense", "activation", "norm")
    last = all(len(each.shape) == 1 and stage_of(each) != stage_of(layer) for each in following)
    return flat and last and layer.shape[0] not in outputs


def kernels_step(images: PageImages) -> WalkthroughStep:
    kernels = images.explanation.kernels
    assert kernels is not None
    sheet = images.sheets[kernels.layer]
    many, _, height, width = kernels.weights.shape
    buttons = _map_buttons(sheet)
    for button in buttons:
        button["kernel"] = _kernel_cells(kernels.weights[button["channel"]])
    return WalkthroughStep(
        kind="kernels",
        key="kernels",
        short="Kernels",
        term=kernels.layer,
        title=f"Convolution: {many} kernels slide over the face",
        lead=f"A kernel is a pattern of {height} × {width} learned weights. At each position it is multiplied with the "
        "pixels below it and summed up; the sums form a feature map: orange where the face is like the pattern, blue "
        "where it is the opposite.",
        facts=(
            ("learned weights", f"{kernels.weights.size:,}"),
            ("output values", f"{int(np.prod(sheet.layer.shape)):,}"),
        ),
        values={
            **_map_values(sheet, buttons),
            "thumb": _kernel_cells(kernels.weights[sheet.channels[0]]),
        },
    )


def _kernel_cells(weights: NDArray[np.float32]) -> dict[str, Any]:
    """Weights ``(in, height, width)`` as coloured cells; of several input channels the mean."""
    values = weights.mean(axis=0)
    height, width = values.shape
    cells = [
        (column, row, f"#{red:02x}{green:02x}{blue:02x}")
        for row, line in enumerate(apply_colours(values, "tide").tolist())
        for column, (red, green, blue) in enumerate(line)
    ]
    return {"width": width, "height": height, "cells": cells}


def maps_step(images: PageImages, layer: Layer, index: int) -> WalkthroughStep:
    sheet = images.sheets[layer.name]
    title, lead = _describe_maps(images, layer)
    return WalkthroughStep(
        kind="maps",
        key=f"layer-{index + 1}",
        short=_short_name(images, layer),
        term=f"layer {layer.name}",
        title=title,
        lead=lead,
        facts=tuple(_map_facts(images, layer)),
        values=_map_values(sheet, _map_buttons(sheet)),
        css="deep",
    )


def _short_name(images: PageImages, layer: Layer) -> str:
    """The name of the stage if it is unique, else of the layer."""
    stage = stage_of(layer)
    pooling = layer.kind == "pool"
    same = [each for each in images.layers if each.name in images.sheets and stage_of(each) == stage]
    if len([each for each in same if (each.kind == "pool") == pooling]) > 1:
        return layer.name
    return f"{stage} pool" if pooling and len(same) > 1 else stage


def _describe_maps(images: PageImages, layer: Layer) -> tuple[str, str]:
    """Title and text by the kind of the layer and the part of the face that its receptive field covers."""
    if layer.kind == "pool":
        return (
            "Pooling: neighbouring values are combined",
            "Pooling keeps the maximum or the mean of neighbouring values, and the feature maps shrink to "
            f"{layer.shape[1]} × {layer.shape[2]} values. What was detected is kept; its exact position matters less, "
            "so a slightly shifted face gives almost the same result.",
        )
    if layer.kind == "views":
        return (
            "Mean over views (test-time augmentation)",
            "The network processes the face and its mirror image, and some networks also two shifted crops. The "
            "feature maps of all views are aligned, and here you see their mean. What one view misses another may "
            "contain, and a mirrored face gets exactly the same prediction.",
        )
    part = 1.0 if layer.receptive_field is None else layer.receptive_field.size / images.side
    first = next(iter(each for each in images.layers if each.name in images.sheets), layer)
    if part < 0.2 and layer is first:
        return (
            "Feature maps: edges and brightness",
            "Each image below is one feature map: bright where the pattern of its kernel was detected, dark where it "
            "was not. The receptive field of a value is a few pixels, which is enough for edges and changes of "
            "brightness.",
        )
    if part < 0.75:
        receptive_field = "The deeper the layer, the larger is the receptive field of a value."
        if layer.receptive_field is not None:
            size = layer.receptive_field.size
            receptive_field = (
                f"The receptive field of a value is now {size} × {size} pixels: a part of the face, such as the "
                "corner of an eye or of the mouth."
            )
        return (
            "Feature maps: shapes",
            "This convolution combines all feature maps of the layer before, so edges become curves, folds and "
            f"corners. {receptive_field}",
        )
    if part < 1.6:
        return (
            "Feature maps: parts of a face",
            "With every layer the resolution decreases and the features become more specific: lips, a brow, a raised "
            "cheek. Few values are high, because each kernel responds to one particular pattern.",
        )
    return (
        "Feature maps: the whole face",
        "The receptive field of each value now covers the whole face, and each feature map stands for one feature of "
        "the expression. The maps no longer resemble an image: a bright square means “this feature is present here”.",
    )


def _map_facts(images: PageImages, layer: Layer) -> Iterator[tuple[str, str]]:
    yield "feature maps", f"{layer.shape[0]}"
    yield "values in each", f"{layer.shape[1]} × {layer.shape[2]}"
    if layer.receptive_field is not None:
        whole = layer.receptive_field.size >= images.side
        yield (
            "receptive field",
            "the whole face" if whole else f"{layer.receptive_field.size} × {layer.receptive_field.size} pixels",
        )
    if layer.zero_activation:
        yield "maps with zero activation", f"{layer.zero_activation}"


def _map_values(sheet: MapSheet, buttons: list[dict[str, Any]]) -> dict[str, Any]:
    layer, field = sheet.layer, sheet.layer.receptive_field
    weaker = layer.shape[0] - len(sheet.channels) - layer.zero_activation
    omitted = [f"{weaker:,} weaker maps"] * (weaker > 0) + [f"{layer.zero_activation:,} with zero activation"] * (
        layer.zero_activation > 0
    )
    return {
        "sheet": sheet,
        "positions": f"{layer.shape[2]} {layer.shape[1]}",
        # What the script needs to mark the receptive field of a value.
        "receptive_field": ""
        if field is None
        else f"{field.size} {field.stride:g} {field.offset_y:g} {field.offset_x:g}",
        "buttons": buttons,
        "first_box": sheet.box(sheet.channels[0]),
        "omitted": " and ".join(omitted),
    }


def _map_buttons(sheet: MapSheet) -> list[dict[str, Any]]:
    """The maps of a sheet, strongest first; ``strength`` is the mean activity relative to the strongest map."""
    layer = sheet.layer
    ranks = {channel: rank for rank, channel in enumerate(layer.order)}
    strongest = float(np.abs(layer.activations[layer.order[0]]).mean())
    buttons = []
    for channel in sorted(sheet.channels, key=ranks.__getitem__):
        values = layer.activations[channel]
        row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        buttons.append(
            {
                "channel": channel,
                "description": f"feature map {channel}, peak {format_number(values[row, column])}",
                "box": sheet.box(channel),
                "peak": f"{column} {row}",
                "strength": float(np.abs(values).mean()) / strongest if strongest > 0 else 0.0,
            }
        )
    return buttons


def pooling_step(images: PageImages, layer: Layer, index: int) -> WalkthroughStep:
    many, sheet = layer.shape[0], images.last_maps
    averages = []
    if sheet is not None and sheet.layer.shape[0] == many:
        top = [channel for channel in layer.order if channel in sheet.channels][:6]
        averages = [(channel, sheet.box(channel), f"{layer.activations[channel]:.2f}") for channel in top]
    return WalkthroughStep(
        kind="vector",
        key=f"layer-{index + 1}",
        short="Pooling",
        term=f"layer {layer.name}",
        title="Global average pooling: one value for each map",
        lead="Global average pooling keeps only the mean of each feature map: it no longer matters where in the face "
        f"a feature is, only how strong it is. The face is now a vector of {many} values, drawn as {many} bars.",
        facts=(
            ("values", f"{many}"),
            *((("zero activation", f"{layer.zero_activation}"),) if layer.zero_activation else ()),
        ),
        values={"sheet": sheet, "averages": averages, **_vector_bars(layer)},
    )


def hidden_step(images: PageImages, layer: Layer, index: int) -> WalkthroughStep:
    """A dense layer before the output layer."""
    many, inputs = layer.shape[0], _input_count(images, layer)
    vector = f"one vector of {inputs:,} values" if inputs else "one vector"
    stage = stage_of(layer)
    previous = [each for each in takewhile(lambda each: each is not layer, images.layers) if stage_of(each) != stage]
    flattened = previous and len(previous[-1].shape) == 3
    source = f"The feature maps are flattened into {vector}." if flattened else f"The input is {vector}."
    relu = layer.kind == "activation" and float(layer.activations.min(initial=0.0)) >= 0
    facts = [("values", f"{many:,}")]
    facts += [("learned parameters", f"{(inputs + 1) * many:,}")] if inputs else []
    facts += [("zero activation", f"{layer.zero_activation}")] if layer.zero_activation else []
    return WalkthroughStep(
        kind="vector",
        key=f"layer-{index + 1}",
        short=stage,
        term=f"layer {layer.name}",
        title="Dense layer: every input counts for every output",
        lead=f"{source} Each of the {many:,} outputs is the sum of all inputs, each multiplied by a learned weight."
        f"{' ReLU then sets negative sums to zero.' if relu else ''} So each output can describe the whole face: "
        f"{'' if many <= _BARS else f'the first {_BARS} are '}drawn as bars.",
        facts=tuple(facts),
        values={"sheet": None, "averages": [], **_vector_bars(layer)},
    )


def _input_count(images: PageImages, layer: Layer) -> int:
    """Number of inputs of a dense layer; 0 if unknown."""
    costs = {each.layer.split(".")[0]: each for each in images.explanation.costs if each.kind == "dense"}
    if (cost := costs.get(stage_of(layer))) is None:
        return 0
    inputs, weights = cost.multiply_adds // layer.shape[0], cost.parameters // layer.shape[0]
    return inputs // max(round(inputs / max(weights, 1)), 1)  # Each weight is used once in each view.


def _vector_bars(layer: Layer) -> dict[str, Any]:
    """Bars of the first values in the order of the channels, and of the strongest values for the thumbnail."""
    values = layer.activations[:_BARS]
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    strongest = layer.activations[list(layer.order)][:12]
    return {
        "bars": _bar_heights(values),
        "thumb": _bar_heights(strongest),
        "description": f"{len(values)} bars, the highest {top:.2f}",
    }


def _bar_heights(values: NDArray[np.float32]) -> list[float]:
    top = float(np.abs(values).max(initial=0.0)) or 1.0
    return [float(height) for height in 96 * np.abs(values) / top]
