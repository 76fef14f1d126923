"""One face explained for a visitor, and the pictures that show it: each made once, as long as it is looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mien.apps.streamlit.session_state import DRAWN, EXPLAINED, WALKTHROUGH, UploadedPhoto, get_or_make
from mien.engine import Engine
from mien.explain import Explanation, Layer, figures
from mien.explain.page import render_walkthrough
from mien.results import Pixels


@dataclass(frozen=True)
class ExplanationRequest:
    """Which face of which picture, by which model, and what about it; ``versus`` None is all the others."""

    photo: UploadedPhoto
    face: int
    model: str
    detector: str
    method: str
    target: str | None
    versus: str | None

    @property
    def key(self) -> tuple[object, ...]:
        return self.photo.key, self.face, self.model, self.detector, self.method, self.target, self.versus


#: A picture of the inside, and what it shows in words.
DescribedImage = tuple[str, Pixels]


def explain_face(engine: Engine, asked: ExplanationRequest) -> Explanation:
    def make() -> Explanation:
        (told,) = engine.explain_image(
            asked.photo.pixels(),
            asked.face,
            methods=[asked.method],
            layers="all",
            target=asked.target,
            versus=asked.versus,
        )
        return replace(told, source=asked.photo.name)

    return get_or_make(EXPLAINED, asked.key, make)


def get_figures(asked: ExplanationRequest, view: str, make: Callable[[], list[DescribedImage]]) -> list[DescribedImage]:
    return get_or_make(DRAWN, (*asked.key, view), make)


def list_evidence(asked: ExplanationRequest, told: Explanation) -> list[DescribedImage]:
    goal = told.target + (f" rather than {told.versus}" if told.versus else "")
    return [(f"Where the network looked for {goal}", figures.draw_evidence_maps(told, asked.photo.pixels()))]


def list_layer_maps(told: Explanation, layer: Layer) -> list[DescribedImage]:
    """The maps of one layer, beside those they were made of where it has no places."""
    placed = [each for each in told.layers[: told.layers.index(layer)] if len(each.shape) == 3]
    maps = figures.draw_feature_maps(layer, told.crop.shape[0], placed[-1] if placed else None)
    return [(f"The maps of the layer {layer.name}", maps)]


def list_activations(engine: Engine, told: Explanation) -> list[DescribedImage]:
    ends = _ends(engine)
    reached = replace(told, layers=tuple(each for each in told.layers if each.name in ends and len(each.shape) == 3))
    return [
        ("Every layer and its strongest maps", figures.draw_layers(told.layers, told.crop)),
        ("What one place of each layer sees of the face", figures.draw_receptive_fields(reached)),
    ]


def list_softmax(told: Explanation) -> list[DescribedImage]:
    found = [("Every expression with its score and its share", figures.draw_softmax(told))]
    if told.contributions:
        found.append((f"What adds up to the score of {told.target}", figures.draw_contributions(told)))
    return found


def list_network_figures(told: Explanation) -> list[DescribedImage]:
    found = []
    if told.kernels is not None:
        found.append(("The filters of the first layer", figures.draw_kernels(told.kernels)))
    if told.costs:
        found.append(("Where the network's numbers and its work are", figures.draw_costs(told)))
    return found


def render_steps(engine: Engine, asked: ExplanationRequest, told: Explanation) -> str:
    """The walkthrough, a standalone page."""

    def make() -> str:
        return render_walkthrough(told, asked.photo.pixels(), _ends(engine))

    return get_or_make(WALKTHROUGH, asked.key, make)


def _ends(engine: Engine) -> list[str]:
    """The layers at the end of every stage, by name."""
    blank = np.full((engine.card.side,) * 2, 128, np.uint8)
    return [layer.name for layer in engine.explain(blank, ()).layers]
