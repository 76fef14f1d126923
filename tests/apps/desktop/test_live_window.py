"""The window of ``mien live`` on a real screen: frames, keys, and every way out."""

import gc
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from camera_device import Device, threads
from command import command, environment
from mien import Engine, images, video
from mien.apps.desktop.live_window import open_window, show
from mien.apps.session.live_camera import CameraWorker
from mien.labels import label_colour
from mien.video.writers import open_writer
from screen import one_screen, press, seen, window

ASTRONAUT = Path(__file__).parents[3] / "examples" / "astronaut.jpg"

#: Where things stand in the window, which stands at the screen's corner: (left, top, right, bottom).
PICTURE, BARS, STRIP = (0, 0, 640, 524), (640, 0, 940, 300), (640, 320, 940, 420)


@pytest.fixture(scope="module")
def display():
    return one_screen()


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """The astronaut, drifting, for long enough."""
    whole = images.load_image(ASTRONAUT).pixels
    path = tmp_path_factory.mktemp("film") / "clip.webm"
    with open_writer(path, (320, 240), 10) as out:
        for index in range(140):
            left = 60 + round(30 * np.sin(index / 8))
            out.write(np.ascontiguousarray(whole[0:240, left : left + 320]), index / 10)
    return path


@contextmanager
def live(display, *arguments, folder=None):
    """``mien live`` as a process, with its window up."""
    words = command("live", *arguments)
    running = subprocess.Popen(
        words, cwd=folder, env=environment(DISPLAY=display), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        window(display, "mien live")
        yield running
    finally:
        running.kill()
        running.communicate()


def part(display, box) -> np.ndarray:
    return np.asarray(seen(display).convert("RGB").crop(box)).astype(int)


def until(true, seconds=40.0):
    end = time.monotonic() + seconds
    while not true() and time.monotonic() < end:
        time.sleep(0.1)
    assert true()


def has(display, box, tone: str, most: int = 12) -> bool:
    """Is there much of this colour in the part?"""
    rgb = [int(tone[i : i + 2], 16) for i in (1, 3, 5)]
    return (np.abs(part(display, box) - rgb).max(axis=2) <= most).sum() > 300


def moving(display, box) -> bool:
    before = part(display, box)
    time.sleep(0.5)
    return np.abs(part(display, box) - before).mean() > 0.5


def ended(running, seconds=40) -> tuple[int, bytes]:
    out, err = running.communicate(timeout=seconds)
    return running.returncode, out + err


def test_the_window_shows_frames_and_what_they_look_like_and_q_ends_it(display, clip):
    with live(display, "--camera", clip) as running:
        until(lambda: has(display, BARS, label_colour("happy")))
        assert moving(display, PICTURE)
        until(lambda: has(display, STRIP, label_colour("happy")))
        press(display, "q")
        assert ended(running) == (0, b"")


def test_keys_pause_keep_and_look_inside(display, clip, tmp_path):
    with live(display, "--camera", clip, folder=tmp_path) as running:
        until(lambda: has(display, BARS, label_colour("happy")))
        press(display, "space")
        time.sleep(0.4)
        assert not moving(display, PICTURE)
        press(display, "s")
        until(lambda: list(tmp_path.glob("mien-*.png")))
        press(display, "space")
        until(lambda: moving(display, PICTURE))
        below = (0, 540, 640, 640)
        assert not moving(display, below)
        press(display, "i")
        until(lambda: moving(display, below))
        press(display, "w", "t")
        time.sleep(0.5)
        press(display, "Escape")
        assert ended(running) == (0, b"")
    [kept] = tmp_path.iterdir()
    assert images.load_image(kept).pixels.shape == (240, 320, 3)


def test_the_inside_moves(display, clip):
    """How many looks a second there are, benchmarks/live.py measures: a test's machine is busy with others."""
    with live(display, "--camera", clip, "--explain") as running:
        until(lambda: has(display, BARS, label_colour("happy")))
        strip, pictures = (110, 555, 300, 650), set()
        until(lambda: pictures.add(part(display, strip).tobytes()) or len(pictures) >= 5)
        press(display, "q")
        assert ended(running)[0] == 0


def test_the_end_of_the_film_closes_the_window(display, tmp_path):
    path = tmp_path / "short.webm"
    with open_writer(path, (160, 120), 10) as out:
        for index in range(15):
            out.write(np.full((120, 160, 3), 10 * index, np.uint8), index / 10)
    with live(display, "--camera", path, "--mirror") as running:
        assert ended(running) == (0, b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_it_cleanly(display, clip, sent, status):
    with live(display, "--camera", clip) as running:
        until(lambda: has(display, BARS, label_colour("happy")))
        running.send_signal(sent)
        assert ended(running) == (status, b"")


def test_closing_the_window_ends_it_and_lets_the_camera_go(display, monkeypatch):
    """What a window manager asks for when its cross is pressed; here there is none, so the test asks."""
    monkeypatch.setenv("DISPLAY", display)
    device, root = Device(), open_window()
    reader = Engine.load(detector="none")
    with CameraWorker(reader, video.open_camera(0, open_device=lambda source: device)) as watching:
        root.after(1500, lambda: root.tk.eval(root.protocol("WM_DELETE_WINDOW")))
        delays = show(root, watching, reader, inside=True).delays
        assert not watching.over
    assert delays
    assert device.released == 1
    assert threads() == set()


def test_nothing_of_tk_is_left_for_another_thread_to_collect(display, monkeypatch):
    """Tk ends the process when a thread other than its own collects it, which a circle of references lets happen."""
    tkinter = pytest.importorskip("tkinter")
    monkeypatch.setenv("DISPLAY", display)
    root, reader = open_window(), Engine.load(detector="none")
    gc.collect()
    gc.disable()
    try:
        with CameraWorker(reader, video.open_camera(0, open_device=lambda source: Device())) as watching:
            root.after(1000, root.quit)
            show(root, watching, reader, inside=True)
        del root
        left = [each for each in gc.get_objects() if isinstance(each, tkinter.Misc | tkinter.Image)]
    finally:
        gc.enable()
    assert left == []


def test_a_camera_that_is_unplugged_closes_the_window(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    device, root = Device(last=20), open_window()
    reader = Engine.load(detector="none")
    with CameraWorker(reader, images.cameras.Camera(device, "camera 0", silence=0.3)) as watching:
        show(root, watching, reader)
    assert "stopped sending pictures" in str(watching.error)
    assert device.released == 1


def test_what_goes_wrong_in_the_window_is_not_swallowed(display, monkeypatch):
    monkeypatch.setenv("DISPLAY", display)
    device, root = Device(), open_window()
    reader = Engine.load(detector="none")
    root.after(300, lambda: 1 / 0)
    with (
        CameraWorker(reader, video.open_camera(0, open_device=lambda source: device)) as watching,
        pytest.raises(ZeroDivisionError),
    ):
        show(root, watching, reader)
    assert device.released == 1
