"""Videos: their analysis with its progress, and the emotions of each track over time."""

from __future__ import annotations

import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import streamlit as st

from mien.apps.session.uploads import MAX_VIDEO_BYTES, MAX_VIDEO_SECONDS, MB, Upload
from mien.apps.session.video_jobs import VideoJob
from mien.apps.streamlit import results, session_state
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import clean_file_name, current_engine
from mien.draw import draw_readings
from mien.engine import Engine
from mien.errors import OutputError
from mien.html.images import encode_image, shrink_image
from mien.labels import label_colour
from mien.text import NO_FACE, describe_label, format_count, format_percent, format_time
from mien.video.results import RESULT_FILES, VideoRequest
from mien.video.timeline import SmoothedFrame

#: Keys of the session state: the input, the report of its video, and the upload that the report is of.
_INPUT, _REPORT, _REPORT_UPLOAD = "video", "video report", "upload of the video report"

#: The titles of the result files.
_FILE_TITLES = {
    "report.html": "Report",
    "faces.csv": "Faces (CSV)",
    "events.csv": "Events (CSV)",
    "subtitles.vtt": "Subtitles (WebVTT)",
    "annotated.webm": "Annotated video",
}

_FPS_TITLES = {5: "5, fast", 10: "10 (default)", 30: "up to 30, all frames"}

#: The preview during the analysis: seconds between two frames, and the longest side in pixels.
_PREVIEW_INTERVAL, _PREVIEW_SIDE = 0.5, 640

#: A table with more rows scrolls.
_MAX_ROWS = 12

#: The most tracks that are described without a click.
_MAX_TRACKS = 12


def draw_page() -> str | None:
    st.title("Analyse a video", anchor=False)
    st.markdown("Emotions over time: as a timeline, a report, tables, subtitles, and an annotated video.")
    megabytes = MAX_VIDEO_BYTES // MB
    upload = st.file_uploader("Upload a video", type=["video", "image/gif"], max_upload_size=megabytes, key=_INPUT)
    session_state.track_uploads("video", [upload])
    if upload and upload.file_id != st.session_state.get(_REPORT_UPLOAD):
        _drop_report()
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    fps = left.selectbox(
        "Frames per second analysed", list(_FPS_TITLES), index=1, format_func=_FPS_TITLES.__getitem__, key="fps"
    )
    blur = right.checkbox("Blur faces in exports", key="blur")
    st.caption(
        "The video is in a private folder while it is analysed; its results stay in memory until you choose another "
        f"one or close the page. Up to {megabytes} MB, of which {MAX_VIDEO_SECONDS / 60:.0f} minutes are analysed."
    )
    start = st.button("Analyse the video", type="primary", disabled=upload is None, icon=":material/play_arrow:")
    if start and upload:
        _drop_report()
        st.session_state[_REPORT] = _analyze(Upload(clean_file_name(upload.name), upload.getvalue()), float(fps), blur)
        st.session_state[_REPORT_UPLOAD] = upload.file_id
    if report := st.session_state.get(_REPORT):
        _show_report(report)
    return None


def _drop_report() -> None:
    st.session_state.pop(_REPORT, None)
    st.session_state.pop(_REPORT_UPLOAD, None)


def _analyze(upload: Upload, fps: float, blur: bool) -> VideoReport:
    """Analyse the video, with its progress on the page. Any click of the visitor ends it."""
    engine = current_engine()
    placeholder = st.empty()
    with placeholder.container():
        st.button("Stop", icon=":material/stop:")
        bar = st.progress(0.0, "Analysing …")
        preview, latest = st.empty(), LatestFrame()
        next_preview = 0.0

        def show_report(facts: dict[str, Any]) -> None:
            nonlocal next_preview
            bar.progress(min(facts["seconds"] / facts["of"], 1.0) if facts["of"] else 0.0, _format_progress(facts))
            frame = latest.pop()
            # With blurred faces in the exports, the preview shows none either.
            if blur or frame is None or frame.frame.pixels is None or time.monotonic() < next_preview:
                return
            next_preview = time.monotonic() + _PREVIEW_INTERVAL
            image = shrink_image(draw_readings(frame.frame.pixels, frame.frame.result), _PREVIEW_SIDE)
            preview.image(encode_image(image, "jpeg"), alt="The frame that is being analysed")

        def show_waiting() -> None:
            bar.progress(0.0, "Another video is being analysed; this one is next …")

        with wait_for_turn(show_waiting):
            report = analyze_upload(engine, upload, fps, blur, show_report, latest)
    placeholder.empty()
    return report


def _format_progress(facts: dict[str, Any]) -> str:
    duration = f" of {format_time(facts['of'])}" if facts["of"] else ""
    speed = f" · {facts['frames_per_second']:g} frames per second" if facts["frames_per_second"] else ""
    counts = f"{format_count(facts['tracks'], 'track')} · {format_count(facts['events'], 'event')}"
    return f"{format_time(facts['seconds'])}{duration} analysed{speed} · {counts}"


def _show_report(report: VideoReport) -> None:
    st.header(escape_markdown(report.name), anchor=False)
    if damage := report.facts.get("damage"):
        st.warning(escape_markdown(damage), icon=":material/warning:")
    _show_numbers(report.facts)
    if report.tracks:
        _show_video_and_events(report)
    else:
        st.info(NO_FACE, icon=":material/search_off:")
    _show_downloads(report)
    with st.expander("Report", icon=":material/article:"):
        # The video of the report is a file beside it, which this page has above.
        page = re.sub(r"<video[^>]*></video>", "", report.files["report.html"].decode())
        st.iframe(page, alt="The report of the video", height=900)


def _show_numbers(facts: dict[str, Any]) -> None:
    st.markdown(f"**{facts['summary']['description']}**")


def _show_video_and_events(report: VideoReport) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        if video := report.files.get("annotated.webm"):
            subtitles = report.files.get("subtitles.vtt", b"").decode() or None
            st.video(video, format="video/webm", subtitles=subtitles, alt="The annotated video")
    with right:
        st.markdown("**Tracks**")
        judged = [track for track in report.tracks if track["judged_seconds"]][:_MAX_TRACKS]
        for track in judged:
            st.markdown(_describe_track(track))
        if others := [track for track in report.tracks if track not in judged]:
            with st.expander(f"{format_count(len(others), 'more track')}, visible for less time or not judged"):
                st.markdown("\n".join(f"- {_describe_track(track)}" for track in others))
    if not report.events:
        st.info("No emotion lasted long enough to be an event.")
        return
    st.markdown("**Events**")
    st.vega_lite_chart(spec=timeline_chart(report.events, report.facts["summary"]["end"]))
    height: int | Literal["content"] = "content" if len(report.events) < _MAX_ROWS else 420
    st.dataframe([_event_row(event) for event in report.events], hide_index=True, height=height)


def _describe_track(track: dict[str, Any]) -> str:
    return f"Track {track['track']}: {track['description']}"


def _event_row(event: dict[str, Any]) -> dict[str, Any]:
    return {
        "Track": event["track"],
        "Expression": event["emotion"],
        "From": format_time(event["start"]),
        "To": format_time(event["end"]),
        "Peak": format_percent(event["peak"]),
        "Peak at": format_time(event["peak_at"]),
    }


def _show_downloads(report: VideoReport) -> None:
    stem = report.name.rpartition(".")[0] or report.name
    with st.container(horizontal=True):
        for name, title in _FILE_TITLES.items():
            if name in report.files:
                media_type = RESULT_FILES[name].partition(";")[0]
                st.download_button(title, report.files[name], f"{stem}-{name}", media_type, on_click="ignore")
        archive = f"{stem}-mien.zip"
        st.download_button(
            "All files (ZIP)", partial(results.pack_zip, report.files), archive, "application/zip", on_click="ignore"
        )


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
    # Only this user may read the folder.
    with tempfile.TemporaryDirectory(prefix="mien-video-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
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
