"""Duplicates: faces with the same pixels, and near duplicates with another compression, brightness or crop.

The perceptual hash of a face is the signs of its lowest cosine frequencies: 80 bits that hardly change with compression
and brightness. Only faces that share a fifth of their bits exactly are compared in full, so 32,000 faces take a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

#: Frequencies in each direction; the first of all, the mean brightness, is not used.
_FREQUENCIES = 9
#: The most bits in which near duplicates differ, and the least correlation of their pixels (-1 to 1).
MAX_BITS, MIN_SIMILARITY = 10, 0.9
#: The bits are divided into bands, in several random orders.
_BANDS, _ORDERS = 5, 2
#: Faces that share a band with more others than this have too little structure for a hash.
_MAX_SHARED = 40


@dataclass(frozen=True)
class NearDuplicates:
    """``indices`` int64 (P, 2) of the pairs, the smaller first; ``similarity`` float32 (P,), a correlation up to 1."""

    indices: NDArray[np.int64]
    similarity: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.indices)


def group_duplicates(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """A number for each face, the same for faces with the same pixels, int64 (N,)."""
    rows = np.ascontiguousarray(pixels.reshape(len(pixels), -1))
    keys = rows.view(np.dtype((np.void, rows.shape[1]))).ravel()
    _, numbers = np.unique(keys, return_inverse=True)
    return np.asarray(numbers.ravel(), np.int64)


def find_exact_duplicates(pixels: NDArray[np.uint8]) -> list[NDArray[np.int64]]:
    """The indices of faces with the same pixels, two or more in each group, in the order of the first face."""
    numbers = group_duplicates(pixels)
    order = np.argsort(numbers, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1)
    return sorted((group for group in groups if len(group) > 1), key=lambda group: int(group[0]))


def find_near_duplicates(pixels: NDArray[np.uint8]) -> NearDuplicates:
    """Pairs of faces that are the same image but not the same pixels; of exact duplicates only the first counts."""
    _, firsts = np.unique(group_duplicates(pixels), return_index=True)
    flat = pixels[firsts].reshape(len(firsts), -1)
    candidates = np.sort(firsts[flat.min(1) != flat.max(1)])
    bits = perceptual_hashes(pixels[candidates])
    pairs = _similar_hashes(bits) if len(candidates) > 1 else np.empty((0, 2), np.int64)
    similarity = _correlation(pixels[candidates], pairs)
    similar = similarity >= MIN_SIMILARITY
    return NearDuplicates(candidates[pairs[similar]], similarity[similar])


def perceptual_hashes(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """The perceptual hash of each face, bool (N, 80)."""
    frequencies = np.empty((len(pixels), _FREQUENCIES, _FREQUENCIES), np.float32)
    for index, face in enumerate(pixels):
        small = cv2.resize(face, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
        frequencies[index] = cv2.dct(small)[:_FREQUENCIES, :_FREQUENCIES]
    return frequencies.reshape(len(pixels), _FREQUENCIES * _FREQUENCIES)[:, 1:] > 0


def _similar_hashes(bits: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs (P, 2) of hashes with few different bits, among those that share a band in one of the orders."""
    rng = np.random.default_rng(0)
    orders = [np.array_split(rng.permutation(bits.shape[1]), _BANDS) for _ in range(_ORDERS)]
    pairs = np.unique(np.concatenate([_equal_pairs(bits[:, band]) for order in orders for band in order]), axis=0)
    different = np.zeros(len(pairs), np.int64)
    for bit in bits.T:
        different += bit[pairs[:, 0]] != bit[pairs[:, 1]]
    return pairs[different <= MAX_BITS]


def _equal_pairs(band: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Pairs (P, 2) of faces with the same bits in this band."""
    keys = band @ (1 << np.arange(band.shape[1], dtype=np.int64))
    order = np.argsort(keys, kind="stable")
    keys, pairs = keys[order], [np.empty((0, 2), np.int64)]
    for step in range(1, min(_MAX_SHARED, len(keys) - 1) + 1):
        same = keys[step:] == keys[:-step]
        if not same.any():
            break
        pairs.append(np.sort(np.stack([order[:-step][same], order[step:][same]], 1), axis=1))
    return np.concatenate(pairs)


def _correlation(pixels: NDArray[np.uint8], pairs: NDArray[np.int64]) -> NDArray[np.float32]:
    correlation = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), 4096):
        batch = pairs[start : start + 4096]
        products = _normalize(pixels[batch[:, 0]]) * _normalize(pixels[batch[:, 1]])
        correlation[start : start + 4096] = products.sum(1)
    return correlation


def _normalize(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Faces as rows (N, 2304) of mean 0 and length 1: without brightness and contrast."""
    rows = pixels.reshape(len(pixels), -1).astype(np.float32)
    rows -= rows.mean(1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6))
