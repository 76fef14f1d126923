"""mien and fer compared in one run, on the same photos and the same two cores; writes results/peers.json.

    python benchmarks/peers.py --yunet FILE              200 photos; needs a network, about five minutes
    python benchmarks/peers.py --photos 20 --keep DIR    reuse the environments in DIR

Each library has a new environment. The pinned dependencies of fer conflict, so they are listed here.
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
from speed import install_yunet, use_two_cores

HERE = Path(__file__).resolve().parent
FER = (
    ("--no-deps", "fer"),
    ("tensorflow-cpu", "opencv-contrib-python<5", "pandas", "tqdm", "requests", "moviepy<2", "setuptools<81"),
)
MIEN = ((str(HERE.parent),),)
#: The environment, the script and its arguments after the folder.
RUNS = {
    "mien_yunet": ("mien", "_time_mien_photos.py", "yunet"),
    "mien_haar": ("mien", "_time_mien_photos.py", "haar"),
    "fer": ("fer", "_time_fer_photos.py"),
}


def main() -> None:
    options = parse_arguments()
    use_two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        keep = options.keep or Path(name)
        pythons = {peer: open_environment(keep / peer, packages) for peer, packages in (("mien", MIEN), ("fer", FER))}
        _photos.write_photos(Path(name) / "photos", options.photos)
        figures = {
            run: time_script(pythons[peer], arguments, Path(name) / "photos")
            for run, (peer, *arguments) in RUNS.items()
        }
    for run, (peer, *_) in RUNS.items():
        figures[run] |= {
            "installed_mb": _environments.measure_disk_megabytes(keep / peer),
            "version": read_version(pythons[peer], peer),
        }
    figures["photos"] = options.photos
    _results.write_or_print("peers", figures, options.dry)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=200, help="number of photos")
    parser.add_argument(
        "--yunet", type=Path, help="YuNet's model file; not needed if it was downloaded with 'mien models pull yunet'"
    )
    parser.add_argument("--keep", type=Path, help="folder of the environments, which are reused")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write nothing")
    return parser.parse_args()


def open_environment(folder: Path, packages: tuple[tuple[str, ...], ...]) -> Path:
    python = folder / "bin" / "python"
    return python if python.exists() else _environments.create_environment(folder, *packages)


def time_script(python: Path, arguments: list[str], photos: Path) -> dict[str, Any]:
    """The figures for the folder, and the median time of three whole processes with one photo."""
    script, *options = arguments
    photo = min(photos.glob("*.jpg"))
    single = photos.parent / "single"
    single.mkdir(exist_ok=True)
    (single / photo.name).write_bytes(photo.read_bytes())
    run_script(python, script, single, options)  # fills the caches of the disk
    starts = [run_script(python, script, single, options)["process_s"] for _ in range(3)]
    return {**run_script(python, script, photos, options), "process_s": round(median(starts), 2)}


def run_script(python: Path, script: str, photos: Path, options: list[str]) -> dict[str, Any]:
    start = time.perf_counter()
    process = subprocess.run(
        [python, HERE / script, photos, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return {**json.loads(process.stdout.splitlines()[-1]), "process_s": time.perf_counter() - start}


def read_version(python: Path, package: str) -> str:
    code = f"from importlib.metadata import version; print(version('{package}'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def format_peers_table(figures: Figures) -> str:
    columns = {"mien_yunet": "mien, yunet", "mien_haar": "mien, haar", "fer": f"fer {figures['fer']['version']}"}
    rows = [
        ("photos_per_s", "photos/s, one after the other"),
        ("photos_per_s_read_many", "photos/s, `read_many`"),
        ("ms_a_face", "ms per face: crop and network"),
        ("first_reading_s", "import to first result, s"),
        ("installed_mb", "installed, MB"),
        ("photos_with_a_face", f"photos with a detected face, of {figures['photos']}"),
    ]
    body = [[title, *(figures[column].get(key, "") for column in columns)] for key, title in rows]
    return format_table(["", *columns.values()], body)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "peers": ("peers", format_peers_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    sys.exit(main())
