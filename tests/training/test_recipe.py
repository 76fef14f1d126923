"""Recipes: every word known, every value of its kind, every shipped one readable."""

from pathlib import Path

import pytest

from mien.errors import ExperimentError
from mien.training import recipe as bounds
from mien.training import schedule
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings, apply_settings, list_settings

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_readable_and_says_how_it_is_run(path):
    assert Recipe.read(path).name == path.stem
    assert f"\n#   mien train recipes/{path.name} --data " in path.read_text("utf-8").partition("\nname")[0]


def test_there_are_recipes():
    assert {"base", "drawn"} <= {path.stem for path in RECIPES.glob("*.toml")}


def test_a_table_comes_back_as_it_went():
    recipe = Recipe(name="x", net=NetworkSettings(width=20, depth=(1, 2)), training=TrainingSettings(epochs=3, learning_rate=1))
    assert Recipe.from_table(recipe.to_table()) == recipe


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"net": {"widht": 3}}, r"unknown word 'net.widht'.*Did you mean 'width'"),
        ({"nett": {}}, r"unknown word 'nett'.*Did you mean 'net'"),
        ({"fit": {"epochs": "many"}}, r"training.epochs is 'many'.*kind int"),
        ({"fit": {"epochs": True}}, r"training.epochs is True"),
        ({"net": {"depth": [1, "2"]}}, r"net.depth is '2'"),
        ({"net": 3}, r"recipe's net is 3"),
        ({"augment": {"flip": 1}}, r"augment.flip is 1.*kind bool"),
    ],
)
def test_what_does_not_fit_is_refused(table, words):
    with pytest.raises(ExperimentError, match=words):
        Recipe.from_table(table)


def test_whole_numbers_are_numbers():
    assert Recipe.from_table({"fit": {"rate": 1}}).training.learning_rate == 1.0


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(ExperimentError, match="no recipe at"):
        Recipe.read(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(ExperimentError, match="is not TOML"):
        Recipe.read(tmp_path / "broken.toml")


def test_the_difference_names_the_settings():
    assert Recipe().difference(Recipe(training=TrainingSettings(epochs=7))) == {"training.epochs": (80, 7)}
    assert Recipe().difference(Recipe()) == {}


# Bounds


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("training.batch_size=0", "training.batch_size is 0. A number from 1 to 65,536 was expected"),
        ("training.batch_size=-4", "training.batch_size is -4"),
        ("training.epochs=0", "training.epochs is 0"),
        ("training.learning_rate=0", "training.learning_rate is 0. A number above 0, up to 100 was expected"),
        ("training.learning_rate=nan", "training.learning_rate is nan"),
        ("training.learning_rate=inf", "training.learning_rate is inf"),
        pytest.param(f"training.learning_rate={10**400}", "training.learning_rate is 1000", id="training.learning_rate=huge"),
        ("training.momentum=1", "training.momentum is 1"),
        ("training.seed=-1", "training.seed is -1"),
        ("training.patience=0", "training.patience is 0"),
        ("net.width=0", "net.width is 0"),
        ("net.dropout=2", "net.dropout is 2. A number from 0 to 0.99 was expected"),
        ("net.depth=1,0", "net.depth is 0"),
        ("net.depth=", "net.depth has 0 entries"),
        ("net.depth=1,1,1,1,1,1", "net.depth has 6 entries"),
        ("net.input_size=4", "net.input_size is 4"),
        ("data.validation=-5", "data.validation is -5"),
        ("data.folds=1", "data.folds is 1"),
        ("data.classes=", "data.classes has 0 entries"),
        ("augment.flip=2", "augment.flip is 2"),
        ("augment.jpeg_fraction=0.9", "jpeg_part, blur_part and small_part come to 1.15"),
        ("loss.label_smoothing=-1", "loss.label_smoothing is -1"),
        ("distillation.temperature=0", "distillation.temperature is 0"),
        ("training.keep=bset", "training.keep is 'bset'. Known are last, best. Did you mean 'best'"),
        ("training.schedule=cosinus", "Did you mean 'cosine'"),
        ("training.optimizer=adamv", "training.optimizer is 'adamv'. Known are sgd, adam, adamw. Did you mean 'adam'"),
        ("training.sampling=some", "Known are all, balanced. Leave it out"),
        ("net.order=pool", "Known are norm-pool, pool-norm"),
    ],
)
def test_a_value_out_of_bounds_is_refused_typed_or_in_a_file(word, said, tmp_path):
    with pytest.raises(ExperimentError) as typed:
        apply_settings(Recipe(), [word])
    assert said in str(typed.value)
    assert str(typed.value).count(". ") >= 1
    key, _, value = word.partition("=")
    section, _, name = key.partition(".")
    quoted = f"[{value}]" if name in ("depth", "classes") else f'"{value}"' if key in bounds.WORDS else value
    (tmp_path / "mine.toml").write_text(f"[{section}]\n{name} = {quoted}\n")
    with pytest.raises(ExperimentError) as written:
        Recipe.read(tmp_path / "mine.toml")
    assert str(written.value) == str(typed.value)


def test_a_class_that_is_named_twice_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match=r"data.classes names 'happy' twice. Each of them once"):
        apply_settings(Recipe(), ["data.classes=happy,sad,happy"])
    (tmp_path / "mine.toml").write_text('[data]\nclasses = ["sad", "sad"]\n')
    with pytest.raises(ExperimentError, match=r"data.classes names 'sad' twice"):
        Recipe.read(tmp_path / "mine.toml")
    assert apply_settings(Recipe(), ["net.depth=1,1"]).net.depth == (1, 1)


def test_folds_count_from_one_to_the_last():
    assert apply_settings(Recipe(), ["data.folds=5", "data.fold=5"]).data.fold == 5
    with pytest.raises(ExperimentError, match=r"data.fold is 6, and data.folds is 5. 1 to 5"):
        apply_settings(Recipe(), ["data.folds=5", "data.fold=6"])


def test_every_number_has_its_bounds_and_no_other():
    numbers = {key for key, kind in list_settings() if kind in (int, float, tuple[int, ...])}
    assert set(bounds.NUMBERS) == numbers
    assert set(bounds.WORDS) | set(bounds.LENGTHS) <= {key for key, _ in list_settings()}


def test_the_words_are_those_that_are_understood():
    assert set(bounds.WORDS["training.schedule"]) == set(schedule.SCHEDULES)
    for key, known in bounds.WORDS.items():
        for word in known:
            apply_settings(Recipe(), [f"{key}={word}"])
