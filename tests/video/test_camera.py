"""Cameras: the newest frame, dropped frames counted, and released however they end."""

import threading
import time

import cv2
import numpy as np
import pytest

from fake_camera import FakeCameraDevice, open_fake_camera
from mien import video
from mien.errors import SourceError, SourceMissing, SourceUnreadable
from mien.video.camera import Camera, unavailable_error
from running_threads import mien_threads, wait_until
from video_files import write_test_pattern

#: Red on the left.
PIXELS = np.zeros((48, 64, 3), np.uint8)
PIXELS[:, :32] = (255, 0, 0)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    wait_until(lambda: not mien_threads(), 5)


def test_camera_is_a_video_without_an_end():
    device = FakeCameraDevice(pixels=PIXELS)
    with open_fake_camera(device) as camera:
        assert isinstance(camera, video.VideoReader)
        assert camera.info.live
        assert camera.info.size == (64, 48)
        first = next(camera.frames())
        assert first.pixels.shape == (48, 64, 3)
        assert tuple(first.pixels[10, 10]) == (255, 0, 0)
    assert device.released == 1


def test_newest_frame_is_returned_and_others_are_counted_as_dropped():
    device = FakeCameraDevice(interval=0.002)
    with open_fake_camera(device) as camera:
        frames = camera.frames()
        first = next(frames)
        sent = device.sent
        wait_until(lambda: device.sent >= sent + 20)
        newest = next(frames)
        assert newest.index - first.index >= 19
        assert camera.dropped == newest.index - first.index - 1


def test_no_frame_is_returned_twice():
    with open_fake_camera(FakeCameraDevice(interval=0.002)) as camera:
        frames = camera.frames()
        indexes = [next(frames).index for _ in range(10)]
    assert indexes == sorted(set(indexes))


def test_mirrored_camera_mirrors_its_frames():
    with open_fake_camera(FakeCameraDevice(pixels=PIXELS), mirror=True) as camera:
        pixels = next(camera.frames()).pixels
    assert tuple(pixels[10, -1]) == (255, 0, 0)
    assert pixels.flags.c_contiguous


def test_size_is_requested_from_the_device():
    device = FakeCameraDevice()
    with open_fake_camera(device, size=(320, 240)):
        assert device.settings[cv2.CAP_PROP_FRAME_WIDTH] == 320
        assert device.settings[cv2.CAP_PROP_FRAME_HEIGHT] == 240


def test_unplugged_camera_is_an_error_and_released():
    device = FakeCameraDevice(frames=5)
    camera = Camera(device, "camera 0", timeout=0.1)
    with pytest.raises(SourceError, match="stopped sending frames after"):
        for _ in camera.frames():
            pass
    camera.close()
    assert device.released == 1


def test_error_of_the_driver_is_part_of_the_message():
    camera = Camera(FakeCameraDevice(frames=2, error="device lost"), "camera 0")
    with camera, pytest.raises(SourceError, match="device lost"):
        for _ in camera.frames():
            pass


def test_camera_without_any_frame_is_used_by_another_program():
    with (
        Camera(FakeCameraDevice(frames=0), "camera 0", timeout=0.1) as camera,
        pytest.raises(SourceUnreadable, match="Close other"),
    ):
        next(camera.frames())


def test_camera_that_does_not_open_is_missing_and_released():
    device = FakeCameraDevice(opens=False)
    with pytest.raises(SourceMissing, match="There is no camera 0"):
        open_fake_camera(device)
    assert device.released == 1


@pytest.mark.parametrize(("device", "message"), [("video0", "could not be opened"), ("video3", "There are: 3")])
def test_message_names_the_devices_that_exist(tmp_path, device, message):
    (tmp_path / device).touch()
    assert message in str(unavailable_error(0, tmp_path))


def test_missing_permission_is_reported(tmp_path, monkeypatch):
    # Tests may run as root, who may read everything.
    monkeypatch.setattr("mien.video.camera.os.access", lambda path, mode: False)
    (tmp_path / "video0").touch()
    assert "usermod" in str(unavailable_error(0, tmp_path))


def test_closing_in_another_thread_ends_the_frames():
    camera, indexes = open_fake_camera(FakeCameraDevice(interval=0.002)), []
    thread = threading.Thread(target=lambda: indexes.extend(frame.index for frame in camera.frames()))
    thread.start()
    wait_until(lambda: camera.dropped or camera.now > 0.02)
    camera.close()
    thread.join(5)
    assert not thread.is_alive()


def test_closing_does_not_wait_for_a_device_that_hangs():
    unblock = threading.Event()

    class HangingDevice(FakeCameraDevice):
        def read(self):
            unblock.wait(10)
            return False, None

    device = HangingDevice()
    camera = open_fake_camera(device)
    start = time.monotonic()
    camera.close(timeout=0.1)
    assert time.monotonic() - start < 5
    assert not device.released
    unblock.set()
    wait_until(lambda: device.released == 1)


def test_video_is_played_in_real_time(tmp_path):
    path = write_test_pattern(tmp_path / "clip.mp4", "-pix_fmt", "yuv420p")
    start = time.monotonic()
    with video.open_camera(path) as camera:
        frames = list(camera.frames())
    assert time.monotonic() - start > 0.85
    assert len(frames) + camera.dropped == 25
    assert camera.info.size == (160, 120)


def test_missing_cameras_are_reported_and_nothing_is_printed(capfd):
    with pytest.raises(SourceMissing, match="There is no camera 63"):
        video.open_camera(63)
    with pytest.raises(SourceMissing, match="could not be opened"):
        video.open_camera("http://127.0.0.1:9/nothing")
    with pytest.raises(SourceMissing, match=r"missing\.mp4"):
        video.open_camera("missing.mp4")
    assert capfd.readouterr() == ("", "")
