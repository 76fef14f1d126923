"""Tabs of the Chromium that Playwright drives: the fixture ``chromium`` in conftest.py is the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from video_files import EXAMPLES

SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
CAMERA_SWITCHES = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

#: Milliseconds; long, because other work may share the machine. A condition that is never true fails all the same.
TIMEOUT = 20_000

_MATCHES_NOTHING = re.compile(r"(?!)")


@contextmanager
def open_tab(
    chromium: Any,
    url: str,
    *,
    expected: re.Pattern[str] = _MATCHES_NOTHING,
    kinds: tuple[str, ...] = ("error", "warning"),
    **options: Any,
) -> Iterator[Any]:
    """A new tab. At its end its console may contain nothing but ``expected`` lines, and no other site was requested.

    ``kinds`` are the kinds of console lines that count; each line is followed by the URL of its source.
    """
    context = chromium.new_context(base_url=url, **options)
    page = context.new_page()
    page.set_default_timeout(TIMEOUT)
    lines: list[str] = []
    requests: list[str] = []
    page.on("console", lambda line: lines.append(f"{line.text} {line.location['url']}") if line.type in kinds else None)
    page.on("pageerror", lambda error: lines.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    try:
        yield page
    finally:
        context.close()
    assert [line for line in lines if not expected.search(line)] == []
    assert [request for request in requests if not request.startswith((url, "data:", "blob:", "about:"))] == []


def write_camera_video(path: Path) -> Path:
    """The video of the fake camera: a face that moves a little, as a sequence of JPEG images."""
    image = cv2.resize(cv2.imread(str(EXAMPLES / "astronaut.jpg")), (520, 520))
    frames = [cv2.imencode(".jpg", image[20:380, 10 + i : 490 + i])[1].tobytes() for i in range(0, 20, 2)]
    path.write_bytes(b"".join(frames))
    return path
