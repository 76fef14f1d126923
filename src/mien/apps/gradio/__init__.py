"""The Gradio page: a tab for each kind of input, named endpoints for programs, one cache of engines for both.

``import gradio`` means the library here, as everywhere.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from mien.errors import MissingExtra, install_command

if TYPE_CHECKING:
    from mien.apps.gradio.page import GradioPage
    from mien.engine import Engine

__all__ = ["build_page", "page_style"]


def build_page(engine: Engine | None = None, *, model: str = "base", detector: str = "auto") -> GradioPage:
    """The page as a ``gr.Blocks``: ``demo = build_page()``, then ``demo.launch()``.

    ``engine`` reads everything. Without it ``model`` and ``detector`` are loaded, and other installed models can be
    chosen on the page. Gradio's telemetry and its check for newer versions are off unless GRADIO_ANALYTICS_ENABLED
    turns them on.
    """
    _import_gradio()
    from mien.apps.gradio.page import create_page
    from mien.apps.session.engines import EngineCache
    from mien.engine import Engine
    from mien.models import available_models

    if engine:
        return create_page(EngineCache(engine, detector=detector))
    # Loaded now: an error shows at the start, and not to the first visitor.
    first = Engine.load(model, detector)
    return create_page(EngineCache(first, detector=detector, models=available_models()))


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
