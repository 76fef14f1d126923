"""Which expression, and which split, other people's words mean."""

from __future__ import annotations

import re

from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, USAGES, LabelMap
from mien.errors import ExperimentError, suggest_name
from mien.labels import EMOTIONS, normalize_label

#: Not a number of a class: the map leaves it out on purpose, or nobody knows the word.
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
#: A number as tables and folders write it: what else Python takes for digits is none, nor is one without end.
_PLAIN = re.compile(r"[0-9]{1,9}")
_NUMBERED = re.compile(r"([0-9]{1,9})[\s._-]+(\D.*)")


def label_of_number(word: str, words: LabelMap) -> int:
    """The class that FER2013's number, or the map's word for it, stands for."""
    if word in words:
        return label_of_name(words[word], {})
    return int(word) if _PLAIN.fullmatch(word) and int(word) < len(EMOTIONS) else UNKNOWN


def check_label_map(words: LabelMap) -> None:
    """A LabError where a label map leads to a word that is none of ours: its faces would be left out unsaid."""
    for theirs, ours in words.items():
        if label_of_name(ours, {}) == UNKNOWN:
            happened = f"The label map takes '{theirs}' for '{ours}'"
            expected = f"{', '.join(EMOTIONS)} were expected, or an empty word, which leaves it out"
            raise ExperimentError(happened, expected, suggest_name(normalize_label(ours), EMOTIONS))


def label_of_name(word: str, words: LabelMap) -> int:
    """The class that a folder's name stands for: ``anger``, ``0_angry``, ``Happiness``, or a bare number."""
    if word in words:
        return label_of_name(words[word], {})
    if not word:
        return EXCLUDED
    _, name = split_number(word)
    name = normalize_label(name)
    return EMOTIONS.index(name) if name in EMOTIONS else label_of_number(word, {})


def split_number(word: str) -> tuple[int | None, str]:
    """``3_happy`` is (3, "happy"); a name without a number before it is (None, name)."""
    found = _NUMBERED.fullmatch(word.strip())
    return (int(found[1]), found[2]) if found else (None, word.strip())


def parse_split(word: str) -> str | None:
    """Training, PublicTest, PrivateTest or validation for a folder's name; None for other names."""
    return _SPLITS.get(word.strip().lower().replace("_", "").replace("-", "").removesuffix("set"))


_USAGES = {usage.lower(): usage for usage in USAGES}


def normalize_usage(word: str) -> str:
    """The official word in its official letters; other words come back as they are."""
    return _USAGES.get(word.strip().lower(), word.strip())


def is_truncated_usage(word: str) -> bool:
    """Is this the beginning of an official word, and not the whole of it? So ends a file that was cut off."""
    return word not in USAGES and any(usage.startswith(word) for usage in USAGES)
