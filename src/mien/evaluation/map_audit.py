"""A model with its weights shuffled, one layer after the other from the last on: what a map is worth that stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from mien.datasets.dataset import FaceDataset
from mien.datasets.splits import DataSettings, sample_validation
from mien.errors import ExperimentError
from mien.evaluation.evaluate import SPLITS
from mien.explain import faithfulness
from mien.explain.explainer import Explainer
from mien.explain.explanation import parse_methods
from mien.explain.faithfulness import FaithfulnessCurves, bootstrap_mean, rank_correlation
from mien.faces.crop import to_model_input
from mien.models import load_classifier
from mien.models.onnx_file import ModelSource, read_model

#: More stages than this say nothing more; several layers then share one.
STAGES = 8

#: Constants smaller than this are scales and steps, not weights.
_LEAST = 6

#: Operations through which a stored weight passes before it is used.
_HANDS_ON = ("DequantizeLinear", "Identity", "Cast", "Transpose")


def randomize_weights(model: bytes, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """The tensor of the layer down to which weights are shuffled, and the whole model; each stage keeps the last's.

    Every layer keeps its own numbers in another order, so ranges and rounding stay what they were.
    """
    proto = onnx.load_from_string(model)
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    layers = list(reversed(_weighted(proto, stored)))
    chance = np.random.default_rng(seed)
    for group in np.array_split(np.arange(len(layers)), min(STAGES, len(layers))):
        for place in group:
            _shuffle(stored[layers[place][1]], chance)
        yield layers[group[-1]][0], proto.SerializeToString()


def _weighted(proto: ModelProto, stored: dict[str, TensorProto]) -> list[tuple[str, str]]:
    """The layers in order, each with its stored weights: biases and what is counted in whole numbers stay."""
    makers = {name: node for node in proto.graph.node for name in node.output}
    found: dict[str, str] = {}
    for node in proto.graph.node:
        if node.op_type in (*_HANDS_ON, "QuantizeLinear"):
            continue
        for name in (_source(each, makers) for each in node.input):
            if name in stored and name not in found and _is_weight(stored[name]):
                found[name] = node.output[0]
    return [(layer, name) for name, layer in found.items()]


def _source(name: str, makers: dict[str, NodeProto]) -> str:
    while name in makers and makers[name].op_type in _HANDS_ON:
        name = makers[name].input[0]
    return name


def _is_weight(tensor: TensorProto) -> bool:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8)
    return tensor.data_type in kinds and len(tensor.dims) > 1 and int(np.prod(tensor.dims)) >= _LEAST


def _shuffle(tensor: TensorProto, chance: np.random.Generator) -> None:
    values = numpy_helper.to_array(tensor)
    mixed = chance.permutation(values.ravel()).reshape(values.shape)
    tensor.CopyFrom(numpy_helper.from_array(mixed, tensor.name))


# ==== mien.lab.audit_verdict
# What the figures of an audit come to, in words.

Figures = Mapping[str, Any]

#: With all weights shuffled a map may be this much like the true one; a map of the face alone would be all of it.
MAX_SIMILARITY = 0.5

#: Below this much agreement a little noise makes another map.
MIN_STABILITY = 0.6

#: A map this much like a hill in the middle of the crop tells little about where.
MAX_CENTRE_SIMILARITY = 0.7

#: What an engine shows when nothing is said stands before the others.
_FIRST = ("cam", "occlusion", "rise")


def add_verdicts(figures: dict[str, Any]) -> dict[str, Any]:
    """The figures with a verdict for each method, the one to show, and the whole in one sentence.

    A method ``holds``, or ``fails``, or is ``unsure``: ahead of every baseline, but on too few faces to be certain.
    """
    for name, told in figures["methods"].items():
        failures, doubts = list(_failures(told)), list(_doubts(told, figures["faces"]))
        told["standing"] = "fails" if failures else "unsure" if doubts else "holds"
        told["believable"] = told["standing"] == "holds"
        told["verdict"] = _sentence(told, failures, doubts, figures["agreement"][name])
    believable = [name for name, told in figures["methods"].items() if told["believable"]]
    ranked = sorted(believable, key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    figures["default"] = ranked[0] if ranked else None
    figures["verdict"] = _whole(figures, ranked)
    return figures


def beaten_baselines(told: Figures) -> list[str]:
    """The baselines that a method beats on both curves, with 95 % certainty."""
    return [name for name, gain in told["against"].items() if all(gain[curve][1] > 0 for curve in gain)]


def _failures(told: Figures) -> Iterator[str]:
    behind = [name for name, gain in told["against"].items() if any(gain[curve][0] <= 0 for curve in gain)]
    if behind:
        yield f"it does not beat {_listed(behind)} on both curves"
    likeness = told["shuffled"][-1]["likeness"]
    if likeness > MAX_SIMILARITY:
        yield f"it draws much the same map ({likeness:.2f} alike) when every weight is shuffled"


def _doubts(told: Figures, faces: int) -> Iterator[str]:
    if missed := [name for name in told["against"] if name not in beaten_baselines(told)]:
        yield f"it is ahead of {_listed(missed)}, but {faces:,} faces are too few to be certain"


def _sentence(told: Figures, failures: list[str], doubts: list[str], agreement: Figures) -> str:
    if failures:
        return f"Do not believe it: {' and '.join(failures)}."
    if doubts:
        return f"Take more faces: {doubts[0]}."
    gains = [min(gain[curve][0] for gain in told["against"].values()) for curve in ("deletion", "insertion")]
    steady = told["stability"][0]
    firm = "hardly moves" if steady >= MIN_STABILITY else "moves"
    last = told["shuffled"][-1]["likeness"]
    return (
        f"It can be believed: it beats {_listed(told['against'])}, by {gains[0]:.3f} or more on deletion and "
        f"{gains[1]:.3f} or more on insertion; with shuffled weights the map is another ({last:.2f} alike), and a "
        f"little noise {firm} it ({steady:.2f} alike).{_coarse(agreement)}"
    )


def _coarse(agreement: Mapping[str, float]) -> str:
    """Faces are in the middle, and so is a map of few places: true, and little said."""
    alike = agreement.get("centre", 0.0)
    if alike < MAX_CENTRE_SIMILARITY:
        return ""
    return f" It is coarse, though: it is {alike:.2f} alike to a plain hill in the middle of the crop."


def _whole(figures: Figures, believable: list[str]) -> str:
    name, count, methods = figures["model"], figures["faces"], figures["methods"]
    fail, unsure = ([each for each in methods if methods[each]["standing"] == word] for word in ("fails", "unsure"))
    rest = f" Take more faces to be certain of {_listed(unsure)}." if unsure else ""
    rest += f" Do not show {_listed(fail)}." if fail and believable else ""
    if not believable:
        return f"No map of {name} can be believed on these {count:,} faces.{rest}"
    if len(believable) == 1:
        return f"Of {name}'s maps, {believable[0]} tells the truth on these {count:,} faces.{rest}"
    sharpest = max(believable, key=lambda each: methods[each]["insertion"][0])
    told = f"Of {name}'s maps, {_listed(believable)} tell the truth on these {count:,} faces; {sharpest} tells most."
    return told + rest


def _listed(names: Any) -> str:
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else str(last)


# ==== mien.lab.audit
# Does a model's map tell the truth? Every method against maps that know nothing of the model.
#
# Taking away what a map points at must take the answer away (deletion), bringing it back first must bring the answer back
# (insertion); shuffling the weights must change the map, and a little noise must not.

Face = NDArray[np.uint8]
Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

#: Draws the map of a face ``(side, side, channels)`` for one of the model's labels.
Method = Callable[[Explainer, Face, str], NDArray[np.floating[Any]]]

#: How many faces the slower checks are made on.
RANDOMIZATION_FACES, STABILITY_FACES = 24, 60

#: Faces shown with their maps.
MAX_EXAMPLES = 7

#: The noise a map must stand, in gray values (standard deviation): it is hardly seen.
NOISE_DEVIATION = 4.0


def baselines() -> dict[str, Method]:
    """Maps that know nothing of the model: any method must beat them."""
    return {
        "random": lambda inside, face, _: faithfulness.random_baseline(
            inside.card.side, int(face.astype(np.int64).sum())
        ),
        "centre": lambda inside, face, _: faithfulness.centre_baseline(inside.card.side),
        "edges": lambda inside, face, _: faithfulness.edge_baseline(face),
    }


def engine_methods(names: str | Sequence[str]) -> dict[str, Method]:
    """The methods of the engine, by name."""
    return {name: _own(name) for name in parse_methods(names)}


def _own(name: str) -> Method:
    return lambda inside, face, target: inside.saliency(face, name, target).map


@dataclass(frozen=True)
class MethodMaps:
    """One method's maps: its curves on each face (N, 2, points), the maps (N, side, side), milliseconds (N,)."""

    curves: Floats
    maps: NDArray[np.float32]
    milliseconds: Floats

    @property
    def areas(self) -> Floats:
        """Under deletion and insertion, ``(N, 2)``."""
        return np.asarray((self.curves[..., :-1] + self.curves[..., 1:]).mean(axis=2) / 2)


def sample_faces(faces: FaceDataset, split: str, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """So many faces of a split (a word of ``evaluate.SPLITS``), uint8 ``(N, 48, 48)``; all where there are fewer."""
    chosen = (
        faces.take(sample_validation(faces, DataSettings().held_out)) if split == "validation" else faces.split(SPLITS[split])
    )
    places = np.random.default_rng(seed).permutation(len(chosen))[:count]
    return np.asarray(chosen.pixels[np.sort(places)])


class AuditExample(NamedTuple):
    """A face uint8 ``(side, side, channels)``, what it was explained for, and its map by each method."""

    face: Face
    target: str
    maps: Mapping[str, NDArray[np.float32]]


class MapAudit(NamedTuple):
    """The figures, as plain numbers and words, and a few faces to look at."""

    figures: dict[str, Any]
    examples: list[AuditExample]


def audit_maps(
    model: ModelSource,
    pixels: NDArray[np.uint8],
    methods: Mapping[str, Method] | None = None,
    *,
    split: str = "",
    seed: int = 0,
    progress: Progress | None = None,
) -> MapAudit:
    """Every figure of the audit, and its verdict, on faces ``(N, h, w)`` uint8; the leading label is explained."""
    if not len(pixels):
        raise ExperimentError("There is no face to audit maps on", "One or more were expected", "Choose another split")
    raw = read_model(model)
    inside = Explainer(load_classifier(raw))
    faces = to_model_input(pixels, inside.card.side, inside.card.color)
    named = dict(methods or engine_methods(_possible(inside)))
    targets = [inside.card.labels[best] for best in inside.score(faces).argmax(axis=1)]
    step = _Steps(
        progress, len(faces) * (len(named) + 3) + len(named) * (min(STABILITY_FACES, len(faces)) + RANDOMIZATION_FACES)
    )
    drawn = {name: _drawn(inside, each, faces, targets, step) for name, each in (baselines() | named).items()}
    noise = {name: _stability(inside, each, faces, targets, drawn[name], step, seed) for name, each in named.items()}
    shuffles = _shuffles(raw, named, faces, targets, drawn, step, seed)
    figures = {"model": inside.card.name, "split": split, **_figures(drawn, noise, shuffles)}
    return MapAudit(add_verdicts(figures), _examples(faces, targets, drawn))


def _figures(
    drawn: Mapping[str, MethodMaps],
    noise: Mapping[str, Floats],
    shuffles: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    return {
        "faces": len(next(iter(drawn.values())).maps),
        "explained": "the leading expression",
        "noise": NOISE_DEVIATION,
        "baselines": {name: _curve_figures(drawn[name]) for name in baselines()},
        "methods": {
            name: {
                **_curve_figures(drawn[name]),
                "against": {other: _gain(drawn[name], drawn[other]) for other in baselines()},
                "milliseconds": round(float(np.median(drawn[name].milliseconds)), 2),
                "stability": _told(noise[name]),
                "shuffled": shuffles[name],
            }
            for name in noise
        },
        "agreement": {name: {other: _agreement(drawn[name], drawn[other]) for other in drawn} for name in drawn},
    }


def _examples(faces: Face, targets: Sequence[str], drawn: Mapping[str, MethodMaps]) -> list[AuditExample]:
    """The first face of each expression."""
    places = [targets.index(label) for label in dict.fromkeys(targets)][:MAX_EXAMPLES]
    shown = {name: each for name, each in drawn.items() if name != "random"}
    return [AuditExample(faces[i], targets[i], {name: each.maps[i] for name, each in shown.items()}) for i in places]


def _possible(inside: Explainer) -> tuple[str, ...]:
    return ("cam", "occlusion", "rise") if inside.has_class_maps else ("occlusion", "rise")


def _drawn(inside: Explainer, method: Method, faces: Face, targets: Sequence[str], step: _Steps) -> MethodMaps:
    curves, maps, milliseconds = [], [], []
    method(inside, faces[0], targets[0])  # the first one opens sessions and draws masks
    for place, (face, target) in enumerate(zip(faces, targets, strict=True)):
        start = time.perf_counter()
        maps.append(np.asarray(method(inside, face, target), np.float32))
        milliseconds.append(1000 * (time.perf_counter() - start))
        curves.append(_curves(inside, face, maps[-1], target, place))
        step()
    return MethodMaps(np.array(curves), np.array(maps), np.array(milliseconds))


def _curves(inside: Explainer, face: Face, drawn: NDArray[np.float32], target: str, seed: int) -> FaithfulnessCurves:
    return faithfulness.compute_curves(inside.score, face, drawn, inside.card.labels.index(target), seed)


def _stability(
    inside: Explainer, method: Method, faces: Face, targets: Sequence[str], drawn: MethodMaps, step: _Steps, seed: int
) -> Floats:
    """How much of each map stays when a little noise is laid over the face: 1 all of it, 0 none."""
    chance = np.random.default_rng(seed)
    found = []
    for face, target, before in zip(faces[:STABILITY_FACES], targets, drawn.maps, strict=False):
        noisy = np.rint(face + chance.normal(0, NOISE_DEVIATION, face.shape)).clip(0, 255).astype(np.uint8)
        found.append(rank_correlation(before, method(inside, noisy, target)))
        step()
    return np.array(found)


def _shuffles(
    raw: bytes,
    methods: Mapping[str, Method],
    faces: Face,
    targets: Sequence[str],
    drawn: Mapping[str, MethodMaps],
    step: _Steps,
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """Likeness to the true map with the weights shuffled, layer after layer from the last on."""
    few = min(RANDOMIZATION_FACES, len(faces))
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    stages = list(randomize_weights(raw, seed))
    names = _names(Explainer(load_classifier(raw)))
    for number, (layer, model) in enumerate(stages):
        broken = Explainer(load_classifier(model))
        for name, method in methods.items():
            pairs = zip(faces[:few], targets, drawn[name].maps, strict=False)
            likeness = [abs(rank_correlation(before, method(broken, face, goal))) for face, goal, before in pairs]
            found[name].append({"layer": names.get(layer, layer), "likeness": round(float(np.mean(likeness)), 4)})
            step(RANDOMIZATION_FACES * (number + 1) // len(stages) - RANDOMIZATION_FACES * number // len(stages))
    return found


def _names(inside: Explainer) -> dict[str, str]:
    """What people call the layer behind a tensor."""
    parts = inside.structure.layers if inside.structure else ()
    return {tensor: part.name for part in parts for tensor in part.node.outputs}


def _curve_figures(drawn: MethodMaps) -> dict[str, Any]:
    deletion, insertion = drawn.areas.T
    mean = drawn.curves.mean(axis=0).round(4)
    return {
        "deletion": _told(deletion),
        "insertion": _told(insertion),
        "curves": {"deletion": mean[0].tolist(), "insertion": mean[1].tolist()},
    }


def _gain(drawn: MethodMaps, other: MethodMaps) -> dict[str, list[float]]:
    """How much better than a baseline, face by face; above 0 is better on both curves."""
    better = (other.areas - drawn.areas) * np.array([1, -1])
    return {"deletion": _told(better[:, 0]), "insertion": _told(better[:, 1])}


def _agreement(one: MethodMaps, other: MethodMaps) -> float:
    pairs = zip(one.maps, other.maps, strict=True)
    return round(float(np.mean([rank_correlation(a, b) for a, b in pairs])), 3)


def _told(values: Floats) -> list[float]:
    """The mean, and the ends of its 95 % interval."""
    return [round(each, 4) for each in bootstrap_mean(values)]


class _Steps:
    """Counts what is done, for whoever draws a bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int = 1) -> None:
        self._done += count
        if self._progress:
            self._progress(min(self._done, self._total), self._total)
