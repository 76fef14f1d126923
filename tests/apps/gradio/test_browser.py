"""The Gradio page in a real Chromium, driven by Playwright: photos, camera, films, the inside, by day and on a phone.

Playwright brings no browser here: the system's Chromium is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a
failure instead of a skip.
"""

import json
import os
import re
from contextlib import contextmanager

import numpy as np
import pytest
from PIL import Image

from films import EXAMPLES, film_of, two_people
from tabs import tab

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("gradio")
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")

from playwright.sync_api import expect

from gradio_page import SERVE, served
from mien import Engine, text

PORTRAITS, ASTRONAUT, HOPPER = (EXAMPLES / f"{name}.jpg" for name in ("portraits", "astronaut", "hopper"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with served(tmp_path_factory.mktemp("site")) as site:
        yield site


@contextmanager
def opened(chromium, site, name="Photo", **how):
    """A fresh tab of the browser on one of the page's tabs."""
    how = {"permissions": ["camera"], "viewport": {"width": 1200, "height": 900}, **how}
    with tab(chromium, site.address, kinds=("error",), **how) as page:
        page.goto("/")
        page.get_by_role("tab", name=name, exact=True).first.click()
        yield page


@pytest.fixture
def photo(chromium, site):
    with opened(chromium, site) as page:
        yield page


def send(page, place, path):
    page.locator(f"#{place} input[type=file]").set_input_files(path)


def shares(page, name):
    """The expressions of a label, in the order in which they stand, and their shares as they are drawn."""
    meters = page.locator(f"#{name} meter")
    expect(meters.first).to_be_visible()
    return meters.evaluate_all("all => all.map(one => [one.ariaLabel, Number(one.value)])")


def test_the_page_says_what_it_cannot_and_what_becomes_of_what_is_sent(photo):
    expect(photo.get_by_text(text.DISCLAIMER).first).to_be_visible()
    expect(photo.get_by_text(text.PROHIBITED_USES)).to_be_visible()
    expect(photo.get_by_text("all of it is removed after 15 minutes")).to_be_visible()


def test_a_photo_is_read(photo):
    send(photo, "photo-input", ASTRONAUT)
    reading = Engine.load(detector="haar").read(ASTRONAUT).readings[0]
    expect(photo.locator("#photo-said h3")).to_have_text(text.format_headline(reading).capitalize())
    expect(photo.locator("#photo-said")).to_contain_text(text.describe_votes(reading))
    drawn = shares(photo, "photo-label")
    assert [label for label, _ in drawn] == [share.label for share in reading.emotions.ranked()]
    assert [share for _, share in drawn] == pytest.approx(
        [share.score for share in reading.emotions.ranked()], abs=1e-6
    )
    expect(photo.locator("#photo-seen img").first).to_be_visible()
    expect(photo.locator("#photo-faces")).to_be_hidden()


def test_several_faces_are_told_apart(photo):
    send(photo, "photo-input", PORTRAITS)
    expect(photo.locator("#photo-said h3")).to_contain_text("Face 1 looks neutral")
    photo.locator("#photo-faces button.thumbnail-item").nth(1).click()
    expect(photo.locator("#photo-said h3")).to_contain_text("Face 2 looks happy")
    photo.locator("#photo-seen .legend-item").first.click()
    expect(photo.locator("#photo-said h3")).to_contain_text("Face 1 looks neutral")
    assert shares(photo, "photo-label")[0][0] == "neutral"


def test_what_was_read_can_be_saved(photo):
    send(photo, "photo-input", PORTRAITS)
    expect(photo.locator("#photo-saves")).to_be_visible()
    saved = {}
    for name in ("Save JSON", "Save CSV", "Save picture"):
        with photo.expect_download() as download:
            photo.get_by_role("button", name=name).click()
        saved[download.value.suggested_filename] = download.value.path().read_bytes()
    assert set(saved) == {"portraits.json", "portraits.csv", "portraits-read.jpg"}
    told = json.loads(saved["portraits.json"])
    assert (told["source"], len(told["faces"])) == ("portraits.jpg", 2)
    assert saved["portraits.csv"].decode().count("\n") == 3


def test_an_example_is_read(photo):
    photo.locator(".gallery-item, .gallery button").first.click()
    expect(photo.locator("#photo-said h3")).to_contain_text("looks")


def test_a_picture_without_a_face_says_so_with_what_helps(photo, tmp_path):
    Image.fromarray(np.full((240, 320, 3), 128, np.uint8)).save(tmp_path / "wall.png")
    send(photo, "photo-input", tmp_path / "wall.png")
    expect(photo.locator("#photo-said h3")).to_have_text(text.NO_FACE)
    expect(photo.locator("#photo-said")).to_contain_text(text.NO_FACE_HELP)
    expect(photo.locator("#photo-label")).to_be_hidden()


def test_a_file_that_is_no_picture_is_told_and_runs_nothing(photo, tmp_path):
    path = tmp_path / "<img src=x onerror=alert(1)>.jpg"
    path.write_text("This is not a picture.")
    photo.on("dialog", lambda dialog: pytest.fail("a file's name was run"))
    send(photo, "photo-input", HOPPER)
    expect(photo.locator("#photo-label")).to_be_visible()
    photo.get_by_role("button", name="Remove Image").click()
    send(photo, "photo-input", path)
    expect(photo.get_by_test_id("toast-body")).to_contain_text("is text, not a picture that mien reads")
    expect(photo.locator("#photo-label")).to_be_hidden()


def test_the_inside_opens_with_another_face_method_and_expression(chromium, site):
    with opened(chromium, site, "Inside") as page:
        send(page, "inside-input", PORTRAITS)
        said, where = page.locator("#inside-said"), page.locator("#inside-where img")
        expect(said).to_contain_text("Face 1 looks neutral")
        expect(said).to_contain_text("Shown is the evidence for neutral.")
        first = where.get_attribute("src")
        page.locator("#inside-face input").click()
        page.get_by_role("option", name="2 · looks happy").click()
        expect(said).to_contain_text("Face 2 looks happy")
        page.locator("#inside-method").get_by_text("Covering").click()
        page.locator("#inside-target input").click()
        page.get_by_role("option", name="surprise", exact=True).click()
        expect(said).to_contain_text("Shown is the evidence for surprise.")
        expect(where).not_to_have_attribute("src", first)
        page.get_by_role("tab", name="Answer").click()
        expect(page.locator("#inside-softmax img")).to_be_visible()
        page.get_by_role("tab", name="Maps").click()
        expect(page.locator("#inside-maps img").first).to_be_visible()
        page.get_by_role("tab", name="Steps").click()
        expect(page.frame_locator("#inside-steps iframe").locator("h1")).to_have_text("How a network reads this face")


def test_the_camera_is_read_after_its_notice_and_nothing_of_it_is_kept(chromium, site):
    with opened(chromium, site, "Camera") as page:
        expect(page.get_by_text(text.CAMERA_NOTICE)).to_be_visible()
        expect(page.locator("#camera-input")).to_be_hidden()
        before = set(site.kept())
        page.locator("#camera-start").click()
        page.locator("#camera-input button:visible").first.click()
        page.locator("#camera-input button.capture-button").click()
        expect(page.locator("#camera-label meter").first).to_be_visible()
        assert shares(page, "camera-label")[0][0] == "happy"
        picture = page.locator("#camera-seen img")
        assert picture.get_attribute("src").startswith("data:image/jpeg;base64,")
        page.locator("#camera-where label").click()
        seen = picture.get_attribute("src")
        expect(picture).not_to_have_attribute("src", seen)
        expect(page.locator("#camera-plot svg, #camera-plot canvas").first).to_be_visible()
        assert set(site.kept()) == before
        page.evaluate("window.opened = document.querySelector('#camera-input video').srcObject")
        page.get_by_role("tab", name="Photo", exact=True).first.click()
        page.wait_for_function("window.opened.getTracks().every(track => track.readyState === 'ended')")
        page.get_by_role("tab", name="Camera", exact=True).first.click()
        expect(page.get_by_text(text.CAMERA_NOTICE)).to_be_visible()
        expect(page.locator("#camera-input")).to_be_hidden()


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return film_of(tmp_path_factory.mktemp("film") / "clip.mp4", two_people(), 1.0, 25, "-c:v", "libx264")


def test_a_film_is_read_with_its_people_and_files(chromium, site, film):
    with opened(chromium, site, "Video") as page:
        send(page, "video-input", film)
        expect(page.locator("#video-input video")).to_be_visible()
        page.locator("#video-begin").click()
        expect(page.locator("#video-said h3")).to_contain_text("2 people")
        expect(page.locator("#video-seen video")).to_be_visible()
        expect(page.locator("#video-plot svg, #video-plot canvas").first).to_be_visible()
        page.locator("#video-person").get_by_text("Person 2").click()
        for name in ("report.html", "faces.csv", "events.csv", "subtitles.vtt", "film.webm"):
            stem, _, suffix = name.partition(".")
            expect(page.locator("#video-files")).to_contain_text(re.compile(f"{stem}.*{suffix}"))


def test_a_film_can_be_stopped_and_leaves_nothing(chromium, site, tmp_path):
    long = film_of(tmp_path / "long.mp4", two_people(), 120.0, 25, "-c:v", "libx264", "-preset", "ultrafast")
    with opened(chromium, site, "Video") as page:
        send(page, "video-input", long)
        expect(page.locator("#video-input video")).to_be_visible()
        page.locator("#video-begin").click()
        expect(page.locator("#video-said")).to_contain_text("Read up to")
        before = [path for path in site.kept() if path.name == "faces.csv"]
        page.locator("#video-stop").click()
        expect(page.locator("#video-said")).to_contain_text("Nothing of the film is kept")
        assert len([path for path in site.kept() if path.name == "faces.csv"]) == len(before) - 1


def test_after_a_film_that_cannot_be_read_another_can(chromium, site, tmp_path):
    (tmp_path / "text.mp4").write_text("no film")
    with opened(chromium, site, "Video") as page:
        send(page, "video-input", tmp_path / "text.mp4")
        expect(page.locator("#video-input [data-testid='Film-player'], #video-input video")).to_be_attached()
        page.locator("#video-begin").click()
        expect(page.get_by_test_id("toast-body")).to_contain_text("text.mp4")
        expect(page.locator("#video-begin")).to_be_visible()
        expect(page.locator("#video-stop")).to_be_hidden()


BROKEN = """
from mien import Engine
engine = Engine.load(detector="haar")
def watch(*_, **__):
    yield 1 / 0
Engine.watch = watch
"""


def test_after_what_nobody_foresaw_another_film_can_be_read(chromium, tmp_path, film):
    with served(tmp_path, ["-c", BROKEN + SERVE]) as site, opened(chromium, site, "Video") as page:
        send(page, "video-input", film)
        expect(page.locator("#video-input video")).to_be_visible()
        page.locator("#video-begin").click()
        expect(page.get_by_test_id("toast-body")).to_contain_text("This is a bug in mien: ZeroDivisionError.")
        expect(page.locator("#video-begin")).to_be_visible()
        expect(page.locator("#video-stop")).to_be_hidden()


def test_no_film_is_told(chromium, site):
    with opened(chromium, site, "Video") as page:
        page.locator("#video-begin").click()
        expect(page.get_by_test_id("toast-body")).to_contain_text("There is no film yet")


def test_the_models_say_how_good_they_are_and_what_they_cannot(chromium, site):
    with opened(chromium, site, "Models") as page:
        expect(page.get_by_text("Right on the test faces")).to_be_visible()
        expect(page.locator("#models-f1-base svg, #models-f1-base canvas").first).to_be_visible()
        for sentence in text.LIMITATIONS:
            expect(page.get_by_text(sentence)).to_be_visible()


def test_it_fits_a_phone_by_night(chromium, site):
    how = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "is_mobile": True, "has_touch": True}
    with opened(chromium, site, **how) as page:
        dark = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", dark)[:3])) < 60
        send(page, "photo-input", PORTRAITS)
        expect(page.locator("#photo-said h3")).to_contain_text("Face 1")
        expect(page.locator("#photo-seen img").first).to_be_visible()
        for tab in ("Camera", "Video", "Inside", "Models"):
            page.get_by_role("tab", name=tab, exact=True).first.click()
            assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab
