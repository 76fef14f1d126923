"""The walkthrough page in a real browser: keyboard and pointer, no console message, no network request."""

import time
from pathlib import Path

import pytest

from browser import open_browser
from mien import Engine, images
from mien.explain.page import render_overview, render_walkthrough

EXAMPLES = Path(__file__).parents[2] / "examples"
LAYERS = ["stem", "stage2.block2", "stage3.block2", "pooled"]
NOW = "[...document.querySelectorAll('[data-step]')].filter(step => !step.hidden).map(step => step.id).join()"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    engine, pixels = Engine.load(detector="haar"), images.load_image(EXAMPLES / "portraits.jpg").pixels
    faces = engine.explain_image(pixels, methods=("cam", "occlusion"), layers="all")
    (folder / "walkthrough.html").write_text(render_walkthrough(faces[1], pixels, LAYERS), encoding="utf-8")
    (folder / "several.html").write_text(render_overview("portraits.jpg", pixels, faces, pixels), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def browser():
    with open_browser() as page:
        yield page


@pytest.fixture
def page(browser, pages):
    browser.size(1280, 860)
    browser.prefer(scheme="light", motion="reduce")
    browser.complaints.clear()
    browser.asked.clear()
    browser.open("about:blank")
    browser.open((pages / "walkthrough.html").as_uri())
    return browser


def quiet(page):
    assert page.console_errors == []
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "about:"))] == []


def shown(page):
    return page.evaluate(NOW)


def comes(page, condition, *, after=lambda: None):
    """Does it become true when ``after`` is done again and again? On a busy machine a page has few frames to see it."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        after()
        if page.evaluate(f"Boolean({condition})"):
            return True
        time.sleep(0.05)
    return False


def pointed(page, selector, part=0.3):
    """The pointer moves onto it, so far from its upper left corner."""
    x, y = page.evaluate(
        f"(() => {{ const at = document.querySelector({selector!r}); at.scrollIntoView({{ block: 'center' }});"
        "const box = at.getBoundingClientRect();"
        f"return [box.x + box.width * {part}, box.y + box.height * {part}]; }})()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def test_arrow_keys_lead_through_every_step_and_back(page):
    seen = [shown(page)]
    for _ in range(20):
        page.press("ArrowRight")
        seen.append(shown(page))
    ids = page.evaluate("[...document.querySelectorAll('[data-step]')].map(step => step.id)")
    assert list(dict.fromkeys(seen)) == ids
    assert shown(page) == "network"
    assert page.evaluate("document.querySelector('[data-next]').disabled")
    page.press("ArrowLeft")
    assert shown(page) == "result"
    page.press("Home")
    assert shown(page) == "image"
    page.press("End")
    assert shown(page) == "network"
    quiet(page)


def test_tab_reaches_the_rail_the_slider_and_the_buttons(page):
    reached = []
    for _ in range(30):
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName + (document.activeElement.dataset.index ?? '')"))
    assert "A0" in reached
    assert "INPUT" in reached
    page.evaluate("document.querySelector('[data-next]').focus()")
    page.press("Enter")
    assert shown(page) == "face"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    quiet(page)


def test_the_slider_steps_and_says_where_it_is(page):
    page.evaluate("document.querySelector('[data-slider]').focus()")
    page.press("ArrowRight")
    assert shown(page) == "face"
    assert page.evaluate("document.querySelector('[data-slider]').getAttribute('aria-valuetext')").startswith("2 of 13: ")
    assert page.evaluate("document.querySelector('[data-live]').textContent").startswith("Step 2 of 13: ")


def test_the_rail_leads_anywhere_and_an_address_opens_a_step(page, pages):
    page.evaluate("document.querySelector('[data-index=\"9\"]').click()")
    assert shown(page) == "softmax"
    assert page.evaluate("location.hash") == "#softmax"
    assert page.evaluate("document.querySelectorAll('[aria-current]').length") == 1
    page.open("about:blank")
    page.open((pages / "walkthrough.html").as_uri() + "#evidence")
    assert shown(page) == "evidence"
    assert page.evaluate("document.querySelector('#evidence h2').getBoundingClientRect().top") > page.evaluate(
        "document.querySelector('.step-nav').getBoundingClientRect().bottom"
    )
    quiet(page)


def test_maps_are_chosen_by_keyboard_and_by_pointing(page):
    page.evaluate("document.querySelector('[data-index=\"4\"]').click()")
    box = "document.querySelector('#layer-1 [data-large]').getAttribute('viewBox')"
    field = "document.querySelector('#layer-1 [data-field]').getAttribute('x')"
    first = page.evaluate(box)
    page.evaluate("document.querySelector('#layer-1 [data-maps] button').focus()")
    page.press("ArrowRight")
    assert shown(page) == "layer-1"
    assert page.evaluate(box) != first
    assert page.evaluate("document.querySelectorAll('#layer-1 [aria-pressed=true]').length") == 1
    page.press("Escape")
    page.press("ArrowRight")
    assert shown(page) == "layer-2"
    page.press("ArrowLeft")
    pointed(page, "#layer-1 [data-large]")
    before = page.evaluate(field)
    assert comes(page, f"{field} !== '{before}'", after=lambda: pointed(page, "#layer-1 [data-large]", 0.7))
    fifth = "#layer-1 [data-maps] button:nth-child(5)"
    assert comes(page, f"document.querySelector('{fifth}[aria-pressed=true]')", after=lambda: pointed(page, fifth))
    quiet(page)


def test_a_dot_of_the_crop_tells_its_number_and_the_filter_slides(page):
    page.evaluate("document.querySelector('[data-index=\"2\"]').click()")
    told = "document.querySelector('.probe').parentElement.querySelector('[data-output]').textContent"
    reads = f"{told}.startsWith('row 15, column 15: ')"
    assert comes(page, reads, after=lambda: pointed(page, ".probe svg"))
    page.press("ArrowRight")
    page.evaluate("document.querySelector('[data-play]').click()")
    cover = "document.querySelector('[data-cover]').getAttribute('d')"
    assert comes(page, cover)
    page.evaluate("document.querySelector('[data-play]').click()")
    assert page.evaluate(cover) is None
    quiet(page)


def test_the_map_over_the_face_fades(page):
    page.evaluate("document.querySelector('[data-index=\"10\"]').click()")
    page.evaluate("document.querySelector('[data-strength]').focus()")
    page.press("ArrowLeft")
    assert (
        page.evaluate("document.querySelector('#evidence article .overlay [data-overlay]').getAttribute('opacity')")
        == "0.79"
    )
    assert shown(page) == "evidence"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 860)])
def test_no_step_is_wider_than_the_window(page, width, height, scheme, tmp_path):
    page.set_size(width, height, phone=width < 500)
    page.emulate_media(scheme=scheme, motion="reduce")
    for _ in range(13):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, shown(page)
        page.press("ArrowRight")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(253, 252, 250)", "dark": "rgb(20, 23, 27)"}[scheme]
    assert page.screenshot(tmp_path / "shot.png").stat().st_size > 10_000
    quiet(page)


def test_without_the_script_every_step_is_on_the_page(browser, pages):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open("about:blank")
        browser.open((pages / "walkthrough.html").as_uri())
        root = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        found = browser.call("DOM.querySelectorAll", nodeId=root, selector="[data-step]")["nodeIds"]
        tall = [browser.call("DOM.getBoxModel", nodeId=node)["model"]["height"] for node in found]
        assert len(tall) == 13
        assert min(tall) > 100
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_the_page_of_several_faces_is_quiet_too(page, pages):
    page.open((pages / "several.html").as_uri())
    assert page.evaluate("document.querySelectorAll('.face-cards a').length") == 2
    quiet(page)
