"""What several test files need."""

import os
import signal
from pathlib import Path

import pytest

# A shell starts what runs in its background with Ctrl-C ignored, and so would be every process that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def yunet_file() -> Path:
    """YuNet's model file, which is not ours to ship: MIEN_TEST_YUNET says where it is."""
    path = os.environ.get("MIEN_TEST_YUNET", "")
    if not path and os.environ.get("MIEN_REQUIRE_YUNET"):
        pytest.fail("MIEN_REQUIRE_YUNET is set, but MIEN_TEST_YUNET is not")
    if not path:
        pytest.skip("set MIEN_TEST_YUNET to the file of YuNet's model")
    return Path(path)
