"""The Gradio page: tabs for people, named endpoints for programs, one engine behind both.

::

    page.py       the page put together, and what it may be sent
    look.py       mien's colours as a theme, for light and dark
    sending.py    what people send, as it came: no picture is decoded before mien's own door
    engines.py    the engines by model, loaded once
    told.py       MienError in Gradio's language
    photo.py      a photo, read; shown.py  a result in Gradio's components
    camera.py     a camera, after its notice
    video.py      a film, its people over time; lines.py  as much of that as is drawn
    inside.py     what the network sees; opened.py  an explanation as pictures
    models.py     what the models say of themselves
    api.py        /read, /explain and /watch
    server.py     the page behind a port, with a folder that goes when it ends

``import gradio`` means the library, here as everywhere.
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
    """The page as a ``gr.Blocks``: ``demo = build()``, then ``demo.launch()``.

    ``engine`` reads everything; without one, ``model`` and ``detector`` are loaded, and other installed models can be
    chosen in the page. Gradio's telemetry and its look for newer versions are off unless GRADIO_ANALYTICS_ENABLED says
    otherwise.
    """
    _quiet()
    from mien.apps.gradio.engines import Engines
    from mien.apps.gradio.page import create_page

    return create_page(Engines(engine, model, detector))


def page_style() -> dict[str, Any]:
    """Theme and style, for ``gr.mount_gradio_app(app, build(), path="/faces", **look())``."""
    _quiet()
    from mien.apps.gradio.page import build_head, build_theme

    return {"theme": build_theme(), "head": build_head()}


def _quiet() -> None:
    """Before Gradio is imported for the first time: it reads these as it comes."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    try:
        import gradio as gradio
    except ModuleNotFoundError as error:
        if error.name != "gradio":
            raise
        raise MissingExtra(
            "The Gradio page needs Gradio, which is not installed",
            "The extra 'gradio' brings it",
            f"Run {install_command('gradio')}",
        ) from error
