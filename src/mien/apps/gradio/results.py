"""A result or an error in Gradio's components, with the wording and colours of every window."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import gradio as gr
import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from mien import text
from mien.draw import draw_readings
from mien.errors import MienError
from mien.faces.crop import crop_thumbnail
from mien.html.environment import render_macro
from mien.html.faces import DISPLAY_WIDTH, filter_readings, render_face_line
from mien.html.images import encode_image, shrink_image
from mien.labels import label_colour
from mien.results import Box, FrameResult, Pixels, Reading

#: The longest side of an image on the page: Gradio keeps a layer of that size for each face.
MAX_IMAGE_SIDE = 1600

#: The number of faces with a layer of their own; more faces are drawn and listed without one.
_MAX_LAYERS = 24

#: The side of a face in its line, and the margin around its box.
_THUMBNAIL_SIDE, _THUMBNAIL_MARGIN = 96, 0.25

#: Lines of so many faces are open.
_MAX_OPEN = 2

#: The columns of :func:`create_timeline`.
_TIMELINE_COLUMNS = ["seconds", "expression", "probability"]


def annotate_layers(pixels: Pixels, result: FrameResult) -> tuple[Any, dict[str, str]]:
    """The value of ``gr.AnnotatedImage`` and the colours of its legend: the annotated image, a layer for each face.

    The legend has the number of each of several faces, as their boxes have, or what the only face looks like.
    """
    ratio = max(pixels.shape[1] / DISPLAY_WIDTH, 1.0)
    image = shrink_image(draw_readings(pixels, result, numbered=True, pixel_ratio=ratio), MAX_IMAGE_SIDE)
    scale = image.shape[1] / pixels.shape[1]
    layers, colours = [], {}
    for number, reading in enumerate(result.readings[:_MAX_LAYERS], 1):
        title = str(number) if len(result) > 1 else text.format_headline(reading)
        layers.append((_face_layer(reading.face.box, scale, image), title))
        colours[title] = label_colour(reading.emotions.top, reading.emotions.labels)
    return (image, layers), colours


def _face_layer(box: Box, scale: float, image: Pixels) -> NDArray[np.float64]:
    """The face's box as a faint layer; hovering over the legend makes it stronger."""
    layer = np.zeros(image.shape[:2])
    left, top = max(round(box.x * scale), 0), max(round(box.y * scale), 0)
    right, bottom = round((box.x + box.width) * scale), round((box.y + box.height) * scale)
    layer[top:bottom, left:right] = 0.12
    return layer


def face_title(number: int, reading: Reading) -> str:
    """``1 · looks happy · 93 %``: different for each face."""
    return f"{number} · {text.format_headline(reading)}"


def encode_thumbnails(pixels: Pixels, result: FrameResult) -> list[bytes]:
    """A JPEG file of each face."""
    boxes = (reading.face.box for reading in result)
    return [encode_image(crop_thumbnail(pixels, box, _THUMBNAIL_SIDE, _THUMBNAIL_MARGIN), "jpeg", 85) for box in boxes]


def render_face_lines(
    result: FrameResult, thumbnails: Sequence[bytes], expression: str | None = None, selected: int | None = None
) -> str:
    """HTML: one line for each face of this expression, or for all; the ``selected`` one is open, of two faces both."""
    lines = [
        render_face_line(
            result.readings[number - 1],
            number,
            thumbnails[number - 1],
            expanded=number == selected or (selected is None and len(result) <= _MAX_OPEN),
        )
        for number in filter_readings(result.readings, expression)
    ]
    return render_macro("lines", Markup("".join(lines)), template="faces.html")


def describe_faces(result: FrameResult) -> str:
    """How many faces there are of each expression, as Markdown."""
    return f"### {text.describe_face_count(result)}\n\n{escape(text.summarize_expressions(result.readings))}"


def describe_reading(reading: Reading, number: int | None = None) -> str:
    """What a face's expression looks like, as Markdown: the headline, the doubts, the mixture and the votes."""
    headline = text.format_headline(reading)
    title = f"Face {number} {headline}" if number else headline[0].upper() + headline[1:]
    lines = [f"### {escape(title)}"]
    lines += [f"**{escape(doubt)}**" for doubt in text.describe_doubts(reading)]
    lines += [escape(line) for line in (text.describe_mixture(reading), text.describe_votes(reading)) if line]
    return "\n\n".join(lines)


def describe_no_face() -> str:
    return f"### {text.NO_FACE}\n\n{text.NO_FACE_HELP}"


def create_timeline(labels: tuple[str, ...], title: str, name: str, **options: Any) -> Any:
    """A line plot of the probabilities over time, with a legend below it."""
    seconds, expression, probability = _TIMELINE_COLUMNS
    colours = label_colours(labels)
    plot = gr.LinePlot(
        x=seconds,
        y=probability,
        color=expression,
        color_map=colours,
        y_lim=[0, 1],
        colors_in_legend=[],
        label=title,
        elem_id=name,
        **options,
    )
    gr.HTML(render_legend(colours), padding=False)
    return plot


def timeline_rows(points: Iterable[tuple[float, dict[str, float]]]) -> pd.DataFrame:
    """The value of a timeline, from pairs of seconds and scores by label."""
    rows = [(round(seconds, 2), label, score) for seconds, scores in points for label, score in scores.items()]
    return pd.DataFrame(rows, columns=_TIMELINE_COLUMNS)


def label_colours(labels: tuple[str, ...]) -> dict[str, str]:
    """The colour of each expression, for a plot."""
    return {label: label_colour(label, labels) for label in labels}


def render_legend(colours: dict[str, str]) -> str:
    """HTML: the colours of a plot by name."""
    return render_macro("legend", colours, template="gradio.html")


_TITLE = "That did not work"


@contextmanager
def convert_errors() -> Iterator[None]:
    """Raise a ``gr.Error`` for a MienError inside. It is shown long enough to be read."""
    try:
        yield
    except MienError as error:
        raise make_user_error(str(error)) from error


def make_user_error(message: str) -> gr.Error:
    # The page renders the message as HTML, and it contains file names: no tag may come of one.
    plain = message.replace("<", "‹").replace(">", "›")
    return gr.Error(plain, duration=20, title=_TITLE, print_exception=False)


def make_bug_error(error: BaseException) -> gr.Error:
    """For an unexpected exception: its traceback is in the server's log, and visitors see its type only."""
    return gr.Error(f"This is a bug in mien: {type(error).__name__}.", duration=20, title=_TITLE)
