"""The tab for photos."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from mien.apps.gradio import results
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.errors import convert_errors
from mien.apps.gradio.uploads import find_sent_file
from mien.apps.session.samples import CREDIT, sample_paths
from mien.draw import draw_readings
from mien.html.images import encode_image, shrink_image
from mien.results import FrameResult, Pixels
from mien.table import CsvTable

#: Said where nothing has been read yet.
_EMPTY = "Drop a photo, paste one, or take one of the portraits. Every face in it is read."


class PhotoTab:
    """Made inside a ``gr.Tab``."""

    def __init__(self, engines: Engines, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        self._result = gr.State(None, time_to_live=900)
        with gr.Row(equal_height=False):
            with gr.Column(scale=5, min_width=320):
                self.photo = create_photo_input("photo-input")
                create_examples(self.photo)
                self._seen = gr.AnnotatedImage(
                    label="What was read", show_label=False, visible=False, elem_id="photo-seen", format="jpeg"
                )
            with gr.Column(scale=6, min_width=320):
                self._said = gr.Markdown(_EMPTY, elem_classes="said", elem_id="photo-said")
                self._faces = _faces()
                self._label = gr.Label(show_heading=False, show_label=False, visible=False, elem_id="photo-label")
                with gr.Row(visible=False, elem_id="photo-saves") as self._saves:
                    self._files = [gr.DownloadButton(f"Save {name}", size="sm") for name in ("JSON", "CSV", "picture")]
        outputs = [self._result, self._said, self._label, self._faces, self._seen, self._saves, *self._files]
        gr.on(
            [self.photo.change, model.change],
            self._read,
            [self.photo, model],
            outputs,
            api_visibility="private",
            show_progress_on=self._said,
            trigger_mode="always_last",
            preprocess=False,
            **queue,
        ).failure(_nothing, outputs=outputs, api_visibility="private", queue=False)
        chosen = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
        self._faces.select(self._choose, self._result, [self._said, self._label], **chosen)
        self._seen.select(self._choose, self._result, [self._said, self._label], **chosen)

    def _read(self, payload: Any, model: str) -> list[Any]:
        photo = find_sent_file(payload)
        if photo is None:
            return _nothing()
        with convert_errors():
            engine = self._engines.get(model)
            pixels = photo.pixels()
            result = replace(engine.read(pixels), source=photo.name)
        return [result, *_shown(pixels, result), gr.Row(visible=True), *self._written(pixels, result, engine.labels)]

    def _written(self, pixels: Pixels, result: FrameResult, labels: tuple[str, ...]) -> list[Any]:
        """The result as files, in the folder that Gradio empties."""
        stem = Path(result.source).stem or "photo"
        table = io.StringIO(newline="")
        CsvTable(table, labels).write(result)
        data = {
            f"{stem}.json": result.to_json().encode() + b"\n",
            f"{stem}.csv": table.getvalue().encode(),
            f"{stem}-read.jpg": encode_image(draw_readings(pixels, result), "jpeg", 92),
        }
        folder = self.photo.GRADIO_CACHE
        files = [save_bytes_to_cache(each, name, folder) for name, each in data.items()]
        self.photo.temp_files.update(files)
        return files

    def _choose(self, result: FrameResult | None, event: gr.SelectData) -> list[Any]:
        if result is None or not 0 <= event.index < len(result):
            return [gr.skip(), gr.skip()]
        reading = result.readings[event.index]
        return [results.describe_reading(reading, event.index + 1), results.label_scores(reading)]


def _faces() -> Any:
    return gr.Gallery(
        label="Faces: choose one",
        columns=5,
        height=None,
        allow_preview=False,
        fit_columns=False,
        visible=False,
        object_fit="cover",
        elem_id="photo-faces",
        buttons=[],
    )


def create_photo_input(name: str) -> Any:
    """A place for one photo: dropped, chosen or pasted."""
    return gr.Image(
        sources=["upload", "clipboard"],
        type="filepath",
        label="Photo",
        height=340,
        buttons=["fullscreen"],
        elem_id=name,
    )


def create_examples(photo: Any) -> None:
    """The free portraits, under a place for a photo."""
    files = sample_paths()
    gr.Examples(
        [[str(path)] for path in files.values()],
        photo,
        label="No photo at hand?",
        example_labels=None,
        api_visibility="private",
    )
    gr.Markdown(CREDIT, elem_classes="fine")


def _shown(pixels: Pixels, result: FrameResult) -> list[Any]:
    if not len(result):
        plain = gr.AnnotatedImage((shrink_image(pixels, results.MAX_IMAGE_SIDE), []), color_map={}, visible=True)
        return [results.describe_no_face(), *_hidden(2), plain]
    picture, hues = results.annotate_layers(pixels, result)
    many = len(result) > 1
    first = result.readings[0]
    return [
        results.describe_reading(first, 1 if many else None),
        gr.Label(results.label_scores(first), visible=True),
        gr.Gallery(
            results.list_portraits(pixels, result) if many else None, visible=many, selected_index=0 if many else None
        ),
        gr.AnnotatedImage(picture, color_map=hues, visible=True),
    ]


def _nothing() -> list[Any]:
    """No photo, or none that could be read: nothing that was read of another stays beside it."""
    return [None, _EMPTY, *_hidden(4), *[gr.skip()] * 3]


def _hidden(count: int) -> list[Any]:
    return [gr.update(visible=False)] * count
