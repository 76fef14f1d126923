"""The engine: readings of any source, in order, the same in every thread."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine, FrameResult
from mien.errors import ArrayError, HeadMissing, MienError, ModelError, ModelMissing, SourceMissing
from mien.labels import EMOTIONS, VOTES
from mien.models import pull_model
from mien.models.decision import build_emotions
from mien.results import Box, Failure

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def engine():
    return Engine(FakeClassifier(), FakeDetector())


@pytest.fixture(scope="module")
def real():
    return Engine.load(detector="haar")


def flat(value, size=8):
    return np.full((size, size, 3), value, np.uint8)


def test_reading_has_face_scores_and_quality(engine):
    result = engine.read(flat(0))
    assert result.size == (8, 8)
    assert (result.detector, result.model) == ("fake", "fake")
    (reading,) = result
    assert reading.face.box == Box(0, 0, 8, 8)
    assert reading.emotions.labels == EMOTIONS
    assert reading.emotions.top == "angry"
    assert reading.emotions["angry"] == reading.emotions.ranked()[0].score
    assert sum(score for _, score in reading.emotions.scores) == pytest.approx(1, abs=1e-6)


def test_results_are_comparable_and_hashable(engine):
    first, again, other = engine.read(flat(0)), engine.read(flat(0)), engine.read(flat(255))
    assert first == again
    assert hash(first) == hash(again)
    assert first != other
    with pytest.raises(AttributeError):
        first.size = (1, 1)


def test_json_has_the_documented_keys(engine):
    data = json.loads(engine.read(flat(0)).to_json())
    assert list(data)[:3] == ["source", "size", "faces"]
    face = data["faces"][0]
    assert list(face)[:7] == ["box", "detection", "emotion", "scores", "uncertain", "quality", "track"]
    assert list(face["scores"]) == list(EMOTIONS)
    assert face["track"] is None
    assert set(face["quality"]) == {"ok", "reason"}


def test_image_without_a_face_has_an_empty_result(engine):
    result = engine.read(flat(0, size=4))
    assert isinstance(result, FrameResult)
    assert len(result) == 0


def test_every_source_of_an_image_has_the_same_readings(engine, tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(0, 256, (16, 12, 3), dtype=np.uint8)
    image = Image.fromarray(array)
    path = tmp_path / "a b 😀.png"
    image.save(path)
    results = [engine.read(source) for source in (array, image, path, str(path), path.read_bytes())]
    assert len({result.readings for result in results}) == 1
    assert results[2].source == str(path)


def test_min_face_is_passed_to_the_detector():
    detector = FakeDetector()
    Engine(FakeClassifier(), detector).read(flat(0), min_face=24)
    assert detector.min_faces == [24]


def test_read_many_returns_failures_in_their_places(engine, tmp_path):
    sources = [flat(0), tmp_path / "missing.jpg", flat(255), b"", flat(128)]
    results = list(engine.read_many(sources, jobs=3))
    assert [isinstance(result, Failure) for result in results] == [False, True, False, True, False]
    assert results[1].source == str(tmp_path / "missing.jpg")
    assert isinstance(results[1].error, SourceMissing)
    assert [results[i].readings[0].emotions.top for i in (0, 2, 4)] == ["angry", "neutral", "happy"]


def test_read_many_returns_failures_among_the_sources(engine):
    failure = Failure("folder", MienError("it is empty"))
    assert next(engine.read_many([failure, flat(0)])) is failure


def test_read_many_has_the_results_of_read(engine):
    images = [flat(value) for value in range(0, 250, 10)]
    assert list(engine.read_many(images)) == [engine.read(image) for image in images]


def test_read_many_classifies_several_imagesin_one_run():
    classifier = FakeClassifier()
    list(Engine(classifier, FakeDetector()).read_many([flat(0)] * 32, jobs=2))
    assert sum(classifier.runs) == 32
    assert len(classifier.runs) <= 8


def test_read_many_is_lazy_and_ends_its_threads(engine):
    numbers = count()
    endless = (flat(next(numbers) % 256) for _ in count())
    results = engine.read_many(endless, jobs=2)
    assert len(list(islice(results, 3))) == 3
    assert next(numbers) < 64
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mien-read")]


def test_exception_of_the_sources_ends_the_threads(engine):
    def broken():
        yield flat(0)
        raise RuntimeError("error of the caller")

    with pytest.raises(RuntimeError, match="error of the caller"):
        list(engine.read_many(broken()))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mien-read")]


@pytest.mark.parametrize("source", ["missing.jpg", b"not an image", Image.new("RGB", (9, 8)), flat(0), flat(0)[..., 0]])
def test_read_many_accepts_a_single_image(engine, source):
    assert len(list(engine.read_many(source))) == 1


def test_read_many_splits_a_stack_of_images(engine):
    assert [result.size for result in engine.read_many(np.zeros((3, 9, 8, 3), np.uint8))] == [(8, 9)] * 3
    assert [result.size for result in engine.read_many(np.zeros((5, 9, 8), np.uint8))] == [(8, 9)] * 5


def test_image_with_channels_first_is_a_failure_with_advice(engine):
    [failure] = engine.read_many(np.zeros((3, 9, 8), np.uint8))
    assert "channels come first" in failure.error.remedy


def test_invalid_number_of_jobs_is_one(engine):
    assert len(list(engine.read_many([flat(0)], jobs=-1))) == 1


def test_failing_run_of_the_model_loses_one_image():
    class FailingClassifier(FakeClassifier):
        def run(self, faces):
            if faces.max(initial=0) == 255:
                raise ModelError("it failed")
            return super().run(faces)

    images = [flat(0)] * 4 + [flat(255)] + [flat(0)] * 11
    results = list(Engine(FailingClassifier(), FakeDetector()).read_many(images, jobs=1))
    assert [isinstance(result, Failure) for result in results] == [False] * 4 + [True] + [False] * 11


def test_read_many_uses_one_core_per_image(engine):
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    try:
        results = engine.read_many([flat(0)] * 40, jobs=2)
        others = engine.read_many([flat(0)] * 40, jobs=2)
        next(results), next(others)
        assert cv2.getNumThreads() == 1
        results.close()
        assert cv2.getNumThreads() == 1
        others.close()
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)


def test_score_accepts_gray_and_rgb_crops_of_any_size(engine):
    gray = np.full((2, 30, 20), 128, np.uint8)
    scores = engine.score(gray)
    assert scores.shape == (2, 7)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(engine.score(np.repeat(gray[..., None], 3, axis=3)), scores, atol=1e-6)
    assert engine.votes(gray).shape == (2, 8)
    assert engine.vote_labels == VOTES


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((8, 8), np.uint8),
        np.zeros((1, 8, 8, 4), np.uint8),
        np.zeros((1, 0, 8), np.uint8),
        np.zeros((1, 8, 8), np.float32),
        np.full((1, 8, 8), np.nan),
    ],
)
def test_score_of_other_arrays_is_an_array_error(engine, crops):
    with pytest.raises(ArrayError) as caught:
        engine.score(crops)
    assert caught.value.expected
    assert caught.value.remedy


def test_no_crops_have_no_scores(engine):
    assert engine.score(np.zeros((0, 8, 8), np.uint8)).shape == (0, 7)


def test_model_may_have_other_labels():
    labels = ("angry", "happy", "sad", "surprise", "neutral")
    engine = Engine(FakeClassifier(fake_card(labels=labels, vote_labels=())), FakeDetector())
    (reading,) = engine.read(flat(255))
    assert engine.labels == reading.emotions.labels == labels
    assert engine.score(np.zeros((3, 8, 8), np.uint8)).shape == (3, 5)
    assert reading.emotions.votes is None
    assert reading.emotions.mixture == ()
    assert list(reading.to_dict()["scores"]) == list(labels)
    with pytest.raises(HeadMissing, match="does not predict annotator votes"):
        engine.votes(np.zeros((1, 8, 8), np.uint8))


def test_mixture_and_uncertainty_follow_the_card():
    labels = ("sad", "neutral", "happy")
    card = fake_card(labels=labels, vote_labels=labels, uncertain_below=0.5, mixture_above=0.25)
    votes = np.array([0.6, 0.3, 0.1], np.float32)
    plain = build_emotions(card, np.array([0.7, 0.2, 0.1], np.float32), votes)
    assert [score.label for score in plain.mixture] == ["sad", "neutral"]
    assert plain.uncertain is None
    uncertain = build_emotions(card, np.array([0.4, 0.35, 0.25], np.float32), votes)
    assert uncertain.uncertain == "no expression stands out: sad leads with 40 %"


def test_error_for_an_unknown_model_suggests_a_similar_name():
    with pytest.raises(ModelMissing, match="Did you mean 'base'"):
        Engine.load(model="bsae")


def test_threads_share_an_engine(real):
    portraits = Image.open(EXAMPLES / "portraits.jpg").convert("RGB")
    images = [portraits.resize((480 + 40 * i, 240 + 20 * i)) for i in range(3)]
    alone = [real.read(image) for image in images]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(real.read, images * 2))
    assert together == alone * 2


def test_embedded_model_reads_the_portraits(real):
    result = real.read(EXAMPLES / "portraits.jpg")
    assert len(result) == 2
    left, right = sorted(result, key=lambda reading: reading.face.box.x)
    assert left.emotions.labels == right.emotions.labels == EMOTIONS
    # Eileen Collins laughs. Grace Hopper's faint smile is not checked.
    assert left.emotions.top == left.emotions.mixture[0].label == "happy"
    assert left.emotions["happy"] > 0.8
    assert left.quality.ok
    assert right.quality.ok


def test_yunet_reads_the_portraits(yunet_file, monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    pull_model("yunet", source=yunet_file)
    engine = Engine.load()
    assert engine.detector == "yunet"
    result = engine.read(EXAMPLES / "portraits.jpg")
    assert len(result) == 2
    assert all(len(reading.face.landmarks) == 5 for reading in result)
    assert min(result, key=lambda reading: reading.face.box.x).emotions.top == "happy"


def test_auto_is_haar_without_the_yunet_file(monkeypatch, tmp_path):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    assert Engine.load().detector == "haar"


def test_exif_orientation_of_jpeg_bytes_is_applied(real):
    portrait = Image.open(EXAMPLES / "hopper.jpg").convert("RGB")
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    portrait.rotate(90, expand=True).save(buffer, "JPEG", exif=exif, quality=95)
    result = real.read(buffer.getvalue())
    assert result.size == portrait.size
    assert len(result) == 1
