"""What a net learns from: faces, and what it should say of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.lab.data import Faces


@dataclass(frozen=True)
class Targets:
    """What a net learns from: ``faces`` uint8 (N, 48, 48, 1), ``shares`` (N, 7), ``votes`` (N, 8); zeros: no votes."""

    faces: np.ndarray
    shares: np.ndarray
    votes: np.ndarray


def targets(faces: Faces) -> Targets:
    """One-hot labels and vote shares of these faces."""
    return Targets(
        faces.pixels[..., None], np.eye(len(faces.classes), dtype=np.float32)[faces.labels], faces.vote_shares()
    )
