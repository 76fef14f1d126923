"""Robustness: corruptions, the table of accuracy lost, and groups."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command import mien
from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.evaluation import groups, robustness
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
    return tuple(int(index) for index in np.unravel_index(face.argmax(), face.shape))


def test_shift_has_eight_directions():
    positions = {brightest(robustness.shift_box(dot(), 0.125, index)) for index in range(8)}
    assert len(positions) == 8
    assert {(20, 36), (20, 24), (26, 30), (14, 30)} <= positions


def test_rotation_alternates():
    left, right = (robustness.rotate_face(dot(), 90, index) for index in (0, 1))
    assert {brightest(left), brightest(right)} == {(47 - 30, 20), (30, 47 - 20)}


def test_larger_box_makes_the_face_smaller():
    row, column = brightest(robustness.enlarge_box(dot(8, 40), 1.0, 0))
    assert abs(row - 16) <= 1
    assert abs(column - 32) <= 1


def test_brightness_is_scaled_and_blur_removes_detail(faces):
    face = faces.pixels[0]
    assert robustness.scale_brightness(face, 0.5, 0).max() == round(face.max() / 2)
    assert robustness.scale_brightness(face, 4.0, 0).max() == 255
    detail = [np.abs(np.diff(robustness.blur_face(face, sigma, 0).astype(int))).mean() for sigma in (0.5, 1, 2)]
    assert detail == sorted(detail, reverse=True)


@pytest.mark.parametrize("each", robustness.CORRUPTIONS.values(), ids=lambda each: each.name)
def test_stronger_corruption_changes_more_and_is_reproducible(each, faces):
    changes = []
    for strength in each.strengths:
        corrupted = robustness.corrupt_faces(faces.pixels, each.change, strength)
        assert (corrupted.dtype, corrupted.shape) == (np.uint8, faces.pixels.shape)
        assert (corrupted == robustness.corrupt_faces(faces.pixels, each.change, strength)).all()
        changes.append(np.abs(corrupted.astype(int) - faces.pixels).mean())
    assert changes == sorted(changes)
    assert changes[0] > 0


def test_covered_part_has_the_requested_size():
    for index in range(4):
        covered = robustness.cover_part(np.zeros((48, 48), np.uint8), 0.2, index)
        assert np.mean(covered > 0) == pytest.approx(0.2, abs=0.02)


def test_targets_are_among_the_strengths():
    from mien.evaluation.robustness import TARGETS

    assert all(strength in robustness.CORRUPTIONS[name].strengths for name, strength in TARGETS)


class BrightPixelClassifier:
    """Predicts angry for every face with a pixel above 250, disgust for all others."""

    card = ModelCard("bright", EMOTIONS)

    def run(self, pixels):
        angry = pixels.max((1, 2, 3)) > 250
        return Outputs(np.eye(7, dtype=np.float32)[np.where(angry, 0, 1)], None)


def test_first_row_is_without_corruption(faces):
    bright = replace(faces, labels=np.zeros_like(faces.labels), pixels=faces.pixels.copy())
    bright.pixels[:, 5, 5] = 255
    rows = robustness.measure_robustness(BrightPixelClassifier(), bright)
    assert rows[0] == robustness.CorruptionResult("none", 0.0, 1.0, 0.0, 1.0, 1.0)
    assert len(rows) == robustness.PASSES
    dark = [row for row in rows if row.corruption == "dark"]
    assert [(row.accuracy, row.lost) for row in dark] == [(0.0, 1.0)] * 4


# Groups


def test_metrics_of_a_group_are_those_of_its_faces():
    labels = np.arange(400) % 2
    scores = np.eye(2, dtype=np.float32)[labels]
    scores[:100] = scores[:100, ::-1]
    names = np.array(["a"] * 200 + ["b"] * 190 + ["few"] * 9 + [""])
    grouped = groups.measure_groups("who", names, scores, labels)
    assert [(each.name, each.faces, each.large_enough) for each in grouped.groups] == [
        ("a", 200, True),
        ("b", 190, True),
        ("few", 9, False),
    ]
    accuracy = grouped.groups[0].metrics["accuracy"]
    assert accuracy.value == 0.5
    assert accuracy.low < 0.5 < accuracy.high
    assert grouped.gaps["accuracy"] == 0.5
    assert grouped.gaps["balanced accuracy"] == 0.5
    assert grouped.groups[1].metrics["balanced accuracy"].value == 1.0


def test_one_group_has_no_gap():
    grouped = groups.measure_groups("who", np.array(["a"] * 50), np.eye(2)[np.zeros(50, int)], np.zeros(50, int))
    assert grouped.gaps == {}


def test_many_numbers_become_bands_and_names_stay():
    ages = groups.group_values([str(age) for age in range(20, 80)] + [""])
    assert sorted(set(ages)) == ["", "1. 20 to 34", "2. 35 to 49", "3. 50 to 64", "4. 65 to 79"]
    assert groups.group_values(["2", "1", "2"]).tolist() == ["2", "1", "2"]
    assert groups.group_values(["f", "m", " f"]).tolist() == ["f", "m", "f"]


def test_brightness_groups_are_estimated_from_the_faces(faces, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    columns, missing = groups.estimate_groups(faces.pixels)
    means = faces.pixels.mean((1, 2))
    bright, dark = (means[columns["brightness"] == name] for name in ("3. bright", "1. dark"))
    assert bright.min() > dark.max()
    assert abs(len(bright) - len(dark)) <= 1
    assert "mien models pull yunet" in missing[0]


def test_head_pose_is_estimated_with_yunet(yunet_file, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    (tmp_path / yunet_file.name).write_bytes(yunet_file.read_bytes())
    image = Image.open(Path(__file__).parents[2] / "examples" / "astronaut.jpg").convert("L")
    detector = load_detector("yunet", yunet=yunet_file)
    face = detector.detect(np.stack([np.asarray(image)] * 3, axis=-1))[0].box
    crop = image.crop((face.x, face.y, face.x + face.width, face.y + face.height)).resize((48, 48))
    upright, rotated = np.asarray(crop), np.asarray(crop.rotate(-20, fillcolor=128))
    columns, missing = groups.estimate_groups(np.stack([upright, rotated, np.zeros_like(upright)]))
    assert missing == []
    assert columns["roll"].tolist()[2] == "4. no face found by YuNet"
    assert columns["roll"][0] < columns["roll"][1]


def test_column_of_a_table_must_match_the_data(tmp_path):
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
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_fer2013(folder / "faces", 350)
    (folder / "first.onnx").write_bytes(tiny_model())
    (folder / "second.onnx").write_bytes(tiny_model(tiny_card(name="second", side=16)))
    (folder / "people.csv").write_text("age\n" + "".join(f"{20 + n % 50}\n" for n in range(350)))
    return folder


def run_robustness(folder, out, *words):
    return mien("robustness", "--data", folder / "faces", "-o", out, *words)


@pytest.mark.full
def test_command_compares_two_models(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    models = ("--model", folder / "first.onnx", "--model", folder / "second.onnx")
    assert run_robustness(folder, tmp_path / "out", *models, "--groups", f"{folder}/people.csv:age") == 0
    out, err = capsys.readouterr()
    assert "shift 10 %" in out
    assert "gap, best to worst" in out
    assert "robustness.html" in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"robustness.json", "robustness.txt", "robustness.html", "corruptions.png", "groups.png"}
    values = json.loads((tmp_path / "out" / "robustness.json").read_text("utf-8"))
    assert [each["name"] for each in values["models"]] == ["tiny", "second"]
    assert {len(each["rows"]) for each in values["models"]} == {robustness.PASSES}
    ages = values["models"][0]["groups"][0]
    assert ages["column"].endswith("people.csv:age")
    assert sum(each["faces"] for each in ages["groups"]) == values["faces"] == 35
    page = (tmp_path / "out" / "robustness.html").read_text("utf-8")
    assert page.count("<svg") == len(robustness.CORRUPTIONS) + 1
    assert not re.search(r"(src|href)=[\"'](?!data:|#)", page)


def test_models_of_one_name_get_distinct_names():
    from mien.evaluation.robustness import distinct_names

    results = robustness.compare_robustness(
        [BrightPixelClassifier(), BrightPixelClassifier()], synthetic.draw_faces(70)
    )
    assert distinct_names(["runs/a.onnx", "b.onnx"], results) == ("bright (a.onnx)", "bright (b.onnx)")
    assert distinct_names(["base"], results[:1]) == ("bright",)


def test_report_has_a_row_for_each_corruption_and_a_table_for_each_column():
    from mien.evaluation.robustness import RobustnessReport, format_robustness, robustness_values

    results = robustness.compare_robustness([BrightPixelClassifier()], synthetic.draw_faces(350))
    predictions = results[0].predictions
    names = np.array(["a", "b"] * 18)[: len(predictions.faces)]
    grouped = groups.measure_groups("source", names, predictions.scores, predictions.faces.labels)
    report = RobustnessReport(("bright",), tuple(results), ((grouped,),), ("no YuNet",))
    lines = format_robustness(report).splitlines()
    assert lines[0] == "35 faces of the public split: accuracy, and points lost"
    assert lines[-1] == "no YuNet"
    assert any(line.startswith("shift 10 %") for line in lines)
    assert any(line.startswith("gap, best to worst") and line.endswith("-") for line in lines)  # small groups
    [values] = robustness_values(report)["models"]
    assert len(values["rows"]) == robustness.PASSES
    assert [group["faces"] for group in values["groups"][0]["groups"]] == [18, 17]


def test_models_with_other_labels_are_an_error(folder, tmp_path, capsys):
    (tmp_path / "two.onnx").write_bytes(tiny_model(tiny_card(name="two", labels=("sad", "happy"))))
    models = ("--model", folder / "first.onnx", "--model", tmp_path / "two.onnx")
    assert run_robustness(folder, tmp_path / "out", *models) == 1
    assert "have different labels" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_missing_column_is_an_error(folder, tmp_path, capsys):
    assert run_robustness(folder, tmp_path / "out", "--model", folder / "first.onnx", "--groups", "age") == 1
    assert "age" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
