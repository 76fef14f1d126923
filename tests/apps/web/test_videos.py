"""Videos: jobs from upload to removal, the queue, event streams, temporary folders."""

import http.client
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest

from command import environment
from fakes import FakeDetector
from mien.apps.session.video_jobs import CANCELLED, DONE, FAILED, RUNNING, WAITING
from mien.apps.web.jobs import QueueFull, VideoOptions, VideoQueue
from mien.apps.web.settings import WebSettings
from mien.errors import OutputError, SourceUnreadable
from mien.results import Box
from mien.video.results import VideoRequest, VideoResults, save_video_results
from web import VIDEOS, check_schema, make_app, make_fake_engine, running_server, service_of, wait_until


@pytest.fixture(scope="module")
def video(tmp_path_factory) -> bytes:
    """One second of a gray image in the only codec that OpenCV's wheel can write."""
    path = tmp_path_factory.mktemp("video") / "gray.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10, (160, 120))
    for value in range(100, 110):
        writer.write(np.full((120, 160, 3), value, np.uint8))
    writer.release()
    return path.read_bytes()


@pytest.fixture(scope="module")
def engine():
    """It detects one face in each frame."""
    return make_fake_engine(detector=FakeDetector((Box(20, 20, 80, 80),)))


@pytest.fixture
def app(tmp_path, engine):
    app = make_app(engine, scratch=str(tmp_path), video_jobs=2)
    yield app
    service_of(app).jobs.close()
    assert list(tmp_path.iterdir()) == []


def post_video(client, data, query="fps=5&name=gray.webm"):
    return client.post(f"{VIDEOS}?{query}", data=data, content_type="application/octet-stream")


def wait_for_end(client, response):
    """The report of the job when it has ended."""
    address = response.json["links"]["self"]
    wait_until(lambda: client.get(address).json["state"] in ("done", "failed", "cancelled"), 60)
    return client.get(address).json


def test_video_from_upload_to_removal(app, video, tmp_path):
    client = app.test_client()
    response = post_video(client, video)
    assert response.status_code == 202
    assert response.headers["Location"] == response.json["links"]["self"]
    report = wait_for_end(client, response)
    assert (report["state"], report["error"], report["source"]) == ("done", None, "gray.webm")
    assert report["tracks"] == len(report["summary"]["tracks"]) == 1
    check_schema("VideoJob", response.json)
    check_schema("VideoJob", report)
    assert set(report["results"]) == {
        "report.html",
        "faces.csv",
        "events.csv",
        "subtitles.vtt",
        "timeline.json",
        "annotated.webm",
    }
    files = {name: client.get(report["links"][name]) for name in report["results"]}
    assert files["faces.csv"].text.startswith("frame,seconds,track")
    assert files["subtitles.vtt"].text.startswith("WEBVTT")
    assert files["annotated.webm"].data[:4] == b"\x1aE\xdf\xa3"
    assert "annotated.webm" in files["report.html"].text
    for each in files.values():
        assert each.headers["Cache-Control"] == "no-store"
        each.close()
    # The video is removed after its analysis, the results when the job is deleted.
    [folder] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert not (folder / "source").exists()
    assert folder.stat().st_mode & 0o077 == 0
    assert client.delete(report["links"]["self"]).status_code == 204
    assert client.get(report["links"]["self"]).status_code == 404
    assert client.get(report["links"]["annotated.webm"]).status_code == 404


def test_report_is_sandboxed_and_other_files_can_be_saved(app, video):
    client = app.test_client()
    report = wait_for_end(client, post_video(client, video, "fps=2"))
    page = client.get(report["links"]["report.html"])
    policy = page.headers["Content-Security-Policy"]
    page.close()
    assert "sandbox allow-scripts" in policy
    assert "script-src 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy
    assert "file:" not in policy
    table = client.get(report["links"]["faces.csv"] + "?save=1")
    assert "attachment" in table.headers["Content-Disposition"]
    part = client.get(report["links"]["annotated.webm"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.data)) == (206, 100)
    table.close()
    part.close()


def parse_events(text):
    """The type and the data of each server-sent event."""
    blocks = [block for block in text.split("\n\n") if block.startswith("event:")]
    return [(block.partition("\n")[0], json.loads(block.partition("data: ")[2])) for block in blocks]


def test_event_stream_ends_with_the_job(app, video):
    client = app.test_client()
    events = parse_events(client.get(post_video(client, video).json["links"]["events"]).text)
    types = [event for event, _ in events]
    assert types[-1] == "event: end"
    assert set(types[:-1]) <= {"event: state"}
    assert events[-1][1]["state"] == "done"
    assert set(events[-1][1]["links"]) > {"self", "events", "annotated.webm"}


@pytest.mark.full
def test_event_stream_passes_a_real_socket(app, video):
    with running_server(app) as address:
        connection = http.client.HTTPConnection(*address, timeout=30)
        connection.request("GET", post_video(app.test_client(), video).json["links"]["events"])
        response = connection.getresponse()
        assert response.getheader("Content-Type").startswith("text/event-stream")
        assert parse_events(response.read().decode())[-1][1]["state"] == "done"
        connection.close()


def test_number_of_event_streams_is_limited(video, tmp_path, engine):
    app = make_app(engine, scratch=str(tmp_path), streams=1)
    client = app.test_client()
    links = post_video(client, video).json["links"]
    first = client.get(links["events"])
    rejected = client.get(links["events"])
    assert (rejected.status_code, rejected.headers["Retry-After"]) == (503, "1")
    first.close()
    second = client.get(links["events"])
    assert second.status_code == 200
    second.close()
    service_of(app).jobs.close()


@pytest.mark.parametrize("data", [b"text", b"\0" * 5000, b"#EXTM3U\nfile:///etc/passwd\n"])
def test_file_that_is_not_a_video_fails_with_the_name_of_the_client(app, data, tmp_path):
    client = app.test_client()
    report = wait_for_end(client, post_video(client, data, "name=holiday.mp4"))
    assert report["state"] == "failed"
    assert "holiday.mp4" in report["error"]
    assert str(tmp_path) not in report["error"]
    assert report["results"] == []


def test_truncated_video_is_analysed_in_part_or_fails(app, video):
    client = app.test_client()
    report = wait_for_end(client, post_video(client, video[: len(video) // 2]))
    assert report["state"] == "done" or report["error"]


@pytest.mark.parametrize(
    ("query", "data", "status"),
    [
        ("fps=0", b"x", 400),
        ("fps=nan", b"x", 400),
        ("fps=many", b"x", 400),
        ("model=none", b"x", 404),
        ("fps=5", b"", 400),
    ],
)
def test_invalid_requests_create_no_job(app, query, data, status):
    assert post_video(app.test_client(), data, query).status_code == status
    assert sum(service_of(app).jobs.states().values()) == 0


def test_videos_can_be_disabled(engine):
    assert post_video(make_app(engine, max_video_bytes=0).test_client(), b"x").status_code == 404


# Errors while results are written


@pytest.fixture
def video_request(tmp_path, video):
    path, folder = tmp_path / "source", tmp_path / "results"
    path.write_bytes(video)
    folder.mkdir()
    return VideoRequest(path, "holiday.webm", folder, 5.0)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
@pytest.mark.parametrize("name", ["faces.csv", "subtitles.vtt"])
def test_full_disk_is_an_output_error(video_request, engine, name):
    (video_request.folder / name).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"'holiday\.webm' could not be written: No space left") as error:
        save_video_results(engine, video_request)
    assert error.value.remedy


def test_folder_that_is_removed_by_a_cancellation_is_no_error(video_request, engine):
    cancelled = threading.Event()

    def cancel(facts):
        shutil.rmtree(video_request.folder)
        cancelled.set()

    assert save_video_results(engine, video_request, is_cancelled=cancelled.is_set, on_progress=cancel) is None


# The queue


class FakeVideoAnalysis:
    """Writes a result when ``finish`` is set; the names of some videos stand for errors."""

    def __init__(self):
        self.started, self.finish = threading.Event(), threading.Event()

    def __call__(self, engine, request, *, is_cancelled, on_progress, on_frame):
        self.started.set()
        if request.name == "bug":
            raise ZeroDivisionError
        if request.name == "damaged":
            (request.folder / "annotated.webm").write_bytes(b"half of it")
            raise SourceUnreadable(f"'{request.path}' is damaged")
        while not self.finish.wait(0.005):
            on_progress({"frames": 1})
            if is_cancelled():
                return None
        (request.folder / "report.html").write_text("x")
        return VideoResults(("report.html",), {})


@pytest.fixture
def analysis():
    analysis = FakeVideoAnalysis()
    yield analysis
    analysis.finish.set()


@pytest.fixture
def create_queue(tmp_path, analysis):
    """Creates queues in one folder; they are closed at the end."""
    queues = []

    def create(**settings):
        queues.append(VideoQueue(WebSettings(scratch=str(tmp_path), log="off", **settings), analysis))
        return queues[-1]

    yield create
    for queue in queues:
        queue.close()


def add(queue, name="a.webm"):
    return queue.add(b"video", name, None, VideoOptions())


def test_removed_jobs_are_cancelled_and_their_folders_removed(create_queue, analysis, tmp_path):
    queue = create_queue()
    running, waiting = add(queue), add(queue)
    assert analysis.started.wait(5)
    assert (running.state, waiting.state) == (RUNNING, WAITING)
    assert queue.states() == {WAITING: 1, RUNNING: 1, DONE: 0, FAILED: 0, CANCELLED: 0}
    assert queue.remove(waiting.id)
    assert queue.remove(running.id)
    assert not queue.remove(running.id)
    assert (running.state, waiting.state) == (CANCELLED, CANCELLED)
    queue.close()
    assert list(tmp_path.iterdir()) == []


def test_number_of_jobs_is_limited(create_queue):
    queue = create_queue(video_jobs=2)
    first, _ = add(queue), add(queue)
    with pytest.raises(QueueFull):
        add(queue)
    queue.remove(first.id)
    add(queue)


def test_results_expire(create_queue, analysis, tmp_path):
    analysis.finish.set()
    queue = create_queue(keep_minutes=0.01)
    job = add(queue)
    wait_until(lambda: job.state == DONE)
    assert (job.request.folder / "report.html").exists()
    wait_until(lambda: not queue.get(job.id))
    assert list(tmp_path.iterdir()) == []


def test_failed_jobs_leave_no_files_and_do_not_stop_the_queue(create_queue, analysis, tmp_path):
    analysis.finish.set()
    queue = create_queue()
    bug, damaged, good = (add(queue, name) for name in ("bug", "damaged", "good"))
    wait_until(lambda: good.state == DONE)
    assert (bug.state, damaged.state) == (FAILED, FAILED)
    assert damaged.message == "'damaged' is damaged."
    assert "ZeroDivision" not in bug.message
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == [good.request.folder]


LIVING_PROCESS = """
import time
from mien.apps.web.jobs import VideoOptions, VideoQueue
from mien.apps.web.settings import WebSettings
queue = VideoQueue(WebSettings(scratch={!r}), lambda *_, **__: time.sleep(60))
print(queue.add(b"video", "a", None, VideoOptions()).request.folder, flush=True)
time.sleep(60)
"""


def test_folders_of_a_killed_process_are_removed_by_the_next_one(create_queue, tmp_path):
    foreign = tmp_path / "mien-web-video-without-lock"
    foreign.mkdir()
    own = add(create_queue()).request.folder
    code = LIVING_PROCESS.format(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()) as other:
        try:
            abandoned = Path(other.stdout.readline().strip())
            create_queue()
            assert (abandoned / "source").exists()
        finally:
            other.kill()
    create_queue()
    assert not abandoned.exists()
    assert own.exists()
    assert foreign.exists()


def test_failed_and_finished_jobs_free_their_place(create_queue, analysis, tmp_path):
    """As many results are kept as jobs may wait; the oldest make room."""
    analysis.finish.set()
    queue = create_queue(video_jobs=2)
    jobs = []
    for name in ("damaged", "damaged", "bug", "good", "good", "good"):
        jobs.append(add(queue, name))
        wait_until(lambda: jobs[-1].state in (DONE, FAILED))
    assert queue.get(jobs[0].id) is None
    assert queue.get(jobs[-1].id) is jobs[-1]
    assert len(queue.list_jobs()) <= 2 + 1
    assert {path for path in tmp_path.iterdir() if path.is_dir()} <= {job.request.folder for job in jobs[-3:]}


def test_limits_of_the_settings_are_those_of_the_request(create_queue):
    queue = create_queue(max_pixels=2000, max_analysis_seconds=33.0)
    request = add(queue).request
    assert (request.max_pixels, request.time_limit) == (2000, 33.0)
