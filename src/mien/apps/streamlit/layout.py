"""What every page has: the way to the others, model and detector, and the edge where an error becomes its sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import streamlit as st

from mien import text
from mien.apps.streamlit import engines, results
from mien.apps.streamlit.image_input import reset_image_input
from mien.apps.streamlit.pages import about, camera, data, experiments, explain, photo, video
from mien.apps.streamlit.results import escape_markdown
from mien.errors import MienError
from mien.explain.figures.icons import draw_icon
from mien.labels import EMOTIONS

#: Said on every page.
KEPT = (
    "Nothing is kept: what you show stays in the memory of the program that serves this page, while the page is open. "
    "Nothing is sent elsewhere."
)


#: Where in the visit's state the page is that was seen last.
_PAGE = "page seen"


class PageEntry(NamedTuple):
    """A page's name in addresses, what it is called, its sign, and what draws it.

    What it returns is the name of the page to go to, or None.
    """

    name: str
    title: str
    sign: str
    draw: Callable[[], str | None]


PAGES = (
    PageEntry("photo", "Photo", ":material/photo_library:", photo.page),
    PageEntry("camera", "Camera", ":material/photo_camera:", camera.page),
    PageEntry("video", "Video", ":material/movie:", video.page),
    PageEntry("inside", "Inside", ":material/neurology:", explain.page),
    PageEntry("experiments", "Experiments", ":material/science:", experiments.page),
    PageEntry("data", "Data", ":material/dataset:", data.page),
    PageEntry("about", "About", ":material/info:", about.page),
)


def show_page(first: str = PAGES[0].name) -> None:
    """The whole page, as the visitor has chosen; ``first`` is where an address without a page leads."""
    icon = draw_icon(EMOTIONS[3], 96)
    st.set_page_config(page_title="mien", page_icon=icon, layout="wide")
    st.logo(icon, size="large")
    places = {page.name: _place(page, default=page.name == first) for page in PAGES}
    chosen = st.navigation(list(places.values()))
    current = next(name for name, place in places.items() if place == chosen)
    _turned(current)
    st.html(results.build_style(dark=results.is_dark_theme()))
    _sidebar()
    with told():
        drawn = next(page for page in PAGES if page.name == current)
        if wanted := drawn.draw():
            st.switch_page(places[wanted])


@contextmanager
def told() -> Iterator[None]:
    """Inside, a failure that was foreseen becomes its sentence on the page."""
    try:
        yield
    except MienError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")


def _place(page: PageEntry, *, default: bool) -> st.Page:
    return st.Page(_nothing, title=page.title, icon=page.sign, url_path=page.name, default=default)


def _nothing() -> None:
    """Pages are drawn by ``show``, which knows what belongs around them."""


def _turned(current: str) -> None:
    """Whoever comes from another page finds places for files empty, and the camera closed."""
    if st.session_state.get(_PAGE) != current:
        st.session_state[_PAGE] = current
        reset_image_input()
        camera.close()


def _sidebar() -> None:
    with st.sidebar:
        st.selectbox("Model", engines.list_models(), key="model", bind="query-params", help="Who reads the faces")
        st.selectbox(
            "Detector", engines.list_detectors(), key="detector", bind="query-params", help="Who finds the faces"
        )
        st.caption(f"**{text.DISCLAIMER}**")
        st.caption(KEPT)
