"""Cameras: the newest frame, dropped ones counted, and released however it ends."""

import threading
import time

import cv2
import numpy as np
import pytest

from films import pattern
from mien import video
from mien.errors import SourceError, SourceMissing, SourceUnreadable
from mien.video.camera import Camera


class FakeDevice:
    """Behaves as ``cv2.VideoCapture`` does: frames that come at a pace, or not at all."""

    def __init__(self, frames=1000, pace=0.005, opens=True, error=None):
        self.left, self.pace, self.opens, self.error = frames, pace, opens, error
        self.sent, self.released, self.settings = 0, 0, {}

    def isOpened(self):
        return self.opens

    def read(self):
        assert not self.released, "read after release"
        time.sleep(self.pace)
        if self.sent >= self.left:
            if self.error:
                raise cv2.error(self.error)
            return False, None
        self.sent += 1
        frame = np.zeros((48, 64, 3), np.uint8)
        frame[:, :32] = (255, 0, 0)  # BGR: blue on the left
        frame[0, 0, 1] = self.sent % 256
        return True, frame

    def get(self, what):
        return {cv2.CAP_PROP_FRAME_WIDTH: 64.0, cv2.CAP_PROP_FRAME_HEIGHT: 48.0, cv2.CAP_PROP_FPS: 30.0}.get(what, 0.0)

    def set(self, what, value):
        self.settings[what] = value
        return True

    def release(self):
        self.released += 1


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "mien-camera"] == []


def opened(device, **more):
    return video.open_camera(0, opened=lambda source: device, **more)


def test_a_camera_is_a_film_without_an_end():
    device = FakeDevice()
    with opened(device) as camera:
        assert isinstance(camera, video.VideoReader)
        assert camera.about.live
        assert camera.about.size == (64, 48)
        first = next(camera.frames())
        assert first.pixels.shape == (48, 64, 3)
        assert tuple(first.pixels[10, 10]) == (0, 0, 255)
    assert device.released == 1


def test_the_newest_frame_comes_and_missed_ones_are_counted():
    with opened(FakeDevice(pace=0.002)) as camera:
        frames = camera.frames()
        before = next(frames)
        time.sleep(0.1)
        after = next(frames)
        assert camera.dropped == after.index - before.index - 1 > 5
        assert camera.now - after.seconds < 0.05


def test_no_frame_comes_twice():
    with opened(FakeDevice(frames=30)) as camera:
        frames = camera.frames()
        indices = [next(frames).index for _ in range(10)]
    assert indices == sorted(set(indices))


def test_a_mirrored_camera_is_a_mirror():
    with opened(FakeDevice(), mirror=True) as camera:
        pixels = next(camera.frames()).pixels
    assert tuple(pixels[10, -1]) == (0, 0, 255)
    assert pixels.flags.c_contiguous


def test_a_size_is_asked_for():
    device = FakeDevice()
    with opened(device, size=(320, 240)):
        assert device.settings[cv2.CAP_PROP_FRAME_WIDTH] == 320
        assert device.settings[cv2.CAP_PROP_FRAME_HEIGHT] == 240


def test_a_camera_that_is_unplugged_is_told_and_released():
    device = FakeDevice(frames=5)
    camera = Camera(device, "camera 0", silence=0.1)
    with pytest.raises(SourceError, match="stopped sending pictures after"):
        for _ in camera.frames():
            pass
    camera.close()
    assert device.released == 1


def test_a_camera_that_fails_in_the_middle_is_told_with_its_reason():
    camera = Camera(FakeDevice(frames=2, error="device lost"), "camera 0")
    with camera, pytest.raises(SourceError, match="device lost"):
        for _ in camera.frames():
            pass


def test_a_camera_that_never_sends_is_taken_for_busy():
    with (
        Camera(FakeDevice(frames=0), "camera 0", silence=0.1) as camera,
        pytest.raises(SourceUnreadable, match="Close other"),
    ):
        next(camera.frames())


def test_a_camera_that_does_not_open_is_missing_and_released():
    device = FakeDevice(opens=False)
    with pytest.raises(SourceMissing, match="There is no camera 0"):
        opened(device)
    assert device.released == 1


@pytest.mark.parametrize(
    ("mode", "there", "expected"), [(0o666, True, "could not be opened"), (0o666, False, "There are: 3")]
)
def test_the_reason_is_looked_for_among_the_devices(tmp_path, monkeypatch, mode, there, expected):
    monkeypatch.setattr("mien.video.camera._DEVICES", tmp_path)
    (tmp_path / ("video0" if there else "video3")).touch()
    with pytest.raises(SourceError, match=expected):
        opened(FakeDevice(opens=False))


def test_permission_denied_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr("mien.video.camera._DEVICES", tmp_path)
    monkeypatch.setattr("mien.video.camera.os.access", lambda path, mode: False)
    (tmp_path / "video0").touch()
    with pytest.raises(SourceMissing, match=r"may not be opened.*usermod"):
        opened(FakeDevice(opens=False))


def test_closing_from_another_thread_ends_the_frames():
    camera, seen = opened(FakeDevice()), []
    thread = threading.Thread(target=lambda: seen.extend(frame.index for frame in camera.frames()))
    thread.start()
    time.sleep(0.05)
    camera.close()
    thread.join(2)
    assert not thread.is_alive()
    assert seen


def test_a_camera_that_hangs_does_not_hold_who_closes_it(monkeypatch):
    release = threading.Event()

    class Hangs(FakeDevice):
        def read(self):
            release.wait(10)
            return False, None

    monkeypatch.setattr("mien.video.camera.JOIN_TIMEOUT", 0.1)
    device = Hangs()
    camera = opened(device)
    start = time.monotonic()
    camera.close()
    assert time.monotonic() - start < 1
    release.set()
    camera._thread.join(2)
    assert device.released == 1


def test_a_film_plays_as_a_camera_at_its_own_pace(tmp_path):
    path = pattern(tmp_path / "film.mp4", "-pix_fmt", "yuv420p")
    start = time.monotonic()
    with video.open_camera(path) as camera:
        frames = list(camera.frames())
    assert 0.85 < time.monotonic() - start < 3
    assert len(frames) + camera.dropped == 25
    assert camera.about.size == (160, 120)


def test_there_is_no_such_camera_and_nothing_is_printed(capfd):
    with pytest.raises(SourceMissing, match="There is no camera 63"):
        video.open_camera(63)
    with pytest.raises(SourceMissing, match="could not be opened"):
        video.open_camera("http://127.0.0.1:9/nothing")
    with pytest.raises(SourceMissing, match="is not there"):
        video.open_camera("nowhere.mp4")
    assert capfd.readouterr() == ("", "")
