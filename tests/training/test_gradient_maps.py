"""Maps by gradients: on a Keras net whose evidence is known, against differences, and in contrast."""

import numpy as np
import pytest

from mien.errors import ExperimentError, MienError
from mien.explain.explanation import GRADIENT_METHODS
from mien.explain.perturbation import blur_face
from mien.training.recipe import NetworkSettings
from patch_network import LEFT, LENGTH, SIDE, TOP, evidence_on_patch, make_patch_faces

keras = pytest.importorskip("keras")
gradients = pytest.importorskip("mien.training.gradient_maps")
nets = pytest.importorskip("mien.training.networks")
pytestmark = pytest.mark.train

LABELS = ("striped", "plain", "other")


@pytest.fixture(scope="module")
def known():
    """Stripes in the patch make the first label lead; the mask is cropping and padding."""
    below, beside = SIDE - TOP - LENGTH, SIDE - LEFT - LENGTH
    entry = keras.Input((SIDE, SIDE, 1))
    stripes = keras.layers.Conv2D(2, 3, padding="same", name="stripes")
    x = keras.layers.ReLU()(stripes(entry))
    x = keras.layers.Cropping2D(((TOP, below), (LEFT, beside)))(x)
    x = keras.layers.ZeroPadding2D(((TOP, below), (LEFT, beside)), name="patch")(x)
    dense = keras.layers.Dense(3, name="shares")
    model = keras.Model(entry, dense(keras.layers.GlobalAveragePooling2D()(x)))
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[1, :, 0, 0], kernel[1, :, 0, 1] = (-0.5, 1, -0.5), (0.5, -1, 0.5)
    stripes.set_weights([kernel, np.zeros(2)])
    weights = np.zeros((2, 3))
    weights[:, 0] = 16 / 255 * SIDE**2 / LENGTH**2
    dense.set_weights([weights, np.array([-2, 0, -0.5])])
    return model


@pytest.fixture(scope="module")
def lab():
    return nets.build(NetworkSettings(width=4, depth=(1, 1)))


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("seed", range(2))
def test_every_method_points_at_the_patch(known, method, seed):
    found = gradients.explain(known, make_patch_faces(1, seed)[0], method, labels=LABELS)
    assert (found.method, found.target, found.map.shape) == (method, "striped", (SIDE, SIDE))
    assert found.map.min() >= 0
    assert evidence_on_patch(found.map) > 0.8


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_a_contrast_is_signed(known, method):
    there = gradients.explain(known, make_patch_faces(1)[0], method, "striped", "plain", labels=LABELS)
    back = gradients.explain(known, make_patch_faces(1)[0], method, "plain", "striped", labels=LABELS)
    assert there.signed
    np.testing.assert_allclose(there.map, -back.map, atol=1e-4)
    assert there.map.max() > 0


def test_integrated_gradients_add_up_to_the_difference(lab):
    face = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    there = gradients.explain(lab, face, "integrated-gradients", "happy", "sad")
    pixels = np.stack([face[..., None], blur_face(face[..., None])]).astype(np.float32)
    logits = np.asarray(lab(pixels, training=False)[0])
    wanted = (logits[0] - logits[1]) @ np.eye(7)[3] - (logits[0] - logits[1]) @ np.eye(7)[4]
    assert there.map.sum() == pytest.approx(wanted, rel=0.05, abs=0.02)


def test_gradients_are_differences(lab):
    from mien.training.gradient_maps import compute_gradient

    rows = np.random.default_rng(1).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    slopes = compute_gradient(lambda given: lab(given, training=False)[0][:, 3], rows)
    step = np.zeros_like(rows)
    step[:, 20, 30] = 0.5
    before, after = (np.asarray(lab(rows + sign * step, training=False)[0])[:, 3] for sign in (-1, 1))
    np.testing.assert_allclose(slopes[:, 20, 30, 0], after - before, atol=2e-4)


def test_the_layer_can_be_chosen(lab):
    face = make_patch_faces(1)[0]
    assert gradients.explain(lab, face, "grad-cam").parameters["layer"].startswith("stage2")
    assert gradients.explain(lab, face, "layer-cam", layer="stem_relu").parameters["layer"] == "stem_relu"
    with pytest.raises(ExperimentError, match=r"no layer 'stem_rel'.*Did you mean 'stem_relu'"):
        gradients.explain(lab, face, "grad-cam", layer="stem_rel")


def test_chance_is_seeded(lab):
    one, same, other = (gradients.explain(lab, make_patch_faces(1)[0], "smoothgrad", seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.map, same.map)
    assert not np.array_equal(one.map, other.map)
    assert one.seed == 1


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"method": "grad-cm"}, "Did you mean 'grad-cam'"),
        ({"method": "rise"}, "are engine.explain's"),
        ({"method": "grad-cam", "target": "hapy"}, "Did you mean 'happy'"),
        ({"method": "grad-cam", "labels": ("a", "b")}, "7 numbers, and there are 2 labels"),
    ],
)
def test_what_cannot_be_is_refused(lab, asked, said):
    with pytest.raises(MienError, match=said):
        gradients.explain(lab, make_patch_faces(1)[0], **asked)
