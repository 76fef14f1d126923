"""How long the faces take to be read: from the CSV, and from the cache at the next start.

    python benchmarks/data.py fer2013.csv

Each figure is a process of its own, the import counted; the median of several. Writes ``results/data.json``.
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

from _machine import write
from _tables import Figures, format_table

TIMES = 5

#: Seconds to import the readers, and to have the faces; megabytes at most.
_READ = """
import json, resource, sys, time
begun = time.perf_counter()
from mien.datasets.loading import read
ready = time.perf_counter()
faces = read(sys.argv[1]).faces
done = time.perf_counter()
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([len(faces), ready - begun, done - ready, most]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="fer2013.csv, fer2013new.csv beside it")
    data = parser.parse_args().data.resolve()
    data.read_bytes()  # so that the disk's speed is in none of the figures
    fresh = [_read(data) for _ in range(TIMES)]
    with tempfile.TemporaryDirectory() as home:
        _read(data, home)
        kept = [_read(data, home) for _ in range(TIMES)]
    figures = {"megabytes": round(data.stat().st_size / 1e6), "csv": _figures(fresh), "cached": _figures(kept)}
    print(write("data", figures))
    print(json.dumps(figures, indent=1))


def _read(data: Path, home: str | None = None) -> list[float]:
    """One start, with the cache in ``home``, or without one that has anything in it."""
    with tempfile.TemporaryDirectory() as empty:
        variables = {**os.environ, "MIEN_HOME": home or empty}
        told = subprocess.run([sys.executable, "-c", _READ, str(data)], env=variables, capture_output=True, check=True)
    return list(json.loads(told.stdout))


def _figures(each: list[list[float]]) -> dict[str, Any]:
    faces, imported, read, most = (statistics.median(column) for column in zip(*each, strict=True))
    return {
        "faces": int(faces),
        "import_seconds": round(imported, 2),
        "read_seconds": round(read, 2),
        "most_mb": round(most),
    }


def data_table(figures: Figures) -> str:
    """How long a start waits for its faces, beside what was wanted."""
    return format_table(
        ["", "seconds", "wanted", "memory at most", "wanted"],
        [
            (
                words,
                f"{figures[key]['import_seconds'] + figures[key]['read_seconds']:.2f}",
                f"< {seconds}",
                f"{figures[key]['most_mb']} MB",
                megabytes,
            )
            for key, words, seconds, megabytes in (
                ("csv", f"fer2013.csv, {figures['megabytes']} MB, with the votes beside it", "5", "< 1,000 MB"),
                ("cached", "the same at the next start", "0.5", ""),
            )
        ],
    )


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "data": ("data", data_table),
}


if __name__ == "__main__":
    main()
