"""Dynamic batching: faces of requests that arrive at the same time are classified in one run of the model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mien.models import Classifier, ModelCard
from mien.models.classifier import Outputs

#: The maximum number of faces in one run; further requests wait for the next run.
MAX_BATCH = 64


class _PendingFaces:
    """The faces of one call, and then its outputs or its error. ``ready``: it has one of them, or leads a run."""

    def __init__(self, faces: NDArray[np.uint8]) -> None:
        self.faces = faces
        self.ready = threading.Event()
        self.outputs: Outputs | None = None
        self.error: Exception | None = None


class BatchingClassifier:
    """A classifier in front of ``inner``. A call that finds it idle runs at once; calls during a run share the next.

    ``window`` is for how many seconds a run waits for more faces, and only while ``others`` is true: while other
    requests are being processed. An idle server never waits.
    """

    def __init__(self, inner: Classifier, *, window: float = 0.0, others: Callable[[], bool] = lambda: False) -> None:
        self._inner, self._window, self._others = inner, window, others
        self._lock = threading.Lock()
        self._waiting: list[_PendingFaces] = []
        self._running = False
        #: Explanations open the same file again, with more outputs.
        self.model = getattr(inner, "model", None)
        self.threads = getattr(inner, "threads", None)
        #: The runs so far, and the faces in them.
        self.runs = self.faces = 0

    @property
    def card(self) -> ModelCard:
        return self._inner.card

    @property
    def running(self) -> bool:
        return self._running

    @property
    def waiting(self) -> int:
        """The number of calls whose run has not started."""
        return len(self._waiting)

    def run(self, faces: NDArray[np.uint8]) -> Outputs:
        request = _PendingFaces(faces)
        with self._lock:
            self._waiting.append(request)
            idle, self._running = not self._running, True
        if not idle:
            request.ready.wait()
        if request.outputs is None and request.error is None:
            self._run_batch()
        if request.error is not None:
            raise request.error
        assert request.outputs is not None, "the thread that runs a batch has the first request of it"
        return request.outputs

    def _run_batch(self) -> None:
        """Run the requests that wait; then the thread of the first one that came meanwhile runs the next batch."""
        if self._window and self._others():
            time.sleep(self._window)
        batch = self._next_batch()
        try:
            self._classify(batch)
        finally:
            with self._lock:
                self._running = bool(self._waiting)
                following = self._waiting[:1]
            for request in [*batch, *following]:
                request.ready.set()

    def _next_batch(self) -> list[_PendingFaces]:
        with self._lock:
            count, total = 0, 0
            for request in self._waiting:
                total += len(request.faces)
                if count and total > MAX_BATCH:
                    break
                count += 1
            batch, self._waiting = self._waiting[:count], self._waiting[count:]
            self.runs += 1
            self.faces += sum(len(request.faces) for request in batch)
            return batch

    def _classify(self, batch: list[_PendingFaces]) -> None:
        faces = batch[0].faces if len(batch) == 1 else np.concatenate([request.faces for request in batch])
        try:
            outputs = self._inner.run(faces)
        except Exception as error:  # noqa: BLE001 - any error belongs to the request that causes it, not to the thread
            if len(batch) == 1:
                batch[0].error = error
                return
            # Faces of one request make the run fail: run each request alone, so that the others succeed.
            for request in batch:
                self._classify([request])
            return
        start = 0
        for request in batch:
            end = start + len(request.faces)
            votes = None if outputs.votes is None else outputs.votes[start:end]
            request.outputs = Outputs(outputs.scores[start:end], votes)
            start = end
