"""What the pages in a browser have in common when they are measured."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"


@contextmanager
def browser() -> Iterator[Any]:
    """A Chromium; ``MIEN_BROWSER`` names one that is not on the path."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = os.environ.get("MIEN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@contextmanager
def server(window: str) -> Iterator[tuple[str, int]]:
    """``mien gradio`` or ``mien streamlit`` on a free port: its address and its process."""
    command = [sys.executable, "-m", "mien", window, "--port", "0", "--detector", "haar"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.send_signal(signal.SIGINT)


def megabytes(process: int) -> int:
    """What the process holds, with its part of what it shares."""
    told = Path(f"/proc/{process}/smaps_rollup").read_text()
    return round(next(int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")) / 1024)


def photo(number: int) -> bytes:
    """A PNG of a face; every number gives another, so that nothing can be remembered."""
    picture = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480))
    picture.putpixel((0, 0), (number % 256, number // 256, 0))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()
