"""The Streamlit page: from the command to a page that can be used, its memory, and whether that grows.

Needs the extra ``streamlit``, Playwright and a Chromium (``MIEN_BROWSER`` names one).
"""

from __future__ import annotations

import statistics
import time
from typing import Any

from _pages import EXAMPLES, browser, megabytes, photo, server

#: Where the page takes files.
_INPUT = "[data-testid=stFileUploaderDropzoneInput]"

#: How often it is started, and how many pictures are taken before and while its memory is watched.
STARTS, WARM, TAKEN = 5, 20, 200


def measure() -> dict[str, Any]:
    """Seconds and megabytes. ``first_page`` is from the command to a page whose place for photos can be used."""
    with browser() as chromium:
        starts = [_start(chromium) for _ in range(STARTS)]
        memory = _memory(chromium)
    return {
        "address_seconds": round(statistics.median(answers for answers, _, _ in starts), 2),
        "first_page_seconds": round(statistics.median(usable for _, usable, _ in starts), 2),
        "first_photo_seconds": round(statistics.median(read for _, _, read in starts), 2),
        "starts": STARTS,
        **memory,
    }


def _start(chromium: Any) -> tuple[float, float, float]:
    """Seconds from the command until somebody answers, the page can be used, and the first photo is read."""
    began = time.perf_counter()
    with server("streamlit") as (address, _):
        answers = time.perf_counter() - began
        page = _opened(chromium, address)
        usable = time.perf_counter() - began
        asked = time.perf_counter()
        page.locator(_INPUT).set_input_files(EXAMPLES / "portraits.jpg")
        page.wait_for_selector(".mien-face >> nth=1")
        read = time.perf_counter() - asked
        page.context.close()
    return answers, usable, read


def _memory(chromium: Any) -> dict[str, Any]:
    """One visitor shows picture after picture, every one another: as the camera's would be."""
    with server("streamlit") as (address, process):
        idle = megabytes(process)
        page = _opened(chromium, address)
        for number in range(WARM):
            _show(page, number)
        warm = megabytes(process)
        for number in range(WARM, WARM + TAKEN):
            _show(page, number)
        after = megabytes(process)
        page.context.close()
    return {"idle_mb": idle, "warm_mb": warm, "pictures": TAKEN, "after_mb": after, "grown_mb": after - warm}


def _show(page: Any, number: int) -> None:
    name = f"picture-{number}.png"
    if page.locator(".mien-face").count():
        page.get_by_role("button", name="Clear").click()
        page.wait_for_selector("text=Or try one of ours")
        page.wait_for_function(f"document.querySelectorAll('{_INPUT}').length == 1")
    file = {"name": name, "mimeType": "image/png", "buffer": photo(number)}
    page.locator(_INPUT).set_input_files(file)
    page.wait_for_selector(f"h2:has-text('{name}')")
    page.wait_for_selector(".mien-face")


def _opened(chromium: Any, address: str) -> Any:
    page = chromium.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("text=Or try one of ours")
    return page


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
