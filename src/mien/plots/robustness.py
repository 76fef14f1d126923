"""Plots of robustness: accuracy under corruption, and accuracy by group with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.plots.style import INK, MUTED, format_percent_axes, new_axes, new_figure, with_style
from mien.plots.training import COLOURS

#: Panels in a row.
_COLUMNS = 3


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
    rows = -(-len(panels) // _COLUMNS)
    figure = new_figure(3.1 * _COLUMNS, 2.25 * rows + 0.4)
    grid = figure.subplots(rows, _COLUMNS, sharey=True, squeeze=False).ravel()
    for ax, panel in zip(grid, panels, strict=False):
        _plot_curves(ax, panel)
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
    _plot_curves(ax, panel)
    if len(panel.lines) > 1:
        ax.legend(loc="lower left", handlelength=1.4)
    return figure


def _plot_curves(ax: Axes, panel: CorruptionPanel) -> None:
    for colour, (name, values) in zip(COLOURS * len(panel.lines), panel.lines.items(), strict=False):
        ax.plot(range(len(values)), values, "o-", color=colour, markersize=4, label=name)
    ax.set_xticks(range(len(panel.severities)), panel.severities, fontsize=8)
    ax.set_ylim(0, 1)
    format_percent_axes(ax.yaxis)


@with_style
def plot_groups(columns: Mapping[str, Mapping[str, Sequence[GroupInterval]]], metric: str) -> Figure:
    """A row for each group of each column, and in it the metric of each model with its interval."""
    rows = sum(len(next(iter(models.values()))) for models in columns.values()) + len(columns)
    figure = new_figure(7.2, 0.27 * rows + 0.9)
    ax = figure.add_subplot()
    names, row = [], 0.0
    for column, models in columns.items():
        names.append((row, column, True))
        for number, interval in enumerate(next(iter(models.values())), 1):
            names.append((row + number, f"{interval.group}  ({interval.faces:,})", False))
        for offset, (colour, intervals) in enumerate(zip(COLOURS * len(models), models.values(), strict=False)):
            y = row + 1 + np.arange(len(intervals)) + 0.28 * (offset - (len(models) - 1) / 2)
            ax.hlines(
                y,
                [each.low for each in intervals],
                [each.high for each in intervals],
                color=colour,
                linewidth=3,
                alpha=0.35,
            )
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
