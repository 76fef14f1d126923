"""Label order: checks that numeric labels mean what FER2013's numbers mean.

Keras numbers folders alphabetically, FER2013 has its own order, RAF-DB and AffectNet have others. Where folders have
names and numbers, the names show a different order; where there are only numbers, the predictions of the embedded model
on some faces do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from mien.datasets import label_maps
from mien.datasets.dataset import FaceDataset
from mien.labels import EMOTIONS, normalize_label

#: Faces of each class that are predicted, and the fewest that say anything.
SAMPLES_PER_CLASS, MIN_PER_CLASS = 40, 10
#: Another order is reported when it agrees with this fraction of the predictions, and so much more than the given one.
MIN_AGREEMENT, MIN_GAIN = 0.4, 0.15

#: Scores (N, 7) of faces (N, 48, 48), in the order of EMOTIONS.
Predict = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def check_folder_numbers(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Folders whose numbers differ from FER2013's, and why that matters, for the names of images below a folder."""
    folders = sorted({folder for name in names for folder in PurePath(name).parts[:-1]})
    for folder in folders:
        number, name = label_maps.split_number(folder)
        name = normalize_label(name)
        if number is not None and name in EMOTIONS and number != EMOTIONS.index(name):
            fer2013 = f"FER2013's number for {name} is {EMOTIONS.index(name)}"
            yield folder, f"numbered {number}, but {fer2013}; mien uses the name, other programs may use the number"
    bare = [folder for folder in folders if folder.isdigit() and label_maps.label_of_name(folder, {}) >= 0]
    if bare and len(bare) < len(EMOTIONS):
        yield ", ".join(bare), "folders named by number, not all of 0 to 6: read as FER2013's numbers; add a label map"


def check_label_order(faces: FaceDataset, predict: Predict | None = None) -> str:
    """A sentence on the order that the predictions suggest; empty where they agree with the labels."""
    measured = _predicted_fractions(faces, predict or predict_scores)
    if measured is None:
        return ""
    labels, fractions = measured
    best = _best_order(fractions)
    agreement = fractions[np.arange(len(labels)), best].mean()
    current = np.diag(fractions[:, labels]).mean()
    if agreement < MIN_AGREEMENT or agreement < current + MIN_GAIN:
        return ""
    swaps = [f"{EMOTIONS[a]} has faces that look {EMOTIONS[b]}" for a, b in zip(labels, best, strict=True) if a != b]
    numbers = f"{100 * agreement:.0f} % of the sampled faces instead of {100 * current:.0f} %"
    return f"the labels look renumbered: {', '.join(swaps)}; in that order they agree with {numbers}"


def predict_scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The scores (N, 7) of the embedded model for faces (N, 48, 48), in the order of EMOTIONS."""
    from mien.faces.crop import to_model_input
    from mien.models import load_classifier, resolve_model

    model = load_classifier(resolve_model("base"))
    labels = [normalize_label(label) for label in model.card.labels]
    scores = model.run(to_model_input(pixels, model.card.side, model.card.color)).scores
    return scores[:, [labels.index(name) for name in EMOTIONS]]


def _predicted_fractions(faces: FaceDataset, predict: Predict) -> tuple[list[int], NDArray[np.float64]] | None:
    """The classes with enough faces, and for each the fraction of its faces predicted as each of EMOTIONS."""
    rng = np.random.default_rng(0)
    members = [np.flatnonzero((faces.labels == label) & ~faces.blank()) for label in range(len(EMOTIONS))]
    labels = [label for label, indices in enumerate(members) if len(indices) >= MIN_PER_CLASS]
    if len(labels) < len(EMOTIONS) - 2:
        return None
    samples = [rng.permutation(members[label])[:SAMPLES_PER_CLASS] for label in labels]
    predictions = predict(faces.pixels[np.concatenate(samples)]).argmax(1)
    parts = np.split(predictions, np.cumsum([len(indices) for indices in samples])[:-1])
    return labels, np.array([np.bincount(part, minlength=len(EMOTIONS)) / len(part) for part in parts])


def _best_order(fractions: NDArray[np.float64]) -> NDArray[np.int64]:
    """Of all orders the one that agrees best: which of EMOTIONS each class is predicted as."""
    orders = np.array(list(permutations(range(fractions.shape[1]), len(fractions))))
    return np.asarray(orders[fractions[np.arange(len(fractions)), orders].sum(1).argmax()])
