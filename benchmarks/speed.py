"""Time, memory and installed size of mien, with targets; writes results/speed.json.

    python benchmarks/speed.py --yunet FILE                       everything, 1,000 photos; about ten minutes
    python benchmarks/speed.py --yunet FILE --photos 100 --dry    a short run that writes nothing

Photos are generated from the free portraits. Everything runs on two cores; no other work should run on the machine.
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
    options = parse_arguments()
    use_two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = _photos.write_photos(folder / "photos", options.photos)
        figures: dict[str, Any] = {"photos": len(photos), "photo": "640 x 480 JPEG, one face", "cores": 2}
        for measure in (measure_import, measure_process, measure_folder, measure_read, measure_network):
            figures |= log_figures(measure(photos))
        figures |= {} if options.dry else log_figures(measure_installation(folder / "environment"))
    figures["targets"] = TARGETS
    _results.write_or_print("speed", figures, options.dry)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=1000, help="number of photos in the folder")
    parser.add_argument(
        "--yunet", type=Path, help="YuNet's model file; not needed if it was downloaded with 'mien models pull yunet'"
    )
    parser.add_argument(
        "--dry", action="store_true", help="do not measure the installation, print the figures, and write nothing"
    )
    return parser.parse_args()


def use_two_cores() -> None:
    """For this process and its children, so that the figures of larger machines are comparable."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def install_yunet(path: Path) -> None:
    """Into a temporary folder; the models that the user has installed are not changed."""
    os.environ["MIEN_HOME"] = tempfile.mkdtemp(prefix="mien-home-")
    run_mien("models", "pull", "yunet", "--from", str(path))


def log_figures(figures: dict[str, Any]) -> dict[str, Any]:
    """Print the figures on stderr and return them."""
    for name, figure in figures.items():
        print(f"{name:28} {figure}", file=sys.stderr)
    return figures


def run_mien(*arguments: str) -> str:
    process = subprocess.run([sys.executable, "-m", "mien", *arguments], check=True, capture_output=True, text=True)
    return process.stdout


def run_python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def measure_import(_: list[Path]) -> dict[str, Any]:
    """Seconds of ``import mien`` and of ``from mien import Engine``, and the peak memory of ``import mien``."""
    clock = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    memory = "import mien; print(next(line for line in open('/proc/self/status') if 'VmHWM' in line).split()[1])"
    return {
        "import_s": round(median(float(run_python(clock.format("import mien"))) for _ in range(9)), 4),
        "import_engine_s": round(
            median(float(run_python(clock.format("from mien import Engine"))) for _ in range(9)), 3
        ),
        "import_mb": round(int(run_python(memory)) / 1024, 1),
    }


def measure_process(photos: list[Path]) -> dict[str, Any]:
    """Seconds of a whole process of ``mien predict photo.jpg``, with the default detector and with each detector."""
    return {
        "process_s": measure_predict(photos[0], "auto"),
        **{f"{name}_process_s": measure_predict(photos[0], name) for name in DETECTORS},
    }


def measure_predict(photo: Path, detector: str) -> float:
    return round(median(time_calls(lambda: run_mien("predict", str(photo), "--detector", detector), 9)), 3)


def time_calls(function: Callable[[], object], count: int) -> Iterator[float]:
    function()  # not timed: it fills caches
    for _ in range(count):
        start = time.perf_counter()
        function()
        yield time.perf_counter() - start


def measure_folder(photos: list[Path]) -> dict[str, Any]:
    """Photos per second of ``mien predict FOLDER --json``, process start included, and the memory during the run."""
    return {
        f"{detector}_{name}": figure
        for detector in DETECTORS
        for name, figure in predict_folder(photos, detector).items()
    }


def predict_folder(photos: list[Path], detector: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "mien", "predict", str(photos[0].parent), "--json", "--detector", detector]
    start = time.perf_counter()
    faces, memory = 0, {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for count, line in enumerate(process.stdout, 1):
            faces += len(json.loads(line)["faces"])
            if count in (len(photos) // 5, len(photos) * 19 // 20):
                memory[count] = read_resident_megabytes(process.pid)
    seconds = time.perf_counter() - start
    early, late = memory.values()
    return {
        "photos_per_s": round(len(photos) / seconds, 1),
        "faces_detected": faces,
        "mb_at_a_fifth": early,
        "mb_at_the_end": late,
    }


def read_resident_megabytes(process_id: int) -> int:
    """The resident memory of a running process."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024)


def measure_read(photos: list[Path]) -> dict[str, Any]:
    """Milliseconds of ``engine.read(path)``, from the file to the result, after a warm-up."""
    return {f"{detector}_read_ms": time_read(photos, detector) for detector in DETECTORS}


def time_read(photos: list[Path], detector: str) -> float:
    from mien import Engine

    engine = Engine.load(detector=detector)
    faces = [len(engine.read(photo)) for photo in photos[:40]]
    assert any(faces), f"{detector} detected no face"
    times = [seconds for photo in photos[:40] for seconds in time_calls(partial(engine.read, photo), 3)]
    return round(1000 * median(times), 1)


def measure_network(_: list[Path]) -> dict[str, Any]:
    """Milliseconds of the network for one face, on one core."""
    from mien.models import load_classifier, resolve_model

    classifier = load_classifier(resolve_model("base"), threads=1)
    side = classifier.card.side
    face = np.zeros((1, side, side, 3 if classifier.card.color == "rgb" else 1), np.uint8)
    return {"model_ms": round(1000 * median(time_calls(lambda: classifier.run(face), 500)), 2)}


def measure_installation(folder: Path) -> dict[str, Any]:
    """The size of a new environment after ``pip install .``, pip included."""
    _environments.create_environment(folder, (str(ROOT),))
    return {"installed_mb": _environments.measure_disk_megabytes(folder)}


def format_speed_table(figures: Figures) -> str:
    """The figures with their targets."""
    targets = figures["targets"]
    # Key of the figure, title, unit, and sign of the target.
    rows = [
        ("import_s", "`import mien`", "s", "<"),
        ("import_mb", "memory after `import mien`", "MB", "<"),
        ("import_engine_s", "`from mien import Engine`", "s", ""),
        ("process_s", "`mien predict photo.jpg`, the whole process", "s", "<"),
        ("yunet_photos_per_s", "a folder of 640 px photos, yunet", "photos/s", "≥"),
        ("haar_photos_per_s", "a folder of 640 px photos, haar", "photos/s", "≥"),
        ("yunet_read_ms", "`engine.read`, one face, yunet", "ms", "<"),
        ("haar_read_ms", "`engine.read`, one face, haar", "ms", "<"),
        ("model_ms", "the network, one face, one core", "ms", ""),
        ("installed_mb", "a new environment with mien", "MB", "≤"),
    ]
    lines = [
        (title, f"{figures[key]} {unit}", f"{sign} {targets[key]} {unit}" if key in targets else "")
        for key, title, unit, sign in rows
        if key in figures
    ]
    return format_table(
        ["", "measured", "target"], [*lines, *(make_memory_row(figures, detector) for detector in ("yunet", "haar"))]
    )


def make_memory_row(figures: Figures, detector: str) -> tuple[str, str, str]:
    photos = figures["photos"]
    title = f"memory after {photos // 5} and {photos * 19 // 20} photos, {detector}"
    return title, f"{figures[f'{detector}_mb_at_a_fifth']}, {figures[f'{detector}_mb_at_the_end']} MB", "flat"


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "speed": ("speed", format_speed_table),
}


if __name__ == "__main__":
    main()
