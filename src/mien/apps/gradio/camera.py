"""The tab for a camera. Frames come from the browser one by one as data URIs and are never written to disk."""

from __future__ import annotations

import base64
import binascii
import time
from collections import deque
from typing import Any

import gradio as gr

from mien import text
from mien.apps.gradio import results
from mien.apps.gradio.results import convert_errors
from mien.apps.session.engines import EngineCache
from mien.apps.session.live_camera import FrameStream
from mien.apps.session.overlay import overlay_saliency
from mien.apps.session.uploads import Upload
from mien.draw import draw_readings
from mien.engine import Engine, select_framing
from mien.html import data_uri
from mien.html.images import encode_image
from mien.images.decode import resolve_pixel_limit
from mien.results import AnalyzedFrame, Pixels
from mien.video.annotate import simplify_labels

#: The caption of the tab.
TITLE = "Camera"

#: Seconds between two frames, if they can be read so fast; seconds that the timeline covers; seconds between two
#: updates of the timeline.
_FRAME_INTERVAL, _TIMELINE_SECONDS, _TIMELINE_INTERVAL = 0.15, 30.0, 1.0

#: For listeners that only show and hide components.
_IMMEDIATE: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}

_INSTRUCTIONS = "Allow the browser to use the camera, and press *Record*."

_NOTICE = f"""### Before the camera opens

- Frames from your camera are sent to the machine that serves this page, one at a time. They are read in its memory, are
  not written to disk, and are deleted with the answer.
- {text.CAMERA_NOTICE}
- *Stop* pauses the reading. The camera itself closes when you press *Close the camera*, switch to another tab, or leave
  this page.
"""

#: Gradio leaves the camera on when its stream is stopped or hidden: this stops its tracks.
_CLOSE_CAMERA = """(...all) => {
    document.querySelector('#camera-input .capture-button [title="stop recording"]')?.closest('button').click();
    document.querySelectorAll('#camera-input video').forEach(video => {
        video.srcObject?.getTracks().forEach(track => track.stop());
    });
    return all;
}"""


class CameraSession:
    """The camera of one visitor: tracks, smoothed scores, and the recent scores of the largest face."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.history: deque[tuple[float, dict[str, float]]] = deque()
        self.plotted = 0.0
        self._stream, self._started = FrameStream(engine), time.monotonic()
        self._times: deque[float] = deque(maxlen=20)

    def read(self, pixels: Pixels) -> AnalyzedFrame:
        seconds = time.monotonic() - self._started
        frame = self._stream.analyze(pixels, seconds)
        self._times.append(seconds)
        if len(frame.result) and frame.result.readings[0].quality.ok:
            self.history.append((seconds, dict(frame.result.readings[0].emotions.scores)))
        while self.history and seconds - self.history[0][0] > _TIMELINE_SECONDS:
            self.history.popleft()
        return frame

    @property
    def seconds(self) -> float:
        """The time of the last frame."""
        return self._times[-1] if self._times else 0.0

    @property
    def frames_per_second(self) -> float:
        elapsed = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / elapsed if elapsed else 0.0


class CameraTab:
    """The components and listeners of the tab, created inside a ``gr.Tab``."""

    def __init__(self, engines: EngineCache, model: Any, queue: dict[str, Any]) -> None:
        self._engines = engines
        with gr.Column(elem_classes="notice") as notice:
            gr.Markdown(_NOTICE)
            start = gr.Button("I have read this: show the camera", variant="primary", elem_id="camera-start")
        with gr.Column(visible=False) as live, gr.Row():
            with gr.Column(scale=1, min_width=300):
                camera = gr.Image(
                    sources=["webcam"],
                    streaming=True,
                    type="numpy",
                    format="jpeg",
                    label="Your camera",
                    buttons=[],
                    elem_id="camera-input",
                )
                evidence = gr.Checkbox(False, label="Show the evidence map (saliency)", elem_id="camera-evidence")
                close = gr.Button("Close the camera", elem_id="camera-close")
                self._plot = results.create_timeline(
                    engines.get().labels,
                    f"The largest face, over the last {_TIMELINE_SECONDS:.0f} seconds",
                    "camera-plot",
                    height=300,
                    x_lim=[-_TIMELINE_SECONDS, 0],
                )
            with gr.Column(scale=1, min_width=300):
                image = gr.Image(label="Result", interactive=False, buttons=["fullscreen"], elem_id="camera-result")
                summary = gr.Markdown(_INSTRUCTIONS, elem_classes="reading-summary", elem_id="camera-summary")
                self._scores = gr.Label(show_heading=False, show_label=False, elem_id="camera-scores")
        session = gr.State(None)
        outputs = [session, image, summary, self._scores, self._plot]
        self._all_outputs = [notice, live, *outputs]
        start.click(lambda: _reset(is_open=True), outputs=self._all_outputs, **_IMMEDIATE)
        close.click(lambda: _reset(is_open=False), outputs=self._all_outputs, js=_CLOSE_CAMERA, **_IMMEDIATE)
        camera.stream(
            self._read_frame,
            [camera, evidence, model, session],
            outputs,
            stream_every=_FRAME_INTERVAL,
            # Gradio's own conversion would write each frame to disk, on the way in and on the way out.
            preprocess=False,
            postprocess=False,
            show_progress="hidden",
            api_visibility="private",
            **queue,
        )

    def close_on_leave(self, tabs: Any) -> None:
        """Close the camera whenever another tab is selected."""
        tabs.select(_handle_tab_change, outputs=self._all_outputs, js=_CLOSE_CAMERA, **_IMMEDIATE)

    def _read_frame(self, payload: Any, show_evidence: bool, model: str, session: CameraSession | None) -> list[Any]:
        data = _decode_data_uri(payload)
        if not data:
            return [session, *[gr.skip()] * 4]
        with convert_errors():
            engine = self._engines.get(model)
            if session is None or session.engine is not engine:
                session = CameraSession(engine)
            frame = session.read(Upload("the camera's frame", data).decode_image(resolve_pixel_limit(None)))
            image = encode_image(_annotate_frame(engine, frame, show_evidence), "jpeg", 80)
        return [session, {"url": data_uri(image, "image/jpeg")}, *self._show_frame(frame, session)]

    def _show_frame(self, frame: AnalyzedFrame, session: CameraSession) -> list[Any]:
        """The summary, the scores and the timeline, as values for the browser."""
        count = text.describe_face_count(frame.result)
        details = f"<small>{count} · {session.frames_per_second:.1f} frames per second</small>"
        if not len(frame.result):
            return [f"### {text.NO_FACE}\n\n{details}", None, gr.skip()]
        first = frame.result.readings[0]
        scores = self._scores.postprocess(dict(first.emotions.scores))
        plot = gr.skip()
        if session.seconds - session.plotted >= _TIMELINE_INTERVAL:
            session.plotted = session.seconds
            points = ((seconds - session.seconds, values) for seconds, values in session.history)
            if value := self._plot.postprocess(results.timeline_rows(points)):
                plot = value.model_dump()
        return [f"{results.describe_reading(first)}\n\n{details}", scores.model_dump(), plot]


def _reset(*, is_open: bool) -> list[Any]:
    """Show the camera or its notice, without anything of an earlier session."""
    return [gr.Column(visible=not is_open), gr.Column(visible=is_open), None, None, _INSTRUCTIONS, None, None]


def _handle_tab_change(event: gr.SelectData) -> list[Any]:
    # Nothing changes for the camera's own tab: the camera may be open again before this arrives.
    return [gr.skip()] * 7 if event.value == TITLE else _reset(is_open=False)


def _annotate_frame(engine: Engine, frame: AnalyzedFrame, show_evidence: bool) -> Pixels:
    pixels = frame.pixels
    assert pixels is not None, "a frame stream returns the pixels that it gets"
    if show_evidence and len(frame.result):
        face = frame.result.faces[0]
        saliency = engine.activations(engine.crop(pixels, face)).map
        if saliency:
            pixels = overlay_saliency(pixels, saliency, face, select_framing(engine.card, engine.detector))
    return draw_readings(pixels, simplify_labels(frame.result))


def _decode_data_uri(payload: Any) -> bytes:
    """The image in a frame's data URI; empty if there is none."""
    url = payload.get("url") if isinstance(payload, dict) else None
    if not url or not url.startswith("data:image/"):
        return b""
    try:
        return base64.b64decode(url.partition(",")[2], validate=True)
    except binascii.Error:
        return b""
