"""Durations of frames, and events: which track showed which emotion, from when to when.

An event lasts while the smoothed emotion of a track is the same and not uncertain. A short gap, in which the face is
missing, unusable or uncertain, does not end it; what is shorter than the shortest event is no event.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

from mien.results import AnalyzedFrame, Reading

#: Seconds that the only frame of a video lasts.
_SINGLE_FRAME_SECONDS = 0.04

#: The shortest event, and the longest gap inside one, in seconds.
MIN_EVENT_SECONDS, MAX_GAP_SECONDS = 0.3, 0.5


class TimedFrame(NamedTuple):
    """A frame, and the time in seconds at which the next one is shown."""

    frame: AnalyzedFrame
    until: float

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.until - self.frame.seconds


class FrameTimer:
    """Adds durations to frames, one frame late."""

    def __init__(self) -> None:
        self._previous: AnalyzedFrame | None = None
        self._duration = _SINGLE_FRAME_SECONDS

    def step(self, frame: AnalyzedFrame) -> TimedFrame | None:
        """The frame before this one; None for the first."""
        previous, self._previous = self._previous, frame
        if previous is None:
            return None
        self._duration = max(frame.seconds - previous.seconds, 0.0)
        return TimedFrame(previous, previous.seconds + self._duration)

    def flush(self) -> TimedFrame | None:
        """The last frame, with the duration of the one before; None if there is none."""
        previous, self._previous = self._previous, None
        return None if previous is None else TimedFrame(previous, previous.seconds + self._duration)


def time_frames(frames: Iterable[AnalyzedFrame]) -> Iterator[TimedFrame]:
    """Each frame with its duration, as soon as the next one is there."""
    timer = FrameTimer()
    for frame in frames:
        if timed := timer.step(frame):
            yield timed
    if timed := timer.flush():
        yield timed


@dataclass(frozen=True, slots=True)
class Event:
    """An emotion of a track that lasted. Times are seconds of the video; ``peak`` is its highest score."""

    track: int
    emotion: str
    start: float
    end: float
    peak: float
    peak_at: float

    @property
    def seconds(self) -> float:
        """Its duration."""
        return self.end - self.start

    def __str__(self) -> str:
        return f"track {self.track}: {self.emotion} from {self.start:.1f} to {self.end:.1f} s, peak {self.peak:.2f}"

    def to_dict(self) -> dict[str, Any]:
        return {name: round(value, 4) if isinstance(value, float) else value for name, value in asdict(self).items()}


@dataclass(slots=True)
class _TrackEvents:
    """The open event of a track and, while that is too short to be an event, the one that it may interrupt."""

    current: Event
    interrupted: Event | None = None


class EventDetector:
    """Detects the events of one video while it is analysed. ``step`` and ``finish`` return the events that ended."""

    def __init__(self, min_seconds: float = MIN_EVENT_SECONDS, max_gap: float = MAX_GAP_SECONDS) -> None:
        self._min_seconds, self._max_gap = min_seconds, max_gap
        self._tracks: dict[int, _TrackEvents] = {}

    def step(self, timed: TimedFrame) -> tuple[Event, ...]:
        ended: list[Event] = []
        for reading in timed.frame:
            if reading.track is not None and is_clear(reading):
                emotion, score = reading.emotions.ranked()[0]
                start = timed.frame.seconds
                ended += self._extend(Event(reading.track, emotion, start, timed.until, score, start))
        expired = [number for number, track in self._tracks.items() if timed.until - track.current.end > self._max_gap]
        return (*ended, *(event for number in expired for event in self._close(number)))

    def finish(self) -> tuple[Event, ...]:
        """End all events, at the end of the video."""
        return tuple(event for number in sorted(self._tracks) for event in self._close(number))

    def current(self, track: int) -> Event | None:
        """The open event of a track until now; the same ``start`` means the same event."""
        events = self._tracks.get(track)
        return events.current if events else None

    def _extend(self, new: Event) -> Iterator[Event]:
        """Continue or replace the open event of a track with an event of one frame."""
        track = self._tracks.setdefault(new.track, _TrackEvents(new))
        if track.current.emotion == new.emotion:
            track.current = _join(track.current, new)
        elif self._is_long_enough(track.current):
            track.interrupted, track.current = track.current, new
        elif track.interrupted and track.interrupted.emotion == new.emotion:
            # The interruption was too short to be an event.
            track.current, track.interrupted = _join(track.interrupted, new), None
        else:
            track.current = new
        if track.interrupted and self._is_long_enough(track.current):
            yield track.interrupted
            track.interrupted = None

    def _close(self, number: int) -> Iterator[Event]:
        track = self._tracks.pop(number)
        return (event for event in (track.interrupted, track.current) if event and self._is_long_enough(event))

    def _is_long_enough(self, event: Event) -> bool:
        return event.seconds >= self._min_seconds - 1e-9


def is_clear(reading: Reading) -> bool:
    """Is the face usable and its emotion not uncertain?"""
    return reading.quality.ok and reading.emotions.uncertain is None


def _join(one: Event, next_event: Event) -> Event:
    higher = next_event if next_event.peak > one.peak else one
    return replace(one, end=next_event.end, peak=higher.peak, peak_at=higher.peak_at)
