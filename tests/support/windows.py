"""Every window through which people read faces, each driven as its people drive it, with the same three questions.

A new window joins by one entry in :data:`WINDOWS`: a context manager that opens it and gives a :class:`Window`.
"""

from __future__ import annotations

import csv
import io
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import command
import desktop
import web
from mien import Engine
from mien import text as words
from mien.models.decision import build_emotions
from mien.video import tables
from mien.video.timeline import VideoSummary

#: So many frames are read of each second of a film, everywhere.
FPS = 10.0


@dataclass(frozen=True)
class Window:
    """One open window, reading with ``base`` and ``haar``.

    ``pictures`` gives for each path what ``mien predict --json`` prints, or ``{"error": sentence}``. ``film`` gives the
    rows of the film's table. ``nothing`` gives the words that people see for a picture without a face.
    """

    pictures: Callable[[list[Path]], list[dict[str, Any]]]
    film: Callable[[Path], list[dict[str, str]]]
    nothing: Callable[[Path], str]


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


# The library


@contextmanager
def library(folder: Path) -> Iterator[Window]:
    engine = Engine.load(detector="haar")

    def film(path: Path) -> list[dict[str, str]]:
        record = VideoSummary(partial(build_emotions, engine.card))
        told = [row for each in record.follow(engine.analyze_video(path, fps=FPS)) for row in tables.face_rows(each.moment)]
        stream = io.StringIO(newline="")
        csv.writer(stream).writerows([tables.face_columns(engine.labels), *told])
        return rows(stream.getvalue())

    def nothing(path: Path) -> str:
        return words.NO_FACE if not engine.read(path) else "a face"

    yield Window(lambda paths: [each.to_dict() for each in engine.read_many(paths)], film, nothing)


# The command line


@contextmanager
def command_line(folder: Path) -> Iterator[Window]:
    def run(*said: object) -> str:
        done = command.run_process(*said, "--detector", "haar")
        assert done.returncode in (0, 1), done.stderr.decode()
        return done.stdout.decode()

    def pictures(paths: list[Path]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in run("predict", *paths, "--json").splitlines()]

    def film(path: Path) -> list[dict[str, str]]:
        return rows(run("video", path, "--csv", "-", "--fps", FPS))

    yield Window(pictures, film, lambda path: run("predict", path))


# The web: the service as programs call it


@contextmanager
def service(folder: Path) -> Iterator[Window]:
    app = web.make_app(scratch=str(folder))
    with web.running_server(app) as (host, port):
        address = f"http://{host}:{port}/api/v1"

        def send(path: str, *files: Path) -> dict[str, Any]:
            form = web.multipart_form(*((each.name, each.read_bytes()) for each in files))
            request = urllib.request.Request(
                f"{address}/{path}", form["data"], {"Content-Type": str(form["content_type"])}
            )
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)

        def pictures(paths: list[Path]) -> list[dict[str, Any]]:
            return send("readings", *paths)["images"]

        def film(path: Path) -> list[dict[str, str]]:
            job = send(f"videos?fps={FPS:g}", path)
            return rows(_result(f"http://{host}:{port}{job['links']['self']}"))

        yield Window(pictures, film, lambda path: words.NO_FACE if not pictures([path])[0]["faces"] else "a face")
    web.service_of(app).jobs.close()


def _result(address: str) -> str:
    """The table of a job, when it is done."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with urllib.request.urlopen(address, timeout=60) as answer:
            job = json.load(answer)
        if job["state"] not in ("waiting", "running"):
            assert job["state"] == "done", job
            with urllib.request.urlopen(f"{address}/faces.csv", timeout=60) as answer:
                return answer.read().decode()
        time.sleep(0.05)
    raise AssertionError("the film was not read in time")


# The desktop, on a screen of its own


@contextmanager
def desktop_window(folder: Path) -> Iterator[Window]:
    with desktop.open_for_comparison(folder) as window:
        yield Window(window.images, lambda path: rows(window.video(path)), window.no_face_text)


# The Gradio page, through Gradio's own client


@contextmanager
def gradio_window(folder: Path) -> Iterator[Window]:
    import gradio_page

    with gradio_page.serve_gradio(folder) as page:

        def film(path: Path) -> list[dict[str, str]]:
            return rows(page.analyze_video(path, fps=FPS)[1]["faces.csv"].read_text("utf-8"))

        def nothing(path: Path) -> str:
            return words.NO_FACE if not page.read(path)["faces"] else "a face"

        yield Window(lambda paths: [page.read(path) for path in paths], film, nothing)


# The Streamlit page, in Streamlit's own test and in a real browser


@contextmanager
def streamlit_test(folder: Path) -> Iterator[Window]:
    import streamlit_page

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_DETECTOR", "haar")
        patch.setenv("MIEN_HOME", str(folder))

        def nothing(path: Path) -> str:
            [read] = streamlit_page.read_in_test([path])
            return words.NO_FACE if not read["faces"] else "a face"

        yield Window(streamlit_page.read_in_test, lambda path: rows(streamlit_page.film_in_test(path)), nothing)


@contextmanager
def streamlit_browser(folder: Path) -> Iterator[Window]:
    import streamlit_page

    with streamlit_page.opened(folder) as page:

        def film(path: Path) -> list[dict[str, str]]:
            return rows(streamlit_page.film_driven(page, path, folder)["faces.csv"])

        pictures = partial(streamlit_page.driven, page)
        yield Window(pictures, film, partial(streamlit_page.nothing_driven, page))


WINDOWS: dict[str, Callable[[Path], AbstractContextManager[Window]]] = {
    "library": library,
    "command line": command_line,
    "web service": service,
    "desktop": desktop_window,
    "gradio": gradio_window,
    "streamlit, in its test": streamlit_test,
    "streamlit": streamlit_browser,
}
