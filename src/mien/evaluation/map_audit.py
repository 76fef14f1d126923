"""Audit of evidence maps: do they show what the model uses? Every method against baselines without the model.

Deletion: blurring what a map marks must lower the score; insertion: restoring it first must raise the score. Weight
randomization: with permuted weights the map must change. Stability: a little noise must not change it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from mien.datasets.dataset import FaceDataset, Progress
from mien.datasets.splits import DataSettings, sample_validation
from mien.errors import ExperimentError
from mien.evaluation.evaluate import SPLITS
from mien.evaluation.report import encode_json, render_figures, write_files
from mien.explain import faithfulness
from mien.explain.explainer import Explainer
from mien.explain.explanation import parse_methods
from mien.explain.faithfulness import bootstrap_mean, rank_correlation
from mien.explain.figures.colormaps import apply_colours
from mien.faces.crop import to_model_input
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.models import load_classifier
from mien.models.onnx_file import ModelSource, read_model
from mien.plots.evaluation import plot_agreement, plot_deletion, plot_insertion, plot_weight_randomization

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: The most stages of the weight randomization; with more layers several share a stage.
STAGES = 8

#: Smaller constants are scales and steps, not weights.
_MIN_WEIGHTS = 6

#: Operations between a stored weight and the layer that uses it.
_PASS_THROUGH = ("DequantizeLinear", "Identity", "Cast", "Transpose")

#: With all weights permuted a map may be this similar to the true one; a map of the image alone would stay the same.
MAX_SIMILARITY = 0.5

#: With a lower rank correlation a little noise changes the map.
MIN_STABILITY = 0.6

#: A map more similar than this to a Gaussian in the middle of the crop is coarse.
MAX_CENTRE_SIMILARITY = 0.7

#: The faces of weight randomization and stability, which take longer.
RANDOMIZATION_FACES, STABILITY_FACES = 24, 60

#: The most faces that are shown with their maps.
MAX_EXAMPLES = 7

#: The standard deviation of the noise in gray values; it is hardly visible.
NOISE_DEVIATION = 4.0

#: The order in which the engine prefers methods.
_PREFERENCE = ("cam", "occlusion", "rise")

Crop = NDArray[np.uint8]
Floats = NDArray[np.float64]
Values = Mapping[str, Any]

#: Computes the map of a face ``(side, side, channels)`` for one of the model's labels.
Method = Callable[[Explainer, Crop, str], NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class MethodMaps:
    """The maps of one method: curves of each face (N, 2, points), maps (N, side, side), milliseconds (N,)."""

    curves: Floats
    maps: NDArray[np.float32]
    milliseconds: Floats

    @property
    def areas(self) -> Floats:
        """The areas under the deletion and insertion curves, ``(N, 2)``."""
        return np.asarray((self.curves[..., :-1] + self.curves[..., 1:]).mean(axis=2) / 2)


class AuditExample(NamedTuple):
    """A face uint8 ``(side, side, channels)``, the explained label, and its map by each method."""

    face: Crop
    target: str
    maps: Mapping[str, NDArray[np.float32]]


class MapAudit(NamedTuple):
    """The results as plain numbers and text, and a few faces with their maps."""

    values: dict[str, Any]
    examples: list[AuditExample]


def baselines() -> dict[str, Method]:
    """Maps that do not depend on the model; every method must be better."""
    return {
        "random": lambda explainer, face, _: faithfulness.random_baseline(
            explainer.card.side, int(face.astype(np.int64).sum())
        ),
        "centre": lambda explainer, face, _: faithfulness.centre_baseline(explainer.card.side),
        "edges": lambda explainer, face, _: faithfulness.edge_baseline(face),
    }


def engine_methods(names: str | Sequence[str]) -> dict[str, Method]:
    """The methods of the engine by name."""

    def method(name: str) -> Method:
        return lambda explainer, face, target: explainer.saliency(face, name, target).map

    return {name: method(name) for name in parse_methods(names)}


def sample_faces(faces: FaceDataset, split: str, count: int, seed: int = 0) -> NDArray[np.uint8]:
    """Random faces of a split (a key of ``evaluate.SPLITS``), uint8 ``(N, 48, 48)``; all where there are fewer."""
    if split == "validation":
        selected = faces.take(sample_validation(faces, DataSettings().validation))
    else:
        selected = faces.split(SPLITS[split])
    indices = np.random.default_rng(seed).permutation(len(selected))[:count]
    return np.asarray(selected.pixels[np.sort(indices)])


def audit_maps(
    model: ModelSource,
    pixels: NDArray[np.uint8],
    methods: Mapping[str, Method] | None = None,
    *,
    split: str = "",
    seed: int = 0,
    progress: Progress | None = None,
) -> MapAudit:
    """The whole audit with its verdicts, on faces ``(N, h, w)`` uint8; the leading label of each face is explained."""
    if not len(pixels):
        raise ExperimentError("There is no face to audit maps on", "One or more were expected", "Choose another split")
    content = read_model(model)
    explainer = Explainer(load_classifier(content))
    faces = to_model_input(pixels, explainer.card.side, explainer.card.color)
    available = ("cam", "occlusion", "rise") if explainer.has_class_maps else ("occlusion", "rise")
    named = dict(methods or engine_methods(available))
    targets = [explainer.card.labels[best] for best in explainer.score(faces).argmax(axis=1)]
    slow_steps = len(named) * (min(STABILITY_FACES, len(faces)) + RANDOMIZATION_FACES)
    step = _StepCounter(progress, len(faces) * (len(named) + 3) + slow_steps)
    maps = {name: _compute_maps(explainer, each, faces, targets, step) for name, each in (baselines() | named).items()}
    stability = {
        name: _measure_stability(explainer, each, faces, targets, maps[name], step, seed)
        for name, each in named.items()
    }
    randomized = _measure_randomization(content, named, faces, targets, maps, step, seed)
    values = {"model": explainer.card.name, "split": split, **_to_values(maps, stability, randomized)}
    return MapAudit(add_verdicts(values), _select_examples(faces, targets, maps))


def _compute_maps(
    explainer: Explainer, method: Method, faces: Crop, targets: Sequence[str], step: _StepCounter
) -> MethodMaps:
    curves, maps, milliseconds = [], [], []
    method(explainer, faces[0], targets[0])  # the first call opens sessions and draws masks
    for index, (face, target) in enumerate(zip(faces, targets, strict=True)):
        start = time.perf_counter()
        maps.append(np.asarray(method(explainer, face, target), np.float32))
        milliseconds.append(1000 * (time.perf_counter() - start))
        label = explainer.card.labels.index(target)
        curves.append(faithfulness.compute_curves(explainer.score, face, maps[-1], label, index))
        step()
    return MethodMaps(np.array(curves), np.array(maps), np.array(milliseconds))


def _measure_stability(
    explainer: Explainer,
    method: Method,
    faces: Crop,
    targets: Sequence[str],
    maps: MethodMaps,
    step: _StepCounter,
    seed: int,
) -> Floats:
    """The rank correlation of each map with that of the face with a little noise."""
    rng = np.random.default_rng(seed)
    correlations = []
    for face, target, before in zip(faces[:STABILITY_FACES], targets, maps.maps, strict=False):
        noisy = np.rint(face + rng.normal(0, NOISE_DEVIATION, face.shape)).clip(0, 255).astype(np.uint8)
        correlations.append(rank_correlation(before, method(explainer, noisy, target)))
        step()
    return np.array(correlations)


def _measure_randomization(
    content: bytes,
    methods: Mapping[str, Method],
    faces: Crop,
    targets: Sequence[str],
    maps: Mapping[str, MethodMaps],
    step: _StepCounter,
    seed: int,
) -> dict[str, list[dict[str, Any]]]:
    """The similarity to the true map at each stage of the weight randomization."""
    count = min(RANDOMIZATION_FACES, len(faces))
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in methods}
    stages = list(randomize_weights(content, seed))
    structure = Explainer(load_classifier(content)).structure
    layers = structure.layers if structure else ()
    layer_names = {tensor: layer.name for layer in layers for tensor in layer.node.outputs}
    for number, (tensor, model) in enumerate(stages):
        explainer = Explainer(load_classifier(model))
        for name, method in methods.items():
            pairs = zip(faces[:count], targets, maps[name].maps, strict=False)
            similarity = [
                abs(rank_correlation(before, method(explainer, face, target))) for face, target, before in pairs
            ]
            mean = round(float(np.mean(similarity)), 4)
            results[name].append({"layer": layer_names.get(tensor, tensor), "similarity": mean})
            step(RANDOMIZATION_FACES * (number + 1) // len(stages) - RANDOMIZATION_FACES * number // len(stages))
    return results


def randomize_weights(model: bytes, seed: int = 0) -> Iterator[tuple[str, bytes]]:
    """Stages of the weight randomization, from the last layer to the first: the last tensor and the whole model.

    The weights of each layer are permuted, so that ranges and rounding stay the same; each stage keeps those before.
    """
    proto = onnx.load_from_string(model)
    stored = {tensor.name: tensor for tensor in proto.graph.initializer}
    layers = list(reversed(_find_weights(proto, stored)))
    rng = np.random.default_rng(seed)
    for stage in np.array_split(np.arange(len(layers)), min(STAGES, len(layers))):
        for number in stage:
            tensor = stored[layers[number][1]]
            values = numpy_helper.to_array(tensor)
            permuted = rng.permutation(values.ravel()).reshape(values.shape)
            tensor.CopyFrom(numpy_helper.from_array(permuted, tensor.name))
        yield layers[stage[-1]][0], proto.SerializeToString()


def _find_weights(proto: ModelProto, stored: dict[str, TensorProto]) -> list[tuple[str, str]]:
    """The output tensor of each layer and the name of its weights, in order, without biases and integer constants."""
    producers = {name: node for node in proto.graph.node for name in node.output}
    weights: dict[str, str] = {}
    for node in proto.graph.node:
        if node.op_type in (*_PASS_THROUGH, "QuantizeLinear"):
            continue
        for name in (_trace_source(each, producers) for each in node.input):
            if name in stored and name not in weights and _is_weight(stored[name]):
                weights[name] = node.output[0]
    return [(tensor, name) for name, tensor in weights.items()]


def _trace_source(name: str, producers: dict[str, NodeProto]) -> str:
    while name in producers and producers[name].op_type in _PASS_THROUGH:
        name = producers[name].input[0]
    return name


def _is_weight(tensor: TensorProto) -> bool:
    kinds = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT8, TensorProto.UINT8)
    return tensor.data_type in kinds and len(tensor.dims) > 1 and int(np.prod(tensor.dims)) >= _MIN_WEIGHTS


def _to_values(
    maps: Mapping[str, MethodMaps],
    stability: Mapping[str, Floats],
    randomized: Mapping[str, list[dict[str, Any]]],
) -> dict[str, Any]:
    return {
        "faces": len(next(iter(maps.values())).maps),
        "explained": "the leading expression",
        "noise": NOISE_DEVIATION,
        "baselines": {name: _curve_values(maps[name]) for name in baselines()},
        "methods": {
            name: {
                **_curve_values(maps[name]),
                "against": {other: _gain(maps[name], maps[other]) for other in baselines()},
                "milliseconds": round(float(np.median(maps[name].milliseconds)), 2),
                "stability": _interval(stability[name]),
                "weight_randomization": randomized[name],
            }
            for name in stability
        },
        "agreement": {name: {other: _agreement(maps[name], maps[other]) for other in maps} for name in maps},
    }


def _curve_values(maps: MethodMaps) -> dict[str, Any]:
    deletion, insertion = maps.areas.T
    mean = maps.curves.mean(axis=0).round(4)
    return {
        "deletion": _interval(deletion),
        "insertion": _interval(insertion),
        "curves": {"deletion": mean[0].tolist(), "insertion": mean[1].tolist()},
    }


def _gain(maps: MethodMaps, baseline: MethodMaps) -> dict[str, list[float]]:
    """The improvement over a baseline, face by face; above 0 is better on both curves."""
    better = (baseline.areas - maps.areas) * np.array([1, -1])
    return {"deletion": _interval(better[:, 0]), "insertion": _interval(better[:, 1])}


def _agreement(first: MethodMaps, second: MethodMaps) -> float:
    pairs = zip(first.maps, second.maps, strict=True)
    return round(float(np.mean([rank_correlation(a, b) for a, b in pairs])), 3)


def _interval(values: Floats) -> list[float]:
    """The mean and the ends of its 95 % interval."""
    return [round(each, 4) for each in bootstrap_mean(values)]


def _select_examples(faces: Crop, targets: Sequence[str], maps: Mapping[str, MethodMaps]) -> list[AuditExample]:
    """The first face of each label."""
    indices = [targets.index(label) for label in dict.fromkeys(targets)][:MAX_EXAMPLES]
    methods = {name: each for name, each in maps.items() if name != "random"}
    return [AuditExample(faces[i], targets[i], {name: each.maps[i] for name, each in methods.items()}) for i in indices]


def add_verdicts(values: dict[str, Any]) -> dict[str, Any]:
    """The values with a verdict and a summary for each method, the default method, and a summary of all.

    A method is "trusted", "not trusted", or "unsure": better than every baseline, but on too few faces to be certain.
    """
    for name, result in values["methods"].items():
        failures, doubts = list(_failures(result)), list(_doubts(result, values["faces"]))
        result["verdict"] = "not trusted" if failures else "unsure" if doubts else "trusted"
        result["summary"] = _summarize(result, failures, doubts, values["agreement"][name])
    trusted = [name for name, result in values["methods"].items() if result["verdict"] == "trusted"]
    ranked = sorted(trusted, key=lambda name: _PREFERENCE.index(name) if name in _PREFERENCE else len(_PREFERENCE))
    values["default"] = ranked[0] if ranked else None
    values["summary"] = _summarize_all(values, ranked)
    return values


def beaten_baselines(result: Values) -> list[str]:
    """The baselines that a method is better than on both curves, with 95 % certainty."""
    return [name for name, gain in result["against"].items() if all(gain[curve][1] > 0 for curve in gain)]


def _failures(result: Values) -> Iterator[str]:
    behind = [name for name, gain in result["against"].items() if any(gain[curve][0] <= 0 for curve in gain)]
    if behind:
        yield f"it is not better than {_join(behind)} on both curves"
    similarity = result["weight_randomization"][-1]["similarity"]
    if similarity > MAX_SIMILARITY:
        yield f"its map hardly changes (similarity {similarity:.2f}) when all weights are randomized"


def _doubts(result: Values, faces: int) -> Iterator[str]:
    beaten = beaten_baselines(result)
    if uncertain := [name for name in result["against"] if name not in beaten]:
        yield f"it is better than {_join(uncertain)}, but {faces:,} faces are too few to be certain"


def _summarize(result: Values, failures: list[str], doubts: list[str], agreement: Mapping[str, float]) -> str:
    if failures:
        return f"Not trusted: {' and '.join(failures)}."
    if doubts:
        return f"Unsure: {doubts[0]}."
    gains = [min(gain[curve][0] for gain in result["against"].values()) for curve in ("deletion", "insertion")]
    stability = result["stability"][0]
    stable = "hardly changes" if stability >= MIN_STABILITY else "changes"
    similarity, centre = result["weight_randomization"][-1]["similarity"], agreement.get("centre", 0.0)
    coarse = ""
    if centre >= MAX_CENTRE_SIMILARITY:
        coarse = f" The map is coarse: its similarity to a Gaussian in the middle of the crop is {centre:.2f}."
    return (
        f"Trusted: it is better than {_join(result['against'])}, by {gains[0]:.3f} or more on deletion and "
        f"{gains[1]:.3f} or more on insertion; with randomized weights the map changes (similarity {similarity:.2f}), "
        f"and a little noise {stable} it (similarity {stability:.2f}).{coarse}"
    )


def _summarize_all(values: Values, trusted: list[str]) -> str:
    name, methods, faces = values["model"], values["methods"], f"{values['faces']} faces"
    rejected, unsure = ([each for each in methods if methods[each]["verdict"] == v] for v in ("not trusted", "unsure"))
    notes = f" More faces are needed for {_join(unsure)}." if unsure else ""
    notes += f" Not trusted: {_join(rejected)}." if rejected and trusted else ""
    if not trusted:
        return f"No map of {name} is trusted on these {faces}.{notes}"
    if len(trusted) == 1:
        return f"Of {name}'s maps, {trusted[0]} is trusted on these {faces}.{notes}"
    best = max(trusted, key=lambda each: methods[each]["insertion"][0])
    return f"Of {name}'s maps, {_join(trusted)} are trusted on these {faces}; {best} has the best insertion.{notes}"


def _join(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


class _StepCounter:
    """Counts steps for a progress bar."""

    def __init__(self, progress: Progress | None, total: int) -> None:
        self._progress, self._total, self._done = progress, total, 0

    def __call__(self, count: int = 1) -> None:
        self._done += count
        if self._progress:
            self._progress(min(self._done, self._total), self._total)


JSON_FILE, PAGE = "audit.json", "audit.html"

#: The side of a face and of its map in pixels.
_SIDE = 96


def write_audit(folder: Path, audit: MapAudit) -> list[Path]:
    """Write every file of the audit; the paths, the page with everything last."""
    files, svgs = render_figures(plot_audit(audit.values))
    files[JSON_FILE] = encode_json(audit.values)
    files[PAGE] = render_map_audit(audit.values, svgs, audit.examples).encode()
    return write_files(folder, files)


def render_map_audit(values: Mapping[str, Any], figures: Mapping[str, str], examples: Sequence[AuditExample]) -> str:
    """The page. ``values`` are the results of the audit, ``figures`` ``<svg>`` elements by name."""
    return render(
        "map_audit.html",
        audit=values,
        figures=figures,
        methods=[
            {"name": name, "beaten": beaten_baselines(result), **result} for name, result in values["methods"].items()
        ],
        examples=[_example_values(example) for example in examples],
    )


def _example_values(example: AuditExample) -> dict[str, Any]:
    face = np.repeat(example.face, 3, axis=2) if example.face.shape[2] == 1 else example.face
    face = np.asarray(cv2.resize(face, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    return {
        "target": example.target,
        "image": _jpeg_uri(face),
        "maps": [
            {"method": method, "image": _jpeg_uri(_overlay(face, values))} for method, values in example.maps.items()
        ],
    }


def _overlay(face: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The colours of a map over the gray face; the larger the value, the less of the face."""
    resized = cv2.resize(np.maximum(values, 0), (_SIDE, _SIDE), interpolation=cv2.INTER_LINEAR)
    large = np.asarray(resized, np.float32)
    opacity = 0.35 + 0.45 * (large / max(float(large.max()), 1e-9))[..., None]
    colours = np.asarray(apply_colours(large, "ember"), np.float32)
    return np.asarray(np.rint(face * (1 - opacity) + colours * opacity), np.uint8)


def _jpeg_uri(pixels: NDArray[np.uint8]) -> str:
    return data_uri(encode_image(pixels, "jpeg"), "image/jpeg")


def plot_audit(values: Mapping[str, Any]) -> dict[str, Figure]:
    """The figures by name."""
    deletion, insertion = (
        [{name: result["curves"][curve] for name, result in values[key].items()} for key in ("methods", "baselines")]
        for curve in ("deletion", "insertion")
    )
    stages = {name: result["weight_randomization"] for name, result in values["methods"].items()}
    layers = [stage["layer"] for stage in next(iter(stages.values()))]
    similarity = {name: [stage["similarity"] for stage in each] for name, each in stages.items()}
    return {
        "deletion": plot_deletion(*deletion),
        "insertion": plot_insertion(*insertion),
        "weight_randomization": plot_weight_randomization(layers, similarity, MAX_SIMILARITY),
        "agreement": plot_agreement(values["agreement"]),
    }


def format_audit(values: Mapping[str, Any]) -> str:
    """The results in a few lines of text."""
    lines = [values["summary"], ""]
    width = max(map(len, [*values["methods"], *values["baselines"]]))
    lines.append(f"{'':{width}}  deletion  insertion  better than")
    for name, result in (values["methods"] | values["baselines"]).items():
        beaten = (", ".join(beaten_baselines(result)) or "none") if "against" in result else ""
        lines.append(f"{name:{width}}  {result['deletion'][0]:8.3f}  {result['insertion'][0]:9.3f}  {beaten}".rstrip())
    lines += ["", *(f"{name}: {result['summary']}" for name, result in values["methods"].items())]
    return "\n".join(lines) + "\n"


def card_values(values: Mapping[str, Any]) -> dict[str, Any]:
    """What a model card has of an audit: its summary, and a row for each method and baseline."""
    rows: dict[str, dict[str, Any]] = {}
    for name, result in (values["methods"] | values["baselines"]).items():
        rows[name] = {curve: result[curve] for curve in ("deletion", "insertion")}
        if "against" in result:
            rows[name] |= {
                "verdict": result["verdict"],
                "beats": ", ".join(beaten_baselines(result)),
                "stability": result["stability"][0],
                "weight_randomization": result["weight_randomization"][-1]["similarity"],
            }
    return {
        "faces": values["faces"],
        "split": values.get("split", ""),
        "summary": values["summary"],
        "default": values["default"],
        **rows,
    }
