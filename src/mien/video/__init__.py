"""Videos: readers, writers and cameras; tracking, smoothing, events, reports and resumable analysis."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mien.video.frames import Frame, FrameSelection, VideoInfo, VideoReader, VideoSource
from mien.video.readers import open_video_file

if TYPE_CHECKING:
    from mien.video.camera import Camera as Camera
    from mien.video.camera import open_camera as open_camera
    from mien.video.writers import open_writer as open_writer

__all__ = [
    "Camera",
    "Frame",
    "FrameSelection",
    "VideoInfo",
    "VideoReader",
    "VideoSource",
    "open_camera",
    "open_video",
    "open_writer",
]

# Loaded when first used: they import OpenCV.
_LAZY = {"Camera": "camera", "open_camera": "camera", "open_writer": "writers"}


def open_video(
    source: VideoSource, *, fps: float = 25.0, reader: str | None = None, max_pixels: int | None = None
) -> VideoReader:
    """Open a video: a path, the bytes of a video file, a folder of images, a camera's number, or an open video.

    ``fps`` is the number of images a second of a folder. ``reader`` is ``pyav`` or ``opencv``; None takes PyAV where
    it is installed. A frame with more pixels than ``max_pixels`` (else ``MIEN_MAX_PIXELS``) is not decoded. Raises
    :class:`SourceError` before any frame is read.
    """
    if isinstance(source, int) and not isinstance(source, bool):
        from mien.video.camera import open_camera

        return open_camera(source)
    return open_video_file(source, fps=fps, reader=reader, max_pixels=max_pixels)


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(f"mien.video.{_LAZY[name]}"), name)
    raise AttributeError(f"module 'mien.video' has no attribute {name!r}")
