"""Engine.analyze_video: lazily, in order, reproducible; however it ends, threads end and the video is closed."""

import gc
import time
from importlib.util import find_spec

import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector
from mien import AnalyzedFrame, Engine
from mien.errors import ModelError, SourceError, SourceMissing
from mien.video import Frame, VideoInfo, open_video
from mien.video.frames import ALL_FRAMES
from running_threads import mien_threads
from video_files import two_faces, write_still_video


class FakeVideo:
    """A video of flat frames; ``produced`` counts them. ``error_at`` is the index of a frame that fails."""

    damage = None

    def __init__(self, count=40, live=False, error_at=None):
        self.info = VideoInfo("fake", (32, 24), 25.0, count / 25, count, live=live)
        self.count, self.error_at, self.produced, self.closed = count, error_at, 0, False

    def frames(self, selection=ALL_FRAMES):
        is_selected = selection.create_filter()
        for index in range(self.count):
            if index / 25 >= selection.end - 1e-6:
                return
            if index == self.error_at:
                raise SourceError("The disk failed")
            self.produced += 1
            if is_selected(index, index / 25):
                yield Frame(index, index / 25, np.full((24, 32, 3), index * 5 % 256, np.uint8))

    def close(self):
        self.closed = True


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert mien_threads() == set()
    yield
    assert mien_threads() == set()


@pytest.fixture
def engine():
    return Engine(FakeClassifier(), FakeDetector())


def test_frames_come_in_order_with_tracks(engine):
    video = FakeVideo()
    frames = list(engine.analyze_video(video))
    assert [frame.index for frame in frames] == list(range(40))
    assert [frame.seconds for frame in frames] == [index / 25 for index in range(40)]
    assert {reading.track for frame in frames for reading in frame} == {1}
    assert frames[0].result.source == "fake"
    assert frames[0].pixels is None
    assert video.closed


def test_analyzed_frame_is_a_plain_value(engine):
    one = next(engine.analyze_video(FakeVideo(1)))
    other = next(engine.analyze_video(FakeVideo(1), frames=True))
    assert isinstance(one, AnalyzedFrame)
    assert one == other
    assert hash(one) == hash(other)
    assert other.pixels.shape == (24, 32, 3)
    values = one.to_dict()
    assert (values["frame"], values["seconds"], values["cut"], values["faces"][0]["track"]) == (0, 0.0, False, 1)


def test_analysis_is_reproducible(engine):
    assert list(engine.analyze_video(FakeVideo())) == list(engine.analyze_video(FakeVideo()))


def test_frames_are_selected(engine):
    assert [frame.index for frame in engine.analyze_video(FakeVideo(), every=10)] == [0, 10, 20, 30]
    assert [frame.index for frame in engine.analyze_video(FakeVideo(), fps=5)] == list(range(0, 40, 5))
    assert [frame.index for frame in engine.analyze_video(FakeVideo(), start=0.4, end=0.48)] == [10, 11]
    assert len(list(engine.analyze_video(FakeVideo(), every=None))) == 40
    with pytest.raises(SourceError, match="every 0 frames"):
        engine.analyze_video(FakeVideo(), every=0)


def test_faces_of_several_frames_are_classified_together():
    classifier = FakeClassifier()
    list(Engine(classifier, FakeDetector()).analyze_video(FakeVideo(40)))
    assert max(classifier.runs) == 8


class MinFaceDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        assert min_face == 12
        return super().detect(pixels, min_face=min_face)


def test_min_face_is_passed_to_the_detector():
    engine = Engine(FakeClassifier(), MinFaceDetector())
    assert [len(frame.result) for frame in engine.analyze_video(FakeVideo(3), min_face=12)] == [1, 1, 1]


def test_analysis_is_lazy_and_queues_few_frames(engine):
    video = FakeVideo(100_000)
    frames = engine.analyze_video(video)
    assert video.produced == 0
    next(frames)
    # The queues are full when nothing more is produced for a while.
    produced = 0
    while video.produced > produced:
        produced = video.produced
        time.sleep(0.1)
    assert 0 < produced < 150
    frames.close()
    assert video.closed


def test_leaving_the_loop_closes_the_video(engine):
    video = FakeVideo(100_000)
    for frame in engine.analyze_video(video):
        if frame.index == 3:
            break
    gc.collect()
    assert video.closed


def test_exception_in_the_loop_closes_the_video(engine):
    video = FakeVideo(100_000)

    def fail():
        for _ in engine.analyze_video(video):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    gc.collect()
    assert video.closed


def test_interrupt_closes_the_video(engine):
    video = FakeVideo(100_000)
    frames = engine.analyze_video(video)
    next(frames)
    with pytest.raises(KeyboardInterrupt):
        frames.throw(KeyboardInterrupt)
    assert video.closed


def test_error_of_the_video_follows_the_frames_before_it(engine):
    video, indexes = FakeVideo(40, error_at=20), []

    def analyze():
        indexes.extend(frame.index for frame in engine.analyze_video(video))

    with pytest.raises(SourceError, match="The disk failed"):
        analyze()
    # The last frames before the error may be lost in the queues.
    assert indexes == list(range(len(indexes)))
    assert video.closed


class FailingDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        if pixels[0, 0, 0] > 50:
            raise ModelError("The detector failed")
        return super().detect(pixels, min_face=min_face)


def test_error_in_a_stage_reaches_the_caller():
    video = FakeVideo()
    with pytest.raises(ModelError, match="The detector failed"):
        list(Engine(FakeClassifier(), FailingDetector()).analyze_video(video))
    assert video.closed


def test_missing_file_fails_before_the_first_frame(engine):
    with pytest.raises(SourceMissing):
        engine.analyze_video("missing.mp4")


def test_camera_is_analysed_frame_by_frame_without_threads(engine):
    video = FakeVideo(1000, live=True)
    frames = engine.analyze_video(video)
    for expected in range(3):
        assert next(frames).index == expected
        assert video.produced == expected + 1
        assert mien_threads() == set()
    frames.close()
    assert video.closed


def test_video_without_faces_has_empty_results():
    engine = Engine(FakeClassifier(), FakeDetector(boxes=()))
    assert [len(frame.result) for frame in engine.analyze_video(FakeVideo(5))] == [0] * 5


# Real videos, detectors and models


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_still_video(tmp_path_factory.mktemp("clip") / "two.mp4", two_faces().repeat(2, 0).repeat(2, 1), 0.4)


@pytest.mark.parametrize(
    "reader",
    ["opencv", pytest.param("pyav", marks=pytest.mark.skipif(find_spec("av") is None, reason="needs PyAV"))],
)
def test_video_of_an_image_is_read_as_the_image(clip, reader):
    engine = Engine.load(detector="haar")
    frames = list(engine.analyze_video(open_video(clip, reader=reader), frames=True))
    assert len(frames) == 10
    image = engine.read(frames[0].pixels)
    assert len(image) == 2
    for frame in frames:
        assert {reading.track for reading in frame} == {1, 2}
        for reading, expected in zip(frame, image, strict=True):
            assert reading.emotions.top == expected.emotions.top
            assert abs(reading.face.box.x - expected.face.box.x) < 0.08 * expected.face.box.width
        assert not frame.cut


def test_yunet_analyses_a_video(clip, yunet_file):
    from mien.faces.detectors import load_detector
    from mien.models import load_classifier, resolve_model

    engine = Engine(load_classifier(resolve_model("base")), load_detector("yunet", yunet=yunet_file))
    frames = list(engine.analyze_video(clip))
    assert all({reading.track for reading in frame} == {1, 2} for frame in frames)
    assert all(reading.face.landmarks for frame in frames for reading in frame)
