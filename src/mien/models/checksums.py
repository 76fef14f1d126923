"""The embedded weights and their seals: the SHA-256 and size with which each file left the workshop.

Whoever puts a new file into ``weights/`` runs ``python -m mien.models.checksums`` and commits the table with it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from mien.errors import ModelDamaged, ModelMissing, install_command

WEIGHTS = Path(__file__).with_name("weights")
TABLE = "hashes.json"


class Seal(NamedTuple):
    """What a file's content must be."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Seal:
        return cls(hashlib.sha256(content).hexdigest(), len(content))


def seals(folder: Path = WEIGHTS) -> dict[str, Seal]:
    """The embedded models by name; ModelMissing when the package came without its weights."""
    try:
        table = json.loads((folder / TABLE).read_bytes())
        return {Path(file).stem: Seal(facts["sha256"], facts["size"]) for file, facts in table.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        happened = f"mien was installed without its models: '{folder / TABLE}' cannot be read"
        raise ModelMissing(happened, "Expected the embedded weights and their table", _reinstall()) from error


def embedded(name: str, folder: Path = WEIGHTS) -> Path:
    """The file of an embedded model, its content held against its seal."""
    path, wanted = folder / f"{name}.onnx", seals(folder)[name]
    try:
        content = path.read_bytes()
    except OSError as error:
        happened = f"The embedded model '{name}' is missing: '{path}' cannot be read"
        raise ModelMissing(happened, "Expected it inside the installed package", _reinstall()) from error
    check(content, wanted, f"The embedded model '{name}'", _reinstall())
    return path


def check(content: bytes, wanted: Seal, name: str, remedy: str) -> None:
    """ModelDamaged unless the content is what was sealed."""
    found = Seal.of(content)
    if found.size < wanted.size:
        happened, expected = f"{name} is cut off after {found.size:,} bytes", f"Expected {wanted.size:,} bytes"
        raise ModelDamaged(happened, expected, remedy)
    if found != wanted:
        happened = f"{name} was swapped or changed: the SHA-256 of its file is {found.sha256}"
        raise ModelDamaged(happened, f"Expected {wanted.sha256}", remedy)


def seal(folder: Path = WEIGHTS) -> Path:
    """Write the table anew from the .onnx files that are in the folder now."""
    found = {path.name: Seal.of(path.read_bytes())._asdict() for path in sorted(folder.glob("*.onnx"))}
    table = folder / TABLE
    table.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return table


def _reinstall() -> str:
    return f"Install mien again: {install_command().replace('install', 'install --force-reinstall', 1)}"


# ==== mien.models.published
# Files that others publish: fetched on request, never part of the package.


class Publication(NamedTuple):
    """A file under its publisher's address, and what its content must be."""

    name: str
    kind: str
    file: str
    url: str
    seal: Seal
    license: str


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"

PUBLISHED = {
    "yunet": Publication(
        name="yunet",
        kind="detector",
        file="face_detection_yunet_2026may.onnx",
        url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        seal=Seal("ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0", 229_738),
        license="MIT",
    ),
}


if __name__ == "__main__":
    seal()
