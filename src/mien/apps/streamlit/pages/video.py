"""Films: who shows which expression, and when."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import Any, Literal

import streamlit as st

from mien.apps.streamlit import engines, image_input, results, video_result
from mien.apps.streamlit.image_input import clean_file_name
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import UploadedPhoto, drop_slot
from mien.apps.streamlit.settings import FILM_MB, FILM_SECONDS
from mien.apps.streamlit.video_result import VideoReport, show_timeline
from mien.draw import draw_readings
from mien.html.images import encode_image, shrink_image
from mien.text import describe_label, format_percent, format_time
from mien.video.results import RESULT_FILES
from mien.video.timeline import SmoothedFrame

_FILM, _READ, _WHICH = "film", "film that was read", "file of the film"

#: What the files are called on the page.
_CALLED = {
    "report.html": "Report",
    "faces.csv": "Faces (CSV)",
    "events.csv": "Events (CSV)",
    "subtitles.vtt": "Subtitles (WebVTT)",
    "film.webm": "Painted film",
}

_RATES = {5: "5, quick", 10: "10", 30: "all, up to 30"}

#: A look at what is being read, no oftener than this in seconds and no wider than this in pixels.
_PAUSE, _WIDE = 0.5, 640


def page() -> str | None:
    st.title("Read a film", anchor=False)
    st.markdown("Who shows which expression, and when: as a timeline, a report, tables, subtitles, and a painted film.")
    given = st.file_uploader("A film", type=["video", "image/gif"], max_upload_size=FILM_MB, key=_FILM)
    image_input.track_uploads("film", [given])
    if given and given.file_id != st.session_state.get(_WHICH):
        _put_away()
    left, right = st.columns([1, 2], vertical_alignment="bottom")
    fps = left.selectbox("Frames read of each second", list(_RATES), index=1, format_func=_RATES.__getitem__, key="fps")
    hidden = right.checkbox("Hide faces in what is made", key="hidden")
    st.caption(
        "The film lies in a private folder while it is read; what is made of it stays in memory until you choose "
        f"another or close the page. Up to {FILM_MB} MB, of which {FILM_SECONDS / 60:.0f} minutes are read."
    )
    if st.button("Read the film", type="primary", disabled=given is None, icon=":material/play_arrow:") and given:
        _put_away()
        st.session_state[_READ] = _reading(
            UploadedPhoto(clean_file_name(given.name), given.getvalue()), float(fps), hidden
        )
        st.session_state[_WHICH] = given.file_id
    if film := st.session_state.get(_READ):
        _result(film)
    return None


def _put_away() -> None:
    drop_slot(_READ)
    drop_slot(_WHICH)


def _reading(film: UploadedPhoto, fps: float, hidden: bool) -> VideoReport:
    """Read it, and tell how far it is. Whatever the visitor does meanwhile ends it."""
    engine = engines.current_engine()
    place = st.empty()
    with place.container():
        st.button("Stop", icon=":material/stop:")
        bar = st.progress(0.0, "Reading …")
        look = _Look(st.empty(), hidden)

        def tell(facts: dict[str, Any]) -> None:
            bar.progress(_part(facts), _how_far(facts))

        def wait() -> None:
            bar.progress(0.0, "Another film is being read; this one is next …")

        with video_result.wait_for_turn(wait):
            found = video_result.analyze_upload(engine, film, fps, hidden, tell, look)
    place.empty()
    return found


class _Look:
    """Now and then the frame that is being read; nothing where faces are to be hidden."""

    def __init__(self, place: Any, hidden: bool) -> None:
        self._place, self._hidden, self._due = place, hidden, 0.0

    def __call__(self, told: SmoothedFrame) -> None:
        pixels = told.moment.pixels
        if self._hidden or pixels is None or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + _PAUSE
        self._place.image(
            encode_image(shrink_image(draw_readings(pixels, told.moment.result), _WIDE), "jpeg"),
            alt="The frame that is being read",
        )


def _part(facts: dict[str, Any]) -> float:
    return min(facts["seconds"] / facts["of"], 1.0) if facts["of"] else 0.0


def _how_far(facts: dict[str, Any]) -> str:
    whole = f" of {format_time(facts['of'])}" if facts["of"] else ""
    speed = f" · {facts['frames_per_second']:g} frames a second" if facts["frames_per_second"] else ""
    return f"Read {format_time(facts['seconds'])}{whole}{speed} · {facts['people']} people · {facts['events']} events"


def _result(film: VideoReport) -> None:
    st.header(escape_markdown(film.name), anchor=False)
    if complaint := film.facts.get("complaint"):
        st.warning(escape_markdown(complaint), icon=":material/warning:")
    _numbers(film)
    if not film.people:
        st.info("No face was found in this film.", icon=":material/search_off:")
    else:
        _found(film)
    _downloads(film)
    with st.expander("The whole report", icon=":material/article:"):
        # Its film lies beside it when it is kept; here the film stands above.
        report = re.sub(r"<video[^>]*></video>", "", film.files["report.html"].decode())
        results.show_html_page(report, "The report of the film", 900)


def _numbers(film: VideoReport) -> None:
    facts = film.facts
    told = (
        ("People", facts["people"]),
        ("Events", facts["events"]),
        ("Read", format_time(facts["seconds"])),
        ("Frames", f"{facts['frames']:,}"),
        ("Frames a second", facts["frames_per_second"] or "–"),
    )
    with st.container(horizontal=True, gap="large"):
        for name, value in told:
            st.metric(name, value, width="content")


def _found(film: VideoReport) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        if "film.webm" in film.files:
            subtitles = film.files.get("subtitles.vtt", b"").decode() or None
            st.video(film.files["film.webm"], format="video/webm", subtitles=subtitles, alt="The painted film")
    with right:
        st.markdown("**Everybody in numbers**")
        st.dataframe([_person(each) for each in film.people], hide_index=True)
    if film.events:
        st.markdown("**Who looked how, and when**")
        show_timeline(film.events, film.facts["found"]["end"])
        st.dataframe([_event(each) for each in film.events], hide_index=True, height=_high(len(film.events)))
    else:
        st.info("No expression stood out for long enough to be an event.")


def _high(rows: int) -> int | Literal["content"]:
    """A long table scrolls."""
    return "content" if rows < 12 else 420


def _person(told: dict[str, Any]) -> dict[str, Any]:
    mostly = next(iter(told["looks"].items()), None)
    return {
        "Person": told["person"],
        "Seen": f"{told['seen']:.1f} s",
        "Judged": f"{told['judged']:.1f} s",
        "Mostly": f"{describe_label(mostly[0])}, {format_percent(mostly[1])}" if mostly else "–",
    }


def _event(told: dict[str, Any]) -> dict[str, Any]:
    return {
        "Person": told["person"],
        "Looked": told["label"],
        "From": format_time(told["start"]),
        "To": format_time(told["end"]),
        "Peak": format_percent(told["peak"]),
        "Peak at": format_time(told["peak_at"]),
    }


def _downloads(film: VideoReport) -> None:
    stem = film.name.rpartition(".")[0] or film.name
    with st.container(horizontal=True):
        for name, called in _CALLED.items():
            if name in film.files:
                kind = RESULT_FILES[name].partition(";")[0]
                st.download_button(called, film.files[name], f"{stem}-{name}", kind, on_click="ignore")
        made = partial(film.packed)
        st.download_button("All of it (ZIP)", made, f"{stem}-mien.zip", "application/zip", on_click="ignore")
