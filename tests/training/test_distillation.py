"""Distillation: which faces get soft targets, the mean over teachers and views, the command, on-the-fly teachers."""

import json
from dataclasses import replace

import numpy as np
import pytest

from command import mien
from mien.datasets import synthetic
from mien.datasets.dataset import write_csv, write_votes
from mien.datasets.splits import DataSettings, split_training_validation
from mien.errors import ExperimentError
from mien.faces.crop import to_model_input
from mien.labels import EMOTIONS
from mien.models import load_classifier
from mien.training.distillation import distill, load_teachers
from mien.training.recipe import DistillationSettings, NetworkSettings, Recipe
from mien.training.targets import SoftTargets, build_targets, hash_faces
from tiny import tiny_card, tiny_model

RECIPE = Recipe(data=DataSettings(validation=35))


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350, seed=4)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two different models: one with votes, one without."""
    folder = tmp_path_factory.mktemp("teachers")
    (folder / "a.onnx").write_bytes(tiny_model(tiny_card(name="a", side=48)))
    (folder / "b.onnx").write_bytes(tiny_model(tiny_card(name="b", side=16, vote_labels=())))
    return [folder / "a.onnx", folder / "b.onnx"]


@pytest.fixture(scope="module")
def single_view(teachers, faces):
    return distill(teachers, faces, RECIPE, tta=False).soft_targets


def has_targets(soft_targets, faces):
    return soft_targets.find_rows(hash_faces(faces.pixels))[0]


def test_only_training_faces_get_soft_targets(single_view, faces):
    training, validation = split_training_validation(RECIPE.data, faces)
    assert has_targets(single_view, training).all()
    assert len(validation) == 35
    assert not has_targets(single_view, validation).any()
    assert not has_targets(single_view, faces.take(faces.usage != "Training")).any()


def test_small_data_set_has_as_many_validation_faces_as_in_training(teachers, faces):
    facts = distill(teachers, faces, Recipe(), tta=False).soft_targets.facts
    assert (facts["validation"], facts["faces"]) == (280 // 5, 280 - 280 // 5)


def test_soft_targets_are_the_mean_over_teachers_and_views(teachers, faces, single_view):
    training, _ = split_training_validation(RECIPE.data, faces)
    rows = single_view.find_rows(hash_faces(training.pixels[:5]))[1]
    classifiers = [load_classifier(path) for path in teachers]
    outputs = [each.run(to_model_input(training.pixels[:5], each.card.side, "gray")) for each in classifiers]
    mean = np.mean([each.scores for each in outputs], axis=0)
    np.testing.assert_allclose(single_view.scores[rows], mean, atol=1e-5)
    np.testing.assert_allclose(single_view.votes[rows], outputs[0].votes, atol=1e-5)
    ten_views = distill(teachers, faces, RECIPE).soft_targets
    assert ten_views.facts["views"] == 10
    assert 0 < np.abs(ten_views.scores - single_view.scores).max() < 0.5


def test_mirror_images_get_the_same_soft_targets(teachers, faces):
    few = faces.take(np.arange(len(faces)) < 70)
    mirrored = replace(few, pixels=np.ascontiguousarray(few.pixels[:, :, ::-1]))
    recipe = replace(RECIPE, data=DataSettings(validation=0))
    results = []
    for each in (few, mirrored):
        soft_targets = distill(teachers[:1], each, recipe).soft_targets
        training, _ = split_training_validation(recipe.data, each)
        results.append(soft_targets.scores[soft_targets.find_rows(hash_faces(training.pixels))[1]])
    np.testing.assert_allclose(*results, atol=1e-5)


def test_file_round_trip(single_view, tmp_path):
    (tmp_path / "t.npz").write_bytes(single_view.to_bytes())
    again = SoftTargets.read(tmp_path / "t.npz")
    assert (again.hashes == single_view.hashes).all()
    assert np.abs(again.scores - single_view.scores).max() < 1e-3
    assert np.abs(again.votes - single_view.votes).max() < 1e-3
    assert len(again.facts["fingerprint"]) == 16
    assert [each["name"] for each in again.facts["teachers"]] == ["a", "b"]
    assert again.facts["classes"] == list(EMOTIONS)


def test_teacher_of_other_classes_is_refused(tmp_path, faces):
    (tmp_path / "two.onnx").write_bytes(tiny_model(tiny_card(labels=("sad", "happy"))))
    with pytest.raises(ExperimentError, match="The teacher 'tiny' has the classes sad, happy"):
        distill([tmp_path / "two.onnx"], faces, RECIPE)


# The command


@pytest.fixture
def folder(tmp_path, teachers, faces):
    write_csv(faces, tmp_path / "fer2013.csv")
    write_votes(faces, tmp_path / "fer2013new.csv")
    (tmp_path / "student.toml").write_text('[data]\nvalidation = 35\n[distillation]\ntargets = "targets/both.npz"\n')
    return tmp_path


def test_command_writes_the_file_of_the_recipe(folder, teachers, capsys):
    arguments = ("--data", folder / "fer2013.csv", "--recipe", folder / "student.toml", "--no-tta")
    assert mien("distill", *teachers, *arguments) == 0
    out = capsys.readouterr().out
    assert "teachers a, b, one view of each face\nensemble accuracy " in out
    assert "on 35 validation faces" in out
    recipe = Recipe.read(folder / "student.toml")
    training = split_training_validation(recipe.data, synthetic.draw_faces(350, seed=4))[0]
    assert build_targets(training, recipe).labels.max(1).min() < 1
    assert mien("distill", *teachers, *arguments) == 1
    assert "exists already" in capsys.readouterr().err
    assert mien("distill", *teachers, *arguments, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["validation"] == 35


def test_command_needs_an_output_file(folder, teachers, capsys):
    assert mien("distill", *teachers, "--data", folder / "fer2013.csv") == 2
    assert "-o FILE" in capsys.readouterr().err
    assert mien("distill", "bas", "--data", folder / "fer2013.csv", "-o", folder / "t.npz") == 2
    assert "Did you mean 'base'?" in capsys.readouterr().err


def test_command_takes_a_builtin_recipe(folder, teachers, capsys):
    arguments = ("distill", teachers[0], "--data", folder / "fer2013.csv", "--no-tta", "--recipe")
    assert mien(*arguments, "small", "-o", folder / "own.npz") == 0
    captured = capsys.readouterr()
    assert f"mien train small --set distillation.targets={folder / 'own.npz'}" in captured.err
    assert "\nteacher a, " in captured.out
    assert mien(*arguments, "small") == 2
    assert "-o FILE" in capsys.readouterr().err
    assert mien(*arguments, "smal", "-o", folder / "other.npz") == 1
    assert "Did you mean 'small'?" in capsys.readouterr().err


def test_labels_and_scale_are_for_keras_files(folder, teachers, capsys):
    pytest.importorskip("h5py")
    arguments = ("--data", folder / "fer2013.csv", "-o", folder / "t.npz")
    (folder / "net.h5").write_bytes(b"a network")
    assert mien("distill", teachers[0], folder / "net.h5", *arguments) == 1
    assert "Add --labels angry,disgust" in capsys.readouterr().err
    assert mien("distill", teachers[0], *arguments, "--labels", "sad,happy", "--scale", "0-1") == 2
    assert "are for Keras files" in capsys.readouterr().err


# On-the-fly distillation


@pytest.mark.train
class TestOnTheFly:
    @pytest.fixture(autouse=True)
    def keras(self):
        return pytest.importorskip("keras")

    def write_run(self, keras, folder, recipe):
        from mien.training import checkpoint, networks

        keras.utils.set_random_seed(4)
        model = networks.build_recipe_network(recipe, "float32")
        folder.mkdir(parents=True)
        checkpoint.write_recipe(folder, recipe)
        checkpoint.save_weights(folder, model)
        return model

    def test_teachers_predict_the_mean_of_their_softened_outputs(self, keras, tmp_path, faces):
        recipe = Recipe(net=NetworkSettings(width=4, depth=(1,)))
        other = replace(recipe, net=replace(recipe.net, votes=False))
        models = [self.write_run(keras, tmp_path / "a", recipe), self.write_run(keras, tmp_path / "b", other)]
        settings = DistillationSettings(runs=("a", "b"), temperature=2.0)
        teachers = load_teachers(replace(recipe, distillation=settings, folder=tmp_path))
        batch = faces.pixels[:5, ..., None].astype(np.float32)
        outputs = teachers(batch)
        assert len(outputs) == 1  # one of the teachers has no votes
        logits = [np.asarray(keras.tree.flatten(each(batch, training=False))[0]) for each in models]
        expected = np.mean([np.asarray(keras.ops.softmax(each / 2)) for each in logits], axis=0)
        np.testing.assert_allclose(np.asarray(outputs[0]), expected, atol=1e-5)
        assert load_teachers(recipe) is None

    def test_teachers_of_other_classes_or_without_a_run_are_refused(self, keras, tmp_path):
        recipe = Recipe(net=NetworkSettings(width=4, depth=(1,)))
        self.write_run(keras, tmp_path / "two", replace(recipe, data=DataSettings(classes=("happy", "sad"))))
        for run, message in {"two": "has the classes happy, sad", "none": "is no training run"}.items():
            student = replace(recipe, distillation=DistillationSettings(runs=(run,)), folder=tmp_path)
            with pytest.raises(ExperimentError, match=message):
                load_teachers(student)
