"""Small pieces of a page, as strings of HTML."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from mien._version import __version__
from mien.labels import colour
from mien.pages.icons import icon


def tiles(many: Iterable[str]) -> str:
    """A row of :func:`tile`."""
    return f"<div class='tiles'>{''.join(many)}</div>"


def tile(name: str, value: str, told: str = "") -> str:
    """One number that matters: what it is, the number, and what it means. Plain text."""
    small = f"<small>{escape(told)}</small>" if told else ""
    return f"<div class='tile'><span>{escape(name)}</span><b>{escape(value)}</b>{small}</div>"


def figure(html: str, caption: str = "", *, wide: bool = False) -> str:
    """An ``<img>`` or ``<svg>`` with its caption (plain text)."""
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure{' class=wide' * wide}>{html}{told}</figure>"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table that scrolls by itself where it is too wide. The head is plain text; cells are HTML."""
    heads = "".join(f"<th scope='col'>{escape(word)}</th>" for word in head)
    cells = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    # Who has no mouse scrolls it by keyboard.
    return (
        "<div class='scroll' tabindex='0' role='region' aria-label='Table'>"
        f"<table><thead><tr>{heads}</tr></thead><tbody>{cells}</tbody></table></div>"
    )


def named(name: str, *, face: bool = False, among: Sequence[str] = ()) -> str:
    """An expression's name with its colour; with ``face``, its small face instead of a dot."""
    if face:
        return f"<b class='label'>{icon(name, tuple(among))} {escape(name)}</b>"
    spot = f"<i class='dot' style='background:{colour(name, tuple(among))}'></i>"
    return f"<b class='label'>{spot}{escape(name)}</b>"


def bar(part: float, hue: str = "") -> str:
    """A short bar, 0 to 1, which says nothing to those who cannot see it: write the number beside it."""
    fill = f";background:{hue}" if hue else ""
    return (
        f"<span class='bar' aria-hidden='true'><i style='width:{100 * min(max(part, 0.0), 1.0):.1f}%{fill}'></i></span>"
    )


def note(html: str, *, warn: bool = False) -> str:
    """A remark that must not be overlooked."""
    return f"<p class='note{' warn' * warn}'>{html}</p>"


def footer(html: str = "") -> str:
    """The last line: who made the page, and what to mind."""
    return f"<footer>Made by mien {__version__}. {html}</footer>"


def percent(part: float, digits: int = 1) -> str:
    """``71.3 %``; the space does not break."""
    return f"{100 * part:.{digits}f}\u00a0%"
