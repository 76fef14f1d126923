"""How models hold, as text, as JSON, as figures and as one page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mien import plots
from mien._version import __version__
from mien.datasets import synthetic
from mien.evaluation.evaluate import fingerprint_faces
from mien.evaluation.groups import MIN_GROUP_FACES, GroupedMetrics
from mien.evaluation.report import write_file
from mien.evaluation.robustness import CORRUPTIONS, Corruption, CorruptionResult, ModelRobustness
from mien.html import data_uri, render
from mien.html.images import encode_image

JSON, PAGE, TEXT = "robustness.json", "robustness.html", "robustness.txt"

#: What is asked of a model that shall hold outside of its test: at most so many points lost.
TARGETS = {("shift", 0.1): 2.0, ("jpeg", 30): 3.0, ("small", 24): 6.0, ("turn", 15): 4.0}


@dataclass(frozen=True)
class RobustnessReport:
    """Every model under everything, in the order of ``names``; ``missing`` says what is not told, and why.

    ``splits[i]`` are the columns of groups for model ``i``.
    """

    names: tuple[str, ...]
    held: tuple[ModelRobustness, ...]
    splits: tuple[tuple[GroupedMetrics, ...], ...]
    missing: tuple[str, ...] = ()


def distinct_names(words: Sequence[str], held: Sequence[ModelRobustness]) -> tuple[str, ...]:
    """What the models' cards say, told apart by the ``words`` they were asked for with where two say the same."""
    names = [each.answers.card.name for each in held]
    return tuple(
        f"{name} ({Path(word).name})" if names.count(name) > 1 else name
        for name, word in zip(names, words, strict=True)
    )


def robustness_values(found: RobustnessReport) -> dict[str, Any]:
    """Plain numbers."""
    first = found.held[0].answers
    models = [
        {"name": name, "rows": [asdict(row) for row in held.rows], "groups": [_split(each) for each in splits]}
        for name, held, splits in zip(found.names, found.held, found.splits, strict=True)
    ]
    return {
        "mien": __version__,
        "split": first.split,
        "faces": len(first.faces),
        "fingerprint": fingerprint_faces(first.faces),
        "models": models,
        "missing": list(found.missing),
    }


def write_robustness(folder: Path, found: RobustnessReport) -> list[Path]:
    """``robustness.json``, ``.txt``, ``.html`` and the figures as PNG; the page is the last."""
    drawings = {"strengths": plots.plot_corruptions(_panels(found))}
    if found.splits[0]:
        drawings["groups"] = plots.plot_groups(_dots(found), "accuracy")
    files = {f"{name}.png": plots.render_png(drawing) for name, drawing in drawings.items()}
    shown = {panel.title: plots.render_svg(plots.plot_corruption(panel), panel.title) for panel in _panels(found)}
    shown |= {"groups": plots.render_svg(drawings["groups"], "accuracy by group")} if "groups" in drawings else {}
    files[TEXT] = format_robustness(found).encode()
    files[JSON] = (json.dumps(robustness_values(found), indent=1, ensure_ascii=False) + "\n").encode()
    files[PAGE] = _render_page(found, shown).encode()
    return [write_file(folder / name, content) for name, content in files.items()]


def format_robustness(found: RobustnessReport) -> str:
    """The table of a terminal: accuracy and points lost by model, then the groups."""
    first = found.held[0].answers
    head = ["", "", *found.names]
    rows = [[_title(row), "", *(_cell(held.rows[place]) for held in found.held)] for place, row in _numbered(found)]
    lines = [f"{len(first.faces):,} faces of the {first.split} split: accuracy, and points lost", ""]
    lines += _columns([head, *rows])
    for place, split in enumerate(found.splits[0]):
        head = [split.column, "faces", *found.names]
        rows = [
            [group.name, f"{group.faces:,}", *(_group_cell(splits[place].groups[number]) for splits in found.splits)]
            for number, group in enumerate(split.groups)
        ]
        gaps = [f"{100 * splits[place].gaps['accuracy']:.1f}" if splits[place].gaps else "-" for splits in found.splits]
        lines += ["", *_columns([head, *rows, ["gap, best to worst", "", *gaps]])]
    return "\n".join([*lines, *(["", *found.missing] if found.missing else [])]) + "\n"


def _numbered(found: RobustnessReport) -> Iterator[tuple[int, CorruptionResult]]:
    yield from enumerate(found.held[0].rows)


def _title(row: CorruptionResult) -> str:
    each = CORRUPTIONS.get(row.corruption)
    return f"{each.name} {each.label(row.strength)}" if each else "no corruption"


def _cell(row: CorruptionResult) -> str:
    lost = "" if row.corruption == "none" else f"  {-100 * row.lost:+5.1f}"
    return f"{100 * row.accuracy:5.1f} %{lost}"


def _group_cell(group: Any) -> str:
    told = group.figures["accuracy"]
    few = "" if group.enough else " (few)"
    return f"{100 * told.value:.1f} % ({100 * told.low:.1f} to {100 * told.high:.1f}){few}"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _split(split: GroupedMetrics) -> dict[str, Any]:
    groups = [
        {
            "name": each.name,
            "faces": each.faces,
            "figures": {name: [told.value, told.low, told.high] for name, told in each.figures.items()},
        }
        for each in split.groups
    ]
    return {"column": split.column, "groups": groups, "gaps": dict(split.gaps)}


def _panels(found: RobustnessReport) -> list[plots.CorruptionPanel]:
    return [
        plots.CorruptionPanel(
            f"{each.name}: {each.meaning}",
            ["plain", *(_short(each, strength) for strength in each.strengths)],
            {name: _line(held.rows, each.name) for name, held in zip(found.names, found.held, strict=True)},
        )
        for each in CORRUPTIONS.values()
    ]


def _short(each: Corruption, strength: float) -> str:
    return each.label(strength).removeprefix("quality ")


def _line(rows: Sequence[CorruptionResult], name: str) -> list[float]:
    return [row.accuracy for row in rows if row.corruption in ("none", name)]


def _dots(found: RobustnessReport) -> dict[str, dict[str, list[plots.GroupInterval]]]:
    return {
        split.column: {
            name: [
                plots.GroupInterval(group.name, told.value, told.low, told.high, group.faces)
                for group in splits[place].groups
                if (told := group.figures["accuracy"])
            ]
            for name, splits in zip(found.names, found.splits, strict=True)
        }
        for place, split in enumerate(found.splits[0])
    }


def _render_page(report: RobustnessReport, figures: Mapping[str, str]) -> str:
    """The page. ``figures`` are ``<svg>`` elements: of each corruption by the title of its panel, and ``groups``."""
    first = report.held[0]
    return render(
        "robustness.html",
        names=report.names,
        face_count=len(first.answers.faces),
        split=first.answers.split,
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
            {"name": _title(row), "results": [held.rows[index] for held in report.held]}
            for index, row in _numbered(report)
        ],
        group_figure=figures.get("groups"),
        gaps=[
            {
                "column": split.column,
                "metric": metric,
                "sizes": [each[index].gaps.get(metric) for each in report.splits],
            }
            for index, split in enumerate(report.splits[0])
            for metric in split.gaps
        ],
        smallest_group=MIN_GROUP_FACES,
        missing=report.missing,
    )


def _corruption_values(corruption: Corruption, figure: str) -> dict[str, Any]:
    """The curve of a corruption, and one synthetic face without it and at every strength."""
    face = synthetic.draw_faces(4, seed=2).pixels[3]
    images = {"plain": face}
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
