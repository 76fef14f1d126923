"""Time to load the faces: from the CSV, and from the cache at the next start.

    python benchmarks/data.py fer2013.csv

Each measurement is a new process, with the import; the median of several. Writes ``results/data.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _results import write_result
from _tables import Figures, format_table

TIMES = 5

#: Prints the number of faces, the seconds of the import and of loading, and the largest memory in megabytes.
_SCRIPT = """
import json, resource, sys, time
start = time.perf_counter()
from mien.datasets.loading import load_faces
ready = time.perf_counter()
faces = load_faces(sys.argv[1])
done = time.perf_counter()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([len(faces), ready - start, done - ready, memory]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fer2013.csv, fer2013new.csv in the same folder")
    data = parser.parse_args().data.resolve()
    data.read_bytes()  # so that the file is in the cache of the file system
    uncached = [_load(data) for _ in range(TIMES)]
    with tempfile.TemporaryDirectory() as home:
        _load(data, home)
        cached = [_load(data, home) for _ in range(TIMES)]
    figures = {"megabytes": round(data.stat().st_size / 1e6), "csv": _medians(uncached), "cached": _medians(cached)}
    print(write_result("data", figures))
    print(json.dumps(figures, indent=1))


def _load(data: Path, home: str | None = None) -> list[float]:
    """One process, with the cache in ``home``, or with an empty cache."""
    with tempfile.TemporaryDirectory() as empty:
        variables = {**os.environ, "MIEN_HOME": home or empty}
        process = subprocess.run(
            [sys.executable, "-c", _SCRIPT, str(data)], env=variables, capture_output=True, check=True
        )
    return list(json.loads(process.stdout))


def _medians(runs: list[list[float]]) -> dict[str, Any]:
    faces, import_seconds, read_seconds, memory = (statistics.median(column) for column in zip(*runs, strict=True))
    return {
        "faces": int(faces),
        "import_seconds": round(import_seconds, 2),
        "read_seconds": round(read_seconds, 2),
        "peak_mb": round(memory),
    }


def format_data_table(figures: Figures) -> str:
    """Loading time and memory, and their targets."""
    return format_table(
        ["", "seconds", "target", "peak memory", "target"],
        [
            (
                name,
                f"{figures[key]['import_seconds'] + figures[key]['read_seconds']:.2f}",
                f"< {seconds}",
                f"{figures[key]['peak_mb']} MB",
                megabytes,
            )
            for key, name, seconds, megabytes in (
                ("csv", f"fer2013.csv, {figures['megabytes']} MB, with FER+ votes", "5", "< 1,000 MB"),
                ("cached", "the same from the cache", "0.5", ""),
            )
        ],
    )


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "data": ("data", format_data_table),
}


if __name__ == "__main__":
    main()
