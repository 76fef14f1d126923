"""The report of a video: one self-contained HTML page, for every interface that analyses videos."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from mien.html import data_uri, render
from mien.labels import colour
from mien.moments.charts import build_chart
from mien.moments.events import GAP, SHORTEST, Event
from mien.moments.record import Record
from mien.moments.timeline import DOUBT, Person
from mien.moments.words import clock, percent, span
from mien.words import looks

#: People with a timeline of their own, at most; the others are in the table.
PEOPLE = 12

#: Rows of the table of people, at most.
_ROWS = 200


@dataclass(frozen=True)
class Making:
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


def page(record: Record, making: Making, pictures: Mapping[Event, bytes] | None = None) -> str:
    """The page; ``pictures`` are JPEG files of the peaks of events."""
    timeline = record.timeline
    people = sorted(timeline.by_presence()[:PEOPLE], key=lambda person: person.number)
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
        start={"seconds": f"{timeline.start:.3f}", "clock": clock(timeline.start)},
        end={"seconds": f"{timeline.end:.3f}", "clock": clock(timeline.end)},
        others=_others(record),
        rows=[_row_values(person, record.events) for person in timeline.by_presence()[:_ROWS]],
        reasons=list(_reason_rows(record)),
        methods=_methods(making),
    )


def _facts(record: Record, making: Making) -> str:
    width, height = record.size
    duration = span(record.timeline.end - record.timeline.start)
    frames = f"{record.frames:,} frames analysed"
    return " · ".join([duration, f"{width} × {height}", frames, f"{making.detector} and {making.model}"])


def _tiles(record: Record) -> list[tuple[str, str, str]]:
    people = record.timeline.people.values()
    visible, judged = sum(person.seen for person in people), sum(person.judged for person in people)
    uncertain = sum(person.doubted for person in people)
    expressions = sum(event.label != "neutral" for event in record.events)
    part = percent(judged / visible) if visible else "–"
    certain = percent(1 - uncertain / judged) if judged else "–"
    return [
        ("people", f"{len(people):,}", "numbered for the length of a shot"),
        ("events", f"{expressions:,}", "expressions that lasted, besides neutral"),
        ("could be judged", part, f"of {span(visible)} with a face"),
        ("stood out", certain, "of the judged time one expression led"),
    ]


def _person_values(person: Person, record: Record, making: Making, pictures: Mapping[Event, bytes]) -> dict[str, Any]:
    events = [event for event in record.events if event.person == person.number]
    peaks = sorted((event for event in events if event in pictures), key=lambda event: event.start)
    return {
        "number": person.number,
        "summary": _summary(person),
        "chart": build_chart(person, record.timeline, events, making.labels),
        "peaks": [
            {
                "label": event.label,
                "text": f"{looks(event.label)} {percent(event.peak)}",
                "seconds": f"{event.peak_at:.3f}",
                "clock": clock(event.peak_at),
                "image": data_uri(pictures[event], "image/jpeg"),
            }
            for event in peaks
        ],
    }


def _summary(person: Person) -> str:
    visible = f"visible for {span(person.seen)}, from {clock(person.first)} to {clock(person.last)}"
    if not person.judged:
        return f"{visible}; never clear enough to be judged"
    parts = [f"{looks(label)} {percent(part)}" for label, part in person.leading()[:3] if part >= 0.01]
    return f"{visible}; of the judged time: {', '.join(parts)}" if parts else f"{visible}; no expression stood out"


def _others(record: Record) -> str:
    """A sentence about the people without a timeline; empty where there are none."""
    others = record.timeline.by_presence()[PEOPLE:]
    if not others:
        return ""
    return f"{len(others):,} more, visible for {span(others[0].seen)} at most, are in the numbers below."


def _row_values(person: Person, events: Sequence[Event]) -> dict[str, Any]:
    own = [event for event in events if event.person == person.number and event.label != "neutral"]
    highest = max(own, key=lambda event: event.peak, default=None)
    mostly = person.leading()[:1]
    return {
        "number": person.number,
        "visible": span(person.seen),
        "judged": percent(person.judged / person.seen) if person.seen else "–",
        "mostly": {"label": mostly[0][0], "percent": percent(mostly[0][1])} if mostly else None,
        "events": f"{len(own):,}",
        "highest": {"label": highest.label, "percent": percent(highest.peak)} if highest else None,
        "uncertain": percent(person.doubted / person.judged) if person.judged else "–",
    }


def _reason_rows(record: Record) -> Iterator[dict[str, Any]]:
    """Why faces could not be judged, with the time of each reason; empty where every face could be."""
    visible = sum(person.seen for person in record.timeline.people.values())
    uncertain = sum(person.doubted for person in record.timeline.people.values())
    reasons = record.timeline.unjudged | ({DOUBT: uncertain} if uncertain else {})
    if visible:
        for reason, seconds in reasons.items():
            part = seconds / visible
            yield {"reason": reason, "part": part, "percent": percent(part), "duration": span(seconds)}


def _methods(making: Making) -> dict[str, str]:
    methods = {
        "analysis": f"Faces were detected by {making.detector} and classified by the model {making.model}, "
        f"{making.chosen}. Probabilities say what the expression looks like to a model trained on images that people "
        "had labelled; they are not what a person feels.",
        "people": "A person is a number that follows a face through a shot, by its position. Nobody is recognised, and "
        "a person who leaves and comes back may get another number. No person is identified or stored.",
        "smoothing": "Probabilities are the mean since the last change; a change is shown within 0.2 s.",
        "events": f"An expression that stands out for {SHORTEST:g} s or longer; up to {GAP:g} s without a face do not "
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


def _script_data(record: Record, making: Making) -> str:
    """JSON for the script: every person's steps with probabilities in percent, and events."""
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
