"""What a check finds: each fault put into good faces is named, with its place, and nothing else is."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien.datasets import duplicates, label_order, loading, splits, synthetic
from mien.datasets.checks import check_dataset, count_classes, count_training_duplicates
from mien.datasets.combined import Part, combine_sources
from mien.datasets.dataset import FaceDataset, LoadedDataset, Problem, empty_votes
from mien.errors import ExperimentError
from mien.labels import EMOTIONS


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture(scope="module")
def faces():
    """Noise: no two alike, in every class of every split."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (210, 48, 48)).astype(np.uint8)
    usage = np.repeat(["Training", "PublicTest", "PrivateTest"], 70)
    return FaceDataset(pixels, np.arange(210) % 7, usage, empty_votes(210))


def source(faces, names=()):
    return LoadedDataset(Path("fer2013.csv"), "table", faces, np.arange(1, len(faces) + 1), names)


def found(faces, names=()):
    return [(each.kind, each.where, each.reason) for each in check_dataset(source(faces, names)).findings]


def test_nothing_is_found_where_nothing_is_wrong(faces):
    assert found(faces) == []


def spoilt(faces):
    return replace(faces, pixels=faces.pixels.copy(), labels=faces.labels.copy(), usage=faces.usage.copy())


def test_blank_faces(faces):
    some = spoilt(faces)
    some.pixels[[3, 80]] = 17
    assert found(some) == [("blank", "row 4", "all pixels are 17"), ("blank", "row 81", "all pixels are 17")]


def test_twins_in_a_split_across_splits_and_with_other_labels(faces):
    some = spoilt(faces)
    some.pixels[14], some.pixels[71] = some.pixels[7], some.pixels[1]
    some.pixels[9] = some.pixels[10]
    assert found(some) == [
        ("duplicate across splits", "row 2", "the same pixels as row 72 (PublicTest)"),
        ("duplicate", "row 8", "the same pixels as row 15 (Training)"),
        ("duplicate", "row 10", "the same pixels as row 11 (Training)"),
        ("conflicting labels", "row 10", "one picture, labelled fear, happy: row 11 (Training)"),
    ]
    assert count_training_duplicates(some) == {"PublicTest": 1, "PrivateTest": 0}


@pytest.mark.parametrize(
    "again",
    [
        lambda face: np.clip(face * 0.7 + 20, 0, 255).astype(np.uint8),
        lambda face: np.clip(face.astype(int) + np.random.default_rng(1).integers(-6, 7, face.shape), 0, 255),
        lambda face: np.asarray(Image.fromarray(face).resize((96, 96)).resize((48, 48))),
    ],
    ids=["darker", "noisy", "resized"],
)
def test_the_same_picture_with_other_pixels(again):
    some = synthetic.draw_faces(70, seed=8)
    some.pixels[9] = again(some.pixels[2])
    pairs = duplicates.find_near_duplicates(some.pixels)
    assert [2, 9] in pairs.places.tolist()
    assert pairs.likeness.min() >= duplicates.ALIKE


def test_few_drawn_faces_are_taken_for_the_same():
    assert len(duplicates.find_near_duplicates(synthetic.draw_faces(350, seed=2).pixels)) <= 2


def test_flat_faces_and_few_faces_are_no_pairs():
    assert len(duplicates.find_near_duplicates(np.zeros((90, 48, 48), np.uint8))) == 0
    assert len(duplicates.find_near_duplicates(np.arange(2304, dtype=np.uint8).reshape(1, 48, 48))) == 0


def test_missing_splits_and_empty_classes(faces):
    some = faces.take((faces.usage == "Training") & (faces.labels != 1))
    assert found(some) == [
        ("missing split", "PublicTest", "no face to test on"),
        ("empty class", "Training", "no face is disgust"),
    ]
    stripped = found(faces.take(faces.usage != "PrivateTest"))
    assert [kind for kind, *_ in stripped] == ["missing split"]


def test_a_split_that_nobody_knows(faces):
    some = replace(faces, usage=np.where(np.arange(210) == 5, "Holdout", faces.usage.astype("<U16")))
    kinds = {kind: where for kind, where, _ in found(some)}
    assert kinds["split"] == "row 6"


@pytest.mark.parametrize(
    ("reason", "kind"),
    [
        ("3 pixels instead of 2304", "pixel count"),
        ("pixels that are no numbers", "not numbers"),
        ("pixels outside 0 to 255", "pixel range"),
        ("label '7' is none of 0 to 6", "label"),
        ("the file is cut off in its last line (3 pixels instead of 2304)", "truncated"),
        ("too few columns, cut off perhaps", "columns"),
    ],
)
def test_problems_of_reading_have_a_kind(faces, reason, kind):
    assert found(replace(faces, problems=(Problem(9, reason),))) == [(kind, "row 9", reason)]


# Label order


def test_numbers_before_names_that_are_not_those_of_fer2013(faces):
    names = tuple(f"train/{place}_{name}/{i}.png" for place, name in enumerate(sorted(EMOTIONS)) for i in range(30))
    wrong = [(kind, where) for kind, where, _ in found(faces, names)]
    assert wrong == [("label order", "4_neutral"), ("label order", "5_sad"), ("label order", "6_surprise")]


def test_bare_numbers_that_are_not_zero_to_six():
    raf = [f"train/{number}/a.png" for number in range(1, 7)]
    [(folder, reason)] = label_order.check_folder_numbers(raf)
    assert folder == "1, 2, 3, 4, 5, 6"
    assert "label map" in reason
    assert list(label_order.check_folder_numbers([f"train/{number}/a.png" for number in range(7)])) == []


class Oracle:
    """Sees what is written into the first pixel."""

    def __call__(self, pixels):
        return pixels[:, 0, 0].astype(np.int64)


def test_a_numbering_that_the_faces_contradict(faces, monkeypatch):
    monkeypatch.setattr(label_order, "_seen", Oracle())
    alphabet = np.array([sorted(EMOTIONS).index(name) for name in EMOTIONS])
    some = spoilt(faces)
    some.pixels[:, 0, 0] = some.labels
    assert label_order.check_label_order(some) == ""
    said = label_order.check_label_order(replace(some, labels=alphabet[some.labels]))
    assert "sad holds faces that look neutral, surprise holds faces that look sad" in said
    assert "they fit 100 %" in said


def test_the_embedded_model_suspects_nothing_of_drawings_and_noise(faces):
    assert label_order.check_label_order(faces) == ""
    assert label_order.check_label_order(synthetic.draw_faces(140)) == ""


def test_too_few_faces_are_not_judged(faces):
    assert label_order.check_label_order(faces.take(np.arange(14))) == ""


# Told


def test_the_whole_is_plain_numbers(faces):
    import json

    told = json.loads(json.dumps(check_dataset(source(faces)).to_dict()))
    assert told["faces"] == 210
    assert told["splits"]["PublicTest"] == dict.fromkeys(EMOTIONS, 10)
    assert list(count_classes(faces)) == ["Training", "PublicTest", "PrivateTest"]


def test_every_fault_in_one_file_is_found_and_the_rest_is_read(tmp_path):
    path = synthetic.write_fer2013(tmp_path, 140, seed=4)
    lines = path.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace(" ", " x", 1)
    lines[4] = "9" + lines[4][1:]
    lines[5] = "0,1 2 3,Training\n"
    lines[6] = "5," + " ".join(["0"] * 2304) + ",Training\n"
    lines[8] = lines[9]
    path.write_text("".join(lines)[:-3000])
    kinds = check_dataset(loading.load_dataset(path)).kinds()
    assert {"not numbers", "label", "pixel count", "blank", "duplicate", "truncated"} <= set(kinds)
    assert kinds["truncated"][0].where == "row 140"


# Splits


def test_folds_keep_the_proportions():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    fold = splits.assign_folds(labels, 5, seed=1)
    for each in range(5):
        assert np.bincount(labels[fold == each]).tolist() == [20, 10, 2]
    assert np.array_equal(fold, splits.assign_folds(labels, 5, seed=1))
    assert not np.array_equal(fold, splits.assign_folds(labels, 5, seed=2))


def test_groups_stay_together_and_the_proportions_about_hold():
    rng = np.random.default_rng(0)
    labels, people = rng.integers(0, 4, 600), rng.integers(0, 60, 600).astype(str)
    fold = splits.assign_folds(labels, 4, groups=people)
    assert all(len(set(fold[people == person])) == 1 for person in set(people))
    for each in range(4):
        assert np.abs(np.bincount(labels[fold == each], minlength=4) - 37.5).max() < 15


def test_twins_stay_together_and_test_faces_are_in_no_fold(faces):
    some = spoilt(faces)
    some.pixels[10:20] = some.pixels[0:10]
    fold = splits.assign_training_folds(some, 3)
    assert np.array_equal(fold[10:20], fold[0:10])
    assert set(fold[some.usage != "Training"].tolist()) == {-1}


def test_more_folds_than_people_are_refused():
    with pytest.raises(ExperimentError, match="2 groups cannot be dealt into 3 folds"):
        splits.assign_folds(np.array([0, 1, 0]), 3, groups=np.array(["a", "b", "a"]))


def test_the_five_class_counts_are_those_of_fer2013_and_differences_are_explained():
    whole = {"Training": (3995, 436, 4097, 7215, 4830, 3171, 4965), "Test": (958, 111, 1024, 1774, 1247, 831, 1233)}
    labels = np.concatenate([np.repeat(np.arange(7), counts) for counts in whole.values()])
    usage = np.where(np.arange(len(labels)) < 28709, "Training", "PublicTest")
    some = FaceDataset(np.zeros((len(labels), 1, 1), np.uint8), labels, usage, empty_votes(len(labels)))
    five = splits.count_five_classes(some)
    assert five["here"] == {"training": 24176, "test": 6043}
    assert five["because"] == "the counts are the same"
    fewer = splits.count_five_classes(some.take(np.arange(len(labels)) % 300 > 0))
    assert "only PublicTest has faces" in fewer["because"]
    assert "blank or no face" in fewer["because"]


# Several sources


def test_several_sources_become_one(tmp_path):
    table = synthetic.write_fer2013(tmp_path / "drawn", 70)
    folder = tmp_path / "ck" / "0 surprised"
    folder.mkdir(parents=True)
    (tmp_path / "ck" / "boredom").mkdir()
    Image.new("L", (64, 64), 9).save(folder / "a.png")
    Image.new("L", (64, 64), 9).save(tmp_path / "ck" / "boredom" / "a.png")
    both = combine_sources([Part(table), Part(tmp_path / "ck", {"boredom": "neutral"}, usage="PublicTest")])
    assert len(both) == 72
    assert sorted(both.labels[-2:].tolist()) == [5, 6]
    assert both.usage[-2:].tolist() == ["PublicTest"] * 2
    with pytest.raises(ExperimentError, match="No source"):
        combine_sources([])
