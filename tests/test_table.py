"""CSV output of readings."""

import csv
import io
from pathlib import Path

import pytest

from mien.errors import SourceMissing
from mien.labels import EMOTIONS
from mien.results import Box, Emotions, Face, Failure, FrameResult, Quality, Reading, Score
from mien.table import CsvTable, csv_header, csv_rows


def make_reading(labels=EMOTIONS, uncertain=None, **fields) -> Reading:
    scores = tuple(Score(label, 0.9 if i == 0 else 0.1 / (len(labels) - 1)) for i, label in enumerate(labels))
    return Reading(Face(Box(1, 2, 30, 40), 0.98), Emotions(scores, uncertain=uncertain), **fields)


def make_frame(*readings, source="a.jpg") -> FrameResult:
    return FrameResult(source, (640, 480), readings, "haar", "base")


def write_table(*results, labels=EMOTIONS) -> str:
    stream = io.StringIO(newline="")
    table = CsvTable(stream, labels)
    for result in results:
        table.write(result)
    return stream.getvalue()


def read_table(*results, labels=EMOTIONS) -> list[dict[str, str]]:
    stream = io.StringIO(write_table(*results, labels=labels), newline="")
    return list(csv.DictReader(stream, strict=True, restkey="too many", restval="too few"))


FAILURE = Failure("b.jpg", SourceMissing("'b.jpg' does not exist", "A path was expected", "Check it"))


def test_each_face_has_a_row():
    rows = read_table(make_frame(make_reading(), make_reading(track=7)))
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
        "uncertain": "False",
        "uncertain_reason": "",
        "mixture": "",
        "quality_ok": "True",
        "quality_reason": "",
        "track": "",
        "detector": "haar",
        "model": "base",
        "error": "",
    }
    assert rows[1]["track"] == "7"


def test_uncertainty_and_quality_have_columns():
    quality = Quality(False, "the face is small")
    [row] = read_table(make_frame(make_reading(uncertain="no expression stands out", quality=quality)))
    assert (row["uncertain"], row["uncertain_reason"]) == ("True", "no expression stands out")
    assert (row["quality_ok"], row["quality_reason"]) == ("False", "the face is small")


def test_image_without_a_face_has_no_row():
    assert read_table(make_frame()) == []


def test_failure_has_a_row_with_its_error():
    rows = read_table(make_frame(make_reading()), FAILURE, make_frame(make_reading()))
    assert [row["source"] for row in rows] == ["a.jpg", "b.jpg", "a.jpg"]
    assert rows[1]["error"] == str(FAILURE.error)
    assert {value for key, value in rows[1].items() if key not in ("source", "error")} == {""}


@pytest.mark.parametrize("labels", [EMOTIONS, ("good", "bad"), ("x", "error", "calm")])
def test_rows_are_as_wide_as_the_header(labels):
    header = csv_header(labels)
    assert len(set(header)) == len(header)
    for result in (make_frame(make_reading(labels)), FAILURE):
        assert [len(row) for row in csv_rows(result, labels)] == [len(header)]


def test_labels_of_another_model_have_their_columns():
    [row] = read_table(make_frame(make_reading(("calm", "tense"))), labels=("calm", "tense"))
    assert (row["calm"], row["tense"], row["emotion"]) == ("0.9", "0.1", "calm")
    assert "happy" not in row


def test_label_with_the_name_of_a_column_gets_a_prefix():
    [row] = read_table(make_frame(make_reading(("error", "calm"))), labels=("error", "calm"))
    assert (row["score_error"], row["error"]) == ("0.9", "")


@pytest.mark.parametrize("name", ["=1+1.jpg", "+1.jpg", "-1.jpg", "@SUM(A1).jpg", "\tx.jpg", "\r=1.jpg", "＝1.jpg"])
def test_source_is_no_formula_and_still_names_the_file(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path(name).write_text("content")
    for row in read_table(make_frame(make_reading(), source=name), Failure(name, FAILURE.error)):
        assert row["source"] == f"./{name}"
        assert Path(row["source"]).read_text() == "content"


def test_name_of_standard_input_is_unchanged():
    assert read_table(make_frame(make_reading(), source="-"))[0]["source"] == "-"


def test_votes_and_mixture_have_columns():
    votes = (Score("happy", 0.7), Score("contempt", 0.2))
    emotions = Emotions((Score("happy", 1.0),), votes, votes)
    result = make_frame(Reading(Face(Box(1, 2, 30, 40)), emotions))
    stream = io.StringIO(newline="")
    table = CsvTable(stream, ("happy",), ("happy", "contempt"))
    table.write(result)
    table.write(Failure("x", SourceMissing("gone")))
    read, failed = csv.DictReader(io.StringIO(stream.getvalue(), newline=""))
    assert (read["votes_happy"], read["votes_contempt"], read["mixture"]) == ("0.7", "0.2", "happy+contempt")
    assert (failed["votes_happy"], failed["error"][:4]) == ("", "gone")


def test_no_text_is_a_formula():
    labels = ("=HYPERLINK(A1)", "@calm")
    result = make_frame(make_reading(labels, uncertain="+1", quality=Quality(False, "-1")))
    failure = Failure("x", SourceMissing("=cmd|' /C calc'!A0"))
    content = write_table(result, failure, labels=labels)
    cells = [cell for row in csv.reader(io.StringIO(content, newline="")) for cell in row]
    assert "'=HYPERLINK(A1)" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@"))]


@pytest.mark.parametrize(
    "name", ["with, comma.jpg", 'with "quotes".jpg', "two\nlines.jpg", "lächelnd 😊.jpg", "a;b.jpg"]
)
def test_names_with_special_characters_are_read_back(name):
    assert read_table(make_frame(make_reading(), source=name))[0]["source"] == name


def test_rows_are_in_the_file_after_each_write(tmp_path):
    path = tmp_path / "faces.csv"
    with path.open("w", encoding="utf-8", newline="") as stream:
        table = CsvTable(stream, EMOTIONS)
        for count in range(3):
            table.write(make_frame(make_reading(), make_reading()))
            lines = path.read_text(encoding="utf-8").splitlines()
            assert len(lines) == 1 + 2 * (count + 1)
            assert {line.count(",") for line in lines} == {len(csv_header(EMOTIONS)) - 1}
