"""Reading films: every format, the container's own times, and whatever can be wrong with a file."""

import shutil
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from films import PATTERN, ffmpeg, pattern
from mien import video
from mien.errors import MienError, MissingExtra, SourceError, SourceMissing, SourceTooLarge, SourceUnreadable
from mien.video import FrameSelection
from mien.video.readers import describe_truncation

READERS = [
    "opencv",
    pytest.param("pyav", marks=pytest.mark.skipif(find_spec("av") is None, reason="PyAV is in the extra 'video'")),
]
every_reader = pytest.mark.parametrize("reader", READERS)


def read(path, reader=None, **chosen):
    with video.open_video(path, reader=reader) as film:
        return list(film.frames(FrameSelection(**chosen)))


def times(frames):
    return [round(frame.seconds, 3) for frame in frames]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("films")


@pytest.fixture(scope="module")
def mp4(folder):
    return pattern(folder / "plain.mp4", "-pix_fmt", "yuv420p", "-c:v", "libx264")


@pytest.fixture(scope="module")
def truth(folder):
    """The frames themselves, without any codec."""
    ffmpeg(*PATTERN, folder / "truth%02d.png")
    return [np.array(Image.open(path).convert("RGB")) for path in sorted(folder.glob("truth*.png"))]


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
def test_every_format_is_read_whole_with_its_times(folder, truth, name, reader):
    path = folder / name
    frames = read(path if path.exists() else pattern(path, *FORMATS[name]), reader)
    assert [frame.index for frame in frames] == list(range(25))
    assert times(frames) == pytest.approx([index / 25 for index in range(25)], abs=0.0011)
    for frame, true in zip(frames, truth, strict=True):
        assert frame.pixels.shape == (120, 160, 3)
        assert frame.pixels.flags.c_contiguous
        expected = (true @ [0.3, 0.59, 0.11])[..., None] if name.startswith("gray") else true
        assert np.abs(frame.pixels.astype(int) - expected).mean() < 25


@every_reader
def test_a_film_says_what_it_is(mp4, reader):
    with video.open_video(mp4, reader=reader) as film:
        assert film.about.size == (160, 120)
        assert film.about.rate == pytest.approx(25)
        assert film.about.seconds == pytest.approx(1)
        assert film.about.frames == 25
        assert not film.about.live
        assert film.complaint is None


@every_reader
def test_a_varying_rate_keeps_its_times(folder, mp4, reader):
    path = ffmpeg("-i", mp4, "-vf", "select='not(between(n,5,14))'", "-fps_mode", "vfr", folder / "varying.mp4")
    assert times(read(path, reader)) == [index / 25 for index in range(25) if not 5 <= index <= 14]


@every_reader
def test_an_edit_list_is_followed(folder, mp4, reader):
    path = ffmpeg("-ss", 0.43, "-i", mp4, "-c", "copy", folder / "edited.mp4")
    with video.open_video(path, reader=reader) as film:
        frames = list(film.frames())
        assert film.complaint is None
    assert len(frames) == 14
    assert times(frames) == [index / 25 for index in range(14)]


@every_reader
def test_pictures_that_begin_late_are_late(folder, mp4, reader):
    sound = ("-f", "lavfi", "-i", "sine=duration=2", "-map", "0:v", "-map", "1:a", "-c:v", "copy")
    path = ffmpeg("-itsoffset", 0.52, "-i", mp4, *sound, folder / "late.mp4")
    assert times(read(path, reader))[:2] == [0.52, 0.56]


@every_reader
def test_a_turned_phone_is_set_upright(folder, mp4, truth, reader):
    path = ffmpeg("-display_rotation", 90, "-i", mp4, "-c", "copy", folder / "turned.mov") if _can_turn() else None
    path = path or ffmpeg("-i", mp4, "-c", "copy", "-metadata:s:v", "rotate=90", folder / "turned.mov")
    with video.open_video(path, reader=reader) as film:
        assert film.about.size == (120, 160)
        first = next(film.frames())
    off = [np.abs(first.pixels.astype(int) - np.rot90(truth[0], turns)).mean() for turns in (1, 3)]
    assert min(off) < 25 < max(off)
    by_other = read(path, "opencv")[0].pixels
    assert np.abs(first.pixels.astype(int) - by_other).mean() < 3


def _can_turn():
    import subprocess

    said = subprocess.run(["ffmpeg", "-v", "error", "-h", "full"], capture_output=True, text=True, check=False).stdout
    return "display_rotation" in said


@every_reader
def test_odd_sizes_are_whole(folder, reader):
    source = ("-f", "lavfi", "-i", "testsrc=size=161x121:rate=10:duration=1")
    path = ffmpeg(*source, "-pix_fmt", "yuv444p", "-c:v", "libx264", folder / "odd.mp4")
    assert {frame.pixels.shape for frame in read(path, reader)} == {(121, 161, 3)}


@every_reader
def test_frames_are_chosen_alike_from_the_beginning_and_from_the_middle(folder, reader):
    source = ("-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=16")
    path = ffmpeg(*source, "-pix_fmt", "yuv420p", "-g", 50, folder / "long.mp4")
    whole = read(path, reader)
    for chosen in ({"every": 7}, {"fps": 4.0}, {"every": 3, "fps": 5.0}):
        all_of_them, turn = [], FrameSelection(**chosen).turns()
        all_of_them = [frame for frame in whole if turn(frame.index, frame.seconds) and 13 <= frame.seconds < 15]
        later = read(path, reader, start=13.0, end=15.0, **chosen)
        assert [(frame.index, frame.seconds) for frame in later] == [(f.index, f.seconds) for f in all_of_them]
        assert all(np.array_equal(one.pixels, two.pixels) for one, two in zip(later, all_of_them, strict=True))
    assert len(read(path, reader, fps=4.0)) == 64


@every_reader
def test_a_film_ends_where_asked(mp4, reader):
    assert times(read(mp4, reader, start=0.2, end=0.4)) == [0.2, 0.24, 0.28, 0.32, 0.36]


@every_reader
def test_a_start_behind_the_end_says_where_the_end_is(mp4, reader):
    with pytest.raises(SourceError, match=r"ends after 0\.96 s, before the start at 5 s"):
        read(mp4, reader, start=5)


@pytest.mark.parametrize("chosen", [{"every": 0}, {"fps": 0}, {"fps": -3.0}, {"start": -1}, {"start": 3, "end": 2}])
def test_what_cannot_be_chosen_is_refused(chosen):
    with pytest.raises(SourceError, match="cannot be read with"):
        FrameSelection(**chosen)


# What is wrong with files


@every_reader
@pytest.mark.parametrize("name", ["whole.mp4", "whole.webm", "whole.avi"])
def test_a_film_cut_off_anywhere_is_read_as_far_as_it_goes_or_refused(folder, mp4, name, reader):
    whole = folder / name
    if not whole.exists():
        extra = ("-movflags", "+faststart", "-c", "copy") if name.endswith("mp4") else ()
        ffmpeg("-i", mp4, *extra, whole)
    data, part = whole.read_bytes(), folder / f"{reader} cut {name}"
    assert describe_truncation(whole) is None
    outcomes = set()
    for kept in [1, 7, 40, 300, *range(len(data) // 9, len(data), len(data) // 9), len(data) - 1]:
        part.write_bytes(data[:kept])
        try:
            with video.open_video(part, reader=reader) as film:
                frames = list(film.frames())
                outcomes.add(("read", "cut off" in (film.complaint or "")))
                assert 0 < len(frames) <= 25
        except SourceUnreadable:
            outcomes.add("refused")
    assert outcomes == {("read", True), "refused"}


@every_reader
def test_an_mp4_without_its_index_is_refused_in_words(folder, mp4, reader):
    path = folder / "no index.mp4"
    path.write_bytes(mp4.read_bytes()[: mp4.stat().st_size // 2])
    with pytest.raises(SourceUnreadable, match="cannot be opened as a film"):
        video.open_video(path, reader=reader)


@every_reader
def test_damage_in_the_middle_does_not_stop_the_rest(folder, reader):
    path = pattern(folder / "damaged.avi", "-c:v", "mjpeg")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = bytes(400)
    path.write_bytes(data)
    assert len(read(path, reader)) >= 22


@every_reader
def test_sound_alone_is_no_film(folder, reader):
    path = ffmpeg("-f", "lavfi", "-i", "sine=duration=1", folder / "song.m4a")
    with pytest.raises(SourceUnreadable, match="no pictures"):
        video.open_video(path, reader=reader)


@every_reader
def test_a_film_without_frames_is_told(folder, reader):
    path = pattern(folder / "nothing.avi", "-frames:v", 0, "-c:v", "mjpeg")
    with pytest.raises(SourceUnreadable, match=r"no frame|cannot be opened"):
        read(path, reader)


def test_what_is_no_film_is_named(folder):
    for name, content, expected in [
        ("empty.mp4", b"", "is empty"),
        ("words.mp4", b"only words", "is text, not a film"),
        ("page.mp4", b"<!doctype html><title>404</title>", "is a web page"),
        ("list.m3u8", b"#EXTM3U\nhttp://example.org/a.ts\n", "is a list of films"),
        ("photo.mp4", (Path(__file__).parents[2] / "examples" / "hopper.jpg").read_bytes(), "is a JPEG picture"),
    ]:
        path = folder / name
        path.write_bytes(content)
        with pytest.raises(SourceUnreadable, match=expected):
            video.open_video(path)


def test_what_is_not_there_has_the_nearest_name(folder, mp4):
    with pytest.raises(SourceMissing, match=r"Did you mean 'plain\.mp4'"):
        video.open_video(mp4.with_name("plian.mp4"))


def test_an_address_is_not_fetched():
    with pytest.raises(SourceError, match="is an address"):
        video.open_video("https://example.org/film.mp4")


@pytest.mark.parametrize("source", [None, 3.5, True, ["a.mp4"]])
def test_what_cannot_be_a_film_says_so(source):
    with pytest.raises(SourceError, match="is no film"):
        video.open_video(source)


def test_an_unknown_reader_has_the_nearest_name(mp4):
    with pytest.raises(SourceError, match="Did you mean 'opencv'"):
        video.open_video(mp4, reader="opencvv")


def test_without_pyav_its_reader_names_the_extra(mp4, monkeypatch):
    monkeypatch.setattr("mien.video.readers.find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"\[video\].*reader='opencv'"):
        video.open_video(mp4, reader="pyav")
    with video.open_video(mp4) as film:  # and without being asked, OpenCV it is
        assert sum(1 for _ in film.frames()) == 25


def test_frames_with_too_many_pixels_are_refused(mp4, monkeypatch):
    monkeypatch.setenv("MIEN_MAX_PIXELS", "10000")
    with pytest.raises(SourceTooLarge, match="160 × 120"):
        video.open_video(mp4)


@every_reader
def test_nothing_is_written_to_the_terminal(folder, mp4, reader, capfd):
    broken = folder / "noise.avi"
    broken.write_bytes(b"RIFF\xff\xff\x00\x00AVI LIST" + bytes(range(256)) * 40)
    for path in (mp4, broken):
        try:
            read(path, reader)
        except MienError:
            continue
    assert capfd.readouterr() == ("", "")


# Other things that move


def test_an_animated_gif_has_the_times_of_its_frames(folder):
    frames = [Image.new("RGB", (40, 30), colour) for colour in ("red", "green", "blue")]
    path = folder / "three.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[200, 50, 300], loop=0)
    found = read(path)
    assert times(found) == [0, 0.2, 0.25]
    assert [tuple(frame.pixels[5, 5]) for frame in found] == [(255, 0, 0), (0, 128, 0), (0, 0, 255)]
    half = folder / "half.gif"
    half.write_bytes(path.read_bytes()[:-30])
    with video.open_video(half) as film:
        assert 1 <= len(list(film.frames())) <= 3


def test_a_still_gif_is_a_film_of_one_frame(folder):
    Image.new("RGB", (40, 30), "white").save(folder / "still.gif")
    assert times(read(folder / "still.gif")) == [0]


def test_a_folder_of_frames_goes_in_the_order_people_count(tmp_path):
    for number in (10, 2, 1):
        Image.new("RGB", (20, 10), (number * 20, 0, 0)).save(tmp_path / f"shot{number}.png")
    with video.open_video(tmp_path, rate=10) as film:
        assert film.about.seconds == pytest.approx(0.3)
        frames = list(film.frames())
    assert [int(frame.pixels[0, 0, 0]) for frame in frames] == [20, 40, 200]
    assert times(frames) == [0, 0.1, 0.2]
    (tmp_path / "shot2.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    with video.open_video(tmp_path) as film:
        assert [frame.index for frame in film.frames()] == [0, 2]
        assert "shot2.png" in film.complaint


def test_a_folder_without_pictures_is_refused(tmp_path):
    with pytest.raises(SourceMissing, match="no pictures"):
        video.open_video(tmp_path)


def test_bytes_are_read_and_leave_no_file_behind(mp4, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with video.open_video(mp4.read_bytes()) as film:
        assert film.about.name == "<bytes>"
        assert sum(1 for _ in film.frames()) == 25
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(SourceUnreadable):
        video.open_video(b"\x00\x00\x00\x18ftypnonsense" + bytes(40))
    assert list(tmp_path.iterdir()) == []


@every_reader
def test_a_closed_film_lets_go_of_its_file_and_ends(mp4, tmp_path, reader):
    path = shutil.copy(mp4, tmp_path / "film.mp4")
    film = video.open_video(path, reader=reader)
    frames = film.frames()
    next(frames)
    assert str(path) in open_files()
    film.close()
    film.close()
    assert str(path) not in open_files()
    assert list(frames) == []


@every_reader
def test_a_film_closed_by_another_thread_ends_in_peace(mp4, reader):
    film = video.open_video(mp4, reader=reader)
    seen = []

    def watch():
        for frame in film.frames():
            seen.append(frame.index)
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    time.sleep(0.05)
    film.close()
    thread.join(5)
    assert not thread.is_alive()
    assert 0 < len(seen) < 25


def open_files():
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("open files are listed in /proc")
    return [str(link.resolve()) for link in folder.iterdir()]
