"""Which faces are the same picture: pixel by pixel, or saved again, lit otherwise, cut a little differently.

A perceptual hash keeps the signs of a face's slow cosine waves: 80 bits that survive compression and light. Faces
that share a fifth of their bits exactly are compared in full, so 32,000 faces take a second and not half a billion
comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.datasets.dataset import group_duplicates

#: The waves that are kept, across and down; the first, the mean brightness, says nothing.
_WAVES = 9
#: How many bits may differ, and how alike the pixels must then be, as a correlation of -1 to 1.
BITS_APART, ALIKE = 10, 0.9
_BANDS, _DEALS = 5, 2
#: Faces that share a band with more others than this are flat, and their hash says nothing.
_CROWD = 40


@dataclass(frozen=True)
class NearDuplicates:
    """``places`` int64 (P, 2), the smaller first; ``likeness`` float32 (P,), a correlation up to 1."""

    places: NDArray[np.int64]
    likeness: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.places)


def find_exact_duplicates(pixels: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """The places of faces with the very same pixels, two or more in each group, in the order of the first."""
    numbers = group_duplicates(pixels)
    order = np.argsort(numbers, kind="stable")
    runs = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return sorted((run for run in runs if len(run) > 1), key=lambda run: int(run[0]))


def find_near_duplicates(pixels: NDArray[np.uint8]) -> NearDuplicates:
    """Pairs of faces that are the same picture and not the same pixels; of exact twins only the first takes part."""
    _, firsts = np.unique(group_duplicates(pixels), return_index=True)
    flat = pixels[firsts].reshape(len(firsts), -1)
    kept = np.sort(firsts[flat.min(1) != flat.max(1)])
    bits = perceptual_hashes(pixels[kept])
    places = _near(bits) if len(kept) > 1 else np.empty((0, 2), np.int64)
    likeness = _correlation(pixels[kept], places)
    alike = likeness >= ALIKE
    return NearDuplicates(kept[places[alike]], likeness[alike])


def perceptual_hashes(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The perceptual hash of each face, bool (N, 80)."""
    waves = np.empty((len(pixels), _WAVES, _WAVES), np.float32)
    for place, face in enumerate(pixels):
        small = cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        waves[place] = cv2.dct(small)[:_WAVES, :_WAVES]
    return waves.reshape(len(pixels), _WAVES * _WAVES)[:, 1:] > 0


def _near(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs (P, 2) with few bits apart, among those that share a band: five bands, dealt out in two ways."""
    rng = np.random.default_rng(0)
    deals = [np.array_split(rng.permutation(bits.shape[1]), _BANDS) for _ in range(_DEALS)]
    found = np.unique(np.concatenate([_sharing(bits[:, band]) for deal in deals for band in deal]), axis=0)
    apart = np.zeros(len(found), np.int64)
    for wave in bits.T:
        apart += wave[found[:, 0]] != wave[found[:, 1]]
    return found[apart <= BITS_APART]


def _sharing(band: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs (P, 2) of faces whose bits in this band are all the same."""
    keys = band @ (1 << np.arange(band.shape[1], dtype=np.int64))
    order = np.argsort(keys, kind="stable")
    keys, pairs = keys[order], [np.empty((0, 2), np.int64)]
    for step in range(1, min(_CROWD, len(keys) - 1) + 1):
        same = keys[step:] == keys[:-step]
        if not same.any():
            break
        pairs.append(np.sort(np.stack([order[:-step][same], order[step:][same]], 1), axis=1))
    return np.concatenate(pairs)


def _correlation(pixels: NDArray[np.uint8], places: NDArray[np.int64]) -> NDArray[np.float32]:
    found = np.empty(len(places), np.float32)
    for start in range(0, len(places), 4096):
        some = places[start : start + 4096]
        found[start : start + 4096] = (_level(pixels[some[:, 0]]) * _level(pixels[some[:, 1]])).sum(1)
    return found


def _level(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Faces as rows (N, 2304) without their brightness and contrast: mean 0, length 1."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
