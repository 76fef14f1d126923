"""Evidence maps by CAM, occlusion and RISE: on a network with known evidence, on base, and without a graph."""

import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine
from mien.errors import MienError
from mien.explain.explanation import AUTO_METHOD, MAP_METHODS, METHODS, ExplanationTarget, parse_methods
from mien.explain.perturbation import compute_occlusion, compute_rise
from mien.labels import EMOTIONS
from mien.models import load_classifier, write_card
from patch_network import (
    LEFT,
    LENGTH,
    SIDE,
    TOP,
    build_patch_network,
    evidence_on_patch,
    make_patch_faces,
    patch_card,
)
from tiny import tiny_model


@pytest.fixture(scope="module")
def patch_engine():
    return Engine(load_classifier(build_patch_network()), FakeDetector())


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def crop(base):
    return base.explain_image("examples/hopper.jpg", methods=())[0].crop


def test_patch_network_responds_to_stripes(patch_engine):
    striped, plain = make_patch_faces(1)[0], np.full((SIDE, SIDE), 110, np.uint8)
    scores = patch_engine.score(np.stack([striped, plain]))
    assert scores[0, 0] > 0.8
    assert scores[1, 0] < 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_every_method_has_its_maximum_on_the_patch(patch_engine, method, seed):
    explanation = patch_engine.explain(make_patch_faces(1, seed)[0], method)
    (saliency,) = explanation.maps
    assert (saliency.method, saliency.target, saliency.map.shape) == (method, "striped", (SIDE, SIDE))
    assert saliency.map.dtype == np.float32
    assert saliency.map.min() >= 0
    y, x = np.unravel_index(saliency.map.argmax(), saliency.map.shape)
    assert TOP - 1 <= y <= TOP + LENGTH
    assert LEFT - 1 <= x <= LEFT + LENGTH
    # The patch with its margin is 0.17 of the face.
    assert evidence_on_patch(saliency.map, margin=3) > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_comparison_is_signed_and_antisymmetric(patch_engine, method):
    face = make_patch_faces(1)[0]
    (saliency,) = patch_engine.explain(face, method, target="striped", versus="plain").maps
    (reverse,) = patch_engine.explain(face, method, target="plain", versus="striped").maps
    assert saliency.signed
    assert (saliency.target, saliency.versus) == ("striped", "plain")
    np.testing.assert_allclose(saliency.map, -reverse.map, atol=1e-5)
    assert saliency.map.max() > 0
    assert evidence_on_patch(saliency.map, margin=3) > 0.5


def test_contributions_and_bias_add_up_to_the_logit(base, crop):
    explanation = base.explain(crop, "cam", layers="views")
    total = sum(each.amount for each in explanation.contributions) + explanation.bias
    assert total == pytest.approx(dict(explanation.logits)[explanation.target] / explanation.temperature, abs=1e-4)
    layer = explanation.layer("views")
    means = layer.activations.reshape(len(layer.activations), -1).mean(axis=1)
    for each in explanation.contributions[:5]:
        assert each.activation == pytest.approx(means[each.channel], abs=1e-5)
        assert each.amount == pytest.approx(each.activation * each.weight, abs=1e-5)


def test_softmax_of_logits_and_temperature_gives_the_probabilities(base, crop):
    explanation = base.explain(crop)
    emotions = explanation.emotions
    for logits, temperature, scores in (
        (explanation.logits, explanation.temperature, emotions.scores),
        (explanation.votes_logits, explanation.votes_temperature, emotions.votes),
    ):
        exponentials = np.exp(np.array([value for _, value in logits]) / temperature)
        expected = exponentials / exponentials.sum()
        np.testing.assert_allclose(expected, [score for _, score in scores], atol=1e-4)
    uncalibrated = explanation.scores_without_temperature
    assert sum(score for _, score in uncalibrated) == pytest.approx(1, abs=1e-5)
    assert max(uncalibrated, key=lambda each: each.score).label == emotions.top


def test_explanation_has_the_scores_of_the_reading(base, crop):
    scores = [score for _, score in base.explain(crop, layers="all").emotions.scores]
    np.testing.assert_array_equal(np.float32(scores), np.round(base.score(crop[None])[0], 7))
    activations = base.activations(crop)
    np.testing.assert_allclose([score for _, score in activations.emotions.scores], scores, atol=1e-6)


def test_rise_is_the_same_with_the_same_seed(base, crop):
    one, same, other = (base.explain(crop, "rise", (), seed=seed).maps[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.map, same.map)
    assert (one.seed, other.seed) == (1, 2)
    assert not np.array_equal(one.map, other.map)
    assert one.parameters == {"masks": 500, "cells": 7, "visible_part": 0.5}


def test_constant_scores_give_empty_maps():
    def score_constant(pixels):
        return np.tile(np.float32([0.25, 0.75]), (len(pixels), 1))

    face = np.zeros((16, 16, 1), np.uint8)
    for compute in (compute_occlusion, compute_rise):
        values = compute(score_constant, face, ExplanationTarget(0))
        assert np.isfinite(values).all()
        assert abs(values).max() < 1e-6


@pytest.mark.parametrize("side", [8, 17, 48, 97])
def test_occlusion_covers_every_pixel_in_batches_of_at_most_128(side):
    batches = []

    def score_constant(pixels):
        batches.append(len(pixels))
        return np.tile(np.float32([0.5, 0.5]), (len(pixels), 1))

    face = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    assert np.isfinite(compute_occlusion(score_constant, face, ExplanationTarget(0))).all()
    assert max(batches) <= 128


def test_network_without_global_pooling_gets_occlusion_and_a_note():
    engine = Engine(load_classifier(tiny_model()), FakeDetector())
    explanation = engine.explain(np.full((8, 8), 90, np.uint8), ("cam", "rise"))
    assert [each.method for each in explanation.maps] == ["occlusion", "rise"]
    assert any("global average pooling" in note for note in explanation.notes)
    assert explanation.contributions == ()
    assert engine.activations(np.full((8, 8), 90, np.uint8)).map is None


def test_classifier_without_a_graph_is_explained_with_occlusion():
    engine = Engine(FakeClassifier(), FakeDetector())
    explanation = engine.explain(np.full((8, 8), 90, np.uint8), layers="all")
    assert engine.layers == ()
    assert (explanation.layers, explanation.logits, explanation.costs, explanation.kernels) == ((), (), (), None)
    assert [each.method for each in explanation.maps] == ["occlusion"]
    assert any("does not provide its graph" in note for note in explanation.notes)
    activations = engine.activations(np.full((8, 8), 90, np.uint8))
    assert (activations.layers, activations.map, activations.regions) == ((), None, None)
    assert activations.emotions == explanation.emotions


def test_colour_model_is_explained_in_colour():
    engine = Engine(FakeClassifier(fake_card(color="rgb")), FakeDetector())
    crop = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    explanation = engine.explain(crop, "occlusion")
    assert explanation.crop.shape == (8, 8, 3)
    assert explanation.maps[0].map.shape == (8, 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"methods": "occlusoin"}, r"no method 'occlusoin'.*cam, occlusion, rise.*Did you mean 'occlusion'\?"),
        ({"methods": "grad-cam"}, r"needs gradients.*mien\.training\.gradient_maps"),
        ({"layers": "stage1.blok1"}, r"no layer 'stage1\.blok1'.*It has stem\.conv.*Did you mean 'stage1\.block"),
        ({"target": "hapy"}, r"does not have the expression 'hapy'.*angry, disgust.*Did you mean 'happy'\?"),
        ({"versus": "bored"}, r"does not have the expression 'bored'"),
        ({"target": "happy", "versus": "happy"}, r"'happy' was to be compared with itself"),
    ],
)
def test_unknown_names_are_errors_with_the_nearest_name(base, crop, options, message):
    with pytest.raises(MienError, match=message):
        base.explain(crop, **options)


def test_target_may_differ_from_the_prediction(base, crop):
    explanation = base.explain(crop, "cam,occlusion,cam", target="disgust")
    assert [each.method for each in explanation.maps] == ["cam", "occlusion"]
    assert {each.target for each in explanation.maps} == {"disgust"}
    assert explanation.emotions.top in EMOTIONS


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (400, 31), (48, 48, 3)])
def test_crop_of_any_size_is_explained(base, shape):
    crop = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    explanation = base.explain(crop)
    assert explanation.crop.shape == (48, 48)
    assert np.isfinite(explanation.maps[0].map).all()


def test_every_method_has_a_title_and_a_sentence():
    assert tuple(MAP_METHODS) == METHODS == tuple(method.name for method in MAP_METHODS.values())
    for method in (AUTO_METHOD, *MAP_METHODS.values()):
        assert method.title
        assert method.description.endswith(".")


def test_methods_are_separated_by_commas_and_auto_is_the_default():
    assert parse_methods("rise, cam,rise") == ("rise", "cam")
    assert parse_methods(["auto"], default="occlusion") == ("occlusion",)


def load_audited(**maps):
    """An engine whose card has this audit of the evidence maps."""
    card = patch_card(metrics={"maps": maps})
    return Engine(load_classifier(write_card(build_patch_network(), card)), FakeDetector())


def test_default_method_is_the_one_that_the_audit_trusts():
    engine, face = load_audited(default="rise", cam={"verdict": "not trusted"}), make_patch_faces(1)[0]
    assert engine.explain(face).maps[0].method == "rise"
    explanation = engine.explain(face, "cam,occlusion")
    assert [each.method for each in explanation.maps] == ["cam", "occlusion"]
    assert any("does not trust its cam maps" in note for note in explanation.notes)


@pytest.mark.parametrize("audit", [{}, {"default": None}, {"default": "tea leaves"}])
def test_default_method_without_an_audit_is_cam(audit):
    assert load_audited(**audit).explain(make_patch_faces(1)[0], "auto").maps[0].method == "cam"
