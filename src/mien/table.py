"""Readings as a table: one row for each face, and one for each picture that failed.

Spreadsheets run what begins with ``=``, ``+``, ``-`` or ``@`` as a formula, and file names and labels come from
anywhere. A source that begins so is written as ``./=name.jpg``, which is the same file; any other text gets an
apostrophe in front, which spreadsheets take as "this is text" and do not show.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import IO, TypeAlias

from mien.results import Failure, FrameResult, Reading

Cell: TypeAlias = str | int | float | None

_PLACE = ("source", "face", "x", "y", "width", "height", "detection", "emotion")
_JUDGEMENT = ("uncertain", "quality_ok", "quality_reason", "track", "detector", "model", "error")

#: What a spreadsheet reads as the beginning of a formula; the wide ones count where wide letters are written.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def csv_header(labels: Sequence[str]) -> list[str]:
    """The columns: where the face is, one share for each label in the model's order, and how good the reading is.

    A label that has the name of another column is called ``share_...``.
    """
    taken = {*_PLACE, *_JUDGEMENT}
    return [
        *_PLACE,
        *(f"share_{label}" if label in taken else escape_formula(label) or "" for label in labels),
        *_JUDGEMENT,
    ]


def csv_rows(result: FrameResult | Failure, labels: Sequence[str]) -> Iterator[list[Cell]]:
    """The rows of one picture, as wide as the header: one for each face, largest first; none where nobody is.

    A failure is one row with its source and ``error``. Faces are counted from 1; shares go from 0 to 1; an empty
    ``uncertain`` means that an expression stands out.
    """
    if isinstance(result, Failure):
        yield [_source(result.source), *[None] * (len(csv_header(labels)) - 2), escape_formula(str(result.error))]
        return
    for number, reading in enumerate(result.readings, 1):
        yield [
            _source(result.source),
            number,
            *_readings(reading, labels),
            escape_formula(result.detector),
            escape_formula(result.model),
            None,
        ]


class CsvTable:
    """Writes the table as the results come: the header at once, then whole rows, each picture's flushed together.

    ``stream`` is a text stream opened with ``newline=""``; it stays the caller's, who closes it.
    """

    def __init__(self, stream: IO[str], labels: Sequence[str]) -> None:
        self._stream = stream
        self._labels = tuple(labels)
        self._put([csv_header(labels)])

    def write(self, result: FrameResult | Failure) -> None:
        self._put(csv_rows(result, self._labels))

    def _put(self, rows: Iterable[Sequence[Cell]]) -> None:
        # In one piece: a run that is stopped leaves whole pictures behind.
        self._stream.write("".join(map(format_csv_line, rows)))
        self._stream.flush()


def format_csv_line(row: Sequence[Cell]) -> str:
    """One row as text, ended as Unix ends lines. Python's csv only quotes the line ends that it writes itself."""
    line = StringIO(newline="")
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue()[:-2] + "\n"


def escape_formula(words: str | None) -> str | None:
    """Text that no spreadsheet takes for a formula."""
    return f"'{words}" if words and words.startswith(_FORMULA) else words


def _readings(reading: Reading, labels: Sequence[str]) -> list[Cell]:
    """The cells from ``x`` to ``track``."""
    shares = dict(reading.emotions.scores)
    return [
        *reading.face.box,
        reading.face.detection,
        escape_formula(reading.emotions.top),
        *(shares.get(label) for label in labels),
        escape_formula(reading.emotions.uncertain),
        reading.quality.ok,
        escape_formula(reading.quality.reason),
        reading.track,
    ]


def _source(name: str) -> str:
    return f"./{name}" if name.startswith(_FORMULA) and name != "-" else name
