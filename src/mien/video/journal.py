"""The journal of a run: every moment as it was read, one line each, so that a run that was killed can go on.

It stands beside what the run writes, and is gone when the run is through. Times and shares are written with all their
digits: moments that come back are equal to those that went in.
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
from mien.models.decision import build_emotions
from mien.results import AnalyzedFrame, Box, Face, FrameResult, Point, Quality, Reading
from mien.video import FrameSelection, VideoSource
from mien.video.smoothing import DecisionRule

_KIND, _VERSION = "mien journal", 1


@dataclass(frozen=True)
class JournalHeader:
    """What was read, and how: a run can only go on as it began. ``length`` is the film's file in bytes."""

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

    def differences(self, other: JournalHeader) -> list[str]:
        """The names of what is not the same in the other."""
        return [part.name for part in fields(self) if getattr(self, part.name) != getattr(other, part.name)]


class Journal:
    """Writes moments down. Each line is flushed, so that only the last can be torn."""

    def __init__(self, path: Path, run: JournalHeader) -> None:
        """Begin a journal; one that is there is written over."""
        self.path = path
        try:
            self._stream = path.open("w", encoding="utf-8", newline="\n")
        except OSError as error:
            raise _unwritten(path, error) from error
        self._line({"kind": _KIND, "version": _VERSION, "run": asdict(run)})

    @classmethod
    def going_on(cls, path: Path) -> Journal:
        """Go on with a journal behind its last whole line."""
        journal = cls.__new__(cls)
        journal.path = path
        try:
            journal._stream = path.open("r+", encoding="utf-8", newline="\n")
            journal._stream.truncate(_whole(path))
            journal._stream.seek(0, 2)
        except OSError as error:
            raise _unwritten(path, error) from error
        return journal

    def add(self, moment: AnalyzedFrame) -> None:
        faces = [_packed(reading) for reading in moment]
        self._line([moment.index, moment.seconds, moment.cut, moment.result.size, faces])

    def close(self) -> None:
        self._stream.close()

    def _line(self, value: Any) -> None:
        try:
            # In ASCII: a film's name may hold what no encoding can write.
            self._stream.write(json.dumps(value, separators=(",", ":")) + "\n")
            self._stream.flush()
        except OSError as error:
            raise _unwritten(self.path, error) from error


def read_header(path: Path) -> JournalHeader | None:
    """The run that a journal tells of; None for a file that is no journal, or one that this version cannot follow."""
    try:
        with path.open(encoding="utf-8") as lines:
            head = json.loads(next(lines, ""))
        told = head["run"] if (head["kind"], head["version"]) == (_KIND, _VERSION) else {}
        known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        return JournalHeader(**known)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def read_frames(path: Path, judge: DecisionRule) -> Generator[AnalyzedFrame]:
    """The moments written down so far, without their pixels; a torn last line is left out."""
    run = read_header(path)
    assert run is not None, "who reads a journal has looked at its head"
    with path.open("rb") as lines:
        next(lines)
        for line in lines:
            if line.endswith(b"\n"):
                yield _moment(json.loads(line), run, judge)


def _whole(path: Path) -> int:
    """The bytes of all whole lines."""
    with path.open("rb") as lines:
        return sum(len(line) for line in lines if line.endswith(b"\n"))


def _packed(reading: Reading) -> list[Any]:
    face, emotions, quality = reading.face, reading.emotions, reading.quality
    return [
        reading.track,
        *(face.box, face.detection, face.landmarks),
        None if quality.ok else quality.reason or "",
        [share.score for share in emotions.scores],
        None if emotions.votes is None else [vote.score for vote in emotions.votes],
    ]


def _moment(told: list[Any], run: JournalHeader, judge: DecisionRule) -> AnalyzedFrame:
    index, seconds, cut, size, faces = told
    readings = tuple(_reading(face, run, judge) for face in faces)
    return AnalyzedFrame(index, seconds, FrameResult(run.source, tuple(size), readings, run.detector, run.model), cut)


def _reading(told: list[Any], run: JournalHeader, judge: DecisionRule) -> Reading:
    track, box, detection, points, reason, shares, votes = told
    landmarks = None if points is None else tuple(Point(*point) for point in points)
    quality = Quality() if reason is None else Quality(False, reason or None)
    return Reading(Face(Box(*box), detection, landmarks), judge(shares, votes, 0.0), quality, track)


def _unwritten(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"The journal '{path}' could not be written: {error.strerror or error}",
        "It stands beside what the run writes, so that the run can go on when it is stopped",
        "Write to a folder with room that may be written to",
    )


# ==== mien.apps.film.wish
# What is to be read of a film, and what an app needs of an engine to do so.


class VideoAnalyzer(Protocol):
    """What films are read by; :class:`mien.Engine` is the real one."""

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
    ) -> Iterator[AnalyzedFrame]: ...


@dataclass(frozen=True)
class AnalysisOptions:
    """A film, and which of its frames are wanted; times in seconds."""

    source: str
    every: int | None = None
    fps: float | None = None
    start: float | None = None
    end: float | None = None
    min_face: int | None = None

    def choice(self) -> dict[str, Any]:
        """The words in which `VideoAnalyzer.analyze_video` takes."""
        return {"every": self.every, "fps": self.fps, "start": self.start, "end": self.end, "min_face": self.min_face}

    def run(self, engine: VideoAnalyzer) -> JournalHeader:
        """What a later run has to agree with, to go on with this one."""
        card = engine.card
        path = Path(self.source)
        length = path.stat().st_size if path.is_file() else None
        labels, votes = tuple(card.labels), tuple(card.vote_labels)
        return JournalHeader(self.source, length, engine.detector, card.name, labels, votes, **self.choice())


# ==== mien.apps.film.going
# A film read so that a run which was stopped, even by a killed process or a lost machine, can go on later.

#: Seconds before the stop from which a run that goes on reads again, to find out who is who.
OVERLAP_SECONDS = 3.0

#: How much two boxes share (intersection over union) to be the same face of the same frame.
_SAME = 0.5


class ResumableAnalysis:
    """One film's reading, with a journal of what was read.

    ``moments`` reads the film, and where ``resume`` is set takes what the journal holds first; ``again`` tells it all
    once more without finding a face. Both give frames too when they are asked for ``pixels``.
    """

    def __init__(self, engine: VideoAnalyzer, wish: AnalysisOptions, journal: Path, *, resume: bool = False) -> None:
        self.judge: DecisionRule = partial(build_emotions, engine.card)
        self._engine, self._wish, self.journal = engine, wish, journal
        #: What was wrong with a film that could be read only in part; known when it has been read.
        self.complaint: str | None = None
        self._resume = resume and journal.exists()
        if self._resume:
            self._agree()

    def moments(self, pixels: bool) -> Generator[AnalyzedFrame]:
        if self._resume:
            yield from self._gone_on(pixels)
        else:
            yield from self._written(Journal(self.journal, self._wish.run(self._engine)), pixels, self._wish)

    def again(self, pixels: bool) -> Generator[AnalyzedFrame]:
        """Everything that the journal holds."""
        moments = read_frames(self.journal, self.judge)
        return self._with_pixels(moments) if pixels else moments

    def through(self) -> None:
        """The run is complete: nobody will go on with it."""
        self.journal.unlink(missing_ok=True)

    def _gone_on(self, pixels: bool) -> Generator[AnalyzedFrame]:
        tail: deque[AnalyzedFrame] = deque()
        highest = 0
        for moment in self.again(pixels):
            tail.append(replace(moment, pixels=None))
            highest = max([highest, *(reading.track or 0 for reading in moment)])
            while moment.seconds - tail[0].seconds > OVERLAP_SECONDS:
                tail.popleft()
            yield moment
        if not tail:
            yield from self._written(Journal(self.journal, self._wish.run(self._engine)), pixels, self._wish)
            return
        people = _People(tail, highest)
        rest = self._written(Journal.going_on(self.journal), pixels, replace(self._wish, start=tail[0].seconds), people)
        yield from rest

    def _written(
        self, journal: Journal, pixels: bool, wish: AnalysisOptions, people: _People | None = None
    ) -> Generator[AnalyzedFrame]:
        film = video.open_video(wish.source)
        with closing(journal):
            for moment in self._engine.analyze_video(film, frames=pixels, **wish.choice()):
                named = people.named(moment) if people else moment
                if named is not None:
                    journal.add(named)
                    yield named
        self.complaint = film.complaint

    def _with_pixels(self, moments: Iterator[AnalyzedFrame]) -> Generator[AnalyzedFrame]:
        """The film's frames beside what was read of them before."""
        wish = self._wish
        choice = FrameSelection(wish.every or 1, wish.fps, wish.start or 0.0, inf if wish.end is None else wish.end)
        film = video.open_video(wish.source)
        try:
            for moment, frame in zip(moments, film.frames(choice), strict=False):
                if moment.index != frame.index:
                    raise self._changed(["source"])
                yield replace(moment, pixels=frame.pixels)
        finally:
            film.close()

    def _agree(self) -> None:
        before, now = read_header(self.journal), self._wish.run(self._engine)
        if before is None:
            raise MienError(
                f"'{self.journal}' is no journal of a run that this version of mien can go on with",
                "It is written beside the outputs while a film is read",
                "Leave out --resume to begin anew",
            )
        if differences := before.differences(now):
            raise self._changed(differences)

    def _changed(self, names: list[str]) -> MienError:
        words = {"length": "the film's file", "source": "the film", "vote_labels": "the model", "labels": "the model"}
        told = ", ".join(dict.fromkeys(words.get(name, name.replace("_", "-")) for name in names))
        return MienError(
            f"The run cannot go on: it was begun with another choice of {told}",
            "The same film, read in the same way, was expected",
            "Give the same options as before, or leave out --resume to begin anew",
        )


class _People:
    """Who is who in a run that goes on: the tracker starts afresh, and numbers people from 1 again.

    The last seconds before the stop are read twice; faces in the same place of the same frame are the same person.
    """

    def __init__(self, tail: deque[AnalyzedFrame], highest: int) -> None:
        self._known = {moment.index: moment for moment in tail}
        self._last = tail[-1].index
        self._highest = highest
        self._met: Counter[tuple[int, int]] = Counter()
        self._numbers: dict[int, int] | None = None

    def named(self, moment: AnalyzedFrame) -> AnalyzedFrame | None:
        """The moment with the numbers of before; None for one that the journal holds already."""
        if moment.index <= self._last:
            self._meet(moment)
            return None
        if self._numbers is None:
            self._numbers = self._decided()
        readings = tuple(replace(reading, track=self._number(reading.track)) for reading in moment)
        return replace(moment, result=replace(moment.result, readings=readings))

    def _meet(self, moment: AnalyzedFrame) -> None:
        if (before := self._known.get(moment.index)) is None:
            return
        for reading in moment:
            same = max(before, key=lambda other: _shared(other, reading), default=None)
            if same and same.track and reading.track and _shared(same, reading) >= _SAME:
                self._met[reading.track, same.track] += 1

    def _decided(self) -> dict[int, int]:
        """Each new number's old one: those who met most often first, and nobody twice."""
        numbers: dict[int, int] = {}
        for (new, old), _ in self._met.most_common():
            if new not in numbers and old not in numbers.values():
                numbers[new] = old
        return numbers

    def _number(self, track: int | None) -> int | None:
        if track is None or self._numbers is None:
            return track
        if track not in self._numbers:
            self._highest += 1
            self._numbers[track] = self._highest
        return self._numbers[track]


def _shared(one: Reading, other: Reading) -> float:
    return _overlap(one.face.box, other.face.box)


def _overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    both = max(across, 0) * max(down, 0)
    return both / max(one.width * one.height + other.width * other.height - both, 1)
