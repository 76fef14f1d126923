"""What belongs to one visitor: the chosen engine, the photos, and results made from them; deleted with the visit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from functools import cached_property
from typing import TypeVar

import streamlit as st

from mien.apps.session.engines import EngineCache
from mien.apps.session.uploads import MAX_IMAGES, Upload
from mien.apps.streamlit.settings import load_page_settings
from mien.engine import Engine
from mien.faces.detectors import detector_names
from mien.images.decode import resolve_pixel_limit
from mien.results import Pixels

Value = TypeVar("Value")

#: Keys of the session state: results by photo, and three slots with results for one face. The keys of their entries
#: begin with the key of the photo.
RESULTS, EXPLANATION, FIGURES, WALKTHROUGH = "image results", "explanation", "explanation figures", "walkthrough"

_PHOTOS, _SELECTED_FACE = "photos", "selected face"

#: The most engines in memory, over all visitors.
_MAX_ENGINES = 8


class UploadedPhoto(Upload):
    """An uploaded image: its name and its bytes."""

    @cached_property
    def key(self) -> str:
        """Equal for the same image under the same name."""
        return hashlib.sha256(self.name.encode(errors="replace") + b"\0" + self.data).hexdigest()[:20]

    def pixels(self) -> Pixels:
        """RGB uint8 with the EXIF orientation applied, or a SourceError with the name of the image."""
        return self.decode_image(resolve_pixel_limit(None))


# The engine


@st.cache_resource(show_spinner=False)
def _load_engine_cache(model: str, detector: str) -> EngineCache:
    """One cache for all visitors of a page with these settings."""
    return EngineCache(model=model, detector=detector, limit=_MAX_ENGINES)


def _engine_cache() -> EngineCache:
    settings = load_page_settings()
    return _load_engine_cache(settings.model, settings.detector)


def list_models() -> tuple[str, ...]:
    """The names of the models to choose from, the default first. A URL or form cannot name a path."""
    return _engine_cache().names


def list_detectors() -> tuple[str, ...]:
    """The names of the detectors to choose from, the default first."""
    return tuple(dict.fromkeys([_engine_cache().detector, "auto", *detector_names()]))


def current_engine() -> Engine:
    """The engine that this visitor has chosen."""
    with st.spinner("Loading the model …", show_time=False):
        return _engine_cache().get(*engine_choice())


def engine_choice() -> tuple[str, str]:
    """The names of the chosen model and detector."""
    return st.session_state["model"], st.session_state["detector"]


# Photos


def get_photos() -> tuple[UploadedPhoto, ...]:
    photos: tuple[UploadedPhoto, ...] = st.session_state.get(_PHOTOS, ())
    return photos


def set_photos(photos: Iterable[UploadedPhoto]) -> None:
    """Replace the photos, and delete the results of all others."""
    st.session_state[_PHOTOS] = tuple(photos)[:MAX_IMAGES]
    st.session_state.pop(_SELECTED_FACE, None)
    drop_stale_results()


def drop_stale_results() -> None:
    """Delete all results of photos that are not among the current ones."""
    keys = {photo.key for photo in get_photos()}
    results = st.session_state.get(RESULTS, {})
    st.session_state[RESULTS] = {key: result for key, result in results.items() if key[0] in keys}
    for slot in (EXPLANATION, FIGURES, WALKTHROUGH):
        if slot in st.session_state and st.session_state[slot][0][0] not in keys:
            drop_slot(slot)


def select_face(photo: UploadedPhoto, number: int) -> None:
    """Select the face with which the page of explanations starts; numbers start at 1."""
    st.session_state[_SELECTED_FACE] = photo.key, number


def pop_selected_face() -> tuple[str, int] | None:
    """The key of the photo and the number of the face that was selected, once: later choices are the visitor's."""
    selected: tuple[str, int] | None = st.session_state.pop(_SELECTED_FACE, None)
    return selected


# Slots


def get_or_make(slot: str, key: Hashable, make: Callable[[], Value]) -> Value:
    """The value in the slot if it has this key, else a new one in its place. A slot has one value at a time."""
    entry: tuple[Hashable, Value] | None = st.session_state.get(slot)
    if entry is None or entry[0] != key:
        entry = key, make()
        st.session_state[slot] = entry
    return entry[1]


def drop_slot(slot: str) -> None:
    st.session_state.pop(slot, None)
