"""The report of a video: one self-contained HTML page with a timeline of each track, for every app.

The template stretches the drawing of a timeline to any width; horizontal positions are percent of that width, or units
of ``WIDTH``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from mien.html import data_uri, render
from mien.labels import label_colour
from mien.text import describe_label, format_duration, format_percent, format_time
from mien.video.events import MAX_GAP_SECONDS, MIN_EVENT_SECONDS, Event
from mien.video.timeline import UNCERTAIN_REASON, TimelineStep, TrackSummary, VideoSummary, VideoTimeline

#: The ``viewBox`` of the stacked probabilities.
WIDTH, HEIGHT = 1000, 100

#: Distances between the marks of an axis, in seconds.
_INTERVALS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

#: The most tracks with a timeline (the others are in the table), and the most rows of the table.
MAX_CHARTS, _MAX_ROWS = 12, 200

_percent = partial(format_percent, no_break=True)


@dataclass(frozen=True)
class ReportOptions:
    """How a report was made, as the page states it.

    ``selection`` says which frames were analysed, ``baseline`` how scores were made relative to a face at rest,
    ``incomplete`` why the analysis ends early. ``player_source`` is the path of a video beside the page.
    """

    video: str
    labels: tuple[str, ...]
    detector: str
    model: str
    selection: str = "every frame"
    baseline: str | None = None
    faces_blurred: bool = False
    player_source: str | None = None
    incomplete: str | None = None


def render_report(
    summary: VideoSummary, options: ReportOptions, peak_images: Mapping[Event, bytes] | None = None
) -> str:
    """The page; ``peak_images`` are JPEG files of the peaks of events."""
    timeline = summary.timeline
    tracks = sorted(timeline.tracks_by_duration()[:MAX_CHARTS], key=lambda track: track.number)
    # The fragment makes browsers show that frame instead of a black one.
    source = f"{quote(options.player_source)}#t={timeline.start + 0.001:.3f}" if options.player_source else ""
    return render(
        "video_report.html",
        title=f"Expressions in {options.video}",
        options=options,
        labels=options.labels,
        data=Markup(_script_data(summary, tracks, options)),
        facts=_facts(summary, options),
        tiles=_tiles(summary),
        tracks=[_track_values(track, summary, options, peak_images or {}) for track in tracks],
        video_source=source,
        start={"seconds": f"{timeline.start:.3f}", "clock": format_time(timeline.start)},
        end={"seconds": f"{timeline.end:.3f}", "clock": format_time(timeline.end)},
        others=_others(summary),
        rows=[_row_values(track, summary.events) for track in timeline.tracks_by_duration()[:_MAX_ROWS]],
        reasons=list(_reason_rows(summary)),
        methods=_methods(options),
    )


def _facts(summary: VideoSummary, options: ReportOptions) -> str:
    width, height = summary.size
    duration = format_duration(summary.timeline.end - summary.timeline.start)
    frames = f"{summary.frames:,} frames analysed"
    return " · ".join([duration, f"{width} × {height}", frames, f"{options.detector} and {options.model}"])


def _tiles(summary: VideoSummary) -> list[tuple[str, str, str]]:
    tracks = summary.timeline.tracks.values()
    visible, judged = sum(track.visible_seconds for track in tracks), sum(track.judged_seconds for track in tracks)
    uncertain = sum(track.uncertain_seconds for track in tracks)
    expressions = sum(event.emotion != "neutral" for event in summary.events)
    part = _percent(judged / visible) if visible else "–"
    certain = _percent(1 - uncertain / judged) if judged else "–"
    return [
        ("tracks", f"{len(tracks):,}", "a face followed through a shot"),
        ("events", f"{expressions:,}", "expressions that lasted, besides neutral"),
        ("could be judged", part, f"of {format_duration(visible)} with a face"),
        ("stood out", certain, "of the judged time one expression led"),
    ]


def _track_values(
    track: TrackSummary, summary: VideoSummary, options: ReportOptions, peak_images: Mapping[Event, bytes]
) -> dict[str, Any]:
    events = [event for event in summary.events if event.track == track.number]
    peaks = sorted((event for event in events if event in peak_images), key=lambda event: event.start)
    return {
        "number": track.number,
        "summary": _describe_track(track),
        "chart": build_chart(track, summary.timeline, events, options.labels),
        "peaks": [
            {
                "label": event.emotion,
                "text": f"{describe_label(event.emotion)} {_percent(event.peak)}",
                "seconds": f"{event.peak_at:.3f}",
                "clock": format_time(event.peak_at),
                "image": data_uri(peak_images[event], "image/jpeg"),
            }
            for event in peaks
        ],
    }


def _describe_track(track: TrackSummary) -> str:
    times = f"from {format_time(track.first)} to {format_time(track.last)}"
    visible = f"visible for {format_duration(track.visible_seconds)}, {times}"
    if not track.judged_seconds:
        return f"{visible}; never clear enough to be judged"
    leading = list(track.emotions().items())[:3]
    parts = [f"{describe_label(emotion)} {_percent(part)}" for emotion, part in leading if part >= 0.01]
    return f"{visible}; of the judged time: {', '.join(parts)}" if parts else f"{visible}; no expression stood out"


def _others(summary: VideoSummary) -> str:
    """A sentence about the tracks without a timeline; empty where there are none."""
    others = summary.timeline.tracks_by_duration()[MAX_CHARTS:]
    if not others:
        return ""
    duration = format_duration(others[0].visible_seconds)
    return f"{len(others):,} more tracks, visible for {duration} at most, are in the table below."


def _row_values(track: TrackSummary, events: Sequence[Event]) -> dict[str, Any]:
    own = [event for event in events if event.track == track.number and event.emotion != "neutral"]
    highest = max(own, key=lambda event: event.peak, default=None)
    leading = next(iter(track.emotions().items()), None)
    visible, judged = track.visible_seconds, track.judged_seconds
    return {
        "number": track.number,
        "visible": format_duration(visible),
        "judged": _percent(judged / visible) if visible else "–",
        "mostly": {"label": leading[0], "percent": _percent(leading[1])} if leading else None,
        "events": f"{len(own):,}",
        "highest": {"label": highest.emotion, "percent": _percent(highest.peak)} if highest else None,
        "uncertain": _percent(track.uncertain_seconds / judged) if judged else "–",
    }


def _reason_rows(summary: VideoSummary) -> Iterator[dict[str, Any]]:
    """Why faces could not be judged, with the time of each reason; empty where every face could be."""
    tracks = summary.timeline.tracks.values()
    visible = sum(track.visible_seconds for track in tracks)
    uncertain = sum(track.uncertain_seconds for track in tracks)
    reasons = summary.timeline.unjudged_seconds() | ({UNCERTAIN_REASON: uncertain} if uncertain else {})
    if visible:
        for reason, seconds in reasons.items():
            part = seconds / visible
            yield {
                "reason": reason,
                "part": part,
                "percent": _percent(part),
                "duration": format_duration(seconds),
            }


def _methods(options: ReportOptions) -> dict[str, str]:
    methods = {
        "analysis": f"Faces were detected by {options.detector} and classified by the model {options.model}, "
        f"{options.selection}. Probabilities say what the expression looks like to a model trained on images that "
        "people had labelled; they are not what a person feels.",
        "tracks": "A track follows one face through a shot by its position and appearance. Nobody is recognised, and "
        "a person who leaves and comes back may get another track. No person is identified or stored.",
        "smoothing": "Probabilities are the mean since the last change; a change is shown within 0.2 s.",
        "events": f"An expression that stands out for {MIN_EVENT_SECONDS:g} s or longer; up to {MAX_GAP_SECONDS:g} s "
        "without a face do not end it. The peak is its highest probability.",
    }
    if options.baseline:
        methods["baseline"] = options.baseline
    if options.faces_blurred:
        methods["blurred faces"] = (
            "Detected faces are blurred in the video and in the images on this page. "
            "A face that was not detected is still visible in the video: look through it before you pass it on."
        )
    return methods


def _script_data(summary: VideoSummary, tracks: Sequence[TrackSummary], options: ReportOptions) -> str:
    """JSON for the script: the steps of each track with probabilities in percent, and its events."""
    indexes = {label: index for index, label in enumerate(options.labels)}
    data = {
        "labels": [[label, describe_label(label), label_colour(label, options.labels)] for label in options.labels],
        "start": summary.timeline.start,
        "end": summary.timeline.end,
        "steps": {
            track.number: [
                [round(step.start, 2), round(step.end, 2), [round(100 * score) for score in step.scores]]
                for step in summary.timeline.steps(track.number)
            ]
            for track in tracks
        },
        "events": {
            track.number: [
                [round(event.start, 3), round(event.end, 3), indexes[event.emotion]]
                for event in summary.events
                if event.track == track.number
            ]
            for track in tracks
        },
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")


# The timeline of a track


class ChartArea(NamedTuple):
    """A closed SVG path. ``fill`` is ``#rrggbb``; empty for time in which the face could not be judged."""

    path: str
    fill: str


class EventBar(NamedTuple):
    """``start`` in seconds with three digits; ``left`` and ``width`` in percent with two."""

    label: str
    start: str
    left: str
    width: str
    description: str


class AxisMark(NamedTuple):
    left: str
    clock: str


class LegendEntry(NamedTuple):
    label: str
    percent: str


@dataclass(frozen=True)
class TrackChart:
    """The values of the template's macro ``chart``; areas are in drawing order."""

    track: int
    areas: tuple[ChartArea, ...]
    events: tuple[EventBar, ...]
    marks: tuple[AxisMark, ...]
    legend: tuple[LegendEntry, ...]
    width: int = WIDTH
    height: int = HEIGHT


def build_chart(
    track: TrackSummary, timeline: VideoTimeline, events: Sequence[Event], labels: Sequence[str]
) -> TrackChart:
    """The timeline of a track over the whole video; ``events`` are those of the track."""
    axis = _Axis(timeline.start, timeline.end)
    scores = track.mean_scores()
    means = [float(score) for score in scores] if len(scores) == len(labels) else [0.0] * len(labels)
    return TrackChart(
        track=track.number,
        areas=tuple(_areas(list(timeline.steps(track.number)), axis, tuple(labels))),
        events=tuple(_event_bar(event, axis) for event in events),
        marks=tuple(AxisMark(f"{axis.percent(at):.2f}", format_time(at)) for at in axis.marks()),
        legend=tuple(LegendEntry(label, _percent(mean)) for label, mean in zip(labels, means, strict=True)),
    )


class _Axis:
    def __init__(self, start: float, end: float) -> None:
        self.start, self.end = start, end
        self.length = max(end - start, 1e-6)

    def percent(self, seconds: float) -> float:
        """The position of a time, in percent of the width."""
        return 100 * (seconds - self.start) / self.length

    def x(self, seconds: float) -> float:
        return round(min(max(self.percent(seconds), 0), 100) * WIDTH / 100, 1)

    def marks(self) -> Iterator[float]:
        """Seven marks at most; for very long videos at a multiple of an hour."""
        interval = next((each for each in _INTERVALS if self.length / each <= 7), 3600 * round(self.length / 25000 + 1))
        number = int(-(-self.start // interval))
        while number * interval <= self.end - self.length * 0.04:
            yield number * interval
            number += 1


def _areas(steps: list[TimelineStep], axis: _Axis, labels: tuple[str, ...]) -> Iterator[ChartArea]:
    for run in _split_runs(steps):
        left, right = axis.x(run[0].start), axis.x(run[-1].end)
        if not run[0].scores:
            yield ChartArea(f"M{left} 0H{right}V{HEIGHT}H{left}Z", "")
            continue
        # From back to front, each area down to the base line: half the points of stacked polygons.
        for index in range(len(labels) - 1, -1, -1):
            line = " ".join(f"{x} {y}" for x, y in _upper_edge(run, axis, index))
            yield ChartArea(f"M{left} {HEIGHT}L{line} {right} {HEIGHT}Z", label_colour(labels[index], labels))


def _upper_edge(run: list[TimelineStep], axis: _Axis, index: int) -> Iterator[tuple[float, float]]:
    """The upper edge of the sum of the probabilities up to one label."""
    heights = [round(HEIGHT * (1 - min(sum(step.scores[: index + 1]), 1.0)), 1) for step in run]
    yield axis.x(run[0].start), heights[0]
    yield from ((axis.x((step.start + step.end) / 2), height) for step, height in zip(run, heights, strict=True))
    yield axis.x(run[-1].end), heights[-1]


def _split_runs(steps: list[TimelineStep]) -> Iterator[list[TimelineStep]]:
    """Groups of steps without a gap that are all judged, or all not judged."""
    run: list[TimelineStep] = []
    for step in steps:
        if run and (step.start - run[-1].end > 1e-6 or bool(step.scores) != bool(run[-1].scores)):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _event_bar(event: Event, axis: _Axis) -> EventBar:
    peak = _percent(event.peak)
    return EventBar(
        label=event.emotion,
        start=f"{event.start:.3f}",
        left=f"{axis.percent(event.start):.2f}",
        width=f"{100 * event.seconds / axis.length:.2f}",
        description=f"{event.emotion}, {format_time(event.start)} to {format_time(event.end)}, peak {peak}",
    )
