"""Films written by PyAV: MP4 with H.264 and WebM with VP8, each frame at its own time, with the sound kept."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mien.results import Pixels
from mien.video.reader_pyav import OWN_FILE


class _Form(NamedTuple):
    """What goes into a container: the encoder with its settings, and which sound it takes as it is."""

    video: str
    options: dict[str, str]
    kept: frozenset[str]
    audio: str


_FORMS = {
    ".mp4": _Form("libx264", {"preset": "veryfast", "crf": "21"}, frozenset(["aac", "mp3"]), "aac"),
    ".webm": _Form(
        "libvpx",
        {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b:v": "4M"},
        frozenset(["opus", "vorbis"]),
        "libopus",
    ),
}

#: Times are kept in these parts of a second.
_TICK = Fraction(1, 90000)


class PyAVEncoder:
    """One film with its sound, which is read along from another file."""

    def __init__(
        self, part: Path, size: tuple[int, int], rate: float, sound: str | PathLike[str] | None, start: float
    ) -> None:
        form = _FORMS[part.suffix.lower()]
        options = {"movflags": "+faststart"} if part.suffix == ".mp4" else {}
        self._out: OutputContainer = av.open(str(part), "w", options=options)
        about = Fraction(rate).limit_denominator(1000)
        self._stream = cast("VideoStream", self._out.add_stream(form.video, rate=about, options=form.options))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TICK
        self._start, self._last = start, -1
        self._sound = None if sound is None else AudioTrack.along(sound, self._out, form.kept, form.audio, start)

    def write(self, pixels: Pixels, seconds: float) -> None:
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        # Two frames never share a tick; the encoder would refuse the second.
        self._last = max(round((seconds - self._start) / _TICK), self._last + 1, 0)
        frame.pts, frame.time_base = self._last, _TICK
        with _told_as_oserror():
            self._out.mux(self._stream.encode(frame))
            if self._sound:
                self._out.mux(list(self._sound.until(seconds)))

    def close(self) -> None:
        with _told_as_oserror(), ExitStack() as closing:
            closing.callback(self._out.close)
            if self._sound:
                closing.callback(self._sound.close)
            if self._last >= 0:
                self._out.mux(self._stream.encode(None))
            if self._last >= 0 and self._sound:
                self._out.mux(list(self._sound.until(self._start + float(self._last * _TICK))))
                self._out.mux(list(self._sound.rest()))


@contextmanager
def _told_as_oserror() -> Iterator[None]:
    """FFmpeg's failures that are none of Python's own."""
    try:
        yield
    except FFmpegError as error:
        raise OSError(error.errno, str(error.strerror)) from error


class AudioTrack:
    """The sound of a film, packet by packet: as it is where the new container takes it, else encoded anew."""

    def __init__(self, source: str, out: OutputContainer, kept: frozenset[str], encoder: str, start: float) -> None:
        self._source = av.open(source, options=OWN_FILE)
        self._from: AudioStream = self._source.streams.audio[0]
        # As the reader counts: an mp4 has a timeline of its own, other films begin at their first packet.
        timeline = "mp4" in self._source.format.name
        self._start = start + (0.0 if timeline else (self._source.start_time or 0) / av.time_base)
        self._zero = self._start - start
        self._copied = self._from.codec_context.name in kept
        if self._copied:
            self._to: AudioStream = out.add_stream_from_template(self._from)
        else:
            self._to = cast("AudioStream", out.add_stream(encoder, rate=48000))
            self._to.layout = "mono" if self._from.layout.nb_channels == 1 else "stereo"
        if start > 0:
            self._source.seek(int(self._start * av.time_base))
        self._packets = self._timed()
        self._next: tuple[float, Packet[Any]] | None = None

    @classmethod
    def along(
        cls, source: str | PathLike[str], out: OutputContainer, kept: frozenset[str], encoder: str, start: float
    ) -> AudioTrack | None:
        """None where there is no sound, or none that can be read: the film is worth more than its sound."""
        try:
            return cls(os.fsdecode(source), out, kept, encoder, start)
        except (FFmpegError, OSError, IndexError, ValueError):
            return None

    def until(self, seconds: float) -> Iterator[Packet[Any]]:
        """Packets for the new film, up to a time of the old one."""
        while (ready := self._next or next(self._packets, None)) is not None:
            self._next = ready
            if ready[0] > seconds:
                return
            self._next = None
            yield ready[1]

    def rest(self) -> Iterator[Packet[Any]]:
        """What the encoder still holds."""
        return iter(() if self._copied else self._to.encode(None))

    def close(self) -> None:
        self._source.close()

    def _timed(self) -> Iterator[tuple[float, Packet[Any]]]:
        return self._as_they_are() if self._copied else self._anew()

    def _as_they_are(self) -> Iterator[tuple[float, Packet[Any]]]:
        base = self._from.time_base or Fraction(1, 1000)
        shift = round(self._start / base)
        for packet in self._source.demux(self._from):
            if packet.pts is None or packet.dts is None or packet.pts < shift:
                continue
            seconds = float(packet.pts * base) - self._zero
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._to
            yield seconds, packet

    def _anew(self) -> Iterator[tuple[float, Packet[Any]]]:
        resampler = av.AudioResampler(format=self._to.format.name, layout=self._to.layout.name, rate=48000)
        for frame in self._source.decode(self._from):
            if frame.time is None or frame.time < self._start:
                continue
            for part in resampler.resample(frame):
                part.pts = None if part.pts is None else part.pts - round(self._start * 48000)
                for packet in self._to.encode(part):
                    yield frame.time - self._zero, packet
