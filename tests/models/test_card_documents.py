"""The pages of the embedded models: generated from the results, current, and about the embedded files."""

import hashlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from mien.models import ModelCard, protobuf
from mien.models.checksums import WEIGHTS, read_checksums
from mien.models.onnx_file import GRAPH

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def scripts():
    """The scripts ``cards`` and ``models`` of the benchmarks as modules, by name."""
    sys.path.insert(0, str(BENCHMARKS))
    yield {name: load_script(name) for name in ("cards", "models")}
    sys.path.remove(str(BENCHMARKS))


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.full
@pytest.mark.parametrize("name", ["cards", "models"])
def test_pages_are_those_of_the_results(name, scripts, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [f"{name}.py", "--check"])
    assert scripts[name].main() == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", read_checksums())
def test_page_has_the_checksum_and_the_facts_of_the_file(name):
    page = (ROOT / "docs" / "models" / f"{name}.md").read_text("utf-8")
    card = ModelCard.read(WEIGHTS / f"{name}.onnx")
    assert f"`{read_checksums()[name].sha256}`" in page
    assert f"{read_checksums()[name].size:,} bytes" in page
    assert f"{card.parameters:,}" in page
    assert ", ".join(card.labels) in page
    for heading in ("Accuracy", "Mistakes", "Training data and rights", "Prohibited uses"):
        assert f"## {heading}" in page


@pytest.mark.parametrize("name", read_checksums())
def test_page_has_the_accuracy_of_both_targets_and_the_decision_of_the_file(name):
    page = (ROOT / "docs" / "models" / f"{name}.md").read_text("utf-8")
    card = ModelCard.read(WEIGHTS / f"{name}.onnx")
    for target in ("people", "label"):
        if accuracy := card.accuracy(target):
            assert f"{accuracy:.1%}".replace("%", " %") in page
    decision = card.decision
    assert bool(decision) == ("## How the two heads are joined" in page) == ("contempt, which is none" in page)
    if decision:
        assert f"**{decision['votes']:.2f} times its logit of the votes" in page
        assert f"| disgust | {decision['offsets']['disgust']:+.2f} | {decision['prior']['disgust']:.1%}"[:-1] in page
        assert "balanced accuracy with an even prior" in page


def test_results_of_people_are_those_of_the_cards():
    for name in read_checksums():
        figures = json.loads((BENCHMARKS / "results" / f"accuracy-{name}.json").read_text("utf-8"))["figures"]
        card = ModelCard.read(WEIGHTS / f"{name}.onnx")
        if accuracy := card.accuracy("people"):
            assert accuracy == pytest.approx(figures["public"]["people"]["accuracy"], abs=1e-9)
        assert card.accuracy("label") == pytest.approx(figures["public"]["accuracy"], abs=1e-9)


@pytest.mark.parametrize("name", read_checksums())
def test_results_were_measured_with_the_embedded_graph(name):
    """A new network needs new results; a change of the card does not."""
    results = json.loads((BENCHMARKS / "results" / f"accuracy-{name}.json").read_text("utf-8"))
    model = (WEIGHTS / f"{name}.onnx").read_bytes()
    [graph] = protobuf.read_messages(model, GRAPH)
    assert results["figures"]["model"]["graph"] == hashlib.sha256(graph).hexdigest()


def test_files_that_pages_link_to_exist():
    for page in (ROOT / "docs" / "models").glob("*.md"):
        for target in re.findall(r"\]\(([^)]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), target


def test_most_frequent_mistakes_are_first(scripts):
    counts = [[9, 3, 1], [0, 9, 5], [0, 2, 9]]
    mistakes = scripts["cards"].describe_mistakes(counts, ["angry", "sad", "happy"], 2)
    assert mistakes == "sad predicted as happy (5), angry predicted as sad (3)"


def test_table_of_groups_has_intervals_and_gaps(scripts):
    accuracy = {"value": 0.5, "low": 0.4, "high": 0.6}
    group = {"name": "1. dark", "faces": 1200, "metrics": {"accuracy": accuracy}}
    table = scripts["cards"].format_groups_table([{"column": "light", "groups": [group], "gaps": {"accuracy": 0.034}}])
    assert "| light | 1. dark | 1,200 | 50.0 % | 40.0 to 60.0 |" in table
    assert "3.4 points" in table


def test_accuracy_has_a_95_percent_interval(scripts):
    cards = scripts["cards"]
    assert cards.format_interval(0.5, 100) == "50.0 % (40.4 to 59.6)"
    assert cards.format_interval(1.0, 10) == "100.0 % (72.2 to 100.0)"
    assert cards.format_interval(0.0, 0) == "-"
    rows = {"one": {"recall": 0.5, "support": 50}, "two": {"recall": 0.7, "support": 200}, "none": {"support": 0}}
    # sqrt(0.25 / 50 + 0.21 / 200) / 2 = 0.0389, and 1.96 of it on either side.
    assert cards.format_balanced({"balanced_accuracy": 0.6, "per_class": rows}) == "60.0 % (52.4 to 67.6)"


def test_targets_are_upper_or_lower_limits(scripts):
    models = scripts["models"]
    figures = {"model": {"bytes": 700_000}, "public": {"accuracy": 0.71}}
    size, _, accuracy, *_ = models.MODELS["small"]
    assert models.make_row(size, figures) == ["file in the wheel", "≤ 0.80 MB", "0.70 MB", "yes"]
    assert models.make_row(accuracy, figures) == ["PublicTest, one pass", "≥ 70.0 %", "71.0 %", "yes"]
    assert models.make_row(models.MODELS["base"][2], figures)[-1] == "no"
    assert models.make_row(models.ROBUSTNESS[0], figures)[2] == "*not measured*"
