"""Explanations of one model: activations, evidence maps, counterfactual and contributions for one face."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.explain import perturbation
from mien.explain.activations import FaceTensors, TensorReader, find_top_activating
from mien.explain.explanation import (
    AUTO,
    METHODS,
    Activations,
    Explanation,
    ExplanationTarget,
    LayerCost,
    Saliency,
    parse_methods,
    resolve_target,
)
from mien.explain.layers import GraphLayer, NetworkStructure
from mien.explain.regions import LANDMARKS, MEAN_GEOMETRY, build_region_map, measure_regions
from mien.models import Classifier, ModelCard
from mien.models.classifier import Outputs, name_outputs, output_labels
from mien.models.decision import build_emotions, prior_offsets
from mien.results import Emotions, Point, Score

Pixels = NDArray[np.uint8]

_NO_CAM = "This network does not end in global average pooling: occlusion replaces its class activation map."


class Explainer:
    """Explains the predictions of a classifier. It stores no crop, and several threads may use it."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._model: bytes | None = getattr(classifier, "model", None)

    @property
    def card(self) -> ModelCard:
        return self._classifier.card

    @cached_property
    def structure(self) -> NetworkStructure | None:
        """None for a classifier that does not provide its graph."""
        return None if self._model is None else NetworkStructure(self._model, self.card.side, self.card.channels)

    @cached_property
    def _reader(self) -> TensorReader | None:
        if self._model is None or self.structure is None:
            return None
        return TensorReader(self._model, self.structure.graph, getattr(self._classifier, "threads", None))

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers in order; empty for a classifier without a graph."""
        return () if self.structure is None else tuple(layer.name for layer in self.structure.layers)

    @property
    def has_class_maps(self) -> bool:
        """Does the network end in global average pooling and one dense layer?"""
        return self.structure is not None and self.structure.pooled is not None

    @property
    def default_method(self) -> str:
        """The first method that the audit in the model's card trusts."""
        method = self._audit.get("default")
        return self._available([method if method in METHODS else METHODS[0]])[0]

    @property
    def _audit(self) -> Mapping[str, Any]:
        """The audit of the evidence maps in the model's card; empty without one."""
        audit = self.card.metrics.get("maps")
        return audit if isinstance(audit, Mapping) else {}

    def score(self, faces: Pixels) -> NDArray[np.float32]:
        """The probabilities ``(N, labels)`` for faces ``(N, side, side, channels)``."""
        return self._classifier.run(faces).scores

    def check(
        self, methods: str | Sequence[str], layers: str | Sequence[str], target: str | None, versus: str | None
    ) -> None:
        """Raise the errors that :meth:`explain` would raise for these options, without a face."""
        parse_methods(methods)
        self._select_layers(layers)
        for label in filter(None, (target, versus)):
            resolve_target(self.card.labels, label, versus if label == target else None, 0)

    def activations(self, crop: Pixels, layers: str | Sequence[str] = "auto") -> Activations:
        """Activations, prediction and class map of a crop ``(side, side, channels)``, in one run of the network."""
        selected = self._select_layers(layers)
        names = [*(layer.tensor for layer in selected), *output_labels(self.card), *self._head_tensors(logits=False)]
        tensors = self._read_tensors(crop, names)
        outputs = self._classifier.run(crop[None]) if tensors is None else name_outputs(self.card, tensors.tensors)
        emotions = _first_emotions(self.card, outputs)
        saliency = regions = None
        if tensors is not None and self.has_class_maps:
            saliency = self._class_map(tensors, resolve_target(self.card.labels, emotions.top, None, 0))
            regions = measure_regions(saliency, build_region_map(self.card.side), MEAN_GEOMETRY)
        activations = () if tensors is None else tensors.layers(selected)
        return Activations(_freeze_crop(crop), emotions, activations, saliency, regions)

    def explain(
        self,
        crop: Pixels,
        methods: str | Sequence[str] = AUTO,
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
        landmarks: Sequence[Point] | None = None,
        notes: Sequence[str] = (),
        **fields: Any,
    ) -> Explanation:
        """The explanation of one crop ``(side, side, channels)``.

        ``landmarks`` are its five points in pixels of the crop; ``fields`` are those of :class:`Explanation` that
        describe the image.
        """
        requested = parse_methods(methods, self.default_method)
        available = self._available(requested)
        selected = self._select_layers(layers)
        emotions = _first_emotions(self.card, self._classifier.run(crop[None]))
        resolved = resolve_target(self.card.labels, target or emotions.top, versus, seed)
        names = [*(layer.tensor for layer in selected), *self._head_tensors()]
        if self.structure is not None and self.structure.kernel_input is not None:
            names.append(self.structure.kernel_input)
        tensors = self._read_tensors(crop, names)

        maps = tuple(self._saliency(crop, method, resolved, tensors) for method in available)
        region_map = build_region_map(self.card.side, landmarks)
        basis = MEAN_GEOMETRY if landmarks is None else LANDMARKS
        counterfactual = None
        if "occlusion" in available:
            counterfactual = perturbation.find_counterfactual(self.score, crop, self.card.labels)
        return Explanation(
            crop=_freeze_crop(crop),
            emotions=emotions,
            target=self.card.labels[resolved.target],
            versus=versus,
            maps=maps,
            regions=tuple(measure_regions(saliency, region_map, basis) for saliency in maps),
            region_map=region_map,
            counterfactual=counterfactual,
            counterfactual_searched="occlusion" in available,
            temperature=1.0 if self.card.decision else self.card.temperature,
            votes_temperature=self.card.votes_temperature,
            decision=self.card.decision,
            model=self.card.name,
            notes=(*self._notes(requested, available), *notes),
            **self._graph_fields(tensors, selected, resolved),
            **fields,
        )

    def saliency(self, crop: Pixels, method: str, target: str, versus: str | None = None, seed: int = 0) -> Saliency:
        """One evidence map of one crop ``(side, side, channels)``."""
        (available,) = self._available(parse_methods([method]))
        resolved = resolve_target(self.card.labels, target, versus, seed)
        tensors = self._read_tensors(crop, self._head_tensors(logits=False)) if available == "cam" else None
        return self._saliency(crop, available, resolved, tensors)

    def top_activating(
        self, faces: Pixels, layer: str, channels: Sequence[int], count: int = 9
    ) -> Mapping[int, tuple[int, ...]]:
        """The indices of the faces ``(N, side, side, channels)`` with the highest activation of each channel."""
        if self._reader is None or not len(faces):
            return dict.fromkeys(channels, ())
        (selected,) = self._select_layers([layer])
        return find_top_activating(self._reader, faces, selected, channels, count)

    def _select_layers(self, layers: str | Sequence[str]) -> tuple[GraphLayer, ...]:
        return () if self.structure is None else self.structure.select_layers(layers)

    def _available(self, methods: Sequence[str]) -> tuple[str, ...]:
        """The methods, with occlusion instead of class maps for a network without them."""
        replacements = {} if self.has_class_maps else {"cam": "occlusion"}
        return tuple(dict.fromkeys(replacements.get(method, method) for method in methods))

    def _head_tensors(self, logits: bool = True) -> list[str]:
        """The last feature maps, and with ``logits`` the logits of both heads."""
        if self.structure is None:
            return []
        heads = [head for head in (self.structure.head, self.structure.votes_head) if head is not None]
        maps = [] if self.structure.pooled is None else [self.structure.pooled.maps]
        return [*maps, *(head.logits for head in heads if logits)]

    def _read_tensors(self, crop: Pixels, names: Iterable[str]) -> FaceTensors | None:
        if self.structure is None or self._reader is None:
            return None
        names = list(names)
        return FaceTensors(self.structure, self._reader.read(crop[None], names) if names else {})

    def _graph_fields(
        self, tensors: FaceTensors | None, layers: Sequence[GraphLayer], target: ExplanationTarget
    ) -> dict[str, Any]:
        """The fields of an explanation that need the graph of the model."""
        if tensors is None:
            return {"logits": (), "layers": ()}
        heads = (tensors.structure.head, tensors.structure.votes_head)
        logits, votes_logits = (None if head is None else head.logits for head in heads)
        contributions, bias = tensors.contributions(target.target)
        offsets = prior_offsets(self.card)
        graph_logits = tensors.logits(logits, self.card.labels, 1.0 if self.card.decision else self.card.temperature)
        return {
            "logits": tuple(Score(label, round(value + offsets[label], 6)) for label, value in graph_logits),
            "votes_logits": tensors.logits(votes_logits, self.card.vote_labels, self.card.votes_temperature),
            "layers": tensors.layers(layers),
            "contributions": contributions,
            "bias": bias + offsets[self.card.labels[target.target]],
            "kernels": tensors.kernels(),
            "rows": tensors.structure.rows,
            "costs": self._costs(tensors.structure.costs),
        }

    def _costs(self, costs: tuple[LayerCost, ...]) -> tuple[LayerCost, ...]:
        """The costs with a row for the batch normalisation that the file has merged into the convolutions.

        So their sum is the number of parameters in the model's card.
        """
        merged = self.card.parameters - sum(cost.parameters for cost in costs)
        return (*costs, LayerCost("batch normalisation", "norm", merged, 0)) if merged > 0 else costs

    def _notes(self, requested: Sequence[str], available: Sequence[str]) -> Iterator[str]:
        if self.structure is None:
            yield f"The model '{self.card.name}' does not provide its graph, so its layers cannot be shown."
        if requested != available:
            yield _NO_CAM
        for method in available:
            row = self._audit.get(method)
            if isinstance(row, Mapping) and row.get("verdict") == "not trusted":
                yield f"The audit of this model does not trust its {method} maps; 'mien models show' has the figures."

    def _saliency(self, crop: Pixels, method: str, target: ExplanationTarget, tensors: FaceTensors | None) -> Saliency:
        if method == "cam":
            assert tensors is not None, "class maps need the graph"
            return self._class_map(tensors, target)
        versus = None if target.versus is None else self.card.labels[target.versus]
        label = self.card.labels[target.target]
        if method == "occlusion":
            parameters: dict[str, Any] = {"patch": perturbation.PATCH, "step": perturbation.STEP}
            values = perturbation.compute_occlusion(self.score, crop, target)
            return Saliency(values, label, method, versus, parameters)
        parameters = {
            "masks": perturbation.MASKS,
            "cells": perturbation.CELLS,
            "visible_part": perturbation.VISIBLE_PART,
        }
        values = perturbation.compute_rise(self.score, crop, target)
        return Saliency(values, label, method, versus, parameters, target.seed)

    def _class_map(self, tensors: FaceTensors, target: ExplanationTarget) -> Saliency:
        pooled, layers = tensors.pooled, tensors.structure.layers
        assert pooled is not None, "the caller checks for class maps"
        layer = next((layer.name for layer in layers if layer.tensor == pooled.maps), pooled.maps)
        values = tensors.class_map(target.target, target.versus, self.card.side)
        versus = None if target.versus is None else self.card.labels[target.versus]
        return Saliency(values, self.card.labels[target.target], "cam", versus, {"layer": layer})


def _first_emotions(card: ModelCard, outputs: Outputs) -> Emotions:
    """The emotions of the first face of a batch."""
    scores, votes, label_scores = (None if values is None else values[0] for values in outputs)
    assert scores is not None, "every model has scores"
    return build_emotions(card, scores, votes, label_scores=label_scores)


def _freeze_crop(crop: Pixels) -> Pixels:
    """A read-only copy: ``(side, side)`` for grayscale, ``(side, side, 3)`` for colour."""
    copy = np.array(crop[..., 0] if crop.shape[2] == 1 else crop)
    copy.setflags(write=False)
    return copy
