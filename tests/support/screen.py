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
def screen(size: str = "1280x900") -> Iterator[str]:
    """The name of a new display; skips where there is no Xvfb, fails where MIEN_REQUIRE_DISPLAY is set."""
    missing = [name for name in ("Xvfb", "xdotool") if not shutil.which(name)]
    try:
        import tkinter  # noqa: F401
    except ImportError:
        missing.append("tkinter")
    if missing:
        (pytest.fail if os.environ.get("MIEN_REQUIRE_DISPLAY") else pytest.skip)(f"needs {' and '.join(missing)}")
    reads, writes = os.pipe()
    words = ["Xvfb", "-displayfd", str(writes), "-screen", "0", f"{size}x24", "-nolisten", "tcp"]
    with subprocess.Popen(words, pass_fds=[writes], stderr=subprocess.DEVNULL) as server:
        os.close(writes)
        with os.fdopen(reads) as told:
            number = told.readline().strip()
        assert number, "Xvfb did not start"
        try:
            yield f":{number}"
        finally:
            server.terminate()


@cache
def one_screen() -> str:
    """The display that all windows of this process share: Tk ends the process when a screen it was on goes away."""
    stack = ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(screen())


def press(display: str, *keys: str) -> None:
    for key in keys:
        words = ["xdotool", "key", "--clearmodifiers", key]
        subprocess.run(words, env={**os.environ, "DISPLAY": display}, check=True, capture_output=True)


def window(display: str, name: str, seconds: float = 60.0) -> str:
    """Wait for a window of this name to be shown; its number."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        words = ["xdotool", "search", "--onlyvisible", "--name", name]
        found = subprocess.run(words, env={**os.environ, "DISPLAY": display}, capture_output=True, text=True)
        if found.stdout.strip():
            return found.stdout.split()[0]
        time.sleep(0.05)
    pytest.fail(f"no window '{name}' came up")


def seen(display: str) -> Image.Image:
    return ImageGrab.grab(xdisplay=display)
