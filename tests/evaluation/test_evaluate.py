"""Evaluation of one model on one split."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, select_validation
from mien.errors import ExperimentError
from mien.evaluation import metrics
from mien.evaluation.evaluate import (
    VALIDATION_FINGERPRINT,
    compute_metrics,
    evaluate_classifier,
    fingerprint_faces,
    predict_split,
)
from mien.evaluation.inference import BatchPredictor, predict_tta
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard, load_classifier
from mien.models.classifier import Outputs
from tiny import tiny_card, tiny_model


def test_metrics_of_a_perfect_classifier_exclude_duplicates():
    faces = synthetic.draw_faces(210)
    faces.pixels[7] = faces.pixels[faces.usage == "PublicTest"][0]  # a duplicate in Training
    values = evaluate_classifier(PerfectClassifier(faces), faces)
    assert (values["split"], values["faces"], values["faces_no_duplicates"]) == ("PublicTest", 21, 20)
    assert (values["accuracy"], values["accuracy_no_duplicates"], values["votes_accuracy"]) == (1, 1, 1)
    assert values["votes_divergence"] == pytest.approx(0, abs=1e-6)


class PerfectClassifier:
    card = ModelCard("perfect", EMOTIONS, VOTES)

    def __init__(self, faces):
        self._faces = faces

    def run(self, pixels):
        rows = [int(np.flatnonzero((self._faces.pixels == face[..., 0]).all((1, 2)))[-1]) for face in pixels]
        return Outputs(np.eye(7, dtype=np.float32)[self._faces.labels[rows]], self._faces.vote_scores()[rows])


# Predictions and metrics


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350)


@pytest.fixture(scope="module")
def classifier():
    return load_classifier(tiny_model())


@pytest.fixture(scope="module")
def predictions(classifier, faces):
    return predict_split(classifier, faces)


def test_predictions_have_the_indices_of_their_faces(predictions, faces):
    assert (faces.usage[predictions.indices] == "PublicTest").all()
    np.testing.assert_array_equal(faces.pixels[predictions.indices], predictions.faces.pixels)
    assert predictions.scores.shape == (len(predictions.faces), 7)
    assert predictions.validation_faces == 280


def test_metrics_are_complete_and_plain_numbers(predictions):
    values = json.loads(json.dumps(compute_metrics(predictions), allow_nan=False))
    required = (
        "accuracy accuracy_no_duplicates balanced_accuracy macro_f1 ece ece_calibrated nll brier kappa auc_macro ci95"
    )
    assert set(required.split()) <= set(values)
    assert set(values["per_class"]["happy"]) >= {"precision", "recall", "f1", "support", "auc"}
    assert set(values["tta"]) == {"flip", "flip and shifts"}
    assert np.sum(values["confusion"]) == values["faces"] == 35


def test_temperature_does_not_depend_on_the_reported_faces(classifier, faces, predictions):
    labels = faces.labels.copy()
    reported = faces.usage == "PublicTest"
    labels[reported] = (labels[reported] + 1) % 7
    other = predict_split(classifier, replace(faces, labels=labels), tta=False)
    assert other.temperature == predictions.temperature
    assert (other.faces.labels != predictions.faces.labels).all()


def test_validation_faces_are_calibrated_with_the_other_half(classifier, faces):
    predictions = predict_split(classifier, faces, "validation", tta=False)
    assert (len(predictions.faces), predictions.unique.all(), compute_metrics(predictions)["calibration"]["on"]) == (
        280,
        True,
        "the other half of validation",
    )
    labels = predictions.faces.labels.copy()
    labels[::2] = predictions.scores[::2].argmax(
        1
    )  # one half is always correct, so the other half gets a low temperature
    changed = faces.labels.copy()
    changed[predictions.indices] = labels
    certain = predict_split(classifier, replace(faces, labels=changed), "validation", tta=False)
    assert certain.calibrated[1::2].max() > predictions.calibrated[1::2].max() + 0.2
    np.testing.assert_allclose(certain.calibrated[::2], predictions.calibrated[::2], atol=1e-6)


def test_nothing_is_calibrated_without_validation_faces(classifier, faces):
    values = compute_metrics(predict_split(classifier, faces.take(faces.usage == "PublicTest"), tta=False))
    assert (values["ece_calibrated"], values["calibration"]["temperature"]) == (None, None)
    with pytest.raises(ExperimentError, match="none of the model's validation faces"):
        predict_split(classifier, faces.take(faces.usage == "PublicTest"), "validation")


def test_missing_split_is_an_error(classifier, faces):
    with pytest.raises(ExperimentError, match="no PrivateTest faces"):
        predict_split(classifier, faces.take(faces.usage != "PrivateTest"), "private")


def test_labels_that_the_data_does_not_have_are_an_error(faces):
    card = tiny_card(labels=("angry", "bored"), vote_labels=())
    with pytest.raises(ExperimentError, match="different labels: no face in the data is 'bored'"):
        predict_split(load_classifier(tiny_model(card)), faces)


def test_model_with_fewer_labels_is_evaluated_on_these(faces):
    card = tiny_card(labels=("surprised", "happiness", "sad"), vote_labels=())
    predictions = predict_split(load_classifier(tiny_model(card)), faces, tta=False)
    assert predictions.excluded == {"angry": 5, "disgust": 5, "fear": 5, "neutral": 5}
    names = [EMOTIONS[label] for label in faces.labels[predictions.indices]]
    assert names == [("surprise", "happy", "sad")[label] for label in predictions.faces.labels]
    assert set(compute_metrics(predictions)["per_class"]) == {"surprised", "happiness", "sad"}


def test_model_with_colour_and_another_input_size_is_evaluated(faces):
    card = tiny_card(side=16, color="rgb", vote_labels=())
    predictions = predict_split(load_classifier(tiny_model(card)), faces, tta=False)
    assert (predictions.votes, len(predictions.scores)) == (None, 35)
    assert "votes_accuracy" not in compute_metrics(predictions)


def test_validation_faces_follow_the_recipe_of_the_model(faces):
    card = tiny_card(recipe={"data": {"validation": 70}})
    assert predict_split(load_classifier(tiny_model(card)), faces, tta=False).validation_faces == 70


def test_other_data_has_no_validation_faces(faces):
    """With fewer rows other faces would be selected, and the model may have been trained on some of them."""
    recipe = {"data": {"validation": 70}}
    validation = faces.take(select_validation(DataSettings(validation=70), faces))
    model = load_classifier(
        tiny_model(tiny_card(recipe=recipe, metrics={VALIDATION_FINGERPRINT: fingerprint_faces(validation)}))
    )
    assert predict_split(model, faces, tta=False).validation_faces == 70
    fewer = faces.take(np.arange(len(faces)) % 50 > 0)
    predictions = predict_split(model, fewer, tta=False)
    assert (predictions.validation_faces, predictions.calibrated) == (0, None)
    with pytest.raises(ExperimentError, match="none of the model's validation faces"):
        predict_split(model, fewer, "validation")


def test_progress_ends_at_its_total(classifier, faces):
    values = []
    predict_split(classifier, faces, progress=lambda done, total: values.append((done, total)))
    assert values[-1] == (35 * 10 + 280, 35 * 10 + 280)
    assert {total for _, total in values} == {630}


def test_flip_augmentation_is_symmetric(classifier, faces):
    both = faces.pixels[:5], faces.pixels[:5, :, ::-1]
    first, second = (
        predict_tta(BatchPredictor(classifier), each, BatchPredictor(classifier).predict(each)[0]) for each in both
    )
    for name in first:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)


def test_mistakes_are_compared_with_the_majority():
    few = synthetic.draw_faces(4)
    votes = np.zeros((4, 10), np.int16)
    votes[[0, 1, 2, 3], [3, 1, 4, 5]] = 10
    votes[3, 6] = 10  # a tie is no majority
    faces = replace(few, labels=np.array([0, 1, 2, 3]), votes=votes)
    values = metrics.compare_with_majority(np.eye(7)[[3, 3, 3, 4]], faces)
    assert list(values.values()) == [4, 3, 1, 1, 1]


def test_fingerprint_depends_on_pixels_and_labels(faces):
    changed = replace(faces, labels=(faces.labels + 1) % 7)
    assert len({fingerprint_faces(each) for each in (faces, changed, faces.take(np.arange(3)))}) == 3
    assert fingerprint_faces(faces) == fingerprint_faces(faces.take(np.arange(len(faces))))
