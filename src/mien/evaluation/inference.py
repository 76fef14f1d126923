"""Running a model over many faces, once or from several sides, and telling how far it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from mien.faces.crop import to_model_input
from mien.models import Classifier

#: Told how many faces are done, each pass counted, and how many there are.
Progress = Callable[[int, int], None]

#: Further passes over each face that ``views`` takes.
TTA_PASSES = 9

#: Faces between two reports of progress.
_STEP = 128

#: Pixels by which a face is moved.
_SHIFT = 2

Pixels = NDArray[np.uint8]
Shares = NDArray[np.float32]


class BatchPredictor:
    """A classifier for gray faces of any side, counting the faces it has seen."""

    def __init__(self, classifier: Classifier, progress: Progress | None = None, total: int = 0) -> None:
        self._classifier, self._progress, self._total, self._done = classifier, progress, total, 0

    def over(self, pixels: Pixels) -> tuple[Shares, Shares | None]:
        """Shares and, where the model has that head, votes of the faces uint8 (N, H, W)."""
        card = self._classifier.card
        parts = []
        for start in range(0, max(len(pixels), 1), _STEP):
            few = to_model_input(pixels[start : start + _STEP], card.side, card.color)
            parts.append(self._classifier.run(few))
            self._count(len(few))
        votes = [part.votes for part in parts if part.votes is not None]
        return np.concatenate([part.scores for part in parts]), np.concatenate(votes) if votes else None

    def _count(self, faces: int) -> None:
        self._done += faces
        if self._progress:
            self._progress(self._done, self._total)


def predict_tta(passes: BatchPredictor, pixels: Pixels, plain: Shares) -> dict[str, Shares]:
    """Mean shares over the face and its mirror image, and over both where they are and moved four ways.

    ``plain`` are the shares of the faces as they are.
    """
    mirrored = np.ascontiguousarray(pixels[:, :, ::-1])
    flipped = passes.over(mirrored)[0]
    moved = [passes.over(view)[0] for each in (pixels, mirrored) for view in _moved(each)]
    return {"flip": (plain + flipped) / 2, "flip and shifts": np.mean([plain, flipped, *moved], axis=0)}


def augment_views(pixels: Pixels) -> Iterator[Pixels]:
    """The faces as they are, mirrored, and both moved four ways: ten arrays of the same shape."""
    for each in (pixels, np.ascontiguousarray(pixels[:, :, ::-1])):
        yield each
        yield from _moved(each)


def _moved(pixels: Pixels) -> Iterator[Pixels]:
    """The faces moved up, down, left and right; the border's pixels go on where nothing was."""
    height, width = pixels.shape[1:3]
    wide = np.pad(pixels, ((0, 0), (_SHIFT, _SHIFT), (_SHIFT, _SHIFT)), mode="edge")
    for down, across in ((0, 1), (2, 1), (1, 0), (1, 2)):
        top, left = down * _SHIFT, across * _SHIFT
        yield wide[:, top : top + height, left : left + width]
