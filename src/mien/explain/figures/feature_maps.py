"""Figures of the layers: feature maps, pooled values, kernels, receptive fields, all layers, top activating faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Explanation, Kernels, Layer, Map, ReceptiveField
from mien.explain.figures.canvas import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    NEGATIVE,
    PANEL,
    SMALL,
    TEXT,
    Canvas,
    compose_figure,
    ellipsize,
    enlarge_image,
    theme_colour,
)
from mien.explain.figures.colormaps import Scale, apply_colours, choose_scale
from mien.explain.figures.evidence import resize_crop
from mien.results import Pixels

#: Colour of the frame around a receptive field.
_FIELD = "#ffd479"


# The feature maps of one layer

#: Columns, maximum number of maps, side of a map and gap, in pixels.
_COLUMNS, _MAX_MAPS, _TILE, _TILE_GAP = 8, 64, 132, 14

#: Side of a map beside text, in pixels.
_SMALL_TILE = 84


def draw_feature_maps(layer: Layer, crop_side: int | None = None, before: Layer | None = None) -> Pixels:
    """The feature maps of a layer, strongest first, at most 64; the others are counted.

    ``crop_side`` serves to describe the receptive field. A layer without spatial positions is drawn as bars, with the
    maps of ``before`` if it is their mean.
    """
    if len(layer.shape) < 3:
        return _draw_values(layer, before)
    channels = layer.active_channels()[:_MAX_MAPS]
    scale = choose_scale(layer.activations)
    facts = [f"{layer.kind}, {layer.shape[0]:,} maps of {layer.shape[1]} × {layer.shape[2]} values"]
    if (field := layer.receptive_field) is not None:
        whole = crop_side is not None and field.size >= crop_side
        facts.append(f"receptive field: {'the whole face' if whole else f'{field.size} × {field.size} pixels'}")
    facts.append(f"zero activation: {layer.zero_activation:,} of {layer.shape[0]:,}")
    colours = "blue is below 0, white 0, orange above" if scale == "tide" else "dark is 0, yellow the strongest"
    notes = [
        f"Each map is scaled to its own strongest value ({colours}). Below it: its number, that value, and a bar "
        "for its mean activation."
    ]
    omitted = layer.omitted_maps(len(channels))
    notes += [f"Not shown: {' and '.join(omitted)}."] if omitted else []
    return compose_figure(layer.name, [" · ".join(facts)], _draw_grid(layer, channels, scale), notes)


def _draw_grid(layer: Layer, channels: Sequence[int], scale: Scale) -> Canvas:
    if not channels:
        canvas = Canvas(_COLUMNS * (_TILE + _TILE_GAP), 60)
        canvas.write((0, 16), "All maps have zero activation on this face.", TEXT, MUTED)
        return canvas
    tiles = [enlarge_image(apply_colours(layer.activations[channel], scale), _TILE) for channel in channels]
    height, width = tiles[0].shape[:2]
    step_x, step_y = max(width, 110) + _TILE_GAP, height + 46
    columns = min(_COLUMNS, len(tiles))
    canvas = Canvas(columns * step_x - _TILE_GAP, -(-len(tiles) // columns) * step_y)
    highest = float(np.abs(layer.activations[layer.order[0]]).mean()) or 1.0
    for index, (channel, tile) in enumerate(zip(channels, tiles, strict=True)):
        row, column = divmod(index, columns)
        x, y, values = column * step_x, row * step_y, layer.activations[channel]
        canvas.paste(tile, (x, y))
        canvas.draw.rectangle((x, y + height + 5, x + width - 1, y + height + 9), fill=theme_colour(LINE))
        canvas.bar(x, y + height + 5, width * float(np.abs(values).mean()) / highest, 4, ACCENT)
        canvas.write((x, y + height + 15), f"{channel}", SMALL, INK)
        strongest = values.flat[int(np.abs(values).argmax())]
        canvas.write((x + width, y + height + 15), f"{strongest:.2f}", SMALL, MUTED, "ra")
    return canvas


def _draw_values(layer: Layer, before: Layer | None) -> Pixels:
    """A layer without spatial positions: one bar for each value."""
    count = layer.shape[0]
    pooled = before is not None and len(before.shape) == 3 and before.shape[0] == count
    text = f"{layer.kind}, {count:,} values · zero activation: {layer.zero_activation:,} of {count:,}"
    note = "The bars have the order of the channels."
    if pooled:
        note += " Above them: the strongest values, with the maps of which they are the mean."
    return compose_figure(layer.name, [text], _draw_value_bars(layer, before if pooled else None), [note])


def _draw_value_bars(layer: Layer, before: Layer | None) -> Canvas:
    bar = max(1, min(12, 1100 // len(layer.activations)))
    values = layer.activations[: 1100 // bar]
    width, top = max(len(values) * bar, 1100), _SMALL_TILE + 60 if before is not None else 0
    canvas = Canvas(width, top + 300)
    if before is not None:
        _draw_means(canvas, layer, before)
    low, high = min(float(values.min(initial=0)), 0.0), max(float(values.max(initial=0)), 1e-9)
    zero = top + 260 * high / (high - low) + 20
    canvas.draw.rounded_rectangle((0, top, width - 1, top + 299), 14, fill=theme_colour(PANEL))
    for index, value in enumerate(values):
        y = zero - 260 * float(value) / (high - low)
        box = (index * bar, min(y, zero), index * bar + max(bar - 2, 0), max(y, zero))
        canvas.draw.rectangle(box, fill=theme_colour(NEGATIVE if value < 0 else ACCENT))
    canvas.draw.line((0, zero, width, zero), fill=theme_colour(MUTED))
    canvas.write((width - 12, top + 8), f"highest {high:.2f}", SMALL, MUTED, "ra")
    return canvas


def _draw_means(canvas: Canvas, layer: Layer, before: Layer) -> None:
    scale = choose_scale(before.activations)
    channels = [channel for channel in layer.order if channel < before.shape[0]][:_COLUMNS]
    for index, channel in enumerate(channels):
        tile = enlarge_image(apply_colours(before.activations[channel], scale), _SMALL_TILE)
        x = index * canvas.width // _COLUMNS
        canvas.paste(tile, (x, 0))
        canvas.write((x, tile.shape[0] + 6), f"{channel}: {layer.activations[channel]:.2f}", SMALL, INK)


# All layers

#: Maps of each layer.
_MAPS_IN_ROW = 10


def draw_layers(layers: Sequence[Layer], crop: Pixels) -> Pixels:
    """All layers in rows: name, kind, the receptive field of one value, and the strongest feature maps."""
    width = 330
    canvas = Canvas(
        width + _SMALL_TILE + 30 + _MAPS_IN_ROW * (_SMALL_TILE + 8), max(len(layers), 1) * (_SMALL_TILE + 20)
    )
    for index, layer in enumerate(layers):
        top = index * (_SMALL_TILE + 20)
        canvas.write((0, top + 6), ellipsize(layer.name, TEXT, width - 16), TEXT)
        shape = " × ".join(map(str, layer.shape))
        canvas.write((0, top + 36), ellipsize(f"{layer.kind}, {shape}", SMALL, width - 16), SMALL, MUTED)
        canvas.write((0, top + 58), f"{layer.zero_activation:,} with zero activation", SMALL, MUTED)
        if len(layer.shape) == 3:
            _draw_small_face(canvas, width, top, layer, crop)
            _draw_small_maps(canvas, width + _SMALL_TILE + 30, top, layer)
        else:
            _draw_small_bars(canvas, width, top, layer.activations)
    text = "All layers in order, with their strongest feature maps, each scaled to its own strongest value."
    notes = ["The frame on the small face is the receptive field of the value in the middle."]
    return compose_figure("Activations of all layers", [text], canvas, notes)


def _draw_small_face(canvas: Canvas, left: int, top: int, layer: Layer, crop: Pixels) -> None:
    face = enlarge_image(crop, _SMALL_TILE)
    canvas.paste(face, (left, top))
    if layer.receptive_field is not None:
        zoom = face.shape[0] / crop.shape[0]
        box = receptive_field_box(layer.receptive_field, layer.shape[2], crop.shape[0])
        x0, y0, x1, y1 = (zoom * value for value in box)
        canvas.draw.rectangle((left + x0, top + y0, left + x1 - 1, top + y1 - 1), outline=_FIELD, width=2)


def _draw_small_maps(canvas: Canvas, left: int, top: int, layer: Layer) -> None:
    scale = choose_scale(layer.activations)
    for index, channel in enumerate(layer.active_channels()[:_MAPS_IN_ROW]):
        tile = enlarge_image(apply_colours(layer.activations[channel], scale), _SMALL_TILE)
        canvas.paste(tile[:_SMALL_TILE, :_SMALL_TILE], (left + index * (_SMALL_TILE + 8), top))


def _draw_small_bars(canvas: Canvas, left: int, top: int, values: Map) -> None:
    width = canvas.width - left
    values = values[:width]
    bar = width / len(values)
    highest = float(np.abs(values).max(initial=0.0)) or 1.0
    canvas.draw.rounded_rectangle((left, top, left + width - 1, top + _SMALL_TILE), 8, fill=theme_colour(PANEL))
    for index, value in enumerate(values):
        x, height = left + index * bar, (_SMALL_TILE - 10) * abs(float(value)) / highest
        right = x + max(min(bar - 1, 60), 1)
        colour = NEGATIVE if value < 0 else ACCENT
        canvas.draw.rectangle(
            (x, top + _SMALL_TILE - 2 - height, right, top + _SMALL_TILE - 2), fill=theme_colour(colour)
        )


# Receptive fields and kernels


def receptive_field_box(field: ReceptiveField, columns: int, side: int) -> tuple[float, float, float, float]:
    """The receptive field of the value in the middle, cut at the crop: left, top, right, bottom in pixels."""
    x, y = (offset + 0.5 + (columns // 2) * field.stride for offset in (field.offset_x, field.offset_y))
    (left, right), (top, bottom) = (
        (max(centre - field.size / 2, 0.0), min(centre + field.size / 2, float(side))) for centre in (x, y)
    )
    return left, top, right, bottom


def draw_receptive_fields(explanation: Explanation) -> Pixels:
    """The receptive field of one value of each layer, on the face."""
    layers = [
        (layer, layer.receptive_field)
        for layer in explanation.layers
        if layer.receptive_field is not None and len(layer.shape) == 3
    ]
    side, columns = 200, 5
    canvas = Canvas(columns * (side + 20) - 20, max(-(-len(layers) // columns), 1) * (side + 74))
    for index, (layer, field) in enumerate(layers):
        row, column = divmod(index, columns)
        x, y = column * (side + 20), row * (side + 74)
        box = receptive_field_box(field, layer.shape[2], explanation.crop.shape[0])
        x0, y0, x1, y1 = (round(value * side / explanation.crop.shape[0]) for value in box)
        brightness = np.full((side, side, 1), 0.38)
        brightness[y0:y1, x0:x1] = 1.0
        canvas.paste(np.asarray(np.rint(resize_crop(explanation.crop, side) * brightness), np.uint8), (x, y))
        canvas.draw.rectangle((x + x0, y + y0, x + x1 - 1, y + y1 - 1), outline=_FIELD, width=3)
        canvas.write((x, y + side + 8), ellipsize(layer.name, SMALL, side), SMALL)
        canvas.write((x, y + side + 32), f"{field.size} × {field.size} pixels", SMALL, MUTED)
    text = "The bright square is the receptive field of the value in the middle of each feature map."
    return compose_figure("Receptive fields", [text], canvas)


def draw_kernels(kernels: Kernels) -> Pixels:
    """The kernels of the first convolution: orange is positive, blue negative."""
    tiles = [enlarge_image(apply_colours(each.mean(axis=0), "tide"), 120) for each in kernels.weights[:64]]
    tile_height, tile_width = tiles[0].shape[:2]
    columns = min(8, len(tiles))
    canvas = Canvas(columns * (tile_width + 16) - 16, -(-len(tiles) // columns) * (tile_height + 40))
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        x, y = column * (tile_width + 16), row * (tile_height + 40)
        canvas.paste(tile, (x, y))
        canvas.write((x, y + tile_height + 6), f"{index}", SMALL, MUTED)
    count, inputs, height, width = kernels.weights.shape
    text = f"{count:,} kernels of {height} × {width} weights: orange is positive, blue is negative."
    notes = [f"Each kernel has {inputs} input channels; their mean is drawn."] if inputs > 1 else []
    notes += [f"Not shown: {count - len(tiles):,} more."] if count > len(tiles) else []
    return compose_figure(f"Kernels of {kernels.layer}", [text], canvas, notes)


# Top activating faces

_FACE, _FACE_GAP, _NAME_WIDTH = 96, 8, 120


def draw_top_activating(layer: Layer, faces: NDArray[np.uint8], best: Mapping[int, tuple[int, ...]]) -> Pixels:
    """A row for each channel of ``best``: its feature map, and the ``faces (N, h, w)`` at its indices."""
    count = max((len(indices) for indices in best.values()), default=0)
    left, row_height = _NAME_WIDTH + _FACE + 3 * _FACE_GAP, _FACE + 2 * _FACE_GAP
    canvas = Canvas(left + max(count, 3) * (_FACE + _FACE_GAP) - _FACE_GAP, max(len(best), 1) * row_height + 26)
    canvas.write((_NAME_WIDTH, 0), "this face", SMALL, MUTED)
    canvas.write((left, 0), "top activating faces", SMALL, MUTED)
    scale = choose_scale(layer.activations)
    for row, (channel, indices) in enumerate(best.items()):
        top = 26 + row * row_height
        canvas.write((0, top + _FACE // 2), f"map {channel}", TEXT, anchor="lm")
        values = np.atleast_2d(layer.activations[channel])
        canvas.paste(enlarge_image(apply_colours(values, scale), _FACE)[:_FACE, :_FACE], (_NAME_WIDTH, top))
        for column, index in enumerate(indices):
            canvas.paste(enlarge_image(faces[index], _FACE), (left + column * (_FACE + _FACE_GAP), top))
        if not indices:
            canvas.write((left, top + _FACE // 2), "none: zero activation", SMALL, MUTED, "lm")
    text = (
        f"The maps that are strongest on this face, and those of {len(faces):,} faces that activate each of them most."
    )
    notes = ["Check the licence of these faces before you publish them."]
    return compose_figure(f"Top activating faces of {layer.name}", [text], canvas, notes)
