"""Recording of the annotated frames of a camera in a thread of its own, so that the display does not wait."""

from __future__ import annotations

from queue import Full, Queue
from threading import Thread

from mien.apps.session.live_camera import LiveFrame
from mien.draw import draw_readings
from mien.errors import MienError
from mien.video.annotate import simplify_labels
from mien.video.writers import VideoWriter

#: Frames that wait for the encoder; further frames are left out of the recording and counted.
_MAX_WAITING = 8


class CameraRecorder:
    """Writes frames to a video. ``close`` finishes the file; ``error`` is the first error of the writer."""

    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self.skipped = 0
        self.error: MienError | None = None
        self._queue: Queue[LiveFrame | None] = Queue(_MAX_WAITING)
        self._start: float | None = None
        self._thread = Thread(target=self._write_frames, name="mien-recording", daemon=True)
        self._thread.start()

    def add(self, frame: LiveFrame) -> None:
        """Add a frame; returns at once."""
        try:
            self._queue.put_nowait(frame)
        except Full:
            self.skipped += 1

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()
        self._writer.close()

    def _write_frames(self) -> None:
        while (frame := self._queue.get()) is not None:
            if self._start is None:
                self._start = frame.seconds
            try:
                if self.error is None:
                    pixels = draw_readings(frame.pixels, simplify_labels(frame.smoothed.result))
                    self._writer.write(pixels, frame.seconds - self._start)
            except MienError as error:
                self.error = error
            except Exception as error:  # noqa: BLE001 - close() waits for this thread, which must not end early
                bug = f"This is a bug in mien: {type(error).__name__}: {error}"
                self.error = MienError(bug, "", "Please report it")
