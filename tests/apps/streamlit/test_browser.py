"""The Streamlit page in a real Chromium, driven by Playwright: photos, camera, videos, explanations, runs and data.

Playwright installs no browser here: the system's Chromium is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a
failure instead of a skip.
"""

import os
import subprocess
import sys
import time
import zipfile

import numpy as np
import pytest
from PIL import Image

from command import environment
from tabs import open_tab

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")
    pytest.importorskip("streamlit", reason="the page needs the extra 'streamlit'")

from playwright.sync_api import expect

from group_photo import write_group
from mien.apps.session.ports import check_port, find_free_port
from mien.datasets import synthetic
from mien.engine import Engine
from streamlit_page import (
    ASTRONAUT,
    EXAMPLES,
    EXPECTED_LINES,
    HOPPER,
    PORTRAITS,
    analyze_video_in_browser,
    read_in_browser,
    serve_streamlit_page,
    upload_in_browser,
    write_finished_run,
)
from video_files import two_faces, write_still_video

pytestmark = pytest.mark.full

DARK_BACKGROUND = "rgb(20, 23, 27)"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The server's working folder: with training runs, and synthetic faces for a report."""
    folder = tmp_path_factory.mktemp("server")
    write_finished_run(folder / "runs" / "narrow", width=32, accuracy=0.55)
    write_finished_run(folder / "runs" / "wide", seed=1, width=64, accuracy=0.75)
    synthetic.write_synthetic(folder / "faces", 140)
    (folder / "temporary").mkdir()
    return folder


@pytest.fixture(scope="module")
def address(folder, chromium):
    variables = {"MIEN_HOME": str(folder / "home"), "TMPDIR": str(folder / "temporary")}
    with serve_streamlit_page("--detector", "haar", cwd=folder, **variables) as address:
        yield address


@pytest.fixture
def page(chromium, address):
    with open_tab(chromium, address, expected=EXPECTED_LINES) as page:
        yield page


def background(page):
    return page.evaluate("getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor")


def button(page, name):
    return page.get_by_role("button", name=name, exact=True)


def go_to(page, name):
    page.get_by_role("link", name=name).click()


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


# Photos


def test_several_photos_are_read_and_downloaded(page):
    engine = Engine.load(detector="haar")
    expected = [{**engine.read(path).to_dict(), "source": path.name} for path in (PORTRAITS, HOPPER)]
    assert read_in_browser(page, [PORTRAITS, HOPPER]) == expected
    expect(page.locator(".mien-face")).to_have_count(3)
    expect(page.get_by_text("3 faces in 2 photos")).to_be_visible()
    assert "Predicted annotator votes" in page.locator(".mien-face >> nth=0").inner_text()
    assert "looks happy" in page.locator(".mien-line >> nth=1").inner_text()
    with page.expect_download() as download:
        button(page, "CSV").click()
    assert download.value.path().read_text().count("portraits.jpg") == 2
    with page.expect_download() as download:
        page.get_by_role("button", name="Annotated image").first.click()
    assert download.value.path().read_bytes()[:3] == b"\xff\xd8\xff"
    button(page, "Clear").click()
    expect(page.get_by_text("Example photos")).to_be_visible()


@pytest.mark.parametrize("width", [1280, 390])
def test_picture_of_a_group_stays_in_view_beside_its_lines(chromium, address, tmp_path, width):
    viewport = {"width": width, "height": 844}
    with open_tab(chromium, address, expected=EXPECTED_LINES, viewport=viewport) as page:
        page.goto("/")
        upload_in_browser(page, [write_group(tmp_path / "group.jpg")])
        lines, picture = page.locator("details.mien-line"), page.locator("[class*=sticky_picture] img")
        expect(lines).to_have_count(24)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        lines.nth(19).locator("summary").click()
        expect(lines.nth(19)).to_contain_text("Predicted annotator votes")
        expect(lines.nth(19).locator(".mien-bars").first).to_be_visible()
        box = picture.bounding_box()
        assert 0 <= box["y"] <= 844 - box["height"]
        # The line and its button stand side by side.
        tops = [
            part.bounding_box()["y"] for part in (lines.nth(20), page.get_by_role("button", name="Explain").nth(20))
        ]
        assert abs(tops[0] - tops[1]) < 10


def test_images_without_a_face_and_damaged_images_are_reported(page, tmp_path):
    Image.fromarray(np.full((60, 60, 3), 120, np.uint8)).save(tmp_path / "wall.png")
    (tmp_path / "damaged.jpg").write_bytes(ASTRONAUT.read_bytes()[:700])
    page.goto("/")
    upload_in_browser(page, [tmp_path / "wall.png", tmp_path / "damaged.jpg"])
    expect(page.get_by_text("No face was found.")).to_be_visible()
    expect(page.get_by_role("alert").filter(has_text="damaged.jpg")).to_be_visible()
    assert "Traceback" not in page.inner_text("body")


def test_the_url_keeps_the_choices_of_the_visitor(page):
    page.goto("/?detector=none")
    page.get_by_text("An astronaut").click()
    expect(page.get_by_text("detector none")).to_be_visible()
    go_to(page, "About")
    expect(page.get_by_text("Not to judge, sort, hire")).to_be_visible()
    assert page.url.endswith("/about?detector=none")
    page.go_back()
    expect(page.get_by_text("detector none")).to_be_visible()


def test_photos_stay_while_the_visitor_changes_pages(page):
    page.goto("/")
    upload_in_browser(page, [ASTRONAUT])
    expect(page.locator(".mien-face")).to_have_count(1)
    for name, heading in (("About", "About mien"), ("Explain", "Why it looks happy"), ("Photo", "What does this")):
        go_to(page, name)
        expect(page.get_by_role("heading", name=heading)).to_be_visible()
    expect(page.locator(".mien-face")).to_have_count(1)
    upload_in_browser(page, [HOPPER])
    expect(page.get_by_role("heading", name="hopper.jpg")).to_be_visible()
    expect(page.locator(".mien-face")).to_have_count(1)


def test_the_page_fits_a_phone_in_dark_mode(chromium, address):
    options = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    with open_tab(chromium, address, expected=EXPECTED_LINES, **options) as page:
        page.goto("/")
        page.get_by_text("Two portraits").click()
        expect(page.locator(".mien-face")).to_have_count(2)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert background(page) == DARK_BACKGROUND


#: Streamlit's own file inputs have both a role and a name.
STREAMLIT_VIOLATION = "presentation-role-conflict"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_are_accessible(chromium, address, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="it is in the extra 'dev'").Axe()

    def violations():
        nodes = [(each["id"], each["nodes"][0]["html"]) for each in axe.run(page).response["violations"]]
        return [node for node in nodes if node[0] != STREAMLIT_VIOLATION]

    with open_tab(chromium, address, expected=EXPECTED_LINES, color_scheme=scheme) as page:
        page.goto("/")
        page.get_by_text("Two portraits").click()
        expect(page.locator(".mien-face")).to_have_count(2)
        assert violations() == []
        button(page, "Explain").first.click()
        expect(page.get_by_alt_text("Evidence map for")).to_be_visible()
        go_to(page, "About")
        expect(page.get_by_text("Not to judge, sort, hire")).to_be_visible()
        assert violations() == []


# Camera


def test_the_camera_opens_after_its_notice_and_closes_with_its_page(page):
    page.goto("/camera")
    notice = page.get_by_text("Ask the people beside you first")
    expect(notice).to_be_visible()
    assert page.locator("video").count() == 0
    button(page, "Open the camera").click()
    expect(page.locator("video")).to_be_visible()
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    button(page, "Take Photo").click()
    expect(page.locator(".mien-face")).to_have_count(1)
    go_to(page, "Photo")
    expect(page.get_by_text("Example photos")).to_be_visible()
    go_to(page, "Camera")
    expect(notice).to_be_visible()
    assert page.locator("video").count() == 0


# Explanations


def choose(page, label, option):
    page.get_by_role("combobox", name=label).click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_face_of_a_photo_is_explained(page):
    page.goto("/")
    page.get_by_text("Two portraits").click()
    button(page, "Explain").nth(1).click()
    expect(page.get_by_role("heading", name="Why it looks happy")).to_be_visible()
    assert page.url.endswith("/explain")
    choose(page, "Method", "occlusion")
    choose(page, "compared with", "sad")
    expect(page.get_by_role("heading", name="Why it looks happy compared with sad")).to_be_visible()
    expect(page.get_by_alt_text("Evidence map for happy compared with sad")).to_be_visible()
    assert "method=occlusion" in page.url
    assert "versus=sad" in page.url
    for view, description in (("Feature maps", "Feature maps of the layer stem"), ("Softmax", "Logit and probability")):
        page.get_by_role("radio", name=view).click()
        expect(page.get_by_alt_text(description).first).to_be_visible()
    page.get_by_role("radio", name="Walkthrough").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Next").click()
    expect(frame.get_by_text("Step 2 of").last).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the walkthrough").click()
    assert "<h1" in download.value.path().read_text("utf-8")


# Videos


def test_a_video_is_analysed_with_its_tables_and_report(page, tmp_path):
    video = write_still_video(tmp_path / "two.mp4", two_faces(), seconds=2)
    files = analyze_video_in_browser(page, video, tmp_path)
    assert set(files) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "timeline.json"}
    assert len(files["faces.csv"].splitlines()) > 20
    with zipfile.ZipFile(tmp_path / "video.zip") as archive:
        assert archive.read("annotated.webm")[:4] == b"\x1a\x45\xdf\xa3"
    page.wait_for_function("document.querySelector('video').videoWidth > 0")
    expect(page.get_by_text("Events", exact=True).last).to_be_visible()
    go_to(page, "About")
    expect(page.get_by_role("heading", name="About mien")).to_be_visible()
    go_to(page, "Video")
    page.locator("summary").filter(has_text="Report").click()
    expect(page.frame_locator("iframe").get_by_role("heading", name="two.mp4")).to_be_visible()


def test_a_stopped_video_leaves_no_files(page, tmp_path, folder):
    video = write_still_video(tmp_path / "long.mp4", two_faces(), seconds=40)
    page.goto("/video")
    upload_in_browser(page, [video])
    button(page, "Analyse the video").click()
    expect(page.get_by_text("frames per second").last).to_be_visible()
    button(page, "Stop").click()
    expect(button(page, "Stop")).to_be_hidden()
    expect(button(page, "Analyse the video")).to_be_enabled()
    assert page.locator("video").count() == 0
    wait_until(lambda: not list((folder / "temporary").iterdir()))


def test_a_damaged_video_is_reported(page, tmp_path):
    (tmp_path / "damaged.mp4").write_bytes(b"not a video" * 100)
    page.goto("/video")
    upload_in_browser(page, [tmp_path / "damaged.mp4"])
    button(page, "Analyse the video").click()
    expect(page.get_by_role("alert").filter(has_text="damaged.mp4")).to_be_visible()


# Streamlit's own command


def test_streamlit_run_shows_the_same_page(chromium, folder):
    port = find_free_port("127.0.0.1")
    switches = [f"--server.port={port}", "--server.headless=true", "--server.address=127.0.0.1"]
    command = [sys.executable, "-m", "streamlit", "run", EXAMPLES / "streamlit" / "streamlit_app.py", *switches]
    variables = environment(MIEN_HOME=str(folder / "home"), MIEN_DETECTOR="haar")
    options = {"env": variables, "cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **options) as process:
        try:
            wait_until(lambda: check_port("127.0.0.1", port))
            url, options = f"http://127.0.0.1:{port}", {"expected": EXPECTED_LINES, "color_scheme": "dark"}
            with open_tab(chromium, url, **options) as page:
                page.goto("/")
                page.get_by_text("An astronaut").click()
                expect(page.locator(".mien-face")).to_have_count(1)
                assert background(page) == DARK_BACKGROUND
        finally:
            process.terminate()
        assert b"Traceback" not in process.stderr.read()


# Experiments and data


def test_runs_of_the_url_are_side_by_side(page):
    page.goto("/experiments?run=narrow&run=wide")
    expect(page.get_by_alt_text("The confusion matrix of narrow")).to_be_visible()
    expect(page.get_by_alt_text("The confusion matrix of wide")).to_be_visible()
    expect(page.get_by_alt_text("Accuracy and loss of each epoch of narrow, wide")).to_be_visible()
    expect(page.get_by_text("test: significant")).to_be_visible()


def test_a_folder_of_this_computer_is_reported(page):
    page.goto("/data")
    page.get_by_role("textbox", name="A file or folder on this computer").fill("faces")
    button(page, "Make the report").click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text("140 synthetic faces, 48 x 48")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Figures (ZIP)").click()
    assert "samples.png" in zipfile.ZipFile(download.value.path()).namelist()
