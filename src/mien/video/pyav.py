"""Video files read and written with PyAV (the extra 'video'): exact times of the container, and audio.

Written are MP4 with H.264 and WebM with VP8, each frame at its own time, with the audio track of another file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from fractions import Fraction
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from mien.results import Pixels
from mien.video.frames import EncodedFrame, VideoInfo

#: What PyAV raises for damaged data.
DAMAGE = (FFmpegError, ValueError)

#: Frames with at least so many pixels are decoded with two threads.
_LARGE_FRAME = 1280 * 720

#: Pixels by which a coded frame may be larger than the shown one: codecs extend it to whole blocks.
_CODED_MARGIN = 1 << 16

#: A video file may refer to other files and addresses, which must not be opened.
LOCAL_FILE_ONLY = {"protocol_whitelist": "file"}


class PyAVReader:
    """The first video stream of a file. Raises :data:`DAMAGE` if it cannot be opened, LookupError without a stream."""

    damage: str | None = None

    def __init__(self, path: str, name: str, *, timeline: bool = False, max_pixels: int | None = None) -> None:
        """``timeline``: the container's clock begins at 0, and the first frame may come later (mp4, mov).

        If the size that the container states is within ``max_pixels``, the decoder refuses larger frames.
        """
        with ExitStack() as on_error:
            self._container: InputContainer = on_error.enter_context(av.open(path, options=LOCAL_FILE_ONLY))
            self._stream = self._select_stream(name)
            if max_pixels and self._stream.width * self._stream.height <= max_pixels:
                self._stream.codec_context.options = {"max_pixels": str(max_pixels + _CODED_MARGIN)}
            self._zero = 0.0 if timeline else (self._container.start_time or 0) / av.time_base
            self._first = self._decode_first()
            self._is_read = False
            self.info = self._read_info(name)
            on_error.pop_all()

    def read_from(self, start: float) -> Iterator[EncodedFrame]:
        if start <= 0 and self._is_read:
            self._rewind()
        self._is_read = True
        index, frames = (0, self._decode_frames()) if start <= 0 else self._seek(start)
        seconds = 0.0
        for frame in frames:
            time = self._seconds(frame)
            seconds = max(seconds, seconds + self._frame_seconds if time is None else time)
            yield EncodedFrame(index, round(seconds, 6), partial(rgb_pixels, frame))
            index += 1

    def close(self) -> None:
        self._container.close()

    def _select_stream(self, name: str) -> VideoStream:
        # A cover image is a video stream too.
        streams = [
            stream for stream in self._container.streams.video if not stream.disposition & Disposition.attached_pic
        ]
        if not streams:
            raise LookupError(name)
        stream = streams[0]
        large = stream.width * stream.height >= _LARGE_FRAME
        stream.thread_type, stream.thread_count = ("AUTO", 2) if large else ("SLICE", 1)
        return stream

    def _decode_first(self) -> VideoFrame | None:
        """The first frame, for its rotation and time; the file is rewound afterwards."""
        first = next(self._decode_frames(), None)
        self.damage = None if first else self.damage
        if first is not None:
            self._rewind()
        return first

    def _decode_frames(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded; damaged packets are reported in ``damage`` and left out."""
        try:
            for packet in self._container.demux(self._stream):
                try:
                    yield from packet.decode()
                except DAMAGE as error:
                    self.damage = self.damage or f"parts of it are damaged ({_reason(error)})"
        except DAMAGE as error:
            self.damage = self.damage or f"it could not be read to its end ({_reason(error)})"

    def _seek(self, start: float) -> tuple[int, Iterator[VideoFrame]]:
        """The index of a frame at or before ``start``, and the frames from there on."""
        base = self._stream.time_base or Fraction(1, 1000)
        with suppress(*DAMAGE):  # no index, or not seekable
            self._container.seek(int((start + self._zero) / base), stream=self._stream, backward=True)
            frames = self._decode_frames()
            first = next(frames, None)
            seconds = None if first is None else self._seconds(first)
            if first is not None and seconds is not None and seconds <= start:
                beginning = 0.0 if self._first is None else self._seconds(self._first) or 0.0
                return round((seconds - beginning) / self._frame_seconds), chain([first], frames)
        self._rewind()
        return 0, self._decode_frames()

    def _rewind(self) -> None:
        self._container.seek(min(self._stream.start_time or 0, 0), stream=self._stream)

    def _seconds(self, frame: VideoFrame) -> float | None:
        return None if frame.time is None else frame.time - self._zero

    @property
    def _frame_seconds(self) -> float:
        return 1 / (self.info.fps or 25.0)

    def _read_info(self, name: str) -> VideoInfo:
        fps = self._stream.average_rate or self._stream.guessed_rate
        seconds = self._duration()
        size = (self._stream.width, self._stream.height)
        if self._first is not None and self._first.rotation % 180:
            size = size[::-1]
        frames = self._stream.frames or (round(seconds * fps) if seconds and fps else None)
        audio = bool(self._container.streams.audio)
        return VideoInfo(name, size, float(fps) if fps else None, seconds, frames, audio)

    def _duration(self) -> float | None:
        stream = self._stream
        if stream.duration is not None and stream.time_base is not None:
            delay = float((stream.start_time or 0) * stream.time_base) - self._zero
            return float(stream.duration * stream.time_base) + delay
        return None if self._container.duration is None else self._container.duration / av.time_base


def rgb_pixels(frame: VideoFrame) -> Pixels:
    """A decoded frame as RGB uint8, with the rotation of the container applied."""
    pixels = frame.to_ndarray(format="rgb24")
    quarters = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(pixels, quarters) if quarters else pixels, np.uint8)


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".") or type(error).__name__


# Writing


class _Container(NamedTuple):
    """Video encoder and its options; audio codecs that are copied without encoding, and the encoder for others."""

    video: str
    options: dict[str, str]
    copied_audio: frozenset[str]
    audio_encoder: str


_CONTAINERS = {
    ".mp4": _Container("libx264", {"preset": "veryfast", "crf": "21"}, frozenset(["aac", "mp3"]), "aac"),
    ".webm": _Container(
        "libvpx",
        {"deadline": "realtime", "cpu-used": "8", "crf": "10", "b:v": "4M"},
        frozenset(["opus", "vorbis"]),
        "libopus",
    ),
}

#: The unit of time of frames, in seconds.
_TICK = Fraction(1, 90000)


class PyAVEncoder:
    """Encodes one video, with the audio track of another file."""

    def __init__(
        self, part: Path, size: tuple[int, int], fps: float, audio: str | PathLike[str] | None, start: float
    ) -> None:
        container = _CONTAINERS[part.suffix.lower()]
        options = {"movflags": "+faststart"} if part.suffix == ".mp4" else {}
        self._output: OutputContainer = av.open(str(part), "w", options=options)
        rate = Fraction(fps).limit_denominator(1000)
        stream = self._output.add_stream(container.video, rate=rate, options=container.options)
        self._stream = cast("VideoStream", stream)
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _TICK
        self._start, self._last_tick = start, -1
        self._audio = None if audio is None else AudioTrack.open(audio, self._output, container, start)

    def write(self, pixels: Pixels, seconds: float) -> None:
        frame = VideoFrame.from_ndarray(pixels, format="rgb24")
        # The encoder rejects two frames with the same time.
        self._last_tick = max(round((seconds - self._start) / _TICK), self._last_tick + 1, 0)
        frame.pts, frame.time_base = self._last_tick, _TICK
        with _ffmpeg_errors_as_oserror():
            self._output.mux(self._stream.encode(frame))
            if self._audio:
                self._output.mux(list(self._audio.read_until(seconds)))

    def close(self) -> None:
        with _ffmpeg_errors_as_oserror(), ExitStack() as stack:
            stack.callback(self._output.close)
            if self._audio:
                stack.callback(self._audio.close)
            if self._last_tick >= 0:
                self._output.mux(self._stream.encode(None))
            if self._last_tick >= 0 and self._audio:
                self._output.mux(list(self._audio.read_until(self._start + float(self._last_tick * _TICK))))
                self._output.mux(list(self._audio.flush()))


@contextmanager
def _ffmpeg_errors_as_oserror() -> Iterator[None]:
    try:
        yield
    except FFmpegError as error:
        raise OSError(error.errno, str(error.strerror)) from error


class AudioTrack:
    """The audio of a video, packet by packet: copied where the new container supports its codec, else encoded."""

    def __init__(self, path: str, output: OutputContainer, container: _Container, start: float) -> None:
        self._source = av.open(path, options=LOCAL_FILE_ONLY)
        self._input_stream: AudioStream = self._source.streams.audio[0]
        # The same clock as the reader's: mp4 has its own timeline, other containers begin at their first packet.
        timeline = "mp4" in self._source.format.name
        self._start = start + (0.0 if timeline else (self._source.start_time or 0) / av.time_base)
        self._zero = self._start - start
        self._copies = self._input_stream.codec_context.name in container.copied_audio
        if self._copies:
            self._output_stream: AudioStream = output.add_stream_from_template(self._input_stream)
        else:
            self._output_stream = cast("AudioStream", output.add_stream(container.audio_encoder, rate=48000))
            self._output_stream.layout = "mono" if self._input_stream.layout.nb_channels == 1 else "stereo"
        if start > 0:
            self._source.seek(int(self._start * av.time_base))
        self._packets = self._copy_packets() if self._copies else self._encode_packets()
        self._next: tuple[float, Packet[Any]] | None = None

    @classmethod
    def open(
        cls, path: str | PathLike[str], output: OutputContainer, container: _Container, start: float
    ) -> AudioTrack | None:
        """None for a file without audio, or with audio that cannot be read: the video is written without audio."""
        try:
            return cls(os.fsdecode(path), output, container, start)
        except (FFmpegError, OSError, IndexError, ValueError):
            return None

    def read_until(self, seconds: float) -> Iterator[Packet[Any]]:
        """The next packets, up to a time of the original video."""
        while (timed_packet := self._next or next(self._packets, None)) is not None:
            self._next = timed_packet
            if timed_packet[0] > seconds:
                return
            self._next = None
            yield timed_packet[1]

    def flush(self) -> Iterator[Packet[Any]]:
        """The packets that are still in the encoder."""
        return iter(() if self._copies else self._output_stream.encode(None))

    def close(self) -> None:
        self._source.close()

    def _copy_packets(self) -> Iterator[tuple[float, Packet[Any]]]:
        base = self._input_stream.time_base or Fraction(1, 1000)
        shift = round(self._start / base)
        for packet in self._source.demux(self._input_stream):
            if packet.pts is None or packet.dts is None or packet.pts < shift:
                continue
            seconds = float(packet.pts * base) - self._zero
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._output_stream
            yield seconds, packet

    def _encode_packets(self) -> Iterator[tuple[float, Packet[Any]]]:
        output = self._output_stream
        resampler = av.AudioResampler(format=output.format.name, layout=output.layout.name, rate=48000)
        for frame in self._source.decode(self._input_stream):
            if frame.time is None or frame.time < self._start:
                continue
            for part in resampler.resample(frame):
                part.pts = None if part.pts is None else part.pts - round(self._start * 48000)
                for packet in output.encode(part):
                    yield frame.time - self._zero, packet
