"""Figures of evidence maps: over the crop and over the image, with legend and regions; and an image with numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mien.explain.explanation import MAP_METHODS, Explanation, Placement, Regions, Saliency
from mien.explain.figures.canvas import (
    ACCENT,
    MUTED,
    OVERSAMPLING,
    PANEL,
    SMALL,
    TEXT,
    Canvas,
    compose_figure,
    ellipsize,
    load_font,
    theme_colour,
    wrap_text,
)
from mien.explain.figures.colormaps import colour_evidence, colour_table, evidence_scale
from mien.labels import label_colour
from mien.results import Pixels
from mien.text import format_percent

_SIDE, _GAP, _LEGEND_WIDTH = 336, 24, 26

#: Side of the image section around the face, relative to the side of the crop.
_SECTION = 1.9


def draw_evidence_maps(explanation: Explanation, pixels: Pixels | None = None) -> Pixels:
    """Each map over the crop and, with the RGB ``pixels`` of the image, over the image; with legend and regions."""
    placement = explanation.placement if pixels is not None else None
    notes = ["Such a map is a hint and no proof: it shows where the network found evidence, not whether it is correct."]
    height = _SIDE + 96
    width = (2 if placement is None else 3) * (_SIDE + _GAP) + 380
    canvas = Canvas(width, max(len(explanation.maps), 1) * height)
    for row, (saliency, regions) in enumerate(zip(explanation.maps, explanation.regions, strict=True)):
        top, left = row * height + 40, 2 * (_SIDE + _GAP)
        method = MAP_METHODS.get(saliency.method)
        canvas.write((0, row * height), saliency.method if method is None else method.title, TEXT)
        if method is not None:
            notes.append(f"{method.title}: {method.description}")
        face = resize_crop(explanation.crop, _SIDE)
        canvas.paste(face, (0, top))
        overlay = _overlay(face, saliency, _upper_corners(_SIDE))
        if explanation.counterfactual is not None and saliency.method != "cam":
            _mark_box(overlay, np.array(explanation.counterfactual[:4]) * _SIDE / explanation.crop.shape[0])
        canvas.paste(overlay, (_SIDE + _GAP, top))
        if pixels is not None and placement is not None:
            canvas.paste(_overlay_image(pixels, placement, saliency), (left, top))
            left += _SIDE + _GAP
        _draw_legend(canvas, left, top, saliency)
        _draw_regions(canvas, left + _LEGEND_WIDTH + 90, top, regions)
    comparison = f" compared with “{explanation.versus}”" if explanation.versus else ""
    sentences = []
    if (change := explanation.counterfactual) is not None:
        sentences.append(
            f"If the marked rectangle is covered, {format_percent(change.area)} of the face, the prediction becomes "
            f"“{change.emotion}” ({format_percent(change.score)})."
        )
    title = f"Evidence map (saliency) for “{explanation.target}”{comparison}"
    return compose_figure(title, sentences, canvas, [*notes, *explanation.notes])


def resize_crop(crop: Pixels, side: int) -> Pixels:
    """The crop as RGB ``(side, side, 3)``, with smooth interpolation."""
    rgb = crop if crop.ndim == 3 else cv2.cvtColor(crop, cv2.COLOR_GRAY2RGB)
    return np.asarray(cv2.resize(rgb, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)


def _upper_corners(side: int) -> NDArray[np.float64]:
    """Three corners of a square, clockwise from the upper left: they determine an affine transform."""
    return np.array([(0, 0), (side, 0), (side, side)], np.float64)


def _overlay(background: Pixels, saliency: Saliency, corners: NDArray[np.float64]) -> Pixels:
    """The map over an image, its first three corners (clockwise) at ``corners``; transparent where it is 0."""
    source = _upper_corners(saliency.map.shape[0]).astype(np.float32)
    transform = cv2.getAffineTransform(source, corners.astype(np.float32))
    size = (background.shape[1], background.shape[0])
    values = np.asarray(cv2.warpAffine(saliency.map, transform, size, flags=cv2.INTER_CUBIC), np.float32)
    colours, opacity = colour_evidence(values, saliency.signed, saliency.strongest)
    alpha = (0.85 * opacity)[..., None]
    return np.asarray(np.rint(background * (1 - alpha) + colours.astype(np.float64) * alpha), np.uint8)


def _overlay_image(pixels: Pixels, placement: Placement, saliency: Saliency) -> Pixels:
    """The section of the image around the face, with the map at the position of the crop."""
    section = _SECTION * placement.side
    zoom = _SIDE / section
    origin = np.array([placement.left, placement.top]) + (placement.side - section) / 2
    matrix = np.array([[zoom, 0, -origin[0] * zoom], [0, zoom, -origin[1] * zoom]])
    empty = tuple(int(theme_colour(PANEL)[i : i + 2], 16) for i in (1, 3, 5))
    background = warp_to_square(pixels, matrix, _SIDE, borderValue=empty)
    corners = (np.array(placement.corners()[:3]) - origin) * zoom
    return _overlay(background, saliency, corners)


def warp_to_square(pixels: Pixels, matrix: NDArray[np.float64], side: int, **border: Any) -> Pixels:
    """The part of an image that an affine transform ``(2, 3)`` maps to a square; ``border`` is for ``warpAffine``."""
    # warpAffine samples single pixels: a large image is scaled down first, to avoid aliasing.
    factor = max(1, int(1 / max(float(np.hypot(matrix[0, 0], matrix[0, 1])), 1e-6)))
    size = (max(pixels.shape[1] // factor, 1), max(pixels.shape[0] // factor, 1))
    small = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    matrix = np.asarray(matrix @ np.diag([factor, factor, 1.0]))
    return np.asarray(cv2.warpAffine(small, matrix, (side, side), flags=cv2.INTER_LINEAR, **border), np.uint8)


def _mark_box(pixels: Pixels, box: NDArray[np.float64]) -> None:
    x, y, width, height = (round(float(value)) for value in box)
    cv2.rectangle(pixels, (x, y), (x + width, y + height), (20, 40, 40), 5)
    cv2.rectangle(pixels, (x, y), (x + width, y + height), (127, 240, 226), 3)


def _draw_legend(canvas: Canvas, x: int, y: int, saliency: Saliency) -> None:
    """The colour scale from the strongest value down, with numbers."""
    indices = np.linspace(0, 255, _SIDE).round().astype(int)[::-1]
    canvas.paste(np.repeat(colour_table(evidence_scale(saliency.signed))[indices, None], _LEGEND_WIDTH, 1), (x, y))
    highest, lowest = saliency.strongest, -saliency.strongest if saliency.signed else 0.0
    for value, position in ((highest, 0), ((highest + lowest) / 2, _SIDE // 2), (lowest, _SIDE)):
        text_position = (x + _LEGEND_WIDTH + 8, y + min(max(position, 10), _SIDE - 10))
        canvas.write(text_position, f"{value:.3g}", SMALL, MUTED, "lm")
    if saliency.versus:
        text = f"orange for {saliency.target}, blue for {saliency.versus}"
        canvas.write((x, y + _SIDE + 8), ellipsize(text, SMALL, canvas.width - x), SMALL, MUTED)


def _draw_regions(canvas: Canvas, x: int, y: int, regions: Regions) -> None:
    width = canvas.width - x
    if not regions.evidence:
        canvas.write((x, y), "no evidence at all", SMALL, MUTED)
        return
    for row, (name, part) in enumerate(sorted(regions.evidence, key=lambda region: -region.score)):
        top = y + row * 52
        canvas.write((x, top), name, TEXT)
        canvas.write((x + width, top), format_percent(part), TEXT, anchor="ra")
        canvas.draw.rounded_rectangle((x, top + 30, x + width, top + 38), 4, fill=theme_colour(PANEL))
        canvas.bar(x, top + 30, width * part, 8, ACCENT)
    landmarks = regions.basis == "landmarks"
    basis = "by the landmarks of this face" if landmarks else "by the average positions in aligned faces"
    for row, line in enumerate(wrap_text(basis, SMALL, width)):
        canvas.write((x, y + len(regions.evidence) * 52 + 4 + row * 24), line, SMALL, MUTED)


# Numbers of faces


def number_faces(pixels: Pixels, faces: Sequence[Explanation]) -> Pixels:
    """A copy of the image with the number of each face in the lower right corner of its box."""
    image = Image.fromarray(pixels)
    for explanation in faces:
        if explanation.face is None or explanation.number is None:
            continue
        box, emotions = explanation.face.box, explanation.emotions
        side = round(min(max(box.width / 5, min(image.size) / 26, 16), box.width))
        badge = _draw_badge(f"{explanation.number}", side, label_colour(emotions.top, emotions.labels))
        x = min(max(box.x + box.width - side // 2, 0), image.width - side)
        y = min(max(box.y + box.height - side // 2, 0), image.height - side)
        image.paste(badge, (x, y), badge)
    return np.array(image, np.uint8)


def _draw_badge(text: str, side: int, colour: str) -> Image.Image:
    large = side * OVERSAMPLING
    badge = Image.new("RGBA", (large, large), (255, 255, 255, 0))
    draw = ImageDraw.Draw(badge)
    draw.ellipse((0, 0, large - 1, large - 1), fill="#1c2128")
    inner, width = large - 1 - OVERSAMPLING, max(large // 12, OVERSAMPLING)
    draw.ellipse((OVERSAMPLING, OVERSAMPLING, inner, inner), outline=colour, width=width)
    font = load_font(round(large * (0.5 if len(text) < 3 else 0.36)))
    draw.text((large / 2, large / 2), text, fill="#ffffff", font=font, anchor="mm")
    return badge.reduce(OVERSAMPLING)
