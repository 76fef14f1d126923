"""Photos: what the expressions in them look like."""

from __future__ import annotations

import streamlit as st

from mien.apps.streamlit import engines, results
from mien.apps.streamlit.image_input import choose_images, clear_images
from mien.apps.streamlit.session_state import select_face, get_photos


def page() -> str | None:
    st.title("What does this expression look like?", anchor=False)
    st.markdown(
        "A small network reads the faces in your photo: what stands out, what ten people would say, and how sure that "
        "is. Then look inside and see why."
    )
    choose_images("Photos", several=True)
    return _read() if get_photos() else None


def _read() -> str | None:
    engine = engines.current_engine()
    found = results.read_images(engine, get_photos())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{results.format_summary(found)}**")
        results.show_downloads(engine, found)
        st.button("Clear", on_click=clear_images, icon=":material/close:")
    wanted = None
    for place, one in enumerate(found):
        if number := results.show_image_result(engine, one, place):
            select_face(one.photo, number)
            wanted = "inside"
    return wanted
