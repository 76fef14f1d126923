"""The application without its window: everything that is open, the camera, and the actions of the user."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock
from time import strftime
from typing import TYPE_CHECKING, TypeAlias

from mien.apps.desktop import saving
from mien.apps.desktop.explanation_state import ExplanationState
from mien.apps.desktop.images import ImageList
from mien.apps.desktop.settings import DesktopSettings
from mien.apps.desktop.state import AppState, ModelSelection, ModelSession
from mien.apps.desktop.video_state import VIDEO_SUFFIXES, VideoState
from mien.apps.desktop.worker import BACKGROUND, IMMEDIATE, Steps, Task
from mien.errors import MienError

if TYPE_CHECKING:
    from mien.apps.session.engines import EngineLoader
    from mien.apps.session.live_camera import CameraWorker, LiveFrame
    from mien.engine import Engine
    from mien.video import Camera
    from mien.video.camera import CameraDevice, CameraSource

    OpenDevice: TypeAlias = Callable[[CameraSource], CameraDevice]

#: The pages in their order.
PAGES = ("photo", "camera", "video", "explain", "models")


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


class DesktopApplication:
    """Its parts publish events of their own; ``page`` is published when another page is to be shown."""

    def __init__(
        self,
        load: EngineLoader,
        settings: DesktopSettings | None = None,
        selection: ModelSelection | None = None,
        open_device: OpenDevice | None = None,
    ) -> None:
        self.state = AppState(load, settings)
        self.state.selection = selection or ModelSelection()
        self.images = ImageList(self.state)
        self.video = VideoState(self.state)
        self.explanation = ExplanationState(self.state, self.images)
        self.camera = CameraState(self.state, self.images, open_device)
        self.page = PAGES[0]
        self.subscribe()

    def subscribe(self) -> None:
        """Subscribe to events that concern several parts; again after all subscribers were removed."""
        self.state.events.subscribe(self._use_selected_model, "selection")
        self.state.events.subscribe(self._update_explanation, "face", "page")

    def load_model(self) -> None:
        """Load the model in the background, while the window is visible already."""
        self.state.select_model(self.state.selection)

    def show_page(self, page: str) -> None:
        if page != self.page:
            self.page = page
            self.state.events.publish("page")

    def open(self, paths: Iterable[Path], *, add_recent: bool = True) -> None:
        """Open images, folders or a video on their page, and add them to the recent files."""
        image_paths, video_paths = split_paths(paths)
        if add_recent:
            for path in (*video_paths[:1], *image_paths):
                self.state.settings = self.state.settings.add_recent(path)
            self.state.store_settings()
        if video_paths:
            self.show_page("video")
            self.video.open(video_paths[0])
            if len(video_paths) > 1:
                self.state.show_message(f"One video can be open at a time. {video_paths[0].name} was opened.")
        if image_paths:
            if not video_paths and self.page not in ("photo", "explain"):
                self.show_page("photo")
            self.images.open(image_paths)

    def poll(self) -> bool:
        """Deliver the results of the worker; to be called often. Returns whether there were any."""
        return self.state.worker.poll()

    @property
    def idle(self) -> bool:
        return self.state.worker.idle

    def cancel(self) -> None:
        """Stop all background work."""
        if self.state.busy:
            self.images.cancel()
            self.video.cancel()
            self.state.cancel_tasks()
            self.state.show_message("Stopped. The results up to now are kept.")

    def close(self) -> None:
        self.camera.close()
        self.state.close()
        self.video.close()

    # Results

    def format_results(self, kind: str) -> str:
        """The results of all images as ``json`` or ``csv``."""
        return saving.format_results(kind, self.images.outcomes(), self.state.labels, self.state.vote_labels)

    def save(self, kind: str, path: Path) -> None:
        """``json`` and ``csv`` of all analysed images; ``image`` and ``report`` of the current one."""
        image, session = self.images.current, self.state.session
        if kind in ("json", "csv"):
            steps = saving.save_text(path, self.format_results(kind))
        elif image is None or image.result is None:
            return
        elif kind == "image":
            steps = saving.save_annotated_image(path, session, image)
        else:
            steps = saving.save_walkthrough(path, session, image, self.images.face_index, self.state.selection)
        self._submit_saving(steps, "Saved")

    def save_video(self, kind: str, path: Path) -> None:
        """A file of one of :data:`mien.apps.desktop.saving.VIDEO_FORMATS`."""
        video = self.video
        if video.video and video.has_results:
            name, _, save = saving.VIDEO_FORMATS[kind]
            self.state.show_message(f"{name}: writing …")
            file = saving.VideoExport(path, self.state.session, video.blur_faces)
            self._submit_saving(save(video.video, file), f"{name} saved")

    def _submit_saving(self, steps: Steps, text: str) -> None:
        self.state.submit(steps, lambda path: self.state.show_message(f"{text} as {path}"), priority=BACKGROUND)

    # Events

    def _use_selected_model(self) -> None:
        self.explanation.clear()
        if self.camera.stage != "off":
            self.camera.stop()
        self.images.analyze_again()
        self.video.analyze_again()

    def _update_explanation(self) -> None:
        if self.page == "explain" and not self.explanation.live:
            self.explanation.update()


def split_paths(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """Images and folders, and videos, each in their order. A GIF is an image."""
    image_paths: list[Path] = []
    video_paths: list[Path] = []
    for path in paths:
        (video_paths if path.suffix.lower() in VIDEO_SUFFIXES else image_paths).append(path)
    return image_paths, video_paths
