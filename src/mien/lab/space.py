"""What a search may try: a TOML file with a section for each setting of a recipe.

::

    [fit.rate]
    low = 0.01
    high = 0.3
    log = true          # as many tries from 0.01 to 0.05 as from 0.06 to 0.3

    [fit.batch]
    low = 64
    high = 256
    step = 64

    [net.width]
    choices = [24, 32, 48]
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, get_origin

from mien.errors import LabError, nearest
from mien.lab.recipe import Recipe, fitting
from mien.lab.settings import keys


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both inside; whole ones for a setting that is whole."""

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False


@dataclass(frozen=True)
class Choices:
    """One of these values."""

    values: tuple[Any, ...]

    @property
    def words(self) -> list[str]:
        """Each as one word, so that lists can be chosen among too."""
        return [json.dumps(value) for value in self.values]

    def of_word(self, word: str) -> Any:
        return self.values[self.words.index(word)]


Space = Mapping[str, Range | Choices]


def read(path: Path) -> Space:
    """The space in a TOML file; a LabError says what in it cannot be meant."""
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        happened = f"The space '{path}' cannot be read: {error.strerror or error}"
        raise LabError(happened, "a TOML file with a section for each setting was expected") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as broken:
        raise LabError(f"'{path}' is not TOML: {broken}", "sections such as [fit.rate] were expected") from None
    found = dict(_sections(table))
    if not found:
        raise LabError(f"'{path}' tries nothing", "a section such as [fit.rate] with low and high was expected")
    return {key: _dimension(key, section) for key, section in found.items()}


def changed(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """The recipe with these settings, by their dotted names."""
    table = recipe.to_table()
    for key, value in values.items():
        inside = table
        *sections, last = key.split(".")
        for section in sections:
            inside = inside[section]
        inside[last] = value
    return replace(Recipe.from_table(table), place=recipe.place)


def _sections(table: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, inside in table.items():
        if not isinstance(inside, Mapping):
            expected = "a section such as [fit.rate] with low and high was expected"
            raise LabError(f"The space has '{where}{name}' by itself", expected)
        if any(isinstance(value, Mapping) for value in inside.values()):
            yield from _sections(inside, f"{where}{name}.")
        else:
            yield where + name, inside


def _dimension(key: str, section: Mapping[str, Any]) -> Range | Choices:
    kinds = dict(keys())
    if key not in kinds:
        raise LabError(f"The recipe has no setting '{key}'", "a setting such as fit.rate", nearest(key, kinds))
    known = ("low", "high", "log", "step", "choices")
    strange = [word for word in section if word not in known]
    if strange:
        raise LabError(f"[{key}] has an unknown word '{strange[0]}'", f"known are {', '.join(known)}")
    found = _choices(key, section) if "choices" in section else _range(key, section, kinds[key])
    ends = found.values if isinstance(found, Choices) else (_typed(found, found.low), _typed(found, found.high))
    for value in ends:
        fitting(kinds[key], value, key)
    return found


def _choices(key: str, section: Mapping[str, Any]) -> Choices:
    values = section["choices"]
    if len(section) > 1 or not isinstance(values, list) or not values:
        raise LabError(f"[{key}] has choices that are no list alone", "choices = [a, b, ...] was expected")
    return Choices(tuple(values))


def _range(key: str, section: Mapping[str, Any], kind: Any) -> Range:
    if kind not in (int, float) or get_origin(kind):
        raise LabError(f"[{key}] is no number", "choices = [a, b, ...] was expected")
    numbers = {word: section.get(word) for word in ("low", "high")}
    if any(isinstance(each, bool) or not isinstance(each, int | float) for each in numbers.values()):
        raise LabError(f"[{key}] has no two ends", "low = ... and high = ... were expected, or choices = [...]")
    found = Range(whole=kind is int, **{**numbers, "log": section.get("log", False), "step": section.get("step")})
    if found.low >= found.high or (found.log and (found.low <= 0 or found.step)):
        happened = f"[{key}] goes from {found.low:g} to {found.high:g}{' by powers' if found.log else ''}"
        raise LabError(happened, "low below high was expected, and above 0 and without step where log is true")
    return found


def _typed(found: Range, value: float) -> float:
    return int(value) if found.whole and float(value).is_integer() else value
