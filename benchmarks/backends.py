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


if __name__ == "__main__":
    main()
