"""A whole training run: the files of its folder, resuming, replacing, and what is refused."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError
from mien.evaluation.compare import compare_models, read_evaluation
from mien.training import run_folder
from mien.training.callbacks import EpochEvent, MessageEvent, TrainingStopped
from mien.training.recipe import AugmentationSettings, LossSettings, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from mien.models import ModelCard, OnnxClassifier, resolve_model  # noqa: E402
from mien.training import checkpoint  # noqa: E402
from mien.training.plan import RunPlan  # noqa: E402
from mien.training.run import run_training  # noqa: E402

QUICK = Recipe(
    name="quick",
    data=DataSettings(validation=14, sources=(SourceSettings("/abc/x.csv"),)),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(mixup=0.0),
    training=TrainingSettings(epochs=2, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)
#: In the order of the table in the docstring of run_folder.
FILES = {
    *("recipe.toml", "environment.json", "architecture.png", "history.csv", "state.npz", "state.before.npz"),
    *("best.npz", "weights.npz", "emotion_model.keras", "emotion_model.h5", "model.onnx", "accuracy.png", "loss.png"),
    *("confusion.png", "predictions.csv", "metrics.json"),
}


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(210, seed=1)


@pytest.fixture(scope="module")
def finished(faces, tmp_path_factory):
    """The folder of a finished run; tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("runs") / "deep" / "quick"
    run_training(QUICK, faces, folder, command="mien train quick.toml")
    return folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of the finished run."""
    return shutil.copytree(finished, tmp_path / "quick")


def read_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def list_epochs(events):
    return [event for event in events if isinstance(event, EpochEvent)]


def list_messages(events):
    return [event.text for event in events if isinstance(event, MessageEvent)]


# The files


def test_finished_run_has_all_files(finished):
    assert {path.name for path in finished.iterdir()} == FILES
    assert set(run_folder.FILES) - FILES == {run_folder.LOCK}
    for path in finished.glob("*.png"):
        with Image.open(path) as figure:
            assert min(figure.size) > 300


def test_recipe_is_written(finished):
    assert checkpoint.read_recipe(finished) == QUICK
    assert run_folder.read_run(finished).state == "finished"


def test_environment_describes_data_versions_and_machine(finished, faces):
    facts = json.loads((finished / "environment.json").read_text("utf-8"))
    assert facts["data"]["fingerprint"] == RunPlan(QUICK, faces).fingerprint
    assert facts["data"]["splits"] == {"Training": 168, "PublicTest": 21, "PrivateTest": 21}
    assert {"python", "numpy", "keras"} <= set(facts["versions"])
    assert facts["machine"]["cores"] >= 1
    assert (facts["seed"], facts["command"]) == (0, "mien train quick.toml")


def test_fingerprint_depends_on_every_part_of_the_data(faces):
    labels, usage, votes, pixels = (np.array(part) for part in (faces.labels, faces.usage, faces.votes, faces.pixels))
    labels[0], usage[0], votes[0], pixels[0, 0, 0] = (labels[0] + 1) % 7, "PrivateTest", 0, pixels[0, 0, 0] ^ 1
    changed = [replace(faces, labels=labels), replace(faces, usage=usage), replace(faces, votes=votes)]
    changed += [replace(faces, pixels=pixels), replace(faces, groups=np.full(len(faces), "me"))]
    assert len({RunPlan(QUICK, each).fingerprint for each in (faces, *changed)}) == 6


def test_metrics_are_those_of_the_model(finished, faces):
    metrics = json.loads((finished / "metrics.json").read_text("utf-8"))
    test = faces.split("PublicTest")
    scores = OnnxClassifier(resolve_model(finished).read_bytes()).run(test.pixels[..., None]).label_scores
    assert metrics["accuracy"] == pytest.approx(np.mean(scores.argmax(1) == test.labels))
    assert (metrics["split"], metrics["faces"], metrics["training"]["epochs"]) == ("public", 21, 2)
    assert metrics["training"]["best_epoch"] in (1, 2)


def test_two_runs_can_be_compared(finished):
    model = read_evaluation(finished)
    assert compare_models([model, model]).test is not None


@pytest.mark.parametrize("name", ["emotion_model.keras", "emotion_model.h5"])
def test_plain_keras_loads_the_network_and_predicts_the_same(finished, faces, name):
    plain = keras.models.load_model(finished / name, compile=False, safe_mode=True)
    assert {type(layer).__module__.partition(".")[0] for layer in plain.layers} == {"keras"}
    batch = faces.split("PublicTest").pixels[:5, ..., None]
    outputs = OnnxClassifier(resolve_model(finished).read_bytes()).run(batch)
    scores, votes, label_scores = (np.asarray(each) for each in plain(batch.astype(np.float32), training=False))
    assert np.abs(scores - outputs.scores).max() < 1e-4
    assert np.abs(votes - outputs.votes).max() < 1e-4
    assert np.abs(label_scores - outputs.label_scores).max() < 1e-4


def test_card_has_metrics_and_recipe_without_folders(finished):
    card = ModelCard.read(finished / "model.onnx")
    assert card.recipe["data"]["sources"][0]["path"] == "x.csv"
    assert card.metrics["split"] == "public"
    assert set(card.metrics["per_class"]) == set(card.labels)
    assert "/abc" not in card.to_json()


# Resuming


def test_finished_run_is_left_unchanged(folder, faces):
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    events = []
    metrics = run_training(QUICK, faces, folder, callback=events.append)
    assert metrics["training"]["epochs"] == 2
    assert any("finished already" in message for message in list_messages(events))
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


@pytest.mark.full
def test_views_of_a_finished_run_can_change_without_training(finished, folder, faces):
    single, events = OnnxClassifier((folder / "model.onnx").read_bytes()), []
    recipe = replace(QUICK, net=replace(QUICK.net, views=2))
    metrics = run_training(recipe, faces, folder, callback=events.append)
    assert list_epochs(events) == []
    double = OnnxClassifier((folder / "model.onnx").read_bytes())
    assert double.card.recipe["net"]["views"] == 2
    assert checkpoint.read_recipe(folder) == recipe
    batch = faces.pixels[:9, ..., None]
    mirrored = np.ascontiguousarray(batch[:, :, ::-1])
    assert np.abs(single.run(batch).scores - single.run(mirrored).scores).max() > 1e-3
    np.testing.assert_allclose(double.run(batch).scores, double.run(mirrored).scores, atol=1e-5)
    assert metrics["model"]["multiply_adds"] > 1.9 * single.card.multiply_adds
    assert {path.name for path in folder.iterdir()} == FILES - {"emotion_model.h5"}  # HDF5 does not support views
    assert (folder / "architecture.png").read_bytes() != (finished / "architecture.png").read_bytes()
    run_training(QUICK, faces, folder)
    assert (folder / "emotion_model.h5").exists()


@pytest.mark.full
def test_stopped_run_is_resumed(faces, finished, tmp_path):
    folder, events = tmp_path / "quick", []
    with pytest.raises(TrainingStopped):
        run_training(QUICK, faces, folder, callback=events.append, should_stop=lambda: bool(list_epochs(events)))
    assert run_folder.read_run(folder).state == "stopped"
    assert not (folder / "metrics.json").exists()
    events.clear()
    run_training(QUICK, faces, folder, callback=events.append)
    assert any("Resuming in epoch 2, after step 1" in message for message in list_messages(events))
    facts = json.loads((folder / "environment.json").read_text("utf-8"))
    assert [each["after_epochs"] for each in facts["resumed"]] == [1]
    weights = (checkpoint.read_arrays(each / "weights.npz") for each in (folder, finished))
    assert all(np.array_equal(*pair) for pair in zip(*weights, strict=True))


@pytest.mark.full
def test_missing_results_are_written_again(faces, folder):
    for name in ("metrics.json", "model.onnx", "emotion_model.h5"):
        (folder / name).unlink()
    run_training(QUICK, faces, folder)
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.full
def test_finished_run_is_continued_with_more_epochs(faces, folder):
    longer = replace(QUICK, training=replace(QUICK.training, epochs=3))
    assert run_training(longer, faces, folder)["training"]["epochs"] == 3


@pytest.mark.full
def test_damaged_state_is_reported(faces, folder):
    (folder / "state.npz").write_bytes(b"PK\x03\x04")
    events = []
    run_training(QUICK, faces, folder, callback=events.append)
    assert any("state is damaged" in message for message in list_messages(events))
    assert [event.row["epoch"] for event in list_epochs(events)] == [2]


# What is refused


def test_results_without_a_state_are_not_replaced(faces, folder):
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (folder / name).unlink()
    before = read_files(folder)
    with pytest.raises(ExperimentError, match=r"has weights.npz of a run, and no state.npz.*--force"):
        run_training(QUICK, faces, folder)
    for name in before:
        if name != "model.onnx":
            (folder / name).unlink()
    with pytest.raises(ExperimentError, match=r"has model.onnx of a run"):
        run_training(QUICK, faces, folder)
    assert (folder / "model.onnx").read_bytes() == before["model.onnx"]


#: Twenty steps with weights that grow by orders of magnitude in each: an infinite loss in the first epoch.
DIVERGING = {
    "training": replace(QUICK.training, learning_rate=100, warmup=0.0, batch_size=7),
    "loss": LossSettings(vote_weight=1000),
}


@pytest.mark.parametrize(
    "change",
    [
        {"training": replace(QUICK.training, batch_size=5000)},
        pytest.param(DIVERGING, marks=pytest.mark.full),
    ],
    ids=["batch", "diverging"],
)
def test_previous_run_is_restored_when_its_replacement_fails(faces, folder, change):
    before = read_files(folder)
    with pytest.raises(ExperimentError):
        run_training(replace(QUICK, **change), faces, folder, force=True)
    assert read_files(folder) == before


def test_previous_run_is_restored_after_a_kill(faces, folder):
    before = read_files(folder)
    run_folder.move_aside(folder)
    assert {path.name for path in folder.iterdir()} == {run_folder.ASIDE}
    (folder / "recipe.toml").write_text("name = 'started and killed'")
    assert run_training(QUICK, faces, folder)["training"]["epochs"] == 2
    assert read_files(folder) == before


def test_other_recipe_and_other_faces_are_refused(faces, folder):
    wider = replace(QUICK, net=replace(QUICK.net, width=5))
    with pytest.raises(ExperimentError, match=r"another recipe: net.width was 4 and is 5.*--force"):
        run_training(wider, faces, folder)
    with pytest.raises(ExperimentError, match=r"other faces: its 210 have the fingerprint \w+, these 209"):
        run_training(QUICK, faces.take(np.arange(209)), folder)
    assert {path.name for path in folder.iterdir()} == FILES


@pytest.mark.full
def test_force_replaces_a_run_and_keeps_other_files(faces, folder):
    wider = replace(QUICK, net=replace(QUICK.net, width=5))
    (folder / "notes.txt").write_text("mine")
    run_training(wider, faces, folder, force=True)
    assert checkpoint.read_recipe(folder).net.width == 5
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"net": NetworkSettings(name="residul")}, "no network 'residul'.*Did you mean 'residual'"),
        ({"net": NetworkSettings(views=4, crop=False)}, "net.views is 4"),
        ({"training": TrainingSettings(batch_size=500)}, "One batch has 500"),
        ({"data": DataSettings(validation=14, classes=("happy",))}, "single class"),
        ({"data": DataSettings(validation=14, group="person")}, "column 'person'"),
        pytest.param(DIVERGING, r"loss is (nan|inf) in epoch 1.*learning_rate smaller", marks=pytest.mark.full),
    ],
)
def test_refused_run_leaves_no_files(faces, tmp_path, change, message):
    with pytest.raises(ExperimentError, match=message):
        run_training(replace(QUICK, **change), faces, tmp_path / "runs" / "x")
    assert list(tmp_path.iterdir()) == []


def test_classes_without_faces_are_named(faces, tmp_path):
    some = faces.take(~np.isin(faces.labels, [1, 2]) | (faces.usage != "Training"))
    message = r"no Training face of disgust, fear.*--classes angry,happy,sad,surprise,neutral"
    with pytest.raises(ExperimentError, match=message):
        run_training(QUICK, some, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


# Other data


ONE_EPOCH = replace(QUICK, training=replace(QUICK.training, epochs=1))


@pytest.mark.full
def test_data_without_votes_and_without_public_test(faces, tmp_path):
    reduced = replace(faces, votes=np.zeros_like(faces.votes)).take(faces.usage != "PublicTest")
    events = []
    metrics = run_training(ONE_EPOCH, reduced, tmp_path / "x", callback=events.append)
    assert "one head" in list_messages(events)[0]
    assert (metrics["split"], metrics["faces"]) == ("validation", 14)
    assert checkpoint.read_recipe(tmp_path / "x").net.votes is False
    assert OnnxClassifier(resolve_model(tmp_path / "x").read_bytes()).card.vote_labels == ()
    assert run_training(ONE_EPOCH, reduced, tmp_path / "x") == metrics


@pytest.mark.full
def test_small_data_set_has_fewer_validation_faces(faces, tmp_path):
    recipe, events = replace(ONE_EPOCH, data=DataSettings()), []
    metrics = run_training(recipe, faces, tmp_path / "x", callback=events.append)
    assert "33 are used for validation instead of 1,500" in list_messages(events)[0]
    assert checkpoint.read_recipe(tmp_path / "x").data.validation == 33
    assert metrics["calibration"]["faces"] == 33
    assert run_training(recipe, faces, tmp_path / "x") == metrics


@pytest.mark.full
def test_five_classes_with_folds_of_groups(faces, tmp_path):
    five = ("angry", "happy", "sad", "surprise", "neutral")
    people = replace(faces, groups=np.array([f"person {index % 9}" for index in range(len(faces))]))
    data = DataSettings(classes=five, folds=3, fold=2, group="person")
    metrics = run_training(replace(ONE_EPOCH, data=data), people, tmp_path / "x")
    assert metrics["labels"] == list(five)
    assert metrics["split"] == "validation"  # the fold, not a test split
    assert metrics["faces"] == metrics["calibration"]["faces"] == pytest.approx(120 / 3, abs=16)
