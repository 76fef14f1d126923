"""Photos of many faces in Chromium, driven by Playwright: the picture in view, its boxes, the lines, the filter."""

import os
import re
from collections import Counter

import pytest

from group_photo import write_group
from mien import text
from mien.engine import Engine
from tabs import open_tab
from web import PORTRAITS, make_app, running_server

pytestmark = pytest.mark.full

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")

from playwright.sync_api import expect  # noqa: E402

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
DESKTOP = {"viewport": {"width": 1280, "height": 860}}

#: The expressions that the server's answer has in the test of the summary.
EXPRESSIONS = ["happy"] * 9 + ["neutral"] * 9 + ["angry"] * 6


@pytest.fixture(scope="module")
def group(tmp_path_factory):
    return write_group(tmp_path_factory.mktemp("group") / "group.jpg")


@pytest.fixture(scope="module")
def address():
    with running_server(make_app()) as (host, port):
        yield f"http://{host}:{port}"


def read_group(page, path, address="/"):
    page.goto(address)
    page.wait_for_selector("main[data-ready]")
    page.set_input_files("[data-file]", path)


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def page(request, chromium, address, group):
    with open_tab(chromium, address, **request.param) as page:
        read_group(page, group)
        expect(page.locator(".face-line")).to_have_count(24)
        yield page


def is_in_view(page, selector):
    """Is the whole element in the window, below the navigation?"""
    return page.evaluate(
        """selector => {
          const box = document.querySelector(selector).getBoundingClientRect();
          const top = document.querySelector(".bar-top").getBoundingClientRect().bottom;
          return box.top >= top - 1 && box.bottom <= innerHeight + 1;
        }""",
        selector,
    )


def test_page_is_short_and_has_a_line_and_a_crop_for_each_box(page):
    assert page.locator(".box").count() == page.locator(".face-line").count() == 24
    assert page.locator(".face-line summary canvas").count() == 24
    assert page.locator(".face-line[open]").count() == 0
    assert page.evaluate("document.documentElement.scrollHeight") < 3000
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    crop = "[...document.querySelector('.face-line canvas').getContext('2d').getImageData(0, 0, 96, 96).data]"
    assert len(set(page.evaluate(crop))) > 50


def test_picture_stays_in_view(page):
    page.evaluate("document.documentElement.style.scrollBehavior = 'auto'")
    page.locator(".face-line").last.scroll_into_view_if_needed()
    assert is_in_view(page, ".annotated img")
    assert is_in_view(page, ".face-line:last-child")
    assert page.evaluate("document.querySelector('.annotated img').getBoundingClientRect().height / innerHeight") < 0.9


def test_labels_begin_with_the_number_and_do_not_overlap(page):
    numbers = [re.match(r"\d+", label)[0] for label in page.locator(".tags text").all_text_contents()]
    assert numbers == [str(number) for number in range(1, 25)]
    boxes = page.locator(".tags rect").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(box => [box.left, box.top, box.right, box.bottom])"
    )
    for i, first in enumerate(boxes):
        for second in boxes[:i]:
            assert (
                min(first[2], second[2]) - max(first[0], second[0]) < 1
                or min(first[3], second[3]) - max(first[1], second[1]) < 1
            )
    heights = page.locator(".tags text").evaluate_all("all => all.map(each => each.getBoundingClientRect().height)")
    assert min(heights) >= 9


def test_click_on_a_box_opens_its_line(page):
    page.locator(".box[data-number='20']").click()
    line = page.locator(".face-line[data-number='20']")
    expect(line).to_have_attribute("aria-current", "true")
    expect(line).to_have_attribute("open", "")
    expect(line.locator(".bars").first).to_be_visible()
    expect(line).to_contain_text("Predicted annotator votes")
    expect(line.locator("summary")).to_be_focused()
    expect(page.locator(".box[aria-pressed=true]")).to_have_count(1)
    page.wait_for_timeout(600)
    assert is_in_view(page, ".face-line[data-number='20'] summary")


def test_click_on_a_line_selects_its_box(page):
    for number in (3, 11):
        page.locator(f".face-line[data-number='{number}'] summary").click()
        expect(page.locator(".box[aria-pressed=true]")).to_have_count(1)
        expect(page.locator(f".box[data-number='{number}']")).to_have_attribute("aria-pressed", "true")
        expect(page.locator(".face-line[aria-current]")).to_have_attribute("data-number", str(number))
    page.locator(".face-line[data-number='11'] >> text=Explain").click()
    page.wait_for_url(re.compile("/explain\\?face=11$"))


def test_summary_and_filter_have_the_counts_of_the_lines(chromium, address, group):
    def set_expressions(route):
        response = route.fetch()
        results = response.json()
        for face, label in zip(results["images"][0]["faces"], EXPRESSIONS, strict=True):
            face["emotion"] = label
        results["images"][0]["faces"][-1]["uncertain"] = "no expression stands out"
        route.fulfill(response=response, json=results)

    with open_tab(chromium, address, **PHONE) as page:
        page.route("**/api/v1/readings*", set_expressions)
        read_group(page, group)
        expect(page.locator("[data-summary]")).to_have_text("9 happy, 9 neutral, 5 angry, 1 uncertain")
        for name, count in {"angry": 5, "uncertain": 1, "happy": 9, "": 24}.items():
            page.locator(".list-head select").select_option(name)
            expect(page.locator(".face-line:visible")).to_have_count(count)
            expect(page.locator(".box:visible")).to_have_count(count)
            expect(page.locator(".tags g:visible")).to_have_count(count)
        # A selected face that is not displayed any more is not selected.
        page.locator(".box[data-number='1']").click()
        page.locator(".list-head select").select_option("neutral")
        expect(page.locator(".box[aria-pressed=true]")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_summary_is_that_of_the_library(page, group):
    result = Engine.load(detector="haar").read(group)
    assert page.locator("[data-summary]").inner_text() == text.summarize_expressions(result.readings)
    lines = page.locator(".face-line summary").all_inner_texts()
    labels = Counter(re.search(r"looks (\w+)", line)[1] for line in lines if "perhaps" not in line)
    assert all(f"{count} {label}" in page.locator("[data-summary]").inner_text() for label, count in labels.items())


def test_boxes_and_lines_are_used_with_the_keyboard(page):
    page.locator(".box[data-number='2']").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".face-line[data-number='2'] summary")).to_be_focused()
    expect(page.locator(".face-line[data-number='2']")).to_have_attribute("open", "")
    page.keyboard.press("Enter")
    expect(page.locator(".face-line[data-number='2']")).not_to_have_attribute("open", "")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".face-line[data-number='3']")).to_have_attribute("open", "")
    expect(page.locator(".box[data-number='3']")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-title]")).to_contain_text("Why it looks")
    assert page.url.endswith("/explain?face=3")


def test_results_are_saved_without_the_positions_of_labels(page, group):
    with page.expect_download() as saved:
        page.click("[data-save=json]")
    assert '"tag"' not in saved.value.path().read_text()


@pytest.mark.parametrize("options", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_face_of_a_photo_dropped_on_the_explain_page_is_chosen(chromium, address, group, options):
    with open_tab(chromium, address, **options) as page:
        read_group(page, group, "/explain")
        expect(page.locator(".face-crops button")).to_have_count(24)
        expect(page.locator("[data-faces] .box")).to_have_count(24)
        expect(page.locator("[name=face] option")).to_have_count(24)
        for selector in (".face-crops button >> nth=4", ".box[data-number='7']"):
            page.locator(f"[data-faces] {selector}").click()
            number = "5" if "crops" in selector else "7"
            expect(page.locator("[name=face]")).to_have_value(number)
            page.wait_for_url(re.compile(f"face={number}$"))
            expect(page.locator(f".face-crops [data-number='{number}']")).to_have_attribute("aria-pressed", "true")
            expect(page.locator(".face-crops [aria-pressed=true]")).to_have_count(1)
        result = Engine.load(detector="haar").read(group)
        expect(page.locator("[data-title]")).to_have_text(f"Why it looks {result.readings[6].emotions.top}")
        page.locator("[name=face]").select_option("2")
        expect(page.locator(".face-crops [aria-pressed=true]")).to_have_attribute("data-number", "2")
        assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def test_explain_page_has_no_chooser_for_one_face(chromium, address):
    with open_tab(chromium, address) as page:
        page.goto("/explain")
        page.click("[data-sample='hopper.jpg']")
        expect(page.locator("[data-title]")).to_contain_text("Why it looks")
        expect(page.locator("[data-faces]")).to_be_hidden()


@pytest.mark.parametrize("path", ["/", "/explain"])
def test_focus_is_not_lost_when_a_sample_is_chosen(chromium, address, path):
    with open_tab(chromium, address) as page:
        page.goto(path)
        page.wait_for_selector("main[data-ready]")
        page.locator("[data-sample='portraits.jpg']").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector(".face-card, .dashboard section")
        assert page.evaluate("document.activeElement !== document.body && document.activeElement.offsetParent !== null")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('main') !== null")


def test_two_faces_are_displayed_in_full(chromium, address):
    with open_tab(chromium, address) as page:
        read_group(page, PORTRAITS)
        expect(page.locator(".face-line[open]")).to_have_count(2)
