"""What a visitor has in hand and what was made of it: in memory, while the page is open, and gone with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from functools import cached_property
from io import BytesIO
from typing import TypeVar

import streamlit as st

from mien.apps.streamlit.settings import PHOTOS
from mien.images.decode import decode_image, resolve_pixel_limit
from mien.results import Pixels

Made = TypeVar("Made")

#: Where in the visit's state what was read is, by picture, and what was made of one face; every key begins with the
#: key of its picture.
READS, EXPLAINED, DRAWN, WALKTHROUGH = "what was read", "face explained", "inside drawn", "walkthrough"

#: Where in the visit's state the pictures are, and which face of which of them is looked into.
_PHOTOS, _FACE = "photos in hand", "face looked into"


@dataclass(frozen=True)
class UploadedPhoto:
    """A picture as it came: what it is called, and its bytes."""

    name: str
    data: bytes

    @cached_property
    def key(self) -> str:
        """The same for the same picture under the same name."""
        return hashlib.sha256(self.name.encode(errors="replace") + b"\0" + self.data).hexdigest()[:20]

    def pixels(self) -> Pixels:
        """Upright RGB uint8, or a SourceError that names the picture."""
        return decode_image(BytesIO(self.data), f"'{self.name}'", resolve_pixel_limit(None))


def get_photos() -> tuple[UploadedPhoto, ...]:
    found: tuple[UploadedPhoto, ...] = st.session_state.get(_PHOTOS, ())
    return found


def set_photos(several: Iterable[UploadedPhoto]) -> None:
    """These pictures, and none of those before them."""
    st.session_state[_PHOTOS] = tuple(several)[:PHOTOS]
    st.session_state.pop(_FACE, None)
    drop_stale_results()


def drop_stale_results() -> None:
    """Nothing stays that was made of pictures which are not in hand."""
    there = {photo.key for photo in get_photos()}
    read = st.session_state.get(READS, {})
    st.session_state[READS] = {key: made for key, made in read.items() if key[0] in there}
    for slot in (EXPLAINED, DRAWN, WALKTHROUGH):
        if slot in st.session_state and st.session_state[slot][0][0] not in there:
            drop_slot(slot)


def select_face(photo: UploadedPhoto, face: int) -> None:
    """Which face the page of the network's inside begins with, counted from 1."""
    st.session_state[_FACE] = photo.key, face


def pop_selected_face() -> tuple[str, int] | None:
    """The picture's key and the face's number, once: whoever asks again has chosen another since."""
    found: tuple[str, int] | None = st.session_state.pop(_FACE, None)
    return found


def get_or_make(slot: str, key: Hashable, make: Callable[[], Made]) -> Made:
    """What was made for this key in this visit. A slot keeps what was made last, and nothing before it."""
    there: tuple[Hashable, Made] | None = st.session_state.get(slot)
    if there is None or there[0] != key:
        there = key, make()
        st.session_state[slot] = there
    return there[1]


def drop_slot(slot: str) -> None:
    st.session_state.pop(slot, None)
