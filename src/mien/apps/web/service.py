"""What the routes share: the concurrency limit, engines with dynamic batching, metrics, settings, the queue of videos.

Dynamic batching: faces of requests that arrive at the same time are classified in one run of the model.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock
from typing import Any

import numpy as np
from flask import current_app
from numpy.typing import NDArray

from mien.apps.session.engines import EngineCache
from mien.apps.session.uploads import Upload
from mien.apps.web.errors import ServerBusy
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.live_sessions import LiveSessions
from mien.apps.web.monitoring import Metrics, TimedLocalDetector, TimedPart
from mien.apps.web.settings import WebSettings
from mien.concurrency import single_core_opencv
from mien.engine import Engine
from mien.faces.detectors import load_detector
from mien.models import Classifier, ModelCard, find_model_file, load_classifier, resolve_model
from mien.models.classifier import Outputs
from mien.models.decision import PRIORS
from mien.video.tracker import LocalDetector


class ConcurrencyLimit:
    """At most ``workers`` holders of a slot at once, and at most ``queue`` requests that wait for one, in order."""

    def __init__(self, workers: int, queue: int) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()
        self._queue, self._workers = queue, workers
        self.running = 0
        #: The moving average of the seconds for which a slot is held; retry times are estimated from it.
        self._average = 0.05

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @contextmanager
    def slot(self, deadline: float, *, bounded: bool = True) -> Iterator[float]:
        """Hold a slot; the value is for how many seconds it was waited for. ServerBusy if there is none in time.

        ``deadline`` is a time of :func:`time.monotonic`. A request that is not ``bounded``, since it has had a slot
        before, joins the queue also when that is full.
        """
        start = time.monotonic()
        self._acquire(deadline, bounded)
        acquired = time.monotonic()
        try:
            with ExitStack() as cores:
                # Alone, an image may use every core; beside others, one core for each is twice as fast for all.
                if self.running > 1:
                    cores.enter_context(single_core_opencv)
                yield acquired - start
        finally:
            self._release(time.monotonic() - acquired)

    def _acquire(self, deadline: float, bounded: bool) -> None:
        with self._lock:
            # First come, first served: a thread that has just released a slot must not overtake those that wait.
            if self.running < self._workers and not self._waiting:
                self.running += 1
                return
            if bounded and len(self._waiting) >= self._queue:
                raise ServerBusy(self._retry_after(), timed_out=False)
            turn = threading.Event()
            self._waiting.append(turn)
        if turn.wait(max(deadline - time.monotonic(), 0)):
            return
        with self._lock:
            if not turn.is_set():  # else the slot was passed on between the timeout and here
                self._waiting.remove(turn)
                raise ServerBusy(self._retry_after(), timed_out=True)

    def _release(self, seconds: float) -> None:
        with self._lock:
            self._average += 0.1 * (seconds - self._average)
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self.running -= 1

    def _retry_after(self) -> int:
        return max(1, round(self.waiting * self._average / self._workers))


class PixelBudget:
    """Limits the pixels of the images that are decoded and analysed at once, and with them the memory of the process.

    An image that alone exceeds the budget is analysed when no other image is.
    """

    def __init__(self, pixels: int) -> None:
        self._total, self._used = pixels, 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, pixels: int, deadline: float) -> Iterator[None]:
        """Hold a part of the budget; ServerBusy if it is not free before ``deadline``, a time of time.monotonic()."""
        part = min(pixels, self._total)
        with self._changed:
            is_free = self._changed.wait_for(
                lambda: self._used + part <= self._total, max(deadline - time.monotonic(), 0.0)
            )
            if not is_free:
                raise ServerBusy(1, timed_out=True)
            self._used += part
        try:
            yield
        finally:
            with self._changed:
                self._used -= part
                self._changed.notify_all()


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
            request.outputs = outputs.rows(start, end)
            start = end


class BatchingEngineLoader:
    """Loads engines whose parts are measured, and whose faces share the runs of one classifier.

    There is one classifier for each model and prior.
    ``others``: are other requests being processed at the moment?
    """

    def __init__(self, settings: WebSettings, metrics: Metrics, others: Callable[[], bool]) -> None:
        self._window, self._metrics, self._others = settings.window_ms / 1000, metrics, others
        self._lock = Lock()
        self._classifiers: dict[tuple[str, str], BatchingClassifier] = {}

    def __call__(self, *, model: str, detector: str, prior: str = PRIORS[0]) -> Engine:
        yunet = find_model_file("yunet") if detector in ("auto", "yunet") else None
        loaded = load_detector(detector, yunet=yunet)
        timed = TimedLocalDetector if isinstance(loaded, LocalDetector) else TimedPart
        part: Any = timed(loaded, self._metrics)
        return Engine(self._classifier(model, prior), part)

    def counts(self) -> tuple[int, int]:
        """The runs of all models so far, and the faces in them."""
        with self._lock:
            classifiers = list(self._classifiers.values())
        return sum(each.runs for each in classifiers), sum(each.faces for each in classifiers)

    def _classifier(self, model: str, prior: str) -> BatchingClassifier:
        with self._lock:
            if (model, prior) not in self._classifiers:
                # One core for each run: a face takes less than a millisecond, and other requests need the other cores.
                classifier = load_classifier(resolve_model(model), threads=1, prior=prior)
                part: Any = TimedPart(classifier, self._metrics)
                self._classifiers[model, prior] = BatchingClassifier(part, window=self._window, others=self._others)
            return self._classifiers[model, prior]


@dataclass(frozen=True, eq=False)
class WebService:
    """The state of one app in one process."""

    settings: WebSettings
    metrics: Metrics
    limit: ConcurrencyLimit
    pixels: PixelBudget
    engines: EngineCache
    jobs: VideoQueue
    live: LiveSessions
    #: Set while the server finishes open requests before it stops.
    stopping: Event = field(default_factory=Event)

    @contextmanager
    def slot(self, upload: Upload, *, bounded: bool = True) -> Iterator[None]:
        """Hold a slot of the concurrency limit and a part of the pixel budget for an image, for which the request waits
        until its deadline. Else ServerBusy.
        """
        deadline = time.monotonic() + self.settings.deadline
        try:
            with (
                self.limit.slot(deadline, bounded=bounded) as seconds,
                self.pixels.hold(upload.count_pixels(), deadline),
            ):
                self.metrics.stages.labels(stage="wait").observe(seconds)
                yield
        except ServerBusy as busy:
            self.metrics.refused.labels(reason="timeout" if busy.timed_out else "queue").inc()
            raise


def current_service() -> WebService:
    """The service of the app that handles the current request."""
    service: WebService = current_app.extensions["mien"]
    return service
