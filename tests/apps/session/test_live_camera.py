"""Live analysis of a camera without a window: worker, notice, recording, explanation, and ``mien live --no-window``."""

import gc
import os
import sys
import threading
import time
import weakref
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from command import mien, run_process, with_fakes
from fake_camera import FakeCameraDevice, open_fake_camera
from fakes import FakeClassifier, FakeDetector
from mien import Engine, video
from mien.apps.cli.live import SizeParameter
from mien.apps.session import live_camera
from mien.apps.session.live_camera import CameraRecorder, CameraWorker, FrameStream
from mien.apps.session.live_explanation import ExplanationWorker
from mien.apps.session.overlay import overlay_saliency
from mien.errors import MienError, OutputError
from mien.explain import Saliency
from mien.faces.crop import Framing
from mien.faces.detectors import load_detector
from mien.images import load_image
from mien.models import load_classifier, resolve_model
from mien.models.decision import build_emotions
from mien.results import Box, Face, Point
from mien.video import Frame, VideoInfo
from mien.video.smoothing import Smoother
from running_threads import mien_threads, wait_until
from synthetic_video import BOX, HAPPY, SAD, synthetic_frame, write_synthetic_video
from video_files import EXAMPLES


def fake_engine(detector=None) -> Engine:
    return Engine(FakeClassifier(), detector or FakeDetector((BOX,)))


# The worker


def test_worker_returns_the_newest_frame_and_releases_the_camera():
    device = FakeCameraDevice()
    with CameraWorker(fake_engine(), open_fake_camera(device)) as worker:
        wait_until(lambda: worker.newest(5))
        frame = worker.newest()
        assert frame.main_reading().emotions.top == "happy"
        assert frame.main_reading().track == frame.main_track
        assert frame.pixels.shape == (120, 160, 3)
        assert worker.delay(frame) >= 0
        assert worker.newest(10**9) is None
    assert device.released == 1
    assert worker.ended
    assert worker.error is None
    wait_until(lambda: not mien_threads())


class DelayedDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        time.sleep(0.05)
        return super().detect(pixels, min_face=min_face)


def test_slow_worker_analyses_the_newest_frame_and_counts_dropped_ones():
    device = FakeCameraDevice(interval=0.005)
    with CameraWorker(fake_engine(DelayedDetector((BOX,))), open_fake_camera(device)) as worker:
        wait_until(lambda: worker.newest(6))
        frame = worker.newest()
    assert frame.dropped > frame.number
    assert frame.raw.index >= frame.number + frame.dropped - 1


def test_pausing_stops_the_analysis_and_does_not_count_dropped_frames():
    device = FakeCameraDevice(interval=0.002)
    with CameraWorker(fake_engine(), open_fake_camera(device)) as worker:
        wait_until(lambda: worker.newest(3))
        worker.toggle_pause()
        # The frame that is being analysed is the last one.
        number, sent = worker.newest().number, device.sent
        wait_until(lambda: device.sent > sent + 200)
        assert worker.newest().number <= number + 1
        before = worker.newest()
        worker.toggle_pause()
        wait_until(lambda: worker.newest(before.number + 2))
        assert worker.newest().dropped - before.dropped < 200


def test_unplugged_camera_ends_the_worker_with_an_error():
    device = FakeCameraDevice(frames=5)
    camera = video.Camera(device, "camera 0", timeout=0.2)
    with CameraWorker(fake_engine(), camera) as worker:
        assert worker.wait(30)
    assert "stopped sending frames" in str(worker.error)
    assert device.released == 1


class BrokenDetector(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        raise MienError("The detector failed", "A working one was expected", "Repair it")


def test_error_of_the_engine_ends_the_worker_and_releases_the_camera():
    device = FakeCameraDevice()
    with CameraWorker(fake_engine(BrokenDetector()), open_fake_camera(device)) as worker:
        assert worker.wait(30)
        wait_until(lambda: device.released == 1)
    assert "The detector failed" in str(worker.error)


def test_exception_in_the_block_releases_the_camera():
    device = FakeCameraDevice()
    with pytest.raises(RuntimeError), CameraWorker(fake_engine(), open_fake_camera(device)):
        raise RuntimeError
    assert device.released == 1


def test_main_track_changes_only_to_a_much_larger_face():
    detector = FakeDetector((Box(40, 30, 48, 48), Box(100, 30, 50, 50)))
    with CameraWorker(fake_engine(detector), open_fake_camera(FakeCameraDevice())) as worker:
        wait_until(lambda: worker.newest(2))
        track = worker.newest().main_track
        detector.boxes = (Box(40, 30, 48, 48), Box(100, 30, 44, 44))
        number = worker.newest().number
        wait_until(lambda: worker.newest(number + 5))
        assert worker.newest().main_track == track


def test_frame_stream_tracks_and_smooths_frames_of_a_browser():
    stream = FrameStream(fake_engine())
    frames = [stream.analyze(synthetic_frame(HAPPY if index < 5 else SAD), index / 10) for index in range(10)]
    assert [frame.index for frame in frames] == list(range(10))
    assert {reading.track for frame in frames for reading in frame} == {1}
    assert frames[0].result.readings[0].emotions.top == "happy"
    assert frames[-1].result.readings[0].emotions.top == "sad"


class PushedFrames:
    """A camera that has these frames, ten a second."""

    damage = None

    def __init__(self, frames):
        self._frames = frames
        self.info = VideoInfo("camera", (frames[0].shape[1], frames[0].shape[0]), live=True)

    def frames(self, selection):
        yield from (Frame(index, index / 10, pixels) for index, pixels in enumerate(self._frames))

    def close(self):
        pass


def moving_portraits(count):
    """Two people who move to the right, then a scene with other positions."""
    portraits = load_image(EXAMPLES / "portraits.jpg").pixels
    frames = [np.ascontiguousarray(np.roll(portraits, 3 * index, axis=1)) for index in range(count)]
    return [*frames, *(np.ascontiguousarray(frame[:, ::-1]) for frame in frames)]


@pytest.mark.parametrize("detector", ["haar", "yunet"])
def test_frame_stream_has_the_results_of_a_local_camera(detector, request):
    if detector == "yunet":
        yunet = request.getfixturevalue("yunet_file")
        engine = Engine(load_classifier(resolve_model("base")), load_detector("yunet", yunet=yunet))
    else:
        engine = Engine.load(detector=detector)
    frames, stream = moving_portraits(6), FrameStream(engine)
    smoother = Smoother(partial(build_emotions, engine.card))
    expected = [smoother.step(frame) for frame in engine.analyze_video(PushedFrames(frames), frames=True)]
    results = [stream.analyze(pixels, index / 10) for index, pixels in enumerate(frames)]
    assert len(results) == len(expected) == 12
    assert sum(len(frame.result) for frame in results) >= 20
    for frame, other in zip(results, expected, strict=True):
        assert (frame.index, frame.seconds, frame.cut) == (other.index, other.seconds, other.cut)
        assert [(each.track, each.face.box) for each in frame] == [(each.track, each.face.box) for each in other]
        scores = [score for each in frame for score in dict(each.emotions.scores).values()]
        other_scores = [score for each in other for score in dict(each.emotions.scores).values()]
        assert scores == pytest.approx(other_scores, abs=1e-6)


def test_frame_stream_stores_no_frame():
    stream, pixels = FrameStream(Engine.load(detector="haar")), load_image(EXAMPLES / "hopper.jpg").pixels.copy()
    reference = weakref.ref(pixels)
    assert len(stream.analyze(pixels, 0.0).result) == 1
    del pixels
    gc.collect()
    assert reference() is None


def test_frame_stream_continues_after_an_error():
    class FailingOnce(FakeClassifier):
        failed = False

        def run(self, faces):
            if not self.failed:
                self.failed = True
                raise MienError("The model failed", "A working one was expected", "Repair it")
            return super().run(faces)

    stream = FrameStream(Engine(FailingOnce(), FakeDetector((BOX,))))
    with pytest.raises(MienError):
        stream.analyze(synthetic_frame(HAPPY), 0.0)
    assert [reading.track for reading in stream.analyze(synthetic_frame(HAPPY), 0.1)] == [1]


# The explanation and the map


def test_explanation_runs_only_while_it_is_switched_on():
    engine = Engine.load(detector="none")
    with CameraWorker(engine, open_fake_camera(FakeCameraDevice())) as worker:
        explanation = ExplanationWorker(engine, worker.newest)
        wait_until(lambda: worker.newest(3))
        assert explanation.newest is None
        explanation.switch(True)
        wait_until(lambda: explanation.newest is not None)
        activations = explanation.newest.activations
        assert activations.emotions.labels == engine.labels
        assert "pool" in {layer.kind for layer in activations.layers}
        assert {layer.activations.ndim for layer in activations.layers} == {1, 3}
        explanation.switch(False)
        assert explanation.newest is None
        explanation.close()
    assert explanation.error is None
    wait_until(lambda: not mien_threads())


@pytest.fixture
def saliency():
    """Evidence in the upper left corner of the crop."""
    values = np.zeros((48, 48), np.float32)
    values[:12, :12] = 1
    values.setflags(write=False)
    return Saliency(values, "happy", "cam")


GRAY = np.full((120, 160, 3), 128, np.uint8)


def test_saliency_covers_the_crop(saliency):
    image = overlay_saliency(GRAY, saliency, Face(Box(40, 30, 48, 48)), Framing(1.0))
    changed = np.argwhere((image != GRAY).any(axis=2))
    assert np.abs(changed.min(axis=0) - (30, 40)).max() <= 2
    assert np.abs(changed.max(axis=0) - (42, 52)).max() <= 3
    assert GRAY.max() == 128


def test_saliency_is_rotated_with_the_face_and_clipped_to_the_image(saliency):
    # The line of the eyes is rotated by 45 degrees: the upper left corner of the crop is at the top, in the middle.
    landmarks = (Point(50, 44), Point(70, 64), Point(56, 62), Point(50, 70), Point(62, 80))
    image = overlay_saliency(GRAY, saliency, Face(Box(40, 40, 40, 40), landmarks=landmarks), Framing(1.0))
    changed = np.argwhere((image != GRAY).any(axis=2))
    assert len(changed) > 50
    assert changed[:, 0].mean() < 50
    assert overlay_saliency(GRAY, saliency, Face(Box(-200, -200, 40, 40)), Framing(1.0)) is GRAY


# The notice


def test_notice_is_confirmed_once(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    assert not live_camera.is_notice_confirmed()
    live_camera.confirm_notice()
    assert live_camera.is_notice_confirmed()


@pytest.mark.parametrize(
    ("source", "expected"), [("0", True), ("rtsp://a/b", True), ("clip.webm", False), ("C:\\clip.mp4", False)]
)
def test_numbers_and_addresses_are_cameras(source, expected):
    assert live_camera.is_camera(source) == expected


def test_notice_is_printed_before_the_camera_opens(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    assert mien("live", "--no-window", "--camera", "77", load=lambda **_: fake_engine()) == 1
    error = capsys.readouterr().err
    assert error.index("Nothing is stored") < error.index("There is no camera 77")
    # Nobody confirmed it at a terminal, so it will be printed again.
    assert not live_camera.is_notice_confirmed()


def test_option_yes_skips_the_notice(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    assert mien("live", "--no-window", "--yes", "--camera", "77", load=lambda **_: fake_engine()) == 1
    error = capsys.readouterr().err
    assert "about to open" not in error
    assert "There is no camera 77" in error


# Recording


class FailingWriter:
    def __init__(self, error):
        self.error = error

    def write(self, pixels, seconds):
        raise self.error

    def close(self):
        pass


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OutputError("The disk is full", "Free space was expected", "Free some"), "The disk is full"),
        (ZeroDivisionError("division"), "a bug in mien"),
    ],
)
def test_failed_recording_has_an_error_and_does_not_block(error, message):
    with CameraWorker(fake_engine(), open_fake_camera(FakeCameraDevice())) as worker:
        wait_until(lambda: worker.newest(1))
        frame = worker.newest()
    recorder = CameraRecorder(FailingWriter(error))
    recorder.add(frame)
    wait_until(lambda: recorder.error is not None)
    for _ in range(30):
        recorder.add(frame)
    closing = threading.Thread(target=recorder.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert message in str(recorder.error)


# The command


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    return write_synthetic_video(tmp_path_factory.mktemp("live") / "clip.webm", frames=24)


def live(*arguments) -> int:
    return mien("live", *arguments, load=with_fakes(detector=FakeDetector((BOX,))))


def test_without_a_window_changes_are_printed_and_recorded(clip, tmp_path, capsys):
    assert live("--camera", clip, "--no-window", "--record", tmp_path / "recording.webm") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("track 1 looks happy, 60 %")
    assert any("track 1 looks sad" in line for line in lines[1:])
    with video.open_video(tmp_path / "recording.webm") as recording:
        frames = list(recording.frames())
    assert 0 <= frames[-1].seconds < 1.5
    assert list(tmp_path.iterdir()) == [tmp_path / "recording.webm"]
    wait_until(lambda: not mien_threads())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--camera", "missing.webm"], "missing.webm"),
        (["--camera", "rtsp://127.0.0.1:9/none", "--yes"], "could not be opened"),
        (["--camera", "clip.webm", "--record", "r.avi"], ".webm"),
    ],
)
def test_errors_are_one_message(arguments, message, clip, monkeypatch, capsys):
    monkeypatch.chdir(clip.parent)
    assert live(*arguments, "--no-window") == 1
    assert message in capsys.readouterr().err
    wait_until(lambda: not mien_threads())


@pytest.mark.parametrize("size", ["640", "ax480", "640x", "0x0"])
def test_invalid_sizes_are_refused(size, capsys):
    assert live("--size", size, "--no-window") == 2
    assert "is not a size" in capsys.readouterr().err
    assert SizeParameter().convert("640x480", None, None) == (640, 480)


def test_message_without_tk_says_what_to_install(clip, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert live("--camera", clip) == 1
    error = capsys.readouterr().err
    assert "python3-tk" in error
    assert "--no-window" in error


@pytest.mark.full
@pytest.mark.skipif(sys.platform != "linux", reason="DISPLAY names the screen on Linux")
def test_message_without_a_screen_names_no_window(clip):
    pytest.importorskip("tkinter")
    completed = run_process("live", "--camera", clip, env={**os.environ, "DISPLAY": ":99999"})
    assert completed.returncode == 1
    assert b"--no-window" in completed.stderr
    assert b"Traceback" not in completed.stderr
