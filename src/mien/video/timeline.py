"""The summary of a video: its events, and for each track its durations and its mean scores over time.

The size of a summary does not grow with the length of the video: time is divided into steps, and when there are too
many steps, two are merged into one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from mien.results import AnalyzedFrame, Reading
from mien.text import describe_label, format_count, format_duration, format_percent, format_time
from mien.video.baseline import Baseline
from mien.video.events import Event, EventDetector, FrameTimer, TimedFrame
from mien.video.smoothing import DecisionRule, ScoreArray, Smoother, score_array

#: The most steps of a timeline, and the seconds of a step at first.
MAX_STEPS, MIN_STEP_SECONDS = 480, 0.1

#: The most events in the summary as a dict; the table of events has all.
MAX_EVENTS = 400

#: The reason of time with a usable face whose emotion is uncertain, beside the reasons of unusable faces.
UNCERTAIN_REASON = "no expression stands out"


@dataclass(frozen=True, slots=True)
class TimelineStep:
    """A step of a track: mean ``scores`` of the usable faces, empty without any.

    ``judged`` and ``visible`` are parts of the step, 0 to 1: with a usable face, and with any face.
    """

    start: float
    end: float
    scores: tuple[float, ...]
    judged: float
    visible: float


@dataclass
class TrackSummary:
    """One track. ``first`` and ``last`` are times in seconds, the others durations in seconds.

    ``judged_seconds`` had a usable face, ``uncertain_seconds`` of them no leading emotion; ``emotion_seconds`` by
    emotion; ``unjudged_seconds`` by the reason why the face was not usable.
    """

    number: int
    first: float
    last: float
    visible_seconds: float = 0.0
    judged_seconds: float = 0.0
    uncertain_seconds: float = 0.0
    emotion_seconds: dict[str, float] = field(default_factory=dict)
    unjudged_seconds: dict[str, float] = field(default_factory=dict)
    score_sum: ScoreArray = field(default_factory=lambda: np.zeros(0))

    def mean_scores(self) -> ScoreArray:
        """The mean scores over the judged time; empty without any."""
        return self.score_sum / self.judged_seconds if self.judged_seconds else self.score_sum

    def emotions(self) -> dict[str, float]:
        """The part of the judged time, 0 to 1, in which each emotion led; longest first."""
        if not self.judged_seconds:
            return {}
        emotions = sorted(self.emotion_seconds.items(), key=lambda item: -item[1])
        return {emotion: seconds / self.judged_seconds for emotion, seconds in emotions}

    def describe(self) -> str:
        """``visible for 12 s from 0.0 s, judged 96 %, looks happy 61 %, looks neutral 30 %, uncertain 4 %``, or why
        the face could not be judged. All apps show this text.
        """
        parts = [f"visible for {format_duration(self.visible_seconds)} from {format_time(self.first)}"]
        if not self.judged_seconds:
            reason = max(self.unjudged_seconds, key=lambda reason: self.unjudged_seconds[reason], default="")
            return ", ".join([*parts, "could not be judged" + (f": {reason}" if reason else "")])
        parts.append(f"judged {format_percent(self.judged_seconds / max(self.visible_seconds, self.judged_seconds))}")
        emotions = [
            f"{describe_label(emotion)} {format_percent(part)}"
            for emotion, part in list(self.emotions().items())[:3]
            if part >= 0.01
        ]
        parts += emotions or ["no expression stood out"]
        if emotions and self.uncertain_seconds > 0.01 * self.judged_seconds:
            parts.append(f"uncertain {format_percent(self.uncertain_seconds / self.judged_seconds)}")
        return ", ".join(parts)

    def to_dict(self) -> dict[str, Any]:
        seconds = ("first", "last", "visible_seconds", "judged_seconds", "uncertain_seconds")
        return {
            "track": self.number,
            **{name: round(getattr(self, name), 3) for name in seconds},
            "emotions": {emotion: round(part, 4) for emotion, part in self.emotions().items()},
            "unjudged_seconds": {reason: round(seconds, 3) for reason, seconds in self.unjudged_seconds.items()},
            "description": self.describe(),
        }


class VideoTimeline:
    """The tracks of a video and the steps of each; ``start`` and ``end`` are times in seconds."""

    def __init__(self) -> None:
        self.tracks: dict[int, TrackSummary] = {}
        self.end = 0.0
        self._first_seconds: float | None = None
        self._step_seconds = MIN_STEP_SECONDS
        #: Track -> index of a step -> sums over time of the scores, and seconds with a usable and with any face.
        self._sums: dict[int, dict[int, ScoreArray]] = {}

    @property
    def start(self) -> float:
        return self._first_seconds or 0.0

    def add(self, timed: TimedFrame) -> None:
        if self._first_seconds is None:
            self._first_seconds = timed.frame.seconds
        self.end = max(self.end, timed.until)
        while (self.end - self.start) / self._step_seconds > MAX_STEPS:
            self._merge_steps()
        for reading in timed.frame:
            if reading.track is not None:
                self._add_reading(reading, reading.track, timed)

    def steps(self, track: int) -> Iterator[TimelineStep]:
        """The steps of a track in order; there are none for times without its face."""
        for index, sums in sorted(self._sums.get(track, {}).items()):
            *scores, judged, visible = map(float, sums)
            start = self.start + index * self._step_seconds
            mean = tuple(score / judged for score in scores) if judged else ()
            end = start + self._step_seconds
            yield TimelineStep(start, end, mean, judged / self._step_seconds, visible / self._step_seconds)

    def unjudged_seconds(self) -> dict[str, float]:
        """Seconds of unusable faces of all tracks by reason, longest first."""
        reasons: dict[str, float] = {}
        for track in self.tracks.values():
            for reason, seconds in track.unjudged_seconds.items():
                reasons[reason] = reasons.get(reason, 0.0) + seconds
        return dict(sorted(reasons.items(), key=lambda item: -item[1]))

    def tracks_by_duration(self) -> list[TrackSummary]:
        """Tracks by visible time, longest first; equal to a tenth of a second, by number."""
        return sorted(self.tracks.values(), key=lambda track: (-round(track.visible_seconds, 1), track.number))

    def tracks_by_number(self) -> list[TrackSummary]:
        return sorted(self.tracks.values(), key=lambda track: track.number)

    def _add_reading(self, reading: Reading, number: int, timed: TimedFrame) -> None:
        start, duration = timed.frame.seconds, timed.seconds
        track = self.tracks.setdefault(number, TrackSummary(number, start, start))
        track.last, track.visible_seconds = timed.until, track.visible_seconds + duration
        scores = score_array(reading.emotions.scores)
        if not reading.quality.ok:
            reason = reason_category(reading.quality.reason)
            track.unjudged_seconds[reason] = track.unjudged_seconds.get(reason, 0.0) + duration
        else:
            track.judged_seconds += duration
            track.score_sum = track.score_sum + scores * duration if len(track.score_sum) else scores * duration
            if reading.emotions.uncertain:
                track.uncertain_seconds += duration
            else:
                emotion = reading.emotions.top
                track.emotion_seconds[emotion] = track.emotion_seconds.get(emotion, 0.0) + duration
        self._add_to_steps(number, scores, reading.quality.ok, start, timed.until)

    def _add_to_steps(self, number: int, scores: ScoreArray, judged: bool, start: float, until: float) -> None:
        """A long frame is divided among the steps that it overlaps."""
        sums = self._sums.setdefault(number, {})
        first, last = (int((seconds - self.start) / self._step_seconds + 1e-9) for seconds in (start, until))
        for index in range(first, last + 1):
            step_start = self.start + index * self._step_seconds
            overlap = min(until, step_start + self._step_seconds) - max(start, step_start)
            if overlap > 1e-9:
                new = np.append(scores * overlap, (overlap, overlap)) if judged else np.append(scores * 0, (0, overlap))
                sums[index] = sums[index] + new if index in sums else new

    def _merge_steps(self) -> None:
        """Double the length of steps."""
        self._step_seconds *= 2
        for number, sums in self._sums.items():
            merged: dict[int, ScoreArray] = {}
            for index, values in sums.items():
                merged[index // 2] = merged[index // 2] + values if index // 2 in merged else values
            self._sums[number] = merged


def reason_category(reason: str | None) -> str:
    """A reason without its numbers, so that times with the same reason can be added."""
    return re.sub(r"only \d+ pixels wide", "too small", reason or "the face is not clear")


class SmoothedFrame(NamedTuple):
    """A frame after smoothing, the same frame before (``raw``), when it ends, and the events that ended with it."""

    frame: AnalyzedFrame
    raw: AnalyzedFrame
    until: float
    events: tuple[Event, ...]


class VideoSummary:
    """The summary of one video, complete when :meth:`process` has returned all frames and after :meth:`finish`.

    It has no pixels, and its size depends on the tracks and events of the video, not on its length.
    """

    def __init__(self, decide: DecisionRule, baseline: Baseline | None = None) -> None:
        """``decide`` is the decision rule of the model's card; to ``baseline`` all frames have been added before."""
        self.timeline = VideoTimeline()
        self.events: list[Event] = []
        #: The events that ended with the end of the video.
        self.final_events: tuple[Event, ...] = ()
        self.frames = 0
        self.size = (0, 0)
        self._decide, self._baseline = decide, baseline
        self._event_detector, self._timer, self._smoother = EventDetector(), FrameTimer(), Smoother(decide)

    def process(self, frames: Iterable[AnalyzedFrame]) -> Iterator[SmoothedFrame]:
        """Add frames; returns each when its duration is known, one frame late."""
        for frame in frames:
            if timed := self._timer.step(frame):
                yield self._add(timed)
        yield from self.flush()

    def flush(self) -> Iterator[SmoothedFrame]:
        """The last frame, if :meth:`process` was stopped before its end."""
        if timed := self._timer.flush():
            yield self._add(timed)

    def describe(self) -> str:
        """``9.2 s, 92 frames, 17 tracks (5 could not be judged), 6 events``. All apps show this text."""
        tracks = self.timeline.tracks.values()
        unjudged = sum(not track.judged_seconds for track in tracks)
        parts = [format_duration(self.timeline.end - self.timeline.start), format_count(self.frames, "frame")]
        if not tracks:
            return ", ".join([*parts, "no face found"])
        remark = "" if not unjudged else f" ({unjudged:,} could not be judged)"
        return ", ".join([*parts, format_count(len(tracks), "track") + remark, format_count(len(self.events), "event")])

    def to_dict(self) -> dict[str, Any]:
        """The longest visible track first, and the first ``MAX_EVENTS`` events."""
        return {
            "start": round(self.timeline.start, 3),
            "end": round(self.timeline.end, 3),
            "description": self.describe(),
            "tracks": [track.to_dict() for track in self.timeline.tracks_by_duration()],
            "events": [event.to_dict() for event in self.events[:MAX_EVENTS]],
        }

    def finish(self) -> tuple[Event, ...]:
        """End the open events, which are returned, at the end of the video. A second call changes nothing."""
        ended = self._event_detector.finish()
        self.final_events += ended
        self.events.extend(ended)
        self.events.sort(key=lambda event: (event.start, event.track))
        return ended

    def current_event(self, track: int) -> Event | None:
        """The open event of a track until now."""
        return self._event_detector.current(track)

    def _add(self, raw: TimedFrame) -> SmoothedFrame:
        relative = self._baseline.apply(raw.frame, self._decide) if self._baseline else raw.frame
        timed = TimedFrame(self._smoother.step(relative), raw.until)
        self.frames += 1
        self.size = timed.frame.result.size
        self.timeline.add(timed)
        events = self._event_detector.step(timed)
        self.events.extend(events)
        return SmoothedFrame(timed.frame, raw.frame, timed.until, events)
