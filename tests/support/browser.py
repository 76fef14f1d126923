"""A real Chromium, driven over a pipe with the DevTools protocol: nothing but Chromium itself has to be installed.

``MIEN_REQUIRE_BROWSER=1`` makes a missing one a failure instead of a skip.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
KEYS = {
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "ArrowDown": 40,
    "ArrowUp": 38,
    "Home": 36,
    "End": 35,
    "Tab": 9,
    "Escape": 27,
}
KEYS |= {"Enter": 13, "PageDown": 34, "PageUp": 33}


def find_browser() -> str:
    """The path of Chromium. Without one the test is skipped, or fails with ``MIEN_REQUIRE_BROWSER``."""
    if os.name == "nt":
        pytest.skip("the browser is driven over pipes that Windows does not have")
    path = os.environ.get("MIEN_BROWSER") or next(filter(None, map(shutil.which, NAMES)), "")
    if not path and os.environ.get("MIEN_REQUIRE_BROWSER"):
        pytest.fail("MIEN_REQUIRE_BROWSER is set, but there is no Chromium")
    if not path:
        pytest.skip("no Chromium; name one in MIEN_BROWSER")
    return path


class BrowserPage:
    """One tab. ``console_errors`` are errors and warnings of the page, ``requests`` the URLs that it requested."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._number = itertools.count(1)
        self._buffer = b""
        self._session: str | None = None
        self._loaded = False
        self.console_errors: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, url: str) -> None:
        self._loaded = False
        self.call("Page.navigate", url=url)
        deadline = time.monotonic() + 20
        while not self._loaded:
            self._handle_event(self._receive(deadline))

    def close(self) -> None:
        """Close the whole browser."""
        self._session = None
        self.call("Browser.close")

    def set_size(self, width: int, height: int, *, phone: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def emulate_media(self, **features: str) -> None:
        """``scheme="dark"``, ``motion="reduce"``."""
        names = {"scheme": "prefers-color-scheme", "motion": "prefers-reduced-motion"}
        values = [{"name": names[name], "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=values)

    def press(self, key: str) -> None:
        event = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]}
        event |= {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **event)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path, *, full_page: bool = False) -> Path:
        image = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=full_page)
        path.write_bytes(base64.b64decode(image["data"]))
        return path

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the DevTools protocol, and wait for its answer."""
        number = next(self._number)
        session = {"sessionId": self._session} if self._session else {}
        message = json.dumps({"id": number, "method": method, "params": parameters, **session})
        os.write(self._writing, message.encode() + b"\0")
        deadline = time.monotonic() + 20
        while True:
            answer = self._receive(deadline)
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self._handle_event(answer)

    def _receive(self, deadline: float) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._reading], [], [], max(deadline - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            self._buffer += os.read(self._reading, 1 << 20)
        message, _, self._buffer = self._buffer.partition(b"\0")
        return json.loads(message)

    def _handle_event(self, event: dict[str, Any]) -> None:
        parameters = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.console_errors.append(json.dumps(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.console_errors.append(json.dumps(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.console_errors.append(json.dumps(parameters["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])


@contextmanager
def open_browser() -> Iterator[BrowserPage]:
    """A new browser with one empty tab."""
    program = find_browser()
    browser_in, our_out = os.pipe()
    our_in, browser_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Chromium reads commands from descriptor 3 and answers on 4.
        command = f'exec "$0" "$@" 3<&{browser_in} 4>&{browser_out}'
        switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        switches += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-extensions"]
        process = subprocess.Popen(
            ["bash", "-c", command, program, *switches],
            pass_fds=(browser_in, browser_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(browser_in)
        os.close(browser_out)
        try:
            page = BrowserPage(our_in, our_out)
            yield page
            with suppress(OSError, AssertionError):
                page.close()
        finally:
            os.close(our_in)
            os.close(our_out)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
