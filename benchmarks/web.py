"""How fast the service answers on loopback, beside its targets; writes results/web.json.

    python benchmarks/web.py --yunet FILE              everything; about ten minutes
    python benchmarks/web.py --yunet FILE --only memory    that alone; what was measured of the rest stays
    python benchmarks/web.py --requests 200 --dry      a rehearsal that writes nothing

Server and clients share two cores, as they do on a small machine under test; a server whose clients are elsewhere has
more for itself. Each client sends one face at 640x480 after the other on one connection.
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

import _machine
import _photos
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
    options = arguments()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    os.environ["MIEN_HOME"] = tempfile.mkdtemp(prefix="mien-home-")
    if options.yunet:
        mien("models", "pull", "yunet", "--from", str(options.yunet))
    with tempfile.TemporaryDirectory() as folder:
        photo = _photos.make(Path(folder) / "photos", 1)[0].read_bytes()
        figures: dict[str, Any] = {"cores": 2, "photo": f"640 x 480 JPEG, one face, {len(photo) // 1000} kB"}
        figures |= measured(photo, options)
    figures["targets"] = TARGETS
    told = json.dumps(figures, indent=2)
    print(told if options.dry else f"{told}\nwritten: {_machine.write('web', figures).name}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--yunet", type=Path, help="YuNet's file; without it only Haar is measured")
    parser.add_argument("--requests", type=int, default=600, help="for each number of clients")
    parser.add_argument("--long", type=int, default=10_000, help="requests over which memory is watched")
    parser.add_argument("--only", choices=["memory"], help="measure this, and keep the rest as it was written")
    parser.add_argument("--dry", action="store_true", help="print, and write nothing")
    return parser.parse_args()


def mien(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "mien", *words], check=True, stdout=subprocess.DEVNULL)


def measured(photo: bytes, options: argparse.Namespace) -> dict[str, Any]:
    best = "yunet" if options.yunet else "haar"
    if options.only:
        before = json.loads((_machine.RESULTS / "web.json").read_text())
        rest = {"commit": before["commit"], "command": before["command"]}
        return {"rest": rest, **before["figures"], "memory": memory(best, photo, options.long)}
    figures: dict[str, Any] = {"start_s": started()}
    for detector in (["yunet"] if options.yunet else []) + ["haar"]:
        with serving("--detector", detector) as (_, port):
            load(port, photo, 2, 40)
            figures[detector] = {str(many): load(port, photo, many, options.requests) for many in CLIENTS}
            print(detector, figures[detector], flush=True)
    figures["windows"] = {str(window): windowed(best, window, photo, options.requests // 2) for window in WINDOWS}
    figures["memory"] = memory(best, photo, options.long)
    return figures


@contextmanager
def serving(*words: str, **variables: str) -> Iterator[tuple[int, int]]:
    """A server of its own; its process and its port."""
    command = [sys.executable, "-m", "mien", "serve", "--port", "0", *words]
    environment = {**os.environ, "MIEN_LOG": "off", **variables}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stdout is not None
        yield process.pid, int(process.stdout.readline().rsplit(":", 1)[1])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def started() -> float:
    """Seconds from nothing to the first answer; the median of five."""

    def once() -> float:
        began = time.perf_counter()
        with serving() as (_, port):
            ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/api/v1/ready", None)
            return time.perf_counter() - began

    return round(statistics.median(once() for _ in range(5)), 2)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None) -> bytes:
    connection.request(method, path, body, {"Content-Type": "image/jpeg"} if body else {})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {data[:200]!r}")
    return data


def load(port: int, photo: bytes, clients: int, requests: int) -> dict[str, Any]:
    """So many clients, each on its own connection, together so many requests."""
    times: list[float] = []
    errors: list[str] = []
    left = iter(range(requests))
    lock = threading.Lock()

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while True:
            with lock:
                if next(left, None) is None:
                    return
            began = time.perf_counter()
            try:
                ask(connection, "POST", READINGS, photo)
            except (RuntimeError, OSError) as error:
                errors.append(str(error))
            times.append(time.perf_counter() - began)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.perf_counter() - began
    cut = statistics.quantiles(times, n=100)
    return {
        "requests_per_s": round(requests / spent, 1),
        "p50_ms": round(1000 * cut[49], 1),
        "p95_ms": round(1000 * cut[94], 1),
        "p99_ms": round(1000 * cut[98], 1),
        "errors": len(errors),
    }


def windowed(detector: str, window: int, photo: bytes, requests: int) -> dict[str, Any]:
    """What waiting for more faces brings, and how many come together."""
    with serving("--detector", detector, MIEN_WINDOW_MS=str(window)) as (_, port):
        load(port, photo, 4, 40)
        told = load(port, photo, 16, requests)
        text = ask(http.client.HTTPConnection("127.0.0.1", port), "GET", "/api/v1/metrics", None).decode()
    known = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    told["faces_a_run"] = round(float(known["mien_model_faces_total"]) / float(known["mien_model_runs_total"]), 2)
    return told


def memory(detector: str, photo: bytes, requests: int) -> dict[str, Any]:
    """What the process holds along the way; the first tenth is for warming up."""
    with serving("--detector", detector) as (pid, port):
        held, errors = [], 0
        for _ in range(10):
            errors += load(port, photo, 4, requests // 10)["errors"]
            held.append(resident(pid))
    growth = 100 * (held[-1] - held[0]) / held[0]
    return {"requests": requests, "errors": errors, "mb": held, "growth_percent": round(growth, 1)}


def resident(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kilobytes = next(line.split()[1] for line in lines if line.startswith("VmRSS"))
    return round(int(kilobytes) / 1000, 1)


def web_table(figures: Figures) -> str:
    """The service under load, beside its targets; then what waiting at the model brings, memory, and the start."""
    wanted = figures["targets"]
    aims = {("yunet", "4"): f"{wanted['yunet_requests_per_s']}", ("haar", "4"): f"{wanted['haar_requests_per_s']}"}
    rows = [
        (
            f"{detector}, {clients} client{'s' * (clients != '1')}",
            row["requests_per_s"],
            aims.get((detector, clients), ""),
            *(f"{row[name]:.0f}" for name in ("p50_ms", "p95_ms", "p99_ms")),
            row["errors"],
        )
        for detector in ("yunet", "haar")
        for clients, row in figures.get(detector, {}).items()
    ]
    header = ["one face, 640 × 480", "requests/s", "aim", "median, ms", "95 %, ms", "99 %, ms", "errors"]
    rest = figures.get("rest")
    told = [f"All but the memory is of commit {rest['commit']}, by `{rest['command']}`."] if rest else []
    return "\n\n".join(
        [format_table(header, rows), format_table(*window_rows(figures)), format_table(*memory_rows(figures)), *told]
    )


def window_rows(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    rows = [
        (f"{window} ms", row["requests_per_s"], f"{row['p95_ms']:.0f}", row["faces_a_run"])
        for window, row in figures["windows"].items()
    ]
    return ["16 clients; a busy model waits for more faces", "requests/s", "95 %, ms", "faces in a run"], rows


def memory_rows(figures: Figures) -> tuple[list[str], list[Sequence[object]]]:
    held, wanted = figures["memory"], figures["targets"]
    rows: list[Sequence[object]] = [
        ("start to first answer", f"{figures['start_s']} s", f"< {wanted['start_s']:g} s"),
        (f"memory after a tenth of {held['requests']:,} requests", f"{held['mb'][0]:.0f} MB", ""),
        ("memory after all of them", f"{held['mb'][-1]:.0f} MB", f"< {wanted['growth_percent']} % more"),
        ("errors among them", held["errors"], 0),
    ]
    return ["", "measured", "target"], rows


#: Sections of documents: the result file, and how its figures become a table.
TABLES = {
    "web": ("web", web_table),
}


if __name__ == "__main__":
    main()
