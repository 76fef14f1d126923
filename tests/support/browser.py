"""A real Chromium, driven over its own pipe (the DevTools protocol): nothing has to be installed but Chromium itself.

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


def browser_file() -> str:
    """Where Chromium is; the test that asks is skipped where it is not, unless it has to be."""
    if os.name == "nt":
        pytest.skip("the browser is driven over pipes that Windows does not have")
    found = os.environ.get("MIEN_BROWSER") or next(filter(None, map(shutil.which, NAMES)), "")
    if not found and os.environ.get("MIEN_REQUIRE_BROWSER"):
        pytest.fail("MIEN_REQUIRE_BROWSER is set, but there is no Chromium")
    if not found:
        pytest.skip("no Chromium; name one in MIEN_BROWSER")
    return found


class Page:
    """One tab. Whatever the page complains of is in ``complaints``; whatever it asked the network for, in ``asked``."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._number = itertools.count(1)
        self._rest = b""
        self._session: str | None = None
        self.complaints: list[str] = []
        self.asked: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def open(self, address: str) -> None:
        self._loaded = False
        self.call("Page.navigate", url=address)
        until = time.monotonic() + 20
        while not self._loaded:
            self._take(self._message(until))

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)

    def prefer(self, **wishes: str) -> None:
        """``scheme="dark"``, ``motion="reduce"``."""
        full = {"scheme": "prefers-color-scheme", "motion": "prefers-reduced-motion"}
        named = [{"name": full[name], "value": wish} for name, wish in wishes.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def press(self, key: str) -> None:
        how = {"key": key, "code": key, "windowsVirtualKeyCode": KEYS[key]} | ({"text": "\r"} if key == "Enter" else {})
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, **how)

    def ask(self, expression: str) -> Any:
        """The value of some JavaScript."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def picture(self, path: Path, *, whole: bool = False) -> Path:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))
        return path

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._number)
        session = {"sessionId": self._session} if self._session else {}
        os.write(
            self._writing,
            json.dumps({"id": number, "method": method, "params": parameters, **session}).encode() + b"\0",
        )
        until = time.monotonic() + 20
        while True:
            message = self._message(until)
            if message.get("id") == number:
                assert "error" not in message, (method, message["error"])
                return message["result"]
            self._take(message)

    def _message(self, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reading], [], [], max(until - time.monotonic(), 0))
            assert ready, "Chromium does not answer"
            self._rest += os.read(self._reading, 1 << 20)
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def _take(self, event: dict[str, Any]) -> None:
        told = event.get("params", {})
        match event.get("method"):
            case "Page.loadEventFired":
                self._loaded = True
            case "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(told["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if told["type"] in ("error", "warning", "assert"):
                self.complaints.append(json.dumps(told["args"]))
            case "Log.entryAdded" if told["entry"]["level"] in ("error", "warning"):
                self.complaints.append(json.dumps(told["entry"]))
            case "Network.requestWillBeSent":
                self.asked.append(told["request"]["url"])


@contextmanager
def chromium() -> Iterator[Page]:
    """A fresh browser with one empty tab."""
    program = browser_file()
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        # Chromium reads its orders from descriptor 3 and answers on 4.
        command = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        switches = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"]
        switches += ["--remote-debugging-pipe", f"--user-data-dir={profile}", "--no-first-run", "--disable-extensions"]
        process = subprocess.Popen(
            ["bash", "-c", command, program, *switches],
            pass_fds=(theirs_in, theirs_out),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            page = Page(ours_in, ours_out)
            yield page
            with suppress(OSError, AssertionError):
                page._session = None
                page.call("Browser.close")
        finally:
            os.close(ours_in)
            os.close(ours_out)
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
            process.wait()
