"""Sheets of faces with words and votes beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mien.labels import colour
from mien.plots.style import INK, MUTED, sheet, styled

_NOTHING_SEEN = "#b9bec5"


class Mistake(NamedTuple):
    """A face that was answered wrongly.

    ``pixels`` uint8 (H, W); ``certainty`` is the share of the answer, ``doubt`` that of the label; ``votes`` count
    what people said, empty where nobody was asked.
    """

    pixels: NDArray[np.uint8]
    label: str
    answer: str
    certainty: float
    doubt: float
    votes: Mapping[str, int]


@styled
def mistakes(worst: Sequence[Mistake], columns: int = 3) -> Figure:
    """Each face with its label, the answer, and what people said: a square for each of them, in its colour."""
    rows = max(-(-len(worst) // columns), 1)
    figure = sheet(3.3 * columns, 1.3 * rows + 0.5)
    figure.suptitle(
        "Errors with the highest confidence (bold: prediction), and annotator votes",
        x=0.01,
        ha="left",
        fontsize=12,
        weight="bold",
    )
    places = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in places:
        ax.set(xlim=(0, 2.5), ylim=(1, 0), aspect="equal")
        ax.axis("off")
    for ax, mistake in zip(places, worst, strict=False):
        _face(ax, mistake.pixels)
        _words(ax, mistake)
        _squares(ax, mistake.votes)
    return figure


def _face(ax: Axes, pixels: NDArray[np.uint8]) -> None:
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0), interpolation="lanczos")
    ax.set(xlim=(0, 2.5), ylim=(1, 0))


def _words(ax: Axes, mistake: Mistake) -> None:
    ax.text(1.09, 0.13, mistake.answer, color=colour(mistake.answer), weight="bold", va="center", fontsize=11)
    ax.text(2.47, 0.13, f"{100 * mistake.certainty:.0f} %", color=INK, va="center", ha="right")
    ax.text(1.09, 0.33, f"label: {mistake.label}", color=INK, va="center", fontsize=9)
    ax.text(2.47, 0.33, f"{100 * mistake.doubt:.0f} %", color=MUTED, va="center", ha="right", fontsize=9)


def _squares(ax: Axes, votes: Mapping[str, int]) -> None:
    said = [answer for answer, count in ranked(votes) for _ in range(count)]
    for place, answer in enumerate(said):
        hue = shade(answer)
        ax.add_patch(Rectangle((1.09 + 1.38 * place / len(said), 0.5), 1.38 / len(said) - 0.025, 0.13, color=hue, lw=0))
    words = ", ".join(f"{count} {answer}" for answer, count in ranked(votes)[:3]) or "no votes"
    ax.text(1.09, 0.8, words, color=MUTED, va="center", fontsize=7.5)


def ranked(votes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The answers that somebody gave, the most frequent first."""
    return sorted(((answer, count) for answer, count in votes.items() if count), key=lambda pair: -pair[1])


def shade(answer: str) -> str:
    """An expression's colour; gray for people who could not tell, or saw no face."""
    return _NOTHING_SEEN if answer in ("unknown", "no face") else colour(answer)
