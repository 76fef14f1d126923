"""What was read, as text and as files: JSON, a table, the painted picture, the report."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mien.apps.desktop.bench import Bench, Choice
from mien.apps.desktop.shots import Shot
from mien.apps.desktop.worker import Steps
from mien.errors import OutputError
from mien.files import write_atomically
from mien.types import Failure, FrameResult

if TYPE_CHECKING:
    from mien.explain import Explanation


def as_json(outcomes: Sequence[FrameResult | Failure]) -> str:
    """A line for each picture, as ``mien predict --json`` prints them."""
    return "".join(outcome.to_json() + "\n" for outcome in outcomes)


def as_csv(outcomes: Sequence[FrameResult | Failure], labels: Sequence[str]) -> str:
    """The table that ``mien predict --csv`` writes."""
    from mien.report import CsvTable

    stream = io.StringIO(newline="")
    table = CsvTable(stream, labels)
    for outcome in outcomes:
        table.write(outcome)
    return stream.getvalue()


def text_into(path: Path, text: str) -> Steps:
    """In the worker: the text as a file."""
    write(path, text)
    yield path


def painted_into(path: Path, bench: Bench, shot: Shot) -> Steps:
    """In the worker: the picture with boxes and labels, in its full size."""
    from mien import media
    from mien.draw import paint

    pixels = bench.pixels(shot.number, shot.source)
    yield None
    assert shot.result is not None, "what was not read cannot be painted"
    painted = paint(pixels, shot.result)
    yield None
    media.save(painted, path)
    yield path


def write_walkthrough(path: Path, bench: Bench, shot: Shot, face: int, choice: Choice) -> Steps:
    """In the worker: the page that leads this face through the network."""
    pixels = bench.pixels(shot.number, shot.source)
    engine = bench.engine(choice)
    yield None
    [told] = engine.explain_picture(pixels, face + 1)
    yield None
    write(path, page_of(told, shot, pixels))
    yield path


def page_of(told: Explanation, shot: Shot, pixels: object) -> str:
    from dataclasses import replace

    import numpy as np

    from mien.explain.page import render_walkthrough

    return render_walkthrough(replace(told, source=shot.name), np.asarray(pixels, np.uint8))


def write(path: Path, text: str) -> None:
    """Whole or not at all. What is no text in a file's name is written as escapes."""
    try:
        write_atomically(path, text.encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise OutputError(
            f"'{path}' could not be written: {error.strerror or error}",
            "A folder with room that may be written to was expected",
            "Choose another place",
        ) from error
