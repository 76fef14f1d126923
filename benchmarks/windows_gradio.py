"""The Gradio page: from the command to a page that can be used, its memory, and whether a camera makes it grow.

``first_page`` is from the command until the place for a photo can be used, ``first_photo`` from choosing a photo of two
people until their faces are told. ``memory`` is of a server that reads photo after photo, every one another, and of a
camera whose frames come as fast as they are read: so many as an hour has at the page's own pace.

Needs the extra ``gradio``, Playwright and a Chromium (``MIEN_BROWSER`` names one). ``MIEN_FRAMES`` says how many frames
the camera gives.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from _pages import EXAMPLES, browser, megabytes, photo, server
from PIL import Image

#: How often it is started, how many photos are read before and while memory is watched, and an hour of frames.
STARTS, WARM, TAKEN, HOUR = 5, 20, 200, 24_000

_INPUT = "#photo-input input[type=file]"


def measure() -> dict[str, Any]:
    """Seconds and megabytes."""
    with browser() as chromium:
        starts = [_start(chromium) for _ in range(STARTS)]
    answers, usable, read = zip(*starts, strict=True)
    return {
        "address_seconds": round(statistics.median(answers), 2),
        "first_page_seconds": round(statistics.median(usable), 2),
        "first_photo_seconds": round(statistics.median(read), 2),
        "starts": STARTS,
        **_photos(),
        "camera": _camera(int(os.environ.get("MIEN_FRAMES", HOUR))),
    }


def _start(chromium: Any) -> tuple[float, float, float]:
    """Seconds from the command until somebody answers, until the page can be used, and to read the first photo."""
    began = time.perf_counter()
    with server("gradio") as (address, _):
        answers = time.perf_counter() - began
        page = chromium.new_context().new_page()
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

    with server("gradio") as (address, process), tempfile.TemporaryDirectory() as folder:
        idle = megabytes(process)
        client = Client(address, verbose=False, analytics_enabled=False)

        def read(number: int) -> None:
            path = Path(folder) / f"photo-{number}.png"
            path.write_bytes(photo(number))
            assert client.predict(image=handle_file(str(path)), api_name="/read")["faces"]

        for number in range(WARM):
            read(number)
        warm = megabytes(process)
        for number in range(WARM, WARM + TAKEN):
            read(number)
        after = megabytes(process)
        client.close()
    return {"idle_mb": idle, "warm_mb": warm, "photos": TAKEN, "after_mb": after, "grown_mb": after - warm}


def _camera(frames: int) -> dict[str, Any]:
    """What the page does for each frame, as often as in an hour: in this process, without the way over the network."""
    from mien import Engine
    from mien.apps.gradio import build_page
    from mien.apps.gradio.camera import CameraSession

    build_page(engine := Engine.load(detector="haar"))
    pixels = np.array(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480)), np.uint8)
    session, warm, began = CameraSession(engine), 0, time.perf_counter()
    for number in range(frames):
        session.read(np.roll(pixels, number % 40, axis=1))
        if number == min(500, frames // 2):
            warm = megabytes(os.getpid())
    seconds, after = time.perf_counter() - began, megabytes(os.getpid())
    return {"frames": frames, "per_second": round(frames / seconds, 1), "warm_mb": warm, "grown_mb": after - warm}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
