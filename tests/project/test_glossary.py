"""docs/glossary.md: every term leads to its module by its own words, and every public key has an entry."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

import mien
from mien.labels import VOTES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "mien"
GLOSSARY = (ROOT / "docs" / "glossary.md").read_text("utf-8")
TERMS = re.findall(r"^\| ([^|]+) \| ([^|]+) \| `([\w/.]+\.py)` \|$", GLOSSARY, re.MULTILINE)
PATHS = sorted(
    path.relative_to(SOURCE).as_posix() for path in SOURCE.rglob("*.py") if path.parent != SOURCE or path.stem[0] != "_"
)


def stems(words: str) -> set[str]:
    """The first four letters of each word of three letters or more."""
    return {word[:4] for word in re.findall(r"[a-z0-9]{3,}", words.lower()) if word not in ("the", "and", "for")}


def trigrams(words: str) -> Counter[str]:
    joined = " ".join(re.findall(r"[a-z0-9]+", words.lower().removesuffix(".py").replace("__init__", "")))
    return Counter(f" {joined} "[i : i + 3] for i in range(len(joined)))


def similarity(a: Counter[str], b: Counter[str]) -> float:
    """Cosine of the angle between two counts of letter trigrams."""
    dot = sum(count * b[trigram] for trigram, count in a.items())
    return dot / (sum(n * n for n in a.values()) * sum(n * n for n in b.values())) ** 0.5


def test_glossary_has_at_least_eighty_terms():
    assert len(TERMS) >= 80
    assert len({term for term, _, _ in TERMS}) == len(TERMS)


def test_every_module_of_the_glossary_exists():
    assert [module for _, _, module in TERMS if module not in PATHS] == []


@pytest.mark.parametrize(("term", "module"), [(term, module) for term, _, module in TERMS])
def test_a_word_of_the_term_is_in_the_path_of_its_module(term, module):
    assert stems(term) & stems(module)


def test_most_terms_are_nearest_to_the_path_of_their_module():
    """A search by the words alone: of all paths the right one is the most similar for two terms of three."""
    paths = {path: trigrams(path) for path in PATHS}
    nearest = [max(paths, key=lambda path: similarity(trigrams(term), paths[path])) for term, _, _ in TERMS]
    first = sum(path == module for path, (_, _, module) in zip(nearest, TERMS, strict=True))
    assert first >= len(TERMS) * 2 // 3


def json_keys(value: object, depth: int = 0) -> set[str]:
    """Keys in snake case; those of the first level are names of the golden file's own parts."""
    keys = set()
    if isinstance(value, dict):
        for key, item in value.items():
            keys |= ({key} if depth and re.fullmatch(r"[a-z_0-9]+", key) else set()) | json_keys(item, depth + 1)
    elif isinstance(value, list):
        for item in value:
            keys |= json_keys(item, depth)
    return keys


def csv_columns(value: object) -> set[str]:
    if isinstance(value, dict):
        columns = value.get("columns")
        own = set(columns) if isinstance(columns, list) and all(isinstance(name, str) for name in columns) else set()
        return own.union(*map(csv_columns, value.values()))
    return set()


def test_every_key_and_column_has_an_entry():
    """The golden files hold what the public surface prints; names of labels, models and golden parts need no entry."""
    names = set(mien.__all__)
    for path in (ROOT / "tests" / "golden").glob("*.json"):
        if path.stem not in ("surface", "other_libraries"):
            value = json.loads(path.read_text("utf-8"))
            names |= json_keys(value) | csv_columns(value)
    parts = {"base", "small", "classic", "body", "check", "deleted", "score_noise", "tables"}
    listed = set(re.findall(r"`([\w]+)`", GLOSSARY))
    assert sorted(names - listed - parts - set(VOTES)) == []
