"""How fast one VGG-like net trains: stock Keras, mien and plain PyTorch in one run; writes results/training.json.

    python benchmarks/training.py --torch PYTHON     the Python of an environment that has PyTorch; three minutes
    python benchmarks/training.py                    makes that environment first; needs a network

The ways take turns, several rounds long, each in a process of its own; of each the best round counts, for whatever
else runs on the machine makes rounds slower and none faster. How much of the processor others took is written beside
it. Once on two cores by the clock on the wall, and once with one thread, by the time which that thread has worked.
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

import _install
import _machine
from _tables import Figures, format_table
from speed import two_cores

HERE = Path(__file__).resolve().parent
TARGETS = {"of_stock_keras": 2.5, "of_torch": 0.85}
CORES = {"two_cores": 2, "one_core": 1}
#: What it is called: who trains, in what precision, with augmentation or without.
WAYS = {
    "keras_bfloat16": ("keras", "bfloat16", "plain"),
    "mien_bfloat16": ("mien", "bfloat16", "plain"),
    "torch_bfloat16": ("torch", "bfloat16", "plain"),
    "keras_float32": ("keras", "float32", "plain"),
    "mien_float32": ("mien", "float32", "plain"),
    "torch_float32": ("torch", "float32", "plain"),
    "mien_bfloat16_augmented": ("mien", "bfloat16", "augmented"),
}


def main() -> None:
    options = arguments()
    two_cores()
    _machine.PACKAGES = (*_machine.PACKAGES, "keras", "tensorflow-cpu")
    with tempfile.TemporaryDirectory() as name:
        torch = options.torch or _install.fresh(Path(name), ("torch", "numpy"))
        told = {
            words: figures([in_turn(torch, options, cores) for _ in range(options.rounds)])
            for words, cores in CORES.items()
        }
    told |= {"targets": TARGETS, "batch": 128, "rounds": options.rounds, "torch": version(torch)}
    print(json.dumps(told, indent=2) if options.dry else f"written: {_machine.write('training', told).name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--torch", type=Path, metavar="PYTHON", help="a Python with PyTorch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=6, help="how long each way trains in a round")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=list(WAYS))
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def in_turn(torch: Path, options: argparse.Namespace, cores: int) -> dict[str, dict[str, float]]:
    """Each way once."""
    return {way: timed((*WAYS[way], str(options.seconds), str(cores)), torch) for way in options.ways}


def timed(words: tuple[str, ...], torch: Path) -> dict[str, float]:
    """Images a second, and the part of the two cores that others had meanwhile."""
    python = torch if words[0] == "torch" else Path(sys.executable)
    before = _busy(), os.times()
    done = subprocess.run(
        [python, HERE / "_time_training.py", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    busy, mine = _busy() - before[0], os.times()
    own = mine.children_user + mine.children_system - before[1].children_user - before[1].children_system
    others = max(busy - own, 0) / (mine.elapsed - before[1].elapsed) / (os.cpu_count() or 1)
    return {**json.loads(done.stdout.splitlines()[-1]), "others": round(others, 3)}


def _busy() -> float:
    """Seconds that all cores together have worked since the machine was started; 0 where nobody counts."""
    try:
        user, nice, system = Path("/proc/stat").read_text().split(maxsplit=4)[1:4]
    except OSError:
        return 0.0
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def figures(rounds: list[dict[str, dict[str, float]]]) -> dict[str, Any]:
    best = {way: max((each[way] for each in rounds), key=lambda told: told["images_per_s"]) for way in rounds[0]}
    speed = {way: told["images_per_s"] for way, told in best.items()}
    found: dict[str, Any] = {"images_per_s": speed, "others": {way: told["others"] for way, told in best.items()}}
    if {"keras_bfloat16", "mien_bfloat16", "torch_bfloat16"} <= set(speed):
        found["of_stock_keras"] = round(speed["mien_bfloat16"] / speed["keras_bfloat16"], 2)
        found["of_torch"] = round(speed["mien_bfloat16"] / speed["torch_bfloat16"], 2)
    return found


def version(python: Path) -> str:
    code = "from importlib.metadata import version; print(version('torch'))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def training_table(figures: Figures) -> str:
    """Images a second of each way to train, with both clocks."""
    ways = {"keras": "stock Keras", "mien": "mien", "torch": "plain PyTorch"}
    measured = [figures["two_cores"]["images_per_s"], figures["one_core"]["images_per_s"]]
    rows = [
        (f"{ways[who]}, {kind}", *(f"{speeds[f'{who}_{kind}']:.0f}" for speeds in measured))
        for kind in ("bfloat16", "float32")
        for who in ways
        if all(f"{who}_{kind}" in speeds for speeds in measured)
    ]
    if all("mien_bfloat16_augmented" in speeds for speeds in measured):
        rows.append(
            ("mien, bfloat16, with all augmentation", *(f"{each['mien_bfloat16_augmented']:.0f}" for each in measured))
        )
    wanted = figures["targets"]
    for key, words in (
        ("of_stock_keras", "mien, times stock Keras, bfloat16"),
        ("of_torch", "mien, times PyTorch, bfloat16"),
    ):
        told = (f"{figures[cores][key]:.2f} (wanted {wanted[key]})" for cores in ("two_cores", "one_core"))
        rows.append((words, *told))
    return format_table(["images a second", "two cores, by the wall's clock", "one thread, by its own time"], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "training": ("training", training_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
