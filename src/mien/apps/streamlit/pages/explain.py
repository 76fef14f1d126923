"""Explanations: how the network computes its prediction for one face."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from mien.apps.streamlit import explanations, results
from mien.apps.streamlit.explanations import DescribedImage, ExplanationRequest
from mien.apps.streamlit.image_input import choose_images, clear_images
from mien.apps.streamlit.results import ImageResult, escape_markdown
from mien.apps.streamlit.session_state import (
    UploadedPhoto,
    current_engine,
    engine_choice,
    get_photos,
    pop_selected_face,
)
from mien.engine import Engine
from mien.explain import Explanation, Layer
from mien.explain.explanation import AUTO, AUTO_METHOD, MAP_METHODS, METHODS
from mien.results import FrameResult
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
        explanation = explanations.explain_face(engine, request)
    title = format_explanation_title(explanation.emotions.top, explanation.target, explanation.versus)
    st.header(escape_markdown(title), anchor=False)
    with st.expander("Prediction", icon=":material/face:"):
        reading, thumbnail = result.readings[request.face - 1], image.thumbnails[request.face - 1]
        st.html(results.render_face_card(reading, request.face, len(result), thumbnail))
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
            _EVIDENCE: partial(explanations.list_evidence, request, explanation),
            _LAYERS: partial(explanations.list_activations, engine, explanation),
            _SOFTMAX: partial(explanations.list_softmax, explanation),
            _NETWORK: partial(explanations.list_network_figures, explanation),
        }
        _show_figures(explanations.get_figures(request, view, make[view]))


def _show_layer(request: ExplanationRequest, explanation: Explanation, *, pooling: bool) -> None:
    """The feature maps of one layer that the visitor chooses."""

    def is_in_view(layer: Layer) -> bool:
        return layer.kind == "pool" if pooling else len(layer.shape) == 3 and layer.kind != "pool"

    layers = {layer.name: layer for layer in explanation.layers if is_in_view(layer)}
    if not layers:
        st.info("This network has no such layer.", icon=":material/visibility_off:")
        return
    name = st.selectbox("Layer", list(layers), key="pooling" if pooling else "layer", bind="query-params")
    make = partial(explanations.list_layer_maps, explanation, layers[name])
    _show_figures(explanations.get_figures(request, f"layer {name}", make))


def _show_figures(figures: list[DescribedImage]) -> None:
    if not figures:
        st.info("This network has no such figure.", icon=":material/visibility_off:")
    for description, pixels in figures:
        results.show_image(pixels, description)


def _show_walkthrough(engine: Engine, request: ExplanationRequest, explanation: Explanation) -> None:
    page = explanations.render_steps(engine, request, explanation)
    st.download_button(
        "Save the walkthrough",
        page,
        "walkthrough.html",
        "text/html",
        on_click="ignore",
        icon=":material/download:",
    )
    results.show_html_page(page, "The computation for this face, step by step", 900)
