"""The vote head beside ten people: the first expression, the second, and the mixtures it names."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.evaluation import metrics
from mien.labels import VOTES


def asked(*rows):
    """Faces whose voters said these numbers of the first expressions."""
    said = np.zeros((len(rows), 10), np.int16)
    for place, row in enumerate(rows):
        said[place, : len(row)] = row
    return replace(synthetic.draw_faces(len(rows)), votes=said)


def head(*rows):
    found = np.full((len(rows), len(VOTES)), 1e-3, np.float32)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row
    return found / found.sum(1, keepdims=True)


def test_the_second_expression_counts_where_people_have_one():
    faces = asked((6, 3, 1), (6, 3, 1), (6, 2, 2), (5, 5), (10,), ())
    said = head((0.6, 0.3, 0.1), (0.6, 0.1, 0.3), (0.6, 0.3), (0.5, 0.4), (0.9, 0.1), (1,))
    told = metrics.vote_metrics(said, faces)
    assert (told["votes_second_faces"], told["votes_second"]) == (2, 0.5)
    assert told["votes_faces"] == 4


def test_nobody_with_a_second_expression_is_no_figure():
    told = metrics.vote_metrics(head((0.9, 0.1)), asked((10,)))
    assert (told["votes_second_faces"], told["votes_second"]) == (0, None)


def test_a_mixture_is_the_leader_and_whatever_stands_out():
    said = asked((6, 4), (8, 2), (10,)).vote_scores()
    found = head((0.5, 0.4), (0.15, 0.14, 0.14, 0.14, 0.14), (0.6, 0.4))
    row = metrics.mixture_metrics(found, said, 0.3)
    # Named: both of the first; only the leader, below the line, of the second; one too many of the third.
    assert (row["precision"], row["recall"]) == (pytest.approx(4 / 5), pytest.approx(4 / 5))
    assert row["f1"] == pytest.approx(0.8)


def test_the_engine_names_what_the_row_counts():
    from mien.models import ModelCard
    from mien.models.decision import build_emotions

    card = ModelCard("m", ("sad", "happy"), VOTES, mixture_above=0.3)
    rng = np.random.default_rng(0)
    for shares in rng.dirichlet(np.full(8, 0.5), 40).astype(np.float32):
        named = build_emotions(card, np.array([0.5, 0.5], np.float32), shares).mixture
        said = np.zeros((1, 8), np.float32)
        said[0, [VOTES.index(each.label) for each in named]] = 1
        row = metrics.mixture_metrics(shares[None], said, 0.3)
        assert (row["precision"], row["recall"]) == (1, 1)


def test_the_sheet_follows_the_card():
    faces, said = asked((6, 4), (10,)), head((0.7, 0.25), (0.7, 0.25))
    strict, loose = (metrics.vote_metrics(said, faces, above)["mixture"] for above in (0.5, 0.2))
    assert (strict["precision"], strict["recall"]) == (1, pytest.approx(2 / 3))
    assert (loose["precision"], loose["recall"]) == (pytest.approx(3 / 4), 1)
