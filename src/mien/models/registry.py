"""Where model files are: inside the package, in the cache folder, in other packages, or at a path."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from mien.errors import ModelError, ModelMissing, suggest_name
from mien.models.checksums import PUBLISHED_FILES, WEIGHTS, read_checksums, resolve_embedded, verify_checksum
from mien.models.onnx_file import file_exists, folder_exists, missing_file_error, read_file

if TYPE_CHECKING:
    from mien.models.download import ProgressCallback

#: Other packages add models here: an entry point is a path, or a function without arguments that returns one.
ENTRY_POINTS = "mien.models"

#: The model inside a run's folder.
RUN_FILE = "model.onnx"


class ModelEntry(NamedTuple):
    """One line of the table. ``path`` is None for a file that was not fetched yet, and for those of other packages."""

    name: str
    kind: str
    origin: str
    path: Path | None


def cache_folder() -> Path:
    """The folder for fetched files: ``MIEN_HOME``, or the platform's cache folder. It may not exist yet."""
    return platform_cache_folder(sys.platform, os.environ)


def platform_cache_folder(platform: str, environ: Mapping[str, str]) -> Path:
    """``home`` for any platform (``sys.platform``) and environment."""
    if chosen := environ.get("MIEN_HOME"):
        return Path(os.path.expanduser(chosen))  # noqa: PTH111 (Path's own fails where there is no home)
    if platform == "win32":
        return Path(environ.get("LOCALAPPDATA") or _user() / "AppData" / "Local") / "mien"
    if platform == "darwin":
        return _user() / "Library" / "Caches" / "mien"
    # The rules of the XDG folders: a relative path is to be ignored.
    given = Path(environ.get("XDG_CACHE_HOME", ""))
    return (given if given.is_absolute() else _user() / ".cache") / "mien"


def available_models() -> tuple[str, ...]:
    """The names that ``Engine.load`` takes: the embedded models, then those of other packages."""
    return tuple(dict.fromkeys([*read_checksums(), *_offered()]))


def list_models() -> tuple[ModelEntry, ...]:
    """The whole table, models and detectors, with the place of each file; nothing is verified."""
    ours = [ModelEntry(name, "model", "embedded", WEIGHTS / f"{name}.onnx") for name in read_checksums()]
    theirs = [
        ModelEntry(name, "model", point.dist.name if point.dist else "", None) for name, point in _offered().items()
    ]
    fetched = [ModelEntry(name, each.kind, "fetched", _cached_if_there(name)) for name, each in PUBLISHED_FILES.items()]
    return (*ours, *theirs, *fetched)


def find_model_file(name: str) -> Path | None:
    """A file by its name in the table, or None when it was not fetched yet; ModelError when it is damaged."""
    if name in PUBLISHED_FILES:
        return _verified(name) if file_exists(_cached(name)) else None
    return resolve_model(name)


def resolve_model(name: str | os.PathLike[str]) -> Path:
    """The file of a model: a name from the table, a path to an .onnx file, or a run's folder with one in it.

    A name wins over a file of that name here; write ``./base`` for the file.
    """
    if isinstance(name, os.PathLike) or _looks_like_path(name):
        return _at(Path(name))
    if name in PUBLISHED_FILES:
        happened = f"'{name}' is a face {PUBLISHED_FILES[name].kind}, not a model"
        raise ModelMissing(happened, f"Expected one of {', '.join(available_models())}", f"Use it as --detector {name}")
    return _in_table(name) or _at_or_unknown(name)


def pull_model(
    name: str,
    *,
    source: Path | None = None,
    url: str | None = None,
    progress: ProgressCallback | None = None,
    timeout: float = 20.0,
    deadline: float = 600.0,
) -> Path:
    """Fetch a published file once, from its address or from the file ``source``; verified before it gets its name.

    Comes back at once when it is there already. Models inside packages have nothing to fetch.
    """
    if name not in PUBLISHED_FILES:
        return _in_table(name) or _unknown(name)
    from mien.models import download

    publication = PUBLISHED_FILES[name]
    if source is None and _is_whole(name):
        return _cached(name)
    address = url or publication.url
    online = download.stream_download(publication, address, timeout=timeout, deadline=deadline)
    chunks = online if source is None else download.stream_file(publication, Path(source))
    with closing(chunks):
        return download.install_file(publication, chunks, _cached(name), progress)


def _in_table(name: str) -> Path | None:
    if name in read_checksums():
        return resolve_embedded(name)
    point = _offered().get(name)
    return _from_package(point) if point else None


def _at_or_unknown(name: str) -> Path:
    path = Path(name)
    return _at(path) if file_exists(path) or folder_exists(path) else _unknown(name)


def _unknown(name: str) -> NoReturn:
    known = available_models()
    expected = f"Expected one of {', '.join(known)}, or the path of an .onnx file"
    hint = suggest_name(name, [*known, *PUBLISHED_FILES]) or "'mien models' lists them"
    raise ModelMissing(f"There is no model '{name}'", expected, hint)


def _looks_like_path(name: str) -> bool:
    return "/" in name or os.sep in name or name.endswith(".onnx")


def _at(path: Path) -> Path:
    if folder_exists(path):
        inside = path / RUN_FILE
        if not file_exists(inside):
            expected = f"Expected an .onnx file, or a run's folder with {RUN_FILE} in it"
            raise ModelMissing(f"The folder '{path}' has no {RUN_FILE}", expected, _others(path))
        return inside
    if not file_exists(path):
        raise missing_file_error(path)
    return path


def _others(folder: Path) -> str:
    found = sorted(each.name for each in folder.glob("*.onnx"))
    return f"Name one of these in it: {', '.join(found[:5])}" if found else "Name another folder"


def _offered() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _from_package(point: EntryPoint) -> Path:
    package = point.dist.name if point.dist else point.value
    remedy = f"Install {package} again, or tell its authors"
    try:
        loaded: str | Path | Callable[[], str | Path] = point.load()
        path = Path(loaded() if callable(loaded) else loaded)
    except (ImportError, AttributeError, TypeError, ValueError, OSError) as error:
        happened = f"The model '{point.name}' of the package {package} does not load: {error}"
        raise ModelError(happened, "Expected a path, or a function that returns one", remedy) from error
    if not file_exists(path):
        happened = f"The model '{point.name}' of the package {package} is not at '{path}'"
        raise ModelMissing(happened, "Expected an .onnx file", remedy)
    return path


def _cached(name: str) -> Path:
    return cache_folder() / PUBLISHED_FILES[name].file


def _cached_if_there(name: str) -> Path | None:
    return path if file_exists(path := _cached(name)) else None


def _verified(name: str) -> Path:
    path, remedy = _cached(name), f"Fetch it again: mien models pull {name}"
    verify_checksum(read_file(path), PUBLISHED_FILES[name].seal, f"The file '{path}'", remedy)
    return path


def _is_whole(name: str) -> bool:
    try:
        return bool(_verified(name))
    except ModelError:
        return False


def _user() -> Path:
    try:
        return Path.home()
    except RuntimeError:
        # Containers run under user ids that have no home; what lies here is verified before it is used.
        return Path(tempfile.gettempdir())
