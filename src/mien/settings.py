"""Settings as frozen dataclasses whose fields carry their limits: one check for code, TOML files and typed settings.

A field declares what it may be where it stands::

    @dataclass(frozen=True)
    class TrainingSettings(Settings, section="training"):
        epochs: int = number(80, 1, 100_000)
        schedule: str = choice("cosine", "steps", "plateau", "constant")

An instance with a value outside its limits cannot be made: the constructor raises a
:class:`~mien.errors.ExperimentError`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, ClassVar, NamedTuple, TypeVar, get_args, get_origin, get_type_hints

from mien.errors import ExperimentError, suggest_name

Instance = TypeVar("Instance")

_LIMITS = "limits"
_LEAVE_OUT = "Leave it out to use the default"


class Bounds(NamedTuple):
    """The least and the greatest value of a number, both allowed; where ``above``, the least itself is not."""

    low: float
    high: float
    above: bool = False

    def __str__(self) -> str:
        low, high = (f"{end:,.10g}" for end in self[:2])
        return f"above {low}, up to {high}" if self.above else f"from {low} to {high}"

    def __contains__(self, value: object) -> bool:
        return (
            isinstance(value, int | float)
            and (self.low < value or (self.low == value and not self.above))
            and value <= self.high
        )


@dataclass(frozen=True)
class Limits:
    """What a field may be. ``bounds`` of a list hold for each of its numbers; ``length`` is that of the list."""

    bounds: Bounds | None = None
    choices: tuple[Any, ...] = ()
    length: Bounds | None = None
    unique: bool = False


# These return Any so that a type checker takes their result for the field's default, as with dataclasses.field.
def number(default: float, low: float, high: float, *, above: bool = False) -> Any:
    """A field that is a number from ``low`` to ``high``."""
    return field(default=default, metadata={_LIMITS: Limits(Bounds(low, high, above))})


def choice(default: Any, *others: Any) -> Any:
    """A field that is one of these values, the default first."""
    return field(default=default, metadata={_LIMITS: Limits(choices=(default, *others))})


def sequence(
    default: tuple[Any, ...],
    length: tuple[int, int],
    *,
    bounds: tuple[float, float] | None = None,
    unique: bool = False,
) -> Any:
    """A field that is a list of values, numbers within ``bounds`` where these are set."""
    limits = Limits(Bounds(*bounds) if bounds else None, length=Bounds(*length), unique=unique)
    return field(default=default, metadata={_LIMITS: limits})


class Settings:
    """Base of the dataclasses of settings; ``section`` is the name of their table in a recipe."""

    section: ClassVar[str] = ""

    def __init_subclass__(cls, section: str = "") -> None:
        super().__init_subclass__()
        cls.section = section

    def __post_init__(self) -> None:
        for each in fields(self):  # type: ignore[arg-type]
            if limits := each.metadata.get(_LIMITS):
                _check_limits(limits, f"{self.section}.{each.name}".lstrip("."), getattr(self, each.name))
        self.check_combinations()

    def check_combinations(self) -> None:
        """Raises an ExperimentError where values that are valid alone contradict each other."""


def _check_limits(limits: Limits, key: str, value: Any) -> None:
    if limits.length is not None:
        if len(value) not in limits.length:
            happened = f"The recipe's {key} has {len(value)} entries"
            raise ExperimentError(happened, f"a number of entries {limits.length} was expected", _LEAVE_OUT)
        repeated = [each for place, each in enumerate(value) if each in value[:place]]
        if limits.unique and repeated:
            raise ExperimentError(f"The recipe's {key} has '{repeated[0]}' twice", "each value once was expected")
    for each in value if limits.length is not None else (value,):
        if limits.bounds is not None and each not in limits.bounds:
            raise ExperimentError(
                f"The recipe's {key} is {each!r}", f"a number {limits.bounds} was expected", _LEAVE_OUT
            )
        if limits.choices and each not in limits.choices:
            expected = f"one of {', '.join(map(str, limits.choices))} was expected"
            hint = suggest_name(each, limits.choices) if isinstance(each, str) else ""
            raise ExperimentError(f"The recipe's {key} is {each!r}", expected, hint or _LEAVE_OUT)


class Setting(NamedTuple):
    """One setting: its dotted key, the type of its value, and its limits, where it has any."""

    key: str
    type: Any
    limits: Limits | None


def list_settings(kind: type, prefix: str = "") -> Iterator[Setting]:
    """Every setting of a dataclass and of the sections in it, but for lists of tables."""
    types = get_type_hints(kind)
    for each in fields(kind):
        hint = types[each.name]
        if is_dataclass(hint) and isinstance(hint, type):
            yield from list_settings(hint, f"{prefix}{each.name}.")
        elif each.compare and not (get_origin(hint) is tuple and is_dataclass(get_args(hint)[0])):
            yield Setting(prefix + each.name, hint, each.metadata.get(_LIMITS))


def find_setting(kind: type, key: str) -> Setting:
    """The setting with this dotted key; an ExperimentError that names the nearest where there is none."""
    settings = {each.key: each for each in list_settings(kind)}
    if key not in settings:
        hint = suggest_name(key, settings) or suggest_name(key, [name.rpartition(".")[2] for name in settings])
        raise ExperimentError(
            f"The recipe has no setting '{key}'", "a setting such as training.batch_size was expected", hint
        )
    return settings[key]


def check_setting(setting: Setting, value: Any) -> Any:
    """The value converted to the setting's type and checked against its limits."""
    converted = _convert(setting.type, value, setting.key)
    if setting.limits:
        _check_limits(setting.limits, setting.key, converted)
    return converted


def from_table(kind: type[Instance], table: Mapping[str, Any], key: str = "") -> Instance:
    """A dataclass of settings filled from nested tables; unknown keys and values of another type are refused."""
    names = [each.name for each in fields(kind) if each.compare]  # type: ignore[arg-type]
    for name in table:
        if name not in names:
            expected = f"{f'the keys of [{key}]' if key else 'at the top level the keys'} are {', '.join(names)}"
            raise ExperimentError(
                f"The recipe has an unknown key '{f'{key}.{name}'.lstrip('.')}'", expected, suggest_name(name, names)
            )
    types = get_type_hints(kind)
    return kind(**{name: _convert(types[name], value, f"{key}.{name}".lstrip(".")) for name, value in table.items()})


def _convert(kind: Any, value: Any, key: str) -> Any:
    """The value as that type; an ExperimentError where it is of another one."""
    if is_dataclass(kind):
        return from_table(kind, _check_type(Mapping, value, key), key)  # type: ignore[arg-type]
    if get_origin(kind) is tuple:
        return tuple(_convert(get_args(kind)[0], each, key) for each in _check_type((list, tuple), value, key))
    if get_origin(kind) is Mapping:
        return {str(name): _check_type(str, each, key) for name, each in _check_type(Mapping, value, key).items()}
    checked = _check_type((float, int) if kind is float else kind, value, key)
    return float(checked) if kind is float else checked


def _check_type(kind: Any, value: Any, key: str) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        names = kind.__name__ if isinstance(kind, type) else " or ".join(each.__name__ for each in kind)
        raise ExperimentError(f"The recipe's {key} is {value!r}", f"a value of type {names} was expected")
    return value


def set_typed(kind: type, table: dict[str, Any], typed: Iterable[str]) -> None:
    """Puts settings as people type them, ``training.batch_size=64``, into the nested table of an instance."""
    for text in typed:
        key, equals, value = text.partition("=")
        if not equals:
            raise ExperimentError(f"'{text}' has no '='", "a setting such as training.batch_size=64 was expected")
        setting = find_setting(kind, key.strip())
        section = table
        *path, name = setting.key.split(".")
        for part in path:
            section = section[part]
        section[name] = _parse(setting.type, value.strip())


def _parse(kind: Any, text: str) -> Any:
    """The text as TOML reads it; words need no quotes, and lists no brackets."""
    if kind is str and text[:1] not in ("'", '"'):
        return text
    if get_origin(kind) is tuple and not text.startswith("["):
        return [_parse(get_args(kind)[0], part.strip()) for part in text.split(",") if part.strip()]
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    if isinstance(value, Mapping):
        raise ExperimentError(f"'{text}' is a table", "one value was expected")
    return value
