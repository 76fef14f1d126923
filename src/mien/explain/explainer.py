"""One model, opened for looking inside: what the engine's ``explain`` and ``look`` are made of."""

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
    Map,
    Saliency,
    parse_methods,
    resolve_target,
)
from mien.explain.layers import GraphLayer, NetworkStructure
from mien.explain.perturbation import find_counterfactual
from mien.explain.regions import LANDMARKS, MEAN_GEOMETRY, build_region_map, measure_regions
from mien.models import Classifier, ModelCard
from mien.models.decision import build_emotions
from mien.results import Point

Pixels = NDArray[np.uint8]

_NO_CAM = "This network does not end in global average pooling: occlusion stands in for its class map."


class Explainer:
    """A model's anatomy and its open taps. It keeps no picture, and threads may share it."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._model: bytes | None = getattr(classifier, "model", None)

    @property
    def card(self) -> ModelCard:
        return self._classifier.card

    @cached_property
    def structure(self) -> NetworkStructure | None:
        """None for a classifier that does not hand out its graph: it answers, and cannot be opened."""
        return None if self._model is None else NetworkStructure(self._model, self.card.side, self.card.channels)

    @cached_property
    def _taps(self) -> TensorReader | None:
        if self._model is None or self.structure is None:
            return None
        return TensorReader(self._model, self.structure.graph, getattr(self._classifier, "threads", None))

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers, in order; empty for a model that cannot be opened."""
        return () if self.structure is None else tuple(part.name for part in self.structure.parts)

    @property
    def has_class_maps(self) -> bool:
        """Does the network end in global average pooling and one dense layer?"""
        return self.structure is not None and self.structure.pooled is not None

    @property
    def default(self) -> str:
        """The map that is shown when none is named: the first that held in the audit the card tells of."""
        told = self._audit.get("default")
        (possible,) = self._possible([told if told in METHODS else METHODS[0]])
        return possible

    @property
    def _audit(self) -> Mapping[str, Any]:
        """What the card says of the model's maps; empty where nobody audited them."""
        told = self.card.scores.get("maps")
        return told if isinstance(told, Mapping) else {}

    def ask(self, faces: Pixels) -> NDArray[np.float32]:
        """Shares ``(N, labels)`` for faces ``(N, side, side, channels)``."""
        return self._classifier.run(faces).scores

    def activations(self, face: Pixels, layers: str | Sequence[str] = "auto") -> Activations:
        """Everything of a quick look in one run of the network; ``face`` is ``(side, side, channels)``."""
        parts = self._choose(layers)
        heads = ("shares", "votes") if self.card.vote_labels else ("shares",)
        sight = self._sight(face, [*(part.tensor for part in parts), *heads, *self._ends(logits=False)])
        if sight is None:
            shares, votes = self._classifier.run(face[None])
            return Activations(
                _flat(face), build_emotions(self.card, shares[0], None if votes is None else votes[0]), ()
            )
        shares, votes = sight.tensors["shares"], sight.tensors.get("votes")
        emotions = build_emotions(self.card, shares[0], None if votes is None else votes[0])
        question = resolve_target(self.card.labels, emotions.top, None, 0)
        shown = self._class_map(sight, question) if self.has_class_maps else None
        where = None if shown is None else measure_regions(shown, build_region_map(self.card.side), MEAN_GEOMETRY)
        return Activations(_flat(face), emotions, sight.layers(parts), shown, where)

    def explain(
        self,
        pixels: Pixels,
        methods: str | Sequence[str] = AUTO,
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
        landmarks: Sequence[Point] | None = None,
        notes: Sequence[str] = (),
        **facts: Any,
    ) -> Explanation:
        """All there is to say of one face, ``pixels (side, side, channels)``.

        ``landmarks`` are its five points in pixels of the crop; ``facts`` are what the caller knows of its picture.
        """
        named, parts = parse_methods(methods, self.default), self._choose(layers)
        shares, votes = self._classifier.run(pixels[None])
        emotions = build_emotions(self.card, shares[0], None if votes is None else votes[0])
        question = resolve_target(self.card.labels, target or emotions.top, versus, seed)
        sight = self._sight(pixels, [*(part.tensor for part in parts), *self._ends()])
        possible = self._possible(named)
        maps = tuple(self._saliency(pixels, each, question, sight) for each in possible)
        where, basis = build_region_map(self.card.side, landmarks), MEAN_GEOMETRY if landmarks is None else LANDMARKS
        return Explanation(
            crop=_flat(pixels),
            emotions=emotions,
            target=self.card.labels[question.target],
            versus=versus,
            maps=maps,
            regions=tuple(measure_regions(each, where, basis) for each in maps),
            region_map=where,
            counterfactual=find_counterfactual(self.ask, pixels, self.card.labels) if "occlusion" in possible else None,
            counterfactual_searched="occlusion" in possible,
            temperature=self.card.temperature,
            votes_temperature=self.card.votes_temperature,
            model=self.card.name,
            notes=(*self._closed(), *([_NO_CAM] if possible != named else []), *self._doubts(possible), *notes),
            **self._seen(sight, parts, question),
            **facts,
        )

    def check(
        self, methods: str | Sequence[str], layers: str | Sequence[str], target: str | None, versus: str | None
    ) -> None:
        """Refuse what :meth:`explain` would refuse, before there is a face."""
        parse_methods(methods)
        self._choose(layers)
        for word in filter(None, (target, versus)):
            resolve_target(self.card.labels, word, versus if word == target else None, 0)

    def saliency(self, face: Pixels, method: str, target: str, versus: str | None = None, seed: int = 0) -> Saliency:
        """One map of one face ``(side, side, channels)``, and nothing else."""
        (possible,) = self._possible(parse_methods([method]))
        question = resolve_target(self.card.labels, target, versus, seed)
        sight = self._sight(face, self._ends(logits=False)) if possible == "cam" else None
        return self._saliency(face, possible, question, sight)

    def top_activating(
        self, faces: Pixels, layer: str, channels: Sequence[int], count: int = 9
    ) -> Mapping[int, tuple[int, ...]]:
        """The faces ``(N, side, side, channels)`` that excite each of a layer's channels most, by their places."""
        if self._taps is None or not len(faces):
            return dict.fromkeys(channels, ())
        (part,) = self._choose([layer])
        return find_top_activating(self._taps, faces, part, channels, count)

    def _choose(self, layers: str | Sequence[str]) -> tuple[GraphLayer, ...]:
        return () if self.structure is None else self.structure.choose(layers)

    def _ends(self, logits: bool = True) -> list[str]:
        """The tensors at the end of the network that explanations are made of."""
        if self.structure is None:
            return []
        heads = [head for head in (self.structure.head, self.structure.votes) if head is not None]
        maps = [] if self.structure.pooled is None else [self.structure.pooled.maps]
        return [*maps, *(head.logits for head in heads if logits)]

    def _sight(self, face: Pixels, tensors: Iterable[str]) -> FaceTensors | None:
        if self.structure is None or self._taps is None:
            return None
        wanted = list(tensors)
        return FaceTensors(self.structure, self._taps.run(face[None], wanted) if wanted else {})

    def _seen(
        self, sight: FaceTensors | None, parts: Sequence[GraphLayer], question: ExplanationTarget
    ) -> dict[str, Any]:
        """What only an open model can tell."""
        if sight is None:
            return {"logits": (), "layers": ()}
        first, second = (
            None if head is None else head.logits for head in (sight.structure.head, sight.structure.votes)
        )
        contributions, bias = sight.contributions(question.target)
        return {
            "logits": sight.logits(first, self.card.labels, self.card.temperature),
            "votes_logits": sight.logits(second, self.card.vote_labels, self.card.votes_temperature),
            "layers": sight.layers(parts),
            "contributions": contributions,
            "bias": bias,
            "kernels": sight.structure.kernels,
            "costs": sight.structure.costs,
        }

    def _closed(self) -> list[str]:
        told = f"The model '{self.card.name}' does not hand out its graph, so its layers cannot be shown."
        return [told] if self.structure is None else []

    def _doubts(self, methods: Sequence[str]) -> Iterator[str]:
        """What the audit said against the maps that are shown."""
        for method in methods:
            row = self._audit.get(method)
            if isinstance(row, Mapping) and row.get("standing") == "fails":
                yield f"This model's audit says not to believe its {method} maps; 'mien models show' has the figures."

    def _possible(self, methods: Sequence[str]) -> tuple[str, ...]:
        """Where there are no exact class maps, occlusion stands in for them."""
        stands_in = {} if self.has_class_maps else {"cam": "occlusion"}
        return tuple(dict.fromkeys(stands_in.get(method, method) for method in methods))

    def _saliency(
        self, pixels: Pixels, method: str, question: ExplanationTarget, sight: FaceTensors | None
    ) -> Saliency:
        if method == "cam":
            assert sight is not None, "class maps are for models that can be opened"
            return self._class_map(sight, question)
        if method == "occlusion":
            how = {"patch": perturbation.PATCH, "step": perturbation.STEP}
            return self._named(perturbation.compute_occlusion(self.ask, pixels, question), method, question, how)
        how = {"masks": perturbation.MASKS, "cells": perturbation.CELLS, "kept": perturbation.VISIBLE_PART}
        return self._named(perturbation.compute_rise(self.ask, pixels, question), method, question, how, question.seed)

    def _class_map(self, sight: FaceTensors, question: ExplanationTarget) -> Saliency:
        pooled = sight.pooled
        assert pooled is not None, "asked for only where there are class maps"
        layer = next((part.name for part in sight.structure.parts if part.tensor == pooled.maps), pooled.maps)
        laid = sight.class_map(question.target, question.versus, self.card.side)
        return self._named(laid, "cam", question, {"layer": layer})

    def _named(
        self, laid: Map, method: str, question: ExplanationTarget, how: dict[str, Any], seed: int | None = None
    ) -> Saliency:
        rival = None if question.versus is None else self.card.labels[question.versus]
        return Saliency(laid, self.card.labels[question.target], method, rival, how, seed)


def _flat(face: Pixels) -> Pixels:
    """``(side, side)`` for gray, ``(side, side, 3)`` for colour; read-only."""
    kept = np.array(face[..., 0] if face.shape[2] == 1 else face)
    kept.setflags(write=False)
    return kept
