"""Where a model looked: on a network whose evidence is known, on base, and on models that cannot be opened."""

import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector, fake_card
from known import LEFT, LENGTH, SIDE, TOP, faces, inside, known_card, known_model
from mien import Engine
from mien.errors import MienError
from mien.explain.explanation import METHODS, ExplanationTarget
from mien.explain.perturbation import compute_occlusion, compute_rise
from mien.labels import EMOTIONS
from mien.models import load_classifier, write_card
from tiny import tiny_model


@pytest.fixture(scope="module")
def known():
    return Engine(load_classifier(known_model()), FakeDetector())


@pytest.fixture(scope="module")
def base():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def portrait(base):
    return base.explain_image("examples/hopper.jpg", methods=())[0].crop


def test_the_known_network_sees_stripes(known):
    striped, plain = faces(1)[0], np.full((SIDE, SIDE), 110, np.uint8)
    shares = known.score(np.stack([striped, plain]))
    assert shares[0, 0] > 0.8
    assert shares[1, 0] < 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(3))
def test_every_method_points_at_the_patch(known, method, seed):
    told = known.explain(faces(1, seed)[0], method)
    (found,) = told.maps
    assert (found.method, found.target, found.map.shape) == (method, "striped", (SIDE, SIDE))
    assert found.map.dtype == np.float32
    assert found.map.min() >= 0
    y, x = np.unravel_index(found.map.argmax(), found.map.shape)
    assert TOP - 1 <= y <= TOP + LENGTH
    assert LEFT - 1 <= x <= LEFT + LENGTH
    # The patch and its rim are 0.17 of the face.
    assert inside(found.map, margin=3) > 0.5


@pytest.mark.parametrize("method", METHODS)
def test_a_contrast_is_signed_and_turns_with_its_sides(known, method):
    face = faces(1)[0]
    (there,) = known.explain(face, method, target="striped", versus="plain").maps
    (back,) = known.explain(face, method, target="plain", versus="striped").maps
    assert there.signed
    assert (there.target, there.versus) == ("striped", "plain")
    np.testing.assert_allclose(there.map, -back.map, atol=1e-5)
    assert there.map.max() > 0
    assert inside(there.map, margin=3) > 0.5


def test_the_class_map_is_exact(base, portrait):
    """The mean over all places is the difference of two logits; so contributions and bias make the logit."""
    told = base.explain(portrait, "cam", layers="views")
    total = sum(each.amount for each in told.contributions) + told.bias
    assert total == pytest.approx(dict(told.logits)[told.target] / told.temperature, abs=1e-4)
    layer = told.layer("views")
    means = layer.activations.reshape(len(layer.activations), -1).mean(axis=1)
    for each in told.contributions[:5]:
        assert each.activation == pytest.approx(means[each.channel], abs=1e-5)
        assert each.amount == pytest.approx(each.activation * each.weight, abs=1e-5)


def test_logits_temperature_and_shares_fit_together(base, portrait):
    told = base.explain(portrait)
    logits = np.array([value for _, value in told.logits]) / told.temperature
    shares = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(shares, [share for _, share in told.emotions.scores], atol=1e-4)
    votes = np.array([value for _, value in told.votes_logits]) / told.votes_temperature
    np.testing.assert_allclose(
        np.exp(votes) / np.exp(votes).sum(), [share for _, share in told.emotions.votes], atol=1e-4
    )
    assert sum(share for _, share in told.scores_without_temperature) == pytest.approx(1, abs=1e-5)
    assert max(told.scores_without_temperature, key=lambda share: share.score).label == told.emotions.top


def test_the_explained_reading_is_the_reading(base, portrait):
    told = base.explain(portrait, layers="all")
    np.testing.assert_array_equal(
        np.float32([share for _, share in told.emotions.scores]), np.round(base.score(portrait[None])[0], 7)
    )
    looked = base.activations(portrait)
    np.testing.assert_allclose(
        [share for _, share in looked.emotions.scores], [share for _, share in told.emotions.scores], atol=1e-6
    )


def test_chance_is_seeded(base, portrait):
    one, same, other = (base.explain(portrait, "rise", seed=seed).maps[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.map, same.map)
    assert (one.seed, other.seed) == (1, 2)
    assert not np.array_equal(one.map, other.map)
    assert one.parameters["masks"] == 500


def test_a_map_that_nothing_speaks_for_is_empty_and_harmless():
    def never(pixels):
        return np.tile(np.float32([0.25, 0.75]), (len(pixels), 1))

    face = np.zeros((16, 16, 1), np.uint8)
    for found in (
        compute_occlusion(never, face, ExplanationTarget(0)),
        compute_rise(never, face, ExplanationTarget(0)),
    ):
        assert np.isfinite(found).all()
        assert abs(found).max() < 1e-6


@pytest.mark.parametrize("side", [8, 17, 48, 97])
def test_covering_reaches_every_pixel_of_any_side(side):
    asked = []

    def ask(pixels):
        asked.append(len(pixels))
        return np.tile(np.float32([0.5, 0.5]), (len(pixels), 1))

    face = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    assert np.isfinite(compute_occlusion(ask, face, ExplanationTarget(0))).all()
    assert max(asked) <= 128


def test_without_global_pooling_occlusion_stands_in_and_says_so():
    engine = Engine(load_classifier(tiny_model()), FakeDetector())
    told = engine.explain(np.full((8, 8), 90, np.uint8), ("cam", "rise"))
    assert [each.method for each in told.maps] == ["occlusion", "rise"]
    assert any("global average pooling" in note for note in told.notes)
    assert told.contributions == ()
    assert engine.activations(np.full((8, 8), 90, np.uint8)).map is None


def test_a_classifier_without_a_graph_is_explained_from_outside():
    engine = Engine(FakeClassifier(), FakeDetector())
    told = engine.explain(np.full((8, 8), 90, np.uint8), layers="all")
    assert engine.layers == ()
    assert (told.layers, told.logits, told.costs, told.kernels) == ((), (), (), None)
    assert [each.method for each in told.maps] == ["occlusion"]
    assert any("does not hand out its graph" in note for note in told.notes)
    looked = engine.activations(np.full((8, 8), 90, np.uint8))
    assert (looked.layers, looked.map, looked.regions) == ((), None, None)
    assert looked.emotions == told.emotions


def test_a_colour_model_is_explained_in_colour():
    engine = Engine(FakeClassifier(fake_card(color="rgb")), FakeDetector())
    crop = np.random.default_rng(0).integers(0, 256, (20, 20, 3)).astype(np.uint8)
    told = engine.explain(crop, "occlusion")
    assert told.crop.shape == (8, 8, 3)
    assert told.maps[0].map.shape == (8, 8)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"methods": "occlusoin"}, r"no method 'occlusoin'.*cam, occlusion, rise.*Did you mean 'occlusion'\?"),
        ({"methods": "grad-cam"}, r"needs gradients.*mien\.lab\.gradients"),
        ({"layers": "stage1.blok1"}, r"no layer 'stage1\.blok1'.*It has stem\.conv.*Did you mean 'stage1\.block"),
        ({"target": "hapy"}, r"does not know the expression 'hapy'.*angry, disgust.*Did you mean 'happy'\?"),
        ({"versus": "bored"}, r"does not know the expression 'bored'"),
        ({"target": "happy", "versus": "happy"}, r"'happy' was to be held against itself"),
    ],
)
def test_what_is_not_there_is_refused_with_the_nearest(base, portrait, asked, said):
    with pytest.raises(MienError, match=said):
        base.explain(portrait, **asked)


def test_a_target_is_explained_even_if_another_leads(base, portrait):
    told = base.explain(portrait, "cam,occlusion,cam", target="sad")
    assert [each.method for each in told.maps] == ["cam", "occlusion"]
    assert {each.target for each in told.maps} == {"sad"}
    assert told.emotions.top in EMOTIONS


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (400, 31), (48, 48, 3)])
def test_a_crop_of_any_size_is_explained(base, shape):
    crop = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    told = base.explain(crop)
    assert told.crop.shape == (48, 48)
    assert np.isfinite(told.maps[0].map).all()


def with_audit(**maps):
    card = known_card(scores={"maps": maps})
    return Engine(load_classifier(write_card(known_model(), card)), FakeDetector())


def test_what_is_shown_when_nothing_is_said_is_what_the_audit_trusts():
    trusted = with_audit(default="rise", cam={"standing": "fails"})
    assert trusted.explain(faces(1)[0]).maps[0].method == "rise"
    doubted = trusted.explain(faces(1)[0], "cam,occlusion")
    assert [each.method for each in doubted.maps] == ["cam", "occlusion"]
    assert any("not to believe its cam maps" in note for note in doubted.notes)
    for nothing in ({}, {"default": None}, {"default": "tea leaves"}):
        assert with_audit(**nothing).explain(faces(1)[0], "auto").maps[0].method == "cam"
