"""An explanation as pictures, drawn in the style of every window."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr

from mien.apps.gradio import results
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.errors import convert_errors
from mien.apps.gradio.photo import create_examples, create_photo_input
from mien.apps.gradio.uploads import find_sent_file
from mien.explain import Explanation, Layer, figures
from mien.explain.figures import draw_contributions, draw_evidence_maps, draw_softmax
from mien.explain.page import render_walkthrough
from mien.results import Pixels, Quality, Reading

#: What the methods are called, and what each does.
METHODS = {
    "cam": "Class map: exact, from the last layer; at once",
    "occlusion": "Covering: what is lost when a part is covered; about a second",
    "rise": "Random masks: many random covers, averaged; a second or two",
}


def list_layer_maps(told: Explanation) -> Iterator[tuple[Pixels, str]]:
    """A sheet of maps for each layer, with its name, in order."""
    before: Layer | None = None
    for layer in told.layers:
        placed = len(layer.shape) == 3
        if placed or layer.kind == "pool":
            yield figures.draw_feature_maps(layer, told.crop.shape[0], before), layer.name
        before = layer if placed else before


def list_network_figures(told: Explanation) -> Iterator[tuple[Pixels, str]]:
    """The network as a whole: what each layer answers and sees, its first filters, where its numbers are."""
    if told.layers:
        yield figures.draw_layers(told.layers, told.crop), "Every layer at a glance"
        yield figures.draw_receptive_fields(replace(told, layers=told.layers)), "What one place of each layer sees"
    if told.kernels is not None:
        yield figures.draw_kernels(told.kernels), f"The filters of {told.kernels.layer}"
    if told.costs:
        yield figures.draw_costs(told), "Where the numbers are"


def embed_walkthrough(told: Explanation, pixels: Pixels) -> str:
    """The walkthrough page in a sandboxed frame, without access to the rest of the page."""
    inner = escape(render_walkthrough(told, pixels), quote=True)
    return f'<iframe class="walkthrough" title="Step by step" sandbox="allow-scripts" srcdoc="{inner}"></iframe>'


# ==== mien.apps.gradio.inside
# The tab that opens the network.

#: Said for "whichever expression leads", and for "none".
_LEADING, _NONE = "the one that leads", "nothing else"

_EMPTY = "One face, and everything the network makes of it: where it looked, its maps, the sum behind its answer."


class ExplainTab:
    """Made inside a ``gr.Tab``."""

    def __init__(self, engines: Engines, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        labels = list(engines.get().labels)
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                photo = create_photo_input("inside-input")
                create_examples(photo)
            with gr.Column(scale=6, min_width=320):
                self._said = gr.Markdown(_EMPTY, elem_classes="said", elem_id="inside-said")
                face = gr.Dropdown([("1", 1)], value=1, label="Face", visible=False, elem_id="inside-face")
                method, target, versus = _asked(labels)
        with gr.Column(visible=False) as found, gr.Tabs():
            with gr.Tab("Where"):
                looked = _picture("Where it looked", "inside-where")
            with gr.Tab("Answer"), gr.Row():
                answer = _picture("The softmax", "inside-softmax")
                total = _picture("The sum behind it", "inside-sum")
            with gr.Tab("Maps"):
                every = gr.Checkbox(False, label="Every layer, not only the end of each stage", elem_id="inside-every")
                maps = _sheets("Layer by layer", "inside-maps")
            with gr.Tab("Network"):
                network = _sheets("The network as a whole", "inside-network")
            with gr.Tab("Steps"):
                steps = gr.HTML(elem_id="inside-steps", padding=False)
        shown_ = [self._said, found, looked, answer, total, maps, network, steps]
        asked = [photo, face, method, target, versus, every, model]
        how = {"preprocess": False, "api_visibility": "private", "show_progress_on": self._said, **queue}
        # What people choose meanwhile is theirs: nothing that answers them sets it back.
        gr.on(
            [face.input, method.input, target.input, versus.input, every.input],
            self._open,
            asked,
            shown_,
            trigger_mode="always_last",
            **how,
        )
        begun = gr.on([photo.change, model.change], self._begin, [photo, model], [face, target, versus], **how)
        begun.success(self._open, asked, shown_, **how)
        # Nothing that was seen in another photo stays beside one that could not be read.
        begun.failure(lambda: _nothing(_EMPTY), outputs=shown_, api_visibility="private", queue=False)

    def _begin(self, payload: Any, model: str) -> list[Any]:
        """Another photo, or another model, which may know other expressions."""
        photo = find_sent_file(payload)
        if photo is None:
            return [gr.Dropdown(visible=False), gr.skip(), gr.skip()]
        with convert_errors():
            engine = self._engines.get(model)
            result = engine.read(photo.pixels())
        faces = [(results.face_title(place, reading), place) for place, reading in enumerate(result, 1)]
        chooser = gr.Dropdown(faces or [("1", 1)], value=1, visible=len(faces) > 1)
        labels = engine.labels
        return [chooser, gr.Dropdown([_LEADING, *labels], value=_LEADING), gr.Dropdown([_NONE, *labels], value=_NONE)]

    def _open(
        self, payload: Any, face: int, method: str, target: str, versus: str, every: bool, model: str
    ) -> list[Any]:
        photo = find_sent_file(payload)
        if photo is None:
            return _nothing(_EMPTY)
        with convert_errors():
            engine = self._engines.get(model)
            pixels = photo.pixels()
            asked: dict[str, Any] = {"target": _label(target, engine.labels), "versus": _label(versus, engine.labels)}
            asked |= {"methods": (method,), "layers": "all" if every else "auto"}
            faces = len(engine.read(pixels))
            if not faces:
                return _nothing(results.describe_no_face())
            (one,) = engine.explain_image(pixels, min(int(face or 1), faces), **asked)
            one = replace(one, source=photo.name)
        return [_said(one, faces), gr.Column(visible=True), *_drawn(one, pixels)]


def _asked(labels: list[str]) -> tuple[Any, Any, Any]:
    methods = [(name, key) for key, name in METHODS.items()]
    method = gr.Radio(methods, value="cam", label="Find where it looked by", elem_id="inside-method")
    with gr.Row():
        target = gr.Dropdown([_LEADING, *labels], value=_LEADING, label="Evidence for", elem_id="inside-target")
        versus = gr.Dropdown([_NONE, *labels], value=_NONE, label="rather than", elem_id="inside-versus")
    return method, target, versus


def _nothing(said: str) -> list[Any]:
    return [said, gr.Column(visible=False), *[gr.skip()] * 6]


def _said(one: Explanation, faces: int) -> str:
    assert one.face is not None, "it was found in a picture"
    reading = Reading(one.face, one.emotions, one.quality or Quality())
    rather = f" rather than {one.versus}" if one.versus else ""
    evidence = f"Shown is the evidence for {one.target}{rather}."
    return "\n\n".join([results.describe_reading(reading, one.number if faces > 1 else None), evidence, *one.notes])


def _drawn(one: Explanation, pixels: Pixels) -> list[Any]:
    total = gr.Image(draw_contributions(one) if one.contributions else None, visible=bool(one.contributions))
    maps = gr.Gallery(list(list_layer_maps(one)), selected_index=0)
    network_ = gr.Gallery(list(list_network_figures(one)), selected_index=0)
    return [draw_evidence_maps(one, pixels), draw_softmax(one), total, maps, network_, embed_walkthrough(one, pixels)]


def _label(chosen: str, labels: tuple[str, ...]) -> str | None:
    return chosen if chosen in labels else None


def _picture(label: str, name: str) -> Any:
    # The sheets have titles of their own.
    return gr.Image(
        label=label, show_label=False, interactive=False, format="png", buttons=["download", "fullscreen"], elem_id=name
    )


def _sheets(label: str, name: str) -> Any:
    """One sheet large, the others below it."""
    return gr.Gallery(
        label=label,
        preview=True,
        format="png",
        height=760,
        object_fit="contain",
        buttons=["download", "fullscreen"],
        elem_id=name,
        elem_classes="sheets",
    )
