"""Transfer learning: initial weights from runs and files, frozen epochs, and files that do not fit."""

import json
from dataclasses import replace
from urllib.error import URLError

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings
from mien.errors import ExperimentError
from mien.training.plan import RunPlan
from mien.training.recipe import NO_AUGMENTATION, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from exported_networks import write_finished_run  # noqa: E402
from mien.training import checkpoint, loop, networks, transfer  # noqa: E402
from mien.training.callbacks import EpochEvent, MessageEvent  # noqa: E402

NO_FACES = np.zeros((0, 48, 48, 1), np.uint8)
NET = NetworkSettings(width=8, depth=(1, 1), dropout=0.0)
SETTINGS = TrainingSettings(epochs=6, batch_size=32, learning_rate=0.1, warmup=0.5, precision="float32", ema=0.5)
#: Four expressions are learned first, and the other three from few faces.
FIRST = Recipe(
    name="first",
    data=DataSettings(validation=20, classes=("angry", "disgust", "fear", "happy")),
    net=NET,
    augment=NO_AUGMENTATION,
    training=SETTINGS,
)
SECOND = replace(
    FIRST,
    data=DataSettings(validation=60, classes=("sad", "surprise", "neutral")),
    training=replace(SETTINGS, epochs=3, batch_size=16, learning_rate=0.05, fine_tune_rate=0.5, frozen_epochs=1),
)


@pytest.fixture(scope="module")
def first_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    write_finished_run(folder, FIRST)
    return folder


def with_weights(recipe, weights):
    return replace(recipe, net=replace(recipe.net, weights=str(weights)))


@pytest.mark.slow
def test_pretrained_network_learns_faster(tmp_path):
    """On three expressions that the first network does not have, from a few hundred faces."""
    loop.train(RunPlan(FIRST, synthetic.draw_faces(3500, seed=5)), tmp_path / "first")
    few, accuracies = synthetic.draw_faces(560, seed=6), {}
    test = synthetic.draw_faces(1400, seed=7).only(SECOND.data.classes)
    for name, recipe in {"scratch": SECOND, "transfer": with_weights(SECOND, tmp_path / "first")}.items():
        model = loop.train(RunPlan(recipe, few), tmp_path / name)
        accuracies[name] = np.mean(loop.predict_logits(model, test.pixels)[0].argmax(1) == test.labels)
    assert accuracies["transfer"] > accuracies["scratch"] + 0.1


@pytest.mark.full
def test_only_the_heads_are_trained_in_frozen_epochs(first_run, tmp_path):
    recipe, unchanged, events = with_weights(SECOND, first_run), [], []
    initial = checkpoint.read_arrays(first_run / checkpoint.WEIGHTS)

    def compare_weights(event):
        events.append(event)
        if isinstance(event, EpochEvent):
            arrays = checkpoint.load_state(tmp_path, recipe).arrays
            unchanged.append([np.array_equal(*pair) for pair in zip(arrays, initial, strict=False)])

    loop.train(RunPlan(recipe, synthetic.draw_faces(350, seed=6)), tmp_path, callback=compare_weights)
    messages = [event.text for event in events if isinstance(event, MessageEvent)]
    assert messages == ["5,096 parameters of the trunk start from the weights of first"]
    trunk = len(initial) - 4
    assert all(unchanged[0][:trunk])
    assert not unchanged[0][trunk]
    assert sum(unchanged[1][:trunk]) < trunk / 2


def test_frozen_layers_are_not_trainable_and_keep_their_statistics():
    model = networks.build_network(NET)
    before = model.get_layer("stem_norm").get_weights()
    bright = np.full((2, 48, 48, 1), 99, np.float32)
    with transfer.freeze_trunk(model):
        assert {weight.path.split("/")[0] for weight in model.trainable_variables} == {"label", "votes"}
        model(bright, training=True)
    assert all(np.array_equal(*pair) for pair in zip(before, model.get_layer("stem_norm").get_weights(), strict=True))
    model(bright, training=True)
    assert not np.array_equal(before[2], model.get_layer("stem_norm").get_weights()[2])


#: Warnings of NumPy 2 and of Keras about the formats of Keras.
ignore_warnings = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning", "ignore:.*HDF5 file.*"
)


@ignore_warnings
@pytest.mark.parametrize("name", ["run", "net.keras", "net.h5"])
def test_weights_of_the_trunk_are_loaded_from_a_run_or_a_keras_file(name, first_run, tmp_path):
    source = networks.build_recipe_network(FIRST, "float32")
    checkpoint.load_weights(first_run, source)
    path = first_run
    if name != "run":
        path = tmp_path / name
        source.save(path)
    model = networks.build_recipe_network(SECOND, "float32")
    transfer.load_initial_weights(model, with_weights(SECOND, path), NO_FACES)
    for layer in transfer.list_trunk_layers(model):
        for weight, other in zip(layer.get_weights(), source.get_layer(layer.name).get_weights(), strict=True):
            assert np.array_equal(weight, other)


@pytest.mark.full
@ignore_warnings
def test_weights_of_a_keras_application_are_loaded(tmp_path):
    """From a file like those of ImageNet: weights alone, ``.h5``, without the head."""
    recipe = Recipe(net=NetworkSettings(name="mobilenetv2", weights=str(tmp_path / "mobile.weights.h5")))
    source = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=(48, 48, 3))
    source.save_weights(tmp_path / "mobile.weights.h5")
    model = networks.build_recipe_network(recipe, "float32")
    assert "2,257,984 parameters" in transfer.load_initial_weights(model, recipe, NO_FACES)
    assert np.array_equal(model.get_layer("Conv1").kernel, source.get_layer("Conv1").kernel)


@pytest.mark.parametrize(
    ("net", "message"),
    [
        (replace(NET, width=4), r"its .*stem_conv/kernel has the shape \(3, 3, 1, 8\) instead of \(3, 3, 1, 4\)"),
        (replace(NET, depth=(2, 2, 2)), r"the file has \d+ arrays, and the trunk has \d+"),
        (NetworkSettings(name="basic"), r"has the shape .*Set net.name, net.width and net.depth as in the network"),
    ],
)
def test_weights_of_another_trunk_are_refused(first_run, net, message):
    recipe = with_weights(Recipe(net=net), first_run)
    with pytest.raises(ExperimentError, match=rf"The weights of 'weights.npz' do not fit this network: .*{message}"):
        transfer.load_initial_weights(networks.build_recipe_network(recipe, "float32"), recipe, NO_FACES)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npz", None, r"no such file or finished run.*net.weights=none"),
        ("cut.npz", b"PK\x03\x04", r"The weights in 'cut.npz' cannot be read"),
        ("cut.keras", b"no zip", r"The weights in 'cut.keras' cannot be read"),
        ("cut.h5", b"no hdf", r"The weights in 'cut.h5' cannot be read"),
    ],
)
def test_missing_or_damaged_weights_are_refused(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    recipe = with_weights(Recipe(net=NET), tmp_path / name)
    with pytest.raises(ExperimentError, match=message):
        transfer.load_initial_weights(networks.build_recipe_network(recipe, "float32"), recipe, NO_FACES)


def test_failed_download_of_imagenet_weights_is_explained(monkeypatch):
    def fail(**options):
        try:
            raise URLError("no route")
        except URLError as error:
            raise Exception(f"URL fetch failure: {error}")  # noqa: B904  # as Keras raises it

    broken = replace(networks.APPLICATIONS["vgg16"], network=fail)
    monkeypatch.setitem(networks.APPLICATIONS, "vgg16", broken)
    recipe = Recipe(net=NetworkSettings(name="vgg16", weights="imagenet"))
    with pytest.raises(ExperimentError, match=r"weights of vgg16 cannot be downloaded.*local file.*net.weights=none"):
        transfer.load_initial_weights(networks.build_network(NET), recipe, NO_FACES)


def test_networks_of_mien_have_no_imagenet_weights():
    recipe = with_weights(Recipe(net=NET), "imagenet")
    with pytest.raises(ExperimentError, match=r"residual is no Keras application.*vgg16.*net.weights=none"):
        transfer.load_initial_weights(networks.build_network(NET), recipe, NO_FACES)


# dlib's face recognition network

FACE_NET = NetworkSettings(name="face_resnet", input_size=96, votes=False)
BLOCKS = [("conv32_down", "stem"), *((f"conv32_{block}", f"stage1_block{block}") for block in (1, 2, 3))]
for STAGE, (WIDTH, COUNT) in enumerate(networks.FACE_RESNET_STAGES[1:], start=2):
    BLOCKS += [
        (f"conv{WIDTH}_down" if b == 1 else f"conv{WIDTH}_{b - 1}", f"stage{STAGE}_block{b}")
        for b in range(1, COUNT + 1)
    ]


def write_manifest(folder, skip=""):
    """Random weights with the names and shapes of dlib's network, in the format of TensorFlow.js; the arrays."""
    rng, model = np.random.default_rng(0), networks.build_network(FACE_NET)
    entries, content, arrays = [], b"", {}
    for name, layer in BLOCKS:
        for part, number in {"": ""}.items() if layer == "stem" else {"/conv1": "_1", "/conv2": "_2"}.items():
            kernel = model.get_layer(f"{layer}{number}_conv").weights[0].shape
            shapes = {
                "conv/filters": kernel,
                "conv/bias": kernel[3:],
                "scale/weights": kernel[3:],
                "scale/biases": kernel[3:],
            }
            for kind, shape in shapes.items():
                entry = {"name": f"{name}{part}/{kind}", "shape": list(shape), "dtype": "float32"}
                if kind == "conv/filters":
                    values = rng.integers(0, 256, shape, np.uint8)
                    scale = 2 / 255 / np.sqrt(np.prod(shape[:3]))
                    entry["quantization"] = {"dtype": "uint8", "scale": scale, "min": -128 * scale}
                    arrays[entry["name"]] = (values * scale - 128 * scale).astype(np.float32)
                else:
                    values = rng.uniform(0.5, 1.0, shape).astype(np.float32)
                    arrays[entry["name"]] = values
                if entry["name"] != skip:
                    entries.append(entry)
                    content += values.tobytes()
    (folder / "net.bin").write_bytes(content)
    manifest = folder / "net-weights_manifest.json"
    manifest.write_text(json.dumps([{"paths": ["net.bin"], "weights": entries}]))
    return manifest, arrays


def test_face_recognition_weights_are_applied_as_written(tmp_path):
    """The first layers by hand: convolution, then a scale and an offset, whatever the batch statistics are."""
    manifest, arrays = write_manifest(tmp_path)
    model, faces = networks.build_network(FACE_NET), synthetic.draw_faces(40, seed=5).pixels[..., None]
    message = transfer.load_initial_weights(model, with_weights(Recipe(net=FACE_NET), manifest), faces)
    assert "start from the weights of net-weights_manifest.json" in message
    stem = keras.Model(model.inputs[0], [model.get_layer(name).output for name in ("rescaled", "stem_norm")])
    rescaled, actual = (np.asarray(each) for each in stem(faces[:2].astype(np.float32), training=False))
    convolved = np.array(keras.ops.conv(rescaled, arrays["conv32_down/conv/filters"], 2, "valid"))
    convolved += arrays["conv32_down/conv/bias"]
    expected = convolved * arrays["conv32_down/scale/weights"] + arrays["conv32_down/scale/biases"]
    np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-3)
    # Batch normalisation has the statistics of the faces, so that training continues from the same network.
    inputs = keras.Model(model.inputs[0], model.get_layer("stage4_block3_2_norm").input)(
        faces.astype(np.float32), training=False
    )
    norm = model.get_layer("stage4_block3_2_norm")
    np.testing.assert_allclose(norm.moving_mean, np.asarray(inputs).mean((0, 1, 2)), rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(norm.moving_variance, np.asarray(inputs).var((0, 1, 2)), rtol=1e-2, atol=1e-2)


def test_batch_statistics_do_not_change_what_the_face_recognition_network_computes(tmp_path):
    """Loaded with the statistics of two sets of faces, the trunk has the same features."""
    manifest, _ = write_manifest(tmp_path)
    faces = synthetic.draw_faces(56, seed=5).pixels[..., None]
    features, variances = [], []
    for part in (faces[:28], 255 - faces[28:]):
        model = networks.build_network(FACE_NET)
        transfer.load_initial_weights(model, with_weights(Recipe(net=FACE_NET), manifest), part)
        trunk = keras.Model(model.inputs[0], model.get_layer("label").input)
        features.append(np.asarray(trunk(faces.astype(np.float32), training=False)))
        variances.append(np.asarray(model.get_layer("stem_norm").moving_variance))
    assert not np.allclose(variances[0], variances[1], rtol=0.01)
    assert features[0].std() > 0
    np.testing.assert_allclose(features[0], features[1], rtol=1e-3, atol=1e-3 * np.abs(features[0]).max())


def test_damaged_face_recognition_weights_are_explained(tmp_path):
    manifest, _ = write_manifest(tmp_path)
    model, faces = networks.build_network(FACE_NET), synthetic.draw_faces(7).pixels[..., None]
    content, text = (tmp_path / "net.bin").read_bytes(), manifest.read_text()

    def assert_refused(happened):
        with pytest.raises(ExperimentError, match=rf"'net-weights_manifest.json' cannot be read: .*{happened}"):
            transfer.load_initial_weights(model, with_weights(Recipe(net=FACE_NET), manifest), faces)

    (tmp_path / "net.bin").write_bytes(content[: len(content) // 2])
    assert_refused("buffer")
    (tmp_path / "net.bin").unlink()
    assert_refused("No such file")
    (tmp_path / "net.bin").write_bytes(content)
    for damaged in (text[:500], "{}", "[{}]", "[1]", "null"):
        manifest.write_text(damaged)
        assert_refused("")
    manifest.unlink()
    with pytest.raises(ExperimentError, match="no such file or finished run"):
        transfer.load_initial_weights(model, with_weights(Recipe(net=FACE_NET), manifest), faces)


@pytest.mark.parametrize(
    ("net", "skip", "message"),
    [
        (NET, "", "the network is residual, and the weights are those of face_resnet"),
        (FACE_NET, "conv64_1/conv2/scale/biases", "conv64_1/conv2/scale/biases"),
    ],
)
def test_face_recognition_weights_that_do_not_fit_are_refused(tmp_path, net, skip, message):
    manifest, _ = write_manifest(tmp_path, skip)
    with pytest.raises(ExperimentError, match=message):
        transfer.load_initial_weights(
            networks.build_network(net),
            with_weights(Recipe(net=net), manifest),
            synthetic.draw_faces(7).pixels[..., None],
        )
