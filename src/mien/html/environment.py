"""The Jinja2 environment of all pages, and the package files that templates include."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from mien._version import __version__
from mien.html.icons import ICON_SIDE, icon_strokes
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
    from markupsafe import Markup

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
