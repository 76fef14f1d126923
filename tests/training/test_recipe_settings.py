"""Recipes written and changed: TOML both ways, settings as people type them, paths, the shelf."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError
from mien.training import recipe as shelf
from mien.training import recipe as toml
from mien.training.recipe import DistillationSettings, NetworkSettings, Recipe, apply_settings, list_settings

words = some.text(some.characters(exclude_categories=["Cs"]), max_size=12)
values = some.booleans() | some.integers(-(2**62), 2**62) | some.floats(allow_nan=False) | words
flat = some.dictionaries(words, values | some.lists(values, max_size=3), max_size=4)


@given(some.dictionaries(words, values | flat | some.lists(flat, min_size=1, max_size=3), max_size=4))
def test_what_is_written_is_read_again(table):
    assert tomllib.loads(toml.written(table)) == table


def test_a_whole_recipe_comes_back():
    sources = (SourceSettings("a b.csv", {"1": "surprise", "odd word": ""}), SourceSettings("more", usage="Training"))
    recipe = Recipe(name='a "name"', data=DataSettings(sources=sources, group="person"), net=NetworkSettings(depth=(1, 2)))
    assert Recipe.from_table(tomllib.loads(toml.written(recipe.to_table()))) == recipe


def test_a_setting_is_typed_as_it_is_meant():
    recipe = apply_settings(Recipe(), ["training.batch_size=64", "net.depth=2,3", "net.votes=false", "training.learning_rate=1e-3", "name=0"])
    assert (recipe.training.batch_size, recipe.net.depth, recipe.net.votes) == (64, (2, 3), False)
    assert (recipe.training.learning_rate, recipe.name) == (0.001, "0")
    assert apply_settings(recipe, ["data.classes=happy, sad"]).data.classes == ("happy", "sad")
    assert apply_settings(recipe, ['data.classes=["happy"]', "net.depth=[4]"]).net.depth == (4,)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("fit.bach=3", "Did you mean 'training.batch_size'"),
        ("batch=3", "Did you mean 'training.batch_size'"),
        ("training.batch_size", "has no '='"),
        ("training.batch_size=many", "training.batch_size is 'many'"),
        ("fit=3", "no setting 'fit'"),
        ("data.sources=x", "no setting 'data.sources'"),
        ("place=x", "no setting 'place'"),
    ],
)
def test_a_setting_that_is_none_is_told(word, said):
    with pytest.raises(ExperimentError, match=said):
        apply_settings(Recipe(), [word])


def test_every_setting_of_a_recipe_can_be_set():
    table = Recipe().to_table()
    there = {f"{section}.{key}" for section, part in table.items() if isinstance(part, dict) for key in part}
    assert {name for name, _ in list_settings()} == there - {"data.sources"} | {"name"}


def test_paths_count_from_the_recipe_and_become_whole(tmp_path, monkeypatch):
    (tmp_path / "deep").mkdir()
    file = tmp_path / "deep" / "own.toml"
    file.write_text('[[data.sources]]\npath = "faces.csv"\n[net]\nweights = "runs/a"\n[distillation]\ntargets = "said.npz"\n')
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs" / "a").mkdir(parents=True)
    settled = Recipe.read("deep/own.toml").with_absolute_paths()
    assert settled.data.sources[0].path == str(tmp_path / "deep" / "faces.csv")
    assert settled.distillation.targets == str(tmp_path / "deep" / "said.npz")
    assert settled.net.weights == str(tmp_path / "runs" / "a")  # typed on a command line, it counts from there
    assert settled.with_absolute_paths() == settled


def test_a_recipe_that_is_given_away_tells_no_paths():
    recipe = Recipe(
        data=DataSettings(sources=(SourceSettings("/abc/somebody/fer2013.csv"),)),
        net=NetworkSettings(weights="/abc/somebody/runs/a"),
        distillation=DistillationSettings(targets="/abc/somebody/said.npz", runs=("/abc/somebody/runs/b",)),
    )
    told = recipe.public_table()
    assert "somebody" not in str(told)
    assert told["data"]["sources"][0]["path"] == "fer2013.csv"
    assert Recipe.from_table(told).net.weights == "a"
    assert Recipe().with_absolute_paths().net.weights == "none"


def test_a_recipe_comes_by_its_name_or_its_path(tmp_path, monkeypatch):
    assert shelf.load_recipe("basic") == shelf.load_network_recipe("basic")
    assert shelf.load_recipe("basic").net.name == "basic"
    monkeypatch.chdir(tmp_path)
    Path("basic").mkdir()  # a folder of that name is no recipe
    assert shelf.load_recipe("basic").training.optimizer == "adam"
    Path("mine.toml").write_text('name = "mine"\n')
    assert shelf.load_recipe("mine.toml").name == "mine"
    with pytest.raises(ExperimentError, match=r"no recipe 'basik'.*Did you mean 'basic'"):
        shelf.load_recipe("basik")
    with pytest.raises(ExperimentError, match=r"no recipe at basik.toml"):
        shelf.load_recipe("basik.toml")
    with pytest.raises(ExperimentError, match=r"no net 'resdual'.*Did you mean 'residual'"):
        shelf.load_network_recipe("resdual")


@pytest.mark.parametrize("name", shelf.builtin_names())
def test_every_recipe_on_the_shelf_is_called_like_its_file(name):
    assert shelf.load_recipe(name).name == name


def test_the_recipe_in_the_docs_is_one(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "recipes.md").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(page.partition("```toml\n")[2].partition("```")[0])
    recipe = Recipe.read(tmp_path / "mine.toml")
    assert recipe.data.sources[1].labels == {"contempt": "", "anger": "angry"}
