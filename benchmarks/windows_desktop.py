"""The desktop: from the command to a window that answers, how long it is ever deaf, and whether it grows.

The window stands on a screen of Xvfb. ``start`` is from the command until the window is there, and until a key that is
pressed then has changed what is to be seen. ``deaf`` is the longest time between two beats of Tk's loop, due every
5 ms, while a picture of 24 megapixels is opened and read. ``inside`` counts what the page for the inside shows in a
second with the camera, and ``memory`` is of a camera that gives frames as fast as they are read.

Needs Xvfb and xdotool. ``MIEN_FRAMES`` says how many frames the camera gives.
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
from live import drawn, screen
from PIL import Image, ImageGrab

EXAMPLES = Path(__file__).parents[1] / "examples"

STARTS, PICTURES, SECONDS = 7, 7, 8.0

#: An hour of a camera whose frames are read fifteen times a second.
FRAMES = int(os.environ.get("MIEN_FRAMES", "54000"))


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name, screen():
        folder = Path(name)
        os.environ["MIEN_HOME"] = str(folder / "home")
        starts = [start() for _ in range(STARTS)]
        return {
            "start_seconds": {
                "visible": round(statistics.median(visible for visible, _ in starts), 2),
                "answers": round(statistics.median(answers for _, answers in starts), 2),
                "starts": STARTS,
            },
            "deaf_ms": deaf(folder),
            "inside_per_second": inside(folder),
            "memory": memory(),
        }


# From the command


def start() -> tuple[float, float]:
    began = time.perf_counter()
    with subprocess.Popen([sys.executable, "-m", "mien", "desktop"]) as running:
        while not tell("search", "--onlyvisible", "--name", "^mien$"):
            time.sleep(0.005)
        visible = time.perf_counter() - began
        before = seen()
        tell("key", "ctrl+5")
        while np.array_equal(seen(), before):
            time.sleep(0.005)
        answers = time.perf_counter() - began
        tell("key", "ctrl+q")
        running.wait(30)
    return visible, answers


def tell(*words: str) -> str:
    return subprocess.run(["xdotool", *words], capture_output=True, text=True, check=False).stdout


def seen() -> np.ndarray:
    """The rail at the left, which says what page is shown."""
    return np.asarray(ImageGrab.grab(bbox=(0, 40, 90, 500), xdisplay=os.environ["DISPLAY"]))


# In this process


@contextmanager
def opened(device: Any = None) -> Iterator[tuple[Any, Any]]:
    """The window, with its model loaded; Tk's loop runs only in ``until``."""
    from mien.apps.cli.options import load_engine
    from mien.apps.desktop.application import Desk
    from mien.apps.desktop.live_window import collected_here, open_window
    from mien.apps.desktop.model_session import Choice
    from mien.apps.desktop.settings import Settings
    from mien.apps.desktop.window import Window

    with collected_here():
        root = open_window()
        desk = Desk(load_engine, Settings("light"), Choice("base", "haar"), device)
        window = Window(root, desk)
        root.deiconify()
        window.begin()
        until(root, lambda: desk.idle)
        try:
            yield root, window
        finally:
            window.close()
            gc.disable()
            root.destroy()
            del root, window


def until(root: Any, true: Callable[[], Any]) -> None:
    def look() -> None:
        if true():
            root.quit()
        else:
            root.after(5, look)

    root.after(5, look)
    root.mainloop()


class Heart:
    """Beats every 5 ms, and knows the longest time between two beats."""

    def __init__(self, root: Any) -> None:
        self._root, self._longest, self._before = root, 0.0, time.perf_counter()
        self._job = root.after(5, self._beat)

    def stop(self) -> float:
        self._root.after_cancel(self._job)
        return self._longest

    def _beat(self) -> None:
        now = time.perf_counter()
        self._longest, self._before = max(self._longest, now - self._before), now
        self._job = self._root.after(5, self._beat)


def deaf(folder: Path) -> dict[str, Any]:
    whole = Image.open(EXAMPLES / "portraits.jpg").convert("RGB").resize((6000, 4000))
    for number in range(PICTURES):
        whole.save(folder / f"{number}.jpg", quality=92)
    longest = []
    with opened() as (root, window):
        for number in range(PICTURES):
            heart = Heart(root)
            window.desk.open([folder / f"{number}.jpg"])
            until(root, lambda: window.desk.idle)
            longest.append(1000 * heart.stop())
    # The first picture waits for what is made once.
    return {
        "pictures": PICTURES,
        "median": round(statistics.median(longest), 1),
        "longest": round(max(longest), 1),
        "target": 50,
    }


def inside(folder: Path) -> float:
    film = drawn(folder / "camera.avi")
    shown: list[float] = []
    with opened() as (root, window):
        window.desk.camera.start(str(film), False)
        window.desk.show("inside")
        until(root, lambda: window.desk.camera.stage == "on" and window._asking is not None)
        page = window.pages["inside"]
        show, began = page.insight, time.perf_counter()

        def counted(insight: Any) -> None:
            show(insight)
            shown.append(time.perf_counter() - began)

        page.insight = counted
        until(root, lambda: time.perf_counter() - began > SECONDS)
    # The first second waits for the network to be opened.
    return round(sum(1 for at in shown if at > 1) / (SECONDS - 1), 1)


class Fast:
    """A camera that always has another frame: two faces that drift, small, so that an hour goes by quickly."""

    def __init__(self) -> None:
        whole = cv2.imread(str(EXAMPLES / "portraits.jpg"))
        self._wide = np.hstack([cv2.resize(whole, (320, 160))] * 2)
        self.given = 0

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray]:
        self.given += 1
        left = self.given * 3 % 320
        return True, np.ascontiguousarray(self._wide[:, left : left + 320])

    def get(self, what: int) -> float:
        return {cv2.CAP_PROP_FRAME_WIDTH: 320.0, cv2.CAP_PROP_FRAME_HEIGHT: 160.0}.get(what, 0.0)

    def set(self, what: int, value: float) -> bool:
        return False

    def release(self) -> None:
        pass


def memory() -> dict[str, Any]:
    """The window shows the camera, the inside below it, while so many frames are read."""
    with opened(lambda source: Fast()) as (root, window):
        window.desk.show("camera")
        window.desk.camera.start("0", False)
        until(root, lambda: window.desk.camera.watching is not None)
        watching = window.desk.camera.watching
        window.pages["camera"].press("i")
        began = time.perf_counter()
        until(root, lambda: read(watching) >= FRAMES // 10)
        warm = megabytes()
        until(root, lambda: read(watching) >= FRAMES)
        return {
            "frames": FRAMES,
            "after_a_tenth_mb": warm,
            "after_all_mb": megabytes(),
            "frames_per_second": round(read(watching) / (time.perf_counter() - began)),
        }


def read(watching: Any) -> int:
    view = watching.newest()
    return view.number if view else 0


def megabytes() -> int:
    words = Path("/proc/self/statm").read_text().split()
    return round(int(words[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6)
