"""Plots of a map audit: deletion and insertion curves, weight randomization, similarity of the methods."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.plots.style import BLUE, INK, MUTED, format_percent_axes, new_axes, with_style
from mien.plots.training import COLOURS

#: Line styles of the baselines, which do not depend on the model.
_DASHES = ((0, (1, 1.5)), (0, (4, 2)), (0, (6, 2, 1, 2)))


@with_style
def plot_deletion(methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> Figure:
    """Mean probability while the face is deleted, the most important squares first; areas in the legend."""
    figure, ax = new_axes(5.6, 4.4, "Deletion: lower is better")
    _plot_curves(ax, methods, baselines)
    ax.set(xlabel="part of the face deleted", ylabel="probability of the prediction")
    ax.legend(loc="upper right", title="area", alignment="left")
    return figure


@with_style
def plot_insertion(methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> Figure:
    """Mean probability while the face is inserted into a blurred face, the most important squares first."""
    figure, ax = new_axes(5.6, 4.4, "Insertion: higher is better")
    _plot_curves(ax, methods, baselines)
    ax.set(xlabel="part of the face inserted", ylabel="probability of the prediction")
    ax.legend(loc="lower right", title="area", alignment="left")
    return figure


@with_style
def plot_weight_randomization(layers: Sequence[str], similarity: Mapping[str, Sequence[float]], limit: float) -> Figure:
    """Similarity of each method's map to the original one, with randomized weights down to each of ``layers``."""
    figure, ax = new_axes(7.2, 4.0, "Model randomization: similarity after randomizing the weights")
    positions = np.arange(len(layers) + 1)
    for colour, (name, values) in zip(COLOURS, similarity.items(), strict=False):
        ax.plot(positions, [1.0, *values], "o-", color=colour, markersize=4, label=name)
    ax.axhline(limit, color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
    ax.annotate(
        "limit for the last value", (positions[-1], limit), (0, 4), textcoords="offset points", ha="right", color=MUTED
    )
    ax.set_xticks(positions, ["none", *layers], rotation=35, ha="right", rotation_mode="anchor", fontsize=8)
    ax.set(xlabel="layers randomized, from the last one to", ylabel="similarity to the original map", ylim=(0, 1.04))
    ax.legend(loc="upper right")
    return figure


@with_style
def plot_agreement(table: Mapping[str, Mapping[str, float]]) -> Figure:
    """Rank correlation of the maps of two methods; the intensity of the blue is the correlation."""
    names = list(table)
    size = 1.9 + 0.62 * len(names)
    figure, ax = new_axes(size + 0.2, size, "Similarity of the maps (rank correlation)")
    values = np.array([[table[name][other] for other in names] for name in names])
    for (row, column), value in np.ndenumerate(values):
        alpha = max(float(value), 0.0)
        ax.fill_between([column, column + 0.94], row, row + 0.94, color=BLUE, alpha=alpha * 0.9, linewidth=0)
        ink = "white" if alpha > 0.65 else INK
        ax.text(
            column + 0.47,
            row + 0.5,
            f"{value + 0.0:.2f}".replace("-0.00", "0.00"),
            color=ink,
            ha="center",
            va="center",
            fontsize=9,
        )
    centres = np.arange(len(names)) + 0.47
    ax.set(xlim=(0, len(names)), ylim=(len(names), 0), aspect="equal")
    ax.set_xticks(centres, names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(centres, names)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


def _plot_curves(ax: Axes, methods: Mapping[str, Sequence[float]], baselines: Mapping[str, Sequence[float]]) -> None:
    for dashes, (name, values) in zip(_DASHES, baselines.items(), strict=False):
        _plot_curve(ax, name, values, color=MUTED, linestyle=dashes, linewidth=1.3)
    for colour, (name, values) in zip(COLOURS, methods.items(), strict=False):
        _plot_curve(ax, name, values, color=colour)
    ax.set(xlim=(0, 1), ylim=(0, None))
    format_percent_axes(ax.xaxis, ax.yaxis)


def _plot_curve(ax: Axes, name: str, values: Sequence[float], **style: Any) -> None:
    heights = np.asarray(values)
    area = float((heights[:-1] + heights[1:]).mean() / 2)
    ax.plot(np.linspace(0, 1, len(heights)), heights, label=f"{area:.3f}  {name}", **style)
