"""Free portraits that every window offers to people without a photo; credits are in ``examples/CREDITS.md``."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

#: The file name of each sample, and its title in a window.
SAMPLES = (
    ("portraits.jpg", "Two portraits"),
    ("astronaut.jpg", "An astronaut"),
    ("hopper.jpg", "An officer"),
)

#: The credit to show beside the samples.
CREDIT = "Eileen Collins (NASA) and Grace Hopper (United States Navy); both portraits are in the public domain."


def sample_paths() -> dict[str, Path]:
    """The file of each sample, by its title."""
    return {title: Path(str(_folder().joinpath(name))) for name, title in SAMPLES}


def load_sample_files() -> dict[str, bytes]:
    """Every image file by its name: the samples, and each as a small image, ``...-small.jpg``."""
    return {file.name: file.read_bytes() for file in _folder().iterdir() if file.name.endswith(".jpg")}


def _folder() -> Traversable:
    return files("mien.apps.session.samples")
