"""Resumable analysis: a journal of the analysed frames, from which an interrupted analysis continues.

The journal is a file beside the outputs with one line for each frame; it is deleted when the analysis is complete.
Times and scores are written with all their digits, so frames read from a journal equal those that were written.

Every two seconds of the video a line has the state of the tracking too: positions, velocities and appearances of the
tracks and a thumbnail of the last frame. The analysis continues after the last state, and its results equal those of an
analysis that was not interrupted. The frames after it are analysed again.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mien import video
from mien.errors import MienError, OutputError
from mien.models import ModelCard
from mien.models.decision import assumed_prior, build_emotions
from mien.results import AnalyzedFrame, Box, Face, FrameResult, Point, Quality, Reading
from mien.video import FrameSelection, VideoSource
from mien.video.analysis import TrackingStates
from mien.video.smoothing import DecisionRule
from mien.video.tracker import Appearance, ScheduleState, Track, TrackingState

_KIND, _VERSION = "mien journal", 2


#: The fields of a track that are numbers.
_TRACK_VALUES = ("last_seconds", "size", "confidence_sum", "appearance_seconds", "number", "velocity")


class VideoAnalyzer(Protocol):
    """What analyses videos; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def detector(self) -> str: ...

    def analyze_video(
        self,
        source: VideoSource,
        *,
        every: int | None = 1,
        fps: float | None = None,
        start: float | None = None,
        end: float | None = None,
        min_face: int | None = None,
        frames: bool = False,
        states: TrackingStates | None = None,
    ) -> Generator[AnalyzedFrame]: ...


@dataclass(frozen=True)
class JournalHeader:
    """What was analysed and how: an analysis can only continue with the same. ``length`` is the file's in bytes."""

    source: str
    length: int | None
    detector: str
    model: str
    labels: tuple[str, ...]
    vote_labels: tuple[str, ...]
    every: int | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    min_face: int | None = None
    prior: str = "training"

    def differences(self, other: JournalHeader) -> list[str]:
        """The names of the fields with different values."""
        return [each.name for each in fields(self) if getattr(self, each.name) != getattr(other, each.name)]


@dataclass(frozen=True)
class AnalysisOptions:
    """A video and the selection of its frames; times in seconds."""

    source: str
    every: int | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    min_face: int | None = None

    def arguments(self) -> dict[str, Any]:
        """The keyword arguments of :meth:`VideoAnalyzer.analyze_video`."""
        return {"every": self.every, "fps": self.fps, "start": self.start, "end": self.end, "min_face": self.min_face}

    def frame_selection(self) -> FrameSelection:
        return FrameSelection(self.every or 1, self.fps, self.start or 0.0, inf if self.end is None else self.end)

    def describe_selection(self) -> str:
        """``one of 2 frames from 1 s until 3 s``, for reports."""
        frames = f"one of {self.every} frames" if self.every and self.every > 1 else "every frame"
        frames = f"{self.fps:g} frames a second at most" if self.fps else frames
        start = f" from {self.start:g} s" if self.start else ""
        end = f" until {self.end:g} s" if self.end is not None else ""
        return frames + start + end

    def journal_header(self, engine: VideoAnalyzer) -> JournalHeader:
        card = engine.card
        path = Path(self.source)
        length = path.stat().st_size if path.is_file() else None
        labels, vote_labels = tuple(card.labels), tuple(card.vote_labels)
        return JournalHeader(
            self.source,
            length,
            engine.detector,
            card.name,
            labels,
            vote_labels,
            prior=assumed_prior(card),
            **self.arguments(),
        )


class Journal:
    """A journal being written. Each line is flushed, so that only the last one can be incomplete."""

    def __init__(self, path: Path, header: JournalHeader) -> None:
        """Start a journal; an existing file is overwritten."""
        self.path = path
        try:
            self._stream = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise _write_error(path, error) from error
        self._write_line({"kind": _KIND, "version": _VERSION, "run": asdict(header)})

    @classmethod
    def reopen(cls, path: Path, length: int) -> Journal:
        """Continue a journal after its first ``length`` bytes; the rest is removed."""
        journal = cls.__new__(cls)
        journal.path = path
        try:
            journal._stream = path.open("r+", encoding="utf-8", newline="\n")
            journal._stream.truncate(length)
            journal._stream.seek(0, 2)
        except OSError as error:
            raise _write_error(path, error) from error
        return journal

    def add(self, frame: AnalyzedFrame) -> None:
        faces = [_pack_reading(reading) for reading in frame]
        self._write_line([frame.index, frame.seconds, frame.cut, frame.result.size, faces])

    def add_state(self, state: TrackingState) -> None:
        """The state of the tracking after the last frame."""
        self._write_line(_pack_state(state))

    def close(self) -> None:
        self._stream.close()

    def _write_line(self, value: Any) -> None:
        try:
            # In ASCII: the name of a video may have characters that UTF-8 cannot encode.
            self._stream.write(json.dumps(value, separators=(",", ":")) + "\n")
            self._stream.flush()
        except OSError as error:
            raise _write_error(self.path, error) from error


def read_header(path: Path) -> JournalHeader | None:
    """The header of a journal; None for another file, or a journal of another version."""
    try:
        with path.open(encoding="utf-8") as lines:
            header = json.loads(next(lines, ""))
        values: dict[str, Any] = header["run"] if (header["kind"], header["version"]) == (_KIND, _VERSION) else {}
        values_by_name: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
        return JournalHeader(**values_by_name)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_frames(path: Path, decide: DecisionRule) -> Generator[AnalyzedFrame]:
    """The frames in a journal, without their pixels; an incomplete last line is left out."""
    header = read_header(path)
    assert header is not None, "callers check the header"
    with path.open("rb") as lines:
        next(lines)
        for line in lines:
            if line.endswith(b"\n"):
                values = json.loads(line)
                if isinstance(values, dict):
                    continue
                index, seconds, cut, size, faces = values
                readings = tuple(_unpack_reading(face, decide) for face in faces)
                result = FrameResult(header.source, tuple(size), readings, header.detector, header.model)
                yield AnalyzedFrame(index, seconds, result, cut)


def read_last_state(path: Path) -> tuple[TrackingState, int] | None:
    """The last state of the tracking in a journal, and the length in bytes of the journal up to it."""
    last, position, length = b"", 0, 0
    with path.open("rb") as lines:
        position = len(next(lines))
        for line in lines:
            position += len(line)
            if line.startswith(b"{") and line.endswith(b"\n"):
                last, length = line, position
    return (_unpack_state(json.loads(last)), length) if last else None


def _pack_reading(reading: Reading) -> list[Any]:
    face, emotions, quality = reading.face, reading.emotions, reading.quality
    return [
        reading.track,
        *_pack_face(face),
        None if quality.ok else quality.reason or "",
        [each.score for each in emotions.scores],
        None if emotions.votes is None else [each.score for each in emotions.votes],
    ]


def _unpack_reading(values: list[Any], decide: DecisionRule) -> Reading:
    track, *face, reason, scores, votes = values
    quality = Quality() if reason is None else Quality(False, reason or None)
    return Reading(_unpack_face(face), decide(scores, votes, 0.0), quality, track)


def _pack_face(face: Face) -> list[Any]:
    return [face.box, face.detection, face.landmarks]


def _unpack_face(values: list[Any]) -> Face:
    box, detection, points = values
    return Face(Box(*box), detection, None if points is None else tuple(Point(*point) for point in points))


def _pack_array(array: NDArray[np.float32] | None) -> list[Any] | None:
    return None if array is None else [array.shape, b64encode(array.astype("<f4").tobytes()).decode("ascii")]


def _unpack_array(values: list[Any]) -> NDArray[np.float32]:
    shape, data = values
    return np.frombuffer(b64decode(data), "<f4").astype(np.float32).reshape(shape)


def _pack_state(state: TrackingState) -> dict[str, Any]:
    return {
        "index": state.index,
        "seconds": state.seconds,
        "detection_seconds": state.schedule.detection_seconds,
        "thumbnail": _pack_array(state.schedule.thumbnail),
        "shape": state.schedule.shape,
        "faces": [[number, *_pack_face(face)] for number, face in state.faces],
        "missed": state.missed,
        "last_number": state.last_number,
        "tracks": [
            {
                **{name: getattr(track, name) for name in _TRACK_VALUES},
                "face": _pack_face(track.face),
                "appearance": [_pack_array(array) for array in track.appearance],
            }
            for track in state.tracks
        ],
    }


def _unpack_state(values: dict[str, Any]) -> TrackingState:
    thumbnail = None if values["thumbnail"] is None else _unpack_array(values["thumbnail"])
    tracks = tuple(
        Track(
            **{name: each[name] for name in _TRACK_VALUES if name != "velocity"},
            face=_unpack_face(each["face"]),
            appearance=Appearance(*map(_unpack_array, each["appearance"])),
            velocity=(each["velocity"][0], each["velocity"][1]),
        )
        for each in values["tracks"]
    )
    schedule = ScheduleState(values["detection_seconds"], thumbnail, tuple(values["shape"]))
    faces = tuple((number, _unpack_face(face)) for number, *face in values["faces"])
    return TrackingState(
        values["index"], values["seconds"], schedule, faces, values["missed"], tracks, values["last_number"]
    )


def _write_error(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The journal '{path}' could not be written: {error.strerror or error}",
        "It is written beside the outputs, so that an interrupted analysis can continue",
        "Write to a writable folder with enough free space",
    )


class ResumableAnalysis:
    """The analysis of one video, with a journal.

    :meth:`frames` analyses the video; with ``resume`` it returns the frames in the journal first. :meth:`replay`
    returns all frames again without detecting faces. Both add the pixels on request.
    """

    def __init__(self, engine: VideoAnalyzer, options: AnalysisOptions, journal: Path, *, resume: bool = False) -> None:
        self.decide: DecisionRule = partial(build_emotions, engine.card)
        self._engine, self._options, self.journal = engine, options, journal
        #: Why the video could be read only in part; complete after :meth:`frames`.
        self.damage: str | None = None
        self._resume = resume and journal.exists()
        if self._resume:
            self._check_header()

    def frames(self, pixels: bool) -> Generator[AnalyzedFrame]:
        saved = read_last_state(self.journal) if self._resume else None
        if saved is None:
            journal = Journal(self.journal, self._options.journal_header(self._engine))
            yield from self._analyze(journal, pixels, TrackingStates())
            return
        state, length = saved
        journal = Journal.reopen(self.journal, length)
        yield from self.replay(pixels)
        yield from self._analyze(journal, pixels, TrackingStates(state))

    def replay(self, pixels: bool) -> Generator[AnalyzedFrame]:
        """All frames in the journal."""
        frames = read_frames(self.journal, self.decide)
        return self._add_pixels(frames) if pixels else frames

    def delete_journal(self) -> None:
        """Call it when the outputs are complete."""
        self.journal.unlink(missing_ok=True)

    def _analyze(self, journal: Journal, pixels: bool, states: TrackingStates) -> Generator[AnalyzedFrame]:
        reader = video.open_video(self._options.source)
        arguments = self._options.arguments()
        with (
            closing(journal),
            closing(self._engine.analyze_video(reader, frames=pixels, states=states, **arguments)) as frames,
        ):
            for frame in frames:
                journal.add(frame)
                if state := states.take(frame.index):
                    journal.add_state(state)
                yield frame
        self.damage = reader.damage

    def _add_pixels(self, frames: Iterator[AnalyzedFrame]) -> Generator[AnalyzedFrame]:
        with closing(video.open_video(self._options.source)) as reader:
            for frame, pixels in zip(frames, reader.frames(self._options.frame_selection()), strict=False):
                if frame.index != pixels.index:
                    raise self._header_error(["source"])
                yield replace(frame, pixels=pixels.pixels)

    def _check_header(self) -> None:
        header = read_header(self.journal)
        if header is None:
            raise MienError(
                f"'{self.journal}' is not a journal that this version of mien can continue",
                "A journal is written beside the outputs while a video is analysed",
                "Leave out --resume to start again",
            )
        if differences := header.differences(self._options.journal_header(self._engine)):
            raise self._header_error(differences)

    def _header_error(self, names: list[str]) -> MienError:
        words = {"length": "file", "source": "video", "vote_labels": "model", "labels": "model"}
        different = ", ".join(dict.fromkeys(words.get(name, name.replace("_", "-")) for name in names))
        return MienError(
            f"The analysis cannot be resumed: it was started with a different {different}",
            "The same video and the same options as in the interrupted run were expected",
            "Give the same options as before, or leave out --resume to start again",
        )
