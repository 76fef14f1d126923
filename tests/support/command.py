"""Running ``mien`` in tests: in this process with a loader for its engine, or as a process."""

import io
import os
import subprocess
import sys
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import NamedTuple

import numpy as np
from PIL import Image

from fakes import FakeClassifier, FakeDetector
from mien import Engine
from mien.apps.cli.command_line import run


def with_fakes(**parts):
    """A loader that returns an engine of fakes, whatever the names of model and detector."""
    engine = Engine(parts.get("classifier") or FakeClassifier(), parts.get("detector") or FakeDetector())
    return lambda *, model, detector, prior="training": engine


def mien(*arguments, load=None) -> int:
    """The exit status of one command line, run in this process with fakes or another loader."""
    return run([str(argument) for argument in arguments], load or with_fakes())


def run_process(*arguments, **options) -> subprocess.CompletedProcess:
    """One command line as a process."""
    return subprocess.run(command(*arguments), capture_output=True, check=False, timeout=60, **options)


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "mien", *map(str, arguments)]


@contextmanager
def start_process(*arguments, **options):
    """A running process, which is killed at the end of the block."""
    process = subprocess.Popen(command(*arguments), **{"stderr": subprocess.PIPE, **options})
    with process:
        try:
            yield process
        finally:
            process.kill()


def environment(**changes) -> dict[str, str]:
    """The environment of this process, without variables that change mien's output."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "MIEN_DEBUG", "MIEN_HOME")
    return {name: value for name, value in os.environ.items() if name not in hidden} | changes


def write_image(path, value=0, size=8):
    """Write a uniform gray image and return its path; the fakes see 0 as angry and 255 as neutral."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)
    return path


class Completed(NamedTuple):
    """What a command printed, and its exit status."""

    status: int
    stdout: str
    stderr: str


def run_in_process(*arguments) -> Completed:
    """One command line with real engines, run in this process with its output captured."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(stdout), redirect_stderr(stderr):
        status = run([str(argument) for argument in arguments])
    return Completed(status, stdout.getvalue(), stderr.getvalue())
