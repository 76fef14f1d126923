"""What a channel responds to: the faces that excite it most, beside its map of this one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mien.explain.explanation import Layer, Map, ReceptiveField
from mien.explain.figures.canvas import (
    ACCENT,
    INK,
    LESS,
    LINE,
    MUTED,
    PANEL,
    SMALL,
    WORDS,
    Canvas,
    compose_figure,
    ellipsize,
    enlarge_image,
)
from mien.explain.figures.colormaps import Scale, apply_colours, choose_scale
from mien.results import Pixels

_SIDE, _GAP, _NAME = 96, 8, 120


def draw_top_activating(layer: Layer, faces: NDArray[np.uint8], best: Mapping[int, tuple[int, ...]]) -> Pixels:
    """A row for each channel of ``best``: its map, then the faces ``(N, h, w)`` at those places, strongest first."""
    count = max((len(places) for places in best.values()), default=0)
    begin = _NAME + _SIDE + 3 * _GAP
    canvas = Canvas(begin + max(count, 3) * (_SIDE + _GAP) - _GAP, max(len(best), 1) * (_SIDE + 2 * _GAP) + 26)
    canvas.write((_NAME, 0), "this face", SMALL, MUTED)
    canvas.write((begin, 0), "what excites it most", SMALL, MUTED)
    how = choose_scale(layer.activations)
    for row, (channel, places) in enumerate(best.items()):
        top = 26 + row * (_SIDE + 2 * _GAP)
        canvas.write((0, top + _SIDE // 2), f"map {channel}", WORDS, anchor="lm")
        values = np.atleast_2d(layer.activations[channel])
        canvas.paste(enlarge_image(apply_colours(values, how), _SIDE)[:_SIDE, :_SIDE], (_NAME, top))
        for column, place in enumerate(places):
            canvas.paste(enlarge_image(faces[place], _SIDE), (begin + column * (_SIDE + _GAP), top))
        if not places:
            canvas.write((begin, top + _SIDE // 2), "none of them", SMALL, MUTED, "lm")
    told = f"The maps that are strongest on this face, and which of {len(faces):,} faces excite each of them most."
    notes = ["Mind the rights of these faces before you publish."]
    return compose_figure(f"What {layer.name} responds to", [told], canvas, notes)


# ==== mien.explain.pictures.maps
# Feature maps, poolings and activations as pictures.

#: Maps in a grid: so many across, so many at most, and the side of each in pixels.
_ACROSS, _MOST, _TILE = 8, 64, 132
_GAP_maps = 14

#: The overview: maps in a row, and their side.
_IN_A_ROW, _ROW = 10, 84


def draw_feature_maps(layer: Layer, whole: int | None = None, before: Layer | None = None) -> Pixels:
    """The maps of one layer, strongest first; 64 of them at most, and the rest is counted.

    ``whole`` is the side of the crop, for telling what a place sees. A layer without places is drawn as bars, beside
    the maps it was made of where ``before`` has them.
    """
    if len(layer.shape) < 3:
        return _numbers(layer, before)
    shown = active_channels(layer)[:_MOST]
    how = choose_scale(layer.activations)
    return compose_figure(layer.name, [_told(layer, whole)], _grid(layer, shown, how), _notes(layer, len(shown), how))


def active_channels(layer: Layer) -> tuple[int, ...]:
    """The channels that say something on this face, strongest first."""
    moving = np.ptp(layer.activations.reshape(layer.shape[0], -1), axis=1) > 0 if len(layer.shape) == 3 else None
    return tuple(each for each in layer.order if moving is None or moving[each])


def _told(layer: Layer, whole: int | None) -> str:
    parts = [f"{layer.kind}, {layer.shape[0]:,} maps of {layer.shape[1]} × {layer.shape[2]} places"]
    if layer.receptive_field is not None:
        parts.append(_sees(layer.receptive_field, whole))
    parts.append(
        f"silent on this face: {layer.zero_activation:,} of {layer.shape[0]:,}"
        if layer.zero_activation
        else "all are active"
    )
    return " · ".join(parts)


def _sees(receptive_field: ReceptiveField, whole: int | None) -> str:
    if whole is not None and receptive_field.size >= whole:
        return "each place sees the whole face"
    return f"each place sees {receptive_field.size} × {receptive_field.size} pixels of the face"


def _notes(layer: Layer, shown: int, how: Scale) -> list[str]:
    colours = "blue is below 0, white 0, orange above" if how == "tide" else "dark is 0, yellow the strongest"
    notes = [f"Each map against its own strongest value ({colours}), with its number and that value; "
             "the bar says how active it is beside the most active one."]  # fmt: skip
    rest = layer.shape[0] - shown - layer.zero_activation
    left = [f"{rest:,} weaker maps"] * (rest > 0) + [f"{layer.zero_activation:,} silent"] * (layer.zero_activation > 0)
    return [*notes, *([f"Not shown: {' and '.join(left)}."] if left else [])]


def _grid(layer: Layer, shown: Sequence[int], how: Scale) -> Canvas:
    if not shown:
        empty = Canvas(_ACROSS * (_TILE + _GAP_maps), 60)
        empty.write((0, 16), "No map says anything on this face.", WORDS, MUTED)
        return empty
    tiles = [enlarge_image(apply_colours(layer.activations[each], how), _TILE) for each in shown]
    height, width = tiles[0].shape[:2]
    step_x, step_y = max(width, 110) + _GAP_maps, height + 46
    across = min(_ACROSS, len(tiles))
    canvas = Canvas(across * step_x - _GAP_maps, -(-len(tiles) // across) * step_y)
    for place, (channel, tile) in enumerate(zip(shown, tiles, strict=True)):
        row, column = divmod(place, across)
        _tile(canvas, (column * step_x, row * step_y), tile, channel, layer)
    return canvas


def _tile(canvas: Canvas, at: tuple[int, int], tile: Pixels, channel: int, layer: Layer) -> None:
    x, y = at
    height, width = tile.shape[:2]
    canvas.paste(tile, at)
    strongest = layer.activations[channel].flat[int(np.abs(layer.activations[channel]).argmax())]
    canvas.draw.rectangle((x, y + height + 5, x + width - 1, y + height + 9), fill=LINE)
    canvas.bar(x, y + height + 5, width * _part(layer, channel), 4, ACCENT)
    canvas.write((x, y + height + 15), f"{channel}", SMALL, INK)
    canvas.write((x + width, y + height + 15), f"{strongest:.2f}", SMALL, MUTED, "ra")


def _part(layer: Layer, channel: int) -> float:
    most = float(np.abs(layer.activations[layer.order[0]]).mean())
    return float(np.abs(layer.activations[channel]).mean()) / most if most > 0 else 0.0


# Layers without places: one number for each map


def _numbers(layer: Layer, before: Layer | None) -> Pixels:
    many = layer.shape[0]
    silent = f"{layer.zero_activation:,} are 0 on this face" if layer.zero_activation else "none is 0"
    told = f"{layer.kind}, {many:,} numbers, {silent}"
    same = before is not None and len(before.shape) == 3 and before.shape[0] == many
    notes = [
        "The bars stand in the order of the maps."
        + (" Above: the strongest, and the maps they are the mean of." * same)
    ]
    return compose_figure(layer.name, [told], _skyline(layer, before if same else None), notes)


def _skyline(layer: Layer, before: Layer | None) -> Canvas:
    values = layer.activations
    wide = max(1, min(12, 1100 // len(values)))
    shown = values[: 1100 // wide]
    width, head = max(len(shown) * wide, 1100), _ROW + 60 if before is not None else 0
    canvas = Canvas(width, head + 300)
    if before is not None:
        _means(canvas, layer, before)
    low, high = min(float(shown.min(initial=0)), 0.0), max(float(shown.max(initial=0)), 1e-9)
    zero = head + 260 * high / (high - low) + 20
    canvas.draw.rounded_rectangle((0, head, width - 1, head + 299), 14, fill=PANEL)
    for place, value in enumerate(shown):
        top = zero - 260 * float(value) / (high - low)
        right = place * wide + max(wide - 2, 0)
        canvas.draw.rectangle((place * wide, min(top, zero), right, max(top, zero)), fill=LESS if value < 0 else ACCENT)
    canvas.draw.line((0, zero, width, zero), fill=MUTED)
    canvas.write((width - 12, head + 8), f"highest {high:.2f}", SMALL, MUTED, "ra")
    return canvas


def _means(canvas: Canvas, layer: Layer, before: Layer) -> None:
    how = choose_scale(before.activations)
    for place, channel in enumerate([each for each in layer.order if each < before.shape[0]][:_ACROSS]):
        tile = enlarge_image(apply_colours(before.activations[channel], how), _ROW)
        x = place * canvas.width // _ACROSS
        canvas.paste(tile, (x, 0))
        canvas.write((x, tile.shape[0] + 6), f"{channel}: {layer.activations[channel]:.2f}", SMALL, INK)


# All layers at once


def draw_layers(layers: Sequence[Layer], crop: Pixels) -> Pixels:
    """Every layer in a row: what it is, what one of its places sees, and its strongest maps."""
    names = 330
    canvas = Canvas(names + _ROW + 30 + _IN_A_ROW * (_ROW + 8), max(len(layers), 1) * (_ROW + 20))
    for place, layer in enumerate(layers):
        _row(canvas, place * (_ROW + 20), layer, crop, names)
    told = (
        "From top to bottom as the face goes through: each layer's strongest maps, against their own strongest value."
    )
    notes = ["The square on the small face is what one place of that layer's maps sees of it."]
    return compose_figure("What every layer says", [told], canvas, notes)


def _row(canvas: Canvas, top: int, layer: Layer, crop: Pixels, names: int) -> None:
    canvas.write((0, top + 6), ellipsize(layer.name, WORDS, names - 16), WORDS)
    shape = " × ".join(map(str, layer.shape))
    canvas.write((0, top + 36), ellipsize(f"{layer.kind}, {shape}", SMALL, names - 16), SMALL, MUTED)
    silent = f"{layer.zero_activation:,} silent" if layer.zero_activation else "none silent"
    canvas.write((0, top + 58), silent, SMALL, MUTED)
    if len(layer.shape) == 3:
        _small_face(canvas, (names, top), layer, crop)
        _strongest(canvas, (names + _ROW + 30, top), layer)
    else:
        _small_bars(canvas, (names, top), layer.activations)


def _small_face(canvas: Canvas, at: tuple[int, int], layer: Layer, crop: Pixels) -> None:
    face = enlarge_image(crop, _ROW)
    canvas.paste(face, at)
    if layer.receptive_field is not None:
        box = receptive_field_box(layer.receptive_field, layer.shape[2], crop.shape[0])
        zoom = face.shape[0] / crop.shape[0]
        x0, y0, x1, y1 = (zoom * value for value in box)
        canvas.draw.rectangle((at[0] + x0, at[1] + y0, at[0] + x1 - 1, at[1] + y1 - 1), outline="#ffd479", width=2)


def receptive_field_box(receptive_field: ReceptiveField, places: int, side: int) -> tuple[float, float, float, float]:
    """What the place in the middle sees, inside the crop: left, top, right, bottom in its pixels."""
    across, down = (
        at + 0.5 + (places // 2) * receptive_field.stride for at in (receptive_field.offset_x, receptive_field.offset_y)
    )
    (left, right), (top, bottom) = (
        (max(middle - receptive_field.size / 2, 0.0), min(middle + receptive_field.size / 2, float(side)))
        for middle in (across, down)
    )
    return left, top, right, bottom


def _strongest(canvas: Canvas, at: tuple[int, int], layer: Layer) -> None:
    how = choose_scale(layer.activations)
    for place, channel in enumerate(active_channels(layer)[:_IN_A_ROW]):
        tile = enlarge_image(apply_colours(layer.activations[channel], how), _ROW)
        canvas.paste(tile[:_ROW, :_ROW], (at[0] + place * (_ROW + 8), at[1]))


def _small_bars(canvas: Canvas, at: tuple[int, int], values: Map) -> None:
    room = canvas.width - at[0]
    shown = values[:room]
    wide = room / len(shown)
    most = float(np.abs(shown).max(initial=0.0)) or 1.0
    canvas.draw.rounded_rectangle((at[0], at[1], at[0] + room - 1, at[1] + _ROW), 8, fill=PANEL)
    for place, value in enumerate(shown):
        x, high = at[0] + place * wide, (_ROW - 10) * abs(float(value)) / most
        right = x + max(min(wide - 1, 60), 1)
        hue = LESS if value < 0 else ACCENT
        canvas.draw.rectangle((x, at[1] + _ROW - 2 - high, right, at[1] + _ROW - 2), fill=hue)
