"""Faces of requests that arrive together go through the model in one run."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.models import Classifier, ModelCard
from mien.models.classifier import Outputs

#: The most faces in one run; more wait for the next.
MAX_BATCH = 64


class _PendingFaces:
    def __init__(self, faces: NDArray[np.uint8]) -> None:
        self.faces = faces
        self.called = threading.Event()
        self.outputs: Outputs | None = None
        self.error: Exception | None = None


class BatchingClassifier:
    """A classifier in front of another. Whoever finds it idle runs at once; who comes meanwhile joins the next run.

    ``window`` is for how many seconds a run is held back for more faces, and only while others are at work too:
    ``others`` says whether they are. So an idle server never waits.
    """

    def __init__(self, inner: Classifier, *, window: float = 0.0, others: Callable[[], bool] = lambda: False) -> None:
        self._inner, self._window, self._others = inner, window, others
        self._lock = threading.Lock()
        self._pending: list[_PendingFaces] = []
        self._running = False
        #: Who looks inside opens the same file for it.
        self.model = getattr(inner, "model", None)
        self.threads = getattr(inner, "threads", None)
        #: Runs so far, and the faces in them.
        self.runs = self.faces = 0

    @property
    def card(self) -> ModelCard:
        return self._inner.card

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        ticket = _PendingFaces(faces)
        if not self._leads(ticket):
            ticket.called.wait()
        if ticket.outputs is None and ticket.error is None:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        assert ticket.outputs is not None, "whoever leads runs its own ticket first"
        return ticket.outputs

    def _leads(self, ticket: _PendingFaces) -> bool:
        with self._lock:
            self._pending.append(ticket)
            first, self._running = not self._running, True
            return first

    def _lead(self) -> None:
        """One run for all who wait, then the next of those who came meanwhile leads."""
        if self._window and self._others():
            time.sleep(self._window)
        batch = self._taken()
        try:
            self._answer(batch)
        finally:
            with self._lock:
                self._running = bool(self._pending)
                following = self._pending[0] if self._pending else None
            for ticket in batch:
                ticket.called.set()
            if following is not None:
                following.called.set()

    def _taken(self) -> list[_PendingFaces]:
        with self._lock:
            count, total = 0, 0
            for ticket in self._pending:
                total += len(ticket.faces)
                if count and total > MAX_BATCH:
                    break
                count += 1
            batch, self._pending = self._pending[:count], self._pending[count:]
            self.runs += 1
            self.faces += sum(len(ticket.faces) for ticket in batch)
            return batch

    def _answer(self, batch: list[_PendingFaces]) -> None:
        try:
            _share_out(batch, self._inner.run(_joined(batch)))
        except Exception as error:  # noqa: BLE001  # a bug in one run is for each who asked for it, and for nobody else
            if len(batch) == 1:
                batch[0].error = error
                return
            # One of them stops the model: each has another chance by itself.
            for ticket in batch:
                self._answer([ticket])


def _joined(batch: list[_PendingFaces]) -> NDArray[np.uint8]:
    return batch[0].faces if len(batch) == 1 else np.concatenate([ticket.faces for ticket in batch])


def _share_out(batch: list[_PendingFaces], outputs: Outputs) -> None:
    start = 0
    for ticket in batch:
        end = start + len(ticket.faces)
        votes = None if outputs.votes is None else outputs.votes[start:end]
        ticket.outputs = Outputs(outputs.scores[start:end], votes)
        start = end
