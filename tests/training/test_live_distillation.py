"""Students learn from what teachers say: from a file, and from teachers that look on."""

import dataclasses

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, split_training_validation
from mien.errors import ExperimentError
from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import NO_AUGMENTATION, AugmentationSettings, DistillationSettings, LossSettings, NetworkSettings, Recipe, TrainingSettings
from mien.training.targets import SoftTargets

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.train

from mien.training import checkpoint, live_distillation, loop, networks  # noqa: E402
from mien.training.loss import Loss as Objective  # noqa: E402

STUDENT = Recipe(
    name="student",
    data=DataSettings(validation=70),
    net=NetworkSettings(width=8, depth=(1, 1, 1), dropout=0.0),
    augment=NO_AUGMENTATION,
    loss=LossSettings(label_smoothing=0.0),
    training=TrainingSettings(epochs=6, batch_size=32, learning_rate=0.1, ema=0.95, warmup=0.5, precision="float32"),
)


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(2100, seed=3)


def mislabelled(faces):
    """The same faces with labels drawn by lot, and no votes: nothing can be learned from them."""
    lots = np.random.default_rng(0).permutation(faces.labels)
    learned = faces.usage == "Training"
    return dataclasses.replace(faces, labels=np.where(learned, lots, faces.labels), votes=np.zeros_like(faces.votes))


def test_a_student_learns_from_soft_targets_what_no_label_told(faces, tmp_path):
    wrong = mislabelled(faces)
    said = np.full((len(faces), 7), 0.02, np.float32)
    said[np.arange(len(faces)), faces.labels] = 0.88
    facts = {"classes": list(EMOTIONS)}
    (tmp_path / "t.npz").write_bytes(SoftTargets.of(faces.pixels, said, None, facts).packed())
    recipe = dataclasses.replace(STUDENT, distillation=DistillationSettings("t.npz", weight=1.0), place=tmp_path)
    model = loop.train(recipe, wrong, tmp_path / "run")
    test = faces.split("PublicTest")
    right = np.mean(loop.predict_logits(model, test.pixels)[0].argmax(1) == test.labels)
    assert right > 0.5  # by lot it would be 0.14


class Twice:
    """Teachers that say happy of a bright face and sad of a dark one."""

    def __call__(self, pixels):
        bright = keras.ops.mean(pixels, axis=(1, 2, 3)) > 100
        shares = keras.ops.one_hot(keras.ops.where(bright, EMOTIONS.index("happy"), EMOTIONS.index("sad")), 7)
        return [shares, keras.ops.one_hot(keras.ops.where(bright, VOTES.index("happy"), VOTES.index("sad")), 8)]


def test_teachers_are_asked_about_the_picture_that_the_student_sees():
    varied = dataclasses.replace(NO_AUGMENTATION, brightness=0.6)
    recipe = dataclasses.replace(STUDENT, augment=varied, distillation=DistillationSettings(runs=("x",), weight=0.75))
    faces = np.full((32, 48, 48, 1), 100, np.uint8)
    shares = np.eye(7, dtype=np.float32)[np.zeros(32, int)]
    votes = np.zeros((32, 8), np.float32)
    votes[:16, 0] = 1
    seed = keras.random.SeedGenerator(1)
    batch = Objective(recipe, np.ones(7, np.float32), Twice()).batch(faces, shares, votes, False, seed)
    seen, said = np.asarray(batch.faces).mean((1, 2, 3)), np.asarray(batch.shares)
    assert 5 < (seen > 100).sum() < 27
    happy, sad = EMOTIONS.index("happy"), EMOTIONS.index("sad")
    np.testing.assert_allclose(said[:, happy], 0.75 * (seen > 100), atol=1e-6)
    np.testing.assert_allclose(said[:, sad], 0.75 * (seen <= 100), atol=1e-6)
    np.testing.assert_allclose(said[:, 0], 0.25)
    told = np.asarray(batch.votes)
    np.testing.assert_allclose(told[:16, 0], 0.25)
    np.testing.assert_allclose(told[16:].max(1), 1)


def test_what_is_no_face_stays_no_expression():
    recipe = dataclasses.replace(
        STUDENT, augment=dataclasses.replace(NO_AUGMENTATION, non_face_fraction=0.25), distillation=DistillationSettings(weight=1.0)
    )
    faces = np.full((16, 48, 48, 1), 200, np.uint8)
    flat = np.zeros((16, 7), np.float32), np.zeros((16, 8), np.float32)
    seed = keras.random.SeedGenerator(1)
    batch = Objective(recipe, np.ones(7, np.float32), Twice()).batch(faces, *flat, False, seed)
    np.testing.assert_allclose(np.asarray(batch.shares)[-4:], 1 / 7, atol=1e-6)
    np.testing.assert_allclose(np.asarray(batch.shares)[:12, EMOTIONS.index("happy")], 1)


def run_of(folder, recipe):
    keras.utils.set_random_seed(4)
    model = networks.build_recipe_network(recipe, "float32")
    folder.mkdir(parents=True)
    checkpoint.save_state(folder, model.get_weights(), recipe, [{"epoch": 1}])
    checkpoint.save_weights(folder, model)
    return model


def test_runs_speak_together_softened(tmp_path, faces):
    other = dataclasses.replace(STUDENT, net=NetworkSettings(width=4, depth=(1,), votes=False))
    models = [run_of(tmp_path / "a", STUDENT), run_of(tmp_path / "b", other)]
    teach = DistillationSettings(runs=("a", "b"), temperature=2.0)
    say = live_distillation.load_teachers(dataclasses.replace(STUDENT, distillation=teach, place=tmp_path))
    few = faces.pixels[:5, ..., None].astype(np.float32)
    found = say(few)
    assert len(found) == 1  # one of them has no votes
    logits = [np.asarray(keras.tree.flatten(each(few, training=False))[0]) for each in models]
    wanted = np.mean([np.asarray(keras.ops.softmax(each / 2)) for each in logits], axis=0)
    np.testing.assert_allclose(np.asarray(found[0]), wanted, atol=1e-5)
    assert live_distillation.load_teachers(STUDENT) is None


def test_teachers_of_other_classes_or_no_run_are_refused(tmp_path):
    run_of(tmp_path / "two", dataclasses.replace(STUDENT, data=DataSettings(classes=("happy", "sad"))))
    with pytest.raises(ExperimentError, match="knows happy, sad"):
        live_distillation.load_teachers(
            dataclasses.replace(STUDENT, distillation=DistillationSettings(runs=("two",)), place=tmp_path)
        )
    with pytest.raises(ExperimentError, match="is no training run"):
        live_distillation.load_teachers(
            dataclasses.replace(STUDENT, distillation=DistillationSettings(runs=("none",)), place=tmp_path)
        )


@pytest.mark.slow
def test_a_patient_student_learns_from_a_teacher_that_looks_on(faces, tmp_path):
    loop.train(dataclasses.replace(STUDENT, name="teacher"), faces, tmp_path / "teacher")
    teach = DistillationSettings(runs=("teacher",), weight=1.0)
    recipe = dataclasses.replace(
        STUDENT, distillation=teach, place=tmp_path, augment=AugmentationSettings(mixup=0.0, non_face_fraction=0.0)
    )
    model = loop.train(recipe, mislabelled(faces), tmp_path / "run")
    learned, _ = split_training_validation(recipe.data, faces)
    right = np.mean(loop.predict_logits(model, learned.pixels)[0].argmax(1) == learned.labels)
    assert right > 0.4
