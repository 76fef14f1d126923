"""The report of a video in a browser: slider, video, cursors and chips show the same time, at every width."""

import pytest

from browser import open_browser
from command import mien, with_fakes
from fakes import FakeDetector
from synthetic_video import BOX, write_synthetic_video

pytestmark = pytest.mark.full

CHIP = "document.querySelector('.chip span').textContent"
CURSORS = "[...document.querySelectorAll('.cursor')].map(each => each.style.left).join()"
MOVE_SLIDER = (
    "(at => {{ const slider = document.querySelector('.slider input'); slider.value = at; "
    "slider.dispatchEvent(new Event('input')); }})({})"
)
#: True once the page knows that the video file is missing.
VIDEO_IS_MISSING = (
    "new Promise(done => { const check = () => document.querySelector('.stage').classList.contains('bare') "
    "? done(true) : setTimeout(check, 30); check(); })"
)
#: True once the player knows the length of the video, so that a seek sets its time.
VIDEO_IS_READY = (
    "new Promise(done => { const check = () => document.querySelector('video').readyState "
    "? done(true) : setTimeout(check, 30); check(); })"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    clip = write_synthetic_video(folder / "clip.webm")
    load = with_fakes(detector=FakeDetector((BOX,)))
    assert mien("video", clip, "--report", folder / "report.html", load=load) == 0
    (folder / "alone").mkdir()
    (folder / "alone" / "report.html").write_bytes((folder / "report.html").read_bytes())
    return folder


@pytest.fixture(scope="module")
def browser():
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser, folder):
    browser.set_size(1280, 900)
    browser.console_errors.clear()
    browser.requests.clear()
    browser.open((folder / "report.html").as_uri())
    return browser


def test_slider_moves_cursors_and_chips(page):
    assert page.evaluate(CHIP).startswith("looks happy")
    page.evaluate(MOVE_SLIDER.format(3.5))
    assert page.evaluate(CHIP).startswith("looks sad")
    assert page.evaluate("document.querySelector('.slider output').textContent") == "3.5 s"
    positions = {round(float(each.removesuffix("%"))) for each in page.evaluate(CURSORS).split(",")}
    assert len(positions) == 1
    assert positions.pop() in range(85, 90)
    assert page.console_errors == []
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "about:"))] == []


def test_rounded_time_of_the_player_does_not_leave_the_event(page):
    page.evaluate(VIDEO_IS_READY)
    page.evaluate("[...document.querySelectorAll('.events button')].at(-1).click()")
    # A player that returns a time a microsecond before the one it was set to.
    page.evaluate(
        "(() => { const video = document.querySelector('video'), at = video.currentTime; "
        "Object.defineProperty(video, 'currentTime', { value: at - 1e-6 }); "
        "video.dispatchEvent(new Event('seeked')); })()"
    )
    assert page.evaluate(CHIP).startswith("looks sad")


def test_click_on_an_event_or_a_peak_seeks_to_its_time(page):
    page.evaluate("[...document.querySelectorAll('.events button')].at(-1).click()")
    assert page.evaluate(CHIP).startswith("looks sad")
    page.evaluate("document.querySelector('.peak').click()")
    assert page.evaluate(CHIP).startswith("looks happy")


def test_page_works_without_its_video(browser, folder):
    browser.open((folder / "alone" / "report.html").as_uri())
    assert browser.evaluate(VIDEO_IS_MISSING)
    assert browser.evaluate("document.querySelector('video')") is None
    browser.evaluate(MOVE_SLIDER.format(3.5))
    assert browser.evaluate(CHIP).startswith("looks sad")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_page_is_not_wider_than_the_screen(page, width):
    page.set_size(width, 800, phone=width < 500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
