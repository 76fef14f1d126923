"""The Gradio page for tests: a process of its own behind a real port, called through Gradio's own client."""

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

#: The command; tests that need another engine write a program of their own, which prints the same line.
COMMAND = ["-m", "mien", "gradio", "--port", "0", "--detector", "haar"]

#: A program that serves a page with the engine of a test: ``engine`` must be set before.
SERVE_PROGRAM = """
import threading
from mien.apps.gradio import build_page
page = build_page(engine)
page.launch(prevent_thread_lock=True, quiet=True)
print("mien answers at", page.local_url.rstrip("/"), flush=True)
threading.Event().wait(300)
"""


class GradioServer:
    """A running page: its address, its folder for temporary files, and a client."""

    def __init__(self, address: str, folder: Path) -> None:
        self.address, self.folder = address, folder
        downloads = str(folder / "downloads")
        self.client = Client(address, verbose=False, analytics_enabled=False, download_files=downloads)

    def read(self, path: Path, **options: Any) -> dict[str, Any]:
        """The answer of ``/read``: the dict of ``mien predict --json``, or ``{"error": message}``."""
        return self._call("/read", image=handle_file(str(path)), **options)

    def explain(self, path: Path, **options: Any) -> dict[str, Any]:
        return self._call("/explain", image=handle_file(str(path)), **options)

    def analyze_video(self, path: Path, **options: Any) -> tuple[dict[str, Any], dict[str, Path]]:
        """The answer of ``/analyze_video``: the facts, and each file by its name."""
        facts, files = self.client.predict(video=handle_file(str(path)), api_name="/analyze_video", **options)
        return facts, {Path(file).name: Path(file) for file in files}

    def call_listener(self, name: str, *data: Any) -> dict[str, Any]:
        """The answer of the page's private listener that takes ``data``, the first from the component ``name``."""
        config = httpx.get(f"{self.address}/config").json()
        (component,) = (each["id"] for each in config["components"] if each["props"].get("elem_id") == name)
        number = next(
            each["id"]
            for each in config["dependencies"]
            if each["inputs"][:1] == [component] and len(each["inputs"]) == len(data)
        )
        request = {"data": list(data), "fn_index": number, "session_hash": uuid.uuid4().hex}
        httpx.post(f"{self.address}/gradio_api/queue/join", json=request).raise_for_status()
        queue = f"{self.address}/gradio_api/queue/data?session_hash={request['session_hash']}"
        with httpx.stream("GET", queue, timeout=30) as response:
            for line in response.iter_lines():
                if line.startswith("data:") and (message := json.loads(line[5:]))["msg"] == "process_completed":
                    return message
        raise AssertionError("the stream ended without an answer")

    def upload(self, path: Path) -> str:
        """Upload a file; its path on the server."""
        with path.open("rb") as file:
            response = httpx.post(f"{self.address}/gradio_api/upload", files={"files": (path.name, file)})
        return response.json()[0]

    def stored_files(self) -> list[Path]:
        """The files in Gradio's temporary folder."""
        folders = [path for path in self.folder.iterdir() if path.name != "downloads"]
        return [path for folder in folders for path in folder.rglob("*") if path.is_file()]

    def _call(self, name: str, **options: Any) -> dict[str, Any]:
        try:
            return self.client.predict(api_name=name, **options)
        except AppError as error:
            return {"error": error.message}


@contextmanager
def serve_gradio(folder: Path, program: list[str] | None = None) -> Iterator[GradioServer]:
    """The page at a free port; ``folder`` is for its temporary files."""
    # stderr goes to a file: a pipe that nobody reads would fill up and block the page.
    errors = folder / "stderr.txt"
    with errors.open("w") as file, start_python(program or COMMAND, folder, file) as process:
        try:
            page = GradioServer(wait_for_address(process), folder)
        except AssertionError as error:
            raise AssertionError(errors.read_text()) from error
        try:
            yield page
        finally:
            page.client.close()


@contextmanager
def start_python(arguments: list[str], folder: Path, stderr: Any = subprocess.PIPE) -> Iterator[subprocess.Popen[str]]:
    """Python with these arguments, in a process with its temporary files in ``folder``; stopped at the end."""
    modules = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    variables = {"TMPDIR": str(folder), "MIEN_DEBUG": "", "PYTHONPATH": modules}
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", *arguments],
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        env={**{name: value for name, value in os.environ.items() if not name.startswith("GRADIO_")}, **variables},
    )
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()


def wait_for_address(process: subprocess.Popen[str], timeout: float = 60) -> str:
    """The address that the process prints once it answers."""
    assert process.stdout is not None
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        ready, _, _ = select.select([process.stdout], [], [], 0.2)
        if ready:
            line = process.stdout.readline()
            if match := re.fullmatch(r"mien answers at (http://\S+:\d+)\n", line):
                return match[1]
            assert line, process.communicate()[1]
    raise AssertionError("the page does not answer")


def as_json(value: Any) -> Any:
    """The value after a round trip through JSON."""
    return json.loads(json.dumps(value))
