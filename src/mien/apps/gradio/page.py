"""mien's colours as a theme: those of all its pages, for light and dark. No font is fetched from anywhere."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import gradio as gr

from mien import text
from mien.apps.gradio.api import Api
from mien.apps.gradio.camera import TITLE, CameraTab
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.explain import ExplainTab
from mien.apps.gradio.models import create_model_chooser, create_models_tab
from mien.apps.gradio.photo import PhotoTab
from mien.apps.gradio.uploads import MAX_FILM_BYTES, reject_urls
from mien.apps.gradio.video import VideoTab
from mien.html import style_colours
from mien.labels import VOTES, label_colour

#: The steps of a Gradio hue, from light to dark, and how much of white (or, below 0, of black) is in each.
_STEPS = (0.95, 0.9, 0.75, 0.55, 0.3, 0.12, 0.0, -0.15, -0.35, -0.5, -0.65)

#: Gradio's names for colours, and ours.
_NAMED = {
    "body_background_fill": "paper",
    "body_text_color": "ink",
    "body_text_color_subdued": "muted",
    "background_fill_primary": "raised",
    "background_fill_secondary": "panel",
    "border_color_primary": "line",
    "border_color_accent": "accent",
    "color_accent": "accent",
    "link_text_color": "accent",
    "link_text_color_hover": "accent",
    "link_text_color_active": "accent",
    "link_text_color_visited": "accent",
    "block_background_fill": "raised",
    "block_border_color": "line",
    "block_label_background_fill": "panel",
    "block_label_text_color": "muted",
    "block_title_text_color": "ink",
    "block_info_text_color": "muted",
    "input_background_fill": "panel",
    "input_border_color": "line",
    "input_border_color_focus": "accent",
    "input_placeholder_color": "muted",
    "checkbox_background_color_selected": "accent",
    "checkbox_border_color_selected": "accent",
    "button_primary_background_fill": "accent",
    "button_primary_background_fill_hover": "accent",
    "button_primary_border_color": "accent",
    "button_primary_text_color": "on-accent",
    "button_secondary_background_fill": "raised",
    "button_secondary_background_fill_hover": "panel",
    "button_secondary_border_color": "line",
    "button_secondary_text_color": "ink",
    "slider_color": "accent",
    "stat_background_fill": "accent",
    "table_even_background_fill": "raised",
    "table_odd_background_fill": "panel",
    "table_border_color": "line",
    "loader_color": "accent",
    "error_text_color": "wrong",
}


def build_theme() -> gr.themes.Base:
    light, dark = style_colours(), style_colours(dark=True)
    accent = gr.themes.Color(*(_mixed(light["accent"], step) for step in _STEPS), name="mien")
    made = gr.themes.Base(
        primary_hue=accent,
        secondary_hue=accent,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=("Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif"),
        font_mono=("Menlo", "Consolas", "DejaVu Sans Mono", "monospace"),
    )
    return made.set(**_both(light), **_both(dark, "_dark"))


def build_head(labels: tuple[str, ...] = VOTES) -> str:
    """What a theme cannot say: the expressions' own colours, letters of the system, room on a phone.

    It is for the page's head: what Gradio takes as ``css`` it writes twice, and not as it was written.
    """
    hues = "".join(_hue(label, labels) for label in labels)
    # A few of Gradio's own variables have no dark of theirs.
    dark = f".dark, .dark * {{ --color-accent: {style_colours(dark=True)['accent']} !important; }}"
    sheet = files("mien.apps.gradio").joinpath("page.css").read_text("utf-8")
    return f"<style>{hues}{dark}\n{sheet}</style>"


def _both(known: dict[str, str], suffix: str = "") -> dict[str, str]:
    """Gradio's names for the colours of one of the two lights."""
    # Not all of Gradio's names have a dark one.
    known_names = vars(gr.themes.Base()).keys()
    return {f"{name}{suffix}": known[tone] for name, tone in _NAMED.items() if f"{name}{suffix}" in known_names}


def _hue(label: str, among: tuple[str, ...]) -> str:
    # Labels come out of model files: nothing in one ends the text that it stands in.
    name = "".join(f"\\{ord(letter):x} " if not letter.isalnum() else letter for letter in label)
    return f'[data-testid="{name}-confidence-set"] .bar {{ background: {label_colour(label, among)} !important; }}\n'


def _mixed(code: str, part: float) -> str:
    """The colour with so much white in it, or so much black."""
    toward = 255 if part > 0 else 0
    parts = (int(code[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(value + (toward - value) * abs(part)):02x}" for value in parts)


# ==== mien.apps.gradio.page
# The page put together, and how it is launched.

#: Seconds after which what was sent and made is removed, and how often that is looked after.
CACHE_SECONDS, CLEANUP_INTERVAL = 900, 60

#: So many wait at most; more are told that the page is busy.
_WAITING = 32

#: Readings at once, films at once, cameras at once.
IMAGE_QUEUE: dict[str, Any] = {"concurrency_limit": 3, "concurrency_id": "reading"}
VIDEO_QUEUE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "film"}
CAMERA_QUEUE: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "camera"}

_TITLE = "mien: what does this expression look like?"

_PRIVACY = f"""**What it must not be used for:** {text.PROHIBITED_USES}

**What is kept:** photos and films lie in a temporary folder of this server while they are read, and so does what is
made of them; all of it is removed after {CACHE_SECONDS // 60} minutes, and when the server stops. Frames of a camera are never
written down. Nobody is identified, nothing goes to anybody else, and this page fetches nothing from other servers."""


class GradioPage(gr.Blocks):  # type: ignore[misc]  # its types are not read
    """A ``gr.Blocks`` that is launched with mien's manners, where its caller does not say otherwise."""

    #: The labels whose colours the page needs.
    labels: tuple[str, ...] = ()

    def launch(self, *args: Any, **settings: Any) -> Any:
        manners: dict[str, Any] = {
            "theme": build_theme(),
            "head": build_head(self.labels),
            "footer_links": ["api"],
            "max_file_size": MAX_FILM_BYTES,
            # Gradio would keep what was read in the browser, and counts of it on a page of its own.
            "run_history": False,
            "enable_monitoring": False,
            "ssr_mode": False,
        }
        return super().launch(*args, **{**manners, **settings})

    async def preprocess_data(self, block_fn: Any, inputs: Any, *args: Any, **more: Any) -> Any:
        reject_urls(inputs)
        return await super().preprocess_data(block_fn, inputs, *args, **more)


def create_page(engines: Engines) -> GradioPage:
    """The whole page."""
    page = GradioPage(title="mien", delete_cache=(CLEANUP_INTERVAL, CACHE_SECONDS))
    with page:
        page.labels = tuple(dict.fromkeys(label for card in engines.cards().values() for label in card.labels))
        gr.Markdown(f"# {_TITLE}\n\n{text.DISCLAIMER}")
        model = create_model_chooser(engines)
        with gr.Tabs() as tabs:
            with gr.Tab("Photo", id="photo"):
                PhotoTab(engines, model, IMAGE_QUEUE)
            with gr.Tab(TITLE, id="camera"):
                camera = CameraTab(engines, model, CAMERA_QUEUE)
            with gr.Tab("Video", id="video"):
                VideoTab(engines, model, VIDEO_QUEUE)
            with gr.Tab("Inside", id="inside"):
                ExplainTab(engines, model, IMAGE_QUEUE)
            with gr.Tab("Models", id="models"):
                create_models_tab(engines, model)
        camera.close_with(tabs)
        gr.Markdown(_PRIVACY, elem_classes="fine")
        Api(engines, IMAGE_QUEUE, VIDEO_QUEUE)
    page.queue(max_size=_WAITING)
    return page
