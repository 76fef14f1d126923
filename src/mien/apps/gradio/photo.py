"""The tab for photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.results import convert_errors
from mien.apps.gradio.uploads import find_sent_file
from mien.apps.session.engines import EngineCache
from mien.apps.session.samples import CREDIT, sample_paths
from mien.draw import draw_readings
from mien.engine import Engine
from mien.html.images import encode_image, shrink_image
from mien.results import FrameResult, Pixels
from mien.table import format_table

_INSTRUCTIONS = "Drop a photo, paste one, or choose one of the portraits. Every face in it is read."


#: The result of a photo, and the thumbnail of each face as a JPEG file.
_State: TypeAlias = tuple[FrameResult, list[bytes]]


class PhotoTab:
    """The components and listeners of the tab, created inside a ``gr.Tab``."""

    def __init__(self, engines: EngineCache, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        self._result = gr.State(None, time_to_live=900)
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320, elem_id="photo-picture"):
                self.photo = create_photo_input("photo-input")
                create_examples(self.photo)
                self._annotated = gr.AnnotatedImage(
                    label="Result", show_label=False, visible=False, elem_id="photo-result", format="jpeg"
                )
            with gr.Column(scale=6, min_width=320):
                self._summary = gr.Markdown(_INSTRUCTIONS, elem_classes="reading-summary", elem_id="photo-summary")
                self._expression = gr.Dropdown(
                    [("all faces", "")], value="", label="Show", visible=False, elem_id="photo-show"
                )
                self._faces = gr.HTML(visible=False, padding=False, elem_id="photo-faces")
                self._scores = gr.Label(show_heading=False, show_label=False, visible=False, elem_id="photo-scores")
                with gr.Row(visible=False, elem_id="photo-downloads") as self._downloads:
                    self._files = [gr.DownloadButton(f"Save {name}", size="sm") for name in ("JSON", "CSV", "image")]
        outputs = [
            self._result,
            self._summary,
            self._scores,
            self._expression,
            self._faces,
            self._annotated,
            self._downloads,
            *self._files,
        ]
        gr.on(
            [self.photo.change, model.change],
            self._read,
            [self.photo, model],
            outputs,
            api_visibility="private",
            show_progress_on=self._summary,
            trigger_mode="always_last",
            preprocess=False,
            **queue,
        ).failure(_clear_outputs, outputs=outputs, api_visibility="private", queue=False)
        options = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
        self._annotated.select(self._select_face, self._result, [self._expression, self._faces], **options)
        self._expression.input(self._filter_faces, [self._result, self._expression], self._faces, **options)

    def _read(self, payload: Any, model: str) -> list[Any]:
        photo = find_sent_file(payload)
        if photo is None:
            return _clear_outputs()
        with convert_errors():
            engine = self._engines.get(model)
            pixels = photo.decode_image()
            result = replace(engine.read(pixels), source=photo.name)
        files = self._write_files(pixels, result, engine)
        thumbnails = results.encode_thumbnails(pixels, result)
        return [(result, thumbnails), *_show_result(pixels, result, thumbnails), gr.Row(visible=True), *files]

    def _write_files(self, pixels: Pixels, result: FrameResult, engine: Engine) -> list[Any]:
        """The result as JSON, CSV and an annotated image, in the folder that Gradio cleans up."""
        stem = Path(result.source).stem or "photo"
        contents = {
            f"{stem}.json": result.to_json().encode() + b"\n",
            f"{stem}.csv": format_table([result], engine.labels, engine.vote_labels).encode(),
            f"{stem}-annotated.jpg": encode_image(draw_readings(pixels, result, numbered=True), "jpeg", 92),
        }
        files = [save_bytes_to_cache(data, name, self.photo.GRADIO_CACHE) for name, data in contents.items()]
        self.photo.temp_files.update(files)
        return files

    def _select_face(self, state: _State | None, event: gr.SelectData) -> list[Any]:
        """All lines, of which that of the face is open."""
        if state is None or not 0 <= event.index < len(state[0]) or len(state[0]) == 1:
            return [gr.skip(), gr.skip()]
        return [gr.Dropdown(value=""), results.render_face_lines(*state, selected=event.index + 1)]

    def _filter_faces(self, state: _State | None, expression: str) -> Any:
        return gr.skip() if state is None else results.render_face_lines(*state, expression or None)


def _show_result(pixels: Pixels, result: FrameResult, thumbnails: list[bytes]) -> list[Any]:
    """The summary, the scores of the only face, or the filter and the lines of several, and the annotated image."""
    if not len(result):
        image = gr.AnnotatedImage((shrink_image(pixels, results.MAX_IMAGE_SIDE), []), color_map={}, visible=True)
        return [results.describe_no_face(), *_hide(3), image]
    annotated, colours = results.annotate_layers(pixels, result)
    image = gr.AnnotatedImage(annotated, color_map=colours, visible=True)
    if len(result) == 1:
        reading = result.readings[0]
        scores = gr.Label(dict(reading.emotions.scores), visible=True)
        return [results.describe_reading(reading), scores, *_hide(2), image]
    counts = text.count_expressions(result.readings)
    choices = [(f"all {len(result)} faces", ""), *((f"{count} {name}", name) for name, count in counts.items())]
    return [
        results.describe_faces(result),
        *_hide(1),
        gr.Dropdown(choices, value="", visible=len(counts) > 1),
        gr.HTML(results.render_face_lines(result, thumbnails), visible=True),
        image,
    ]


def _clear_outputs() -> list[Any]:
    """Without a readable photo, no result of an earlier one stays on the page."""
    return [None, _INSTRUCTIONS, *_hide(5), *[gr.skip()] * 3]


def _hide(count: int) -> list[Any]:
    return [gr.update(visible=False)] * count


def create_photo_input(name: str) -> Any:
    """An input for one photo: dropped, chosen or pasted."""
    return gr.Image(
        sources=["upload", "clipboard"],
        type="filepath",
        label="Photo",
        height=340,
        buttons=["fullscreen"],
        elem_id=name,
    )


def create_examples(photo: Any) -> None:
    """The sample portraits, below an input for a photo."""
    gr.Examples(
        [[str(path)] for path in sample_paths().values()],
        photo,
        label="Example photos",
        example_labels=None,
        api_visibility="private",
    )
    gr.Markdown(CREDIT, elem_classes="fine")
