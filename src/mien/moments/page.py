"""The report of a film: one self-contained HTML page, for every window that watches films."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from urllib.parse import quote

from mien.html import bar, data_uri, expression_name, footer, note, render_page, table, tile, tiles
from mien.labels import colour
from mien.moments import charts
from mien.moments.events import GAP, SHORTEST, Event
from mien.moments.record import Record
from mien.moments.timeline import DOUBT, Person
from mien.moments.words import clock, percent, span
from mien.words import looks

#: As many people get a timeline of their own; the others are in the table.
PEOPLE = 12


@dataclass(frozen=True)
class Making:
    """How a report came about, told on the page. ``video`` is a film beside the page that the slider moves."""

    film: str
    labels: tuple[str, ...]
    detector: str
    model: str
    chosen: str = "every frame"
    baseline: str | None = None
    hidden: bool = False
    video: str | None = None
    unfinished: str | None = None


def page(record: Record, making: Making, pictures: Mapping[Event, bytes] | None = None) -> str:
    """The page; ``pictures`` are JPEG files of peaks."""
    style, script = (files("mien.moments").joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    told = f"const FILM = {_data(record, making)};\n{script}"
    return render_page(f"Expressions in {making.film}", _body(record, making, pictures or {}), style=style, script=told)


def _body(record: Record, making: Making, pictures: Mapping[Event, bytes]) -> Iterator[str]:
    timeline, people = record.timeline, record.timeline.by_presence()[:PEOPLE]
    yield f"<h1>{escape(making.film)}</h1>"
    yield f"<p class='muted'>{_facts(record, making)}</p>"
    if making.unfinished:
        yield note(escape(making.unfinished), warn=True)
    yield tiles(_tiles(record))
    if not people:
        yield "<p>No face was found in this film.</p>"
    else:
        yield from _stage(making, people, timeline.start)
        yield _slider(timeline.start, timeline.end)
        for person in sorted(people, key=lambda one: one.number):
            yield _person(person, record, making, pictures)
        yield from _others(record)
        yield "<h2>Everybody in numbers</h2>"
        yield _table(record)
    yield from _unjudged(record)
    yield "<h2>How this was made</h2>"
    yield f"<dl>{''.join(_making(record, making))}</dl>"
    yield footer("No person is identified or stored.")


def _facts(record: Record, making: Making) -> str:
    width, height = record.size
    length = span(record.timeline.end - record.timeline.start)
    parts = [length, f"{width} × {height}", f"{record.frames:,} frames read", f"{making.detector} and {making.model}"]
    return escape(" · ".join(parts))


def _tiles(record: Record) -> Iterator[str]:
    people = record.timeline.people.values()
    seen, judged = sum(one.seen for one in people), sum(one.judged for one in people)
    doubted = sum(one.doubted for one in people)
    yield tile("people", f"{len(people):,}", "numbered while a shot lasts")
    clear = sum(event.label != "neutral" for event in record.events)
    yield tile("events", f"{clear:,}", "expressions that lasted, besides neutral")
    yield tile("could be judged", percent(judged / seen) if seen else "–", f"of {span(seen)} with a face")
    yield tile("stood out", percent(1 - doubted / judged) if judged else "–", "of the judged time one expression led")


def _stage(making: Making, people: list[Person], start: float) -> Iterator[str]:
    chips = "".join(
        f"<div class='chip' data-person='{one.number}'><b>Person {one.number}</b><span></span><i class='mix'></i></div>"
        for one in sorted(people, key=lambda one: one.number)
    )
    film = ""
    if making.video:
        # The fragment makes browsers show that frame instead of a black one.
        source = f"{escape(quote(making.video))}#t={start + 0.001:.3f}"
        film = f"<video controls playsinline preload='metadata' src='{source}'></video>"
    yield f"<div class='stage'>{film}<div class='chips' aria-live='off'>{chips}</div></div>"


def _slider(start: float, end: float) -> str:
    line = f"<input type='range' min='{start:.3f}' max='{end:.3f}' step='0.01' value='{start:.3f}' aria-label='time'>"
    return f"<div class='slider'><output>{clock(start)}</output>{line}<span>{clock(end)}</span></div>"


def _person(person: Person, record: Record, making: Making, pictures: Mapping[Event, bytes]) -> str:
    events = [event for event in record.events if event.person == person.number]
    shown = sorted((event for event in events if event in pictures), key=lambda event: event.start)
    return "\n".join(
        [
            f"<section id='person-{person.number}'><h2>Person {person.number}</h2>",
            f"<p class='muted'>{_story(person)}</p>",
            charts.timeline(person, record.timeline, events, making.labels),
            f"<div class='peaks'>{''.join(_peak(event, pictures[event]) for event in shown)}</div>" if shown else "",
            "</section>",
        ]
    )


def _story(person: Person) -> str:
    seen = f"seen for {span(person.seen)}, from {clock(person.first)} to {clock(person.last)}"
    parts = [f"{escape(looks(label))} {percent(part)}" for label, part in person.leading()[:3] if part >= 0.01]
    said = f"; of the judged time: {', '.join(parts)}" if parts else "; no expression stood out"
    return f"{seen}{said}" if person.judged else f"{seen}; never clear enough to be judged"


def _peak(event: Event, jpeg: bytes) -> str:
    picture = data_uri(jpeg, "image/jpeg")
    words = f"{escape(looks(event.label))} {percent(event.peak)}"
    style = f"--hue:{colour(event.label)}"
    image = f"<img src='{picture}' alt='person {event.person} {words}' width='128' height='128' loading='lazy'>"
    told = f"<span>{words}</span><small>{clock(event.peak_at)}</small>"
    return f"<button class='peak' data-at='{event.peak_at:.3f}' style='{style}'>{image}{told}</button>"


def _others(record: Record) -> Iterator[str]:
    others = record.timeline.by_presence()[PEOPLE:]
    if others:
        longest = span(others[0].seen)
        yield f"<p class='muted'>{len(others):,} more, seen for {longest} at most, are in the numbers below.</p>"


def _table(record: Record) -> str:
    head = ("person", "seen", "judged", "mostly looks", "events", "highest peak", "unsure")
    return table(head, (_row(one, record) for one in record.timeline.by_presence()[:200]))


def _row(person: Person, record: Record) -> list[str]:
    events = [event for event in record.events if event.person == person.number and event.label != "neutral"]
    highest = max(events, key=lambda event: event.peak, default=None)
    mostly = person.leading()[:1]
    return [
        f"Person {person.number}",
        span(person.seen),
        percent(person.judged / person.seen) if person.seen else "–",
        f"{expression_name(mostly[0][0])} {percent(mostly[0][1])}" if mostly else "–",
        f"{len(events):,}",
        f"{expression_name(highest.label)} {percent(highest.peak)}" if highest else "–",
        percent(person.doubted / person.judged) if person.judged else "–",
    ]


def _unjudged(record: Record) -> Iterator[str]:
    yield "<h2>What could not be judged</h2>"
    seen = sum(one.seen for one in record.timeline.people.values())
    doubted = sum(one.doubted for one in record.timeline.people.values())
    reasons = record.timeline.unjudged | ({DOUBT: doubted} if doubted else {})
    if not seen or not reasons:
        yield "<p>Nothing: every face that was found could be judged, and an expression always stood out.</p>"
        return
    yield (
        "<p>Frames in which a face is too small, blurred, dark or turned are marked in the film's table, and do not "
        "enter the timeline. Where no expression stands out, the shares are shown and nothing is named.</p>"
    )
    rows = (_reason(reason, seconds / seen, seconds) for reason, seconds in reasons.items())
    yield table(("why", "of the time with a face", "in all"), rows)


def _reason(reason: str, part: float, seconds: float) -> list[str]:
    return [escape(reason), f"{bar(part, 'var(--muted)')}<span class='number'>{percent(part)}</span>", span(seconds)]


def _making(record: Record, making: Making) -> Iterator[str]:
    told = {
        "reading": f"Faces were found by {making.detector} and read by the model {making.model}, {making.chosen}. "
        "Shares are what the expression looks like to a model that learned from pictures people had labelled; "
        "they are not what a person feels.",
        "people": "A person is a number that follows a face through a shot, by where it is. Nobody is recognised, and "
        "who leaves and comes back may get another number. No person is identified or stored.",
        "steadying": "Shares are the mean since the last change; a change is shown within a fifth of a second.",
        "events": f"An expression that stands out for {SHORTEST:g} s or longer; up to {GAP:g} s out of sight do not "
        "end it. The peak is its largest share.",
    }
    if making.baseline:
        told["baseline"] = making.baseline
    if making.hidden:
        told["hidden faces"] = (
            "Faces that were found are hidden in the film and in the pictures on this page. "
            "A face that was not found would still show in the film: look through it before you pass it on."
        )
    yield from (f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in told.items())


def _data(record: Record, making: Making) -> str:
    """What the slider needs: every person's steps, shares in percent."""
    people = {
        one.number: [
            [round(step.start, 2), round(step.end, 2), [round(100 * share) for share in step.shares]]
            for step in record.timeline.steps(one.number)
        ]
        for one in record.timeline.by_presence()[:PEOPLE]
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
        "labels": [[label, looks(label), colour(label, making.labels)] for label in making.labels],
        "start": record.timeline.start,
        "end": record.timeline.end,
        "people": people,
        "events": events,
    }
    return json.dumps(data, separators=(",", ":")).replace("<", "\\u003c")
