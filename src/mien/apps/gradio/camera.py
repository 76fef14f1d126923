"""The tab for a camera. Its frames come one by one as text and are never written to the disk."""

from __future__ import annotations

import base64
import binascii
import time
from collections import deque
from io import BytesIO
from typing import Any

import gradio as gr
import pandas as pd

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.engines import Engines
from mien.apps.gradio.errors import convert_errors
from mien.apps.gradio.uploads import MAX_PIXELS
from mien.apps.session.live_camera import FrameStream
from mien.apps.session.overlay import overlay_saliency
from mien.draw import draw_readings
from mien.engine import Engine, select_framing
from mien.html import data_uri
from mien.html.images import encode_image
from mien.images.decode import decode_image
from mien.results import AnalyzedFrame, Pixels
from mien.video.annotate import simplify_labels as as_painted

#: Seconds between two frames, as far as they can be read so quickly; and seconds that the timeline shows.
_EVERY, _SHOWN = 0.15, 30.0

#: Seconds between two drawings of the timeline.
_DRAWN = 1.0

#: What the tab is called.
TITLE = "Camera"

#: What answers a click and nothing else.
_AT_ONCE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

_BEGIN = "Let the camera be used, and press *Record*."

_NOTICE = f"""### Before the camera opens

- Pictures from your camera go to the machine that serves this page, one at a time. They are read in its memory, are
  not written to a disk, and are gone with the answer.
- {text.CAMERA_NOTICE}
- *Stop* pauses the reading. The camera itself closes when you press *Close the camera*, switch to another tab, or leave
  this page.
"""

#: Gradio leaves the camera on when its picture is stopped, or hidden: it is taken off here.
_OFF = """(...all) => {
    document.querySelector('#camera-input .capture-button [title="stop recording"]')?.closest('button').click();
    document.querySelectorAll('#camera-input video').forEach(video => {
        video.srcObject?.getTracks().forEach(track => track.stop());
    });
    return all;
}"""


class CameraSession:
    """One visitor's camera."""

    def __init__(self, engine: Engine) -> None:
        self.engine, self.pushed = engine, FrameStream(engine)
        self.began = time.monotonic()
        self.times: deque[float] = deque(maxlen=20)
        self.history: deque[tuple[float, dict[str, float]]] = deque()
        self.drawn = 0.0

    def read(self, pixels: Pixels) -> AnalyzedFrame:
        seconds = time.monotonic() - self.began
        moment = self.pushed.read(pixels, seconds)
        self.times.append(seconds)
        if len(moment.result) and moment.result.readings[0].quality.ok:
            self.history.append((seconds, dict(moment.result.readings[0].emotions.scores)))
        while self.history and seconds - self.history[0][0] > _SHOWN:
            self.history.popleft()
        return moment

    @property
    def rate(self) -> float:
        """Frames read a second."""
        passed = self.times[-1] - self.times[0] if self.times else 0.0
        return (len(self.times) - 1) / passed if passed else 0.0


class CameraTab:
    """Made inside a ``gr.Tab``."""

    def __init__(self, engines: Engines, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        labels = engines.get().labels
        with gr.Column(elem_classes="notice") as notice:
            gr.Markdown(_NOTICE)
            start = gr.Button("I have read this: show the camera", variant="primary", elem_id="camera-start")
        with gr.Column(visible=False) as live, gr.Row():
            with gr.Column(scale=1, min_width=300):
                camera, where = _camera()
                close = gr.Button("Close the camera", elem_id="camera-close")
                told_of = f"The largest face, over the last {_SHOWN:.0f} seconds"
                self._plot = results.create_timeline(labels, told_of, "camera-plot", height=300, x_lim=[-_SHOWN, 0])
                gr.HTML(results.render_legend(results.label_colours(labels)), padding=False)
            with gr.Column(scale=1, min_width=300):
                self._picture = gr.Image(
                    label="What was read", interactive=False, buttons=["fullscreen"], elem_id="camera-seen"
                )
                self._said = gr.Markdown(_BEGIN, elem_classes="said")
                self._label = gr.Label(show_heading=False, show_label=False, elem_id="camera-label")
        session = gr.State(None)
        self._seen = [session, self._picture, self._said, self._label, self._plot]
        self._all = [notice, live, *self._seen]
        start.click(lambda: _turned(True), outputs=self._all, **_AT_ONCE)
        close.click(lambda: _turned(False), outputs=self._all, js=_OFF, **_AT_ONCE)
        camera.stream(
            self._frame,
            [camera, where, model, session],
            self._seen,
            stream_every=_EVERY,
            # Raw in and raw out: Gradio would write each frame to the disk.
            preprocess=False,
            postprocess=False,
            show_progress="hidden",
            api_visibility="private",
            **queue,
        )

    def close_with(self, tabs: Any) -> None:
        """Close the camera whenever another tab is chosen."""
        tabs.select(_left, outputs=self._all, js=_OFF, **_AT_ONCE)

    def _frame(self, payload: Any, where: bool, model: str, session: CameraSession | None) -> list[Any]:
        if not (data := _bytes(payload)):
            return [session, *[gr.skip()] * 4]
        with convert_errors():
            engine = self._engines.get(model)
            if session is None or session.engine is not engine:
                session = CameraSession(engine)
            moment = session.read(decode_image(BytesIO(data), "the camera's frame", MAX_PIXELS))
            picture = _painted(engine, moment, where)
        return [
            session,
            {"url": data_uri(encode_image(picture, "jpeg", 80), "image/jpeg")},
            *self._told(moment, session),
        ]

    def _told(self, moment: AnalyzedFrame, session: CameraSession) -> list[Any]:
        facts = f"<small>{text.describe_face_count(moment.result)} · {session.rate:.1f} frames a second</small>"
        if not len(moment.result):
            return [f"### {text.NO_FACE}\n\n{facts}", None, gr.skip()]
        first = moment.result.readings[0]
        label = self._label.postprocess(results.label_scores(first))
        return [f"{results.describe_reading(first)}\n\n{facts}", label.model_dump(), self._timeline(session)]

    def _timeline(self, session: CameraSession) -> Any:
        now = session.times[-1]
        if now - session.drawn < _DRAWN:
            return gr.skip()
        session.drawn = now
        plotted = self._plot.postprocess(_rows(session.history, now))
        return plotted.model_dump() if plotted else gr.skip()


def _turned(on: bool) -> list[Any]:
    """The notice, or what comes after it; either way nothing of what was seen before."""
    return [gr.Column(visible=not on), gr.Column(visible=on), None, None, _BEGIN, None, None]


def _left(event: gr.SelectData) -> list[Any]:
    """Another tab was chosen. Who comes to this one finds it as it was left, and may already have begun."""
    return [gr.skip()] * 7 if event.value == TITLE else _turned(False)


def _camera() -> tuple[Any, Any]:
    camera = gr.Image(
        sources=["webcam"],
        streaming=True,
        type="numpy",
        format="jpeg",
        label="Your camera",
        buttons=[],
        elem_id="camera-input",
    )
    return camera, gr.Checkbox(False, label="Show where the network looks", elem_id="camera-where")


def _painted(engine: Engine, moment: AnalyzedFrame, where: bool) -> Pixels:
    pixels = moment.pixels
    assert pixels is not None, "what was handed over comes back"
    if where and len(moment.result):
        face, framing = moment.result.faces[0], select_framing(engine.card, engine.detector)
        seen = engine.activations(engine.crop(pixels, face)).map
        pixels = overlay_saliency(pixels, seen, face, framing) if seen else pixels
    return draw_readings(pixels, as_painted(moment.result))


def _bytes(payload: Any) -> bytes:
    """The picture in a frame's address; empty where there is none."""
    url = payload.get("url") if isinstance(payload, dict) else None
    if not url or not url.startswith("data:image/"):
        return b""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        return b""


def _rows(history: Any, now: float = 0.0) -> pd.DataFrame:
    rows = [(round(at - now, 2), label, share) for at, shares in history for label, share in shares.items()]
    return pd.DataFrame(rows, columns=["seconds", "expression", "share"])
