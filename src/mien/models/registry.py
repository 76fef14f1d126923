"""Model files by name: inside the package, in the cache folder, in other packages, or at a path."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mien.errors import ModelError, ModelMissing, suggest_name
from mien.models.checksums import PUBLISHED_FILES, WEIGHTS, read_checksums, resolve_embedded, verify_checksum
from mien.models.onnx_file import file_exists, folder_exists, missing_file_error, read_file

if TYPE_CHECKING:
    from mien.models.download import ProgressCallback

#: Other packages add models with an entry point in this group: a path, or a function that returns one.
ENTRY_POINTS = "mien.models"

#: The file name of the model in a run's folder.
RUN_FILE = "model.onnx"


class ModelEntry(NamedTuple):
    """A model or detector file. ``path`` is None for a file that was not downloaded yet or is in another package."""

    name: str
    kind: str
    origin: str
    path: Path | None


def cache_folder(platform: str = sys.platform, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of downloaded files: ``MIEN_HOME``, or the cache folder of the platform. It may not exist yet."""
    environ = os.environ if environ is None else environ
    if folder := environ.get("MIEN_HOME"):
        return Path(os.path.expanduser(folder))  # noqa: PTH111 (Path.expanduser raises if there is no home folder)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or _user_folder() / "AppData" / "Local") / "mien"
    if platform == "darwin":
        return _user_folder() / "Library" / "Caches" / "mien"
    # The XDG Base Directory Specification: a relative path is ignored.
    cache = Path(environ.get("XDG_CACHE_HOME", ""))
    return (cache if cache.is_absolute() else _user_folder() / ".cache") / "mien"


def available_models() -> tuple[str, ...]:
    """The names that ``Engine.load`` accepts: the embedded models, then those of other packages."""
    return tuple(dict.fromkeys([*read_checksums(), *_package_models()]))


def list_models() -> tuple[ModelEntry, ...]:
    """All model and detector files with their paths; no file is verified."""
    embedded = [ModelEntry(name, "model", "embedded", WEIGHTS / f"{name}.onnx") for name in read_checksums()]
    packages = [
        ModelEntry(name, "model", point.dist.name if point.dist else "", None)
        for name, point in _package_models().items()
    ]
    published = [
        ModelEntry(name, file.kind, "fetched", path if file_exists(path := _cached_path(name)) else None)
        for name, file in PUBLISHED_FILES.items()
    ]
    return (*embedded, *packages, *published)


def find_model_file(name: str) -> Path | None:
    """The file of a model or detector by name, None if it was not downloaded yet; ModelError if it is damaged."""
    if name in PUBLISHED_FILES:
        return _verify_cached(name) if file_exists(_cached_path(name)) else None
    return resolve_model(name)


def resolve_model(model: str | os.PathLike[str]) -> Path:
    """The file of a model: a name of :func:`available_models`, the path of an .onnx file, or the folder of a run.

    A name has priority over a file of that name in the current folder; write ``./base`` for the file.
    """
    if isinstance(model, os.PathLike) or "/" in model or os.sep in model or model.endswith(".onnx"):
        return _resolve_path(Path(model))
    if model in PUBLISHED_FILES:
        happened = f"'{model}' is a face {PUBLISHED_FILES[model].kind}, not a model"
        expected = f"Expected one of {', '.join(available_models())}"
        raise ModelMissing(happened, expected, f"Use it as --detector {model}")
    path = Path(model)
    return _resolve_name(model) or (
        _resolve_path(path) if file_exists(path) or folder_exists(path) else _raise_unknown(model)
    )


def pull_model(
    name: str,
    *,
    source: Path | None = None,
    url: str | None = None,
    progress: ProgressCallback | None = None,
    timeout: float = 20.0,
    deadline: float = 600.0,
) -> Path:
    """Download a published file, from its address or from the local copy ``source``, and verify it.

    A file that was downloaded before is not downloaded again. Models inside packages need no download.
    """
    if name not in PUBLISHED_FILES:
        return _resolve_name(name) or _raise_unknown(name)
    # Imported here: Python's HTTP client is slow to import.
    from mien.models import download

    published, target = PUBLISHED_FILES[name], _cached_path(name)
    if source is not None:
        chunks = download.stream_file(published, Path(source))
    else:
        with suppress(ModelError):
            return _verify_cached(name)
        chunks = download.stream_download(published, url or published.url, timeout=timeout, deadline=deadline)
    with closing(chunks):
        return download.install_file(published, chunks, target, progress)


def _resolve_name(name: str) -> Path | None:
    if name in read_checksums():
        return resolve_embedded(name)
    point = _package_models().get(name)
    return _resolve_entry_point(point) if point else None


def _raise_unknown(name: str) -> NoReturn:
    names = available_models()
    expected = f"Expected one of {', '.join(names)}, or the path of an .onnx file"
    hint = suggest_name(name, [*names, *PUBLISHED_FILES]) or "'mien models' lists them"
    raise ModelMissing(f"There is no model '{name}'", expected, hint)


def _resolve_path(path: Path) -> Path:
    if folder_exists(path):
        file = path / RUN_FILE
        if file_exists(file):
            return file
        others = sorted(other.name for other in path.glob("*.onnx"))
        remedy = f"Pass one of its files: {', '.join(others[:5])}" if others else "Pass another folder"
        expected = f"Expected an .onnx file, or a run's folder that contains {RUN_FILE}"
        raise ModelMissing(f"The folder '{path}' has no {RUN_FILE}", expected, remedy)
    if not file_exists(path):
        raise missing_file_error(path)
    return path


def _package_models() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _resolve_entry_point(point: EntryPoint) -> Path:
    package = point.dist.name if point.dist else point.value
    remedy = f"Install {package} again, or report this to its authors"
    try:
        target: str | Path | Callable[[], str | Path] = point.load()
        path = Path(target() if callable(target) else target)
    except (ImportError, AttributeError, TypeError, ValueError, OSError) as error:
        happened = f"The model '{point.name}' of the package {package} cannot be loaded: {error}"
        raise ModelError(happened, "Expected a path, or a function that returns one", remedy) from error
    if not file_exists(path):
        happened = f"The model '{point.name}' of the package {package} is not at '{path}'"
        raise ModelMissing(happened, "Expected an .onnx file", remedy)
    return path


def _cached_path(name: str) -> Path:
    return cache_folder() / PUBLISHED_FILES[name].file


def _verify_cached(name: str) -> Path:
    path, remedy = _cached_path(name), f"Download it again: mien models pull {name}"
    verify_checksum(read_file(path), PUBLISHED_FILES[name].checksum, f"The file '{path}'", remedy)
    return path


def _user_folder() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # Containers may run under a user id without a home folder; downloaded files are verified before each use.
        return Path(tempfile.gettempdir())
