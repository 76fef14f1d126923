"""Free portraits that every window offers to those who have no photo at hand; ``examples/CREDITS.md`` says of whom."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

#: The file's name, and what it is called in a window.
SAMPLES = (
    ("portraits.jpg", "Two portraits"),
    ("astronaut.jpg", "An astronaut"),
    ("hopper.jpg", "An officer"),
)

#: Said wherever they are shown.
CREDIT = "Eileen Collins (NASA) and Grace Hopper (United States Navy); both portraits are in the public domain."


def paths() -> dict[str, Path]:
    """Each sample's file, by what it is called."""
    return {called: Path(str(_folder().joinpath(name))) for name, called in SAMPLES}


def pictures() -> dict[str, bytes]:
    """Every file by its name: the samples, and each as a small picture, ``...-small.jpg``."""
    return {each.name: each.read_bytes() for each in _folder().iterdir() if each.name.endswith(".jpg")}


def _folder() -> Traversable:
    return files("mien.apps.session.samples")
