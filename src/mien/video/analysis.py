"""A film read from beginning to end: frames in, moments out.

Four things happen at once, each in a thread of its own and a few frames ahead of the next: frames are decoded, some of
them searched for faces, people followed and cut out, and their expressions read, several frames in one run of the
model. A camera is read without threads: nothing is worth more there than the newest frame.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from mien.concurrency import one_core_each, staged
from mien.faces.detectors import Detector
from mien.results import AnalyzedFrame, Face, FrameResult, Pixels
from mien.video import Frame, FrameSelection, VideoReader
from mien.video.tracker import DetectionResult, DetectionSchedule, FaceTracker, InterpolatingTracker, TrackedFaces

Found = TypeVar("Found")
Item = TypeVar("Item")

#: Frames whose faces share a run of the model.
GROUP = 8
#: How much memory the frames that wait between two stages may take, and how many may wait at most.
WAITING_BYTES, WAITING = 32 << 20, 16


@dataclass(frozen=True, slots=True)
class AnalysisSteps(Generic[Found]):
    """What an engine lends to watch with: it finds, cuts out, and reads."""

    detector: Detector
    cut_out: Callable[[str, Pixels, tuple[Face, ...]], Found]
    read: Callable[[Sequence[Found]], Sequence[FrameResult]]


class _Sight(NamedTuple):
    frame: Frame
    searched: DetectionResult


@dataclass(frozen=True, slots=True)
class _Seen(Generic[Found]):
    """A frame whose faces are cut out and known by number; its pixels only where they are wanted."""

    index: int
    seconds: float
    cut: bool
    numbers: tuple[int | None, ...]
    found: Found
    pixels: Pixels | None


def watch(
    eyes: AnalysisSteps[Found], film: VideoReader, choice: FrameSelection, *, min_face: int | None = None, frames: bool = False
) -> Generator[AnalyzedFrame]:
    """The moments of an open film. However this ends, the film is closed and every thread gone when it has."""
    live = film.about.live
    run = _inline if live else staged
    searcher = DetectionSchedule(eyes.detector, min_face)
    with one_core_each if not live else nullcontext(), closing(film):
        waiting = _waiting(film)
        sights = run(_searched(run(film.frames(choice), waiting, "mien-decode"), searcher), waiting, "mien-search")
        seen = run(_followed(eyes, sights, searcher, film.about.name, frames, live), waiting, "mien-follow")
        with closing(run(_read(eyes, seen, 1 if live else GROUP), 2, "mien-read")) as groups:
            for group in groups:
                yield from group


def _searched(frames: Generator[Frame], searcher: DetectionSchedule) -> Generator[_Sight]:
    with closing(frames):
        for frame in frames:
            yield _Sight(frame, searcher.search(frame.pixels, frame.seconds))


def _followed(
    eyes: AnalysisSteps[Found], sights: Generator[_Sight], searcher: DetectionSchedule, name: str, keep: bool, live: bool
) -> Generator[_Seen[Found]]:
    follower = FaceTracker(eyes.detector, searcher)
    # What is live cannot wait for the next look.
    strides: InterpolatingTracker[_Sight] = InterpolatingTracker(follower, 0.0 if live else None)
    with closing(sights):
        for sight in sights:
            frame, searched = sight
            for known in strides.step(sight, frame.pixels, frame.seconds, searched):
                yield _seen(eyes, *known, name, keep)
    for known in strides.rest():
        yield _seen(eyes, *known, name, keep)


def _seen(eyes: AnalysisSteps[Found], sight: _Sight, people: TrackedFaces, name: str, keep: bool) -> _Seen[Found]:
    frame, searched = sight
    found = eyes.cut_out(name, frame.pixels, tuple(face for _, face in people))
    numbers = tuple(number for number, _ in people)
    return _Seen(frame.index, frame.seconds, searched.cut, numbers, found, frame.pixels if keep else None)


def _read(eyes: AnalysisSteps[Found], seen: Generator[_Seen[Found]], group: int) -> Generator[list[AnalyzedFrame]]:
    with closing(seen):
        for several in _several(seen, group):
            results = eyes.read([each.found for each in several])
            yield [_moment(each, result) for each, result in zip(several, results, strict=True)]


def _moment(seen: _Seen[Found], result: FrameResult) -> AnalyzedFrame:
    readings = tuple(replace(reading, track=number) for reading, number in zip(result, seen.numbers, strict=True))
    return AnalyzedFrame(seen.index, seen.seconds, replace(result, readings=readings), seen.cut, seen.pixels)


def _several(items: Iterator[Item], count: int) -> Iterator[list[Item]]:
    while several := list(islice(items, count)):
        yield several


def _inline(items: Generator[Item], depth: int, name: str) -> Generator[Item]:
    """No thread: the next stage takes one item after the other."""
    return items


def _waiting(film: VideoReader) -> int:
    width, height = film.about.size
    return min(max(WAITING_BYTES // max(width * height * 3, 1), 2), WAITING)
