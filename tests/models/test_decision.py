"""The two targets, the even prior, mixtures and uncertainty, by the rules of a card."""

import numpy as np
import pytest

from mien import Engine
from mien.errors import MienError, ModelError
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard, load_classifier, resolve_model
from mien.models.decision import assume_even_prior, build_emotions, check_target, divide_by_prior

FREQUENCIES = (0.1, 0.02, 0.08, 0.3, 0.1, 0.1, 0.3)
DECISION = {"votes": 1.5, "label": 0.2, "prior": dict(zip(EMOTIONS, FREQUENCIES, strict=True))}
CARD = ModelCard("m", EMOTIONS, VOTES, uncertain_below=0.4, mixture_above=0.2, decision=DECISION)


def scores_of(labels, **values):
    return np.array([values.get(label, 0.0) for label in labels], np.float32)


def crops(count=6):
    return np.random.default_rng(0).integers(0, 256, (count, 48, 48), np.uint8)


def test_mixture_begins_with_the_leading_expression():
    votes = scores_of(VOTES, happy=0.35, sad=0.4, fear=0.25)
    emotions = build_emotions(CARD, scores_of(EMOTIONS, happy=0.6, sad=0.4), votes)
    assert [each.label for each in emotions.mixture] == ["happy", "sad", "fear"]


@pytest.mark.parametrize(
    ("scores", "votes", "reason"),
    [
        ({"happy": 0.9, "sad": 0.1}, {"happy": 0.9, "sad": 0.1}, None),
        ({"happy": 0.39, "sad": 0.31, "fear": 0.3}, {"happy": 0.9}, "no expression stands out: happy leads with 39"),
        ({"happy": 0.6, "sad": 0.4}, {"happy": 0.4, "sad": 0.6}, "happy leads, and sad has the most predicted votes"),
        ({"angry": 0.6, "sad": 0.4}, {"contempt": 0.6, "angry": 0.4}, "contempt has the most predicted votes"),
    ],
)
def test_reasons_for_uncertainty(scores, votes, reason):
    emotions = build_emotions(CARD, scores_of(EMOTIONS, **scores), scores_of(VOTES, **votes))
    assert (reason is None and emotions.uncertain is None) or reason in emotions.uncertain


def test_unknown_target_suggests_a_name():
    assert check_target("label") == "label"
    with pytest.raises(MienError, match="Did you mean 'people'"):
        check_target("peple")


def test_even_prior_divides_by_the_frequencies():
    scores = np.array([[0.1, 0.02, 0.08, 0.3, 0.1, 0.1, 0.3], [0, 0, 0, 0.5, 0.5, 0, 0]], np.float32)
    even = divide_by_prior(scores, EMOTIONS, DECISION["prior"])
    np.testing.assert_allclose(even.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(even[0], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(even[1, 3:5], [0.25, 0.75], atol=1e-6)


def test_even_prior_needs_frequencies_in_the_card():
    with pytest.raises(ModelError, match="no class frequencies"):
        assume_even_prior(ModelCard("m", EMOTIONS))
    with pytest.raises(ModelError, match="no class frequencies"):
        Engine.load("classic", "none", prior="even")
    with pytest.raises(ModelError, match="Did you mean 'even'"):
        Engine.load("base", "none", prior="evn")


def test_engine_scores_both_targets_with_both_priors():
    plain, even = (Engine.load("small", "none", prior=prior) for prior in ("training", "even"))
    people, label = plain.score(crops()), plain.score(crops(), target="label")
    assert np.abs(people - label).max() > 0.01
    for target, key, scores in (("people", "prior", people), ("label", "label_prior", label)):
        expected = divide_by_prior(scores, plain.labels, plain.card.decision[key])
        np.testing.assert_allclose(even.score(crops(), target=target), expected, atol=1e-6)
    with pytest.raises(MienError, match="no target 'x'"):
        plain.score(crops(), target="x")


def test_reading_has_the_scores_of_both_targets():
    engine = Engine.load("small", "none")
    (reading,) = engine.read(np.repeat(crops(1)[0][..., None], 3, 2))
    outputs = load_classifier(resolve_model("small")).run(crops(1)[..., None])
    assert dict(reading.emotions.scores) == pytest.approx(dict(zip(EMOTIONS, outputs.scores[0], strict=True)), abs=1e-5)
    label_scores = dict(zip(EMOTIONS, outputs.label_scores[0], strict=True))
    assert dict(reading.emotions.label_scores) == pytest.approx(label_scores, abs=1e-5)
    assert reading.to_dict()["label_scores"] == dict(reading.emotions.label_scores)


def test_model_with_one_target_has_no_label_scores():
    (reading,) = Engine.load("classic", "none").read(np.zeros((48, 48, 3), np.uint8))
    assert reading.emotions.label_scores is None
