"""A training run, epoch by epoch, and several models against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from mien.plots.style import INK, MUTED, RIGHT, WRONG, axes, percent, styled

#: Places for a name above or below its dot, in points, the best first.
_STEPS = (4.0, -12.0, 18.0, -26.0, 32.0, -40.0)
#: Lines and dots of one figure, in this order.
HUES = (RIGHT, WRONG, "#6a994e", "#8367c7", "#b8862f", MUTED)


@styled
def history(lines: Mapping[str, Sequence[float]], title: str, *, shares: bool = False, best: str = "") -> Figure:
    """One line for each name, a number for each epoch; ``shares`` are told in percent.

    ``best`` marks a line's best epoch: the highest of shares, the lowest of anything else.
    """
    figure, ax = axes(6.4, 4.0, title)
    for hue, (name, values) in zip(HUES * len(lines), lines.items(), strict=False):
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=hue, marker="o" if len(values) < 2 else None)
        ax.annotate(name, (epochs[-1], values[-1]), (7, 0), textcoords="offset points", color=hue, va="center")
    if best:
        _mark_best(ax, lines[best], shares)
    ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    ax.set(xlabel="epoch", xlim=(0.5, None))
    if shares:
        percent(ax.yaxis)
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


class Rival(NamedTuple):
    """A model among others: milliseconds for a face on one core, accuracy and its 95 % interval, size in megabytes."""

    name: str
    milliseconds: float
    accuracy: float
    low: float
    high: float
    megabytes: float


@styled
def accuracy_and_speed(rivals: Sequence[Rival]) -> Figure:
    """Accuracy with its interval against time a face; up and to the left is better, the dot's area is the file."""
    figure, ax = axes(6.8, 4.6, "Accuracy against speed")
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
    percent(ax.yaxis)
    for hue, rival, lift in zip(HUES * len(rivals), rivals, _lifts(ax, rivals), strict=False):
        place, beside = (rival.milliseconds, rival.accuracy), 5 + math.sqrt(_area(rival)) / 2
        ax.annotate(rival.name, place, (beside, lift), textcoords="offset points", color=hue, weight="bold")
    return figure


def _area(rival: Rival) -> float:
    """Of the dot, in square points."""
    return 30 + 12 * rival.megabytes


def _lifts(ax: Axes, rivals: Sequence[Rival]) -> list[float]:
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
