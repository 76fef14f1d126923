"""Photos, from files or from the camera: what the expressions in them look like."""

from __future__ import annotations

import streamlit as st

from mien import text
from mien.apps.streamlit import results, session_state
from mien.apps.streamlit.session_state import (
    UploadedPhoto,
    choose_images,
    clear_images,
    current_engine,
    drop_stale_results,
    get_photos,
    select_face,
    set_photos,
)


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


_IS_OPEN = "camera is open"


def draw_camera_page() -> str | None:
    st.title("Camera", anchor=False)
    if not st.session_state.get(_IS_OPEN):
        _show_notice()
        return None
    st.button("Close the camera", on_click=close_camera, icon=":material/videocam_off:")
    upload = st.camera_input("Take a photo", key="camera photo")
    session_state.track_uploads("camera", [upload])
    if upload is None:
        drop_stale_results()
        return None
    photo = UploadedPhoto("camera.jpg", upload.getvalue())
    engine = current_engine()
    [image] = results.read_images(engine, [photo])
    number = results.show_image_result(engine, image, 0)
    if not number:
        return None
    set_photos([photo])
    select_face(photo, number)
    return "explain"


def close_camera() -> None:
    if st.session_state.pop(_IS_OPEN, None):
        drop_stale_results()


def _open_camera() -> None:
    st.session_state[_IS_OPEN] = True


def _show_notice() -> None:
    with st.container(border=True):
        st.header("Before the camera opens", anchor=False)
        st.markdown(
            "- Photos that you take are sent to the program that serves this page, one at a time, are read there and "
            "are not stored.\n"
            f"- {text.CAMERA_NOTICE}\n"
            "- The camera closes when you leave this page."
        )
        st.button("Open the camera", type="primary", on_click=_open_camera, icon=":material/videocam:")
