"""What belongs to one visitor: the chosen engine, the photos and their input, and results made from them.

All of it is deleted with the visit, uploads as soon as they are not needed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mien.apps.session import samples
from mien.apps.session.engines import EngineCache
from mien.apps.session.uploads import MAX_IMAGE_BYTES, MAX_IMAGES, MB, Upload
from mien.apps.streamlit.server import load_page_settings
from mien.engine import Engine
from mien.faces.detectors import detector_names
from mien.images.decode import resolve_pixel_limit
from mien.results import Pixels

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

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


@st.cache_resource(show_spinner=False)
def _load_engine_cache(model: str, detector: str, prior: str) -> EngineCache:
    """One cache for all visitors of a page with these settings."""
    return EngineCache(model=model, detector=detector, prior=prior, limit=_MAX_ENGINES)


def _engine_cache() -> EngineCache:
    settings = load_page_settings()
    return _load_engine_cache(settings.model, settings.detector, settings.prior)


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
            del st.session_state[slot]


def select_face(photo: UploadedPhoto, number: int) -> None:
    """Select the face with which the page of explanations starts; numbers start at 1."""
    st.session_state[_SELECTED_FACE] = photo.key, number


def pop_selected_face() -> tuple[str, int] | None:
    """The key of the photo and the number of the face that was selected, once: later choices are the visitor's."""
    selected: tuple[str, int] | None = st.session_state.pop(_SELECTED_FACE, None)
    return selected


def get_or_make(slot: str, key: Hashable, make: Callable[[], Value]) -> Value:
    """The value in the slot if it has this key, else a new one in its place. A slot has one value at a time."""
    entry: tuple[Hashable, Value] | None = st.session_state.get(slot)
    if entry is None or entry[0] != key:
        entry = key, make()
        st.session_state[slot] = entry
    return entry[1]


#: What the file dialog offers; the format of a file is determined from its content.
IMAGE_TYPES = ("image", "heic", "heif", "avif")

#: Keys of the session state: the uploads in each input; how often the input was cleared, which renames it and thereby
#: empties it; the uploads at the last run. Streamlit reports a change of an input also after a change of the page, so
#: the uploads themselves are compared.
_UPLOADS, _CLEAR_COUNT, _LAST_UPLOADS = "uploads", "image input clear count", "last image uploads"


def choose_images(label: str, *, several: bool) -> None:
    """The input for images, and the samples below it while there are no photos."""
    uploads = st.file_uploader(
        label,
        type=list(IMAGE_TYPES),
        accept_multiple_files=several,
        max_upload_size=MAX_IMAGE_BYTES // MB,
        key=f"photos {st.session_state.get(_CLEAR_COUNT, 0)}",
    )
    _use_uploads(uploads if isinstance(uploads, list) else [uploads] if uploads else [])
    if not get_photos():
        _show_samples()


def _use_uploads(uploads: Sequence[UploadedFile]) -> None:
    """If the uploads have changed, they are the photos from now on."""
    track_uploads("photos", uploads)
    ids = tuple(upload.file_id for upload in uploads)
    if ids != st.session_state.get(_LAST_UPLOADS, ()):
        st.session_state[_LAST_UPLOADS] = ids
        set_photos(UploadedPhoto(clean_file_name(upload.name), upload.getvalue()) for upload in uploads[:MAX_IMAGES])


def _show_samples() -> None:
    st.markdown("Example photos:")
    with st.container(horizontal=True):
        for title, path in samples.sample_paths().items():
            with st.container(width=150):
                small = path.with_name(f"{path.stem}-small{path.suffix}")
                st.image(small.read_bytes(), width="stretch", alt="")
                photo = UploadedPhoto(path.name, path.read_bytes())
                st.button(title, on_click=set_photos, args=([photo],), width="stretch")
    st.caption(samples.CREDIT)


def clear_images() -> None:
    """Delete the photos, their results and the uploads."""
    st.session_state[_CLEAR_COUNT] = st.session_state.get(_CLEAR_COUNT, 0) + 1
    release_uploads()
    set_photos(())


def reset_image_input() -> None:
    """After a change of the page its input is empty; the photos stay."""
    st.session_state.pop(_LAST_UPLOADS, None)
    release_uploads()


def clean_file_name(name: str) -> str:
    """The last part of a file name, printable, for display only."""
    last = re.split(r"[/\\]", name)[-1]
    return "".join(letter for letter in last if letter.isprintable()).strip()[:120] or "image"


def track_uploads(name: str, uploads: Iterable[UploadedFile | None]) -> None:
    """Record the uploads of an input, and delete those that it had before and has no more."""
    inputs: dict[str, tuple[str, ...]] = st.session_state.setdefault(_UPLOADS, {})
    ids = tuple(upload.file_id for upload in uploads if upload is not None)
    _delete_uploads(before for before in inputs.get(name, ()) if before not in ids)
    inputs[name] = ids


def release_uploads() -> None:
    """Delete the uploads of all inputs. Streamlit itself would keep them until the visitor leaves."""
    for ids in st.session_state.pop(_UPLOADS, {}).values():
        _delete_uploads(ids)


def _delete_uploads(ids: Iterable[str]) -> None:
    context = get_script_run_ctx()
    # Where Streamlit stores uploads elsewhere than in memory, its host deletes them.
    remove = getattr(context.uploaded_file_mgr, "remove_file", None) if context else None
    for file_id in ids:
        if context and remove:
            remove(context.session_id, file_id)
