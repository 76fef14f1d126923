"""The journal of analysed frames, and analyses that continue from it."""

import json
from dataclasses import replace

import pytest

from analyzed_frames import DECIDE, make_frame, make_noisy_frames, make_reading, scores
from fakes import FakeClassifier, FakeDetector
from mien import Engine
from mien.errors import MienError
from mien.labels import EMOTIONS
from mien.results import Box, Quality
from mien.video.journal import AnalysisOptions, Journal, JournalHeader, ResumableAnalysis, read_frames, read_header
from synthetic_video import BOX, write_synthetic_video

HEADER = JournalHeader("clip.webm", 10, "fake", "fake", EMOTIONS, (), 2, None, 0.5, None, 20)
HAPPY = scores(happy=0.85)


def write_journal(path, frames):
    journal = Journal(path, HEADER)
    for frame in frames:
        journal.add(frame)
    journal.close()


def test_frames_read_from_a_journal_equal_those_written(tmp_path):
    frames = make_noisy_frames(HAPPY, 1)
    unusable = make_reading(scores(sad=0.8), quality=Quality(False, "turned to the side"))
    frames[3] = make_frame(3, unusable, make_reading(HAPPY, 2))
    write_journal(tmp_path / "journal", frames)
    assert read_header(tmp_path / "journal") == HEADER
    assert list(read_frames(tmp_path / "journal", DECIDE)) == frames


def test_incomplete_last_line_is_left_out_and_overwritten(tmp_path):
    path, frames = tmp_path / "journal", make_noisy_frames(HAPPY, 1)
    write_journal(path, frames[:10])
    path.write_bytes(path.read_bytes()[:-20])
    assert list(read_frames(path, DECIDE)) == frames[:9]
    journal = Journal.reopen(path)
    for frame in frames[9:]:
        journal.add(frame)
    journal.close()
    assert list(read_frames(path, DECIDE)) == frames


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", json.dumps({"kind": "mien journal", "version": 99, "run": {}})])
def test_other_files_have_no_header(tmp_path, text):
    (tmp_path / "journal").write_text(text)
    assert read_header(tmp_path / "journal") is None


def test_headers_with_other_options_differ():
    assert HEADER.differences(replace(HEADER, every=3, length=11)) == ["length", "every"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_synthetic_video(tmp_path_factory.mktemp("clip") / "clip.webm", frames=50)


def test_tracks_keep_their_numbers_when_an_analysis_is_resumed(clip, tmp_path):
    boxes = (BOX, Box(100, 60, 40, 40))
    options, journal = AnalysisOptions(str(clip)), tmp_path / "journal"
    frames = ResumableAnalysis(Engine(FakeClassifier(), FakeDetector(boxes)), options, journal).frames(pixels=False)
    before = [next(frames) for _ in range(25)]
    frames.close()
    # The new tracker gets the two faces in the other order, and so would number them the other way round.
    engine = Engine(FakeClassifier(), FakeDetector(boxes[::-1]))
    after = list(ResumableAnalysis(engine, options, journal, resume=True).frames(pixels=False))
    assert [frame.index for frame in after] == list(range(50))
    assert after[:25] == before
    assert len({(reading.face.box.x > 90, reading.track) for frame in after for reading in frame}) == 2


def test_analysis_cannot_be_resumed_with_another_model(clip, tmp_path):
    write_journal(tmp_path / "journal", [])
    engine = Engine(FakeClassifier(), FakeDetector())
    with pytest.raises(MienError, match="a different video, file"):
        ResumableAnalysis(engine, AnalysisOptions(str(clip)), tmp_path / "journal", resume=True)
