"""The decision that joins two heads: its parameters, its defaults, and the threshold of uncertainty."""

import numpy as np
import pytest

from mien.datasets.dataset import FaceDataset
from mien.evaluation import calibration, metrics
from mien.labels import EMOTIONS, VOTES

COUNT = 4000


def simulate(seed, votes=1.5, label=0.3):
    """Logits of two heads, and labels drawn from the scores of a known decision without offsets."""
    rng = np.random.default_rng(seed)
    heads = {"votes": 1.5 * rng.normal(size=(COUNT, 8)), "label": 1.5 * rng.normal(size=(COUNT, 7))}
    columns = [VOTES.index(name) for name in EMOTIONS]
    scores = calibration.softmax(votes * heads["votes"][:, columns] + label * heads["label"])
    return heads, (scores.cumsum(1) > rng.random((COUNT, 1))).argmax(1)


def test_decision_finds_the_weights_of_both_heads():
    """Over ten seeds the weights have a standard deviation of 0.03 and 0.02."""
    heads, labels = simulate(0)
    decision = calibration.fit_decision(heads, np.eye(7)[labels], labels, EMOTIONS)
    assert decision["votes"] == pytest.approx(1.5, abs=0.15)
    assert decision["label"] == pytest.approx(0.3, abs=0.1)
    joined = calibration.softmax(calibration.join_logits(heads, EMOTIONS, decision))
    assert joined.argmax(1).shape == (COUNT,)
    assert sum(decision["prior"].values()) == pytest.approx(1, abs=1e-3)


def test_a_rare_expression_gets_a_larger_offset():
    heads, labels = simulate(1)
    labels = np.where((labels == 1) & (np.arange(COUNT) % 10 > 0), 6, labels)  # nine of ten become neutral
    decision = calibration.fit_decision(heads, np.eye(7)[labels], labels, EMOTIONS)
    joined = calibration.softmax(calibration.join_logits(heads, EMOTIONS, decision))
    without_offsets = {**decision, "offsets": dict.fromkeys(EMOTIONS, 0)}
    plain = calibration.softmax(calibration.join_logits(heads, EMOTIONS, without_offsets))
    assert joined[:, 1].mean() < plain[:, 1].mean()  # it is rarer than the logits say,
    even = joined / np.array(list(decision["prior"].values()))
    assert (even.argmax(1) == 1).mean() > (joined.argmax(1) == 1).mean()  # and less so with an even prior


def test_without_enough_faces_the_weights_are_the_default():
    heads, labels = simulate(2)
    few = {name: logits[:150] for name, logits in heads.items()}
    decision = calibration.fit_decision(few, np.eye(7)[labels[:150]], labels[:150], EMOTIONS)
    assert (decision["votes"], decision["label"]) == (0.6, 0.4)
    assert set(decision["offsets"].values()) == {0.0}


def test_labels_without_votes_have_no_decision():
    heads, labels = simulate(3)
    assert calibration.fit_decision(heads, np.eye(7)[labels], labels, ("bored", *EMOTIONS[1:])) == {}


@pytest.mark.parametrize("seed", range(3))
def test_the_certain_part_of_the_faces_is_the_coverage(seed):
    heads, labels = simulate(seed)
    votes = np.zeros((COUNT, 8))
    votes[np.arange(COUNT), [VOTES.index(EMOTIONS[label]) for label in labels]] = 1
    result = calibration.calibrate(heads, {"label": np.eye(7)[labels], "votes": votes}, labels, EMOTIONS)
    scores = calibration.softmax(calibration.join_logits(heads, EMOTIONS, result.decision))
    leader = np.array([VOTES.index(name) for name in EMOTIONS])[scores.argmax(1)]
    agree = heads["votes"].argmax(1) == leader
    certain = agree & (scores.max(1) >= result.uncertain_below)
    assert certain.mean() == pytest.approx(min(calibration.COVERAGE, agree.mean()), abs=0.005)


def faces_with(*counts, labels=None):
    """Faces with these annotator votes, in the order of VOTE_CATEGORIES."""
    votes = np.zeros((len(counts), 10), np.int16)
    for row, values in enumerate(counts):
        for name, value in values.items():
            votes[row, 8 if name == "unknown" else VOTES.index(name)] = value
    count = len(counts)
    labels = np.zeros(count, np.int64) if labels is None else np.array(labels)
    usage = np.full(count, "PublicTest")
    return FaceDataset(np.zeros((count, 48, 48), np.uint8), labels, usage, votes, classes=EMOTIONS)


def test_majority_labels():
    faces = faces_with(
        {"happy": 10}, {"happy": 5, "sad": 3, "fear": 2}, {"happy": 5, "sad": 5}, {"happy": 4, "unknown": 6},
        {"contempt": 9, "sad": 1}, {}, {"happy": 4, "sad": 3, "fear": 3},
    )  # fmt: skip
    assert faces.majority_labels().tolist() == [3, 3, -1, -1, -1, -1, -1]
    assert faces.majority_labels(0.8).tolist() == [3, -1, -1, -1, -1, -1, -1]
    np.testing.assert_allclose(faces.label_votes()[1], [0, 0, 0.2, 0.5, 0.3, 0, 0], atol=1e-6)
    assert faces.label_votes()[4].tolist() == [0, 0, 0, 0, 1, 0, 0]
    assert not faces.label_votes()[5].any()


def test_people_metrics_of_fixed_predictions():
    faces = faces_with({"happy": 10}, {"happy": 6, "sad": 4}, {"sad": 9, "fear": 1}, {"happy": 5, "sad": 5})
    scores = np.full((4, 7), 0.02)
    scores[[0, 1, 2, 3], [3, 4, 4, 6]] = 0.88
    table = metrics.people_metrics(scores, faces, scores[:, ::-1])["people"]
    assert table["faces"] == 3
    assert table["accuracy"] == pytest.approx(2 / 3)
    assert table["recall"] == {"happy": 0.5, "sad": 1.0}
    assert table["balanced_accuracy"] == pytest.approx(0.75)
    assert table["clear"]["faces"] == 2
    assert table["clear"]["accuracy"] == 1.0
    assert table["even_prior"]["accuracy"] == pytest.approx(1 / 3)
    low, high = np.log(0.02), np.log(0.88)
    expected = -np.mean([high, 0.6 * low + 0.4 * high, 0.9 * high + 0.1 * low, low])
    assert table["log_loss"] == pytest.approx(expected)
    assert metrics.people_metrics(scores[:1], faces_with({}), None) == {}
