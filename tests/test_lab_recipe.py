"""Recipes: every word known, every value of its kind, every shipped one readable."""

from pathlib import Path

import pytest

from mien.errors import LabError
from mien.lab.recipe import Fit, Net, Recipe

RECIPES = Path(__file__).parents[1] / "recipes"


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_is_readable_and_says_how_it_is_run(path):
    assert Recipe.read(path).name == path.stem
    assert f"recipes/{path.name}" in path.read_text("utf-8").partition("\nname")[0]


def test_there_are_recipes():
    assert {"base", "drawn"} <= {path.stem for path in RECIPES.glob("*.toml")}


def test_a_table_comes_back_as_it_went():
    recipe = Recipe(name="x", net=Net(width=20, depth=(1, 2)), fit=Fit(epochs=3, rate=1))
    assert Recipe.from_table(recipe.to_table()) == recipe


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"net": {"widht": 3}}, r"unknown word 'net.widht'.*Did you mean 'width'"),
        ({"nett": {}}, r"unknown word 'nett'.*Did you mean 'net'"),
        ({"fit": {"epochs": "many"}}, r"fit.epochs is 'many'.*kind int"),
        ({"fit": {"epochs": True}}, r"fit.epochs is True"),
        ({"net": {"depth": [1, "2"]}}, r"net.depth is '2'"),
        ({"net": 3}, r"recipe's net is 3"),
        ({"augment": {"flip": 1}}, r"augment.flip is 1.*kind bool"),
    ],
)
def test_what_does_not_fit_is_refused(table, words):
    with pytest.raises(LabError, match=words):
        Recipe.from_table(table)


def test_whole_numbers_are_numbers():
    assert Recipe.from_table({"fit": {"rate": 1}}).fit.rate == 1.0


def test_a_missing_or_broken_file_is_named(tmp_path):
    with pytest.raises(LabError, match="no recipe at"):
        Recipe.read(tmp_path / "none.toml")
    (tmp_path / "broken.toml").write_text("name = ")
    with pytest.raises(LabError, match="is not TOML"):
        Recipe.read(tmp_path / "broken.toml")


def test_the_difference_names_the_settings():
    assert Recipe().difference(Recipe(fit=Fit(epochs=7))) == {"fit.epochs": (80, 7)}
    assert Recipe().difference(Recipe()) == {}
