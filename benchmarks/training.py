"""The speed of training one VGG-like network with stock Keras, mien and PyTorch; writes results/training.json.

    python benchmarks/training.py --torch PYTHON     the Python of an environment that has PyTorch; three minutes
    python benchmarks/training.py                    creates that environment first; needs a network connection

The variants alternate for several rounds, each in its own process; the best round counts, because other processes on
the machine only make rounds slower. Measured once on two cores in wall-clock time, and once with one thread in
processor time.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import _environments
import _results
from _tables import Figures, format_table
from speed import use_two_cores

HERE = Path(__file__).resolve().parent
TARGETS = {"of_stock_keras": 2.5, "of_torch": 0.85}
CORES = {"two_cores": 2, "one_core": 1}
#: Library, precision and augmentation of each variant.
VARIANTS = {
    "keras_bfloat16": ("keras", "bfloat16", "plain"),
    "mien_bfloat16": ("mien", "bfloat16", "plain"),
    "torch_bfloat16": ("torch", "bfloat16", "plain"),
    "keras_float32": ("keras", "float32", "plain"),
    "mien_float32": ("mien", "float32", "plain"),
    "torch_float32": ("torch", "float32", "plain"),
    "mien_bfloat16_augmented": ("mien", "bfloat16", "augmented"),
}


def main() -> None:
    options = parse_arguments()
    use_two_cores()
    _results.PACKAGES = (*_results.PACKAGES, "keras", "tensorflow-cpu")
    with tempfile.TemporaryDirectory() as name:
        torch = options.torch or _environments.create_environment(Path(name), ("torch", "numpy"))
        figures = {
            name: collect_best([run_round(torch, options, cores) for _ in range(options.rounds)])
            for name, cores in CORES.items()
        }
    figures |= {"targets": TARGETS, "batch": 128, "rounds": options.rounds, "torch": read_torch_version(torch)}
    _results.write_or_print("training", figures, options.dry)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", type=Path, metavar="PYTHON", help="a Python with PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="seconds of each variant in a round")
    parser.add_argument("--variants", nargs="*", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def run_round(torch: Path, options: argparse.Namespace, cores: int) -> dict[str, dict[str, float]]:
    """Each variant once."""
    seconds = str(options.seconds)
    return {name: run_variant((*VARIANTS[name], seconds, str(cores)), torch) for name in options.variants}


def run_variant(arguments: tuple[str, ...], torch: Path) -> dict[str, float]:
    """Images per second, and the fraction of the processor that other processes used."""
    python = torch if arguments[0] == "torch" else Path(sys.executable)
    before = _read_busy_seconds(), os.times()
    process = subprocess.run(
        [python, HERE / "_time_training.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    busy, after = _read_busy_seconds() - before[0], os.times()
    own = after.children_user + after.children_system - before[1].children_user - before[1].children_system
    others = max(busy - own, 0) / (after.elapsed - before[1].elapsed) / (os.cpu_count() or 1)
    return {**json.loads(process.stdout.splitlines()[-1]), "others": round(others, 3)}


def _read_busy_seconds() -> float:
    """Busy time of all cores since the start of the machine; 0 where the system does not report it."""
    try:
        user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    except OSError:
        return 0.0
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def collect_best(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    best = {name: max((each[name] for each in rounds), key=lambda row: row["images_per_s"]) for name in rounds[0]}
    speed = {name: row["images_per_s"] for name, row in best.items()}
    others = {name: row["others"] for name, row in best.items()}
    figures: dict[str, Any] = {"images_per_s": speed, "others": others}
    if {"keras_bfloat16", "mien_bfloat16", "torch_bfloat16"} <= set(speed):
        figures["of_stock_keras"] = round(speed["mien_bfloat16"] / speed["keras_bfloat16"], 2)
        figures["of_torch"] = round(speed["mien_bfloat16"] / speed["torch_bfloat16"], 2)
    return figures


def read_torch_version(python: Path) -> str:
    code = "from importlib.metadata import version; print(version('torch'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def format_training_table(figures: Figures) -> str:
    """Images per second of each variant, in wall-clock and in processor time."""
    libraries = {"keras": "stock Keras", "mien": "mien", "torch": "plain PyTorch"}
    speeds_by_cores = [figures["two_cores"]["images_per_s"], figures["one_core"]["images_per_s"]]
    rows = [
        (f"{libraries[library]}, {kind}", *(f"{speeds[f'{library}_{kind}']:.0f}" for speeds in speeds_by_cores))
        for kind in ("bfloat16", "float32")
        for library in libraries
        if all(f"{library}_{kind}" in speeds for speeds in speeds_by_cores)
    ]
    if all("mien_bfloat16_augmented" in speeds for speeds in speeds_by_cores):
        rows.append(
            (
                "mien, bfloat16, with all augmentation",
                *(f"{each['mien_bfloat16_augmented']:.0f}" for each in speeds_by_cores),
            )
        )
    targets = figures["targets"]
    for key, title in (
        ("of_stock_keras", "mien, times stock Keras, bfloat16"),
        ("of_torch", "mien, times PyTorch, bfloat16"),
    ):
        ratios = (f"{figures[cores][key]:.2f} (target {targets[key]})" for cores in ("two_cores", "one_core"))
        rows.append((title, *ratios))
    return format_table(["images per second", "two cores, wall-clock time", "one thread, processor time"], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "training": ("training", format_training_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
