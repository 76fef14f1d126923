"""Limits of videos: pixels of a frame, time, memory of queues, and threads that end when an analysis is cancelled."""

from __future__ import annotations

import gc
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mien import Engine
from mien.errors import MienError, SourceTooLarge
from mien.video import open_video
from mien.video.journal import AnalysisOptions, ResumableAnalysis
from mien.video.readers import has_pyav
from mien.video.results import VideoRequest, save_video_results
from running_threads import ignore_running_threads, mien_threads, wait_until
from video_files import two_faces, write_still_video, write_test_pattern


@pytest.fixture(scope="module")
def engine():
    return Engine.load("small", "haar")


@pytest.fixture
def no_collection():
    """Nothing is collected during the test, so that only what is closed ends."""
    ignore_running_threads()
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def write_gif(path: Path, width: int, height: int) -> Path:
    frames = [Image.new("L", (width, height), gray) for gray in (10, 200)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)
    return path


READERS = ["opencv", *(["pyav"] if has_pyav() else [])]


@pytest.mark.parametrize("reader", READERS)
def test_frames_of_a_file_are_limited(tmp_path, reader):
    path = write_test_pattern(tmp_path / "a.webm")
    with pytest.raises(SourceTooLarge, match=r"160 × 120 pixels a frame.*At most 19,000 pixels"):
        open_video(path, reader=reader, max_pixels=19_000)
    with closing(open_video(path, reader=reader, max_pixels=19_200)) as video:
        assert len(list(video.frames())) == 25


def test_frames_of_animations_and_folders_are_limited(tmp_path):
    path = write_gif(tmp_path / "a.gif", 300, 200)
    with pytest.raises(SourceTooLarge, match="300 × 200"):
        open_video(path, max_pixels=59_999)
    with closing(open_video(path, max_pixels=60_000)) as video:
        assert len(list(video.frames())) == 2
    folder = tmp_path / "images"
    folder.mkdir()
    for number, side in enumerate((20, 80, 20)):
        Image.new("RGB", (side, side)).save(folder / f"{number}.png")
    with closing(open_video(folder, max_pixels=1000)) as video:
        assert [frame.pixels.shape[0] for frame in video.frames()] == [20, 20]
        assert "80" in video.damage


def test_a_frame_larger_than_the_container_states_ends_the_video(tmp_path):
    """An AVI of MJPEG whose header states a small size, and whose frames are larger."""
    path = write_test_pattern(tmp_path / "a.avi", "-c:v", "mjpeg", "-s", "320x240")
    content = path.read_bytes()
    size = (320).to_bytes(4, "little") + (240).to_bytes(4, "little")
    assert content.count(size) >= 2
    path.write_bytes(content.replace(size, (32).to_bytes(4, "little") + (24).to_bytes(4, "little")))
    for reader in READERS:
        try:
            with closing(open_video(path, reader=reader, max_pixels=10_000)) as video:
                shapes = {frame.pixels.shape for frame in video.frames()}
        except MienError:  # refused by its true size, or no frame could be decoded
            continue
        assert all(height * width <= 10_000 for height, width, _ in shapes)


def test_engine_and_request_pass_the_limit_on(engine, tmp_path):
    path = write_gif(tmp_path / "a.gif", 300, 200)
    with pytest.raises(SourceTooLarge):
        engine.analyze_video(path, max_pixels=1000)
    with pytest.raises(SourceTooLarge):
        save_video_results(engine, VideoRequest(path, "a.gif", tmp_path, max_pixels=1000))


def test_analysis_that_takes_too_long_ends(engine, tmp_path):
    path = write_still_video(tmp_path / "a.webm", two_faces(), 2.0)
    with pytest.raises(SourceTooLarge, match=r"'clip' took longer than 0 seconds"):
        save_video_results(engine, VideoRequest(path, "clip", tmp_path, time_limit=0.0))


@pytest.mark.usefixtures("no_collection")
def test_cancelled_results_leave_no_thread(engine, tmp_path):
    path = write_still_video(tmp_path / "a.webm", two_faces(), 4.0)
    processed = []
    result = save_video_results(
        engine,
        VideoRequest(path, "a.webm", tmp_path, fps=25),
        is_cancelled=lambda: len(processed) > 3,
        on_frame=processed.append,
    )
    assert result is None
    wait_until(lambda: not mien_threads(), 1.0)


@pytest.mark.usefixtures("no_collection")
@pytest.mark.parametrize("pixels", [False, True])
def test_interrupted_analysis_with_a_journal_leaves_no_thread(engine, tmp_path, pixels):
    path = write_still_video(tmp_path / "a.webm", two_faces(), 4.0)
    frames = ResumableAnalysis(engine, AnalysisOptions(str(path)), tmp_path / "journal").frames(pixels)
    next(frames)
    assert mien_threads()
    frames.close()
    wait_until(lambda: not mien_threads(), 1.0)


def test_large_frames_wait_alone(engine, tmp_path, monkeypatch):
    """Of frames that are larger than a queue may hold, one waits between two stages, not one for each place."""
    from mien.video import analysis

    monkeypatch.setattr(analysis, "QUEUE_BYTES", 1000)
    decoded, returned = [], []
    video = open_video(write_still_video(tmp_path / "a.webm", two_faces(), 2.0))
    original = video.frames

    def count_frames(selection):
        for frame in original(selection):
            decoded.append(frame.index)
            yield frame

    video.frames = count_frames
    for frame in engine.analyze_video(video, frames=True):
        returned.append(frame.index)
        # One frame in each of four queues, and one in the hands of each of four stages.
        assert len(decoded) - len(returned) <= 9
    assert len(returned) == 50
    assert np.array_equal(decoded, returned)
