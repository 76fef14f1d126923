"""The results of images: read once per photo and engine, shown as cards with downloads; figures and pages in frames."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st
from markupsafe import Markup

from mien import text
from mien.apps.streamlit.session_state import RESULTS, UploadedPhoto, engine_choice
from mien.draw import draw_readings
from mien.engine import Engine
from mien.errors import MienError, MissingExtra, install_command
from mien.faces.crop import crop_thumbnail
from mien.html import style_colours
from mien.html.environment import render_macro
from mien.html.faces import DISPLAY_WIDTH, faces_style, filter_readings, render_face_card, render_face_line
from mien.html.images import encode_image, shrink_image
from mien.results import Failure, FrameResult
from mien.table import format_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The longest side of an image on the page; the side of a face in its card, and the margin around its box.
MAX_IMAGE_SIDE, _THUMBNAIL_SIDE, _THUMBNAIL_MARGIN = 1600, 144, 0.25

_JPEG_QUALITY = 88

#: The characters with a meaning in Markdown and in Streamlit's additions to it.
_MARKDOWN_CHARACTERS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&])")

_COLOUR_VARIABLE = re.compile(r"var\(--([a-z]+)\)")


@dataclass(frozen=True, eq=False)
class ImageResult:
    """The result of one photo, its annotated image and its thumbnails as JPEG; a failure has no images."""

    photo: UploadedPhoto
    result: FrameResult | Failure
    annotated: bytes = b""
    thumbnails: tuple[bytes, ...] = ()


def read_images(engine: Engine, photos: Sequence[UploadedPhoto]) -> list[ImageResult]:
    """The results of the photos, each read once for a choice of model and detector. Results of others are deleted."""
    before: dict[tuple[str, ...], ImageResult] = st.session_state.get(RESULTS, {})
    # The choice and not the engine's own name is in the key: a model file may have the name of another model.
    keys = {photo: (photo.key, *engine_choice()) for photo in photos}
    # A click during this loop starts it again: what has been read until then is kept.
    results = st.session_state[RESULTS] = {key: before[key] for key in keys.values() if key in before}
    new = [photo for photo in photos if keys[photo] not in results]
    bar = st.progress(0.0, "Reading …") if len(new) > 1 else None
    for done, photo in enumerate(new):
        if bar:
            bar.progress(done / len(new), f"Reading {escape_markdown(photo.name)} …")
        results[keys[photo]] = read_image(engine, photo)
    if bar:
        bar.empty()
    return [results[keys[photo]] for photo in photos]


def read_image(engine: Engine, photo: UploadedPhoto) -> ImageResult:
    """The result of one photo; a photo that cannot be read has a Failure."""
    try:
        pixels = photo.pixels()
        result = replace(engine.read(pixels), source=photo.name)
    except MienError as error:
        return ImageResult(photo, Failure(photo.name, error))
    thumbnails = (crop_thumbnail(pixels, reading.face.box, _THUMBNAIL_SIDE, _THUMBNAIL_MARGIN) for reading in result)
    ratio = max(pixels.shape[1] / DISPLAY_WIDTH, 1.0)
    annotated = shrink_image(draw_readings(pixels, result, numbered=True, pixel_ratio=ratio), MAX_IMAGE_SIDE)
    return ImageResult(
        photo,
        result,
        encode_image(annotated, "jpeg", _JPEG_QUALITY),
        tuple(encode_image(thumbnail, "jpeg", _JPEG_QUALITY) for thumbnail in thumbnails),
    )


def format_summary(results: Sequence[ImageResult]) -> str:
    """``3 faces in 2 photos; 1 could not be read``."""
    faces = [len(each.result) for each in results if isinstance(each.result, FrameResult)]
    images, failed, parts = len(faces), len(results) - len(faces), []
    if images:
        photos = "one photo" if images == 1 else f"{images} photos"
        parts.append(f"{text.describe_face_count(range(sum(faces)))} in {photos}")
    if failed:
        parts.append(f"{failed} could not be read")
    return "; ".join(parts)


def format_json(results: Sequence[ImageResult]) -> str:
    """All results; each as ``mien predict --json`` prints it."""
    return json.dumps({"images": [each.result.to_dict() for each in results]}, ensure_ascii=False, indent=2)


def annotate_image(engine: Engine, photo: UploadedPhoto) -> bytes:
    """The annotated image in full size, as JPEG."""
    pixels = photo.pixels()
    return encode_image(draw_readings(pixels, engine.read(pixels), numbered=True), "jpeg", 92)


@contextmanager
def require_lab() -> Iterator[None]:
    """Raise a MissingExtra for a package of the extra 'lab' that is not installed."""
    try:
        yield
    except ModuleNotFoundError as missing:
        if (missing.name or "").partition(".")[0] == "mien":
            raise
        expected = "This page needs the extra 'lab'"
        raise MissingExtra(f"{missing.name} is not installed", expected, f"Run {install_command('lab')}") from missing


# On the page


def show_downloads(engine: Engine, results: Sequence[ImageResult]) -> None:
    """Buttons for all results as JSON and CSV."""
    with st.container(horizontal=True):
        show_download("JSON", partial(format_json, results), "mien.json", "application/json")
        show_download(
            "CSV",
            partial(format_table, [each.result for each in results], engine.labels, engine.vote_labels),
            "mien.csv",
            "text/csv",
        )


def show_download(
    label: str, data: str | bytes | Callable[[], str | bytes], name: str, media_type: str, key: str | None = None
) -> None:
    """A button that saves a file. A function is called after the click; the page does not run again."""
    st.download_button(label, data, name, media_type, key=key, on_click="ignore", icon=":material/download:")


def pack_zip(files: Mapping[str, bytes]) -> bytes:
    """The files in one ZIP archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def show_image_result(engine: Engine, image: ImageResult, index: int) -> int | None:
    """One photo with its faces; returns the number of the face that the visitor wants to have explained, from 1."""
    st.header(escape_markdown(image.photo.name), anchor=False)
    result = image.result
    if isinstance(result, Failure):
        st.error(escape_markdown(str(result.error)), icon=":material/broken_image:")
        return None
    width, height = result.size
    detector, model = escape_markdown(result.detector), escape_markdown(result.model)
    st.caption(f"{width} × {height}, detector {detector}, model {model}")
    left, right = st.columns(2, gap="medium")
    # The picture of several faces stays in view beside their lines.
    with left, st.container(key=f"{'sticky_' if len(result) > 1 else ''}picture_{index}"):
        st.image(image.annotated, width="stretch", alt=f"{text.describe_face_count(result)}, annotated")
        if result.readings:
            stem = image.photo.name.rpartition(".")[0] or image.photo.name
            make = partial(annotate_image, engine, image.photo)
            show_download("Annotated image", make, f"{stem}-annotated.jpg", "image/jpeg", key=f"annotated {index}")
    with right:
        if not result.readings:
            st.info(f"{text.NO_FACE} {text.NO_FACE_HELP}", icon=":material/search_off:")
            return None
        if len(result) == 1:
            with st.container(border=True):
                st.html(render_face_card(result.readings[0], 1, 1, image.thumbnails[0]))
                return 1 if st.button("Explain", key=f"explain {index} 1", icon=":material/neurology:") else None
        return _show_lines(image, result, index)


def _show_lines(image: ImageResult, result: FrameResult, index: int) -> int | None:
    """One line for each of several faces, all or those of one expression."""
    counts = text.count_expressions(result.readings)
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        st.markdown(f"**{escape_markdown(text.summarize_expressions(result.readings))}**")
        expression = None
        if len(counts) > 1:
            expression = st.selectbox(
                "Show",
                [None, *counts],
                format_func=lambda name: f"{counts[name]} {name}" if name else f"all {len(result)} faces",
                key=f"expression {index}",
                label_visibility="collapsed",
                width=180,
            )
    selected = None
    with st.container(gap="xxsmall", key=f"face_lines_{index}"):
        for number in filter_readings(result.readings, expression):
            reading = result.readings[number - 1]
            with st.container(horizontal=True, vertical_alignment="top", gap="xsmall"):
                st.html(render_face_line(reading, number, image.thumbnails[number - 1], expanded=len(result) <= 2))
                if st.button("Explain", key=f"explain {index} {number}", help=f"Explain face {number}"):
                    selected = number
    return selected


def show_figure(figure: Figure, description: str, *, width: int | None = None) -> None:
    """A matplotlib figure as SVG in the colours of the page."""
    from mien import plots

    colours = style_colours(dark=is_dark_theme())
    svg = _COLOUR_VARIABLE.sub(lambda variable: colours[variable[1]], plots.render_svg(figure, description))
    svg = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    st.image(svg, width=width or "stretch", alt=description)


def is_dark_theme() -> bool:
    """Does the browser show the dark theme? False until it has reported it."""
    return bool(st.context.theme.type == "dark")


def escape_markdown(plain: str) -> str:
    """Plain text, such as a file name, for Streamlit's texts, which are Markdown."""
    return _MARKDOWN_CHARACTERS.sub(r"\\\1", plain.replace("\n", " "))


# HTML


def build_style(*, dark: bool) -> str:
    """HTML: the style sheet of the page."""
    colours = style_colours(dark=dark)
    rules = faces_style()
    # Streamlit's own colours of these have too little contrast.
    rules += f"""
div[data-testid="stCaptionContainer"] {{ color: {colours["muted"]}; opacity: 1; }}
div[data-testid="stColumn"]:has([class*="st-key-sticky_picture"]) {{ align-self: flex-start;
  position: sticky; top: 3.7rem; z-index: 2; background: {colours["paper"]}; }}
[class*="st-key-sticky_picture"] img {{ max-height: calc(100dvh - 9rem); object-fit: contain; object-position: left; }}
@media (max-width: 40rem) {{ [class*="st-key-sticky_picture"] img {{ max-height: 40dvh; }} }}
[class*="st-key-face_lines"] div[data-testid="stHorizontalBlock"],
[class*="st-key-face_lines"] div[data-testid="stLayoutWrapper"] > div {{ flex-wrap: nowrap; }}
[class*="st-key-face_lines"] div[data-testid="stElementContainer"]:has(details) {{ flex: 1 1 0; min-width: 0; }}
button[role="radio"][aria-checked="true"] p, div[data-testid="stCameraInput"] button,
div[data-testid="stCameraInput"] button span {{ color: {colours["ink"]}; }}
"""
    return render_macro("style", Markup(rules), template="streamlit.html")
