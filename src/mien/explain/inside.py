"""One model, opened for looking inside: what the engine's ``explain`` and ``look`` are made of."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError, nearest
from mien.explain import cam, saliency
from mien.explain.anatomy import Anatomy, Part
from mien.explain.explanation import Contribution, Explanation, Layer, Look, Map, Saliency
from mien.explain.flip import smallest_flip
from mien.explain.layers import frozen, layer_of
from mien.explain.regions import LANDMARKS, MEAN, region_map, regions_of
from mien.explain.taps import Taps
from mien.models import Classifier, ModelCard
from mien.models.verdict import emotions_of
from mien.types import Point, Share

Face = NDArray[np.uint8]

#: What can be asked for; the first is what is shown when nothing is said.
METHODS = ("cam", "occlusion", "rise")

#: Those that need gradients, and so Keras; they live in the laboratory.
GRADIENTS = ("grad-cam", "layer-cam", "integrated-gradients", "smoothgrad")


class Inside:
    """A model's anatomy and its open taps. It keeps no picture, and threads may share it."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._model: bytes | None = getattr(classifier, "model", None)

    @property
    def card(self) -> ModelCard:
        return self._classifier.card

    @cached_property
    def anatomy(self) -> Anatomy | None:
        """None for a classifier that does not hand out its graph: it answers, and cannot be opened."""
        return None if self._model is None else Anatomy(self._model, self.card.side, self.card.channels)

    @cached_property
    def _taps(self) -> Taps | None:
        if self._model is None or self.anatomy is None:
            return None
        return Taps(self._model, self.anatomy.blueprint, getattr(self._classifier, "threads", None))

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of all layers, in order; empty for a model that cannot be opened."""
        return () if self.anatomy is None else tuple(part.name for part in self.anatomy.parts)

    def look(self, face: Face, layers: str | Sequence[str] = "auto") -> Look:
        """Everything of a quick look in one run of the network; ``face`` is ``(side, side, channels)``."""
        parts = self._choose(layers)
        maps = self._maps_tensor()
        found = self._tapped(face, [part.tensor for part in parts], ["shares", "votes", maps])
        if not found:
            out = self._classifier.run(face[None])
            found = {"shares": out.shares} if out.votes is None else {"shares": out.shares, "votes": out.votes}
        votes = found["votes"][0] if self.card.vote_labels else None
        emotions = emotions_of(self.card, found["shares"][0], votes)
        shown = None
        if maps:
            shown = self._cam(found[maps][0], self.card.labels.index(emotions.top), None)
        where = regions_of(shown, region_map(self.card.side), MEAN) if shown else None
        return Look(_flat(face), emotions, self._layers(parts, found), shown, where)

    def explain(
        self,
        pixels: Face,
        methods: str | Sequence[str] = ("cam",),
        layers: str | Sequence[str] = "auto",
        target: str | None = None,
        versus: str | None = None,
        seed: int = 0,
        landmarks: Sequence[Point] | None = None,
        **facts: Any,
    ) -> Explanation:
        """All there is to say of one face, ``pixels (side, side, channels)``.

        ``landmarks`` are its five points in pixels of the crop; ``facts`` are what the caller knows of its picture.
        """
        named, parts = _methods(methods), self._choose(layers)
        out = self._classifier.run(pixels[None])
        emotions = emotions_of(self.card, out.shares[0], None if out.votes is None else out.votes[0])
        goal, rival = self._goals(target, versus, emotions.top)
        found = self._tapped(pixels, [part.tensor for part in parts], [*self._logit_tensors(), self._maps_tensor()])
        maps, notes = self._saliencies(pixels, named, goal, rival, seed, found)
        where = region_map(self.card.side, landmarks)
        basis = MEAN if landmarks is None else LANDMARKS
        sought = any(each.method == "occlusion" for each in maps)
        return Explanation(
            crop=_flat(pixels),
            emotions=emotions,
            target=self.card.labels[goal],
            versus=versus,
            logits=self._logits(found, "head", self.card.labels, self.card.temperature),
            temperature=self.card.temperature,
            votes_logits=self._logits(found, "votes", self.card.vote_labels, self.card.votes_temperature),
            votes_temperature=self.card.votes_temperature,
            layers=self._layers(parts, found),
            maps=maps,
            regions=tuple(regions_of(each, where, basis) for each in maps),
            region_map=where,
            **self._dense(found, goal),
            kernels=self.anatomy.kernels if self.anatomy else None,
            costs=self.anatomy.costs if self.anatomy else (),
            flip=smallest_flip(self._ask, pixels, self.card.labels) if sought else None,
            flip_sought=sought,
            notes=(*self._closed(), *notes, *facts.pop("notes", ())),
            model=self.card.name,
            **facts,
        )

    def _choose(self, layers: str | Sequence[str]) -> tuple[Part, ...]:
        return () if self.anatomy is None else self.anatomy.choose(layers)

    def _closed(self) -> tuple[str, ...]:
        if self.anatomy is not None:
            return ()
        return (f"The model '{self.card.name}' does not hand out its graph, so no layer can be shown.",)

    def _goals(self, target: str | None, versus: str | None, top: str) -> tuple[int, int | None]:
        goal = self._label(top if target is None else target)
        rival = None if versus is None else self._label(versus)
        if rival == goal:
            happened = f"'{versus}' was to be held against itself"
            raise MienError(happened, "Expected two different expressions", "Name another for versus")
        return goal, rival

    def _label(self, word: str) -> int:
        if word not in self.card.labels:
            known = ", ".join(self.card.labels)
            hint = nearest(word, self.card.labels) or "Choose one of these"
            raise MienError(f"The model does not know the expression '{word}'", f"It knows {known}", hint)
        return self.card.labels.index(word)

    def _tapped(self, face: Face, tensors: Sequence[str], more: Sequence[str | None]) -> dict[str, NDArray[Any]]:
        wanted = [*tensors, *(name for name in more if name and (name != "votes" or self.card.vote_labels))]
        return dict(self._taps.run(face[None], wanted)) if self._taps and wanted else {}

    def _maps_tensor(self) -> str | None:
        return self.anatomy.head.maps if self.anatomy and self.anatomy.head else None

    def _logit_tensors(self) -> list[str]:
        heads = (self.anatomy.head, self.anatomy.votes) if self.anatomy else ()
        return [head.logits for head in heads if head is not None]

    def _layers(self, parts: Sequence[Part], found: dict[str, NDArray[Any]]) -> tuple[Layer, ...]:
        return tuple(layer_of(part, found[part.tensor]) for part in parts)

    def _logits(
        self, found: dict[str, NDArray[Any]], head: str, labels: Sequence[str], temperature: float
    ) -> tuple[Share, ...]:
        """As the network gave them: the temperature is folded into the graph's last weights, and is taken out again."""
        known = getattr(self.anatomy, head, None)
        if known is None or known.logits not in found:
            return ()
        values = found[known.logits].reshape(-1) * temperature
        return tuple(Share(label, round(float(value), 6)) for label, value in zip(labels, values, strict=True))

    def _dense(self, found: dict[str, NDArray[Any]], goal: int) -> dict[str, Any]:
        """What each channel of the last layer adds to the target's logit."""
        maps = self._maps_tensor()
        head = self.anatomy.head if self.anatomy else None
        if maps is None or head is None or head.weights is None or head.bias is None:
            return {}
        places = self._places(found[maps][0])
        means, weights = places.reshape(len(places), -1).mean(axis=1), head.weights[:, goal]
        order = np.argsort(-np.abs(means * weights), kind="stable")
        rows = (Contribution(int(k), float(means[k]), float(weights[k]), float(means[k] * weights[k])) for k in order)
        return {"contributions": tuple(rows), "bias": float(head.bias[goal])}

    def _saliencies(
        self,
        face: Face,
        methods: Sequence[str],
        goal: int,
        rival: int | None,
        seed: int,
        found: dict[str, NDArray[Any]],
    ) -> tuple[tuple[Saliency, ...], tuple[str, ...]]:
        notes: tuple[str, ...] = ()
        if "cam" in methods and self._maps_tensor() is None:
            methods = list(dict.fromkeys("occlusion" if each == "cam" else each for each in methods))
            notes = ("This network does not end in global average pooling: occlusion stands in for its class map.",)
        return tuple(self._saliency(face, each, goal, rival, seed, found) for each in methods), notes

    def _saliency(
        self, face: Face, method: str, goal: int, rival: int | None, seed: int, found: dict[str, NDArray[Any]]
    ) -> Saliency:
        match method:
            case "cam":
                maps = self._maps_tensor()
                assert maps is not None, "asked for only where there are maps"
                return self._cam(found[maps][0], goal, rival)
            case "occlusion":
                map_ = saliency.occlusion(self._ask, face, goal, rival)
                return self._named(map_, "occlusion", goal, rival, {"patch": saliency.PATCH, "step": saliency.STEP})
        map_ = saliency.rise(self._ask, face, goal, rival, seed)
        settings = {"masks": saliency.MASKS, "cells": saliency.CELLS, "kept": saliency.KEPT}
        return self._named(map_, "rise", goal, rival, settings, seed)

    def _cam(self, maps: NDArray[np.float32], goal: int, rival: int | None) -> Saliency:
        assert self.anatomy is not None and self.anatomy.head is not None and self.anatomy.head.maps is not None
        spread = self.anatomy.spread(self.anatomy.head.maps)
        coarse = cam.evidence(self.anatomy.head, self._places(maps), goal, rival)
        assert spread is not None, "maps before the pooling have places"
        laid = cam.on_crop(coarse, spread.reach, self.card.side)
        layer = next((part.name for part in self.anatomy.parts if part.tensor == self.anatomy.head.maps), "")
        return self._named(
            frozen(laid if rival is not None else np.maximum(laid, 0)), "cam", goal, rival, {"layer": layer}
        )

    def _places(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        assert self.anatomy is not None and self.anatomy.head is not None and self.anatomy.head.maps is not None
        return cam.channels_first(maps, self.anatomy.spread(self.anatomy.head.maps))

    def _named(
        self, map_: Map, method: str, goal: int, rival: int | None, how: dict[str, Any], seed: int | None = None
    ) -> Saliency:
        labels = self.card.labels
        return Saliency(map_, labels[goal], method, None if rival is None else labels[rival], how, seed)

    def _ask(self, faces: Face) -> NDArray[np.float32]:
        return self._classifier.run(faces).shares


def _methods(methods: str | Sequence[str]) -> list[str]:
    """The methods by name, each once; an unknown one is refused with the nearest."""
    named = [each.strip() for each in methods.split(",")] if isinstance(methods, str) else list(methods)
    for name in named:
        if name in GRADIENTS:
            happened = f"'{name}' needs gradients, which an ONNX file does not give"
            raise MienError(
                happened, f"Here there are {', '.join(METHODS)}", "mien.lab.gradients does it for Keras files"
            )
        if name not in METHODS:
            hint = nearest(name, METHODS) or "Choose one of these"
            raise MienError(f"There is no method '{name}'", f"There are {', '.join(METHODS)}", hint)
    return list(dict.fromkeys(named))


def _flat(face: Face) -> Face:
    """``(side, side)`` for gray, ``(side, side, 3)`` for colour; read-only."""
    kept = np.array(face[..., 0] if face.shape[2] == 1 else face)
    kept.setflags(write=False)
    return kept
