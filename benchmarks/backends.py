"""The same recipe under TensorFlow, torch and JAX; writes results/backends.json.

    python benchmarks/backends.py --others PYTHON    the Python of one with mien, torch and JAX; five minutes

What is learnt (the drawn faces of recipes/drawn.toml), and whether a run that was stopped and taken up
again ends at the very same weights as one that was not.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import _machine
from _tables import Figures, format_percent, format_table

TRIED = Path(__file__).resolve().parent.parent / "tests" / "support" / "one_backend.py"
BACKENDS = ("tensorflow", "torch", "jax")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=Path, default=Path(sys.executable), metavar="PYTHON")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    told = {backend: tried(options.others, backend) for backend in BACKENDS} | {"keras": version("keras")}
    print(json.dumps(told, indent=2) if options.dry else f"written: {_machine.write('backends', told).name}")


def tried(python: Path, backend: str) -> dict[str, Any]:
    begun = time.perf_counter()
    accuracy, _, _ = numbers(python, backend, "learn")
    seconds = time.perf_counter() - begun
    apart, _, _ = numbers(python, backend, "resume")
    return {
        "version": version_in(python, "tensorflow-cpu" if backend == "tensorflow" else backend),
        "accuracy": round(accuracy, 4),
        "seconds": round(seconds),
        "resumed_differs_by": apart,
    }


def numbers(python: Path, backend: str, what: str) -> list[float]:
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, TRIED, what, folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=True)
    return [float(word) for word in done.stdout.decode().splitlines()[-1].split()]


def version_in(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def backends_table(figures: Figures) -> str:
    rows = [
        (
            f"{name} {told['version']}",
            format_percent(told["accuracy"]),
            f"{told['seconds']} s",
            "yes" if told["resumed_differs_by"] == 0 else f"no, {told['resumed_differs_by']:.0e} apart",
        )
        for name, told in figures.items()
        if isinstance(told, dict)
    ]
    return format_table(
        ["", "PublicTest of the drawn faces", "ten epochs", "goes on to the same bits, in float32"], rows
    )


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "backends": ("backends", backends_table),
}


if __name__ == "__main__":
    main()
