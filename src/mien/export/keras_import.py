"""Import of Keras files, ``.keras`` and ``.h5``, of mien and of others: converted to ONNX once, checked, and cached.

A file that mien wrote has its card inside and needs no options. The conversion runs in another process
(:mod:`mien.export.keras_import_process`), which isolates the memory, the messages and the crashes of TensorFlow.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mien.errors import ExperimentError, MissingExtra, ModelMissing, install_command
from mien.files import check_unpacked_size, temporary_path, write_atomically
from mien.models import ModelCard, cache_folder, write_card
from mien.models.registry import RUN_FILE

SUFFIXES = (".keras", ".h5", ".hdf5")

#: The range of the pixels that the network takes: 0 to 255, 0 to 1, or -1 to 1.
SCALES = ("0-255", "0-1", "-1-1")

#: The name of the card in a Keras file of mien: an entry of the archive, an attribute in HDF5.
CARD_INSIDE = "mien.card"

#: A change of the conversion changes this number, so that files in the cache are not used any more.
_VERSION = 2


def is_keras_file(path: Path) -> bool:
    """Whether the suffix is that of a Keras file."""
    return path.suffix.lower() in SUFFIXES


def convert_to_onnx(path: Path, *, labels: Sequence[str] = (), scale: str = "") -> Path:
    """The ONNX file of a Keras file, from the cache where it was converted before.

    ``labels`` (in the order of its outputs) and ``scale`` are required, unless the file has a card, or the
    ``model.onnx`` of its run beside it has one. Then the ONNX file has the facts of that card.
    """
    if not path.is_file():
        raise ModelMissing(f"There is no model file '{path}'", "Expected a .keras or .h5 file", "Check the path")
    card = read_card(path)
    labels, votes = (tuple(labels), ()) if labels or not card else (card.labels, card.vote_labels)
    scale = scale or (SCALES[0] if card else "")
    if not labels or scale not in SCALES:
        if not zipfile.is_zipfile(path):
            _check_packages(("h5py",), path)  # it may have a card that cannot be read without h5py
        happened = f"'{path}' does not describe its outputs and its pixels"
        expected = "its labels in order and the scale of its pixels were expected"
        remedy = "Add --labels angry,disgust,fear,... and --scale 0-1, 0-255 or -1-1"
        raise ExperimentError(happened, expected, remedy)
    card = card if card and labels == card.labels and scale == SCALES[0] else None
    target = cache_folder() / "converted" / f"{_cache_key(path, labels, votes, scale, card)}.onnx"
    if not target.is_file():
        _check_packages(("keras", "tensorflow", "tf2onnx"), path)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.with_name(".writable").touch()
        except OSError as error:
            happened = f"The converted model cannot be stored in '{target.parent}': {error.strerror or error}"
            remedy = "Set MIEN_HOME to a folder that can be written to"
            raise ExperimentError(happened, "a writable folder was expected", remedy) from None
        with temporary_path(target) as temporary:
            _convert(path, temporary, labels, votes, scale, card.decision if card else {})
            content = temporary.read_bytes()
        write_atomically(target, write_card(content, card) if card else content, sync=True)
    return target


def read_card(path: Path) -> ModelCard | None:
    """The card in a Keras file of mien, else that of the run in whose folder the file is; None without either."""
    if card := read_embedded_card(path):
        return card
    beside = path.with_name(RUN_FILE)
    return ModelCard.read(beside) if beside.is_file() else None


def read_embedded_card(path: Path) -> ModelCard | None:
    """The card in a Keras file of mien; None in any other."""
    try:
        with path.open("rb") as file:
            check_unpacked_size(file)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return ModelCard.from_json(archive.read(f"{CARD_INSIDE}.json"))
        import h5py

        with h5py.File(path, "r") as file:
            return ModelCard.from_json(file.attrs[CARD_INSIDE])
    except (KeyError, OSError, ImportError, zipfile.BadZipFile):
        return None
    except ValueError as error:
        raise ExperimentError(
            f"'{path}' is too large: {error}", "A network was expected", "Name another file"
        ) from None


def _cache_key(path: Path, labels: Sequence[str], votes: Sequence[str], scale: str, card: ModelCard | None) -> str:
    """A hash of the content, so that a moved file is not converted again, and a changed one is."""
    digest = hashlib.sha256(path.read_bytes())
    name = card.to_json() if card else path.stem
    digest.update(json.dumps([_VERSION, name, labels, votes, scale]).encode())
    return digest.hexdigest()[:32]


def _check_packages(packages: Sequence[str], path: Path) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        happened = f"'{path}' is a Keras file, and {', '.join(missing)} is not installed"
        raise MissingExtra(happened, "The extra 'train' installs it", f"Run {install_command('train')}")


def _convert(
    path: Path, target: Path, labels: Sequence[str], votes: Sequence[str], scale: str, decision: Mapping[str, Any]
) -> None:
    """Write the model as ONNX to ``target``, in another process."""
    arguments = json.dumps([str(path), str(target), list(labels), list(votes), scale, dict(decision)])
    command = [sys.executable, "-m", "mien.export.keras_import_process", arguments]
    # Only the TensorFlow backend of Keras exports to ONNX.
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    process = subprocess.run(command, capture_output=True, check=False, env=environment)
    try:
        *_, last_line = process.stdout.splitlines() or [b""]
        error = json.loads(last_line)
    except ValueError:
        happened = f"The process that converts '{path}' ended (status {process.returncode})"
        remedy = "Export it to ONNX with the version of Keras that wrote it"
        raise ExperimentError(happened, "a model that Keras can load was expected", remedy) from None
    if error:
        raise ExperimentError(*error)
