"""The journal of a run: every moment as it was read, one line each, so that a run that was killed can go on.

It stands beside what the run writes, and is gone when the run is through. Times and shares are written with all their
digits: moments that come back are equal to those that went in.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from mien.errors import OutputError
from mien.moments.steady import Judge
from mien.types import Box, Face, FrameResult, Moment, Point, Quality, Reading

_KIND, _VERSION = "mien journal", 1


@dataclass(frozen=True)
class Run:
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

    def differences(self, other: Run) -> list[str]:
        """The names of what is not the same in the other."""
        return [part.name for part in fields(self) if getattr(self, part.name) != getattr(other, part.name)]


class Journal:
    """Writes moments down. Each line is flushed, so that only the last can be torn."""

    def __init__(self, path: Path, run: Run) -> None:
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

    def add(self, moment: Moment) -> None:
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


def run_of(path: Path) -> Run | None:
    """The run that a journal tells of; None for a file that is no journal, or one that this version cannot follow."""
    try:
        with path.open(encoding="utf-8") as lines:
            head = json.loads(next(lines, ""))
        told = head["run"] if (head["kind"], head["version"]) == (_KIND, _VERSION) else {}
        known: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in told.items()}
        return Run(**known)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def moments_of(path: Path, judge: Judge) -> Generator[Moment]:
    """The moments written down so far, without their pixels; a torn last line is left out."""
    run = run_of(path)
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
        [share.share for share in emotions.shares],
        None if emotions.votes is None else [vote.share for vote in emotions.votes],
    ]


def _moment(told: list[Any], run: Run, judge: Judge) -> Moment:
    index, seconds, cut, size, faces = told
    readings = tuple(_reading(face, run, judge) for face in faces)
    return Moment(index, seconds, FrameResult(run.source, tuple(size), readings, run.detector, run.model), cut)


def _reading(told: list[Any], run: Run, judge: Judge) -> Reading:
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
