"""The size and SHA-256 of every model file that mien ships or downloads.

After a change of a file in ``weights/`` run ``python -m mien.models.checksums`` and commit the table with it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

from mien.errors import ModelDamaged, ModelMissing, install_command

#: The folder of the embedded models.
WEIGHTS = Path(__file__).with_name("weights")

#: The table of their checksums, in the same folder.
CHECKSUM_FILE = "hashes.json"


class Checksum(NamedTuple):
    """The SHA-256 and the size in bytes of a file's content."""

    sha256: str
    size: int

    @classmethod
    def of(cls, content: bytes) -> Checksum:
        return cls(hashlib.sha256(content).hexdigest(), len(content))


class PublishedFile(NamedTuple):
    """A file at the address of its publisher, which is downloaded on request and not part of the package."""

    name: str
    kind: str
    file: str
    url: str
    checksum: Checksum
    license: str


_OPENCV_ZOO = "https://media.githubusercontent.com/media/opencv/opencv_zoo/main/models"

PUBLISHED_FILES = {
    "yunet": PublishedFile(
        name="yunet",
        kind="detector",
        file="face_detection_yunet_2026may.onnx",
        url=f"{_OPENCV_ZOO}/face_detection_yunet/face_detection_yunet_2026may.onnx",
        checksum=Checksum("ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0", 229_738),
        license="MIT",
    ),
}


def read_checksums(folder: Path = WEIGHTS) -> dict[str, Checksum]:
    """The checksums of the embedded models by name; ModelMissing if the package was installed without its models."""
    try:
        table = json.loads((folder / CHECKSUM_FILE).read_bytes())
        return {Path(file).stem: Checksum(facts["sha256"], facts["size"]) for file, facts in table.items()}
    except (OSError, ValueError, AttributeError, TypeError, KeyError) as error:
        happened = f"mien was installed without its models: '{folder / CHECKSUM_FILE}' cannot be read"
        raise ModelMissing(happened, "Expected the embedded models and their checksums", _reinstall()) from error


def resolve_embedded(name: str, folder: Path = WEIGHTS) -> Path:
    """The file of an embedded model, after its checksum was verified."""
    path, checksum = folder / f"{name}.onnx", read_checksums(folder)[name]
    try:
        content = path.read_bytes()
    except OSError as error:
        happened = f"The embedded model '{name}' is missing: '{path}' cannot be read"
        raise ModelMissing(happened, "Expected it inside the installed package", _reinstall()) from error
    verify_checksum(content, checksum, f"The embedded model '{name}'", _reinstall())
    return path


def verify_checksum(content: bytes, expected: Checksum, name: str, remedy: str) -> None:
    """Raise ModelDamaged if the content does not have this checksum."""
    actual = Checksum.of(content)
    if actual.size < expected.size:
        happened = f"{name} is truncated after {actual.size:,} bytes"
        raise ModelDamaged(happened, f"Expected {expected.size:,} bytes", remedy)
    if actual != expected:
        happened = f"{name} was changed: the SHA-256 of its file is {actual.sha256}"
        raise ModelDamaged(happened, f"Expected {expected.sha256}", remedy)


def write_checksums(folder: Path = WEIGHTS) -> Path:
    """Write the table for the .onnx files that are in the folder."""
    checksums = {path.name: Checksum.of(path.read_bytes())._asdict() for path in sorted(folder.glob("*.onnx"))}
    table = folder / CHECKSUM_FILE
    table.write_text(json.dumps(checksums, indent=2) + "\n", encoding="utf-8")
    return table


def _reinstall() -> str:
    return f"Install mien again: {install_command().replace('install', 'install --force-reinstall', 1)}"


if __name__ == "__main__":
    write_checksums()
