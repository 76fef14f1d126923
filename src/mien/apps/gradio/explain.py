"""The tab that explains the prediction for one face: evidence maps, softmax, feature maps, network, walkthrough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.photo import create_examples, create_photo_input
from mien.apps.gradio.results import convert_errors
from mien.apps.gradio.uploads import find_sent_file
from mien.apps.session.engines import EngineCache
from mien.explain import Explanation, Layer, figures
from mien.explain.explanation import MAP_METHODS
from mien.explain.page import render_walkthrough
from mien.html.environment import render_macro
from mien.results import Pixels, Quality, Reading

#: The entries of the choosers for "the leading expression" and for "no comparison".
_PREDICTED, _NONE = "predicted expression", "no other expression"

_INSTRUCTIONS = (
    "One face, and how the network computes its prediction: evidence map, feature maps, sum of contributions."
)

#: Empty outputs for everything but the summary.
_OUTPUT_COUNT = 7


class ExplainTab:
    """The components and listeners of the tab, created inside a ``gr.Tab``."""

    def __init__(self, engines: EngineCache, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        labels = list(engines.get().labels)
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                photo = create_photo_input("explain-input")
                create_examples(photo)
            with gr.Column(scale=6, min_width=320):
                summary = gr.Markdown(_INSTRUCTIONS, elem_classes="reading-summary", elem_id="explain-summary")
                face = gr.Dropdown([("1", 1)], value=1, label="Face", visible=False, elem_id="explain-face")
                method = gr.Radio(
                    [(each.title, each.name) for each in MAP_METHODS.values()],
                    value="cam",
                    label="Method of the evidence map",
                    info=" ".join(f"{each.title}: {each.description}" for each in MAP_METHODS.values()),
                    elem_id="explain-method",
                )
                with gr.Row():
                    target = gr.Dropdown(
                        [_PREDICTED, *labels], value=_PREDICTED, label="Evidence for", elem_id="explain-target"
                    )
                    versus = gr.Dropdown([_NONE, *labels], value=_NONE, label="compared with", elem_id="explain-versus")
        with gr.Column(visible=False) as views, gr.Tabs():
            with gr.Tab("Evidence"):
                evidence = _create_image("Evidence map (saliency)", "explain-evidence")
            with gr.Tab("Prediction"), gr.Row():
                softmax = _create_image("Softmax", "explain-softmax")
                contributions = _create_image("Contributions to the score", "explain-contributions")
            with gr.Tab("Feature maps"):
                all_layers = gr.Checkbox(
                    False, label="All layers, not only the last of each stage", elem_id="explain-all-layers"
                )
                maps = _create_gallery("Layer by layer", "explain-maps")
            with gr.Tab("Network"):
                network = _create_gallery("The whole network", "explain-network")
            with gr.Tab("Walkthrough"):
                walkthrough = gr.HTML(elem_id="explain-walkthrough", padding=False)
        outputs = [summary, views, evidence, softmax, contributions, maps, network, walkthrough]
        # The browser alone knows whether the page is dark: it sets this value when a listener is called.
        dark = gr.Checkbox(False, visible=False)
        inputs = [photo, face, method, target, versus, all_layers, model, dark]
        set_dark = "(...values) => [...values.slice(0, -1), document.body.classList.contains('dark')]"
        options = {"preprocess": False, "api_visibility": "private", "show_progress_on": summary, **queue}
        # The choosers are no outputs of this listener: what a visitor chooses during a run must not be reset by it.
        gr.on(
            [face.input, method.input, target.input, versus.input, all_layers.input],
            self._explain,
            inputs,
            outputs,
            trigger_mode="always_last",
            js=set_dark,
            **options,
        )
        changed = gr.on(
            [photo.change, model.change], self._reset_choosers, [photo, model], [face, target, versus], **options
        )
        changed.success(self._explain, inputs, outputs, js=set_dark, **options)
        # Beside a photo that could not be read, nothing of an earlier one stays.
        changed.failure(lambda: _show_nothing(_INSTRUCTIONS), outputs=outputs, api_visibility="private", queue=False)

    def _reset_choosers(self, payload: Any, model: str) -> list[Any]:
        """The faces of another photo, and the labels of another model."""
        photo = find_sent_file(payload)
        if photo is None:
            return [gr.Dropdown(visible=False), gr.skip(), gr.skip()]
        with convert_errors():
            engine = self._engines.get(model)
            result = engine.read(photo.decode_image())
        faces = [(results.face_title(number, reading), number) for number, reading in enumerate(result, 1)]
        return [
            gr.Dropdown(faces or [("1", 1)], value=1, visible=len(faces) > 1),
            gr.Dropdown([_PREDICTED, *engine.labels], value=_PREDICTED),
            gr.Dropdown([_NONE, *engine.labels], value=_NONE),
        ]

    def _explain(
        self, payload: Any, face: int, method: str, target: str, versus: str, all_layers: bool, model: str, dark: bool
    ) -> list[Any]:
        photo = find_sent_file(payload)
        if photo is None:
            return _show_nothing(_INSTRUCTIONS)
        with convert_errors():
            engine = self._engines.get(model)
            pixels = photo.decode_image()
            faces = len(engine.read(pixels))
            if not faces:
                return _show_nothing(results.describe_no_face())
            (explanation,) = engine.explain_image(
                pixels,
                min(int(face or 1), faces),
                methods=(method,),
                layers="all" if all_layers else "auto",
                target=target if target in engine.labels else None,
                versus=versus if versus in engine.labels else None,
            )
            explanation = replace(explanation, source=photo.name)
            with figures.use_dark_colours(dark is True):
                views = _draw_views(explanation, pixels)
        return [_describe(explanation, faces), gr.Column(visible=True), *views]


def _show_nothing(summary: str) -> list[Any]:
    return [summary, gr.Column(visible=False), *[gr.skip()] * (_OUTPUT_COUNT - 1)]


def _describe(explanation: Explanation, faces: int) -> str:
    assert explanation.face is not None, "the face was detected in an image"
    reading = Reading(explanation.face, explanation.emotions, explanation.quality or Quality())
    summary = results.describe_reading(reading, explanation.number if faces > 1 else None)
    title = text.format_explanation_title(explanation.emotions.top, explanation.target, explanation.versus)
    return "\n\n".join([summary, f"{title}.", *explanation.notes])


def _draw_views(explanation: Explanation, pixels: Pixels) -> list[Any]:
    contributions = figures.draw_contributions(explanation) if explanation.contributions else None
    return [
        figures.draw_evidence_maps(explanation, pixels),
        figures.draw_softmax(explanation),
        gr.Image(contributions, visible=contributions is not None),
        gr.Gallery(list(list_layer_maps(explanation)), selected_index=0),
        gr.Gallery(list(list_network_figures(explanation)), selected_index=0),
        embed_walkthrough(explanation, pixels),
    ]


def list_layer_maps(explanation: Explanation) -> Iterator[tuple[Pixels, str]]:
    """The feature maps of each layer as one image, with the layer's name, in order."""
    before: Layer | None = None
    for layer in explanation.layers:
        is_spatial = len(layer.shape) == 3
        if is_spatial or layer.kind == "pool":
            yield figures.draw_feature_maps(layer, explanation.crop.shape[0], before), layer.name
        before = layer if is_spatial else before


def list_network_figures(explanation: Explanation) -> Iterator[tuple[Pixels, str]]:
    """The whole network: activations and receptive fields of its layers, its first kernels, its costs."""
    if explanation.layers:
        yield figures.draw_layers(explanation.layers, explanation.crop), "Activations of every layer"
        yield figures.draw_receptive_fields(explanation), "Receptive field of each layer"
    if explanation.kernels is not None:
        yield figures.draw_kernels(explanation.kernels), f"Kernels of {explanation.kernels.layer}"
    if explanation.costs:
        yield figures.draw_costs(explanation), "Parameters and multiply-adds of each layer"


def embed_walkthrough(explanation: Explanation, pixels: Pixels) -> str:
    """HTML: the walkthrough page in a sandboxed frame."""
    return render_macro("walkthrough_frame", render_walkthrough(explanation, pixels), template="gradio.html")


def _create_image(label: str, name: str) -> Any:
    # The figures contain titles of their own.
    return gr.Image(
        label=label, show_label=False, interactive=False, format="png", buttons=["download", "fullscreen"], elem_id=name
    )


def _create_gallery(label: str, name: str) -> Any:
    """One large image, and the thumbnails of the others below it."""
    return gr.Gallery(
        label=label,
        preview=True,
        format="png",
        height=760,
        object_fit="contain",
        buttons=["download", "fullscreen"],
        elem_id=name,
    )
