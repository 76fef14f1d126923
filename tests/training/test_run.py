"""A whole training: everything a run's folder holds, what it goes on from, and what it refuses."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, SourceSettings
from mien.errors import ExperimentError
from mien.training import run_folder
from mien.training.callbacks import EpochEvent, MessageEvent, TrainingStopped
from mien.training.recipe import AugmentationSettings, NetworkSettings, Recipe, TrainingSettings

keras = pytest.importorskip("keras")
pytest.importorskip("tensorflow")
pytestmark = pytest.mark.train

from mien.models import OnnxClassifier, resolve_model  # noqa: E402
from mien.training import checkpoint, run  # noqa: E402
from mien.training.environment import fingerprint_dataset  # noqa: E402

QUICK = Recipe(
    name="quick",
    data=DataSettings(validation=14),
    net=NetworkSettings(width=4, depth=(1,), dropout=0.1),
    augment=AugmentationSettings(mixup=0.0),
    training=TrainingSettings(epochs=2, batch_size=28, learning_rate=0.05, warmup=0.5, precision="float32", ema=0.9),
)
#: In the order of the table in run_folder's docstring.
WRITTEN = {
    *("recipe.toml", "environment.json", "architecture.png", "history.csv", "state.npz", "state.before.npz"),
    *("best.npz", "weights.npz", "emotion_model.keras", "emotion_model.h5", "model.onnx", "accuracy.png", "loss.png"),
    *("confusion.png", "answers.csv", "metrics.json"),
}


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(210, seed=1)


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def done(faces, told, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "deep" / "quick"
    run.run_training(QUICK, faces, folder, command="mien train quick.toml", watch=told.append)
    return folder


def test_the_folder_holds_everything_and_nothing_else(done):
    assert {path.name for path in done.iterdir()} == WRITTEN
    assert set(run_folder.FILES) - WRITTEN == {"recipe.json", ".training"}
    for path in done.glob("*.png"):
        with Image.open(path) as figure:
            assert min(figure.size) > 300


def test_the_recipe_is_written_as_it_was_followed(done):
    assert checkpoint.read_recipe(done) == QUICK
    assert run_folder.read_run(done).state == "finished"


def test_the_environment_says_where_it_was_made(done, faces):
    about = json.loads((done / "environment.json").read_text("utf-8"))
    assert about["data"]["fingerprint"] == fingerprint_dataset(faces)
    assert about["data"]["splits"] == {"Training": 168, "PublicTest": 21, "PrivateTest": 21}
    assert {"python", "numpy", "keras"} <= set(about["versions"])
    assert about["machine"]["cores"] >= 1
    assert (about["seed"], about["command"]) == (0, "mien train quick.toml")


def test_the_fingerprint_sees_every_part_of_the_faces(faces):
    labels, usage, votes, pixels = (np.array(part) for part in (faces.labels, faces.usage, faces.votes, faces.pixels))
    labels[0], usage[0], votes[0], pixels[0, 0, 0] = (labels[0] + 1) % 7, "PrivateTest", 0, pixels[0, 0, 0] ^ 1
    others = [replace(faces, labels=labels), replace(faces, usage=usage), replace(faces, votes=votes)]
    others += [replace(faces, pixels=pixels), replace(faces, groups=np.full(len(faces), "me"))]
    assert len({fingerprint_dataset(each) for each in (faces, *others)}) == 6


def test_the_figures_are_those_of_the_model(done, faces):
    metrics = json.loads((done / "metrics.json").read_text("utf-8"))
    test = faces.split("PublicTest")
    shares = OnnxClassifier(resolve_model(done).read_bytes()).run(test.pixels[..., None]).scores
    assert metrics["accuracy"] == pytest.approx(np.mean(shares.argmax(1) == test.labels))
    assert (metrics["split"], metrics["faces"], metrics["training"]["epochs"]) == ("public", 21, 2)
    assert metrics["training"]["best_epoch"] in (1, 2)


def test_two_runs_can_be_compared_as_they_are(done):
    from mien.evaluation.compare import compare_models, read_evaluation

    entry = read_evaluation(done)
    assert entry.right is not None
    assert entry.trained > 0
    assert compare_models([entry, entry]).test is not None


@pytest.mark.parametrize("name", ["emotion_model.keras", "emotion_model.h5"])
def test_plain_keras_gives_the_same_answers(done, faces, name):
    plain = keras.models.load_model(done / name, compile=False, safe_mode=True)
    assert {type(layer).__module__.partition(".")[0] for layer in plain.layers} == {"keras"}
    few = faces.split("PublicTest").pixels[:5, ..., None]
    ours = OnnxClassifier(resolve_model(done).read_bytes()).run(few)
    shares, votes = (np.asarray(each) for each in plain(few.astype(np.float32), training=False))
    assert np.abs(shares - ours.shares).max() < 1e-4
    assert np.abs(votes - ours.votes).max() < 1e-4


def test_the_card_tells_scores_and_recipe_but_no_folder(done, faces, tmp_path):
    from mien.models import ModelCard

    recipe = replace(QUICK, training=replace(QUICK.training, epochs=1), data=replace(QUICK.data, sources=(SourceSettings("/abc/x.csv"),)))
    run.run_training(recipe, faces, tmp_path / "run")
    card = ModelCard.read(tmp_path / "run" / "model.onnx")
    assert card.recipe["data"]["sources"][0]["path"] == "x.csv"
    assert card.metrics["split"] == "public"
    assert set(card.metrics["per_class"]) == set(card.labels)
    assert "/abc" not in card.to_json()


# Going on


def test_a_finished_run_is_left_as_it_is(done, faces):
    before = {path.name: path.stat().st_mtime_ns for path in done.iterdir()}
    said = []
    metrics = run.run_training(QUICK, faces, done, watch=said.append)
    assert metrics["training"]["epochs"] == 2
    assert any("finished already" in note.text for note in said)
    assert {path.name: path.stat().st_mtime_ns for path in done.iterdir()} == before


def test_a_finished_run_may_be_asked_to_look_into_the_mirror(done, faces, tmp_path):
    folder = tmp_path / "quick"
    shutil.copytree(done, folder)
    once, said = OnnxClassifier((folder / "model.onnx").read_bytes()), []
    mirrored = replace(QUICK, net=replace(QUICK.net, views=2))
    metrics = run.run_training(mirrored, faces, folder, watch=said.append)
    assert not [event for event in said if isinstance(event, EpochEvent)]  # nothing is learned again
    twice = OnnxClassifier((folder / "model.onnx").read_bytes())
    assert twice.card.recipe["net"]["views"] == 2
    assert checkpoint.read_recipe(folder) == mirrored
    few = faces.pixels[:9, ..., None]
    turned = np.ascontiguousarray(few[:, :, ::-1])
    assert np.abs(once.run(few).scores - once.run(turned).scores).max() > 1e-3
    np.testing.assert_allclose(twice.run(few).scores, twice.run(turned).scores, atol=1e-5)
    assert metrics["model"]["multiply_adds"] > 1.9 * once.card.multiply_adds
    assert {path.name for path in folder.iterdir()} == WRITTEN - {"emotion_model.h5"}  # which has no place for it
    assert (folder / "architecture.png").read_bytes() != (done / "architecture.png").read_bytes()
    run.run_training(QUICK, faces, folder)
    assert (folder / "emotion_model.h5").exists()


def test_a_stopped_run_goes_on_and_says_so(faces, done, tmp_path):
    folder, said = tmp_path / "quick", []
    with pytest.raises(TrainingStopped):
        run.run_training(QUICK, faces, folder, watch=said.append, stop=lambda: any(isinstance(e, EpochEvent) for e in said))
    assert run_folder.read_run(folder).state == "stopped"
    assert not (folder / "metrics.json").exists()
    said.clear()
    run.run_training(QUICK, faces, folder, watch=said.append)
    assert any("Going on in epoch 2, after step 1" in note.text for note in said if isinstance(note, MessageEvent))
    about = json.loads((folder / "environment.json").read_text("utf-8"))
    assert [each["after_epochs"] for each in about["resumed"]] == [1]
    pairs = zip(checkpoint.read_arrays(folder / "weights.npz"), checkpoint.read_arrays(done / "weights.npz"), strict=True)
    assert all(np.array_equal(*pair) for pair in pairs)


def test_a_run_that_was_killed_while_it_was_finishing_is_finished(faces, tmp_path):
    folder = tmp_path / "quick"
    run.run_training(QUICK, faces, folder)
    for name in ("metrics.json", "model.onnx", "emotion_model.h5"):
        (folder / name).unlink()
    run.run_training(QUICK, faces, folder)
    assert {path.name for path in folder.iterdir()} == WRITTEN


def test_a_longer_plan_goes_on_with_a_finished_run(faces, tmp_path):
    longer = replace(QUICK, training=replace(QUICK.training, epochs=3))
    run.run_training(QUICK, faces, tmp_path / "run")
    assert run.run_training(longer, faces, tmp_path / "run")["training"]["epochs"] == 3


def test_a_torn_state_falls_back_and_says_so(faces, tmp_path):
    folder, said = tmp_path / "quick", []
    with pytest.raises(TrainingStopped):
        run.run_training(QUICK, faces, folder, watch=said.append, stop=lambda: len(epochs(said)) == 1)
    checkpoint.save_state(folder, *_state(folder))
    (folder / "state.npz").write_bytes(b"PK\x03\x04")
    said.clear()
    run.run_training(QUICK, faces, folder, watch=said.append)
    assert any("not whole" in note.text for note in said if isinstance(note, MessageEvent))


def epochs(said):
    return [event for event in said if isinstance(event, EpochEvent)]


def _state(folder):
    """What is needed to write the newest state once more."""
    arrays, history = checkpoint.load_state(folder, QUICK)
    return arrays, QUICK, history


# What is refused


def test_a_model_without_its_state_is_not_erased(faces, done, tmp_path):
    """Whoever made room by deleting the states has what came of them still."""
    folder = shutil.copytree(done, tmp_path / "run")
    for name in (checkpoint.STATE, checkpoint.PREVIOUS_STATE):
        (folder / name).unlink()
    kept = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ExperimentError, match=r"holds weights.npz of a training, without its state.npz.*--force"):
        run.run_training(QUICK, faces, folder)
    for name in kept:
        if name != "model.onnx":
            (folder / name).unlink()
    with pytest.raises(ExperimentError, match=r"holds model.onnx of a training"):
        run.run_training(QUICK, faces, folder)
    assert (folder / "model.onnx").read_bytes() == kept["model.onnx"]


@pytest.mark.parametrize("broken", [{"batch": 5000}, {"rate": 1e20, "warmup": 0.0}, {"schedule": "cosin"}])
def test_what_was_there_before_stays_until_the_new_run_is_kept(faces, done, tmp_path, broken):
    folder = shutil.copytree(done, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ExperimentError):
        run.run_training(replace(QUICK, training=replace(QUICK.training, **broken)), faces, folder, force=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_run_killed_while_another_took_its_place_is_brought_back(faces, done, tmp_path):
    folder = shutil.copytree(done, tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    run_folder.move_aside(folder)
    assert {path.name for path in folder.iterdir()} == {run_folder.ASIDE}
    (folder / "recipe.toml").write_text("name = 'begun and killed'")
    assert run.run_training(QUICK, faces, folder)["training"]["epochs"] == 2
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_another_recipe_and_other_faces_are_refused_and_force_begins_anew(faces, done, tmp_path):
    wider = replace(QUICK, net=replace(QUICK.net, width=5))
    with pytest.raises(ExperimentError, match=r"another recipe: net.width is 5, was 4.*--force"):
        run.run_training(wider, faces, done)
    with pytest.raises(ExperimentError, match=r"other faces: its 210 have the fingerprint \w+, these 209"):
        run.run_training(QUICK, faces.take(np.arange(209)), done)
    assert {path.name for path in done.iterdir()} == WRITTEN
    folder = tmp_path / "run"
    run.run_training(QUICK, faces, folder)
    (folder / "notes.txt").write_text("mine")
    run.run_training(wider, faces, folder, force=True)
    assert checkpoint.read_recipe(folder).net.width == 5
    assert (folder / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"net": NetworkSettings(name="residul")}, "no net 'residul'.*Did you mean 'residual'"),
        ({"fit": TrainingSettings(batch_size=500)}, "one batch is 500|One batch is 500"),
        ({"fit": TrainingSettings(batch_size=28, optimizer="adm")}, "no optimizer 'adm'"),
        ({"data": DataSettings(validation=14, classes=("happy",))}, "single class"),
        ({"data": DataSettings(validation=14, group="person")}, "without its column 'person'"),
        ({"data": DataSettings(folds=3, fold=4)}, "data.fold is 4. 1 to 3"),
    ],
)
def test_what_cannot_be_trained_leaves_nothing_behind(faces, tmp_path, change, said):
    with pytest.raises(ExperimentError, match=said):
        run.run_training(replace(QUICK, **change), faces, tmp_path / "runs" / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_loss_that_is_no_number_leaves_nothing_behind(faces, tmp_path):
    wild = replace(QUICK, training=replace(QUICK.training, learning_rate=1e20, warmup=0.0))
    with pytest.raises(ExperimentError, match=r"loss is (nan|inf) in epoch 1, at rate .*training.learning_rate smaller"):
        run.run_training(wild, faces, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_a_class_without_faces_is_named_with_those_there_are(faces, tmp_path):
    some = faces.take(~np.isin(faces.labels, [1, 2]) | (faces.usage != "Training"))
    with pytest.raises(
        ExperimentError, match=r"no Training face of disgust, fear.*--classes angry,happy,sad,surprise,neutral"
    ):
        run.run_training(QUICK, some, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


# Data of other kinds


def test_without_votes_the_net_has_one_head_and_without_public_faces_those_held_out_are_reported(faces, tmp_path):
    silent = replace(faces, votes=np.zeros_like(faces.votes)).take(faces.usage != "PublicTest")
    said = []
    short = replace(QUICK, training=replace(QUICK.training, epochs=1))
    metrics = run.run_training(short, silent, tmp_path / "x", watch=said.append)
    assert "one head" in said[0].text
    assert (metrics["split"], metrics["faces"]) == ("validation", 14)
    assert checkpoint.read_recipe(tmp_path / "x").net.votes is False
    assert OnnxClassifier(resolve_model(tmp_path / "x").read_bytes()).card.vote_labels == ()
    assert run.run_training(short, silent, tmp_path / "x") == metrics


def test_of_a_small_set_most_is_learned_from(faces, tmp_path):
    greedy = replace(QUICK, data=DataSettings(), training=replace(QUICK.training, epochs=1))
    said = []
    metrics = run.run_training(greedy, faces, tmp_path / "x", watch=said.append)
    assert "33 are held out, as 1,500 would leave too few" in said[0].text
    assert checkpoint.read_recipe(tmp_path / "x").data.validation == 33
    assert metrics["calibration"]["faces"] == 33
    assert run.run_training(greedy, faces, tmp_path / "x") == metrics


def test_five_classes_a_fold_and_a_group(faces, tmp_path):
    five = ("angry", "happy", "sad", "surprise", "neutral")
    people = replace(faces, groups=np.array([f"person {place % 9}" for place in range(len(faces))]))
    data = DataSettings(classes=five, folds=3, fold=2, group="person")
    recipe = replace(QUICK, data=data, training=replace(QUICK.training, epochs=1))
    metrics = run.run_training(recipe, people, tmp_path / "x")
    assert metrics["labels"] == list(five)
    assert metrics["faces"] == 15
    assert metrics["calibration"]["faces"] == pytest.approx(120 / 3, abs=16)


def test_a_run_does_not_go_on_to_a_net_that_cannot_be(done, faces, tmp_path):
    folder = tmp_path / "quick"
    shutil.copytree(done, folder)
    with pytest.raises(ExperimentError, match=r"net\.views is 3"):
        run.run_training(replace(QUICK, net=replace(QUICK.net, views=3)), faces, folder)
    assert (folder / "metrics.json").exists()
