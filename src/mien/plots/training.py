"""A training run, epoch by epoch, and several models against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mien.plots.style import INK, MUTED, RIGHT, WRONG, format_percent_axes, new_axes, new_figure, with_style

#: Places for a name above or below its dot, in points, the best first.
_STEPS = (4.0, -12.0, 18.0, -26.0, 32.0, -40.0)
#: Lines and dots of one figure, in this order.
HUES = (RIGHT, WRONG, "#6a994e", "#8367c7", "#b8862f", MUTED)


@with_style
def plot_history(lines: Mapping[str, Sequence[float]], title: str, *, shares: bool = False, best: str = "") -> Figure:
    """One line for each name, a number for each epoch; ``shares`` are told in percent.

    ``best`` marks a line's best epoch: the highest of shares, the lowest of anything else.
    """
    figure, ax = new_axes(6.4, 4.0, title)
    for hue, (name, values) in zip(HUES * len(lines), lines.items(), strict=False):
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=hue, marker="o" if len(values) < 2 else None)
        ax.annotate(name, (epochs[-1], values[-1]), (7, 0), textcoords="offset points", color=hue, va="center")
    if best:
        _mark_best(ax, lines[best], shares)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set(xlabel="epoch", xlim=(0.5, None))
    if shares:
        format_percent_axes(ax.yaxis)
    return figure


def _mark_best(ax: Axes, values: Sequence[float], shares: bool) -> None:
    place = int(np.nanargmax(values) if shares else np.nanargmin(values))
    told = f"{100 * values[place]:.1f} %" if shares else f"{values[place]:.3f}"
    ax.plot(place + 1, values[place], "o", color=INK, markersize=5)
    ax.annotate(
        f"best: {told} in epoch {place + 1}",
        (place + 1, values[place]),
        (0, 11),
        textcoords="offset points",
        ha="right" if place > len(values) / 3 else "left",
        weight="bold",
        fontsize=9,
    )


class ModelPoint(NamedTuple):
    """A model among others: milliseconds for a face on one core, accuracy and its 95 % interval, size in megabytes."""

    name: str
    milliseconds: float
    accuracy: float
    low: float
    high: float
    megabytes: float


@with_style
def plot_accuracy_and_speed(rivals: Sequence[ModelPoint]) -> Figure:
    """Accuracy with its interval against time a face; up and to the left is better, the dot's area is the file."""
    figure, ax = new_axes(6.8, 4.6, "Accuracy against speed")
    for hue, rival in zip(HUES * len(rivals), rivals, strict=False):
        ax.plot([rival.milliseconds] * 2, [rival.low, rival.high], color=hue, alpha=0.5, linewidth=2)
        ax.scatter(rival.milliseconds, rival.accuracy, s=_area(rival), color=hue, zorder=3)
    times = [rival.milliseconds for rival in rivals]
    ax.set_xscale("log")
    ax.set(xlabel="milliseconds for a face, on one core", ylabel="accuracy, with its 95 % interval")
    ax.set_xlim(min(times) / 1.6, max(times) * 2.2)
    ax.xaxis.set_major_locator(FixedLocator([n * 10.0**power for power in range(-3, 5) for n in (1, 2, 5)]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    format_percent_axes(ax.yaxis)
    for hue, rival, lift in zip(HUES * len(rivals), rivals, _lifts(ax, rivals), strict=False):
        place, beside = (rival.milliseconds, rival.accuracy), 5 + math.sqrt(_area(rival)) / 2
        ax.annotate(rival.name, place, (beside, lift), textcoords="offset points", color=hue, weight="bold")
    return figure


def _area(rival: ModelPoint) -> float:
    """Of the dot, in square points."""
    return 30 + 12 * rival.megabytes


def _lifts(ax: Axes, rivals: Sequence[ModelPoint]) -> list[float]:
    """How many points above its dot each name is written, so that the names of near dots do not lie on each other."""
    taken: list[tuple[float, float]] = []
    lifts = []
    for rival in rivals:
        x, y = ax.transData.transform((rival.milliseconds, rival.accuracy)) * 72 / ax.figure.dpi
        lift = next((step for step in _STEPS if _free(x, y + step, taken)), _STEPS[0])
        taken.append((x, y + lift))
        lifts.append(lift)
    return lifts


def _free(x: float, y: float, taken: Sequence[tuple[float, float]]) -> bool:
    """Is there room for a word of some length, in points?"""
    return all(abs(x - left) > 90 or abs(y - up) > 12 for left, up in taken)


# ==== mien.plots.plot_runs
# The curves of several trainings against each other.

_DOTS = (0, (1, 2))


@with_style
def plot_runs(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Accuracy and loss of several runs against each other, by the rows of their epochs; of one, both its sides.

    Solid lines are validation, dotted lines training.
    """
    figure = new_figure(7.2, 6.4)
    top, below = figure.subplots(2, 1, sharex=True)
    for hue, rows in zip(HUES * len(histories), histories.values(), strict=False):
        _both(top, rows, ("held_out", "accuracy"), hue)
        _both(below, rows, ("held_out_loss", "loss"), hue)
    top.set_title("Accuracy")
    below.set_title("Loss")
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    below.set(xlabel="epoch", xlim=(0.5, None))
    format_percent_axes(top.yaxis)
    named = [Line2D([], [], color=hue) for _, hue in zip(histories, HUES * len(histories), strict=False)]
    styles = [Line2D([], [], color=MUTED, linestyle=style) for style in ("-", _DOTS)]
    words = [*histories, "validation", "training"]
    figure.legend([*named, *styles], words, loc="outside lower center", ncols=min(len(words), 5))
    return figure


def _both(ax: Axes, rows: Sequence[Mapping[str, float]], keys: tuple[str, str], hue: str) -> None:
    """The lines that the history has."""
    for key, style in zip(keys, ("-", _DOTS), strict=True):
        values = [row.get(key, math.nan) for row in rows]
        if not all(map(math.isnan, values)):
            epochs = np.arange(1, len(values) + 1)
            ax.plot(epochs, values, color=hue, linestyle=style, marker="o" if len(values) < 2 else None, markersize=4)


# ==== mien.plots.search
# A search for settings: what each trial came to, and which settings made the difference.


@with_style
def plot_importance(parts: Mapping[str, float]) -> Figure:
    """A bar for each setting: how much of the differences between trials it explains, the largest first."""
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    figure, ax = new_axes(6.0, 0.42 * len(ranked) + 1.2, "Which settings made the difference")
    places = np.arange(len(ranked))
    ax.barh(places, [part for _, part in ranked], color=RIGHT, height=0.6)
    for place, (_, part) in zip(places, ranked, strict=True):
        ax.annotate(f"{100 * part:.0f} %", (part, place), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(places, [name for name, _ in ranked])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlim=(0, 1.12), xlabel="part of the differences between trials that it explains")
    format_percent_axes(ax.xaxis)
    return figure


@with_style
def plot_trials(values: Sequence[float | None], finished: Sequence[bool]) -> Figure:
    """A dot for each trial, hollow where it was ended early, and a line along the best so far."""
    figure, ax = new_axes(6.4, 3.6, "Trial by trial")
    best, line = 0.0, []
    for number, (value, whole) in enumerate(zip(values, finished, strict=True)):
        if value is None:
            continue
        best = max(best, value) if whole else best
        ax.plot(number, value, "o", color=RIGHT if whole else MUTED, fillstyle="full" if whole else "none")
        if best:
            line.append((number, best))
    if line:
        ax.step(*zip(*line, strict=True), where="post", color=INK, linewidth=1.2)
    ax.set(xlabel="trial", ylabel="accuracy on its held-out faces")
    format_percent_axes(ax.yaxis)
    return figure
