"""The window of ``mien live`` on a real screen: frames, keys, and how it ends."""

import gc
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from command import command, environment
from desktop import wait_until
from fake_camera import FakeCameraDevice, open_fake_camera
from mien import Engine, images
from mien.apps.desktop.main_loop import open_root, run_live_window
from mien.apps.session.live_camera import CameraWorker
from mien.labels import label_colour
from mien.video import open_writer
from running_threads import mien_threads
from screen import capture_screen, press_keys, shared_screen, wait_for_window
from video_files import EXAMPLES

pytestmark = pytest.mark.full

#: Parts of the window, which is in the corner of the screen: left, top, right, bottom.
IMAGE, SCORES, TIMELINE, LAYERS = (0, 0, 640, 524), (640, 0, 940, 300), (640, 320, 940, 420), (0, 540, 640, 640)


@pytest.fixture(scope="module")
def display():
    return shared_screen()


@pytest.fixture(autouse=True)
def free_widgets():
    """Free the widgets of a test here, and not in a thread of the next test, where Tk would end the process."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="none")


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """A moving happy face, for half a minute."""
    whole = images.load_image(EXAMPLES / "astronaut.jpg").pixels
    path = tmp_path_factory.mktemp("video") / "clip.webm"
    with open_writer(path, (320, 240), 10) as writer:
        for index in range(300):
            left = 60 + round(30 * np.sin(index / 8))
            writer.write(np.ascontiguousarray(whole[0:240, left : left + 320]), index / 10)
    return path


@contextmanager
def start_live(display, *arguments, folder=None):
    """``mien live`` as a process whose window is visible."""
    process = subprocess.Popen(
        command("live", *arguments),
        cwd=folder,
        env=environment(DISPLAY=display),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_for_window(display, "mien live")
        yield process
    finally:
        process.kill()
        process.communicate()


def capture(display, box) -> np.ndarray:
    return np.asarray(capture_screen(display).convert("RGB").crop(box)).astype(int)


def wait_for(condition):
    wait_until(condition, lambda: time.sleep(0.1))


def wait_for_color(display, box, color: str) -> None:
    """Wait until a part of the window has much of this colour."""
    rgb = [int(color[place : place + 2], 16) for place in (1, 3, 5)]
    wait_for(lambda: (np.abs(capture(display, box) - rgb).max(axis=2) <= 12).sum() > 300)


def wait_for_change(display, box) -> None:
    first = capture(display, box)
    wait_for(lambda: np.abs(capture(display, box) - first).mean() > 0.5)


def wait_for_end(process) -> tuple[int, bytes]:
    out, err = process.communicate(timeout=40)
    return process.returncode, out + err


def test_window_shows_frames_and_scores_and_q_ends_it(display, clip):
    with start_live(display, "--camera", clip) as process:
        wait_for_color(display, SCORES, label_colour("happy"))
        wait_for_change(display, IMAGE)
        wait_for_color(display, TIMELINE, label_colour("happy"))
        press_keys(display, "q")
        assert wait_for_end(process) == (0, b"")


def test_keys_pause_save_a_snapshot_and_show_the_layers(display, clip, tmp_path):
    with start_live(display, "--camera", clip, folder=tmp_path) as process:
        wait_for_color(display, SCORES, label_colour("happy"))
        press_keys(display, "space")
        wait_for(lambda: is_still(display, IMAGE))
        press_keys(display, "s")
        wait_for(lambda: list(tmp_path.glob("mien-*.png")))
        press_keys(display, "space")
        wait_for_change(display, IMAGE)
        press_keys(display, "i")
        wait_for_change(display, LAYERS)
        wait_for_change(display, LAYERS)
        press_keys(display, "w", "t", "Escape")
        assert wait_for_end(process) == (0, b"")
    [snapshot] = tmp_path.iterdir()
    assert images.load_image(snapshot).pixels.shape == (240, 320, 3)


def is_still(display, box) -> bool:
    first = capture(display, box)
    time.sleep(0.5)
    return np.abs(capture(display, box) - first).mean() <= 0.5


def test_option_explain_shows_the_layers_from_the_start(display, clip):
    with start_live(display, "--camera", clip, "--explain") as process:
        wait_for_color(display, SCORES, label_colour("happy"))
        for _ in range(3):
            wait_for_change(display, LAYERS)
        press_keys(display, "q")
        assert wait_for_end(process)[0] == 0


def test_end_of_the_video_closes_the_window(display, tmp_path):
    path = tmp_path / "short.webm"
    with open_writer(path, (160, 120), 10) as writer:
        for index in range(15):
            writer.write(np.full((120, 160, 3), 10 * index, np.uint8), index / 10)
    with start_live(display, "--camera", path, "--mirror") as process:
        assert wait_for_end(process) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_it_cleanly(display, clip, number, status):
    with start_live(display, "--camera", clip) as process:
        wait_for_color(display, SCORES, label_colour("happy"))
        process.send_signal(number)
        assert wait_for_end(process) == (status, b"")


def test_closing_the_window_ends_it_and_releases_the_camera(display, engine, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    device, root = FakeCameraDevice(), open_root()
    with CameraWorker(engine, open_fake_camera(device)) as worker:

        def close_after_first_frame():
            if any(getattr(child, "delays", None) for child in root.winfo_children()):
                # There is no window manager on this screen: the test sends its request.
                root.tk.eval(root.protocol("WM_DELETE_WINDOW"))
            else:
                root.after(20, close_after_first_frame)

        root.after(20, close_after_first_frame)
        delays = run_live_window(root, worker, engine, explain=True).delays
        assert not worker.ended
    assert delays
    assert device.released == 1
    assert mien_threads() == set()


def test_no_widget_is_left_for_the_garbage_collector_of_another_thread(display, engine, monkeypatch):
    """Tk ends the process when another thread frees a widget, which circular references make possible."""
    tkinter = pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", display)
    root = open_root()
    gc.collect()
    gc.disable()
    try:
        with CameraWorker(engine, open_fake_camera(FakeCameraDevice())) as worker:
            root.after(1000, root.quit)
            run_live_window(root, worker, engine, explain=True)
        del root
        widgets = [each for each in gc.get_objects() if isinstance(each, tkinter.Misc | tkinter.Image)]
    finally:
        gc.enable()
    assert widgets == []


def test_unplugged_camera_closes_the_window(display, engine, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    device, root = FakeCameraDevice(frames=20), open_root()
    with CameraWorker(engine, open_fake_camera(device)) as worker:
        run_live_window(root, worker, engine)
    assert worker.error is not None
    assert device.released == 1


def test_exception_of_a_callback_is_raised(display, engine, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    device, root = FakeCameraDevice(), open_root()
    root.after(300, lambda: 1 / 0)
    with CameraWorker(engine, open_fake_camera(device)) as worker, pytest.raises(ZeroDivisionError):
        run_live_window(root, worker, engine)
    assert device.released == 1
