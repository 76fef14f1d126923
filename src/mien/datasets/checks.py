"""What is wrong with labelled faces, found before a network learns it: every finding has a place and a reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.datasets import duplicates, label_order
from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, USAGES, FaceDataset, LoadedDataset, group_duplicates
from mien.datasets.splits import count_five_classes
from mien.labels import EMOTIONS

#: What a problem's reason is filed under: the first of these phrases that stands in it.
_KINDS = {
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
    """One thing that is wrong. ``kind`` files it, ``where`` is a row, a picture's file, a class or a split."""

    kind: str
    where: str
    reason: str


@dataclass(frozen=True)
class CheckResult:
    """What was looked at and what was found."""

    source: LoadedDataset
    findings: tuple[Finding, ...]

    def kinds(self) -> dict[str, list[Finding]]:
        """Findings by kind, in the order in which they were found."""
        kinds: dict[str, list[Finding]] = {}
        for finding in self.findings:
            kinds.setdefault(finding.kind, []).append(finding)
        return kinds

    def to_dict(self) -> dict[str, Any]:
        source = self.source
        return {
            "source": str(source.path),
            "shape": source.shape,
            "faces": len(source),
            "voted": int(source.faces.votes.any(1).sum()),
            "splits": {
                usage: dict(zip(EMOTIONS, row, strict=True)) for usage, row in count_classes(source.faces).items()
            },
            "learned_by_heart": count_training_duplicates(source.faces),
            "five_classes": count_five_classes(source.faces),
            "remarks": list(source.remarks),
            "counts": {kind: len(found) for kind, found in self.kinds().items()},
            "findings": [asdict(finding) for finding in self.findings],
        }


def check_dataset(source: LoadedDataset) -> CheckResult:
    """Everything there is to find, in an order that puts what cannot be read first."""
    parts = (_problems, _odd_splits, _absent, _blank, _twins, _near, _order)
    return CheckResult(source, tuple(finding for part in parts for finding in part(source)))


def count_classes(faces: FaceDataset) -> dict[str, list[int]]:
    """How many faces of each of EMOTIONS stand in each split; the official splits first."""
    there = set(faces.usage.tolist())
    names = [*(usage for usage in USAGES if usage in there), *sorted(there - set(USAGES))]
    return {name: _counted(faces.labels[faces.usage == name]) for name in names}


def count_training_duplicates(faces: FaceDataset) -> dict[str, int]:
    """How many faces of each other split stand in Training too, pixel by pixel."""
    numbers = group_duplicates(faces.pixels)
    trained = faces.usage == TRAINING
    others = [usage for usage in count_classes(faces) if usage != TRAINING]
    return {usage: int(np.isin(numbers[faces.usage == usage], numbers[trained]).sum()) for usage in others}


def _counted(labels: NDArray[np.int64]) -> list[int]:
    return [int(count) for count in np.bincount(labels, minlength=len(EMOTIONS))]


def _problems(source: LoadedDataset) -> Iterator[Finding]:
    for problem in source.faces.problems:
        kind = next((kind for phrase, kind in _KINDS.items() if phrase in problem.reason), "unreadable")
        name, colon, reason = problem.reason.partition(": ")
        if source.names and problem.row and colon:
            yield Finding(kind, name, reason)
        else:
            yield Finding(kind, f"row {problem.row}" if problem.row else source.path.name, problem.reason)


def _odd_splits(source: LoadedDataset) -> Iterator[Finding]:
    for usage in sorted(set(source.faces.usage.tolist()) - set(USAGES)):
        places = np.flatnonzero(source.faces.usage == usage)
        reason = f"{len(places)} faces in a split '{usage}', which is none of {', '.join(USAGES)}"
        yield Finding("split", source.place(int(places[0])), reason)


def _absent(source: LoadedDataset) -> Iterator[Finding]:
    """Splits and classes without a face. Only a table is expected to have both test splits."""
    found = count_classes(source.faces)
    tested = [usage for usage in (PUBLIC, PRIVATE) if usage in found]
    if TRAINING not in found:
        yield Finding("missing split", TRAINING, "no face to learn from")
    if not tested:
        yield Finding("missing split", PUBLIC, "no face to test on")
    elif source.shape == "table" and len(tested) < 2:
        [absent] = {PUBLIC, PRIVATE} - set(tested)
        yield Finding("missing split", absent, "no faces; it is often stripped from copies of FER2013")
    for usage, row in found.items():
        for label, count in zip(EMOTIONS, row, strict=True):
            if not count:
                yield Finding("empty class", usage, f"no face is {label}")


def _blank(source: LoadedDataset) -> Iterator[Finding]:
    for place in np.flatnonzero(source.faces.blank()).tolist():
        shade = source.faces.pixels[place, 0, 0]
        yield Finding("blank", source.place(place), f"all pixels are {shade}")


def _twins(source: LoadedDataset) -> Iterator[Finding]:
    """Faces with the same pixels: in one split, in several (a test that was learned by heart), with several labels."""
    blank = source.faces.blank()
    for group in duplicates.find_exact_duplicates(source.faces.pixels):
        if blank[group[0]]:
            continue
        usages, labels = source.faces.usage[group], source.faces.labels[group]
        others = ", ".join(_placed(source, place) for place in group[1:].tolist())
        kind = "duplicate" if len(set(usages.tolist())) == 1 else "duplicate across splits"
        yield Finding(kind, source.place(int(group[0])), f"the same pixels as {others}")
        if len(set(labels.tolist())) > 1:
            said = ", ".join(EMOTIONS[label] for label in labels)
            yield Finding("conflicting labels", source.place(int(group[0])), f"one picture, labelled {said}: {others}")


def _placed(source: LoadedDataset, place: int) -> str:
    return source.place(place) if source.names else f"{source.place(place)} ({source.faces.usage[place]})"


def _near(source: LoadedDataset) -> Iterator[Finding]:
    usage = source.faces.usage
    pairs = duplicates.find_near_duplicates(source.faces.pixels)
    for (one, other), alike in zip(pairs.places.tolist(), pairs.likeness.tolist(), strict=True):
        kind = "near-duplicate" if usage[one] == usage[other] else "near-duplicate across splits"
        yield Finding(kind, source.place(one), f"nearly the picture of {_placed(source, other)}, alike {alike:.3f}")


def _order(source: LoadedDataset) -> Iterator[Finding]:
    for folder, reason in label_order.check_folder_numbers(source.names):
        yield Finding("label order", folder, reason)
    if suspicion := label_order.check_label_order(source.faces):
        yield Finding("label order", source.path.name, suspicion)
