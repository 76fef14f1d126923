"""The Gradio page as programs see it: what it answers, what it refuses, what it keeps."""

import re
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from films import EXAMPLES, film_of, two_people
from gradio_page import SERVE, address_of, as_json, served, start
from mien import Engine
from mien.apps.gradio.uploads import SentFile
from mien.apps.gradio.video import TrackScores, GradioVideoJob
from mien.errors import SourceError

PORTRAITS, HOPPER = EXAMPLES / "portraits.jpg", EXAMPLES / "hopper.jpg"


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with served(tmp_path_factory.mktemp("page")) as page:
        yield page


def test_a_picture_is_answered_as_the_command_line_answers_it(page, engine):
    expected = as_json(replace(engine.read(PORTRAITS), source="portraits.jpg").to_dict())
    assert page.read(PORTRAITS) == expected
    assert len(expected["faces"]) == 2


def test_the_smallest_face_can_be_told(page):
    assert page.read(PORTRAITS, min_face=4000)["faces"] == []
    assert "'min_face' is 0" in page.read(PORTRAITS, min_face=0)["error"]


def test_no_face_is_an_empty_answer(page, tmp_path):
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(tmp_path / "wall.png")
    assert page.read(tmp_path / "wall.png")["faces"] == []


def test_a_file_that_is_no_picture_is_refused_in_the_library_s_words(page, tmp_path):
    (tmp_path / "broken.jpg").write_text("This is not a picture.")
    assert page.read(tmp_path / "broken.jpg")["error"].startswith(
        "'broken.jpg' is text, not a picture that mien reads."
    )


def test_a_picture_that_is_too_large_is_refused(page, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(21_000_000))
    assert "'large.png' is a file of 21 MB. A photo of at most 20 MB" in page.read(tmp_path / "large.png")["error"]


def test_an_unknown_model_is_named_with_those_that_there_are(page):
    assert page.read(PORTRAITS, model="bsae")["error"].startswith("There is no model 'bsae' here. Expected one of base")


def test_an_address_is_not_opened(page):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/photo.jpg"
        body = {"data": [{"path": address, "meta": {"_type": "gradio.FileData"}}, None, ""]}
        event = httpx.post(f"{page.address}/gradio_api/call/read", json=body).json()["event_id"]
        answer = httpx.get(f"{page.address}/gradio_api/call/read/{event}", timeout=20).text
        with pytest.raises(TimeoutError):
            server.accept()
    assert "Addresses are not opened here" in answer


def test_a_file_of_this_machine_is_not_opened(page):
    body = {"data": [{"path": str(PORTRAITS), "meta": {"_type": "gradio.FileData"}}, None, ""]}
    event = httpx.post(f"{page.address}/gradio_api/call/read", json=body).json()["event_id"]
    answer = httpx.get(f"{page.address}/gradio_api/call/read/{event}", timeout=20).text
    assert "event: error" in answer
    assert "faces" not in answer


@pytest.mark.parametrize(
    ("place", "more"),
    [("photo-input", ["base"]), ("inside-input", ["base"]), ("video-input", [10, False, "base"])],
)
def test_no_listener_opens_a_file_that_was_not_sent(page, tmp_path, place, more):
    lying = tmp_path / "private.jpg"
    lying.write_bytes(HOPPER.read_bytes())
    link = Path(page.send(HOPPER)).with_name(f"{place}.jpg")
    link.symlink_to(lying)
    outside = [str(lying), str(link), f"{link.parent}/../../../{lying.parent.name}/private.jpg", str(link.parent)]
    for path in [*outside, "/dev/zero", "http://127.0.0.1/one.jpg", "a\0b", "n" * 5000]:
        for marked in ({}, {"meta": {"_type": "gradio.FileData"}}):
            told = page.as_the_page(place, {"path": path, **marked}, *more)
            assert not told["success"], (path, told)


def test_a_picture_without_its_mark_is_read_if_it_was_sent(page):
    told = page.as_the_page("photo-input", {"path": page.send(PORTRAITS), "orig_name": "two.jpg"}, "base")
    assert told["success"]
    assert told["output"]["data"][1].startswith("### Face 1 looks")
    told = page.as_the_page("inside-input", {"path": page.send(PORTRAITS)}, "base")
    assert len(told["output"]["data"][0]["choices"]) == 2


def test_a_stranger_s_file_is_the_same_as_none(page, tmp_path):
    lying = tmp_path / "private.jpg"
    lying.write_bytes(HOPPER.read_bytes())
    said = [page.as_the_page("photo-input", {"path": str(each)}, "base")["output"] for each in (lying, tmp_path / "no")]
    assert said[0] == said[1]
    assert said[0]["error"].startswith("That file is not among those that were sent")


def test_an_explanation_says_what_the_library_says(page, engine):
    told = page.explain(PORTRAITS, face=2, method="occlusion", target="happy", versus="sad")
    (expected,) = engine.explain_image(PORTRAITS, 2, methods=("occlusion",), target="happy", versus="sad")
    assert told["faces"] == as_json([{**expected.to_dict(), "source": "portraits.jpg"}])
    assert told["size"] == [960, 480]
    assert len(page.explain(PORTRAITS)["faces"]) == 2


def test_what_cannot_be_explained_is_told(page):
    assert "no face number 9" in page.explain(PORTRAITS, face=9)["error"]
    assert page.explain(PORTRAITS, method="magic")["error"].startswith("There is no method 'magic'")
    assert "'joyful'" in page.explain(PORTRAITS, target="joyful")["error"]


def test_a_film_is_told_with_its_files(page, tmp_path):
    film = film_of(tmp_path / "clip.mp4", two_people(), 0.6)
    facts, files = page.watch(film, fps=5, blur=True)
    assert (facts["source"], facts["detector"], facts["model"]) == ("clip.mp4", "haar", "base")
    assert len(facts["found"]["people"]) == 2
    assert set(files) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "film.webm"}
    assert "clip.mp4" in files["report.html"].read_text("utf-8")


def test_a_film_that_is_none_is_refused(page, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no film")
    for name in ("empty.mp4", "text.mp4"):
        with pytest.raises(Exception, match=name) as refused:
            page.watch(tmp_path / name)
        assert str(page.folder) not in str(refused.value)


def test_a_long_film_of_many_people_is_held_as_it_is_drawn():
    lines, shares = TrackScores(), {"happy": 0.25, "sad": 0.75}
    for frame in range(6000):
        for person in range(9):
            # The last people come and go.
            lines.add(person if person < 6 else 10 * (frame // 40) + person, frame / 25, shares)
        assert len(lines) <= 20_001
    for person in (0, 5):
        told = list(lines.of(person))
        assert 100 < len(told) <= 400
        times = [seconds for seconds, _ in told]
        assert times == sorted(times)
        assert times[0] == 0
        assert times[-1] > 235
        assert np.ptp(np.diff(times)) < 1e-6
        assert told[-1][1] == shares
    assert all(list(lines.of(10 * part + 8)) for part in range(150))
    assert list(lines.of(None)) == list(lines.of(99_999)) == []


@pytest.fixture
def keeper(tmp_path):
    return SimpleNamespace(GRADIO_CACHE=str(tmp_path / "cache"), temp_files=set())


def test_a_film_that_nobody_waits_for_at_its_end_is_still_to_be_removed(engine, keeper, tmp_path):
    film = film_of(tmp_path / "clip.mp4", two_people(), 0.6)
    with GradioVideoJob(engine, SentFile(film, "clip.mp4"), 5, False, keeper) as reading:
        next(reading.news())
        reading._thread.join()
    assert {Path(each).name for each in keeper.temp_files} == set(reading.files) > {"film.webm", "report.html"}
    assert {str(each) for each in Path(keeper.GRADIO_CACHE).rglob("*.*") if each.is_file()} == keeper.temp_files


def test_a_film_that_nobody_waits_for_in_the_middle_leaves_nothing(engine, keeper, tmp_path):
    film = film_of(tmp_path / "long.mp4", two_people(), 60, 25, "-preset", "ultrafast")
    with GradioVideoJob(engine, SentFile(film, "long.mp4"), 25, False, keeper):
        pass
    assert list(Path(keeper.GRADIO_CACHE).iterdir()) == []
    (tmp_path / "empty.mp4").touch()
    with pytest.raises(SourceError, match="is empty"):
        GradioVideoJob(engine, SentFile(tmp_path / "empty.mp4", "empty.mp4"), 5, False, keeper)
    assert list(Path(keeper.GRADIO_CACHE).iterdir()) == []
    assert keeper.temp_files == set()


def test_there_are_three_endpoints_and_no_others(page):
    endpoints = page.client.view_api(return_format="dict")
    assert sorted(endpoints["named_endpoints"]) == ["/explain", "/read", "/watch"]
    assert endpoints["unnamed_endpoints"] == {}
    names = [each["parameter_name"] for each in endpoints["named_endpoints"]["/explain"]["parameters"]]
    assert names == ["picture", "face", "method", "target", "versus", "model"]


def test_the_page_counts_nobody_and_keeps_no_history(page):
    config = httpx.get(f"{page.address}/config").json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert httpx.get(f"{page.address}/gradio_api/monitoring/summary").status_code != 200


def test_nobody_but_this_machine_is_asked_for_anything(tmp_path):
    watched = """
import socket
asked, real = set(), socket.getaddrinfo
def getaddrinfo(host, *words, **more):
    asked.add(host)
    return real(host, *words, **more)
socket.getaddrinfo = getaddrinfo
from mien.apps.gradio import build_page
page = build_page(detector="haar")
page.launch(prevent_thread_lock=True, quiet=True)
import time; time.sleep(1.5)
print(sorted(host if isinstance(host, str) else host.decode() for host in asked))
page.close(verbose=False)
"""
    with start(["-c", watched], tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert out.strip() in ("['127.0.0.1']", "['127.0.0.1', 'localhost']"), err


def test_what_was_sent_is_removed_after_its_time(tmp_path):
    shorter = "import mien.apps.gradio.page as page; page.CLEANUP_INTERVAL, page.CACHE_SECONDS = 1, 4; engine = None\n"
    with served(tmp_path, ["-c", shorter + SERVE.replace("build_page(engine)", "build_page(detector='haar')")]) as page:
        page.read(HOPPER)
        assert len(names(page)) > 3
        until = time.monotonic() + 25
        # The samples stay: they are the page's own.
        while len(names(page)) > 3 and time.monotonic() < until:
            time.sleep(0.2)
        assert names(page) == ["astronaut.jpg", "hopper.jpg", "portraits.jpg"]


def names(page):
    return sorted(path.name for path in page.kept())


FOREIGN = """
from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine
from mien.results import Box
card = fake_card(labels=("happy", 'so-so "quoted" </style>', "sad"), vote_labels=())
engine = Engine(FakeClassifier(card), FakeDetector((Box(0, 0, 8, 8),)))
"""


def test_a_model_without_some_labels_has_a_page_and_is_the_only_one(tmp_path):
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(tmp_path / "one.png")
    with served(tmp_path, ["-c", FOREIGN + SERVE]) as page:
        (face,) = page.read(tmp_path / "one.png")["faces"]
        assert list(face["scores"]) == ["happy", 'so-so "quoted" </style>', "sad"]
        assert face["votes"] is None
        assert "Expected one of fake." in page.read(tmp_path / "one.png", model="base")["error"]
        head = httpx.get(f"{page.address}/config").json()["head"]
    assert head.count("</style>") == 1


# The command


def test_the_command_serves_until_it_is_stopped_and_leaves_nothing(tmp_path):
    with start(["-m", "mien", "gradio", "--port", "0", "--detector", "haar"], tmp_path) as process:
        address = address_of(process)
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address).status_code == 200
        assert [each for each in tmp_path.iterdir() if each.name.startswith("mien-gradio-")]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_names_a_free_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with start(["-m", "mien", "gradio", "--port", str(port)], tmp_path) as process:
            _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.startswith(f"mien: Another program listens on 127.0.0.1, port {port}.")
    free = int(re.search(r"Port (\d+) is free: mien gradio --port \1", err)[1])
    assert free > port


def test_without_gradio_the_command_says_what_to_install(tmp_path):
    hidden = "import sys; sys.modules['gradio'] = None; sys.argv = ['mien', 'gradio', '--port', '0']"
    with start(["-c", f"{hidden}; from mien.apps.cli import main; main()"], tmp_path) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err == (
        "mien: The Gradio page needs Gradio, which is not installed. The extra 'gradio' brings it. "
        'Run pip install ".[gradio]".\n'
    )


def test_an_unknown_detector_is_wrong_usage(tmp_path):
    with start(["-m", "mien", "gradio", "--port", "0", "--detector", "hare"], tmp_path) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "Did you mean 'haar'?" in err


def test_a_page_that_cannot_be_shared_says_so(tmp_path):
    # The tunnel fails as it does without a network; nothing is asked of one here.
    alone = """
import sys
from gradio import networking
def setup_tunnel(**_):
    raise RuntimeError("Could not get share link from Gradio API Server.")
networking.setup_tunnel = setup_tunnel
sys.argv = ["mien", "gradio", "--port", "0", "--detector", "haar", "--share"]
from mien.apps.cli import main
main()
"""
    with start(["-c", alone], tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("mien: The page could not be shared: Gradio's service for public addresses did not answer.")
    assert "--share needs a network." in err


def test_the_space_builds_the_same_page(tmp_path):
    space = Path(__file__).parents[3] / "examples/space"
    program = f"import runpy; demo = runpy.run_path({str(space / 'app.py')!r})['demo']; print(type(demo).__mro__)"
    with start(["-c", program], tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "mien.apps.gradio.page.GradioPage" in out
    assert "gradio" in (space / "requirements.txt").read_text("utf-8")
