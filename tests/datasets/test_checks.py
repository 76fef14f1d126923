"""Checks of data sets: each error that is put into good faces is reported with its place, and nothing else is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.datasets import checks, duplicates, loading, synthetic
from mien.datasets.checks import check_dataset, count_classes, count_training_duplicates
from mien.datasets.dataset import FaceDataset, LoadedDataset, Problem, empty_votes
from mien.labels import EMOTIONS


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def faces():
    """Noise without duplicates, in every class of every split."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (210, 48, 48)).astype(np.uint8)
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 70)
    return FaceDataset(pixels, np.arange(210) % 7, usage, empty_votes(210))


def loaded(faces, names=()):
    return LoadedDataset(Path("fer2013.csv"), "table", faces, np.arange(1, len(faces) + 1), names)


def findings(faces, names=()):
    return [(each.kind, each.where, each.reason) for each in check_dataset(loaded(faces, names)).findings]


def copy(faces):
    return replace(faces, pixels=faces.pixels.copy(), labels=faces.labels.copy(), usage=faces.usage.copy())


def test_good_faces_have_no_findings_and_plain_counts(faces):
    values = json.loads(json.dumps(check_dataset(loaded(faces)).to_dict()))
    assert values["findings"] == []
    assert values["faces"] == 210
    assert values["splits"]["PublicTest"] == dict.fromkeys(EMOTIONS, 10)
    assert list(count_classes(faces)) == ["Training", "PublicTest", "PrivateTest"]


def test_blank_faces_are_reported(faces):
    changed = copy(faces)
    changed.pixels[[3, 80]] = 17
    assert findings(changed) == [("blank", "row 4", "all pixels are 17"), ("blank", "row 81", "all pixels are 17")]


def test_duplicates_in_a_split_across_splits_and_with_other_labels_are_reported(faces):
    changed = copy(faces)
    changed.pixels[14], changed.pixels[71] = changed.pixels[7], changed.pixels[1]
    changed.pixels[9] = changed.pixels[10]
    assert findings(changed) == [
        ("duplicate across splits", "row 2", "the same pixels as row 72 (PublicTest)"),
        ("duplicate", "row 8", "the same pixels as row 15 (Training)"),
        ("duplicate", "row 10", "the same pixels as row 11 (Training)"),
        ("conflicting labels", "row 10", "one image, labelled fear, happy: row 11 (Training)"),
    ]
    assert count_training_duplicates(changed) == {"PublicTest": 1, "PrivateTest": 0}


def test_only_equal_pixels_have_the_same_group(faces):
    pixels = faces.pixels[[0, 1, 0, 2, 1, 0]]
    groups = duplicates.group_duplicates(pixels)
    assert [[a == b for b in groups] for a in groups] == [[np.array_equal(a, b) for b in pixels] for a in pixels]


@pytest.mark.parametrize(
    "change",
    [
        lambda face: np.clip(face * 0.7 + 20, 0, 255).astype(np.uint8),
        lambda face: np.clip(face.astype(int) + np.random.default_rng(1).integers(-6, 7, face.shape), 0, 255),
        lambda face: np.asarray(Image.fromarray(face).resize((96, 96)).resize((48, 48))),
    ],
    ids=["darker", "noisy", "resized"],
)
def test_changed_copy_is_a_near_duplicate(change):
    faces = synthetic.draw_faces(70, seed=8)
    faces.pixels[9] = change(faces.pixels[2])
    pairs = duplicates.find_near_duplicates(faces.pixels)
    assert [2, 9] in pairs.indices.tolist()
    assert pairs.similarity.min() >= duplicates.MIN_SIMILARITY


def test_different_faces_are_rarely_near_duplicates_and_blank_faces_never():
    assert len(duplicates.find_near_duplicates(synthetic.draw_faces(350, seed=2).pixels)) <= 2
    assert len(duplicates.find_near_duplicates(np.zeros((90, 48, 48), np.uint8))) == 0
    assert len(duplicates.find_near_duplicates(np.arange(2304, dtype=np.uint8).reshape(1, 48, 48))) == 0


def test_missing_splits_and_empty_classes_are_reported(faces):
    some = faces.take((faces.usage == "Training") & (faces.labels != 1))
    assert findings(some) == [
        ("missing split", "PublicTest", "no face to test on"),
        ("empty class", "Training", "no face is labelled disgust"),
    ]
    without_private = findings(faces.take(faces.usage != "PrivateTest"))
    assert [kind for kind, *_ in without_private] == ["missing split"]


def test_unknown_split_is_reported(faces):
    changed = replace(faces, usage=np.where(np.arange(210) == 5, "Holdout", faces.usage.astype("<U16")))
    assert {kind: where for kind, where, _ in findings(changed)}["split"] == "row 6"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("3 pixels instead of 2304", "pixel count"),
        ("pixels that are no numbers", "not numbers"),
        ("pixels outside 0 to 255", "pixel range"),
        ("label '7' is none of 0 to 6", "label"),
        ("the file is cut off in its last line (3 pixels instead of 2304)", "truncated"),
        ("too few columns, perhaps cut off", "columns"),
    ],
)
def test_reading_problem_has_a_kind(faces, reason, kind):
    few = faces.take(np.arange(len(faces)))
    assert findings(replace(few, problems=(Problem(9, reason),))) == [(kind, "row 9", reason)]


def test_all_errors_of_one_file_are_reported(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 140, seed=4)
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace(" ", " x", 1)
    lines[4] = "9" + lines[4][1:]
    lines[5] = "0,1 2 3,Training\n"
    lines[6] = "5," + " ".join(["0"] * 2304) + ",Training\n"
    lines[8] = lines[9]
    path.write_text("".join(lines)[:-3000])
    kinds = check_dataset(loading.load_dataset(path)).by_kind()
    assert {"not numbers", "label", "pixel count", "blank", "duplicate", "truncated"} <= set(kinds)
    assert kinds["truncated"][0].where == "row 140"


# Label order


def test_folder_numbers_that_differ_from_fer2013_are_reported(faces):
    names = tuple(f"train/{number}_{name}/{i}.png" for number, name in enumerate(sorted(EMOTIONS)) for i in range(30))
    wrong = [(kind, where) for kind, where, _ in findings(faces, names)]
    assert wrong == [("label order", "4_neutral"), ("label order", "5_sad"), ("label order", "6_surprise")]


def test_bare_folder_numbers_other_than_zero_to_six_are_reported():
    raf_db = [f"train/{number}/a.png" for number in range(1, 7)]
    [(folder, reason)] = checks.check_folder_numbers(raf_db)
    assert folder == "1, 2, 3, 4, 5, 6"
    assert "label map" in reason
    assert list(checks.check_folder_numbers([f"train/{number}/a.png" for number in range(7)])) == []


def test_label_order_that_the_predictions_contradict_is_reported(faces):
    def predict(pixels):
        """The label that is written into the first pixel."""
        return np.eye(7, dtype=np.float32)[pixels[:, 0, 0]]

    alphabetical = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    changed = copy(faces)
    changed.pixels[:, 0, 0] = changed.labels
    assert checks.check_label_order(changed, predict) == ""
    suspicion = checks.check_label_order(replace(changed, labels=alphabetical[changed.labels]), predict)
    assert "sad has faces that look neutral, surprise has faces that look sad" in suspicion
    assert "they agree with 100 %" in suspicion
    assert checks.check_label_order(changed.take(np.arange(14)), predict) == ""


def test_embedded_model_suspects_no_other_order_of_synthetic_faces():
    assert checks.check_label_order(synthetic.draw_faces(140)) == ""
