"""Transfer: a trunk that has learnt something else learns faster; what does not fit is refused."""

from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
fit = pytest.importorskip("mien.training.loop")
pytestmark = pytest.mark.train

from mien.training import checkpoint, networks, schedule, transfer  # noqa: E402
from mien.training.callbacks import EpochEvent, MessageEvent  # noqa: E402

NET = NetworkSettings(width=8, depth=(1, 1), dropout=0.0)
FIT = TrainingSettings(epochs=6, batch_size=32, learning_rate=0.1, warmup=0.5, precision="float32", ema=0.5)
#: Four expressions are learnt first, and the other three from few faces.
FIRST = Recipe(data=DataSettings(validation=20, classes=("angry", "disgust", "fear", "happy")), net=NET, augment=NO_AUGMENTATION, training=FIT)
FEW = replace(
    FIRST,
    data=DataSettings(validation=60, classes=("sad", "surprise", "neutral")),
    training=replace(FIT, epochs=3, batch_size=16, learning_rate=0.05, fine_tune_rate=0.5, frozen_epochs=1),
)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    """A finished, if short, run on four expressions."""
    folder = tmp_path_factory.mktemp("first")
    fit.fit(replace(FIRST, training=replace(FIT, epochs=1)), synthetic.draw_faces(350, seed=5), folder)
    return folder


def with_weights(recipe, weights):
    return replace(recipe, net=replace(recipe.net, weights=str(weights)))


@pytest.mark.slow
def test_what_was_learnt_elsewhere_is_a_head_start(tmp_path):
    """On three expressions it has never seen, from a few hundred faces."""
    fit.fit(FIRST, synthetic.draw_faces(3500, seed=5), tmp_path / "first")
    few, ends = synthetic.draw_faces(560, seed=6), {}
    for name, recipe in {"scratch": FEW, "transfer": with_weights(FEW, tmp_path / "first")}.items():
        model = fit.fit(recipe, few, tmp_path / name)
        asked = synthetic.draw_faces(1400, seed=7).only(FEW.data.classes)
        ends[name] = np.mean(fit.logits(model, asked.pixels)[0].argmax(1) == asked.labels)
    assert ends["transfer"] > ends["scratch"] + 0.1


def test_in_the_first_phase_only_the_heads_learn(learned, tmp_path):
    frozen, seen, told = with_weights(FEW, learned), [], []
    run_weights = checkpoint.read_arrays(learned / checkpoint.WEIGHTS)

    def watch(event):
        told.append(event)
        if isinstance(event, EpochEvent):
            arrays, _ = checkpoint.load_state(tmp_path, frozen)
            seen.append([np.array_equal(*pair) for pair in zip(arrays, run_weights, strict=False)])

    fit.fit(frozen, synthetic.draw_faces(350, seed=6), tmp_path, watch=watch)
    notes = [event.text for event in told if isinstance(event, MessageEvent)]
    assert notes == [f"5,096 parameters of the trunk begin with the weights of {learned.name}"]
    trunk = len(run_weights) - 4
    assert all(seen[0][:trunk])
    assert not any(seen[0][trunk : trunk + 1])
    assert sum(seen[1][:trunk]) < trunk / 2


#: What NumPy 2 says of Keras's own saving.
quiet = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning", "ignore:.*HDF5 file.*")


@quiet
def test_a_keras_file_serves_as_well(learned, tmp_path):
    source = networks.build_recipe_network(FIRST, "float32")
    checkpoint.load_weights(learned, source)
    for name in ("net.keras", "net.h5"):
        source.save(tmp_path / name)
        model = networks.build_recipe_network(FEW, "float32")
        transfer.load_initial_weights(model, with_weights(FEW, tmp_path / name))
        for layer in transfer.list_trunk_layers(model):
            for mine, theirs in zip(layer.get_weights(), source.get_layer(layer.name).get_weights(), strict=True):
                assert np.array_equal(mine, theirs)


@quiet
def test_a_file_that_keras_made_for_a_well_known_network(tmp_path):
    """As the ImageNet files are: weights alone, ``.h5``, without a head."""
    recipe = Recipe(net=NetworkSettings(name="mobilenetv2", weights=str(tmp_path / "mobile.weights.h5")))
    source = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(48, 48, 3))
    source.save_weights(tmp_path / "mobile.weights.h5")
    model = networks.build_recipe_network(recipe, "float32")
    assert "2,257,984 parameters" in transfer.load_initial_weights(model, recipe)
    assert np.array_equal(model.get_layer("Conv1").kernel, source.get_layer("Conv1").kernel)


@pytest.mark.parametrize(
    ("net", "said"),
    [
        (replace(NET, width=4), r"its .*stem_conv/kernel has the shape \(3, 3, 1, 8\) instead of \(3, 3, 1, 4\)"),
        (replace(NET, depth=(2, 2, 2)), r"it holds \d+ arrays, and the trunk has \d+"),
        (NetworkSettings(name="basic"), r"has the shape .*Set net.name, net.width and net.depth as they were there"),
    ],
)
def test_another_trunk_is_refused(learned, net, said):
    recipe = with_weights(Recipe(net=net), learned)
    with pytest.raises(ExperimentError, match=rf"The weights of 'weights.npz' do not fit this net: .*{said}"):
        transfer.load_initial_weights(networks.build_recipe_network(recipe, "float32"), recipe)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("missing.npz", None, r"no such file or finished run.*net.weights=none"),
        ("torn.npz", b"PK\x03\x04", r"The weights in 'torn.npz' cannot be read"),
        ("torn.keras", b"no zip", r"The weights in 'torn.keras' cannot be read"),
        ("torn.h5", b"no hdf", r"The weights in 'torn.h5' cannot be read"),
    ],
)
def test_files_that_are_no_weights(tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    recipe = with_weights(Recipe(net=NET), tmp_path / name)
    with pytest.raises(ExperimentError, match=said):
        transfer.load_initial_weights(networks.build_recipe_network(recipe, "float32"), recipe)


def test_imagenet_that_cannot_be_fetched_is_one_sentence(monkeypatch):
    def refused(*words, **named):
        try:
            raise URLError("no route")
        except URLError as error:
            raise Exception(f"URL fetch failure: {error}")  # noqa: B904  # as Keras raises it

    broken = replace(networks.APPLICATIONS["vgg16"], network=refused)
    monkeypatch.setitem(networks.APPLICATIONS, "vgg16", broken)
    recipe = Recipe(net=NetworkSettings(name="vgg16", weights="imagenet"))
    with pytest.raises(ExperimentError, match=r"weights of vgg16 cannot be fetched.*local file.*net.weights=none"):
        transfer.load_initial_weights(networks.build_network(NET), recipe)


def test_our_own_nets_have_nothing_from_imagenet():
    recipe = with_weights(Recipe(net=NET), "imagenet")
    with pytest.raises(ExperimentError, match=r"residual is a net of our own.*vgg16.*net.weights=none"):
        transfer.load_initial_weights(networks.build_network(NET), recipe)


def test_the_rate_has_two_phases_where_there_are_weights():
    plan = Recipe(net=NetworkSettings(weights="run"), training=TrainingSettings(epochs=10, learning_rate=0.1, warmup=0.0, frozen_epochs=2, fine_tune_rate=0.1))
    rates = [schedule.rate_of(plan, epoch, []) for epoch in (0, 1.9, 2, 6, 10)]
    assert rates == pytest.approx([0.1, 0.1, 0.01, 0.005, 0])
    bare = replace(plan, net=NetworkSettings())
    assert schedule.frozen(bare) == 0
    assert schedule.rate_of(bare, 0, []) == pytest.approx(0.1)


def test_a_frozen_norm_keeps_to_what_it_has():
    model = networks.build_network(NET)
    before = model.get_layer("stem_norm").get_weights()
    with transfer.freeze_trunk(model):
        assert {weight.path.split("/")[0] for weight in model.trainable_variables} == {"shares", "votes"}
        model(np.full((2, 48, 48, 1), 99, np.float32), training=True)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_layer("stem_norm").get_weights(), strict=True))
    model(np.full((2, 48, 48, 1), 99, np.float32), training=True)
    assert not np.array_equal(before[2], model.get_layer("stem_norm").get_weights()[2])
