"""The annotated video: every analysed frame with boxes and labels, and with blurred faces on request."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from mien import video
from mien.draw import draw_readings
from mien.results import AnalyzedFrame, FrameResult, Pixels, Reading
from mien.video import VideoInfo
from mien.video.anonymize import FaceBlur
from mien.video.journal import AnalysisOptions


class AnnotatedVideo:
    """Writes the frames of one video as they are analysed. Whenever it is closed, the file is a complete video."""

    def __init__(self, path: Path, options: AnalysisOptions, info: VideoInfo, *, blur_faces: bool = False) -> None:
        self._blur: FaceBlur[AnalyzedFrame] | None = FaceBlur() if blur_faces else None
        fps = info.fps and info.fps / (options.every or 1)
        fps = min(fps or options.fps, options.fps) if options.fps else fps
        self._writer = video.open_writer(path, info.size, fps, audio=options.source, start=options.start or 0.0)

    def add(self, frame: AnalyzedFrame) -> None:
        """Add a frame with its pixels."""
        assert frame.pixels is not None, "frames are analysed with frames=True"
        if self._blur is None:
            self._write(frame.pixels, frame)
            return
        faces = [(reading.track, reading.face.box) for reading in frame]
        for blurred in self._blur.step(frame.pixels, frame.seconds, faces, replace(frame, pixels=None)):
            self._write(blurred.pixels, blurred.payload)

    def close(self) -> None:
        if self._blur is not None:
            for blurred in self._blur.finish():
                self._write(blurred.pixels, blurred.payload)
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, pixels: Pixels, frame: AnalyzedFrame) -> None:
        self._writer.write(draw_readings(pixels, simplify_labels(frame.result)), frame.seconds)


def simplify_labels(result: FrameResult) -> FrameResult:
    """The result for drawing on moving images: one label without a mixture, and uncertain for unusable faces."""
    return replace(result, readings=tuple(map(_simplify, result.readings)))


def _simplify(reading: Reading) -> Reading:
    emotions = replace(reading.emotions, mixture=())
    if not reading.quality.ok:
        emotions = replace(emotions, uncertain=reading.quality.reason or "the face is not clear")
    return replace(reading, emotions=emotions)
