"""Format numbers and Markdown tables of result files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from mien import text

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
Figures = dict[str, Any]


def format_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column is aligned left, all others right."""
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def format_percent(fraction: float) -> str:
    return text.format_percent(fraction, 1)


def format_count(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def describe_origin(result: Figures) -> str:
    """Date, commit, machine and command of a result file."""
    machine = result["machine"]
    processor = re.sub(r"\s+", " ", machine["processor"]).strip()
    return (
        f"*{result['date']}, commit {result['commit']}, {processor}, {machine['cores']} cores: `{result['command']}`*"
    )
