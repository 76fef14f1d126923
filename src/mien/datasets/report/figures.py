"""The figures of the data report: plots of the statistics, and sheets of many faces as one gray image."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray
from PIL import Image

from mien.datasets.dataset import TRAINING, VOTE_CATEGORIES, FaceDataset
from mien.datasets.report.statistics import DatasetStatistics, PixelMap, PredictionMap, VoteStatistics
from mien.labels import EMOTIONS, label_colour
from mien.plots.style import GRID, INK, MUTED, new_axes, new_figure, with_style

#: Gray values as int16 (H, W), or _TRANSPARENT.
Sheet = NDArray[np.int16]
_TRANSPARENT, _GAP = -1, 2
#: Samples of each class.
SAMPLES = 14
#: Cells of the face map in each row, its rows, and pixels of a cell.
_ACROSS, _DOWN, _CELL = 30, 18, 32
#: The opacity of the bars of each split.
_OPACITY = (1.0, 0.55, 0.3, 0.2)


def encode_png(sheet: Sheet, scale: int = 2) -> bytes:
    """The sheet as a PNG file in which each pixel is a square of ``scale`` pixels."""
    large = sheet.repeat(scale, axis=0).repeat(scale, axis=1)
    gray, alpha = np.maximum(large, 0).astype(np.uint8), np.where(large < 0, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.merge("LA", [Image.fromarray(gray), Image.fromarray(alpha)]).save(buffer, "PNG")
    return buffer.getvalue()


def sample_classes(faces: FaceDataset) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Random faces of each class that has any, from Training where it has some, without blank ones."""
    for label in range(len(EMOTIONS)):
        inside = (faces.labels == label) & ~faces.blank()
        training = inside & (faces.usage == TRAINING)
        indices = np.flatnonzero(training if training.any() else inside)
        if len(indices):
            yield label, faces.pixels[np.random.default_rng(label).permutation(indices)[:SAMPLES]]


def draw_samples(faces: FaceDataset) -> Sheet:
    """A row of faces for each class that has any."""
    return draw_rows([pixels for _, pixels in sample_classes(faces)], columns=1)


def draw_strip(pixels: NDArray[np.uint8]) -> Sheet:
    """Faces side by side with gaps between them."""
    padded = np.pad(pixels.astype(np.int16), ((0, 0), (0, 0), (0, _GAP)), constant_values=_TRANSPARENT)
    return np.concatenate(list(padded), axis=1)


def draw_rows(groups: Sequence[NDArray[np.uint8]], columns: int) -> Sheet:
    """Groups of faces (n, 48, 48), ``columns`` groups in each row."""
    strips = [draw_strip(group) for group in groups]
    width = max(each.shape[1] for each in strips) + (3 * _GAP if columns > 1 else 0)
    cells = [np.pad(each, ((0, _GAP), (0, width - each.shape[1])), constant_values=_TRANSPARENT) for each in strips]
    cells += [np.full_like(cells[0], _TRANSPARENT)] * (-len(cells) % columns)
    return np.concatenate(
        [np.concatenate(cells[start : start + columns], 1) for start in range(0, len(cells), columns)]
    )


def draw_face_map(pixels: NDArray[np.uint8], points: NDArray[np.float64]) -> Sheet:
    """Faces (M, 48, 48) on a full grid in the order of their points (M, 2): rows by y, each row by x."""
    across, down = min(_ACROSS, len(pixels)), max(min(_DOWN, len(pixels) // _ACROSS), 1)
    lines = np.array_split(np.argsort(-points[:, 1], kind="stable"), down)
    sheet = np.full((down * _CELL, across * _CELL), _TRANSPARENT, np.int16)
    for y, line in enumerate(lines):
        ranked = line[np.argsort(points[line, 0], kind="stable")]
        for x, place in enumerate(ranked[np.linspace(0, len(ranked) - 1, across).round().astype(int)]):
            cell = np.s_[y * _CELL : (y + 1) * _CELL, x * _CELL : (x + 1) * _CELL]
            sheet[cell] = cv2.resize(pixels[place], (_CELL, _CELL), interpolation=cv2.INTER_AREA)
    return sheet


@with_style
def plot_class_counts(counts: Mapping[str, Sequence[int]]) -> Figure:
    """The number of faces of each class as a bar in its colour; the splits from opaque to transparent."""
    figure, ax = new_axes(6.8, 3.6, "Number of faces of each class")
    left = np.zeros(len(EMOTIONS))
    for row, opacity in zip(counts.values(), _OPACITY, strict=False):
        ax.barh(EMOTIONS, row, left=left, color=[label_colour(name) for name in EMOTIONS], alpha=opacity, height=0.72)
        left += np.array(row)
    for index, count in enumerate(left):
        ax.annotate(f"{count:,.0f}", (count, index), (5, 0), textcoords="offset points", va="center", color=INK)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_formatter("{x:,.0f}")
    ax.set_xlabel(f"faces; from dark to light: {', '.join(counts)}")
    return figure


@with_style
def plot_mean_faces(statistics: DatasetStatistics) -> Figure:
    """Three rows: the mean face of all and of each class, its difference from all, and the standard deviation."""
    figure = new_figure(9.6, 3.9)
    grid = figure.subplots(3, len(EMOTIONS) + 1)
    difference = statistics.means - statistics.means[0]
    limit = max(float(np.abs(difference).max()), 1.0)
    largest = max(float(statistics.deviations.max()), 1.0)
    for column, name in enumerate(("all", *EMOTIONS)):
        _draw_image(grid[0, column], statistics.means[column], "gray", 0, 255)
        _draw_image(grid[1, column], difference[column], "RdBu_r", -limit, limit)
        _draw_image(grid[2, column], statistics.deviations[column], "magma", 0, largest)
        grid[0, column].set_title(name, loc="center", fontsize=10, pad=5, color=INK)
    for ax, word in zip(grid[:, 0], ("mean", "difference\nfrom all", "standard\ndeviation"), strict=True):
        ax.set_ylabel(word, rotation=0, ha="right", va="center")
    return figure


def _draw_image(ax: Axes, values: NDArray[np.floating], palette: str, low: float, high: float) -> None:
    ax.imshow(values, cmap=palette, vmin=low, vmax=high)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)


@with_style
def plot_brightness_contrast(statistics: DatasetStatistics, labels: NDArray[np.int64]) -> Figure:
    """Histograms of brightness and contrast for each class, with the median."""
    figure = new_figure(9.6, 4.2)
    left, right = figure.subplots(1, 2, sharey=True)
    _draw_histograms(left, statistics.brightness, labels, (0, 255), "brightness: mean of the pixels")
    _draw_histograms(right, statistics.contrast, labels, (0, 110), "contrast: standard deviation of the pixels")
    left.set_yticks(range(len(EMOTIONS)), EMOTIONS)
    left.set_ylim(len(EMOTIONS) - 0.7, -1.0)
    return figure


def _draw_histograms(
    ax: Axes, values: NDArray[np.float32], labels: NDArray[np.int64], limits: tuple[float, float], xlabel: str
) -> None:
    edges = np.linspace(*limits, 52)
    middles = (edges[1:] + edges[:-1]) / 2
    for row, name in enumerate(EMOTIONS):
        members = values[labels == row]
        if not len(members):
            continue
        height = np.convolve(np.histogram(members, edges)[0], [0.25, 0.5, 0.25], "same")
        top = row - 0.85 * height / max(float(height.max()), 1.0)
        ax.fill_between(middles, row, top, color=label_colour(name), alpha=0.75, linewidth=0)
        ax.plot([np.median(members)] * 2, [row, row - 0.85], color=INK, linewidth=1)
    ax.grid(visible=False, axis="y")
    ax.set(xlim=limits, xlabel=xlabel)


@with_style
def plot_votes(votes: VoteStatistics) -> Figure:
    """The fractions of the annotator votes for the faces of each label, in percent."""
    figure, ax = new_axes(8.6, 4.9, "Annotator votes (FER+) of the faces with each label, in percent")
    for (row, column), part in np.ndenumerate(votes.fractions):
        ax.add_patch(
            Rectangle((column + 0.03, row + 0.03), 0.94, 0.94, facecolor="none", edgecolor=GRID, linewidth=0.8)
        )
        hue = label_colour(VOTE_CATEGORIES[column]) if column < len(EMOTIONS) + 1 else MUTED
        ax.add_patch(Rectangle((column + 0.03, row + 0.03), 0.94, 0.94, facecolor=hue, alpha=part**0.7, linewidth=0))
        bold = "bold" if row == column else None
        ax.text(column + 0.5, row + 0.5, f"{100 * part:.0f}", ha="center", va="center", color=INK, weight=bold)
    ax.set(xlim=(0, len(VOTE_CATEGORIES)), ylim=(len(EMOTIONS), 0), xlabel="annotator vote", ylabel="label")
    names = ["not a face" if name == "nf" else name for name in VOTE_CATEGORIES]
    ax.set_xticks(np.arange(len(VOTE_CATEGORIES)) + 0.5, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(np.arange(len(EMOTIONS)) + 0.5, EMOTIONS)
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    return figure


@with_style
def plot_axes(pixel_map: PixelMap) -> Figure:
    """The mean face plus -3 to 3 standard deviations along each axis, one row for each axis."""
    steps = (-3, -2, -1, 0, 1, 2, 3)
    figure = new_figure(7.4, 4.6)
    grid = figure.subplots(len(pixel_map.axes), len(steps), squeeze=False)
    for row, (axis, part) in enumerate(zip(pixel_map.axes, pixel_map.explained, strict=True)):
        for column, step in enumerate(steps):
            _draw_image(grid[row, column], pixel_map.mean + step * axis, "gray", -2, 2)
        grid[row, 0].set_ylabel(f"axis {row + 1}\n{100 * part:.0f} %", rotation=0, ha="right", va="center")
    for ax, step in zip(grid[0], steps, strict=True):
        ax.set_title("mean" if step == 0 else f"{step:+d}", loc="center", fontsize=10, pad=5, color=MUTED)
    return figure


def plot_pixel_map(pixel_map: PixelMap) -> Figure:
    """Every face as a point in the colour of its class; the large points are the class means."""
    axes = {"xlabel": "axis 1, standard deviations", "ylabel": "axis 2", "xlim": (-3.4, 3.4), "ylim": (-3.4, 3.4)}
    return _plot_points("Principal components of the pixels", pixel_map, 5.6, 7, axes)


def plot_prediction_map(prediction_map: PredictionMap) -> Figure:
    """The same for the predictions of the embedded model."""
    axes = {"xlabel": "axis 1", "ylabel": "axis 2"}
    return _plot_points("Principal components of the predictions", prediction_map, 5.2, 11, axes)


@with_style
def _plot_points(
    title: str, projection: PixelMap | PredictionMap, height: float, size: float, axes: Mapping[str, Any]
) -> Figure:
    points, labels = projection.points, projection.labels
    figure, ax = new_axes(6.6, height, title)
    order = np.random.default_rng(0).permutation(len(points))
    hues = [label_colour(EMOTIONS[label]) for label in labels[order]]
    ax.scatter(points[order, 0], points[order, 1], c=hues, s=size, alpha=0.5, linewidths=0, rasterized=True)
    for label, name in enumerate(EMOTIONS):
        members = points[labels == label]
        if len(members):
            x, y = members.mean(0)
            ax.scatter(x, y, s=120, color=label_colour(name), edgecolors=INK, linewidths=0.8, label=name, zorder=3)
    ax.set(aspect="equal", **axes)
    figure.legend(loc="outside right upper", title="mean of", alignment="left", markerscale=0.6)
    return figure
