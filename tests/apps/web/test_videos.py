"""Films as jobs: begun, followed, finished, cancelled, bounded, and gone without a trace."""

import http.client
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from command import environment
from fakes import FakeDetector
from video_files import two_faces
from mien.apps.web.jobs import VideoQueue
from mien.apps.web.settings import WebSettings
from mien.errors import OutputError, SourceUnreadable
from mien.results import Box
from mien.video.results import VideoRequest, save_video_results
from web import app_of, fake_engine, listening, service

VIDEOS = "/api/v1/videos"


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> bytes:
    """Two people standing still for two seconds, as OpenCV alone can write it."""
    path = tmp_path_factory.mktemp("film") / "film.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10, (640, 360))
    frame = cv2.resize(np.ascontiguousarray(two_faces()[..., ::-1]), (640, 360))
    for _ in range(20):
        writer.write(frame)
    writer.release()
    return path.read_bytes()


@pytest.fixture
def app(tmp_path):
    app = app_of(scratch=str(tmp_path), film_jobs=2)
    yield app
    service(app).jobs.close()
    assert list(tmp_path.iterdir()) == []


def begin(client, data, query="fps=5&name=film.webm"):
    return client.post(f"{VIDEOS}?{query}", data=data, content_type="application/octet-stream")


def ended(client, answer, seconds=60):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        told = client.get(answer.json["links"]["self"]).json
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        time.sleep(0.05)
    pytest.fail(f"still {told}")


def test_a_film_from_upload_to_results(app, film, tmp_path):
    client = app.test_client()
    answer = begin(client, film)
    assert answer.status_code == 202
    assert answer.headers["Location"] == answer.json["links"]["self"]
    told = ended(client, answer)
    assert (told["state"], told["error"], told["source"]) == ("done", None, "film.webm")
    assert told["people"] == 2
    assert {one["label"] for one in told["found"]["events"]} >= {"happy"}
    assert set(told["results"]) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "film.webm"}
    texts = {name: client.get(told["links"][name]) for name in told["results"]}
    assert texts["faces.csv"].text.startswith("frame,seconds,person")
    assert texts["subtitles.vtt"].text.startswith("WEBVTT")
    assert texts["film.webm"].data[:4] == b"\x1aE\xdf\xa3"
    assert "film.webm" in texts["report.html"].text
    for each in texts.values():
        assert each.headers["Cache-Control"] == "no-store"
        each.close()
    # The film itself is gone as soon as it is read; its results when they are deleted.
    [folder] = [path for path in tmp_path.iterdir() if path.is_dir()]
    assert not (folder / "film").exists()
    assert folder.stat().st_mode & 0o077 == 0
    assert client.delete(told["links"]["self"]).status_code == 204
    assert client.get(told["links"]["self"]).status_code == 404
    assert client.get(told["links"]["film.webm"]).status_code == 404


def test_the_report_lives_in_a_sandbox(app, film):
    client = app.test_client()
    told = ended(client, begin(client, film, "fps=2"))
    report = client.get(told["links"]["report.html"])
    policy = report.headers["Content-Security-Policy"]
    report.close()
    assert "sandbox allow-scripts" in policy
    assert "script-src 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy
    assert "file:" not in policy
    saved = client.get(told["links"]["faces.csv"] + "?save=1")
    assert "attachment" in saved.headers["Content-Disposition"]
    part = client.get(told["links"]["film.webm"], headers={"Range": "bytes=0-99"})
    assert (part.status_code, len(part.data)) == (206, 100)
    saved.close()
    part.close()


def test_events_follow_a_job_to_its_end(app, film):
    client = app.test_client()
    with listening(app) as address:
        connection = http.client.HTTPConnection(*address, timeout=30)
        connection.request("GET", begin(client, film).json["links"]["events"])
        answer = connection.getresponse()
        assert answer.getheader("Content-Type").startswith("text/event-stream")
        text = answer.read().decode()
        connection.close()
    blocks = [block for block in text.split("\n\n") if block.startswith("event:")]
    kinds = [block.partition("\n")[0] for block in blocks]
    assert kinds[-1] == "event: end"
    assert "event: state" in kinds
    last = json.loads(blocks[-1].partition("data: ")[2])
    assert last["state"] == "done"
    assert set(last["links"]) > {"self", "events", "film.webm"}


def test_streams_are_bounded_and_given_back(film, tmp_path):
    app = app_of(scratch=str(tmp_path), streams=1)
    client = app.test_client()
    links = begin(client, film).json["links"]
    first = client.get(links["events"])
    refused = client.get(links["events"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    first.close()
    again = client.get(links["events"])
    assert again.status_code == 200
    again.close()
    service(app).jobs.close()


@pytest.mark.parametrize("data", [b"no film at all", b"\0" * 5000, b"#EXTM3U\nfile:///etc/passwd\n"])
def test_what_is_no_film_fails_with_its_own_name(app, data, tmp_path):
    client = app.test_client()
    told = ended(client, begin(client, data, "name=holiday.mp4"))
    assert told["state"] == "failed"
    assert "holiday.mp4" in told["error"]
    assert str(tmp_path) not in told["error"]
    assert told["results"] == []


def test_a_cut_film_is_read_as_far_as_it_goes_or_refused(app, film):
    client = app.test_client()
    told = ended(client, begin(client, film[: len(film) // 2]))
    assert told["state"] in ("done", "failed")
    assert told["error"] or told["complaint"] or told["people"] >= 0


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
def test_wrong_wishes_begin_nothing(app, query, data, status):
    assert begin(app.test_client(), data, query).status_code == status
    assert sum(service(app).jobs.states().values()) == 0


def test_no_film_is_taken_where_films_are_off():
    assert begin(app_of(max_film_bytes=0).test_client(), b"x").status_code == 404


# What may happen while one is gathered


@pytest.fixture
def order(tmp_path, film):
    path, folder = tmp_path / "film", tmp_path / "results"
    path.write_bytes(film)
    folder.mkdir()
    return VideoRequest(path, "holiday.webm", folder, 5.0)


@pytest.fixture(scope="module")
def engine():
    return fake_engine(detector=FakeDetector((Box(40, 40, 120, 120),)))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file that takes nothing, as Linux has it")
@pytest.mark.parametrize("name", ["faces.csv", "subtitles.vtt"])
def test_a_disk_that_is_full_is_told_in_three_beats(order, engine, name):
    (order.folder / name).symlink_to("/dev/full")
    with pytest.raises(OutputError, match=r"'holiday\.webm' could not be written: No space left") as told:
        save_video_results(engine, order)
    assert told.value.remedy


def test_a_film_that_is_left_and_removed_while_it_is_read_is_no_failure(order, engine):
    left = threading.Event()

    def leave(facts):
        shutil.rmtree(order.folder)
        left.set()

    assert save_video_results(engine, order, left=left.is_set, tell=leave) is None


def test_a_failed_job_keeps_nothing_and_says_nothing_of_folders_here(tmp_path):
    def read(job):
        (job.folder / "film.webm").write_bytes(b"half of it")
        raise OutputError(f"The film '{job.folder / 'film.webm'}' could not be written: No space left")

    jobs = jobs_of(tmp_path, read)
    job = jobs.add(b"x", "a", None, {})
    assert state(job, "failed") == "failed"
    assert job.error == "The film 'film.webm' could not be written: No space left."
    until = time.monotonic() + 5
    while list(tmp_path.iterdir()) and time.monotonic() < until:
        time.sleep(0.01)
    assert list(tmp_path.iterdir()) == []
    jobs.close()


# The list itself


class Reading:
    """Stands where films are read: goes on until it may end, or until the job is left."""

    def __init__(self):
        self.begun, self.end = threading.Event(), threading.Event()

    def __call__(self, job):
        self.begun.set()
        while not self.end.wait(0.01):
            job.tell(facts={"frames": 1})
            if job.left.is_set():
                return
        (job.folder / "report.html").write_text("x")
        job.tell(results=("report.html",))


def jobs_of(tmp_path, read, **settings):
    return VideoQueue(WebSettings(scratch=str(tmp_path), **settings), read)


def state(job, wanted, seconds=5):
    until = time.monotonic() + seconds
    while job.state != wanted and time.monotonic() < until:
        time.sleep(0.005)
    return job.state


def test_a_job_that_is_left_stops_and_leaves_nothing(tmp_path):
    reading = Reading()
    jobs = jobs_of(tmp_path, reading)
    running, waiting = (jobs.add(b"film", "a", None, {}) for _ in range(2))
    assert reading.begun.wait(5)
    assert (running.state, waiting.state) == ("reading", "waiting")
    assert jobs.remove(waiting.id)
    assert jobs.remove(running.id)
    assert state(running, "cancelled") == "cancelled"
    assert not jobs.remove(running.id)
    jobs.close()
    assert list(tmp_path.iterdir()) == []


def test_more_than_may_be_are_refused_until_one_goes(tmp_path):
    from mien.apps.web.jobs import QueueFull

    reading = Reading()
    jobs = jobs_of(tmp_path, reading, film_jobs=2)
    first, _ = (jobs.add(b"film", "a", None, {}) for _ in range(2))
    with pytest.raises(QueueFull):
        jobs.add(b"film", "a", None, {})
    jobs.remove(first.id)
    jobs.add(b"film", "a", None, {})
    jobs.close()


def test_results_go_when_their_time_is_over(tmp_path):
    reading = Reading()
    reading.end.set()
    jobs = jobs_of(tmp_path, reading, keep_minutes=0.01)
    job = jobs.add(b"film", "a", None, {})
    assert state(job, "done") == "done"
    assert (job.folder / "report.html").exists()
    assert not (job.folder / "film").exists()
    until = time.monotonic() + 5
    while jobs.get(job.id) and time.monotonic() < until:
        time.sleep(0.05)
    assert list(tmp_path.iterdir()) == []
    jobs.close()


def test_a_film_that_fails_or_breaks_does_not_end_the_films_after_it(tmp_path):
    def read(job):
        if job.name == "bug":
            raise ZeroDivisionError
        if job.name == "bad":
            raise SourceUnreadable(f"'{job.folder / 'film'}' is damaged")

    jobs = jobs_of(tmp_path, read)
    bug, bad, good = (jobs.add(b"x", name, None, {}) for name in ("bug", "bad", "good"))
    assert state(good, "done") == "done"
    assert (bug.state, bad.state) == ("failed", "failed")
    assert bad.error == "'bad' is damaged."
    assert "ZeroDivision" not in bug.error
    jobs.close()


def test_numbers_of_jobs_cannot_be_guessed(tmp_path):
    reading = Reading()
    jobs = jobs_of(tmp_path, reading, film_jobs=8)
    ids = {jobs.add(b"x", "a", None, {}).id for _ in range(8)}
    jobs.close()
    assert len(ids) == 8
    assert min(map(len, ids)) >= 32


LIVING = """
import time
from mien.apps.web.jobs import Jobs
from mien.apps.web.settings import WebSettings
jobs = Jobs(WebSettings(scratch={!r}), lambda job: time.sleep(60))
print(jobs.add(b"film", "a", None, {{}}).folder, flush=True)
time.sleep(60)
"""


def test_what_a_killed_process_left_goes_when_the_next_begins(tmp_path):
    strange = tmp_path / "mien-web-film-of-nobody"
    strange.mkdir()
    mine = jobs_of(tmp_path, Reading())
    own = mine.add(b"film", "a", None, {}).folder
    code = LIVING.format(str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment()) as other:
        try:
            left = Path(other.stdout.readline().strip())
            jobs_of(tmp_path, Reading())
            assert (left / "film").exists()
        finally:
            other.kill()
    jobs_of(tmp_path, Reading())
    assert not left.exists()
    assert (own / "film").exists()
    mine.close()
    assert list(tmp_path.iterdir()) == [strange]
