"""A network as a row of blocks: how large its pictures are, how many of them, and what is done to them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from mien.plots.style import INK, MUTED, PAPER, RIGHT, WRONG, new_axes, with_style

#: Inches between two blocks, at the least, and the height of the largest.
_GAP, _HEIGHT = 0.42, 1.5

#: Lines of words that stand below one block.
_LINES = 9


class NetworkStage(NamedTuple):
    """What happens at one size. ``side`` is the pictures' in pixels, 0 for a row of numbers; ``channels`` how many.

    ``words`` tell the layers, one line each; ``head`` stages are answers.
    """

    side: int
    channels: int
    words: tuple[str, ...]
    head: bool = False


@with_style
def plot_network(stages: Sequence[NetworkStage], title: str, below: str = "") -> Figure:
    """The stages from left to right, pictures as sheets, rows of numbers as bars, answers in the other colour."""
    largest = max(stage.side for stage in stages)
    widths = [_width(stage, largest) for stage in stages]
    columns = [
        max(width, 0.075 * max(map(len, [*stage.words, ""]))) for width, stage in zip(widths, stages, strict=True)
    ]
    whole = sum(columns) + _GAP * (len(stages) - 1)
    bottom = -_HEIGHT / 2 - 0.5 - 0.17 * max(min(len(stage.words), _LINES) for stage in stages)
    figure, ax = new_axes(max(whole + 0.5, 4.5), _HEIGHT / 2 - bottom + 1.0, title)
    left = 0.0
    for stage, width, column in zip(stages, widths, columns, strict=True):
        _block(ax, stage, left + column / 2, width, largest)
        _words(ax, stage, left + column / 2)
        left += column + _GAP
    _arrows(ax, stages, columns)
    ax.set(xlim=(-0.15, max(whole, 4.0) + 0.15), ylim=(bottom - 0.15, _HEIGHT / 2 + 0.3), aspect="equal")
    ax.text(0, bottom, below, color=MUTED, fontsize=9, va="top")
    ax.set_axis_off()
    return figure


def _height(stage: NetworkStage, largest: int) -> float:
    """A single pixel and a short row can still be seen."""
    if stage.side:
        return max(_HEIGHT * math.sqrt(stage.side / largest), 0.2)
    return min(0.25 + 0.14 * math.log2(max(stage.channels, 2)), _HEIGHT)


def _width(stage: NetworkStage, largest: int) -> float:
    return _height(stage, largest) + _depth(stage) if stage.side else 0.16


def _depth(stage: NetworkStage) -> float:
    """How far a stack of pictures reaches back."""
    return 0.07 * math.log2(stage.channels + 1)


def _block(ax: Axes, stage: NetworkStage, middle: float, width: float, largest: int) -> None:
    height, colour = _height(stage, largest), WRONG if stage.head else RIGHT
    if not stage.side:
        _sheet(ax, middle - width / 2, -height / 2, width, height, colour, 0.85)
        return
    depth = _depth(stage)
    front, left, low = width - depth, middle - width / 2, -height / 2 - depth / 3
    high, right, lift = low + height, left + front, depth * 2 / 3
    top = [(left, high), (left + depth, high + lift), (right + depth, high + lift), (right, high)]
    side = [(right, high), (right + depth, high + lift), (right + depth, low + lift), (right, low)]
    for corners, alpha in ((top, 0.35), (side, 0.6)):
        ax.add_patch(Polygon(corners, facecolor=colour, alpha=alpha, edgecolor=PAPER, linewidth=0.8))
    _sheet(ax, left, low, front, height, colour, 0.85)


def _sheet(ax: Axes, left: float, low: float, width: float, height: float, colour: str, alpha: float) -> None:
    ax.add_patch(Rectangle((left, low), width, height, facecolor=colour, alpha=alpha, edgecolor=PAPER, linewidth=0.8))


def _words(ax: Axes, stage: NetworkStage, middle: float) -> None:
    size = f"{stage.side} × {stage.side} × {stage.channels}" if stage.side else f"{stage.channels}"
    ax.text(middle, -_HEIGHT / 2 - 0.32, size, ha="center", va="top", weight="bold", fontsize=9)
    words = list(stage.words)
    if len(words) > _LINES:
        words = [*words[: _LINES - 1], f"and {len(words) - _LINES + 1} more"]
    for line, word in enumerate(words):
        ax.text(middle, -_HEIGHT / 2 - 0.52 - 0.17 * line, word, ha="center", va="top", color=INK, fontsize=7.5)


def _arrows(ax: Axes, stages: Sequence[NetworkStage], columns: Sequence[float]) -> None:
    """From each block to the next. All answers come from the last block before them, so none leads to another."""
    left = 0.0
    for stage, column in zip(stages[:-1], columns, strict=False):
        left += column
        if not stage.head:
            arrow = {"arrowstyle": "->", "color": MUTED}
            ax.annotate("", (left + _GAP - 0.08, 0), (left + 0.08, 0), arrowprops=arrow)
        left += _GAP
