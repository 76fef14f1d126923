"""A person's timeline as a drawing: shares stacked over time, and below it the events, with an axis.

The drawing stretches to any width, so letters are HTML that stands over it at parts of the width.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from mien.labels import colour
from mien.moments.events import Event
from mien.moments.timeline import Person, Step, Timeline
from mien.moments.words import clock, percent

#: Inside, a drawing is so wide and high.
WIDE, HIGH = 1000.0, 100.0

#: Distances between the marks of an axis, in seconds.
_MARKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)


def timeline(person: Person, told: Timeline, events: Sequence[Event], labels: Sequence[str]) -> str:
    """One person over the whole film."""
    axis = _Axis(told.start, told.end)
    areas = "".join(_areas(list(told.steps(person.number)), axis, tuple(labels)))
    picture = (
        f"<svg viewBox='0 0 {WIDE:g} {HIGH:g}' preserveAspectRatio='none' role='img' "
        f"aria-label='shares of person {person.number} over time'>{areas}</svg>"
    )
    bars = "".join(_event(event, axis) for event in events)
    marks = "".join(f"<span style='left:{axis.part(at):.2f}%'>{clock(at)}</span>" for at in axis.marks())
    return (
        f"<div class='timeline'><div class='shares'>{picture}<i class='cursor'></i></div>"
        f"<div class='events'>{bars}<i class='cursor'></i></div><div class='axis'>{marks}</div>"
        f"{_legend(person, labels)}</div>"
    )


class _Axis:
    def __init__(self, start: float, end: float) -> None:
        self.start, self.length = start, max(end - start, 1e-6)
        self.end = end

    def part(self, seconds: float) -> float:
        """Where a time is, in percent of the width."""
        return 100 * (seconds - self.start) / self.length

    def x(self, seconds: float) -> float:
        return round(min(max(self.part(seconds), 0), 100) * WIDE / 100, 1)

    def marks(self) -> Iterator[float]:
        apart = next((each for each in _MARKS if self.length / each <= 7), 3600 * round(self.length / 25000 + 1))
        first = -(-self.start // apart)
        number = int(first)
        while number * apart <= self.end - self.length * 0.04:
            yield number * apart
            number += 1


def _areas(steps: list[Step], axis: _Axis, labels: tuple[str, ...]) -> Iterator[str]:
    for run in _runs(steps):
        if not run[0].shares:
            left, right = axis.x(run[0].start), axis.x(run[-1].end)
            yield f"<rect class='unjudged' x='{left}' y='0' width='{right - left:.1f}' height='{HIGH:g}'/>"
            continue
        # From the back to the front, each area reaching down to the ground: half the points of stacked polygons.
        for place in range(len(labels) - 1, -1, -1):
            line = " ".join(f"{x} {y}" for x, y in _outline(run, axis, place))
            left, right = axis.x(run[0].start), axis.x(run[-1].end)
            tone = colour(labels[place], labels)
            yield f"<path fill='{tone}' d='M{left} {HIGH:g}L{line} {right} {HIGH:g}Z'/>"


def _outline(run: list[Step], axis: _Axis, place: int) -> Iterator[tuple[float, float]]:
    """The upper edge of the shares up to one label."""
    heights = [round(HIGH * (1 - min(sum(step.shares[: place + 1]), 1.0)), 1) for step in run]
    yield axis.x(run[0].start), heights[0]
    yield from ((axis.x((step.start + step.end) / 2), height) for step, height in zip(run, heights, strict=True))
    yield axis.x(run[-1].end), heights[-1]


def _runs(steps: list[Step]) -> Iterator[list[Step]]:
    """Steps that follow each other without a gap and are of one kind: judged, or not."""
    run: list[Step] = []
    for step in steps:
        if run and (step.start - run[-1].end > 1e-6 or bool(step.shares) != bool(run[-1].shares)):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def _event(event: Event, axis: _Axis) -> str:
    left, width = axis.part(event.start), 100 * event.seconds / axis.length
    said = f"{event.label}, {clock(event.start)} to {clock(event.end)}, peak {percent(event.peak)}"
    style = f"left:{left:.2f}%;width:{width:.2f}%;--hue:{colour(event.label)}"
    quiet = " class='quiet'" if event.label == "neutral" else ""
    words = escape(said)
    return (
        f"<button{quiet} data-at='{event.start:.3f}' style='{style}' title='{words}' aria-label='{words}'>"
        f"{escape(event.label)}</button>"
    )


def _legend(person: Person, labels: Sequence[str]) -> str:
    shares = person.shares()
    parts = zip(labels, shares, strict=True) if len(shares) == len(labels) else ((label, 0.0) for label in labels)
    entries = (
        f"<span><i class='dot' style='background:{colour(label, tuple(labels))}'></i>{escape(label)} "
        f"<small>{percent(float(share))}</small></span>"
        for label, share in parts
    )
    return f"<div class='legend'>{''.join(entries)}</div>"
