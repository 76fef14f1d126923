"""The style sheet of every page."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from mien.labels import VOTES, colour


@cache
def sheet() -> str:
    """CSS: the expressions' colours as ``--happy`` and so on, then the sheet."""
    colours = " ".join(f"--{label}: {colour(label)};" for label in VOTES)
    return f":root {{ {colours} }}\n{files('mien.pages').joinpath('page.css').read_text('utf-8')}"
