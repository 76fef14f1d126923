"""Plots of an evaluation, of robustness and of a map audit.

The first are ROC, precision-recall, reliability, coverage, confusion matrix, and errors with their votes; then accuracy
under corruption and by group; then deletion, insertion, weight randomization and similarity of evidence maps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mien.labels import label_colour
from mien.plots.style import (
    BLUE,
    COLOURS,
    GRID,
    INK,
    MUTED,
    RED,
    format_percent_axes,
    label_cells,
    new_axes,
    new_figure,
    with_style,
)
from mien.text import format_percent

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
    handles, texts = _plot_curves(ax, curves, "false positive rate", "true positive rate (recall)")
    ax.set_aspect("equal")
    ax.legend(handles, texts, title="area under the curve", loc="lower right", alignment="left")
    return figure


@with_style
def plot_precision_recall(curves: Sequence[PlotCurve]) -> Figure:
    """Precision against recall, a curve for each class; ``value`` is the average precision."""
    figure, ax = new_axes(6.4, 4.6, "Precision and recall of each expression")
    handles, texts = _plot_curves(ax, curves, "recall", "precision")
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
    top.text(0.04, 0.93, f"calibration error (ECE) {format_percent(error, 1)}", weight="bold", transform=top.transAxes)
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
        label = format_percent(height, 1)
        ax.annotate(label, (at, height), (5, 6), textcoords="offset points", weight="bold", fontsize=9)
    lowest = float(accuracy[start:].min())
    ax.set(xlabel="coverage: part of the faces, by confidence", ylabel="accuracy")
    ax.set(xlim=(0, 1.1), ylim=(max(lowest - 0.08, 0), min(float(accuracy[start:].max()) + 0.08, 1.05)))
    format_percent_axes(ax.xaxis, ax.yaxis)
    return figure


def _plot_curves(ax: Axes, curves: Sequence[PlotCurve], x_label: str, y_label: str) -> tuple[list[Any], list[str]]:
    """Handles and texts of the legend, the largest value first."""
    styles = iter(((0, (5, 2)), (0, (1.5, 1.5))))
    for curve in curves:
        style = {"color": INK, "linestyle": next(styles)} if curve.mean else {"color": label_colour(curve.name)}
        ax.plot(curve.x, curve.y, linewidth=1.6, label=f"{curve.value:.3f}  {curve.name}", **style)
    ax.set(xlabel=x_label, ylabel=y_label, xlim=(-0.01, 1.01), ylim=(-0.01, 1.01))
    ax.grid(color=GRID)
    format_percent_axes(ax.xaxis, ax.yaxis)
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
    label_cells(ax, labels, [f"{label}\n{count:,} faces" for label, count in zip(labels, counts.sum(1), strict=True)])
    for tick in ax.get_yticklabels():
        tick.set_linespacing(1.25)
    ax.set(xlabel="prediction", ylabel="label")
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
        ax.imshow(mistake.pixels, cmap="gray", vmin=0, vmax=255, extent=(0, 1, 1, 0), interpolation="lanczos")
        ax.set(xlim=(0, 2.5), ylim=(1, 0))
        _write_labels(ax, mistake)
        _draw_votes(ax, mistake.votes)
    return figure


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


# Robustness

#: Panels in a row.
_PANEL_COLUMNS = 3


class CorruptionPanel(NamedTuple):
    """One corruption: its title, the names of its severities from none on, and the accuracies of each model."""

    title: str
    severities: Sequence[str]
    lines: Mapping[str, Sequence[float]]


class GroupInterval(NamedTuple):
    """A metric of one group, its 95 % interval, and the number of faces in the group."""

    group: str
    value: float
    low: float
    high: float
    faces: int


@with_style
def plot_corruptions(panels: Sequence[CorruptionPanel]) -> Figure:
    """A panel for each corruption, all with one scale, and in it a curve for each model."""
    rows = -(-len(panels) // _PANEL_COLUMNS)
    figure = new_figure(3.1 * _PANEL_COLUMNS, 2.25 * rows + 0.4)
    grid = figure.subplots(rows, _PANEL_COLUMNS, sharey=True, squeeze=False).ravel()
    for ax, panel in zip(grid, panels, strict=False):
        _plot_corruption(ax, panel)
        ax.set_title(panel.title, fontsize=10, pad=6)
    for ax in grid[len(panels) :]:
        ax.set_axis_off()
    handles, names = grid[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside upper left", ncols=len(names))
    return figure


@with_style
def plot_corruption(panel: CorruptionPanel) -> Figure:
    """One corruption, without a title, for a page."""
    figure, ax = new_axes(4.2, 2.5)
    _plot_corruption(ax, panel)
    if len(panel.lines) > 1:
        ax.legend(loc="lower left", handlelength=1.4)
    return figure


def _plot_corruption(ax: Axes, panel: CorruptionPanel) -> None:
    for colour, (name, values) in zip(COLOURS * len(panel.lines), panel.lines.items(), strict=False):
        ax.plot(range(len(values)), values, "o-", color=colour, markersize=4, label=name)
    ax.set_xticks(range(len(panel.severities)), panel.severities, fontsize=8)
    ax.set_ylim(0, 1)
    format_percent_axes(ax.yaxis)


@with_style
def plot_groups(columns: Mapping[str, Mapping[str, Sequence[GroupInterval]]], metric: str) -> Figure:
    """A row for each group of each column, and in it the metric of each model with its interval."""
    rows = sum(len(next(iter(models.values()))) for models in columns.values()) + len(columns)
    figure, ax = new_axes(7.2, 0.27 * rows + 0.9)
    names, row = [], 0.0
    for column, models in columns.items():
        names.append((row, column, True))
        for number, interval in enumerate(next(iter(models.values())), 1):
            names.append((row + number, f"{interval.group}  ({interval.faces:,})", False))
        for offset, (colour, intervals) in enumerate(zip(COLOURS * len(models), models.values(), strict=False)):
            y = row + 1 + np.arange(len(intervals)) + 0.28 * (offset - (len(models) - 1) / 2)
            low, high = [each.low for each in intervals], [each.high for each in intervals]
            ax.hlines(y, low, high, color=colour, linewidth=3, alpha=0.35)
            ax.plot([each.value for each in intervals], y, "o", color=colour, markersize=5)
        row += len(next(iter(models.values()))) + 1.0
    ax.set_ylim(row - 0.4, -0.6)
    ax.set_yticks([y for y, _, _ in names], [name for _, name, _ in names])
    for label, (_, _, is_column) in zip(ax.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if is_column else "normal")
        label.set_color(INK if is_column else MUTED)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"{metric}, with its 95 % interval")
    format_percent_axes(ax.xaxis)
    return figure


# Map audit

#: Heights of evenly spaced points by name.
Curves = Mapping[str, Sequence[float]]

#: Line styles of the baselines, which do not depend on the model.
_DASHES = ((0, (1, 1.5)), (0, (4, 2)), (0, (6, 2, 1, 2)))


@with_style
def plot_deletion(methods: Curves, baselines: Curves) -> Figure:
    """Mean probability while the face is deleted, the most important squares first; areas in the legend."""
    return _plot_faithfulness(
        "Deletion: lower is better", "part of the face deleted", "upper right", methods, baselines
    )


@with_style
def plot_insertion(methods: Curves, baselines: Curves) -> Figure:
    """Mean probability while the face is inserted into a blurred face, the most important squares first."""
    return _plot_faithfulness(
        "Insertion: higher is better", "part of the face inserted", "lower right", methods, baselines
    )


def _plot_faithfulness(
    title: str,
    x_label: str,
    legend: Literal["upper right", "lower right"],
    methods: Curves,
    baselines: Curves,
) -> Figure:
    figure, ax = new_axes(5.6, 4.4, title)
    styles: list[dict[str, Any]] = [
        {"color": MUTED, "linestyle": dashes, "linewidth": 1.3} for dashes, _ in zip(_DASHES, baselines, strict=False)
    ]
    styles += [{"color": colour} for colour in COLOURS]
    for style, (name, values) in zip(styles, [*baselines.items(), *methods.items()], strict=False):
        heights = np.asarray(values)
        area = float((heights[:-1] + heights[1:]).mean() / 2)
        ax.plot(np.linspace(0, 1, len(heights)), heights, label=f"{area:.3f}  {name}", **style)
    ax.set(xlim=(0, 1), ylim=(0, None))
    format_percent_axes(ax.xaxis, ax.yaxis)
    ax.set(xlabel=x_label, ylabel="probability of the prediction")
    ax.legend(loc=legend, title="area", alignment="left")
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
        text = f"{value + 0.0:.2f}".replace("-0.00", "0.00")
        ax.text(column + 0.47, row + 0.5, text, color=ink, ha="center", va="center", fontsize=9)
    label_cells(ax, names, names, 0.47)
    return figure
