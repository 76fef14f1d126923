"""The page put together, and how it is launched."""

from __future__ import annotations

from typing import Any

import gradio as gr

from mien import words
from mien.apps.gradio.api import Api
from mien.apps.gradio.camera import TITLE, CameraTab
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.inside import InsideTab
from mien.apps.gradio.look import style, theme
from mien.apps.gradio.models import chooser, models_tab
from mien.apps.gradio.photo import PhotoTab
from mien.apps.gradio.sending import MAX_FILM_BYTES, refuse_addresses
from mien.apps.gradio.video import VideoTab

#: Seconds after which what was sent and made is removed, and how often that is looked after.
KEPT, SWEPT = 900, 60

#: So many wait at most; more are told that the page is busy.
_WAITING = 32

#: Readings at once, films at once, cameras at once.
READING: dict[str, Any] = {"concurrency_limit": 3, "concurrency_id": "reading"}
FILMING: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "film"}
WATCHING: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "camera"}

_TITLE = "mien: what does this expression look like?"

_PRIVACY = f"""**What it must not be used for:** {words.MUST_NOT}

**What is kept:** photos and films lie in a temporary folder of this server while they are read, and so does what is
made of them; all of it is removed after {KEPT // 60} minutes, and when the server stops. Frames of a camera are never
written down. Nobody is identified, nothing goes to anybody else, and this page fetches nothing from other servers."""


class Page(gr.Blocks):  # type: ignore[misc]  # its types are not read
    """A ``gr.Blocks`` that is launched with mien's manners, where its caller does not say otherwise."""

    #: The labels whose colours the page needs.
    labels: tuple[str, ...] = ()

    def launch(self, *args: Any, **settings: Any) -> Any:
        manners: dict[str, Any] = {
            "theme": theme(),
            "head": style(self.labels),
            "footer_links": ["api"],
            "max_file_size": MAX_FILM_BYTES,
            # Gradio would keep what was read in the browser, and counts of it on a page of its own.
            "run_history": False,
            "enable_monitoring": False,
            "ssr_mode": False,
        }
        return super().launch(*args, **{**manners, **settings})

    async def preprocess_data(self, block_fn: Any, inputs: Any, *args: Any, **more: Any) -> Any:
        refuse_addresses(inputs)
        return await super().preprocess_data(block_fn, inputs, *args, **more)


def made(engines: Engines) -> Page:
    """The whole page."""
    page = Page(title="mien", delete_cache=(SWEPT, KEPT))
    with page:
        page.labels = tuple(dict.fromkeys(label for card in engines.cards().values() for label in card.labels))
        gr.Markdown(f"# {_TITLE}\n\n{words.LIMIT}")
        model = chooser(engines)
        with gr.Tabs() as tabs:
            with gr.Tab("Photo", id="photo"):
                PhotoTab(engines, model, READING)
            with gr.Tab(TITLE, id="camera"):
                camera = CameraTab(engines, model, WATCHING)
            with gr.Tab("Video", id="video"):
                VideoTab(engines, model, FILMING)
            with gr.Tab("Inside", id="inside"):
                InsideTab(engines, model, READING)
            with gr.Tab("Models", id="models"):
                models_tab(engines, model)
        camera.close_with(tabs)
        gr.Markdown(_PRIVACY, elem_classes="fine")
        Api(engines, READING, FILMING)
    page.queue(max_size=_WAITING)
    return page
