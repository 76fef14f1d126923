"""Settings as people type them: ``fit.batch=64``, on top of a recipe."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import is_dataclass, replace
from typing import Any, get_args, get_origin, get_type_hints

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe


def with_settings(recipe: Recipe, words: Iterable[str]) -> Recipe:
    """The recipe with each ``section.key=value`` in it; a key it does not know is refused with the nearest."""
    table: dict[str, Any] = recipe.to_table()
    for word in words:
        key, equals, value = word.partition("=")
        key = key.strip()
        if not equals:
            raise LabError(f"'{word}' has no '='", "settings look like fit.batch=64")
        kinds = dict(keys())
        if key not in kinds:
            hint = nearest(key, kinds) or nearest(key, [name.rpartition(".")[2] for name in kinds])
            raise LabError(f"The recipe has no setting '{key}'", "settings look like fit.batch=64", hint)
        _put(table, key.split("."), _value(kinds[key], value.strip()))
    return replace(Recipe.from_table(table), place=recipe.place)


def keys(kind: type = Recipe, where: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting by its dotted name, and the kind of its value; sections are gone through."""
    for name, hint in get_type_hints(kind).items():
        if is_dataclass(hint) and isinstance(hint, type):
            yield from keys(hint, f"{where}{name}.")
        elif name != "place" and not _is_tables(hint):
            yield where + name, hint


def _is_tables(hint: Any) -> bool:
    return get_origin(hint) is tuple and is_dataclass(get_args(hint)[0])


def _put(table: dict[str, Any], path: list[str], value: Any) -> None:
    for part in path[:-1]:
        table = table[part]
    table[path[-1]] = value


def _value(kind: Any, text: str) -> Any:
    """What TOML would make of it; words need no quotes, and lists no brackets."""
    if kind is str and text[:1] not in ("'", '"'):
        return text
    if get_origin(kind) is tuple and not text.startswith("["):
        return [_value(get_args(kind)[0], part.strip()) for part in text.split(",") if part.strip()]
    read = _toml(text)
    if isinstance(read, Mapping):
        raise LabError(f"'{text}' is a table", "one value was expected")
    return read


def _toml(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
