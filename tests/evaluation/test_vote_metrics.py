"""Metrics of the vote head: first and second expression, and mixtures."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.evaluation import metrics
from mien.labels import VOTES


def faces_with_votes(*rows):
    """Faces with these annotator votes for the first expressions."""
    votes = np.zeros((len(rows), 10), np.int16)
    for index, row in enumerate(rows):
        votes[index, : len(row)] = row
    return replace(synthetic.draw_faces(len(rows)), votes=votes)


def predicted_votes(*rows):
    votes = np.full((len(rows), len(VOTES)), 1e-3, np.float32)
    for index, row in enumerate(rows):
        votes[index, : len(row)] = row
    return votes / votes.sum(1, keepdims=True)


def test_second_expression_is_compared_where_the_votes_have_one():
    faces = faces_with_votes((6, 3, 1), (6, 3, 1), (6, 2, 2), (5, 5), (10,), ())
    votes = predicted_votes((0.6, 0.3, 0.1), (0.6, 0.1, 0.3), (0.6, 0.3), (0.5, 0.4), (0.9, 0.1), (1,))
    values = metrics.vote_metrics(votes, faces)
    assert (values["votes_second_faces"], values["votes_second"]) == (2, 0.5)
    assert values["votes_faces"] == 4


def test_no_second_expression_gives_none():
    values = metrics.vote_metrics(predicted_votes((0.9, 0.1)), faces_with_votes((10,)))
    assert (values["votes_second_faces"], values["votes_second"]) == (0, None)


def test_mixture_is_the_leading_expression_and_all_above_the_threshold():
    targets = faces_with_votes((6, 4), (8, 2), (10,)).vote_scores()
    votes = predicted_votes((0.5, 0.4), (0.15, 0.14, 0.14, 0.14, 0.14), (0.6, 0.4))
    metric = metrics.mixture_metrics(votes, targets, 0.3)
    # The first face has both, the second only the leading one, which is below the threshold, the third one too many.
    assert (metric["precision"], metric["recall"]) == (pytest.approx(4 / 5), pytest.approx(4 / 5))
    assert metric["f1"] == pytest.approx(0.8)


def test_mixture_metrics_follow_the_decision_rule_of_the_engine():
    from mien.models import ModelCard
    from mien.models.decision import build_emotions

    card = ModelCard("m", VOTES, VOTES, mixture_above=0.3)
    rng = np.random.default_rng(0)
    for votes in rng.dirichlet(np.full(8, 0.5), 40).astype(np.float32):
        mixture = build_emotions(card, votes, votes).mixture
        targets = np.zeros((1, 8), np.float32)
        targets[0, [VOTES.index(each.label) for each in mixture]] = 1
        metric = metrics.mixture_metrics(votes[None], targets, 0.3)
        assert (metric["precision"], metric["recall"]) == (1, 1)


def test_vote_metrics_use_the_threshold():
    faces, votes = faces_with_votes((6, 4), (10,)), predicted_votes((0.7, 0.25), (0.7, 0.25))
    strict, loose = (metrics.vote_metrics(votes, faces, above)["mixture"] for above in (0.5, 0.2))
    assert (strict["precision"], strict["recall"]) == (1, pytest.approx(2 / 3))
    assert (loose["precision"], loose["recall"]) == (pytest.approx(3 / 4), 1)
