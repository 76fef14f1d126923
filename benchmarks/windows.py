"""How the windows start, answer and last: the desktop, the Gradio page, the Streamlit page, each on this machine.

    python benchmarks/windows.py                   all of them
    python benchmarks/windows.py desktop gradio    these; what was measured of the others stays

Each window's own script says what is measured, and what it needs.
"""

from __future__ import annotations

import argparse
import json
import os
from importlib import import_module
from typing import Any

from _machine import RESULTS, commit, machine, write

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


if __name__ == "__main__":
    main()
