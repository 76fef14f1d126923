"""Distillation: whom teachers are asked about, what the file holds, and how it is mixed with the labels."""

import dataclasses
import json

import numpy as np
import pytest

from command import mien
from mien.datasets import synthetic
from mien.datasets.splits import DataSettings, split_training_validation
from mien.errors import ExperimentError
from mien.labels import EMOTIONS, VOTES
from mien.models import load_classifier
from mien.training import targets
from mien.training.distillation import distill
from mien.training.recipe import DistillationSettings, Recipe
from mien.training.targets import SoftTargets, hash_faces
from tiny import tiny_card, tiny_model

RECIPE = Recipe(data=DataSettings(validation=35))


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350, seed=4)


@pytest.fixture(scope="module")
def teachers(tmp_path_factory):
    """Two models that differ: one with votes, one without."""
    folder = tmp_path_factory.mktemp("teachers")
    (folder / "a.onnx").write_bytes(tiny_model(tiny_card(name="a", side=48)))
    (folder / "b.onnx").write_bytes(tiny_model(tiny_card(name="b", side=16, vote_labels=())))
    return [folder / "a.onnx", folder / "b.onnx"]


def test_only_faces_that_are_learned_from_become_targets(teachers, faces):
    taught = distill(teachers, faces, RECIPE, many=False).taught
    learned, kept = split_training_validation(RECIPE.data, faces)
    assert taught.places(hash_faces(learned.pixels))[0].all()
    tests = faces.take(faces.usage != "Training")
    assert len(kept) == 35
    assert not taught.places(hash_faces(kept.pixels))[0].any()
    assert not taught.places(hash_faces(tests.pixels))[0].any()


def test_of_few_faces_as_many_are_asked_about_as_training_will_learn_from(teachers, faces):
    facts = distill(teachers, faces, Recipe(), many=False).taught.facts
    assert (facts["held_out"], facts["faces"]) == (280 // 5, 280 - 280 // 5)


def test_answers_are_the_mean_over_teachers_and_over_ten_looks(teachers, faces):
    one = distill(teachers, faces, RECIPE, many=False).taught
    learned, _ = split_training_validation(RECIPE.data, faces)
    place = one.places(hash_faces(learned.pixels[:5]))[1]
    own = [load_classifier(path) for path in teachers]
    from mien.faces.crop import to_model_input

    said = [each.run(to_model_input(learned.pixels[:5], each.card.side, "gray")) for each in own]
    np.testing.assert_allclose(one.shares[place], np.mean([each.shares for each in said], axis=0), atol=1e-5)
    np.testing.assert_allclose(one.votes[place], said[0].votes, atol=1e-5)
    ten = distill(teachers, faces, RECIPE).taught
    assert ten.facts["looks"] == 10
    assert 0 < np.abs(ten.shares - one.shares).max() < 0.5


def test_ten_looks_make_a_teacher_blind_to_left_and_right(teachers, faces):
    mirrored = dataclasses.replace(faces, pixels=np.ascontiguousarray(faces.pixels[:, :, ::-1]))
    recipe = dataclasses.replace(RECIPE, data=DataSettings(validation=0))
    learned = [split_training_validation(recipe.data, each)[0] for each in (faces, mirrored)]
    found = [distill(teachers[:1], each, recipe).taught for each in (faces, mirrored)]
    rows = [each.shares[each.places(hash_faces(some.pixels))[1]] for each, some in zip(found, learned, strict=True)]
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-5)


def test_the_file_is_small_and_comes_back(teachers, faces, tmp_path):
    taught = distill(teachers, faces, RECIPE, many=False).taught
    (tmp_path / "t.npz").write_bytes(taught.packed())
    back = SoftTargets.read(tmp_path / "t.npz")
    assert (back.keys == taught.keys).all()
    assert np.abs(back.shares - taught.shares).max() < 1e-3
    assert np.abs(back.votes - taught.votes).max() < 1e-3
    assert len(back.facts["fingerprint"]) == 16
    assert [each["name"] for each in back.facts["teachers"]] == ["a", "b"]
    assert back.facts["classes"] == list(EMOTIONS)


def test_all_of_fer2013_stays_under_a_megabyte():
    rng = np.random.default_rng(0)
    many = np.sort(rng.integers(0, 1 << 40, 28_709).astype(np.uint64))
    shares, votes = (rng.dirichlet(np.full(width, 0.3), len(many)).astype(np.float32) for width in (7, 8))
    assert len(SoftTargets(many, shares, votes, {"classes": list(EMOTIONS)}).packed()) < 1e6


def taught_file(folder, faces, share=0.9):
    """Teachers that are ``share`` sure of happy, and vote for fear, whatever they see."""
    sure = np.full((len(faces), 7), (1 - share) / 6, np.float32)
    sure[:, EMOTIONS.index("happy")] = share
    votes = np.eye(8, dtype=np.float32)[np.full(len(faces), VOTES.index("fear"))]
    facts = {"classes": list(EMOTIONS)}
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets" / "t.npz").write_bytes(SoftTargets.of(faces.pixels, sure, votes, facts).packed())
    (folder / "student.toml").write_text('[distillation]\ntargets = "targets/t.npz"\nweight = 0.25\n')
    return Recipe.read(folder / "student.toml")


def test_targets_are_mixed_by_weight_and_lie_beside_the_recipe(tmp_path, faces):
    recipe = taught_file(tmp_path, faces)
    mixed, plain = targets.build_targets(faces, recipe), targets.build_targets(faces)
    happy = EMOTIONS.index("happy")
    np.testing.assert_allclose(mixed.shares[:, happy], 0.75 * plain.shares[:, happy] + 0.25 * 0.9, atol=1e-3)
    np.testing.assert_allclose(mixed.shares.sum(1), 1, atol=1e-3)
    fear = VOTES.index("fear")
    np.testing.assert_allclose(mixed.votes[:, fear], 0.75 * plain.votes[:, fear] + 0.25, atol=1e-3)


def test_where_nobody_voted_the_teachers_votes_stand_alone(tmp_path, faces):
    recipe = taught_file(tmp_path, faces)
    silent = dataclasses.replace(faces, votes=np.zeros_like(faces.votes))
    assert (targets.build_targets(silent, recipe).votes[:, VOTES.index("fear")] > 0.999).all()


def test_faces_no_teacher_saw_keep_their_labels(tmp_path, faces):
    recipe = taught_file(tmp_path, faces.take(np.arange(len(faces)) < 200))
    mixed, plain = targets.build_targets(faces, recipe), targets.build_targets(faces)
    assert np.abs(mixed.shares[:200] - plain.shares[:200]).max() > 0.1
    assert (mixed.shares[200:] == plain.shares[200:]).all()
    assert (mixed.votes[200:] == plain.votes[200:]).all()


def test_a_temperature_softens(tmp_path, faces):
    recipe = taught_file(tmp_path, faces)
    softer = dataclasses.replace(recipe, distillation=dataclasses.replace(recipe.distillation, weight=1.0, temperature=4.0))
    happy = EMOTIONS.index("happy")
    assert 1 / 7 < targets.build_targets(faces, softer).shares[0, happy] < 0.5
    shares = np.array([[0.5, 0.25, 0.25]])
    np.testing.assert_allclose(targets.soften(shares, 1.0), shares)
    np.testing.assert_allclose(targets.soften(shares, 0.5), [[2 / 3, 1 / 6, 1 / 6]], atol=1e-6)


@pytest.mark.parametrize(
    ("teach", "said"),
    [
        (DistillationSettings("none.npz"), "There are no targets at"),
        (DistillationSettings("student.toml"), "holds no targets"),
        (DistillationSettings("targets/t.npz", weight=1.5), "distillation.weight is 1.5"),
        (DistillationSettings("targets/t.npz", temperature=0), "distillation.temperature is 0"),
    ],
)
def test_what_cannot_be_mixed_is_refused(tmp_path, faces, teach, said):
    recipe = taught_file(tmp_path, faces)
    with pytest.raises(ExperimentError, match=said):
        targets.build_targets(faces, dataclasses.replace(recipe, distillation=teach))


def test_targets_of_other_faces_or_classes_are_refused(tmp_path, faces):
    recipe = taught_file(tmp_path, synthetic.draw_faces(70, seed=99))
    with pytest.raises(ExperimentError, match="spoke of 0 % of these faces"):
        targets.build_targets(faces, recipe)
    recipe = taught_file(tmp_path, faces)
    with pytest.raises(ExperimentError, match="in this order"):
        targets.build_targets(faces.only(("happy", "sad")), recipe)


def test_a_teacher_of_other_classes_is_refused(tmp_path, faces):
    (tmp_path / "two.onnx").write_bytes(tiny_model(tiny_card(labels=("sad", "happy"))))
    with pytest.raises(ExperimentError, match="The teacher 'tiny' knows sad, happy"):
        distill([tmp_path / "two.onnx"], faces, RECIPE)


# The command


@pytest.fixture
def desk(tmp_path, teachers, faces):
    from mien.datasets.dataset import write_csv, write_votes

    write_csv(faces, tmp_path / "fer2013.csv")
    write_votes(faces, tmp_path / "fer2013new.csv")
    (tmp_path / "student.toml").write_text('[data]\nvalidation = 35\n[distillation]\ntargets = "targets/both.npz"\n')
    return tmp_path


def test_the_command_writes_where_the_recipe_looks(desk, teachers, capsys):
    words = ("--data", desk / "fer2013.csv", "--recipe", desk / "student.toml", "--one-pass")
    assert mien("distill", *teachers, *words) == 0
    out = capsys.readouterr().out
    assert ", one look at each face\ntogether they get " in out
    assert "held-out faces right" in out
    recipe = Recipe.read(desk / "student.toml")
    learned = split_training_validation(recipe.data, synthetic.draw_faces(350, seed=4))[0]
    assert targets.build_targets(learned, recipe).shares.max(1).min() < 1
    assert mien("distill", *teachers, *words) == 1
    assert "is there already" in capsys.readouterr().err
    assert mien("distill", *teachers, *words, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["held_out"] == 35


def test_the_command_asks_where_to(desk, teachers, capsys):
    assert mien("distill", *teachers, "--data", desk / "fer2013.csv") == 2
    assert "-o FILE" in capsys.readouterr().err
    assert mien("distill", "bas", "--data", desk / "fer2013.csv", "-o", desk / "t.npz") == 2
    assert "Did you mean 'base'?" in capsys.readouterr().err


def test_a_recipe_that_comes_with_mien_goes_by_its_name(desk, teachers, capsys):
    words = ("distill", teachers[0], "--data", desk / "fer2013.csv", "--one-pass", "--recipe")
    assert mien(*words, "small", "-o", desk / "own.npz") == 0
    told = capsys.readouterr()
    assert f"mien train small --set distillation.targets={desk / 'own.npz'}" in told.err
    assert "\nteacher " in told.out
    assert "\nit gets " in told.out
    assert mien(*words, "small") == 2
    assert "-o FILE" in capsys.readouterr().err
    assert mien(*words, "smal", "-o", desk / "other.npz") == 1
    assert "Did you mean 'small'?" in capsys.readouterr().err


def test_labels_and_scale_are_for_keras_files_among_the_teachers(desk, teachers, capsys):
    words = ("--data", desk / "fer2013.csv", "-o", desk / "t.npz")
    (desk / "net.h5").write_bytes(b"a net")
    assert mien("distill", teachers[0], desk / "net.h5", *words) == 1
    assert "Add --labels angry,disgust" in capsys.readouterr().err
    assert mien("distill", teachers[0], *words, "--labels", "sad,happy", "--scale", "0-1") == 2
    assert "are for Keras files" in capsys.readouterr().err
