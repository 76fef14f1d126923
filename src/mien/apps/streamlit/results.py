"""Figures of the laboratory, pictures of the inside, and whole pages, as pieces of this page."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from html import escape
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from mien import text
from mien.apps.session.portraits import crop_thumbnail
from mien.apps.streamlit.session_state import READS, UploadedPhoto
from mien.draw import draw_readings
from mien.engine import Engine
from mien.errors import MienError
from mien.html import data_uri, icon_svg, style_colours
from mien.html.images import encode_image, shrink_image
from mien.labels import label_colour
from mien.results import Failure, FrameResult, Pixels, Reading, Score
from mien.table import CsvTable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_ROLE = re.compile(r"var\(--([a-z]+)\)")


def is_dark_theme() -> bool:
    """Is the page dark? Nobody knows before the browser has said so."""
    return bool(st.context.theme.type == "dark")


def show_figure(drawn: Figure, described: str, *, width: int | None = None) -> None:
    """A figure in the colours of the page, sharp at any size."""
    from mien import plots

    own = style_colours(dark=is_dark_theme())
    svg = _ROLE.sub(lambda role: own[role[1]], plots.render_svg(drawn, described))
    named = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    st.image(named, width=width or "stretch", alt=described)


def show_image(pixels: Pixels, described: str) -> None:
    """A picture of the inside; it brings its own paper."""
    st.image(encode_image(pixels), width="stretch", alt=described)


def show_html_page(html: str, described: str, height: int) -> None:
    """A page of ours that stands by itself, in a frame of its own."""
    st.iframe(html, height=height, alt=described)


# ==== mien.apps.streamlit.faces
# One face's reading as a piece of the page: HTML that Streamlit cleans, in colours that suit light and dark.

#: Rules for the pieces below; grounds are mixed with the letters' own colour, and so follow the theme.
_STYLE = """
.mien-face { display: grid; grid-template-columns: auto 1fr; gap: .9rem 1rem; align-items: start; }
.mien-face > img { width: 5.5rem; height: 5.5rem; border-radius: .6rem; }
.mien-face h3 { font-size: 1.12rem; line-height: 1.3; font-weight: 650; margin: 0; padding: 0; }
.mien-face h3 small { display: block; font-weight: 400; font-size: .85rem; opacity: .72; margin-bottom: .15rem; }
.mien-face p { margin: .4rem 0 0; font-size: .95rem; line-height: 1.45; }
.mien-doubt { border-left: .2rem solid #d39b2a; padding-left: .6rem; }
.mien-wide { grid-column: 1 / -1; }
.mien-face .mien-bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .3rem .7rem;
  margin: 0; padding: 0; align-items: center; font-size: .92rem; }
.mien-face .mien-bars dt, .mien-face .mien-bars dd { margin: 0; padding: 0; font-weight: 400; }
.mien-face .mien-bars dd + dd { text-align: right; font-variant-numeric: tabular-nums; }
.mien-track { display: block; height: .6rem; border-radius: .3rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.mien-track > i { display: block; height: 100%; border-radius: inherit; }
.mien-icon { width: 1.35em; height: 1.35em; vertical-align: -.3em; margin-right: .25em; flex: none; }
.mien-ten .mien-icon { margin: 0; }
.mien-ten { display: flex; flex-wrap: wrap; gap: .3rem; font-size: 1.3rem; }
.mien-note { border-left: .25rem solid #d39b2a; padding: .1rem 0 .1rem .9rem; max-width: 46rem; }
@media (max-width: 40rem) { .mien-face > img { width: 4.2rem; height: 4.2rem; } }
"""

#: Streamlit writes these too faintly to be read by everybody.
_CONTRAST = """
div[data-testid="stCaptionContainer"] { color: %(muted)s; opacity: 1; }
button[role="radio"][aria-checked="true"] p, div[data-testid="stCameraInput"] button,
div[data-testid="stCameraInput"] button span { color: %(ink)s; }
"""


def build_style(*, dark: bool) -> str:
    """The rules as an element."""
    return f"<style>{_STYLE}{_CONTRAST % style_colours(dark=dark)}</style>"


def render_face_card(reading: Reading, number: int, many: int, portrait: bytes) -> str:
    """What one face shows: what is seen first, what speaks against it, every share, and what ten people would say."""
    emotions = reading.emotions
    which = f"<small>Face {number} of {many}</small>" if many > 1 else ""
    picture = f"<img src='{data_uri(portrait, 'image/jpeg')}' alt='Face {number}'>" if portrait else ""
    told = "".join(f"<p class='mien-doubt'>{escape(each)}</p>" for each in text.describe_doubts(reading))
    mixed = text.describe_mixture(reading)
    told += f"<p>{escape(mixed)}</p>" if mixed else ""
    head = f"<h3>{which}{_icon(emotions.top, emotions.labels)} {_whole(text.format_headline(reading))}</h3>"
    people = render_votes(emotions.votes, text.describe_votes(reading)) if emotions.votes else ""
    return (
        f"<section class='mien-face' aria-label='Face {number}'>{picture}<div>{head}{told}</div>"
        f"<div class='mien-wide'>{render_bars(emotions.ranked(), emotions.labels)}{people}</div></section>"
    )


def render_bars(shares: Sequence[Score], among: tuple[str, ...], *, faces: bool = True) -> str:
    """All shares as bars with their numbers, in the order given."""
    return f"<dl class='mien-bars'>{''.join(_bar(label, share, among, faces) for label, share in shares)}</dl>"


def render_votes(votes: Sequence[Score], told: str) -> str:
    """Ten small faces, and the sentence that says the same."""
    labels = tuple(label for label, _ in votes)
    drawn = "".join(_icon(label, labels) for label in text.allocate_ten_votes(votes))
    return f"<p class='mien-ten' aria-hidden='true'>{drawn}</p><p>{escape(told)}</p>"


def _bar(label: str, share: float, among: tuple[str, ...], face: bool) -> str:
    name = f"{_icon(label, among)} {escape(label)}" if face else escape(label)
    fill = f"<i style='width:{100 * min(max(share, 0.0), 1.0):.1f}%;background:{label_colour(label, among)}'></i>"
    return (
        f"<dt>{name}</dt><dd aria-hidden='true'><span class='mien-track'>{fill}</span></dd>"
        f"<dd>{text.format_percent(share)}</dd>"
    )


def _whole(said: str) -> str:
    """A number and its sign are not torn apart at the end of a line."""
    return escape(said).replace(" %", "&nbsp;%").replace(" · ", "&nbsp;· ")


@lru_cache(maxsize=64)
def _icon(label: str, among: tuple[str, ...]) -> str:
    """As a picture: Streamlit takes drawings out of the HTML that it is given."""
    drawn = icon_svg(label, among).replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1)
    return f"<img class='mien-icon' alt='' src='{data_uri(drawn.encode(), 'image/svg+xml')}'>"


# ==== mien.apps.streamlit.reads
# Pictures that were read: what came of each, and how it is shown.

#: The longest side of a picture on the page, the side of a face beside its reading, and how much is around that.
MAX_IMAGE_SIDE, SIDE, AROUND = 1600, 144, 0.25

_QUALITY = 88


@dataclass(frozen=True, eq=False)
class ImageResult:
    """One picture's result. ``shown`` is the painted picture as JPEG, ``faces`` are small ones; a failure has none."""

    photo: UploadedPhoto
    result: FrameResult | Failure
    shown: bytes = b""
    faces: tuple[bytes, ...] = ()


class ResultCounts(NamedTuple):
    pictures: int
    faces: int
    failed: int


def read_image(engine: Engine, photo: UploadedPhoto) -> ImageResult:
    """A picture that cannot be read is a failure in its place."""
    try:
        pixels = photo.pixels()
        result = replace(engine.read(pixels), source=photo.name)
    except MienError as error:
        return ImageResult(photo, Failure(photo.name, error))
    faces = tuple(
        encode_image(crop_thumbnail(pixels, each.face.box, SIDE, AROUND), "jpeg", _QUALITY) for each in result
    )
    return ImageResult(
        photo,
        result,
        encode_image(shrink_image(draw_readings(pixels, result), MAX_IMAGE_SIDE), "jpeg", _QUALITY),
        faces,
    )


def annotate_image(engine: Engine, photo: UploadedPhoto) -> bytes:
    """The whole picture with boxes and labels, as JPEG."""
    pixels = photo.pixels()
    return encode_image(draw_readings(pixels, engine.read(pixels)), "jpeg", 92)


def count_results(reads: Iterable[ImageResult]) -> ResultCounts:
    results = [each.result for each in reads]
    found = [each for each in results if isinstance(each, FrameResult)]
    return ResultCounts(len(found), sum(map(len, found)), len(results) - len(found))


def format_json(reads: Sequence[ImageResult]) -> str:
    """Each picture as ``mien predict --json`` prints it."""
    return json.dumps({"pictures": [each.result.to_dict() for each in reads]}, ensure_ascii=False, indent=2)


def format_csv(reads: Sequence[ImageResult], labels: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    table = CsvTable(text, labels)
    for each in reads:
        table.write(each.result)
    return text.getvalue()


# ==== mien.apps.streamlit.shown
# What was read, on the page.

#: What Markdown and Streamlit's own words would take for more than a letter.
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&])")


def escape_markdown(said: str) -> str:
    """Words from outside, as they are: names of files hold anything, and Streamlit's texts are Markdown."""
    return _MARKS.sub(r"\\\1", said.replace("\n", " "))


def read_images(engine: Engine, photos: Sequence[UploadedPhoto]) -> list[ImageResult]:
    """Each picture read once for a choice of model and detector; what is no longer in hand is forgotten."""
    known: dict[tuple[str, ...], ImageResult] = st.session_state.get(READS, {})
    # By what was chosen: a model in a file of one's own may call itself as another does.
    chosen = st.session_state["model"], st.session_state["detector"]
    keys = {photo: (photo.key, *chosen) for photo in photos}
    # Whoever clicks meanwhile begins this anew: what was read by then stays read.
    made = st.session_state[READS] = {key: known[key] for key in keys.values() if key in known}
    new = [photo for photo in photos if keys[photo] not in made]
    bar = st.progress(0.0, "Reading …") if len(new) > 1 else None
    for done, photo in enumerate(new):
        if bar:
            bar.progress(done / len(new), f"Reading {escape_markdown(photo.name)} …")
        made[keys[photo]] = read_image(engine, photo)
    if bar:
        bar.empty()
    return [made[keys[photo]] for photo in photos]


def format_summary(several: Sequence[ImageResult]) -> str:
    """``3 faces in two photos; 1 could not be read``."""
    pictures, found, failed = count_results(several)
    where = "one photo" if pictures == 1 else f"{pictures} photos"
    told = f"{text.describe_face_count(range(found))} in {where}" if pictures else ""
    lost = f"{failed} could not be read" if failed else ""
    return "; ".join(each for each in (told, lost) if each)


def show_downloads(engine: Engine, several: Sequence[ImageResult]) -> None:
    """The readings to keep, as JSON and as a table."""
    with st.container(horizontal=True):
        _save("JSON", partial(format_json, several), "mien.json", "application/json")
        _save("CSV", partial(format_csv, several, engine.labels), "mien.csv", "text/csv")


def show_image_result(engine: Engine, one: ImageResult, place: int) -> int | None:
    """One picture and its faces; the number of the face that somebody wants to look into, from 1."""
    st.header(escape_markdown(one.photo.name), anchor=False)
    match one.result:
        case Failure(error=error):
            st.error(escape_markdown(str(error)), icon=":material/broken_image:")
            return None
        case FrameResult() as result:
            return _result(engine, one, result, place)


def _result(engine: Engine, one: ImageResult, result: FrameResult, place: int) -> int | None:
    width, height = result.size
    st.caption(
        f"{width} × {height}, found by {escape_markdown(result.detector)}, read by {escape_markdown(result.model)}"
    )
    left, right = st.columns(2, gap="medium")
    with left:
        st.image(one.shown, width="stretch", alt=f"{text.describe_face_count(result)}, with what is seen in each")
        if result.readings:
            stem = one.photo.name.rpartition(".")[0] or one.photo.name
            made = partial(annotate_image, engine, one.photo)
            _save("Annotated picture", made, f"{stem}-mien.jpg", "image/jpeg", key=f"annotated {place}")
    with right:
        if not result.readings:
            st.info(f"{text.NO_FACE} {text.NO_FACE_HELP}", icon=":material/search_off:")
        return _cards(one, result, place)


def _cards(one: ImageResult, result: FrameResult, place: int) -> int | None:
    wanted = None
    for number, reading in enumerate(result, 1):
        with st.container(border=True):
            st.html(render_face_card(reading, number, len(result), one.faces[number - 1]))
            if st.button("See inside", key=f"inside {place} {number}", icon=":material/neurology:"):
                wanted = number
    return wanted


def _save(told: str, made: partial[str] | partial[bytes], name: str, kind: str, key: str | None = None) -> None:
    # Made when somebody takes it, and without running the page again.
    st.download_button(told, made, name, kind, key=key, on_click="ignore", icon=":material/download:")
