"""Curves over the faces of one split: ROC, precision and recall, reliability, coverage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.labels import label_colour
from mien.plots.style import GRID, INK, MUTED, RIGHT, WRONG, format_percent_axes, new_axes, new_figure, with_style

Numbers = NDArray[np.floating[Any]]


class PlotCurve(NamedTuple):
    """One line of a figure: its points, and the number that sums it up. ``mean`` lines are drawn in ink."""

    name: str
    x: Numbers
    y: Numbers
    value: float
    mean: bool = False


@with_style
def plot_roc(curves: Sequence[PlotCurve]) -> Figure:
    """Right alarms against false ones, a line for each class; ``value`` is the area under it."""
    figure, ax = new_axes(6.4, 5.4, "ROC curve of each expression")
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    _lines(ax, curves)
    ax.set_aspect("equal")
    _unit_square(ax, "false positive rate", "true positive rate (recall)")
    handles, words = _ranked(ax)
    ax.legend(handles, words, title="area under the curve", loc="lower right", alignment="left")
    return figure


@with_style
def plot_precision_recall(curves: Sequence[PlotCurve]) -> Figure:
    """Precision against recall, a line for each class; ``value`` is the average precision."""
    figure, ax = new_axes(6.4, 4.6, "Precision and recall of each expression")
    _lines(ax, curves)
    _unit_square(ax, "recall", "precision")
    handles, words = _ranked(ax)
    figure.legend(handles, words, title="average precision", loc="outside right upper", alignment="left")
    return figure


@with_style
def plot_reliability(certain: Numbers, right: Numbers, error: float, certainties: Numbers) -> Figure:
    """Accuracy against the certainty claimed, by bin (bins,), and below it how the top shares (N,) are spread.

    ``error`` is the expected calibration error.
    """
    figure = new_figure(5.6, 6.0)
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
    format_percent_axes(top.xaxis, top.yaxis)
    return figure


@with_style
def plot_coverage(part: Numbers, right: Numbers, told: Sequence[float] = (0.5, 0.7, 0.9, 1.0)) -> Figure:
    """Accuracy among the most certain ``part`` of the faces; both (N,), rising in ``part``."""
    figure, ax = new_axes(6.4, 4.2, "Accuracy against coverage")
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
    format_percent_axes(ax.xaxis, ax.yaxis)
    return figure


def _lines(ax: Axes, curves: Sequence[PlotCurve]) -> None:
    styles = iter(((0, (5, 2)), (0, (1.5, 1.5))))
    for curve in curves:
        look = {"color": INK, "linestyle": next(styles)} if curve.mean else {"color": label_colour(curve.name)}
        ax.plot(curve.x, curve.y, linewidth=1.6, label=f"{curve.value:.3f}  {curve.name}", **look)


def _unit_square(ax: Axes, across: str, up: str) -> None:
    ax.set(xlabel=across, ylabel=up, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.grid(color=GRID)
    format_percent_axes(ax.xaxis, ax.yaxis)


def _ranked(ax: Axes) -> tuple[list[Any], list[str]]:
    """Handles and words of the legend, the largest number first."""
    pairs = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1], reverse=True)
    return [handle for handle, _ in pairs], [words for _, words in pairs]


# ==== mien.plots.matrix
# The confusion matrix: what was shown against what was answered.


@with_style
def plot_confusion(counts: NDArray[np.integer[Any]], labels: Sequence[str], *, shares: bool = False) -> Figure:
    """Counts (K, K), a row for each label, a column for each answer; ``shares`` writes parts of the row instead.

    Blue is right, red is wrong, and the depth is the part of the row, so that a rare expression is as plain as a
    common one.
    """
    size = 2.2 + 0.62 * len(labels)
    title = "Confusion matrix (percent of each row)" if shares else "Confusion matrix (counts)"
    figure, ax = new_axes(size + 0.1, size, title)
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


# ==== mien.plots.faces
# Sheets of faces with words and votes beside them.

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


@with_style
def plot_mistakes(worst: Sequence[Mistake], columns: int = 3) -> Figure:
    """Each face with its label, the answer, and what people said: a square for each of them, in its colour."""
    rows = max(-(-len(worst) // columns), 1)
    figure = new_figure(3.3 * columns, 1.3 * rows + 0.5)
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
    ax.text(1.09, 0.13, mistake.answer, color=label_colour(mistake.answer), weight="bold", va="center", fontsize=11)
    ax.text(2.47, 0.13, f"{100 * mistake.certainty:.0f} %", color=INK, va="center", ha="right")
    ax.text(1.09, 0.33, f"label: {mistake.label}", color=INK, va="center", fontsize=9)
    ax.text(2.47, 0.33, f"{100 * mistake.doubt:.0f} %", color=MUTED, va="center", ha="right", fontsize=9)


def _squares(ax: Axes, votes: Mapping[str, int]) -> None:
    said = [answer for answer, count in rank_votes(votes) for _ in range(count)]
    for place, answer in enumerate(said):
        hue = vote_colour(answer)
        ax.add_patch(Rectangle((1.09 + 1.38 * place / len(said), 0.5), 1.38 / len(said) - 0.025, 0.13, color=hue, lw=0))
    words = ", ".join(f"{count} {answer}" for answer, count in rank_votes(votes)[:3]) or "no votes"
    ax.text(1.09, 0.8, words, color=MUTED, va="center", fontsize=7.5)


def rank_votes(votes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The answers that somebody gave, the most frequent first."""
    return sorted(((answer, count) for answer, count in votes.items() if count), key=lambda pair: -pair[1])


def vote_colour(answer: str) -> str:
    """An expression's colour; gray for people who could not tell, or saw no face."""
    return _NOTHING_SEEN if answer in ("unknown", "no face") else label_colour(answer)
