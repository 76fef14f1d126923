"""Writing films: whole or not at all, at their own times, with their sound."""

import json
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from films import ffmpeg, pattern
from mien import video as video_io
from mien.errors import MissingExtra, OutputError

needs_pyav = pytest.mark.skipif(find_spec("av") is None, reason="PyAV is in the extra 'video'")
#: By OpenCV, as in a base installation, and by PyAV.
WAYS = [("out.webm", False), *(pytest.param(name, True, marks=needs_pyav) for name in ("out.webm", "out.mp4"))]


@pytest.fixture
def as_installed(monkeypatch):
    """Call it with False to be without PyAV."""

    def choose(with_pyav):
        if not with_pyav:
            monkeypatch.setattr("mien.video.readers.find_spec", lambda name: None)

    return choose


def flat(value, width=64, height=48):
    return np.full((height, width, 3), value, np.uint8)


def told(path):
    """What ffprobe says of each stream."""
    words = ("-show_streams", "-show_format", "-count_packets", "-of", "json", str(path))
    said = subprocess.run(["ffprobe", "-v", "error", *words], capture_output=True, text=True, check=True).stdout
    return {stream["codec_type"]: stream for stream in json.loads(said)["streams"]}


@pytest.mark.parametrize(("name", "with_pyav"), WAYS)
def test_frames_come_back_at_their_times(tmp_path, as_installed, name, with_pyav):
    as_installed(with_pyav)
    with video_io.open_writer(tmp_path / name, (64, 48), 25) as out:
        for index in range(20):
            out.write(flat(index * 12), index / 25)
        assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".mien-")] == []
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with video_io.open_video(tmp_path / name) as film:
        frames = list(film.frames())
    assert [frame.seconds for frame in frames] == pytest.approx([index / 25 for index in range(20)], abs=0.002)
    assert [round(float(frame.pixels.mean())) for frame in frames] == pytest.approx(
        [index * 12 for index in range(20)], abs=6
    )


@pytest.mark.parametrize(("name", "with_pyav"), WAYS)
def test_a_gap_is_kept(tmp_path, as_installed, name, with_pyav):
    as_installed(with_pyav)
    with video_io.open_writer(tmp_path / name, (64, 48), 10) as out:
        for seconds in (0.0, 0.1, 1.0, 1.1):
            out.write(flat(20 if seconds < 1 else 220), seconds)
    with video_io.open_video(tmp_path / name) as film:
        frames = list(film.frames())
    bright = [frame.seconds for frame in frames if frame.pixels.mean() > 120]
    assert bright[0] == pytest.approx(1.0, abs=0.01)
    assert frames[-1].seconds == pytest.approx(1.1, abs=0.01)


@pytest.mark.parametrize(("name", "with_pyav"), WAYS)
def test_odd_sizes_and_frames_of_other_sizes_are_written(tmp_path, as_installed, name, with_pyav):
    as_installed(with_pyav)
    with video_io.open_writer(tmp_path / name, (65, 47), 25) as out:
        out.write(flat(90, 65, 47), 0.0)
        out.write(flat(90, 128, 96), 0.04)
    with video_io.open_video(tmp_path / name) as film:
        assert len(list(film.frames())) == 2
        assert film.about.size == (66, 48)


@pytest.mark.parametrize(("name", "with_pyav"), WAYS)
def test_an_interrupted_film_is_whole_and_shorter(tmp_path, as_installed, name, with_pyav):
    as_installed(with_pyav)

    def interrupted():
        with video_io.open_writer(tmp_path / name, (64, 48), 25) as out:
            for index in range(5):
                out.write(flat(index * 12), index / 25)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    with video_io.open_video(tmp_path / name) as film:
        assert len(list(film.frames())) == 5
        assert film.complaint is None


@pytest.mark.parametrize(("name", "with_pyav"), WAYS)
def test_without_a_frame_nothing_is_left_and_nothing_lost(tmp_path, as_installed, name, with_pyav):
    as_installed(with_pyav)
    (tmp_path / name).write_bytes(b"what was there")
    with video_io.open_writer(tmp_path / name, (64, 48)):
        pass
    out = video_io.open_writer(tmp_path / name, (64, 48))
    out.write(flat(3), 0)
    out.discard()
    out.close()
    assert (tmp_path / name).read_bytes() == b"what was there"
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
def test_sound_goes_along(tmp_path, source, codec, name, expected):
    ffmpeg_video = ("-c:v", "libvpx") if source.endswith("webm") else ("-c:v", "libx264")
    path = ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=2"),
        *("-f", "lavfi", "-i", "sine=frequency=440:duration=2", "-pix_fmt", "yuv420p"),
        *(*ffmpeg_video, "-c:a", codec, tmp_path / source),
    )
    with (
        video_io.open_video(path) as film,
        video_io.open_writer(tmp_path / name, film.about.size, 25, sound=path, start=0.5) as out,
    ):
        assert film.about.sound
        for frame in film.frames(video_io.FrameSelection(start=0.5)):
            out.write(frame.pixels, frame.seconds)
    streams = told(tmp_path / name)
    assert streams["audio"]["codec_name"] == expected
    assert streams["video"]["codec_name"] == ("h264" if name.endswith("mp4") else "vp8")
    with video_io.open_video(tmp_path / name) as film:
        assert film.about.seconds == pytest.approx(1.5, abs=0.1)


@needs_pyav
def test_an_mp4_plays_in_browsers_from_its_first_bytes(tmp_path):
    with video_io.open_writer(tmp_path / "out.mp4", (64, 48)) as out:
        for index in range(5):
            out.write(flat(index), index / 25)
    video = told(tmp_path / "out.mp4")["video"]
    assert (video["codec_name"], video["pix_fmt"]) == ("h264", "yuv420p")
    data = (tmp_path / "out.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@needs_pyav
def test_sound_that_cannot_be_read_is_left_out(tmp_path):
    Path(tmp_path / "words.txt").write_text("no film")
    for number, source in enumerate((tmp_path, tmp_path / "words.txt", tmp_path / "nowhere.mp4", b"\0film")):
        with video_io.open_writer(tmp_path / f"{number}.mp4", (64, 48), sound=source) as out:
            out.write(flat(1), 0)
        assert set(told(tmp_path / f"{number}.mp4")) == {"video"}


@needs_pyav
def test_a_silent_film_gives_no_sound(tmp_path):
    path = pattern(tmp_path / "silent.mp4", "-pix_fmt", "yuv420p")
    with video_io.open_writer(tmp_path / "out.mp4", (64, 48), sound=path) as out:
        out.write(flat(1), 0)
    assert set(told(tmp_path / "out.mp4")) == {"video"}


def test_without_pyav_mp4_names_the_extra_and_what_works(tmp_path, as_installed):
    as_installed(False)
    with pytest.raises(MissingExtra, match=r"\[video\].*name a \.webm file, which works now"):
        video_io.open_writer(tmp_path / "out.mp4", (64, 48))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "hint"), [("out.avi", r"\.webm"), ("out", "no suffix"), ("out.mp", "Did you mean")])
def test_other_formats_are_refused(tmp_path, name, hint):
    with pytest.raises(OutputError, match=hint):
        video_io.open_writer(tmp_path / name, (64, 48))


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(OutputError, match="could not be written"):
        video_io.open_writer(tmp_path / "nowhere" / "out.webm", (64, 48))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is /dev/full")
@pytest.mark.parametrize("with_pyav", [False, pytest.param(True, marks=needs_pyav)])
def test_a_full_disk_is_told(tmp_path, as_installed, monkeypatch, with_pyav):
    as_installed(with_pyav)
    made = Path.touch
    # The file that is being written lies on a disk without room.
    monkeypatch.setattr(Path, "touch", lambda path, **more: path.symlink_to("/dev/full") or made)

    def fill():
        with video_io.open_writer(tmp_path / "out.webm", (320, 240), 25) as out:
            for index in range(12):
                noise = np.random.default_rng(index).integers(0, 255, (240, 320, 3), np.uint8)
                out.write(noise, index / 25)

    with pytest.raises(OutputError, match="could not be written"):
        fill()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_written_to_the_terminal(tmp_path, as_installed, capfd):
    as_installed(False)
    with video_io.open_writer(tmp_path / "out.webm", (64, 48)) as out:
        out.write(flat(1), 0)
    assert capfd.readouterr() == ("", "")
