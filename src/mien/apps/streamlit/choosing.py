"""A picture chosen by the visitor, or one of ours for those who have none at hand."""

from __future__ import annotations

import re

import streamlit as st

from mien.apps import samples
from mien.apps.streamlit.held import Photo, hold, photos
from mien.apps.streamlit.settings import PHOTO_MB, PHOTOS

#: What file choosers offer; what a file is, is seen in its first bytes and not by its name.
PICTURES = ("image", "heic", "heif", "avif")

#: Counts how often everything was put away: a place for files is emptied by putting a new one there.
_TURN = "turn of photos"


def choose(told: str, *, several: bool) -> None:
    """The place for files, and our own pictures below it while nobody has chosen one."""
    st.file_uploader(
        told,
        type=list(PICTURES),
        accept_multiple_files=several,
        max_upload_size=PHOTO_MB,
        key=_key(),
        on_change=_chosen,
    )
    if not photos():
        _samples()


def put_away() -> None:
    """Nothing is in hand any more, and nothing in the place for files."""
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    hold(())


def plain(name: str) -> str:
    """A file's own name without its folders and without what is no letter: for showing, never for opening."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(each for each in last if each.isprintable()).strip()[:120] or "picture"


def _key() -> str:
    return f"photos {st.session_state.get(_TURN, 0)}"


def _chosen() -> None:
    found = st.session_state[_key()] or []
    several = found if isinstance(found, list) else [found]
    hold(Photo(plain(each.name), each.getvalue()) for each in several[:PHOTOS])


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
