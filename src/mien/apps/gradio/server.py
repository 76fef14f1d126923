"""The page behind a port, until somebody stops it; what was sent lies in a folder of its own that goes with it."""

from __future__ import annotations

import io
import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress

from mien.apps.gradio import build_page
from mien.apps.session.ports import check_port, make_listen_error
from mien.errors import FetchError

#: What Gradio itself would take first.
PORT = 7860

_COMMAND = "mien gradio"


def serve_page(
    model: str, detector: str, host: str, port: int, share: bool, ready: Callable[[str, str | None], None]
) -> None:
    """Serve until SIGTERM or SIGINT. ``ready`` hears the address, and the public one where there is one."""
    # Before anything slow: a port that is taken is said at once.
    if error := check_port(host, port):
        raise make_listen_error(host, port, error, _COMMAND) from error
    with _own_folder(), _reaching_itself(), _stopping() as stopped:
        page = build_page(model=model, detector=detector)
        said = io.StringIO()
        try:
            with redirect_stdout(said):
                page.launch(
                    server_name=host,
                    server_port=port or _free(host),
                    share=share,
                    inbrowser=False,
                    inline=False,
                    prevent_thread_lock=True,
                    quiet=True,
                )
            if share and not page.share_url:
                raise _unshared()
            ready(page.local_url.rstrip("/"), page.share_url)
            stopped.wait()
        finally:
            with redirect_stdout(said):
                page.close(verbose=False)


def _unshared() -> FetchError:
    return FetchError(
        "The page could not be shared: Gradio's service for public addresses did not answer",
        "--share needs a network",
        "Leave it out to have the page on this machine alone",
    )


def _free(host: str) -> int:
    """A port that nobody listens on."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.bind((host.strip("[]"), 0))
        return int(trial.getsockname()[1])


@contextmanager
def _own_folder() -> Iterator[None]:
    """Gradio keeps what is sent in a folder; this one is this run's alone, and is gone when it ends."""
    before = os.environ.get("GRADIO_TEMP_DIR")
    with tempfile.TemporaryDirectory(prefix="mien-gradio-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["GRADIO_TEMP_DIR"]
            else:
                os.environ["GRADIO_TEMP_DIR"] = before


@contextmanager
def _reaching_itself() -> Iterator[None]:
    """Gradio asks its own address whether it is there; a proxy for the network must not be asked for that."""
    before = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [before, "127.0.0.1", "localhost"]))
    yield


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    stopped = threading.Event()
    before = {}
    with suppress(ValueError):  # not the main thread: whoever runs us there minds the signals
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
