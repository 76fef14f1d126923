"""The network opened on one face: its maps, its layers, its evidence, and the way through it step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from mien.apps.streamlit import engines, explanations, results
from mien.apps.streamlit.explanations import DescribedImage, ExplanationRequest
from mien.apps.streamlit.image_input import choose_images, clear_images
from mien.apps.streamlit.results import ImageResult, escape_markdown
from mien.apps.streamlit.session_state import UploadedPhoto, get_photos, pop_selected_face
from mien.engine import Engine
from mien.explain import Explanation, Layer
from mien.explain.explanation import AUTO, METHODS
from mien.results import FrameResult
from mien.text import NO_FACE, NO_FACE_HELP, format_explanation_title

#: What each method does.
_METHODS = {
    AUTO: "the first that this model's audit trusts",
    "cam": "class map: exact, from the last layer; at once",
    "occlusion": "covering: what is lost when a part is covered; about a second",
    "rise": "random masks: many random covers, averaged; a second or two",
}

_VIEWS = ("Where it looked", "Feature maps", "Pooling", "Every layer", "Softmax", "The network", "Step by step")

_SAID, _ANY = "what it said", "anything else"

_PHOTO, _FACE = "photo looked into", "face"


def page() -> str | None:
    st.title("Inside the network", anchor=False)
    st.markdown(
        "One face, and everything the network makes of it: its maps, its layers, its evidence, and what would change "
        "its mind."
    )
    if not get_photos():
        choose_images("A photo", several=False)
    if get_photos():
        _inside(engines.current_engine())
    return None


def _inside(engine: Engine) -> None:
    several = get_photos()
    _begin(several)
    one = _photo(results.read_images(engine, several))
    if not isinstance(one.result, FrameResult):
        st.error(escape_markdown(str(one.result.error)), icon=":material/broken_image:")
    elif not one.result.readings:
        st.info(f"{NO_FACE} {NO_FACE_HELP}", icon=":material/search_off:")
    else:
        _face(engine, one, len(one.result))


def _begin(several: Sequence[UploadedPhoto]) -> None:
    """Whoever came to look into a certain face finds it chosen."""
    if wanted := pop_selected_face():
        key, number = wanted
        st.session_state[_PHOTO] = next((place for place, each in enumerate(several) if each.key == key), 0)
        st.session_state[_FACE] = number


def _photo(reads: list[ImageResult]) -> ImageResult:
    with st.container(horizontal=True, vertical_alignment="center"):
        place = 0
        if len(reads) > 1:
            names = [each.photo.name for each in reads]
            place = st.selectbox("Photo", range(len(reads)), format_func=names.__getitem__, key=_PHOTO)
        else:
            st.markdown(f"**{escape_markdown(reads[0].photo.name)}**")
        st.button("Another photo", on_click=clear_images, icon=":material/add_photo_alternate:")
    return reads[place]


def _face(engine: Engine, one: ImageResult, many: int) -> None:
    asked = _asked(engine, one.photo, many)
    with st.spinner("The network is being opened …"):
        told = explanations.explain_face(engine, asked)
    _said(told, one, asked.face)
    view = st.segmented_control(
        "View", _VIEWS, default=_VIEWS[0], required=True, key="view", label_visibility="collapsed", bind="query-params"
    )
    _view(engine, asked, told, view or _VIEWS[0])


def _asked(engine: Engine, photo: UploadedPhoto, many: int) -> ExplanationRequest:
    labels = list(engine.labels)
    columns = st.columns(4)
    with columns[0]:
        face = st.selectbox("Face", range(1, many + 1), format_func=lambda number: f"{number} of {many}", key=_FACE)
    with columns[1]:
        target = st.selectbox("Evidence for", [_SAID, *labels], key="target", bind="query-params")
    with columns[2]:
        others = [_ANY, *(label for label in labels if label != target)]
        versus = st.selectbox("rather than", others, key="versus", bind="query-params")
    with columns[3]:
        told = "\n".join(f"- **{name}**: {words}" for name, words in _METHODS.items())
        method = st.selectbox("Found by", [AUTO, *METHODS], key="method", bind="query-params", help=told)
    chosen = st.session_state["model"], st.session_state["detector"]
    return ExplanationRequest(
        photo, face, *chosen, method, None if target == _SAID else target, None if versus == _ANY else versus
    )


def _said(told: Explanation, one: ImageResult, number: int) -> None:
    assert isinstance(one.result, FrameResult), "a failure has no face"
    reading = one.result.readings[number - 1]
    st.header(escape_markdown(format_explanation_title(told.emotions.top, told.target, told.versus)), anchor=False)
    with st.expander("What it said", icon=":material/face:"):
        st.html(results.render_face_card(reading, number, len(one.result), one.faces[number - 1]))
    for note in told.notes:
        st.caption(escape_markdown(note))


def _view(engine: Engine, asked: ExplanationRequest, told: Explanation, view: str) -> None:
    if view == "Step by step":
        _steps(engine, asked, told)
    elif view in ("Feature maps", "Pooling"):
        _layer(asked, told, pooling=view == "Pooling")
    else:
        draw: dict[str, Callable[[], list[DescribedImage]]] = {
            "Where it looked": partial(explanations.list_evidence, asked, told),
            "Every layer": partial(explanations.list_activations, engine, told),
            "Softmax": partial(explanations.list_softmax, told),
            "The network": partial(explanations.list_network_figures, told),
        }
        _pictures(explanations.get_figures(asked, view, draw[view]))


def _layer(asked: ExplanationRequest, told: Explanation, *, pooling: bool) -> None:
    """One layer at a time, the one before the last to begin with: its maps are few and large enough to be seen."""
    layers = {each.name: each for each in told.layers if _belongs(each, pooling=pooling)}
    if not layers:
        st.info("This network has no such layer that can be seen.", icon=":material/visibility_off:")
        return
    name = st.selectbox("Layer", list(layers), key="pooling" if pooling else "layer", bind="query-params")
    _pictures(
        explanations.get_figures(asked, f"layer {name}", lambda: explanations.list_layer_maps(told, layers[name]))
    )


def _belongs(layer: Layer, *, pooling: bool) -> bool:
    return layer.kind == "pool" if pooling else len(layer.shape) == 3 and layer.kind != "pool"


def _pictures(drawn: list[DescribedImage]) -> None:
    if not drawn:
        st.info("The network does not show this.", icon=":material/visibility_off:")
    for described, pixels in drawn:
        results.show_image(pixels, described)


def _steps(engine: Engine, asked: ExplanationRequest, told: Explanation) -> None:
    whole = explanations.render_steps(engine, asked, told)
    st.download_button(
        "Save these steps as a page",
        whole,
        "walkthrough.html",
        "text/html",
        on_click="ignore",
        icon=":material/download:",
    )
    results.show_html_page(whole, "The way of this face through the network, step by step", 900)
