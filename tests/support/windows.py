"""Every app that reads faces, each driven as its users drive it, with the same three requests.

A new app needs one entry in :data:`WINDOWS`: a context manager that opens it and gives a :class:`Window`.
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

import desktop
import web
from command import run_in_process
from mien import Engine
from mien import text as wording
from mien.models.decision import build_emotions
from mien.video import tables
from mien.video.timeline import VideoSummary

#: Frames per second analysed, in every app.
FPS = 10.0

#: The answer of apps for programs to an image with a face.
A_FACE = "a face"


@dataclass(frozen=True)
class Window:
    """An open app with the model ``base`` and the detector ``haar``.

    ``read_images`` gives for each path the dict of ``mien predict --json``, or ``{"error": message}``.
    ``analyze_video`` gives the rows of the table of faces. ``video_text`` gives the text that users see of a video.
    ``no_face_text`` gives the message that they see for an image without a face.
    """

    read_images: Callable[[list[Path]], list[dict[str, Any]]]
    analyze_video: Callable[[Path], list[dict[str, str]]]
    video_text: Callable[[Path], str]
    no_face_text: Callable[[Path], str]


def summary_lines(engine: Engine, path: Path) -> list[str]:
    """The description of a video, and of each of its tracks."""
    summary = VideoSummary(partial(build_emotions, engine.card))
    for _ in summary.process(engine.analyze_video(path, fps=FPS)):
        pass
    summary.finish()
    return [summary.describe(), *(track.describe() for track in summary.timeline.tracks_by_duration())]


def join_descriptions(summary: dict[str, Any]) -> str:
    """The descriptions in the summary of a video as a dict."""
    return "\n".join([summary["description"], *(track["description"] for track in summary["tracks"])])


def parse_csv(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@contextmanager
def open_library(folder: Path) -> Iterator[Window]:
    engine = Engine.load(detector="haar")

    def analyze_video(path: Path) -> list[dict[str, str]]:
        summary = VideoSummary(partial(build_emotions, engine.card))
        frames = summary.process(engine.analyze_video(path, fps=FPS))
        rows = [row for smoothed in frames for row in tables.face_rows(smoothed.frame)]
        return parse_csv(tables.format_csv([tables.face_columns(engine.labels), *rows]))

    def no_face_text(path: Path) -> str:
        return A_FACE if engine.read(path) else wording.NO_FACE

    yield Window(
        lambda paths: [result.to_dict() for result in engine.read_many(paths)],
        analyze_video,
        lambda path: "\n".join(summary_lines(engine, path)),
        no_face_text,
    )


@contextmanager
def open_command_line(folder: Path) -> Iterator[Window]:
    def run(*arguments: object) -> str:
        completed = run_in_process(*arguments, "--detector", "haar")
        assert completed.status in (0, 1), completed.stderr
        return completed.stdout

    def read_images(paths: list[Path]) -> list[dict[str, Any]]:
        return [json.loads(line) for line in run("predict", *paths, "--json").splitlines()]

    def analyze_video(path: Path) -> list[dict[str, str]]:
        return parse_csv(run("video", path, "--csv", "-", "--fps", FPS))

    yield Window(
        read_images,
        analyze_video,
        lambda path: run("video", path, "--fps", FPS),
        lambda path: run("predict", path),
    )


@contextmanager
def open_service(folder: Path) -> Iterator[Window]:
    """The HTTP API, as programs call it."""
    app = web.make_app(scratch=str(folder))
    with web.running_server(app) as (host, port):
        server = f"http://{host}:{port}"

        def post(path: str, *files: Path) -> dict[str, Any]:
            form = web.multipart_form(*((file.name, file.read_bytes()) for file in files))
            headers = {"Content-Type": str(form["content_type"])}
            request = urllib.request.Request(f"{server}/api/v1/{path}", form["data"], headers)
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)

        def read_images(paths: list[Path]) -> list[dict[str, Any]]:
            return post("readings", *paths)["images"]

        def run_job(path: Path) -> str:
            job_url = server + post(f"videos?fps={FPS:g}", path)["links"]["self"]
            _wait_for_job(job_url)
            return str(job_url)

        def analyze_video(path: Path) -> list[dict[str, str]]:
            with urllib.request.urlopen(f"{run_job(path)}/faces.csv", timeout=60) as response:
                return parse_csv(response.read().decode())

        def video_text(path: Path) -> str:
            return join_descriptions(_wait_for_job(run_job(path))["summary"])

        def no_face_text(path: Path) -> str:
            return A_FACE if read_images([path])[0]["faces"] else wording.NO_FACE

        yield Window(read_images, analyze_video, video_text, no_face_text)
    web.service_of(app).jobs.close()


def _wait_for_job(job_url: str) -> dict[str, Any]:
    """The facts of a job, when it is done."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with urllib.request.urlopen(job_url, timeout=60) as response:
            job = json.load(response)
        if job["state"] not in ("waiting", "running"):
            assert job["state"] == "done", job
            return dict(job)
        time.sleep(0.05)
    raise AssertionError("the video was not analysed in time")


@contextmanager
def open_desktop(folder: Path) -> Iterator[Window]:
    """The desktop application, on a virtual screen of its own."""
    with desktop.open_for_comparison(folder) as window:
        yield Window(window.images, lambda path: parse_csv(window.video(path)), window.video_text, window.no_face_text)


@contextmanager
def open_gradio(folder: Path) -> Iterator[Window]:
    """The Gradio page, through Gradio's own client."""
    import gradio_page
    from mien.apps.gradio.video import describe_result

    with gradio_page.serve_gradio(folder) as page:

        def analyze_video(path: Path) -> list[dict[str, str]]:
            return parse_csv(page.analyze_video(path, fps=FPS)[1]["faces.csv"].read_text("utf-8"))

        def no_face_text(path: Path) -> str:
            return A_FACE if page.read(path)["faces"] else wording.NO_FACE

        def video_text(path: Path) -> str:
            return describe_result(page.analyze_video(path, fps=FPS)[0])

        yield Window(lambda paths: [page.read(path) for path in paths], analyze_video, video_text, no_face_text)


@contextmanager
def open_streamlit_test(folder: Path) -> Iterator[Window]:
    """The Streamlit page, in Streamlit's own test."""
    import streamlit_page

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MIEN_DETECTOR", "haar")
        patch.setenv("MIEN_HOME", str(folder))

        def analyze_video(path: Path) -> list[dict[str, str]]:
            return parse_csv(streamlit_page.analyze_video_in_test(path)[0])

        def no_face_text(path: Path) -> str:
            [result] = streamlit_page.read_in_test([path])
            return A_FACE if result["faces"] else wording.NO_FACE

        yield Window(
            streamlit_page.read_in_test,
            analyze_video,
            lambda path: streamlit_page.analyze_video_in_test(path)[1],
            no_face_text,
        )


@contextmanager
def open_streamlit_browser(folder: Path) -> Iterator[Window]:
    """The Streamlit page, in a real browser."""
    import streamlit_page

    with streamlit_page.open_in_browser(folder) as page:

        def analyze_video(path: Path) -> list[dict[str, str]]:
            return parse_csv(streamlit_page.analyze_video_in_browser(page, path, folder)["faces.csv"])

        def video_text(path: Path) -> str:
            streamlit_page.analyze_video_in_browser(page, path, folder)
            return str(page.get_by_test_id("stMain").inner_text())

        yield Window(
            partial(streamlit_page.read_in_browser, page),
            analyze_video,
            video_text,
            partial(streamlit_page.read_message_in_browser, page),
        )


WINDOWS: dict[str, Callable[[Path], AbstractContextManager[Window]]] = {
    "library": open_library,
    "command line": open_command_line,
    "web service": open_service,
    "desktop": open_desktop,
    "gradio": open_gradio,
    "streamlit test": open_streamlit_test,
    "streamlit browser": open_streamlit_browser,
}

#: The apps without servers, screens and browsers.
QUICK_WINDOWS = ("library", "command line")
