"""One face's reading as a piece of the page: HTML that Streamlit cleans, in colours that suit light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from html import escape

from mien import words
from mien.html import data_uri, icon_svg, style_colours
from mien.labels import colour
from mien.types import Reading, Share

#: Rules for the pieces below; grounds are mixed with the letters' own colour, and so follow the theme.
_STYLE = """
.mien-face { display: grid; grid-template-columns: auto 1fr; gap: .9rem 1rem; align-items: start; }
.mien-face > img { width: 5.5rem; height: 5.5rem; border-radius: .6rem; }
.mien-face h3 { font-size: 1.12rem; line-height: 1.3; font-weight: 650; margin: 0; padding: 0; }
.mien-face h3 small { display: block; font-weight: 400; font-size: .85rem; opacity: .72; margin-bottom: .15rem; }
.mien-face p { margin: .4rem 0 0; font-size: .95rem; line-height: 1.45; }
.mien-doubt { border-left: .2rem solid #d39b2a; padding-left: .6rem; }
.mien-wide { grid-column: 1 / -1; }
.mien-face .mien-bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: .3rem .7rem;
  margin: 0; padding: 0; align-items: center; font-size: .92rem; }
.mien-face .mien-bars dt, .mien-face .mien-bars dd { margin: 0; padding: 0; font-weight: 400; }
.mien-face .mien-bars dd + dd { text-align: right; font-variant-numeric: tabular-nums; }
.mien-track { display: block; height: .6rem; border-radius: .3rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 12%, transparent); }
.mien-track > i { display: block; height: 100%; border-radius: inherit; }
.mien-icon { width: 1.35em; height: 1.35em; vertical-align: -.3em; margin-right: .25em; flex: none; }
.mien-ten .mien-icon { margin: 0; }
.mien-ten { display: flex; flex-wrap: wrap; gap: .3rem; font-size: 1.3rem; }
.mien-note { border-left: .25rem solid #d39b2a; padding: .1rem 0 .1rem .9rem; max-width: 46rem; }
@media (max-width: 40rem) { .mien-face > img { width: 4.2rem; height: 4.2rem; } }
"""

#: Streamlit writes these too faintly to be read by everybody.
_CONTRAST = """
div[data-testid="stCaptionContainer"] { color: %(muted)s; opacity: 1; }
button[role="radio"][aria-checked="true"] p, div[data-testid="stCameraInput"] button,
div[data-testid="stCameraInput"] button span { color: %(ink)s; }
"""


def style(*, dark: bool) -> str:
    """The rules as an element."""
    return f"<style>{_STYLE}{_CONTRAST % style_colours(dark=dark)}</style>"


def card(reading: Reading, number: int, many: int, portrait: bytes) -> str:
    """What one face shows: what is seen first, what speaks against it, every share, and what ten people would say."""
    emotions = reading.emotions
    which = f"<small>Face {number} of {many}</small>" if many > 1 else ""
    picture = f"<img src='{data_uri(portrait, 'image/jpeg')}' alt='Face {number}'>" if portrait else ""
    told = "".join(f"<p class='mien-doubt'>{escape(each)}</p>" for each in words.doubts(reading))
    mixed = words.mixture(reading)
    told += f"<p>{escape(mixed)}</p>" if mixed else ""
    head = f"<h3>{which}{_icon(emotions.top, emotions.labels)} {_whole(words.headline(reading))}</h3>"
    people = ten(emotions.votes, words.ten_people(reading)) if emotions.votes else ""
    return (
        f"<section class='mien-face' aria-label='Face {number}'>{picture}<div>{head}{told}</div>"
        f"<div class='mien-wide'>{bars(emotions.ranked(), emotions.labels)}{people}</div></section>"
    )


def bars(shares: Sequence[Share], among: tuple[str, ...], *, faces: bool = True) -> str:
    """All shares as bars with their numbers, in the order given."""
    return f"<dl class='mien-bars'>{''.join(_bar(label, share, among, faces) for label, share in shares)}</dl>"


def ten(votes: Sequence[Share], told: str) -> str:
    """Ten small faces, and the sentence that says the same."""
    labels = tuple(label for label, _ in votes)
    drawn = "".join(_icon(label, labels) for label in words.of_ten(votes))
    return f"<p class='mien-ten' aria-hidden='true'>{drawn}</p><p>{escape(told)}</p>"


def _bar(label: str, share: float, among: tuple[str, ...], face: bool) -> str:
    name = f"{_icon(label, among)} {escape(label)}" if face else escape(label)
    fill = f"<i style='width:{100 * min(max(share, 0.0), 1.0):.1f}%;background:{colour(label, among)}'></i>"
    return (
        f"<dt>{name}</dt><dd aria-hidden='true'><span class='mien-track'>{fill}</span></dd>"
        f"<dd>{words.percent(share)}</dd>"
    )


def _whole(said: str) -> str:
    """A number and its sign are not torn apart at the end of a line."""
    return escape(said).replace(" %", "&nbsp;%").replace(" · ", "&nbsp;· ")


@lru_cache(maxsize=64)
def _icon(label: str, among: tuple[str, ...]) -> str:
    """As a picture: Streamlit takes drawings out of the HTML that it is given."""
    drawn = icon_svg(label, among).replace("<svg ", "<svg xmlns='http://www.w3.org/2000/svg' ", 1)
    return f"<img class='mien-icon' alt='' src='{data_uri(drawn.encode(), 'image/svg+xml')}'>"
