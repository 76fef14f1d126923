"""Videos: the emotions of each track over time."""

from __future__ import annotations

import re
import time
from typing import Any, Literal

import streamlit as st

from mien.apps.session.uploads import MAX_VIDEO_BYTES, MAX_VIDEO_SECONDS, MB, Upload
from mien.apps.streamlit import image_input, results, video_result
from mien.apps.streamlit.image_input import clean_file_name
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import current_engine, drop_slot
from mien.apps.streamlit.video_result import LatestFrame, VideoReport
from mien.draw import draw_readings
from mien.html.images import encode_image, shrink_image
from mien.text import NO_FACE, describe_label, format_percent, format_time
from mien.video.results import RESULT_FILES

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


def draw_page() -> str | None:
    st.title("Analyse a video", anchor=False)
    st.markdown("Emotions over time: as a timeline, a report, tables, subtitles, and an annotated video.")
    megabytes = MAX_VIDEO_BYTES // MB
    upload = st.file_uploader("Upload a video", type=["video", "image/gif"], max_upload_size=megabytes, key=_INPUT)
    image_input.track_uploads("video", [upload])
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
    drop_slot(_REPORT)
    drop_slot(_REPORT_UPLOAD)


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

        with video_result.wait_for_turn(show_waiting):
            report = video_result.analyze_upload(engine, upload, fps, blur, show_report, latest)
    placeholder.empty()
    return report


def _format_progress(facts: dict[str, Any]) -> str:
    duration = f" of {format_time(facts['of'])}" if facts["of"] else ""
    speed = f" · {facts['frames_per_second']:g} frames per second" if facts["frames_per_second"] else ""
    counts = f"{facts['tracks']} tracks · {facts['events']} events"
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
        results.show_html_page(page, "The report of the video", 900)


def _show_numbers(facts: dict[str, Any]) -> None:
    numbers = (
        ("Tracks", facts["tracks"]),
        ("Events", facts["events"]),
        ("Analysed", format_time(facts["seconds"])),
        ("Frames", f"{facts['frames']:,}"),
        ("Frames per second", facts["frames_per_second"] or "–"),
    )
    with st.container(horizontal=True, gap="large"):
        for name, value in numbers:
            st.metric(name, value, width="content")


def _show_video_and_events(report: VideoReport) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        if video := report.files.get("annotated.webm"):
            subtitles = report.files.get("subtitles.vtt", b"").decode() or None
            st.video(video, format="video/webm", subtitles=subtitles, alt="The annotated video")
    with right:
        st.markdown("**Tracks**")
        st.dataframe([_track_row(track) for track in report.tracks], hide_index=True)
    if not report.events:
        st.info("No emotion lasted long enough to be an event.")
        return
    st.markdown("**Events**")
    st.vega_lite_chart(spec=video_result.timeline_chart(report.events, report.facts["summary"]["end"]))
    height: int | Literal["content"] = "content" if len(report.events) < _MAX_ROWS else 420
    st.dataframe([_event_row(event) for event in report.events], hide_index=True, height=height)


def _track_row(track: dict[str, Any]) -> dict[str, Any]:
    first = next(iter(track["emotions"].items()), None)
    return {
        "Track": track["track"],
        "Visible": f"{track['visible_seconds']:.1f} s",
        "Judged": f"{track['judged_seconds']:.1f} s",
        "Mostly": f"{describe_label(first[0])}, {format_percent(first[1])}" if first else "–",
    }


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
        st.download_button("All files (ZIP)", report.pack_zip, archive, "application/zip", on_click="ignore")
