"""The Streamlit page in a real Chromium, driven by Playwright: photos, camera, a film, the inside, runs and data.

Playwright brings no browser here: the system's Chromium is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a
failure instead of a skip.
"""

import os
import socket
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from command import environment
from tabs import tab

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")
    pytest.importorskip("streamlit", reason="the page needs the extra 'streamlit'")

from playwright.sync_api import expect

from video_files import write_still_video, two_faces
from mien.apps.streamlit import server
from mien.datasets import synthetic
from mien.engine import Engine
from streamlit_page import ASTRONAUT, EXAMPLES, HOPPER, OWN, PORTRAITS, driven, film_driven, finished_run, send, serving


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """Where the server stands: runs to look at and drawn faces to report on."""
    desk = tmp_path_factory.mktemp("desk")
    finished_run(desk / "runs" / "narrow", width=32, right=0.55)
    finished_run(desk / "runs" / "wide", seed=1, width=64, right=0.75)
    synthetic.write_synthetic(desk / "faces", 140)
    return desk


@pytest.fixture(scope="module")
def address(desk, chromium):
    (desk / "scratch").mkdir()
    folders = {"MIEN_HOME": str(desk / "home"), "TMPDIR": str(desk / "scratch")}
    with serving("--detector", "haar", cwd=desk, **folders) as address:
        yield address


@pytest.fixture
def page(chromium, address):
    with tab(chromium, address, fine=OWN) as page:
        yield page


def ground(page):
    """The page's own colour: that of the sheet, in the light or in the dark."""
    return page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


# Photo


def test_several_photos_are_read_and_saved(page):
    expected = [
        {**Engine.load(detector="haar").read(path).to_dict(), "source": path.name} for path in (PORTRAITS, HOPPER)
    ]
    assert driven(page, [PORTRAITS, HOPPER]) == expected
    expect(page.locator(".mien-face")).to_have_count(3)
    expect(page.get_by_text("3 faces in 2 photos")).to_be_visible()
    assert "Predicted annotator votes" in page.locator(".mien-face >> nth=0").inner_text()
    assert "looks happy" in page.locator(".mien-face >> nth=1").inner_text()
    with page.expect_download() as saved:
        button(page, "CSV").click()
    assert saved.value.path().read_text().count("portraits.jpg") == 2
    with page.expect_download() as saved:
        page.get_by_role("button", name="Annotated picture").first.click()
    assert saved.value.path().read_bytes()[:3] == b"\xff\xd8\xff"
    button(page, "Clear").click()
    expect(page.get_by_text("Or try one of ours")).to_be_visible()


def test_no_face_and_a_broken_file_are_sentences(page, tmp_path):
    Image.fromarray(np.full((60, 60, 3), 120, np.uint8)).save(tmp_path / "wall.png")
    (tmp_path / "torn.jpg").write_bytes(ASTRONAUT.read_bytes()[:700])
    page.goto("/")
    send(page, [tmp_path / "wall.png", tmp_path / "torn.jpg"])
    expect(page.get_by_text("No face was found.")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="torn.jpg")).to_be_visible()
    assert "Traceback" not in page.inner_text("body")


def test_choices_stand_in_the_address_and_come_back_from_it(page):
    page.goto("/?detector=none")
    page.get_by_text("An astronaut").click()
    expect(page.get_by_text("found by none")).to_be_visible()
    page.get_by_role("link", name="About").click()
    expect(page.get_by_text("Not to judge, sort, hire")).to_be_visible()
    assert page.url.endswith("/about?detector=none")
    page.go_back()
    expect(page.get_by_text("found by none")).to_be_visible()


def test_what_was_chosen_is_still_there_after_a_look_at_other_pages(page):
    page.goto("/")
    send(page, [ASTRONAUT])
    expect(page.locator(".mien-face")).to_have_count(1)
    for name, heading in (("About", "About mien"), ("Inside", "Why it looks happy"), ("Photo", "What does this")):
        page.get_by_role("link", name=name).click()
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".mien-face")).to_have_count(1)
    send(page, [HOPPER])
    expect(page.get_by_role("heading", name="hopper.jpg")).to_be_visible()
    expect(page.locator(".mien-face")).to_have_count(1)


def test_a_phone_in_the_dark_has_room_for_everything(chromium, address):
    with tab(chromium, address, fine=OWN, viewport={"width": 390, "height": 844}, color_scheme="dark") as page:
        page.goto("/")
        page.get_by_text("Two portraits").click()
        expect(page.locator(".mien-face")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert ground(page) == "rgb(20, 23, 27)"


#: Streamlit's own: its places for files have a role and a name.
_THEIRS = "presentation-role-conflict"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(chromium, address, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="it is in the extra 'dev'").Axe()
    with tab(chromium, address, fine=OWN, color_scheme=scheme) as page:
        page.goto("/")
        page.get_by_text("Two portraits").click()
        expect(page.locator(".mien-face")).to_have_count(2)
        assert complained(axe, page) == []
        button(page, "See inside").first.click()
        expect(page.get_by_alt_text("Where the network looked for")).to_be_visible()
        page.get_by_role("link", name="About").click()
        expect(page.get_by_text("Not to judge, sort, hire")).to_be_visible()
        assert complained(axe, page) == []


def complained(axe, page):
    found = axe.run(page).response["violations"]
    return [(each["id"], each["nodes"][0]["html"]) for each in found if each["id"] != _THEIRS]


# Camera


def test_the_camera_opens_after_its_notice_and_closes_when_it_is_left(page):
    page.goto("/camera")
    expect(page.get_by_text("Ask those beside you first")).to_be_visible()
    assert page.locator("video").count() == 0
    button(page, "Open the camera").click()
    expect(page.locator("video")).to_be_visible()
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    button(page, "Take Photo").click()
    expect(page.locator(".mien-face")).to_have_count(1)
    page.get_by_role("link", name="Photo").click()
    expect(page.get_by_text("Or try one of ours")).to_be_visible()
    page.get_by_role("link", name="Camera").click()
    expect(page.get_by_text("Ask those beside you first")).to_be_visible()
    assert page.locator("video").count() == 0


# Inside


def test_a_face_leads_into_the_network(page):
    page.goto("/")
    page.get_by_text("Two portraits").click()
    button(page, "See inside").nth(1).click()
    expect(page.get_by_role("heading", name="Why it looks happy")).to_be_visible()
    assert page.url.endswith("/inside")
    choose(page, "Found by", "occlusion")
    choose(page, "rather than", "sad")
    expect(page.get_by_role("heading", name="Why it looks happy compared with sad")).to_be_visible()
    expect(page.get_by_alt_text("Where the network looked for happy rather than sad")).to_be_visible()
    assert "method=occlusion" in page.url
    assert "versus=sad" in page.url
    for view, shown in (("Feature maps", "The maps of the layer stem"), ("Softmax", "Every expression with its score")):
        page.get_by_role("radio", name=view).click()
        expect(page.get_by_alt_text(shown).first).to_be_visible()
    page.get_by_role("radio", name="Step by step").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Next").click()
    expect(frame.get_by_text("Step 2 of").last).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save these steps as a page").click()
    assert "How a network reads this face" in saved.value.path().read_text("utf-8")


def choose(page, label, option):
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


# Video


def test_a_film_is_read_with_its_tables_and_its_report(page, tmp_path):
    film = write_still_video(tmp_path / "two.mp4", two_faces(), seconds=2)
    files = film_driven(page, film, tmp_path)
    assert set(files) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt"}
    assert len(files["faces.csv"].splitlines()) > 20
    with zipfile.ZipFile(tmp_path / "film.zip") as archive:
        assert archive.read("film.webm")[:4] == b"\x1a\x45\xdf\xa3"
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    expect(page.get_by_text("Who looked how, and when")).to_be_visible()
    page.get_by_role("link", name="About").click()
    expect(page.get_by_role("heading", name="About mien")).to_be_visible()
    page.get_by_role("link", name="Video").click()
    page.get_by_text("The whole report").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name="two.mp4")).to_be_visible()


def test_a_film_is_stopped_and_nothing_of_it_is_left(page, tmp_path, desk):
    film = write_still_video(tmp_path / "long.mp4", two_faces(), seconds=40)
    page.goto("/video")
    send(page, [film])
    button(page, "Read the film").click()
    expect(page.get_by_text("frames a second")).to_be_visible()
    button(page, "Stop").click()
    expect(button(page, "Stop")).to_be_hidden()
    expect(button(page, "Read the film")).to_be_enabled()
    assert page.get_by_text("Who looked how, and when").count() == 0
    until(lambda: not list((desk / "scratch").iterdir()))


def test_a_film_that_is_none_is_a_sentence(page, tmp_path):
    (tmp_path / "none.mp4").write_bytes(b"no film at all" * 100)
    page.goto("/video")
    send(page, [tmp_path / "none.mp4"])
    button(page, "Read the film").click()
    expect(page.get_by_role("alert").filter(has_text="none.mp4")).to_be_visible()


# Streamlit's own command


def test_streamlits_own_command_shows_the_same_page(chromium, desk):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    switches = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    words = [sys.executable, "-m", "streamlit", "run", EXAMPLES / "streamlit" / "streamlit_app.py", *switches]
    variables = environment(MIEN_HOME=str(desk / "home"), MIEN_DETECTOR="haar")
    with subprocess.Popen(words, env=variables, cwd=desk, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
        try:
            until(lambda: server.check_port("127.0.0.1", port))
            with tab(chromium, f"http://127.0.0.1:{port}", fine=OWN, color_scheme="dark") as page:
                page.goto("/")
                page.get_by_text("An astronaut").click()
                expect(page.locator(".mien-face")).to_have_count(1)
                ground = page.evaluate(
                    "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
                )
                assert ground == "rgb(20, 23, 27)"
        finally:
            running.terminate()
        assert b"Traceback" not in running.stderr.read()


def until(truth, seconds=20):
    end = time.monotonic() + seconds
    while not truth():
        assert time.monotonic() < end
        time.sleep(0.05)


# Experiments and data


def test_runs_stand_side_by_side_as_the_address_says(page):
    page.goto("/experiments?run=narrow&run=wide")
    expect(page.get_by_alt_text("The confusion matrix of narrow")).to_be_visible()
    expect(page.get_by_alt_text("The confusion matrix of wide")).to_be_visible()
    expect(page.get_by_alt_text("Accuracy and loss, epoch by epoch, of narrow, wide")).to_be_visible()
    expect(page.get_by_text("test: significant")).to_be_visible()


def test_a_folder_of_this_computer_is_reported_on(page):
    page.goto("/data")
    page.get_by_role("textbox", name="A file or folder on this computer").fill("faces")
    button(page, "Make the report").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("140 faces, 48 x 48")).to_be_visible()
    with page.expect_download() as saved:
        page.get_by_role("button", name="Figures (ZIP)").click()
    assert "samples.png" in zipfile.ZipFile(saved.value.path()).namelist()
