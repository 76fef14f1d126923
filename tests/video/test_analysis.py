"""Watching films: lazily, in order, the same every time; and however it ends, no thread and no file stays."""

import gc
import threading
import time
from importlib.util import find_spec

import numpy as np
import pytest

from fakes import FakeClassifier, FakeDetector
from films import film_of, two_people
from mien import AnalyzedFrame, Engine
from mien.errors import ModelError, SourceError, SourceMissing
from mien.video import Frame, VideoInfo, open_video
from mien.video.frames import ALL_FRAMES


class Drawn:
    """A film of flat frames, as a film of any kind may be."""

    complaint = None

    def __init__(self, count=40, live=False, broken_at=None):
        self.about = VideoInfo("drawn", (32, 24), 25.0, count / 25, count, live=live)
        self.count, self.broken_at, self.made, self.closed = count, broken_at, 0, False

    def frames(self, choice=ALL_FRAMES):
        turn = choice.turns()
        for index in range(self.count):
            if index / 25 >= choice.end - 1e-6:
                return
            if index == self.broken_at:
                raise SourceError("The disk is gone")
            self.made += 1
            if turn(index, index / 25):
                yield Frame(index, index / 25, np.full((24, 32, 3), index * 5 % 256, np.uint8))

    def close(self):
        self.closed = True


def threads():
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("mien-")}


@pytest.fixture(autouse=True)
def no_thread_stays():
    assert threads() == set()
    yield
    assert threads() == set()


@pytest.fixture
def engine():
    return Engine(FakeClassifier(), FakeDetector())


def test_moments_come_in_order_with_numbered_people(engine):
    drawn = Drawn()
    moments = list(engine.analyze_video(drawn))
    assert [moment.index for moment in moments] == list(range(40))
    assert [moment.seconds for moment in moments] == [index / 25 for index in range(40)]
    assert {reading.track for moment in moments for reading in moment} == {1}
    assert moments[0].result.source == "drawn"
    assert moments[0].pixels is None
    assert drawn.closed


def test_a_moment_is_a_plain_value(engine):
    one, other = next(engine.analyze_video(Drawn(1))), next(engine.analyze_video(Drawn(1), frames=True))
    assert one == other
    assert hash(one) == hash(other)
    assert other.pixels.shape == (24, 32, 3)
    told = one.to_dict()
    assert (told["frame"], told["seconds"], told["cut"], told["faces"][0]["track"]) == (0, 0.0, False, 1)
    assert isinstance(one, AnalyzedFrame)


def test_the_same_film_is_read_the_same(engine):
    assert list(engine.analyze_video(Drawn())) == list(engine.analyze_video(Drawn()))


def test_frames_are_chosen(engine):
    assert [moment.index for moment in engine.analyze_video(Drawn(), every=10)] == [0, 10, 20, 30]
    assert [moment.index for moment in engine.analyze_video(Drawn(), fps=5)] == list(range(0, 40, 5))
    assert [moment.index for moment in engine.analyze_video(Drawn(), start=0.4, end=0.48)] == [10, 11]
    assert len(list(engine.analyze_video(Drawn(), every=None))) == 40
    with pytest.raises(SourceError, match="every 0 frames"):
        engine.analyze_video(Drawn(), every=0)


def test_faces_are_read_several_at_a_time(engine):
    list(engine.analyze_video(Drawn(40)))
    assert max(engine._classifier.runs) == 8


def test_min_face_reaches_the_detector(engine):
    list(engine.analyze_video(Drawn(3), min_face=12))
    assert set(engine._detector.asked) == {12}


def test_watching_is_lazy_and_runs_only_a_little_ahead(engine):
    drawn = Drawn(100_000)
    moments = engine.analyze_video(drawn)
    time.sleep(0.05)
    assert drawn.made == 0
    next(moments)
    time.sleep(0.3)
    assert 0 < drawn.made < 150
    moments.close()
    assert drawn.closed


def test_who_leaves_early_releases_everything(engine):
    drawn = Drawn(100_000)
    for moment in engine.analyze_video(drawn):
        if moment.index == 3:
            break
    gc.collect()
    assert drawn.closed
    assert threads() == set()


def test_who_raises_releases_everything(engine):
    drawn = Drawn(100_000)

    def careless():
        for _ in engine.analyze_video(drawn):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        careless()
    gc.collect()
    assert drawn.closed


def test_who_is_interrupted_releases_everything(engine):
    drawn = Drawn(100_000)
    moments = engine.analyze_video(drawn)
    next(moments)
    with pytest.raises(KeyboardInterrupt):
        moments.throw(KeyboardInterrupt)
    assert drawn.closed


def test_a_film_that_breaks_gives_what_came_before_and_then_its_error(engine):
    drawn, seen = Drawn(40, broken_at=20), []

    def all_of_it():
        seen.extend(moment.index for moment in engine.analyze_video(drawn))

    with pytest.raises(SourceError, match="The disk is gone"):
        all_of_it()
    # The last frames may have been on their way.
    assert seen == list(range(len(seen)))
    assert drawn.closed


class Tired(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        if pixels[0, 0, 0] > 50:
            raise ModelError("The detector gave up")
        return super().detect(pixels, min_face=min_face)


def test_an_error_in_any_stage_reaches_the_caller():
    drawn = Drawn()
    with pytest.raises(ModelError, match="gave up"):
        list(Engine(FakeClassifier(), Tired()).watch(drawn))
    assert drawn.closed


def test_what_cannot_be_opened_fails_at_once(engine):
    with pytest.raises(SourceMissing):
        engine.analyze_video("nowhere.mp4")


def test_a_camera_is_read_frame_by_frame_without_threads(engine):
    drawn = Drawn(1000, live=True)
    moments = engine.analyze_video(drawn)
    for expected in range(3):
        assert next(moments).index == expected
        assert drawn.made == expected + 1
        assert threads() == set()
    moments.close()
    assert drawn.closed


def test_nobody_in_a_film_is_empty_and_no_error():
    nobody = Engine(FakeClassifier(), FakeDetector(boxes=()))
    assert [len(moment.result) for moment in nobody.watch(Drawn(5))] == [0] * 5


# With everything real


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return film_of(tmp_path_factory.mktemp("clip") / "two.mp4", two_people().repeat(2, 0).repeat(2, 1), 0.8)


@pytest.mark.parametrize(
    "reader",
    ["opencv", pytest.param("pyav", marks=pytest.mark.skipif(find_spec("av") is None, reason="needs PyAV"))],
)
def test_a_real_film_is_read_as_its_pictures_are(clip, reader):
    real = Engine.load(detector="haar")
    moments = list(real.watch(open_video(clip, reader=reader), frames=True))
    assert len(moments) == 20
    still = real.read(moments[0].pixels)
    assert len(still) == 2
    for moment in moments:
        assert {reading.track for reading in moment} == {1, 2}
        for reading, expected in zip(moment, still, strict=True):
            assert reading.emotions.top == expected.emotions.top
            assert abs(reading.face.box.x - expected.face.box.x) < 0.08 * expected.face.box.width
        assert not moment.cut


def test_yunet_reads_a_real_film(clip, yunet_file):
    from mien.faces.detectors import load_detector
    from mien.models import load_classifier, resolve_model

    real = Engine(load_classifier(resolve_model("base")), load_detector("yunet", yunet=yunet_file))
    moments = list(real.watch(clip))
    assert all({reading.track for reading in moment} == {1, 2} for moment in moments)
    assert all(reading.face.landmarks for moment in moments for reading in moment)
