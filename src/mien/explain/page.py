"""The walkthrough page: one HTML page that shows a face step by step on its way through a network.

Here are the order of the steps and the values of each. Its text and drawing are in the template of its kind in
``mien/html/templates/walkthrough``, and the images in :mod:`mien.explain.page_images`. Without the script all steps are
on the page, one below the other; this is also the printed form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate, pairwise, takewhile
from pathlib import PurePath
from typing import Any, NamedTuple

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mien.explain.explanation import MAP_METHODS, Explanation, Kernels, Layer, MapMethod, NetworkRow
from mien.explain.figures.colormaps import apply_colours, evidence_scale, legend_colours
from mien.explain.page_images import MapSheet, PageImages, build_images, colour_crop_uri
from mien.html import image_tag, render
from mien.html.environment import read_asset
from mien.html.images import shrink_image
from mien.results import Pixels
from mien.text import allocate_ten_votes, format_decimal

#: Longest side of the photo on the overview page, in pixels.
_LONGEST = 1400

#: Bars of a vector, at most; with more of them a single bar is too narrow to see.
_BARS = 256

#: Channels with a row of their own in the sum of the dense layer.
_ROWS = 8


class WalkthroughStep(NamedTuple):
    """``kind`` selects the template ``walkthrough/<kind>.html``, which uses ``values``; ``key`` is the step's id."""

    kind: str
    key: str
    values: Mapping[str, Any]


def render_walkthrough(
    explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None
) -> str:
    """The standalone page, under 3 MB.

    ``pixels`` is the RGB image with the face; without it the first step is the crop. ``layers`` are the names of the
    layers with a step; None means all layers of the explanation.
    """
    return render("walkthrough/page.html", **_body_values(explanation, pixels, layers))


def render_walkthrough_body(
    explanation: Explanation, pixels: Pixels | None = None, layers: Sequence[str] | None = None, prefix: str = ""
) -> str:
    """The content of the page, for interfaces with a page of their own.

    ``prefix`` starts every id, for pages with several walkthroughs. The content has no ``style`` attribute, and needs
    :func:`walkthrough_style` and :func:`walkthrough_script`.
    """
    return render("walkthrough/body.html", **_body_values(explanation, pixels, layers, prefix))


def walkthrough_style() -> str:
    """The style sheet, which follows :func:`mien.html.style_sheet`."""
    return read_asset("walkthrough/walkthrough.css")


def walkthrough_script() -> str:
    """The script, which follows the content. It controls every walkthrough on the page."""
    return read_asset("walkthrough/walkthrough.js")


def render_overview(source: str, pixels: Pixels, faces: Sequence[Explanation], annotated: Pixels) -> str:
    """The page of an image with several faces or none; each face links to ``face-N/walkthrough.html``.

    ``annotated`` is the image with numbered faces.
    """
    name, many = PurePath(source).name, len(faces)
    alt = f"{name} with its {many} faces numbered" if many else f"The image {name}"
    photo = image_tag(shrink_image(annotated if many else pixels, _LONGEST), alt, file_format="webp")
    crops = [Markup(image_tag(face.crop, f"face {face.number}")) for face in faces]
    values = {"title": f"The faces in {name}", "name": name, "photo": Markup(photo)}
    return render("walkthrough/overview.html", **values, faces=list(zip(faces, crops, strict=True)))


def _body_values(
    explanation: Explanation, pixels: Pixels | None, layers: Sequence[str] | None, prefix: str = ""
) -> dict[str, object]:
    images = build_images(explanation, pixels, layers, prefix)
    parameters = sum(cost.parameters for cost in explanation.costs)
    facts = [PurePath(explanation.source).name] if explanation.source else []
    facts += [f"face {explanation.number}"] if explanation.number else []
    facts += [f"model {explanation.model}"] if explanation.model else []
    facts += [f"{parameters:,} parameters"] if parameters else []
    title = f"How a network reads {PurePath(explanation.source).name or 'a face'}"
    steps = tuple(_build_steps(images))
    return {"title": title, "images": images, "facts": " · ".join(facts), "steps": steps}


def _build_steps(images: PageImages) -> Iterator[WalkthroughStep]:
    explanation, kernels = images.explanation, images.explanation.kernels
    if images.pixels is not None:
        yield WalkthroughStep("photo", "image", {})
    if images.pixels is not None and explanation.face is not None:
        yield WalkthroughStep("face", "face", {})
    yield WalkthroughStep("crop", "crop", _crop_values(images))
    if kernels is not None and kernels.layer in images.sheets:
        yield WalkthroughStep("kernels", "kernels", _kernel_values(images, kernels))
        if patches := _patch_values(images.sheets[kernels.layer].layer, kernels):
            yield WalkthroughStep("arithmetic", "arithmetic", patches)
    for index, layer in enumerate(images.layers):
        if layer.name in images.sheets:
            yield WalkthroughStep("maps", f"layer-{index + 1}", _layer_values(images, layer))
        elif layer.kind == "pool" and len(layer.shape) == 1:
            yield WalkthroughStep("pooling", f"layer-{index + 1}", _pooling_values(images, layer))
        elif _is_hidden(images, index):
            yield WalkthroughStep("hidden", f"layer-{index + 1}", _hidden_values(images, layer))
    if explanation.contributions:
        yield WalkthroughStep("dense", "dense", _dense_values(images))
    if explanation.logits:
        yield WalkthroughStep("softmax", "softmax", {"logits": dict(explanation.logits)})
    if explanation.maps:
        yield WalkthroughStep("evidence", "evidence", _evidence_values(explanation))
    votes = explanation.emotions.votes
    annotators = None if votes is None else allocate_ten_votes(votes)
    yield WalkthroughStep("result", "result", {"annotators": annotators})
    if explanation.costs:
        yield WalkthroughStep("network", "network", _network_values(explanation))


# From the crop to the last layer before the prediction


def _crop_values(images: PageImages) -> dict[str, Any]:
    crop = images.explanation.crop
    gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    # Brightness of each pixel as two hexadecimal digits, row by row.
    brightness = gray.tobytes().hex() if images.side <= 96 else ""
    return {"brightness": brightness, "colour_uri": colour_crop_uri(images)}


def _kernel_values(images: PageImages, kernels: Kernels) -> dict[str, Any]:
    values = _map_values(images.sheets[kernels.layer])
    for button in values["buttons"]:
        button["kernel"] = _kernel_cells(kernels.weights[button["channel"]])
    return {**values, "kernels": kernels, "term": kernels.layer}


#: Neighbouring positions of the kernel in the step with its arithmetic.
_PATCHES = 4


def _patch_values(layer: Layer, kernels: Kernels) -> dict[str, Any] | None:
    """The arithmetic of one kernel at neighbouring positions; the last has the highest activation of all kernels.

    None where it cannot be shown: several input channels, a large kernel, or values that it does not reproduce.
    """
    if kernels.inputs is None or kernels.bias is None or kernels.weights.shape[1] != 1 or kernels.weights.shape[2] > 5:
        return None
    # Positions at the border have zeros beside the pixels, and the first ones have no neighbours to the left.
    inner = layer.activations[:, 1:-1, _PATCHES:-1]
    if not inner.size:
        return None
    channel, row, column = (int(each) for each in np.unravel_index(int(inner.argmax()), inner.shape))
    row, column, size = row + 1, column + _PATCHES, kernels.weights.shape[2]
    weights, bias, inputs = kernels.weights[channel, 0], float(kernels.bias[channel]), kernels.inputs[0]
    values = layer.activations[channel]
    top, left = kernels.padding

    patches = []
    for each in range(column - _PATCHES + 1, column + 1):
        y, x = row * kernels.stride - top, each * kernels.stride - left
        pixels = inputs[y : y + size, x : x + size]
        if pixels.shape != weights.shape:
            return None
        products = pixels * weights
        grays = [f"#{gray:02x}{gray:02x}{gray:02x}" for gray in _to_gray(pixels, inputs).ravel().tolist()]
        total = float(products.sum()) + bias
        # Eight-bit networks round their activations.
        if abs(total - float(values[row, each])) > 0.02 * max(float(np.abs(values).max()), 1.0):
            return None
        patches.append(
            {
                "column": each,
                "pixels": [format_decimal(float(value)) for value in pixels.ravel()],
                "products": [format_decimal(float(value)) for value in products.ravel()],
                "grays": grays,
                "dark": [_is_dark(gray) for gray in grays],
                "sum": format_decimal(float(products.sum())),
                "total": format_decimal(total),
                "relu": format_decimal(max(total, 0.0)),
            }
        )
    return {
        "kernels": kernels,
        "channel": channel,
        "row": row,
        "size": size,
        "bias": format_decimal(bias),
        "weights": [format_decimal(float(value)) for value in weights.ravel()],
        "colours": (colours := [colour for *_, colour in _kernel_cells(kernels.weights[channel])["cells"]]),
        "dark": [_is_dark(colour) for colour in colours],
        "patches": patches,
        "term": kernels.layer,
    }


def _to_gray(pixels: NDArray[np.float32], inputs: NDArray[np.float32]) -> NDArray[np.uint8]:
    low, high = float(inputs.min()), float(inputs.max())
    gray: NDArray[np.uint8] = np.asarray(255 * (pixels - low) / max(high - low, 1e-6), np.uint8)
    return gray


def _is_dark(colour: str) -> bool:
    """Is ``#rrggbb`` so dark that text on it should be white?"""
    return sum(int(colour[start : start + 2], 16) for start in (1, 3, 5)) < 3 * 130


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


def _layer_values(images: PageImages, layer: Layer) -> dict[str, Any]:
    short = stage = _stage_of(layer)
    pooling = layer.kind == "pool"
    same = [each for each in images.layers if each.name in images.sheets and _stage_of(each) == stage]
    if len([each for each in same if (each.kind == "pool") == pooling]) > 1:
        short = layer.name
    elif pooling and len(same) > 1:
        short = f"{stage} pool"
    values = {
        "short": short,
        "term": f"layer {layer.name}",
        "topic": _select_topic(images, layer),
        "is_first_activation": layer
        is next((each for each in images.layers if each.name in images.sheets and each.kind == "activation"), None),
        "is_residual": any(
            row.skip_from is not None and row.name.startswith(f"{layer.name}.") for row in images.explanation.rows
        ),
    }
    return {**values, **_map_values(images.sheets[layer.name])}


def _select_topic(images: PageImages, layer: Layer) -> str:
    """What the text of a layer is about: its kind, or the part of the face that its receptive field covers."""
    if layer.kind in ("pool", "views"):
        return layer.kind
    part = 1.0 if layer.receptive_field is None else layer.receptive_field.size / images.side
    first = next((each for each in images.layers if each.name in images.sheets), layer)
    if part < 0.2 and layer.receptive_field == first.receptive_field:
        return "edges"
    if part < 0.75:
        return "shapes"
    return "parts" if part < 1.6 else "whole"


def _map_values(sheet: MapSheet) -> dict[str, Any]:
    """The maps of a sheet, strongest first; ``strength`` is the mean activity relative to the strongest map."""
    layer = sheet.layer
    strongest = float(np.abs(layer.activations[layer.order[0]]).mean())
    buttons = []
    for channel in sorted(sheet.channels, key=layer.order.index):
        values = layer.activations[channel]
        row, column = np.unravel_index(int(np.abs(values).argmax()), values.shape)
        buttons.append(
            {
                "channel": channel,
                "description": f"feature map {channel}, peak {format_decimal(values[row, column])}",
                "box": sheet.box(channel),
                "peak": f"{column} {row}",
                "strength": float(np.abs(values).mean()) / strongest if strongest > 0 else 0.0,
            }
        )
    return {"sheet": sheet, "buttons": buttons, "omitted": " and ".join(layer.omitted_maps(len(sheet.channels)))}


def _stage_of(layer: Layer) -> str:
    return layer.name.split(".")[0]


def _is_hidden(images: PageImages, index: int) -> bool:
    """Is the layer at this index the end of a dense layer between the feature maps and the output layer?"""
    layer, *following = images.layers[index:]
    outputs = (len(images.labels), len(images.explanation.votes_logits))
    flat = len(layer.shape) == 1 and layer.kind in ("dense", "activation", "norm")
    last = all(len(each.shape) == 1 and _stage_of(each) != _stage_of(layer) for each in following)
    return flat and last and layer.shape[0] not in outputs


def _pooling_values(images: PageImages, layer: Layer) -> dict[str, Any]:
    sheet, averages = images.last_maps, []
    if sheet is not None and sheet.layer.shape[0] == layer.shape[0]:
        top = [channel for channel in layer.order if channel in sheet.channels][:6]
        averages = [(channel, sheet.box(channel), layer.activations[channel]) for channel in top]
    return {"sheet": sheet, "averages": averages, **_vector_values(layer)}


def _hidden_values(images: PageImages, layer: Layer) -> dict[str, Any]:
    """A dense layer before the output layer; ``inputs`` is 0 if their number is unknown."""
    stage, inputs = _stage_of(layer), 0
    costs = {each.layer.split(".")[0]: each for each in images.explanation.costs if each.kind == "dense"}
    if (cost := costs.get(stage)) is not None:
        uses, weights = cost.multiply_adds // layer.shape[0], cost.parameters // layer.shape[0]
        inputs = uses // max(round(uses / max(weights, 1)), 1)  # Each weight is used once in each view.
    previous = [each for each in takewhile(lambda each: each is not layer, images.layers) if _stage_of(each) != stage]
    return {
        "short": stage,
        "inputs": inputs,
        "flattened": previous and len(previous[-1].shape) == 3,
        "relu": layer.kind == "activation" and float(layer.activations.min(initial=0.0)) >= 0,
        **_vector_values(layer),
    }


def _vector_values(layer: Layer) -> dict[str, Any]:
    """Bars of the first values in the order of the channels, and of the strongest values for the thumbnail."""
    values = np.abs(layer.activations[:_BARS])
    top = float(values.max(initial=0.0)) or 1.0
    strongest = np.abs(layer.activations[list(layer.order[:12])])
    thumb = (96 * strongest / (float(strongest.max(initial=0.0)) or 1.0)).tolist()
    bars = (96 * values / top).tolist()
    return {"layer": layer, "term": f"layer {layer.name}", "top": top, "bars": bars, "thumb": thumb}


# From the dense layer to the prediction


def _dense_values(images: PageImages) -> dict[str, Any]:
    explanation, sheet = images.explanation, images.last_maps
    # The graph contains the weights divided by the temperature; the softmax step shows the temperature, so it is
    # multiplied back here.
    temperature = explanation.temperature
    every = [
        each._replace(weight=each.weight * temperature, amount=each.amount * temperature)
        for each in explanation.contributions
    ]
    rows = [
        (
            f"map {each.channel}",
            f"{format_decimal(each.activation)} × {format_decimal(each.weight)}",
            sheet.box(each.channel) if sheet and each.channel in sheet.channels else "",
            each.amount,
        )
        for each in every[:_ROWS]
    ]
    if rest := every[_ROWS:]:
        rows.append((f"the other {len(rest)} maps", "", "", sum(each.amount for each in rest)))
    rows.append(("bias", "", "", explanation.bias * temperature))
    sums = list(accumulate((amount for *_, amount in rows), initial=0.0))
    most = abs(explanation.contributions[0].amount) or 1.0
    return {
        "sheet": sheet,
        "rows": list(zip(rows, pairwise(sums), strict=True)),
        "low": min(sums),
        "high": max(sums),
        "total": (sum(each.amount for each in explanation.contributions) + explanation.bias) * temperature,
        "thumb": [14 * each.amount / most for each in explanation.contributions[:6]],
    }


def _evidence_values(explanation: Explanation) -> dict[str, Any]:
    """Each map with its method, its regions and its colours."""
    maps = [
        {
            "saliency": saliency,
            "method": MAP_METHODS.get(saliency.method) or MapMethod(saliency.method, saliency.method, ""),
            "basis": regions.basis,
            "regions": sorted(regions.evidence, key=lambda region: -region.score),
            "colours": legend_colours(evidence_scale(saliency.signed)),
        }
        for saliency, regions in zip(explanation.maps, explanation.regions, strict=True)
    ]
    top = explanation.regions[0].top if explanation.regions else None
    return {"maps": maps, "outlines": _region_outlines(explanation), "top": top}


def _region_outlines(explanation: Explanation) -> str:
    """Outlines of brows, eyes, nose and mouth as the data of an SVG path."""
    paths = []
    regions = explanation.region_map
    for number in range(1, int(regions.max(initial=0)) + 1):
        mask = (regions == number).astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        paths += [
            "M" + "L".join(f"{x + 0.5:g} {y + 0.5:g}" for [[x, y]] in line) + "Z" for line in contours if len(line) > 2
        ]
    return "".join(paths)


def _network_values(explanation: Explanation) -> dict[str, Any]:
    parameters = sum(each.parameters for each in explanation.costs)
    operations = sum(each.multiply_adds for each in explanation.costs)
    return {
        "parameters": parameters,
        "operations": operations,
        "operation_count": _format_count(operations),
        "duration": _format_long_duration(operations),
        "diagram": _diagram_values(explanation),
    }


#: Height of a row of the diagram, in units of its SVG.
_ROW_HEIGHT = 30


def _diagram_values(explanation: Explanation) -> dict[str, Any]:
    """The rows of the architecture diagram with their text and width, and the arcs of residual connections.

    Of several softmaxes only the last is drawn: that of the scores.
    """
    side, rows = explanation.crop.shape[0], explanation.rows
    last = max((index for index, row in enumerate(rows) if row.kind == "softmax"), default=-1)
    places = {-1: 0}
    items = [{"kind": "input", "text": "input", "shape": f"{side} × {side}", "width": 1.0}]
    arcs = []
    for index, row in enumerate(rows):
        if row.kind == "softmax" and index != last:
            continue
        places[index] = len(items)
        if row.skip_from is not None:
            begin = max(place for source, place in places.items() if source <= row.skip_from)
            arcs.append((begin, len(items)))
        shape = f"{row.side} × {row.side} × {row.channels}" if row.side else f"{row.channels} values"
        width = row.side / side if row.side else 0.12
        items.append({"kind": row.kind, "text": _describe_row(row), "shape": shape, "width": width})
    return {"items": items, "arcs": arcs, "row_height": _ROW_HEIGHT}


def _describe_row(row: NetworkRow) -> str:
    if row.kind == "conv":
        return f"convolution {row.kernel} × {row.kernel}" + f", stride {row.stride}" * (row.stride > 1)
    if row.kind == "pool":
        return "pooling" if row.side else "global average pooling"
    if row.kind == "dense":
        head = row.name.removesuffix(".logits")
        return "dense layer" + f": {head}" * (head != row.name)
    return {"sum": "residual sum", "views": "mean over views", "softmax": "softmax"}[row.kind]


def _format_count(number: int) -> str:
    """``1.2 million``, ``190 thousand``, ``42``."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} million"
    return f"{number / 1e3:.0f} thousand" if number >= 10_000 else f"{number:,}"


def _format_long_duration(seconds: int) -> str:
    """``3 days``: in the largest unit of which there are at least two."""
    for unit, size in (("years", 31_557_600), ("months", 2_629_800), ("days", 86_400), ("hours", 3_600)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{max(seconds // 60, 1)} minutes"
