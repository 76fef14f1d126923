"""The report of a video: one self-contained HTML page with a timeline of each track, for every app.

The template stretches the drawing of a timeline to any width; horizontal positions are percent of that width, or units
of ``WIDTH``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from mien.html import data_uri, render
from mien.labels import label_colour
from mien.text import describe_label
from mien.video.events import MAX_GAP_SECONDS, MIN_EVENT_SECONDS, Event
from mien.video.timeline import UNCERTAIN_REASON, TimelineStep, TrackSummary, VideoSummary

#: The ``viewBox`` of the stacked probabilities.
WIDTH, HEIGHT = 1000, 100

#: Distances between the marks of an axis, in seconds.
_INTERVALS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)

#: The most tracks with a timeline (the others are in the table), and the most rows of the table.
MAX_CHARTS, _MAX_ROWS = 12, 200


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
    by_duration = timeline.tracks_by_duration()
    tracks = [track for track in by_duration if track.judged_seconds][:MAX_CHARTS]
    others = [track for track in by_duration if track not in tracks]
    axis = _Axis(timeline.start, timeline.end)
    visible, uncertain = (
        sum(getattr(track, name) for track in timeline.tracks.values())
        for name in ("visible_seconds", "uncertain_seconds")
    )
    reasons = timeline.unjudged_seconds() | ({UNCERTAIN_REASON: uncertain} if uncertain else {}) if visible else {}
    return render(
        "video_report.html",
        title=f"Expressions in {options.video}",
        options=options,
        summary=summary,
        timeline=timeline,
        data=Markup(_script_data(summary, tracks, options)),
        axis=axis,
        tracks=[_track_values(track, summary, axis, options, peak_images or {}) for track in tracks],
        # The fragment makes browsers show that frame instead of a black one.
        video_source=options.player_source and f"{quote(options.player_source)}#t={timeline.start + 0.001:.3f}",
        visible=visible,
        uncertain=uncertain,
        others=others,
        max_rows=_MAX_ROWS,
        reasons=reasons,
        min_event_seconds=MIN_EVENT_SECONDS,
        max_gap_seconds=MAX_GAP_SECONDS,
    )


def timeline_record(
    summary: VideoSummary, labels: tuple[str, ...], peak_images: Mapping[Event, bytes]
) -> dict[str, Any]:
    """The drawings of the report for another page, in values for JSON: the longest visible tracks first.

    ``areas`` are SVG paths with their colours in a ``viewBox`` of ``width`` and ``height``; an area without a colour
    could not be judged. ``peaks`` have the images of faces as data addresses.
    """
    axis = _Axis(summary.timeline.start, summary.timeline.end)
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "tracks": [
            {
                "track": track.number,
                "areas": list(_areas(list(summary.timeline.steps(track.number)), axis, labels)),
                "peaks": [
                    {"emotion": event.emotion, "peak": round(event.peak, 4), "peak_at": event.peak_at, "image": image}
                    for event, image in _peaks(track, summary, peak_images)
                ],
            }
            for track in summary.timeline.tracks_by_duration()[:MAX_CHARTS]
        ],
    }


def _peaks(
    track: TrackSummary, summary: VideoSummary, peak_images: Mapping[Event, bytes]
) -> Iterator[tuple[Event, str]]:
    """The events of a track that have an image, in order, with the image as a data address."""
    for event in sorted(summary.events, key=lambda event: event.start):
        if event.track == track.number and event in peak_images:
            yield event, data_uri(peak_images[event], "image/jpeg")


def _track_values(
    track: TrackSummary,
    summary: VideoSummary,
    axis: _Axis,
    options: ReportOptions,
    peak_images: Mapping[Event, bytes],
) -> dict[str, Any]:
    """The timeline of a track over the whole video, its events, and the images of their peaks."""
    scores = track.mean_scores()
    events = [event for event in summary.events if event.track == track.number]
    return {
        "track": track,
        "areas": _areas(list(summary.timeline.steps(track.number)), axis, options.labels),
        "means": zip(options.labels, scores if len(scores) else [0.0] * len(options.labels), strict=True),
        "events": events,
        "peaks": list(_peaks(track, summary, peak_images)),
    }


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


class _Axis:
    """The time axis of all timelines."""

    width, height = WIDTH, HEIGHT

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


def _areas(steps: list[TimelineStep], axis: _Axis, labels: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Closed SVG paths in drawing order, with their colour; it is empty for time that could not be judged."""
    for run in _split_runs(steps):
        left, right = axis.x(run[0].start), axis.x(run[-1].end)
        if not run[0].scores:
            yield f"M{left} 0H{right}V{HEIGHT}H{left}Z", ""
            continue
        # From back to front, each area down to the base line: half the points of stacked polygons.
        for index in range(len(labels) - 1, -1, -1):
            heights = [round(HEIGHT * (1 - min(sum(step.scores[: index + 1]), 1.0)), 1) for step in run]
            middles = [axis.x((step.start + step.end) / 2) for step in run]
            points = zip([left, *middles, right], [heights[0], *heights, heights[-1]], strict=True)
            line = " ".join(f"{x} {y}" for x, y in points)
            yield f"M{left} {HEIGHT}L{line} {right} {HEIGHT}Z", label_colour(labels[index], labels)


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
