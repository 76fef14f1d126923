"""One step of the journey."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """``words`` are its two sentences, ``html`` what is shown, ``thumb`` a small picture of it, all HTML.

    ``short``, ``eyebrow``, ``title`` and the words of ``facts`` are plain text; the facts' values are HTML.
    """

    key: str
    short: str
    eyebrow: str
    title: str
    words: str
    html: str
    thumb: str
    facts: tuple[tuple[str, str], ...] = ()
    aside: str = ""
    css: str = ""
