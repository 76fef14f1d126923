"""Robustness: accuracy under corruptions (shifted boxes, rotation, blur, noise ...) at increasing strengths.

Several models are evaluated on the same corrupted pixels. A corruption depends on a gray face uint8 (48, 48), its
strength, and the index of the face, which decides its direction; so nothing is random between two runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mien import plots
from mien._version import __version__
from mien.datasets import synthetic
from mien.datasets.dataset import SIDE, FaceDataset, Progress
from mien.errors import ExperimentError
from mien.evaluation.evaluate import Predictions, fingerprint_faces, predict_split
from mien.evaluation.groups import MIN_GROUP_FACES, GroupedMetrics, GroupMetrics
from mien.evaluation.inference import BatchPredictor
from mien.evaluation.metrics import accuracy_interval
from mien.evaluation.report import encode_json, write_files
from mien.html import data_uri, render
from mien.html.images import encode_image
from mien.models import Classifier
from mien.text import format_percent

GrayFace = NDArray[np.uint8]
Change = Callable[[GrayFace, float, int], GrayFace]


@dataclass(frozen=True)
class Corruption:
    """One kind of corruption; ``template`` formats its strengths (``{:g} px``)."""

    name: str
    meaning: str
    change: Change
    strengths: tuple[float, ...]
    template: str

    def label(self, strength: float) -> str:
        """``10 %`` for a shift of 0.1."""
        return self.template.format(100 * strength if "%" in self.template else strength)


@dataclass(frozen=True)
class CorruptionResult:
    """The accuracy under one corruption at one strength, its 95 % interval, and how much lower it is than without."""

    corruption: str
    strength: float
    accuracy: float
    lost: float
    low: float = 0.0
    high: float = 1.0


@dataclass(frozen=True)
class ModelRobustness:
    """One model: its predictions without corruption, and a row for each corruption and strength."""

    predictions: Predictions
    rows: tuple[CorruptionResult, ...]


def shift_box(face: GrayFace, strength: float, index: int) -> GrayFace:
    """The box shifted by this fraction of its side in one of eight directions."""
    angle = index % 8 * math.pi / 4
    return _warp(face, 0, 1, strength * SIDE * math.cos(angle), strength * SIDE * math.sin(angle))


def rotate_face(face: GrayFace, strength: float, index: int) -> GrayFace:
    """Rotated by so many degrees, alternately to the left and to the right."""
    return _warp(face, strength * (-1) ** index, 1, 0, 0)


def enlarge_box(face: GrayFace, strength: float, index: int) -> GrayFace:
    """The box enlarged by this fraction of its side, so that the face in it is smaller."""
    return _warp(face, 0, 1 / (1 + strength), 0, 0)


def shrink_box(face: GrayFace, strength: float, index: int) -> GrayFace:
    """The box reduced by this fraction of its side."""
    return enlarge_box(face, -strength, index)


def scale_brightness(face: GrayFace, strength: float, index: int) -> GrayFace:
    """All pixels multiplied by this factor, up to 255."""
    return np.clip(np.round(face * np.float32(strength)), 0, 255).astype(np.uint8)


def blur_face(face: GrayFace, strength: float, index: int) -> GrayFace:
    """Gaussian blur with this standard deviation in pixels."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), strength), np.uint8)


def compress_jpeg(face: GrayFace, strength: float, index: int) -> GrayFace:
    """JPEG compression of this quality."""
    _, data = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(strength)])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8)


def reduce_resolution(face: GrayFace, strength: float, index: int) -> GrayFace:
    """A face that was this many pixels wide in the image."""
    side = int(strength)
    small = cv2.resize(face, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def add_noise(face: GrayFace, strength: float, index: int) -> GrayFace:
    """Gaussian noise with this standard deviation, different for each index and the same every time."""
    noise = np.random.default_rng(index).normal(0, strength, face.shape)
    return np.clip(np.round(face + noise), 0, 255).astype(np.uint8)


def cover_part(face: GrayFace, strength: float, index: int) -> GrayFace:
    """A gray square over this fraction of the face: left, right, above or below the middle, in turn."""
    side = math.sqrt(strength) * SIDE
    across, down = ((0.25, 0.5), (0.75, 0.5), (0.5, 0.3), (0.5, 0.75))[index % 4]
    left, top = (round(min(max(middle * SIDE - side / 2, 0), SIDE - side)) for middle in (across, down))
    covered = face.copy()
    covered[top : top + round(side), left : left + round(side)] = 127
    return covered


def _warp(face: GrayFace, degrees: float, zoom: float, across: float, down: float) -> GrayFace:
    middle = (SIDE - 1) / 2
    matrix = np.asarray(cv2.getRotationMatrix2D((middle, middle), degrees, zoom), np.float64)
    matrix[:, 2] += np.array([across, down])
    return np.asarray(cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


CORRUPTIONS = {
    each.name: each
    for each in (
        Corruption("shift", "the box is shifted", shift_box, (0.05, 0.1, 0.15, 0.2), "{:g} %"),
        Corruption("wide", "the box is too large", enlarge_box, (0.15, 0.3, 0.5), "{:g} %"),
        Corruption("tight", "the box is too small", shrink_box, (0.1, 0.15, 0.25), "{:g} %"),
        Corruption("turn", "the head is rotated", rotate_face, (5, 10, 15, 20, 30), "{:g}°"),
        Corruption("dark", "underexposed", scale_brightness, (0.6, 0.3, 0.15, 0.08), "{:g} %"),
        Corruption("bright", "overexposed", scale_brightness, (1.5, 2.0, 3.0), "{:g} %"),
        Corruption("blur", "out of focus", blur_face, (0.7, 1.2, 2.0, 3.0), "{:g} px"),
        Corruption("jpeg", "compressed", compress_jpeg, (60, 30, 20, 10, 5), "quality {:g}"),
        Corruption("small", "few pixels", reduce_resolution, (32, 24, 20, 16, 12), "{:g} px"),
        Corruption("noise", "sensor noise", add_noise, (5, 10, 20, 40), "σ {:g}"),
        Corruption("cover", "partly covered", cover_part, (0.05, 0.1, 0.2, 0.35), "{:g} %"),
    )
}

#: Passes over all faces: without corruption, and at every strength of every corruption.
PASSES = 1 + sum(len(each.strengths) for each in CORRUPTIONS.values())


def corrupt_faces(pixels: NDArray[np.uint8], change: Change, strength: float) -> NDArray[np.uint8]:
    """Every face (N, 48, 48) with the same corruption; its index decides the direction."""
    return np.stack([change(face, strength, index) for index, face in enumerate(pixels)])


def compare_robustness(
    classifiers: Sequence[Classifier], faces: FaceDataset, split: str = "public", progress: Progress | None = None
) -> list[ModelRobustness]:
    """Every model on the same faces of one split, with and without corruption; the models must have the same labels."""
    clean = [predict_split(each, faces, split, tta=False) for each in classifiers]
    selected = clean[0].faces
    for each in clean[1:]:
        if each.faces.classes != selected.classes or len(each.faces) != len(selected):
            happened = f"{clean[0].card.name} and {each.card.name} have different labels"
            raise ExperimentError(happened, "models with the same labels were expected", "Measure them one by one")
    tables = _measure(classifiers, selected, progress)
    return [ModelRobustness(*pair) for pair in zip(clean, tables, strict=True)]


def measure_robustness(classifier: Classifier, faces: FaceDataset) -> list[CorruptionResult]:
    """A row for every corruption and strength on all of these faces, after one without corruption."""
    [rows] = _measure([classifier], faces, None)
    return list(rows)


def _measure(
    classifiers: Sequence[Classifier], faces: FaceDataset, progress: Progress | None
) -> list[tuple[CorruptionResult, ...]]:
    total = PASSES * len(faces) * len(classifiers)
    predictors = [BatchPredictor(each) for each in classifiers]
    done, tables = 0, [list[CorruptionResult]() for _ in classifiers]
    for name, strength, pixels in _corrupted_faces(faces.pixels):
        for predictor, rows in zip(predictors, tables, strict=True):
            correct = predictor.predict(pixels)[0].argmax(1) == faces.labels
            accuracy = float(np.mean(correct))
            clean = rows[0].accuracy if rows else accuracy
            rows.append(CorruptionResult(name, strength, accuracy, clean - accuracy, *accuracy_interval(correct)))
            done += len(pixels)
            if progress:
                progress(done, total)
    return [tuple(rows) for rows in tables]


def _corrupted_faces(pixels: NDArray[np.uint8]) -> Iterator[tuple[str, float, NDArray[np.uint8]]]:
    """The faces without corruption, then under every corruption at every strength."""
    yield "none", 0.0, pixels
    for each in CORRUPTIONS.values():
        for strength in each.strengths:
            yield each.name, strength, corrupt_faces(pixels, each.change, strength)


JSON, PAGE, TEXT = "robustness.json", "robustness.html", "robustness.txt"

#: The most points of accuracy that a model should lose.
TARGETS = {("shift", 0.1): 2.0, ("jpeg", 30): 3.0, ("small", 24): 6.0, ("turn", 15): 4.0}


@dataclass(frozen=True)
class RobustnessReport:
    """Every model under every corruption, in the order of ``names``; ``missing`` lists groups that are not measured.

    ``groups[i]`` are the columns of groups of model ``i``.
    """

    names: tuple[str, ...]
    models: tuple[ModelRobustness, ...]
    groups: tuple[tuple[GroupedMetrics, ...], ...]
    missing: tuple[str, ...] = ()


def distinct_names(arguments: Sequence[str], models: Sequence[ModelRobustness]) -> tuple[str, ...]:
    """The names of the models' cards; where two are the same, with the file name of their command-line argument."""
    names = [each.predictions.card.name for each in models]
    return tuple(
        f"{name} ({Path(argument).name})" if names.count(name) > 1 else name
        for name, argument in zip(names, arguments, strict=True)
    )


def robustness_values(report: RobustnessReport) -> dict[str, Any]:
    """All results as plain numbers."""
    first = report.models[0].predictions
    models = [
        {
            "name": name,
            "rows": [asdict(row) for row in model.rows],
            "groups": [_group_values(each) for each in groups],
        }
        for name, model, groups in zip(report.names, report.models, report.groups, strict=True)
    ]
    return {
        "mien": __version__,
        "split": first.split,
        "faces": len(first.faces),
        "fingerprint": fingerprint_faces(first.faces),
        "models": models,
        "missing": list(report.missing),
    }


def _group_values(grouped: GroupedMetrics) -> dict[str, Any]:
    groups = [
        {
            "name": group.name,
            "faces": group.faces,
            "metrics": {name: [each.value, each.low, each.high] for name, each in group.metrics.items()},
        }
        for group in grouped.groups
    ]
    return {"column": grouped.column, "groups": groups, "gaps": dict(grouped.gaps)}


def write_robustness(folder: Path, report: RobustnessReport) -> list[Path]:
    """Write ``robustness.json``, ``.txt``, ``.html`` and the figures as PNG; the paths, the page last."""
    panels = _panels(report)
    figures = {"corruptions": plots.plot_corruptions(panels)}
    svgs = {panel.title: plots.render_svg(plots.plot_corruption(panel), panel.title) for panel in panels}
    if report.groups[0]:
        figures["groups"] = plots.plot_groups(_group_intervals(report), "accuracy")
        svgs["groups"] = plots.render_svg(figures["groups"], "accuracy by group")
    files = {f"{name}.png": plots.render_png(figure) for name, figure in figures.items()}
    files[TEXT] = format_robustness(report).encode()
    files[JSON] = encode_json(robustness_values(report))
    files[PAGE] = _render_page(report, svgs).encode()
    return write_files(folder, files)


def format_robustness(report: RobustnessReport) -> str:
    """A table of accuracy and points lost by model, then the groups, as text."""
    first = report.models[0].predictions
    header = ["", "", *report.names]
    rows = [
        [_title(row), "", *(_format_result(model.rows[number]) for model in report.models)]
        for number, row in enumerate(report.models[0].rows)
    ]
    lines = [f"{len(first.faces):,} faces of the {first.split} split: accuracy, and points lost", ""]
    lines += _align([header, *rows])
    for number, grouped in enumerate(report.groups[0]):
        header = [grouped.column, "faces", *report.names]
        rows = [
            [group.name, f"{group.faces:,}", *(_format_group(each[number].groups[row]) for each in report.groups)]
            for row, group in enumerate(grouped.groups)
        ]
        gaps = [each[number].gaps for each in report.groups]
        gap_cells = [f"{100 * gap['accuracy']:.1f}" if gap else "-" for gap in gaps]
        lines += ["", *_align([header, *rows, ["gap, best to worst", "", *gap_cells]])]
    return "\n".join([*lines, *(["", *report.missing] if report.missing else [])]) + "\n"


def _title(row: CorruptionResult) -> str:
    corruption = CORRUPTIONS.get(row.corruption)
    return f"{corruption.name} {corruption.label(row.strength)}" if corruption else "no corruption"


def _format_result(row: CorruptionResult) -> str:
    lost = "" if row.corruption == "none" else f"  {-100 * row.lost:+5.1f}"
    return f"{100 * row.accuracy:5.1f} %{lost}"


def _format_group(group: GroupMetrics) -> str:
    accuracy = group.metrics["accuracy"]
    few = "" if group.large_enough else " (few)"
    return f"{format_percent(accuracy.value, 1)} ({100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}){few}"


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _panels(report: RobustnessReport) -> list[plots.CorruptionPanel]:
    panels = []
    for corruption in CORRUPTIONS.values():
        strengths = [corruption.label(strength).removeprefix("quality ") for strength in corruption.strengths]
        lines = {
            name: [row.accuracy for row in model.rows if row.corruption in ("none", corruption.name)]
            for name, model in zip(report.names, report.models, strict=True)
        }
        title = f"{corruption.name}: {corruption.meaning}"
        panels.append(plots.CorruptionPanel(title, ["none", *strengths], lines))
    return panels


def _group_intervals(report: RobustnessReport) -> dict[str, dict[str, list[plots.GroupInterval]]]:
    return {
        grouped.column: {
            name: [
                plots.GroupInterval(group.name, accuracy.value, accuracy.low, accuracy.high, group.faces)
                for group in columns[number].groups
                if (accuracy := group.metrics["accuracy"])
            ]
            for name, columns in zip(report.names, report.groups, strict=True)
        }
        for number, grouped in enumerate(report.groups[0])
    }


def _render_page(report: RobustnessReport, figures: Mapping[str, str]) -> str:
    """The page. ``figures`` are ``<svg>`` elements: of each corruption by the title of its panel, and ``groups``."""
    first = report.models[0]
    return render(
        "robustness.html",
        names=report.names,
        face_count=len(first.predictions.faces),
        split=first.predictions.split,
        clean=first.rows[0],
        targets=[
            {"name": _title(row), "lost": row.lost, "limit": TARGETS[row.corruption, row.strength]}
            for row in first.rows
            if (row.corruption, row.strength) in TARGETS
        ],
        corruptions=[
            _corruption_values(corruption, figures[panel.title])
            for corruption, panel in zip(CORRUPTIONS.values(), _panels(report), strict=True)
        ],
        rows=[
            {"name": _title(row), "results": [model.rows[number] for model in report.models]}
            for number, row in enumerate(first.rows)
        ],
        group_figure=figures.get("groups"),
        gaps=[
            {
                "column": grouped.column,
                "metric": metric,
                "sizes": [each[number].gaps.get(metric) for each in report.groups],
            }
            for number, grouped in enumerate(report.groups[0])
            for metric in grouped.gaps
        ],
        smallest_group=MIN_GROUP_FACES,
        missing=report.missing,
    )


def _corruption_values(corruption: Corruption, figure: str) -> dict[str, Any]:
    """The curve of a corruption, and one synthetic face without it and at every strength."""
    face = synthetic.draw_faces(4, seed=2).pixels[3]
    images = {"none": face}
    images |= {corruption.label(strength): corruption.change(face, strength, 1) for strength in corruption.strengths}
    return {
        "name": corruption.name,
        "meaning": corruption.meaning,
        "figure": figure,
        "examples": [
            {
                "severity": severity,
                "image": data_uri(encode_image(pixels)),
                "width": pixels.shape[1],
                "height": pixels.shape[0],
            }
            for severity, pixels in images.items()
        ],
    }
