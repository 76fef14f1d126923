"""Curves over the faces of one split: ROC, precision and recall, reliability, coverage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.labels import colour
from mien.plots.style import GRID, INK, MUTED, RIGHT, WRONG, axes, percent, sheet, styled

Numbers = NDArray[np.floating[Any]]


class Curve(NamedTuple):
    """One line of a figure: its points, and the number that sums it up. ``mean`` lines are drawn in ink."""

    name: str
    x: Numbers
    y: Numbers
    value: float
    mean: bool = False


@styled
def roc(curves: Sequence[Curve]) -> Figure:
    """Right alarms against false ones, a line for each class; ``value`` is the area under it."""
    figure, ax = axes(6.4, 5.4, "ROC curve of each expression")
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    _lines(ax, curves)
    ax.set_aspect("equal")
    _unit_square(ax, "false positive rate", "true positive rate (recall)")
    handles, words = _ranked(ax)
    ax.legend(handles, words, title="area under the curve", loc="lower right", alignment="left")
    return figure


@styled
def precision_recall(curves: Sequence[Curve]) -> Figure:
    """Precision against recall, a line for each class; ``value`` is the average precision."""
    figure, ax = axes(6.4, 4.6, "Precision and recall of each expression")
    _lines(ax, curves)
    _unit_square(ax, "recall", "precision")
    handles, words = _ranked(ax)
    figure.legend(handles, words, title="average precision", loc="outside right upper", alignment="left")
    return figure


@styled
def reliability(certain: Numbers, right: Numbers, error: float, certainties: Numbers) -> Figure:
    """Accuracy against the certainty claimed, by bin (bins,), and below it how the top shares (N,) are spread.

    ``error`` is the expected calibration error.
    """
    figure = sheet(5.6, 6.0)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    top.set_title("Reliability diagram")
    top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    top.vlines(certain, np.minimum(certain, right), np.maximum(certain, right), color=WRONG, linewidth=5, alpha=0.35)
    top.plot(certain, right, "o-", color=RIGHT, markersize=5)
    top.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    top.text(0.04, 0.93, f"calibration error (ECE) {100 * error:.1f} %", weight="bold", transform=top.transAxes)
    top.text(0.04, 0.875, "bars: accuracy minus confidence, by bin", color=MUTED, fontsize=9, transform=top.transAxes)
    below.hist(certainties, bins=np.linspace(0, 1, 41), color=RIGHT, alpha=0.75)
    below.yaxis.set_major_locator(MaxNLocator(3, prune="lower", integer=True))
    below.set(xlabel="confidence: the largest probability", ylabel="faces")
    percent(top.xaxis, top.yaxis)
    return figure


@styled
def coverage(part: Numbers, right: Numbers, told: Sequence[float] = (0.5, 0.7, 0.9, 1.0)) -> Figure:
    """Accuracy among the most certain ``part`` of the faces; both (N,), rising in ``part``."""
    figure, ax = axes(6.4, 4.2, "Accuracy against coverage")
    start = int(np.searchsorted(part, min(0.05, part[-1])))  # of a handful of faces, accuracy says nothing
    ax.plot(part[start:], right[start:], color=RIGHT)
    for at in told:
        height = float(right[min(int(np.searchsorted(part, at)), len(part) - 1)])
        ax.plot(at, height, "o", color=RIGHT, markersize=6)
        label = f"{100 * height:.1f} %"
        ax.annotate(label, (at, height), (5, 6), textcoords="offset points", weight="bold", fontsize=9)
    lowest = float(right[start:].min())
    ax.set(xlabel="coverage: part of the faces, by confidence", ylabel="accuracy")
    ax.set(xlim=(0, 1.1), ylim=(max(lowest - 0.08, 0), min(float(right[start:].max()) + 0.08, 1.05)))
    percent(ax.xaxis, ax.yaxis)
    return figure


def _lines(ax: Axes, curves: Sequence[Curve]) -> None:
    styles = iter(((0, (5, 2)), (0, (1.5, 1.5))))
    for curve in curves:
        look = {"color": INK, "linestyle": next(styles)} if curve.mean else {"color": colour(curve.name)}
        ax.plot(curve.x, curve.y, linewidth=1.6, label=f"{curve.value:.3f}  {curve.name}", **look)


def _unit_square(ax: Axes, across: str, up: str) -> None:
    ax.set(xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.grid(color=GRID)
    percent(ax.xaxis, ax.yaxis)


def _ranked(ax: Axes) -> tuple[list[Any], list[str]]:
    """Handles and words of the legend, the largest number first."""
    pairs = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1], reverse=True)
    return [handle for handle, _ in pairs], [words for _, words in pairs]
