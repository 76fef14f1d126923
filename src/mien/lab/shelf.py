"""The recipes that come with mien: one for each network, to be named instead of a path."""

from __future__ import annotations

import os
from pathlib import Path

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe

#: In a wheel the recipes lie beside this file, in a checkout at its top.
_PLACES = (Path(__file__).with_name("recipes"), Path(__file__).parents[3] / "recipes")


def recipe(word: str) -> Recipe:
    """The recipe at a path, or of that name."""
    names = names_there()
    if is_name(word):
        return Recipe.read(_place() / f"{word}.toml")
    if os.sep in word or Path(word).suffix or Path(word).is_file():
        return Recipe.read(word)
    known = f"there are {', '.join(names)}, and TOML files"
    raise LabError(f"There is no recipe '{word}'", known, nearest(word, names))


def is_name(word: str) -> bool:
    """Whether the word names a recipe that comes with mien; a file of that name goes before it."""
    return word in names_there() and not Path(word).is_file()


def of_net(name: str) -> Recipe:
    """The usual recipe of a network: of that name, else the first that uses it."""
    names = names_there()
    if name in names:
        return recipe(name)
    raise LabError(f"There is no net '{name}'", f"recipes are there for {', '.join(names)}", nearest(name, names))


def names_there() -> list[str]:
    return sorted(path.stem for path in _place().glob("*.toml"))


def _place() -> Path:
    return next((place for place in _PLACES if place.is_dir()), _PLACES[0])
