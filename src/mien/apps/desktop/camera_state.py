"""The camera: opened on request, read by threads of its own, and released whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import strftime
from typing import TYPE_CHECKING, TypeAlias

from mien.apps.desktop.images import ImageList
from mien.apps.desktop.model_session import ModelSelection, ModelSession
from mien.apps.desktop.state import AppState
from mien.apps.desktop.worker import IMMEDIATE, Steps, Task
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.apps.session.live_camera import CameraWorker, LiveFrame
    from mien.engine import Engine
    from mien.video import Camera
    from mien.video.camera import CameraDevice, CameraSource

    OpenDevice: TypeAlias = Callable[[CameraSource], CameraDevice]

_DEVICE_FOLDER = Path("/dev")


def list_cameras() -> tuple[str, ...]:
    """The numbers of the cameras, where the system lists them without opening one; elsewhere the first."""
    devices = _DEVICE_FOLDER.glob("video[0-9]*")
    numbers = sorted(int(path.name[5:]) for path in devices if path.name[5:].isdigit())
    return tuple(map(str, numbers)) or ("0",)


class CameraState:
    """``stage`` is off, opening or on; ``error`` is why the camera ended by itself. Topic: ``camera``."""

    def __init__(self, state: AppState, images: ImageList, open_device: OpenDevice | None = None) -> None:
        """``open_device`` opens devices that OpenCV does not know, such as fakes."""
        self._state, self._images, self._open_device = state, images, open_device
        self.stage = "off"
        self.source, self.mirror = "", True
        self.error: MienError | None = None
        self.reader: CameraWorker | None = None
        self.engine: Engine | None = None
        self._cameras: list[Camera] = []
        self._lock = Lock()
        self._opening: Task | None = None

    @property
    def open_count(self) -> int:
        """The number of devices that are open."""
        with self._lock:
            return len(self._cameras)

    def start(self, source: str, mirror: bool = True) -> None:
        """Open the camera in the worker: some take seconds."""
        if self.stage != "off":
            return
        self.stage, self.source, self.mirror, self.error = "opening", source, mirror, None
        steps = self._open(self._state.session, self._state.selection, source, mirror)
        self._opening = self._state.submit(steps, self._start_reading, priority=IMMEDIATE, on_error=self._fail)
        self._state.events.publish("camera")

    def stop(self) -> None:
        """Release the camera; the worker waits for it."""
        if self._opening:
            self._opening.cancel()
        reader, self.reader, self.stage = self.reader, None, "off"
        self._state.submit(self._release(reader))
        self._state.events.publish("camera")

    def handle_end(self) -> None:
        """The camera ended by itself: it was unplugged, or the video that stands in for it is over."""
        if self.reader is not None:
            self.error = self.reader.error
            self.stop()

    def open_snapshot(self, frame: LiveFrame) -> None:
        """Add the frame to the open images. No file is written until the user saves it."""
        self._images.add(frame.pixels, f"camera {strftime('%H:%M:%S')}")
        self._state.show_message("The snapshot is open on the page Photo. It is not saved yet.")

    def close(self) -> None:
        """Release all cameras at once: the window is closing."""
        if self.reader is not None:
            self.reader.close()
            self.reader = None
        self._close_devices()

    def _open(self, session: ModelSession, selection: ModelSelection, source: str, mirror: bool) -> Steps:
        from mien import video

        engine = session.engine(selection)
        yield None
        camera = video.open_camera(source, mirror=mirror, open_device=self._open_device)
        with self._lock:
            self._cameras.append(camera)
        yield engine, camera

    def _release(self, reader: CameraWorker | None) -> Steps:
        if reader is not None:
            reader.close()
        yield None
        self._close_devices()

    def _close_devices(self) -> None:
        """Also those whose opening was cancelled."""
        with self._lock:
            cameras, self._cameras = self._cameras, []
        for camera in cameras:
            camera.close()

    def _start_reading(self, opened: tuple[Engine, Camera]) -> None:
        from mien.apps.session.live_camera import CameraWorker

        self.engine, camera = opened
        self.reader, self.stage = CameraWorker(self.engine, camera), "on"
        self._state.events.publish("camera")

    def _fail(self, error: MienError) -> None:
        self.stage, self.error = "off", error
        self._state.events.publish("camera")
