"""The cards of the embedded models: generated, current, and about these very files."""

import hashlib
import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from mien.models import ModelCard, protobuf
from mien.models.checksums import WEIGHTS, read_checksums
from mien.models.onnx_file import GRAPH

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
pytest.importorskip("matplotlib")


def checked(script):
    command = [sys.executable, BENCHMARKS / f"{script}.py", "--check"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("script", ["cards", "models"])
def test_what_is_written_is_what_the_results_say(script):
    done = checked(script)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", read_checksums())
def test_a_card_tells_the_hash_and_the_facts_of_its_file(name):
    text = (ROOT / "docs" / "models" / f"{name}.md").read_text("utf-8")
    card = ModelCard.read(WEIGHTS / f"{name}.onnx")
    assert f"`{read_checksums()[name].sha256}`" in text
    assert f"{read_checksums()[name].size:,} bytes" in text
    assert f"{card.parameters:,}" in text
    assert ", ".join(card.labels) in text
    for heading in ("What it learned from", "What it must not be used for", "How right it is", "What it gets wrong"):
        assert f"## {heading}" in text


@pytest.mark.parametrize("name", read_checksums())
def test_measured_figures_are_of_the_file_that_is_embedded(name):
    """A new network needs new figures; a card that was told more does not."""
    place = BENCHMARKS / "results" / f"accuracy-{name}.json"
    told = json.loads(place.read_text("utf-8"))["figures"]["model"]
    [graph] = [
        each.content for each in protobuf.read_fields((WEIGHTS / f"{name}.onnx").read_bytes()) if each.number == GRAPH
    ]
    assert told["graph"] == hashlib.sha256(graph).hexdigest()


def test_every_picture_a_card_shows_is_there():
    for page in (ROOT / "docs" / "models").glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), target


@pytest.fixture
def cards(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_cards", BENCHMARKS / "cards.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_most_frequent_mistakes_come_first(cards):
    told = cards.mistakes([[9, 3, 1], [0, 9, 5], [0, 2, 9]], ["angry", "sad", "happy"], 2)
    assert told == "faces labelled sad that look happy to it (5), faces labelled angry that look sad to it (3)"


def test_groups_and_gaps_stand_in_a_table(cards):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    group = {"name": "1. dark", "faces": 1200, "figures": {"accuracy": figure}}
    text = cards.grouped([{"column": "light", "groups": [group], "gaps": {"accuracy": 0.034}}])
    assert "| light | 1. dark | 1,200 | 50.0 % | 40.0 to 60.0 |" in text
    assert "3.4 points" in text


def test_shares_stand_with_their_intervals(cards):
    assert cards.ranged(0.5, 100) == "50.0 % (40.4 to 59.6)"
    assert cards.ranged(1.0, 10) == "100.0 % (72.2 to 100.0)"
    assert cards.ranged(0.0, 0) == "-"
    rows = {"one": {"recall": 0.5, "support": 50}, "other": {"recall": 0.7, "support": 200}, "none": {"support": 0}}
    # By hand: sqrt(0.25 / 50 + 0.21 / 200) / 2 = 0.0389, and 1.96 of it on either side.
    assert cards.balanced({"balanced_accuracy": 0.6, "per_class": rows}) == "60.0 % (52.4 to 67.6)"


def test_a_target_is_met_from_its_side(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmark_models", BENCHMARKS / "models.py")
    models = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(models)
    figures = {"model": {"bytes": 700_000}, "public": {"accuracy": 0.71}}
    size, _, accuracy, *_ = models.MODELS["small"]
    assert models.line(size, figures) == ["file in the wheel", "≤ 0.80 MB", "0.70 MB", "yes"]
    assert models.line(accuracy, figures) == ["PublicTest, one pass", "≥ 70.0 %", "71.0 %", "yes"]
    assert models.line(models.MODELS["base"][2], figures)[-1] == "no"
    assert models.line(models.HOLDING[0], figures)[2] == "*not measured*"
