"""The analysis of an uploaded video: its progress, its result files in memory, and its events as a chart."""

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

from mien.apps.session.uploads import MAX_VIDEO_SECONDS, Upload
from mien.apps.session.video_jobs import VideoJob
from mien.engine import Engine
from mien.errors import OutputError
from mien.labels import label_colour
from mien.text import describe_label
from mien.video.results import VideoRequest
from mien.video.timeline import SmoothedFrame

#: Pixels: the row of a track, and the axis with the legend, which Streamlit counts as part of the height.
_ROW_HEIGHT, _MARGIN_HEIGHT = 36, 124


@dataclass(frozen=True, eq=False)
class VideoReport:
    """The result files of a video by name, and the facts of :func:`mien.video.results.save_video_results`."""

    name: str
    files: dict[str, bytes]
    facts: dict[str, Any]

    @property
    def events(self) -> list[dict[str, Any]]:
        return list(self.facts["summary"]["events"])

    @property
    def tracks(self) -> list[dict[str, Any]]:
        return list(self.facts["summary"]["tracks"])

    def pack_zip(self) -> bytes:
        """All files in one archive, so that the report is beside its video."""
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in self.files.items():
                archive.writestr(name, data)
        return stream.getvalue()


class LatestFrame:
    """The newest analysed frame, handed from the thread of the analysis to the one that draws the page."""

    def __init__(self) -> None:
        self._frame: SmoothedFrame | None = None

    def set(self, frame: SmoothedFrame) -> None:
        self._frame = frame

    def pop(self) -> SmoothedFrame | None:
        """The newest frame, once."""
        frame, self._frame = self._frame, None
        return frame


def analyze_upload(
    engine: Engine,
    upload: Upload,
    fps: float,
    blur_faces: bool,
    on_report: Callable[[dict[str, Any]], None],
    latest: LatestFrame | None = None,
) -> VideoReport:
    """Analyse a video in a temporary folder. ``on_report`` gets the facts so far; an exception in it ends the job."""
    with _temporary_folder() as folder:
        path = folder / "source"
        try:
            path.write_bytes(upload.video_bytes())
            request = VideoRequest(path, upload.name, folder, fps, MAX_VIDEO_SECONDS, blur_faces)
            with VideoJob(engine, request, on_frame=(latest or LatestFrame()).set) as job:
                for report in job.reports(timeout=0.5):
                    if report and "seconds" in report:
                        on_report(report)
            if job.error:
                raise job.error
            files = {name: path.read_bytes() for name, path in job.files.items()}
        except OSError as error:
            expected = "Free space on the disk was expected"
            raise OutputError(f"The video could not be analysed: {error.strerror}", expected) from error
    return VideoReport(upload.name, files, job.facts)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    # Only this user may read it.
    with tempfile.TemporaryDirectory(prefix="mien-video-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def wait_for_turn(on_wait: Callable[[], None]) -> Iterator[None]:
    """One video at a time for all visitors; ``on_wait`` is called repeatedly while another one is analysed."""
    semaphore = _video_semaphore()
    while not semaphore.acquire(timeout=0.5):
        on_wait()
    try:
        yield
    finally:
        semaphore.release()


@st.cache_resource(show_spinner=False)
def _video_semaphore() -> threading.Semaphore:
    return threading.Semaphore(1)


def timeline_chart(events: list[dict[str, Any]], end: float) -> dict[str, Any]:
    """A Vega-Lite chart: a row for each track, a bar for each event in the colour of its emotion."""
    labels = tuple(dict.fromkeys(event["emotion"] for event in events))
    rows = [
        {**event, "row": f"Track {event['track']}", "description": describe_label(event["emotion"])} for event in events
    ]
    names = list(dict.fromkeys(row["row"] for row in sorted(rows, key=lambda row: row["track"])))
    colours = {"domain": list(labels), "range": [label_colour(label, labels) for label in labels]}
    return {
        "data": {"values": rows},
        "mark": {"type": "bar", "height": {"band": 0.6}, "cornerRadius": 3},
        "height": _MARGIN_HEIGHT + _ROW_HEIGHT * len(names),
        "encoding": {
            "x": {**_field("start"), "title": "seconds", "scale": {"domain": [0, max(end, 0.1)]}},
            "x2": {"field": "end"},
            "y": {**_field("row"), "title": None, "sort": names},
            "color": {**_field("emotion"), "title": None, "scale": colours, "legend": {"orient": "top"}},
            "tooltip": [
                {**_field("row"), "title": "Track"},
                {**_field("description"), "title": "Expression"},
                {**_field("start"), "title": "From", "format": ".1f"},
                {**_field("end"), "title": "To", "format": ".1f"},
                {**_field("peak"), "title": "Peak", "format": ".0%"},
            ],
        },
    }


def _field(name: str) -> dict[str, Any]:
    return {"field": name, "type": "quantitative" if name in ("start", "end", "peak") else "nominal"}
