"""The page before the journeys: of a picture with several faces, and of one without any."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from pathlib import PurePath

import cv2
import numpy as np

from mien.explain.explanation import Explanation
from mien.explain.journey.parts import whole_percent
from mien.html import footer, icon_svg, image_tag, note, render_page
from mien.labels import adjective
from mien.types import Pixels

#: The longest side of the picture in the page, in pixels.
_LONGEST = 1400


def page(source: str, pixels: Pixels, faces: Sequence[Explanation], annotated: Pixels) -> str:
    """``annotated`` is the picture with its faces numbered; each leads to ``face-N/journey.html``."""
    name = PurePath(source).name
    style = files("mien.explain.journey").joinpath("several.css").read_text("utf-8")
    return render_page(f"The faces in {name}", _body(name, pixels, faces, annotated), style=style)


def _body(name: str, pixels: Pixels, faces: Sequence[Explanation], annotated: Pixels) -> Iterator[str]:
    many = len(faces)
    if not many:
        yield f"<h1>No face was found in {escape(name)}</h1>"
        yield note(
            "Without a face there is no way through the network. Is there one that is small, turned away or in the "
            "dark? <code>--min-face 20</code> looks for smaller ones; if the picture is a face and nothing else, "
            "<code>--detector none</code> takes it as it is.",
            warn=True,
        )
        yield f"<figure class='whole'>{_photo(pixels, f'The picture {name}')}</figure>"
    else:
        yield f"<h1>{many} faces in {escape(name)}</h1>"
        yield "<p>Each has its own way through the network. Choose one to follow it.</p>"
        yield f"<ul class='people'>{''.join(map(_card, faces))}</ul>"
        yield f"<figure class='whole'>{_photo(annotated, f'{name} with its {many} faces numbered')}</figure>"
    yield footer("What a face shows and what a person feels are two things; this speaks only of the first.")


def _card(told: Explanation) -> str:
    top = told.emotions.top
    looks = f"{icon_svg(top, told.emotions.labels)} looks {escape(adjective(top))}"
    face = image_tag(told.crop, f"face {told.number}")
    words = f"<span><b>Face {told.number}</b><br>{looks} <small>{whole_percent(told.emotions[top])}</small></span>"
    return f"<li><a href='face-{told.number}/journey.html'>{face}{words}</a></li>"


def _photo(pixels: Pixels, told: str) -> str:
    factor = min(1.0, _LONGEST / max(pixels.shape[:2]))
    size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
    small = pixels if factor == 1 else np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image_tag(small, told, file_format="webp")
