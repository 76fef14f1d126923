"""Reading videos: formats, times of the container, selections of frames, and damaged files."""

import shutil
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import video
from mien.errors import MienError, MissingExtra, SourceError, SourceMissing, SourceTooLarge, SourceUnreadable
from mien.video import FrameSelection
from mien.video.readers import describe_truncation
from video_files import TEST_PATTERN, ffmpeg, write_test_pattern

READERS = [
    "opencv",
    pytest.param("pyav", marks=pytest.mark.skipif(find_spec("av") is None, reason="PyAV is in the extra 'video'")),
]
every_reader = pytest.mark.parametrize("reader", READERS)


def read(path, reader=None, **selection):
    with video.open_video(path, reader=reader) as video_file:
        return list(video_file.frames(FrameSelection(**selection)))


def times(frames):
    return [round(frame.seconds, 3) for frame in frames]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("videos")


@pytest.fixture(scope="module")
def mp4(folder):
    return write_test_pattern(folder / "plain.mp4", "-pix_fmt", "yuv420p", "-c:v", "libx264")


@pytest.fixture(scope="module")
def reference(folder):
    """The frames without a codec."""
    ffmpeg(*TEST_PATTERN, folder / "reference%02d.png")
    return [np.array(Image.open(path).convert("RGB")) for path in sorted(folder.glob("reference*.png"))]


FORMATS = {
    "h264.mp4": ("-pix_fmt", "yuv420p", "-c:v", "libx264"),
    "vp9.webm": ("-pix_fmt", "yuv420p", "-c:v", "libvpx-vp9", "-b:v", "1M"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-q:v", "3"),
    "ten bits.mp4": ("-pix_fmt", "yuv420p10le", "-c:v", "libx265", "-x265-params", "log-level=0"),
    "stream.ts": ("-pix_fmt", "yuv420p", "-c:v", "libx264"),
    "gray.mkv": ("-pix_fmt", "gray", "-c:v", "ffv1"),
}


@every_reader
@pytest.mark.parametrize("name", FORMATS)
def test_all_frames_of_each_format_are_read_with_their_times(folder, reference, name, reader):
    path = folder / name
    frames = read(path if path.exists() else write_test_pattern(path, *FORMATS[name]), reader)
    assert [frame.index for frame in frames] == list(range(25))
    assert times(frames) == pytest.approx([index / 25 for index in range(25)], abs=0.0011)
    for frame, original in zip(frames, reference, strict=True):
        assert frame.pixels.shape == (120, 160, 3)
        assert frame.pixels.flags.c_contiguous
        expected = (original @ [0.3, 0.59, 0.11])[..., None] if name.startswith("gray") else original
        assert np.abs(frame.pixels.astype(int) - expected).mean() < 25


@every_reader
def test_info_has_size_rate_and_duration(mp4, reader):
    with video.open_video(mp4, reader=reader) as video_file:
        assert video_file.info.size == (160, 120)
        assert video_file.info.fps == pytest.approx(25)
        assert video_file.info.seconds == pytest.approx(1)
        assert video_file.info.frames == 25
        assert not video_file.info.live
        assert video_file.damage is None


@every_reader
def test_variable_frame_rate_keeps_its_times(folder, mp4, reader):
    path = ffmpeg("-i", mp4, "-vf", "select='not(between(n,5,14))'", "-fps_mode", "vfr", folder / "varying.mp4")
    assert times(read(path, reader)) == [index / 25 for index in range(25) if not 5 <= index <= 14]


@every_reader
def test_edit_list_is_applied(folder, mp4, reader):
    path = ffmpeg("-ss", 0.43, "-i", mp4, "-c", "copy", folder / "edited.mp4")
    with video.open_video(path, reader=reader) as video_file:
        frames = list(video_file.frames())
        assert video_file.damage is None
    assert len(frames) == 14
    assert times(frames) == [index / 25 for index in range(14)]


@every_reader
def test_video_stream_that_starts_late_keeps_its_times(folder, mp4, reader):
    sound = ("-f", "lavfi", "-i", "sine=duration=2", "-map", "0:v", "-map", "1:a", "-c:v", "copy")
    path = ffmpeg("-itsoffset", 0.52, "-i", mp4, *sound, folder / "late.mp4")
    assert times(read(path, reader))[:2] == [0.52, 0.56]


@every_reader
def test_rotation_of_the_container_is_applied(folder, mp4, reference, reader):
    path, copy = folder / "rotated.mov", ("-i", mp4, "-c", "copy")
    if _supports_display_rotation():
        ffmpeg("-display_rotation", 90, *copy, path)
    else:
        ffmpeg(*copy, "-metadata:s:v", "rotate=90", path)
    with video.open_video(path, reader=reader) as video_file:
        assert video_file.info.size == (120, 160)
        first = next(video_file.frames())
    differences = [np.abs(first.pixels.astype(int) - np.rot90(reference[0], turns)).mean() for turns in (1, 3)]
    assert min(differences) < 25 < max(differences)
    opencv_pixels = read(path, "opencv")[0].pixels
    assert np.abs(first.pixels.astype(int) - opencv_pixels).mean() < 3


def _supports_display_rotation():
    import subprocess

    text = subprocess.run(["ffmpeg", "-v", "error", "-h", "full"], capture_output=True, text=True, check=False).stdout
    return "display_rotation" in text


@every_reader
def test_odd_sizes_are_read_completely(folder, reader):
    source = ("-f", "lavfi", "-i", "testsrc=size=161x121:rate=10:duration=1")
    path = ffmpeg(*source, "-pix_fmt", "yuv444p", "-c:v", "libx264", folder / "odd.mp4")
    assert {frame.pixels.shape for frame in read(path, reader)} == {(121, 161, 3)}


@every_reader
def test_selection_does_not_depend_on_the_start(folder, reader):
    source = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=16")
    path = ffmpeg(*source, "-pix_fmt", "yuv420p", "-g", 50, folder / "long.mp4")
    whole = read(path, reader)
    for selection in ({"every": 7}, {"fps": 4.0}, {"every": 3, "fps": 5.0}):
        is_selected = FrameSelection(**selection).create_filter()
        expected = [frame for frame in whole if is_selected(frame.index, frame.seconds) and 13 <= frame.seconds < 15]
        later = read(path, reader, start=13.0, end=15.0, **selection)
        assert [(frame.index, frame.seconds) for frame in later] == [(f.index, f.seconds) for f in expected]
        assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(later, expected, strict=True))
    assert len(read(path, reader, fps=4.0)) == 64


@every_reader
def test_start_and_end_limit_the_frames(mp4, reader):
    assert times(read(mp4, reader, start=0.2, end=0.4)) == [0.2, 0.24, 0.28, 0.32, 0.36]


@every_reader
def test_start_after_the_end_is_an_error_with_the_duration(mp4, reader):
    with pytest.raises(SourceError, match=r"ends after 0\.96 s, before the start at 5 s"):
        read(mp4, reader, start=5)


@pytest.mark.parametrize("selection", [{"every": 0}, {"fps": 0}, {"fps": -3.0}, {"start": -1}, {"start": 3, "end": 2}])
def test_invalid_selections_are_errors(selection):
    with pytest.raises(SourceError, match="cannot be read with"):
        FrameSelection(**selection)


def test_number_of_selected_frames_is_estimated():
    info = video.VideoInfo("clip", (160, 120), fps=25.0, seconds=10.0)
    assert info.estimate_frames(FrameSelection()) == 250
    assert info.estimate_frames(FrameSelection(every=5, start=2.0, end=6.0)) == 20
    assert info.estimate_frames(FrameSelection(fps=10.0)) == 100
    assert video.VideoInfo("stream", (160, 120)).estimate_frames(FrameSelection()) is None


# Damaged and other files


@every_reader
@pytest.mark.parametrize("name", ["whole.mp4", "whole.webm", "whole.avi"])
def test_truncated_video_is_read_to_its_end_or_refused(folder, mp4, name, reader):
    whole = folder / name
    if not whole.exists():
        extra = ("-movflags", "+faststart", "-c", "copy") if name.endswith("mp4") else ()
        ffmpeg("-i", mp4, *extra, whole)
    data, part = whole.read_bytes(), folder / f"{reader} cut {name}"
    assert describe_truncation(whole) is None
    outcomes = set()
    for length in [1, 7, 40, 300, *range(len(data) // 9, len(data), len(data) // 9), len(data) - 1]:
        part.write_bytes(data[:length])
        try:
            with video.open_video(part, reader=reader) as video_file:
                frames = list(video_file.frames())
                outcomes.add(("read", "cut off" in (video_file.damage or "")))
                assert 0 < len(frames) <= 25
        except SourceUnreadable:
            outcomes.add("refused")
    assert outcomes == {("read", True), "refused"}


@every_reader
def test_mp4_without_its_index_is_refused(folder, mp4, reader):
    path = folder / "no index.mp4"
    path.write_bytes(mp4.read_bytes()[: mp4.stat().st_size // 2])
    with pytest.raises(SourceUnreadable, match="cannot be opened as a video"):
        video.open_video(path, reader=reader)


@every_reader
def test_frames_after_damage_are_read(folder, reader):
    path = write_test_pattern(folder / "damaged.avi", "-c:v", "mjpeg")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    assert len(read(path, reader)) >= 22


@every_reader
def test_audio_file_is_refused(folder, reader):
    path = ffmpeg("-f", "lavfi", "-i", "sine=duration=1", folder / "song.m4a")
    with pytest.raises(SourceUnreadable, match="no video stream"):
        video.open_video(path, reader=reader)


@every_reader
def test_video_without_frames_is_an_error(folder, reader):
    path = write_test_pattern(folder / "empty.avi", "-frames:v", 0, "-c:v", "mjpeg")
    with pytest.raises(SourceUnreadable, match=r"no frame|cannot be opened"):
        read(path, reader)


def test_message_names_the_kind_of_other_files(folder):
    for name, content, expected in [
        ("empty.mp4", b"", "is empty"),
        ("words.mp4", b"only words", "is text, not a video"),
        ("page.mp4", b"<!doctype html><title>404</title>", "is a web page"),
        ("list.m3u8", b"#EXTM3U\nhttp://example.org/a.ts\n", "is a playlist"),
        ("photo.mp4", (Path(__file__).parents[2] / "examples" / "hopper.jpg").read_bytes(), "is a JPEG image"),
    ]:
        path = folder / name
        path.write_bytes(content)
        with pytest.raises(SourceUnreadable, match=expected):
            video.open_video(path)


def test_missing_file_suggests_the_nearest_name(folder, mp4):
    with pytest.raises(SourceMissing, match=r"Did you mean 'plain\.mp4'"):
        video.open_video(mp4.with_name("plian.mp4"))


def test_url_is_not_downloaded():
    with pytest.raises(SourceError, match="is an address"):
        video.open_video("https://example.org/clip.mp4")


@pytest.mark.parametrize("source", [None, 3.5, True, ["a.mp4"]])
def test_other_types_are_refused(source):
    with pytest.raises(SourceError, match="is not a video"):
        video.open_video(source)


def test_unknown_reader_suggests_the_nearest_name(mp4):
    with pytest.raises(SourceError, match="Did you mean 'opencv'"):
        video.open_video(mp4, reader="opencvv")


def test_reader_pyav_without_pyav_names_the_extra(mp4, monkeypatch):
    monkeypatch.setattr("mien.video.readers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"\[video\].*reader='opencv'"):
        video.open_video(mp4, reader="pyav")
    with video.open_video(mp4) as video_file:  # OpenCV is the default then
        assert sum(1 for _ in video_file.frames()) == 25


def test_too_large_frames_are_refused(mp4, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_PIXELS", "10000")
    with pytest.raises(SourceTooLarge, match="160 × 120"):
        video.open_video(mp4)


@every_reader
def test_decoders_print_nothing(folder, mp4, reader, capfd):
    broken = folder / "noise.avi"
    broken.write_bytes(b"RIFF\xff\xff\x00\x00AVI LIST" + bytes(range(256)) * 40)
    for path in (mp4, broken):
        try:
            read(path, reader)
        except MienError:
            continue
    assert capfd.readouterr() == ("", "")


# Animations, folders and bytes


def test_animated_gif_keeps_the_durations_of_its_frames(folder):
    images = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    path = folder / "three.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[200, 50, 300], loop=0)
    frames = read(path)
    assert times(frames) == [0, 0.2, 0.25]
    assert [tuple(frame.pixels[5, 5]) for frame in frames] == [(255, 0, 0), (0, 128, 0), (0, 0, 255)]
    half = folder / "half.gif"
    half.write_bytes(path.read_bytes()[:-30])
    with video.open_video(half) as video_file:
        assert 1 <= len(list(video_file.frames())) <= 3


def test_still_gif_is_a_video_of_one_frame(folder):
    Image.new("RGB", (40, 30), "white").save(folder / "still.gif")
    assert times(read(folder / "still.gif")) == [0]


def test_folder_of_images_is_read_in_natural_order(tmp_path):
    for number in (10, 2, 1):
        Image.new("RGB", (20, 10), (number * 20, 0, 0)).save(tmp_path / f"shot{number}.png")
    with video.open_video(tmp_path, fps=10) as video_file:
        assert video_file.info.seconds == pytest.approx(0.3)
        frames = list(video_file.frames())
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [20, 40, 200]
    assert times(frames) == [0, 0.1, 0.2]
    (tmp_path / "shot2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with video.open_video(tmp_path) as video_file:
        assert [frame.index for frame in video_file.frames()] == [0, 2]
        assert "shot2.png" in video_file.damage


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(SourceMissing, match="no images"):
        video.open_video(tmp_path)


def test_bytes_leave_no_temporary_file(mp4, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with video.open_video(mp4.read_bytes()) as video_file:
        assert video_file.info.name == "<bytes>"
        assert sum(1 for _ in video_file.frames()) == 25
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceUnreadable):
        video.open_video(b"\x00\x00\x00\x18ftypnonsense" + bytes(40))
    assert list(tmp_path.iterdir()) == []


@every_reader
def test_closing_closes_the_file_and_ends_the_frames(mp4, tmp_path, reader):
    path = shutil.copy(mp4, tmp_path / "clip.mp4")
    video_file = video.open_video(path, reader=reader)
    frames = video_file.frames()
    next(frames)
    assert str(path) in open_files()
    video_file.close()
    video_file.close()
    assert str(path) not in open_files()
    assert list(frames) == []


@every_reader
def test_closing_in_another_thread_ends_the_frames(mp4, reader):
    video_file = video.open_video(mp4, reader=reader)
    indexes = []

    def read_frames():
        for frame in video_file.frames():
            indexes.append(frame.index)
            time.sleep(0.02)

    thread = threading.Thread(target=read_frames)
    thread.start()
    time.sleep(0.05)
    video_file.close()
    thread.join(5)
    assert not thread.is_alive()
    assert 0 < len(indexes) < 25


def open_files():
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("open files are listed in /proc")
    return [str(link.resolve()) for link in folder.iterdir()]
