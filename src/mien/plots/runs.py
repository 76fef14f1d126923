"""The curves of several trainings against each other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mien.plots.history import HUES
from mien.plots.style import MUTED, percent, sheet, styled

_DOTS = (0, (1, 2))


@styled
def runs(histories: Mapping[str, Sequence[Mapping[str, float]]]) -> Figure:
    """Accuracy and loss of several runs against each other, by the rows of their epochs; of one, both its sides.

    Whole lines are the faces held out, dotted ones the faces learned from.
    """
    figure = sheet(7.2, 6.4)
    top, below = figure.subplots(2, 1, sharex=True)
    for hue, (name, rows) in zip(HUES * len(histories), histories.items(), strict=False):
        _both(top, name, rows, ("held_out", "accuracy"), hue)
        _both(below, name, rows, ("held_out_loss", "loss"), hue)
    top.set_title("Accuracy")
    below.set_title("Loss")
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    below.set(xlabel="epoch", xlim=(0.5, None))
    percent(top.yaxis)
    handles = [Line2D([], [], color=MUTED, linestyle=style) for style in ("-", _DOTS)]
    figure.legend(handles, ["held out", "learned from"], loc="outside lower center", ncols=2)
    return figure


def _both(ax: Axes, name: str, rows: Sequence[Mapping[str, float]], keys: tuple[str, str], hue: str) -> None:
    """The lines that the history has, the name at the end of the first."""
    there = [key for key in keys if any(key in row for row in rows)]
    for key in there:
        values = [row.get(key, math.nan) for row in rows]
        epochs = np.arange(1, len(values) + 1)
        style = "-" if key == keys[0] else _DOTS
        ax.plot(epochs, values, color=hue, linestyle=style, marker="o" if len(values) < 2 else None, markersize=4)
        if key == there[0]:
            ax.annotate(name, (epochs[-1], values[-1]), (7, 0), textcoords="offset points", color=hue, va="center")
