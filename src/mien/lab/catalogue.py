"""The networks as a list and layer by layer: what each is, how large, and what one face costs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import keras

from mien.errors import LabError, nearest
from mien.lab import applications, nets, shelf
from mien.lab.recipe import Recipe
from mien.lab.settings import with_settings


@dataclass(frozen=True)
class Entry:
    """A network as its usual recipe builds it; ``multiply_adds`` for one face."""

    name: str
    about: str
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class Layer:
    """One layer: what it gives, and how large it is; ``shape`` without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


def entries(settings: Iterable[str] = ()) -> Iterator[Entry]:
    """Every network, one after the other as it is built, its recipe changed by these settings."""
    return (entry(name, model(recipe_of(name, settings))) for name in nets.NETS)


def entry(name: str, built: keras.Model) -> Entry:
    return Entry(name, about(name), int(built.count_params()), nets.multiply_adds(built))


def about(name: str) -> str:
    """One line."""
    if name in applications.NAMES:
        return applications.NAMES[name].about
    return str(nets.NETS[name].__doc__).partition("\n")[0]


def recipe_of(name: str, settings: Iterable[str] = ()) -> Recipe:
    """The usual recipe of a network, with these settings; without a file of its own, the settings every recipe has."""
    if name not in nets.NETS:
        raise LabError(f"There is no net '{name}'", f"known are {', '.join(nets.NETS)}", nearest(name, nets.NETS))
    usual = shelf.of_net(name) if name in shelf.names_there() else Recipe()
    return with_settings(replace(usual, net=replace(usual.net, name=name)), settings)


def model(recipe: Recipe) -> keras.Model:
    """The recipe's net with fresh weights, in float32, as it reads."""
    return nets.of_recipe(recipe, "float32", finished=True)


def layers(built: keras.Model) -> Iterator[Layer]:
    """Its layers from the faces to the heads."""
    for layer in built.layers:
        shape = tuple(int(length) for length in _output(layer).shape[1:])
        yield Layer(layer.name, type(layer).__name__, shape, int(layer.count_params()))


def _output(layer: Any) -> Any:
    return layer.output[0] if isinstance(layer.output, list) else layer.output
