"""Explanations: how the network computes its prediction for one face, and the figures, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import streamlit as st

from mien.apps.streamlit import results
from mien.apps.streamlit.results import ImageResult, escape_markdown
from mien.apps.streamlit.session_state import (
    EXPLANATION,
    FIGURES,
    WALKTHROUGH,
    UploadedPhoto,
    choose_images,
    clear_images,
    current_engine,
    engine_choice,
    get_or_make,
    get_photos,
    pop_selected_face,
)
from mien.engine import Engine
from mien.explain import Explanation, Layer, figures
from mien.explain.explanation import AUTO, AUTO_METHOD, MAP_METHODS, METHODS
from mien.explain.page import render_walkthrough
from mien.html.faces import render_face_card
from mien.html.images import encode_image
from mien.results import FrameResult, Pixels
from mien.text import NO_FACE, NO_FACE_HELP, format_explanation_title

_EVIDENCE, _MAPS, _POOLING, _LAYERS = "Evidence map", "Feature maps", "Pooling", "Every layer"

_SOFTMAX, _NETWORK, _WALKTHROUGH = "Softmax", "Network", "Walkthrough"

_VIEWS = (_EVIDENCE, _MAPS, _POOLING, _LAYERS, _SOFTMAX, _NETWORK, _WALKTHROUGH)

#: The entries of the choosers for "the prediction" and for "all other expressions".
_PREDICTED, _OTHERS = "the prediction", "all others"

#: Keys of the session state.
_PHOTO, _FACE = "photo to explain", "face"


def draw_page() -> str | None:
    st.title("Explain a prediction", anchor=False)
    st.markdown(
        "One face, and how the network computes its prediction: evidence map, feature maps, layers, softmax, and what "
        "would change it."
    )
    if not get_photos():
        choose_images("A photo", several=False)
    if get_photos():
        _explain(current_engine())
    return None


def _explain(engine: Engine) -> None:
    photos = get_photos()
    if selected := pop_selected_face():
        key, number = selected
        index = next((index for index, photo in enumerate(photos) if photo.key == key), 0)
        st.session_state[_PHOTO], st.session_state[_FACE] = index, number
    image = _choose_photo(results.read_images(engine, photos))
    if not isinstance(image.result, FrameResult):
        st.error(escape_markdown(str(image.result.error)), icon=":material/broken_image:")
    elif not image.result.readings:
        st.info(f"{NO_FACE} {NO_FACE_HELP}", icon=":material/search_off:")
    else:
        _explain_face(engine, image, image.result)


def _choose_photo(images: Sequence[ImageResult]) -> ImageResult:
    with st.container(horizontal=True, vertical_alignment="center"):
        index = 0
        if len(images) > 1:
            names = [image.photo.name for image in images]
            index = st.selectbox("Photo", range(len(images)), format_func=names.__getitem__, key=_PHOTO)
        else:
            st.markdown(f"**{escape_markdown(images[0].photo.name)}**")
        st.button("Another photo", on_click=clear_images, icon=":material/add_photo_alternate:")
    return images[index]


def _explain_face(engine: Engine, image: ImageResult, result: FrameResult) -> None:
    request = _choose_request(engine, image.photo, len(result))
    with st.spinner("Computing the explanation …"):
        explanation = explain_face(engine, request)
    title = format_explanation_title(explanation.emotions.top, explanation.target, explanation.versus)
    st.header(escape_markdown(title), anchor=False)
    with st.expander("Prediction", icon=":material/face:"):
        reading, thumbnail = result.readings[request.face - 1], image.thumbnails[request.face - 1]
        st.html(render_face_card(reading, request.face, len(result), thumbnail))
    for note in explanation.notes:
        st.caption(escape_markdown(note))
    view = st.segmented_control(
        "View", _VIEWS, default=_VIEWS[0], required=True, key="view", label_visibility="collapsed", bind="query-params"
    )
    _show_view(engine, request, explanation, view or _VIEWS[0])


def _choose_request(engine: Engine, photo: UploadedPhoto, count: int) -> ExplanationRequest:
    labels = list(engine.labels)
    columns = st.columns(4)
    with columns[0]:
        face = st.selectbox("Face", range(1, count + 1), format_func=lambda number: f"{number} of {count}", key=_FACE)
    with columns[1]:
        target = st.selectbox("Evidence for", [_PREDICTED, *labels], key="target", bind="query-params")
    with columns[2]:
        others = [_OTHERS, *(label for label in labels if label != target)]
        versus = st.selectbox("compared with", others, key="versus", bind="query-params")
    with columns[3]:
        methods = (AUTO_METHOD, *MAP_METHODS.values())
        descriptions = "\n".join(f"- **{method.name}**: {method.title}. {method.description}" for method in methods)
        method = st.selectbox("Method", [AUTO, *METHODS], key="method", bind="query-params", help=descriptions)
    model, detector = engine_choice()
    return ExplanationRequest(
        photo,
        face,
        model,
        detector,
        method,
        None if target == _PREDICTED else target,
        None if versus == _OTHERS else versus,
    )


def _show_view(engine: Engine, request: ExplanationRequest, explanation: Explanation, view: str) -> None:
    if view == _WALKTHROUGH:
        _show_walkthrough(engine, request, explanation)
    elif view in (_MAPS, _POOLING):
        _show_layer(request, explanation, pooling=view == _POOLING)
    else:
        make: dict[str, Callable[[], list[DescribedImage]]] = {
            _EVIDENCE: partial(list_evidence, request, explanation),
            _LAYERS: partial(list_activations, engine, explanation),
            _SOFTMAX: partial(list_softmax, explanation),
            _NETWORK: partial(list_network_figures, explanation),
        }
        _show_figures(get_figures(request, view, make[view]))


def _show_layer(request: ExplanationRequest, explanation: Explanation, *, pooling: bool) -> None:
    """The feature maps of one layer that the visitor chooses."""

    def is_in_view(layer: Layer) -> bool:
        return layer.kind == "pool" if pooling else len(layer.shape) == 3 and layer.kind != "pool"

    layers = {layer.name: layer for layer in explanation.layers if is_in_view(layer)}
    if not layers:
        st.info("This network has no such layer.", icon=":material/visibility_off:")
        return
    name = st.selectbox("Layer", list(layers), key="pooling" if pooling else "layer", bind="query-params")
    make = partial(list_layer_maps, explanation, layers[name])
    _show_figures(get_figures(request, f"layer {name}", make))


def _show_figures(figures: list[DescribedImage]) -> None:
    if not figures:
        st.info("This network has no such figure.", icon=":material/visibility_off:")
    for description, pixels in figures:
        st.image(encode_image(pixels), width="stretch", alt=description)


def _show_walkthrough(engine: Engine, request: ExplanationRequest, explanation: Explanation) -> None:
    page = render_steps(engine, request, explanation)
    results.show_download("Save the walkthrough", page, "walkthrough.html", "text/html")
    st.iframe(page, alt="The computation for this face, step by step", height=900)


@dataclass(frozen=True)
class ExplanationRequest:
    """The face, the engine, the method and the target; ``versus`` None compares with all other expressions."""

    photo: UploadedPhoto
    face: int
    model: str
    detector: str
    method: str
    target: str | None
    versus: str | None

    @property
    def key(self) -> tuple[object, ...]:
        return self.photo.key, self.face, self.model, self.detector, self.method, self.target, self.versus


#: A figure, with its description for screen readers first.
DescribedImage = tuple[str, Pixels]


def explain_face(engine: Engine, request: ExplanationRequest) -> Explanation:
    def make() -> Explanation:
        (explanation,) = engine.explain_image(
            request.photo.pixels(),
            request.face,
            methods=[request.method],
            layers="all",
            target=request.target,
            versus=request.versus,
        )
        return replace(explanation, source=request.photo.name)

    return get_or_make(EXPLANATION, request.key, make)


def get_figures(
    request: ExplanationRequest, view: str, make: Callable[[], list[DescribedImage]]
) -> list[DescribedImage]:
    dark = results.is_dark_theme()

    def make_in_theme() -> list[DescribedImage]:
        with figures.use_dark_colours(dark):
            return make()

    return get_or_make(FIGURES, (*request.key, view, dark), make_in_theme)


def list_evidence(request: ExplanationRequest, explanation: Explanation) -> list[DescribedImage]:
    target = explanation.target + (f" compared with {explanation.versus}" if explanation.versus else "")
    return [(f"Evidence map for {target}", figures.draw_evidence_maps(explanation, request.photo.pixels()))]


def list_layer_maps(explanation: Explanation, layer: Layer) -> list[DescribedImage]:
    """The feature maps of one layer; those of the layer before it where it has no spatial dimensions."""
    before = explanation.layers[: explanation.layers.index(layer)]
    spatial = [earlier for earlier in before if len(earlier.shape) == 3]
    maps = figures.draw_feature_maps(layer, explanation.crop.shape[0], spatial[-1] if spatial else None)
    return [(f"Feature maps of the layer {layer.name}", maps)]


def list_activations(engine: Engine, explanation: Explanation) -> list[DescribedImage]:
    names = _stage_layers(engine)
    stages = tuple(layer for layer in explanation.layers if layer.name in names and len(layer.shape) == 3)
    fields = figures.draw_receptive_fields(replace(explanation, layers=stages))
    return [
        ("Every layer with its most active maps", figures.draw_layers(explanation.layers, explanation.crop)),
        ("Receptive field of each layer", fields),
    ]


def list_softmax(explanation: Explanation) -> list[DescribedImage]:
    images = [("Logit and probability of every expression", figures.draw_softmax(explanation))]
    if explanation.contributions:
        images.append((f"Contributions to the logit of {explanation.target}", figures.draw_contributions(explanation)))
    return images


def list_network_figures(explanation: Explanation) -> list[DescribedImage]:
    images = []
    if explanation.kernels is not None:
        images.append(("Kernels of the first layer", figures.draw_kernels(explanation.kernels)))
    if explanation.costs:
        images.append(("Parameters and multiply-adds of each layer", figures.draw_costs(explanation)))
    return images


def render_steps(engine: Engine, request: ExplanationRequest, explanation: Explanation) -> str:
    """The walkthrough as a standalone page."""

    def make() -> str:
        return render_walkthrough(explanation, request.photo.pixels(), _stage_layers(engine))

    return get_or_make(WALKTHROUGH, request.key, make)


def _stage_layers(engine: Engine) -> list[str]:
    """The names of the last layer of each stage."""
    blank = np.full((engine.card.side,) * 2, 128, np.uint8)
    return [layer.name for layer in engine.explain(blank, ()).layers]
