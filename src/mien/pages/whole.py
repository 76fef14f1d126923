"""A page that stands by itself."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable
from html import escape
from urllib.parse import quote

from mien.labels import colour
from mien.pages.sheet import sheet

#: Two eyes and a smile: what the tab of a page shows.
_ICON = (
    "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 32 32'>"
    f"<circle cx='16' cy='16' r='15' fill='{colour('happy')}'/>"
    "<g fill='none' stroke='#1c2128' stroke-width='2.6' stroke-linecap='round'><path d='M11 11v3M21 11v3'/>"
    "<path d='M9 19c3 6 11 6 14 0'/></g></svg>"
)


def whole(title: str, body: Iterable[str], *, style: str = "", script: str = "") -> str:
    """A page of our style around these elements, which go inside ``<main>``.

    ``style`` comes behind the common sheet. ``script`` runs when the page has been read; the page forbids any other,
    and whatever would be fetched from elsewhere, so one that holds everything itself stays that way.
    """
    inside = "\n".join(body)
    last = f"\n<script>{script}</script>" if script else ""
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n{_head(title, style, script)}\n</head>\n'
        f"<body>\n<main>\n{inside}\n</main>{last}\n</body>\n</html>\n"
    )


def _head(title: str, style: str, script: str) -> str:
    return "\n".join(
        [
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{policy(script)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(title)}</title>",
            f'<link rel="icon" href="data:image/svg+xml,{quote(_ICON)}">',
            f"<style>\n{sheet()}{style}</style>",
        ]
    )


def policy(script: str) -> str:
    """What the page may load: what it holds, and pictures and films that lie beside it."""
    beside = "'self' file: data: blob:"
    allowed = f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" if script else "'none'"
    return (
        f"default-src 'none'; img-src {beside}; media-src {beside}; font-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; connect-src 'self'; base-uri 'none'; form-action 'self'"
    )
