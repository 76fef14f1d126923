"""The Jinja2 environment of all pages, the package files that templates include, and components that return HTML."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from mien._version import __version__
from mien.html.icons import ICON_SIDE, icon_strokes
from mien.html.images import Format, data_uri, encode_image
from mien.labels import VOTES, label_colour
from mien.text import (
    describe_label,
    format_decimal,
    format_duration,
    format_percent,
    format_probability,
    format_time,
)

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: object) -> str:
    """HTML of a template, by its path below ``templates``. Values are escaped unless they are ``Markup``.

    A value that a template needs and does not receive raises ``jinja2.UndefinedError``.
    """
    return environment().get_template(template).render(**values)


def render_macro(macro: str, *positional: object, template: str = "macros.html", **values: object) -> str:
    """HTML of one macro of a template."""
    module: Any = environment().get_template(template).module
    return str(getattr(module, macro)(*positional, **values))


@cache
def environment() -> Environment:
    # Imported here: importing mien.html must not import Jinja2.
    from jinja2 import Environment, PackageLoader, StrictUndefined

    created = Environment(
        loader=PackageLoader("mien.html"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    created.filters |= {
        "percent": lambda part, digits=1: format_percent(part, digits, no_break=True),
        "decimal": format_decimal,
        "describe_label": describe_label,
        "duration": format_duration,
        "probability": lambda part: format_probability(part, no_break=True),
        "thousands": "{:,}".format,
        "time": format_time,
    }
    created.globals |= {
        "asset": lambda name: Markup(read_asset(name)),
        "colour": lambda label, labels=(): label_colour(label, tuple(labels)),
        "content_security_policy": content_security_policy,
        "icon_side": ICON_SIDE,
        "icon_strokes": icon_strokes,
        "style_sheet": lambda: Markup(style_sheet()),
        "version": __version__,
    }
    return created


@cache
def read_asset(name: str) -> str:
    """Text of a style sheet or script, by its path below ``templates``."""
    return files("mien.html").joinpath("templates", *name.split("/")).read_text("utf-8")


@cache
def style_sheet() -> str:
    """CSS of every page: the colours of the expressions as ``--happy`` and so on, then ``style.css``."""
    colours = " ".join(f"--{label}: {label_colour(label)};" for label in VOTES)
    return f":root {{ {colours} }}\n{files('mien.html').joinpath('style.css').read_text('utf-8')}"


@cache
def style_colours(*, dark: bool = False) -> dict[str, str]:
    """Colours of ``style.css`` by name (``ink``, ``paper``, ``accent``, ...) as ``#rrggbb``, for other interfaces."""
    root = files("mien.html").joinpath("style.css").read_text("utf-8").split(":root {")[2 if dark else 1]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root.partition("}")[0]))


def content_security_policy(script: str) -> str:
    """Content security policy of a standalone page: its own script, and images and videos stored beside it."""
    beside = "'self' file: data: blob:"
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    return (
        f"default-src 'none'; img-src {beside}; media-src {beside}; font-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; connect-src 'self'; base-uri 'none'; form-action 'self'"
    )


# The standalone page and its components, for code without a template of its own


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
