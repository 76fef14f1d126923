"""Can maps be believed? Curves of taking away and bringing back, what is left with shuffled weights, who agrees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.plots.style import INK, MUTED, RIGHT, format_percent_axes, new_axes, with_style
from mien.plots.training import HUES

#: How the lines of maps that know nothing of the model are broken.
_DASHES = ((0, (1, 1.5)), (0, (4, 2)), (0, (6, 2, 1, 2)))


@with_style
def plot_deletion(methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> Figure:
    """Mean share of the answer while the face is taken away, what a map points at first; the areas in the legend."""
    figure, ax = new_axes(5.6, 4.4, "Deletion: lower is better")
    _lines(ax, methods, baselines)
    ax.set(xlabel="part of the face deleted", ylabel="probability of the prediction")
    ax.legend(loc="upper right", title="area", alignment="left")
    return figure


@with_style
def plot_insertion(methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> Figure:
    """The same while it is brought back."""
    figure, ax = new_axes(5.6, 4.4, "Insertion: higher is better")
    _lines(ax, methods, baselines)
    ax.set(xlabel="part of the face inserted", ylabel="probability of the prediction")
    ax.legend(loc="lower right", title="area", alignment="left")
    return figure


@with_style
def plot_weight_randomization(layers: Sequence[str], likeness: Mapping[str, Sequence[float]], most: float) -> Figure:
    """How alike each method's map is to the true one, with the weights shuffled down to each of ``layers``."""
    figure, ax = new_axes(7.2, 4.0, "Model randomisation: similarity after shuffling the weights")
    places = np.arange(len(layers) + 1)
    for hue, (name, values) in zip(HUES, likeness.items(), strict=False):
        ax.plot(places, [1.0, *values], "o-", color=hue, markersize=4, label=name)
    ax.axhline(most, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    ax.annotate(
        "limit for the last value", (places[-1], most), (0, 4), textcoords="offset points", ha="right", color=MUTED
    )
    ax.set_xticks(places, ["none", *layers], rotation=35, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set(xlabel="layers shuffled, from the last one to", ylabel="similarity to the original map", ylim=(0, 1.04))
    ax.legend(loc="upper right")
    return figure


@with_style
def plot_agreement(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """How alike the maps of two methods are, as rank correlation; blue is alike, and the depth says how much."""
    names = list(table)
    size = 1.9 + 0.62 * len(names)
    figure, ax = new_axes(size + 0.2, size, "Similarity of the maps (rank correlation)")
    values = np.array([[table[name][other] for other in names] for name in names])
    for (row, column), value in np.ndenumerate(values):
        depth = max(float(value), 0.0)
        ax.fill_between([column, column + 0.94], row, row + 0.94, color=RIGHT, alpha=depth * 0.9, linewidth=0)
        ink = "white" if depth > 0.65 else INK
        ax.text(
            column + 0.47,
            row + 0.5,
            f"{value + 0.0:.2f}".replace("-0.00", "0.00"),
            color=ink,
            ha="center",
            va="center",
            fontsize=9,
        )
    places = np.arange(len(names)) + 0.47
    ax.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal")
    ax.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(places, names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


def _lines(ax: Axes, methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> None:
    for dash, (name, values) in zip(_DASHES, baselines.items(), strict=False):
        _line(ax, name, values, color=MUTED, linestyle=dash, linewidth=1.3)
    for hue, (name, values) in zip(HUES, methods.items(), strict=False):
        _line(ax, name, values, color=hue)
    ax.set(xlim=(0, 1), ylim=(0, None))
    format_percent_axes(ax.xaxis, ax.yaxis)


def _line(ax: Axes, name: str, values: Sequence[float], **look: Any) -> None:
    heights = np.asarray(values)
    under = float((heights[:-1] + heights[1:]).mean() / 2)
    ax.plot(np.linspace(0, 1, len(heights)), heights, label=f"{under:.3f}  {name}", **look)
