"""Results as text and as files: of images JSON, CSV, the annotated image and the walkthrough; of a video all formats.

Functions that return :data:`Steps` run in the worker, and yield the path when the file is written.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from mien.apps.desktop.images import OpenImage
from mien.apps.desktop.state import ModelSelection, ModelSession
from mien.apps.desktop.video_state import OpenVideo
from mien.apps.desktop.worker import Steps
from mien.errors import MienError, OutputError
from mien.files import write_atomically
from mien.results import Failure, FrameResult

if TYPE_CHECKING:
    from mien.video.timeline import SmoothedFrame, VideoSummary


# Images


def format_results(
    kind: str, outcomes: Sequence[FrameResult | Failure], labels: Sequence[str], vote_labels: Sequence[str]
) -> str:
    """The lines of ``mien predict --json`` for the kind ``json``, and the table of ``--csv`` for ``csv``."""
    from mien.table import format_table

    if kind == "json":
        return "".join(outcome.to_json() + "\n" for outcome in outcomes)
    return format_table(outcomes, labels, vote_labels)


def save_text(path: Path, text: str) -> Steps:
    """Write the whole file or nothing. Bytes of a file name that are no text are written as escapes."""
    try:
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(
            f"'{path}' could not be written: {error.strerror or error}",
            "A writable folder with free space was expected",
            "Choose another folder",
        ) from error
    yield path


def save_annotated_image(path: Path, session: ModelSession, image: OpenImage) -> Steps:
    """The image with boxes and labels, in its full size."""
    from mien import images
    from mien.draw import draw_readings

    pixels = session.pixels(image.number, image.source)
    yield None
    assert image.result is not None, "the image was analysed"
    annotated = draw_readings(pixels, image.result)
    yield None
    images.save_image(annotated, path)
    yield path


def save_walkthrough(
    path: Path, session: ModelSession, image: OpenImage, face: int, selection: ModelSelection
) -> Steps:
    """The page that follows one face (the first is 0) through the layers of the network."""
    from mien.explain.page import render_walkthrough

    pixels = session.pixels(image.number, image.source)
    engine = session.engine(selection)
    yield None
    [explanation] = engine.explain_image(pixels, face + 1)
    yield None
    yield from save_text(path, render_walkthrough(replace(explanation, source=image.name), pixels))


# A video


class VideoExport(NamedTuple):
    """Where to save a file, what the worker has loaded, and whether faces are blurred."""

    path: Path
    session: ModelSession
    blur_faces: bool = False


def save_summary(kind: str, video: OpenVideo, file: VideoExport) -> Steps:
    """The page of ``mien video --report`` for the kind ``report``, the table of ``events``, or ``subtitles``."""
    from mien.video import tables
    from mien.video.report import ReportOptions, render_report

    summary = _summary(video)
    match kind:
        case "events":
            text = tables.format_events(summary.events)
        case "subtitles":
            text = tables.format_webvtt(summary.events)
        case _:
            rate = f"{video.fps:g} frames a second at most"
            options = ReportOptions(
                video.path.name,
                video.labels,
                video.detector,
                video.model,
                rate,
                faces_blurred=file.blur_faces,
                incomplete=video.incomplete,
            )
            peaks = video.peaks.images(summary.events, blur=file.blur_faces) if video.peaks else {}
            text = render_report(summary, options, peaks)
    yield from save_text(file.path, text)


def save_faces(video: OpenVideo, file: VideoExport) -> Steps:
    """A row for every face of every analysed frame, smoothed."""
    from mien.video import tables

    lines = [tables.format_csv([tables.face_columns(video.labels)])]
    for smoothed in _repeat_analysis(video, file):
        lines.append(tables.format_csv(tables.face_rows(smoothed.frame)))
        yield None
    yield from save_text(file.path, "".join(lines))


def save_json_lines(video: OpenVideo, file: VideoExport) -> Steps:
    """The lines that ``mien video --json`` writes."""
    from mien.images import source_name
    from mien.video import tables

    info, summary = video.info, _summary(video)
    assert info is not None, "the video was opened"
    facts = {"video": source_name(video.path), "size": info.size, "seconds": info.seconds, "fps": info.fps}
    records = [{"kind": "video", **facts, "detector": video.detector, "model": video.model}]
    for smoothed in _repeat_analysis(video, file):
        records += [{"kind": "frame", **smoothed.frame.to_dict()}, *map(tables.event_record, smoothed.events)]
        yield None
    records += [*map(tables.event_record, summary.final_events), *tables.track_records(summary)]
    yield from save_text(file.path, "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records))


def save_annotated_video(video: OpenVideo, file: VideoExport) -> Steps:
    """The video with boxes and labels; with blurred faces on request."""
    from mien.video import FrameSelection, open_video
    from mien.video.annotate import AnnotatedVideo
    from mien.video.journal import AnalysisOptions

    assert video.info is not None, "the video was opened"
    options, smoothed_frames = AnalysisOptions(str(video.path), fps=video.fps), _repeat_analysis(video, file)
    if not video.unchanged:
        raise _changed_file(video)
    with (
        closing(open_video(video.path)) as reader,
        AnnotatedVideo(file.path, options, video.info, blur_faces=file.blur_faces) as out,
    ):
        frames = reader.frames(FrameSelection(fps=video.fps))
        for smoothed, frame in zip(smoothed_frames, frames, strict=False):
            if smoothed.frame.index != frame.index:
                raise _changed_file(video)
            out.add(replace(smoothed.frame, pixels=frame.pixels))
            yield None
    yield file.path


#: Writes a file of one format.
_Save: TypeAlias = Callable[[OpenVideo, VideoExport], Steps]

#: The formats by name: the words of the menu, the default suffix, and the function.
VIDEO_FORMATS: dict[str, tuple[str, str, _Save]] = {
    "report": ("Report", ".html", partial(save_summary, "report")),
    "faces": ("Table of faces (CSV)", ".csv", save_faces),
    "events": ("Table of events (CSV)", ".csv", partial(save_summary, "events")),
    "json": ("JSON lines", ".jsonl", save_json_lines),
    "subtitles": ("Subtitles", ".vtt", partial(save_summary, "subtitles")),
    "video": ("Annotated video", ".webm", save_annotated_video),
}


def _repeat_analysis(video: OpenVideo, file: VideoExport) -> Iterator[SmoothedFrame]:
    """All analysed frames from the journal, smoothed again; no face is detected again."""
    from mien.models.decision import build_emotions
    from mien.video.journal import read_frames
    from mien.video.timeline import VideoSummary

    rule = partial(build_emotions, file.session.engine(video.selection).card)
    return VideoSummary(rule).process(read_frames(video.journal_path, rule))


def _summary(video: OpenVideo) -> VideoSummary:
    assert video.summary is not None, "the video was analysed"
    return video.summary


def _changed_file(video: OpenVideo) -> MienError:
    return MienError(
        f"The file '{video.path.name}' was changed after it was analysed",
        "Boxes and blurred areas would be at the wrong places",
        "Analyse it again, then save",
    )
