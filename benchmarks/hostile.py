"""Hostile input against real processes: what was tried, how often, what happened; writes results/hostile.json.

    python benchmarks/hostile.py --yunet FILE            everything; about ten minutes
    python benchmarks/hostile.py --only memory mutants   some parts, printed; nothing is written

All servers are on the loopback interface. Numbers of requests and times are limited.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _photos
import numpy as np
from _results import write_result
from _tables import ROOT
from PIL import Image

from mien.models import resolve_model
from web import read_resident_megabytes, run_mien, run_server, send_requests

#: Tests of the limits in SECURITY.md, which are run with all tiers.
TESTS = (
    "tests/images/test_decoding_limits.py",
    "tests/images/test_decode_fuzz.py",
    "tests/test_archives.py",
    "tests/models/test_first_run.py",
    "tests/video/test_limits.py",
    "tests/video/test_journal.py",
    "tests/export/test_keras_import.py",
    "tests/apps/web/test_hostile_requests.py",
    "tests/apps/web/test_security.py",
    "tests/apps/web/test_server.py",
    "tests/apps/web/test_videos.py",
    "tests/apps/cli/test_command_line.py",
)
#: ``MIEN_MAX_PIXELS`` in compose.yaml, whose container has 1 GB.
CONTAINER_PIXELS = "52000000"
SOAK_SECONDS, MUTANTS, MUTANTS_PER_PROCESS = 180, 600, 50
Image.MAX_IMAGE_PIXELS = None

READ = """
import sys
from mien import Engine
from mien.errors import MienError
engine = Engine.load("small", sys.argv[1], threads=1)
for path in sys.argv[2:]:
    try:
        engine.read(path, max_pixels=52_000_000)
        print("read")
    except MienError as error:
        print(type(error).__name__)
"""

LOAD_MUTANTS = """
import sys
from collections import Counter
from pathlib import Path
import numpy as np
from mien.errors import MienError
from mien.models import classifier, load_classifier
classifier.FIRST_RUN_SECONDS = 5.0
faces = np.zeros((2, 48, 48, 1), np.uint8)
for path in sys.argv[1:]:
    try:
        load_classifier(Path(path).read_bytes(), threads=1).run(faces)
        print("loaded", flush=True)
    except MienError as error:
        print(type(error).__name__, flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is tried")
    parser.add_argument("--only", nargs="+", metavar="PART", help="parts, which are printed")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["MIEN_HOME"] = str(folder / "home")
        if options.yunet:
            os.environ["MIEN_TEST_YUNET"] = str(options.yunet.resolve())
            run_mien("models", "pull", "yunet", "--from", str(options.yunet))
        detectors = ("haar", "yunet") if options.yunet else ("haar",)
        parts: dict[str, Callable[[], Any]] = {
            "memory": lambda: measure_images(folder, detectors),
            "service": lambda: measure_service(folder, detectors[-1]),
            "videos": lambda: measure_videos(folder),
            "mutants": lambda: load_mutants(folder),
            "soak and tests": lambda: soak_and_test(folder, detectors[-1]),
        }
        figures = {}
        for part, measure in parts.items():
            if not options.only or part in options.only:
                figures[part] = measure()
                print(part, json.dumps(figures[part], indent=1), flush=True)
    if not options.only:
        write_result("hostile", figures)


def run_child(*arguments: object, timeout: float = 120.0) -> dict[str, Any]:
    """A Python process: its lines, exit status, seconds, and the most memory that it had."""
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen([sys.executable, *map(str, arguments)], stdout=output, stderr=subprocess.DEVNULL)
        timer = threading.Timer(timeout, process.kill)
        timer.start()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        output.seek(0)
        lines = output.read().splitlines()
    seconds = round(time.perf_counter() - start, 1)
    return {"lines": lines, "status": process.returncode, "seconds": seconds, "peak_mb": round(usage.ru_maxrss / 1024)}


# Images


def draw_hostile_images(folder: Path) -> dict[str, Path]:
    """Files of 48 to 50 million pixels by their description: formats, numbers of bits and shapes."""
    if not folder.exists():
        folder.mkdir()
        # In a process of its own: Linux counts the memory of a parent as that of its children.
        process = multiprocessing.get_context("spawn").Process(target=_draw, args=(folder,))
        process.start()
        process.join()
    return {name: Path(path) for name, path in json.loads((folder / "names.json").read_text()).items()}


def _draw(folder: Path) -> None:
    square, options = (7000, 7000), {"compress_level": 1}
    images: dict[str, tuple[Callable[[], Image.Image], str, dict[str, Any]]] = {
        "PNG": (lambda: Image.new("RGB", square), "PNG", options),
        "PNG, 16 bits": (lambda: Image.fromarray(np.zeros(square, np.uint16)), "PNG", options),
        "PNG, transparent": (lambda: Image.new("RGBA", square), "PNG", options),
        "PNG, 50,000,000 x 1": (lambda: Image.new("L", (50_000_000, 1)), "PNG", options),
        "PNG, 1 x 1,000,000": (lambda: Image.new("L", (1, 1_000_000)), "PNG", options),
        "JPEG": (lambda: Image.new("RGB", square), "JPEG", {}),
        "JPEG, progressive": (lambda: Image.new("RGB", square), "JPEG", {"progressive": True}),
        "JPEG, 65,500 x 760": (lambda: Image.new("RGB", (65_500, 760)), "JPEG", {}),
        "WebP": (lambda: Image.new("RGB", square), "WEBP", {"method": 0}),
        "TIFF, floats": (lambda: Image.new("F", square), "TIFF", {"compression": "tiff_deflate"}),
        "BMP": (lambda: Image.new("RGB", square), "BMP", {}),
        "GIF": (lambda: Image.new("P", square), "GIF", {}),
        "PPM": (lambda: Image.new("RGB", square), "PPM", {}),
        "PNG, 53 million pixels": (lambda: Image.new("L", (7300, 7300)), "PNG", options),
    }
    paths = {}
    for number, (name, (create, kind, parameters)) in enumerate(images.items()):
        paths[name] = str(folder / f"{number}.{kind.lower()}")
        create().save(paths[name], kind, **parameters)
    frames = [Image.new("L", (15_000, 15_000), gray) for gray in (10, 200)]
    frames[0].save(folder / "large.gif", save_all=True, append_images=frames[1:], duration=100)
    (folder / "names.json").write_text(json.dumps(paths))


def measure_images(folder: Path, detectors: tuple[str, ...]) -> dict[str, Any]:
    """Each file in a process of its own: what happened, seconds, and the memory beyond that for a small image."""
    paths = draw_hostile_images(folder / "images")
    small = folder / "images" / "small.png"
    Image.new("RGB", (64, 64)).save(small)
    figures: dict[str, Any] = {}
    for detector in detectors:
        base = run_child("-c", READ, detector, small)["peak_mb"]
        for name, path in paths.items():
            result = run_child("-c", READ, detector, path)
            figures[f"{name}, {detector}"] = {
                "file_kb": round(path.stat().st_size / 1000),
                "result": result["lines"][-1] if result["lines"] else f"status {result['status']}",
                "seconds": result["seconds"],
                "mb": result["peak_mb"] - base,
            }
    return figures


# Service


def measure_service(folder: Path, detector: str) -> dict[str, Any]:
    """Requests against a server with the settings of the deploy files, one and three at once, and its memory."""
    paths = draw_hostile_images(folder / "images")
    million = b'{"images": [' + b",".join([b'{"data":"A"}'] * 1_000_000) + b"]}"
    scans = io.BytesIO()
    Image.new("RGB", (64, 64)).save(scans, "JPEG", progressive=True)
    attempts: dict[str, tuple[bytes, str]] = {
        **{name: (path.read_bytes(), "image/png") for name, path in paths.items() if path.stat().st_size < 20_000_000},
        "JSON, 1,000,000 images": (million, "application/json"),
        "PNM of comments, 20 MB": (b"P3\n" + b"#\n" * 10_000_000, "image/x-portable-anymap"),
        "no image": (b"\0" * 1_000_000, "image/png"),
    }
    figures: dict[str, Any] = {}
    for name, (body, kind) in attempts.items():
        for clients in (1, 3):
            # A server for each attempt, so that its highest memory is that of the attempt.
            with run_server("--detector", detector, MIEN_MAX_PIXELS=CONTAINER_PIXELS) as (pid, port):
                _send(port, b"", "image/png")
                before = read_peak_mb(pid)
                with ThreadPoolExecutor(clients) as pool:
                    sent = [pool.submit(_send, port, body, kind) for _ in range(clients)]
                    answers = [each.result() for each in sent]
                figures[f"{name}, {clients} at once"] = {
                    "statuses": dict(Counter(str(status) for status, _ in answers)),
                    "slowest_seconds": round(max(seconds for _, seconds in answers), 2),
                    "mb": read_peak_mb(pid) - before,
                    "peak_mb": read_peak_mb(pid),
                }
    return figures


def _send(port: int, body: bytes, kind: str) -> tuple[int, float]:
    """The status of the answer, 0 without one, and the seconds until it."""
    start = time.perf_counter()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/api/v1/readings", body, {"Content-Type": kind})
        status = connection.getresponse().status
    except OSError:
        status = 0
    finally:
        connection.close()
    return status, time.perf_counter() - start


def read_peak_mb(pid: int) -> int:
    """The most memory that a process has had."""
    text = Path(f"/proc/{pid}/status").read_text()
    return round(int(text.split("VmHWM:")[1].split()[0]) / 1024)


# Videos


def measure_videos(folder: Path) -> dict[str, Any]:
    """Videos with frames above the limit of pixels, and files that are none."""
    draw_hostile_images(folder / "images")
    large, folder = folder / "images" / "large.gif", folder / "videos"
    folder.mkdir()
    shutil.copy(large, folder)
    (folder / "tiny.gif").write_bytes(b"GIF89a\xff\xff\xff\xff\x80\0\0" + b"\0" * 53)
    (folder / "zeros.mp4").write_bytes(b"\0" * 1_000_000)
    figures = {}
    for path in sorted(folder.iterdir()):
        result = run_child("-m", "mien", "video", path, "--detector", "haar")
        figures[path.name] = {name: result[name] for name in ("status", "seconds", "peak_mb")}
    return figures


# Models


def load_mutants(folder: Path) -> dict[str, Any]:
    """Copies of an embedded model with random bytes changed, removed or added, in processes of their own."""
    generator, original = random.Random(1), resolve_model("small").read_bytes()
    folder = folder / "mutants"
    folder.mkdir()
    paths = []
    for number in range(MUTANTS):
        data = bytearray(original)
        match number % 3:
            case 0:
                for _ in range(generator.choice((1, 10, 1000))):
                    data[generator.randrange(len(data))] = generator.randrange(256)
            case 1:
                del data[generator.randrange(len(data)) :]
            case _:
                position = generator.randrange(len(data))
                data[position:position] = generator.randbytes(generator.choice((1, 20, 5000)))
        paths.append(folder / f"{number}.onnx")
        paths[-1].write_bytes(data)
    results: Counter[str] = Counter()
    for start in range(0, MUTANTS, MUTANTS_PER_PROCESS):
        remaining = paths[start : start + MUTANTS_PER_PROCESS]
        while remaining:
            result = run_child("-c", LOAD_MUTANTS, *remaining, timeout=300)
            results.update(result["lines"])
            remaining = remaining[len(result["lines"]) :]
            if remaining:
                results[f"process ended with {result['status']}"] += 1
                remaining = remaining[1:]
    return {"tried": MUTANTS, "results": dict(results.most_common())}


# Soak


def soak(folder: Path, detector: str) -> dict[str, Any]:
    """Four clients send photos and hostile requests in turns; statuses, and the memory of the server over time."""
    photo = _photos.write_photos(folder / "photos", 1)[0].read_bytes()
    bodies = [
        (photo, "image/jpeg"),
        (b"\0" * 1000, "image/png"),
        (photo[: len(photo) // 2], "image/jpeg"),
        (b"[" * 9999, "application/json"),
    ]
    statuses: Counter[str] = Counter()
    lock = threading.Lock()
    with run_server("--detector", detector) as (pid, port):
        send_requests(port, photo, 4, 40)
        end, memory = time.monotonic() + SOAK_SECONDS, [read_resident_megabytes(pid)]

        def send_until_end(number: int) -> None:
            while time.monotonic() < end:
                status, _ = _send(port, *bodies[number % len(bodies)])
                number += 1
                with lock:
                    statuses[str(status)] += 1

        threads = [threading.Thread(target=send_until_end, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        while time.monotonic() < end:
            time.sleep(SOAK_SECONDS / 6)
            memory.append(read_resident_megabytes(pid))
        for thread in threads:
            thread.join()
        number_of_threads = sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    return {"seconds": SOAK_SECONDS, "statuses": dict(statuses), "mb": memory, "threads": number_of_threads}


# Tests


def soak_and_test(folder: Path, detector: str) -> dict[str, Any]:
    """The soak and the tests at the same time: neither measures speed."""
    with ThreadPoolExecutor(2) as pool:
        tests, soaked = pool.submit(run_tests, folder), pool.submit(soak, folder, detector)
        return {"soak": soaked.result(), "tests": tests.result()}


def run_tests(folder: Path) -> dict[str, Any]:
    """The tests of the limits, with all tiers: for each file how many passed and failed, and the seconds."""
    report = folder / "tests.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", f"--junitxml={report}", *TESTS]
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
    figures: dict[str, Any] = {}
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        name = case.get("classname", "").replace(".", "/") + ".py"
        row = figures.setdefault(name, {"passed": 0, "failed": 0, "skipped": 0, "seconds": 0.0})
        failed = case.find("failure") is not None or case.find("error") is not None
        row["failed" if failed else "skipped" if case.find("skipped") is not None else "passed"] += 1
        row["seconds"] = round(row["seconds"] + float(case.get("time", 0)), 1)
    return figures


if __name__ == "__main__":
    main()
