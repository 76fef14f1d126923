"""What can be set about the service: by argument, else by ``MIEN_*`` variable, else in a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

from mien.errors import MienError, nearest

#: The variable and the argument that name the TOML file.
CONFIG = "MIEN_CONFIG"

MB = 1_000_000


def _setting(default: Any, told: str, least: float | None = None) -> Any:
    return field(default=default, metadata={"told": told, "least": least})


@dataclass(frozen=True)
class Settings:
    """Every field is a setting; its metadata says what it is, in words for ``mien serve --print-config``."""

    host: str = _setting("127.0.0.1", "The address to listen on; 0.0.0.0 is every one of this machine.")
    port: int = _setting(8000, "The port to listen on; 0 takes a free one.", 0)
    threads: int = _setting(24, "Threads that hold a request: working, waiting, or streaming.", 4)
    workers: int = _setting(0, "Requests worked on at once; 0 is one more than there are cores.", 0)
    waiting: int = _setting(16, "Requests that may wait for a worker; more are told to come back.", 0)
    deadline: float = _setting(30.0, "Seconds after which a request that still waits is given up.", 0.1)
    window_ms: float = _setting(0.0, "Milliseconds for which a busy model waits for more faces to join a run.", 0)
    model: str = _setting("base", "The model that answers where none is named.")
    models: tuple[str, ...] = _setting((), "The models that may be asked for; empty: every installed one.")
    detector: str = _setting("auto", "Who finds the faces: haar, yunet, none, or auto.")
    max_bytes: int = _setting(20 * MB, "The largest request with pictures, in bytes.", 1000)
    max_pixels: int = _setting(50 * MB, "The largest picture, in pixels, checked before it is decoded.", 1000)
    max_pictures: int = _setting(32, "The most pictures in one request.", 1)
    max_film_bytes: int = _setting(200 * MB, "The largest film, in bytes; 0 turns films off.", 0)
    max_film_seconds: float = _setting(1800.0, "So much of a film is read, in its own seconds.", 1)
    film_jobs: int = _setting(8, "Films that may wait or be kept at once; one is read at a time.", 1)
    keep_minutes: float = _setting(15.0, "Minutes after which the results of a film are removed.", 0.01)
    scratch: str = _setting("", "The folder for films while they are read; empty: the system's own.")
    streams: int = _setting(4, "Event streams at once; who gets none asks again every second.", 0)
    keys: tuple[str, ...] = _setting((), "API keys; empty: nobody needs one.")
    origins: tuple[str, ...] = _setting((), "Web origins whose pages may call the API: https://example.org, or *.")
    hosts: tuple[str, ...] = _setting((), "Names this server answers to besides addresses and localhost; * is any.")
    proxies: int = _setting(0, "Proxies in front whose X-Forwarded headers count.", 0)
    rate: float = _setting(0.0, "Requests a minute that one client may make; 0 is no limit.", 0)
    grace: float = _setting(20.0, "Seconds that a stop waits for what was begun.", 0)
    log: str = _setting("auto", "auto, text, json or off.")

    def __post_init__(self) -> None:
        for each in fields(self):
            least, value = each.metadata["least"], getattr(self, each.name)
            # Written so that "not a number" is refused as well.
            if least is not None and not value >= least:
                raise _refused(each.name, value, f"a number from {least:g} on")
        if self.log not in ("auto", "text", "json", "off"):
            raise _refused("log", self.log, "auto, text, json or off")
        if self.port > 65535:
            raise _refused("port", self.port, "a port up to 65535")

    @property
    def crew(self) -> int:
        """How many requests are worked on at once.

        One more than there are cores: while one waits for the interpreter, another keeps its core busy, which was a
        sixth more requests a second on two cores.
        """
        mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.workers or (mine or 1) + 1

    @property
    def queue(self) -> int:
        """How many may wait: never so many that no thread is left to say so, or to tell of the server's health."""
        return max(min(self.waiting, self.threads - self.crew - self.streams - 2), 0)


class LoadedSettings(NamedTuple):
    """Settings, and where each of them was said: ``argument``, a variable, the file's name or ``default``."""

    settings: Settings
    origins: Mapping[str, str]


def load_settings(arguments: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    return load_settings_with_origins(arguments, environ).settings


def load_settings_with_origins(
    arguments: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> LoadedSettings:
    """Settings from everywhere; arguments that are None were not given."""
    environ = os.environ if environ is None else environ
    given = {name: value for name, value in arguments.items() if value is not None}
    config = given.pop("config", None) or environ.get(CONFIG)
    layers = [(f"file {Path(config).name}", _from_file(Path(config)))] if config else []
    layers += [("variable", _from_variables(environ)), ("argument", given)]
    values: dict[str, Any] = {}
    origins = dict.fromkeys((each.name for each in fields(Settings)), "default")
    for origin, layer in layers:
        for name, value in layer.items():
            values[name] = _as_its_kind(name, value)
            origins[name] = f"MIEN_{name.upper()}" if origin == "variable" else origin
    return LoadedSettings(Settings(**values), origins)


def format_toml(known: LoadedSettings) -> Iterator[str]:
    """The settings as a TOML file that says them again; keys are not shown."""
    for each in fields(Settings):
        value = getattr(known.settings, each.name)
        yield f"# {each.metadata['told']} ({known.origins[each.name]})"
        if each.name == "keys" and value:
            yield f"# keys = {len(value)} of them, not shown\n"
        else:
            yield f"{each.name} = {_toml(value)}\n"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:_}" if isinstance(value, int) and value >= MB else str(value)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        happened = f"The settings in '{path}' cannot be read: {error.strerror}"
        raise MienError(happened, "A TOML file was expected", "Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        remedy = "mien serve --print-config shows one"
        raise MienError(f"'{path}' is no TOML file: {error}", "Lines like port = 8000 were expected", remedy) from error


def _from_variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = {f"MIEN_{each.name.upper()}": each.name for each in fields(Settings)}
    return {names[name]: value for name, value in environ.items() if name in names and value != ""}


_DEFAULTS = {each.name: each.default for each in fields(Settings)}


def _as_its_kind(name: str, value: Any) -> Any:
    if name not in _DEFAULTS:
        known = ", ".join(_DEFAULTS)
        remedy = nearest(name, _DEFAULTS) or "mien serve --print-config shows them all"
        raise MienError(f"There is no setting '{name}'", f"One of these was expected: {known}", remedy)
    like = _DEFAULTS[name]
    if isinstance(like, tuple):
        return _several(name, value)
    if isinstance(like, str):
        return value if isinstance(value, str) else _refuse(name, value, "text")
    return _number(name, value, type(like))


def _several(name: str, value: Any) -> tuple[str, ...]:
    """A list, or in a variable words with commas between them."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        _refuse(name, value, "a list of words")
    return tuple(word.strip() for word in words if word.strip())


def _number(name: str, value: Any, kind: type) -> Any:
    wanted = "a whole number" if kind is int else "a number"
    try:
        number = kind(value.replace("_", "")) if isinstance(value, str) else value
    except ValueError:
        _refuse(name, value, wanted)
    if isinstance(number, bool) or not isinstance(number, int if kind is int else int | float):
        _refuse(name, value, wanted)
    return kind(number)


def _refuse(name: str, value: Any, wanted: str) -> Any:
    raise _refused(name, value, wanted)


def _refused(name: str, value: Any, wanted: str) -> MienError:
    shown = "a value that is not shown" if name == "keys" else repr(value)
    return MienError(
        f"The setting '{name}' is {shown}", f"Expected {wanted}", "mien serve --print-config shows them all"
    )
