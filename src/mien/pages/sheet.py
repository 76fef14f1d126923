"""The style sheet of every page."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

from mien.labels import VOTES, colour


@cache
def sheet() -> str:
    """CSS: the expressions' colours as ``--happy`` and so on, then the sheet."""
    colours = " ".join(f"--{label}: {colour(label)};" for label in VOTES)
    return f":root {{ {colours} }}\n{files('mien.pages').joinpath('page.css').read_text('utf-8')}"


@cache
def tones(*, dark: bool = False) -> dict[str, str]:
    """The sheet's own colours by name (``ink``, ``paper``, ``accent``, ...), for windows that are no page."""
    root = files("mien.pages").joinpath("page.css").read_text("utf-8").split(":root {")[2 if dark else 1]
    return dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", root.partition("}")[0]))
