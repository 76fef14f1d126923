"""What teachers say of every face they were asked about, in one small file: under a megabyte for all of FER2013.

The file knows faces by what their pixels hash to, so it serves whatever file, order or copy the data comes in.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import FaceDataset
from mien.errors import LabError
from mien.labels import VOTES
from mien.training.recipe import DistillationSettings, Recipe

#: Bytes of a face's hash that are kept. Of 40,000 faces two share five bytes once in a thousand times.
_KEY = 5

#: The kind and edition of the file, so that another .npz is told apart.
_KIND = "mien.targets.1"


@dataclass(frozen=True)
class SoftTargets:
    """Mean answers by face. ``keys`` uint64 (N,), rising; ``shares`` (N, K) and ``votes`` (N, 8) float32, or no votes.

    ``facts`` tell where they come from: classes, teachers, views, temperature, fingerprint of the data.
    """

    keys: NDArray[np.uint64]
    shares: NDArray[np.float32]
    votes: NDArray[np.float32] | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        pixels: NDArray[np.uint8],
        shares: NDArray[np.float32],
        votes: NDArray[np.float32] | None,
        facts: Mapping[str, Any],
    ) -> SoftTargets:
        """From answers about faces uint8 (N, 48, 48); of twins the first is kept."""
        found, first = np.unique(hash_faces(pixels), return_index=True)
        return cls(found, shares[first], None if votes is None else votes[first], facts)

    @classmethod
    def read(cls, path: Path) -> SoftTargets:
        """The file at a path; a LabError where it is none."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                facts = json.loads(str(arrays["facts"]))
                if facts.get("kind") != _KIND:
                    raise KeyError("kind")
                votes = arrays["votes"].astype(np.float32) if "votes" in arrays.files else None
                return cls(_joined(arrays["keys"]), arrays["shares"].astype(np.float32), votes, facts)
        except FileNotFoundError:
            remedy = "'mien distill' writes such files; paths in a recipe count from the recipe's own folder"
            raise LabError(f"There are no targets at '{path}'", "a file of soft targets was expected", remedy) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            happened = f"'{path}' holds no targets: {error}"
            raise LabError(happened, "a file that 'mien distill' wrote was expected", "Distil again") from None

    def packed(self) -> bytes:
        """The file: float16, and hashes cut to a few bytes each."""
        arrays = {"keys": _cut(self.keys), "shares": _rounded(self.shares)}
        arrays |= {} if self.votes is None else {"votes": _rounded(self.votes)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, facts=np.array(json.dumps({"kind": _KIND, **self.facts})), **arrays)
        return buffer.getvalue()

    def places(self, asked: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """For each key whether it is known, and its row; 0 where it is not."""
        place = np.minimum(np.searchsorted(self.keys, asked), len(self.keys) - 1)
        known = self.keys[place] == asked
        return known, np.where(known, place, 0)

    def refuse_others(self, classes: Sequence[str]) -> None:
        """A LabError unless the shares are of these classes in this order."""
        theirs = tuple(self.facts.get("classes", ()))
        if theirs != tuple(classes):
            happened = f"The teachers know {', '.join(theirs)}"
            raise LabError(happened, f"{', '.join(classes)} were expected, in this order", "Name other targets")


def hash_faces(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The same number for the same pixels, uint64 (N,), whatever file they came in."""
    digests = (hashlib.blake2b(face.tobytes(), digest_size=_KEY).digest() for face in pixels)
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)


def _cut(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """As bytes, the first of all faces first: of rising numbers these hardly change, so they pack well."""
    places = [np.uint64(8 * (_KEY - 1 - place)) for place in range(_KEY)]
    return np.stack([(numbers >> place & np.uint64(255)).astype(np.uint8) for place in places])


def _joined(parts: NDArray[np.uint8]) -> NDArray[np.uint64]:
    found = np.zeros(parts.shape[1], np.uint64)
    for part in parts:
        found = (found << np.uint64(8)) | part.astype(np.uint64)
    return found


def _rounded(shares: NDArray[np.float32]) -> NDArray[np.float16]:
    """Column by column in float16, to 1/4096: what teachers say is no surer than that."""
    return np.ascontiguousarray((np.round(shares * 4096) / 4096).astype(np.float16))


# ==== mien.lab.targets
# What a net learns from: faces, and what it should say of them, by the labels and by teachers.


@dataclass(frozen=True)
class Targets:
    """What a net learns from: ``faces`` uint8 (N, 48, 48, 1), ``shares`` (N, 7), ``votes`` (N, 8); zeros: no votes."""

    faces: np.ndarray
    shares: np.ndarray
    votes: np.ndarray


def build_targets(faces: FaceDataset, recipe: Recipe | None = None) -> Targets:
    """One-hot labels and vote shares of these faces, mixed with what the recipe's teachers say of them."""
    shares, votes = np.eye(len(faces.classes), dtype=np.float32)[faces.labels], faces.vote_shares()
    if recipe and recipe.loss.soft:
        shares = mix_votes_into_labels(faces, shares, votes, recipe.loss.soft)
    if recipe and recipe.teach.targets:
        shares, votes = _mixed(faces, recipe, shares, votes)
    return Targets(faces.pixels[..., None], shares, votes)


def mix_votes_into_labels(
    faces: FaceDataset, shares: NDArray[np.float32], votes: NDArray[np.float32], part: float
) -> NDArray[np.float32]:
    """The labels' shares with ``part`` of each given to what voters said of the classes; the labels where none did."""
    if not 0 <= part <= 1:
        raise LabError(f"loss.soft is {part}", "a part from 0 to 1 was expected")
    said = np.zeros_like(shares)
    for place, name in enumerate(faces.classes):
        if name in VOTES:
            said[:, place] = votes[:, VOTES.index(name)]
    total = said.sum(1, keepdims=True)
    return np.where(total > 0, (1 - part) * shares + part * said / np.maximum(total, 1e-9), shares)


def _mixed(
    faces: FaceDataset, recipe: Recipe, shares: NDArray[np.float32], votes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Faces of which no teacher spoke keep their labels; where nobody voted, teachers are the only ones to say."""
    teach = checked(recipe.teach)
    taught = SoftTargets.read(recipe.beside(teach.targets))
    taught.refuse_others(faces.classes)
    known, place = taught.places(hash_faces(faces.pixels))
    if np.mean(known) < 0.5:
        happened = f"The teachers of '{teach.targets}' spoke of {np.mean(known):.0%} of these faces"
        raise LabError(happened.replace("%", " %"), "at least half was expected", "Distil again from this data")
    said = soften(taught.shares[place], teach.temperature)
    part = np.where(known, teach.weight, 0.0)[:, None].astype(np.float32)
    shares = (1 - part) * shares + part * said
    if taught.votes is not None:
        said = soften(taught.votes[place], teach.temperature)
        part = np.where(votes.any(1, keepdims=True), part, known[:, None].astype(np.float32))
        votes = (1 - part) * votes + part * said
    return shares, votes


def checked(teach: DistillationSettings) -> DistillationSettings:
    """The section, its numbers held against what they can be."""
    if not 0 <= teach.weight <= 1:
        raise LabError(f"teach.weight is {teach.weight}", "a part from 0 to 1 was expected")
    if not teach.temperature > 0:
        raise LabError(f"teach.temperature is {teach.temperature}", "a number above 0 was expected")
    return teach


def soften(shares: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Shares (N, K) as the same logits would give them at this temperature; above 1 they are more alike."""
    raised = np.maximum(shares.astype(np.float64), 1e-8) ** (1 / temperature)
    return np.asarray(raised / raised.sum(1, keepdims=True), np.float32)
