"""Label maps: which of our labels, and which split of FER2013, a name or number of another data set means."""

from __future__ import annotations

import re

from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, USAGES, LabelMap
from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS, normalize_label

#: Instead of a label: the label map excludes the class, or the name is unknown.
EXCLUDED, UNKNOWN = -1, -2

VALIDATION = "validation"
_SPLITS = {
    "train": TRAINING,
    "training": TRAINING,
    "test": PUBLIC,
    "testing": PUBLIC,
    "public": PUBLIC,
    "publictest": PUBLIC,
    "private": PRIVATE,
    "privatetest": PRIVATE,
    "val": VALIDATION,
    "valid": VALIDATION,
    "validation": VALIDATION,
    "dev": VALIDATION,
}
_USAGES = {usage.lower(): usage for usage in USAGES}
#: ASCII digits only (Python's int() accepts others), and not arbitrarily many.
_NUMBER = re.compile(r"[0-9]{1,9}")
_NUMBER_AND_NAME = re.compile(r"([0-9]{1,9})[\s._-]+(\D.*)")


def label_of_number(word: str, labels: LabelMap) -> int:
    """The label of one of FER2013's numbers, or of what the label map has for it."""
    if word in labels:
        return label_of_name(labels[word], {})
    return int(word) if _NUMBER.fullmatch(word) and int(word) < len(EMOTIONS) else UNKNOWN


def label_of_name(word: str, labels: LabelMap) -> int:
    """The label of a name, ``anger``, ``0_angry``, ``Happiness``, or of a bare number; the label map goes first."""
    if word in labels:
        return label_of_name(labels[word], {})
    if not word:
        return EXCLUDED
    name = normalize_label(split_number(word)[1])
    return EMOTIONS.index(name) if name in EMOTIONS else label_of_number(word, {})


def check_label_map(labels: LabelMap) -> None:
    """A ExperimentError where the label map leads to an unknown label: its faces would be excluded silently."""
    for theirs, ours in labels.items():
        if label_of_name(ours, {}) == UNKNOWN:
            happened = f"The label map maps '{theirs}' to '{ours}'"
            expected = f"{', '.join(EMOTIONS)} were expected, or an empty label, which excludes the class"
            raise ExperimentError(happened, expected, suggest_name(normalize_label(ours), EMOTIONS))


def split_number(word: str) -> tuple[int | None, str]:
    """``3_happy`` is (3, "happy"); a name without a number in front is (None, name)."""
    match = _NUMBER_AND_NAME.fullmatch(word.strip())
    return (int(match[1]), match[2]) if match else (None, word.strip())


def parse_split(word: str) -> str | None:
    """Training, PublicTest, PrivateTest or validation for the name of a folder; None for other names."""
    return _SPLITS.get(word.strip().lower().replace("_", "").replace("-", "").removesuffix("set"))


def normalize_usage(word: str) -> str:
    """FER2013's name of a split in its own capitalisation; other words unchanged."""
    return _USAGES.get(word.strip().lower(), word.strip())


def is_truncated_usage(word: str) -> bool:
    """Whether this is the beginning of FER2013's name of a split and not the whole, as at the end of a cut-off file."""
    return word not in USAGES and any(usage.startswith(word) for usage in USAGES)
