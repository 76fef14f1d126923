"""The Gradio page: a tab for each kind of input, named endpoints for programs, one cache of engines for both.

``import gradio`` means the library here, as everywhere.
"""

from __future__ import annotations

import io
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from mien.apps.session.ports import check_port, find_free_port, handle_stop_signals, make_listen_error
from mien.errors import FetchError, MissingExtra, install_command

if TYPE_CHECKING:
    from mien.apps.gradio.page import GradioPage
    from mien.engine import Engine

__all__ = ["build_page", "page_style"]


def build_page(
    engine: Engine | None = None, *, model: str = "base", detector: str = "auto", prior: str = "training"
) -> GradioPage:
    """The page as a ``gr.Blocks``: ``demo = build_page()``, then ``demo.launch()``.

    ``engine`` reads everything. Without it ``model`` and ``detector`` are loaded with ``prior``, and other installed
    models can be chosen on the page. Gradio's telemetry and its check for newer versions are off unless
    GRADIO_ANALYTICS_ENABLED turns them on.
    """
    _import_gradio()
    from mien.apps.gradio.page import create_page
    from mien.apps.session.engines import EngineCache
    from mien.engine import Engine
    from mien.models import available_models

    if engine:
        return create_page(EngineCache(engine, detector=detector))
    # Loaded now: an error shows at the start, and not to the first visitor.
    first = Engine.load(model, detector, prior=prior)
    return create_page(EngineCache(first, detector=detector, prior=prior, models=available_models()))


def page_style() -> dict[str, Any]:
    """Theme and style sheet, for ``gr.mount_gradio_app(app, build_page(), path="/faces", **page_style())``."""
    _import_gradio()
    from mien.apps.gradio.page import build_head, build_theme

    return {"theme": build_theme(), "head": build_head()}


def _import_gradio() -> None:
    """Import Gradio with its telemetry off: it reads these variables during its first import."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio as gradio
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise MissingExtra(
            "The Gradio page needs Gradio, which is not installed",
            "The extra 'gradio' contains it",
            f"Run {install_command('gradio')}",
        ) from error


def serve_page(
    model: str,
    detector: str,
    prior: str,
    host: str,
    port: int,
    share: bool,
    on_ready: Callable[[str, str | None], None],
) -> None:
    """Serve until SIGTERM or SIGINT. ``on_ready`` gets the URL, and the public URL if there is one."""
    # Before the model is loaded: an occupied port is reported at once.
    if error := check_port(host, port):
        raise make_listen_error(host, port, error, "mien gradio") from error
    stopped = threading.Event()
    with _temporary_upload_folder(), _no_proxy_for_localhost(), handle_stop_signals(stopped.set):
        page = build_page(model=model, detector=detector, prior=prior)
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
