"""The components of a page and the standalone page, as functions that return HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mien.html.environment import render, render_macro
from mien.html.images import Format, data_uri, encode_image


def render_page(title: str, body: Iterable[str], *, style: str = "", script: str = "") -> str:
    """A standalone page. ``body`` is HTML for ``<main>``; ``style`` follows the common style sheet.

    The page's policy allows ``script`` and no other script, and loads nothing from the network.
    """
    return render("page.html", title=title, body=Markup("\n".join(body)), style=Markup(style), script=Markup(script))


def tiles(html: Iterable[str]) -> str:
    """A row of tiles."""
    return render_macro("tiles", Markup("".join(html)))


def tile(name: str, value: str, explanation: str = "") -> str:
    """One important number: its name, its value, and a short explanation."""
    return render_macro("tile", name, value, explanation)


def figure(html: str, caption: str = "", *, wide: bool = False) -> str:
    """An ``<img>`` or ``<svg>`` with its caption."""
    return render_macro("figure", Markup(html), caption, wide)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls sideways where it is too wide. The head is plain text; cells are HTML."""
    return render_macro("table", head, [[Markup(cell) for cell in row] for row in rows])


def expression_name(label: str, *, icon: bool = False, labels: Sequence[str] = ()) -> str:
    """The name of an expression with its colour: as a dot, or as its icon. ``labels`` are those of the model."""
    return render_macro("expression_name", label, icon, tuple(labels))


def bar(part: float, fill: str = "") -> str:
    """A short bar, filled from 0 to 1, hidden from screen readers: write the number beside it."""
    return render_macro("bar", part, fill)


def note(html: str, *, warn: bool = False) -> str:
    """A remark in a frame; with ``warn``, in the colour of warnings."""
    return render_macro("note", Markup(html), warn)


def footer(html: str = "") -> str:
    """The last line of a page: the version of mien, and a remark."""
    return render_macro("footer", Markup(html))


def image_tag(
    pixels: NDArray[np.uint8], alt: str, *, file_format: Format = "png", css: str = "", quality: int = 82
) -> str:
    """An ``<img>`` with its pixels as a data URI, gray ``(h, w)`` or RGB ``(h, w, 3)``. ``css`` is its class.

    PNG is lossless; WebP and JPEG are for photographs.
    """
    height, width = pixels.shape[:2]
    uri = data_uri(encode_image(pixels, file_format, quality), f"image/{file_format}")
    return render_macro("image", uri, width, height, alt, css)


@lru_cache(maxsize=256)
def icon_svg(label: str, labels: tuple[str, ...] = (), *, css: str = "icon") -> str:
    """The icon of an expression as ``<svg>``, without a text alternative: write the label beside it."""
    return render_macro("icon_svg", label, labels, css)
