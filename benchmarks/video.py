"""Speed and memory of the analysis of a video on two cores; writes results/video.json.

    python benchmarks/video.py --yunet FILE                       ten minutes of 640 x 360 with one to three faces
    python benchmarks/video.py --yunet FILE --fer PYTHON          fer's video function too, with the Python that has it
    python benchmarks/video.py --yunet FILE --only haar_read fer  measure only these figures again
    python benchmarks/video.py --dry --minutes 1                  print, and write nothing

Needs ffmpeg, which repeats one minute, and the extra 'video', which writes it.
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

import _results
from _synthetic_videos import FPS, SIZE, SyntheticVideo, scenes
from _tables import Figures, format_table
from speed import install_yunet, use_two_cores

from mien import video

HERE = Path(__file__).resolve().parent
TARGETS = {"yunet": 150, "yunet_aim": 250, "haar": 100, "yunet_annotated": 80, "peak_mb": 350}
#: The scenes of the minute: one, two or three moving faces.
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
    use_two_cores()
    if options.yunet:
        install_yunet(options.yunet)
    with tempfile.TemporaryDirectory() as name:
        figures = read_figures() if options.only else {}
        figures |= measure(options.keep or Path(name), options)
    figures["targets"] = TARGETS
    _results.write_or_print("video", figures, options.dry)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's file")
    parser.add_argument("--minutes", type=int, default=10, help="length of the video")
    parser.add_argument("--times", type=int, default=2, help="runs of each; the fastest counts")
    parser.add_argument("--hour", type=int, default=60, help="minutes of the video for memory")
    parser.add_argument("--fer", type=Path, help="a Python that has fer")
    parser.add_argument("--keep", type=Path, help="write the videos into this folder, or use those in it")
    parser.add_argument("--only", nargs="+", help="measure only these figures")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def read_figures() -> dict[str, Any]:
    path = _results.RESULTS / "video.json"
    return dict(json.loads(path.read_text())["figures"]) if path.exists() else {}


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    minute = write_minute(folder / "minute.mp4")
    clip = write_repeated(minute, options.minutes, folder / "clip.mp4")
    times = options.times
    figures = {
        f"{detector}_{task}": partial(
            measure_fastest, source, detector, mode, *output, times=count, without_pyav=no_pyav
        )
        for detector in ("yunet", "haar")
        for task, source, mode, output, count, no_pyav in (
            ("read", clip, "read", (), times, False),
            ("annotated_mp4", minute, "annotate", (folder / "out.mp4",), times, False),
            ("annotated_webm_without_pyav", minute, "annotate", (folder / "out.webm",), 1, True),
            ("read_without_pyav", minute, "read", (), times, True),
            ("stages_ms_a_frame", minute, "stages", (folder / "out.mp4",), 1, False),
        )
    }
    figures["yunet_minute"] = partial(measure_fastest, minute, "yunet", "read", times=1)
    figures["yunet_hour"] = lambda: measure_fastest(
        write_repeated(minute, options.hour, folder / "hour.mp4"), "yunet", "read", times=1
    )
    if options.fer:
        figures["fer"] = partial(fer, options.fer, minute)
    settings = {"minutes": options.minutes, "hour_minutes": options.hour, "size": list(SIZE), "fps": FPS}
    return settings | {name: run() for name, run in figures.items() if not options.only or name in options.only}


def write_minute(path: Path) -> Path:
    """A video of the scenes, one after the other."""
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    count = 0
    scenes_by_name = {scene.name: scene for scene in scenes()}
    with video.open_writer(path, SIZE, FPS) as writer:
        while count < 60 * FPS:
            for name in MINUTE:
                for frame in SyntheticVideo(scenes_by_name[name], seed=count).frames():
                    if count < 60 * FPS:
                        writer.write(frame.pixels, count / FPS)
                        count += 1
    return path


def write_repeated(minute: Path, times: int, path: Path) -> Path:
    command = ("-stream_loop", str(times - 1), "-i", str(minute), "-c", "copy", str(path))
    subprocess.run(["ffmpeg", "-v", "error", "-y", *command], check=True)
    return path


def measure_fastest(
    clip: Path, detector: str, mode: str, *output: Path, times: int = 2, without_pyav: bool = False
) -> Any:
    """The fastest run: other work on the machine only slows it down."""
    runs = [measure_once(clip, detector, mode, *output, without_pyav=without_pyav) for _ in range(times)]
    fastest = {**max(runs, key=lambda run: run.get("frames_per_s", 0)), "load": round(os.getloadavg()[0], 1)}
    print(f"{clip.stem:8} {detector:6} {mode:9} {fastest}", file=sys.stderr)
    return fastest


def measure_once(clip: Path, detector: str, mode: str, *output: Path, without_pyav: bool) -> dict[str, Any]:
    environment = dict(os.environ)
    if without_pyav:
        environment["MIEN_BENCHMARK_WITHOUT"] = "av"
    command = [sys.executable, HERE / "_analyze_once.py", clip, detector, mode, *output]
    completed = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
    result: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    return result


def fer(python: Path, clip: Path) -> dict[str, Any]:
    with video.open_video(clip) as reader:
        frames = str(reader.info.frames)
    command = [python, HERE / "_time_fer_video.py", clip, frames]
    completed = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True)
    result: dict[str, Any] = json.loads(completed.stdout.splitlines()[-1])
    print(f"fer {result}", file=sys.stderr)
    return result


def format_video_table(figures: Figures) -> str:
    targets = figures["targets"]
    lines = (
        ("yunet_read", "analysis, yunet", f"≥ {targets['yunet']}, aim {targets['yunet_aim']}"),
        ("haar_read", "analysis, haar", f"≥ {targets['haar']}"),
        ("yunet_read_without_pyav", "analysis, yunet, decoded by OpenCV", ""),
        ("yunet_annotated_mp4", "analysis and annotated mp4, yunet", f"≥ {targets['yunet_annotated']}"),
        ("haar_annotated_mp4", "analysis and annotated mp4, haar", ""),
        ("yunet_annotated_webm_without_pyav", "analysis and annotated webm by OpenCV, yunet", ""),
        ("yunet_hour", f"analysis, yunet, {figures['hour_minutes']} minutes", ""),
        ("yunet_minute", "analysis, yunet, one minute", ""),
        ("fer", "fer's `Video.analyze`", ""),
    )
    rows = [
        (name, row["frames_per_s"], target, row.get("cpu_ms_a_frame", ""), row.get("peak_mb", ""), row["load"])
        for key, name, target in lines
        if (row := figures.get(key))
    ]
    header = ["", "frames/s", "target", "CPU ms a frame", "memory, MB", "load average"]
    return format_table(header, rows)


def format_video_stages_table(figures: Figures) -> str:
    result = {name: figures.get(f"{name}_stages_ms_a_frame", {}) for name in ("yunet", "haar")}
    rows = [
        (stage, result["yunet"][stage], result["haar"].get(stage, "")) for stage in result["yunet"] if stage != "load"
    ]
    return format_table(["ms of one core for a frame", "yunet", "haar"], rows)


#: Sections of documents: the result file, and mode its figures become a table.
TABLES = {
    "video": ("video", format_video_table),
    "video-stages": ("video", format_video_stages_table),
}


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    main()
