"""The tab that opens the network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from mien import words
from mien.apps.gradio import opened, shown
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.photo import examples, photo_input
from mien.apps.gradio.sending import sent
from mien.apps.gradio.told import told
from mien.explain import Explanation
from mien.explain.pictures import where
from mien.types import Pixels

#: Said for "whichever expression leads", and for "none".
_LEADING, _NONE = "the one that leads", "nothing else"

_EMPTY = "One face, and everything the network makes of it: where it looked, its maps, the sum behind its answer."


class InsideTab:
    """Made inside a ``gr.Tab``."""

    def __init__(self, engines: Engines, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        labels = list(engines.get().labels)
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                photo = photo_input("Inside photo")
                examples(photo)
            with gr.Column(scale=6, min_width=320):
                self._said = gr.Markdown(_EMPTY, elem_classes="said", elem_id="inside-said")
                face = gr.Dropdown([("1", 1)], value=1, label="Face", visible=False, elem_id="inside-face")
                methods = [(name, key) for key, name in opened.METHODS.items()]
                method = gr.Radio(methods, value="cam", label="Find where it looked by", elem_id="inside-method")
                with gr.Row():
                    target = gr.Dropdown(
                        [_LEADING, *labels], value=_LEADING, label="Evidence for", elem_id="inside-target"
                    )
                    versus = gr.Dropdown([_NONE, *labels], value=_NONE, label="rather than", elem_id="inside-versus")
        with gr.Column(visible=False) as found, gr.Tabs():
            with gr.Tab("Where it looked"):
                looked = _picture("Where it looked", "inside-where")
            with gr.Tab("The answer"):
                answer = _sheets("How the answer comes about", "inside-answer", 2)
            with gr.Tab("Feature maps"):
                maps = _sheets("Layer by layer: choose one", "inside-maps", 4)
            with gr.Tab("The network"):
                network = _sheets("The network as a whole: choose one", "inside-network", 2)
            with gr.Tab("Step by step"):
                steps = gr.HTML(elem_id="inside-steps", padding=False)
        gr.on(
            [photo.change, face.input, method.change, target.change, versus.change, model.change],
            self._open,
            [photo, face, method, target, versus, model],
            [self._said, face, target, versus, found, looked, answer, maps, network, steps],
            preprocess=False,
            api_visibility="private",
            show_progress_on=self._said,
            trigger_mode="always_last",
            **queue,
        )

    def _open(self, payload: Any, face: int, method: str, target: str, versus: str, model: str) -> list[Any]:
        photo = sent(payload)
        if photo is None:
            return [_EMPTY, gr.Dropdown(visible=False), *[gr.skip()] * 2, gr.Column(visible=False), *[gr.skip()] * 5]
        with told():
            engine = self._engines.get(model)
            pixels = photo.pixels()
            result = engine.read(pixels)
            if not len(result):
                nothing = [gr.Column(visible=False), *[gr.skip()] * 5]
                return [shown.nobody(), gr.Dropdown(visible=False), *[gr.skip()] * 2, *nothing]
            number = min(int(face or 1), len(result))
            asked = {"target": _label(target, engine.labels), "versus": _label(versus, engine.labels)}
            (one,) = engine.explain_picture(pixels, number, methods=(method,), layers="all", **asked)
            one = replace(one, source=photo.name)
        faces = [(shown.named(place, reading), place) for place, reading in enumerate(result, 1)]
        chooser = gr.Dropdown(faces, value=number, visible=len(faces) > 1)
        return [_said(one), chooser, *_choices(engine.labels, asked), gr.Column(visible=True), *_drawn(one, pixels)]


def _said(one: Explanation) -> str:
    rather = f" rather than {one.versus}" if one.versus else ""
    notes = "\n\n".join(one.notes)
    doubt = f"\n\n**Unsure: {one.emotions.uncertain}.**" if one.emotions.uncertain else ""
    share = words.percent(one.emotions[one.emotions.top])
    return f"### {words.looks(one.emotions.top)} · {share}{doubt}\n\nEvidence for {one.target}{rather}.\n\n{notes}"


def _drawn(one: Explanation, pixels: Pixels) -> list[Any]:
    sheets = [list(kind(one)) for kind in (opened.answer, opened.layers, opened.network)]
    return [where(one, pixels), *sheets, opened.steps(one, pixels)]


def _choices(labels: tuple[str, ...], asked: dict[str, str | None]) -> list[Any]:
    """Another model may know other expressions."""
    return [
        gr.Dropdown([_LEADING, *labels], value=asked["target"] or _LEADING),
        gr.Dropdown([_NONE, *labels], value=asked["versus"] or _NONE),
    ]


def _label(chosen: str, labels: tuple[str, ...]) -> str | None:
    return chosen if chosen in labels else None


def _picture(label: str, name: str) -> Any:
    return gr.Image(label=label, interactive=False, format="png", buttons=["download", "fullscreen"], elem_id=name)


def _sheets(label: str, name: str, columns: int) -> Any:
    return gr.Gallery(
        label=label,
        columns=columns,
        format="png",
        height="auto",
        object_fit="contain",
        buttons=["download", "fullscreen"],
        elem_id=name,
        elem_classes="sheets",
    )
