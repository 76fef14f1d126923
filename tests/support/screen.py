"""A screen for tests of windows: Xvfb, and xdotool to press keys on it."""

import atexit
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest
from PIL import Image, ImageGrab


@contextmanager
def start_screen(size: str = "1280x900") -> Iterator[str]:
    """The name of a new display; skips where there is no Xvfb, fails where MIEN_REQUIRE_DISPLAY is set."""
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    try:
        import tkinter  # noqa: F401
    except ImportError:
        missing.append("tkinter")
    if missing:
        (pytest.fail if os.environ.get("MIEN_REQUIRE_DISPLAY") else pytest.skip)(f"needs {' and '.join(missing)}")
    read_end, write_end = os.pipe()
    command = ["Xvfb", "-displayfd", str(write_end), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    with subprocess.Popen(command, pass_fds=[write_end], stderr=subprocess.DEVNULL) as server:
        os.close(write_end)
        with os.fdopen(read_end) as stream:
            number = stream.readline().strip()
        assert number, "Xvfb did not start"
        try:
            yield f":{number}"
        finally:
            server.terminate()


@cache
def shared_screen() -> str:
    """One display for all windows of this process: Tk ends the process when a display it used disappears."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(start_screen())


def press_keys(display: str, *keys: str) -> None:
    for key in keys:
        command = ["xdotool", "key", "--clearmodifiers", key]
        subprocess.run(command, env={**os.environ, "DISPLAY": display}, check=True, capture_output=True)


def wait_for_window(display: str, name: str, seconds: float = 60.0) -> str:
    """The number of the first visible window with this name (a regular expression); waits until there is one."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        command = ["xdotool", "search", "--onlyvisible", "--name", name]
        search = subprocess.run(command, env={**os.environ, "DISPLAY": display}, capture_output=True, text=True)
        if search.stdout.strip():
            return search.stdout.split()[0]
        time.sleep(0.05)
    pytest.fail(f"no window '{name}' appeared")


def capture_screen(display: str) -> Image.Image:
    return ImageGrab.grab(xdisplay=display)
