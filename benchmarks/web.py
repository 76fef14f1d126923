"""The throughput and latency of the web service on the loopback interface, with targets; writes results/web.json.

    python benchmarks/web.py --yunet FILE                  everything; about ten minutes
    python benchmarks/web.py --yunet FILE --only memory    only the memory; other figures are copied from the last run
    python benchmarks/web.py --requests 80 --long 80 --dry  a short run that writes nothing

The server and its clients share two cores; a server with clients on other machines has more. Each client sends images
of 640 x 480 with one face, one after the other, on one connection.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _photos
import _results
from _tables import Figures, format_table

ROOT = Path(__file__).resolve().parent.parent
CLIENTS = (1, 4, 16)
WINDOWS = (0, 1, 2, 5)
TARGETS = {
    "start_s": 2.0,
    "yunet_requests_per_s": 60,
    "yunet_least_requests_per_s": 40,
    "haar_requests_per_s": 25,
    "p95_ms_at_4": 150,
    "growth_percent": 5,
}
READINGS = "/api/v1/readings"


def main() -> None:
    options = parse_arguments()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    os.environ["MIEN_HOME"] = tempfile.mkdtemp(prefix="mien-home-")
    if options.yunet:
        run_mien("models", "pull", "yunet", "--from", str(options.yunet))
    with tempfile.TemporaryDirectory() as folder:
        photo = _photos.write_photos(Path(folder) / "photos", 1)[0].read_bytes()
        figures: dict[str, Any] = {"cores": 2, "photo": f"640 x 480 JPEG, one face, {len(photo) // 1000} kB"}
        figures |= measure(photo, options)
    figures["targets"] = TARGETS
    text = json.dumps(figures, indent=2)
    print(text if options.dry else f"{text}\nwritten: {_results.write_result('web', figures).name}")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's model file; without it only Haar is measured")
    parser.add_argument("--requests", type=int, default=600, help="requests for each number of clients")
    parser.add_argument("--long", type=int, default=10_000, help="requests of the memory test")
    parser.add_argument("--only", choices=["memory"], help="measure only this, and copy the other figures")
    parser.add_argument("--dry", action="store_true", help="print the figures, and write nothing")
    return parser.parse_args()


def run_mien(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "mien", *arguments], check=True, stdout=subprocess.DEVNULL)


def measure(photo: bytes, options: argparse.Namespace) -> dict[str, Any]:
    detector = "yunet" if options.yunet else "haar"
    if options.only:
        before = json.loads((_results.RESULTS / "web.json").read_text())
        rest = {"commit": before["commit"], "command": before["command"]}
        return {"rest": rest, **before["figures"], "memory": measure_memory(detector, photo, options.long)}
    figures: dict[str, Any] = {"start_s": measure_start()}
    for name in (["yunet"] if options.yunet else []) + ["haar"]:
        with run_server("--detector", name) as (_, port):
            send_requests(port, photo, 2, 40)
            figures[name] = {str(clients): send_requests(port, photo, clients, options.requests) for clients in CLIENTS}
            print(name, figures[name], flush=True)
    figures["windows"] = {
        str(window): measure_window(detector, window, photo, options.requests // 2) for window in WINDOWS
    }
    figures["memory"] = measure_memory(detector, photo, options.long)
    return figures


@contextmanager
def run_server(*options: str, **variables: str) -> Iterator[tuple[int, int]]:
    """A server process; its process id and its port."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", *options]
    environment = {**os.environ, "MIEN_LOG": "off", **variables}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def measure_start() -> float:
    """Seconds from the start of the process to the first response; the median of five."""

    def measure_once() -> float:
        start = time.perf_counter()
        with run_server() as (_, port):
            send_request(http.client.HTTPConnection("127.0.0.1", port), "GET", "/api/v1/ready", None)
            return time.perf_counter() - start

    return round(statistics.median(measure_once() for _ in range(5)), 2)


def send_request(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> bytes:
    connection.request(method, path, body, {"Content-Type": "image/jpeg"} if body else {})
    response = connection.getresponse()
    data = response.read()
    if response.status != 200:
        raise RuntimeError(f"{response.status}: {data[:200]!r}")
    return data


def send_requests(port: int, photo: bytes, clients: int, requests: int) -> dict[str, Any]:
    """Send ``requests`` images by ``clients`` threads, each with its own connection."""
    times: list[float] = []
    errors: list[str] = []
    remaining = iter(range(requests))
    lock = threading.Lock()

    def send_remaining() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                if next(remaining, None) is None:
                    return
            start = time.perf_counter()
            try:
                send_request(connection, "POST", READINGS, photo)
            except (RuntimeError, OSError) as error:
                errors.append(str(error))
            times.append(time.perf_counter() - start)

    threads = [threading.Thread(target=send_remaining) for _ in range(clients)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - start
    percentiles = statistics.quantiles(times, n=100)
    return {
        "requests_per_s": round(requests / seconds, 1),
        "p50_ms": round(1000 * percentiles[49], 1),
        "p95_ms": round(1000 * percentiles[94], 1),
        "p99_ms": round(1000 * percentiles[98], 1),
        "errors": len(errors),
    }


def measure_window(detector: str, window: int, photo: bytes, requests: int) -> dict[str, Any]:
    """The load test with a batch window in milliseconds, and the faces in a run of the model."""
    with run_server("--detector", detector, MIEN_WINDOW_MS=str(window)) as (_, port):
        send_requests(port, photo, 4, 40)
        result = send_requests(port, photo, 16, requests)
        text = send_request(http.client.HTTPConnection("127.0.0.1", port), "GET", "/api/v1/metrics", None).decode()
    metrics = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    faces, runs = float(metrics["mien_model_faces_total"]), float(metrics["mien_model_runs_total"])
    result["faces_per_run"] = round(faces / runs, 2)
    return result


def measure_memory(detector: str, photo: bytes, requests: int) -> dict[str, Any]:
    """The resident memory in MB after each tenth of the requests; the first tenth is the warm-up."""
    with run_server("--detector", detector) as (pid, port):
        sizes, errors = [], 0
        for _ in range(10):
            errors += send_requests(port, photo, 4, requests // 10)["errors"]
            sizes.append(read_resident_megabytes(pid))
    growth = 100 * (sizes[-1] - sizes[0]) / sizes[0]
    return {"requests": requests, "errors": errors, "mb": sizes, "growth_percent": round(growth, 1)}


def read_resident_megabytes(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return round(int(kilobytes) / 1000, 1)


def format_web_table(figures: Figures) -> str:
    """Three tables: the load tests with their targets, the batch window, and start and memory."""
    targets = figures["targets"]
    throughput = {
        ("yunet", "4"): f"{targets['yunet_requests_per_s']}",
        ("haar", "4"): f"{targets['haar_requests_per_s']}",
    }
    rows = [
        (
            f"{detector}, {clients} client{'s' * (clients != '1')}",
            row["requests_per_s"],
            throughput.get((detector, clients), ""),
            *(f"{row[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            row["errors"],
        )
        for detector in ("yunet", "haar")
        for clients, row in figures.get(detector, {}).items()
    ]
    header = ["one face, 640 × 480", "requests/s", "target", "median, ms", "95 %, ms", "99 %, ms", "errors"]
    rest = figures.get("rest")
    notes = (
        [f"All figures except the memory are from commit {rest['commit']}, command: `{rest['command']}`."]
        if rest
        else []
    )
    return "\n\n".join(
        [
            format_table(header, rows),
            format_table(*make_window_rows(figures)),
            format_table(*make_memory_rows(figures)),
            *notes,
        ]
    )


def make_window_rows(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    rows = [
        (f"{window} ms", row["requests_per_s"], f"{row['p95_ms']:.0f}", row["faces_per_run"])
        for window, row in figures["windows"].items()
    ]
    return ["16 clients; batch window of a busy model", "requests/s", "95 %, ms", "faces in a run"], rows


def make_memory_rows(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    memory, targets = figures["memory"], figures["targets"]
    rows: list[Sequence[object]] = [
        ("start to first response", f"{figures['start_s']} s", f"< {targets['start_s']:g} s"),
        (f"memory after a tenth of {memory['requests']:,} requests", f"{memory['mb'][0]:.0f} MB", ""),
        ("memory after all requests", f"{memory['mb'][-1]:.0f} MB", f"< {targets['growth_percent']} % more"),
        ("errors", memory["errors"], 0),
    ]
    return ["", "measured", "target"], rows


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "web": ("web", format_web_table),
}


if __name__ == "__main__":
    main()
