"""The walkthrough page in a real browser: keyboard and pointer, no console message, no network request."""

import time
from pathlib import Path

import pytest

from browser import open_browser
from mien import Engine, images
from mien.explain.page import render_overview, render_walkthrough

pytestmark = pytest.mark.full

EXAMPLES = Path(__file__).parents[2] / "examples"
LAYERS = ["stem", "stage2.block2", "stage3.block2", "pooled"]
CURRENT = "[...document.querySelectorAll('[data-step]')].filter(step => !step.hidden).map(step => step.id).join()"


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
    browser.set_size(1280, 860)
    browser.emulate_media(scheme="light", motion="reduce")
    browser.console_errors.clear()
    browser.requests.clear()
    browser.open("about:blank")
    browser.open((pages / "walkthrough.html").as_uri())
    return browser


def assert_no_messages(page):
    assert page.console_errors == []
    assert [each for each in page.requests if not each.startswith(("file:", "data:", "about:"))] == []


def current_step(page):
    return page.evaluate(CURRENT)


def becomes_true(page, condition, *, action=lambda: None):
    """Does the condition become true within 10 seconds, while ``action`` is repeated?"""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        action()
        if page.evaluate(f"Boolean({condition})"):
            return True
        time.sleep(0.05)
    return False


def move_pointer(page, selector, part=0.3):
    """Moves the pointer onto an element, to a part of its width and height."""
    x, y = page.evaluate(
        f"(() => {{ const at = document.querySelector({selector!r}); at.scrollIntoView({{ block: 'center' }});"
        "const box = at.getBoundingClientRect();"
        f"return [box.x + box.width * {part}, box.y + box.height * {part}]; }})()"
    )
    page.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)


def test_arrow_keys_lead_through_all_steps_and_back(page):
    steps = [current_step(page)]
    for _ in range(20):
        page.press("ArrowRight")
        steps.append(current_step(page))
    ids = page.evaluate("[...document.querySelectorAll('[data-step]')].map(step => step.id)")
    assert list(dict.fromkeys(steps)) == ids
    assert current_step(page) == "network"
    assert page.evaluate("document.querySelector('[data-next]').disabled")
    page.press("ArrowLeft")
    assert current_step(page) == "result"
    page.press("Home")
    assert current_step(page) == "image"
    page.press("End")
    assert current_step(page) == "network"
    assert_no_messages(page)


def test_tab_reaches_navigation_slider_and_buttons(page):
    reached = []
    for _ in range(30):
        page.press("Tab")
        reached.append(page.evaluate("document.activeElement.tagName + (document.activeElement.dataset.index ?? '')"))
    assert "A0" in reached
    assert "INPUT" in reached
    page.evaluate("document.querySelector('[data-next]').focus()")
    page.press("Enter")
    assert current_step(page) == "face"
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert_no_messages(page)


def test_slider_moves_and_announces_the_step(page):
    page.evaluate("document.querySelector('[data-slider]').focus()")
    page.press("ArrowRight")
    assert current_step(page) == "face"
    assert page.evaluate("document.querySelector('[data-slider]').getAttribute('aria-valuetext')").startswith(
        "2 of 14: "
    )
    assert page.evaluate("document.querySelector('[data-live]').textContent").startswith("Step 2 of 14: ")


def test_navigation_and_address_open_a_step(page, pages):
    page.evaluate("document.querySelector('[data-index=\"10\"]').click()")
    assert current_step(page) == "softmax"
    assert page.evaluate("location.hash") == "#softmax"
    assert page.evaluate("document.querySelectorAll('[aria-current]').length") == 1
    page.open("about:blank")
    page.open((pages / "walkthrough.html").as_uri() + "#evidence")
    assert current_step(page) == "evidence"
    assert page.evaluate("document.querySelector('#evidence h2').getBoundingClientRect().top") > page.evaluate(
        "document.querySelector('.step-nav').getBoundingClientRect().bottom"
    )
    assert_no_messages(page)


def test_feature_maps_are_selected_by_keyboard_and_pointer(page):
    page.evaluate("document.querySelector('[data-index=\"5\"]').click()")
    box = "document.querySelector('#layer-1 [data-large]').getAttribute('viewBox')"
    field = "document.querySelector('#layer-1 [data-field]').getAttribute('x')"
    first = page.evaluate(box)
    page.evaluate("document.querySelector('#layer-1 [data-maps] button').focus()")
    page.press("ArrowRight")
    assert current_step(page) == "layer-1"
    assert page.evaluate(box) != first
    assert page.evaluate("document.querySelectorAll('#layer-1 [aria-pressed=true]').length") == 1
    page.press("Escape")
    page.press("ArrowRight")
    assert current_step(page) == "layer-2"
    page.press("ArrowLeft")
    move_pointer(page, "#layer-1 [data-large]")
    before = page.evaluate(field)
    assert becomes_true(
        page, f"{field} !== '{before}'", action=lambda: move_pointer(page, "#layer-1 [data-large]", 0.7)
    )
    fifth = "#layer-1 [data-maps] button:nth-child(5)"
    assert becomes_true(
        page, f"document.querySelector('{fifth}[aria-pressed=true]')", action=lambda: move_pointer(page, fifth)
    )
    assert_no_messages(page)


def test_pixel_of_the_crop_shows_its_value_and_the_kernel_slides(page):
    page.evaluate("document.querySelector('[data-index=\"2\"]').click()")
    output = "document.querySelector('.probe').parentElement.querySelector('[data-output]').textContent"
    reads = f"{output}.startsWith('row 15, column 15: ')"
    assert becomes_true(page, reads, action=lambda: move_pointer(page, ".probe svg"))
    page.press("ArrowRight")
    page.evaluate("document.querySelector('[data-play]').click()")
    cover = "document.querySelector('[data-cover]').getAttribute('d')"
    assert becomes_true(page, cover)
    page.evaluate("document.querySelector('[data-play]').click()")
    assert page.evaluate(cover) is None
    assert_no_messages(page)


def test_arithmetic_is_animated_and_pauses(page, pages):
    running = "document.querySelector('[data-run]').textContent"
    pending = "document.querySelectorAll('#arithmetic .pending').length"
    page.open("about:blank")
    page.open((pages / "walkthrough.html").as_uri() + "#arithmetic")
    assert page.evaluate(running) == "Play"
    assert page.evaluate(pending) == 0
    first = page.evaluate("document.querySelector('[data-sum]').textContent")
    page.evaluate("document.querySelector('[data-forward]').click()")
    assert page.evaluate("document.querySelector('[data-sum]').textContent") != first
    page.emulate_media(motion="no-preference")
    page.open("about:blank")
    page.open((pages / "walkthrough.html").as_uri() + "#arithmetic")
    assert page.evaluate(running) == "Pause"
    assert becomes_true(page, f"{pending} > 0")
    page.evaluate("document.querySelector('[data-run]').click()")
    assert page.evaluate(running) == "Play"
    before = page.evaluate(pending)
    time.sleep(1)
    assert page.evaluate(pending) == before
    assert_no_messages(page)


def test_opacity_of_the_evidence_map_changes(page):
    page.evaluate("document.querySelector('[data-index=\"11\"]').click()")
    page.evaluate("document.querySelector('[data-strength]').focus()")
    page.press("ArrowLeft")
    assert (
        page.evaluate("document.querySelector('#evidence article .overlay [data-overlay]').getAttribute('opacity')")
        == "0.79"
    )
    assert current_step(page) == "evidence"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 860)])
def test_no_step_is_wider_than_the_window(page, width, height, scheme, tmp_path):
    page.set_size(width, height, phone=width < 500)
    page.emulate_media(scheme=scheme, motion="reduce")
    for _ in range(14):
        assert page.evaluate("document.documentElement.scrollWidth") <= width, current_step(page)
        page.press("ArrowRight")
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == {"light": "rgb(253, 252, 250)", "dark": "rgb(20, 23, 27)"}[scheme]
    assert page.screenshot(tmp_path / "shot.png").stat().st_size > 10_000
    assert_no_messages(page)


def test_all_steps_are_visible_without_the_script(browser, pages):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open("about:blank")
        browser.open((pages / "walkthrough.html").as_uri())
        root = browser.call("DOM.getDocument", depth=0)["root"]["nodeId"]
        nodes = browser.call("DOM.querySelectorAll", nodeId=root, selector="[data-step]")["nodeIds"]
        heights = [browser.call("DOM.getBoxModel", nodeId=node)["model"]["height"] for node in nodes]
        assert len(heights) == 14
        assert min(heights) > 100
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_overview_links_to_both_faces_without_messages(page, pages):
    page.open((pages / "several.html").as_uri())
    assert page.evaluate("document.querySelectorAll('.face-cards a').length") == 2
    assert_no_messages(page)
