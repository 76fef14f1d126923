"""Resumable analysis: a journal of the analysed frames, from which an interrupted analysis continues.

The journal is a file beside the outputs with one line for each frame; it is deleted when the analysis is complete.
Times and scores are written with all their digits, so frames read from a journal equal those that were written.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from math import inf
from pathlib import Path
from typing import Any, Protocol

from mien import video
from mien.errors import MienError, OutputError
from mien.models import ModelCard
from mien.models.decision import assumed_prior, build_emotions
from mien.results import AnalyzedFrame, Box, Face, FrameResult, Point, Quality, Reading
from mien.video import FrameSelection, VideoSource
from mien.video.smoothing import DecisionRule

_KIND, _VERSION = "mien journal", 1

#: Seconds before the interruption that are analysed again, to match the new track numbers with the old ones.
OVERLAP_SECONDS = 3.0

#: Intersection over union above which two boxes in the same frame are the same face.
_SAME_FACE = 0.5


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
    def reopen(cls, path: Path) -> Journal:
        """Continue a journal after its last complete line."""
        journal = cls.__new__(cls)
        journal.path = path
        try:
            with path.open("rb") as lines:
                complete_bytes = sum(len(line) for line in lines if line.endswith(b"\n"))
            journal._stream = path.open("r+", encoding="utf-8", newline="\n")
            journal._stream.truncate(complete_bytes)
            journal._stream.seek(0, 2)
        except OSError as error:
            raise _write_error(path, error) from error
        return journal

    def add(self, frame: AnalyzedFrame) -> None:
        faces = [_pack_reading(reading) for reading in frame]
        self._write_line([frame.index, frame.seconds, frame.cut, frame.result.size, faces])

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
                index, seconds, cut, size, faces = json.loads(line)
                readings = tuple(_unpack_reading(face, decide) for face in faces)
                result = FrameResult(header.source, tuple(size), readings, header.detector, header.model)
                yield AnalyzedFrame(index, seconds, result, cut)


def _pack_reading(reading: Reading) -> list[Any]:
    face, emotions, quality = reading.face, reading.emotions, reading.quality
    return [
        reading.track,
        *(face.box, face.detection, face.landmarks),
        None if quality.ok else quality.reason or "",
        [each.score for each in emotions.scores],
        None if emotions.votes is None else [each.score for each in emotions.votes],
    ]


def _unpack_reading(values: list[Any], decide: DecisionRule) -> Reading:
    track, box, detection, points, reason, scores, votes = values
    landmarks = None if points is None else tuple(Point(*point) for point in points)
    quality = Quality() if reason is None else Quality(False, reason or None)
    return Reading(Face(Box(*box), detection, landmarks), decide(scores, votes, 0.0), quality, track)


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
        tail: deque[AnalyzedFrame] = deque()
        last_number = 0
        if self._resume:
            for frame in self.replay(pixels):
                tail.append(replace(frame, pixels=None))
                last_number = max([last_number, *(reading.track or 0 for reading in frame)])
                while frame.seconds - tail[0].seconds > OVERLAP_SECONDS:
                    tail.popleft()
                yield frame
        if not tail:
            journal = Journal(self.journal, self._options.journal_header(self._engine))
            yield from self._analyze(journal, pixels, self._options)
        else:
            options = replace(self._options, start=tail[0].seconds)
            yield from self._analyze(Journal.reopen(self.journal), pixels, options, _TrackMatcher(tail, last_number))

    def replay(self, pixels: bool) -> Generator[AnalyzedFrame]:
        """All frames in the journal."""
        frames = read_frames(self.journal, self.decide)
        return self._add_pixels(frames) if pixels else frames

    def delete_journal(self) -> None:
        """Call it when the outputs are complete."""
        self.journal.unlink(missing_ok=True)

    def _analyze(
        self, journal: Journal, pixels: bool, options: AnalysisOptions, matcher: _TrackMatcher | None = None
    ) -> Generator[AnalyzedFrame]:
        reader = video.open_video(options.source)
        with (
            closing(journal),
            closing(self._engine.analyze_video(reader, frames=pixels, **options.arguments())) as frames,
        ):
            for new_frame in frames:
                frame = matcher.match(new_frame) if matcher else new_frame
                if frame is not None:
                    journal.add(frame)
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


class _TrackMatcher:
    """Gives the tracks of a resumed analysis their numbers from before: the new tracker starts at 1 again.

    The last seconds before the interruption are analysed twice; faces at the same place of the same frame belong to
    the same track.
    """

    def __init__(self, tail: deque[AnalyzedFrame], last_number: int) -> None:
        self._frames_before = {frame.index: frame for frame in tail}
        self._last_index = tail[-1].index
        self._last_number = last_number
        self._match_counts: Counter[tuple[int, int]] = Counter()
        self._numbers: dict[int, int] | None = None

    def match(self, frame: AnalyzedFrame) -> AnalyzedFrame | None:
        """The frame with the numbers from before; None for a frame that is already in the journal."""
        if frame.index <= self._last_index:
            self._count_matches(frame)
            return None
        if self._numbers is None:
            # The tracks that matched most often first, and each old number once.
            self._numbers = {}
            for (new, old), _ in self._match_counts.most_common():
                if new not in self._numbers and old not in self._numbers.values():
                    self._numbers[new] = old
        readings = tuple(replace(reading, track=self._old_number(reading.track)) for reading in frame)
        return replace(frame, result=replace(frame.result, readings=readings))

    def _count_matches(self, frame: AnalyzedFrame) -> None:
        if (before := self._frames_before.get(frame.index)) is None:
            return
        for reading in frame:
            overlaps = [(_intersection_over_union(other.face.box, reading.face.box), other) for other in before]
            overlap, same = max(overlaps, key=lambda pair: pair[0], default=(0.0, reading))
            if overlap >= _SAME_FACE and same.track and reading.track:
                self._match_counts[reading.track, same.track] += 1

    def _old_number(self, track: int | None) -> int | None:
        if track is None or self._numbers is None:
            return track
        if track not in self._numbers:
            self._last_number += 1
            self._numbers[track] = self._last_number
        return self._numbers[track]


def _intersection_over_union(one: Box, other: Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    intersection = max(width, 0) * max(height, 0)
    return intersection / max(one.width * one.height + other.width * other.height - intersection, 1)
