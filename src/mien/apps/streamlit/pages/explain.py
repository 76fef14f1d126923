"""The network opened on one face: its maps, its layers, its evidence, and the way through it step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from mien.apps.streamlit import engines, explanations, results
from mien.apps.streamlit.explanations import Asked, Drawn
from mien.apps.streamlit.image_input import choose, put_away
from mien.apps.streamlit.results import Read, escaped
from mien.apps.streamlit.session_state import Photo, looked_into, photos
from mien.engine import Engine
from mien.explain import Explanation, Layer
from mien.explain.explanation import AUTO, METHODS
from mien.results import FrameResult
from mien.text import NO_FACE, NO_FACE_HELP, why

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
    if not photos():
        choose("A photo", several=False)
    if photos():
        _inside(engines.current())
    return None


def _inside(engine: Engine) -> None:
    several = photos()
    _begin(several)
    one = _photo(results.read_all(engine, several))
    if not isinstance(one.result, FrameResult):
        st.error(escaped(str(one.result.error)), icon=":material/broken_image:")
    elif not one.result.readings:
        st.info(f"{NO_FACE} {NO_FACE_HELP}", icon=":material/search_off:")
    else:
        _face(engine, one, len(one.result))


def _begin(several: Sequence[Photo]) -> None:
    """Whoever came to look into a certain face finds it chosen."""
    if wanted := looked_into():
        key, number = wanted
        st.session_state[_PHOTO] = next((place for place, each in enumerate(several) if each.key == key), 0)
        st.session_state[_FACE] = number


def _photo(reads: list[Read]) -> Read:
    with st.container(horizontal=True, vertical_alignment="center"):
        place = 0
        if len(reads) > 1:
            names = [each.photo.name for each in reads]
            place = st.selectbox("Photo", range(len(reads)), format_func=names.__getitem__, key=_PHOTO)
        else:
            st.markdown(f"**{escaped(reads[0].photo.name)}**")
        st.button("Another photo", on_click=put_away, icon=":material/add_photo_alternate:")
    return reads[place]


def _face(engine: Engine, one: Read, many: int) -> None:
    asked = _asked(engine, one.photo, many)
    with st.spinner("The network is being opened …"):
        told = explanations.explained(engine, asked)
    _said(told, one, asked.face)
    view = st.segmented_control(
        "View", _VIEWS, default=_VIEWS[0], required=True, key="view", label_visibility="collapsed", bind="query-params"
    )
    _view(engine, asked, told, view or _VIEWS[0])


def _asked(engine: Engine, photo: Photo, many: int) -> Asked:
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
    return Asked(photo, face, *chosen, method, None if target == _SAID else target, None if versus == _ANY else versus)


def _said(told: Explanation, one: Read, number: int) -> None:
    assert isinstance(one.result, FrameResult), "a failure has no face"
    reading = one.result.readings[number - 1]
    st.header(escaped(why(told.emotions.top, told.target, told.versus)), anchor=False)
    with st.expander("What it said", icon=":material/face:"):
        st.html(results.card(reading, number, len(one.result), one.faces[number - 1]))
    for note in told.notes:
        st.caption(escaped(note))


def _view(engine: Engine, asked: Asked, told: Explanation, view: str) -> None:
    if view == "Step by step":
        _steps(engine, asked, told)
    elif view in ("Feature maps", "Pooling"):
        _layer(asked, told, pooling=view == "Pooling")
    else:
        draw: dict[str, Callable[[], list[Drawn]]] = {
            "Where it looked": partial(explanations.where, asked, told),
            "Every layer": partial(explanations.every_layer, engine, told),
            "Softmax": partial(explanations.softmax, told),
            "The network": partial(explanations.network, told),
        }
        _pictures(explanations.drawn(asked, view, draw[view]))


def _layer(asked: Asked, told: Explanation, *, pooling: bool) -> None:
    """One layer at a time, the one before the last to begin with: its maps are few and large enough to be seen."""
    layers = {each.name: each for each in told.layers if _belongs(each, pooling=pooling)}
    if not layers:
        st.info("This network has no such layer that can be seen.", icon=":material/visibility_off:")
        return
    name = st.selectbox("Layer", list(layers), key="pooling" if pooling else "layer", bind="query-params")
    _pictures(explanations.drawn(asked, f"layer {name}", lambda: explanations.of_layer(told, layers[name])))


def _belongs(layer: Layer, *, pooling: bool) -> bool:
    return layer.kind == "pool" if pooling else len(layer.shape) == 3 and layer.kind != "pool"


def _pictures(drawn: list[Drawn]) -> None:
    if not drawn:
        st.info("The network does not show this.", icon=":material/visibility_off:")
    for described, pixels in drawn:
        results.paper(pixels, described)


def _steps(engine: Engine, asked: Asked, told: Explanation) -> None:
    whole = explanations.steps(engine, asked, told)
    st.download_button(
        "Save these steps as a page",
        whole,
        "walkthrough.html",
        "text/html",
        on_click="ignore",
        icon=":material/download:",
    )
    results.whole(whole, "The way of this face through the network, step by step", 900)
