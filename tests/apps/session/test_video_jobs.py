"""The analysis of a video as a job: progress, results, errors, cancellation."""

import threading
import time

import cv2
import numpy as np
import pytest

from mien.apps.session.video_jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING, VideoJob
from mien.errors import OutputError, SourceTooLarge, SourceUnreadable
from mien.video.results import VideoRequest, VideoResults
from web import make_fake_engine


def request_of(folder, name="holiday.mp4", **options):
    return VideoRequest(folder / "source", name, folder, **options)


class FakeAnalysis:
    """Reports progress until ``finish`` is set or the job is cancelled."""

    def __init__(self, error=None):
        self.started, self.finish, self.error = threading.Event(), threading.Event(), error

    def __call__(self, engine, request, *, is_cancelled, on_progress, on_frame):
        self.started.set()
        frames = 0
        while not self.finish.wait(0.002):
            frames += 1
            on_progress({"frames": frames})
            if is_cancelled():
                return None
        if self.error:
            raise self.error
        return VideoResults(("faces.csv",), {"frames": frames, "tracks": 2})


def job_with(analysis, folder):
    return VideoJob(None, request_of(folder), analyze=analysis)


def states(job):
    return [report["state"] for report in job.reports(5) if report]


def test_finished_job_has_facts_and_files(tmp_path):
    analysis = FakeAnalysis()
    job = job_with(analysis, tmp_path)
    assert job.state == WAITING
    with job:
        reports = job.reports(5)
        assert next(reports)["state"] in (WAITING, RUNNING)
        while next(reports).get("frames", 0) < 2:
            pass
        analysis.finish.set()
        [*_, last] = reports
    assert last == {**job.to_dict(), "state": DONE, "error": None, "source": "holiday.mp4", "tracks": 2}
    assert job.files == {"faces.csv": tmp_path / "faces.csv"}
    assert job.ended <= time.monotonic()
    assert not job.cancelled


def test_reports_are_none_while_nothing_changes(tmp_path):
    reports = job_with(FakeAnalysis(), tmp_path).reports(0.01)
    assert next(reports)["state"] == WAITING
    assert next(reports) is None


def test_leaving_the_block_cancels_the_job(tmp_path):
    analysis = FakeAnalysis()
    with job_with(analysis, tmp_path) as job:
        assert analysis.started.wait(5)
    assert (job.state, job.results, job.cancelled) == (CANCELLED, (), True)
    assert states(job) == [CANCELLED]


def test_job_that_was_cancelled_before_its_start_does_nothing(tmp_path):
    analysis = FakeAnalysis()
    job = job_with(analysis, tmp_path)
    job.cancel()
    job.run()
    assert job.state == CANCELLED
    assert not analysis.started.is_set()


def test_cancelling_a_job_that_has_ended_changes_nothing(tmp_path):
    analysis = FakeAnalysis()
    analysis.finish.set()
    job = job_with(analysis, tmp_path)
    job.run()
    job.cancel()
    assert (job.state, job.cancelled) == (DONE, False)


@pytest.mark.parametrize("kind", [OutputError, SourceUnreadable])
def test_error_of_a_failed_job_has_no_paths_of_the_server(tmp_path, kind):
    analysis = FakeAnalysis(kind(f"'{tmp_path / 'source'}' fills '{tmp_path / 'faces.csv'}'"))
    analysis.finish.set()
    job = job_with(analysis, tmp_path)
    job.run()
    assert (job.state, type(job.error)) == (FAILED, kind)
    assert job.message == job.to_dict()["error"] == "'holiday.mp4' fills 'faces.csv'."


def test_error_of_a_large_video_does_not_name_settings_of_the_server(tmp_path):
    remedy = "Make it smaller, or raise the limit with MIEN_MAX_PIXELS"
    analysis = FakeAnalysis(SourceTooLarge("'holiday.mp4' is too large", "At most 10 pixels are decoded", remedy))
    analysis.finish.set()
    job = job_with(analysis, tmp_path)
    job.run()
    assert job.message == "'holiday.mp4' is too large. At most 10 pixels are decoded. Send a smaller one."


def test_unexpected_exception_is_stored_but_not_published(tmp_path):
    analysis = FakeAnalysis(ZeroDivisionError("secret"))
    analysis.finish.set()
    job = job_with(analysis, tmp_path)
    job.run()
    assert (job.state, type(job.error)) == (FAILED, ZeroDivisionError)
    assert "bug" in job.message
    assert "secret" not in job.message


def test_identifiers_cannot_be_guessed(tmp_path):
    identifiers = {job_with(None, tmp_path).id for _ in range(8)}
    assert len(identifiers) == 8
    assert min(map(len, identifiers)) >= 32


# With a real video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "source"
    writer = cv2.VideoWriter(f"{path}.webm", cv2.VideoWriter_fourcc(*"VP80"), 10, (64, 48))
    for value in range(0, 200, 10):
        writer.write(np.full((48, 64, 3), value, np.uint8))
    writer.release()
    return path.with_suffix(".webm").rename(path)


def test_job_analyses_a_video_and_passes_each_frame(video, tmp_path):
    frames = []
    request = VideoRequest(video, "holiday.webm", tmp_path, fps=5.0)
    job = VideoJob(make_fake_engine(), request, on_frame=frames.append)
    job.run()
    assert job.error is None
    assert (job.state, job.facts["frames"]) == (DONE, len(frames))
    assert all(path.stat().st_size for path in job.files.values())
    assert {"report.html", "faces.csv"} <= set(job.files)


def test_cancelled_job_closes_the_generator_of_the_engine(video, tmp_path):
    closed = threading.Event()
    engine = make_fake_engine()

    class ClosingEngine:
        card, detector, labels = engine.card, engine.detector, engine.labels

        def analyze_video(self, *arguments, **options):
            try:
                yield from engine.analyze_video(*arguments, **options)
            finally:
                closed.set()

    job = VideoJob(ClosingEngine(), VideoRequest(video, "holiday.webm", tmp_path), on_frame=lambda frame: job.cancel())
    job.run()
    assert job.state == CANCELLED
    assert closed.is_set()
