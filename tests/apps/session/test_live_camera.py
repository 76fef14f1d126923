"""Watching a camera without a window: the worker, the notice, what is written, and that the camera is let go."""

import os
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from camera_device import Device, threads
from command import mien, process, with_fakes
from fakes import FakeClassifier, FakeDetector
from mien import Engine, images, video
from mien.apps.cli.live import SizeParameter
from mien.apps.session import live_camera
from mien.apps.session.live_camera import CameraWorker
from mien.apps.session.live_explanation import ExplanationWorker
from mien.apps.session.overlay import overlay_saliency
from mien.apps.session.recording import CameraRecorder
from mien.errors import MienError, OutputError, SourceError
from mien.explain import Saliency
from mien.faces.crop import Framing
from mien.results import Box, Face, Point
from mien.video.writers import open_writer
from synthetic_frames import BOX, FPS, HAPPY, SAD, frame


def engine(**parts) -> Engine:
    return Engine(parts.get("classifier") or FakeClassifier(), parts.get("detector") or FakeDetector((BOX,)))


def opened(device: Device) -> video.Camera:
    return video.open_camera(0, open_device=lambda source: device)


def until(true, seconds=30.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.005)
    assert true()


# The worker


def test_the_newest_view_is_there_and_the_camera_is_let_go():
    device = Device()
    with CameraWorker(engine(), opened(device)) as watching:
        until(lambda: watching.newest(5))
        view = watching.newest()
        assert view.reading().emotions.top == "happy"
        assert view.reading().track == view.person
        assert view.pixels.shape == (120, 160, 3)
        assert 0 <= watching.delay(view) < 1
        assert watching.newest(10**9) is None
    assert device.released == 1
    assert watching.over
    assert watching.error is None
    assert threads() == set()


class Slow(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        time.sleep(0.08)
        return super().detect(pixels, min_face=min_face)


def test_a_slow_reader_reads_new_frames_and_counts_the_others():
    device = Device()
    with CameraWorker(engine(detector=Slow((BOX,))), opened(device)) as watching:
        until(lambda: watching.newest(6))
        view = watching.newest()
        assert view.dropped > view.number
        # However long it has been going on, what is shown is as old as one reading takes.
        assert view.read.index >= device.given - 40


def test_pausing_reads_nothing_and_loses_nothing():
    device = Device()
    with CameraWorker(engine(), opened(device)) as watching:
        until(lambda: watching.newest(3))
        watching.pause()
        time.sleep(0.1)
        number, before = watching.newest().number, watching.newest().dropped
        time.sleep(0.5)
        assert watching.newest().number == number
        watching.pause()
        until(lambda: watching.newest(number + 2))
        assert watching.newest().dropped - before < 30


def test_a_camera_that_is_unplugged_ends_with_a_sentence_and_is_let_go():
    device = Device(last=5)
    camera = images.cameras.Camera(device, "camera 0", silence=0.2)
    with CameraWorker(engine(), camera) as watching:
        assert watching.wait(30)
    assert "stopped sending pictures" in str(watching.error)
    assert device.released == 1


class Failing(FakeDetector):
    def detect(self, pixels, *, min_face=None):
        raise MienError("The detector broke", "A whole one was expected", "Mend it")


def test_a_reader_that_fails_lets_the_camera_go():
    device = Device()
    with CameraWorker(engine(detector=Failing()), opened(device)) as watching:
        assert watching.wait(30)
        until(lambda: device.released == 1)
    assert "broke" in str(watching.error)


def test_whoever_fails_while_watching_lets_the_camera_go():
    device = Device()
    with pytest.raises(RuntimeError), CameraWorker(engine(), opened(device)):
        raise RuntimeError
    assert device.released == 1


def test_bars_stay_with_a_person_until_another_is_much_larger():
    detector = FakeDetector((Box(40, 30, 48, 48), Box(100, 30, 50, 50)))
    with CameraWorker(engine(detector=detector), opened(Device())) as watching:
        until(lambda: watching.newest(2))
        person = watching.newest().person
        detector.boxes = (Box(40, 30, 48, 48), Box(100, 30, 44, 44))
        number = watching.newest().number
        until(lambda: watching.newest(number + 8))
        assert watching.newest().person == person


# The inside and the map


def test_the_inside_is_looked_at_only_while_it_is_on():
    real = Engine.load(detector="none")
    with CameraWorker(real, opened(Device())) as watching:
        insides = ExplanationWorker(real, watching.newest)
        time.sleep(0.2)
        assert insides.newest is None
        insides.switch(True)
        until(lambda: insides.newest is not None)
        seen = insides.newest
        kinds = {layer.kind for layer in seen.look.layers}
        assert seen.look.emotions.labels == real.labels
        assert "pool" in kinds
        assert {layer.activations.ndim for layer in seen.look.layers} == {1, 3}
        insides.switch(False)
        assert insides.newest is None
        insides.close()
    assert insides.error is None
    assert threads() == set()


def saliency(side=48):
    values = np.zeros((side, side), np.float32)
    values[:12, :12] = 1
    values.setflags(write=False)
    return Saliency(values, "happy", "cam")


def test_a_map_lies_where_the_crop_was_cut():
    gray = np.full((120, 160, 3), 128, np.uint8)
    painted = overlay_saliency(gray, saliency(), Face(Box(40, 30, 48, 48)), Framing(1.0))
    changed = np.argwhere((painted != gray).any(axis=2))
    assert np.abs(changed.min(axis=0) - (30, 40)).max() <= 2
    assert np.abs(changed.max(axis=0) - (42, 52)).max() <= 3
    assert gray.max() == 128


def test_a_map_turns_with_the_head_and_stops_at_the_edge():
    gray = np.full((120, 160, 3), 128, np.uint8)
    # Eyes that slope by 45 degrees: the crop's upper left corner is at the top of the picture's middle.
    points = (Point(50, 44), Point(70, 64), Point(56, 62), Point(50, 70), Point(62, 80))
    painted = overlay_saliency(gray, saliency(), Face(Box(40, 40, 40, 40), landmarks=points), Framing(1.0))
    changed = np.argwhere((painted != gray).any(axis=2))
    assert len(changed) > 50
    assert changed[:, 0].mean() < 50
    assert overlay_saliency(gray, saliency(), Face(Box(-200, -200, 40, 40)), Framing(1.0)) is gray


# The notice


def test_the_notice_comes_once_and_only_before_a_camera(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    assert not live_camera.is_notice_confirmed()
    live_camera.confirm_notice()
    assert live_camera.is_notice_confirmed()
    assert [live_camera.is_camera(word) for word in ("0", "rtsp://a/b", "clip.webm", "C:\\clip.mp4")] == [
        True,
        True,
        False,
        False,
    ]


def test_the_notice_is_said_before_the_camera_is_touched(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))

    def refused(*_, **__):
        assert "Nothing is kept" in capsys.readouterr().err
        raise SourceError("There is no camera", "One was expected", "Plug one in")

    monkeypatch.setattr(images, "camera", refused)
    assert mien("live", "--no-window", load=lambda **_: engine()) == 1
    assert "There is no camera" in capsys.readouterr().err
    # Nobody was there to read it: it will be said again.
    assert not live_camera.is_notice_confirmed()


def test_who_has_read_the_notice_is_not_told_again(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    assert mien("live", "--no-window", "--yes", "--camera", "77", load=lambda **_: engine()) == 1
    err = capsys.readouterr().err
    assert "about to open" not in err
    assert "There is no camera 77" in err


# The command


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("live") / "clip.webm"
    with open_writer(path, (160, 120), FPS) as out:
        for index in range(24):
            out.write(frame(HAPPY if index < 12 else SAD), index / FPS)
    return path


def live(*arguments) -> int:
    return mien("live", *arguments, load=with_fakes(detector=FakeDetector((BOX,))))


def test_without_a_window_changes_are_written_line_by_line(clip, capsys):
    assert live("--camera", clip, "--no-window") == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].endswith("person 1 looks happy, 60 %")
    assert any("person 1 looks sad" in line for line in out[1:])
    assert threads() == set()


def test_what_is_shown_is_recorded(clip, tmp_path):
    assert live("--camera", clip, "--no-window", "--record", tmp_path / "r.webm") == 0
    with video.open_video(tmp_path / "r.webm") as recorded:
        frames = list(recorded.frames())
    assert len(frames) >= 5
    assert frames[-1].seconds == pytest.approx(1.1, abs=0.4)
    assert list(tmp_path.iterdir()) == [tmp_path / "r.webm"]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (OutputError("No room", "Room was expected", "Make some"), "No room"),
        (ZeroDivisionError("none"), "a bug in mien"),
    ],
)
def test_a_recording_that_fails_says_so_and_the_rest_goes_on(raised, said):
    class Full:
        def write(self, pixels, seconds):
            raise raised

        def close(self):
            pass

    recording = CameraRecorder.__new__(CameraRecorder)
    with CameraWorker(engine(), opened(Device())) as watching:
        until(lambda: watching.newest(1))
        view = watching.newest()
    recording._begin(Full())
    until(lambda: recording.error is not None or recording.add(view))
    for _ in range(30):
        recording.add(view)
    closing = threading.Thread(target=recording.close, daemon=True)
    closing.start()
    closing.join(20)
    assert not closing.is_alive()
    assert said in str(recording.error)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--camera", "missing.webm"], "missing.webm"),
        (["--camera", "77", "--yes"], "There is no camera 77"),
        (["--camera", "rtsp://127.0.0.1:9/none", "--yes"], "could not be opened"),
        (["--camera", "clip.webm", "--record", "r.avi"], ".webm"),
    ],
)
def test_what_cannot_be_watched_is_a_sentence(arguments, said, clip, monkeypatch, capsys):
    monkeypatch.chdir(clip.parent)
    assert live(*arguments, "--no-window") == 1
    assert said in capsys.readouterr().err
    assert threads() == set()


@pytest.mark.parametrize("word", ["640", "ax480", "640x", "0x0"])
def test_a_size_that_is_none_is_refused(word, capsys):
    assert live("--size", word, "--no-window") == 2
    assert "is no size" in capsys.readouterr().err
    assert SizeParameter().convert("640x480", None, None) == (640, 480)


def test_without_tk_it_says_what_to_install_or_do(clip, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tkinter", None)
    assert live("--camera", clip) == 1
    err = capsys.readouterr().err
    assert "python3-tk" in err
    assert "--no-window" in err


@pytest.mark.skipif(sys.platform != "linux", reason="DISPLAY is how Linux names a screen")
def test_without_a_screen_it_says_how_to_go_without(clip):
    pytest.importorskip("tkinter")
    done = process("live", "--camera", clip, env={**os.environ, "DISPLAY": ":99999"})
    assert done.returncode == 1
    assert b"--no-window" in done.stderr
    assert b"Traceback" not in done.stderr
