"""Drawn faces on disk, in every shape that FER2013 has: the table, the votes, folders of pictures, arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from mien import media
from mien.lab import drawn
from mien.lab.data import PRIVATE, PUBLIC, TRAINING, Faces, write_csv, write_votes
from mien.lab.sources import votes

TABLE, ARRAYS = "fer2013.csv", "fer2013.npz"
#: Which folder a split goes to; reading them gives the same splits back.
FOLDERS = {TRAINING: "train", PUBLIC: "validation", PRIVATE: "test"}


def files(out: Path, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """What would be written into ``out``."""
    pictures = [out / folder for folder in FOLDERS.values()] if folders else []
    return [out / TABLE, out / votes.FILE, *pictures, *([out / ARRAYS] if npz else [])]


def write(out: Path, count: int, seed: int = 0, *, folders: bool = False, npz: bool = False) -> list[Path]:
    """Draw ``count`` faces and write them; what was written."""
    faces = drawn.faces(count, seed)
    out.mkdir(parents=True, exist_ok=True)
    write_csv(faces, out / TABLE)
    write_votes(faces, out / votes.FILE)
    if folders:
        _write_folders(faces, out)
    if npz:
        _write_arrays(faces, out / ARRAYS)
    return files(out, folders=folders, npz=npz)


def _write_folders(faces: Faces, out: Path) -> None:
    for place, (pixels, label, usage) in enumerate(zip(faces.pixels, faces.labels, faces.usage, strict=True)):
        folder = out / FOLDERS[str(usage)] / faces.classes[label]
        folder.mkdir(parents=True, exist_ok=True)
        media.save(np.repeat(pixels[..., None], 3, axis=2), folder / f"{usage}_{place}.png")


def _write_arrays(faces: Faces, path: Path) -> None:
    given = {"pixels": faces.pixels, "emotion": faces.labels.astype(np.int8), "usage": faces.usage}
    np.savez_compressed(path, **given, votes=votes.theirs(faces.votes).astype(np.int8))
