"""A result in Gradio's components, in the words and colours of every window."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from mien import text
from mien.apps.session.portraits import crop_thumbnail
from mien.draw import draw_readings
from mien.html.images import shrink_image
from mien.labels import label_colour
from mien.results import Box, FrameResult, Pixels, Reading

#: The longest side of a picture in the page: Gradio keeps a layer as large as the picture for each face.
MAX_IMAGE_SIDE = 1600

#: So many faces get a layer of their own; the others are painted and listed all the same.
_LAYERS = 24

#: The side of a face in the row of faces, and how much around its box is shown.
_SIDE, _AROUND = 160, 0.2


def annotate_layers(pixels: Pixels, result: FrameResult) -> tuple[Any, dict[str, str]]:
    """What ``gr.AnnotatedImage`` shows, and the colours of its legend: the picture painted, a layer for each face."""
    painted = shrink_image(draw_readings(pixels, result), MAX_IMAGE_SIDE)
    scale = painted.shape[1] / pixels.shape[1]
    readings = result.readings[:_LAYERS]
    names = [face_title(number, reading) for number, reading in enumerate(readings, 1)]
    layers = [(_glow(reading.face.box, scale, painted), name) for reading, name in zip(readings, names, strict=True)]
    tones = {name: face_colour(reading) for reading, name in zip(readings, names, strict=True)}
    return (painted, layers), tones


def create_timeline(labels: tuple[str, ...], title: str, name: str, **how: Any) -> Any:
    """A line for each expression over the seconds, in its colour."""
    return gr.LinePlot(
        x="seconds", y="share", color="expression", color_map=label_colours(labels), y_lim=[0, 1], colors_in_legend=[],
        label=title, elem_id=name, **how,
    )  # fmt: skip


def face_title(number: int, reading: Reading) -> str:
    """``1 · looks happy · 93 %``: different for each face."""
    return f"{number} · {text.format_headline(reading)}"


def face_colour(reading: Reading) -> str:
    return label_colour(reading.emotions.top, reading.emotions.labels)


def list_portraits(pixels: Pixels, result: FrameResult) -> list[tuple[Pixels, str]]:
    """Each face by itself, for a gallery."""
    return [
        (crop_thumbnail(pixels, each.face.box, _SIDE, _AROUND), face_title(number, each))
        for number, each in enumerate(result, 1)
    ]


def describe_reading(reading: Reading, number: int | None = None) -> str:
    """What a face's expression looks like, as Markdown: what is seen first, then what speaks for caution."""
    headline = text.format_headline(reading)
    said = f"Face {number} {headline}" if number else headline[0].upper() + headline[1:]
    lines = [f"### {escape(said)}"]
    lines += [f"**{escape(doubt)}**" for doubt in text.describe_doubts(reading)]
    lines += [escape(each) for each in (text.describe_mixture(reading), text.describe_votes(reading)) if each]
    return "\n\n".join(lines)


def label_scores(reading: Reading) -> dict[str, float]:
    """What ``gr.Label`` shows."""
    return dict(reading.emotions.scores)


def label_colours(labels: tuple[str, ...]) -> dict[str, str]:
    """The colour of each expression, for a plot."""
    return {label: label_colour(label, labels) for label in labels}


def render_legend(colours: dict[str, str]) -> str:
    """Which colour stands for what, for under a plot."""
    entries = (f"<span><i style='background:{tone}'></i>{escape(name)}</span>" for name, tone in colours.items())
    return f"<p class='key'>{' '.join(entries)}</p>"


def describe_no_face() -> str:
    return f"### {text.NO_FACE}\n\n{text.NO_FACE_HELP}"


def _glow(box: Box, scale: float, painted: Pixels) -> NDArray[np.float64]:
    """A face's place as a faint layer; the legend brings it forward."""
    layer = np.zeros(painted.shape[:2])
    left, top = max(round(box.x * scale), 0), max(round(box.y * scale), 0)
    right, bottom = round((box.x + box.width) * scale), round((box.y + box.height) * scale)
    layer[top:bottom, left:right] = 0.12
    return layer
