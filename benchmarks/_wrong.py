"""A picture of what a model gets wrong: free portraits and a drawn face under growing trouble, its answers below."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien import plots
from mien.datasets import synthetic
from mien.engine import Engine
from mien.evaluation.robustness import CORRUPTIONS
from mien.faces.crop import crop_face, to_model_input
from mien.images import load_image
from mien.labels import label_colour
from mien.models import load_classifier, resolve_model
from mien.plots.style import MUTED, new_figure, with_style

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: Which trouble each row shows, at which strengths.
ROWS = {
    "turn": (15, 30),
    "dark": (0.3, 0.08),
    "blur": (1.2, 3.0),
    "small": (20, 12),
    "noise": (20, 40),
    "cover": (0.2, 0.35),
}


def draw(name: str, place: Path) -> None:
    path = resolve_model(name)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(plots.render_png(figure(faces(Engine.load(name)), load_classifier(path))))


def faces(engine: Engine) -> list[NDArray[np.uint8]]:
    """Gray crops (48, 48) of the two portraits as the engine cuts them, and a drawn face that should look happy."""
    crops = []
    for file in ("astronaut.jpg", "hopper.jpg"):
        pixels = load_image(EXAMPLES / file).pixels
        face = engine.read(pixels).readings[0].face
        crops.append(to_model_input(crop_face(pixels, face, engine._framing, 48)[None], 48, "gray")[0, ..., 0])
    return [*crops, synthetic.draw_faces(4, seed=2).pixels[3]]


@with_style
def figure(crops: list[NDArray[np.uint8]], classifier) -> Figure:
    shown = new_figure(9.2, 1.35 * len(ROWS) + 0.3)
    places = shown.subplots(len(ROWS), 3 * len(crops), squeeze=False)
    for line, (name, strengths) in zip(places, ROWS.items(), strict=True):
        each = CORRUPTIONS[name]
        cells = [
            (each.label(strength) if strength else "as it is", each.change(crop, strength, 1) if strength else crop)
            for crop in crops
            for strength in (0, *strengths)
        ]
        for ax, (told, pixels) in zip(line, cells, strict=True):
            _cell(ax, told, pixels, classifier)
        line[0].set_ylabel(each.meaning, rotation=0, ha="right", va="center", labelpad=8)
    return shown


def _cell(ax, told: str, pixels: NDArray[np.uint8], classifier) -> None:
    shares = classifier.run(pixels[None, ..., None]).scores[0]
    first, card = int(shares.argmax()), classifier.card
    ax.imshow(pixels, cmap="gray", vmin=0, vmax=255)
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
    ax.set_title(told, loc="center", fontsize=7, color=MUTED, pad=2, weight="normal")
    sure = shares[first] >= card.uncertain_below
    words = f"{card.labels[first]} {100 * shares[first]:.0f} %" if sure else "uncertain"
    ax.set_xlabel(
        words, fontsize=7.5, color=label_colour(card.labels[first]) if sure else MUTED, weight="bold", labelpad=2
    )
