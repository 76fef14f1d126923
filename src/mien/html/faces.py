"""Faces of an image as HTML, for the pages of Gradio and Streamlit: a card, or one line for each of several faces."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from mien import text
from mien.html.environment import icon_svg, render_macro
from mien.html.images import data_uri
from mien.results import Reading

#: The width in pixels at which these pages display an image beside its faces: its labels are readable at this width.
DISPLAY_WIDTH = 480

_TEMPLATE = "faces.html"


@cache
def faces_style() -> str:
    """CSS of the faces, without the tags around it."""
    return files("mien.html").joinpath("faces.css").read_text("utf-8")


def render_face_card(reading: Reading, number: int, count: int, thumbnail: bytes) -> str:
    """HTML: headline, doubts, mixture, all probabilities and the predicted votes of face ``number`` of ``count``.

    The thumbnail is a JPEG file; empty for none.
    """
    return render_macro(
        "face_card",
        number=number,
        count=count,
        thumbnail=data_uri(thumbnail, "image/jpeg") if thumbnail else "",
        template=_TEMPLATE,
        **_describe(reading),
    )


def render_face_line(reading: Reading, number: int, thumbnail: bytes, *, expanded: bool = False) -> str:
    """HTML: number, thumbnail (JPEG) and headline of a face in one line, which opens to what a card has."""
    box = reading.face.box
    doubt_name = "hard to judge" if not reading.quality.ok else "unsure" if reading.emotions.uncertain else ""
    size = f"Face of {box.width} × {box.height} pixels, detected with {text.format_percent(reading.face.detection)}."
    return render_macro(
        "face_line",
        number=number,
        thumbnail=data_uri(thumbnail, "image/jpeg"),
        doubt_name=doubt_name,
        size_sentence=size,
        expanded=expanded,
        template=_TEMPLATE,
        **_describe(reading),
    )


def filter_readings(readings: Sequence[Reading], expression: str | None) -> list[int]:
    """The numbers, from 1, of the faces that count as this expression in :func:`mien.text.count_expressions`.

    None is for all faces.
    """
    return [
        number
        for number, reading in enumerate(readings, 1)
        if expression is None or expression in text.count_expressions([reading])
    ]


def _describe(reading: Reading) -> dict[str, Any]:
    emotions = reading.emotions
    votes = emotions.votes or ()
    # Values stay on the line of their text.
    headline = text.format_headline(reading).replace(" %", "\u00a0%").replace(" · ", "\u00a0· ")
    return {
        "headline": headline,
        "top": emotions.top,
        "doubts": text.describe_doubts(reading),
        "mixture": text.describe_mixture(reading),
        "scores": emotions.ranked(),
        "labels": emotions.labels,
        "ten": text.allocate_ten_votes(votes) if votes else (),
        "votes_sentence": text.describe_votes(reading),
        "icons": _icon_uris(emotions.labels),
        "vote_icons": _icon_uris(tuple(label for label, _ in votes)),
    }


@lru_cache(maxsize=16)
def _icon_uris(labels: tuple[str, ...]) -> dict[str, str]:
    """The icon of each label as a data URI."""

    def encode(label: str) -> str:
        svg = icon_svg(label, labels).replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1)
        return data_uri(svg.encode(), "image/svg+xml")

    return {label: encode(label) for label in labels}
