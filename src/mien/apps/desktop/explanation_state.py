"""The explanation of a face of an open image or of the live camera: the request and its result."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.images import ImageList, OpenImage
from mien.apps.desktop.state import AppState, ModelSelection, ModelSession
from mien.apps.desktop.worker import IMMEDIATE, Steps, Task
from mien.errors import MienError
from mien.results import Emotions

if TYPE_CHECKING:
    from mien.apps.session.live_camera import CameraWorker
    from mien.engine import Engine
    from mien.explain import Activations, Explanation, Layer, Regions, Saliency

#: Explanations in memory, for going back and forth.
_CACHE_SIZE = 8


class FaceExplanationRequest(NamedTuple):
    """``method`` is auto or one of ``mien.explain.explanation.METHODS``; ``target`` None is the leading label."""

    method: str = "auto"
    target: str | None = None
    versus: str | None = None


@dataclass(frozen=True, eq=False)
class FaceExplanation:
    """What the page shows, from an image or from the camera. ``map`` is None where the model has none."""

    crop: NDArray[np.uint8]
    emotions: Emotions
    layers: tuple[Layer, ...]
    map: Saliency | None
    regions: Regions | None
    notes: tuple[str, ...] = ()


class ExplanationState:
    """The request, and the explanation of the selected face.

    ``live`` selects the face before the camera in place of the image's. ``layer`` is the name of the displayed layer.
    Topic: ``explanation``.
    """

    def __init__(self, state: AppState, images: ImageList) -> None:
        self._state, self._images = state, images
        self.request = FaceExplanationRequest()
        self.live = False
        self.error: MienError | None = None
        self.layer = ""
        self._cache: OrderedDict[tuple[object, ...], FaceExplanation] = OrderedDict()
        self._task: Task | None = None
        self._previous: FaceExplanation | None = None

    @property
    def busy(self) -> bool:
        return self._task is not None and self._task.active

    @property
    def explanation(self) -> FaceExplanation | None:
        """The explanation of the selected face; None before it was computed."""
        return self._cache.get(self._key()) if self._images.reading else None

    @property
    def displayed(self) -> FaceExplanation | None:
        """The explanation, or the previous one while it is being computed."""
        return self.explanation or (self._previous if self.busy else None)

    def update(self, **changes: str | None) -> None:
        """Change the request, and explain the selected face unless that was done before."""
        self.request = self.request._replace(**changes)  # type: ignore[arg-type]
        if self.request.versus is not None and self.request.versus == self.request.target:
            self.request = self.request._replace(versus=None)
        self.error = None
        if self._images.reading and self.explanation is None:
            self._compute()
        self._state.events.publish("explanation")

    def clear(self) -> None:
        """Forget everything: another model has other labels and layers."""
        self._cache.clear()
        self._previous, self.layer, self.request = None, "", FaceExplanationRequest()

    def _compute(self) -> None:
        if self._task:
            self._task.cancel()
        image, key, events = self._images.current, self._key(), self._state.events
        assert image is not None, "a face is selected"

        def store(explanation: FaceExplanation) -> None:
            self._cache[key] = self._previous = explanation
            while len(self._cache) > _CACHE_SIZE:
                self._cache.popitem(last=False)
            events.publish("explanation")

        def fail(error: MienError) -> None:
            self.error = error
            events.publish("explanation")

        steps = _explain(self._state.session, image, self._images.face_index, self._state.selection, self.request)
        self._task = self._state.submit(
            steps, store, priority=IMMEDIATE, on_error=fail, on_end=lambda: events.publish("explanation")
        )

    def _key(self) -> tuple[object, ...]:
        image = self._images.current
        return image and image.number, self._images.face_index, self.request, self._state.selection


def _explain(
    session: ModelSession, image: OpenImage, face: int, selection: ModelSelection, request: FaceExplanationRequest
) -> Steps:
    """In the worker: explain one face with all layers."""
    engine, pixels = session.engine(selection), session.pixels(image.number, image.source)
    yield None
    method, target, versus = request
    explanation: Explanation = engine.explain_image(
        pixels, face + 1, methods=method, layers="all", target=target, versus=versus
    )[0]
    yield FaceExplanation(
        explanation.crop,
        explanation.emotions,
        explanation.layers,
        explanation.maps[0] if explanation.maps else None,
        explanation.regions[0] if explanation.regions else None,
        explanation.notes,
    )


class LiveExplanation:
    """Explanations of the face before the camera, computed by a thread of their own until ``close``."""

    def __init__(self, engine: Engine, reader: CameraWorker, state: ExplanationState) -> None:
        from mien.apps.session.live_explanation import ExplanationWorker

        self._engine, self._state = engine, state
        self._worker = ExplanationWorker(engine, reader.newest, self._compute)
        self._worker.switch(True)
        self._number = 0

    def newest(self) -> FaceExplanation | None:
        """The newest explanation; None if there was no new one since the last call."""
        if self._worker.error:
            self._state.error = self._worker.error
        newest = self._worker.newest
        if newest is None or newest.number == self._number:
            return None
        self._number, activations = newest.number, newest.activations
        return FaceExplanation(
            activations.crop, activations.emotions, activations.layers, activations.map, activations.regions
        )

    def close(self) -> None:
        self._worker.close()

    def _compute(self, crop: NDArray[np.uint8], layers: str | Sequence[str]) -> Activations:
        """In the worker: also the displayed layer, and the map for the requested label; both may change at any time."""
        engine, (_, target, versus) = self._engine, self._state.request
        if isinstance(layers, str):
            return engine.activations(crop, layers)
        names = {*layers, self._state.layer}
        activations = engine.activations(crop, tuple(name for name in engine.layers if name in names))
        if target is None or activations.map is None:
            return activations
        # Only CAM is fast enough for a live camera.
        explanation = engine.explain(crop, "cam", "auto", target, versus if versus != target else None)
        return replace(activations, map=explanation.maps[0], regions=explanation.regions[0])
