"""The endpoints for programs: ``/read``, ``/explain`` and ``/analyze_video``. All others are private to the page."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from mien.apps.gradio.results import convert_errors, make_user_error
from mien.apps.gradio.uploads import SentFile, find_sent_file
from mien.apps.gradio.video import raise_job_error, run_video_job
from mien.apps.session.engines import EngineCache
from mien.errors import MienError


class Api:
    """The endpoints, created inside the page; their components are invisible."""

    def __init__(self, engines: EngineCache, image_queue: dict[str, Any], video_queue: dict[str, Any]) -> None:
        self._engines = engines
        with gr.Row(visible=False):
            image, result, model = _create_file("image", "photo.jpg"), gr.JSON(label="result"), _create_text("model")
            min_face = gr.Number(None, label="min_face", precision=0)
            _add_endpoint("read", self.read, [image, min_face, model], result, image_queue)
            face = gr.Number(None, label="face", precision=0)
            method, target, versus = _create_text("method", "cam"), _create_text("target"), _create_text("versus")
            _add_endpoint("explain", self.explain, [image, face, method, target, versus, model], result, image_queue)
            self._video = _create_file("video", "video.mp4")
            fps, blur = gr.Number(10, label="fps"), gr.Checkbox(False, label="blur")
            outputs = [result, gr.Files(label="files")]
            _add_endpoint("analyze_video", self.analyze_video, [self._video, fps, blur, model], outputs, video_queue)

    # Gradio shows these docstrings to the users of the API.
    def read(self, image: Any, min_face: float | None = None, model: str = "") -> dict[str, Any]:
        """The expressions in an image: the same JSON as `mien predict --json`.

        `min_face` is the size of the smallest face to detect, in pixels; `model` is one of the models on the page.
        """
        with convert_errors():
            photo = _require_file(image)
            smallest = _parse_count(min_face, "min_face")
            result = self._engines.get(model).read(photo.decode_image(), min_face=smallest)
            return replace(result, source=photo.name).to_dict()

    def explain(
        self,
        image: Any,
        face: float | None = None,
        method: str = "cam",
        target: str = "",
        versus: str = "",
        model: str = "",
    ) -> dict[str, Any]:
        """How the network computes its prediction for a face: the same JSON as `mien explain`, without the arrays.

        `face` is the number of a face, 1 is the largest; without it all faces are explained. `method` is cam,
        occlusion or rise, or several separated by commas; `target` is the expression to explain, `versus` the one
        to compare it with.
        """
        with convert_errors():
            photo, engine = _require_file(image), self._engines.get(model)
            pixels, number = photo.decode_image(), _parse_count(face, "face")
            methods = tuple(name.strip() for name in method.split(",") if name.strip()) or ("cam",)
            explanations = engine.explain_image(
                pixels, number, methods=methods, target=target or None, versus=versus or None
            )
            return {
                "source": photo.name,
                "size": [pixels.shape[1], pixels.shape[0]],
                "faces": [{**explanation.to_dict(), "source": photo.name} for explanation in explanations],
                "detector": engine.detector,
                "model": engine.card.name,
            }

    def analyze_video(
        self, video: Any, fps: float = 10, blur: bool = False, model: str = ""
    ) -> tuple[dict[str, Any], list[str]]:
        """The expressions in a video over time: a summary, and files (report, tables, subtitles, annotated video).

        `fps` is the number of frames per second to analyse; with `blur`, faces are blurred in all files.
        """
        with convert_errors():
            engine, upload = self._engines.get(model), _require_file(video)
            with run_video_job(engine, upload, _check_fps(fps), bool(blur), self._video) as job:
                job.join()
            raise_job_error(job)
        facts = {"source": upload.name, "detector": engine.detector, "model": engine.card.name, **job.facts}
        return facts, [str(path) for path in job.files.values()]


def _add_endpoint(name: str, function: Any, inputs: list[Any], outputs: Any, queue: dict[str, Any]) -> None:
    gr.Button(visible=False).click(
        function,
        inputs,
        outputs,
        preprocess=False,
        api_name=name,
        api_description=str(function.__doc__),
        api_visibility="public",
        **queue,
    )


def _create_file(label: str, example: str) -> Any:
    """A file parameter; the page's description of the endpoints shows ``example`` as its value."""
    file = gr.File(label=label)
    file.example_payload = lambda: {"path": example, "url": example, "meta": {"_type": "gradio.FileData"}}
    return file


def _create_text(label: str, default: str = "") -> Any:
    return gr.Textbox(default, label=label)


def _require_file(payload: Any) -> SentFile:
    file = find_sent_file(payload)
    if file is None:
        raise make_user_error("There is no file. Send one: handle_file('photo.jpg') in gradio_client.")
    return file


def _parse_count(number: float | None, name: str) -> int | None:
    if number is None:
        return None
    if number != int(number) or not 1 <= number <= 100_000:
        raise MienError(
            f"'{name}' is {number:g}", "A whole number from 1 on was expected", "Leave it out for the default"
        )
    return int(number)


def _check_fps(fps: float) -> float:
    if not (isinstance(fps, int | float) and 0.1 <= fps <= 60):
        raise MienError(f"'fps' is {fps}", "Frames per second from 0.1 to 60 were expected", "Leave it out: 10")
    return float(fps)
