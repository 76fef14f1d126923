"""Start pages in a browser, and measure their start and their memory."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@contextmanager
def open_browser() -> Iterator[Any]:
    """A Chromium; ``MIEN_BROWSER`` names one that is not on the path."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = os.environ.get("MIEN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def serve(window: str) -> Iterator[tuple[str, int]]:
    """``mien gradio`` or ``mien streamlit`` on a free port: its address and its process id."""
    command = [sys.executable, "-m", "mien", window, "--port", "0", "--detector", "haar"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.send_signal(signal.SIGINT)


def measure_start(
    window: str, open_page: Callable[[str], Any], file_input: str, result: str
) -> tuple[float, float, float]:
    """Seconds from the command until the server answers and until the page is usable, and for the first photo.

    ``file_input`` is the selector of the input for photos, ``result`` that of the results for two faces.
    """
    start = time.perf_counter()
    with serve(window) as (address, _):
        server_seconds = time.perf_counter() - start
        page = open_page(address)
        page_seconds = time.perf_counter() - start
        upload = time.perf_counter()
        page.locator(file_input).set_input_files(EXAMPLES / "portraits.jpg")
        page.wait_for_selector(result)
        photo_seconds = time.perf_counter() - upload
        page.context.close()
    return server_seconds, page_seconds, photo_seconds


def measure_megabytes(process_id: int) -> int:
    """The memory of a process, with its part of shared memory."""
    rollup = Path(f"/proc/{process_id}/smaps_rollup").read_text()
    return round(next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024)


def draw_photo(number: int) -> bytes:
    """A PNG of a face; each number gives a different image, so that no result is cached."""
    image = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480))
    image.putpixel((0, 0), (number % 256, number // 256, 0))
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
