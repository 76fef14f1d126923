"""The desktop application: its start, how long its window is blocked, its explanations a second, and its memory.

The window is on a screen of Xvfb. ``start_seconds`` is from the command until the window is visible, and until the key
that is pressed then has changed the screen. ``blocked_ms`` is the longest time between two timer events of Tk, due
every 5 ms, while an image of 24 megapixels is opened and analysed. ``explanations_per_second`` are those of the page
Explain with the camera. ``memory`` is that of a camera whose frames arrive as fast as they are analysed.

Needs Xvfb and xdotool. ``MIEN_FRAMES`` is the number of frames of the camera.
"""

from __future__ import annotations

import gc
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from live import virtual_display, write_video
from PIL import Image, ImageGrab

EXAMPLES = Path(__file__).parents[1] / "examples"

STARTS, IMAGES, SECONDS = 7, 7, 8.0

#: One hour of a camera of which fifteen frames a second are analysed.
FRAMES = int(os.environ.get("MIEN_FRAMES", "54000"))


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, virtual_display():
        folder = Path(name)
        os.environ["MIEN_HOME"] = str(folder / "home")
        starts = [measure_start() for _ in range(STARTS)]
        return {
            "start_seconds": {
                "visible": round(statistics.median(visible for visible, _ in starts), 2),
                "answers": round(statistics.median(answers for _, answers in starts), 2),
                "starts": STARTS,
            },
            "blocked_ms": measure_blocking(folder),
            "explanations_per_second": measure_explanations(folder),
            "memory": measure_memory(),
        }


# The command


def measure_start() -> tuple[float, float]:
    """Seconds until the window is visible, and until it has reacted to a key."""
    start = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "mien", "desktop"]) as process:
        while not xdotool("search", "--onlyvisible", "--name", "^mien$"):
            time.sleep(0.005)
        visible = time.perf_counter() - start
        before = capture_navigation()
        xdotool("key", "ctrl+5")
        while np.array_equal(capture_navigation(), before):
            time.sleep(0.005)
        answers = time.perf_counter() - start
        xdotool("key", "ctrl+q")
        process.wait(30)
    return visible, answers


def xdotool(*arguments: str) -> str:
    return subprocess.run(["xdotool", *arguments], capture_output=True, text=True, check=False).stdout


def capture_navigation() -> np.ndarray:
    """The navigation bar, which marks the current page."""
    return np.asarray(ImageGrab.grab(bbox=(0, 40, 90, 500), xdisplay=os.environ["DISPLAY"]))


# The window in this process


@contextmanager
def open_window(open_device: Any = None) -> Iterator[tuple[Any, Any]]:
    """The root and the window, with the model loaded. Tk's main loop runs only in ``run_until``."""
    from mien.apps.cli.options import load_engine
    from mien.apps.desktop.application import DesktopApplication
    from mien.apps.desktop.main_loop import open_root, widget_cleanup
    from mien.apps.desktop.settings import DesktopSettings
    from mien.apps.desktop.state import ModelSelection
    from mien.apps.desktop.window import MainWindow

    with widget_cleanup():
        root = open_root()
        settings, selection = DesktopSettings("light"), ModelSelection("base", "haar")
        application = DesktopApplication(load_engine, settings, selection, open_device)
        window = MainWindow(root, application)
        root.deiconify()
        window.start()
        run_until(root, lambda: application.idle)
        try:
            yield root, window
        finally:
            window.close()
            gc.disable()
            root.destroy()
            # Nothing may refer to widgets when they are freed; the application does not.
            del root, window


def run_until(root: Any, condition: Callable[[], Any]) -> None:
    def check() -> None:
        if condition():
            root.quit()
        else:
            root.after(5, check)

    root.after(5, check)
    root.mainloop()


class EventTimer:
    """A timer event every 5 ms, and the longest time between two of them."""

    def __init__(self, root: Any) -> None:
        self._root, self._longest, self._last = root, 0.0, time.perf_counter()
        self._job = root.after(5, self._tick)

    def stop(self) -> float:
        self._root.after_cancel(self._job)
        return self._longest

    def _tick(self) -> None:
        now = time.perf_counter()
        self._longest, self._last = max(self._longest, now - self._last), now
        self._job = self._root.after(5, self._tick)


def measure_blocking(folder: Path) -> dict[str, Any]:
    image = Image.open(EXAMPLES / "portraits.jpg").convert("RGB").resize((6000, 4000))
    for number in range(IMAGES):
        image.save(folder / f"{number}.jpg", quality=92)
    longest = []
    with open_window() as (root, window):
        for number in range(IMAGES):
            timer = EventTimer(root)
            window.application.open([folder / f"{number}.jpg"])
            run_until(root, lambda: window.application.idle)
            longest.append(1000 * timer.stop())
    return {
        "images": IMAGES,
        "median": round(statistics.median(longest), 1),
        "longest": round(max(longest), 1),
        "target": 50,
    }


def measure_explanations(folder: Path) -> float:
    path = write_video(folder / "camera.avi")
    times: list[float] = []
    with open_window() as (root, window):
        window.application.camera.start(str(path), False)
        window.application.show_page("explain")
        run_until(root, lambda: window.live_explanation is not None)
        page = window.pages["explain"]
        show, start = page.show, time.perf_counter()

        def count(explanation: Any) -> None:
            show(explanation)
            times.append(time.perf_counter() - start)

        page.show = count
        run_until(root, lambda: time.perf_counter() - start > SECONDS)
    # In the first second the network is opened.
    return round(sum(1 for seconds in times if seconds > 1) / (SECONDS - 1), 1)


class FastCamera:
    """A camera device that always has another frame: two moving faces, small, so that an hour passes quickly."""

    def __init__(self) -> None:
        image = cv2.imread(str(EXAMPLES / "portraits.jpg"))
        self._panorama = np.hstack([cv2.resize(image, (320, 160))] * 2)
        self._frames = 0

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        self._frames += 1
        left = self._frames * 3 % 320
        return True, np.ascontiguousarray(self._panorama[:, left : left + 320])

    def get(self, property_id: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 320.0, cv2.CAP_PROP_FRAME_HEIGHT: 160.0}.get(property_id, 0.0)

    def set(self, property_id: int, value: float) -> bool:
        return False

    def release(self) -> None:
        pass


def measure_memory() -> dict[str, Any]:
    """The window shows the camera with the layers below it, while so many frames are analysed."""
    with open_window(lambda source: FastCamera()) as (root, window):
        window.application.show_page("camera")
        window.application.camera.start("0", False)
        run_until(root, lambda: window.application.camera.reader is not None)
        reader = window.application.camera.reader
        window.pages["camera"].press("i")
        start = time.perf_counter()
        run_until(root, lambda: count_frames(reader) >= FRAMES // 10)
        after_a_tenth = resident_megabytes()
        run_until(root, lambda: count_frames(reader) >= FRAMES)
        return {
            "frames": FRAMES,
            "after_a_tenth_mb": after_a_tenth,
            "after_all_mb": resident_megabytes(),
            "frames_per_second": round(count_frames(reader) / (time.perf_counter() - start)),
        }


def count_frames(reader: Any) -> int:
    frame = reader.newest()
    return frame.number if frame else 0


def resident_megabytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
