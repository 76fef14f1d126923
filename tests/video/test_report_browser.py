"""The report of a film in a real browser: one time for slider, film, cursors and people, at every width."""

import pytest

from browser import open_browser
from command import mien, with_fakes
from fakes import FakeDetector
from mien.video.writers import open_writer
from synthetic_video import BOX, FPS, HAPPY, SAD, frame

CHIP = "document.querySelector('.chip span').textContent"
CURSORS = "[...document.querySelectorAll('.cursor')].map(each => each.style.left).join()"
SLIDE = (
    "(at => {{ const line = document.querySelector('.slider input'); line.value = at; "
    "line.dispatchEvent(new Event('input')); }})({})"
)
#: True once the page has found out that its film is not there.
BARE = (
    "new Promise(done => { const look = () => document.querySelector('.stage').classList.contains('bare') "
    "? done(true) : setTimeout(look, 30); look(); })"
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    with open_writer(folder / "clip.webm", (160, 120), FPS) as out:
        for index in range(80):
            out.write(frame(HAPPY if index < 40 else SAD), index / FPS)
    load = with_fakes(detector=FakeDetector((BOX,)))
    assert mien("video", folder / "clip.webm", "--report", folder / "report.html", load=load) == 0
    (folder / "alone").mkdir()
    (folder / "alone" / "report.html").write_bytes((folder / "report.html").read_bytes())
    return folder


@pytest.fixture(scope="module")
def browser():
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser, folder):
    browser.size(1280, 900)
    browser.complaints.clear()
    browser.asked.clear()
    browser.open((folder / "report.html").as_uri())
    return browser


def test_the_slider_moves_cursors_film_and_words(page):
    assert page.evaluate(CHIP).startswith("looks happy")
    page.evaluate(SLIDE.format(3.5))
    assert page.evaluate(CHIP).startswith("looks sad")
    assert page.evaluate("document.querySelector('.slider output').textContent") == "3.5 s"
    lefts = {round(float(each.removesuffix("%"))) for each in page.evaluate(CURSORS).split(",")}
    assert len(lefts) == 1
    assert lefts.pop() in range(85, 90)
    assert page.console_errors == []
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "about:"))] == []


def test_an_event_and_a_peak_lead_to_their_times(page):
    page.evaluate("[...document.querySelectorAll('.events button')].at(-1).click()")
    assert page.evaluate(CHIP).startswith("looks sad")
    page.evaluate("document.querySelector('.peak').click()")
    assert page.evaluate(CHIP).startswith("looks happy")


def test_without_its_film_the_page_works_alone(browser, folder):
    browser.open((folder / "alone" / "report.html").as_uri())
    assert browser.ask(BARE)
    assert browser.ask("document.querySelector('video')") is None
    browser.ask(SLIDE.format(3.5))
    assert browser.ask(CHIP).startswith("looks sad")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_nothing_is_wider_than_the_screen(page, width):
    page.set_size(width, 800, phone=width < 500)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
