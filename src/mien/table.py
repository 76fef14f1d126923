"""CSV output: one row for each face, and one for each image that failed.

Spreadsheet programs run cells that begin with ``=``, ``+``, ``-`` or ``@`` as formulas, and file names and labels may
come from anybody. A file name that begins so is written as ``./=name.jpg``, which is the same file; other text gets an
apostrophe in front, which spreadsheet programs read as "this is text" and do not show.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import IO, TypeAlias

from mien.results import Failure, FrameResult, Reading

Cell: TypeAlias = str | int | float | None

_COLUMNS_BEFORE_SCORES = ("source", "face", "x", "y", "width", "height", "detection", "emotion")
_COLUMNS_AFTER_SCORES = (
    *("uncertain", "uncertain_reason", "mixture"),
    *("quality_ok", "quality_reason", "track", "detector", "model", "error"),
)

#: The first characters of a formula; spreadsheet programs for wide scripts accept the full-width ones.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")


def csv_header(labels: Sequence[str], vote_labels: Sequence[str] = ()) -> list[str]:
    """The columns: the position of the face, a score for each label in the model's order, and quality and model.

    The column of a label that has the name of another column is called ``score_...``. The predicted annotator votes are
    the last columns, ``votes_...``.
    """
    reserved = {*_COLUMNS_BEFORE_SCORES, *_COLUMNS_AFTER_SCORES}
    scores = [f"score_{label}" if label in reserved else escape_formula(label) or "" for label in labels]
    return [*_COLUMNS_BEFORE_SCORES, *scores, *_COLUMNS_AFTER_SCORES, *(f"votes_{label}" for label in vote_labels)]


def csv_rows(
    result: FrameResult | Failure, labels: Sequence[str], vote_labels: Sequence[str] = ()
) -> Iterator[list[Cell]]:
    """The rows of one image, as wide as the header: one for each face, largest first; none without a face.

    A failure has one row with its source and ``error``. Faces are numbered from 1; scores are 0 to 1;
    ``uncertain_reason`` is empty if the prediction is certain, and ``mixture`` joins its expressions with ``+``.
    """
    if isinstance(result, Failure):
        empty = [None] * (len(csv_header(labels)) - 2)
        error = escape_formula(str(result.error))
        yield [_escape_path(result.source), *empty, error, *(None for _ in vote_labels)]
        return
    for number, reading in enumerate(result.readings, 1):
        model = (escape_formula(result.detector), escape_formula(result.model))
        votes = dict(reading.emotions.votes or ())
        cells = _reading_cells(reading, labels)
        yield [_escape_path(result.source), number, *cells, *model, None, *map(votes.get, vote_labels)]


class CsvTable:
    """A CSV file that is written result by result: the header at once, then the rows of each image, flushed together.

    ``stream`` is a text stream opened with ``newline=""``; the caller closes it.
    """

    def __init__(self, stream: IO[str], labels: Sequence[str], vote_labels: Sequence[str] = ()) -> None:
        self._stream = stream
        self._labels, self._vote_labels = tuple(labels), tuple(vote_labels)
        self._write_rows([csv_header(labels, vote_labels)])

    def write(self, result: FrameResult | Failure) -> None:
        self._write_rows(csv_rows(result, self._labels, self._vote_labels))

    def _write_rows(self, rows: Iterable[Sequence[Cell]]) -> None:
        # One write for all rows of an image: an interrupted run does not leave half of them.
        self._stream.write("".join(map(format_csv_line, rows)))
        self._stream.flush()


def format_table(
    results: Iterable[FrameResult | Failure], labels: Sequence[str], vote_labels: Sequence[str] = ()
) -> str:
    """The whole CSV file of these results."""
    stream = StringIO(newline="")
    table = CsvTable(stream, labels, vote_labels)
    for result in results:
        table.write(result)
    return stream.getvalue()


def format_csv_line(row: Sequence[Cell]) -> str:
    """One row as text that ends with a line feed."""
    line = StringIO(newline="")
    # csv quotes only the line ends that it writes itself: with "\r\n" it quotes both characters.
    csv.writer(line, lineterminator="\r\n").writerow(row)
    return line.getvalue()[:-2] + "\n"


def escape_formula(text: str | None) -> str | None:
    """Text that no spreadsheet program reads as a formula."""
    return f"'{text}" if text and text.startswith(_FORMULA) else text


def _escape_path(name: str) -> str:
    return f"./{name}" if name.startswith(_FORMULA) and name != "-" else name


def _reading_cells(reading: Reading, labels: Sequence[str]) -> list[Cell]:
    """The cells from ``x`` to ``track``."""
    scores = dict(reading.emotions.scores)
    return [
        *reading.face.box,
        reading.face.detection,
        escape_formula(reading.emotions.top),
        *(scores.get(label) for label in labels),
        reading.emotions.uncertain is not None,
        escape_formula(reading.emotions.uncertain),
        escape_formula("+".join(each.label for each in reading.emotions.mixture)),
        reading.quality.ok,
        escape_formula(reading.quality.reason),
        reading.track,
    ]
