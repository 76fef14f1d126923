"""Saliency maps by gradients: on a network with evidence in one patch, against differences, and with ``versus``."""

import numpy as np
import pytest

from mien.errors import ExperimentError, MienError
from mien.explain.explanation import GRADIENT_METHODS
from mien.explain.perturbation import blur_face
from mien.training.recipe import NetworkSettings
from patch_network import LEFT, LENGTH, SIDE, TOP, evidence_on_patch, make_patch_faces

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training.gradient_maps import compute_gradient, explain_with_gradients  # noqa: E402
from mien.training.networks import build_network  # noqa: E402

LABELS = ("striped", "plain", "other")


@pytest.fixture(scope="module")
def patch_network():
    """A network whose first label leads where there are stripes in the patch; cropping and padding are the mask."""
    below, beside = SIDE - TOP - LENGTH, SIDE - LEFT - LENGTH
    entry = keras.Input((SIDE, SIDE, 1))
    stripes = keras.layers.Conv2D(2, 3, padding="same", name="stripes")
    x = keras.layers.ReLU()(stripes(entry))
    x = keras.layers.Cropping2D(((TOP, below), (LEFT, beside)))(x)
    x = keras.layers.ZeroPadding2D(((TOP, below), (LEFT, beside)), name="patch")(x)
    dense = keras.layers.Dense(3, name="scores")
    model = keras.Model(entry, dense(keras.layers.GlobalAveragePooling2D()(x)))
    kernel = np.zeros((3, 3, 1, 2), np.float32)
    kernel[1, :, 0, 0], kernel[1, :, 0, 1] = (-0.5, 1, -0.5), (0.5, -1, 0.5)
    stripes.set_weights([kernel, np.zeros(2)])
    weights = np.zeros((2, 3))
    weights[:, 0] = 16 / 255 * SIDE**2 / LENGTH**2
    dense.set_weights([weights, np.array([-2, 0, -0.5])])
    return model


@pytest.fixture(scope="module")
def network():
    return build_network(NetworkSettings(width=4, depth=(1, 1)))


@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("seed", range(2))
def test_every_method_finds_the_evidence_in_the_patch(patch_network, method, seed):
    saliency = explain_with_gradients(patch_network, make_patch_faces(1, seed)[0], method, labels=LABELS)
    assert (saliency.method, saliency.target, saliency.map.shape) == (method, "striped", (SIDE, SIDE))
    assert saliency.map.min() >= 0
    assert evidence_on_patch(saliency.map) > 0.8


@pytest.mark.parametrize("method", GRADIENT_METHODS)
def test_map_of_two_labels_is_signed(patch_network, method):
    first = explain_with_gradients(patch_network, make_patch_faces(1)[0], method, "striped", "plain", labels=LABELS)
    swapped = explain_with_gradients(patch_network, make_patch_faces(1)[0], method, "plain", "striped", labels=LABELS)
    assert first.signed
    np.testing.assert_allclose(first.map, -swapped.map, atol=1e-4)
    assert first.map.max() > 0


def test_integrated_gradients_sum_to_the_difference_of_the_scores(network):
    face = np.random.default_rng(0).integers(0, 256, (48, 48)).astype(np.uint8)
    first = explain_with_gradients(network, face, "integrated-gradients", "happy", "sad")
    pixels = np.stack([face[..., None], blur_face(face[..., None])]).astype(np.float32)
    logits = np.asarray(network(pixels, training=False)[0])
    expected = (logits[0] - logits[1]) @ np.eye(7)[3] - (logits[0] - logits[1]) @ np.eye(7)[4]
    assert first.map.sum() == pytest.approx(expected, rel=0.05, abs=0.02)


def test_gradients_equal_finite_differences(network):
    rows = np.random.default_rng(1).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    gradients = compute_gradient(lambda tensor: network(tensor, training=False)[0][:, 3], rows)
    step = np.zeros_like(rows)
    step[:, 20, 30] = 0.5
    before, after = (np.asarray(network(rows + sign * step, training=False)[0])[:, 3] for sign in (-1, 1))
    np.testing.assert_allclose(gradients[:, 20, 30, 0], after - before, atol=2e-4)


def test_layer_can_be_selected(network):
    face = make_patch_faces(1)[0]
    assert explain_with_gradients(network, face, "grad-cam").parameters["layer"].startswith("stage2")
    assert explain_with_gradients(network, face, "layer-cam", layer="stem_relu").parameters["layer"] == "stem_relu"
    with pytest.raises(ExperimentError, match=r"no layer 'stem_rel'.*Did you mean 'stem_relu'"):
        explain_with_gradients(network, face, "grad-cam", layer="stem_rel")


def test_smoothgrad_depends_on_the_seed(network):
    one, same, other = (
        explain_with_gradients(network, make_patch_faces(1)[0], "smoothgrad", seed=seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.map, same.map)
    assert not np.array_equal(one.map, other.map)
    assert one.seed == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "grad-cm"}, "Did you mean 'grad-cam'"),
        ({"method": "rise"}, "are in engine.explain"),
        ({"method": "grad-cam", "target": "hapy"}, "Did you mean 'happy'"),
        ({"method": "grad-cam", "labels": ("a", "b")}, "7 outputs, and there are 2 labels"),
    ],
)
def test_invalid_options_are_refused(network, options, message):
    with pytest.raises(MienError, match=message):
        explain_with_gradients(network, make_patch_faces(1)[0], **options)
