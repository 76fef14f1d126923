"""Photos: what the expressions in them look like."""

from __future__ import annotations

import streamlit as st

from mien.apps.streamlit import results
from mien.apps.streamlit.image_input import choose_images, clear_images
from mien.apps.streamlit.session_state import current_engine, get_photos, select_face


def draw_page() -> str | None:
    st.title("What does this expression look like?", anchor=False)
    st.markdown(
        "A small network reads the faces in your photo: the probability of each expression, predicted annotator votes, "
        "and how uncertain they are. Explanations show why."
    )
    choose_images("Photos", several=True)
    if not get_photos():
        return None
    engine = current_engine()
    images = results.read_images(engine, get_photos())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{results.format_summary(images)}**")
        results.show_downloads(engine, images)
        st.button("Clear", on_click=clear_images, icon=":material/close:")
    target = None
    for index, image in enumerate(images):
        if number := results.show_image_result(engine, image, index):
            select_face(image.photo, number)
            target = "explain"
    return target
