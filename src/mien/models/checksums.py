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
CHECKSUM_FILE = "hashes.json"


class Checksum(NamedTuple):
    """What a file's content must be."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Checksum:
        return cls(hashlib.sha256(content).hexdigest(), len(content))


def read_checksums(folder: Path = WEIGHTS) -> dict[str, Checksum]:
    """The embedded models by name; ModelMissing when the package came without its weights."""
    try:
        table = json.loads((folder / CHECKSUM_FILE).read_bytes())
        return {Path(file).stem: Checksum(facts["sha256"], facts["size"]) for file, facts in table.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        happened = f"mien was installed without its models: '{folder / CHECKSUM_FILE}' cannot be read"
        raise ModelMissing(happened, "Expected the embedded weights and their table", _reinstall()) from error


def resolve_embedded(name: str, folder: Path = WEIGHTS) -> Path:
    """The file of an embedded model, its content held against its seal."""
    path, wanted = folder / f"{name}.onnx", read_checksums(folder)[name]
    try:
        content = path.read_bytes()
    except OSError as error:
        happened = f"The embedded model '{name}' is missing: '{path}' cannot be read"
        raise ModelMissing(happened, "Expected it inside the installed package", _reinstall()) from error
    verify_checksum(content, wanted, f"The embedded model '{name}'", _reinstall())
    return path


def verify_checksum(content: bytes, wanted: Checksum, name: str, remedy: str) -> None:
    """ModelDamaged unless the content is what was sealed."""
    found = Checksum.of(content)
    if found.size < wanted.size:
        happened, expected = f"{name} is cut off after {found.size:,} bytes", f"Expected {wanted.size:,} bytes"
        raise ModelDamaged(happened, expected, remedy)
    if found != wanted:
        happened = f"{name} was swapped or changed: the SHA-256 of its file is {found.sha256}"
        raise ModelDamaged(happened, f"Expected {wanted.sha256}", remedy)


def write_checksums(folder: Path = WEIGHTS) -> Path:
    """Write the table anew from the .onnx files that are in the folder now."""
    found = {path.name: Checksum.of(path.read_bytes())._asdict() for path in sorted(folder.glob("*.onnx"))}
    table = folder / CHECKSUM_FILE
    table.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return table


def _reinstall() -> str:
    return f"Install mien again: {install_command().replace('install', 'install --force-reinstall', 1)}"


# ==== mien.models.published
# Files that others publish: fetched on request, never part of the package.


class PublishedFile(NamedTuple):
    """A file under its publisher's address, and what its content must be."""

    name: str
    kind: str
    file: str
    url: str
    seal: Checksum
    license: str


_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"

PUBLISHED_FILES = {
    "yunet": PublishedFile(
        name="yunet",
        kind="detector",
        file="face_detection_yunet_2026may.onnx",
        url=f"{_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        seal=Checksum("ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0", 229_738),
        license="MIT",
    ),
}


if __name__ == "__main__":
    write_checksums()
