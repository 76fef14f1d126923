"""The settings of the service: from arguments, else from ``MIEN_*`` variables, else from a TOML file."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from mien.apps.session import uploads
from mien.apps.session.uploads import MB
from mien.errors import MienError, suggest_name
from mien.images import MAX_PIXELS

#: The variable that names the TOML file, as the argument ``config`` does.
CONFIG = "MIEN_CONFIG"


def _setting(default: Any, text: str, minimum: float | None = None) -> Any:
    return field(default=default, metadata={"text": text, "minimum": minimum})


@dataclass(frozen=True)
class WebSettings:
    """Every field is a setting; its metadata holds the description for ``mien serve --print-config``."""

    host: str = _setting("127.0.0.1", "The address to listen on; 0.0.0.0 is every address of this machine.")
    port: int = _setting(8000, "The port to listen on; 0 uses a free one.", 0)
    threads: int = _setting(24, "Threads for requests that are processed, wait, or stream events.", 4)
    workers: int = _setting(0, "Requests processed at once; 0 is one more than the number of cores.", 0)
    waiting: int = _setting(16, "Requests that may wait for a worker; more are rejected with status 503.", 0)
    deadline: float = _setting(30.0, "Seconds after which a request that still waits is rejected.", 0.1)
    window_ms: float = _setting(0.0, "Milliseconds for which a busy model waits for more faces to join a run.", 0)
    model: str = _setting("base", "The default model.")
    models: tuple[str, ...] = _setting((), "The models that requests may name; empty: every installed one.")
    detector: str = _setting("auto", "The default face detector: haar, yunet, none, or auto.")
    prior: str = _setting("training", "The default class frequencies of the scores: training, or even.")
    max_bytes: int = _setting(uploads.MAX_IMAGE_BYTES, "The largest request with images, in bytes.", 1000)
    max_pixels: int = _setting(MAX_PIXELS, "The largest image, in pixels, checked before decoding.", 1000)
    max_images: int = _setting(uploads.MAX_IMAGES, "The most images in one request.", 1)
    max_video_bytes: int = _setting(uploads.MAX_VIDEO_BYTES, "The largest video, in bytes; 0 disables videos.", 0)
    max_video_seconds: float = _setting(uploads.MAX_VIDEO_SECONDS, "Seconds of a video that are analysed.", 1)
    max_analysis_seconds: float = _setting(900.0, "Seconds that the analysis of a video may take.", 1)
    video_jobs: int = _setting(8, "Videos that wait or are analysed, one at a time; and as many that have ended.", 1)
    keep_minutes: float = _setting(uploads.RESULT_MINUTES, "Minutes until the results of a video are removed.", 0.01)
    scratch: str = _setting("", "The folder for videos and their results; empty: the system's temporary folder.")
    streams: int = _setting(4, "Event streams at once; further clients poll every second.", 0)
    live_sessions: int = _setting(
        32, "Live sessions at once: cameras whose faces are tracked; at most half of them of one client.", 0
    )
    keys: tuple[str, ...] = _setting((), "API keys; empty: no key is needed.")
    origins: tuple[str, ...] = _setting((), "Web origins whose pages may call the API: https://example.org, or *.")
    hosts: tuple[str, ...] = _setting((), "Accepted host names besides addresses and localhost; * accepts any.")
    proxies: int = _setting(0, "Reverse proxies in front whose X-Forwarded headers are trusted.", 0)
    rate: float = _setting(0.0, "The rate limit: requests a minute of one client; 0 is no limit.", 0)
    grace: float = _setting(20.0, "Seconds for which a stop waits for open requests.", 0)
    log: str = _setting("auto", "auto, text, json or off.")

    def __post_init__(self) -> None:
        for each in fields(self):
            minimum, value = each.metadata["minimum"], getattr(self, each.name)
            # Written so that NaN is rejected as well.
            if minimum is not None and not value >= minimum:
                _reject(each.name, value, f"a number of at least {minimum:g}")
        if self.log not in ("auto", "text", "json", "off"):
            _reject("log", self.log, "auto, text, json or off")
        if self.port > 65535:
            _reject("port", self.port, "a port up to 65535")

    @property
    def worker_count(self) -> int:
        """The number of requests that are processed at once.

        One more than there are cores: while one waits for Python's global lock, another one uses its core, which gave
        a sixth more requests a second on two cores.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return self.workers or (cores or 1) + 1

    @property
    def queue_length(self) -> int:
        """The number of requests that may wait: so few that a thread is left for rejections and for health checks."""
        return max(min(self.waiting, self.threads - self.worker_count - self.streams - 2), 0)


class LoadedSettings(NamedTuple):
    """Settings, and the source of each one: ``argument``, a variable, the file's name or ``default``."""

    settings: WebSettings
    sources: Mapping[str, str]


def load_settings(arguments: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> LoadedSettings:
    """The settings from all sources. Arguments that are None do not count; ``environ`` is by default that of the OS."""
    environ = os.environ if environ is None else environ
    options = {name: value for name, value in arguments.items() if value is not None}
    config = options.pop("config", None) or environ.get(CONFIG)
    layers: list[tuple[str, Mapping[str, Any]]] = []
    if config:
        layers.append((f"file {Path(config).name}", _read_file(Path(config))))
    layers += [("variable", _read_variables(environ)), ("argument", options)]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(_DEFAULTS, "default")
    for source, layer in layers:
        for name, value in layer.items():
            values[name] = _convert(name, value)
            sources[name] = f"MIEN_{name.upper()}" if source == "variable" else source
    return LoadedSettings(WebSettings(**values), sources)


def format_toml(loaded: LoadedSettings) -> Iterator[str]:
    """The lines of a TOML file with these settings and their sources; keys are omitted."""
    for each in fields(WebSettings):
        value = getattr(loaded.settings, each.name)
        yield f"# {each.metadata['text']} ({loaded.sources[each.name]})"
        if each.name == "keys" and value:
            yield f"# keys = ...  ({len(value)}, not printed)\n"
        else:
            yield f"{each.name} = {_format_value(value)}\n"


def _format_value(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_format_value, value))}]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return f"{value:_}" if isinstance(value, int) and value >= MB else str(value)


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        happened = f"The settings in '{path}' cannot be read: {error.strerror}"
        raise MienError(happened, "A TOML file was expected", "Check the path") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        remedy = "mien serve --print-config prints an example"
        expected = "Lines such as port = 8000 were expected"
        raise MienError(f"'{path}' is not a TOML file: {error}", expected, remedy) from error


def _read_variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = {f"MIEN_{name.upper()}": name for name in _DEFAULTS}
    return {names[name]: value for name, value in environ.items() if name in names and value != ""}


_DEFAULTS = {each.name: each.default for each in fields(WebSettings)}


def _convert(name: str, value: Any) -> Any:
    """The value in the type of the setting."""
    if name not in _DEFAULTS:
        expected = f"One of these was expected: {', '.join(_DEFAULTS)}"
        remedy = suggest_name(name, _DEFAULTS) or "mien serve --print-config lists all"
        raise MienError(f"There is no setting '{name}'", expected, remedy)
    default = _DEFAULTS[name]
    if isinstance(default, tuple):
        return _convert_list(name, value)
    if isinstance(default, str):
        return value if isinstance(value, str) else _reject(name, value, "text")
    return _convert_number(name, value, type(default))


def _convert_list(name: str, value: Any) -> tuple[str, ...]:
    """A list, or in a variable a text with commas."""
    words = value.split(",") if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
        _reject(name, value, "a list of texts")
    return tuple(word.strip() for word in words if word.strip())


def _convert_number(name: str, value: Any, kind: type) -> Any:
    expected = "a whole number" if kind is int else "a number"
    try:
        number = kind(value.replace("_", "")) if isinstance(value, str) else value
    except ValueError:
        _reject(name, value, expected)
    if isinstance(number, bool) or not isinstance(number, int if kind is int else int | float):
        _reject(name, value, expected)
    return kind(number)


def _reject(name: str, value: Any, expected: str) -> NoReturn:
    printed = "a value that is not printed" if name == "keys" else repr(value)
    raise MienError(
        f"The setting '{name}' is {printed}", f"Expected {expected}", "mien serve --print-config lists all settings"
    )
