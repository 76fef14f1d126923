"""The table of readings."""

import csv
import io

import pytest

from mien.errors import SourceMissing
from mien.labels import EMOTIONS
from mien.results import Box, Emotions, Face, Failure, FrameResult, Quality, Reading, Score
from mien.table import CsvTable, csv_header, csv_rows


def reading(labels=EMOTIONS, **facts) -> Reading:
    shares = tuple(Score(label, 0.9 if i == 0 else 0.1 / (len(labels) - 1)) for i, label in enumerate(labels))
    return Reading(Face(Box(1, 2, 30, 40), 0.98), Emotions(shares, uncertain=facts.pop("uncertain", None)), **facts)


def table(*results, labels=EMOTIONS) -> list[dict[str, str]]:
    stream = io.StringIO(newline="")
    writer = CsvTable(stream, labels)
    for result in results:
        writer.write(result)
    return list(
        csv.DictReader(
            io.StringIO(stream.getvalue(), newline=""), strict=True, restkey="too much", restval="too little"
        )
    )


def frame(*readings, source="a.jpg") -> FrameResult:
    return FrameResult(source, (640, 480), readings, "haar", "base")


FAILURE = Failure("b.jpg", SourceMissing("'b.jpg' is not there", "A path was expected", "Check it"))


def test_one_row_for_each_face():
    rows = table(frame(reading(), reading(track=7)))
    assert [row["face"] for row in rows] == ["1", "2"]
    assert rows[0] == {
        "source": "a.jpg",
        "face": "1",
        "x": "1",
        "y": "2",
        "width": "30",
        "height": "40",
        "detection": "0.98",
        "emotion": "angry",
        **{label: "0.9" if label == "angry" else str(0.1 / 6) for label in EMOTIONS},
        "uncertain": "",
        "quality_ok": "True",
        "quality_reason": "",
        "track": "",
        "detector": "haar",
        "model": "base",
        "error": "",
    }
    assert rows[1]["track"] == "7"


def test_doubts_are_told():
    [row] = table(frame(reading(uncertain="no expression stands out", quality=Quality(False, "the face is small"))))
    assert row["uncertain"] == "no expression stands out"
    assert (row["quality_ok"], row["quality_reason"]) == ("False", "the face is small")


def test_nobody_there_is_no_row():
    assert table(frame()) == []


def test_a_failure_is_a_row_with_its_error():
    rows = table(frame(reading()), FAILURE, frame(reading()))
    assert [row["source"] for row in rows] == ["a.jpg", "b.jpg", "a.jpg"]
    assert rows[1]["error"] == str(FAILURE.error)
    assert {value for key, value in rows[1].items() if key not in ("source", "error")} == {""}


@pytest.mark.parametrize("labels", [EMOTIONS, ("good", "bad"), ("x", "error", "calm")])
def test_rows_are_as_wide_as_the_header(labels):
    header = csv_header(labels)
    assert len(set(header)) == len(header)
    for result in (frame(reading(labels)), FAILURE):
        assert [len(row) for row in csv_rows(result, labels)] == [len(header)]


def test_labels_of_a_users_own_have_their_columns():
    [row] = table(frame(reading(("calm", "tense"))), labels=("calm", "tense"))
    assert (row["calm"], row["tense"], row["emotion"]) == ("0.9", "0.1", "calm")
    assert "happy" not in row


def test_a_label_may_have_the_name_of_a_column():
    [row] = table(frame(reading(("error", "calm"))), labels=("error", "calm"))
    assert (row["share_error"], row["error"]) == ("0.9", "")


@pytest.mark.parametrize("name", ["=1+1.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", "\tx.jpg", "\r=1.jpg", "＝1.jpg"])
def test_a_source_is_never_a_formula_and_still_the_same_file(name, tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    Path(name).write_text("here")
    for row in table(frame(reading(), source=name), Failure(name, FAILURE.error)):
        assert row["source"] == f"./{name}"
        assert Path(row["source"]).read_text() == "here"


def test_stdin_keeps_its_name():
    assert table(frame(reading(), source="-"))[0]["source"] == "-"


def test_no_text_is_a_formula():
    labels = ("=HYPERLINK(A1)", "@calm")
    wicked = frame(reading(labels, uncertain="+1", quality=Quality(False, "-1")))
    error = Failure("x", SourceMissing("=cmd|' /C calc'!A0"))
    stream = io.StringIO(newline="")
    writer = CsvTable(stream, labels)
    writer.write(wicked)
    writer.write(error)
    cells = [cell for row in csv.reader(io.StringIO(stream.getvalue(), newline="")) for cell in row]
    assert "'=HYPERLINK(A1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    "name", ["with, comma.jpg", 'with "quotes".jpg', "two\nlines.jpg", "lächelnd 😊.jpg", "a;b.jpg"]
)
def test_odd_names_come_back_as_they_were(name):
    assert table(frame(reading(), source=name))[0]["source"] == name


def test_what_is_written_is_there_at_once(tmp_path):
    path = tmp_path / "faces.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = CsvTable(stream, EMOTIONS)
        for count in range(3):
            writer.write(frame(reading(), reading()))
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) == 1 + 2 * (count + 1)
            assert {line.count(",") for line in lines} == {len(csv_header(EMOTIONS)) - 1}
