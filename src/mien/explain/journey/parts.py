"""Small pieces of the journey, as strings of HTML without a single ``style`` attribute."""

from __future__ import annotations

from html import escape

from mien.html import format_percent

#: Bars take the size of the place they stand in.
_STRETCHED = "viewBox='0 0 100 10' preserveAspectRatio='none' aria-hidden='true'"


def thousands(number: int) -> str:
    """``1.2 million``, ``190 thousand``, ``42``."""
    if number >= 1_000_000:
        return f"{number / 1e6:.1f} million"
    return f"{number / 1e3:.0f} thousand" if number >= 10_000 else f"{number:,}"


def whole_percent(part: float) -> str:
    """``64 %``; what is not quite nothing is not called nothing."""
    return "under 1 %" if 0 < part < 0.005 else format_percent(part, 0)


def signed(value: float) -> str:
    """``+0.28`` or ``−0.12``."""
    return f"{'−' if value < 0 else '+'}{abs(value):.2f}"


def plain(value: float) -> str:
    return f"{'−' if value < 0 else ''}{abs(value):.2f}"


def strip(part: float, hue: str = "", mark: float | None = None) -> str:
    """A bar as wide as its place, filled to ``part``; ``mark`` is a thin line elsewhere on it."""
    fill = f" fill='{hue}'" if hue else ""
    line = "" if mark is None else f"<rect class='mark' x='{100 * mark:.1f}' width='.8' height='10'/>"
    return (
        f"<svg class='strip' {_STRETCHED}><rect class='ground' width='100' height='10'/>"
        f"<rect width='{100 * min(max(part, 0), 1):.2f}' height='10'{fill}/>{line}</svg>"
    )


def rung(begin: float, end: float, low: float, high: float) -> str:
    """A bar from ``begin`` to ``end`` on a scale from ``low`` to ``high``, which holds 0; it says which way it went."""
    unit = 100 / ((high - low) or 1.0)
    left, width = (min(begin, end) - low) * unit, abs(end - begin) * unit
    css = "less" if end < begin else "more"
    return (
        f"<svg class='strip rung' {_STRETCHED}><rect class='ground' width='100' height='10'/>"
        f"<rect class='middle' x='{-low * unit - 0.2:.2f}' width='.4' height='10'/>"
        f"<rect class='{css}' x='{left:.2f}' width='{max(width, 0.5):.2f}' height='10'/></svg>"
    )


def use(name: str, box: str, told: str = "", css: str = "") -> str:
    """A part of a picture in the store: ``box`` is ``x y width height`` in its pixels; ``told`` is it in words."""
    spoken = f"role='img' aria-label='{escape(told)}'" if told else "aria-hidden='true'"
    named = f" class='{css}'" if css else ""
    return f"<svg{named} viewBox='{box}' {spoken} focusable='false'><use href='#{name}'/></svg>"


def together(html: str, caption: str, css: str = "") -> str:
    """A figure with a caption of HTML."""
    return f"<figure class='{css}'>{html}<figcaption>{caption}</figcaption></figure>"
