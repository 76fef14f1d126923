"""How fast and how large mien is, beside the targets; writes results/speed.json.

    python benchmarks/speed.py --yunet FILE            everything, 1,000 photos; about ten minutes
    python benchmarks/speed.py --photos 100 --dry      a rehearsal that writes nothing

Photos are made at run time from the free portraits. Everything runs on two cores; the machine should be quiet.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import _environments
import _photos
import _results
import numpy as np
from _tables import Figures, format_table

ROOT = Path(__file__).resolve().parent.parent
DETECTORS = ("yunet", "haar")
TARGETS = {
    "import_s": 0.25,
    "import_mb": 60,
    "process_s": 0.6,
    "yunet_photos_per_s": 60,
    "haar_photos_per_s": 30,
    "yunet_read_ms": 20,
    "haar_read_ms": 45,
    "installed_mb": 380,
}


def main() -> None:
    options = arguments()
    two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = _photos.write_photos(folder / "photos", options.photos)
        figures: dict[str, Any] = {"photos": len(photos), "photo": "640 x 480 JPEG, one face", "cores": 2}
        for measure in (importing, process, many, warm, model):
            figures |= told(measure(photos))
        figures |= {} if options.dry else told(installed(folder / "environment"))
    figures["targets"] = TARGETS
    _results.write_or_print("speed", figures, options.dry)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000, help="how many photos the folder has")
    parser.add_argument("--yunet", type=Path, help="YuNet's file, installed with 'mien models pull --from' first")
    parser.add_argument("--dry", action="store_true", help="leave the installation out, print, and write nothing")
    return parser.parse_args()


def two_cores() -> None:
    """Children inherit it, so that figures of larger machines stay comparable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def install_yunet(file: Path) -> None:
    """Into a folder of this run's own; what the user has installed stays as it is."""
    os.environ["MIEN_HOME"] = tempfile.mkdtemp(prefix="mien-home-")
    mien("models", "pull", "yunet", "--from", str(file))


def told(figures: dict[str, Any]) -> dict[str, Any]:
    for name, figure in figures.items():
        print(f"{name:28} {figure}", file=sys.stderr)
    return figures


def mien(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", "mien", *words], check=True, capture_output=True, text=True)
    return done.stdout


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def importing(_: list[Path]) -> dict[str, Any]:
    """Seconds and memory of ``import mien``, and of the engine that the first ``Engine`` pulls in."""
    clock = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    memory = "import mien; print(next(line for line in open('/proc/self/status') if 'VmHWM' in line).split()[1])"
    return {
        "import_s": round(median(float(python(clock.format("import mien"))) for _ in range(9)), 4),
        "import_engine_s": round(median(float(python(clock.format("from mien import Engine"))) for _ in range(9)), 3),
        "import_mb": round(int(python(memory)) / 1024, 1),
    }


def process(photos: list[Path]) -> dict[str, Any]:
    """``mien predict photo.jpg`` from the call to its end, with the default detector and with each."""
    return {
        "process_s": whole_process(photos[0], "auto"),
        **{f"{name}_process_s": whole_process(photos[0], name) for name in DETECTORS},
    }


def whole_process(photo: Path, detector: str) -> float:
    return round(median(seconds(lambda: mien("predict", str(photo), "--detector", detector), 9)), 3)


def seconds(work: Callable[[], object], times: int) -> Iterator[float]:
    work()  # the first one finds cold disks and empty caches
    for _ in range(times):
        start = time.perf_counter()
        work()
        yield time.perf_counter() - start


def many(photos: list[Path]) -> dict[str, Any]:
    """The whole folder through ``mien predict --json``, process start included, and memory on the way."""
    return {
        f"{detector}_{name}": figure
        for detector in DETECTORS
        for name, figure in whole_folder(photos, detector).items()
    }


def whole_folder(photos: list[Path], detector: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "mien", "predict", str(photos[0].parent), "--json", "--detector", detector]
    start = time.perf_counter()
    faces, memory = 0, {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        for count, line in enumerate(running.stdout, 1):
            faces += len(json.loads(line)["faces"])
            if count in (len(photos) // 5, len(photos) * 19 // 20):
                memory[count] = resident(running.pid)
    taken = time.perf_counter() - start
    early, late = memory.values()
    return {
        "photos_per_s": round(len(photos) / taken, 1),
        "faces_found": faces,
        "mb_at_a_fifth": early,
        "mb_at_the_end": late,
    }


def resident(process: int) -> int:
    """Megabytes of memory a running process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024)


def warm(photos: list[Path]) -> dict[str, Any]:
    """``engine.read(path)``, file to reading, after the first."""

    return {f"{detector}_read_ms": warm_reading(photos, detector) for detector in DETECTORS}


def warm_reading(photos: list[Path], detector: str) -> float:
    from mien import Engine

    engine = Engine.load(detector=detector)
    faces = [len(engine.read(photo)) for photo in photos[:40]]
    assert any(faces), f"{detector} should find faces"
    times = [one for photo in photos[:40] for one in seconds(partial(engine.read, photo), 3)]
    return round(1000 * median(times), 1)


def model(_: list[Path]) -> dict[str, Any]:
    """One face through the network alone, on one core."""
    from mien.models import load_classifier, resolve_model

    classifier = load_classifier(resolve_model("base"), threads=1)
    side = classifier.card.side
    face = np.zeros((1, side, side, 3 if classifier.card.color == "rgb" else 1), np.uint8)
    return {"model_ms": round(1000 * median(seconds(lambda: classifier.run(face), 500)), 2)}


def installed(folder: Path) -> dict[str, Any]:
    """A fresh environment with ``pip install .``, as a user gets it: pip itself included."""
    _environments.create_environment(folder, (str(ROOT),))
    return {"installed_mb": _environments.measure_disk_megabytes(folder)}


def speed_table(figures: Figures) -> str:
    """What the issue of speed is about, beside its targets: (figure, what people call it, unit, sign of the target)."""
    wanted = figures["targets"]
    rows = [
        ("import_s", "`import mien`", "s", "<"),
        ("import_mb", "memory after `import mien`", "MB", "<"),
        ("import_engine_s", "`from mien import Engine`", "s", ""),
        ("process_s", "`mien predict photo.jpg`, the whole process", "s", "<"),
        ("yunet_photos_per_s", "a folder of 640 px photos, yunet", "photos/s", "≥"),
        ("haar_photos_per_s", "a folder of 640 px photos, haar", "photos/s", "≥"),
        ("yunet_read_ms", "`engine.read`, one face, yunet", "ms", "<"),
        ("haar_read_ms", "`engine.read`, one face, haar", "ms", "<"),
        ("model_ms", "the network alone, one face, one core", "ms", ""),
        ("installed_mb", "a fresh environment with mien", "MB", "≤"),
    ]
    lines = [
        (words, f"{figures[name]} {unit}", f"{sign} {wanted[name]} {unit}" if name in wanted else "")
        for name, words, unit, sign in rows
        if name in figures
    ]
    return format_table(
        ["", "measured", "target"], [*lines, *(memory_row(figures, detector) for detector in ("yunet", "haar"))]
    )


def memory_row(figures: Figures, detector: str) -> tuple[str, str, str]:
    photos = figures["photos"]
    words = f"memory after {photos // 5} and {photos * 19 // 20} photos, {detector}"
    return words, f"{figures[f'{detector}_mb_at_a_fifth']}, {figures[f'{detector}_mb_at_the_end']} MB", "flat"


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "speed": ("speed", speed_table),
}


if __name__ == "__main__":
    main()
