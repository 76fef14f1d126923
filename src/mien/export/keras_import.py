"""Keras files, ``.keras`` and ``.h5``, ours and other people's: turned into ONNX once, checked, and kept.

A file that mien wrote has its card inside and needs no words. The turning is done by a process of its own
(:mod:`mien.export.keras_import_process`), so that TensorFlow's memory, its words on stderr and whatever an odd file
does to it stay there.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

from mien.errors import ExperimentError, MissingExtra, ModelMissing, install_command
from mien.files import temporary_path, write_atomically
from mien.models import ModelCard, cache_folder, write_card
from mien.models.registry import RUN_FILE

SUFFIXES = (".keras", ".h5", ".hdf5")

#: What the pixels that go into another's net are: as they are, or divided by 255, or that from -1 to 1.
SCALES = ("0-255", "0-1", "-1-1")

#: The name under which a card stands in a Keras file that mien wrote: an entry of the archive, an attribute of HDF5.
CARD_INSIDE = "mien.card"

#: A change in how files are turned changes this, and nothing that was kept is taken for the new.
_EDITION = 2


def is_keras_file(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def convert_to_onnx(path: Path, *, labels: Sequence[str] = (), scale: str = "") -> Path:
    """The ONNX file of a Keras file, made now or before; an ExperimentError says why there can be none.

    ``labels`` (in the order of its outputs) and ``scale`` must be told, unless the file has a card, or the
    ``model.onnx`` of its run lies beside it and has one. Then the ONNX file has all that the card says.
    """
    if not path.is_file():
        raise ModelMissing(f"There is no model file '{path}'", "Expected a .keras or .h5 file", "Check the path")
    told = read_card(path)
    labels, votes = (tuple(labels), ()) if labels or not told else (told.labels, told.vote_labels)
    scale = scale or (SCALES[0] if told else "")
    if not labels or scale not in SCALES:
        if not zipfile.is_zipfile(path):
            _refuse_without(("h5py",), path)  # it may have a card that nobody can read here
        happened = f"'{path}' does not say what its answers and its pixels are"
        remedy = "Add --labels angry,disgust,fear,... and --scale 0-1, 0-255 or -1-1"
        raise ExperimentError(happened, "its labels in order and the scale of its pixels were expected", remedy)
    own = told if told and labels == told.labels and scale == SCALES[0] else None
    kept = cache_folder() / "converted" / f"{_key(path, labels, votes, scale, own)}.onnx"
    if not kept.is_file():
        _refuse_without(("keras", "tensorflow", "tf2onnx"), path)
        kept.parent.mkdir(parents=True, exist_ok=True)
        _turn(path, kept, labels, votes, scale, own)
    return kept


def read_card(path: Path) -> ModelCard | None:
    """The card in a Keras file that mien wrote, else that of the run in whose folder it lies; None without either."""
    return read_embedded_card(path) or _card_beside(path)


def read_embedded_card(path: Path) -> ModelCard | None:
    """The card in a Keras file that mien wrote; None in any other."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return ModelCard.from_json(archive.read(f"{CARD_INSIDE}.json"))
        import h5py

        with h5py.File(path, "r") as file:
            return ModelCard.from_json(file.attrs[CARD_INSIDE])
    except (KeyError, OSError, ImportError, zipfile.BadZipFile):
        return None


def _card_beside(path: Path) -> ModelCard | None:
    beside = path.with_name(RUN_FILE)
    return ModelCard.read(beside) if beside.is_file() else None


def _key(path: Path, labels: Sequence[str], votes: Sequence[str], scale: str, own: ModelCard | None) -> str:
    """From the content, so that a file that was moved is not turned again, and a changed one is."""
    digest = hashlib.sha256(path.read_bytes())
    name = own.to_json() if own else path.stem
    digest.update(json.dumps([_EDITION, name, labels, votes, scale]).encode())
    return digest.hexdigest()[:32]


def _refuse_without(packages: Sequence[str], path: Path) -> None:
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        happened = f"'{path}' is a Keras file, and {', '.join(missing)} is not installed"
        raise MissingExtra(happened, "The extra 'train' brings it", f"Run {install_command('train')}")


def _turn(
    path: Path, kept: Path, labels: Sequence[str], votes: Sequence[str], scale: str, own: ModelCard | None
) -> None:
    with temporary_path(kept) as part:
        _convert(path, part, labels, votes, scale)
        content = part.read_bytes()
    write_atomically(kept, write_card(content, own) if own else content, sync=True)


def _convert(path: Path, target: Path, labels: Sequence[str], votes: Sequence[str], scale: str) -> None:
    """Write the model as ONNX to ``target``, in a process of its own."""
    words = json.dumps([str(path), str(target), list(labels), list(votes), scale])
    command = [sys.executable, "-m", "mien.export.keras_import_process", words]
    # TensorFlow's is the backend whose nets become ONNX, whichever the person trains with.
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "KERAS_BACKEND": "tensorflow"})
    try:
        *_, last = done.stdout.splitlines() or [b""]
        answer = json.loads(last)
    except ValueError:
        happened = f"'{path}' ended the process that was to read it (status {done.returncode})"
        raise ExperimentError(
            happened, "a model that Keras can load was expected", "Export it to ONNX where it was made"
        ) from None
    if answer:
        raise ExperimentError(*answer)
