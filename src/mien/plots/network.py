"""The diagram of a network: one block for each resolution, with its channels and layers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from mien.plots.style import BLUE, INK, MUTED, PAPER, RED, new_axes, with_style

#: Minimum distance of two blocks, and height of the largest, in inches.
_GAP, _HEIGHT = 0.42, 1.5

#: Maximum number of text lines below a block.
_MAX_LINES = 9


class NetworkStage(NamedTuple):
    """The layers of one resolution. ``side`` is that of the feature maps in pixels, 0 for a vector.

    ``channels`` is their number, or the length of the vector; ``layers`` are described in one line each; ``head`` is
    true for an output.
    """

    side: int
    channels: int
    layers: tuple[str, ...]
    head: bool = False


@with_style
def plot_network(stages: Sequence[NetworkStage], title: str, summary: str = "") -> Figure:
    """The stages from left to right: feature maps as stacks, vectors as bars, outputs in the other colour."""
    largest = max(stage.side for stage in stages)
    widths = [_width(stage, largest) for stage in stages]
    columns = [
        max(width, 0.075 * max(map(len, [*stage.layers, ""]))) for width, stage in zip(widths, stages, strict=True)
    ]
    total = sum(columns) + _GAP * (len(stages) - 1)
    bottom = -_HEIGHT / 2 - 0.5 - 0.17 * max(min(len(stage.layers), _MAX_LINES) for stage in stages)
    figure, ax = new_axes(max(total + 0.5, 4.5), _HEIGHT / 2 - bottom + 1.0, title)
    left = 0.0
    for stage, width, column in zip(stages, widths, columns, strict=True):
        _draw_block(ax, stage, left + column / 2, width, largest)
        _write_layers(ax, stage, left + column / 2)
        left += column + _GAP
    _draw_arrows(ax, stages, columns)
    ax.set(xlim=(-0.15, max(total, 4.0) + 0.15), ylim=(bottom - 0.15, _HEIGHT / 2 + 0.3), aspect="equal")
    ax.text(0, bottom, summary, color=MUTED, fontsize=9, va="top")
    ax.set_axis_off()
    return figure


def _height(stage: NetworkStage, largest: int) -> float:
    """In inches; with a minimum, so that a single pixel and a short vector are visible."""
    if stage.side:
        return max(_HEIGHT * math.sqrt(stage.side / largest), 0.2)
    return min(0.25 + 0.14 * math.log2(max(stage.channels, 2)), _HEIGHT)


def _width(stage: NetworkStage, largest: int) -> float:
    return _height(stage, largest) + _depth(stage) if stage.side else 0.16


def _depth(stage: NetworkStage) -> float:
    """The depth of a stack of feature maps, in inches."""
    return 0.07 * math.log2(stage.channels + 1)


def _draw_block(ax: Axes, stage: NetworkStage, middle: float, width: float, largest: int) -> None:
    height, colour = _height(stage, largest), RED if stage.head else BLUE
    if not stage.side:
        _draw_front(ax, middle - width / 2, -height / 2, width, height, colour)
        return
    depth = _depth(stage)
    front, left, bottom = width - depth, middle - width / 2, -height / 2 - depth / 3
    top, right, shift = bottom + height, left + front, depth * 2 / 3
    upper = [(left, top), (left + depth, top + shift), (right + depth, top + shift), (right, top)]
    side = [(right, top), (right + depth, top + shift), (right + depth, bottom + shift), (right, bottom)]
    for corners, alpha in ((upper, 0.35), (side, 0.6)):
        ax.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor=PAPER, linewidth=0.8))
    _draw_front(ax, left, bottom, front, height, colour)


def _draw_front(ax: Axes, left: float, bottom: float, width: float, height: float, colour: str) -> None:
    style: dict[str, Any] = {"facecolor": colour, "alpha": 0.85, "edgecolor": PAPER, "linewidth": 0.8}
    ax.add_patch(Rectangle((left, bottom), width, height, **style))


def _write_layers(ax: Axes, stage: NetworkStage, middle: float) -> None:
    size = f"{stage.side} × {stage.side} × {stage.channels}" if stage.side else f"{stage.channels}"
    ax.text(middle, -_HEIGHT / 2 - 0.32, size, ha="center", va="top", weight="bold", fontsize=9)
    lines = list(stage.layers)
    if len(lines) > _MAX_LINES:
        lines = [*lines[: _MAX_LINES - 1], f"and {len(lines) - _MAX_LINES + 1} more"]
    for row, line in enumerate(lines):
        ax.text(middle, -_HEIGHT / 2 - 0.52 - 0.17 * row, line, ha="center", va="top", color=INK, fontsize=7.5)


def _draw_arrows(ax: Axes, stages: Sequence[NetworkStage], columns: Sequence[float]) -> None:
    """From each block to the next. All outputs follow the last block before them: there is no arrow between outputs."""
    left = 0.0
    for stage, column in zip(stages[:-1], columns, strict=False):
        left += column
        if not stage.head:
            arrow = {"arrowstyle": "->", "color": MUTED}
            ax.annotate("", (left + _GAP - 0.08, 0), (left + 0.08, 0), arrowprops=arrow)
        left += _GAP
