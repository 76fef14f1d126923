"""How the windows start, answer and last: the desktop, the Gradio page, the Streamlit page, each on this machine.

    python benchmarks/windows.py                   all of them
    python benchmarks/windows.py desktop gradio    these; what was measured of the others stays

Each window's own script says what is measured, and what it needs.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from _machine import RESULTS, commit, machine, write
from _tables import Figures, format_table

WINDOWS = ("desktop", "gradio", "streamlit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("windows", nargs="*", choices=[[], *WINDOWS], metavar="WINDOW", help=", ".join(WINDOWS))
    chosen = parser.parse_args().windows or WINDOWS
    figures = before()
    for name in chosen:
        measured = import_module(f"windows_{name}").measure()
        figures[name] = {**measured, "load": round(os.getloadavg()[0], 1), "commit": commit()}
        print(write("windows", figures))


def before() -> dict[str, Any]:
    """What was measured before on this machine; nothing of another's."""
    place = RESULTS / "windows.json"
    if not place.exists():
        return {}
    told = json.loads(place.read_text())
    figures: dict[str, Any] = told["figures"] if told["machine"]["processor"] == machine()["processor"] else {}
    return figures


#: What is told of each window: the figure, by its names in the result file; its words and unit; what was aimed at.
WINDOW_FIGURES = (
    ("desktop", ("start_seconds", "visible"), "from the command until the window is there", "s", ""),
    ("desktop", ("start_seconds", "answers"), "until it answers a key", "s", "< 1.2"),
    ("desktop", ("blocked_ms", "median"), "longest wait for an event while 24 megapixels are read, median", "ms", "< 50"),
    ("desktop", ("blocked_ms", "longest"), "the same, the longest of all", "ms", "< 50"),
    ("desktop", ("explanations_per_second",), "the inside of the network, with the camera, a second", "", "≥ 10"),
    ("desktop", ("memory", "frames"), "frames of a camera, one after the other", "", ""),
    ("desktop", ("memory", "after_a_tenth_mb"), "memory after a tenth of them", "MB", ""),
    ("desktop", ("memory", "after_all_mb"), "memory after all of them", "MB", "flat"),
    *(
        (name, *rest)
        for name in ("gradio", "streamlit")
        for rest in (
            (("address_seconds",), "from the command until somebody answers", "s", ""),
            (("first_page_seconds",), "from the command until the page can be used", "s", "< 6"),
            (("first_photo_seconds",), "from a photo to its result, the first one", "s", ""),
            (("idle_mb",), "memory to begin with", "MB", ""),
            (("warm_mb",), "memory after the first pictures", "MB", ""),
            (("after_mb",), "memory after 200 more", "MB", "flat"),
        )
    ),
    ("gradio", ("camera", "frames"), "frames of a camera, as fast as they are read", "", ""),
    ("gradio", ("camera", "grown_mb"), "memory grown by", "MB", "flat"),
)


def windows_table(figures: Figures) -> str:
    rows = [
        (name, words, f"{value:,} {unit}".strip(), aim)
        for name, path, words, unit, aim in WINDOW_FIGURES
        if (value := _lookup(figures.get(name, {}), path)) is not None
    ]
    loads = [f"{name} {told['load']}" for name, told in figures.items() if told["load"] > 3]
    told = f"\n\nThe machine's load at the end, what was measured included: {', '.join(loads)}." if loads else ""
    return format_table(["window", "", "measured", "aim"], rows) + told


def _lookup(figures: Figures, path: Sequence[str]) -> Any:
    value: Any = figures
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "windows": ("windows", windows_table),
}


if __name__ == "__main__":
    main()
