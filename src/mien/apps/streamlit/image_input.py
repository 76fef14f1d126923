"""Files as Streamlit holds them: let go as soon as nobody needs them, and not when their visitor leaves at last."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mien.apps.session import samples
from mien.apps.streamlit.session_state import UploadedPhoto, set_photos, get_photos
from mien.apps.streamlit.settings import PHOTO_MB, PHOTOS

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


#: Which files lie in which place, by the place's key.
_LYING = "files lying"


def track_uploads(place: str, files: Iterable[UploadedFile | None]) -> None:
    """These are in a place now; those that were there before and are no longer are let go."""
    known: dict[str, tuple[str, ...]] = st.session_state.setdefault(_LYING, {})
    now = tuple(each.file_id for each in files if each is not None)
    _let_go(each for each in known.get(place, ()) if each not in now)
    known[place] = now


def release_uploads() -> None:
    """All places are left. Streamlit itself would hold their files until their visitor has gone."""
    for files in st.session_state.pop(_LYING, {}).values():
        _let_go(files)


def _let_go(files: Iterable[str]) -> None:
    run = get_script_run_ctx()
    # Where Streamlit holds files elsewhere than in memory, they are its host's.
    remove = getattr(run.uploaded_file_mgr, "remove_file", None) if run else None
    for each in files:
        if run and remove:
            remove(run.session_id, each)


# ==== mien.apps.streamlit.choosing
# A picture chosen by the visitor, or one of ours for those who have none at hand.

#: What file choosers offer; what a file is, is seen in its first bytes and not by its name.
IMAGE_TYPES = ("image", "heic", "heif", "avif")

#: Counts how often everything was put away: a place for files is emptied by putting a new one there.
_TURN = "turn of photos"

#: Which files the place for them held when it was last looked at. Streamlit tells of a change also when somebody only
#: goes to another page, so the files themselves are compared.
_SEEN = "files seen"


def choose_images(told: str, *, several: bool) -> None:
    """The place for files, and our own pictures below it while nobody has chosen one."""
    given = st.file_uploader(
        told,
        type=list(IMAGE_TYPES),
        accept_multiple_files=several,
        max_upload_size=PHOTO_MB,
        key=f"photos {st.session_state.get(_TURN, 0)}",
    )
    _take(given if isinstance(given, list) else [given] if given else [])
    if not get_photos():
        _samples()


def clear_images() -> None:
    """Nothing is in hand any more, and nothing in the place for files."""
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    release_uploads()
    set_photos(())


def clean_file_name(name: str) -> str:
    """A file's own name without its folders and without what is no letter: for showing, never for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in last if each.isprintable()).strip()[:120] or "picture"


def reset_image_input() -> None:
    """A page is opened, and its place for files is empty: that puts nothing away."""
    st.session_state.pop(_SEEN, None)
    release_uploads()


def _take(files: Sequence[UploadedFile]) -> None:
    """Other files than before are what is in hand from now on."""
    track_uploads("photos", files)
    seen = tuple(each.file_id for each in files)
    if seen != st.session_state.get(_SEEN, ()):
        st.session_state[_SEEN] = seen
        set_photos(UploadedPhoto(clean_file_name(each.name), each.getvalue()) for each in files[:PHOTOS])


def _samples() -> None:
    st.markdown("Or try one of ours:")
    with st.container(horizontal=True):
        for called, path in samples.sample_paths().items():
            with st.container(width=150):
                small = path.with_name(f"{path.stem}-small{path.suffix}")
                st.image(small.read_bytes(), width="stretch", alt="")
                st.button(called, on_click=_sample, args=(path.name, path.read_bytes()), width="stretch")
    st.caption(samples.CREDIT)


def _sample(name: str, data: bytes) -> None:
    set_photos([UploadedPhoto(name, data)])
