"""The pages in a real Chromium, driven by Playwright: what people do, with mouse, keyboard, phone, camera and film.

Playwright brings no browser here: the system's Chromium is used. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a
failure instead of a skip.
"""

import json
import os
import re
import threading
import time

import cv2
import numpy as np
import pytest

from video_files import two_faces
from mien.apps.web import jobs as filming
from mien.results import Quality
from tabs import open_tab
from web import ASTRONAUT, HOPPER, PORTRAITS, app_of, listening, service

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")

from playwright.sync_api import expect

#: What Chromium says of answers that are refusals, which is no complaint about the page.
EXPECTED = re.compile(r"status of (4\d\d|503)|net::ERR_FAILED")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    app = app_of(scratch=str(tmp_path_factory.mktemp("scratch")), max_bytes=2_000_000)
    yield app
    service(app).jobs.close()


@pytest.fixture(scope="module")
def address(app):
    with listening(app) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(chromium, address):
    with open_tab(chromium, address, expected=EXPECTED) as page:
        yield page


def opened(page, path):
    """A page, when its script listens."""
    page.goto(path)
    page.wait_for_selector("main[data-ready]")


def until(page, truth, seconds=20):
    """Playwright's own way of waiting evaluates text, which the pages' policy forbids."""
    end = time.monotonic() + seconds
    while not page.evaluate(truth):
        assert time.monotonic() < end, truth
        page.wait_for_timeout(30)


def one_face(page, path=ASTRONAUT):
    opened(page, "/")
    page.set_input_files("[data-file]", path)
    page.wait_for_selector(".someone")


# Photo


def test_a_photo_is_chosen_read_and_saved(page):
    opened(page, "/")
    with page.expect_file_chooser() as chooser:
        page.click("text=Choose photos")
    chooser.value.set_files(PORTRAITS)
    expect(page.locator(".box")).to_have_count(2)
    expect(page.locator(".someone")).to_have_count(2)
    expect(page.locator("[data-progress]")).to_have_text("2 faces in one photo")
    assert "looks happy" in page.locator(".someone >> nth=1").inner_text()
    assert "Of ten people" in page.locator(".someone >> nth=0").inner_text()
    with page.expect_download() as saved:
        page.click("[data-save=json]")
    told = json.loads(saved.value.path().read_text())
    assert [len(each["faces"]) for each in told["pictures"]] == [2]
    with page.expect_download() as saved:
        page.click("[data-save=csv]")
    assert saved.value.path().read_text().count("portraits.jpg") == 2
    with page.expect_download() as saved:
        page.click("text=Save annotated")
    assert saved.value.path().read_bytes()[:3] == b"\xff\xd8\xff"


def test_a_box_shows_its_bars_and_marks_its_card(page):
    one_face(page, PORTRAITS)
    box, card = page.locator(".box >> nth=1"), page.locator(".someone >> nth=1")
    expect(box.locator(".pop")).to_be_hidden()
    box.hover()
    expect(box.locator(".pop")).to_be_visible()
    expect(card).to_have_class(re.compile("marked"))
    place, whole = box.bounding_box(), page.locator(".picture img").bounding_box()
    told = page.evaluate("fetch('/assets/x/samples/hopper.jpg').then(r => r.ok)")
    assert told
    assert whole["x"] <= place["x"]
    assert place["x"] + place["width"] <= whole["x"] + whole["width"] + 1


def test_several_photos_and_one_that_is_none(page, tmp_path):
    (tmp_path / "notes.jpg").write_text("hello")
    opened(page, "/")
    page.set_input_files("[data-file]", [ASTRONAUT, tmp_path / "notes.jpg", HOPPER])
    expect(page.locator("[data-progress]")).to_have_text("2 faces in 2 photos; 1 could not be read")
    expect(page.locator(".read")).to_have_count(3)
    expect(page.locator(".read.failed [role=alert]")).to_contain_text("'notes.jpg' is text, not a picture")


def test_a_photo_is_dropped_and_another_pasted(page):
    opened(page, "/")
    bring = """async ([kind, path]) => {
      const blob = await (await fetch(path)).blob(), data = new DataTransfer();
      const facts = { bubbles: true, cancelable: true };
      data.items.add(new File([blob], "image.png", { type: "image/jpeg" }));
      const paste = new ClipboardEvent("paste", { ...facts, clipboardData: data });
      const drop = new DragEvent("drop", { ...facts, dataTransfer: data });
      document.querySelector(kind === "paste" ? "body" : ".drop").dispatchEvent(kind === "paste" ? paste : drop);
    }"""
    page.wait_for_load_state("networkidle")
    page.evaluate(bring, ["drop", "/assets/x/samples/astronaut.jpg"])
    expect(page.locator(".someone")).to_have_count(1)
    page.evaluate(bring, ["paste", "/assets/x/samples/hopper.jpg"])
    expect(page.locator(".someone")).to_have_count(2)
    expect(page.locator("h3", has_text="pasted.png")).to_be_visible()


def test_a_photo_is_taken_with_the_camera(page):
    opened(page, "/")
    page.click("text=Take a photo")
    until(page, "document.querySelector('dialog video')?.videoWidth > 0")
    page.click("text=Take it")
    expect(page.locator("h3", has_text="photo.jpg")).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)


def test_errors_are_shown_where_they_belong(page, app, tmp_path):
    opened(page, "/")
    (tmp_path / "large.jpg").write_bytes(b"\0" * 2_200_000)
    page.set_input_files("[data-file]", tmp_path / "large.jpg")
    expect(page.locator("[role=alert]")).to_contain_text("this server takes up to 2.0 MB")
    page.route("**/api/v1/readings*", lambda route: route.abort())
    page.click("text=Read another")
    page.click("[data-sample='hopper.jpg']")
    expect(page.locator("[role=alert]")).to_contain_text("cannot be reached")


def test_a_photo_without_a_face_says_so(page, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 180, np.uint8))
    opened(page, "/")
    page.set_input_files("[data-file]", tmp_path / "wall.png")
    expect(page.locator(".empty")).to_contain_text("No face was found")


def test_a_key_is_asked_for_once(chromium, tmp_path):
    locked = listening(app_of(keys=("open sesame",)))
    with locked as (host, port), open_tab(chromium, f"http://{host}:{port}", expected=EXPECTED) as page:
        opened(page, "/")
        page.click("[data-sample='hopper.jpg']")
        page.fill("dialog input", "wrong")
        page.click("dialog >> text=Use it")
        page.wait_for_timeout(200)
        page.fill("dialog input", "open sesame")
        page.click("dialog >> text=Use it")
        expect(page.locator(".someone")).to_have_count(1)


def test_a_key_is_asked_for_before_a_film_is_sent(chromium, film):
    locked = listening(app_of(keys=("open sesame",)))
    with locked as (host, port), open_tab(chromium, f"http://{host}:{port}", expected=EXPECTED) as page:
        sent = []
        page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
        opened(page, "/video")
        page.select_option("[name=fps]", "5")
        page.set_input_files("[data-file]", film)
        page.fill("dialog input", "wrong")
        page.click("dialog >> text=Use it")
        page.wait_for_timeout(200)
        assert sent == []
        page.fill("dialog input", "open sesame")
        page.click("dialog >> text=Use it")
        expect(page.locator(".track-film")).to_have_count(2, timeout=60_000)
        assert len(sent) == 1


# Inside


def test_a_click_on_a_face_opens_the_network_on_it(page):
    one_face(page, PORTRAITS)
    page.click(".someone >> nth=1 >> text=See inside")
    expect(page.locator("[data-title]")).to_have_text("Why it looks happy")
    assert page.url.endswith("/inside?face=2")
    canvas = "document.querySelector('.over canvas').getContext('2d').getImageData(0, 0, 48, 48).data"
    assert len(set(page.evaluate(f"[...{canvas}]"))) > 20
    page.select_option("[name=versus]", "surprise")
    expect(page.locator("[data-title]")).to_have_text("Why it looks happy rather than surprise")
    assert "versus=surprise" in page.url
    page.select_option("[name=versus]", "")
    expect(page.locator(".board")).to_contain_text("Bright parts made it say happy.")
    # What is asked for is not what it said.
    page.select_option("[name=target]", "sad")
    expect(page.locator("[data-title]")).to_have_text("Evidence for sad")
    expect(page.locator(".board")).to_contain_text("Bright parts speak for sad.")
    page.select_option("[name=target]", "")
    expect(page.locator("[data-title]")).to_have_text("Why it looks happy")
    with page.expect_response(re.compile("methods=occlusion")):
        page.select_option("[name=methods]", "occlusion")
    expect(page.locator("[data-waiting]")).to_be_hidden()
    page.click(".layer-tabs button >> nth=2")
    assert page.locator(".maps button").count() > 10
    page.click(".maps button >> nth=3")
    expect(page.locator(".maps button >> nth=3")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".field")).to_be_visible()
    page.go_back()
    expect(page.locator("h1").first).to_have_text("What does this expression look like?")


def test_the_steps_come_with_a_style_and_a_script_of_their_own(page):
    opened(page, "/inside")
    page.click("[data-sample='astronaut.jpg']")
    page.wait_for_selector(".board section")
    page.click("[data-view=steps]")
    expect(page.locator(".walkthrough [data-step]:visible")).to_have_count(1)
    first = page.locator(".walkthrough [data-step]:visible h2").inner_text()
    page.click(".walkthrough [data-next]")
    assert page.locator(".walkthrough [data-step]:visible h2").inner_text() != first
    with page.expect_download() as saved:
        page.click("text=Save these steps as a page")
    assert "<!doctype html>" in saved.value.path().read_text()[:50]


def test_inside_without_a_picture_asks_for_one(page):
    opened(page, "/inside?face=2&target=happy")
    expect(page.locator("[data-opening]")).to_be_visible()
    page.set_input_files("[data-file]", HOPPER)
    expect(page.locator("[data-title]")).to_contain_text("Why it looks")


# Live


def test_the_camera_is_read_after_a_notice(page):
    opened(page, "/live")
    expect(page.locator("[data-notice]")).to_contain_text("are not kept")
    assert page.evaluate("document.querySelector('video').srcObject") is None
    page.click("[data-start]")
    expect(page.locator("[data-looks]")).to_contain_text("looks happy")
    expect(page.locator("[data-latency]")).to_contain_text("ms")
    until(page, "parseFloat(document.querySelector('[data-rate]').textContent) > 1")
    page.click("[data-inside]")
    page.wait_for_selector("[data-layers] canvas")
    drawn = "document.querySelector('[data-layers] .maps canvas').getContext('2d').getImageData(0, 0, 8, 8).data"
    assert len(set(page.evaluate(f"[...{drawn}]"))) > 5
    with page.expect_download() as saved:
        page.click("[data-shot]")
    assert saved.value.path().read_bytes()[:3] == b"\xff\xd8\xff"
    page.click("[data-pause]")
    expect(page.locator("[data-pause]")).to_have_text("Go on")
    page.click("[data-pause]")
    page.click("[data-stop]")
    expect(page.locator("[data-notice]")).to_be_visible()
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_one_frame_is_on_its_way_at_a_time(page):
    flying = {"now": 0, "most": 0, "all": 0}

    def began(request):
        if "/api/v1/readings" in request.url:
            flying["now"] += 1
            flying["all"] += 1
            flying["most"] = max(flying["most"], flying["now"])

    def over(request):
        flying["now"] -= "/api/v1/readings" in request.url

    page.on("request", began)
    page.on("requestfinished", over)
    page.on("requestfailed", over)
    opened(page, "/live")
    page.click("[data-start]")
    end = time.monotonic() + 20
    while flying["all"] < 4 and time.monotonic() < end:
        page.wait_for_timeout(50)
    page.click("[data-stop]")
    assert flying["all"] >= 4
    assert flying["most"] == 1


@pytest.mark.parametrize("button", ["pause", "stop"])
def test_no_frame_leaves_after_the_camera_was_paused_or_closed(page, button):
    sent = []
    page.on("request", lambda request: sent.append(request.url) if "/api/v1/readings" in request.url else None)
    opened(page, "/live")
    # A frame that is being made when the button is pressed, and is ready later.
    page.evaluate("""() => {
      const own = HTMLCanvasElement.prototype.toBlob;
      HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
        window.give = () => own.call(this, blob => { done(blob); window.given = true; }, ...how);
      };
    }""")
    page.click("[data-start]")
    until(page, "window.give !== undefined")
    page.click(f"[data-{button}]")
    page.evaluate("window.give()")
    until(page, "window.given")
    page.wait_for_timeout(300)
    assert sent == []


def test_a_face_that_is_hard_to_judge_is_said_to_be(page, monkeypatch):
    with monkeypatch.context() as poor:
        poor.setattr("mien.faces.quality.assess_quality", lambda *_: Quality(False, "the face is blurred"))
        opened(page, "/live")
        page.click("[data-start]")
        expect(page.locator("[data-doubts]")).to_have_text("Hard to judge: the face is blurred.")
    expect(page.locator("[data-doubts]")).not_to_contain_text("Hard to judge")


def test_the_camera_stops_when_the_tab_is_hidden_or_left(page):
    opened(page, "/live")
    page.click("[data-start]")
    page.wait_for_selector("[data-live]:not([hidden])")
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert page.evaluate("window.track.readyState") == "ended"
    expect(page.locator("[data-problem]")).to_contain_text("tab was hidden")


def test_a_page_that_is_left_takes_the_camera_with_it(page):
    opened(page, "/live")
    page.click("[data-start]")
    page.wait_for_selector("[data-live]:not([hidden])")
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")
    page.click("nav >> text=About")
    expect(page.locator("h1")).to_have_text("About mien")
    assert page.evaluate("window.track.readyState") == "ended"


# Video


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "two people.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10, (640, 360))
    frame = cv2.resize(np.ascontiguousarray(two_faces()[..., ::-1]), (640, 360))
    for _ in range(60):
        writer.write(frame)
    writer.release()
    return path


def test_a_film_is_followed_and_shown(page, film):
    opened(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", film)
    expect(page.locator("[data-name]")).to_have_text("two people.webm")
    until(page, "document.querySelector('[data-facts]').textContent.includes(' of ')")
    expect(page.locator(".track-film")).to_have_count(2, timeout=60_000)
    assert page.locator(".track-film rect").count() >= 2
    until(page, "document.querySelector('.film').readyState >= 1")
    # All that a mouse finds on the lines is in the list as well, for keys.
    page.focus(".track-film summary >> nth=0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    told = page.evaluate("document.activeElement.textContent")
    assert re.fullmatch(r"[\d.]+ s to [\d.]+ s: looks \w+, up to \d+\u00a0%", told)
    page.evaluate("document.querySelector('.film').currentTime = 3")
    page.keyboard.press("Enter")
    until(page, f"Math.abs(document.querySelector('.film').currentTime - {float(told.split()[0])}) < 0.1")
    with page.expect_download() as saved:
        page.click("text=Events (CSV)")
    assert "happy" in saved.value.path().read_text()
    page.click("text=Delete everything of this film")
    expect(page.locator("[data-opening]")).to_be_visible()


def test_a_film_is_cancelled(page, film, app):
    opened(page, "/video")
    page.select_option("[name=fps]", "30")
    page.set_input_files("[data-file]", film)
    expect(page.locator("[data-told]")).to_have_text(re.compile("Reading|Waiting"))
    page.click("[data-cancel]")
    expect(page.locator("[data-told]")).to_contain_text("Cancelled")
    assert sum(service(app).jobs.states().values()) == 0


class Held:
    """Reads a film when it may; until then it tells that it is reading."""

    def __init__(self):
        self.may = threading.Event()

    def __call__(self, job):
        while not self.may.wait(0.02):
            if job.left.is_set():
                return
            job.tell(facts={"seconds": 0.1, "of": 1.0})
        filming.read(job)


@pytest.fixture
def held(app, monkeypatch):
    held, jobs = Held(), service(app).jobs
    monkeypatch.setattr(jobs, "_read", held)
    yield held
    held.may.set()
    for id_ in list(jobs._jobs):
        jobs.remove(id_)


@pytest.fixture
def no_streams(app):
    streams = service(app).jobs.streams
    taken = [streams.acquire(blocking=False) for _ in range(10)]
    yield
    for _ in range(sum(taken)):
        streams.release()


DROP = """name => {
  const data = new DataTransfer();
  data.items.add(new File(["film"], name, { type: "video/webm" }));
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
}"""


def sent(page, film):
    """The page when it follows a film that is being read."""
    opened(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", film)
    expect(page.locator("[data-told]")).to_have_text("Reading …")


def test_what_could_not_be_removed_is_not_called_removed(page, film, held, app):
    broken = "**/api/v1/videos/*"
    sent(page, film)
    page.route(broken, lambda route: route.abort() if route.request.method == "DELETE" else route.continue_())
    page.click("[data-cancel]")
    expect(page.locator("[data-note]")).to_contain_text("may still be on the server")
    expect(page.locator("[data-told]")).to_have_text("Reading …")
    assert service(app).jobs.states()["reading"] == 1
    held.may.set()
    page.click("text=Delete everything of this film", timeout=60_000)
    expect(page.locator("[data-result] [role=alert]")).to_contain_text("may still be on the server")
    assert service(app).jobs.states()["done"] == 1
    page.unroute(broken)
    # What is gone already has been removed as well.
    [id_] = service(app).jobs._jobs
    service(app).jobs.remove(id_)
    page.click("text=Delete everything of this film")
    expect(page.locator("[data-opening]")).to_be_visible()


def test_another_film_waits_until_the_first_is_read_or_cancelled(page, film, held, app):
    sent(page, film)
    page.evaluate(DROP, "other.webm")
    expect(page.locator("[data-note]")).to_contain_text("One film is read at a time")
    expect(page.locator("[data-name]")).to_have_text("two people.webm")
    assert sum(service(app).jobs.states().values()) == 1
    held.may.set()
    expect(page.locator(".track-film")).to_have_count(2, timeout=60_000)
    page.evaluate(DROP, "other.webm")
    expect(page.locator("[data-name]")).to_have_text("other.webm")
    expect(page.locator(".track-film")).to_have_count(0)
    expect(page.locator("[data-told]")).to_contain_text("'other.webm'")


def test_a_server_that_does_not_answer_for_a_while_loses_no_film(page, film, held, no_streams):
    sent(page, film)
    page.route("**/api/v1/videos/*", lambda route: route.fulfill(status=503, json={"detail": "A bad moment."}), times=1)
    expect(page.locator("[data-told]")).to_have_text("A bad moment.")
    expect(page.locator("[data-told]")).to_have_text("Reading …")
    page.click("nav >> text=About")
    page.route("**/api/v1/videos/*", lambda route: route.abort(), times=1)
    page.click("nav >> text=Video")
    expect(page.locator("[data-told]")).to_contain_text("cannot be reached")
    held.may.set()
    expect(page.locator(".track-film")).to_have_count(2, timeout=60_000)
    expect(page.locator("[data-name]")).to_have_text("two people.webm")


def test_a_film_that_is_gone_from_the_server_is_forgotten(page, film, held, no_streams, app):
    sent(page, film)
    [id_] = service(app).jobs._jobs
    page.route("**/api/v1/videos/*", lambda route: route.fulfill(status=404, json={"detail": "Gone."}))
    expect(page.locator("[data-told]")).to_contain_text("are gone from the server")
    assert page.evaluate("sessionStorage.getItem('mien.film')") is None
    page.evaluate("id => sessionStorage.setItem('mien.film', `/api/v1/videos/${id}`)", id_)
    opened(page, "/video")
    until(page, "sessionStorage.getItem('mien.film') === null")
    expect(page.locator("[data-opening]")).to_be_visible()


def test_a_film_that_is_none_says_why(page, tmp_path):
    (tmp_path / "holiday.mp4").write_bytes(b"\0" * 1000)
    opened(page, "/video")
    page.set_input_files("[data-file]", tmp_path / "holiday.mp4")
    expect(page.locator("[data-told]")).to_contain_text("'holiday.mp4'")
    page.click("text=Another film")
    expect(page.locator("[data-opening]")).to_be_visible()


def test_asking_stands_in_where_no_stream_is_free(page, film, no_streams):
    opened(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", film)
    expect(page.locator(".track-film")).to_have_count(2, timeout=60_000)


# For everybody


def test_everything_is_reached_by_keyboard(page):
    opened(page, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.sample") == "portraits.jpg":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".someone")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('box')"):
            break
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert re.fullmatch(r"Face \d .*looks \w+, \d+\u00a0%\. See inside\.", name)
    page.keyboard.press("Enter")
    expect(page.locator("[data-title]")).to_contain_text("Why it looks")
    assert page.evaluate("document.activeElement.id") == "main"


PATHS = ["/", "/live", "/video", "/inside", "/models", "/about", "/api"]


@pytest.mark.parametrize("path", PATHS)
def test_a_phone_never_scrolls_sideways(chromium, address, path):
    how = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    with open_tab(chromium, address, expected=EXPECTED, **how) as page:
        opened(page, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        if path in ("/", "/inside"):
            page.click("[data-sample='portraits.jpg']")
            page.wait_for_selector(".someone, .board section")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        small = page.evaluate("""[...document.querySelectorAll('button, nav a, select, summary')]
          .filter(each => each.offsetParent && !each.closest('.maps, .picture'))
          .map(each => each.getBoundingClientRect()).filter(box => box.height < 36).length""")
        assert small == 0


def serious(page):
    """What axe finds and calls serious or critical."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is in the extra 'dev'")
    found = axe.Axe().run(page).response["violations"]
    bad = [each for each in found if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {[node['html'][:160] for node in each['nodes']]}" for each in bad]


@pytest.fixture
def checked(chromium, address):
    """A tab into which axe may be brought, which the pages' own policy forbids."""
    context = chromium.new_context(base_url=address, bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_serious(checked, path, scheme):
    checked.emulate_media(color_scheme=scheme)
    opened(checked, path)
    checked.wait_for_load_state("networkidle")
    assert serious(checked) == []
    if path in ("/", "/inside"):
        checked.click("[data-sample='portraits.jpg']")
        checked.wait_for_selector(".someone, .board section")
        checked.wait_for_timeout(300)
        assert serious(checked) == []
    if path == "/live":
        checked.click("[data-start]")
        checked.wait_for_selector("[data-bars] dl")
        assert serious(checked) == []


def test_nothing_jumps_while_a_photo_is_read(page):
    opened(page, "/")
    page.evaluate("""window.jumps = 0; new PerformanceObserver(list => {
      for (const each of list.getEntries()) if (!each.hadRecentInput) window.jumps += each.value;
    }).observe({ type: 'layout-shift', buffered: true })""")
    page.click("[data-sample='portraits.jpg']")
    page.wait_for_selector(".someone")
    page.wait_for_timeout(300)
    assert page.evaluate("window.jumps") < 0.1
