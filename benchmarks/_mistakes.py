"""An image of corrupted faces (two free portraits and a drawn face) with the predictions of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien import plots
from mien.datasets import synthetic
from mien.engine import Engine, select_framing
from mien.evaluation.robustness import CORRUPTIONS
from mien.faces.crop import crop_face, to_model_input
from mien.images import load_image
from mien.labels import label_colour
from mien.models import load_classifier, resolve_model
from mien.models.decision import build_emotions
from mien.plots.style import MUTED, new_figure, with_style

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: The corruption of each row, and its strengths.
ROWS = {
    "turn": (15, 30),
    "dark": (0.3, 0.08),
    "blur": (1.2, 3.0),
    "small": (20, 12),
    "noise": (20, 40),
    "cover": (0.2, 0.35),
}


def draw_mistakes(name: str, path: Path) -> None:
    """Write the image of an embedded model as PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        plots.render_png(plot_mistakes(crop_portraits(Engine.load(name)), load_classifier(resolve_model(name))))
    )


def crop_portraits(engine: Engine) -> list[NDArray[np.uint8]]:
    """Gray crops (48, 48) of the two portraits from the engine, and a drawn face that looks happy."""
    crops = []
    for file in ("astronaut.jpg", "hopper.jpg"):
        pixels = load_image(EXAMPLES / file).pixels
        face = engine.read(pixels).readings[0].face
        crop = crop_face(pixels, face, select_framing(engine.card, engine.detector), 48)
        crops.append(to_model_input(crop[None], 48, "gray")[0, ..., 0])
    return [*crops, synthetic.draw_faces(4, seed=2).pixels[3]]


@with_style
def plot_mistakes(crops: list[NDArray[np.uint8]], classifier) -> Figure:
    figure = new_figure(9.2, 1.35 * len(ROWS) + 0.3)
    grid = figure.subplots(len(ROWS), 3 * len(crops), squeeze=False)
    for row, (name, strengths) in zip(grid, ROWS.items(), strict=True):
        corruption = CORRUPTIONS[name]
        cells = [
            (corruption.label(strength), corruption.change(crop, strength, 1)) if strength else ("none", crop)
            for crop in crops
            for strength in (0, *strengths)
        ]
        for ax, (title, pixels) in zip(row, cells, strict=True):
            _draw_cell(ax, title, pixels, classifier)
        row[0].set_ylabel(corruption.meaning, rotation=0, ha="right", va="center", labelpad=8)
    return figure


def _draw_cell(ax, title: str, pixels: NDArray[np.uint8], classifier) -> None:
    outputs, card = classifier.run(pixels[None, ..., None]), classifier.card
    emotions = build_emotions(card, outputs.scores[0], None if outputs.votes is None else outputs.votes[0])
    top = emotions.top
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(title, loc="center", fontsize=7, color=MUTED, pad=2, weight="normal")
    text = "uncertain" if emotions.uncertain else f"{top} {100 * emotions[top]:.0f} %"
    colour = MUTED if emotions.uncertain else label_colour(top)
    ax.set_xlabel(text, fontsize=7.5, color=colour, weight="bold", labelpad=2)
