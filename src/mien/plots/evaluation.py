"""Plots of an evaluation: ROC, precision-recall, reliability, coverage, confusion matrix, errors with their votes."""

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
from mien.plots.style import BLUE, GRID, INK, MUTED, RED, format_percent_axes, new_axes, new_figure, with_style

Numbers = NDArray[np.floating[Any]]


class PlotCurve(NamedTuple):
    """One curve: its points, and a summary such as the area below it. ``mean`` is true for a mean over classes."""

    name: str
    x: Numbers
    y: Numbers
    value: float
    mean: bool = False


@with_style
def plot_roc(curves: Sequence[PlotCurve]) -> Figure:
    """True against false positive rate, a curve for each class; ``value`` is the area under the curve."""
    figure, ax = new_axes(6.4, 5.4, "ROC curve of each expression")
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    _plot_curves(ax, curves)
    ax.set_aspect("equal")
    _set_unit_square(ax, "false positive rate", "true positive rate (recall)")
    handles, texts = _rank_legend(ax)
    ax.legend(handles, texts, title="area under the curve", loc="lower right", alignment="left")
    return figure


@with_style
def plot_precision_recall(curves: Sequence[PlotCurve]) -> Figure:
    """Precision against recall, a curve for each class; ``value`` is the average precision."""
    figure, ax = new_axes(6.4, 4.6, "Precision and recall of each expression")
    _plot_curves(ax, curves)
    _set_unit_square(ax, "recall", "precision")
    handles, texts = _rank_legend(ax)
    figure.legend(handles, texts, title="average precision", loc="outside right upper", alignment="left")
    return figure


@with_style
def plot_reliability(confidence: Numbers, accuracy: Numbers, error: float, confidences: Numbers) -> Figure:
    """Accuracy against confidence by bin ``(bins,)``, and a histogram of the ``confidences (N,)`` of all faces.

    ``error`` is the expected calibration error.
    """
    figure = new_figure(5.6, 6.0)
    top, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    top.set_title("Reliability diagram")
    top.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (1, 3)))
    low, high = np.minimum(confidence, accuracy), np.maximum(confidence, accuracy)
    top.vlines(confidence, low, high, color=RED, linewidth=5, alpha=0.35)
    top.plot(confidence, accuracy, "o-", color=BLUE, markersize=5)
    top.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1))
    top.text(0.04, 0.93, f"calibration error (ECE) {100 * error:.1f} %", weight="bold", transform=top.transAxes)
    top.text(0.04, 0.875, "bars: accuracy minus confidence, by bin", color=MUTED, fontsize=9, transform=top.transAxes)
    below.hist(confidences, bins=np.linspace(0, 1, 41), color=BLUE, alpha=0.75)
    below.yaxis.set_major_locator(MaxNLocator(3, prune="lower", integer=True))
    below.set(xlabel="confidence: the largest probability", ylabel="faces")
    format_percent_axes(top.xaxis, top.yaxis)
    return figure


@with_style
def plot_coverage(coverage: Numbers, accuracy: Numbers, annotated: Sequence[float] = (0.5, 0.7, 0.9, 1.0)) -> Figure:
    """Accuracy among the faces with the highest confidence; both ``(N,)``, in the order of ``coverage``."""
    figure, ax = new_axes(6.4, 4.2, "Accuracy against coverage")
    start = int(np.searchsorted(coverage, min(0.05, coverage[-1])))  # a few faces say nothing about accuracy
    ax.plot(coverage[start:], accuracy[start:], color=BLUE)
    for at in annotated:
        height = float(accuracy[min(int(np.searchsorted(coverage, at)), len(coverage) - 1)])
        ax.plot(at, height, "o", color=BLUE, markersize=6)
        label = f"{100 * height:.1f} %"
        ax.annotate(label, (at, height), (5, 6), textcoords="offset points", weight="bold", fontsize=9)
    lowest = float(accuracy[start:].min())
    ax.set(xlabel="coverage: part of the faces, by confidence", ylabel="accuracy")
    ax.set(xlim=(0, 1.1), ylim=(max(lowest - 0.08, 0), min(float(accuracy[start:].max()) + 0.08, 1.05)))
    format_percent_axes(ax.xaxis, ax.yaxis)
    return figure


def _plot_curves(ax: Axes, curves: Sequence[PlotCurve]) -> None:
    styles = iter(((0, (5, 2)), (0, (1.5, 1.5))))
    for curve in curves:
        style = {"color": INK, "linestyle": next(styles)} if curve.mean else {"color": label_colour(curve.name)}
        ax.plot(curve.x, curve.y, linewidth=1.6, label=f"{curve.value:.3f}  {curve.name}", **style)


def _set_unit_square(ax: Axes, x_label: str, y_label: str) -> None:
    ax.set(xlabel=x_label, ylabel=y_label, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.grid(color=GRID)
    format_percent_axes(ax.xaxis, ax.yaxis)


def _rank_legend(ax: Axes) -> tuple[list[Any], list[str]]:
    """Handles and texts of the legend, the largest value first."""
    pairs = sorted(zip(*ax.get_legend_handles_labels(), strict=True), key=lambda pair: pair[1], reverse=True)
    return [handle for handle, _ in pairs], [text for _, text in pairs]


@with_style
def plot_confusion(counts: NDArray[np.integer[Any]], labels: Sequence[str], *, normalized: bool = False) -> Figure:
    """Counts ``(K, K)``, a row for each label, a column for each prediction; ``normalized`` shows percent of the row.

    Correct predictions are blue, errors red. The intensity is the part of the row, so that rare classes are as visible
    as frequent ones.
    """
    size = 2.2 + 0.62 * len(labels)
    title = "Confusion matrix (percent of each row)" if normalized else "Confusion matrix (counts)"
    figure, ax = new_axes(size + 0.1, size, title)
    parts = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    for (row, column), part in np.ndenumerate(parts):
        text = f"{100 * part:.0f}" if normalized else f"{counts[row, column]}"
        _draw_cell(ax, row, column, part, text)
    _label_matrix(ax, labels, counts.sum(1))
    return figure


def _draw_cell(ax: Axes, row: int, column: int, part: float, text: str) -> None:
    alpha = part**0.7 if part else 0.0  # rare errors stay visible
    colour = BLUE if row == column else RED
    corner = (column + 0.03, row + 0.03)
    ax.add_patch(Rectangle(corner, 0.94, 0.94, facecolor="none", edgecolor=GRID, linewidth=0.8))
    ax.add_patch(Rectangle(corner, 0.94, 0.94, facecolor=colour, alpha=alpha, linewidth=0))
    ink = "white" if alpha > 0.75 else INK if part >= 0.005 else MUTED
    ax.text(
        column + 0.5, row + 0.5, text, color=ink, ha="center", va="center", weight="bold" if row == column else None
    )


def _label_matrix(ax: Axes, labels: Sequence[str], support: NDArray[np.integer[Any]]) -> None:
    centres = np.arange(len(labels)) + 0.5
    ax.set(xlim=(0, len(labels)), ylim=(len(labels), 0), aspect="equal")
    ax.set_xticks(centres, labels, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(centres, [f"{label}\n{count:,} faces" for label, count in zip(labels, support, strict=True)])
    for tick in ax.get_yticklabels():
        tick.set_linespacing(1.25)
    ax.set(xlabel="prediction", ylabel="label")
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


#: Colour of votes for "unknown" and "no face".
_NO_EXPRESSION = "#b9bec5"


class Mistake(NamedTuple):
    """A face with a wrong prediction.

    ``pixels`` are uint8 ``(H, W)``; ``confidence`` is the probability of the prediction; ``votes`` count the
    annotator votes, and are empty without them.
    """

    pixels: NDArray[np.uint8]
    label: str
    prediction: str
    confidence: float
    label_probability: float
    votes: Mapping[str, int]


@with_style
def plot_mistakes(mistakes: Sequence[Mistake], columns: int = 3) -> Figure:
    """Each face with its label, the prediction, and the annotator votes: one square for each vote, in its colour."""
    rows = max(-(-len(mistakes) // columns), 1)
    figure = new_figure(3.3 * columns, 1.3 * rows + 0.5)
    figure.suptitle(
        "Errors with the highest confidence (bold: prediction), and annotator votes",
        x=0.01,
        ha="left",
        fontsize=12,
        weight="bold",
    )
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax in grid:
        ax.set(xlim=(0, 2.5), ylim=(1, 0), aspect="equal")
        ax.axis("off")
    for ax, mistake in zip(grid, mistakes, strict=False):
        _draw_face(ax, mistake.pixels)
        _write_labels(ax, mistake)
        _draw_votes(ax, mistake.votes)
    return figure


def _draw_face(ax: Axes, pixels: NDArray[np.uint8]) -> None:
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0), interpolation="lanczos")
    ax.set(xlim=(0, 2.5), ylim=(1, 0))


def _write_labels(ax: Axes, mistake: Mistake) -> None:
    ax.text(
        1.09, 0.13, mistake.prediction, color=label_colour(mistake.prediction), weight="bold", va="center", fontsize=11
    )
    ax.text(2.47, 0.13, f"{100 * mistake.confidence:.0f} %", color=INK, va="center", ha="right")
    ax.text(1.09, 0.33, f"label: {mistake.label}", color=INK, va="center", fontsize=9)
    ax.text(2.47, 0.33, f"{100 * mistake.label_probability:.0f} %", color=MUTED, va="center", ha="right", fontsize=9)


def _draw_votes(ax: Axes, votes: Mapping[str, int]) -> None:
    answers = [answer for answer, count in rank_votes(votes) for _ in range(count)]
    width = 1.38 / max(len(answers), 1)
    for index, answer in enumerate(answers):
        square = Rectangle((1.09 + width * index, 0.5), width - 0.025, 0.13, color=vote_colour(answer), lw=0)
        ax.add_patch(square)
    text = ", ".join(f"{count} {answer}" for answer, count in rank_votes(votes)[:3]) or "no votes"
    ax.text(1.09, 0.8, text, color=MUTED, va="center", fontsize=7.5)


def rank_votes(votes: Mapping[str, int]) -> list[tuple[str, int]]:
    """The answers with votes, most votes first."""
    return sorted(((answer, count) for answer, count in votes.items() if count), key=lambda pair: -pair[1])


def vote_colour(answer: str) -> str:
    """The colour of an expression; gray for the answers "unknown" and "no face"."""
    return _NO_EXPRESSION if answer in ("unknown", "no face") else label_colour(answer)
