"""What programs may ask: ``/read``, ``/explain`` and ``/watch``. Everything else of the page is its own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from mien.apps.gradio.engines import Engines
from mien.apps.gradio.errors import make_user_error, convert_errors
from mien.apps.gradio.uploads import SentFile, find_sent_file
from mien.apps.gradio.video import GradioVideoJob
from mien.errors import MienError


class Api:
    """The endpoints, made inside the page; nothing of them is seen there."""

    def __init__(self, engines: Engines, reading: dict[str, Any], filming: dict[str, Any]) -> None:
        self._engines = engines
        with gr.Row(visible=False):
            file, answer = _file("picture", "photo.jpg"), gr.JSON(label="result")
            model = gr.Textbox("", label="model")
            self._ask("read", self.read, [file, gr.Number(None, label="min_face", precision=0), model], answer, reading)
            asked = [gr.Number(None, label="face", precision=0), gr.Textbox("cam", label="method")]
            asked += [gr.Textbox("", label="target"), gr.Textbox("", label="versus"), model]
            self._ask("explain", self.explain, [file, *asked], answer, reading)
            self._film = _file("film", "film.mp4")
            told_ = [gr.Number(10, label="fps"), gr.Checkbox(False, label="blur"), model]
            self._ask("watch", self.watch, [self._film, *told_], [answer, gr.Files(label="files")], filming)

    def _ask(self, name: str, answer: Any, inputs: list[Any], outputs: Any, queue: dict[str, Any]) -> None:
        gr.Button(visible=False).click(
            answer,
            inputs,
            outputs,
            preprocess=False,
            api_name=name,
            api_description=str(answer.__doc__),
            api_visibility="public",
            **queue,
        )

    def read(self, picture: Any, min_face: float | None = None, model: str = "") -> dict[str, Any]:
        """What the expressions in a picture look like: the same JSON that `mien predict --json` prints.

        `min_face` is the smallest face to look for, in pixels; `model` is one of those in the page.
        """
        with convert_errors():
            photo = _given(picture)
            result = self._engines.get(model).read(photo.pixels(), min_face=_whole(min_face, "min_face"))
            return replace(result, source=photo.name).to_dict()

    def explain(
        self,
        picture: Any,
        face: float | None = None,
        method: str = "cam",
        target: str = "",
        versus: str = "",
        model: str = "",
    ) -> dict[str, Any]:
        """What the network sees in a face: the same JSON that `mien explain` writes, without the arrays.

        `face` is a face's number, the largest being 1; without it all are explained. `method` is cam, occlusion or
        rise, or several with commas between; `target` the expression that is explained, `versus` the one it is not.
        """
        with convert_errors():
            photo, engine = _given(picture), self._engines.get(model)
            pixels, number = photo.pixels(), _whole(face, "face")
            methods = tuple(word.strip() for word in method.split(",") if word.strip()) or ("cam",)
            asked: dict[str, Any] = {"methods": methods, "target": target or None, "versus": versus or None}
            faces = engine.explain_image(pixels, number, **asked)
            told_ = [{**each.to_dict(), "source": photo.name} for each in faces]
            size = [pixels.shape[1], pixels.shape[0]]
            named = {"detector": engine.detector, "model": engine.card.name}
            return {"source": photo.name, "size": size, "faces": told_, **named}

    def watch(
        self, film: Any, fps: float = 10, blur: bool = False, model: str = ""
    ) -> tuple[dict[str, Any], list[str]]:
        """Whose expression looks like what in a film, and when: facts, and files (report, tables, subtitles, film)."""
        with convert_errors():
            engine, given = self._engines.get(model), _given(film)
            with GradioVideoJob(engine, given, _rate(fps), bool(blur), self._film) as reading:
                for _ in reading.news():
                    pass
        assert reading.gathered is not None, "nobody stops it here"
        named = {"source": given.name, "detector": engine.detector, "model": engine.card.name}
        return {**named, **reading.gathered.facts}, [str(path) for path in reading.files.values()]


def _file(label: str, example: str) -> Any:
    """A place for a file; the page's description of the endpoints shows this name in it."""
    file = gr.File(label=label)
    file.example_payload = lambda: {"path": example, "url": example, "meta": {"_type": "gradio.FileData"}}
    return file


def _given(payload: Any) -> SentFile:
    given = find_sent_file(payload)
    if given is None:
        raise make_user_error("There is no file. Send one: handle_file('photo.jpg') in gradio_client.")
    return given


def _whole(number: float | None, name: str) -> int | None:
    if number is None:
        return None
    if number != int(number) or not 1 <= number <= 100_000:
        raise MienError(
            f"'{name}' is {number:g}", "A whole number from 1 on was expected", "Leave it out for the usual"
        )
    return int(number)


def _rate(fps: float) -> float:
    if not (isinstance(fps, int | float) and 0.1 <= fps <= 60):
        raise MienError(
            f"'fps' is {fps}", "How many frames are read of each second: from 0.1 to 60", "Leave it out: 10"
        )
    return float(fps)
