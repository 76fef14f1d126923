"""Recipes: TOML files, typed settings, limits, paths and built-in recipes."""

import tomllib
from pathlib import Path

import pytest

from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError
from mien.settings import list_settings
from mien.training import schedule
from mien.training.recipe import (
    DistillationSettings,
    NetworkSettings,
    Recipe,
    TrainingSettings,
    builtin_names,
    load_network_recipe,
    load_recipe,
)

RECIPES = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("name", builtin_names())
def test_builtin_recipe_has_the_name_of_its_file_and_its_command(name):
    assert load_recipe(name).name == name
    header = (RECIPES / f"{name}.toml").read_text("utf-8").partition("\nname")[0]
    assert f"\n#   mien train recipes/{name}.toml --data " in header


def test_recipe_is_loaded_by_name_or_path(tmp_path, monkeypatch):
    assert load_recipe("basic") == load_network_recipe("basic")
    monkeypatch.chdir(tmp_path)
    Path("basic").mkdir()  # a folder of that name is no recipe
    assert load_recipe("basic").training.optimizer == "adam"
    Path("mine.toml").write_text('name = "mine"\n')
    assert load_recipe("mine.toml").name == "mine"
    with pytest.raises(ExperimentError, match=r"no recipe 'basik'.*Did you mean 'basic'"):
        load_recipe("basik")
    with pytest.raises(ExperimentError, match=r"no recipe at basik.toml"):
        load_recipe("basik.toml")
    with pytest.raises(ExperimentError, match=r"no network 'resdual'.*Did you mean 'residual'"):
        load_network_recipe("resdual")


def test_recipe_of_the_documentation_is_valid(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    assert Recipe.read(tmp_path / "mine.toml").data.sources[1].labels == {"contempt": "", "anger": "angry"}


def test_missing_or_invalid_file_is_refused(tmp_path):
    with pytest.raises(ExperimentError, match="no recipe at"):
        Recipe.read(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(ExperimentError, match="is not valid TOML"):
        Recipe.read(tmp_path / "broken.toml")


# Tables and TOML


def test_table_round_trip():
    net, training = NetworkSettings(width=20, depth=(1, 2)), TrainingSettings(epochs=3, learning_rate=1)
    recipe = Recipe(name="x", net=net, training=training)
    assert Recipe.from_table(recipe.to_table()) == recipe


def test_toml_round_trip():
    sources = (
        SourceSettings("/data/a b.csv", {"1": "surprise", "odd word": ""}),
        SourceSettings("/more", usage="Training"),
    )
    data = DataSettings(sources=sources, group="person")
    recipe = Recipe(name='a "name"', data=data, net=NetworkSettings(depth=(1, 2)))
    assert Recipe.from_table(tomllib.loads(recipe.to_toml())) == recipe


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"net": {"widht": 3}}, r"unknown key 'net.widht'.*Did you mean 'width'"),
        ({"nett": {}}, r"unknown key 'nett'.*Did you mean 'net'"),
        ({"training": {"rate": 0.1}}, r"unknown key 'training.rate'.*keys of \[training\] are epochs, batch_size"),
        ({"training": {"epochs": "many"}}, r"training.epochs is 'many'.*type int"),
        ({"training": {"epochs": True}}, r"training.epochs is True"),
        ({"net": {"depth": [1, "2"]}}, r"net.depth is '2'"),
        ({"net": 3}, r"recipe's net is 3"),
        ({"augment": {"flip": 1}}, r"augment.flip is 1.*type bool"),
    ],
)
def test_invalid_table_is_refused(table, message):
    with pytest.raises(ExperimentError, match=message):
        Recipe.from_table(table)


def test_integer_is_a_valid_float():
    assert Recipe.from_table({"training": {"learning_rate": 1}}).training.learning_rate == 1.0


def test_difference_names_the_settings():
    assert Recipe().difference(Recipe(training=TrainingSettings(epochs=7))) == {"training.epochs": (80, 7)}
    assert Recipe().difference(Recipe()) == {}


# Paths


def test_paths_are_relative_to_the_recipe_or_to_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    text = '[[data.sources]]\npath = "faces.csv"\n[net]\nweights = "runs/a"\n[distillation]\ntargets = "t.npz"\n'
    (tmp_path / "deep" / "own.toml").write_text(text)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    recipe = Recipe.read("deep/own.toml").with_absolute_paths()
    assert recipe.data.sources[0].path == str(tmp_path / "deep" / "faces.csv")
    assert recipe.distillation.targets == str(tmp_path / "deep" / "t.npz")
    assert recipe.net.weights == str(tmp_path / "runs" / "a")  # exists in the current folder only
    assert recipe.with_absolute_paths() == recipe


def test_public_table_has_no_folders():
    recipe = Recipe(
        data=DataSettings(sources=(SourceSettings("/abc/somebody/fer2013.csv"),)),
        net=NetworkSettings(weights="/abc/somebody/runs/a"),
        distillation=DistillationSettings(targets="/abc/somebody/t.npz", runs=("/abc/somebody/runs/b",)),
    )
    table = recipe.public_table()
    assert "somebody" not in str(table)
    assert table["data"]["sources"][0]["path"] == "fer2013.csv"
    assert Recipe.from_table(table).net.weights == "a"
    assert Recipe().with_absolute_paths().net.weights == "none"


# Typed settings


def test_typed_settings_are_parsed():
    typed = ["training.batch_size=64", "net.depth=2,3", "net.votes=false", "training.learning_rate=1e-3", "name=0"]
    recipe = Recipe().with_settings(typed)
    assert (recipe.training.batch_size, recipe.net.depth, recipe.net.votes) == (64, (2, 3), False)
    assert (recipe.training.learning_rate, recipe.name) == (0.001, "0")
    assert recipe.with_settings(["data.classes=happy, sad"]).data.classes == ("happy", "sad")
    assert recipe.with_settings(['data.classes=["happy"]', "net.depth=[4]"]).net.depth == (4,)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("training.batch_sise=3", "Did you mean 'training.batch_size'"),
        ("batch_size=3", "Did you mean 'training.batch_size'"),
        ("training.batch_size", "has no '='"),
        ("training.batch_size=many", "training.batch_size is 'many'"),
        ("training=3", "no setting 'training'"),
        ("data.sources=x", "no setting 'data.sources'"),
        ("folder=x", "no setting 'folder'"),
    ],
)
def test_unknown_typed_setting_is_refused(typed, message):
    with pytest.raises(ExperimentError, match=message):
        Recipe().with_settings([typed])


def test_every_setting_can_be_typed():
    table = Recipe().to_table()
    keys = {f"{section}.{key}" for section, values in table.items() if isinstance(values, dict) for key in values}
    assert {setting.key for setting in list_settings(Recipe)} == keys - {"data.sources"} | {"name"}


# Limits


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("training.batch_size=0", "training.batch_size is 0. A number from 1 to 65,536 was expected"),
        ("training.learning_rate=0", "training.learning_rate is 0.0. A number above 0, up to 100 was expected"),
        ("training.learning_rate=nan", "training.learning_rate is nan"),
        ("training.learning_rate=inf", "training.learning_rate is inf"),
        ("training.momentum=1", "training.momentum is 1"),
        ("training.seed=-1", "training.seed is -1"),
        ("net.dropout=2", "net.dropout is 2.0. A number from 0 to 0.99 was expected"),
        ("net.depth=1,0", "net.depth is 0"),
        ("net.depth=", "net.depth has 0 entries"),
        ("net.depth=1,1,1,1,1,1", "net.depth has 6 entries"),
        ("net.input_size=4", "net.input_size is 4"),
        ("net.views=3", "net.views is 3. One of 1, 2, 4 was expected"),
        ("data.validation=-5", "data.validation is -5"),
        ("data.folds=1", "data.folds is 1"),
        ("data.classes=", "data.classes has 0 entries"),
        ("augment.flip=2", "augment.flip is 2"),
        ("augment.jpeg_fraction=0.9", "jpeg_fraction, blur_fraction and small_fraction add up to 1.15"),
        ("loss.label_smoothing=-1", "loss.label_smoothing is -1"),
        ("loss.soft_labels=2", "loss.soft_labels is 2"),
        ("distillation.weight=1.5", "distillation.weight is 1.5"),
        ("distillation.temperature=0", "distillation.temperature is 0"),
        ("training.keep=bset", "training.keep is 'bset'. One of last, best was expected. Did you mean 'best'"),
        ("training.schedule=cosinus", "Did you mean 'cosine'"),
        ("training.optimizer=adamv", "One of sgd, adam, adamw was expected. Did you mean 'adam'"),
        ("training.sampling=some", "One of all, balanced was expected. Leave it out"),
        ("net.color=blue", "One of auto, gray, rgb was expected"),
        ("net.order=pool", "One of norm-pool, pool-norm was expected"),
    ],
)
def test_value_outside_its_limits_is_refused(typed, message, tmp_path):
    with pytest.raises(ExperimentError) as error:
        Recipe().with_settings([typed])
    assert message in str(error.value)
    key, _, value = typed.partition("=")
    section, _, name = key.partition(".")
    quoted = f"[{value}]" if name in ("depth", "classes") else value if value[-1:].isdigit() else f'"{value}"'
    if value not in ("nan", "inf"):
        (tmp_path / "mine.toml").write_text(f"[{section}]\n{name} = {quoted}\n")
        with pytest.raises(ExperimentError) as file_error:
            Recipe.read(tmp_path / "mine.toml")
        assert str(file_error.value) == str(error.value)


def test_settings_outside_their_limits_cannot_be_constructed():
    with pytest.raises(ExperimentError, match=r"training.epochs is 0"):
        TrainingSettings(epochs=0)
    with pytest.raises(ExperimentError, match=r"training.deterministic with training.precision mixed_bfloat16"):
        TrainingSettings(deterministic=True, precision="mixed_bfloat16")


def test_repeated_class_is_refused():
    with pytest.raises(ExperimentError, match=r"data.classes has 'happy' twice"):
        Recipe().with_settings(["data.classes=happy,sad,happy"])
    assert Recipe().with_settings(["net.depth=1,1"]).net.depth == (1, 1)


def test_fold_is_at_most_the_number_of_folds():
    assert Recipe().with_settings(["data.folds=5", "data.fold=5"]).data.fold == 5
    with pytest.raises(ExperimentError, match=r"data.fold is 6, and data.folds is 5. 1 to 5"):
        Recipe().with_settings(["data.folds=5", "data.fold=6"])


def test_every_number_has_bounds():
    numbers = [each for each in list_settings(Recipe) if each.type in (int, float, tuple[int, ...])]
    assert [each.key for each in numbers if not each.limits] == []
    assert [each.key for each in numbers if not (each.limits.bounds or each.limits.choices)] == []


def test_choices_of_the_schedule_are_the_schedules():
    choices = {each.key: each.limits.choices for each in list_settings(Recipe) if each.limits and each.limits.choices}
    assert set(choices["training.schedule"]) == set(schedule.SCHEDULES)
    for key, values in choices.items():
        for value in values:
            Recipe().with_settings([f"{key}={value}"])
