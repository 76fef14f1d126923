"""Who learns and who is held out: by number, by fold, by group; and several sources with their own words as one."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.combined import load_training_faces
from mien.datasets.dataset import TRAINING, write_csv
from mien.datasets.duplicates import group_duplicates
from mien.datasets.splits import DataSettings, SourceSettings, select_validation, split_training_validation, with_fewer_held_out
from mien.errors import ExperimentError
from mien.labels import EMOTIONS
from mien.training.recipe import Recipe, TrainingSettings


@pytest.fixture(scope="module")
def faces():
    """210 faces of 30 people, the first three of whom have a twin each."""
    found = synthetic.draw_faces(210, seed=5)
    pixels = found.pixels.copy()
    pixels[[30, 31, 32]] = pixels[[0, 1, 2]]
    people = np.array([f"person {place % 30}" for place in range(len(found))])
    return replace(found, pixels=pixels, usage=np.full(len(found), TRAINING), groups=people)


def test_without_more_words_a_number_without_twins_is_held_out(faces):
    aside = select_validation(DataSettings(validation=40), faces)
    assert aside.sum() == 40
    numbers = group_duplicates(faces.pixels)
    assert not np.isin(numbers[aside], numbers[~aside]).any()


def test_every_face_is_held_out_in_one_fold_and_twins_together(faces):
    parts = np.array([select_validation(DataSettings(folds=4, fold=fold), faces) for fold in (1, 2, 3, 4)])
    assert np.array_equal(parts.sum(0), np.ones(len(faces)))
    assert parts.sum(1).max() - parts.sum(1).min() <= 7  # one of each class, as 30 are dealt into 4
    numbers = group_duplicates(faces.pixels)
    for part in parts:
        assert not np.isin(numbers[part], numbers[~part]).any()
        counts = np.bincount(faces.labels[part], minlength=7)
        assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize("settings", [DataSettings(group="person", validation=40), DataSettings(group="person", folds=3, fold=2)])
def test_nobody_stands_on_both_sides(faces, settings):
    learned, kept = split_training_validation(settings, faces)
    assert set(learned.groups.tolist()).isdisjoint(kept.groups.tolist())
    assert 40 <= len(kept) <= 80
    assert len(learned) + len(kept) == len(faces)


def test_faces_of_other_splits_are_never_held_out(faces):
    usage = np.where(np.arange(len(faces)) < 100, TRAINING, "PublicTest")
    some = replace(faces, usage=usage)
    for settings in (DataSettings(validation=20), DataSettings(folds=2), DataSettings(group="person", validation=20), DataSettings(group="p", folds=2)):
        aside = select_validation(settings, some)
        assert aside.any()
        assert not aside[100:].any()


def test_a_group_that_was_not_read_and_a_fold_that_is_none(faces):
    with pytest.raises(ExperimentError, match="without its column 'person'"):
        select_validation(DataSettings(group="person"), replace(faces, groups=None))
    with pytest.raises(ExperimentError, match=r"data.fold is 5. 1 to 4 was expected"):
        select_validation(DataSettings(folds=4, fold=5), faces)
    assert not select_validation(DataSettings(group="person", validation=0), faces).any()


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        (TrainingSettings(schedule="plateau"), "training.schedule=plateau would go by them. A number above 0"),
        (TrainingSettings(early_stopping=3, keep="best"), "training.early_stopping=3 and training.keep=best would"),
    ],
)
def test_what_goes_by_held_out_faces_is_refused_without_any(faces, fit, said):
    with pytest.raises(ExperimentError) as refused:
        with_fewer_held_out(Recipe(data=DataSettings(validation=0), training=fit), faces)
    assert said in str(refused.value)
    assert ", or set fit." in refused.value.remedy
    for settings in (DataSettings(validation=20), DataSettings(folds=3), DataSettings(group="person", validation=20)):
        recipe = Recipe(data=settings, training=fit)
        assert with_fewer_held_out(recipe, faces) == recipe
    assert with_fewer_held_out(Recipe(data=DataSettings(validation=0)), faces).data.validation == 0


def test_data_that_is_named_twice_leaves_nothing_to_hold_out(faces):
    both = faces.take(np.tile(np.arange(len(faces)), 2))
    with pytest.raises(ExperimentError, match="without a twin were expected"):
        with_fewer_held_out(Recipe(training=TrainingSettings(keep="best")), both)


# Several sources


@pytest.fixture
def tables(tmp_path):
    """Two tables with a column of people; the second counts surprise as FER2013 counts sadness."""
    for name, seed in (("one", 1), ("two", 2)):
        path = write_csv(synthetic.draw_faces(70, seed=seed), tmp_path / f"{name}.csv")
        lines = path.read_text().splitlines()
        people = ["person", *(str(place % 10) for place in range(70))]
        path.write_text("".join(f"{line},{person}\n" for line, person in zip(lines, people, strict=True)))
    return tmp_path


def test_each_source_has_its_words_its_split_and_its_people(tables):
    sources = (SourceSettings("one.csv"), SourceSettings("two.csv", {"4": "surprise", "0": ""}, TRAINING))
    recipe = Recipe(data=DataSettings(sources=sources, group="person"), place=tables)
    told = []
    found = load_training_faces(recipe.data, recipe.folder, progress=lambda done, total: told.append(done))
    one, two = synthetic.draw_faces(70, seed=1), synthetic.draw_faces(70, seed=2)
    kept = two.labels != 0
    assert np.array_equal(found.pixels, np.concatenate([one.pixels, two.pixels[kept]]))
    surprise = EMOTIONS.index("surprise")
    moved = np.where(two.labels == EMOTIONS.index("sad"), surprise, two.labels)
    assert np.array_equal(found.labels, np.concatenate([one.labels, moved[kept]]))
    assert set(found.usage[70:]) == {TRAINING}
    assert set(found.usage[:70]) == set(one.usage)
    assert len(set(found.groups.tolist())) == 20  # nobody of one table is taken for one of the other


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        ((), r"does not say where its faces are.*--data"),
        ((SourceSettings("one.csv", usage="Trainin"),), r"usage is 'Trainin'.*Did you mean 'Training'"),
        ((SourceSettings("three.csv"),), r"no data at .*three.csv"),
        ((SourceSettings("one.csv", {"1": "surprize"}),), r"takes '1' for 'surprize'.*Did you mean 'surprise'"),
        # ... before anything is read
        ((SourceSettings("three.csv"), SourceSettings("one.csv", {"1": "Hapy"})), r"takes '1' for 'Hapy'.*Did you mean 'happy'"),
    ],
)
def test_a_source_that_cannot_be(tables, sources, said):
    with pytest.raises(ExperimentError, match=said):
        load_training_faces(DataSettings(sources=sources), tables)
