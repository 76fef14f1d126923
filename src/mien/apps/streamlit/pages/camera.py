"""The camera: a notice first, then one picture at a time."""

from __future__ import annotations

import streamlit as st

from mien import text
from mien.apps.streamlit import engines, image_input, results
from mien.apps.streamlit.session_state import UploadedPhoto, drop_stale_results, select_face, set_photos

_OPEN = "camera open"


def page() -> str | None:
    st.title("Camera", anchor=False)
    if not st.session_state.get(_OPEN):
        _notice()
        return None
    st.button("Close the camera", on_click=close, icon=":material/videocam_off:")
    taken = st.camera_input("Take a picture", key="taken")
    image_input.track_uploads("camera", [taken])
    if taken is None:
        drop_stale_results()
        return None
    photo = UploadedPhoto("camera.jpg", taken.getvalue())
    engine = engines.current_engine()
    [found] = results.read_images(engine, [photo])
    number = results.show_image_result(engine, found, 0)
    if not number:
        return None
    set_photos([photo])
    select_face(photo, number)
    return "inside"


def close() -> None:
    if st.session_state.pop(_OPEN, None):
        drop_stale_results()


def _notice() -> None:
    with st.container(border=True):
        st.header("Before the camera opens", anchor=False)
        st.markdown(
            "- Pictures that you take go to the program that serves this page, one at a time, are read there and are "
            "not kept.\n"
            f"- {text.CAMERA_NOTICE}\n"
            "- The camera closes when you leave this page."
        )
        st.button("Open the camera", type="primary", on_click=_open, icon=":material/videocam:")


def _open() -> None:
    st.session_state[_OPEN] = True
