"""How fast a film is read, and in how much memory, on two cores; writes results/video.json.

    python benchmarks/video.py --yunet FILE                       ten minutes of 640 x 360 with one to three faces
    python benchmarks/video.py --yunet FILE --fer PYTHON          fer's video function too, by the Python that has it
    python benchmarks/video.py --yunet FILE --only haar_read fer  these figures anew
    python benchmarks/video.py --dry --minutes 1                  print, and write nothing

Needs ffmpeg, which repeats a minute, and the extra 'video', which writes it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import _machine
from _films import RATE, SIZE, Drawn, scenes
from _tables import Figures, format_table
from speed import install_yunet, two_cores

from mien import video

HERE = Path(__file__).resolve().parent
TARGETS = {"yunet": 150, "yunet_aim": 250, "haar": 100, "yunet_annotated": 80, "peak_mb": 350}
#: What the minute is made of: one, two or three faces, none of them still.
MINUTE = (
    "one walks",
    "two cross",
    "three mix",
    "the camera pans",
    "two meet and part",
    "noise",
    "shakes",
    "comes near",
)


def main() -> None:
    options = arguments()
    two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        figures = kept() if options.only else {}
        figures |= measured(options.keep or Path(name), options)
    figures["targets"] = TARGETS
    print(json.dumps(figures, indent=2) if options.dry else f"written: {_machine.write('video', figures).name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's file")
    parser.add_argument("--minutes", type=int, default=10, help="length of the film")
    parser.add_argument("--times", type=int, default=2, help="runs of each, of which the fastest counts")
    parser.add_argument("--hour", type=int, default=60, help="minutes of the film whose memory is measured")
    parser.add_argument("--fer", type=Path, help="a Python that has fer")
    parser.add_argument("--keep", type=Path, help="keep the films in this folder, and use those that are there")
    parser.add_argument("--only", nargs="+", help="these figures, and keep the others of the last time")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def kept() -> dict[str, Any]:
    place = _machine.RESULTS / "video.json"
    return dict(json.loads(place.read_text())["figures"]) if place.exists() else {}


def measured(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    minute = drawn_minute(folder / "minute.mp4")
    film = repeated(minute, options.minutes, folder / "film.mp4")
    times = options.times
    figures = {
        f"{detector}_{what}": partial(best, shown, detector, how, *output, times=count, without_pyav=without)
        for detector in ("yunet", "haar")
        for what, shown, how, output, count, without in (
            ("read", film, "read", (), times, False),
            ("annotated_mp4", minute, "annotate", (folder / "out.mp4",), times, False),
            ("annotated_webm_without_pyav", minute, "annotate", (folder / "out.webm",), 1, True),
            ("read_without_pyav", minute, "read", (), times, True),
            ("shares_ms_a_frame", minute, "shares", (folder / "out.mp4",), 1, False),
        )
    }
    figures["yunet_minute"] = partial(best, minute, "yunet", "read", times=1)
    figures["yunet_hour"] = lambda: best(repeated(minute, options.hour, folder / "hour.mp4"), "yunet", "read", times=1)
    if options.fer:
        figures["fer"] = partial(fer, options.fer, minute)
    about = {"minutes": options.minutes, "hour_minutes": options.hour, "size": list(SIZE), "rate": RATE}
    return about | {name: measure() for name, measure in figures.items() if not options.only or name in options.only}


def drawn_minute(path: Path) -> Path:
    """A film of the scenes, one after the other."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    chosen = {scene.name: scene for scene in scenes()}
    with video.open_writer(path, SIZE, RATE) as out:
        while count < 60 * RATE:
            for name in MINUTE:
                for frame in Drawn(chosen[name], seed=count).frames():
                    if count < 60 * RATE:
                        out.write(frame.pixels, count / RATE)
                        count += 1
    return path


def repeated(minute: Path, times: int, path: Path) -> Path:
    words = ("-stream_loop", str(times - 1), "-i", str(minute), "-c", "copy", str(path))
    subprocess.run(["ffmpeg", "-v", "error", "-y", *words], check=True)
    return path


def best(film: Path, detector: str, how: str, *output: Path, times: int = 2, without_pyav: bool = False) -> Any:
    """The faster of two runs: what else the machine does only slows it down."""
    runs = [once(film, detector, how, *output, without_pyav=without_pyav) for _ in range(times)]
    chosen = {**max(runs, key=lambda run: run.get("frames_per_s", 0)), "load": round(os.getloadavg()[0], 1)}
    print(f"{film.stem:8} {detector:6} {how:9} {chosen}", file=sys.stderr)
    return chosen


def once(film: Path, detector: str, how: str, *output: Path, without_pyav: bool) -> dict[str, Any]:
    environment = dict(os.environ)
    if without_pyav:
        environment["MIEN_BENCHMARK_WITHOUT"] = "av"
    words = [sys.executable, HERE / "_watch_once.py", film, detector, how, *output]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def fer(python: Path, film: Path) -> dict[str, Any]:
    with video.open_video(film) as opened:
        frames = str(opened.info.frames)
    words = [python, HERE / "_time_fer_video.py", film, frames]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"fer {told}", file=sys.stderr)
    return told


def video_table(figures: Figures) -> str:
    targets = figures["targets"]
    wanted = (
        ("yunet_read", "read, yunet", f"≥ {targets['yunet']}, aim {targets['yunet_aim']}"),
        ("haar_read", "read, haar", f"≥ {targets['haar']}"),
        ("yunet_read_without_pyav", "read, yunet, decoded by OpenCV", ""),
        ("yunet_annotated_mp4", "read, painted, written as mp4, yunet", f"≥ {targets['yunet_annotated']}"),
        ("haar_annotated_mp4", "read, painted, written as mp4, haar", ""),
        ("yunet_annotated_webm_without_pyav", "read, painted, written as webm by OpenCV, yunet", ""),
        ("yunet_hour", f"read, yunet, {figures['hour_minutes']} minutes", ""),
        ("yunet_minute", "read, yunet, one minute", ""),
        ("fer", "fer's `Video.analyze`", ""),
    )
    rows = [
        (name, row["frames_per_s"], target, row.get("cpu_ms_a_frame", ""), row.get("peak_mb", ""), row["load"])
        for key, name, target in wanted
        if (row := figures.get(key))
    ]
    header = ["", "frames/s", "target", "processor, ms a frame", "memory, MB", "load of the machine"]
    return format_table(header, rows)


def video_shares_table(figures: Figures) -> str:
    told = {name: figures.get(f"{name}_shares_ms_a_frame", {}) for name in ("yunet", "haar")}
    rows = [(stage, told["yunet"][stage], told["haar"].get(stage, "")) for stage in told["yunet"] if stage != "load"]
    return format_table(["ms of one core for a frame", "yunet", "haar"], rows)


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "video": ("video", video_table),
    "video-shares": ("video", video_shares_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
