"""A film's events over time, as a chart."""

from __future__ import annotations

import io
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from mien.apps.streamlit.session_state import UploadedPhoto
from mien.apps.streamlit.settings import FILM_SECONDS
from mien.engine import Engine
from mien.errors import MienError, OutputError
from mien.labels import label_colour
from mien.text import describe_label
from mien.video.results import VideoRequest, save_video_results
from mien.video.timeline import SmoothedFrame

#: In pixels: a person's row, and the axis and the legend, which Streamlit counts as part of the height.
_ROW, _AROUND = 36, 124


def show_timeline(events: list[dict[str, Any]], end: float) -> None:
    """A row for each person, a bar for each event in its expression's colour."""
    st.vega_lite_chart(spec=timeline_chart(events, end))


def timeline_chart(events: list[dict[str, Any]], end: float) -> dict[str, Any]:
    """The chart in Vega-Lite's words."""
    labels = tuple(dict.fromkeys(each["label"] for each in events))
    rows = [{**each, "who": f"Person {each['person']}", "looked": describe_label(each["label"])} for each in events]
    people = list(dict.fromkeys(each["who"] for each in sorted(rows, key=lambda each: each["person"])))
    hues = {"domain": list(labels), "range": [label_colour(each, labels) for each in labels]}
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.6}, "cornerRadius": 3},
        "height": _AROUND + _ROW * len(people),
        "encoding": {
            "x": {**_field("start"), "title": "seconds", "scale": {"domain": [0, max(end, 0.1)]}},
            "x2": {"field": "end"},
            "y": {**_field("who"), "title": None, "sort": people},
            "color": {**_field("label"), "title": None, "scale": hues, "legend": {"orient": "top"}},
            "tooltip": [
                {**_field("who"), "title": "Who"},
                {**_field("looked"), "title": "What"},
                {**_field("start"), "title": "From", "format": ".1f"},
                {**_field("end"), "title": "To", "format": ".1f"},
                {**_field("peak"), "title": "Peak", "format": ".0%"},
            ],
        },
    }


def _field(name: str) -> dict[str, Any]:
    return {"field": name, "type": "quantitative" if name in ("start", "end", "peak") else "nominal"}


# ==== mien.apps.streamlit.films
# A film that was read for a visitor: everything that came of it, in memory.


@dataclass(frozen=True, eq=False)
class VideoReport:
    """What came of a film: files by name, and the facts that :func:`mien.video.results.save_video_results` tells."""

    name: str
    files: dict[str, bytes]
    facts: dict[str, Any]

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.facts["found"]["events"])

    @property
    def people(self) -> list[dict[str, Any]]:
        return list(self.facts["found"]["people"])

    def packed(self) -> bytes:
        """All files in one, so that the report lies beside its film."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.files.items():
                archive.writestr(name, data)
        return stream.getvalue()


def analyze_upload(
    engine: Engine,
    film: UploadedPhoto,
    fps: float,
    hidden: bool,
    tell: Callable[[dict[str, Any]], None],
    see: Callable[[SmoothedFrame], None],
) -> VideoReport:
    """Read a film in a folder that is gone when this ends, however it does."""
    with _folder() as folder:
        path = folder / "source"
        try:
            path.write_bytes(film.data)
            order = VideoRequest(path, film.name, folder, fps, FILM_SECONDS, hidden)
            found = save_video_results(engine, order, tell=tell, see=see)
            assert found is not None, "nobody is asked whether somebody still waits"
            files = {name: (folder / name).read_bytes() for name in found.results}
        except OSError as error:
            raise OutputError(
                f"The film could not be read: {error.strerror}", "Room on the disk was expected"
            ) from error
        except MienError as error:
            # The folder's name says nothing to anybody.
            beats = (each.replace(str(path), film.name) for each in (error.happened, error.expected, error.remedy))
            raise type(error)(*beats) from error
    return VideoReport(film.name, files, found.facts)


@contextmanager
def wait_for_turn(wait: Callable[[], None]) -> Iterator[None]:
    """One film at a time, however many visitors there are; ``wait`` is called while another is read."""
    free = _turns()
    while not free.acquire(timeout=0.5):
        wait()
    try:
        yield
    finally:
        free.release()


@st.cache_resource(show_spinner=False)
def _turns() -> threading.Semaphore:
    return threading.Semaphore(1)


@contextmanager
def _folder() -> Iterator[Path]:
    # Only this user may look into it.
    with tempfile.TemporaryDirectory(prefix="mien-film-", ignore_cleanup_errors=True) as name:
        yield Path(name)
