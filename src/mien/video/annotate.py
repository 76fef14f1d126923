"""The annotated film: every frame that was read, with boxes and labels, and with hidden faces where that was asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from mien import video
from mien.draw import draw_readings
from mien.results import AnalyzedFrame, FrameResult, Pixels, Reading
from mien.video import VideoInfo
from mien.video.anonymize import BlurredFrame, FaceBlur
from mien.video.journal import AnalysisOptions


class AnnotatedVideo:
    """Writes the film as its moments come. What was written when it ends, however it does, is a whole film."""

    def __init__(self, target: Path, wish: AnalysisOptions, about: VideoInfo, *, hide: bool = False) -> None:
        self._hiding = FaceBlur() if hide else None
        start = wish.start or 0.0
        self._sink = video.open_writer(target, about.size, _rate(wish, about), sound=wish.source, start=start)

    def add(self, moment: AnalyzedFrame) -> None:
        """``moment`` has its pixels."""
        assert moment.pixels is not None, "whoever paints asks for frames"
        if self._hiding is None:
            self._write(moment.pixels, moment)
            return
        faces = [(reading.track, reading.face.box) for reading in moment]
        ticket = replace(moment, pixels=None)
        for hidden in self._hiding.step(moment.pixels, moment.seconds, faces, ticket):
            self._write_hidden(hidden)

    def close(self) -> None:
        if self._hiding is not None:
            for hidden in self._hiding.finish():
                self._write_hidden(hidden)
        self._sink.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write_hidden(self, hidden: BlurredFrame) -> None:
        assert isinstance(hidden.ticket, AnalyzedFrame), "it was given with the frame"
        self._write(hidden.pixels, hidden.ticket)

    def _write(self, pixels: Pixels, moment: AnalyzedFrame) -> None:
        self._sink.write(draw_readings(pixels, simplify_labels(moment.result)), moment.seconds)


def _rate(wish: AnalysisOptions, about: VideoInfo) -> float | None:
    """About how many frames a second are read."""
    rate = about.rate and about.rate / (wish.every or 1)
    return min(rate or wish.fps, wish.fps) if wish.fps else rate


def simplify_labels(result: FrameResult) -> FrameResult:
    """The result as it is painted: a face that cannot be judged is as doubtful as one that shows nothing clearly."""
    return replace(result, readings=tuple(map(_shown, result.readings)))


def _shown(reading: Reading) -> Reading:
    emotions = reading.emotions
    if reading.quality.ok:
        # One word on a moving picture; mixtures are for those who stand still before one.
        return replace(reading, emotions=replace(emotions, mixture=()))
    doubt = reading.quality.reason or "the face is not clear"
    return replace(reading, emotions=replace(emotions, mixture=(), uncertain=doubt))
