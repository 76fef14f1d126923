"""The Gradio page: its start, its memory while it reads photos, and while it reads the frames of a camera.

``first_page_seconds`` is from the command until the input for photos is usable, ``first_photo_seconds`` from the choice
of a photo of two people until their faces are shown. The memory is that of a server that reads photo after photo, each
a different one, and of a camera whose frames arrive as fast as they are read: as many as an hour has at normal speed.

Needs the extra ``gradio``, Playwright and a Chromium (``MIEN_BROWSER`` names one). ``MIEN_FRAMES`` is the number of
frames of the camera.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _pages import EXAMPLES, draw_photo, measure_megabytes, measure_start, open_browser, serve
from PIL import Image

#: The number of starts, of photos before memory is measured and of photos in between, and the frames of an hour.
STARTS, WARM_UP_PHOTOS, PHOTOS, FRAMES = 5, 20, 200, 24_000

FILE_INPUT = "#photo-input input[type=file]"


def measure() -> dict[str, Any]:
    with open_browser() as browser:
        open_page = partial(open_gradio_page, browser)
        thumbnails = "#photo-faces button.thumbnail-item"
        starts = [measure_start("gradio", open_page, FILE_INPUT, thumbnails) for _ in range(STARTS)]
    answers, usable, first_photo = zip(*starts, strict=True)
    return {
        "address_seconds": round(statistics.median(answers), 2),
        "first_page_seconds": round(statistics.median(usable), 2),
        "first_photo_seconds": round(statistics.median(first_photo), 2),
        "starts": STARTS,
        **measure_photos(),
        "camera": measure_camera(int(os.environ.get("MIEN_FRAMES", FRAMES))),
    }


def open_gradio_page(browser: Any, address: str) -> Any:
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_selector(FILE_INPUT, state="attached")
    return page


def measure_photos() -> dict[str, Any]:
    """The memory of the server while a program sends photo after photo."""
    from gradio_client import Client, handle_file

    with serve("gradio") as (address, process_id), tempfile.TemporaryDirectory() as folder:
        idle = measure_megabytes(process_id)
        client = Client(address, verbose=False, analytics_enabled=False)

        def read(number: int) -> None:
            path = Path(folder) / f"photo-{number}.png"
            path.write_bytes(draw_photo(number))
            assert client.predict(image=handle_file(str(path)), api_name="/read")["faces"]

        for number in range(WARM_UP_PHOTOS):
            read(number)
        warm = measure_megabytes(process_id)
        for number in range(WARM_UP_PHOTOS, WARM_UP_PHOTOS + PHOTOS):
            read(number)
        after = measure_megabytes(process_id)
        client.close()
    return {"idle_mb": idle, "warm_mb": warm, "photos": PHOTOS, "after_mb": after, "grown_mb": after - warm}


def measure_camera(frames: int) -> dict[str, Any]:
    """The page's work for each frame in this process, without the network."""
    from mien import Engine
    from mien.apps.gradio import build_page
    from mien.apps.gradio.camera import CameraSession

    engine = Engine.load(detector="haar")
    build_page(engine)
    pixels = np.array(Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480)), np.uint8)
    session, warm, start = CameraSession(engine), 0, time.perf_counter()
    for number in range(frames):
        session.read(np.roll(pixels, number % 40, axis=1))
        if number == min(500, frames // 2):
            warm = measure_megabytes(os.getpid())
    seconds, after = time.perf_counter() - start, measure_megabytes(os.getpid())
    return {"frames": frames, "per_second": round(frames / seconds, 1), "warm_mb": warm, "grown_mb": after - warm}


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
