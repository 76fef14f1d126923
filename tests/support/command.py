"""Running ``mien`` in tests: in this process through its own seam, or as a real process."""

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
    """A loader that puts the fake detector and classifier into a real engine, and takes any names."""
    engine = Engine(parts.get("classifier") or FakeClassifier(), parts.get("detector") or FakeDetector())
    return lambda *, model, detector: engine


def mien(*arguments, load=None) -> int:
    """The exit status of one command line, run here."""
    return run([str(argument) for argument in arguments], load or with_fakes())


def process(*arguments, **options) -> subprocess.CompletedProcess:
    """One command line as a whole process."""
    return subprocess.run(command(*arguments), capture_output=True, check=False, timeout=60, **options)


def command(*arguments) -> list[str]:
    return [sys.executable, "-m", "mien", *map(str, arguments)]


@contextmanager
def started(*arguments, **options):
    """A process that is still running; it is gone when the block ends."""
    running = subprocess.Popen(command(*arguments), **{"stderr": subprocess.PIPE, **options})
    with running:
        try:
            yield running
        finally:
            running.kill()


def environment(**changes) -> dict[str, str]:
    """This process's environment without what would change how mien looks."""
    hidden = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "MIEN_DEBUG", "MIEN_HOME")
    return {name: value for name, value in os.environ.items() if name not in hidden} | changes


def picture(path, value=0, size=8):
    """A flat gray picture on disk; 0 looks angry to the fakes, 255 neutral."""
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
