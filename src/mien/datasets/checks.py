"""Checks of labelled faces before training: every finding has a place and a reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets import duplicates, fer2013, label_maps
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, USAGES, FaceDataset, LoadedDataset
from mien.datasets.splits import count_five_classes
from mien.labels import EMOTIONS, normalize_label

#: The kind of a problem: that of the first of these phrases in its reason.
PROBLEM_KINDS = {
    "cut off in its last line": "truncated",
    "too few columns": "columns",
    "pixels instead of": "pixel count",
    "pixels that are no numbers": "not numbers",
    "pixels outside": "pixel range",
    "none of 0 to": "label",
    "none of our expressions": "folder",
    "votes were not used": "votes",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its ``kind``, ``where`` it is (a row, an image file, a class or a split), and why."""

    kind: str
    where: str
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """A loaded data set and what is wrong with it."""

    loaded: LoadedDataset
    findings: tuple[Finding, ...]

    def by_kind(self) -> dict[str, list[Finding]]:
        """Findings by kind, in the order of the checks."""
        kinds: dict[str, list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault(finding.kind, []).append(finding)
        return kinds

    def to_dict(self) -> dict[str, Any]:
        loaded = self.loaded
        splits = count_classes(loaded.faces)
        return {
            "source": str(loaded.path),
            "kind": loaded.kind,
            "faces": len(loaded),
            "faces_with_votes": int(loaded.faces.votes.any(1).sum()),
            "splits": {usage: dict(zip(EMOTIONS, counts, strict=True)) for usage, counts in splits.items()},
            "fer2013": compare_with_fer2013(splits),
            "duplicates_in_training": count_training_duplicates(loaded.faces),
            "five_classes": count_five_classes(loaded.faces),
            "remarks": list(loaded.remarks),
            "counts": {kind: len(findings) for kind, findings in self.by_kind().items()},
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_dataset(loaded: LoadedDataset) -> CheckResult:
    """All findings, unreadable rows first."""
    checks = (
        _check_problems,
        _check_split_names,
        _check_missing,
        _check_blank,
        _check_duplicates,
        _check_near_duplicates,
        _check_label_order,
    )
    return CheckResult(loaded, tuple(finding for check in checks for finding in check(loaded)))


def count_classes(faces: FaceDataset) -> dict[str, list[int]]:
    """The number of faces of each of EMOTIONS in each split; FER2013's splits first."""
    usages = set(faces.usage.tolist())
    names = [*(usage for usage in USAGES if usage in usages), *sorted(usages - set(USAGES))]
    return {name: np.bincount(faces.labels[faces.usage == name], minlength=len(EMOTIONS)).tolist() for name in names}


def compare_with_fer2013(splits: Mapping[str, Sequence[int]]) -> dict[str, bool]:
    """For each of FER2013's splits that has faces: are there as many of each class as in the complete FER2013?"""
    return {usage: tuple(splits[usage]) == fer2013.CLASS_COUNTS[usage] for usage in USAGES if usage in splits}


def count_training_duplicates(faces: FaceDataset) -> dict[str, int]:
    """For each split but Training the number of its faces with the same pixels as a Training face."""
    groups = duplicates.group_duplicates(faces.pixels)
    training = faces.usage == TRAINING
    others = [usage for usage in count_classes(faces) if usage != TRAINING]
    return {usage: int(np.isin(groups[faces.usage == usage], groups[training]).sum()) for usage in others}


def _check_problems(loaded: LoadedDataset) -> Iterator[Finding]:
    for problem in loaded.faces.problems:
        kind = next((kind for phrase, kind in PROBLEM_KINDS.items() if phrase in problem.reason), "unreadable")
        name, colon, reason = problem.reason.partition(": ")
        if loaded.names and problem.row and colon:
            yield Finding(kind, name, reason)
        else:
            yield Finding(kind, f"row {problem.row}" if problem.row else loaded.path.name, problem.reason)


def _check_split_names(loaded: LoadedDataset) -> Iterator[Finding]:
    for usage in sorted(set(loaded.faces.usage.tolist()) - set(USAGES)):
        indices = np.flatnonzero(loaded.faces.usage == usage)
        reason = f"{len(indices)} faces in a split '{usage}', which is none of {', '.join(USAGES)}"
        yield Finding("split", loaded.location(int(indices[0])), reason)


def _check_missing(loaded: LoadedDataset) -> Iterator[Finding]:
    """Splits and classes without a face. Only a table is expected to have both test splits."""
    splits = count_classes(loaded.faces)
    tests = [usage for usage in (PUBLIC, PRIVATE) if usage in splits]
    if TRAINING not in splits:
        yield Finding("missing split", TRAINING, "no face to train on")
    if not tests:
        yield Finding("missing split", PUBLIC, "no face to test on")
    elif loaded.kind == "table" and len(tests) < 2:
        [missing] = {PUBLIC, PRIVATE} - set(tests)
        yield Finding("missing split", missing, "no faces; it is often removed from copies of FER2013")
    for usage, counts in splits.items():
        for label, count in zip(EMOTIONS, counts, strict=True):
            if not count:
                yield Finding("empty class", usage, f"no face is labelled {label}")


def _check_blank(loaded: LoadedDataset) -> Iterator[Finding]:
    for index in np.flatnonzero(loaded.faces.blank()).tolist():
        gray = loaded.faces.pixels[index, 0, 0]
        yield Finding("blank", loaded.location(index), f"all pixels are {gray}")


def _check_duplicates(loaded: LoadedDataset) -> Iterator[Finding]:
    """Faces with the same pixels: in one split, in several (test faces that are in training), with several labels."""
    blank = loaded.faces.blank()
    for group in duplicates.find_exact_duplicates(loaded.faces.pixels):
        if blank[group[0]]:
            continue
        usages, labels = loaded.faces.usage[group], loaded.faces.labels[group]
        first, others = loaded.location(int(group[0])), ", ".join(_describe(loaded, index) for index in group[1:])
        kind = "duplicate" if len(set(usages.tolist())) == 1 else "duplicate across splits"
        yield Finding(kind, first, f"the same pixels as {others}")
        if len(set(labels.tolist())) > 1:
            names = ", ".join(EMOTIONS[label] for label in labels)
            yield Finding("conflicting labels", first, f"one image, labelled {names}: {others}")


def _check_near_duplicates(loaded: LoadedDataset) -> Iterator[Finding]:
    usage = loaded.faces.usage
    pairs = duplicates.find_near_duplicates(loaded.faces.pixels)
    for (one, other), similarity in zip(pairs.indices.tolist(), pairs.similarity.tolist(), strict=True):
        kind = "near-duplicate" if usage[one] == usage[other] else "near-duplicate across splits"
        reason = f"nearly the same image as {_describe(loaded, other)}, similarity {similarity:.3f}"
        yield Finding(kind, loaded.location(one), reason)


def _check_label_order(loaded: LoadedDataset) -> Iterator[Finding]:
    for folder, reason in check_folder_numbers(loaded.names):
        yield Finding("label order", folder, reason)
    if suspicion := check_label_order(loaded.faces):
        yield Finding("label order", loaded.path.name, suspicion)


def _describe(loaded: LoadedDataset, index: int) -> str:
    """Where a face is, with its split where the location does not say it."""
    location = loaded.location(index)
    return location if loaded.names else f"{location} ({loaded.faces.usage[index]})"


# The order of the labels: Keras numbers folders alphabetically, FER2013 has its own order, RAF-DB and AffectNet have
# others. Where folders have names and numbers, the names show a different order; where there are only numbers, the
# predictions of the embedded model on some faces do.

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
    # Of all orders the one that agrees best: which of EMOTIONS each class is predicted as.
    orders = np.array(list(permutations(range(len(EMOTIONS)), len(labels))))
    best = orders[fractions[np.arange(len(labels)), orders].sum(1).argmax()]
    agreement = fractions[np.arange(len(labels)), best].mean()
    current = np.diag(fractions[:, labels]).mean()
    if agreement < MIN_AGREEMENT or agreement < current + MIN_GAIN:
        return ""
    swaps = [f"{EMOTIONS[a]} has faces that look {EMOTIONS[b]}" for a, b in zip(labels, best, strict=True) if a != b]
    numbers = f"{100 * agreement:.0f} % of the sampled faces instead of {100 * current:.0f} %"
    return f"the labels look renumbered: {', '.join(swaps)}; in that order they agree with {numbers}"


def predict_scores(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The scores (N, 7) of the embedded model for faces (N, 48, 48), in the order of EMOTIONS, for the target label.

    They are compared with the labels of the data.
    """
    from mien.faces.crop import to_model_input
    from mien.models import load_classifier, resolve_model

    model = load_classifier(resolve_model("base"))
    labels = [normalize_label(label) for label in model.card.labels]
    scores = model.run(to_model_input(pixels, model.card.side, model.card.color)).target_scores("label")
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
