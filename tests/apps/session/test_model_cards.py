"""The texts about a model that the pages show: both targets with their accuracies."""

import re

import pytest

from mien.apps.session.model_cards import compare_cards, describe_targets, list_facts, list_limitations
from mien.models import ModelCard, resolve_model
from tiny import tiny_card


@pytest.fixture(scope="module")
def cards():
    return {name: ModelCard.read(resolve_model(name)) for name in ("base", "classic")}


def percent(value):
    return f"{value:.1%}".replace("%", "\u00a0%")


def test_comparison_has_both_targets_and_no_people_for_a_model_with_one(cards):
    rows = dict(compare_cards(cards))
    base, classic = cards.values()
    assert rows["Accuracy, people"] == [percent(base.accuracy("people")), ""]
    assert rows["Accuracy, label"] == [percent(base.accuracy("label")), percent(classic.accuracy("label"))]
    even = base.metrics["people"]["even_prior"]["balanced_accuracy"]
    assert rows["Balanced accuracy, people, even prior"] == [percent(even), ""]


def test_targets_are_three_sentences_with_both_accuracies(cards):
    text = describe_targets(cards["base"])
    assert len(re.findall(r"\.(?= |$)", text)) == 3
    for target in ("people", "label"):
        assert percent(cards["base"].accuracy(target)) in text
    assert "contempt" in text


def test_model_with_one_target_says_so(cards):
    text = describe_targets(cards["classic"])
    assert "one target" in text
    assert percent(cards["classic"].accuracy("label")) in text
    assert "contempt" not in text


def test_card_without_metrics_has_targets_without_numbers():
    assert not re.search(r"\d\u00a0%", describe_targets(tiny_card()))
    assert not any("often wrong" in sentence for sentence in list_limitations(tiny_card()))


def test_facts_have_the_targets_the_recalls_and_the_reasons_of_uncertainty(cards):
    facts, one_target = (dict(list_facts(card)) for card in cards.values())
    assert facts["Targets"] == describe_targets(cards["base"])
    assert facts["Recall, people"].startswith("angry ")
    assert "most predicted votes" in facts["Uncertain"]
    assert "Recall, people" not in one_target
    assert "votes" not in one_target["Uncertain"]


def test_limitations_have_both_accuracies(cards):
    [sentence] = [sentence for sentence in list_limitations(cards["base"]) if "often wrong" in sentence]
    assert f"{100 * cards['base'].accuracy('people'):.0f} of 100 test faces as most annotators do" in sentence
    assert f"label of {100 * cards['base'].accuracy('label'):.0f} of 100" in sentence
