"""The comparison report: a table as text and HTML, plain numbers as JSON, and a figure of accuracy against speed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mien import plots
from mien.evaluation.compare import Comparison, ComparisonRow
from mien.evaluation.report import percent_or_dash, write_file
from mien.html import render

#: McNemar's test is called significant below this p-value.
_SIGNIFICANCE_LEVEL = 0.05

_COLUMNS = (
    "model",
    "accuracy",
    "95 % interval",
    "no duplicates",
    "balanced",
    "ECE",
    "parameters",
    "MB",
    "ms",
    "training",
)


def comparison_title(comparison: Comparison) -> str:
    """``Models on the public split: 3,589 faces``; without the count where the models have different ones."""
    metrics = [model.metrics for row in comparison.rows for model in row.models]
    splits = " and ".join(f"the {split} split" for split in dict.fromkeys(each["split"] for each in metrics))
    counts = {each.get("faces") for each in metrics}
    faces = counts.pop() if len(counts) == 1 else None
    return f"Models on {splits}" + (f": {faces:,} faces" if faces else "")


def format_comparison(comparison: Comparison) -> str:
    """The title, the table, and the sentences about it."""
    rows = [_COLUMNS, *map(_cells, comparison.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_align(row, widths) for row in rows]
    return "\n".join([comparison_title(comparison), "", *lines, "", *summary_sentences(comparison)]) + "\n"


def table_rows(comparison: Comparison) -> list[dict[str, str]]:
    """The cells of the table as text, by the column's title."""
    return [dict(zip(_COLUMNS, _cells(row), strict=True)) for row in comparison.rows]


def summary_sentences(comparison: Comparison) -> Iterator[str]:
    """Sentences about the table, the test of the best two first."""
    if comparison.test is None:
        yield f"No test of the best two: {comparison.reason}."
    else:
        first, second = (row.name for row in comparison.rows[:2])
        only_first, only_second, p = comparison.test
        yield f"Only {first} is right on {only_first:,} faces, only {second} on {only_second:,}. McNemar's test:"
        significant = p < _SIGNIFICANCE_LEVEL
        yield f"significant (p = {p:.2g})." if significant else f"not significant (p = {p:.2g})."
    if len({model.fingerprint for row in comparison.rows for model in row.models}) > 1:
        yield "The models were evaluated on different faces, so the order of the rows means little."
    if any(len(row.models) > 1 for row in comparison.rows):
        yield "± is the standard deviation over the seeds of one recipe."
    yield "ms: one face on one core, measured on the machine of each evaluation."


def plot_comparison(comparison: Comparison) -> Figure:
    """Accuracy against speed."""
    points = [
        plots.ModelPoint(row.name, row.milliseconds, row.accuracy, row.low, row.high, row.megabytes)
        for row in comparison.rows
    ]
    return plots.plot_accuracy_and_speed(points)


def comparison_values(comparison: Comparison) -> dict[str, Any]:
    """The table and the test as plain numbers."""
    rows = [
        {
            "name": row.name,
            "runs": [{"name": model.name, "accuracy": model.metrics["accuracy"]} for model in row.models],
            "split": row.models[0].metrics["split"],
            "accuracy": row.accuracy,
            "ci95": [row.low, row.high],
            "spread": row.spread,
            "accuracy_no_duplicates": row.accuracy_no_duplicates,
            "balanced_accuracy": row.balanced_accuracy,
            "ece": row.ece,
            "parameters": row.parameters,
            "megabytes": row.megabytes,
            "milliseconds": row.milliseconds,
            "training_seconds": row.training_seconds,
        }
        for row in comparison.rows
    ]
    test = None
    if comparison.test is not None:
        significant = comparison.test.p < _SIGNIFICANCE_LEVEL
        models = [row.name for row in comparison.rows[:2]]
        test = {**comparison.test._asdict(), "significant": significant, "models": models}
    return {"rows": rows, "mcnemar": test, "mcnemar_missing": comparison.reason or None}


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write ``comparison.json``, ``.txt``, ``.html`` and ``accuracy_and_speed.png``; the paths, the page last."""
    figure = plot_comparison(comparison)
    files = {
        "accuracy_and_speed.png": plots.render_png(figure),
        "comparison.txt": format_comparison(comparison).encode(),
        "comparison.json": (json.dumps(comparison_values(comparison), indent=1, ensure_ascii=False) + "\n").encode(),
        "comparison.html": render(
            "comparison.html",
            title=comparison_title(comparison),
            columns=_COLUMNS,
            rows=table_rows(comparison),
            sentences=list(summary_sentences(comparison)),
            figure=plots.render_svg(figure, "accuracy against speed"),
        ).encode(),
    }
    return [write_file(folder / name, content) for name, content in files.items()]


def _cells(row: ComparisonRow) -> tuple[str, ...]:
    interval = f"± {100 * row.spread:.1f}" if len(row.models) > 1 else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
    return (
        row.name,
        percent_or_dash(row.accuracy),
        interval,
        percent_or_dash(row.accuracy_no_duplicates),
        percent_or_dash(row.balanced_accuracy),
        percent_or_dash(row.ece),
        f"{row.parameters / 1e6:.2f} M" if row.parameters else "-",
        f"{row.megabytes:.1f}",
        f"{row.milliseconds:.2f}",
        _format_duration(row.training_seconds),
    )


def _align(cells: Sequence[str], widths: Sequence[int]) -> str:
    """The first cell left-aligned, the others right-aligned."""
    first, *others = cells
    aligned = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
    return "  ".join([first.ljust(widths[0]), *aligned]).rstrip()


def _format_duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{minutes} min"
