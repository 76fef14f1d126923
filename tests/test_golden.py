"""The results of the public interfaces equal the golden files that ``scripts/golden.py`` wrote."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import golden  # noqa: E402

FILES = sorted((ROOT / "tests" / "golden").glob("*.json"))


def test_every_golden_file_has_its_function():
    assert [path.stem for path in FILES] == sorted(golden.GOLDENS)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_results_equal_the_golden_file(path, tmp_path):
    expected = json.loads(path.read_text(encoding="utf-8"))
    actual = golden.compute(path.stem, tmp_path.resolve())
    assert golden.list_differences(path.stem, expected, actual, exact=False) == []
