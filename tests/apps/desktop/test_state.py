"""The desktop application without a window: worker, images, explanations, videos, camera, files and settings."""

import base64
import json
import os
import re
import shutil
import sys
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from command import with_fakes
from desktop import wait_until, wait_until_idle
from fake_camera import FakeCameraDevice
from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine, images, video
from mien.apps.desktop import settings
from mien.apps.desktop.application import DesktopApplication, split_paths
from mien.apps.desktop.dialogs import parse_bytes, parse_paths
from mien.apps.desktop.saving import VIDEO_FORMATS
from mien.apps.desktop.settings import DesktopSettings
from mien.apps.desktop.state import ModelSelection
from mien.apps.desktop.video_state import FrameHistory
from mien.apps.desktop.worker import BACKGROUND, IMMEDIATE, Task, Worker
from mien.errors import MienError
from mien.results import AnalyzedFrame, Box, FrameResult
from running_threads import mien_threads
from video_files import EXAMPLES, two_faces, write_still_video

PORTRAITS = EXAMPLES / "portraits.jpg"


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture
def application(engine):
    application = DesktopApplication(lambda *, model, detector, prior="training": engine)
    application.load_model()
    yield wait_until_idle(application)
    application.close()
    assert mien_threads() == set()


@pytest.fixture
def fake_application():
    """A function that makes an application whose classifier and detector are fakes; closed after the test."""
    applications = []

    def create(**parts) -> DesktopApplication:
        application = DesktopApplication(with_fakes(**parts))
        applications.append(application)
        application.load_model()
        return wait_until_idle(application)

    yield create
    for application in applications:
        application.close()


def write_gray(path: Path, value: int, size: int = 8) -> Path:
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)
    return path


# The worker


@pytest.fixture
def worker():
    worker = Worker()
    yield worker
    worker.close()


def finish(worker):
    wait_until(lambda: worker.idle, worker.poll)


def count_steps(name, number, log):
    for step in range(number):
        log.append(name)
        yield name, step


def test_unexpected_error_fails_its_task_and_is_raised_by_poll(worker):
    log = []

    def fail():
        yield "started"
        raise ZeroDivisionError("none")

    worker.submit(Task(fail(), log.append, lambda error: log.append(str(error)), lambda: log.append("end")))
    worker.submit(Task(count_steps("next", 1, []), log.append))
    with pytest.raises(ZeroDivisionError):
        finish(worker)
    finish(worker)
    assert log == ["started", "This is a bug in mien: ZeroDivisionError: none. Please report it.", "end", ("next", 0)]


def test_urgent_task_runs_between_the_steps_of_a_background_task(worker):
    log, results, started, urgent_waits = [], [], threading.Event(), threading.Event()

    def run_slowly():
        log.append("slow")
        started.set()
        assert urgent_waits.wait(10)
        yield "slow", 0
        yield from count_steps("slow", 5, log)

    worker.submit(Task(run_slowly(), results.append), BACKGROUND)
    assert started.wait(10)
    worker.submit(Task(count_steps("urgent", 1, log), results.append), IMMEDIATE)
    urgent_waits.set()
    finish(worker)
    assert log == ["slow", "urgent", *["slow"] * 5]
    assert results[:2] == [("slow", 0), ("urgent", 0)]


def test_cancelled_task_stops_at_its_next_step_and_releases_its_resources(worker):
    log, started, released = [], threading.Event(), threading.Event()

    def run_forever():
        try:
            while True:
                started.set()
                yield "result"
        finally:
            released.set()

    task = worker.submit(Task(run_forever(), log.append, on_end=lambda: log.append("end")))
    assert started.wait(10)
    task.cancel()
    finish(worker)
    assert released.is_set()
    assert log == ["end"]


def test_expected_error_is_passed_to_the_callback(worker):
    errors = []

    def fail():
        raise MienError("It failed")
        yield

    worker.submit(Task(fail(), on_error=errors.append))
    finish(worker)
    assert [str(error) for error in errors] == ["It failed."]


def test_closed_worker_stops_its_tasks_and_delivers_nothing():
    worker, log, results, started = Worker(), [], [], threading.Event()

    def run_forever():
        while True:
            started.set()
            log.append("step")
            yield "result"

    worker.submit(Task(run_forever(), results.append))
    assert started.wait(10)
    worker.close()
    steps = len(log)
    assert mien_threads() == set()
    worker.poll()
    assert (len(log), results) == (steps, [])


# Images


def test_image_result_equals_that_of_the_library(application, engine):
    application.open([PORTRAITS])
    wait_until_idle(application)
    assert application.page == "photo"
    assert json.loads(application.format_results("json")) == engine.read(PORTRAITS).to_dict()
    assert application.images.preview.shape == (480, 960, 3)
    assert application.images.reading == application.images.readings[0]
    indices = []
    for _ in range(3):
        application.images.step_face(1)
        indices.append(application.images.face_index)
    assert indices == [1, 0, 1]


class PausingDetector(FakeDetector):
    """Stores the gray levels of the images in their order, and pauses at one of them until ``resume`` is set."""

    def __init__(self, pause_at: int):
        super().__init__()
        self._pause_at, self.levels = pause_at, []
        self.paused, self.resume = threading.Event(), threading.Event()

    def detect(self, pixels, *, min_face=None):
        self.levels.append(int(pixels.flat[0]))
        if len(self.levels) == self._pause_at:
            self.paused.set()
            assert self.resume.wait(30)
        return super().detect(pixels, min_face=min_face)


def test_current_image_of_a_folder_is_analyzed_before_the_others(fake_application, tmp_path):
    for number in range(100):
        write_gray(tmp_path / f"{number:02}.png", 2 * number)
    (tmp_path / "99a.jpg").write_text("no image")
    detector = PausingDetector(3)
    application = fake_application(detector=detector)
    application.open([tmp_path])
    wait_until(detector.paused.is_set, application.poll)
    application.images.select(90)
    detector.resume.set()
    wait_until_idle(application)
    assert application.images.current.result is not None
    assert detector.levels[3] == 180
    assert sorted(detector.levels) == [2 * number for number in range(100)]
    assert application.images.completed == 101
    assert "is text" in str(application.images.images[100].error)
    assert application.format_results("csv").count("\n") == 102
    assert application.images.preview_count <= 5


def test_cancelling_keeps_the_results_and_selecting_an_image_analyzes_it(fake_application, tmp_path):
    for number in range(200):
        write_gray(tmp_path / f"{number}.png", 0)
    detector = PausingDetector(6)
    application = fake_application(detector=detector)
    application.open([tmp_path])
    wait_until(detector.paused.is_set, application.poll)
    assert application.state.busy
    application.cancel()
    detector.resume.set()
    wait_until_idle(application)
    assert not application.state.busy
    completed = application.images.completed
    assert 0 < completed <= 6
    application.images.select(199)
    wait_until_idle(application)
    assert application.images.current.result is not None
    assert application.images.completed == completed + 1


def test_image_without_face_is_a_result_and_unreadable_files_are_failures(application, tmp_path):
    write_gray(tmp_path / "empty.png", 90, 64)
    (tmp_path / "broken.jpg").write_text("no")
    paths = [tmp_path / name for name in ("empty.png", "broken.jpg", "missing.jpg")]
    application.open(paths)
    wait_until_idle(application)
    empty, broken, missing = application.images.outcomes()
    assert isinstance(empty, FrameResult)
    assert len(empty) == 0
    assert "is text" in str(broken.error)
    assert "missing.jpg" in str(missing.error)
    sources = [json.loads(line)["source"] for line in application.format_results("json").splitlines()]
    assert sources == [str(path) for path in paths]


def test_opening_an_open_image_selects_it_and_closing_selects_a_neighbour(fake_application, tmp_path):
    paths = [write_gray(tmp_path / f"{name}.png", 0) for name in "abc"]
    application = fake_application()
    application.open(paths[:2])
    wait_until_idle(application)
    for path in (paths[0], paths[1], paths[0]):
        application.open([path])
        wait_until_idle(application)
        assert application.images.current.source == path
    application.open([tmp_path])
    wait_until_idle(application)
    assert [image.title for image in application.images.images] == ["a.png", "b.png", "c.png"]
    for index in (2, 0):
        application.images.select(index)
        application.images.close_current()
    wait_until_idle(application)
    assert [image.title for image in application.images.images] == ["b.png"]
    assert application.images.index == 0
    application.images.close_current()
    wait_until_idle(application)
    assert application.images.current is None


def test_image_without_a_file_is_analyzed_under_its_name(fake_application):
    application = fake_application()
    stream = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    application.images.add(stream, "pasted image")
    wait_until_idle(application)
    assert application.images.current.title == "pasted image"
    assert application.images.current.result.source == "pasted image"
    assert len(application.images.readings) == 1


def test_selecting_another_detector_analyzes_all_again_and_a_wrong_name_changes_nothing():
    def load(*, model, detector, prior="training"):
        if detector == "wrong":
            raise MienError("There is no detector 'wrong'")
        return Engine(FakeClassifier(), FakeDetector((Box(0, 0, 8, 8),), name=detector))

    application = DesktopApplication(load)
    application.load_model()
    application.images.add(np.zeros((8, 8, 3), np.uint8), "black")
    wait_until_idle(application)
    application.state.select_model(ModelSelection("base", "other"))
    wait_until_idle(application)
    assert application.images.current.result.detector == "other"
    application.state.select_model(ModelSelection("base", "wrong"))
    wait_until_idle(application)
    assert application.state.selection.detector == "other"
    assert application.state.status.error
    assert application.images.current.result.detector == "other"
    application.close()


def test_model_with_other_labels_and_without_votes_works(fake_application):
    card = fake_card(labels=("happy", "bored"), vote_labels=())
    application = fake_application(classifier=FakeClassifier(card))
    application.images.add(np.full((8, 8, 3), 255, np.uint8), "white")
    wait_until_idle(application)
    assert application.images.reading.emotions.top == "bored"
    assert application.state.labels == ("happy", "bored")
    assert len(application.format_results("csv").splitlines()) == 2


# Explanations


def test_page_explain_explains_the_selected_face_and_caches_explanations(application):
    application.open([PORTRAITS])
    wait_until_idle(application)
    state = application.explanation
    assert state.explanation is None
    application.show_page("explain")
    wait_until_idle(application)
    first = state.explanation
    assert first.map.target == application.images.reading.emotions.top
    assert len(first.layers) > 20
    assert first.emotions.scores == application.images.reading.emotions.scores
    state.update(method="occlusion", target="sad", versus="happy")
    wait_until_idle(application)
    saliency = state.explanation.map
    assert (saliency.method, saliency.target, saliency.versus) == ("occlusion", "sad", "happy")
    state.update(method="auto", target=None, versus=None)
    assert state.explanation is first
    application.images.step_face(1)
    wait_until_idle(application)
    assert state.explanation.emotions.top == "happy"


def test_label_is_not_compared_with_itself(application):
    application.explanation.update(target="sad", versus="happy")
    application.explanation.update(target="happy")
    assert application.explanation.request == ("auto", "happy", None)


# Videos


@pytest.fixture(scope="module")
def video_path(tmp_path_factory):
    return write_still_video(tmp_path_factory.mktemp("video") / "two.mp4", two_faces(), 2.0)


@pytest.fixture
def video_application(application, video_path):
    application.open([video_path])
    return wait_until_idle(application)


def test_video_is_analyzed_and_can_be_displayed_at_any_position(video_application):
    state = video_application.video
    assert [video_application.page, state.stage] == ["video", "complete"]
    assert len(state.progress.tracks) == 2
    assert {event.emotion for event in state.progress.events} == {"happy", "neutral"}
    for seconds in (1.2, 99):
        state.seek(seconds)
        wait_until_idle(video_application)
        assert state.position == pytest.approx(min(seconds, 1.95), abs=0.1)


@pytest.mark.full
def test_playback_displays_frames_in_order_until_the_end(video_application):
    state, positions = video_application.video, []
    video_application.state.events.subscribe(lambda: positions.append(state.position), "frame")
    state.seek(1.0)
    state.play()
    assert state.playing
    wait_until_idle(video_application)
    assert not state.playing
    assert positions == sorted(positions)
    assert positions[0] >= 0.9


def test_video_results_are_saved_in_every_format(video_application, tmp_path):
    names = {f"{kind}{suffix}" for kind, (_, suffix, _) in VIDEO_FORMATS.items()}
    for kind, (_, suffix, _) in VIDEO_FORMATS.items():
        video_application.save_video(kind, tmp_path / f"{kind}{suffix}")
    wait_until_idle(video_application)
    assert not video_application.state.status.error, video_application.state.status
    assert {path.name for path in tmp_path.iterdir()} == names
    records = [json.loads(line) for line in (tmp_path / "json.jsonl").read_text().splitlines()]
    kinds = [record["kind"] for record in records]
    assert (kinds[0], kinds.count("track")) == ("video", 2)
    assert kinds.count("frame") == video_application.video.progress.frames
    assert (tmp_path / "faces.csv").read_text().startswith("frame,seconds,track")
    assert (tmp_path / "video.webm").stat().st_size > 5_000
    assert "WEBVTT" in (tmp_path / "subtitles.vtt").read_text()


def test_faces_are_blurred_in_files_that_are_saved_with_that_option(video_application, video_path, tmp_path):
    state = video_application.video
    box = next(iter(state.video.history.at(1.0))).face.box
    sharp, *portraits = _face_detail(video_path, box), *_portrait_detail(video_application, tmp_path / "sharp.html")
    assert min(sharp, *portraits) > 50
    state.blur_faces = True
    video_application.save_video("video", tmp_path / "blurred.webm")
    state.blur_faces = False
    video_application.save_video("video", tmp_path / "sharp.webm")
    wait_until_idle(video_application)
    assert not video_application.state.status.error, video_application.state.status
    assert _face_detail(tmp_path / "blurred.webm", box) < 15 < 50 < _face_detail(tmp_path / "sharp.webm", box)
    state.blur_faces = True
    assert max(_portrait_detail(video_application, tmp_path / "blurred.html")) < 15


def _detail(pixels) -> float:
    """The mean difference between an image and a strongly blurred copy."""
    gray = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)
    return float(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), min(gray.shape) / 24)).mean() * 4)


def _face_detail(path, box) -> float:
    """The detail in the middle of a face, one second after the start of a video."""
    with video.open_video(path) as reader:
        pixels = next(reader.frames(video.FrameSelection(start=1.0))).pixels
    left, top, width, height = box.x + box.width // 4, box.y + box.height // 4, box.width // 2, box.height // 2
    return _detail(np.ascontiguousarray(pixels[top : top + height, left : left + width]))


def _portrait_detail(application, path) -> list[float]:
    """The detail of the portraits in a report."""
    application.save_video("report", path)
    wait_until_idle(application)
    portraits = re.findall(r"data:image/jpeg;base64,([^'\"]+)", path.read_text())
    assert portraits
    return [_detail(images.load_image(base64.b64decode(portrait)).pixels) for portrait in portraits]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has file names that are no text")
def test_video_whose_file_name_is_no_text_can_be_analyzed_and_saved(application, video_path, tmp_path):
    application.open([Path(shutil.copy(video_path, tmp_path / os.fsdecode(b"caf\xe9.mp4")))])
    wait_until_idle(application)
    assert [application.video.stage, application.video.error] == ["complete", None]
    for kind in ("report", "json", "faces"):
        application.save_video(kind, tmp_path / f"{kind}.txt")
        wait_until_idle(application)
        assert not application.state.status.error, application.state.status
    assert "caf\\udce9.mp4" in (tmp_path / "report.txt").read_text("utf-8")
    record = json.loads((tmp_path / "json.txt").read_text("utf-8").splitlines()[0])
    assert record["video"].endswith("caf\\udce9.mp4")


def test_journals_of_closed_videos_are_deleted_after_everything_is_saved(video_application, tmp_path):
    folder = video_application.video.video.journal_path.parent
    video_application.save_video("faces", tmp_path / "faces.csv")
    for _ in range(2):
        video_application.video.analyze_again()
    wait_until_idle(video_application)
    assert list(folder.iterdir()) == [video_application.video.video.journal_path]
    assert (tmp_path / "faces.csv").read_text().count("\n") > 10
    video_application.save_video("faces", tmp_path / "again.csv")
    wait_until_idle(video_application)
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "faces.csv").read_text()


def test_changed_video_file_is_not_annotated_with_old_results(application, video_path, tmp_path):
    copy = Path(shutil.copy(video_path, tmp_path / "one.mp4"))
    application.open([copy])
    wait_until_idle(application)
    write_still_video(copy, two_faces(), 1.2)
    application.save_video("video", tmp_path / "annotated.webm")
    wait_until_idle(application)
    assert "'one.mp4' was changed after it was analysed" in application.state.status.text
    assert application.state.status.error
    assert not (tmp_path / "annotated.webm").exists()
    application.video.analyze_again()
    wait_until_idle(application)
    application.save_video("video", tmp_path / "annotated.webm")
    wait_until_idle(application)
    assert (tmp_path / "annotated.webm").exists()


def test_cancelled_analysis_keeps_its_results(application, tmp_path):
    path = write_still_video(tmp_path / "long.mp4", two_faces(), 12.0, 15)
    application.video.fps = 30.0
    application.open([path])
    wait_until(lambda: application.video.progress.frames >= 10, application.poll)
    application.cancel()
    wait_until_idle(application)
    assert application.video.stage == "stopped"
    assert 10 <= application.video.progress.frames < 180
    assert "Stopped" in application.video.video.incomplete
    application.save_video("faces", tmp_path / "faces.csv")
    wait_until_idle(application)
    assert (tmp_path / "faces.csv").read_text().count("\n") > 10


def test_progress_is_a_snapshot_that_the_analysis_does_not_change(application, video_path):
    snapshots = []
    application.state.events.subscribe(lambda: snapshots.append(application.video.progress), "progress")
    application.open([video_path])
    wait_until_idle(application)
    fractions = [
        fraction
        for progress in snapshots
        for track in progress.tracks
        for fraction in track.summary.emotions().values()
    ]
    assert fractions
    assert max(fractions) <= 1 + 1e-9


def test_file_that_is_no_video_is_an_error(fake_application, tmp_path):
    (tmp_path / "no.mp4").write_text("no video")
    application = fake_application()
    application.open([tmp_path / "no.mp4"])
    wait_until_idle(application)
    assert application.video.stage == "failed"
    assert "no.mp4" in str(application.video.error)


def test_frame_history_is_bounded():
    history = FrameHistory()
    for index in range(50_000):
        history.add(AnalyzedFrame(index, index / 10, FrameResult("video", (1, 1))))
    assert len(history) <= 4000
    assert history.at(2500.0).seconds == pytest.approx(2500.0, abs=2.0)
    assert FrameHistory().at(1.0) is None


# The camera


@pytest.fixture
def device():
    return FakeCameraDevice()


@pytest.fixture
def camera_application(engine, device):
    application = DesktopApplication(
        lambda *, model, detector, prior="training": engine, open_device=lambda source: device
    )
    yield application
    application.close()
    assert mien_threads() == set()


def test_snapshot_of_the_camera_becomes_an_open_image_and_stopping_releases_the_device(camera_application, device):
    camera = camera_application.camera
    camera.start("0", False)
    assert camera.stage == "opening"
    wait_until_idle(camera_application)
    assert camera.stage == "on"
    wait_until(lambda: camera.reader.newest() is not None)
    camera.open_snapshot(camera.reader.newest())
    camera.stop()
    wait_until_idle(camera_application)
    assert [camera.stage, camera.reader, camera.open_count] == ["off", None, 0]
    assert device.released == 1
    assert camera_application.images.current.title.startswith("camera ")
    assert camera_application.images.current.result is not None


def test_camera_that_is_stopped_while_it_opens_is_released(camera_application, device):
    camera_application.camera.start("0", False)
    camera_application.camera.stop()
    wait_until_idle(camera_application)
    assert [camera_application.camera.stage, camera_application.camera.open_count] == ["off", 0]
    assert mien_threads() == {"mien-desktop"}


def test_missing_camera_is_an_error(application):
    application.camera.start("63")
    wait_until_idle(application)
    assert application.camera.stage == "off"
    assert "There is no camera 63" in str(application.camera.error)


def test_closing_the_application_releases_the_camera_and_stops_all_threads(engine, device, video_path):
    application = DesktopApplication(
        lambda *, model, detector, prior="training": engine, open_device=lambda source: device
    )
    application.camera.start("0", False)
    wait_until_idle(application)
    application.open([EXAMPLES, video_path])
    application.close()
    assert device.released == 1
    assert mien_threads() == set()


# Files


def test_image_results_are_saved_in_every_format(application, tmp_path):
    application.open([PORTRAITS])
    wait_until_idle(application)
    for kind, name in (("json", "a.jsonl"), ("csv", "a.csv"), ("image", "a.jpg"), ("report", "a.html")):
        application.save(kind, tmp_path / name)
    wait_until_idle(application)
    assert json.loads((tmp_path / "a.jsonl").read_text())["faces"][0]["emotion"] == "neutral"
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    assert images.load_image(tmp_path / "a.jpg").pixels.shape == (480, 960, 3)
    assert "portraits.jpg" in (tmp_path / "a.html").read_text()
    assert len(list(tmp_path.iterdir())) == 4


def test_path_that_cannot_be_written_is_an_error_in_the_status_line(fake_application, tmp_path):
    application = fake_application()
    application.images.add(np.zeros((8, 8, 3), np.uint8), "black")
    wait_until_idle(application)
    for kind, name in (("csv", "no/a.csv"), ("image", "a.xyz")):
        application.save(kind, tmp_path / name)
        wait_until_idle(application)
        assert application.state.status.error
        application.state.show_message("")
    assert list(tmp_path.iterdir()) == []


# Input and settings


def test_paths_are_split_into_images_and_videos():
    paths = [Path(name) for name in ("a.jpg", "b.MP4", "folder", "c.gif", "d.webm")]
    names = [[path.name for path in part] for part in split_paths(paths)]
    assert names == [["a.jpg", "folder", "c.gif"], ["b.MP4", "d.webm"]]


def test_clipboard_of_x11_is_parsed(tmp_path):
    write_gray(tmp_path / "a b.png", 3)
    address = (tmp_path / "a b.png").as_uri()
    assert parse_paths(f"copy\n{address}\nfile:///missing.png\nwords") == [tmp_path / "a b.png"]
    assert parse_bytes("0x89 0x50 0xffffff4e") == b"\x89PN"
    assert parse_bytes("words and words") == b""


def test_stored_settings_are_loaded_and_invalid_files_are_ignored(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    assert settings.load_settings() == DesktopSettings()
    stored = DesktopSettings("dark", 1.5)
    for name in ("a.jpg", "b.jpg", "a.jpg"):
        stored = stored.add_recent(tmp_path / name)
    settings.store_settings(stored)
    assert settings.load_settings() == stored
    assert [Path(path).name for path in stored.recent] == ["a.jpg", "b.jpg"]
    for invalid in ("{", "[]", '{"theme": 3, "text": "x", "recent": "abc"}'):
        (tmp_path / "home" / "desktop.json").write_text(invalid)
        assert settings.load_settings() == DesktopSettings()


def test_text_size_changes_in_steps():
    assert [DesktopSettings().change_text_size(steps).text for steps in (-1, 1, 2, 9)] == [1.0, 1.25, 1.5, 2.0]


def test_system_preference_applies_unless_a_theme_is_selected():
    themes = [DesktopSettings(theme, dark=True).shows_dark for theme in ("system", "light", "dark")]
    assert themes == [True, False, True]
