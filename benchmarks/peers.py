"""mien beside fer, in one run on the same pictures and the same two cores; writes results/peers.json.

    python benchmarks/peers.py --yunet FILE              200 photos; needs a network, about five minutes
    python benchmarks/peers.py --photos 20 --keep DIR    environments are kept in DIR and used again

Each gets a fresh environment. fer's own pins conflict, so its parts are named here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import _environments
import _photos
import _results
from _tables import Figures, format_table
from speed import install_yunet, two_cores

HERE = Path(__file__).resolve().parent
FER = (
    ("--no-deps", "fer"),
    ("tensorflow-cpu", "opencv-contrib-python<5", "pandas", "tqdm", "requests", "moviepy<2", "setuptools<81"),
)
MIEN = ((str(HERE.parent),),)
#: Program, and the words after the folder.
RUNS = {
    "mien_yunet": ("mien", "_time_mien_photos.py", "yunet"),
    "mien_haar": ("mien", "_time_mien_photos.py", "haar"),
    "fer": ("fer", "_time_fer_photos.py"),
}


def main() -> None:
    options = arguments()
    two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        keep = options.keep or Path(name)
        pythons = {peer: environment(keep / peer, parts) for peer, parts in (("mien", MIEN), ("fer", FER))}
        _photos.write_photos(Path(name) / "photos", options.photos)
        figures = {run: timed(pythons[peer], words, Path(name) / "photos") for run, (peer, *words) in RUNS.items()}
    for run, (peer, *_) in RUNS.items():
        figures[run] |= {
            "installed_mb": _environments.measure_disk_megabytes(keep / peer),
            "version": version(pythons[peer], peer),
        }
    figures["photos"] = options.photos
    _results.write_or_print("peers", figures, options.dry)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200)
    parser.add_argument("--yunet", type=Path, help="YuNet's file")
    parser.add_argument("--keep", type=Path, help="keep the environments here, and use those that are there")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def environment(folder: Path, parts: tuple[tuple[str, ...], ...]) -> Path:
    python = folder / "bin" / "python"
    return python if python.exists() else _environments.create_environment(folder, *parts)


def timed(python: Path, words: list[str], photos: Path) -> dict[str, Any]:
    """The folder once, and beside it the start of a process up to its first reading, three times on one photo."""
    script, *more = words
    [alone, *_] = sorted(photos.glob("*.jpg"))
    single = photos.parent / "single"
    single.mkdir(exist_ok=True)
    (single / alone.name).write_bytes(alone.read_bytes())
    run(python, script, single, more)
    starts = [run(python, script, single, more)["process_s"] for _ in range(3)]
    return {**run(python, script, photos, more), "process_s": round(median(starts), 2)}


def run(python: Path, script: str, photos: Path, more: list[str]) -> dict[str, Any]:
    start = time.perf_counter()
    done = subprocess.run(
        [python, HERE / script, photos, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return {**json.loads(done.stdout.splitlines()[-1]), "process_s": time.perf_counter() - start}


def version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def peers_table(figures: Figures) -> str:
    columns = {"mien_yunet": "mien, yunet", "mien_haar": "mien, haar", "fer": f"fer {figures['fer']['version']}"}
    rows = [
        ("photos_per_s", "photos/s, one after the other"),
        ("photos_per_s_read_many", "photos/s, `read_many`"),
        ("ms_a_face", "ms a face: crop and network"),
        ("first_reading_s", "import to first reading, s"),
        ("installed_mb", "installed, MB"),
        ("photos_with_a_face", f"photos with a face found, of {figures['photos']}"),
    ]
    body = [[words, *(figures[column].get(name, "") for column in columns)] for name, words in rows]
    return format_table(["", *columns.values()], body)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "peers": ("peers", peers_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
