"""Where the network looked, as a picture."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.explain.explanation import Explanation, Kernels, Placement, Saliency
from mien.explain.figures.canvas import (
    ACCENT,
    MUTED,
    PANEL,
    SMALL,
    WORDS,
    Canvas,
    compose_figure,
    ellipsize,
    enlarge_image,
    load_font,
    wrap_text,
)
from mien.explain.figures.colormaps import Scale, apply_colours, colour_indices, colour_table
from mien.explain.figures.feature_maps import receptive_field_box
from mien.labels import label_colour
from mien.results import Pixels

_SIDE, _GAP, _BAR = 336, 24, 26

#: What the methods do.
_METHODS = {
    "cam": "Class map: the last maps, each times its weight",
    "occlusion": "Covering: what the share loses when a soft patch lies there",
    "rise": "Random covering: spots that keep the share high over many random patterns",
}


def draw_evidence_maps(told: Explanation, pixels: Pixels | None = None) -> Pixels:
    """Each map over the crop and, with ``pixels`` of the picture, over the picture too; a scale, and the regions."""
    around = pixels is not None and told.placement is not None
    width = (3 if around else 2) * (_SIDE + _GAP) + 380
    block = _SIDE + 96
    canvas = Canvas(width, max(len(told.maps), 1) * block)
    for place, saliency in enumerate(told.maps):
        _method(canvas, place * block, told, place, saliency, pixels if around else None)
    goal = f"“{told.target}”" + (f" rather than “{told.versus}”" if told.versus else "")
    notes = ["Such a map is a hint and no proof: it says where the network found something, not whether it was right."]
    return compose_figure(f"Where it looked for {goal}", _flipped(told), canvas, [*notes, *told.notes])


def _flipped(told: Explanation) -> list[str]:
    if told.counterfactual is None:
        return []
    area, share = (
        f"{told.counterfactual.area:.0%}".replace("%", " %"),
        f"{told.counterfactual.score:.0%}".replace("%", " %"),
    )
    return [
        f"Cover the marked rectangle, {area} of the face, and the answer becomes “{told.counterfactual.emotion}” ({share})."
    ]


def _method(canvas: Canvas, top: int, told: Explanation, place: int, saliency: Saliency, pixels: Pixels | None) -> None:
    name = _METHODS.get(saliency.method, saliency.method)
    canvas.write((0, top), ellipsize(name, WORDS, canvas.width), WORDS)
    top += 40
    side = told.crop.shape[0]
    face = _smooth(told.crop, _SIDE)
    canvas.paste(face, (0, top))
    over = _laid(face, saliency, _square(_SIDE))
    if told.counterfactual is not None and saliency.method != "cam":
        _mark(over, np.array(told.counterfactual[:4]) * _SIDE / side)
    canvas.paste(over, (_SIDE + _GAP, top))
    left = 2 * (_SIDE + _GAP)
    if pixels is not None and told.placement is not None:
        canvas.paste(_around(pixels, told.placement, saliency), (left, top))
        left += _SIDE + _GAP
    _legend(canvas, (left, top), saliency)
    _regions(canvas, (left + _BAR + 90, top), told, place)


def _smooth(crop: Pixels, side: int) -> Pixels:
    rgb = crop if crop.ndim == 3 else cv2.cvtColor(crop, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _square(side: int) -> NDArray[np.float64]:
    return np.array([(0, 0), (side, 0), (side, side)], np.float64)


def _laid(ground: Pixels, saliency: Saliency, corners: NDArray[np.float64]) -> Pixels:
    """The map over a picture, its first three corners (clockwise) at these places; nothing is drawn where it is 0."""
    side = saliency.map.shape[0]
    turn = cv2.getAffineTransform(_square(side).astype(np.float32), corners.astype(np.float32))
    size = (ground.shape[1], ground.shape[0])
    values = np.asarray(cv2.warpAffine(saliency.map, turn, size, flags=cv2.INTER_CUBIC), np.float32)
    how: Scale = "tide" if saliency.signed else "ember"
    colours = colour_table(how)[colour_indices(values, how, saliency.scale)].astype(np.float64)
    strength = np.clip(np.abs(values) / (saliency.scale or 1.0), 0, 1)
    alpha = (0.85 * np.power(strength, 0.7))[..., None]
    return np.asarray(np.rint(ground * (1 - alpha) + colours * alpha), np.uint8)


def _around(pixels: Pixels, placement: Placement, saliency: Saliency) -> Pixels:
    """The part of the picture about the face, with the map where the crop was."""
    left, top, side, lean = placement
    wide = 1.9 * side
    middle = np.array([left + side / 2, top + side / 2])
    zoom = _SIDE / wide
    ground = _cut(pixels, middle - wide / 2, zoom)
    turn = np.deg2rad(lean)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    half = side / 2 * zoom
    corners = np.array([(-half, -half), (half, -half), (half, half)]) @ matrix.T + _SIDE / 2
    return _laid(ground, saliency, corners)


def _cut(pixels: Pixels, corner: NDArray[np.float64], zoom: float) -> Pixels:
    """A square of the picture, its upper left corner there, smooth at any size; what lies beyond is paper."""
    shrink = max(1, int(1 / zoom))
    size = (max(pixels.shape[1] // shrink, 1), max(pixels.shape[0] // shrink, 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    matrix = np.array([[zoom * shrink, 0, -corner[0] * zoom], [0, zoom * shrink, -corner[1] * zoom]])
    paper = tuple(int(PANEL[i : i + 2], 16) for i in (1, 3, 5))
    return np.asarray(
        cv2.warpAffine(small, matrix, (_SIDE, _SIDE), flags=cv2.INTER_LINEAR, borderValue=paper), np.uint8
    )


def _mark(pixels: Pixels, box: NDArray[np.float64]) -> None:
    x, y, width, height = (round(float(value)) for value in box)
    cv2.rectangle(pixels, (x, y), (x + width, y + height), (20, 40, 40), 5)
    cv2.rectangle(pixels, (x, y), (x + width, y + height), (127, 240, 226), 3)


def _legend(canvas: Canvas, at: tuple[int, int], saliency: Saliency) -> None:
    """The scale from the strongest down, with its numbers."""
    x, y = at
    how: Scale = "tide" if saliency.signed else "ember"
    high = np.linspace(0, 255, _SIDE).round().astype(int)
    canvas.paste(np.repeat(colour_table(how)[high[::-1], None], _BAR, 1), (x, y))
    most, least = saliency.scale, -saliency.scale if saliency.signed else 0.0
    for words, place in ((f"{most:.3g}", 0), (f"{(most + least) / 2:.3g}", _SIDE // 2), (f"{least:.3g}", _SIDE)):
        canvas.write((x + _BAR + 8, y + min(max(place, 10), _SIDE - 10)), words, SMALL, MUTED, "lm")
    if saliency.versus:
        ends = f"orange for {saliency.target}, blue for {saliency.versus}"
        canvas.write((x, y + _SIDE + 8), ellipsize(ends, SMALL, canvas.width - x), SMALL, MUTED)


def _regions(canvas: Canvas, at: tuple[int, int], told: Explanation, place: int) -> None:
    x, y = at
    regions = told.regions[place]
    room = canvas.width - x
    if not regions.evidence:
        canvas.write((x, y), "no evidence at all", SMALL, MUTED)
        return
    for row, (label, share) in enumerate(sorted(regions.evidence, key=lambda each: -each.score)):
        top = y + row * 52
        canvas.write((x, top), "elsewhere" if label == "rest" else label, WORDS)
        canvas.write((x + room, top), f"{share:.0%}".replace("%", " %"), WORDS, anchor="ra")
        canvas.draw.rounded_rectangle((x, top + 30, x + room, top + 38), 4, fill=PANEL)
        canvas.bar(x, top + 30, room * share, 8, ACCENT)
    basis = "by this face’s own points" if regions.basis == "landmarks" else "by where these lie in most faces"
    for line, words in enumerate(wrap_text(basis, SMALL, room)):
        canvas.write((x, y + len(regions.evidence) * 52 + 4 + line * 24), words, SMALL, MUTED)


def draw_kernels(found: Kernels) -> Pixels:
    """The filters of the first convolution: orange adds, blue takes away."""
    shown = found.weights[:64]
    tiles = [enlarge_image(apply_colours(each.mean(axis=0), "tide"), 120) for each in shown]
    height, width = tiles[0].shape[:2]
    across = min(8, len(tiles))
    canvas = Canvas(across * (width + 16) - 16, -(-len(tiles) // across) * (height + 40))
    for place, tile in enumerate(tiles):
        row, column = divmod(place, across)
        at = (column * (width + 16), row * (height + 40))
        canvas.paste(tile, at)
        canvas.write((at[0], at[1] + height + 6), f"{place}", SMALL, MUTED)
    many, inputs, high, wide = found.weights.shape
    told = f"{many:,} filters of {high} × {wide} numbers: orange adds where the face is bright, blue takes away."
    more = [f"Of the {inputs} inputs of each filter the mean is drawn."] if inputs > 1 else []
    more += [f"Not shown: {many - len(shown):,} more."] if many > len(shown) else []
    return compose_figure(f"The filters of {found.layer}", [told], canvas, more)


def draw_receptive_fields(told: Explanation) -> Pixels:
    """What one place of each layer sees of the face."""
    layers = [each for each in told.layers if each.receptive_field is not None and len(each.shape) == 3]
    side, across = 200, 5
    canvas = Canvas(across * (side + 20) - 20, max(-(-len(layers) // across), 1) * (side + 74))
    for place, layer in enumerate(layers):
        row, column = divmod(place, across)
        x, y = column * (side + 20), row * (side + 74)
        face = _smooth(told.crop, side)
        assert layer.receptive_field is not None
        box = receptive_field_box(layer.receptive_field, layer.shape[2], told.crop.shape[0])
        x0, y0, x1, y1 = (round(value * side / told.crop.shape[0]) for value in box)
        shade = np.full((side, side, 1), 0.38)
        shade[y0:y1, x0:x1] = 1.0
        canvas.paste(np.asarray(np.rint(face * shade), np.uint8), (x, y))
        canvas.draw.rectangle((x + x0, y + y0, x + x1 - 1, y + y1 - 1), outline="#ffd479", width=3)
        canvas.write((x, y + side + 8), ellipsize(layer.name, SMALL, side), SMALL)
        canvas.write(
            (x, y + side + 32), f"{layer.receptive_field.size} × {layer.receptive_field.size} pixels", SMALL, MUTED
        )
    return compose_figure(
        "What one place of each layer sees", ["The bright square; the place is the one in the middle."], canvas
    )


# ==== mien.explain.pictures.numbers
# The faces of a picture, numbered.

_FINER = 4


def number_faces(pixels: Pixels, faces: Sequence[Explanation]) -> Pixels:
    """A copy of the picture with each face's number in the lower right corner of its box."""
    image = Image.fromarray(pixels)
    for told in faces:
        if told.face is None or told.number is None:
            continue
        box = told.face.box
        side = round(min(max(box.width / 5, min(image.size) / 26, 16), box.width))
        badge = _badge(f"{told.number}", side, label_colour(told.emotions.top, told.emotions.labels))
        x = min(max(box.x + box.width - side // 2, 0), image.width - side)
        y = min(max(box.y + box.height - side // 2, 0), image.height - side)
        image.paste(badge, (x, y), badge)
    return np.array(image, np.uint8)


def _badge(words: str, side: int, hue: str) -> Image.Image:
    large = side * _FINER
    badge = Image.new("RGBA", (large, large), (255, 255, 255, 0))
    draw = ImageDraw.Draw(badge)
    draw.ellipse((0, 0, large - 1, large - 1), fill="#1c2128")
    draw.ellipse((_FINER, _FINER, large - 1 - _FINER, large - 1 - _FINER), outline=hue, width=max(large // 12, _FINER))
    size = round(large * (0.5 if len(words) < 3 else 0.36))
    draw.text((large / 2, large / 2), words, fill="#ffffff", font=load_font(size), anchor="mm")
    return badge.reduce(_FINER)
