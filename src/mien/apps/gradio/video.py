"""The tab for videos: the emotions of each track over time, events, and the result files."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.results import convert_errors, make_bug_error, make_user_error
from mien.apps.gradio.uploads import SentFile, find_sent_file
from mien.apps.session.engines import EngineCache
from mien.apps.session.uploads import MAX_VIDEO_BYTES, MAX_VIDEO_SECONDS, MB
from mien.apps.session.video_jobs import DONE, VideoJob
from mien.engine import Engine
from mien.errors import MienError
from mien.labels import label_adjective
from mien.text import format_time
from mien.video.results import VideoRequest
from mien.video.timeline import SmoothedFrame

#: The number of points that are plotted for one track, and the most that are kept for all tracks.
PLOTTED_POINTS, _MAX_POINTS = 400, 20_000

#: The most tracks that are described without a click.
_MAX_TRACKS = 12

_INSTRUCTIONS = f"""The emotions of each face over time: a face keeps its track number, and what lasts is an event.

Up to {MAX_VIDEO_BYTES // MB} MB; of long videos the first {MAX_VIDEO_SECONDS / 60:.0f} minutes are analysed.
The result files are removed after 15 minutes."""


class TrackScores:
    """The scores of each track over time. Points that would not be plotted are dropped while the video is analysed."""

    def __init__(self) -> None:
        self._tracks: dict[int, _TrackPoints] = {}
        self._count = 0

    def __len__(self) -> int:
        """The number of points in memory."""
        return self._count

    def add_frame(self, smoothed: SmoothedFrame) -> None:
        for reading in smoothed.frame:
            if reading.track is not None and reading.quality.ok:
                self.add(reading.track, smoothed.frame.seconds, dict(reading.emotions.scores))

    def add(self, track: int, seconds: float, scores: Mapping[str, float]) -> None:
        points = self._tracks.setdefault(track, _TrackPoints())
        before = len(points.points)
        points.add(seconds, scores)
        self._count += len(points.points) - before
        if self._count > _MAX_POINTS:
            for points in self._tracks.values():
                points.thin()
            self._count = sum(len(points.points) for points in self._tracks.values())

    def points(self, track: int | None) -> Iterator[tuple[float, dict[str, float]]]:
        """The points of one track in order, about as many as are plotted; empty for an unknown track."""
        points = self._tracks[track].points if track in self._tracks else []
        step = max(-(-len(points) // PLOTTED_POINTS), 1)
        return ((seconds, dict(scores)) for seconds, scores in points[::step])


class _TrackPoints:
    def __init__(self) -> None:
        self.points: list[tuple[float, tuple[tuple[str, float], ...]]] = []
        self._step = 1
        self._count = 0

    def add(self, seconds: float, scores: Mapping[str, float]) -> None:
        if self._count % self._step == 0:
            self.points.append((seconds, tuple(scores.items())))
        self._count += 1
        if len(self.points) >= 2 * PLOTTED_POINTS:
            self.thin()

    def thin(self) -> None:
        """Drop every second point, and from now on half of those to come."""
        self.points, self._step = self.points[::2], 2 * self._step


@contextmanager
def run_video_job(
    engine: Engine, upload: SentFile, fps: float, blur: bool, component: Any, scores: TrackScores | None = None
) -> Iterator[VideoJob]:
    """Run the analysis of a video in a thread; leaving the block cancels it.

    The result files are in the cache folder of ``component``, which removes them in time, also if nobody waits for the
    job. A job that was cancelled or failed leaves no files. ``scores`` gets each frame.
    """
    path = upload.video_path()
    Path(component.GRADIO_CACHE).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="video-", dir=component.GRADIO_CACHE))
    request = VideoRequest(path, upload.name, folder, fps, MAX_VIDEO_SECONDS, blur)
    job = VideoJob(engine, request, on_frame=(scores or TrackScores()).add_frame)
    try:
        with job:
            yield job
    finally:
        component.temp_files.update(map(str, job.files.values()))
        if job.state != DONE:
            shutil.rmtree(folder, ignore_errors=True)


def raise_job_error(job: VideoJob) -> None:
    if isinstance(job.error, MienError):
        raise job.error
    if job.error is not None:
        raise make_bug_error(job.error) from job.error


class VideoTab:
    """The components and listeners of the tab, created inside a ``gr.Tab``."""

    def __init__(self, engines: EngineCache, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        self._jobs: dict[str, VideoJob] = {}
        labels = engines.get().labels
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self._video = gr.Video(
                    sources=["upload"], label="Upload a video", height=320, buttons=[], elem_id="video-input"
                )
                fps = gr.Slider(1, 25, 10, step=1, label="Frames per second analysed")
                blur = gr.Checkbox(False, label="Blur faces in exports")
                with gr.Row():
                    start = gr.Button("Analyse the video", variant="primary", elem_id="video-start")
                    stop = gr.Button("Stop", visible=False, elem_id="video-stop")
            with gr.Column(scale=6, min_width=320):
                summary = gr.Markdown(_INSTRUCTIONS, elem_classes="reading-summary", elem_id="video-summary")
                annotated = gr.Video(
                    label="Annotated video", visible=False, buttons=["download"], elem_id="video-result"
                )
        scores = gr.State(None, time_to_live=900)
        with gr.Column(visible=False) as views:
            track = gr.Radio([], label="Track", elem_id="video-track")
            plot = results.create_timeline(labels, "Probabilities over time", "video-plot", height=330)
            events = gr.Dataframe(
                headers=["track", "expression", "from", "to", "peak"],
                interactive=False,
                label="Events",
                elem_id="video-events",
                buttons=["fullscreen", "copy"],
            )
            files = gr.Files(
                label="Report, tables, subtitles and annotated video", interactive=False, elem_id="video-files"
            )
        analysis = gr.on(
            [start.click],
            self._analyze,
            [self._video, fps, blur, model],
            [summary, start, stop, annotated, views, scores, track, plot, events, files],
            preprocess=False,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=summary,
            **queue,
        )
        # After any error another video can be analysed.
        analysis.failure(
            lambda: [_INSTRUCTIONS, *_show_start()],
            outputs=[summary, start, stop],
            api_visibility="private",
            queue=False,
        )
        stop.click(self._stop, queue=False, api_visibility="private")
        track.input(_plot_track, [scores, track], plot, queue=False, api_visibility="private", show_progress="hidden")

    def _analyze(self, payload: Any, fps: float, blur: bool, model: str, request: gr.Request) -> Iterator[list[Any]]:
        upload = find_sent_file(payload)
        if upload is None:
            raise make_user_error("There is no video yet. Upload one above.")
        with convert_errors():
            scores = TrackScores()
            with run_video_job(self._engines.get(model), upload, float(fps), bool(blur), self._video, scores) as job:
                self._jobs[str(request.session_hash)] = job
                try:
                    hidden = [gr.Button(visible=False), gr.Button(visible=True), gr.Video(visible=False)]
                    yield ["Opening the video …", *hidden, gr.Column(visible=False), *[gr.skip()] * 5]
                    for report in job.reports(timeout=0.2):
                        if report and "seconds" in report:
                            yield [format_progress(report), *[gr.skip()] * 9]
                finally:
                    self._jobs.pop(str(request.session_hash), None)
            raise_job_error(job)
        yield _show_result(job, scores)

    def _stop(self, request: gr.Request) -> None:
        if job := self._jobs.get(str(request.session_hash)):
            job.cancel()


def _show_start() -> list[Any]:
    return [gr.Button(visible=True), gr.Button(visible=False)]


def _show_result(job: VideoJob, scores: TrackScores) -> list[Any]:
    if job.state != DONE:
        return ["Stopped. The video and its results are deleted.", *_show_start(), *[gr.skip()] * 7]
    facts, files = job.facts["summary"], job.files
    tracks = [track["track"] for track in facts["tracks"] if track["judged_seconds"]]
    first = tracks[0] if tracks else None
    video = files.get("annotated.webm")
    rows = [
        [
            event["track"],
            label_adjective(event["emotion"]),
            format_time(event["start"]),
            format_time(event["end"]),
            text.format_percent(event["peak"]),
        ]
        for event in facts["events"]
    ]
    return [
        describe_result(job.facts),
        *_show_start(),
        gr.Video(str(video) if video else None, visible=video is not None),
        gr.Column(visible=True),
        scores,
        gr.Radio([(f"Track {track}", track) for track in tracks], value=first, visible=len(tracks) > 1),
        _plot_track(scores, first),
        rows,
        [str(path) for name, path in files.items() if name != "timeline.json"],
    ]


def format_progress(facts: dict[str, Any]) -> str:
    """How much is analysed, as Markdown."""
    duration = f" of {format_time(facts['of'])}" if facts.get("of") else ""
    tracks = text.format_count(facts["tracks"], "track")
    return f"### {format_time(facts['seconds'])}{duration} analysed\n\n{facts['frames']} frames, {tracks}."


def describe_result(facts: dict[str, Any]) -> str:
    """The description of a video and of its tracks, as Markdown."""
    summary = facts["summary"]
    if not summary["tracks"]:
        return results.describe_no_face()
    judged = [track for track in summary["tracks"] if track["judged_seconds"]][:_MAX_TRACKS]
    others = [track for track in summary["tracks"] if track not in judged]
    lines = [f"### {summary['description']}", *map(_describe_track, judged)]
    if others:
        title = "More tracks, which were visible for less time or could not be judged"
        lines += ["", f"<details><summary>{title}</summary>", "", *map(_describe_track, others), "", "</details>"]
    if facts.get("damage"):
        lines.append(f"\n**{facts['damage']}**")
    return "\n".join(lines)


def _describe_track(track: dict[str, Any]) -> str:
    return f"- Track {track['track']}: {track['description']}"


def _plot_track(scores: TrackScores | None, track: int | None) -> pd.DataFrame:
    return results.timeline_rows(scores.points(track) if scores else ())
