"""Sheets of faces: many small pictures as one gray picture."""

from __future__ import annotations

import io
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.lab.data import TRAINING, Faces
from mien.labels import EMOTIONS

#: int16: gray, or _PAPER where the page shows through, be it light or dark.
Sheet = NDArray[np.int16]
_PAPER, _GAP = -1, 2
#: Samples of each class in a row, and the map's cells across and down.
SAMPLES = 14
_ACROSS, _DOWN, _CELL = 30, 18, 32


def png(sheet: Sheet, enlarged: int = 2) -> bytes:
    """The sheet as a PNG file, every pixel as a square of so many."""
    large = sheet.repeat(enlarged, axis=0).repeat(enlarged, axis=1)
    gray, seen = np.maximum(large, 0).astype(np.uint8), np.where(large < 0, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.merge("LA", [Image.fromarray(gray), Image.fromarray(seen)]).save(buffer, "PNG")
    return buffer.getvalue()


def chosen(faces: Faces, label: int, count: int = SAMPLES) -> NDArray[np.int64]:
    """The places of some faces of a class, from Training where it has any; blank ones are left out."""
    inside = (faces.labels == label) & ~faces.blank()
    trained = inside & (faces.usage == TRAINING)
    return np.random.default_rng(label).permutation(np.flatnonzero(trained if trained.any() else inside))[:count]


def samples(faces: Faces) -> Sheet:
    """A row of faces for each class that has any."""
    found = [faces.pixels[chosen(faces, label)] for label in range(len(EMOTIONS))]
    return rows([some for some in found if len(some)], columns=1)


def strip(pixels: NDArray[np.uint8]) -> Sheet:
    """Faces side by side, with a little paper between them."""
    edged = np.pad(pixels.astype(np.int16), ((0, 0), (0, 0), (0, _GAP)), constant_values=_PAPER)
    return np.concatenate(list(edged), axis=1)


def rows(groups: Sequence[NDArray[np.uint8]], columns: int) -> Sheet:
    """Groups of faces (n, 48, 48) side by side, so many groups in a row, paper where there are no more."""
    strips = [strip(group) for group in groups]
    width = max(each.shape[1] for each in strips) + (3 * _GAP if columns > 1 else 0)
    cells = [np.pad(each, ((0, _GAP), (0, width - each.shape[1])), constant_values=_PAPER) for each in strips]
    cells += [np.full_like(cells[0], _PAPER)] * (-len(cells) % columns)
    return np.concatenate(
        [np.concatenate(cells[start : start + columns], 1) for start in range(0, len(cells), columns)]
    )


def mapped(pixels: NDArray[np.uint8], points: NDArray[np.float64]) -> Sheet:
    """Faces (M, 48, 48) in the order of their points (M, 2): rows by height, each from left to right, no cell empty."""
    across, down = min(_ACROSS, len(pixels)), max(min(_DOWN, len(pixels) // _ACROSS), 1)
    lines = np.array_split(np.argsort(-points[:, 1], kind="stable"), down)
    sheet = np.full((down * _CELL, across * _CELL), _PAPER, np.int16)
    for y, line in enumerate(lines):
        ranked = line[np.argsort(points[line, 0], kind="stable")]
        for x, place in enumerate(ranked[np.linspace(0, len(ranked) - 1, across).round().astype(int)]):
            cell = np.s_[y * _CELL : (y + 1) * _CELL, x * _CELL : (x + 1) * _CELL]
            sheet[cell] = cv2.resize(pixels[place], (_CELL, _CELL), interpolation=cv2.INTER_AREA)
    return sheet
