"""Writing videos: complete or not at all, with the times of their frames and with audio."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from mien import video as video_io
from mien.errors import MissingExtra, OutputError
from video_files import ffmpeg, write_test_pattern

needs_pyav = pytest.mark.skipif(find_spec("av") is None, reason="PyAV is in the extra 'video'")
#: With OpenCV, as in a base installation, and with PyAV.
ENCODERS = [("out.webm", False), *(pytest.param(name, True, marks=needs_pyav) for name in ("out.webm", "out.mp4"))]


@pytest.fixture
def set_pyav(monkeypatch):
    """Call it with False to hide PyAV."""

    def choose(with_pyav):
        if not with_pyav:
            monkeypatch.setattr("mien.video.readers.find_spec", lambda name: None)

    return choose


def flat(value, width=64, height=48):
    return np.full((height, width, 3), value, np.uint8)


def probe(path):
    """The streams as ffprobe describes them."""
    arguments = ("-show_streams", "-show_format", "-count_packets", "-of", "json", str(path))
    text = subprocess.run(["ffprobe", "-v", "error", *arguments], capture_output=True, text=True, check=True).stdout
    return {stream["codec_type"]: stream for stream in json.loads(text)["streams"]}


@pytest.mark.parametrize(("name", "with_pyav"), ENCODERS)
def test_frames_keep_their_times(tmp_path, set_pyav, name, with_pyav):
    set_pyav(with_pyav)
    with video_io.open_writer(tmp_path / name, (64, 48), 25) as writer:
        for index in range(20):
            writer.write(flat(index * 12), index / 25)
        assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".mien-")] == []
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with video_io.open_video(tmp_path / name) as reader:
        frames = list(reader.frames())
    assert [frame.seconds for frame in frames] == pytest.approx([index / 25 for index in range(20)], abs=0.002)
    assert [round(float(frame.pixels.mean())) for frame in frames] == pytest.approx(
        [index * 12 for index in range(20)], abs=6
    )


@pytest.mark.parametrize(("name", "with_pyav"), ENCODERS)
def test_gap_between_frames_stays(tmp_path, set_pyav, name, with_pyav):
    set_pyav(with_pyav)
    with video_io.open_writer(tmp_path / name, (64, 48), 10) as writer:
        for seconds in (0.0, 0.1, 1.0, 1.1):
            writer.write(flat(20 if seconds < 1 else 220), seconds)
    with video_io.open_video(tmp_path / name) as reader:
        frames = list(reader.frames())
    bright = [frame.seconds for frame in frames if frame.pixels.mean() > 120]
    assert bright[0] == pytest.approx(1.0, abs=0.01)
    assert frames[-1].seconds == pytest.approx(1.1, abs=0.01)


@pytest.mark.parametrize(("name", "with_pyav"), ENCODERS)
def test_odd_sizes_and_frames_of_other_sizes_are_written(tmp_path, set_pyav, name, with_pyav):
    set_pyav(with_pyav)
    with video_io.open_writer(tmp_path / name, (65, 47), 25) as writer:
        writer.write(flat(90, 65, 47), 0.0)
        writer.write(flat(90, 128, 96), 0.04)
    with video_io.open_video(tmp_path / name) as reader:
        assert len(list(reader.frames())) == 2
        assert reader.info.size == (66, 48)


@pytest.mark.parametrize(("name", "with_pyav"), ENCODERS)
def test_interrupted_video_is_complete_and_shorter(tmp_path, set_pyav, name, with_pyav):
    set_pyav(with_pyav)

    def interrupted():
        with video_io.open_writer(tmp_path / name, (64, 48), 25) as writer:
            for index in range(5):
                writer.write(flat(index * 12), index / 25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with video_io.open_video(tmp_path / name) as reader:
        assert len(list(reader.frames())) == 5
        assert reader.damage is None


@pytest.mark.parametrize(("name", "with_pyav"), ENCODERS)
def test_without_frames_an_existing_file_is_unchanged(tmp_path, set_pyav, name, with_pyav):
    set_pyav(with_pyav)
    (tmp_path / name).write_bytes(b"existing")
    with video_io.open_writer(tmp_path / name, (64, 48)):
        pass
    writer = video_io.open_writer(tmp_path / name, (64, 48))
    writer.write(flat(3), 0)
    writer.discard()
    writer.close()
    assert (tmp_path / name).read_bytes() == b"existing"
    assert len(list(tmp_path.iterdir())) == 1


@needs_pyav
@pytest.mark.parametrize(
    ("source", "codec", "name", "expected"),
    [
        ("a.mp4", "aac", "out.mp4", "aac"),
        ("a.mov", "pcm_s16le", "out.mp4", "aac"),
        ("a.webm", "libopus", "out.webm", "opus"),
        ("a.ts", "aac", "out.mp4", "aac"),
        ("a.mp4", "aac", "out.webm", "opus"),
    ],
)
def test_audio_is_copied_or_encoded(tmp_path, source, codec, name, expected):
    ffmpeg_video = ("-c:v", "libvpx") if source.endswith("webm") else ("-c:v", "libx264")
    path = ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-pix_fmt", "yuv420p"),
        *(*ffmpeg_video, "-c:a", codec, tmp_path / source),
    )
    with (
        video_io.open_video(path) as reader,
        video_io.open_writer(tmp_path / name, reader.info.size, 25, audio=path, start=0.5) as writer,
    ):
        assert reader.info.audio
        for frame in reader.frames(video_io.FrameSelection(start=0.5)):
            writer.write(frame.pixels, frame.seconds)
    streams = probe(tmp_path / name)
    assert streams["audio"]["codec_name"] == expected
    assert streams["video"]["codec_name"] == ("h264" if name.endswith("mp4") else "vp8")
    with video_io.open_video(tmp_path / name) as reader:
        assert reader.info.seconds == pytest.approx(1.5, abs=0.1)


@needs_pyav
def test_mp4_has_its_index_at_the_beginning(tmp_path):
    with video_io.open_writer(tmp_path / "out.mp4", (64, 48)) as writer:
        for index in range(5):
            writer.write(flat(index), index / 25)
    video = probe(tmp_path / "out.mp4")["video"]
    assert (video["codec_name"], video["pix_fmt"]) == ("h264", "yuv420p")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@needs_pyav
def test_audio_that_cannot_be_read_is_left_out(tmp_path):
    Path(tmp_path / "text.txt").write_text("not a video")
    for number, source in enumerate((tmp_path, tmp_path / "text.txt", tmp_path / "missing.mp4", b"\0video")):
        with video_io.open_writer(tmp_path / f"{number}.mp4", (64, 48), audio=source) as writer:
            writer.write(flat(1), 0)
        assert set(probe(tmp_path / f"{number}.mp4")) == {"video"}


@needs_pyav
def test_video_without_audio_gives_no_audio(tmp_path):
    path = write_test_pattern(tmp_path / "silent.mp4", "-pix_fmt", "yuv420p")
    with video_io.open_writer(tmp_path / "out.mp4", (64, 48), audio=path) as writer:
        writer.write(flat(1), 0)
    assert set(probe(tmp_path / "out.mp4")) == {"video"}


def test_mp4_without_pyav_names_the_extra_and_an_alternative(tmp_path, set_pyav):
    set_pyav(False)
    with pytest.raises(MissingExtra, match=r"\[video\].*name a \.webm file, which works now"):
        video_io.open_writer(tmp_path / "out.mp4", (64, 48))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "hint"), [("out.avi", r"\.webm"), ("out", "no suffix"), ("out.mp", "Did you mean")])
def test_other_formats_are_refused(tmp_path, name, hint):
    with pytest.raises(OutputError, match=hint):
        video_io.open_writer(tmp_path / name, (64, 48))


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(OutputError, match="could not be written"):
        video_io.open_writer(tmp_path / "missing" / "out.webm", (64, 48))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is /dev/full")
@pytest.mark.parametrize("with_pyav", [False, pytest.param(True, marks=needs_pyav)])
def test_full_disk_is_an_error_and_leaves_no_file(tmp_path, set_pyav, monkeypatch, with_pyav):
    set_pyav(with_pyav)
    # The temporary file is on a disk without free space.
    monkeypatch.setattr(Path, "touch", lambda path, **options: path.symlink_to("/dev/full"))

    def fill():
        with video_io.open_writer(tmp_path / "out.webm", (320, 240), 25) as writer:
            for index in range(12):
                noise = np.random.default_rng(index).integers(0, 255, (240, 320, 3), np.uint8)
                writer.write(noise, index / 25)

    with pytest.raises(OutputError, match="could not be written"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_encoders_print_nothing(tmp_path, set_pyav, capfd):
    set_pyav(False)
    with video_io.open_writer(tmp_path / "out.webm", (64, 48)) as writer:
        writer.write(flat(1), 0)
    assert capfd.readouterr() == ("", "")
