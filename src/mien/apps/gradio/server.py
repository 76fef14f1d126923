"""The page behind a port until it is stopped. Uploads are in a folder of their own, removed at the end."""

from __future__ import annotations

import io
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress

from mien.apps.gradio import build_page
from mien.apps.session.ports import check_port, find_free_port, make_listen_error
from mien.errors import FetchError


def serve_page(
    model: str, detector: str, host: str, port: int, share: bool, on_ready: Callable[[str, str | None], None]
) -> None:
    """Serve until SIGTERM or SIGINT. ``on_ready`` gets the URL, and the public URL if there is one."""
    # Before the model is loaded: an occupied port is reported at once.
    if error := check_port(host, port):
        raise make_listen_error(host, port, error, "mien gradio") from error
    with _temporary_upload_folder(), _no_proxy_for_localhost(), _stop_signals() as stopped:
        page = build_page(model=model, detector=detector)
        output = io.StringIO()
        try:
            with redirect_stdout(output):
                page.launch(
                    server_name=host,
                    server_port=port or find_free_port(host),
                    share=share,
                    inbrowser=False,
                    inline=False,
                    prevent_thread_lock=True,
                    quiet=True,
                )
            if share and not page.share_url:
                raise FetchError(
                    "The page could not be shared: Gradio's service for public addresses did not answer",
                    "--share needs a network",
                    "Leave it out to have the page on this machine alone",
                )
            on_ready(page.local_url.rstrip("/"), page.share_url)
            stopped.wait()
        finally:
            with redirect_stdout(output):
                page.close(verbose=False)


@contextmanager
def _temporary_upload_folder() -> Iterator[None]:
    """Let Gradio store uploads in a folder of this run alone, removed at its end."""
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
def _no_proxy_for_localhost() -> Iterator[None]:
    """Gradio requests its own address to check that it is up; this must not go through a network proxy."""
    before = os.environ.get("NO_PROXY", os.environ.get("no_proxy", ""))
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [before, "127.0.0.1", "localhost"]))
    yield


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    stopped = threading.Event()
    before = {}
    with suppress(ValueError):  # not the main thread: the caller handles signals
        for number in (signal.SIGTERM, signal.SIGINT):
            before[number] = signal.signal(number, lambda *_: stopped.set())
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
