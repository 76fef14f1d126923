"""Live explanation of a camera: a worker thread computes the activations of the newest face some times a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mien.apps.session.live_camera import LiveFrame
from mien.engine import select_framing
from mien.errors import MienError
from mien.faces.crop import crop_face
from mien.models import ModelCard
from mien.results import Reading

if TYPE_CHECKING:
    from mien.explain import Activations

#: The most updates a second: smooth to the eye, and little work beside the analysis of the camera.
UPDATES_PER_SECOND = 15.0

#: Pooling layers that are shown besides the layers that ``activations`` selects.
_EXTRA_POOLING_LAYERS = 1


class ActivationSource(Protocol):
    """What computes activations; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def detector(self) -> str: ...

    @property
    def layers(self) -> tuple[str, ...]: ...

    def activations(self, crop: NDArray[np.uint8], layers: str | Sequence[str] = "auto") -> Activations: ...


@dataclass(frozen=True, eq=False)
class LiveActivations:
    """The activations of the face of a ``reading``; ``number`` is the frame's, ``rate`` in updates a second."""

    number: int
    activations: Activations
    reading: Reading
    rate: float


class ExplanationWorker:
    """Computes activations while it is switched on; the network is not opened before that."""

    def __init__(
        self,
        engine: ActivationSource,
        newest_frame: Callable[[], LiveFrame | None],
        compute: Callable[[NDArray[np.uint8], str | Sequence[str]], Activations] | None = None,
    ) -> None:
        """``compute`` gets a crop and the names of layers, or ``auto``; otherwise the engine's activations are used."""
        self._engine, self._newest_frame = engine, newest_frame
        self._compute = compute or engine.activations
        self._framing = select_framing(engine.card, engine.detector)
        self._switched_on, self._closed = Event(), Event()
        self._newest: LiveActivations | None = None
        self._layers: tuple[str, ...] = ()
        self.error: MienError | None = None
        self._thread = Thread(target=self._run, name="mien-explanation", daemon=True)
        self._thread.start()

    @property
    def newest(self) -> LiveActivations | None:
        return self._newest if self._switched_on.is_set() else None

    def switch(self, on: bool) -> None:
        if on:
            self._switched_on.set()
        else:
            self._switched_on.clear()
            self._newest = None

    def close(self) -> None:
        self._closed.set()
        self._switched_on.set()
        self._thread.join(2.0)

    def _run(self) -> None:
        last_number, rate, last_start = 0, 0.0, monotonic()
        while self._switched_on.wait() and not self._closed.is_set():
            start = monotonic()
            frame = self._newest_frame()
            if frame is not None and frame.number > last_number and (reading := frame.main_reading()) is not None:
                try:
                    crop = crop_face(frame.pixels, reading.face, self._framing, self._engine.card.side)
                    activations = self._compute(crop, self._layers or self._select_layers() or "auto")
                except MienError as error:
                    self.error = error
                    return
                rate = 0.9 * rate + 0.1 / max(start - last_start, 1e-3) if rate else UPDATES_PER_SECOND
                last_start, last_number = start, frame.number
                self._newest = LiveActivations(frame.number, activations, reading, rate)
            self._closed.wait(max(1 / UPDATES_PER_SECOND - (monotonic() - start), 0.004))

    def _select_layers(self) -> tuple[str, ...]:
        """The layers that ``activations`` selects by itself, and a pooling layer if there is none among them."""
        side = self._engine.card.side
        default = [layer.name for layer in self._engine.activations(np.zeros((side, side), np.uint8)).layers]
        pooling = [name for name in self._engine.layers if "pool" in name and name not in default]
        selected = {*default, *pooling[:_EXTRA_POOLING_LAYERS]}
        self._layers = tuple(name for name in self._engine.layers if name in selected)
        return self._layers
