"""The inside of the network, moving: a second worker looks at the newest face a dozen times a second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

#: Looks a second: smooth to the eye, and little beside reading.
UPDATES_PER_SECOND = 15.0

#: So many poolings are shown besides the layers that a quick look takes by itself.
_POOLS = 1


class ActivationSource(Protocol):
    """What can be looked into; :class:`mien.Engine` is the real one."""

    @property
    def card(self) -> ModelCard: ...

    @property
    def detector(self) -> str: ...

    @property
    def layers(self) -> tuple[str, ...]: ...

    def activations(self, crop: NDArray[np.uint8], layers: str | Sequence[str] = "auto") -> Activations: ...


class LiveActivations:
    """What was seen inside: the ``look`` and the ``reading`` whose face it was."""

    def __init__(self, number: int, look: Activations, reading: Reading, rate: float) -> None:
        self.number, self.look, self.reading, self.rate = number, look, reading, rate


class ExplanationWorker:
    """Looks while it is ``on``; nothing is opened before that."""

    def __init__(self, engine: ActivationSource, newest: Callable[[], LiveFrame | None]) -> None:
        self._engine, self._newest_view = engine, newest
        self._framing = select_framing(engine.card, engine.detector)
        self._on, self._over = Event(), Event()
        self._newest: LiveActivations | None = None
        self._layers: tuple[str, ...] = ()
        self.error: MienError | None = None
        self._thread = Thread(target=self._look, name="mien-inside", daemon=True)
        self._thread.start()

    @property
    def newest(self) -> LiveActivations | None:
        return self._newest if self._on.is_set() else None

    def switch(self, on: bool) -> None:
        if on:
            self._on.set()
        else:
            self._on.clear()
            self._newest = None

    def close(self) -> None:
        self._over.set()
        self._on.set()
        self._thread.join(2.0)

    def _look(self) -> None:
        told, rate, before = 0, 0.0, monotonic()
        while self._on.wait() and not self._over.is_set():
            began = monotonic()
            view = self._newest_view()
            if view is not None and view.number > told and (reading := view.reading()) is not None:
                try:
                    look = self._engine.activations(self._crop(view, reading), self._chosen())
                except MienError as error:
                    self.error = error
                    return
                rate = 0.9 * rate + 0.1 / max(began - before, 1e-3) if rate else UPDATES_PER_SECOND
                before, told = began, view.number
                self._newest = LiveActivations(view.number, look, reading, rate)
            self._over.wait(max(1 / UPDATES_PER_SECOND - (monotonic() - began), 0.004))

    def _crop(self, view: LiveFrame, reading: Reading) -> NDArray[np.uint8]:
        return crop_face(view.pixels, reading.face, self._framing, self._engine.card.side)

    def _chosen(self) -> str | Sequence[str]:
        """What a quick look shows by itself, and a pooling where that has none."""
        if not self._layers:
            side = self._engine.card.side
            by_itself = [layer.name for layer in self._engine.activations(np.zeros((side, side), np.uint8)).layers]
            pools = [name for name in self._engine.layers if "pool" in name and name not in by_itself][:_POOLS]
            wanted = {*by_itself, *pools}
            self._layers = tuple(name for name in self._engine.layers if name in wanted)
        return self._layers or "auto"
