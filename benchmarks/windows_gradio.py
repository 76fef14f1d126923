"""The Gradio page: from the command to a page that can be used, its memory, and whether a camera makes it grow.

``first_page`` is from the command until the place for a photo can be used, ``first_photo`` from choosing a photo of two
people until their faces are told. ``memory`` is of a server that reads photo after photo, every one another, and of a
camera whose frames come as fast as they are read: so many as an hour has at the page's own pace.

Needs the extra ``gradio``, Playwright and a Chromium (``MIEN_BROWSER`` names one). ``MIEN_FRAMES`` says how many frames
the camera gives.
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"

#: How often it is started, how many photos are read before and while memory is watched, and an hour of frames.
STARTS, WARM, TAKEN, HOUR = 5, 20, 200, 24_000

_INPUT = "#photo-input input[type=file]"


def measure() -> dict[str, Any]:
    """Seconds and megabytes."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = os.environ.get("MIEN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        starts = [_start(browser) for _ in range(STARTS)]
        browser.close()
    answers, usable, read = zip(*starts, strict=True)
    return {
        "address_seconds": round(statistics.median(answers), 2),
        "first_page_seconds": round(statistics.median(usable), 2),
        "first_photo_seconds": round(statistics.median(read), 2),
        "starts": STARTS,
        **_photos(),
        "camera": _camera(int(os.environ.get("MIEN_FRAMES", HOUR))),
    }


def _start(browser: Any) -> tuple[float, float, float]:
    """Seconds from the command until somebody answers, until the page can be used, and to read the first photo."""
    began = time.perf_counter()
    with _server() as (address, _):
        answers = time.perf_counter() - began
        page = browser.new_context().new_page()
        page.goto(address)
        page.wait_for_selector(_INPUT, state="attached")
        usable = time.perf_counter() - began
        asked = time.perf_counter()
        page.locator(_INPUT).set_input_files(EXAMPLES / "portraits.jpg")
        page.wait_for_selector("#photo-faces button.thumbnail-item")
        read = time.perf_counter() - asked
        page.context.close()
    return answers, usable, read


def _photos() -> dict[str, Any]:
    """One program has photo after photo read, every one another."""
    from gradio_client import Client, handle_file

    with _server() as (address, process), tempfile.TemporaryDirectory() as folder:
        idle = _megabytes(process)
        client = Client(address, verbose=False, analytics_enabled=False)

        def read(number: int) -> None:
            path = Path(folder) / f"photo-{number}.png"
            path.write_bytes(_photo(number))
            assert client.predict(picture=handle_file(str(path)), api_name="/read")["faces"]

        for number in range(WARM):
            read(number)
        warm = _megabytes(process)
        for number in range(WARM, WARM + TAKEN):
            read(number)
        after = _megabytes(process)
        client.close()
    return {"idle_mb": idle, "warm_mb": warm, "photos": TAKEN, "after_mb": after, "grown_mb": after - warm}


def _photo(number: int) -> bytes:
    picture = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480))
    picture.putpixel((0, 0), (number % 256, number // 256, 0))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def _camera(frames: int) -> dict[str, Any]:
    """What the page does for each frame, as often as in an hour: in this process, without the way over the network."""
    from mien import Engine
    from mien.apps.gradio import build
    from mien.apps.gradio.camera import Session

    build(engine := Engine.load(detector="haar"))
    pixels = np.array(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480)), np.uint8)
    session, warm, began = Session(engine), 0, time.perf_counter()
    for number in range(frames):
        session.read(np.roll(pixels, number % 40, axis=1))
        if number == min(500, frames // 2):
            warm = _megabytes(os.getpid())
    seconds, after = time.perf_counter() - began, _megabytes(os.getpid())
    return {"frames": frames, "per_second": round(frames / seconds, 1), "warm_mb": warm, "grown_mb": after - warm}


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """``mien gradio`` on a free port: its address and its process."""
    command = [sys.executable, "-m", "mien", "gradio", "--port", "0", "--detector", "haar"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.send_signal(signal.SIGINT)


def _megabytes(process: int) -> int:
    """What the process holds, without what it shares."""
    told = Path(f"/proc/{process}/smaps_rollup").read_text()
    kilobytes = [int(line.split()[1]) for line in told.splitlines() if line.startswith("Pss:")]
    return round(kilobytes[0] / 1024)


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
