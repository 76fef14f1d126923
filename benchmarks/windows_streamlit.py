"""The Streamlit page: its start, and its memory while it reads photos.

``first_page_seconds`` is from the command until the input for photos is usable, ``first_photo_seconds`` from the choice
of a photo of two people until their cards are shown.

Needs the extra ``streamlit``, Playwright and a Chromium (``MIEN_BROWSER`` names one).
"""

from __future__ import annotations

import statistics
from functools import partial
from typing import Any

from _pages import draw_photo, measure_megabytes, measure_start, open_browser, serve

#: The number of starts, of photos before memory is measured and of photos in between.
STARTS, WARM_UP_PHOTOS, PHOTOS = 5, 20, 200

FILE_INPUT = "[data-testid=stFileUploaderDropzoneInput]"


def measure() -> dict[str, Any]:
    with open_browser() as browser:
        open_page = partial(open_streamlit_page, browser)
        cards = ".mien-face >> nth=1"
        starts = [measure_start("streamlit", open_page, FILE_INPUT, cards) for _ in range(STARTS)]
        memory = measure_memory(browser)
    answers, usable, first_photo = zip(*starts, strict=True)
    return {
        "address_seconds": round(statistics.median(answers), 2),
        "first_page_seconds": round(statistics.median(usable), 2),
        "first_photo_seconds": round(statistics.median(first_photo), 2),
        "starts": STARTS,
        **memory,
    }


def open_streamlit_page(browser: Any, address: str) -> Any:
    page = browser.new_context().new_page()
    page.set_default_timeout(60_000)
    page.goto(address)
    page.wait_for_selector("text=Example photos")
    return page


def measure_memory(browser: Any) -> dict[str, Any]:
    """The memory of the server while one visitor uploads photo after photo."""
    with serve("streamlit") as (address, process_id):
        idle = measure_megabytes(process_id)
        page = open_streamlit_page(browser, address)
        for number in range(WARM_UP_PHOTOS):
            upload_photo(page, number)
        warm = measure_megabytes(process_id)
        for number in range(WARM_UP_PHOTOS, WARM_UP_PHOTOS + PHOTOS):
            upload_photo(page, number)
        after = measure_megabytes(process_id)
        page.context.close()
    return {"idle_mb": idle, "warm_mb": warm, "photos": PHOTOS, "after_mb": after, "grown_mb": after - warm}


def upload_photo(page: Any, number: int) -> None:
    name = f"photo-{number}.png"
    if page.locator(".mien-face").count():
        page.get_by_role("button", name="Clear").click()
        page.wait_for_selector("text=Example photos")
        page.wait_for_function(f"document.querySelectorAll('{FILE_INPUT}').length == 1")
    file = {"name": name, "mimeType": "image/png", "buffer": draw_photo(number)}
    page.locator(FILE_INPUT).set_input_files(file)
    page.wait_for_selector(f"h2:has-text('{name}')")
    page.wait_for_selector(".mien-face")


if __name__ == "__main__":
    for name, value in measure().items():
        print(f"{name}: {value}")
