"""Validation faces by number, by fold and by group; stratified folds; several sources combined into one data set."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import splits, synthetic
from mien.datasets.dataset import TRAINING, FaceDataset, empty_votes, write_csv
from mien.datasets.duplicates import group_duplicates
from mien.datasets.loading import combine_sources, load_training_faces
from mien.datasets.splits import (
    DataSettings,
    SourceSettings,
    assign_folds,
    assign_training_folds,
    count_five_classes,
    limit_validation,
    mask_without_duplicates,
    sample_validation,
    select_validation,
    split_training_validation,
)
from mien.errors import ExperimentError
from mien.labels import EMOTIONS


@pytest.fixture(scope="module")
def faces():
    """210 Training faces of 30 people; three faces have a duplicate."""
    synthetic_faces = synthetic.draw_faces(210, seed=5)
    pixels = synthetic_faces.pixels.copy()
    pixels[[30, 31, 32]] = pixels[[0, 1, 2]]
    people = np.array([f"person {index % 30}" for index in range(len(synthetic_faces))])
    return replace(synthetic_faces, pixels=pixels, usage=np.full(len(synthetic_faces), TRAINING), groups=people)


@pytest.fixture(scope="module")
def many():
    return synthetic.draw_faces(1400, seed=5)


# Validation faces


def test_validation_faces_have_no_duplicates_and_are_stratified(many):
    changed = replace(many, pixels=many.pixels.copy(), votes=many.votes.copy())
    changed.pixels[7:14] = changed.pixels[0:7]
    changed.votes[21] = [0] * 9 + [10]
    changed.pixels[28] = 40
    mask = sample_validation(changed, 210, seed=1)
    assert mask.sum() == 210
    assert set(changed.usage[mask]) == {"Training"}
    assert np.ptp(np.bincount(changed.labels[mask])) <= 1
    assert not mask[[*range(14), 21, 28]].any()
    assert np.array_equal(mask, sample_validation(changed, 210, seed=1))
    assert not np.array_equal(mask, sample_validation(changed, 210, seed=2))


def test_rare_class_is_equally_rare_among_the_validation_faces(many):
    included = (many.labels != EMOTIONS.index("disgust")) | (np.arange(1400) % 4 == 1)
    some = many.take(included)
    mask = sample_validation(some, 200)
    expected = np.bincount(some.labels[some.usage == "Training"]) * 200 / (some.usage == "Training").sum()
    assert np.abs(np.bincount(some.labels[mask]) - expected).max() <= 1


def test_training_has_no_test_faces_no_blank_faces_and_no_non_faces(many):
    some = many.take(np.arange(280))
    some.votes[0], some.pixels[1] = [0] * 9 + [10], 90
    training, validation = split_training_validation(DataSettings(validation=50), some)
    assert (len(validation), len(training)) == (50, int((some.usage == "Training").sum()) - 50 - 2)
    assert set(training.usage) | set(validation.usage) == {"Training"}
    with_non_faces, _ = split_training_validation(DataSettings(validation=50, drop_non_faces=False), some)
    assert len(with_non_faces) == len(training) + 1


def test_each_face_is_in_one_validation_fold_and_duplicates_are_together(faces):
    masks = np.array([select_validation(DataSettings(folds=4, fold=fold), faces) for fold in (1, 2, 3, 4)])
    assert np.array_equal(masks.sum(0), np.ones(len(faces)))
    assert np.ptp(masks.sum(1)) <= 7  # one of each class, as 30 are divided by 4
    groups = group_duplicates(faces.pixels)
    for mask in masks:
        assert not np.isin(groups[mask], groups[~mask]).any()
        assert np.ptp(np.bincount(faces.labels[mask], minlength=7)) <= 2


@pytest.mark.parametrize(
    "settings", [DataSettings(group="person", validation=40), DataSettings(group="person", folds=3, fold=2)]
)
def test_groups_are_either_training_or_validation(faces, settings):
    training, validation = split_training_validation(settings, faces)
    assert set(training.groups.tolist()).isdisjoint(validation.groups.tolist())
    assert 40 <= len(validation) <= 80
    assert len(training) + len(validation) == len(faces)


def test_faces_of_test_splits_are_never_validation_faces(faces):
    some = replace(faces, usage=np.where(np.arange(len(faces)) < 100, TRAINING, "PublicTest"))
    for settings in (
        DataSettings(validation=20),
        DataSettings(folds=2),
        DataSettings(group="person", validation=20),
        DataSettings(group="person", folds=2),
    ):
        mask = select_validation(settings, some)
        assert mask.any()
        assert not mask[100:].any()


def test_missing_group_column_is_an_error(faces):
    with pytest.raises(ExperimentError, match="without its column 'person'"):
        select_validation(DataSettings(group="person"), replace(faces, groups=None))
    assert not select_validation(DataSettings(group="person", validation=0), faces).any()


def test_validation_is_limited_to_a_fifth_of_a_small_data_set(faces):
    assert limit_validation(DataSettings(), faces).validation == 210 // 5
    for settings in (DataSettings(validation=40), DataSettings(validation=0), DataSettings(folds=3)):
        assert limit_validation(settings, faces) == settings


def test_duplicates_are_only_searched_in_other_splits(faces):
    usage = np.array(["Training", "PublicTest", "PublicTest", "PublicTest"])
    four = FaceDataset(faces.pixels[[0, 0, 1, 1]], faces.labels[:4], usage, faces.votes[:4])
    assert mask_without_duplicates(four, "PublicTest").tolist() == [False, True, True]


# Folds


def test_folds_are_stratified():
    labels = np.repeat([0, 1, 2], [100, 50, 10])
    folds = assign_folds(labels, 5, seed=1)
    for fold in range(5):
        assert np.bincount(labels[folds == fold]).tolist() == [20, 10, 2]
    assert np.array_equal(folds, assign_folds(labels, 5, seed=1))
    assert not np.array_equal(folds, assign_folds(labels, 5, seed=2))


def test_folds_keep_groups_together():
    rng = np.random.default_rng(0)
    labels, people = rng.integers(0, 4, 600), rng.integers(0, 60, 600).astype(str)
    folds = assign_folds(labels, 4, groups=people)
    assert all(len(set(folds[people == person])) == 1 for person in set(people))
    for fold in range(4):
        assert np.abs(np.bincount(labels[folds == fold], minlength=4) - 37.5).max() < 15


def test_training_folds_keep_duplicates_together_and_ignore_test_faces(many):
    some = many.take(np.arange(140))
    some.pixels[10:20] = some.pixels[0:10]
    some.usage[:20] = TRAINING
    folds = assign_training_folds(some, 3)
    assert np.array_equal(folds[10:20], folds[0:10])
    assert set(folds[some.usage != TRAINING].tolist()) == {-1}


def test_more_folds_than_groups_are_an_error():
    with pytest.raises(ExperimentError, match="2 groups cannot be split into 3 folds"):
        assign_folds(np.array([0, 1, 0]), 3, groups=np.array(["a", "b", "a"]))


def test_five_class_counts_of_fer2013_and_explanation_of_a_difference():
    whole = {"Training": (3995, 436, 4097, 7215, 4830, 3171, 4965), "Test": (958, 111, 1024, 1774, 1247, 831, 1233)}
    labels = np.concatenate([np.repeat(np.arange(7), counts) for counts in whole.values()])
    usage = np.where(np.arange(len(labels)) < 28709, "Training", "PublicTest")
    faces = FaceDataset(np.zeros((len(labels), 1, 1), np.uint8), labels, usage, empty_votes(len(labels)))
    five = count_five_classes(faces)
    assert five["here"] == splits.FIVE_CLASS_COUNTS == {"training": 24176, "test": 6043}
    assert five["because"] == "the counts are the same"
    fewer = count_five_classes(faces.take(np.arange(len(labels)) % 300 > 0))
    assert "only PublicTest has faces" in fewer["because"]
    assert "blank or no face" in fewer["because"]


# Several sources


@pytest.fixture
def tables(tmp_path):
    """Two tables with a column of people; in the second, 4 means surprise."""
    for name, seed in (("one", 1), ("two", 2)):
        path = write_csv(synthetic.draw_faces(70, seed=seed), tmp_path / f"{name}.csv")
        lines = path.read_text().splitlines()
        people = ["person", *(str(index % 10) for index in range(70))]
        path.write_text("".join(f"{line},{person}\n" for line, person in zip(lines, people, strict=True)))
    return tmp_path


def test_each_source_has_its_label_map_split_and_groups(tables):
    sources = (SourceSettings("one.csv"), SourceSettings("two.csv", {"4": "surprise", "0": ""}, TRAINING))
    settings, reports = DataSettings(sources=sources, group="person"), []
    faces = load_training_faces(settings, tables, progress=lambda *report: reports.append(report))
    assert reports
    one, two = synthetic.draw_faces(70, seed=1), synthetic.draw_faces(70, seed=2)
    included = two.labels != 0
    assert np.array_equal(faces.pixels, np.concatenate([one.pixels, two.pixels[included]]))
    mapped = np.where(two.labels == EMOTIONS.index("sad"), EMOTIONS.index("surprise"), two.labels)
    assert np.array_equal(faces.labels, np.concatenate([one.labels, mapped[included]]))
    assert set(faces.usage[70:]) == {TRAINING}
    assert set(faces.usage[:70]) == set(one.usage)
    assert len(set(faces.groups.tolist())) == 20  # groups of the two tables stay different


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((), r"has no data.*--data"),
        ((SourceSettings("one.csv", usage="Trainin"),), r"usage is 'Trainin'.*Did you mean 'Training'"),
        ((SourceSettings("three.csv"),), r"no data at .*three.csv"),
        ((SourceSettings("one.csv", {"1": "surprize"}),), r"maps '1' to 'surprize'.*Did you mean 'surprise'"),
        # label maps are checked before anything is read
        ((SourceSettings("three.csv"), SourceSettings("one.csv", {"1": "Hapy"})), r"'1' to 'Hapy'.*mean 'happy'"),
    ],
)
def test_wrong_sources_are_errors(tables, sources, message):
    with pytest.raises(ExperimentError, match=message):
        load_training_faces(DataSettings(sources=sources), tables)


def test_tables_and_folders_are_combined(tmp_path):
    table = synthetic.write_fer2013(tmp_path / "drawn", 70)
    for name in ("0 surprised", "boredom"):
        (tmp_path / "ck" / name).mkdir(parents=True)
        Image.new("L", (64, 64), 9).save(tmp_path / "ck" / name / "a.png")
    folders = SourceSettings(str(tmp_path / "ck"), {"boredom": "neutral"}, "PublicTest")
    both = combine_sources([SourceSettings(str(table)), folders])
    assert len(both) == 72
    assert sorted(both.labels[-2:].tolist()) == [5, 6]
    assert both.usage[-2:].tolist() == ["PublicTest"] * 2
    with pytest.raises(ExperimentError, match="No source"):
        combine_sources([])
