"""Which expression, and which split, other people's words mean."""

from __future__ import annotations

import re

from mien.datasets.dataset import PRIVATE, PUBLIC, TRAINING, USAGES, LabelMap
from mien.errors import LabError, nearest
from mien.labels import EMOTIONS, canonical

#: Not a number of a class: the map leaves it out on purpose, or nobody knows the word.
LEFT_OUT, UNKNOWN = -1, -2

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


def by_number(word: str, words: LabelMap) -> int:
    """The class that FER2013's number, or the map's word for it, stands for."""
    if word in words:
        return by_name(words[word], {})
    return int(word) if _PLAIN.fullmatch(word) and int(word) < len(EMOTIONS) else UNKNOWN


def refuse_unknown(words: LabelMap) -> None:
    """A LabError where a label map leads to a word that is none of ours: its faces would be left out unsaid."""
    for theirs, ours in words.items():
        if by_name(ours, {}) == UNKNOWN:
            happened = f"The label map takes '{theirs}' for '{ours}'"
            expected = f"{', '.join(EMOTIONS)} were expected, or an empty word, which leaves it out"
            raise LabError(happened, expected, nearest(canonical(ours), EMOTIONS))


def by_name(word: str, words: LabelMap) -> int:
    """The class that a folder's name stands for: ``anger``, ``0_angry``, ``Happiness``, or a bare number."""
    if word in words:
        return by_name(words[word], {})
    if not word:
        return LEFT_OUT
    _, name = numbered(word)
    name = canonical(name)
    return EMOTIONS.index(name) if name in EMOTIONS else by_number(word, {})


def numbered(word: str) -> tuple[int | None, str]:
    """``3_happy`` is (3, "happy"); a name without a number before it is (None, name)."""
    found = _NUMBERED.fullmatch(word.strip())
    return (int(found[1]), found[2]) if found else (None, word.strip())


def split_of(word: str) -> str | None:
    """Training, PublicTest, PrivateTest or validation for a folder's name; None for other names."""
    return _SPLITS.get(word.strip().lower().replace("_", "").replace("-", "").removesuffix("set"))


_USAGES = {usage.lower(): usage for usage in USAGES}


def usage_of(word: str) -> str:
    """The official word in its official letters; other words come back as they are."""
    return _USAGES.get(word.strip().lower(), word.strip())


def cut_usage(word: str) -> bool:
    """Is this the beginning of an official word, and not the whole of it? So ends a file that was cut off."""
    return word not in USAGES and any(usage.startswith(word) for usage in USAGES)
