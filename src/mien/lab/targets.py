"""What a net learns from: faces, and what it should say of them, by the labels and by teachers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError
from mien.lab.data import Faces
from mien.lab.recipe import Recipe, Teach
from mien.lab.taught import Taught, keys
from mien.labels import VOTES


@dataclass(frozen=True)
class Targets:
    """What a net learns from: ``faces`` uint8 (N, 48, 48, 1), ``shares`` (N, 7), ``votes`` (N, 8); zeros: no votes."""

    faces: np.ndarray
    shares: np.ndarray
    votes: np.ndarray


def targets(faces: Faces, recipe: Recipe | None = None) -> Targets:
    """One-hot labels and vote shares of these faces, mixed with what the recipe's teachers say of them."""
    shares, votes = np.eye(len(faces.classes), dtype=np.float32)[faces.labels], faces.vote_shares()
    if recipe and recipe.loss.soft:
        shares = by_voters(faces, shares, votes, recipe.loss.soft)
    if recipe and recipe.teach.targets:
        shares, votes = _mixed(faces, recipe, shares, votes)
    return Targets(faces.pixels[..., None], shares, votes)


def by_voters(
    faces: Faces, shares: NDArray[np.float32], votes: NDArray[np.float32], part: float
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
    faces: Faces, recipe: Recipe, shares: NDArray[np.float32], votes: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Faces of which no teacher spoke keep their labels; where nobody voted, teachers are the only ones to say."""
    teach = checked(recipe.teach)
    taught = Taught.read(recipe.beside(teach.targets))
    taught.refuse_others(faces.classes)
    known, place = taught.places(keys(faces.pixels))
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


def checked(teach: Teach) -> Teach:
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
