"""The Gradio page: its theme in mien's colours, its tabs and endpoints, and how it is launched."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import gradio as gr
from markupsafe import Markup

from mien import text
from mien.apps.gradio.api import Api
from mien.apps.gradio.camera import TITLE as CAMERA_TITLE
from mien.apps.gradio.camera import CameraTab
from mien.apps.gradio.explain import ExplainTab
from mien.apps.gradio.models import create_model_chooser, create_models_tab
from mien.apps.gradio.photo import PhotoTab
from mien.apps.gradio.uploads import reject_urls
from mien.apps.gradio.video import VideoTab
from mien.apps.session.engines import EngineCache
from mien.apps.session.uploads import MAX_VIDEO_BYTES
from mien.html import style_colours
from mien.html.environment import render_macro
from mien.html.faces import faces_style
from mien.labels import VOTES, label_colour

#: Seconds after which uploads and results are removed, and between two such clean-ups.
CACHE_SECONDS, CLEANUP_INTERVAL = 900, 60

#: The most waiting requests; further visitors see that the page is busy.
_MAX_WAITING = 32

#: How many images, videos and cameras are read at the same time.
IMAGE_QUEUE: dict[str, Any] = {"concurrency_limit": 3, "concurrency_id": "image"}
VIDEO_QUEUE: dict[str, Any] = {"concurrency_limit": 1, "concurrency_id": "video"}
CAMERA_QUEUE: dict[str, Any] = {"concurrency_limit": 4, "concurrency_id": "camera"}

_TITLE = "mien: what does this expression look like?"

_PRIVACY = f"""**Prohibited uses:** {text.PROHIBITED_USES}

**What is stored:** uploaded photos and videos are in a temporary folder of this server while they are read, and so are
their results; all of it is removed after {CACHE_SECONDS // 60} minutes, and when the server stops. Frames of a camera
are never written to disk. Nobody is identified, nothing is sent to anybody else, and this page loads nothing from other
servers."""

#: The steps of a Gradio colour from light to dark: the part of white in each, or below 0 the part of black.
_COLOUR_STEPS = (0.95, 0.9, 0.75, 0.55, 0.3, 0.12, 0.0, -0.15, -0.35, -0.5, -0.65)

#: Gradio's names for colours, and the name of each in the common style sheet.
_THEME_COLOURS = {
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


def create_page(engines: EngineCache) -> GradioPage:
    """The whole page."""
    page = GradioPage(title="mien", delete_cache=(CLEANUP_INTERVAL, CACHE_SECONDS))
    with page:
        page.labels = tuple(dict.fromkeys(label for card in engines.cards().values() for label in card.labels))
        gr.Markdown(f"# {_TITLE}\n\n{text.DISCLAIMER}")
        model = create_model_chooser(engines)
        with gr.Tabs() as tabs:
            with gr.Tab("Photo", id="photo"):
                PhotoTab(engines, model, IMAGE_QUEUE)
            with gr.Tab(CAMERA_TITLE, id="camera"):
                camera = CameraTab(engines, model, CAMERA_QUEUE)
            with gr.Tab("Video", id="video"):
                VideoTab(engines, model, VIDEO_QUEUE)
            with gr.Tab("Explain", id="explain"):
                ExplainTab(engines, model, IMAGE_QUEUE)
            with gr.Tab("Models", id="models"):
                create_models_tab(engines, model)
        camera.close_on_leave(tabs)
        gr.Markdown(_PRIVACY, elem_classes="fine")
        Api(engines, IMAGE_QUEUE, VIDEO_QUEUE)
    page.queue(max_size=_MAX_WAITING)
    return page


class GradioPage(gr.Blocks):  # type: ignore[misc]  # its types are not read
    """A ``gr.Blocks`` with mien's defaults for ``launch``."""

    #: The labels whose colours the page needs.
    labels: tuple[str, ...] = ()

    def launch(self, *args: Any, **settings: Any) -> Any:
        defaults: dict[str, Any] = {
            "theme": build_theme(),
            "head": build_head(self.labels),
            "footer_links": ["api"],
            "max_file_size": MAX_VIDEO_BYTES,
            # Gradio would store results in the browser, and counts of requests on a page of its own.
            "run_history": False,
            "enable_monitoring": False,
            "ssr_mode": False,
        }
        return super().launch(*args, **{**defaults, **settings})

    async def preprocess_data(self, block_fn: Any, inputs: Any, *args: Any, **options: Any) -> Any:
        reject_urls(inputs)
        return await super().preprocess_data(block_fn, inputs, *args, **options)


def build_theme() -> gr.themes.Base:
    """mien's colours for light and dark, with fonts of the system only."""
    light, dark = style_colours(), style_colours(dark=True)
    accent = gr.themes.Color(*(_mix_colour(light["accent"], step) for step in _COLOUR_STEPS), name="mien")
    theme = gr.themes.Base(
        primary_hue=accent,
        secondary_hue=accent,
        neutral_hue=gr.themes.colors.stone,
        radius_size=gr.themes.sizes.radius_lg,
        font=("Segoe UI", "Roboto", "Noto Sans", "DejaVu Sans", "sans-serif"),
        font_mono=("Menlo", "Consolas", "DejaVu Sans Mono", "monospace"),
    )
    # Not all of Gradio's names have a dark variant.
    names = vars(theme).keys()
    colours = {name: light[colour] for name, colour in _THEME_COLOURS.items()}
    colours |= {f"{name}_dark": dark[colour] for name, colour in _THEME_COLOURS.items()}
    return theme.set(**{name: colour for name, colour in colours.items() if name in names})


def _mix_colour(colour: str, part: float) -> str:
    """``#rrggbb`` with a part of white in it, or below 0 of black."""
    target = 255 if part > 0 else 0
    channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return "#" + "".join(f"{round(value + (target - value) * abs(part)):02x}" for value in channels)


def build_head(labels: tuple[str, ...] = VOTES) -> str:
    """HTML for the page's head: the rules that a theme cannot express, such as the colours of the expressions.

    Gradio's parameter ``css`` would include the rules twice, and modified.
    """
    rules = "".join(_bar_rule(label, labels) for label in labels)
    # A few of Gradio's own variables have no dark variant.
    rules += f".dark, .dark * {{ --color-accent: {style_colours(dark=True)['accent']} !important; }}\n"
    rules += faces_style()
    rules += files("mien.apps.gradio").joinpath("page.css").read_text("utf-8")
    return render_macro("style", Markup(rules), template="gradio.html")


def _bar_rule(label: str, labels: tuple[str, ...]) -> str:
    # Labels come from model files: escapes keep one from ending the string that it stands in.
    name = "".join(letter if letter.isalnum() else f"\\{ord(letter):x} " for letter in label)
    return f'[data-testid="{name}-confidence-set"] .bar {{ background: {label_colour(label, labels)} !important; }}\n'
