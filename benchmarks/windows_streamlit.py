"""The Streamlit page: from the command to a page that can be used, its memory, and whether that grows.

Needs the extra ``streamlit``, Playwright and a Chromium (``MIEN_BROWSER`` names one).
"""

from __future__ import annotations

import io
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

EXAMPLES = Path(__file__).parents[1] / "examples"

#: Where the page takes files.
_INPUT = "[data-testid=stFileUploaderDropzoneInput]"

#: How often it is started, and how many pictures are taken before and while its memory is watched.
STARTS, WARM, TAKEN = 5, 20, 200


def measure() -> dict[str, Any]:
    """Seconds and megabytes. ``first_page`` is from the command to a page whose place for photos can be used."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        program = os.environ.get("MIEN_BROWSER") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        starts = [_start(browser) for _ in range(STARTS)]
        memory = _memory(browser)
        browser.close()
    return {
        "address_seconds": round(statistics.median(answers for answers, _, _ in starts), 2),
        "first_page_seconds": round(statistics.median(usable for _, usable, _ in starts), 2),
        "first_photo_seconds": round(statistics.median(read for _, _, read in starts), 2),
        "starts": STARTS,
        **memory,
    }


def _start(browser: Any) -> tuple[float, float, float]:
    """Seconds from the command until somebody answers, the page can be used, and the first photo is read."""
    began = time.perf_counter()
    with _server() as (address, _):
        answers = time.perf_counter() - began
        page = _opened(browser, address)
        usable = time.perf_counter() - began
        asked = time.perf_counter()
        page.locator(_INPUT).set_input_files(EXAMPLES / "portraits.jpg")
        page.wait_for_selector(".mien-face >> nth=1")
        read = time.perf_counter() - asked
        page.context.close()
    return answers, usable, read


def _memory(browser: Any) -> dict[str, Any]:
    """One visitor shows picture after picture, every one another: as the camera's would be."""
    with _server() as (address, process):
        idle = _megabytes(process)
        page = _opened(browser, address)
        for number in range(WARM):
            _show(page, number)
        warm = _megabytes(process)
        for number in range(WARM, WARM + TAKEN):
            _show(page, number)
        after = _megabytes(process)
        page.context.close()
    return {"idle_mb": idle, "warm_mb": warm, "pictures": TAKEN, "after_mb": after, "grown_mb": after - warm}


def _show(page: Any, number: int) -> None:
    picture = Image.open(EXAMPLES / "astronaut.jpg").convert("RGB").resize((640, 480))
    picture.putpixel((0, 0), (number % 256, number // 256, 0))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    name = f"picture-{number}.png"
    if page.locator(".mien-face").count():
        page.get_by_role("button", name="Clear").click()
        page.wait_for_selector("text=Or try one of ours")
        page.wait_for_function(f"document.querySelectorAll('{_INPUT}').length == 1")
    file = {"name": name, "mimeType": "image/png", "buffer": stream.getvalue()}
    page.locator(_INPUT).set_input_files(file)
    page.wait_for_selector(f"h2:has-text('{name}')")
    page.wait_for_selector(".mien-face")


def _opened(browser: Any, address: str) -> Any:
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("text=Or try one of ours")
    return page


@contextmanager
def _server() -> Iterator[tuple[str, int]]:
    """``mien streamlit`` on a free port: its address and its process."""
    command = [sys.executable, "-m", "mien", "streamlit", "--port", "0", "--detector", "haar"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1], process.pid
        finally:
            process.send_signal(signal.SIGINT)


def _megabytes(process: int) -> int:
    """What the process holds, without what it shares."""
    told = Path(f"/proc/{process}/smaps_rollup").read_text()
    kilobytes = [int(line.split()[1]) for line in told.splitlines() if line.startswith(("Private_", "Pss:"))]
    return round(kilobytes[0] / 1024)


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
