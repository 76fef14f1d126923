"""The geometry of a person's timeline: probabilities stacked over time, events below them, and an axis.

The template stretches the drawing to any width; horizontal places are percent of that width or units of ``WIDTH``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mien.labels import colour
from mien.moments.events import Event
from mien.moments.timeline import Person, Step, Timeline
from mien.moments.words import clock, percent

#: The ``viewBox`` of the stacked probabilities.
WIDTH, HEIGHT = 1000, 100

#: Distances between the marks of an axis, in seconds.
_INTERVALS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


class Area(NamedTuple):
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


class Mark(NamedTuple):
    left: str
    clock: str


class LegendEntry(NamedTuple):
    label: str
    percent: str


@dataclass(frozen=True)
class Chart:
    """The values of the template's macro ``chart``; areas are in drawing order."""

    person: int
    areas: tuple[Area, ...]
    events: tuple[EventBar, ...]
    marks: tuple[Mark, ...]
    legend: tuple[LegendEntry, ...]
    width: int = WIDTH
    height: int = HEIGHT


def build_chart(person: Person, timeline: Timeline, events: Sequence[Event], labels: Sequence[str]) -> Chart:
    """One person over the whole video; ``events`` are those of this person."""
    axis = _Axis(timeline.start, timeline.end)
    shares = person.shares()
    means = [float(share) for share in shares] if len(shares) == len(labels) else [0.0] * len(labels)
    return Chart(
        person=person.number,
        areas=tuple(_areas(list(timeline.steps(person.number)), axis, tuple(labels))),
        events=tuple(_event_bar(event, axis) for event in events),
        marks=tuple(Mark(f"{axis.percent(at):.2f}", clock(at)) for at in axis.marks()),
        legend=tuple(LegendEntry(label, percent(mean)) for label, mean in zip(labels, means, strict=True)),
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


def _areas(steps: list[Step], axis: _Axis, labels: tuple[str, ...]) -> Iterator[Area]:
    for run in _split_runs(steps):
        left, right = axis.x(run[0].start), axis.x(run[-1].end)
        if not run[0].shares:
            yield Area(f"M{left} 0H{right}V{HEIGHT}H{left}Z", "")
            continue
        # From the back to the front, each area reaching down to the base line: half the points of stacked polygons.
        for place in range(len(labels) - 1, -1, -1):
            line = " ".join(f"{x} {y}" for x, y in _upper_edge(run, axis, place))
            yield Area(f"M{left} {HEIGHT}L{line} {right} {HEIGHT}Z", colour(labels[place], labels))


def _upper_edge(run: list[Step], axis: _Axis, place: int) -> Iterator[tuple[float, float]]:
    """The upper edge of the probabilities summed up to one label."""
    heights = [round(HEIGHT * (1 - min(sum(step.shares[: place + 1]), 1.0)), 1) for step in run]
    yield axis.x(run[0].start), heights[0]
    yield from ((axis.x((step.start + step.end) / 2), height) for step, height in zip(run, heights, strict=True))
    yield axis.x(run[-1].end), heights[-1]


def _split_runs(steps: list[Step]) -> Iterator[list[Step]]:
    """Steps that follow each other without a gap and are of one kind: judged, or not."""
    run: list[Step] = []
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
        description=f"{event.label}, {clock(event.start)} to {clock(event.end)}, peak {percent(event.peak)}",
    )
