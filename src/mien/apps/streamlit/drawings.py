"""Figures of the laboratory, pictures of the inside, and whole pages, as pieces of this page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import streamlit as st

from mien.html import style_colours
from mien.html.images import encode_image
from mien.types import Pixels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_ROLE = re.compile(r"var\(--([a-z]+)\)")


def is_dark() -> bool:
    """Is the page dark? Nobody knows before the browser has said so."""
    return bool(st.context.theme.type == "dark")


def figure(drawn: Figure, described: str, *, width: int | None = None) -> None:
    """A figure in the colours of the page, sharp at any size."""
    from mien import plots

    own = style_colours(dark=is_dark())
    svg = _ROLE.sub(lambda role: own[role[1]], plots.svg(drawn, described))
    named = svg.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    st.image(named, width=width or "stretch", alt=described)


def paper(pixels: Pixels, described: str) -> None:
    """A picture of the inside; it brings its own paper."""
    st.image(encode_image(pixels), width="stretch", alt=described)


def whole(html: str, described: str, height: int) -> None:
    """A page of ours that stands by itself, in a frame of its own."""
    st.iframe(html, height=height, alt=described)
