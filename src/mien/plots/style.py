"""The common style of all plots, and their files. The settings of matplotlib outside are not changed."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, MUTED, GRID, PAPER = "#20252b", "#6a727c", "#e2e5e9", "#fefefe"
BLUE, RED = "#2b6a99", "#c8553d"

#: Colours of curves and dots, in this order. Any two differ clearly, also on a dark page.
COLOURS = (BLUE, RED, "#6a994e", "#b4459a", "#b8862f", "#1fa7a0")

#: On a page these colours follow its light or dark colour scheme.
_STYLE_VARIABLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}

#: The line on figures of data that was drawn, so that nobody takes them for results on real faces.
SYNTHETIC_NOTE = "synthetic faces"

#: Dots per inch: a figure of 6 inches is sharp on a projector and on paper.
DPI = 160

_SETTINGS: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelpad": 6,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "figure.facecolor": PAPER,
    "figure.dpi": 100,
    "savefig.facecolor": "auto",
    "image.cmap": "gray",
    "svg.fonttype": "path",
    "svg.hashsalt": "mien",
}

P = ParamSpec("P")
R = TypeVar("R")


def with_style(plot: Callable[P, R]) -> Callable[P, R]:
    """A decorator: everything plotted inside the function has the common style."""

    @wraps(plot)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_SETTINGS):
            return plot(*args, **kwargs)

    return wrapper


def assign_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, by its place: the same names have the same colours in every figure."""
    return {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure in inches, with a layout that keeps all text inside; it is not registered in pyplot."""
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float, title: str = "") -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = new_figure(width, height)
    ax = figure.add_subplot()
    ax.set_title(title)
    return figure, ax


@with_style
def render_png(figure: Figure, *, synthetic: bool = False) -> bytes:
    """The figure as a PNG file; with ``synthetic`` it says that the faces behind it are synthetic."""
    if synthetic:
        _note_synthetic(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


@with_style
def render_svg(figure: Figure, description: str = "", *, synthetic: bool = False) -> str:
    """The figure as an ``<svg>`` element for a page with the colours ``--ink --muted --line --paper``.

    ``description`` is the text alternative for screen readers; with ``synthetic`` the figure says that the faces behind
    it are synthetic.
    """
    if synthetic:
        _note_synthetic(figure)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    svg = buffer.getvalue()
    box = re.search(r'viewBox="[^"]*"', svg)
    assert box, "matplotlib writes a viewBox"
    content = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index(">", box.end()) + 1 :], flags=re.DOTALL)
    label = f'aria-label="{html.escape(description)}"'
    svg = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" role="img" {label} {box[0]}>{content}'
    for colour, variable in _STYLE_VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def _note_synthetic(figure: Figure) -> None:
    """Add the line below the axes; once, however often the figure is rendered."""
    if all(text.get_text() != SYNTHETIC_NOTE for text in figure.texts):
        figure.supxlabel(SYNTHETIC_NOTE, x=0.995, ha="right", fontsize=8, color=MUTED)


def label_cells(ax: Axes, columns: Sequence[str], rows: Sequence[str], centre: float = 0.5) -> None:
    """Names of the columns and rows of a matrix of square cells, in which row 0 is above."""
    ax.set(xlim=(0, len(columns)), ylim=(len(rows), 0), aspect="equal")
    ax.set_xticks(np.arange(len(columns)) + centre, columns, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(rows)) + centre, rows)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


def format_percent_axes(*axes: Axis) -> None:
    """Ticks from 0 to 1 as percent."""
    for axis in axes:
        axis.set_major_formatter(PercentFormatter(1.0, 0, symbol=" %"))
