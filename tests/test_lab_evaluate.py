"""One model on one split, whole; temperatures and thresholds, held against what made the data."""

import numpy as np
import pytest

from mien.lab import calibrate, drawn, votes
from mien.lab.evaluate import evaluate
from mien.lab.scores import log_loss
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard
from mien.models.onnx import Outputs


@pytest.fixture(scope="module")
def answers():
    """Logits of a model that is right about half of the time, and labels; one class is never there."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 900, p=[0.1, 0.1, 0.3, 0.2, 0.1, 0.2])
    logits = rng.normal(0, 1, (900, 7)) + 1.2 * np.eye(7)[labels]
    return logits, labels


def test_a_whole_sheet_from_a_classifier_that_knows_everything():
    faces = drawn.faces(210)
    faces.pixels[7] = faces.pixels[faces.usage == "PublicTest"][0]  # a twin in Training
    scores = evaluate(_Knows(faces), faces)
    assert (scores["split"], scores["faces"], scores["faces_no_twins"]) == ("PublicTest", 21, 20)
    assert (scores["accuracy"], scores["accuracy_no_twins"], scores["votes_accuracy"]) == (1, 1, 1)
    assert scores["votes_divergence"] == pytest.approx(0, abs=1e-6)


class _Knows:
    card = ModelCard("knows", EMOTIONS, VOTES)

    def __init__(self, faces):
        self._faces = faces

    def run(self, pixels):
        places = [int(np.flatnonzero((self._faces.pixels == one[..., 0]).all((1, 2)))[-1]) for one in pixels]
        return Outputs(np.eye(7, dtype=np.float32)[self._faces.labels[places]], self._faces.vote_shares()[places])


# Temperatures and thresholds


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20000, 7))
    labels = np.array([rng.choice(7, p=row) for row in calibrate.softmax(logits)])
    assert calibrate.temperature(logits * 1.7, np.eye(7)[labels]) == pytest.approx(1.7, rel=0.05)


def test_cross_entropy_is_log_loss_for_labels(answers):
    logits, labels = answers
    ours = calibrate.cross_entropy(logits, np.eye(7)[labels])
    assert ours == pytest.approx(log_loss(calibrate.softmax(logits), labels))


def test_the_threshold_leaves_the_wanted_part_certain(answers):
    logits, labels = answers
    fitted = calibrate.calibrate({"shares": logits}, {"shares": np.eye(7)[labels]})
    shares = calibrate.softmax(logits / fitted.temperatures["shares"])
    assert np.mean(shares.max(1) >= fitted.uncertain_below) == pytest.approx(calibrate.COVERAGE, abs=0.005)
    assert fitted.mixture_above == 0.2


def test_the_mixture_threshold_parts_what_voters_named_from_what_they_did_not():
    said = np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]] * 10)
    named = np.where(said >= 0.2, np.maximum(said, 0.3), 0.27)  # everything named lies above 0.27
    above = calibrate.threshold(named, said)
    assert 0.27 < above <= 0.3
    assert votes.mixture_row(named, said, above) == {"above": above, "precision": 1, "recall": 1, "f1": 1}
