"""A picture chosen by the visitor, or one of ours for those who have none at hand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from mien.apps import samples
from mien.apps.streamlit import uploads
from mien.apps.streamlit.held import Photo, hold, photos
from mien.apps.streamlit.settings import PHOTO_MB, PHOTOS

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

#: What file choosers offer; what a file is, is seen in its first bytes and not by its name.
PICTURES = ("image", "heic", "heif", "avif")

#: Counts how often everything was put away: a place for files is emptied by putting a new one there.
_TURN = "turn of photos"

#: Which files the place for them held when it was last looked at. Streamlit tells of a change also when somebody only
#: goes to another page, so the files themselves are compared.
_SEEN = "files seen"


def choose(told: str, *, several: bool) -> None:
    """The place for files, and our own pictures below it while nobody has chosen one."""
    given = st.file_uploader(
        told,
        type=list(PICTURES),
        accept_multiple_files=several,
        max_upload_size=PHOTO_MB,
        key=f"photos {st.session_state.get(_TURN, 0)}",
    )
    _take(given if isinstance(given, list) else [given] if given else [])
    if not photos():
        _samples()


def put_away() -> None:
    """Nothing is in hand any more, and nothing in the place for files."""
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    uploads.let_go()
    hold(())


def plain(name: str) -> str:
    """A file's own name without its folders and without what is no letter: for showing, never for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in last if each.isprintable()).strip()[:120] or "picture"


def begin() -> None:
    """A page is opened, and its place for files is empty: that puts nothing away."""
    st.session_state.pop(_SEEN, None)
    uploads.let_go()


def _take(files: Sequence[UploadedFile]) -> None:
    """Other files than before are what is in hand from now on."""
    uploads.lying("photos", files)
    seen = tuple(each.file_id for each in files)
    if seen != st.session_state.get(_SEEN, ()):
        st.session_state[_SEEN] = seen
        hold(Photo(plain(each.name), each.getvalue()) for each in files[:PHOTOS])


def _samples() -> None:
    st.markdown("Or try one of ours:")
    with st.container(horizontal=True):
        for called, path in samples.paths().items():
            with st.container(width=150):
                small = path.with_name(f"{path.stem}-small{path.suffix}")
                st.image(small.read_bytes(), width="stretch", alt="")
                st.button(called, on_click=_sample, args=(path.name, path.read_bytes()), width="stretch")
    st.caption(samples.CREDIT)


def _sample(name: str, data: bytes) -> None:
    hold([Photo(name, data)])
