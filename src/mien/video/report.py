"""The geometry of a person's timeline: probabilities stacked over time, events below them, and an axis.

The template stretches the drawing to any width; horizontal places are percent of that width or units of ``WIDTH``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup

from mien.html import data_uri, render
from mien.labels import label_colour
from mien.text import describe_label, format_duration, format_time, percent_words
from mien.video.events import MAX_GAP_SECONDS, MIN_EVENT_SECONDS, Event
from mien.video.timeline import UNCERTAIN_REASON, Timeline, TimelineStep, TrackSummary, VideoSummary

#: The ``viewBox`` of the stacked probabilities.
WIDTH, HEIGHT = 1000, 100

#: Distances between the marks of an axis, in seconds.
_INTERVALS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


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

    person: int
    areas: tuple[ChartArea, ...]
    events: tuple[EventBar, ...]
    marks: tuple[AxisMark, ...]
    legend: tuple[LegendEntry, ...]
    width: int = WIDTH
    height: int = HEIGHT


def build_chart(person: TrackSummary, timeline: Timeline, events: Sequence[Event], labels: Sequence[str]) -> TrackChart:
    """One person over the whole video; ``events`` are those of this person."""
    axis = _Axis(timeline.start, timeline.end)
    shares = person.shares()
    means = [float(share) for share in shares] if len(shares) == len(labels) else [0.0] * len(labels)
    return TrackChart(
        person=person.number,
        areas=tuple(_areas(list(timeline.steps(person.number)), axis, tuple(labels))),
        events=tuple(_event_bar(event, axis) for event in events),
        marks=tuple(AxisMark(f"{axis.percent(at):.2f}", format_time(at)) for at in axis.marks()),
        legend=tuple(LegendEntry(label, percent_words(mean)) for label, mean in zip(labels, means, strict=True)),
    )


class _Axis:
    def __init__(self, start: float, end: float) -> None:
        self.start, self.length = start, max(end - start, 1e-6)
        self.end = end

    def percent(self, seconds: float) -> float:
        """The place of a time, in percent of the width."""
        return 100 * (seconds - self.start) / self.length

    def x(self, seconds: float) -> float:
        return round(min(max(self.percent(seconds), 0), 100) * WIDTH / 100, 1)

    def marks(self) -> Iterator[float]:
        interval = next((each for each in _INTERVALS if self.length / each <= 7), 3600 * round(self.length / 25000 + 1))
        number = int(-(-self.start // interval))
        while number * interval <= self.end - self.length * 0.04:
            yield number * interval
            number += 1


def _areas(steps: list[TimelineStep], axis: _Axis, labels: tuple[str, ...]) -> Iterator[ChartArea]:
    for run in _split_runs(steps):
        left, right = axis.x(run[0].start), axis.x(run[-1].end)
        if not run[0].shares:
            yield ChartArea(f"M{left} 0H{right}V{HEIGHT}H{left}Z", "")
            continue
        # From the back to the front, each area reaching down to the base line: half the points of stacked polygons.
        for place in range(len(labels) - 1, -1, -1):
            line = " ".join(f"{x} {y}" for x, y in _upper_edge(run, axis, place))
            yield ChartArea(f"M{left} {HEIGHT}L{line} {right} {HEIGHT}Z", label_colour(labels[place], labels))


def _upper_edge(run: list[TimelineStep], axis: _Axis, place: int) -> Iterator[tuple[float, float]]:
    """The upper edge of the probabilities summed up to one label."""
    heights = [round(HEIGHT * (1 - min(sum(step.shares[: place + 1]), 1.0)), 1) for step in run]
    yield axis.x(run[0].start), heights[0]
    yield from ((axis.x((step.start + step.end) / 2), height) for step, height in zip(run, heights, strict=True))
    yield axis.x(run[-1].end), heights[-1]


def _split_runs(steps: list[TimelineStep]) -> Iterator[list[TimelineStep]]:
    """Steps that follow each other without a gap and are of one kind: judged, or not."""
    run: list[TimelineStep] = []
    for step in steps:
        if run and (step.start - run[-1].end > 1e-6 or bool(step.shares) != bool(run[-1].shares)):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _event_bar(event: Event, axis: _Axis) -> EventBar:
    return EventBar(
        label=event.label,
        start=f"{event.start:.3f}",
        left=f"{axis.percent(event.start):.2f}",
        width=f"{100 * event.seconds / axis.length:.2f}",
        description=f"{event.label}, {format_time(event.start)} to {format_time(event.end)}, peak {percent_words(event.peak)}",
    )


# ==== mien.moments.page
# The report of a video: one self-contained HTML page, for every interface that analyses videos.

#: People with a timeline of their own, at most; the others are in the table.
MAX_CHARTS = 12

#: Rows of the table of people, at most.
_ROWS = 200


@dataclass(frozen=True)
class ReportOptions:
    """How a report was made, as the page says it. ``video`` is the path of a video beside the page, for the player."""

    film: str
    labels: tuple[str, ...]
    detector: str
    model: str
    chosen: str = "every frame"
    baseline: str | None = None
    hidden: bool = False
    video: str | None = None
    unfinished: str | None = None


def render_report(record: VideoSummary, making: ReportOptions, pictures: Mapping[Event, bytes] | None = None) -> str:
    """The page; ``pictures`` are JPEG files of the peaks of events."""
    timeline = record.timeline
    people = sorted(timeline.by_presence()[:MAX_CHARTS], key=lambda person: person.number)
    # The fragment makes browsers show that frame instead of a black one.
    source = f"{quote(making.video)}#t={timeline.start + 0.001:.3f}" if making.video else ""
    return render(
        "video_report.html",
        title=f"Expressions in {making.film}",
        making=making,
        labels=making.labels,
        data=Markup(_script_data(record, making)),
        facts=_facts(record, making),
        tiles=_tiles(record),
        people=[_person_values(person, record, making, pictures or {}) for person in people],
        video_source=source,
        start={"seconds": f"{timeline.start:.3f}", "clock": format_time(timeline.start)},
        end={"seconds": f"{timeline.end:.3f}", "clock": format_time(timeline.end)},
        others=_others(record),
        rows=[_row_values(person, record.events) for person in timeline.by_presence()[:_ROWS]],
        reasons=list(_reason_rows(record)),
        methods=_methods(making),
    )


def _facts(record: VideoSummary, making: ReportOptions) -> str:
    width, height = record.size
    duration = format_duration(record.timeline.end - record.timeline.start)
    frames = f"{record.frames:,} frames analysed"
    return " · ".join([duration, f"{width} × {height}", frames, f"{making.detector} and {making.model}"])


def _tiles(record: VideoSummary) -> list[tuple[str, str, str]]:
    people = record.timeline.people.values()
    visible, judged = sum(person.seen for person in people), sum(person.judged for person in people)
    uncertain = sum(person.doubted for person in people)
    expressions = sum(event.label != "neutral" for event in record.events)
    part = percent_words(judged / visible) if visible else "–"
    certain = percent_words(1 - uncertain / judged) if judged else "–"
    return [
        ("people", f"{len(people):,}", "numbered for the length of a shot"),
        ("events", f"{expressions:,}", "expressions that lasted, besides neutral"),
        ("could be judged", part, f"of {format_duration(visible)} with a face"),
        ("stood out", certain, "of the judged time one expression led"),
    ]


def _person_values(
    person: TrackSummary, record: VideoSummary, making: ReportOptions, pictures: Mapping[Event, bytes]
) -> dict[str, Any]:
    events = [event for event in record.events if event.person == person.number]
    peaks = sorted((event for event in events if event in pictures), key=lambda event: event.start)
    return {
        "number": person.number,
        "summary": _summary(person),
        "chart": build_chart(person, record.timeline, events, making.labels),
        "peaks": [
            {
                "label": event.label,
                "text": f"{describe_label(event.label)} {percent_words(event.peak)}",
                "seconds": f"{event.peak_at:.3f}",
                "clock": format_time(event.peak_at),
                "image": data_uri(pictures[event], "image/jpeg"),
            }
            for event in peaks
        ],
    }


def _summary(person: TrackSummary) -> str:
    visible = f"visible for {format_duration(person.seen)}, from {format_time(person.first)} to {format_time(person.last)}"
    if not person.judged:
        return f"{visible}; never clear enough to be judged"
    parts = [f"{describe_label(label)} {percent_words(part)}" for label, part in person.leading()[:3] if part >= 0.01]
    return f"{visible}; of the judged time: {', '.join(parts)}" if parts else f"{visible}; no expression stood out"


def _others(record: VideoSummary) -> str:
    """A sentence about the people without a timeline; empty where there are none."""
    others = record.timeline.by_presence()[MAX_CHARTS:]
    if not others:
        return ""
    return f"{len(others):,} more, visible for {format_duration(others[0].seen)} at most, are in the numbers below."


def _row_values(person: TrackSummary, events: Sequence[Event]) -> dict[str, Any]:
    own = [event for event in events if event.person == person.number and event.label != "neutral"]
    highest = max(own, key=lambda event: event.peak, default=None)
    mostly = person.leading()[:1]
    return {
        "number": person.number,
        "visible": format_duration(person.seen),
        "judged": percent_words(person.judged / person.seen) if person.seen else "–",
        "mostly": {"label": mostly[0][0], "percent": percent_words(mostly[0][1])} if mostly else None,
        "events": f"{len(own):,}",
        "highest": {"label": highest.label, "percent": percent_words(highest.peak)} if highest else None,
        "uncertain": percent_words(person.doubted / person.judged) if person.judged else "–",
    }


def _reason_rows(record: VideoSummary) -> Iterator[dict[str, Any]]:
    """Why faces could not be judged, with the time of each reason; empty where every face could be."""
    visible = sum(person.seen for person in record.timeline.people.values())
    uncertain = sum(person.doubted for person in record.timeline.people.values())
    reasons = record.timeline.unjudged | ({UNCERTAIN_REASON: uncertain} if uncertain else {})
    if visible:
        for reason, seconds in reasons.items():
            part = seconds / visible
            yield {"reason": reason, "part": part, "percent": percent_words(part), "duration": format_duration(seconds)}


def _methods(making: ReportOptions) -> dict[str, str]:
    methods = {
        "analysis": f"Faces were detected by {making.detector} and classified by the model {making.model}, "
        f"{making.chosen}. Probabilities say what the expression looks like to a model trained on images that people "
        "had labelled; they are not what a person feels.",
        "people": "A person is a number that follows a face through a shot, by its position. Nobody is recognised, and "
        "a person who leaves and comes back may get another number. No person is identified or stored.",
        "smoothing": "Probabilities are the mean since the last change; a change is shown within 0.2 s.",
        "events": f"An expression that stands out for {MIN_EVENT_SECONDS:g} s or longer; up to {MAX_GAP_SECONDS:g} s without a face do not "
        "end it. The peak is its highest probability.",
    }
    if making.baseline:
        methods["baseline"] = making.baseline
    if making.hidden:
        methods["blurred faces"] = (
            "Detected faces are blurred in the video and in the images on this page. "
            "A face that was not detected is still visible in the video: look through it before you pass it on."
        )
    return methods


def _script_data(record: VideoSummary, making: ReportOptions) -> str:
    """JSON for the script: every person's steps with probabilities in percent, and events."""
    people = {
        one.number: [
            [round(step.start, 2), round(step.end, 2), [round(100 * share) for share in step.shares]]
            for step in record.timeline.steps(one.number)
        ]
        for one in record.timeline.by_presence()[:MAX_CHARTS]
    }
    places = {label: place for place, label in enumerate(making.labels)}
    events = {
        number: [
            [round(event.start, 3), round(event.end, 3), places[event.label]]
            for event in record.events
            if event.person == number
        ]
        for number in people
    }
    data = {
        "labels": [[label, describe_label(label), label_colour(label, making.labels)] for label in making.labels],
        "start": record.timeline.start,
        "end": record.timeline.end,
        "people": people,
        "events": events,
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
