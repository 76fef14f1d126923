"""The networks: parameters and multiply-adds computed by hand, raw pixels as input, fused normalisation, views."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import ExperimentError
from mien.settings import find_setting
from mien.training.recipe import NetworkSettings, Recipe
from network_parameters import count_convolution, count_residual

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import networks  # noqa: E402
from mien.training.networks import build_network, count_multiply_adds  # noqa: E402

SMALL = NetworkSettings(width=4, depth=(1, 2))
PLAIN = {"votes": False, "crop": False}


@pytest.mark.parametrize(("width", "depth"), [(4, (1, 2)), (32, (2, 2, 2))])
def test_residual_network_has_the_parameters_of_its_layers(width, depth):
    assert build_network(NetworkSettings(width=width, depth=depth)).count_params() == count_residual(width, depth)


def test_basic_network_has_the_parameters_and_multiply_adds_of_its_layers():
    model = build_network(NetworkSettings(name="basic", **PLAIN))
    # 48 -> 46 -> 23 -> 21 -> 10 -> 8 -> 4 pixels
    convolutions = (9 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    assert model.count_params() == convolutions + (4 * 4 * 128 + 1) * 128 + (128 + 1) * 7
    products = 46**2 * 9 * 32 + 21**2 * 9 * 32 * 64 + 8**2 * 9 * 64 * 128
    assert count_multiply_adds(model) == products + 2048 * 128 + 128 * 7


def test_five_class_network_has_the_parameters_of_its_layers():
    model = build_network(NetworkSettings(name="fiveclass", **PLAIN), classes=5)
    # 48 -> 46 -> 44 -> 22 -> 20 -> 10 -> 8 -> 4 pixels
    convolutions = (9 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128 + (9 * 128 + 1) * 128
    assert model.count_params() == convolutions + (4 * 4 * 128 + 1) * 1024 + (1024 + 1) * 5


@pytest.mark.parametrize("order", ["norm-pool", "pool-norm"])
@pytest.mark.parametrize(("blocks", "flat"), [(3, 6 * 6 * 128), (4, 3 * 3 * 256)])
def test_batchnorm_network_has_the_parameters_of_its_layers(order, blocks, flat):
    net = NetworkSettings(name="batchnorm", width=32, depth=(1,) * blocks, order=order, **PLAIN)
    widths = [1, *(32 * 2**block for block in range(blocks))]
    biases = sum(widths[1:]) if order == "pool-norm" else 0  # no bias before a normalisation
    convolutions = sum(count_convolution(3, a, b) + 4 * b for a, b in itertools.pairwise(widths))
    dense = (flat + 4) * 512 + (512 + 4) * 256 + (256 + 1) * 7
    assert build_network(net).count_params() == convolutions + biases + dense


def test_block_of_the_batchnorm_network_can_have_several_convolutions():
    one, two = (
        build_network(NetworkSettings(name="batchnorm", width=32, depth=depth, votes=False))
        for depth in ((1, 1), (1, 2))
    )
    assert two.count_params() - one.count_params() == count_convolution(3, 64, 64) + 4 * 64
    assert two.get_layer("block2_1_conv").output.shape[1:] == two.get_layer("block2_conv").output.shape[1:]


def test_order_decides_whether_pooling_is_before_the_normalisation():
    net = NetworkSettings(name="batchnorm", width=4, depth=(1,), order="pool-norm")
    names = [layer.name for layer in build_network(net).layers]
    assert names.index("block1_pool") < names.index("block1_norm")


def test_vgg_network_has_the_parameters_and_multiply_adds_of_its_layers():
    model = build_network(NetworkSettings(name="vgg", width=32, depth=(2, 2, 2, 2), **PLAIN))
    pairs = list(itertools.pairwise([1, 32, 32, 64, 64, 128, 128, 256, 256]))
    parameters = sum(count_convolution(3, a, b) + 4 * b for a, b in pairs)
    assert model.count_params() == parameters + (256 + 1) * 7
    sides = [48, 48, 24, 24, 12, 12, 6, 6]
    products = sum(side**2 * count_convolution(3, a, b) for side, (a, b) in zip(sides, pairs, strict=True))
    assert count_multiply_adds(model) == products + 256 * 7


APPLICATIONS = [
    pytest.param("vgg16", 14_714_688, 512, id="vgg16"),
    pytest.param("mobilenetv2", 2_257_984, 1280, marks=pytest.mark.full, id="mobilenetv2"),
    pytest.param("efficientnetb0", 4_049_571, 1280, marks=pytest.mark.full, id="efficientnetb0"),
    pytest.param("resnet50v2", 23_564_800, 2048, marks=pytest.mark.full, id="resnet50v2"),
]


@pytest.mark.parametrize(("name", "trunk", "features"), APPLICATIONS)
def test_keras_application_has_its_published_number_of_parameters(name, trunk, features):
    model = build_network(NetworkSettings(name=name, votes=False))
    assert model.count_params() == trunk + (features + 1) * 7


@pytest.mark.full
def test_normalisation_of_keras_applications_adapts_within_an_epoch():
    model = build_network(NetworkSettings(name="mobilenetv2", input_size=96))
    norms = [layer for layer in model.layers if hasattr(layer, "moving_mean")]
    assert len(norms) == 52
    assert {layer.momentum for layer in norms} == {0.99}
    assert model.get_layer("Conv1").input.shape == (None, 96, 96, 3)
    assert model.inputs[0].shape == (None, 48, 48, 1)


def test_unknown_network_is_refused():
    with pytest.raises(ExperimentError, match=r"no network 'resdual'.*Did you mean 'residual'"):
        build_network(NetworkSettings(name="resdual"))


def test_precision_is_that_of_the_network_alone():
    before = keras.config.dtype_policy()
    model = build_network(SMALL, "mixed_bfloat16")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert {head.dtype for head in model.outputs} == {"float32"}
    assert keras.config.dtype_policy() == before


def test_heads_are_for_labels_and_votes():
    model = build_network(SMALL)
    shapes = {name: head.shape for name, head in zip(model.output_names, model.outputs, strict=True)}
    assert shapes == {"label": (None, 7), "votes": (None, 8)}
    assert build_network(NetworkSettings(width=4, depth=(1,), votes=False)).output_names == ["label"]


def test_pixels_are_scaled_and_cropped_inside_the_network():
    model = build_network(SMALL)
    cropped = keras.Model(model.inputs, model.get_layer("cropped").output)
    black_and_white = np.stack([np.zeros((48, 48, 1), np.float32), np.full((48, 48, 1), 255, np.float32)])
    pixels = np.asarray(cropped([black_and_white]))
    assert pixels.shape == (2, 44, 44, 1)
    assert pixels[:, 0, 0, 0].tolist() == [-2.0, 2.0]


@pytest.mark.parametrize("training", [False, True])
def test_fused_norm_equals_batch_normalisation(training):
    inputs = np.random.default_rng(0).normal(3, 2, (16, 5, 5, 6)).astype(np.float32)
    fused, stock = networks.FusedNorm(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for layer in (fused, stock):
        layer.build(inputs.shape)
        layer.set_weights([np.random.default_rng(1).uniform(0.5, 2, 6).astype(np.float32) for _ in range(4)])
    assert np.allclose(fused(inputs, training=training), stock(inputs, training=training), atol=2e-5)
    for weight, other in zip(fused.get_weights(), stock.get_weights(), strict=True):
        # The kernel uses the unbiased variance: 400 / 399 of the other.
        assert np.allclose(weight, other, rtol=3e-3)


@pytest.mark.parametrize("name", ["basic", "fiveclass", "batchnorm", "vgg", "residual"])
def test_smallest_and_deepest_network_of_the_limits_can_be_built(name):
    smallest = int(find_setting(Recipe, "net.input_size").limits.bounds.low)
    deepest = int(find_setting(Recipe, "net.depth").limits.length.high)
    for size in (smallest, networks.SIDE):
        net = NetworkSettings(name=name, width=2, depth=(1,) * deepest, input_size=size)
        assert build_network(net).count_params() > 0


# Views


@pytest.mark.parametrize(
    "net",
    [SMALL, NetworkSettings(name="vgg", width=4, depth=(1, 1)), NetworkSettings(name="basic")],
    ids=lambda net: net.name,
)
def test_two_views_are_the_mean_of_face_and_mirror_image(net):
    single, double = build_network(net), build_network(replace(net, views=2))
    assert [weight.shape for weight in double.weights] == [weight.shape for weight in single.weights]
    double.set_weights(single.get_weights())
    faces = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    mirrored = np.ascontiguousarray(faces[:, :, ::-1])
    first, second = (keras.tree.flatten(single(each, training=False)) for each in (faces, mirrored))
    mean, mean_mirrored = (keras.tree.flatten(double(each, training=False)) for each in (faces, mirrored))
    for head in range(2):
        assert np.abs(np.asarray(first[head]) - np.asarray(second[head])).max() > 1e-3
        np.testing.assert_allclose(mean[head], (np.asarray(first[head]) + np.asarray(second[head])) / 2, atol=1e-4)
        np.testing.assert_allclose(mean[head], mean_mirrored[head], atol=1e-4)


def test_two_views_double_the_multiply_adds_of_the_trunk():
    single, double = build_network(SMALL), build_network(replace(SMALL, views=2))
    assert double.count_params() == single.count_params()
    heads = 8 * (7 + 8)
    assert count_multiply_adds(double) - heads == 2 * (count_multiply_adds(single) - heads)


def test_only_the_finished_network_has_several_views():
    recipe = Recipe(net=replace(SMALL, views=2))
    models = [networks.build_recipe_network(recipe, "float32", finished) for finished in (False, True)]
    assert ["mirrored" in [layer.name for layer in model.layers] for model in models] == [False, True]


@pytest.mark.parametrize("name", ["residual", "basic"])
def test_four_views_are_face_and_mirror_image_in_two_crops(name):
    net = NetworkSettings(name=name, width=4, depth=(1, 1))
    single, four = build_network(net), build_network(replace(net, views=4))
    four.set_weights(single.get_weights())
    faces = np.random.default_rng(1).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    # Each crop, shifted to the crop of a network with one view.
    views = [np.roll(each, (shift, shift), (1, 2)) for each in (faces, faces[:, :, ::-1]) for shift in (2, -2)]
    outputs = [single(np.ascontiguousarray(view), training=False) for view in views]
    logits = [np.asarray(keras.tree.flatten(output)[0]) for output in outputs]
    mean = np.asarray(keras.tree.flatten(four(faces, training=False))[0])
    np.testing.assert_allclose(mean, np.mean(logits, axis=0), atol=1e-4)
    assert max(np.abs(each - mean).max() for each in logits) > 1e-3
    difference = count_multiply_adds(four) - 4 * count_multiply_adds(single)
    assert difference == -3 * sum(layer.kernel.shape[0] * layer.kernel.shape[1] for layer in four.layers[-2:])


@pytest.mark.parametrize("net", [NetworkSettings(views=4, crop=False), NetworkSettings(name="mobilenetv2", views=4)])
def test_four_views_without_a_crop_are_refused(net):
    with pytest.raises(ExperimentError, match=r"net\.views is 4"):
        build_network(net)
