"""A comparison as text, as JSON, as a figure and as a page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from mien import plots
from mien.evaluation.compare import Comparison, ComparisonRow
from mien.evaluation.report import percent, write_file
from mien.html import render

#: McNemar's test is called significant below this p-value.
_SIGNIFICANCE_LEVEL = 0.05

_HEAD = ("model", "accuracy", "95 % interval", "no twins", "balanced", "ECE", "params", "MB", "ms", "trained")


def comparison_title(found: Comparison) -> str:
    """``Models on the public split: 3,589 faces``; without a count where not all saw as many."""
    metrics = [entry.metrics for row in found.rows for entry in row.entries]
    splits = " and ".join(f"the {split} split" for split in dict.fromkeys(each["split"] for each in metrics))
    counts = {each.get("faces") for each in metrics}
    faces = counts.pop() if len(counts) == 1 else None
    return f"Models on {splits}" + (f": {faces:,} faces" if faces else "")


def format_comparison(found: Comparison) -> str:
    """The table below its title, and below it the sentence about the best two."""
    rows = [_HEAD, *map(_cells, found.rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return (
        "\n".join([comparison_title(found), "", *(_line(row, widths) for row in rows), "", *summary_sentences(found)])
        + "\n"
    )


def table_rows(found: Comparison) -> list[dict[str, str]]:
    """The table's cells as text, by what stands above them."""
    return [dict(zip(_HEAD, _cells(row), strict=True)) for row in found.rows]


def plot_comparison(found: Comparison) -> Figure:
    """Accuracy against speed."""
    return plots.plot_accuracy_and_speed([_rival(row) for row in found.rows])


def comparison_values(found: Comparison) -> dict[str, Any]:
    """Plain numbers of the table and of the test."""
    test = None if found.test is None else {**found.test._asdict(), "models": [row.name for row in found.rows[:2]]}
    return {"rows": [_plain(row) for row in found.rows], "mcnemar": test, "mcnemar_missing": found.why or None}


def write_comparison(folder: Path, found: Comparison) -> list[Path]:
    """``comparison.json``, ``.txt``, ``.html`` and ``accuracy_and_speed.png``; the page is the last."""
    drawn = plot_comparison(found)
    files = {
        "accuracy_and_speed.png": plots.render_png(drawn),
        "comparison.txt": format_comparison(found).encode(),
        "comparison.json": (json.dumps(comparison_values(found), indent=1, ensure_ascii=False) + "\n").encode(),
        "comparison.html": render(
            "comparison.html",
            title=comparison_title(found),
            columns=_HEAD,
            rows=table_rows(found),
            sentences=list(summary_sentences(found)),
            figure=plots.render_svg(drawn, "accuracy against speed"),
        ).encode(),
    }
    return [write_file(folder / name, content) for name, content in files.items()]


def _cells(row: ComparisonRow) -> tuple[str, ...]:
    interval = f"± {100 * row.spread:.1f}" if len(row.entries) > 1 else f"{100 * row.low:.1f} to {100 * row.high:.1f}"
    return (
        row.name,
        percent(row.accuracy),
        interval,
        percent(row.no_twins),
        percent(row.balanced),
        percent(row.ece),
        f"{row.parameters / 1e6:.2f} M" if row.parameters else "-",
        f"{row.megabytes:.1f}",
        f"{row.milliseconds:.2f}",
        _span(row.trained),
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (f"{cell:{width}}" for cell, width in zip(cells, widths, strict=True))
    ends = [cell.strip().rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
    return "  ".join([first, *ends]).rstrip()


def summary_sentences(found: Comparison) -> Iterator[str]:
    """What there is to say of the table: of the best two first."""
    if found.test is None:
        yield f"No test of the best two: {found.why}."
    else:
        first, second = (row.name for row in found.rows[:2])
        only_first, only_second, p = found.test
        yield f"Only {first} is right on {only_first:,} faces, only {second} on {only_second:,}. McNemar's test:"
        significant = p < _SIGNIFICANCE_LEVEL
        yield f"significant (p = {p:.2g})." if significant else f"not significant (p = {p:.2g})."
    if len({each.faces for row in found.rows for each in row.entries}) > 1:
        yield "The models were evaluated on different faces, so the order of the rows means little."
    if any(len(row.entries) > 1 for row in found.rows):
        yield "± is the standard deviation over the seeds of one recipe."
    yield "ms: one face on one core, measured on the machine of each evaluation."


def _plain(row: ComparisonRow) -> dict[str, Any]:
    runs = [{"name": each.name, "accuracy": each.metrics["accuracy"]} for each in row.entries]
    return {
        "name": row.name,
        "runs": runs,
        "split": row.entries[0].metrics["split"],
        "accuracy": row.accuracy,
        "ci95": [row.low, row.high],
        "spread": row.spread,
        "accuracy_no_twins": row.no_twins,
        "balanced_accuracy": row.balanced,
        "ece": row.ece,
        "parameters": row.parameters,
        "megabytes": row.megabytes,
        "milliseconds": row.milliseconds,
        "trained_seconds": row.trained,
    }


def _rival(row: ComparisonRow) -> plots.ModelPoint:
    return plots.ModelPoint(row.name, row.milliseconds, row.accuracy, row.low, row.high, row.megabytes)


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d}" if minutes >= 60 else f"{minutes} min"
