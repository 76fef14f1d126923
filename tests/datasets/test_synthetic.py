"""Synthetic faces: the same for the same seed, balanced, not solved by mean pixels. Images without a face."""

import numpy as np
import pytest

from mien.datasets import loading, synthetic
from mien.datasets.report.statistics import standardize
from mien.labels import EMOTIONS, VOTES
from mien.models import ModelCard
from mien.models.classifier import Outputs


@pytest.fixture(scope="module")
def faces():
    return synthetic.draw_faces(2100, seed=1)


def test_faces_depend_only_on_the_seed():
    first, again, other = synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 4), synthetic.draw_faces(70, 5)
    assert np.array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_every_expression_is_equally_frequent_in_every_split(faces):
    for usage, part in {"Training": 8, "PublicTest": 1, "PrivateTest": 1}.items():
        assert np.bincount(faces.split(usage).labels).tolist() == [part * 30] * len(EMOTIONS)


def test_annotators_mostly_vote_for_the_label(faces):
    assert np.array_equal(faces.votes.sum(1), np.full(2100, 10))
    assert np.mean(faces.vote_scores().argmax(1) == faces.labels) > 0.95
    assert 0.7 < faces.vote_scores().max(1).mean() < 0.95


def test_nearest_class_mean_does_not_solve_the_task(faces):
    training, test = faces.split("Training"), faces.split("PublicTest")
    means = np.stack([standardize(training.pixels[training.labels == k]).mean(0) for k in range(len(EMOTIONS))])
    distance = ((standardize(test.pixels)[:, None] - means[None]) ** 2).sum(-1)
    assert np.mean(distance.argmin(1) == test.labels) < 0.6


def test_every_format_has_the_same_faces(tmp_path):
    files = synthetic.write_synthetic(tmp_path, 70, seed=5, folders=True, npz=True)
    assert files == synthetic.list_outputs(tmp_path, folders=True, npz=True)
    table = loading.load_faces(tmp_path)
    arrays, folders = loading.load_faces(tmp_path / "synthetic.npz"), loading.load_faces(tmp_path / "train")
    for name in ("pixels", "labels", "usage", "votes"):
        assert np.array_equal(getattr(table, name), getattr(arrays, name)), name
    training = table.split("Training")
    assert sorted(face.tobytes() for face in folders.pixels) == sorted(face.tobytes() for face in training.pixels)


@pytest.mark.parametrize("kind", synthetic.NON_FACES)
def test_pattern_varies_and_depends_only_on_the_seed(kind):
    draw, rngs = synthetic.NON_FACES[kind], (np.random.default_rng(1), np.random.default_rng(1))
    first, again = ([draw(rng) for _ in range(20)] for rng in rngs)
    assert {(image.shape, image.dtype.name) for image in first} == {((48, 48), "uint8")}
    assert np.array_equal(first, again)
    assert len({image.tobytes() for image in first}) > 15
    deviations = [image.std() for image in first]
    assert max(deviations) == 0 if kind == "flat" else np.mean(deviations) > 5


class BrightnessClassifier:
    """Certain of bright images, uncertain of all others."""

    card = ModelCard("light", EMOTIONS, uncertain_below=0.5)

    def run(self, faces):
        top = np.where(faces.mean((1, 2, 3)) > 127.5, 0.88, 1 / 7)[:, None]
        return Outputs(np.hstack([top, np.repeat((1 - top) / 6, 6, axis=1)]).astype(np.float32), None)


def test_uncertain_rate_follows_the_threshold_of_the_card():
    rates = synthetic.measure_uncertain_rates(BrightnessClassifier(), count=60)
    assert list(rates) == list(synthetic.NON_FACES)
    rng = np.random.default_rng(0)
    images = [synthetic.flat(rng) for _ in range(60)]
    assert rates["flat"] == np.mean([image.mean() <= 127.5 for image in images])


def test_predictions_whose_votes_differ_are_uncertain():
    card = ModelCard("two heads", EMOTIONS, VOTES, decision={"votes": 1.0})
    happy, sad = np.eye(len(VOTES))[[EMOTIONS.index("happy"), EMOTIONS.index("sad")]].astype(np.float32)
    outputs = Outputs(np.stack([happy, happy])[:, : len(EMOTIONS)], np.stack([happy, sad]))
    assert synthetic.measure_uncertain_part(card, outputs) == 0.5


def test_files_and_loaded_faces_say_that_they_are_synthetic(tmp_path):
    files = synthetic.write_synthetic(tmp_path, 70, folders=True, npz=True)
    assert [path.name for path in files if "fer2013" in path.name] == []
    for source in (tmp_path, tmp_path / "synthetic.npz", tmp_path / "train"):
        loaded = loading.load_faces(source)
        assert loaded.synthetic
        assert loaded.split("Training").only(("sad",)).synthetic
    assert not loading.load_faces(synthetic.write_fer2013(tmp_path / "other", 7)).synthetic
