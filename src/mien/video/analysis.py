"""The analysis of one video: frames in, analysed frames out.

Four stages run at the same time, each in its own thread and a few frames ahead of the next: decoding, detection of
faces in whole frames, tracking and cropping, and classification of the faces of several frames in one run of the
model. A camera is analysed without threads, because its newest frame must not wait in a queue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from mien.concurrency import iterate_in_background, single_core_opencv
from mien.faces.detectors import Detector
from mien.results import AnalyzedFrame, Face, FrameResult, Pixels
from mien.video import Frame, FrameSelection, VideoReader
from mien.video.tracker import (
    DetectionResult,
    DetectionSchedule,
    FaceTracker,
    InterpolatingTracker,
    TrackedFaces,
    TrackingState,
)

Crops = TypeVar("Crops")
Item = TypeVar("Item")

#: Frames whose faces are classified in one run of the model.
BATCH_FRAMES = 8
#: Bytes of the frames that wait between two stages or in a batch, and the most frames that wait. A frame that is
#: larger waits alone.
QUEUE_BYTES, QUEUE_FRAMES = 32 << 20, 16


#: Seconds of the video between two states of the tracking that are saved.
STATE_SECONDS = 2.0


class TrackingStates:
    """The states of the tracking of one video, from which another process can continue with equal results.

    ``start`` is the state with which this analysis starts. :meth:`take` returns the state after a frame that the
    analysis has just returned.
    """

    def __init__(self, start: TrackingState | None = None) -> None:
        self.start = start
        self._states: dict[int, TrackingState] = {}

    def add(self, state: TrackingState) -> None:
        self._states[state.index] = state

    def take(self, index: int) -> TrackingState | None:
        return self._states.pop(index, None)


@dataclass(frozen=True, slots=True)
class AnalysisSteps(Generic[Crops]):
    """The parts of an engine: the detector, cropping the faces of a frame, and classifying the crops of frames."""

    detector: Detector
    crop: Callable[[str, Pixels, tuple[Face, ...]], Crops]
    classify: Callable[[Sequence[Crops]], Sequence[FrameResult]]


class _DetectedFrame(NamedTuple):
    frame: Frame
    detection: DetectionResult


@dataclass(frozen=True, slots=True)
class _TrackedFrame(Generic[Crops]):
    """``tracks`` are the track numbers of the faces in ``crops``; ``pixels`` is None unless frames are returned.

    A batch ends with a frame whose ``ends_batch`` is true, so that batches are the same when an analysis continues.
    """

    index: int
    seconds: float
    cut: bool
    tracks: tuple[int | None, ...]
    crops: Crops
    pixels: Pixels | None
    ends_batch: bool = False


def analyze(
    steps: AnalysisSteps[Crops],
    video: VideoReader,
    selection: FrameSelection,
    *,
    min_face: int | None = None,
    frames: bool = False,
    states: TrackingStates | None = None,
) -> Generator[AnalyzedFrame]:
    """The analysed frames of an open video. However this ends, the video is closed and all threads have ended.

    ``states`` receives the states of the tracking; the analysis starts after the frame of their ``start``.
    """
    live = video.info.live

    def stage(items: Generator[Item], depth: int, name: str) -> Generator[Item]:
        return items if live else iterate_in_background(items, depth, name)

    width, height = video.info.size
    depth = min(max(QUEUE_BYTES // max(width * height * 3, 1), 1), QUEUE_FRAMES)
    size = 1 if live else min(depth, BATCH_FRAMES) if frames else BATCH_FRAMES
    schedule = DetectionSchedule(steps.detector, min_face)
    if states and states.start:
        schedule.set_state(states.start.schedule)
        selection = replace(selection, start=states.start.seconds, after=states.start.index)
    with single_core_opencv if not live else nullcontext(), closing(video):
        decoded = stage(video.frames(selection), depth, "mien-decode")
        detected = stage(_detect(decoded, schedule), depth, "mien-detect")
        interpolate = not live and depth > 1
        tracks = _track(steps, detected, schedule, video.info.name, frames, interpolate, states)
        tracked = stage(tracks, depth, "mien-track")
        with closing(stage(_classify(steps, tracked, size), min(depth, 2), "mien-classify")) as batches:
            for batch in batches:
                yield from batch


def _detect(frames: Generator[Frame], schedule: DetectionSchedule) -> Generator[_DetectedFrame]:
    with closing(frames):
        for frame in frames:
            yield _DetectedFrame(frame, schedule.step(frame.pixels, frame.seconds))


def _track(
    steps: AnalysisSteps[Crops],
    detected: Generator[_DetectedFrame],
    schedule: DetectionSchedule,
    name: str,
    keep_pixels: bool,
    interpolate: bool,
    states: TrackingStates | None,
) -> Generator[_TrackedFrame[Crops]]:
    def crop(item: _DetectedFrame, faces: TrackedFaces, ends_batch: bool = False) -> _TrackedFrame[Crops]:
        frame, detection = item
        crops = steps.crop(name, frame.pixels, tuple(face for _, face in faces))
        tracks = tuple(number for number, _ in faces)
        pixels = frame.pixels if keep_pixels else None
        return _TrackedFrame(frame.index, frame.seconds, detection.cut, tracks, crops, pixels, ends_batch)

    # A live frame cannot wait for the next one, and a large frame should not.
    tracker: InterpolatingTracker[_DetectedFrame] = InterpolatingTracker(
        FaceTracker(steps.detector, schedule), None if interpolate else 0.0
    )
    last_state_seconds: float | None = None
    if states and states.start:
        tracker.set_state(states.start)
        last_state_seconds = states.start.seconds
    with closing(detected):
        for item in detected:
            frame, detection = item
            ready_frames = tracker.step(item, frame.pixels, frame.seconds, detection)
            last_state_seconds = frame.seconds if last_state_seconds is None else last_state_seconds
            state = None
            if states and detection.schedule and frame.seconds - last_state_seconds >= STATE_SECONDS:
                state = tracker.get_state(frame.index, detection.schedule)
            if states and state:
                states.add(state)
                last_state_seconds = frame.seconds
            for ready, faces in ready_frames:
                yield crop(ready, faces, state is not None and ready is item)
    for ready, faces in tracker.flush():
        yield crop(ready, faces)


def _classify(
    steps: AnalysisSteps[Crops], tracked: Generator[_TrackedFrame[Crops]], batch_size: int
) -> Generator[list[AnalyzedFrame]]:
    with closing(tracked):
        while batch := _next_batch(tracked, batch_size):
            results = steps.classify([frame.crops for frame in batch])
            frames = []
            for frame, result in zip(batch, results, strict=True):
                pairs = zip(result, frame.tracks, strict=True)
                numbered = replace(result, readings=tuple(replace(reading, track=track) for reading, track in pairs))
                frames.append(AnalyzedFrame(frame.index, frame.seconds, numbered, frame.cut, frame.pixels))
            yield frames


def _next_batch(tracked: Iterator[_TrackedFrame[Crops]], size: int) -> list[_TrackedFrame[Crops]]:
    batch: list[_TrackedFrame[Crops]] = []
    for frame in islice(tracked, size):
        batch.append(frame)
        if frame.ends_batch:
            break
    return batch
