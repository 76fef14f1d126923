"""The confusion matrix: what was shown against what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from mien.plots.style import GRID, INK, MUTED, RIGHT, WRONG, axes, styled


@styled
def confusion(counts: NDArray[np.integer[Any]], labels: Sequence[str], *, shares: bool = False) -> Figure:
    """Counts (K, K), a row for each label, a column for each answer; ``shares`` writes parts of the row instead.

    Blue is right, red is wrong, and the depth is the part of the row, so that a rare expression is as plain as a
    common one.
    """
    size = 2.2 + 0.62 * len(labels)
    title = "Confusion matrix (percent of each row)" if shares else "Confusion matrix (counts)"
    figure, ax = axes(size + 0.1, size, title)
    parts = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for (row, column), part in np.ndenumerate(parts):
        words = f"{100 * part:.0f}" if shares else f"{counts[row, column]}"
        _cell(ax, row, column, part, words)
    _frame(ax, labels, counts.sum(1))
    return figure


def _cell(ax: Axes, row: int, column: int, part: float, words: str) -> None:
    depth = part**0.7 if part else 0.0  # small mistakes stay visible
    hue = RIGHT if row == column else WRONG
    place = (column + 0.03, row + 0.03)
    ax.add_patch(Rectangle(place, 0.94, 0.94, facecolor="none", edgecolor=GRID, linewidth=0.8))
    ax.add_patch(Rectangle(place, 0.94, 0.94, facecolor=hue, alpha=depth, linewidth=0))
    ink = "white" if depth > 0.75 else INK if part >= 0.005 else MUTED
    ax.text(
        column + 0.5, row + 0.5, words, color=ink, ha="center", va="center", weight="bold" if row == column else None
    )


def _frame(ax: Axes, labels: Sequence[str], support: NDArray[np.integer[Any]]) -> None:
    places = np.arange(len(labels)) + 0.5
    ax.set(xlim=(0, len(labels)), ylim=(len(labels), 0), aspect="equal")
    ax.set_xticks(places, labels, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, [f"{label}\n{count:,} faces" for label, count in zip(labels, support, strict=True)])
    for tick in ax.get_yticklabels():
        tick.set_linespacing(1.25)
    ax.set(xlabel="prediction", ylabel="label")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
