"""The one style of every figure, and how a figure becomes a file. matplotlib's own settings are left as they were."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

INK, MUTED, GRID, PAPER = "#20252b", "#6a727c", "#e2e5e9", "#fefefe"
RIGHT, WRONG = "#2b6a99", "#c8553d"

#: In a page these four follow its light or dark side.
_ROLES = {INK: "--ink", MUTED: "--muted", GRID: "--line", PAPER: "--paper"}

#: Dots to an inch: a figure of 6 inches is sharp on a projector and on paper.
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


def with_style(draw: Callable[P, R]) -> Callable[P, R]:
    """Whatever is drawn inside has the style; outside nothing has changed."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        with mpl.rc_context(_SETTINGS):
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, that makes room for its own words; it belongs to no window and to no list."""
    return Figure(figsize=(width, height), layout="constrained")


def new_axes(width: float, height: float, title: str = "") -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure = new_figure(width, height)
    ax = figure.add_subplot()
    ax.set_title(title)
    return figure, ax


@with_style
def render_png(figure: Figure) -> bytes:
    """The figure as a PNG file on white."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return buffer.getvalue()


@with_style
def render_svg(figure: Figure, described: str = "") -> str:
    """The figure as an ``<svg>`` element for a page that sets the colours ``--ink --muted --line --paper``.

    ``described`` is what people hear who cannot see it.
    """
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawn = buffer.getvalue()
    box = re.search(r'viewBox="[^"]*"', drawn)
    assert box, "matplotlib says how large its figures are"
    inside = re.sub(r"<metadata>.*?</metadata>", "", drawn[drawn.index(">", box.end()) + 1 :], flags=re.DOTALL)
    drawn = f'<svg xmlns:xlink="http://www.w3.org/1999/xlink" role="img" {_named(described)} {box[0]}>{inside}'
    for colour, role in _ROLES.items():
        drawn = drawn.replace(colour, f"var({role})")
    return drawn


def format_percent_axes(*each: Axis) -> None:
    """Ticks from 0 to 1 as percent."""
    for one in each:
        one.set_major_formatter(PercentFormatter(1.0, 0, symbol=" %"))


def _named(described: str) -> str:
    return f'aria-label="{html.escape(described)}"'
