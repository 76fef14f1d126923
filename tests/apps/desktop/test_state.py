"""The desk without a window: what is open, what was read, what is asked, and what goes on in the background."""

import base64
import json
import os
import re
import shutil
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from command import with_fakes
from fakes import FakeClassifier, FakeDetector, fake_card
from films import EXAMPLES, film_of, two_people
from mien import Engine, images, video
from mien.apps.desktop import settings
from mien.apps.desktop.application import Desk
from mien.apps.desktop.drag_and_drop import _bytes, _paths, sorted_out
from mien.apps.desktop.model_session import Choice
from mien.apps.desktop.saving import KINDS
from mien.apps.desktop.settings import Settings
from mien.apps.desktop.video_state import Moments
from mien.apps.desktop.worker import LATER, NOW, Task, Worker
from mien.errors import MienError, OutputError
from mien.results import AnalyzedFrame, Box, FrameResult

PORTRAITS = EXAMPLES / "portraits.jpg"


def settled(desk: Desk, seconds: float = 30.0) -> Desk:
    end = time.monotonic() + seconds
    while not desk.idle:
        assert time.monotonic() < end
        desk.poll()
        time.sleep(0.002)
    return desk


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture
def desk(engine):
    desk = Desk(lambda *, model, detector: engine)
    desk.warm()
    yield settled(desk)
    desk.close()
    assert "mien-desktop" not in {thread.name for thread in threading.enumerate()}


def faked(**parts) -> Desk:
    desk = Desk(with_fakes(**parts))
    desk.warm()
    return settled(desk)


def gray(path: Path, value: int, size: int = 8) -> Path:
    Image.fromarray(np.full((size, size, 3), value, np.uint8)).save(path)
    return path


# The worker


def test_what_nobody_foresaw_ends_a_task_as_a_failure_and_the_rest_is_told():
    worker, told = Worker(), []

    def failing():
        yield "begun"
        raise ZeroDivisionError("none")

    worker.do(Task(failing(), told.append, lambda error: told.append(str(error)), lambda: told.append("over")))
    worker.do(Task(steps([], "next", 1), told.append))
    with pytest.raises(ZeroDivisionError):
        polled(worker)
    polled(worker)
    assert told == ["begun", "This is a bug in mien: ZeroDivisionError: none. Please report it.", "over", ("next", 0)]
    worker.close()


def steps(heard, name, many, pause=0.0):
    for number in range(many):
        time.sleep(pause)
        heard.append(name)
        yield name, number


def polled(worker):
    end = time.monotonic() + 10
    while not worker.idle and time.monotonic() < end:
        worker.poll()
        time.sleep(0.001)
    assert worker.idle


def test_what_is_more_urgent_goes_between_the_steps_of_what_is_not():
    worker, heard, news = Worker(), [], []
    worker.do(Task(steps(heard, "slow", 20, 0.01), news.append), LATER)
    time.sleep(0.05)
    worker.do(Task(steps(heard, "quick", 1), news.append), NOW)
    polled(worker)
    assert 0 < heard.index("quick") < 19
    assert news == sorted(news, key=lambda each: each[1] if each[0] == "slow" else heard.index("quick") - 0.5)
    worker.close()


def test_what_is_left_stops_at_its_next_step_and_closes_what_it_holds():
    worker, heard, closed = Worker(), [], threading.Event()

    def holding():
        try:
            while True:
                time.sleep(0.005)
                yield "more"
        finally:
            closed.set()

    task = worker.do(Task(holding(), heard.append, ended=lambda: heard.append("end")))
    time.sleep(0.05)
    task.cancel()
    polled(worker)
    assert closed.is_set()
    assert heard == ["end"]
    worker.close()


def test_a_failure_is_told_and_a_bug_is_raised_where_it_is_seen():
    worker, told = Worker(), []

    def failing(error):
        raise error
        yield

    worker.do(Task(failing(MienError("It failed")), failed=told.append))
    polled(worker)
    assert str(told[0]) == "It failed."
    worker.do(Task(failing(ZeroDivisionError())))
    with pytest.raises(ZeroDivisionError):
        polled(worker)
    polled(worker)
    worker.close()


def test_closing_leaves_everything_and_tells_nothing():
    worker, heard, news = Worker(), [], []
    worker.do(Task(steps(heard, "slow", 10_000, 0.002), news.append))
    time.sleep(0.03)
    worker.close()
    many = len(heard)
    time.sleep(0.03)
    assert len(heard) == many < 10_000
    worker.poll()
    assert news == []


# Pictures


def test_a_picture_is_shown_read_and_told_as_the_library_does(desk, engine):
    desk.open([PORTRAITS])
    settled(desk)
    assert desk.page == "photo"
    assert json.loads(desk.as_json()) == engine.read(PORTRAITS).to_dict()
    assert desk.album.pixels.shape == (480, 960, 3)
    assert [desk.album.reading, len(desk.album.readings)] == [desk.album.readings[0], 2]


def test_faces_are_gone_through_in_a_circle(desk):
    desk.open([PORTRAITS])
    settled(desk)
    places = []
    for _ in range(3):
        desk.album.turn(1)
        places.append(desk.album.face)
    assert places == [1, 0, 1]


def test_a_folder_is_read_in_the_background_and_what_is_looked_at_comes_first(tmp_path):
    for number in range(30):
        gray(tmp_path / f"{number}.png", number * 8)
    (tmp_path / "30.jpg").write_text("no picture")
    desk, order = faked(), []
    hear = desk.album._hear
    desk.album._hear = lambda news: (order.append(news.number) if hasattr(news, "outcome") else None, hear(news))
    desk.open([tmp_path])
    while len(desk.album.shots) < 31:
        desk.poll()
    desk.album.go(20)
    settled(desk)
    assert order.index(desk.album.shots[20].number) < 15
    assert desk.album.done == 31
    assert "is text" in str(desk.album.shots[30].error)
    assert desk.as_csv().count("\n") == 32
    assert len(desk.album._ready) <= 5
    desk.close()


def test_cancelling_keeps_what_was_read_and_looking_at_another_reads_that(tmp_path):
    for number in range(200):
        gray(tmp_path / f"{number}.png", 0)
    desk = faked()
    desk.open([tmp_path])
    while desk.album.done < 5:
        desk.poll()
    assert desk.ground.busy
    desk.cancel()
    settled(desk)
    assert not desk.ground.busy
    assert 5 <= desk.album.done < 200
    before = desk.album.done
    desk.album.go(199)
    settled(desk)
    assert desk.album.shot.result is not None
    assert desk.album.done == before + 1
    desk.close()


def test_a_picture_without_a_face_and_one_that_is_none(desk, tmp_path):
    gray(tmp_path / "none.png", 90, 64)
    (tmp_path / "broken.jpg").write_text("no")
    desk.open([tmp_path / "none.png", tmp_path / "broken.jpg", tmp_path / "gone.jpg"])
    settled(desk)
    empty, broken, gone = desk.album.outcomes()
    assert isinstance(empty, FrameResult)
    assert len(empty) == 0
    assert "is text" in str(broken.error)
    assert "gone.jpg" in str(gone.error)
    assert [line["source"] for line in map(json.loads, desk.as_json().splitlines())] == [
        str(tmp_path / name) for name in ("none.png", "broken.jpg", "gone.jpg")
    ]


def test_a_picture_opened_twice_is_looked_at_again_and_closing_goes_to_a_neighbour(desk):
    desk.open([PORTRAITS, EXAMPLES / "hopper.jpg"])
    settled(desk)
    desk.album.go(1)
    for again in (PORTRAITS, EXAMPLES / "hopper.jpg", PORTRAITS):
        desk.open([again])
        settled(desk)
        assert desk.album.shot.source == again
    assert len(desk.album.shots) == 2
    desk.open([EXAMPLES])
    settled(desk)
    assert [shot.title for shot in desk.album.shots] == ["portraits.jpg", "hopper.jpg", "astronaut.jpg"]
    desk.album.go(2)
    desk.album.close()
    desk.album.go(0)
    desk.album.close()
    settled(desk)
    assert [shot.title for shot in desk.album.shots] == ["hopper.jpg"]
    assert desk.album.place == 0
    desk.album.close()
    settled(desk)
    assert desk.album.shot is None


def test_a_pasted_picture_is_read_and_has_no_path(desk):
    desk.album.take(PORTRAITS.read_bytes(), "pasted picture")
    settled(desk)
    assert desk.album.shot.title == "pasted picture"
    assert desk.album.shot.result.source == "pasted picture"
    assert len(desk.album.readings) == 2


def test_another_detector_reads_everything_anew_and_a_wrong_one_changes_nothing():
    loaded = []

    def load(*, model, detector):
        loaded.append(detector)
        if detector == "wrong":
            raise MienError("There is no detector 'wrong'")
        return Engine(FakeClassifier(), FakeDetector((Box(0, 0, 8, 8),), name=detector))

    desk = Desk(load)
    desk.warm()
    desk.album.take(np.zeros((8, 8, 3), np.uint8), "black")
    settled(desk)
    desk.ground.choose(Choice("base", "other"))
    settled(desk)
    assert desk.album.shot.result.detector == "other"
    desk.ground.choose(Choice("base", "wrong"))
    settled(desk)
    assert desk.ground.choice.detector == "other"
    assert desk.ground.status.error
    assert desk.album.shot.result.detector == "other"
    desk.close()


# The inside


def test_a_face_is_explained_when_somebody_looks_and_answers_are_kept(desk):
    desk.open([PORTRAITS])
    settled(desk)
    assert desk.inside.insight is None
    desk.show("inside")
    settled(desk)
    first = desk.inside.insight
    assert first.map.target == desk.album.reading.emotions.top
    assert len(first.layers) > 20
    assert first.emotions.scores == desk.album.reading.emotions.scores
    desk.inside.ask(method="occlusion", target="sad", versus="happy")
    settled(desk)
    told = desk.inside.insight
    assert (told.map.method, told.map.target, told.map.versus) == ("occlusion", "sad", "happy")
    desk.inside.ask(method="auto", target=None, versus=None)
    assert desk.inside.insight is first
    desk.album.turn(1)
    settled(desk)
    assert desk.inside.insight.emotions.top == "happy"


def test_the_same_expression_is_not_held_against_itself(desk):
    desk.inside.ask(target="sad", versus="happy")
    desk.inside.ask(target="happy")
    assert desk.inside.question == ("auto", "happy", None)


# Films


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return film_of(tmp_path_factory.mktemp("film") / "two.mp4", two_people(), 2.0)


def test_a_film_is_read_and_looked_at_again(desk, film):
    desk.open([film])
    settled(desk)
    assert [desk.page, desk.film.stage] == ["video", "read"]
    assert len(desk.film.course.people) == 2
    assert {event.label for event in desk.film.course.events} == {"happy", "neutral"}
    desk.film.seek(1.2)
    settled(desk)
    assert desk.film.at == pytest.approx(1.2, abs=0.05)
    desk.film.seek(99)
    settled(desk)
    assert desk.film.at > 1.8


def test_a_film_that_plays_comes_to_its_end(desk, film):
    desk.open([film])
    settled(desk)
    seen = []
    desk.ground.bells.hear("frame", lambda: seen.append(desk.film.at))
    began = time.monotonic()
    desk.film.seek(1.0)
    desk.film.play()
    assert desk.film.playing
    settled(desk)
    assert not desk.film.playing
    assert time.monotonic() - began > 0.8
    assert len(seen) > 5
    assert seen == sorted(seen)


def test_a_film_makes_every_kind_of_file(desk, film, tmp_path):
    desk.open([film])
    settled(desk)
    for kind, (_, suffix, _) in KINDS.items():
        desk.film.save(kind, tmp_path / f"{kind}{suffix}")
    settled(desk)
    assert not desk.ground.status.error, desk.ground.status
    assert {path.name for path in tmp_path.iterdir()} == {f"{kind}{suffix}" for kind, (_, suffix, _) in KINDS.items()}
    lines = [json.loads(line) for line in (tmp_path / "json.jsonl").read_text().splitlines()]
    kinds = [line["kind"] for line in lines]
    assert [kinds[0], kinds.count("person"), kinds.count("frame")] == ["film", 2, desk.film.course.frames]
    assert (tmp_path / "faces.csv").read_text().startswith("frame,seconds,person")
    assert (tmp_path / "film.webm").stat().st_size > 5_000
    assert "WEBVTT" in (tmp_path / "subtitles.vtt").read_text()


def test_faces_are_hidden_in_what_is_saved_from_then_on(desk, film, tmp_path):
    desk.open([film])
    settled(desk)
    box = next(iter(desk.film.reel.moments.at(1.0))).face.box
    assert min(_within(film, box), *_portraits(desk, tmp_path / "clear.html")) > 50
    desk.film.hidden = True
    desk.film.save("film", tmp_path / "hidden.webm")
    desk.film.hidden = False
    desk.film.save("film", tmp_path / "clear.webm")
    settled(desk)
    assert not desk.ground.status.error, desk.ground.status
    assert _within(tmp_path / "hidden.webm", box) < 15 < 50 < _within(tmp_path / "clear.webm", box)
    desk.film.hidden = True
    assert max(_portraits(desk, tmp_path / "hidden.html")) < 15
    assert "blurred faces" in (tmp_path / "hidden.html").read_text()


def _fine(pixels) -> float:
    """How much is in a picture besides soft colours."""
    gray = np.asarray(Image.fromarray(pixels).convert("L"), np.float64)
    return float(np.abs(gray - cv2.GaussianBlur(gray, (0, 0), min(gray.shape) / 24)).mean() * 4)


def _within(path, box) -> float:
    """The same for the middle of a face, about one second after a film's begin."""
    with video.open_video(path) as frames:
        pixels = next(frames.frames(video.FrameSelection(start=1.0))).pixels
    left, top, wide, high = box.x + box.width // 4, box.y + box.height // 4, box.width // 2, box.height // 2
    return _fine(np.ascontiguousarray(pixels[top : top + high, left : left + wide]))


def _portraits(desk, path) -> list[float]:
    desk.film.save("report", path)
    settled(desk)
    found = re.findall(r"data:image/jpeg;base64,([^'\"]+)", path.read_text())
    assert found
    return [_fine(images.load_image(base64.b64decode(each)).pixels) for each in found]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere every name is text")
def test_a_film_whose_name_is_no_text_is_read_and_saved(desk, film, tmp_path):
    odd = Path(shutil.copy(film, tmp_path / os.fsdecode(b"caf\xe9.mp4")))
    desk.open([odd])
    settled(desk)
    assert [desk.film.stage, desk.film.error] == ["read", None]
    for kind, (_, suffix, _) in KINDS.items():
        desk.film.save(kind, tmp_path / f"{kind}{suffix}")
        settled(desk)
        assert not desk.ground.status.error, desk.ground.status
    assert "caf\\udce9.mp4" in (tmp_path / "report.html").read_text("utf-8")
    assert json.loads((tmp_path / "json.jsonl").read_text("utf-8").splitlines()[0])["film"].endswith("caf\\udce9.mp4")


def test_of_a_film_that_is_no_longer_open_nothing_is_left_once_it_is_saved(desk, film, tmp_path):
    desk.open([film])
    settled(desk)
    folder = desk.film.reel.journal.parent
    desk.film.save("faces", tmp_path / "faces.csv")
    for _ in range(3):
        desk.film.again()
    settled(desk)
    assert list(folder.iterdir()) == [desk.film.reel.journal]
    assert (tmp_path / "faces.csv").read_text().count("\n") > 10
    desk.film.save("faces", tmp_path / "again.csv")
    settled(desk)
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "faces.csv").read_text()


def test_another_film_under_the_same_name_is_not_painted(desk, film, tmp_path):
    moved = Path(shutil.copy(film, tmp_path / "one.mp4"))
    desk.open([moved])
    settled(desk)
    film_of(moved, two_people(), 1.2)
    desk.film.hidden = True
    desk.film.save("film", tmp_path / "painted.webm")
    settled(desk)
    assert "'one.mp4' is not the film any more that was read" in desk.ground.status.words
    assert desk.ground.status.error
    assert not (tmp_path / "painted.webm").exists()
    desk.film.again()
    settled(desk)
    desk.film.save("film", tmp_path / "painted.webm")
    settled(desk)
    assert (tmp_path / "painted.webm").exists()


def test_a_film_that_is_left_in_the_middle_keeps_what_was_read(desk, tmp_path):
    long = film_of(tmp_path / "long.mp4", two_people(), 25.0, 15)
    desk.film.fps = 30.0
    desk.open([long])
    while desk.film.course.frames < 10:
        desk.poll()
    desk.cancel()
    settled(desk)
    assert desk.film.stage == "left"
    assert 10 <= desk.film.course.frames < 370
    assert "Stopped" in desk.film.reel.unfinished
    desk.film.save("faces", tmp_path / "faces.csv")
    settled(desk)
    assert (tmp_path / "faces.csv").read_text().count("\n") > 10


def test_the_course_of_a_film_is_what_was_known_then(desk, film):
    desk.open([film])
    known = []
    desk.ground.bells.hear("course", lambda: known.append(desk.film.course))
    settled(desk)
    led = [part for course in known for seen in course.people for _, part in seen.person.leading()]
    assert led
    assert max(led) <= 1 + 1e-9


def test_what_is_no_film_says_so(desk, tmp_path):
    (tmp_path / "no.mp4").write_text("no film")
    desk.open([tmp_path / "no.mp4"])
    settled(desk)
    assert desk.film.stage == "failed"
    assert "no.mp4" in str(desk.film.error)


def test_of_a_long_film_fewer_moments_are_held():
    held = Moments()
    for index in range(50_000):
        held.add(AnalyzedFrame(index, index / 10, FrameResult("film", (1, 1))))
    assert len(held._held) <= 4000
    assert held.at(2500.0).seconds == pytest.approx(2500.0, abs=2.0)
    assert Moments().at(1.0) is None


# The camera


def test_a_camera_is_opened_read_and_released(desk, film):
    desk.camera.start(str(film), False)
    assert desk.camera.stage == "opening"
    settled(desk)
    assert desk.camera.stage == "on"
    end = time.monotonic() + 20
    while desk.camera.watching.newest() is None and time.monotonic() < end:
        time.sleep(0.01)
    desk.camera.keep(desk.camera.watching.newest())
    desk.camera.stop()
    settled(desk)
    assert [desk.camera.stage, desk.camera.watching, desk.camera._opened] == ["off", None, []]
    assert len(desk.album.readings) == 2
    assert desk.album.shot.title.startswith("camera ")


def test_a_camera_that_nobody_wants_any_more_is_released_at_once(desk, film):
    desk.camera.start(str(film), False)
    desk.camera.stop()
    settled(desk)
    assert [desk.camera.stage, desk.camera._opened] == ["off", []]
    assert not {thread.name for thread in threading.enumerate()} & {"mien-camera", "mien-watching"}


def test_a_camera_that_is_not_there_says_so(desk):
    desk.camera.start("63")
    settled(desk)
    assert desk.camera.stage == "off"
    assert "There is no camera 63" in str(desk.camera.error)


def test_closing_the_desk_releases_the_camera_and_ends_the_work(engine, film):
    desk = Desk(lambda *, model, detector: engine)
    desk.camera.start(str(film), False)
    settled(desk)
    desk.open([EXAMPLES, film])
    desk.close()
    names = {"mien-camera", "mien-watching", "mien-desktop"}
    assert not {thread.name for thread in threading.enumerate()} & names


# Files


def test_pictures_make_their_files(desk, tmp_path):
    desk.open([PORTRAITS])
    settled(desk)
    for kind, name in (("json", "a.jsonl"), ("csv", "a.csv"), ("picture", "a.jpg"), ("report", "a.html")):
        desk.save(kind, tmp_path / name)
    settled(desk)
    assert json.loads((tmp_path / "a.jsonl").read_text())["faces"][0]["emotion"] == "neutral"
    assert (tmp_path / "a.csv").read_text().count("\n") == 3
    assert images.load_image(tmp_path / "a.jpg").pixels.shape == (480, 960, 3)
    assert "How a network reads portraits.jpg" in (tmp_path / "a.html").read_text()
    assert len(list(tmp_path.iterdir())) == 4


def test_a_place_that_cannot_be_written_to_is_told(desk, tmp_path):
    desk.open([PORTRAITS])
    settled(desk)
    for kind, name in (("csv", "no/a.csv"), ("picture", "a.xyz")):
        desk.save(kind, tmp_path / name)
        settled(desk)
        assert desk.ground.status.error
        desk.ground.say("")
    assert list(tmp_path.iterdir()) == []
    assert issubclass(OutputError, MienError)


# A model without some labels


def test_a_model_with_other_labels_and_no_votes_works():
    card = fake_card(labels=("happy", "bored"), vote_labels=())
    desk = faked(classifier=FakeClassifier(card))
    desk.album.take(np.full((8, 8, 3), 255, np.uint8), "white")
    settled(desk)
    assert desk.album.reading.emotions.top == "bored"
    assert desk.ground.labels == ("happy", "bored")
    assert "share" not in desk.as_csv().splitlines()[0].split(",")[8:10]
    desk.close()


# What was handed over, and what is remembered


def test_films_and_pictures_are_told_apart():
    paths = [Path(name) for name in ("a.jpg", "b.MP4", "folder", "c.gif", "d.webm")]
    assert [[path.name for path in part] for part in sorted_out(paths)] == [
        ["a.jpg", "folder", "c.gif"],
        ["b.MP4", "d.webm"],
    ]


def test_settings_come_back_and_what_cannot_be_read_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    assert settings.load() == Settings()
    told = Settings("dark", 1.5).opened(tmp_path / "a.jpg").opened(tmp_path / "b.jpg").opened(tmp_path / "a.jpg")
    settings.save(told)
    assert settings.load() == told
    assert [Path(word).name for word in told.recent] == ["a.jpg", "b.jpg"]
    for broken in ("{", "[]", '{"theme": 3, "text": "x", "recent": "abc"}'):
        (tmp_path / "home" / "desktop.json").write_text(broken)
        assert settings.load() == Settings()


def test_the_text_grows_step_by_step():
    sizes = [Settings().larger(by).text for by in (-1, 1, 2, 9)]
    assert sizes == [1.0, 1.25, 1.5, 2.0]


def test_the_system_decides_until_somebody_else_does():
    shown = [Settings(theme, dark=True).shows_dark for theme in ("system", "light", "dark")]
    assert shown == [True, False, True]


def test_what_a_clipboard_of_x_holds_is_understood(tmp_path):
    gray(tmp_path / "a b.png", 3)
    address = (tmp_path / "a b.png").as_uri()
    assert _paths(f"copy\n{address}\nfile:///gone.png\nwords") == [tmp_path / "a b.png"]
    assert _bytes("0x89 0x50 0xffffff4e") == b"\x89PN"
    assert _bytes("words and words") == b""
