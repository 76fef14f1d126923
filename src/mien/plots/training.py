"""Plots of training: curves by epoch, accuracy against speed of several models, and the trials of a search."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mien.plots.style import (
    BLUE,
    COLOURS,
    INK,
    MUTED,
    assign_colours,
    format_percent_axes,
    new_axes,
    new_figure,
    with_style,
)
from mien.text import format_percent

#: Vertical offsets of a name from its dot, in points, in the order of preference.
_OFFSETS = (4.0, -12.0, 18.0, -26.0, 32.0, -40.0)


@with_style
def plot_history(lines: Mapping[str, Sequence[float]], title: str, *, percent: bool = False, best: str = "") -> Figure:
    """One curve for each name, with a value for each epoch.

    ``percent`` is true for accuracies and false for losses. ``best`` names the curve whose best epoch is marked: the
    highest accuracy, or the lowest loss.
    """
    figure, ax = new_axes(6.4, 4.0, title)
    for colour, (name, values) in zip(COLOURS * len(lines), lines.items(), strict=False):
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=colour, marker="o" if len(values) < 2 else None)
        ax.annotate(name, (epochs[-1], values[-1]), (7, 0), textcoords="offset points", color=colour, va="center")
    if best:
        _mark_best(ax, lines[best], percent)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set(xlabel="epoch", xlim=(0.5, None))
    if percent:
        format_percent_axes(ax.yaxis)
    return figure


def _mark_best(ax: Axes, values: Sequence[float], percent: bool) -> None:
    epoch = int(np.nanargmax(values) if percent else np.nanargmin(values))
    value = format_percent(values[epoch], 1) if percent else f"{values[epoch]:.3f}"
    ax.plot(epoch + 1, values[epoch], "o", color=INK, markersize=5)
    ax.annotate(
        f"best: {value} in epoch {epoch + 1}",
        (epoch + 1, values[epoch]),
        (0, 11),
        textcoords="offset points",
        ha="right" if epoch > len(values) / 3 else "left",
        weight="bold",
        fontsize=9,
    )


class ModelPoint(NamedTuple):
    """A model: milliseconds for a face on one core, accuracy with its 95 % interval, file size in megabytes."""

    name: str
    milliseconds: float
    accuracy: float
    low: float
    high: float
    megabytes: float


@with_style
def plot_accuracy_and_speed(models: Sequence[ModelPoint], colours: Mapping[str, str] | None = None) -> Figure:
    """Accuracy with its interval against time for a face: up and left is better. The area of a dot is the file size.

    ``colours`` are those of the models by name, from ``assign_colours``; by default by their place.
    """
    colours = colours or assign_colours(model.name for model in models)
    figure, ax = new_axes(6.8, 4.6, "Accuracy against speed")
    for model in models:
        colour = colours[model.name]
        ax.plot([model.milliseconds] * 2, [model.low, model.high], color=colour, alpha=0.5, linewidth=2)
        ax.scatter(model.milliseconds, model.accuracy, s=_dot_area(model), color=colour, zorder=3)
    times = [model.milliseconds for model in models]
    ax.set_xscale("log")
    ax.set(xlabel="milliseconds for a face, on one core", ylabel="accuracy, with its 95 % interval")
    ax.set_xlim(min(times) / 1.6, max(times) * 2.2)
    ax.xaxis.set_major_locator(FixedLocator([n * 10.0**power for power in range(-3, 5) for n in (1, 2, 5)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    format_percent_axes(ax.yaxis)
    for model, offset in zip(models, _find_offsets(ax, models), strict=True):
        position, distance = (model.milliseconds, model.accuracy), 5 + math.sqrt(_dot_area(model)) / 2
        ax.annotate(
            model.name,
            position,
            (distance, offset),
            textcoords="offset points",
            color=colours[model.name],
            weight="bold",
        )
    return figure


def _dot_area(model: ModelPoint) -> float:
    """In square points."""
    return 30 + 12 * model.megabytes


def _find_offsets(ax: Axes, models: Sequence[ModelPoint]) -> list[float]:
    """The vertical offset of each name from its dot, in points, so that names do not overlap."""
    used: list[tuple[float, float]] = []
    offsets = []
    for model in models:
        x, y = ax.transData.transform((model.milliseconds, model.accuracy)) * 72 / ax.figure.dpi
        # A name needs 90 by 12 points.
        free = (each for each in _OFFSETS if all(abs(x - a) > 90 or abs(y + each - b) > 12 for a, b in used))
        offset = next(free, _OFFSETS[0])
        used.append((x, y + offset))
        offsets.append(offset)
    return offsets


_DOTS = (0, (1, 2))


@with_style
def plot_runs(
    histories: Mapping[str, Sequence[Mapping[str, float]]], colours: Mapping[str, str] | None = None
) -> Figure:
    """Accuracy and loss of runs by epoch, from the rows of their histories; validation is solid, training dotted.

    ``colours`` are those of the runs by name, from ``assign_colours``; by default by their place.
    """
    colours = colours or assign_colours(histories)
    figure = new_figure(7.2, 6.4)
    top, below = figure.subplots(2, 1, sharex=True)
    for name, rows in histories.items():
        _plot_pair(top, rows, ("validation_accuracy", "accuracy"), colours[name])
        _plot_pair(below, rows, ("validation_loss", "loss"), colours[name])
    top.set_title("Accuracy")
    below.set_title("Loss")
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    below.set(xlabel="epoch", xlim=(0.5, None))
    format_percent_axes(top.yaxis)
    lines = [Line2D([], [], color=colours[name]) for name in histories]
    styles = [Line2D([], [], color=MUTED, linestyle=style) for style in ("-", _DOTS)]
    names = [*histories, "validation", "training"]
    figure.legend([*lines, *styles], names, loc="outside lower center", ncols=min(len(names), 5))
    return figure


def _plot_pair(ax: Axes, rows: Sequence[Mapping[str, float]], keys: tuple[str, str], colour: str) -> None:
    """The validation and the training curve, as far as the history has them."""
    for key, style in zip(keys, ("-", _DOTS), strict=True):
        values = [row.get(key, math.nan) for row in rows]
        if not all(map(math.isnan, values)):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(
                epochs, values, color=colour, linestyle=style, marker="o" if len(values) < 2 else None, markersize=4
            )


@with_style
def plot_importance(parts: Mapping[str, float]) -> Figure:
    """A bar for each setting: the part of the variance between trials that it explains, the largest first."""
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    figure, ax = new_axes(6.0, 0.42 * len(ranked) + 1.2, "Importance of the settings")
    rows = np.arange(len(ranked))
    ax.barh(rows, [part for _, part in ranked], color=BLUE, height=0.6)
    for row, (_, part) in zip(rows, ranked, strict=True):
        ax.annotate(format_percent(part), (part, row), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(rows, [name for name, _ in ranked])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlim=(0, 1.12), xlabel="part of the variance between trials")
    format_percent_axes(ax.xaxis)
    return figure


@with_style
def plot_trials(values: Sequence[float | None], finished: Sequence[bool]) -> Figure:
    """A dot for each trial, hollow if it was pruned, and a line for the best so far."""
    figure, ax = new_axes(6.4, 3.6, "Accuracy of the trials")
    best, line = 0.0, []
    for number, (value, complete) in enumerate(zip(values, finished, strict=True)):
        if value is None:
            continue
        best = max(best, value) if complete else best
        ax.plot(number, value, "o", color=BLUE if complete else MUTED, fillstyle="full" if complete else "none")
        if best:
            line.append((number, best))
    if line:
        ax.step(*zip(*line, strict=True), where="post", color=INK, linewidth=1.2)
    ax.set(xlabel="trial", ylabel="validation accuracy")
    format_percent_axes(ax.yaxis)
    return figure


@with_style
def plot_rules(rules: Mapping[str, tuple[float, float]], chosen: str) -> Figure:
    """For each rule that joins two heads the accuracy on labels, and the agreement with people above it.

    The rules of one family, named before the first comma, are one line; the ``chosen`` rule is marked.
    """
    figure, ax = new_axes(6.8, 4.6, "How both heads are joined")
    families: dict[str, list[str]] = {}
    for name in rules:
        families.setdefault(name.partition(",")[0], []).append(name)
    for number, (family, names) in enumerate(families.items()):
        colour, below = COLOURS[number % len(COLOURS)], -13 if number % 2 else 7
        ax.plot(*zip(*(rules[name] for name in names), strict=True), "o-", color=colour, label=family, markersize=4)
        for name in (names[0], names[-1]):
            detail = name.partition(", ")[2]
            ax.annotate(detail, rules[name], (4, below), textcoords="offset points", color=colour, fontsize=8)
    ax.plot(*rules[chosen], "o", markersize=11, markerfacecolor="none", markeredgecolor=INK, label=chosen)
    ax.set(xlabel="accuracy on FER2013's labels", ylabel="agreement with the majority of the annotators")
    format_percent_axes(ax.xaxis)
    format_percent_axes(ax.yaxis)
    ax.legend(loc="lower left")
    return figure
