"""The explanation of one face and its figures: each computed once, and kept as long as it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from mien.apps.streamlit.session_state import EXPLANATION, FIGURES, WALKTHROUGH, UploadedPhoto, get_or_make
from mien.engine import Engine
from mien.explain import Explanation, Layer, figures
from mien.explain.page import render_walkthrough
from mien.results import Pixels


@dataclass(frozen=True)
class ExplanationRequest:
    """The face, the engine, the method and the target; ``versus`` None compares with all other expressions."""

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


#: A figure, with its description for screen readers first.
DescribedImage = tuple[str, Pixels]


def explain_face(engine: Engine, request: ExplanationRequest) -> Explanation:
    def make() -> Explanation:
        (explanation,) = engine.explain_image(
            request.photo.pixels(),
            request.face,
            methods=[request.method],
            layers="all",
            target=request.target,
            versus=request.versus,
        )
        return replace(explanation, source=request.photo.name)

    return get_or_make(EXPLANATION, request.key, make)


def get_figures(
    request: ExplanationRequest, view: str, make: Callable[[], list[DescribedImage]]
) -> list[DescribedImage]:
    return get_or_make(FIGURES, (*request.key, view), make)


def list_evidence(request: ExplanationRequest, explanation: Explanation) -> list[DescribedImage]:
    target = explanation.target + (f" compared with {explanation.versus}" if explanation.versus else "")
    return [(f"Evidence map for {target}", figures.draw_evidence_maps(explanation, request.photo.pixels()))]


def list_layer_maps(explanation: Explanation, layer: Layer) -> list[DescribedImage]:
    """The feature maps of one layer; those of the layer before it where it has no spatial dimensions."""
    before = explanation.layers[: explanation.layers.index(layer)]
    spatial = [earlier for earlier in before if len(earlier.shape) == 3]
    maps = figures.draw_feature_maps(layer, explanation.crop.shape[0], spatial[-1] if spatial else None)
    return [(f"Feature maps of the layer {layer.name}", maps)]


def list_activations(engine: Engine, explanation: Explanation) -> list[DescribedImage]:
    names = _stage_layers(engine)
    stages = tuple(layer for layer in explanation.layers if layer.name in names and len(layer.shape) == 3)
    fields = figures.draw_receptive_fields(replace(explanation, layers=stages))
    return [
        ("Every layer with its most active maps", figures.draw_layers(explanation.layers, explanation.crop)),
        ("Receptive field of each layer", fields),
    ]


def list_softmax(explanation: Explanation) -> list[DescribedImage]:
    images = [("Logit and probability of every expression", figures.draw_softmax(explanation))]
    if explanation.contributions:
        images.append((f"Contributions to the logit of {explanation.target}", figures.draw_contributions(explanation)))
    return images


def list_network_figures(explanation: Explanation) -> list[DescribedImage]:
    images = []
    if explanation.kernels is not None:
        images.append(("Kernels of the first layer", figures.draw_kernels(explanation.kernels)))
    if explanation.costs:
        images.append(("Parameters and multiply-adds of each layer", figures.draw_costs(explanation)))
    return images


def render_steps(engine: Engine, request: ExplanationRequest, explanation: Explanation) -> str:
    """The walkthrough as a standalone page."""

    def make() -> str:
        return render_walkthrough(explanation, request.photo.pixels(), _stage_layers(engine))

    return get_or_make(WALKTHROUGH, request.key, make)


def _stage_layers(engine: Engine) -> list[str]:
    """The names of the last layer of each stage."""
    blank = np.full((engine.card.side,) * 2, 128, np.uint8)
    return [layer.name for layer in engine.explain(blank, ()).layers]
