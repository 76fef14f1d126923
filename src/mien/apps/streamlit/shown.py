"""What was read, on the page."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import streamlit as st

from mien import words
from mien.apps.streamlit import faces, reads
from mien.apps.streamlit.held import READS, Photo
from mien.apps.streamlit.reads import Read
from mien.engine import Engine
from mien.types import Failure, FrameResult

#: What Markdown and Streamlit's own words would take for more than a letter.
_MARKS = re.compile(r"([\\`*_{}\[\]()#+\-.!|~$:<>&])")


def escaped(said: str) -> str:
    """Words from outside, as they are: names of files hold anything, and Streamlit's texts are Markdown."""
    return _MARKS.sub(r"\\\1", said.replace("\n", " "))


def read_all(engine: Engine, photos: Sequence[Photo]) -> list[Read]:
    """Each picture read once for a choice of model and detector; what is no longer in hand is forgotten."""
    known: dict[tuple[str, ...], Read] = st.session_state.get(READS, {})
    # By what was chosen: a model in a file of one's own may call itself as another does.
    chosen = st.session_state["model"], st.session_state["detector"]
    keys = {photo: (photo.key, *chosen) for photo in photos}
    # Whoever clicks meanwhile begins this anew: what was read by then stays read.
    made = st.session_state[READS] = {key: known[key] for key in keys.values() if key in known}
    new = [photo for photo in photos if keys[photo] not in made]
    bar = st.progress(0.0, "Reading …") if len(new) > 1 else None
    for done, photo in enumerate(new):
        if bar:
            bar.progress(done / len(new), f"Reading {escaped(photo.name)} …")
        made[keys[photo]] = reads.read(engine, photo)
    if bar:
        bar.empty()
    return [made[keys[photo]] for photo in photos]


def summary(several: Sequence[Read]) -> str:
    """``3 faces in two photos; 1 could not be read``."""
    pictures, found, failed = reads.counted(several)
    where = "one photo" if pictures == 1 else f"{pictures} photos"
    told = f"{words.found(range(found))} in {where}" if pictures else ""
    lost = f"{failed} could not be read" if failed else ""
    return "; ".join(each for each in (told, lost) if each)


def saves(engine: Engine, several: Sequence[Read]) -> None:
    """The readings to keep, as JSON and as a table."""
    with st.container(horizontal=True):
        _save("JSON", partial(reads.as_json, several), "mien.json", "application/json")
        _save("CSV", partial(reads.as_csv, several, engine.labels), "mien.csv", "text/csv")


def picture(engine: Engine, one: Read, place: int) -> int | None:
    """One picture and its faces; the number of the face that somebody wants to look into, from 1."""
    st.header(escaped(one.photo.name), anchor=False)
    match one.result:
        case Failure(error=error):
            st.error(escaped(str(error)), icon=":material/broken_image:")
            return None
        case FrameResult() as result:
            return _result(engine, one, result, place)


def _result(engine: Engine, one: Read, result: FrameResult, place: int) -> int | None:
    width, height = result.size
    st.caption(f"{width} × {height}, found by {escaped(result.detector)}, read by {escaped(result.model)}")
    left, right = st.columns(2, gap="medium")
    with left:
        st.image(one.shown, width="stretch", alt=f"{words.found(result)}, with what is seen in each")
        if result.readings:
            stem = one.photo.name.rpartition(".")[0] or one.photo.name
            made = partial(reads.annotated, engine, one.photo)
            _save("Annotated picture", made, f"{stem}-mien.jpg", "image/jpeg", key=f"annotated {place}")
    with right:
        if not result.readings:
            st.info(f"{words.NO_FACE} {words.NO_FACE_HELP}", icon=":material/search_off:")
        return _cards(one, result, place)


def _cards(one: Read, result: FrameResult, place: int) -> int | None:
    wanted = None
    for number, reading in enumerate(result, 1):
        with st.container(border=True):
            st.html(faces.card(reading, number, len(result), one.faces[number - 1]))
            if st.button("See inside", key=f"inside {place} {number}", icon=":material/neurology:"):
                wanted = number
    return wanted


def _save(told: str, made: partial[str] | partial[bytes], name: str, kind: str, key: str | None = None) -> None:
    # Made when somebody takes it, and without running the page again.
    st.download_button(told, made, name, kind, key=key, on_click="ignore", icon=":material/download:")
