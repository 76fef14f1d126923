"""The robustness report: text, JSON, figures, and an HTML page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien import plots
from mien._version import __version__
from mien.datasets import synthetic
from mien.evaluation.evaluate import fingerprint_faces
from mien.evaluation.groups import MIN_GROUP_FACES, GroupedMetrics, GroupMetrics
from mien.evaluation.report import write_file
from mien.evaluation.robustness import CORRUPTIONS, Corruption, CorruptionResult, ModelRobustness
from mien.html import data_uri, render
from mien.html.images import encode_image

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
    files[JSON] = (json.dumps(robustness_values(report), indent=1, ensure_ascii=False) + "\n").encode()
    files[PAGE] = _render_page(report, svgs).encode()
    return [write_file(folder / name, content) for name, content in files.items()]


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
    return f"{100 * accuracy.value:.1f} % ({100 * accuracy.low:.1f} to {100 * accuracy.high:.1f}){few}"


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
