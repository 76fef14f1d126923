"""A search for settings: what each trial came to, and which settings made the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from mien.plots.style import INK, MUTED, RIGHT, axes, percent, styled


@styled
def importance(parts: Mapping[str, float]) -> Figure:
    """A bar for each setting: how much of the differences between trials it explains, the largest first."""
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    figure, ax = axes(6.0, 0.42 * len(ranked) + 1.2, "Which settings made the difference")
    places = np.arange(len(ranked))
    ax.barh(places, [part for _, part in ranked], color=RIGHT, height=0.6)
    for place, (_, part) in zip(places, ranked, strict=True):
        ax.annotate(f"{100 * part:.0f} %", (part, place), (5, 0), textcoords="offset points", va="center", fontsize=9)
    ax.set_yticks(places, [name for name, _ in ranked])
    ax.invert_yaxis()
    ax.grid(visible=False, axis="y")
    ax.set(xlim=(0, 1.12), xlabel="part of the differences between trials that it explains")
    percent(ax.xaxis)
    return figure


@styled
def trials(values: Sequence[float | None], finished: Sequence[bool]) -> Figure:
    """A dot for each trial, hollow where it was ended early, and a line along the best so far."""
    figure, ax = axes(6.4, 3.6, "Trial by trial")
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
    percent(ax.yaxis)
    return figure
