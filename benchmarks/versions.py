"""Two checkouts side by side in one run: start-up, photos, video, service; writes results/versions.json.

    python benchmarks/versions.py OTHER_CHECKOUT --yunet FILE    OTHER_CHECKOUT has the version to compare with

Both are run with this Python from their ``src`` folders. A ratio below 1 means that this checkout is faster.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import _photos
from _results import write_or_print
from _tables import ROOT

from web import run_server, send_requests

EXAMPLES = ROOT / "examples"
PHOTOS, FRAMES, REQUESTS = 600, 900, 200
READ_ONE = """
import statistics, sys, time
from mien import Engine
engine = Engine.load(detector=sys.argv[1])
seconds = []
for _ in range(65):
    start = time.perf_counter()
    engine.read(sys.argv[2])
    seconds.append(time.perf_counter() - start)
print(1000 * statistics.median(seconds[5:]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="the checkout of the other version")
    parser.add_argument("--yunet", type=Path, required=True, help="YuNet's model file")
    parser.add_argument("--name", default="versions", help="name of the result file")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    options = parser.parse_args()
    sources = {"other": options.other.resolve() / "src", "this": ROOT / "src"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = make_runner(sources, folder)
        run("this", "-m", "mien", "models", "pull", "yunet", "--from", str(options.yunet.resolve()))
        _photos.write_photos(folder / "photos", PHOTOS)
        write_film(folder / "film.webm")
        figures = {}
        for title, (measure, rounds) in measurements(run, sources, folder).items():
            figures[title] = compare(measure, rounds)
            print(title, figures[title], flush=True)
    commit = subprocess.run(
        ["git", "-C", options.other, "rev-parse", "--short", "HEAD"], capture_output=True, text=True
    )
    write_or_print(options.name, {"other": commit.stdout.strip(), "ratios": figures}, options.dry)


Runner = Callable[..., str]


def make_runner(sources: dict[str, Path], folder: Path) -> Runner:
    def run(version: str, *arguments: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(sources[version]), "MIEN_HOME": str(folder / "home")}
        command = [sys.executable, *arguments]
        return subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, text=True).stdout

    return run


def write_film(path: Path) -> None:
    """The example clip ten times in a row, which has 90 frames with two faces."""
    command = (
        "ffmpeg",
        "-v",
        "error",
        "-stream_loop",
        str(FRAMES // 90 - 1),
        "-i",
        EXAMPLES / "clip.webm",
        "-c",
        "copy",
    )
    subprocess.run([*command, path], check=True)


def measurements(run: Runner, sources: dict[str, Path], folder: Path) -> dict[str, tuple[Callable[[str], float], int]]:
    """The measurement of each figure for one version, and how often it is repeated."""

    def time_process(*arguments: str) -> Callable[[str], float]:
        def measure(version: str) -> float:
            start = time.perf_counter()
            run(version, *arguments)
            return time.perf_counter() - start

        return measure

    def time_reading(detector: str) -> Callable[[str], float]:
        return lambda version: float(run(version, "-c", READ_ONE, detector, str(EXAMPLES / "hopper.jpg")))

    def time_service(detector: str) -> Callable[[str], float]:
        def measure(version: str) -> float:
            variables = {"PYTHONPATH": str(sources[version]), "MIEN_HOME": str(folder / "home")}
            with run_server("--detector", detector, **variables) as (_, port):
                send_requests(port, photo, 4, 40)
                return float(1000 / send_requests(port, photo, 4, REQUESTS)["requests_per_s"])

        return measure

    photos = sorted((folder / "photos").iterdir())
    photo = photos[0].read_bytes()
    predict = ("-m", "mien", "predict", str(folder / "photos"), "--json", "--detector")
    film = ("-m", "mien", "video", str(folder / "film.webm"), "--detector")
    return {
        "import mien, s": (time_process("-c", "import mien"), 15),
        "import Engine, s": (time_process("-c", "from mien import Engine"), 15),
        "mien predict, one photo, s": (time_process("-m", "mien", "predict", str(EXAMPLES / "hopper.jpg")), 15),
        f"mien predict, {PHOTOS} photos, yunet, s": (time_process(*predict, "yunet"), 3),
        f"mien predict, {PHOTOS} photos, haar, s": (time_process(*predict, "haar"), 3),
        "engine.read, yunet, ms": (time_reading("yunet"), 5),
        "engine.read, haar, ms": (time_reading("haar"), 5),
        f"mien video, {FRAMES} frames, yunet, s": (time_process(*film, "yunet"), 3),
        f"mien video, {FRAMES} frames, haar, s": (time_process(*film, "haar"), 3),
        "service, 4 clients, yunet, ms a request": (time_service("yunet"), 3),
        "service, 4 clients, haar, ms a request": (time_service("haar"), 3),
    }


def compare(measure: Callable[[str], float], rounds: int) -> dict[str, float]:
    """Medians of both versions, measured in turns."""
    values: dict[str, list[float]] = {"other": [], "this": []}
    for number in range(rounds):
        for version in ("other", "this") if number % 2 else ("this", "other"):
            values[version].append(measure(version))
    other, this = (statistics.median(values[version]) for version in ("other", "this"))
    return {"other": round(other, 4), "this": round(this, 4), "ratio": round(this / other, 3)}


if __name__ == "__main__":
    main()
