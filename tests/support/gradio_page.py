"""The Gradio page for tests: a process of its own behind a real port, asked by programs through Gradio's own client."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

#: As the command does it; tests that need another engine write another program, which prints the same line.
COMMAND = ["-m", "mien", "gradio", "--port", "0", "--detector", "haar"]

#: A program that serves a page with an engine that a test makes: ``engine`` is to be set before.
SERVE = """
import time
from mien.apps.gradio import build_page
page = build_page(engine)
page.launch(prevent_thread_lock=True, quiet=True)
print("mien answers at", page.local_url.rstrip("/"), flush=True)
time.sleep(300)
"""


class Served:
    """A page that answers: its address, the folder for whatever is temporary, and a client of it."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        self.client = Client(address, verbose=False, analytics_enabled=False, download_files=str(folder / "got"))

    def read(self, path: Path, **words: Any) -> dict[str, Any]:
        """What ``/read`` answers: the dict of ``mien predict --json``, or ``{"error": sentence}``."""
        return self._or_error("/read", picture=handle_file(str(path)), **words)

    def explain(self, path: Path, **words: Any) -> dict[str, Any]:
        return self._or_error("/explain", picture=handle_file(str(path)), **words)

    def watch(self, path: Path, **words: Any) -> tuple[dict[str, Any], dict[str, Path]]:
        """What ``/watch`` answers: the facts, and each file by its name."""
        facts, files = self.client.predict(film=handle_file(str(path)), api_name="/watch", **words)
        return facts, {Path(each).name: Path(each) for each in files}

    def as_the_page(self, name: str, *data: Any) -> dict[str, Any]:
        """What the page's own listener that takes ``data``, the first from the component ``name``, answers it."""
        config = httpx.get(f"{self.address}/config").json()
        (place,) = (each["id"] for each in config["components"] if each["props"].get("elem_id") == name)
        number = next(
            each["id"]
            for each in config["dependencies"]
            if each["inputs"][:1] == [place] and len(each["inputs"]) == len(data)
        )
        asked = {"data": list(data), "fn_index": number, "session_hash": uuid.uuid4().hex}
        httpx.post(f"{self.address}/gradio_api/queue/join", json=asked).raise_for_status()
        queue = f"{self.address}/gradio_api/queue/data?session_hash={asked['session_hash']}"
        with httpx.stream("GET", queue, timeout=30) as told:
            for line in told.iter_lines():
                if line.startswith("data:") and (said := json.loads(line[5:]))["msg"] == "process_completed":
                    return said
        raise AssertionError("it ended without an answer")

    def send(self, path: Path) -> str:
        """The file as it is sent: where it lies at the server."""
        with path.open("rb") as file:
            answer = httpx.post(f"{self.address}/gradio_api/upload", files={"files": (path.name, file)})
        return answer.json()[0]

    def kept(self) -> list[Path]:
        """The files that lie in Gradio's folder."""
        folders = [path for path in self.folder.iterdir() if path.name != "got"]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def _or_error(self, name: str, **words: Any) -> dict[str, Any]:
        try:
            return self.client.predict(api_name=name, **words)
        except AppError as error:
            return {"error": error.message}


@contextmanager
def served(folder: Path, program: list[str] | None = None) -> Iterator[Served]:
    """The page at a port that was free; ``folder`` is where it may keep what is temporary."""
    # A file, for a pipe that nobody reads is full some day, and then the page stands still.
    complaints = folder / "complaints.txt"
    with complaints.open("w") as file, start(program or COMMAND, folder, file) as process:
        try:
            page = Served(address_of(process), folder)
        except AssertionError as error:
            raise AssertionError(complaints.read_text()) from error
        try:
            yield page
        finally:
            page.client.close()


@contextmanager
def start(
    words: list[str], folder: Path, complaints: Any = subprocess.PIPE, **more: str
) -> Iterator[subprocess.Popen[str]]:
    """Python with these words, in a process whose temporary files lie in ``folder``; stopped when this ends."""
    here = str(Path(__file__).parents[1])
    own = {"TMPDIR": str(folder), "MIEN_DEBUG": "", "PYTHONPATH": here}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", *words],
        stdout=subprocess.PIPE,
        stderr=complaints,
        text=True,
        env={**{k: v for k, v in os.environ.items() if not k.startswith("GRADIO_")}, **own, **more},
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()


def address_of(process: subprocess.Popen[str], patience: float = 60) -> str:
    """Where it answers, as soon as it says so."""
    assert process.stdout is not None
    until = time.monotonic() + patience
    while time.monotonic() < until:
        ready, _, _ = select.select([process.stdout], [], [], 0.2)
        if ready:
            line = process.stdout.readline()
            if said := re.fullmatch(r"mien answers at (http://\S+:\d+)\n", line):
                return said[1]
            assert line, process.communicate()[1]
    raise AssertionError("the page does not answer")


def as_json(value: Any) -> Any:
    """As it is after a way through JSON."""
    return json.loads(json.dumps(value))
