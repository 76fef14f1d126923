"""One model on one split, whole; temperatures and thresholds, held against what made the data."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, select_validation
from mien.errors import ExperimentError
from mien.evaluation import calibration, metrics
from mien.evaluation.evaluate import VALIDATION_FINGERPRINT, compute_metrics, evaluate_classifier, fingerprint_faces, predict_split
from mien.evaluation.inference import BatchPredictor, predict_tta
from mien.evaluation.metrics import log_loss
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard, load_classifier
from mien.models.classifier import Outputs
from tiny import tiny_card, tiny_model


@pytest.fixture(scope="module")
def guesses():
    """Logits of a model that is right about half of the time, and labels; one class is never there."""
    rng = np.random.default_rng(0)
    labels = rng.choice([0, 2, 3, 4, 5, 6], 900, p=[0.1, 0.1, 0.3, 0.2, 0.1, 0.2])
    logits = rng.normal(0, 1, (900, 7)) + 1.2 * np.eye(7)[labels]
    return logits, labels


def test_a_whole_sheet_from_a_classifier_that_knows_everything():
    faces = synthetic.draw_faces(210)
    faces.pixels[7] = faces.pixels[faces.usage == "PublicTest"][0]  # a twin in Training
    scores = evaluate_classifier(_Knows(faces), faces)
    assert (scores["split"], scores["faces"], scores["faces_no_twins"]) == ("PublicTest", 21, 20)
    assert (scores["accuracy"], scores["accuracy_no_twins"], scores["votes_accuracy"]) == (1, 1, 1)
    assert scores["votes_divergence"] == pytest.approx(0, abs=1e-6)


class _Knows:
    card = ModelCard("knows", EMOTIONS, VOTES)

    def __init__(self, faces):
        self._faces = faces

    def run(self, pixels):
        places = [int(np.flatnonzero((self._faces.pixels == one[..., 0]).all((1, 2)))[-1]) for one in pixels]
        return Outputs(np.eye(7, dtype=np.float32)[self._faces.labels[places]], self._faces.vote_scores()[places])


# All answers of a model, and what they come to


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350)


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(tiny_model())


@pytest.fixture(scope="module")
def found(classifier, faces):
    return predict_split(classifier, faces)


def test_the_answers_stand_where_the_faces_stand(found, faces):
    assert (faces.usage[found.places] == "PublicTest").all()
    np.testing.assert_array_equal(faces.pixels[found.places], found.faces.pixels)
    assert found.shares.shape == (len(found.faces), 7)
    assert found.held_out == 280


def test_every_figure_of_the_contract_is_there_and_is_json(found):
    told = json.loads(json.dumps(compute_metrics(found), allow_nan=False))
    promised = "accuracy accuracy_no_twins balanced_accuracy macro_f1 ece ece_calibrated nll brier kappa auc_macro ci95"
    assert set(promised.split()) <= set(told)
    assert set(told["per_class"]["happy"]) >= {"precision", "recall", "f1", "support", "auc"}
    assert set(told["tta"]) == {"flip", "flip and shifts"}
    assert np.sum(told["confusion"]) == told["faces"] == 35


def test_the_temperature_does_not_know_the_faces_that_are_reported(classifier, faces, found):
    labels = faces.labels.copy()
    reported = faces.usage == "PublicTest"
    labels[reported] = (labels[reported] + 1) % 7
    other = predict_split(classifier, replace(faces, labels=labels), augmented=False)
    assert other.temperature == found.temperature
    assert (other.faces.labels != found.faces.labels).all()


def test_on_validation_each_half_has_the_temperature_of_the_other(classifier, faces):
    found = predict_split(classifier, faces, "validation", augmented=False)
    assert (len(found.faces), found.alone.all(), compute_metrics(found)["calibration"]["on"]) == (
        280,
        True,
        _OTHER_HALF,
    )
    labels = found.faces.labels.copy()
    labels[::2] = found.shares[::2].argmax(1)  # one half is always right: the other half is told to be certain
    changed = faces.labels.copy()
    changed[found.places] = labels
    certain = predict_split(classifier, replace(faces, labels=changed), "validation", augmented=False)
    assert certain.calibrated[1::2].max() > found.calibrated[1::2].max() + 0.2
    np.testing.assert_allclose(certain.calibrated[::2], found.calibrated[::2], atol=1e-6)


_OTHER_HALF = "the other half of validation"


def test_without_training_faces_nothing_is_calibrated(classifier, faces):
    told = compute_metrics(predict_split(classifier, faces.take(faces.usage == "PublicTest"), augmented=False))
    assert (told["ece_calibrated"], told["calibration"]["temperature"]) == (None, None)
    with pytest.raises(ExperimentError, match="no Training faces"):
        predict_split(classifier, faces.take(faces.usage == "PublicTest"), "validation")


def test_a_split_that_is_not_there_is_named(classifier, faces):
    with pytest.raises(ExperimentError, match="no PrivateTest faces"):
        predict_split(classifier, faces.take(faces.usage != "PrivateTest"), "private")


def test_labels_that_the_data_does_not_have(faces):
    card = tiny_card(labels=("angry", "bored"), vote_labels=())
    with pytest.raises(ExperimentError, match="different labels: no face in the data is 'bored'"):
        predict_split(load_classifier(tiny_model(card)), faces)


def test_a_model_of_fewer_expressions_is_asked_about_those(faces):
    card = tiny_card(labels=("surprised", "happiness", "sad"), vote_labels=())
    found = predict_split(load_classifier(tiny_model(card)), faces, augmented=False)
    assert found.left_out == {"angry": 5, "disgust": 5, "fear": 5, "neutral": 5}
    words = [EMOTIONS[label] for label in faces.labels[found.places]]
    assert words == [("surprise", "happy", "sad")[label] for label in found.faces.labels]
    assert set(compute_metrics(found)["per_class"]) == {"surprised", "happiness", "sad"}


def test_a_model_that_sees_colour_and_another_side(faces):
    card = tiny_card(side=16, color="rgb", vote_labels=())
    found = predict_split(load_classifier(tiny_model(card)), faces, augmented=False)
    assert (found.votes, len(found.shares)) == (None, 35)
    assert "votes_accuracy" not in compute_metrics(found)


def test_the_held_out_faces_are_those_of_the_models_own_recipe(faces):
    card = tiny_card(recipe={"data": {"validation": 70}})
    assert predict_split(load_classifier(tiny_model(card)), faces, augmented=False).held_out == 70


def test_faces_that_the_model_may_have_learned_from_calibrate_nothing(faces):
    """With a few rows less, others would be held out than were."""
    recipe = {"data": {"validation": 70}}
    aside = faces.take(select_validation(DataSettings(validation=70), faces))
    model = load_classifier(
        tiny_model(tiny_card(recipe=recipe, metrics={VALIDATION_FINGERPRINT: fingerprint_faces(aside)}))
    )
    assert predict_split(model, faces, augmented=False).held_out == 70
    fewer = faces.take(np.arange(len(faces)) % 50 > 0)
    found = predict_split(model, fewer, augmented=False)
    assert (found.held_out, found.calibrated) == (0, None)
    with pytest.raises(ExperimentError, match="no Training faces that the model held out"):
        predict_split(model, fewer, "validation")


def test_progress_ends_where_it_said_it_would(classifier, faces):
    told = []
    predict_split(classifier, faces, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (35 * 10 + 280, 35 * 10 + 280)
    assert {total for _, total in told} == {630}


def test_mirrored_faces_answer_alike_when_flipped(classifier, faces):
    both = faces.pixels[:5], faces.pixels[:5, :, ::-1]
    first, second = (
        predict_tta(BatchPredictor(classifier), each, BatchPredictor(classifier).over(each)[0]) for each in both
    )
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)


def test_whom_people_side_with():
    few = synthetic.draw_faces(4)
    said = np.zeros((4, 10), np.int16)
    said[[0, 1, 2, 3], [3, 1, 4, 5]] = 10
    said[3, 6] = 10  # a tie: nobody's side
    faces = replace(few, labels=np.array([0, 1, 2, 3]), votes=said)
    told = metrics.compare_with_majority(np.eye(7)[[3, 3, 3, 4]], faces)
    assert list(told.values()) == [4, 3, 1, 1, 1]


def test_the_fingerprint_follows_pixels_and_labels(faces):
    changed = replace(faces, labels=(faces.labels + 1) % 7)
    assert len({fingerprint_faces(each) for each in (faces, changed, faces.take(np.arange(3)))}) == 3
    assert fingerprint_faces(faces) == fingerprint_faces(faces.take(np.arange(len(faces))))


# Temperatures and thresholds


def test_the_temperature_that_made_the_labels_is_found():
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (20000, 7))
    labels = np.array([rng.choice(7, p=row) for row in calibration.softmax(logits)])
    assert calibration.fit_temperature(logits * 1.7, np.eye(7)[labels]) == pytest.approx(1.7, rel=0.05)


def test_cross_entropy_is_log_loss_for_labels(guesses):
    logits, labels = guesses
    ours = calibration.cross_entropy(logits, np.eye(7)[labels])
    assert ours == pytest.approx(log_loss(calibration.softmax(logits), labels))


def test_the_threshold_leaves_the_wanted_part_certain(guesses):
    logits, labels = guesses
    fitted = calibration.calibrate({"shares": logits}, {"shares": np.eye(7)[labels]})
    shares = calibration.softmax(logits / fitted.temperatures["shares"])
    assert np.mean(shares.max(1) >= fitted.uncertain_below) == pytest.approx(calibration.COVERAGE, abs=0.005)
    assert fitted.mixture_above == 0.2


def test_the_mixture_threshold_parts_what_voters_named_from_what_they_did_not():
    said = np.array([[0.7, 0.3, 0.0], [0.5, 0.0, 0.5], [1.0, 0.0, 0.0]] * 10)
    named = np.where(said >= 0.2, np.maximum(said, 0.3), 0.27)  # everything named lies above 0.27
    above = calibration.fit_threshold(named, said)
    assert 0.27 < above <= 0.3
    assert metrics.mixture_metrics(named, said, above) == {"above": above, "precision": 1, "recall": 1, "f1": 1}
