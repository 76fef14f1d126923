"""The camera: opened when it is asked for, read by its own threads, and released whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import strftime
from typing import TYPE_CHECKING, TypeAlias

from mien.apps.desktop.model_session import Bench, Choice
from mien.apps.desktop.pictures import Album
from mien.apps.desktop.state import Ground
from mien.apps.desktop.worker import NOW, Steps, Task
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.apps.session.live_camera import CameraWorker, LiveFrame
    from mien.engine import Engine
    from mien.video import Camera
    from mien.video.camera import CameraDevice, CameraSource

    OpenDevice: TypeAlias = Callable[[CameraSource], CameraDevice]

_DEVICES = Path("/dev")


def sources() -> tuple[str, ...]:
    """The cameras' numbers, as far as the system tells without opening one; the first where it does not."""
    there = sorted(int(path.name[5:]) for path in _DEVICES.glob("video[0-9]*") if path.name[5:].isdigit())
    return tuple(map(str, there)) or ("0",)


class Cameras:
    """Rings ``camera`` when it is opened, open, closed, or has failed: ``stage`` is off, opening or on.

    ``error`` is why the last one ended, where it ended by itself.
    """

    def __init__(self, ground: Ground, album: Album, opened: OpenDevice | None = None) -> None:
        """``opened`` opens the device, for other devices than OpenCV knows."""
        self._ground, self._album, self._device = ground, album, opened
        self.stage = "off"
        self.source, self.mirror = "", True
        self.error: MienError | None = None
        self.watching: CameraWorker | None = None
        self.engine: Engine | None = None
        self._opened: list[Camera] = []
        self._lock = Lock()
        self._task: Task | None = None

    def start(self, source: str, mirror: bool = True) -> None:
        """Open it, in the worker: some take seconds."""
        if self.stage != "off":
            return
        self.stage, self.source, self.mirror, self.error = "opening", source, mirror, None
        steps = self._opening(self._ground.bench, self._ground.choice, source, mirror)
        self._task = self._ground.do(steps, self._hear, urgency=NOW, failed=self._fail)
        self._ground.bells.ring("camera")

    def stop(self) -> None:
        """Release it; whoever waits for it does so elsewhere."""
        if self._task:
            self._task.cancel()
        watching, self.watching, self.stage = self.watching, None, "off"
        self._ground.do(self._closing(watching))
        self._ground.bells.ring("camera")

    def over(self) -> None:
        """It ended by itself: its film is over, or it was unplugged."""
        if self.watching is not None:
            self.error = self.watching.error
            self.stop()

    def keep(self, view: LiveFrame) -> None:
        """A snapshot: it becomes one of the open pictures, and no file until somebody saves it."""
        self._album.take(view.pixels, f"camera {strftime('%H:%M:%S')}")
        self._ground.say("The snapshot is open under Photo, and not saved yet.")

    def close(self) -> None:
        """The window goes: nothing may stay open."""
        if self.watching is not None:
            self.watching.close()
            self.watching = None
        with self._lock:
            for camera in self._opened:
                camera.close()
            self._opened.clear()

    def _opening(self, bench: Bench, choice: Choice, source: str, mirror: bool) -> Steps:
        from mien import video

        engine = bench.engine(choice)
        yield None
        camera = video.open_camera(source, mirror=mirror, opened=self._device)
        with self._lock:
            self._opened.append(camera)
        yield engine, camera

    def _closing(self, watching: CameraWorker | None) -> Steps:
        if watching is not None:
            watching.close()
        yield None
        with self._lock:
            # Whatever was opened for somebody who no longer wanted it.
            left, self._opened = self._opened, []
        for camera in left:
            camera.close()

    def _hear(self, opened: tuple[Engine, Camera]) -> None:
        from mien.apps.session.live_camera import CameraWorker

        self.engine, camera = opened
        self.watching, self.stage = CameraWorker(self.engine, camera), "on"
        self._ground.bells.ring("camera")

    def _fail(self, error: MienError) -> None:
        self.stage, self.error = "off", error
        self._ground.bells.ring("camera")
