"""Training targets: one-hot labels, votes of FER+ annotators, and soft targets of teachers from a file.

The file identifies faces by a hash of their pixels, so it is valid for every copy and order of the data. For all of
FER2013 it has less than a megabyte.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import FaceDataset
from mien.errors import ExperimentError
from mien.files import load_npz
from mien.labels import VOTES
from mien.training.recipe import Recipe

#: Bytes of the hash of a face. Of 40,000 faces two have the same five bytes with a probability of 1 in 1,000.
_HASH_BYTES = 5

#: The kind and version of the file, which distinguishes it from other .npz files.
_KIND = "mien.targets.2"

#: The names of the hashes and the scores in a file of each kind that can be read.
_ARRAY_NAMES = {_KIND: ("hashes", "scores"), "mien.targets.1": ("keys", "shares")}

#: The soft targets of a file must cover this fraction of the training faces.
MIN_COVERAGE = 0.5


@dataclass(frozen=True)
class TrainingTargets:
    """Faces uint8 (N, 48, 48, 1) and their targets: ``labels`` (N, K), ``votes`` (N, 8), zeros for faces without."""

    faces: np.ndarray
    labels: np.ndarray
    votes: np.ndarray


def build_targets(faces: FaceDataset, recipe: Recipe | None = None) -> TrainingTargets:
    """One-hot labels and vote distributions, mixed with votes and soft targets as the recipe says."""
    labels, votes = np.eye(len(faces.classes), dtype=np.float32)[faces.labels], faces.vote_scores()
    if recipe and recipe.loss.soft_labels:
        labels = mix_votes_into_labels(faces, labels, votes, recipe.loss.soft_labels)
    if recipe and recipe.distillation.targets:
        labels, votes = _mix_soft_targets(faces, recipe, labels, votes)
    return TrainingTargets(faces.pixels[..., None], labels, votes)


def mix_votes_into_labels(
    faces: FaceDataset, labels: NDArray[np.float32], votes: NDArray[np.float32], fraction: float
) -> NDArray[np.float32]:
    """The labels with ``fraction`` of each replaced by the votes for the classes; unchanged for faces without votes."""
    class_votes = np.zeros_like(labels)
    for index, name in enumerate(faces.classes):
        if name in VOTES:
            class_votes[:, index] = votes[:, VOTES.index(name)]
    total = class_votes.sum(1, keepdims=True)
    mixed = (1 - fraction) * labels + fraction * class_votes / np.maximum(total, 1e-9)
    return np.where(total > 0, mixed, labels)


def _mix_soft_targets(
    faces: FaceDataset, recipe: Recipe, labels: NDArray[np.float32], votes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Faces without soft targets keep their labels; faces without votes get the votes of the teachers alone."""
    settings = recipe.distillation
    soft_targets = SoftTargets.read(recipe.resolve_path(settings.targets))
    soft_targets.check_classes(faces.classes)
    covered, rows = soft_targets.find_rows(hash_faces(faces.pixels))
    if np.mean(covered) < MIN_COVERAGE:
        happened = f"The soft targets in '{settings.targets}' cover {100 * np.mean(covered):.0f} % of these faces"
        raise ExperimentError(happened, "at least half was expected", "Run 'mien distill' with this data")
    teacher_labels = soften(soft_targets.scores[rows], settings.temperature)
    weight = np.where(covered, settings.weight, 0.0)[:, None].astype(np.float32)
    labels = (1 - weight) * labels + weight * teacher_labels
    if soft_targets.votes is not None:
        teacher_votes = soften(soft_targets.votes[rows], settings.temperature)
        weight = np.where(votes.any(1, keepdims=True), weight, covered[:, None].astype(np.float32))
        votes = (1 - weight) * votes + weight * teacher_votes
    return labels, votes


def soften(scores: NDArray[np.floating], temperature: float) -> NDArray[np.float32]:
    """Probabilities (N, K) as the same logits give them at this temperature; above 1 the distribution is flatter."""
    powers = np.maximum(scores.astype(np.float64), 1e-8) ** (1 / temperature)
    return np.asarray(powers / powers.sum(1, keepdims=True), np.float32)


def hash_faces(pixels: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """A hash of the pixels of each face, uint64 (N,)."""
    digests = (hashlib.blake2b(face.tobytes(), digest_size=_HASH_BYTES).digest() for face in pixels)
    return np.array([int.from_bytes(digest, "big") for digest in digests], np.uint64)


@dataclass(frozen=True)
class SoftTargets:
    """Mean predictions of teachers. ``hashes`` uint64 (N,), sorted; ``scores`` (N, K) and ``votes`` (N, 8) float32.

    ``votes`` is None where no teacher has that head. ``facts`` are the classes, teachers, views, temperature and the
    fingerprint of the data.
    """

    hashes: NDArray[np.uint64]
    scores: NDArray[np.float32]
    votes: NDArray[np.float32] | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_predictions(
        cls,
        pixels: NDArray[np.uint8],
        scores: NDArray[np.float32],
        votes: NDArray[np.float32] | None,
        facts: Mapping[str, Any],
    ) -> SoftTargets:
        """From predictions for faces uint8 (N, 48, 48); of duplicates the first is used."""
        hashes, first = np.unique(hash_faces(pixels), return_index=True)
        return cls(hashes, scores[first], None if votes is None else votes[first], facts)

    @classmethod
    def read(cls, path: Path) -> SoftTargets:
        """Read a file of soft targets; an ExperimentError where it is none."""
        try:
            arrays = load_npz(path)
            facts = json.loads(str(arrays["facts"]))
            hashes, scores = (arrays[name] for name in _ARRAY_NAMES[facts.pop("kind")])
            votes = arrays["votes"].astype(np.float32) if "votes" in arrays else None
            return cls(_join_bytes(hashes), scores.astype(np.float32), votes, facts)
        except FileNotFoundError:
            remedy = "'mien distill' writes such files; paths in a recipe are relative to the folder of the recipe"
            raise ExperimentError(f"There is no file '{path}'", "a file of soft targets was expected", remedy) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            happened = f"'{path}' has no soft targets: {error}"
            raise ExperimentError(happened, "a file written by 'mien distill' was expected", "Distil again") from None

    def to_bytes(self) -> bytes:
        """The content of the file: float16, and a few bytes of each hash."""
        arrays = {"hashes": _split_bytes(self.hashes), "scores": _round(self.scores)}
        arrays |= {} if self.votes is None else {"votes": _round(self.votes)}
        buffer = io.BytesIO()
        np.savez_compressed(buffer, facts=np.array(json.dumps({"kind": _KIND, **self.facts})), **arrays)
        return buffer.getvalue()

    def find_rows(self, hashes: NDArray[np.uint64]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """For each hash whether there are soft targets, and their row; 0 where there are none."""
        rows = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        covered = self.hashes[rows] == hashes
        return covered, np.where(covered, rows, 0)

    def check_classes(self, classes: Sequence[str]) -> None:
        """Raise an ExperimentError unless the scores are of these classes in this order."""
        theirs = tuple(self.facts.get("classes", ()))
        if theirs != tuple(classes):
            happened = f"The soft targets are of the classes {', '.join(theirs)}"
            raise ExperimentError(happened, f"{', '.join(classes)} were expected, in this order", "Name another file")


def _split_bytes(numbers: NDArray[np.uint64]) -> NDArray[np.uint8]:
    """One row for each byte, the highest first: those of sorted numbers hardly change and compress well."""
    shifts = [np.uint64(8 * (_HASH_BYTES - 1 - place)) for place in range(_HASH_BYTES)]
    return np.stack([(numbers >> shift & np.uint64(255)).astype(np.uint8) for shift in shifts])


def _join_bytes(rows: NDArray[np.uint8]) -> NDArray[np.uint64]:
    numbers = np.zeros(rows.shape[1], np.uint64)
    for row in rows:
        numbers = (numbers << np.uint64(8)) | row.astype(np.uint64)
    return numbers


def _round(scores: NDArray[np.float32]) -> NDArray[np.float16]:
    """Float16, rounded to 1/4096: teachers are not more exact than that, and it compresses better."""
    return np.ascontiguousarray((np.round(scores * 4096) / 4096).astype(np.float16))
