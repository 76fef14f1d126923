"""Do the labels mean what we think they mean? Numbers are trusted by everybody and checked by nobody.

Keras numbers folders by the alphabet, FER2013 has an order of its own, RAF-DB and AffectNet have others. Where names
and numbers disagree, the names show it; where there are only numbers, the embedded model looks at some faces.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from pathlib import PurePath

import numpy as np
from numpy.typing import NDArray

from mien.datasets import label_maps
from mien.datasets.dataset import FaceDataset
from mien.labels import EMOTIONS, normalize_label

#: So many faces of each class are looked at, and so few are too few to say anything.
SAMPLES_PER_CLASS, MIN_PER_CLASS = 40, 10
#: Another numbering is suspected where it fits this share of the faces, and so much better than the one given.
MIN_AGREEMENT, MIN_GAIN = 0.4, 0.15


def check_folder_numbers(names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Folders, and what is odd about their numbers, for the names of pictures below a folder."""
    folders = sorted({folder for name in names for folder in PurePath(name).parts[:-1]})
    for folder in folders:
        number, name = label_maps.split_number(folder)
        if number is not None and normalize_label(name) in EMOTIONS and number != EMOTIONS.index(normalize_label(name)):
            yield folder, _odd(number, normalize_label(name))
    bare = [folder for folder in folders if folder.isdigit() and label_maps.label_of_name(folder, {}) >= 0]
    if bare and len(bare) < len(EMOTIONS):
        yield ", ".join(bare), "numbers for names, and not 0 to 6: taken as FER2013's numbers; a label map says better"


def _odd(number: int, name: str) -> str:
    known = f"FER2013's number for {name} is {EMOTIONS.index(name)}"
    return f"numbered {number}, but {known}; mien goes by the name, other programs may go by the number"


def check_label_order(faces: FaceDataset) -> str:
    """What the embedded model suspects about the numbering, or nothing where it suspects nothing."""
    table = _looks(faces)
    if table is None:
        return ""
    present, looks = table
    best = _best(looks)
    fit, given = looks[np.arange(len(present)), best].mean(), np.diag(looks[:, present]).mean()
    if fit < MIN_AGREEMENT or fit < given + MIN_GAIN:
        return ""
    swaps = [f"{EMOTIONS[a]} holds faces that look {EMOTIONS[b]}" for a, b in zip(present, best, strict=True) if a != b]
    numbers = f"{100 * fit:.0f} % of the faces looked at instead of {100 * given:.0f} %"
    return f"the labels look renumbered: {', '.join(swaps)}; so read, they fit {numbers}"


def _looks(faces: FaceDataset) -> tuple[list[int], NDArray[np.float64]] | None:
    """The classes with enough faces, and for each the share of its faces that look like each of EMOTIONS."""
    rng = np.random.default_rng(0)
    there = [np.flatnonzero((faces.labels == label) & ~faces.blank()) for label in range(len(EMOTIONS))]
    present = [label for label, places in enumerate(there) if len(places) >= MIN_PER_CLASS]
    if len(present) < len(EMOTIONS) - 2:
        return None
    some = [rng.permutation(there[label])[:SAMPLES_PER_CLASS] for label in present]
    seen = _seen(faces.pixels[np.concatenate(some)])
    parts = np.split(seen, np.cumsum([len(places) for places in some])[:-1])
    return present, np.array([np.bincount(part, minlength=len(EMOTIONS)) / len(part) for part in parts])


def _seen(pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The class the embedded model gives each face."""
    return np.asarray(predict_scores(pixels).argmax(1))


def predict_scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the embedded model says of faces (N, 48, 48): the shares of EMOTIONS, (N, 7)."""
    from mien.faces.crop import to_model_input
    from mien.models import load_classifier, resolve_model

    model = load_classifier(resolve_model("base"))
    labels = [normalize_label(label) for label in model.card.labels]
    found = model.run(to_model_input(pixels, model.card.side, model.card.color)).scores
    return found[:, [labels.index(name) for name in EMOTIONS]]


def _best(looks: NDArray[np.float64]) -> NDArray[np.int64]:
    """The one numbering of all that fits best: which of EMOTIONS each present class looks like."""
    every = np.array(list(permutations(range(looks.shape[1]), len(looks))))
    return np.asarray(every[looks[np.arange(len(looks)), every].sum(1).argmax()])
