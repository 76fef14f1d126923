"""The same recipe under TensorFlow, torch and JAX; writes results/backends.json.

    python benchmarks/backends.py --others PYTHON    a Python with mien, torch and JAX; five minutes

The accuracy on the synthetic faces of recipes/synthetic.toml, and whether a stopped and resumed run ends with the same
weights as an uninterrupted one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import _results
from _tables import Figures, format_percent, format_table

SCRIPT = Path(__file__).resolve().parent.parent / "tests" / "support" / "one_backend.py"
BACKENDS = ("tensorflow", "torch", "jax")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--others", type=Path, default=Path(sys.executable), metavar="PYTHON")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    figures = {backend: measure_backend(options.others, backend) for backend in BACKENDS} | {"keras": version("keras")}
    _results.write_or_print("backends", figures, options.dry)


def measure_backend(python: Path, backend: str) -> dict[str, Any]:
    start = time.perf_counter()
    accuracy, _, _ = run_script(python, backend, "learn")
    seconds = time.perf_counter() - start
    difference, _, _ = run_script(python, backend, "resume")
    return {
        "version": read_version(python, "tensorflow-cpu" if backend == "tensorflow" else backend),
        "accuracy": round(accuracy, 4),
        "seconds": round(seconds),
        "resumed_differs_by": difference,
    }


def run_script(python: Path, backend: str, experiment: str) -> list[float]:
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        command = [python, SCRIPT, experiment, folder]
        process = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, check=True
        )
    return [float(word) for word in process.stdout.decode().splitlines()[-1].split()]


def read_version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def format_backends_table(figures: Figures) -> str:
    rows = [
        (
            f"{name} {row['version']}",
            format_percent(row["accuracy"]),
            f"{row['seconds']} s",
            "yes" if row["resumed_differs_by"] == 0 else f"no, difference {row['resumed_differs_by']:.0e}",
        )
        for name, row in figures.items()
        if isinstance(row, dict)
    ]
    return format_table(
        ["", "accuracy on PublicTest of the synthetic faces", "ten epochs", "resumes to the same bits, in float32"],
        rows,
    )


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "backends": ("backends", format_backends_table),
}


if __name__ == "__main__":
    main()
