"""The Gradio page in a real Chromium, driven by Playwright: photos, camera, videos, explanations, phones, dark mode.

Playwright installs no browser here: the system's Chromium is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a
failure instead of a skip.
"""

import json
import os
import re
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from group_photo import write_group
from running_threads import wait_until
from tabs import open_tab
from video_files import EXAMPLES, two_faces, write_still_video

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("gradio")
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")

from playwright.sync_api import expect

from gradio_page import SERVE_PROGRAM, serve_gradio
from mien import Engine, text
from mien.html import style_colours

pytestmark = pytest.mark.full

PORTRAITS, ASTRONAUT, HOPPER = (EXAMPLES / f"{name}.jpg" for name in ("portraits", "astronaut", "hopper"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with serve_gradio(tmp_path_factory.mktemp("site")) as site:
        yield site


@contextmanager
def open_page(chromium, site, name="Photo", **options):
    """A new tab of the browser, with one of the page's tabs selected."""
    options = {"permissions": ["camera"], "viewport": {"width": 1200, "height": 900}, **options}
    with open_tab(chromium, site.address, kinds=("error",), **options) as page:
        page.goto("/")
        select_tab(page, name)
        yield page


def select_tab(page, name):
    page.get_by_role("tab", name=name, exact=True).first.click()


@pytest.fixture
def photo(chromium, site):
    with open_page(chromium, site) as page:
        yield page


def upload(page, component, path):
    page.locator(f"#{component} input[type=file]").set_input_files(path)


def displayed_scores(page, component):
    """The expressions of a label in the order of the page, and the values of their bars."""
    meters = page.locator(f"#{component} meter")
    expect(meters.first).to_be_visible()
    return meters.evaluate_all("all => all.map(one => [one.ariaLabel, Number(one.value)])")


# Photos


def test_the_page_shows_prohibited_uses_and_what_is_stored(photo):
    expect(photo.get_by_text(text.DISCLAIMER).first).to_be_visible()
    expect(photo.get_by_text(text.PROHIBITED_USES)).to_be_visible()
    expect(photo.get_by_text("all of it is removed after 15 minutes")).to_be_visible()


def test_a_photo_is_read(photo):
    upload(photo, "photo-input", ASTRONAUT)
    reading = Engine.load(detector="haar").read(ASTRONAUT).readings[0]
    expect(photo.locator("#photo-summary h3")).to_have_text(text.format_headline(reading).capitalize())
    expect(photo.locator("#photo-summary")).to_contain_text(text.describe_votes(reading))
    scores, ranked = displayed_scores(photo, "photo-scores"), reading.emotions.ranked()
    assert [label for label, _ in scores] == [score.label for score in ranked]
    assert [value for _, value in scores] == pytest.approx([score.score for score in ranked], abs=1e-6)
    expect(photo.locator("#photo-result img").first).to_be_visible()
    expect(photo.locator("#photo-faces")).to_be_hidden()


def test_a_group_has_a_summary_and_a_line_for_each_face(photo, tmp_path):
    path = write_group(tmp_path / "group.jpg")
    result = Engine.load(detector="haar").read(path)
    upload(photo, "photo-input", path)
    summary, lines = photo.locator("#photo-summary"), photo.locator("#photo-faces details")
    expect(summary.locator("h3")).to_have_text("24 faces")
    expect(summary).to_contain_text(text.summarize_expressions(result.readings))
    expect(lines).to_have_count(24)
    expect(photo.locator("#photo-faces details[open]")).to_have_count(0)
    assert photo.evaluate("document.documentElement.scrollHeight") < 3000
    lines.nth(1).locator("summary").click()
    expect(lines.nth(1)).to_contain_text(text.describe_votes(result.readings[1]))
    expect(lines.nth(1).locator(".mien-bars").first).to_be_visible()
    # The whole face is in its crop, without a text on it.
    box = lines.nth(1).locator("summary img").first.bounding_box()
    assert abs(box["width"] - box["height"]) < 1
    # A click on a number of the legend opens the line of that face.
    photo.locator("#photo-result .legend-item").nth(4).click()
    expect(photo.locator("#photo-faces details[open]")).to_have_count(1)
    expect(photo.locator("#photo-faces details[open] summary b")).to_have_text("5")
    counts = text.count_expressions(result.readings)
    name = next(iter(counts))
    photo.locator("#photo-show input").click()
    photo.get_by_role("option", name=f"{counts[name]} {name}").click()
    expect(lines).to_have_count(counts[name])


def test_two_faces_are_open_and_a_single_one_has_its_scores(photo):
    upload(photo, "photo-input", PORTRAITS)
    expect(photo.locator("#photo-faces details[open]")).to_have_count(2)
    expect(photo.locator("#photo-scores")).to_be_hidden()
    photo.get_by_role("button", name="Remove Image").click()
    expect(photo.locator("#photo-faces")).to_be_hidden()
    upload(photo, "photo-input", HOPPER)
    assert displayed_scores(photo, "photo-scores")[0][0] == "neutral"
    expect(photo.locator("#photo-faces")).to_be_hidden()


def test_results_are_downloaded_as_json_csv_and_image(photo):
    upload(photo, "photo-input", PORTRAITS)
    expect(photo.locator("#photo-downloads")).to_be_visible()
    files = {}
    for name in ("Save JSON", "Save CSV", "Save image"):
        with photo.expect_download() as download:
            photo.get_by_role("button", name=name).click()
        files[download.value.suggested_filename] = download.value.path().read_bytes()
    assert set(files) == {"portraits.json", "portraits.csv", "portraits-annotated.jpg"}
    result = json.loads(files["portraits.json"])
    assert (result["source"], len(result["faces"])) == ("portraits.jpg", 2)
    assert files["portraits.csv"].decode().count("\n") == 3


def test_an_example_is_read(photo):
    photo.locator(".gallery-item, .gallery button").first.click()
    expect(photo.locator("#photo-summary h3")).to_have_text("2 faces")


def test_an_image_without_a_face_shows_what_helps(photo, tmp_path):
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(tmp_path / "wall.png")
    upload(photo, "photo-input", tmp_path / "wall.png")
    expect(photo.locator("#photo-summary h3")).to_have_text(text.NO_FACE)
    expect(photo.locator("#photo-summary")).to_contain_text(text.NO_FACE_HELP)
    expect(photo.locator("#photo-scores")).to_be_hidden()


def test_html_in_a_file_name_is_not_executed(photo, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    path.write_text("This is not a picture.")
    photo.on("dialog", lambda dialog: pytest.fail("HTML in a file name was executed"))
    upload(photo, "photo-input", HOPPER)
    expect(photo.locator("#photo-scores")).to_be_visible()
    photo.get_by_role("button", name="Remove Image").click()
    upload(photo, "photo-input", path)
    expect(photo.get_by_test_id("toast-body")).to_contain_text("is text, not a")
    expect(photo.locator("#photo-scores")).to_be_hidden()


# Explanations, camera


def test_another_face_method_and_target_are_explained(chromium, site):
    with open_page(chromium, site, "Explain") as page:
        upload(page, "explain-input", PORTRAITS)
        summary, evidence = page.locator("#explain-summary"), page.locator("#explain-evidence img")
        expect(summary).to_contain_text("Face 1 looks neutral")
        expect(summary).to_contain_text("Why it looks neutral.")
        first = evidence.get_attribute("src")
        page.locator("#explain-face input").click()
        page.get_by_role("option", name="2 · looks happy").click()
        expect(summary).to_contain_text("Face 2 looks happy")
        page.locator("#explain-method").get_by_text("Occlusion", exact=True).click()
        page.locator("#explain-target input").click()
        page.get_by_role("option", name="surprise", exact=True).click()
        expect(summary).to_contain_text("Evidence for surprise.")
        expect(evidence).not_to_have_attribute("src", first)
        select_tab(page, "Prediction")
        expect(page.locator("#explain-softmax img")).to_be_visible()
        select_tab(page, "Feature maps")
        expect(page.locator("#explain-maps img").first).to_be_visible()
        select_tab(page, "Walkthrough")
        expect(page.frame_locator("#explain-walkthrough iframe").locator("h1")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_figures_have_the_colours_of_the_page(chromium, site, scheme):
    with open_page(chromium, site, "Explain", color_scheme=scheme) as page:
        upload(page, "explain-input", HOPPER)
        image = page.locator("#explain-evidence img")
        expect(image).to_be_visible()
        corner = image.evaluate(
            """async image => {
              await image.decode();
              const context = new OffscreenCanvas(4, 4).getContext("2d");
              context.drawImage(image, 0, 0);
              return [...context.getImageData(1, 1, 1, 1).data].slice(0, 3);
            }"""
        )
        assert corner == list(bytes.fromhex(style_colours(dark=scheme == "dark")["paper"][1:]))


def test_the_camera_opens_after_its_notice_and_closes_with_its_tab(chromium, site):
    with open_page(chromium, site, "Camera") as page:
        expect(page.get_by_text(text.CAMERA_NOTICE)).to_be_visible()
        expect(page.locator("#camera-input")).to_be_hidden()
        before = set(site.stored_files())
        page.locator("#camera-start").click()
        page.locator("#camera-input button:visible").first.click()
        page.locator("#camera-input button.capture-button").click()
        expect(page.locator("#camera-scores meter").first).to_be_visible()
        assert displayed_scores(page, "camera-scores")[0][0] == "happy"
        image = page.locator("#camera-result img")
        assert image.get_attribute("src").startswith("data:image/jpeg;base64,")
        page.locator("#camera-evidence label").click()
        expect(image).not_to_have_attribute("src", image.get_attribute("src"))
        expect(page.locator("#camera-plot svg, #camera-plot canvas").first).to_be_visible()
        assert set(site.stored_files()) == before
        page.evaluate("window.stream = document.querySelector('#camera-input video').srcObject")
        select_tab(page, "Photo")
        page.wait_for_function("window.stream.getTracks().every(track => track.readyState === 'ended')")
        select_tab(page, "Camera")
        expect(page.get_by_text(text.CAMERA_NOTICE)).to_be_visible()
        expect(page.locator("#camera-input")).to_be_hidden()


# Videos


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_still_video(tmp_path_factory.mktemp("video") / "clip.mp4", two_faces(), 1.0, 25, "-c:v", "libx264")


def start_analysis(page, path):
    upload(page, "video-input", path)
    expect(page.locator("#video-input [data-testid$='-player'], #video-input video").first).to_be_attached()
    page.locator("#video-start").click()


def test_a_video_is_analysed_with_its_tracks_and_files(chromium, site, video):
    with open_page(chromium, site, "Video") as page:
        start_analysis(page, video)
        expect(page.locator("#video-summary h3")).to_contain_text("2 tracks")
        expect(page.locator("#video-result video")).to_be_visible()
        expect(page.locator("#video-plot svg, #video-plot canvas").first).to_be_visible()
        page.locator("#video-track").get_by_text("Track 2").click()
        for name in ("report.html", "faces.csv", "events.csv", "subtitles.vtt", "annotated.webm"):
            stem, _, suffix = name.partition(".")
            expect(page.locator("#video-files")).to_contain_text(re.compile(f"{stem}.*{suffix}"))


def test_a_stopped_video_leaves_no_files(chromium, site, tmp_path):
    long = write_still_video(tmp_path / "long.mp4", two_faces(), 120.0, 25, "-c:v", "libx264", "-preset", "ultrafast")

    def tables():
        return {path for path in site.stored_files() if path.name == "faces.csv"}

    with open_page(chromium, site, "Video") as page:
        before = tables()  # an earlier test may leave some, which disappear later
        start_analysis(page, long)
        wait_until(lambda: len(tables() - before) == 1)
        expect(page.locator("#video-summary")).to_contain_text("analysed")
        page.locator("#video-stop").click()
        expect(page.locator("#video-summary")).to_contain_text("The video and its results are deleted")
        assert not tables() - before


def expect_ready_after(page, message):
    expect(page.get_by_test_id("toast-body")).to_contain_text(message)
    expect(page.locator("#video-start")).to_be_visible()
    expect(page.locator("#video-stop")).to_be_hidden()


def test_after_a_damaged_video_another_can_be_analysed(chromium, site, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with open_page(chromium, site, "Video") as page:
        start_analysis(page, tmp_path / "text.mp4")
        expect_ready_after(page, "text.mp4")


BROKEN_ENGINE = """
from mien import Engine
engine = Engine.load(detector="haar")
def analyze_video(*_, **__):
    yield 1 / 0
Engine.analyze_video = analyze_video
"""


def test_after_a_bug_another_video_can_be_analysed(chromium, tmp_path, video):
    program = ["-c", BROKEN_ENGINE + SERVE_PROGRAM]
    with serve_gradio(tmp_path, program) as site, open_page(chromium, site, "Video") as page:
        start_analysis(page, video)
        expect_ready_after(page, "This is a bug in mien: ZeroDivisionError.")


def test_a_missing_video_is_reported(chromium, site):
    with open_page(chromium, site, "Video") as page:
        page.locator("#video-start").click()
        expect(page.get_by_test_id("toast-body")).to_contain_text("There is no video yet")


# Models, phones


def test_the_models_show_their_scores_and_limitations(chromium, site):
    with open_page(chromium, site, "Models") as page:
        expect(page.get_by_text("Calibration error (ECE), people")).to_be_visible()
        expect(page.locator("#models-f1-base svg, #models-f1-base canvas").first).to_be_visible()
        for sentence in text.LIMITATIONS:
            expect(page.get_by_text(sentence)).to_be_visible()


def test_the_page_fits_a_phone_in_dark_mode(chromium, site):
    phone = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True, "has_touch": True}
    with open_page(chromium, site, **phone) as page:
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
        upload(page, "photo-input", PORTRAITS)
        expect(page.locator("#photo-summary h3")).to_contain_text("2 faces")
        expect(page.locator("#photo-result img").first).to_be_visible()
        for name in ("Camera", "Video", "Explain", "Models"):
            select_tab(page, name)
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
