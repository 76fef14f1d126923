"""The summary of a film: each person in a few lines, with a strip of colours on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.text import Text

from mien.apps.cli.output import can_write, on_terminal, printable, say
from mien.apps.cli.words import looks, percent
from mien.labels import colour
from mien.moments import Event, Record
from mien.moments.timeline import Person, Timeline
from mien.moments.words import clock, span

#: As many people and events are told on a terminal; files hold them all.
PEOPLE, EVENTS = 12, 5


def summary(record: Record, source: str, labels: Sequence[str]) -> None:
    """To stdout: for people on a terminal, line by line for pipes."""
    if not on_terminal(sys.stdout):
        for line in plain(record, source):
            say(line)
        return
    console = Console(highlight=False, emoji=False, markup=False)
    strip = _Strip(record.timeline, tuple(labels), console.width - 2, can_write("█░·", console.encoding))
    for text in _drawn(record, source, strip):
        console.print(text, soft_wrap=True)


def plain(record: Record, source: str) -> Iterator[str]:
    yield _head(record, source)
    for person in _people(record):
        yield f"person {person.number}: {story(person)}"
    yield from map(str, record.events)
    for reason, seconds in record.timeline.unjudged.items():
        yield f"could not be judged: {reason}, {span(seconds)}"


def story(person: Person) -> str:
    """``seen 12 s, judged 96 %, looks happy 61 %, looks neutral 30 %``."""
    judged = f"judged {percent(person.judged / person.seen)}" if person.seen else "judged 0 %"
    shown = [f"{looks(label)} {percent(part)}" for label, part in person.leading()[:3] if part >= 0.01]
    unsure = [f"unsure {percent(person.doubted / person.judged)}"] if person.doubted > 0.01 * person.judged else []
    return ", ".join([f"seen {span(person.seen)} from {clock(person.first)}", judged, *shown, *unsure])


def _head(record: Record, source: str) -> str:
    timeline = record.timeline
    people = len(timeline.people)
    found = "no face found" if not people else f"{people:,} {'person' if people == 1 else 'people'}"
    return f"{printable(source)}: {span(timeline.end - timeline.start)}, {record.frames:,} frames, {found}"


def _drawn(record: Record, source: str, strip: _Strip) -> Iterator[Text]:
    yield Text(_head(record, source), "bold")
    for person in sorted(_people(record)[:PEOPLE], key=lambda one: one.number):
        yield Text.assemble("\n", (f"Person {person.number}", "bold"), f"  {story(person)}")
        yield strip.of(person)
        yield from _events([event for event in record.events if event.person == person.number], strip.labels)
    if (more := len(record.timeline.people) - PEOPLE) > 0:
        yield Text(f"\n{more:,} more people, seen for a shorter time", "dim")
    if reasons := [f"{reason} {span(seconds)}" for reason, seconds in record.timeline.unjudged.items()]:
        told = ", ".join(reasons)
        yield Text(f"\nCould not be judged: {told}", "dim")


def _people(record: Record) -> list[Person]:
    return record.timeline.by_presence()


def _events(events: list[Event], labels: tuple[str, ...]) -> Iterator[Text]:
    telling = sorted((event for event in events if event.label != "neutral"), key=lambda event: -event.peak)[:EVENTS]
    for event in sorted(telling, key=lambda event: event.start):
        word = (f"{printable(event.label):<10}", colour(event.label, labels))
        yield Text.assemble("  ", word, f"{clock(event.start):>8} to {clock(event.end):<8} peak {percent(event.peak)}")
    if len(events) > len(telling):
        number = "1 event" if len(events) == 1 else f"{len(events):,} events"
        yield Text(f"  {number} in all (--events writes them)", "dim")


class _Strip:
    """A person's film as one line: each cell has the colour of what led in its time."""

    def __init__(self, timeline: Timeline, labels: tuple[str, ...], width: int, blocks: bool) -> None:
        self.labels = labels
        self._timeline, self._width = timeline, max(min(width, 100), 10)
        self._full, self._poor, self._none = ("█", "░", "·") if blocks else ("#", "?", ".")

    def of(self, person: Person) -> Text:
        cells: list[dict[str, float]] = [{} for _ in range(self._width)]
        length = max(self._timeline.end - self._timeline.start, 1e-6)
        for step in self._timeline.steps(person.number):
            middle = (step.start + step.end) / 2 - self._timeline.start
            cell = cells[min(int(middle / length * self._width), self._width - 1)]
            first = self.labels[max(range(len(step.shares)), key=step.shares.__getitem__)] if step.shares else ""
            cell[first] = cell.get(first, 0.0) + step.seen
        # Steps may be wider than cells: what lies between two of one person's belongs to the step before.
        drawn, last = Text("  "), 0
        width = next((step.end - step.start for step in self._timeline.steps(person.number)), 0.0)
        before: dict[str, float] = {}
        for place, cell in enumerate(cells):
            if cell:
                before, last = cell, place
            reach = (place - last) * length / self._width < width
            drawn.append(*self._cell(cell or (before if reach else {})))
        return drawn

    def _cell(self, counts: dict[str, float]) -> tuple[str, str]:
        if not counts:
            return self._none, "dim"
        first = max(counts, key=lambda label: counts[label])
        return (self._full, colour(first, self.labels)) if first else (self._poor, "dim")
