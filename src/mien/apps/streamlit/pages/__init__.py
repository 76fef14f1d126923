"""The pages, and what each has: navigation, the choice of model and detector, and messages for errors.

Each module draws one page; ``draw_page`` returns the name of the page to switch to, or None.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import streamlit as st

from mien import text
from mien.apps.streamlit import results, session_state
from mien.apps.streamlit.pages import about, data, experiments, explain, photo, video
from mien.apps.streamlit.session_state import reset_image_input
from mien.errors import MienError
from mien.explain.figures.canvas import draw_icon
from mien.labels import EMOTIONS

_PRIVACY = (
    "Nothing is stored: your uploads stay in the memory of the program that serves this page, while the page is open. "
    "Nothing is sent elsewhere."
)

#: The key of the session state for the name of the last page.
_LAST_PAGE = "last page"


class PageEntry(NamedTuple):
    """A page: its name in URLs, its title and icon, and the function that draws it.

    The function returns the name of the page to switch to, or None.
    """

    name: str
    title: str
    icon: str
    draw: Callable[[], str | None]


PAGES = (
    PageEntry("photo", "Photo", ":material/photo_library:", photo.draw_page),
    PageEntry("camera", "Camera", ":material/photo_camera:", photo.draw_camera_page),
    PageEntry("video", "Video", ":material/movie:", video.draw_page),
    PageEntry("explain", "Explain", ":material/neurology:", explain.draw_page),
    PageEntry("experiments", "Experiments", ":material/science:", experiments.draw_page),
    PageEntry("data", "Data", ":material/dataset:", data.draw_page),
    PageEntry("about", "About", ":material/info:", about.draw_page),
)


def show_page(first: str = PAGES[0].name) -> None:
    """The whole page that the URL names; ``first`` is the page of a URL without a name."""
    icon = draw_icon(EMOTIONS[3], 96)
    st.set_page_config(page_title="mien", page_icon=icon, layout="wide")
    st.logo(icon, size="large")
    targets = {
        page.name: st.Page(
            _draw_nothing, title=page.title, icon=page.icon, url_path=page.name, default=page.name == first
        )
        for page in PAGES
    }
    selected = st.navigation(list(targets.values()))
    current = next(page for page in PAGES if targets[page.name] == selected)
    if st.session_state.get(_LAST_PAGE) != current.name:
        st.session_state[_LAST_PAGE] = current.name
        reset_image_input()
        photo.close_camera()
    st.html(results.build_style(dark=results.is_dark_theme()))
    _show_sidebar()
    try:
        if target := current.draw():
            st.switch_page(targets[target])
    except MienError as error:
        st.error(results.escape_markdown(str(error)), icon=":material/error:")


def _draw_nothing() -> None:
    """The function of every page for Streamlit: ``show_page`` draws it, with what is around it."""


def _show_sidebar() -> None:
    models, detectors = session_state.list_models(), session_state.list_detectors()
    with st.sidebar:
        st.selectbox("Model", models, key="model", bind="query-params", help="The model that reads the faces")
        st.selectbox("Detector", detectors, key="detector", bind="query-params", help="The face detector")
        st.caption(f"**{text.DISCLAIMER}**")
        st.caption(_PRIVACY)
