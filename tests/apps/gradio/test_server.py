"""The Gradio page as a server: what programs get, what is refused, what is stored, and the command that starts it."""

import re
import signal
import socket
import time
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

pytest.importorskip("gradio")

from gradio_page import SERVE_PROGRAM, as_json, serve_gradio, start_python, wait_for_address
from mien import Engine
from video_files import EXAMPLES, two_faces, write_still_video

pytestmark = pytest.mark.full

PORTRAITS, HOPPER = EXAMPLES / "portraits.jpg", EXAMPLES / "hopper.jpg"


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    with serve_gradio(tmp_path_factory.mktemp("page")) as page:
        yield page


# Programs


def test_read_answers_like_the_command_line(page, engine, tmp_path):
    expected = as_json(replace(engine.read(PORTRAITS), source="portraits.jpg").to_dict())
    assert page.read(PORTRAITS) == expected
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(tmp_path / "wall.png")
    assert page.read(tmp_path / "wall.png")["faces"] == []
    (tmp_path / "broken.jpg").write_text("This is not a picture.")
    assert page.read(tmp_path / "broken.jpg")["error"].startswith("'broken.jpg' is text")


def test_explain_answers_like_the_library(page, engine):
    answer = page.explain(PORTRAITS, face=2, method="occlusion", target="happy", versus="sad")
    (expected,) = engine.explain_image(PORTRAITS, 2, methods=("occlusion",), target="happy", versus="sad")
    assert answer["faces"] == as_json([{**expected.to_dict(), "source": "portraits.jpg"}])
    assert len(page.explain(PORTRAITS)["faces"]) == 2
    assert "'joyful'" in page.explain(PORTRAITS, target="joyful")["error"]


def test_analyze_video_returns_a_summary_and_files(page, tmp_path):
    video = write_still_video(tmp_path / "clip.mp4", two_faces(), 0.6)
    facts, files = page.analyze_video(video, fps=5, blur=True)
    assert (facts["source"], facts["detector"], facts["model"]) == ("clip.mp4", "haar", "base")
    assert len(facts["summary"]["tracks"]) == 2
    assert set(files) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "timeline.json", "annotated.webm"}
    assert "clip.mp4" in files["report.html"].read_text("utf-8")


def test_a_damaged_video_is_reported_without_server_paths(page, tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_text("no video")
    for name in ("empty.mp4", "text.mp4"):
        with pytest.raises(Exception, match=name) as raised:
            page.analyze_video(tmp_path / name)
        assert str(page.folder) not in str(raised.value)


def test_there_are_three_endpoints_and_no_others(page):
    endpoints = page.client.view_api(return_format="dict")
    assert sorted(endpoints["named_endpoints"]) == ["/analyze_video", "/explain", "/read"]
    assert endpoints["unnamed_endpoints"] == {}
    names = [each["parameter_name"] for each in endpoints["named_endpoints"]["/explain"]["parameters"]]
    assert names == ["image", "face", "method", "target", "versus", "model"]


# What is refused


def call_read(page, file):
    event = httpx.post(f"{page.address}/gradio_api/call/read", json={"data": [file, None, ""]}).json()["event_id"]
    return httpx.get(f"{page.address}/gradio_api/call/read/{event}", timeout=20).text


def test_a_url_is_not_opened(page):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.5)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/photo.jpg"
        answer = call_read(page, {"path": url, "meta": {"_type": "gradio.FileData"}})
        with pytest.raises(TimeoutError):
            server.accept()
    assert "URLs are not opened here" in answer


def test_a_file_of_the_server_is_not_opened(page):
    answer = call_read(page, {"path": str(PORTRAITS), "meta": {"_type": "gradio.FileData"}})
    assert "event: error" in answer
    assert "faces" not in answer


@pytest.mark.parametrize(
    ("component", "options"),
    [("photo-input", ["base"]), ("explain-input", ["base"]), ("video-input", [10, False, "base"])],
)
def test_no_listener_opens_a_file_that_was_not_uploaded(page, tmp_path, component, options):
    private = tmp_path / "private.jpg"
    private.write_bytes(HOPPER.read_bytes())
    link = Path(page.upload(HOPPER)).with_name(f"{component}.jpg")
    link.symlink_to(private)
    outside = [str(private), str(link), f"{link.parent}/../../../{private.parent.name}/private.jpg", str(link.parent)]
    for path in [*outside, "/dev/zero", "http://127.0.0.1/one.jpg", "a\0b", "n" * 5000]:
        for mark in ({}, {"meta": {"_type": "gradio.FileData"}}):
            answer = page.call_listener(component, {"path": path, **mark}, *options)
            assert not answer["success"], (path, answer)


def test_an_uploaded_image_is_read_without_gradio_s_mark(page):
    answer = page.call_listener("photo-input", {"path": page.upload(PORTRAITS), "orig_name": "two.jpg"}, "base")
    assert answer["success"]
    assert answer["output"]["data"][1].startswith("### 2 faces")
    answer = page.call_listener("explain-input", {"path": page.upload(PORTRAITS)}, "base")
    assert len(answer["output"]["data"][0]["choices"]) == 2


# What is stored and sent


def test_the_page_has_no_analytics_and_no_history(page):
    config = httpx.get(f"{page.address}/config").json()
    assert config["analytics_enabled"] is False
    assert config["run_history"] is False
    assert httpx.get(f"{page.address}/gradio_api/monitoring/summary").status_code != 200


def test_no_other_host_is_resolved(tmp_path):
    program = """
import socket
hosts, resolve = set(), socket.getaddrinfo
def getaddrinfo(host, *arguments, **options):
    hosts.add(host)
    return resolve(host, *arguments, **options)
socket.getaddrinfo = getaddrinfo
from mien.apps.gradio import build_page
page = build_page(detector="haar")
page.launch(prevent_thread_lock=True, quiet=True)
import time; time.sleep(1.5)  # requests in the background would come now
print(sorted(host if isinstance(host, str) else host.decode() for host in hosts))
page.close(verbose=False)
"""
    with start_python(["-c", program], tmp_path) as process:
        out, err = process.communicate(timeout=60)
    assert out.strip() in ("['127.0.0.1']", "['127.0.0.1', 'localhost']"), err


def test_uploads_are_removed_after_their_time(tmp_path):
    short = "import mien.apps.gradio.page as page; page.CLEANUP_INTERVAL, page.CACHE_SECONDS = 1, 4; engine = None\n"
    program = short + SERVE_PROGRAM.replace("build_page(engine)", "build_page(detector='haar')")
    with serve_gradio(tmp_path, ["-c", program]) as page:
        page.read(HOPPER)
        assert len(page.stored_files()) > 3
        deadline = time.monotonic() + 25
        while len(page.stored_files()) > 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        # The samples belong to the page.
        names = sorted(path.name for path in page.stored_files())
        assert names == ["astronaut.jpg", "hopper.jpg", "portraits.jpg"]


FOREIGN_LABELS = """
from fakes import FakeClassifier, FakeDetector, fake_card
from mien import Engine
from mien.results import Box
card = fake_card(labels=("happy", 'so-so "quoted" </style>', "sad"), vote_labels=())
engine = Engine(FakeClassifier(card), FakeDetector((Box(0, 0, 8, 8),)))
"""


def test_a_page_of_an_engine_with_foreign_labels(tmp_path):
    Image.fromarray(np.full((16, 16, 3), 200, np.uint8)).save(tmp_path / "one.png")
    with serve_gradio(tmp_path, ["-c", FOREIGN_LABELS + SERVE_PROGRAM]) as page:
        (face,) = page.read(tmp_path / "one.png")["faces"]
        assert list(face["scores"]) == ["happy", 'so-so "quoted" </style>', "sad"]
        assert face["votes"] is None
        assert "Expected one of fake." in page.read(tmp_path / "one.png", model="base")["error"]
        head = httpx.get(f"{page.address}/config").json()["head"]
    assert head.count("</style>") == 1


# The command


def test_the_command_serves_until_sigterm_and_leaves_no_files(tmp_path):
    with start_python(["-m", "mien", "gradio", "--port", "0", "--detector", "haar"], tmp_path) as process:
        address = wait_for_address(process)
        assert address.startswith("http://127.0.0.1:")
        assert httpx.get(address).status_code == 200
        assert [path for path in tmp_path.iterdir() if path.name.startswith("mien-gradio-")]
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def run_python(arguments, folder):
    with start_python(arguments, folder) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_an_occupied_port_is_reported_with_a_free_one(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        status, _, err = run_python(["-m", "mien", "gradio", "--port", str(port)], tmp_path)
    assert status == 1
    assert err.startswith(f"mien: Another program listens on 127.0.0.1, port {port}.")
    assert int(re.search(r"Port (\d+) is free: mien gradio --port \1", err)[1]) > port


def test_without_gradio_the_command_says_what_to_install(tmp_path):
    program = "import sys; sys.modules['gradio'] = None; sys.argv = ['mien', 'gradio', '--port', '0']"
    status, _, err = run_python(["-c", f"{program}; from mien.apps.cli import main; main()"], tmp_path)
    assert status == 1
    assert err == (
        "mien: The Gradio page needs Gradio, which is not installed. The extra 'gradio' contains it. "
        'Run pip install ".[gradio]".\n'
    )


def test_an_unknown_detector_is_a_usage_error(tmp_path):
    status, _, err = run_python(["-m", "mien", "gradio", "--port", "0", "--detector", "hare"], tmp_path)
    assert status == 2
    assert "Did you mean 'haar'?" in err


def test_a_page_that_cannot_be_shared_is_an_error(tmp_path):
    # The tunnel fails as it does without a network; nothing is requested from one here.
    program = """
import sys
from gradio import networking
def setup_tunnel(**_):
    raise RuntimeError("Could not get share link from Gradio API Server.")
networking.setup_tunnel = setup_tunnel
sys.argv = ["mien", "gradio", "--port", "0", "--detector", "haar", "--share"]
from mien.apps.cli import main
main()
"""
    status, out, err = run_python(["-c", program], tmp_path)
    assert (status, out) == (1, "")
    assert err.startswith("mien: The page could not be shared: Gradio's service for public addresses did not answer.")
    assert "--share needs a network." in err


def test_the_example_space_builds_the_same_page(tmp_path):
    space = EXAMPLES / "space"
    program = f"import runpy; demo = runpy.run_path({str(space / 'app.py')!r})['demo']; print(type(demo).__mro__)"
    status, out, err = run_python(["-c", program], tmp_path)
    assert status == 0, err
    assert "mien.apps.gradio.page.GradioPage" in out
    assert "gradio" in (space / "requirements.txt").read_text("utf-8")
