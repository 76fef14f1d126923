"""Tabs of the Chromium that Playwright drives: the fixture ``chromium`` in conftest.py is the browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2

from films import EXAMPLES

SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage")
CAMERA = ("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream")

#: Milliseconds; generous: other work may share the machine, and a page that never does it is found all the same.
PATIENCE = 20_000

_NOTHING = re.compile(r"(?!)")


@contextmanager
def tab(
    chromium: Any,
    address: str,
    *,
    fine: re.Pattern[str] = _NOTHING,
    kinds: tuple[str, ...] = ("error", "warning"),
    **how: Any,
) -> Iterator[Any]:
    """A fresh tab; at the end it must have complained of nothing but what is ``fine``, and asked nobody else.

    ``kinds`` are the lines of the console that count; what was said of an address has the address behind it.
    """
    context = chromium.new_context(base_url=address, **how)
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda line: said.append(f"{line.text} {line.location['url']}") if line.type in kinds else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    try:
        yield page
    finally:
        context.close()
    assert [each for each in said if not fine.search(each)] == []
    assert [each for each in asked if not each.startswith((address, "data:", "blob:", "about:"))] == []


def moving_face(path: Path) -> Path:
    """What the fake camera sees: a face that moves a little, as a film of JPEGs."""
    whole = cv2.resize(cv2.imread(str(EXAMPLES / "astronaut.jpg")), (520, 520))
    frames = [cv2.imencode(".jpg", whole[20:380, 10 + i : 490 + i])[1].tobytes() for i in range(0, 20, 2)]
    path.write_bytes(b"".join(frames))
    return path
