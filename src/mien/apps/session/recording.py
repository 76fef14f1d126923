"""What is shown, into a film file: painted and encoded in a thread of its own, so that the picture does not wait."""

from __future__ import annotations

from pathlib import Path
from queue import Full, Queue
from threading import Thread

from mien import video
from mien.apps.session.live_camera import LiveFrame
from mien.draw import draw_readings
from mien.errors import MienError
from mien.video.annotate import simplify_labels
from mien.video.writers import VideoWriter

#: Frames that may wait; more are left out of the film, and counted.
_WAITING = 8


class CameraRecorder:
    """A film of what a camera showed. Give it views; ``close`` finishes the file. The first error is kept."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float | None) -> None:
        self._begin(video.open_writer(path, size, rate))

    def _begin(self, sink: VideoWriter) -> None:
        self._sink = sink
        self.left_out = 0
        self.error: MienError | None = None
        self._queue: Queue[LiveFrame | None] = Queue(_WAITING)
        self._first: float | None = None
        self._thread = Thread(target=self._write, name="mien-recording", daemon=True)
        self._thread.start()

    def add(self, view: LiveFrame) -> None:
        try:
            self._queue.put_nowait(view)
        except Full:
            self.left_out += 1

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._sink.close()

    def _write(self) -> None:
        while (view := self._queue.get()) is not None:
            if self._first is None:
                self._first = view.seconds
            try:
                if self.error is None:
                    self._sink.write(draw_readings(view.pixels, simplify_labels(view.steady.result)), view.seconds - self._first)
            except MienError as error:
                self.error = error
            except Exception as error:  # noqa: BLE001  # the edge of an app: whoever closes it waits for this thread
                self.error = MienError(
                    f"This is a bug in mien: {type(error).__name__}: {error}", "", "Please report it"
                )
