"""How models hold: accuracy as trouble grows, and figures by group with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.plots.style import INK, MUTED, format_percent_axes, new_axes, new_figure, with_style
from mien.plots.training import HUES

#: Panels side by side.
_ACROSS = 3


class CorruptionPanel(NamedTuple):
    """One kind of trouble: its title, the words of its strengths from none on, and by model a share for each."""

    title: str
    strengths: Sequence[str]
    lines: Mapping[str, Sequence[float]]


class GroupInterval(NamedTuple):
    """A share of one group, its 95 % interval, and how many faces it stands on."""

    group: str
    value: float
    low: float
    high: float
    faces: int


@with_style
def plot_corruptions(panels: Sequence[CorruptionPanel]) -> Figure:
    """A small figure for each kind of trouble, all on one scale, a line for each model."""
    down = -(-len(panels) // _ACROSS)
    figure = new_figure(3.1 * _ACROSS, 2.25 * down + 0.4)
    places = figure.subplots(down, _ACROSS, sharey=True, squeeze=False).ravel()
    for ax, panel in zip(places, panels, strict=False):
        _lines(ax, panel)
        ax.set_title(panel.title, fontsize=10, pad=6)
    for ax in places[len(panels) :]:
        ax.set_axis_off()
    handles, names = places[0].get_legend_handles_labels()
    if len(names) > 1:
        figure.legend(handles, names, loc="outside upper left", ncols=len(names))
    return figure


@with_style
def plot_corruption(panel: CorruptionPanel) -> Figure:
    """One kind of trouble by itself, for a page that puts its words beside it."""
    figure, ax = new_axes(4.2, 2.5)
    _lines(ax, panel)
    if len(panel.lines) > 1:
        ax.legend(loc="lower left", handlelength=1.4)
    return figure


def _lines(ax: Axes, panel: CorruptionPanel) -> None:
    for hue, (name, values) in zip(HUES * len(panel.lines), panel.lines.items(), strict=False):
        ax.plot(range(len(values)), values, "o-", color=hue, markersize=4, label=name)
    ax.set_xticks(range(len(panel.strengths)), panel.strengths, fontsize=8)
    ax.set_ylim(0, 1)
    format_percent_axes(ax.yaxis)


@with_style
def plot_groups(columns: Mapping[str, Mapping[str, Sequence[GroupInterval]]], told: str) -> Figure:
    """A row for each group of each column, a dot with its interval for each model; pale where faces are few."""
    rows = sum(len(next(iter(models.values()))) for models in columns.values()) + len(columns)
    figure = new_figure(7.2, 0.27 * rows + 0.9)
    ax = figure.add_subplot()
    names, place = [], 0.0
    for column, models in columns.items():
        names.append((place, column, True))
        for number, dot in enumerate(next(iter(models.values())), 1):
            names.append((place + number, f"{dot.group}  ({dot.faces:,})", False))
        for offset, (hue, dots) in enumerate(zip(HUES * len(models), models.values(), strict=False)):
            at = place + 1 + np.arange(len(dots)) + 0.28 * (offset - (len(models) - 1) / 2)
            ax.hlines(at, [dot.low for dot in dots], [dot.high for dot in dots], color=hue, linewidth=3, alpha=0.35)
            ax.plot([dot.value for dot in dots], at, "o", color=hue, markersize=5)
        place += len(next(iter(models.values()))) + 1.0
    ax.set_ylim(place - 0.4, -0.6)
    ax.set_yticks([at for at, _, _ in names], [name for _, name, _ in names])
    for label, (_, _, head) in zip(ax.get_yticklabels(), names, strict=True):
        label.set_fontweight("bold" if head else "normal")
        label.set_color(INK if head else MUTED)
    ax.grid(visible=False, axis="y")
    ax.set_xlabel(f"{told}, with its 95 % interval")
    format_percent_axes(ax.xaxis)
    return figure
