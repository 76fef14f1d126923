"""Files as Streamlit holds them: let go as soon as nobody needs them, and not when their visitor leaves at last."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

#: Which files lie in which place, by the place's key.
_LYING = "files lying"


def lying(place: str, files: Iterable[UploadedFile | None]) -> None:
    """These are in a place now; those that were there before and are no longer are let go."""
    known: dict[str, tuple[str, ...]] = st.session_state.setdefault(_LYING, {})
    now = tuple(each.file_id for each in files if each is not None)
    _let_go(each for each in known.get(place, ()) if each not in now)
    known[place] = now


def let_go() -> None:
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
