"""Fixtures and settings of all tests."""

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from running_threads import ignore_running_threads

# The same examples in every run, and no limit on the time of an example: no test fails by chance or on a busy machine.
settings.register_profile("mien", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("mien")

# A shell starts background processes with Ctrl-C ignored, and processes that tests start would inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_threads() -> None:
    """Threads of earlier tests are not counted as threads of this one."""
    ignore_running_threads()


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """YuNet's model file, which is not part of the package: its path is in MIEN_TEST_YUNET."""
    path = os.environ.get("MIEN_TEST_YUNET", "")
    if not path and os.environ.get("MIEN_REQUIRE_YUNET"):
        pytest.fail("MIEN_REQUIRE_YUNET is set, but MIEN_TEST_YUNET is not")
    if not path:
        pytest.skip("set MIEN_TEST_YUNET to the file of YuNet's model")
    return Path(path)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """A real Chromium, driven by Playwright, with a moving face in front of its fake camera.

    Playwright installs no browser here: the system's is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a failure.
    """
    from playwright.sync_api import expect, sync_playwright

    from browser import find_browser
    from tabs import CAMERA_SWITCHES, SWITCHES, TIMEOUT, write_camera_video

    expect.set_options(timeout=TIMEOUT)
    face = write_camera_video(tmp_path_factory.mktemp("camera") / "face.mjpeg")
    switches = [*SWITCHES, *CAMERA_SWITCHES, f"--use-file-for-fake-video-capture={face}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=switches)
        yield browser
        browser.close()
