"""The inside of the network, moving with the camera: a second worker looks, and the window takes what is newest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mien.apps.desktop.explanation_state import Asking, Insight, Peering, of_look
from mien.apps.session.live_explanation import ExplanationWorker

if TYPE_CHECKING:
    from mien.apps.session.live_camera import CameraWorker
    from mien.engine import Engine


class Moving:
    """Looks from when it is made until it is closed; the question and the layer may change meanwhile."""

    def __init__(self, engine: Engine, watching: CameraWorker, peering: Peering) -> None:
        self._peering = peering
        self._asking = Asking(engine, peering.question, ())
        self._insides = ExplanationWorker(self._asking, watching.newest)
        self._insides.switch(True)
        self._number = 0
        self.rate = 0.0

    def newest(self) -> Insight | None:
        """What was seen since this was asked last; None for nothing new."""
        self._asking.question = self._peering.question
        self._asking.wanted = (self._peering.layer,) if self._peering.layer else ()
        if self._insides.error:
            self._peering.error = self._insides.error
        seen = self._insides.newest
        if seen is None or seen.number == self._number:
            return None
        self._number, self.rate = seen.number, seen.rate
        return of_look(seen.look)

    def close(self) -> None:
        self._insides.close()
