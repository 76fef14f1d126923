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

    Solid lines are validation, dotted lines training.
    """
    figure = sheet(7.2, 6.4)
    top, below = figure.subplots(2, 1, sharex=True)
    for hue, rows in zip(HUES * len(histories), histories.values(), strict=False):
        _both(top, rows, ("held_out", "accuracy"), hue)
        _both(below, rows, ("held_out_loss", "loss"), hue)
    top.set_title("Accuracy")
    below.set_title("Loss")
    below.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    below.set(xlabel="epoch", xlim=(0.5, None))
    percent(top.yaxis)
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
