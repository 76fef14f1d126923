"""Photos: what the expressions in them look like."""

from __future__ import annotations

import streamlit as st

from mien.apps.streamlit import engines, results
from mien.apps.streamlit.image_input import choose, put_away
from mien.apps.streamlit.session_state import look_into, photos


def page() -> str | None:
    st.title("What does this expression look like?", anchor=False)
    st.markdown(
        "A small network reads the faces in your photo: what stands out, what ten people would say, and how sure that "
        "is. Then look inside and see why."
    )
    choose("Photos", several=True)
    return _read() if photos() else None


def _read() -> str | None:
    engine = engines.current()
    found = results.read_all(engine, photos())
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{results.summary(found)}**")
        results.saves(engine, found)
        st.button("Clear", on_click=put_away, icon=":material/close:")
    wanted = None
    for place, one in enumerate(found):
        if number := results.picture(engine, one, place):
            look_into(one.photo, number)
            wanted = "inside"
    return wanted
