"""Start, response times and memory of the desktop application, the Gradio page and the Streamlit page.

    python benchmarks/windows.py                   all of them
    python benchmarks/windows.py desktop gradio    these; earlier results of the others stay

The script of each says what it measures, and what it needs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from _results import RESULTS, describe_commit, describe_machine, write_result
from _tables import Figures, format_table

WINDOWS = ("desktop", "gradio", "streamlit")

#: A table mentions the machine's load from here on.
HIGH_LOAD = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windows", nargs="*", choices=[[], *WINDOWS], metavar="WINDOW", help=", ".join(WINDOWS))
    selected = parser.parse_args().windows or WINDOWS
    figures = load_figures()
    for name in selected:
        measured = import_module(f"windows_{name}").measure()
        figures[name] = {**measured, "load": round(os.getloadavg()[0], 1), "commit": describe_commit()}
        print(write_result("windows", figures))


def load_figures() -> dict[str, Any]:
    """The earlier results of this machine; empty if they are of another one."""
    path = RESULTS / "windows.json"
    if not path.exists():
        return {}
    result = json.loads(path.read_text())
    figures: dict[str, Any] = (
        result["figures"] if result["machine"]["processor"] == describe_machine()["processor"] else {}
    )
    return figures


#: The rows of the table: the app, the keys of the figure, its description, its unit, and its target.
PAGE_ROWS = (
    (("address_seconds",), "from the command until the server answers", "s", ""),
    (("first_page_seconds",), "from the command until the page is usable", "s", "< 6"),
    (("first_photo_seconds",), "from the first photo to its result", "s", ""),
    (("idle_mb",), "memory after the start", "MB", ""),
    (("warm_mb",), "memory after the first photos", "MB", ""),
    (("after_mb",), "memory after 200 more", "MB", "constant"),
)
ROWS = (
    ("desktop", ("start_seconds", "visible"), "from the command until the window is visible", "s", ""),
    ("desktop", ("start_seconds", "answers"), "from the command until it reacts to a key", "s", "< 1.2"),
    (
        "desktop",
        ("blocked_ms", "median"),
        "longest wait of an event while 24 megapixels are read, median",
        "ms",
        "< 50",
    ),
    (
        "desktop",
        ("blocked_ms", "longest"),
        "longest wait of an event while 24 megapixels are read, maximum",
        "ms",
        "< 50",
    ),
    ("desktop", ("explanations_per_second",), "explanations of camera frames per second", "", "≥ 10"),
    ("desktop", ("memory", "frames"), "frames of a camera", "", ""),
    ("desktop", ("memory", "after_a_tenth_mb"), "memory after a tenth of the frames", "MB", ""),
    ("desktop", ("memory", "after_all_mb"), "memory after all frames", "MB", "constant"),
    *(("gradio", *row) for row in PAGE_ROWS),
    *(("streamlit", *row) for row in PAGE_ROWS),
    ("gradio", ("camera", "frames"), "frames of a camera, as fast as they are read", "", ""),
    ("gradio", ("camera", "grown_mb"), "growth of the memory in that time", "MB", "constant"),
)


def format_windows_table(figures: Figures) -> str:
    rows = [
        (name, description, f"{value:,} {unit}".strip(), target)
        for name, keys, description, unit, target in ROWS
        if (value := find_value(figures.get(name, {}), keys)) is not None
    ]
    loads = [f"{name} {result['load']}" for name, result in figures.items() if result["load"] > HIGH_LOAD]
    note = f"\n\nLoad of the machine at the end, including the measured app: {', '.join(loads)}." if loads else ""
    return format_table(["app", "", "measured", "target"], rows) + note


def find_value(figures: Figures, keys: Sequence[str]) -> Any:
    value: Any = figures
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "windows": ("windows", format_windows_table),
}


if __name__ == "__main__":
    main()
