"""The input for images: uploads or one of the sample portraits; uploads are deleted as soon as they are not needed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from mien.apps.session import samples
from mien.apps.session.uploads import MAX_IMAGE_BYTES, MAX_IMAGES, MB
from mien.apps.streamlit.session_state import UploadedPhoto, get_photos, set_photos

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

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


# The memory of uploads


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
