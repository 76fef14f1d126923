"""The corruptions do what they say, and the table counts what is lost."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import mien
from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.evaluation import groups, robustness
from mien.evaluation import robustness as corruptions
from mien.faces.detectors import load_detector
from mien.labels import EMOTIONS
from mien.models import ModelCard
from mien.models.classifier import Outputs
from tiny import tiny_card, tiny_model

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(35, seed=9)


def dot(row=20, column=30):
    face = np.zeros((48, 48), np.uint8)
    face[row, column] = 200
    return face


def brightest(face):
    return tuple(int(place) for place in np.unravel_index(face.argmax(), face.shape))


def test_a_shift_goes_in_eight_directions_by_a_part_of_the_side():
    places = {brightest(corruptions.shift_box(dot(), 0.125, place)) for place in range(8)}
    assert len(places) == 8
    assert {(20, 36), (20, 24), (26, 30), (14, 30)} <= places


def test_turns_alternate():
    left, right = (corruptions.rotate_face(dot(), 90, place) for place in (0, 1))
    assert {brightest(left), brightest(right)} == {(47 - 30, 20), (30, 47 - 20)}


def test_a_larger_box_makes_the_face_smaller():
    row, column = brightest(corruptions.enlarge_box(dot(8, 40), 1.0, 0))
    assert abs(row - 16) <= 1
    assert abs(column - 32) <= 1


def test_light_blur_compression_and_size_take_what_they_should(faces):
    face = faces.pixels[0]
    assert corruptions.scale_brightness(face, 0.5, 0).max() == round(face.max() / 2)
    assert corruptions.scale_brightness(face, 4.0, 0).max() == 255
    detail = [np.abs(np.diff(corruptions.blur_face(face, sigma, 0).astype(int))).mean() for sigma in (0.5, 1, 2)]
    assert detail == sorted(detail, reverse=True)


@pytest.mark.parametrize("each", corruptions.CORRUPTIONS.values(), ids=lambda each: each.name)
def test_each_strength_changes_more_than_the_one_before_and_no_lot_is_drawn(each, faces):
    worse = []
    for strength in each.strengths:
        spoilt = corruptions.corrupt_faces(faces.pixels, each.change, strength)
        assert (spoilt.dtype, spoilt.shape) == (np.uint8, faces.pixels.shape)
        assert (spoilt == corruptions.corrupt_faces(faces.pixels, each.change, strength)).all()
        worse.append(np.abs(spoilt.astype(int) - faces.pixels).mean())
    assert worse == sorted(worse)
    assert worse[0] > 0


def test_what_is_covered_is_as_large_as_it_says():
    for place in range(4):
        hidden = corruptions.cover_part(np.zeros((48, 48), np.uint8), 0.2, place)
        assert np.mean(hidden > 0) == pytest.approx(0.2, abs=0.02)


def test_the_strengths_of_the_targets_are_measured():
    from mien.evaluation.robustness_report import TARGETS

    assert all(strength in corruptions.CORRUPTIONS[name].strengths for name, strength in TARGETS)


class Bright:
    """Says angry of every face with a pixel above 250, disgust of all others."""

    card = ModelCard("bright", EMOTIONS)

    def run(self, pixels):
        angry = pixels.max((1, 2, 3)) > 250
        return Outputs(np.eye(7, dtype=np.float32)[np.where(angry, 0, 1)], None)


def test_the_table_begins_with_the_faces_as_they_are(faces):
    faces.labels[:] = 0
    faces.pixels[:, 5, 5] = 255
    rows = robustness.measure_robustness(Bright(), faces)
    assert rows[0] == robustness.CorruptionResult("none", 0.0, 1.0, 0.0, 1.0, 1.0)
    assert len(rows) == robustness.PASSES
    dark = [row for row in rows if row.corruption == "dark"]
    assert [(row.accuracy, row.lost) for row in dark] == [(0.0, 1.0)] * 4


# Groups


def test_a_figure_by_group_is_that_of_its_faces():
    labels = np.arange(400) % 2
    shares = np.eye(2, dtype=np.float32)[labels]
    shares[:100] = shares[:100, ::-1]
    words = np.array(["a"] * 200 + ["b"] * 190 + ["few"] * 9 + [""])
    found = groups.measure_groups("who", words, shares, labels)
    assert [(each.name, each.faces, each.enough) for each in found.groups] == [
        ("a", 200, True),
        ("b", 190, True),
        ("few", 9, False),
    ]
    told = found.groups[0].figures["accuracy"]
    assert told.value == 0.5
    assert told.low < 0.5 < told.high
    assert found.gaps["accuracy"] == 0.5
    assert found.gaps["balanced accuracy"] == 0.5
    assert found.groups[1].figures["balanced accuracy"].value == 1.0


def test_without_two_groups_there_is_no_gap():
    found = groups.measure_groups("who", np.array(["a"] * 50), np.eye(2)[np.zeros(50, int)], np.zeros(50, int))
    assert found.gaps == {}


def test_ages_become_bands_and_words_stay_words():
    ages = groups.group_values([str(age) for age in range(20, 80)] + [""])
    assert sorted(set(ages)) == ["", "1. 20 to 34", "2. 35 to 49", "3. 50 to 64", "4. 65 to 79"]
    assert groups.group_values(["2", "1", "2"]).tolist() == ["2", "1", "2"]
    assert groups.group_values(["f", "m", " f"]).tolist() == ["f", "m", "f"]


def test_light_is_estimated_from_the_faces(faces, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    columns, missing = groups.estimate_groups(faces.pixels)
    means = faces.pixels.mean((1, 2))
    bright, dark = (means[columns["light"] == name] for name in ("3. bright", "1. dark"))
    assert bright.min() > dark.max()
    assert abs(len(bright) - len(dark)) <= 1
    assert "mien models pull yunet" in missing[0]


def test_the_turn_of_a_head_is_seen_where_yunet_is(yunet_file, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    (tmp_path / yunet_file.name).write_bytes(yunet_file.read_bytes())
    photo = Image.open(Path(__file__).parents[2] / "examples" / "astronaut.jpg").convert("L")
    detector = load_detector("yunet", yunet=yunet_file)
    face = detector.detect(np.stack([np.asarray(photo)] * 3, axis=-1))[0].box
    crop = photo.crop((face.x, face.y, face.x + face.width, face.y + face.height)).resize((48, 48))
    upright, leaning = np.asarray(crop), np.asarray(crop.rotate(-20, fillcolor=128))
    columns, missing = groups.estimate_groups(np.stack([upright, leaning, np.zeros_like(upright)]))
    assert missing == []
    assert columns["lean of the head"].tolist()[2] == "4. no face found by YuNet"
    assert columns["lean of the head"][0] < columns["lean of the head"][1]


def test_a_table_must_fit_the_data(tmp_path):
    (tmp_path / "people.csv").write_text("age,source\n1,a\n2,b\n")
    assert groups.read_column(tmp_path / "people.csv", "source", 2) == ["a", "b"]
    with pytest.raises(ExperimentError, match="Did you mean 'source'"):
        groups.read_column(tmp_path / "people.csv", "sourc", 2)
    with pytest.raises(ExperimentError, match="2 rows for 3 faces"):
        groups.read_column(tmp_path / "people.csv", "age", 3)
    with pytest.raises(ExperimentError, match="cannot be read"):
        groups.read_column(tmp_path / "none.csv", "age", 3)


# The command


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    folder = tmp_path_factory.mktemp("desk")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "first.onnx").write_bytes(tiny_model())
    (folder / "second.onnx").write_bytes(tiny_model(tiny_card(name="second", side=16)))
    (folder / "people.csv").write_text("age\n" + "".join(f"{20 + n % 50}\n" for n in range(350)))
    return folder


def measured(desk, out, *words):
    return mien("robustness", "--data", desk / "faces", "-o", out, *words)


def test_two_models_side_by_side(desk, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    models = ("--model", desk / "first.onnx", "--model", desk / "second.onnx")
    assert measured(desk, tmp_path / "out", *models, "--groups", f"{desk}/people.csv:age") == 0
    out, err = capsys.readouterr()
    assert "shift 10 %" in out
    assert "gap, best to worst" in out
    assert "robustness.html" in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"robustness.json", "robustness.txt", "robustness.html", "strengths.png", "groups.png"}
    told = json.loads((tmp_path / "out" / "robustness.json").read_text("utf-8"))
    assert [each["name"] for each in told["models"]] == ["tiny", "second"]
    assert {len(each["rows"]) for each in told["models"]} == {robustness.PASSES}
    ages = told["models"][0]["groups"][0]
    assert ages["column"].endswith("people.csv:age")
    assert sum(each["faces"] for each in ages["groups"]) == told["faces"] == 35
    page = (tmp_path / "out" / "robustness.html").read_text("utf-8")
    assert page.count("<svg") == len(corruptions.CORRUPTIONS) + 1
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)


def test_models_of_one_name_are_told_apart():
    from mien.evaluation.robustness_report import distinct_names

    held = robustness.compare_robustness([Bright(), Bright()], synthetic.draw_faces(70))
    assert distinct_names(["runs/a.onnx", "b.onnx"], held) == ("bright (a.onnx)", "bright (b.onnx)")
    assert distinct_names(["base"], held[:1]) == ("bright",)


def test_models_of_other_expressions_are_measured_apart(desk, tmp_path, capsys):
    (tmp_path / "two.onnx").write_bytes(tiny_model(tiny_card(name="two", labels=("sad", "happy"))))
    models = ("--model", desk / "first.onnx", "--model", tmp_path / "two.onnx")
    assert measured(desk, tmp_path / "out", *models) == 1
    assert "know different expressions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_column_that_is_not_there(desk, tmp_path, capsys):
    assert measured(desk, tmp_path / "out", "--model", desk / "first.onnx", "--groups", "age") == 1
    assert "age" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
