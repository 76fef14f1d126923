"""The nets: as many parameters as their layers imply, raw pixels in, and a fused norm that computes what Keras does."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from mien.errors import ExperimentError
from mien.training import recipe as bounds
from mien.training.recipe import NetworkSettings, Recipe, TrainingSettings
from network_parameters import conv, residual_parameters

keras = pytest.importorskip("keras")
nets = pytest.importorskip("mien.training.networks")
pytestmark = pytest.mark.train

SMALL = NetworkSettings(width=4, depth=(1, 2))


@pytest.mark.parametrize(("width", "depth"), [(4, (1, 2)), (8, (1, 1, 1)), (32, (2, 2, 2))])
def test_residual_nets_have_the_parameters_of_their_layers(width, depth):
    assert nets.build(NetworkSettings(width=width, depth=depth)).count_params() == residual_parameters(width, depth)


def test_the_basic_net_has_the_parameters_of_its_layers():
    model = nets.build(NetworkSettings(name="basic", votes=False, crop=False))
    # 48 -> 46 -> 23 -> 21 -> 10 -> 8 -> 4 pixels
    convs = (9 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128
    assert model.count_params() == convs + (4 * 4 * 128 + 1) * 128 + (128 + 1) * 7


def test_the_five_class_net_has_the_parameters_of_its_layers():
    model = nets.build(NetworkSettings(name="fiveclass", votes=False, crop=False), classes=5)
    # 48 -> 46 -> 44 -> 22 -> 20 -> 10 -> 8 -> 4 pixels
    convs = (9 + 1) * 32 + (9 * 32 + 1) * 64 + (9 * 64 + 1) * 128 + (9 * 128 + 1) * 128
    assert model.count_params() == convs + (4 * 4 * 128 + 1) * 1024 + (1024 + 1) * 5


@pytest.mark.parametrize("order", ["norm-pool", "pool-norm"])
@pytest.mark.parametrize(("blocks", "flat"), [(3, 6 * 6 * 128), (4, 3 * 3 * 256)])
def test_the_batchnorm_net_has_the_parameters_of_its_layers(order, blocks, flat):
    net = NetworkSettings(name="batchnorm", width=32, depth=(1,) * blocks, order=order, votes=False, crop=False)
    widths = [1, *(32 * 2**block for block in range(blocks))]
    biases = sum(widths[1:]) if order == "pool-norm" else 0  # before a norm a bias is of no use
    convs = sum(conv(3, inner, outer) + 4 * outer for inner, outer in itertools.pairwise(widths))
    dense = (flat + 4) * 512 + (512 + 4) * 256 + (256 + 1) * 7
    assert nets.build(net).count_params() == convs + biases + dense


def test_a_block_of_the_batchnorm_net_may_have_several_convolutions():
    one, two = (nets.build(NetworkSettings(name="batchnorm", width=32, depth=depth, votes=False)) for depth in ((1, 1), (1, 2)))
    more = conv(3, 64, 64) + 4 * 64
    assert two.count_params() - one.count_params() == more
    assert two.get_layer("block2_1_conv").output.shape[1:] == two.get_layer("block2_conv").output.shape[1:]


def test_the_order_decides_what_comes_first():
    names = [layer.name for layer in nets.build(NetworkSettings(name="batchnorm", width=4, depth=(1,), order="pool-norm")).layers]
    assert names.index("block1_pool") < names.index("block1_norm")
    with pytest.raises(ExperimentError, match=r"net.order is 'norm'"):
        nets.build(NetworkSettings(name="batchnorm", width=4, order="norm"))


def test_the_vgg_net_has_the_parameters_and_multiply_adds_of_its_layers():
    model = nets.build(NetworkSettings(name="vgg", width=32, depth=(2, 2, 2, 2), votes=False, crop=False))
    widths = [1, 32, 32, 64, 64, 128, 128, 256, 256]
    pairs = list(itertools.pairwise(widths))
    assert model.count_params() == sum(conv(3, a, b) + 4 * b for a, b in pairs) + (256 + 1) * 7
    sides = [48, 48, 24, 24, 12, 12, 6, 6]
    products = sum(side**2 * conv(3, a, b) for side, (a, b) in zip(sides, pairs, strict=True))
    assert nets.multiply_adds(model) == products + 256 * 7


@pytest.mark.parametrize(
    ("name", "trunk", "features"),
    [
        ("vgg16", 14_714_688, 512),
        ("mobilenetv2", 2_257_984, 1280),
        ("efficientnetb0", 4_049_571, 1280),
        pytest.param("resnet50v2", 23_564_800, 2048, marks=pytest.mark.slow),
    ],
)
def test_well_known_networks_have_the_parameters_that_are_known_of_them(name, trunk, features):
    model = nets.build(NetworkSettings(name=name, votes=False))
    assert model.count_params() == trunk + (features + 1) * 7


def test_the_norms_of_a_well_known_network_follow_within_an_epoch():
    """At MobileNetV2's own 0.999 a run of few steps answers everything alike."""
    norms = [each for each in nets.build(NetworkSettings(name="mobilenetv2", input_size=48)).layers if hasattr(each, "moving_mean")]
    assert len(norms) == 52
    assert {each.momentum for each in norms} == {0.99}


def test_well_known_networks_see_the_side_asked_for():
    model = nets.build(NetworkSettings(name="mobilenetv2", input_size=96))
    assert model.get_layer("Conv1").input.shape == (None, 96, 96, 3)
    assert model.inputs[0].shape == (None, 48, 48, 1)


def test_multiply_adds_of_the_basic_net_by_hand():
    model = nets.build(NetworkSettings(name="basic", votes=False, crop=False))
    convs = 46**2 * 9 * 32 + 21**2 * 9 * 32 * 64 + 8**2 * 9 * 64 * 128
    assert nets.multiply_adds(model) == convs + 2048 * 128 + 128 * 7


def test_an_unknown_net_names_the_nearest():
    with pytest.raises(ExperimentError, match=r"no net 'resdual'.*Did you mean 'residual'"):
        nets.build(NetworkSettings(name="resdual"))


def test_the_precision_is_the_nets_alone():
    before = keras.config.dtype_policy()
    model = nets.build(SMALL, "mixed_bfloat16")
    assert model.get_layer("stem_conv").compute_dtype == "bfloat16"
    assert {head.dtype for head in model.outputs} == {"float32"}
    assert keras.config.dtype_policy() == before


def test_heads_are_for_labels_and_votes():
    model = nets.build(SMALL)
    assert {name: head.shape for name, head in zip(model.output_names, model.outputs, strict=True)} == {
        "shares": (None, 7),
        "votes": (None, 8),
    }
    assert nets.build(NetworkSettings(width=4, depth=(1,), votes=False)).output_names == ["shares"]


def test_faces_are_rescaled_inside():
    model = nets.build(SMALL)
    inside = keras.Model(model.inputs, model.get_layer("cropped").output)
    black_and_white = np.stack([np.zeros((48, 48, 1), np.float32), np.full((48, 48, 1), 255, np.float32)])
    seen = np.asarray(inside([black_and_white]))
    assert seen.shape == (2, 44, 44, 1)
    assert seen[:, 0, 0, 0].tolist() == [-2.0, 2.0]


@pytest.mark.parametrize("training", [False, True])
def test_the_fused_norm_does_what_batch_normalisation_does(training):
    rng = np.random.default_rng(0)
    inputs = rng.normal(3, 2, (16, 5, 5, 6)).astype(np.float32)
    ours, stock = nets.FusedNorm(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for layer in (ours, stock):
        layer.build(inputs.shape)
        layer.set_weights([np.random.default_rng(1).uniform(0.5, 2, 6).astype(np.float32) for _ in range(4)])
    assert np.allclose(ours(inputs, training=training), stock(inputs, training=training), atol=2e-5)
    for mine, theirs in zip(ours.get_weights(), stock.get_weights(), strict=True):
        # The kernel follows the unbiased variance: 400 / 399 of the other.
        assert np.allclose(mine, theirs, rtol=3e-3)


@pytest.mark.parametrize("name", ["basic", "fiveclass", "batchnorm", "vgg", "residual"])
def test_what_a_recipe_may_ask_for_can_be_built(name):
    least, deepest = bounds.NUMBERS["net.input_size"].low, bounds.LENGTHS["net.depth"].high
    for side in (least, nets.SIDE):
        assert nets.build(NetworkSettings(name=name, width=2, depth=(1,) * deepest, input_size=side)).count_params() > 0


def test_the_words_that_a_recipe_may_say_are_those_that_are_understood():
    from mien.training.optimizer import optimizer_of

    for word in bounds.WORDS["training.optimizer"]:
        assert optimizer_of(Recipe(training=TrainingSettings(optimizer=word)))
    for word in bounds.WORDS["net.color"]:
        assert nets.colour_of(NetworkSettings(color=word)) in ("gray", "rgb")
    for word in bounds.WORDS["net.order"]:
        assert nets.build(NetworkSettings(name="batchnorm", width=2, depth=(1,), order=word))


MIRRORS = [
    NetworkSettings(width=4, depth=(1, 2)),
    NetworkSettings(name="vgg", width=4, depth=(1, 1)),
    NetworkSettings(name="basic"),
]


@pytest.mark.parametrize("net", MIRRORS, ids=lambda net: net.name)
def test_a_finished_net_may_look_into_the_mirror(net):
    once, both = nets.build(net), nets.build(replace(net, views=2))
    assert [weight.shape for weight in both.weights] == [weight.shape for weight in once.weights]
    both.set_weights(once.get_weights())
    faces = np.random.default_rng(0).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    turned = np.ascontiguousarray(faces[:, :, ::-1])
    one, other = (keras.tree.flatten(once(each, training=False)) for each in (faces, turned))
    answers, again = (keras.tree.flatten(both(each, training=False)) for each in (faces, turned))
    for head in range(2):
        assert np.abs(np.asarray(one[head]) - np.asarray(other[head])).max() > 1e-3
        np.testing.assert_allclose(answers[head], (np.asarray(one[head]) + np.asarray(other[head])) / 2, atol=1e-4)
        np.testing.assert_allclose(answers[head], again[head], atol=1e-4)


def test_looking_twice_costs_twice_but_for_the_heads():
    once, both = nets.build(SMALL), nets.build(replace(SMALL, views=2))
    assert both.count_params() == once.count_params()
    heads = 8 * (7 + 8)
    assert nets.multiply_adds(both) - heads == 2 * (nets.multiply_adds(once) - heads)


def test_only_the_finished_net_looks_twice():
    recipe = Recipe(net=replace(SMALL, views=2))
    names = [[layer.name for layer in nets.of_recipe(recipe, "float32", done).layers] for done in (False, True)]
    assert ["mirrored" in each for each in names] == [False, True]


@pytest.mark.parametrize("name", ["residual", "basic"])
def test_four_views_are_both_sides_from_two_corners(name):
    net = NetworkSettings(name=name, width=4, depth=(1, 1))
    once, four = nets.build(net), nets.build(replace(net, views=4))
    four.set_weights(once.get_weights())
    faces = np.random.default_rng(1).uniform(0, 255, (3, 48, 48, 1)).astype(np.float32)
    # What a corner shows, moved to where a net of one view looks.
    views = [np.roll(each, (by, by), (1, 2)) for each in (faces, faces[:, :, ::-1]) for by in (2, -2)]
    parts = [np.asarray(keras.tree.flatten(once(np.ascontiguousarray(each), training=False))[0]) for each in views]
    answer = np.asarray(keras.tree.flatten(four(faces, training=False))[0])
    np.testing.assert_allclose(answer, np.mean(parts, axis=0), atol=1e-4)
    assert max(np.abs(part - answer).max() for part in parts) > 1e-3
    heads = nets.multiply_adds(four) - 4 * nets.multiply_adds(once)
    assert heads == -3 * sum(layer.kernel.shape[0] * layer.kernel.shape[1] for layer in four.layers[-2:])


@pytest.mark.parametrize("net", [NetworkSettings(views=3), NetworkSettings(views=4, crop=False), NetworkSettings(name="mobilenetv2", views=4)])
def test_views_that_cannot_be_are_refused(net):
    with pytest.raises(ExperimentError, match=r"net\.views is [34]"):
        nets.build(net)
