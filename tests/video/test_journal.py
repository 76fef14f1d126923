"""The journal of analysed frames, and analyses that continue from it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analyzed_frames import DECIDE, make_frame, make_noisy_frames, make_reading, scores
from fakes import FakeClassifier, FakeDetector
from mien import Engine
from mien.errors import MienError
from mien.faces.detectors import load_detector
from mien.labels import EMOTIONS
from mien.models import load_classifier, resolve_model
from mien.results import Quality
from mien.video.analysis import TrackingStates
from mien.video.journal import (
    AnalysisOptions,
    Journal,
    JournalHeader,
    ResumableAnalysis,
    read_frames,
    read_header,
    read_last_state,
)
from synthetic_video import BOX, write_synthetic_video

HEADER = JournalHeader("clip.webm", 10, "fake", "fake", EMOTIONS, (), 2, None, 0.5, None, 20)
CLIP = Path(__file__).parents[2] / "examples" / "clip.webm"
CLIP_OPTIONS = AnalysisOptions(str(CLIP))
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


def test_incomplete_last_line_is_left_out(tmp_path):
    path, frames = tmp_path / "journal", make_noisy_frames(HAPPY, 1)
    write_journal(path, frames[:10])
    path.write_bytes(path.read_bytes()[:-20])
    assert list(read_frames(path, DECIDE)) == frames[:9]


@pytest.mark.parametrize("text", ["", "{}\n", "[1]\n", json.dumps({"kind": "mien journal", "version": 99, "run": {}})])
def test_other_files_have_no_header(tmp_path, text):
    (tmp_path / "journal").write_text(text)
    assert read_header(tmp_path / "journal") is None


def test_headers_with_other_options_differ():
    assert HEADER.differences(replace(HEADER, every=3, length=11)) == ["length", "every"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_synthetic_video(tmp_path_factory.mktemp("clip") / "clip.webm", frames=50)


@pytest.fixture(scope="module", params=["haar", "yunet"])
def real_engine(request):
    path = request.getfixturevalue("yunet_file") if request.param == "yunet" else None
    return Engine(load_classifier(resolve_model("small")), load_detector(request.param, yunet=path))


@pytest.fixture(scope="module")
def uninterrupted(real_engine, tmp_path_factory):
    journal = tmp_path_factory.mktemp("journal") / "journal"
    return list(ResumableAnalysis(real_engine, CLIP_OPTIONS, journal).frames(pixels=False))


def interrupt_and_resume(engine, options, journal, *counts):
    """The frames of an analysis that is interrupted after each count of frames, and then runs to its end."""
    for count in counts:
        frames = ResumableAnalysis(engine, options, journal, resume=True).frames(pixels=False)
        for _ in range(count):
            next(frames)
        frames.close()
    return list(ResumableAnalysis(engine, options, journal, resume=True).frames(pixels=False))


@pytest.mark.parametrize("counts", [(10,), (32,), (61, 75)], ids=str)
def test_resumed_analysis_equals_an_uninterrupted_one(real_engine, uninterrupted, counts, tmp_path):
    assert interrupt_and_resume(real_engine, CLIP_OPTIONS, tmp_path / "journal", *counts) == uninterrupted
    assert len({reading.track for frame in uninterrupted for reading in frame}) > 1


@pytest.mark.slow
def test_analysis_resumed_at_every_tenth_frame_equals_an_uninterrupted_one(real_engine, uninterrupted, tmp_path):
    for count in range(10, 90, 10):
        assert interrupt_and_resume(real_engine, CLIP_OPTIONS, tmp_path / f"journal-{count}", count) == uninterrupted


@pytest.mark.parametrize("selection", [{"every": 3}, {"fps": 7.0, "start": 0.5, "end": 5.0}], ids=str)
def test_selection_of_frames_continues(selection, tmp_path):
    engine, options = Engine(FakeClassifier(), FakeDetector((BOX,))), replace(CLIP_OPTIONS, **selection)
    whole = list(ResumableAnalysis(engine, options, tmp_path / "whole").frames(pixels=False))
    assert interrupt_and_resume(engine, options, tmp_path / "journal", len(whole) - 5) == whole


def test_analysis_continues_after_the_last_saved_state(tmp_path):
    detector = FakeDetector((BOX,))
    engine, journal = Engine(FakeClassifier(), detector), tmp_path / "journal"
    frames = ResumableAnalysis(engine, CLIP_OPTIONS, journal).frames(pixels=False)
    for _ in range(65):
        next(frames)
    frames.close()
    state, length = read_last_state(journal)
    assert state.seconds == pytest.approx(4.0, abs=0.2)
    assert length <= journal.stat().st_size
    indices = [
        frame.index
        for frame in Engine(FakeClassifier(), detector).analyze_video(str(CLIP), states=TrackingStates(state))
    ]
    assert indices == list(range(state.index + 1, 90))


def test_analysis_cannot_be_resumed_with_another_model(clip, tmp_path):
    write_journal(tmp_path / "journal", [])
    engine = Engine(FakeClassifier(), FakeDetector())
    with pytest.raises(MienError, match="a different video, file"):
        ResumableAnalysis(engine, AnalysisOptions(str(clip)), tmp_path / "journal", resume=True)
