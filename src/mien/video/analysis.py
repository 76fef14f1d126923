"""The analysis of one video: frames in, analysed frames out.

Four stages run at the same time, each in its own thread and a few frames ahead of the next: decoding, detection of
faces in whole frames, tracking and cropping, and classification of the faces of several frames in one run of the
model. A camera is analysed without threads, because its newest frame must not wait in a queue.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import islice
from typing import Generic, NamedTuple, TypeVar

from mien.concurrency import iterate_in_background, single_core_opencv
from mien.faces.detectors import Detector
from mien.results import AnalyzedFrame, Face, FrameResult, Pixels
from mien.video import Frame, FrameSelection, VideoReader
from mien.video.tracker import DetectionResult, DetectionSchedule, FaceTracker, InterpolatingTracker, TrackedFaces

Crops = TypeVar("Crops")
Item = TypeVar("Item")

#: Frames whose faces are classified in one run of the model.
BATCH_FRAMES = 8
#: Bytes of the frames that wait between two stages or in a batch, and the most frames that wait. A frame that is
#: larger waits alone.
QUEUE_BYTES, QUEUE_FRAMES = 32 << 20, 16


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
    """``tracks`` are the track numbers of the faces in ``crops``; ``pixels`` is None unless frames are returned."""

    index: int
    seconds: float
    cut: bool
    tracks: tuple[int | None, ...]
    crops: Crops
    pixels: Pixels | None


def analyze(
    steps: AnalysisSteps[Crops],
    video: VideoReader,
    selection: FrameSelection,
    *,
    min_face: int | None = None,
    frames: bool = False,
) -> Generator[AnalyzedFrame]:
    """The analysed frames of an open video. However this ends, the video is closed and all threads have ended."""
    live = video.info.live

    def stage(items: Generator[Item], depth: int, name: str) -> Generator[Item]:
        return items if live else iterate_in_background(items, depth, name)

    width, height = video.info.size
    depth = min(max(QUEUE_BYTES // max(width * height * 3, 1), 1), QUEUE_FRAMES)
    size = 1 if live else min(depth, BATCH_FRAMES) if frames else BATCH_FRAMES
    schedule = DetectionSchedule(steps.detector, min_face)
    with single_core_opencv if not live else nullcontext(), closing(video):
        decoded = stage(video.frames(selection), depth, "mien-decode")
        detected = stage(_detect(decoded, schedule), depth, "mien-detect")
        interpolate = not live and depth > 1
        tracks = _track(steps, detected, schedule, video.info.name, frames, interpolate)
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
) -> Generator[_TrackedFrame[Crops]]:
    def crop(item: _DetectedFrame, faces: TrackedFaces) -> _TrackedFrame[Crops]:
        frame, detection = item
        crops = steps.crop(name, frame.pixels, tuple(face for _, face in faces))
        tracks = tuple(number for number, _ in faces)
        pixels = frame.pixels if keep_pixels else None
        return _TrackedFrame(frame.index, frame.seconds, detection.cut, tracks, crops, pixels)

    # A live frame cannot wait for the next one, and a large frame should not.
    tracker: InterpolatingTracker[_DetectedFrame] = InterpolatingTracker(
        FaceTracker(steps.detector, schedule), None if interpolate else 0.0
    )
    with closing(detected):
        for item in detected:
            frame, detection = item
            for ready, faces in tracker.step(item, frame.pixels, frame.seconds, detection):
                yield crop(ready, faces)
    for ready, faces in tracker.flush():
        yield crop(ready, faces)


def _classify(
    steps: AnalysisSteps[Crops], tracked: Generator[_TrackedFrame[Crops]], batch_size: int
) -> Generator[list[AnalyzedFrame]]:
    with closing(tracked):
        while batch := list(islice(tracked, batch_size)):
            results = steps.classify([frame.crops for frame in batch])
            frames = []
            for frame, result in zip(batch, results, strict=True):
                pairs = zip(result, frame.tracks, strict=True)
                numbered = replace(result, readings=tuple(replace(reading, track=track) for reading, track in pairs))
                frames.append(AnalyzedFrame(frame.index, frame.seconds, numbered, frame.cut, frame.pixels))
            yield frames
