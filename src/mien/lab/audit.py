"""Does a model's map tell the truth? Every method against maps that know nothing of the model.

Taking away what a map points at must take the answer away (deletion), bringing it back first must bring the answer back
(insertion); shuffling the weights must change the map, and a little noise must not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import LabError
from mien.explain import faithful
from mien.explain.faithful import Curves, mean_with_interval, rank_agreement
from mien.explain.inside import Inside
from mien.explain.question import methods_of
from mien.faces.crop import as_input
from mien.lab import audit_verdict
from mien.lab.audit_shuffle import shuffled
from mien.models import load_classifier
from mien.models.file import ModelSource, read_model

Face = NDArray[np.uint8]
Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

#: Draws the map of a face ``(side, side, channels)`` for one of the model's labels.
Method = Callable[[Inside, Face, str], NDArray[np.floating[Any]]]

#: How many faces the slower checks are made on.
SHUFFLED, NOISY = 24, 60

#: The noise a map must stand, in gray values (standard deviation): it is hardly seen.
NOISE = 4.0


def baselines() -> dict[str, Method]:
    """Maps that know nothing of the model: any method must beat them."""
    return {
        "random": lambda inside, face, _: faithful.random(inside.card.side, int(face.astype(np.int64).sum())),
        "centre": lambda inside, face, _: faithful.centre(inside.card.side),
        "edges": lambda inside, face, _: faithful.edges(face),
    }


def own_methods(names: str | Sequence[str]) -> dict[str, Method]:
    """The methods of the engine, by name."""
    return {name: _own(name) for name in methods_of(names)}


def _own(name: str) -> Method:
    return lambda inside, face, target: inside.saliency(face, name, target).map


@dataclass(frozen=True)
class Drawn:
    """One method's maps: its curves on each face (N, 2, points), the maps (N, side, side), milliseconds (N,)."""

    curves: Floats
    maps: NDArray[np.float32]
    milliseconds: Floats

    @property
    def areas(self) -> Floats:
        """Under deletion and insertion, ``(N, 2)``."""
        return np.asarray((self.curves[..., :-1] + self.curves[..., 1:]).mean(axis=2) / 2)


def audit(
    model: ModelSource,
    pixels: NDArray[np.uint8],
    methods: Mapping[str, Method] | None = None,
    *,
    seed: int = 0,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Every figure of the audit, and its verdict, on faces ``(N, h, w)`` uint8; the leading label is explained."""
    if not len(pixels):
        raise LabError("There is no face to audit maps on", "One or more were expected", "Choose another split")
    raw = read_model(model)
    inside = Inside(load_classifier(raw))
    faces = as_input(pixels, inside.card.side, inside.card.color)
    named = dict(methods or own_methods(_possible(inside)))
    targets = [inside.card.labels[best] for best in inside.ask(faces).argmax(axis=1)]
    step = _Steps(progress, len(faces) * (len(named) + 3) + len(named) * (min(NOISY, len(faces)) + SHUFFLED))
    drawn = {name: _drawn(inside, each, faces, targets, step) for name, each in (baselines() | named).items()}
    noise = {name: _stability(inside, each, faces, targets, drawn[name], step, seed) for name, each in named.items()}
    shuffles = _shuffles(raw, named, faces, targets, drawn, step, seed)
    figures = {
        "model": inside.card.name,
        "faces": len(faces),
        "explained": "the leading expression",
        "noise": NOISE,
        "baselines": {name: _curve_figures(drawn[name]) for name in baselines()},
        "methods": {
            name: {
                **_curve_figures(drawn[name]),
                "against": {other: _gain(drawn[name], drawn[other]) for other in baselines()},
                "milliseconds": round(float(np.median(drawn[name].milliseconds)), 2),
                "stability": _told(noise[name]),
                "shuffled": shuffles[name],
            }
            for name in named
        },
        "agreement": {name: {other: _agreement(drawn[name], drawn[other]) for other in drawn} for name in drawn},
    }
    return audit_verdict.judged(figures)


def _possible(inside: Inside) -> tuple[str, ...]:
    return ("cam", "occlusion", "rise") if inside.has_class_maps else ("occlusion", "rise")


def _drawn(inside: Inside, method: Method, faces: Face, targets: Sequence[str], step: _Steps) -> Drawn:
    curves, maps, milliseconds = [], [], []
    method(inside, faces[0], targets[0])  # the first one opens sessions and draws masks
    for place, (face, target) in enumerate(zip(faces, targets, strict=True)):
        start = time.perf_counter()
        maps.append(np.asarray(method(inside, face, target), np.float32))
        milliseconds.append(1000 * (time.perf_counter() - start))
        curves.append(_curves(inside, face, maps[-1], target, place))
        step()
    return Drawn(np.array(curves), np.array(maps), np.array(milliseconds))


def _curves(inside: Inside, face: Face, drawn: NDArray[np.float32], target: str, seed: int) -> Curves:
    return faithful.curves(inside.ask, face, drawn, inside.card.labels.index(target), seed)


def _stability(
    inside: Inside, method: Method, faces: Face, targets: Sequence[str], drawn: Drawn, step: _Steps, seed: int
) -> Floats:
    """How much of each map stays when a little noise is laid over the face: 1 all of it, 0 none."""
    chance = np.random.default_rng(seed)
    found = []
    for face, target, before in zip(faces[:NOISY], targets, drawn.maps, strict=False):
        noisy = np.rint(face + chance.normal(0, NOISE, face.shape)).clip(0, 255).astype(np.uint8)
        found.append(rank_agreement(before, method(inside, noisy, target)))
        step()
    return np.array(found)


def _shuffles(
    raw: bytes,
    methods: Mapping[str, Method],
    faces: Face,
    targets: Sequence[str],
    drawn: Mapping[str, Drawn],
    step: _Steps,
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """Likeness to the true map with the weights shuffled, layer after layer from the last on."""
    few = min(SHUFFLED, len(faces))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    stages = list(shuffled(raw, seed))
    for number, (layer, model) in enumerate(stages):
        broken = Inside(load_classifier(model))
        for name, method in methods.items():
            pairs = zip(faces[:few], targets, drawn[name].maps, strict=False)
            likeness = [abs(rank_agreement(before, method(broken, face, goal))) for face, goal, before in pairs]
            found[name].append({"layer": layer, "likeness": round(float(np.mean(likeness)), 4)})
            step(SHUFFLED * (number + 1) // len(stages) - SHUFFLED * number // len(stages))
    return found


def _curve_figures(drawn: Drawn) -> dict[str, Any]:
    deletion, insertion = drawn.areas.T
    mean = drawn.curves.mean(axis=0).round(4)
    return {
        "deletion": _told(deletion),
        "insertion": _told(insertion),
        "curves": {"deletion": mean[0].tolist(), "insertion": mean[1].tolist()},
    }


def _gain(drawn: Drawn, other: Drawn) -> dict[str, list[float]]:
    """How much better than a baseline, face by face; above 0 is better on both curves."""
    better = (other.areas - drawn.areas) * np.array([1, -1])
    return {"deletion": _told(better[:, 0]), "insertion": _told(better[:, 1])}


def _agreement(one: Drawn, other: Drawn) -> float:
    pairs = zip(one.maps, other.maps, strict=True)
    return round(float(np.mean([rank_agreement(a, b) for a, b in pairs])), 3)


def _told(values: Floats) -> list[float]:
    """The mean, and the ends of its 95 % interval."""
    return [round(each, 4) for each in mean_with_interval(values)]


class _Steps:
    """Counts what is done, for whoever draws a bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int = 1) -> None:
        self._done += count
        if self._progress:
            self._progress(min(self._done, self._total), self._total)
