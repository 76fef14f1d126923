"""Training targets: votes in labels, the file of soft targets, and their mixture with the labels."""

from dataclasses import replace

import numpy as np
import pytest

from mien.datasets import synthetic
from mien.errors import ExperimentError
from mien.labels import EMOTIONS, VOTES
from mien.training.recipe import DistillationSettings, LossSettings, Recipe
from mien.training.targets import SoftTargets, build_targets, soften

HAPPY, FEAR_VOTE = EMOTIONS.index("happy"), VOTES.index("fear")


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(350, seed=4)


def write_soft_targets(folder, faces, score=0.9):
    """A recipe with soft targets of ``score`` for happy, and votes for fear, for all faces."""
    scores = np.full((len(faces), 7), (1 - score) / 6, np.float32)
    scores[:, HAPPY] = score
    votes = np.eye(8, dtype=np.float32)[np.full(len(faces), FEAR_VOTE)]
    soft_targets = SoftTargets.from_predictions(faces.pixels, scores, votes, {"classes": list(EMOTIONS)})
    (folder / "targets").mkdir(exist_ok=True)
    (folder / "targets" / "t.npz").write_bytes(soft_targets.to_bytes())
    (folder / "student.toml").write_text('[distillation]\ntargets = "targets/t.npz"\nweight = 0.25\n')
    return Recipe.read(folder / "student.toml")


def test_soft_labels_are_the_votes_for_the_classes():
    faces = synthetic.draw_faces(14, seed=3)
    faces.votes[0] = 0
    votes_only = build_targets(faces, Recipe(loss=LossSettings(soft_labels=1.0))).labels
    assert np.allclose(votes_only.sum(1), 1)
    assert np.array_equal(votes_only[0], np.eye(7, dtype=np.float32)[faces.labels[0]])
    neutral, contempt = faces.votes[1, 0], faces.votes[1, 7]
    assert votes_only[1, 6] == pytest.approx(neutral / (faces.votes[1, :8].sum() - contempt))
    half = build_targets(faces, Recipe(loss=LossSettings(soft_labels=0.5))).labels
    assert np.allclose(half, (votes_only + build_targets(faces).labels) / 2)


def test_soft_targets_are_mixed_with_labels_and_votes_by_weight(tmp_path, faces):
    recipe = write_soft_targets(tmp_path, faces)
    mixed, plain = build_targets(faces, recipe), build_targets(faces)
    np.testing.assert_allclose(mixed.labels[:, HAPPY], 0.75 * plain.labels[:, HAPPY] + 0.25 * 0.9, atol=1e-3)
    np.testing.assert_allclose(mixed.labels.sum(1), 1, atol=1e-3)
    np.testing.assert_allclose(mixed.votes[:, FEAR_VOTE], 0.75 * plain.votes[:, FEAR_VOTE] + 0.25, atol=1e-3)


def test_faces_without_votes_get_the_votes_of_the_teachers(tmp_path, faces):
    recipe = write_soft_targets(tmp_path, faces)
    without_votes = replace(faces, votes=np.zeros_like(faces.votes))
    assert (build_targets(without_votes, recipe).votes[:, FEAR_VOTE] > 0.999).all()


def test_faces_without_soft_targets_keep_their_labels(tmp_path, faces):
    recipe = write_soft_targets(tmp_path, faces.take(np.arange(len(faces)) < 200))
    mixed, plain = build_targets(faces, recipe), build_targets(faces)
    assert np.abs(mixed.labels[:200] - plain.labels[:200]).max() > 0.1
    assert (mixed.labels[200:] == plain.labels[200:]).all()
    assert (mixed.votes[200:] == plain.votes[200:]).all()


def test_temperature_makes_the_distribution_flatter(tmp_path, faces):
    scores = np.array([[0.5, 0.25, 0.25]])
    np.testing.assert_allclose(soften(scores, 1.0), scores)
    np.testing.assert_allclose(soften(scores, 0.5), [[2 / 3, 1 / 6, 1 / 6]], atol=1e-6)
    recipe = write_soft_targets(tmp_path, faces)
    settings = replace(recipe.distillation, weight=1.0, temperature=4.0)
    assert 1 / 7 < build_targets(faces, replace(recipe, distillation=settings)).labels[0, HAPPY] < 0.5


def test_files_of_the_first_kind_are_read_and_written_as_the_second(tmp_path, faces):
    write_soft_targets(tmp_path, faces)
    path = tmp_path / "targets" / "t.npz"
    with np.load(path) as file:
        assert sorted(file.files) == ["facts", "hashes", "scores", "votes"]
        arrays, facts = {"keys": file["hashes"], "shares": file["scores"], "votes": file["votes"]}, str(file["facts"])
    assert "mien.targets.2" in facts
    np.savez(tmp_path / "first.npz", facts=facts.replace("mien.targets.2", "mien.targets.1"), **arrays)
    first, second = SoftTargets.read(tmp_path / "first.npz"), SoftTargets.read(path)
    for name in ("hashes", "scores", "votes"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert first.facts == second.facts
    assert first.to_bytes() == second.to_bytes()


def test_a_file_of_an_unknown_kind_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", facts='{"kind": "mien.targets.9"}', hashes=np.zeros((5, 0), np.uint8))
    with pytest.raises(ExperimentError, match=r"has no soft targets: 'mien.targets.9'"):
        SoftTargets.read(tmp_path / "other.npz")


@pytest.mark.parametrize(
    ("path", "message"), [("none.npz", "There is no file"), ("student.toml", "has no soft targets")]
)
def test_missing_or_other_file_is_refused(tmp_path, faces, path, message):
    recipe = write_soft_targets(tmp_path, faces)
    with pytest.raises(ExperimentError, match=message):
        build_targets(faces, replace(recipe, distillation=DistillationSettings(path)))


def test_soft_targets_of_other_faces_or_classes_are_refused(tmp_path, faces):
    recipe = write_soft_targets(tmp_path, synthetic.draw_faces(70, seed=99))
    with pytest.raises(ExperimentError, match="cover 0 % of these faces"):
        build_targets(faces, recipe)
    recipe = write_soft_targets(tmp_path, faces)
    with pytest.raises(ExperimentError, match="in this order"):
        build_targets(faces.only(("happy", "sad")), recipe)


def test_file_for_all_of_fer2013_has_less_than_a_megabyte():
    rng = np.random.default_rng(0)
    hashes = np.sort(rng.integers(0, 1 << 40, 28_709).astype(np.uint64))
    scores, votes = (rng.dirichlet(np.full(width, 0.3), len(hashes)).astype(np.float32) for width in (7, 8))
    assert len(SoftTargets(hashes, scores, votes, {"classes": list(EMOTIONS)}).to_bytes()) < 1e6
