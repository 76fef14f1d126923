"""The pages in Chromium, driven by Playwright: mouse, keyboard, phone, camera, videos.

Playwright uses the Chromium of the system. ``MIEN_REQUIRE_BROWSER=1`` makes a missing one a failure instead of a skip.
"""

import csv
import json
import os
import re
import threading
import time

import cv2
import numpy as np
import pytest
from PIL import Image

from browser import find_browser
from group_photo import write_group
from mien import Engine
from mien.video.results import save_video_results
from mien.video.tables import face_columns
from tabs import SWITCHES, open_tab
from video_files import two_faces
from web import ASTRONAUT, HOPPER, PORTRAITS, make_app, running_server, service_of

pytestmark = pytest.mark.full

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("playwright", reason="Playwright drives the browser; it is in the extra 'dev'")

from playwright.sync_api import expect  # noqa: E402

#: Lines that Chromium writes to the console for rejected requests.
EXPECTED = re.compile(r"status of (4\d\d|503)|net::ERR_FAILED")


class GatedAnalysis:
    """The analysis of the app's jobs; while ``gate`` is cleared it only reports progress."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, engine, request, *, is_cancelled, on_progress, on_frame):
        while not self.gate.wait(0.02):
            if is_cancelled():
                return None
            on_progress({"seconds": 0.1, "of": 1.0})
        return save_video_results(
            engine, request, is_cancelled=is_cancelled, on_progress=on_progress, on_frame=on_frame
        )


@pytest.fixture(scope="module")
def analysis():
    return GatedAnalysis()


@pytest.fixture(scope="module")
def app(tmp_path_factory, analysis):
    app = make_app(scratch=str(tmp_path_factory.mktemp("scratch")), max_bytes=2_000_000)
    service_of(app).jobs.analyze = analysis
    yield app
    service_of(app).jobs.close()


@pytest.fixture(scope="module")
def address(app):
    with running_server(app) as (host, port):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(chromium, address):
    with open_tab(chromium, address, expected=EXPECTED) as page:
        yield page


def open_page(page, path):
    """Open a page and wait for its script."""
    page.goto(path)
    page.wait_for_selector("main[data-ready]")


def wait_for(page, expression, seconds=20):
    """Wait for a JavaScript expression. Playwright's own function evaluates text, which the pages' policy forbids."""
    deadline = time.monotonic() + seconds
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, expression
        page.wait_for_timeout(30)


def read_photo(page, path=ASTRONAUT):
    open_page(page, "/")
    page.set_input_files("[data-file]", path)
    page.wait_for_selector(".face-card")


# Photo


def test_chosen_photo_is_read_and_its_results_are_saved(page):
    open_page(page, "/")
    with page.expect_file_chooser() as chooser:
        page.click("text=Choose photos")
    chooser.value.set_files(PORTRAITS)
    expect(page.locator(".box")).to_have_count(2)
    expect(page.locator(".face-card")).to_have_count(2)
    expect(page.locator("[data-progress]")).to_have_text("2 faces in one photo")
    assert "looks happy" in page.locator(".face-card >> nth=1").inner_text()
    assert "Predicted annotator votes" in page.locator(".face-card >> nth=0").inner_text()
    with page.expect_download() as saved:
        page.click("[data-save=json]")
    saved_results = json.loads(saved.value.path().read_text())
    assert [len(each["faces"]) for each in saved_results["images"]] == [2]
    with page.expect_download() as saved:
        page.click("[data-save=csv]")
    assert saved.value.path().read_text().count("portraits.jpg") == 2
    with page.expect_download() as saved:
        page.click("text=Save annotated")
    assert saved.value.path().read_bytes()[:3] == b"\xff\xd8\xff"


def test_box_displays_scores_and_marks_its_card(page):
    read_photo(page, PORTRAITS)
    box, card = page.locator(".box >> nth=1"), page.locator(".face-card >> nth=1")
    expect(box.locator(".popup")).to_be_hidden()
    box.hover()
    expect(box.locator(".popup")).to_be_visible()
    expect(card).to_have_class(re.compile("marked"))
    place, whole = box.bounding_box(), page.locator(".annotated img").bounding_box()
    assert page.evaluate("fetch('/assets/x/samples/hopper.jpg').then(r => r.ok)")
    assert whole["x"] <= place["x"]
    assert place["x"] + place["width"] <= whole["x"] + whole["width"] + 1


def test_several_photos_and_a_file_that_is_not_one(page, tmp_path):
    (tmp_path / "notes.jpg").write_text("hello")
    open_page(page, "/")
    page.set_input_files("[data-file]", [ASTRONAUT, tmp_path / "notes.jpg", HOPPER])
    expect(page.locator("[data-progress]")).to_have_text("2 faces in 2 photos; 1 could not be read")
    expect(page.locator(".photo-result")).to_have_count(3)
    expect(page.locator(".photo-result.failed [role=alert]")).to_contain_text("'notes.jpg' is text")


def test_photos_are_dropped_and_pasted(page):
    open_page(page, "/")
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
    expect(page.locator(".face-card")).to_have_count(1)
    page.evaluate(bring, ["paste", "/assets/x/samples/hopper.jpg"])
    expect(page.locator(".face-card")).to_have_count(2)
    expect(page.locator("h3", has_text="pasted.png")).to_be_visible()


def test_camera_dialog_takes_a_photo(page):
    open_page(page, "/")
    page.click("text=Take a photo")
    wait_for(page, "document.querySelector('dialog video')?.videoWidth > 0")
    page.click("text=Take photo")
    expect(page.locator("h3", has_text="photo.jpg")).to_be_visible()
    expect(page.locator("dialog")).to_have_count(0)


def test_errors_are_displayed_with_their_photo(page, app, tmp_path):
    open_page(page, "/")
    (tmp_path / "large.jpg").write_bytes(b"\0" * 2_200_000)
    page.set_input_files("[data-file]", tmp_path / "large.jpg")
    expect(page.locator("[role=alert]")).to_contain_text("this server accepts up to 2.0 MB")
    page.route("**/api/v1/readings*", lambda route: route.abort())
    page.click("text=Another photo")
    page.click("[data-sample='hopper.jpg']")
    expect(page.locator("[role=alert]")).to_contain_text("cannot be reached")


def test_photo_without_a_face_has_a_message(page, tmp_path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((200, 300, 3), 180, np.uint8))
    open_page(page, "/")
    page.set_input_files("[data-file]", tmp_path / "wall.png")
    expect(page.locator(".empty")).to_contain_text("No face was found")


def test_key_is_requested_once(chromium, tmp_path):
    locked = running_server(make_app(keys=("open sesame",)))
    with locked as (host, port), open_tab(chromium, f"http://{host}:{port}", expected=EXPECTED) as page:
        open_page(page, "/")
        page.click("[data-sample='hopper.jpg']")
        page.fill("dialog input", "wrong")
        page.click("dialog >> text=Use key")
        page.wait_for_timeout(200)
        page.fill("dialog input", "open sesame")
        page.click("dialog >> text=Use key")
        expect(page.locator(".face-card")).to_have_count(1)


def test_key_is_requested_before_a_video_is_uploaded(chromium, video):
    locked = running_server(make_app(keys=("open sesame",)))
    with locked as (host, port), open_tab(chromium, f"http://{host}:{port}", expected=EXPECTED) as page:
        requests = []
        page.on("request", lambda request: requests.append(request.url) if request.method == "POST" else None)
        open_page(page, "/video")
        page.select_option("[name=fps]", "5")
        page.set_input_files("[data-file]", video)
        page.fill("dialog input", "wrong")
        page.click("dialog >> text=Use key")
        page.wait_for_timeout(200)
        assert requests == []
        page.fill("dialog input", "open sesame")
        page.click("dialog >> text=Use key")
        expect(page.locator(".track-events")).to_have_count(2, timeout=60_000)
        assert len(requests) == 1


# Explanations


def test_explanation_of_a_face_with_its_options(page):
    read_photo(page, PORTRAITS)
    page.click(".face-card >> nth=1 >> text=Explain")
    expect(page.locator("[data-title]")).to_have_text("Why it looks happy")
    assert page.url.endswith("/explain?face=2")
    canvas = "document.querySelector('.overlay canvas').getContext('2d').getImageData(0, 0, 48, 48).data"
    assert len(set(page.evaluate(f"[...{canvas}]"))) > 20
    page.select_option("[name=versus]", "surprise")
    expect(page.locator("[data-title]")).to_have_text("Why it looks happy compared with surprise")
    assert "versus=surprise" in page.url
    page.select_option("[name=versus]", "")
    expect(page.locator(".dashboard")).to_contain_text("Bright regions are evidence for the prediction happy.")
    # The target is another label than the prediction.
    page.select_option("[name=target]", "sad")
    expect(page.locator("[data-title]")).to_have_text("Evidence for sad")
    expect(page.locator(".dashboard")).to_contain_text("Bright regions are evidence for sad.")
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


def test_walkthrough_has_its_style_and_script(page):
    open_page(page, "/explain")
    page.click("[data-sample='astronaut.jpg']")
    page.wait_for_selector(".dashboard section")
    page.click("[data-view=walkthrough]")
    expect(page.locator(".walkthrough [data-step]:visible")).to_have_count(1)
    first = page.locator(".walkthrough [data-step]:visible h2").inner_text()
    page.click(".walkthrough [data-next]")
    assert page.locator(".walkthrough [data-step]:visible h2").inner_text() != first
    with page.expect_download() as saved:
        page.click("text=Save the walkthrough as a page")
    assert "<!doctype html>" in saved.value.path().read_text()[:50]


def test_explanation_page_without_an_image_offers_the_file_input(page):
    open_page(page, "/explain?face=2&target=happy")
    expect(page.locator("[data-intro]")).to_be_visible()
    page.set_input_files("[data-file]", HOPPER)
    expect(page.locator("[data-title]")).to_contain_text("Why it looks")


def test_photo_with_too_many_pixels_is_scaled_down_in_the_browser(page, tmp_path):
    large = Image.new("RGB", (8160, 6144), (90, 100, 110))
    # Orientation 6: the file has the picture turned to the left.
    portrait = Image.open(HOPPER).convert("RGB").resize((3072, 3600)).rotate(90, expand=True)
    large.paste(portrait, (2000, 1000))
    exif = large.getexif()
    exif[0x0112] = 6
    large.save(tmp_path / "phone.jpg", quality=90, exif=exif)
    open_page(page, "/")
    with page.expect_response("**/api/v1/readings*") as response:
        page.set_input_files("[data-file]", tmp_path / "phone.jpg")
    [image] = response.value.json()["images"]
    width, height = image["size"]
    assert 15_900_000 < width * height <= 16_000_000
    # The orientation of the file is applied.
    assert width / height == pytest.approx(6144 / 8160, abs=0.001)
    [face] = image["faces"]
    expected = Engine.load(detector="haar").read(tmp_path / "phone.jpg")
    assert face["emotion"] == expected.readings[0].emotions.top
    assert face["box"][2] / width == pytest.approx(expected.faces[0].box.width / expected.size[0], rel=0.1)
    text = f"{width} × {height} (scaled down in the browser from 6144 × 8160)"
    expect(page.locator(".photo-result header p")).to_contain_text(text)


def test_photo_with_too_many_bytes_is_encoded_again(page, tmp_path):
    """The app of these tests accepts 2 MB."""
    pixels = np.random.default_rng(0).integers(0, 256, (1200, 1600, 3), np.uint8)
    pixels[:600, :510] = np.array(Image.open(HOPPER).convert("RGB").resize((510, 600)))
    Image.fromarray(pixels).save(tmp_path / "noise.png")
    assert (tmp_path / "noise.png").stat().st_size > 2_000_000
    open_page(page, "/")
    with page.expect_response("**/api/v1/readings*") as response:
        page.set_input_files("[data-file]", tmp_path / "noise.png")
    [image] = response.value.json()["images"]
    assert image["faces"]


def test_large_photo_is_explained_in_its_smaller_size(page, tmp_path):
    large = Image.open(HOPPER).convert("RGB").resize((5100, 6000))
    large.save(tmp_path / "large.jpg", quality=60)
    open_page(page, "/explain")
    with page.expect_response("**/api/v1/explanations*") as response:
        page.set_input_files("[data-file]", tmp_path / "large.jpg")
    assert response.value.status == 200
    width, height = response.value.json()["size"]
    assert width * height <= 16_000_000


# Live


def test_camera_is_opened_after_a_notice(page):
    open_page(page, "/live")
    expect(page.locator("[data-notice]")).to_contain_text("not stored")
    assert page.evaluate("document.querySelector('video').srcObject") is None
    page.click("[data-start]")
    expect(page.locator("[data-label]")).to_contain_text("looks happy")
    expect(page.locator("[data-latency]")).to_contain_text("ms")
    wait_for(page, "parseFloat(document.querySelector('[data-rate]').textContent) > 1")
    page.click("[data-explain]")
    page.wait_for_selector("[data-layers] canvas")
    pixels = "document.querySelector('[data-layers] .maps canvas').getContext('2d').getImageData(0, 0, 8, 8).data"
    assert len(set(page.evaluate(f"[...{pixels}]"))) > 5
    with page.expect_download() as saved:
        page.click("[data-snapshot]")
    assert saved.value.path().read_bytes()[:3] == b"\xff\xd8\xff"
    page.click("[data-pause]")
    expect(page.locator("[data-pause]")).to_have_text("Continue")
    page.click("[data-pause]")
    page.click("[data-stop]")
    expect(page.locator("[data-notice]")).to_be_visible()
    assert page.evaluate("document.querySelector('video').srcObject") is None


def test_one_frame_is_sent_at_a_time(page):
    requests = {"open": 0, "most": 0, "all": 0}

    def count_start(request):
        if "/frames" in request.url:
            requests["open"] += 1
            requests["all"] += 1
            requests["most"] = max(requests["most"], requests["open"])

    def count_end(request):
        requests["open"] -= "/frames" in request.url

    page.on("request", count_start)
    page.on("requestfinished", count_end)
    page.on("requestfailed", count_end)
    open_page(page, "/live")
    page.click("[data-start]")
    end = time.monotonic() + 20
    while requests["all"] < 4 and time.monotonic() < end:
        page.wait_for_timeout(50)
    page.click("[data-stop]")
    assert requests["all"] >= 4
    assert requests["most"] == 1


def test_live_page_tracks_records_and_saves_tables(page, app):
    open_page(page, "/live")
    page.click("[data-start]")
    expect(page.locator(".lane").first).to_contain_text("Track 1 looks happy")
    page.click("[data-record]")
    expect(page.locator("[data-record]")).to_have_text("Stop recording")
    page.click("[data-mirror]")
    assert page.evaluate("getComputedStyle(document.querySelector('.stage video')).transform") == "none"
    wait_for(page, "parseInt(document.querySelector('[data-rows]').textContent) > 6")
    with page.expect_download() as saved:
        page.click("[data-record]")
    assert saved.value.path().read_bytes()[:4] == b"\x1a\x45\xdf\xa3"
    page.click("[data-stop]")
    with page.expect_download() as saved:
        page.click("[data-csv]")
    rows = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    assert list(rows[0]) == face_columns(service_of(app).engines.get().labels)
    assert len(rows) > 6
    # On a slow machine frames are so far apart that the moving face may get another track.
    assert rows[0]["track"] == "1"
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)
    with page.expect_download() as saved:
        page.click("[data-json]")
    assert len(json.loads(saved.value.path().read_text())) == len(rows)
    assert 1 <= page.locator(".lane canvas").count() <= len({row["track"] for row in rows})


def test_camera_can_be_chosen(chromium, address):
    switches = [*SWITCHES, "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=device-count=2"]
    browser = chromium.browser_type.launch(executable_path=find_browser(), args=switches)
    try:
        with open_tab(browser, address, expected=EXPECTED) as page:
            open_page(page, "/live")
            page.click("[data-start]")
            expect(page.locator("[data-cameras] option")).to_have_count(2)
            current = "document.querySelector('video').srcObject.getVideoTracks()[0].getSettings().deviceId"
            before = page.evaluate(current)
            page.select_option(
                "[data-cameras]", index=1 - page.evaluate("document.querySelector('select').selectedIndex")
            )
            wait_for(page, f"document.querySelector('video').srcObject && {current} !== {before!r}")
            expect(page.locator("[data-status]")).to_have_text("No face")
    finally:
        browser.close()


def test_labels_are_readable_on_a_phone(chromium, address):
    with open_tab(chromium, address, expected=EXPECTED, viewport={"width": 390, "height": 844}) as page:
        open_page(page, "/live")
        page.evaluate("""() => {
            const fillText = CanvasRenderingContext2D.prototype.fillText;
            window.fonts = [];
            CanvasRenderingContext2D.prototype.fillText = function (...all) {
                const overlay = document.querySelector('[data-overlay]');
                const scale = overlay.clientWidth / overlay.width * this.getTransform().d;
                window.fonts.push(parseFloat(this.font.split(' ')[1]) * scale);
                return fillText.apply(this, all);
            };
        }""")
        page.click("[data-start]")
        expect(page.locator(".lane").first).to_contain_text("Track 1")
        wait_for(page, "window.fonts.length > 3")
        assert page.evaluate("window.fonts.at(-1)") >= 14
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_session_that_ended_is_opened_again(page, app):
    open_page(page, "/live")
    page.click("[data-start]")
    expect(page.locator(".lane").first).to_contain_text("Track 1")
    service_of(app).live.clear()
    expect(page.locator("[data-lanes]")).to_contain_text("Track 2")
    expect(page.locator("[data-status]")).to_have_text("")
    page.click("[data-stop]")
    with page.expect_download() as saved:
        page.click("[data-csv]")
    rows = list(csv.DictReader(saved.value.path().read_text().splitlines()))
    # The clock, the frames and the tracks of the first session are continued.
    tracks = [int(row["track"]) for row in rows if row["track"]]
    assert tracks == sorted(tracks)
    assert tracks[0] == 1
    assert tracks[-1] > 1
    assert len({row["frame"] for row in rows}) == len(rows)
    seconds = [float(row["seconds"]) for row in rows]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize("button", ["pause", "stop"])
def test_no_frame_is_sent_after_a_pause_or_stop(page, button):
    requests = []
    page.on("request", lambda request: requests.append(request.url) if "/frames" in request.url else None)
    open_page(page, "/live")
    # A frame that is encoded when the button is pressed, and is ready later.
    page.evaluate("""() => {
      const own = HTMLCanvasElement.prototype.toBlob;
      HTMLCanvasElement.prototype.toBlob = function (done, ...how) {
        window.finishFrame = () => own.call(this, blob => { done(blob); window.frameFinished = true; }, ...how);
      };
    }""")
    page.click("[data-start]")
    wait_for(page, "window.finishFrame !== undefined")
    page.click(f"[data-{button}]")
    page.evaluate("window.finishFrame()")
    wait_for(page, "window.frameFinished")
    page.wait_for_timeout(300)
    assert requests == []


def test_face_that_is_hard_to_judge_has_a_message(page):
    qualities = [{"ok": False, "reason": "the face is blurred"}]

    def set_quality(route):
        response = route.fetch()
        results = response.json()
        results["image"]["faces"][0]["quality"] = qualities[-1]
        route.fulfill(response=response, json=results)

    page.route("**/frames*", set_quality)
    open_page(page, "/live")
    page.click("[data-start]")
    expect(page.locator("[data-doubts]")).to_have_text("Hard to judge: the face is blurred.")
    qualities.append({"ok": True, "reason": None})
    expect(page.locator("[data-doubts]")).not_to_contain_text("Hard to judge")
    page.click("[data-stop]")
    page.unroute_all(behavior="ignoreErrors")


def test_camera_stops_when_the_tab_is_hidden(page):
    open_page(page, "/live")
    page.click("[data-start]")
    page.wait_for_selector("[data-live]:not([hidden])")
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")
    page.evaluate(
        "Object.defineProperty(document, 'hidden', { value: true });"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    assert page.evaluate("window.track.readyState") == "ended"
    expect(page.locator("[data-problem]")).to_contain_text("tab was hidden")


def test_camera_stops_when_another_page_is_opened(page):
    open_page(page, "/live")
    page.click("[data-start]")
    page.wait_for_selector("[data-live]:not([hidden])")
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")
    page.click("nav >> text=About")
    expect(page.locator("h1")).to_have_text("About mien")
    assert page.evaluate("window.track.readyState") == "ended"


# Video


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "two faces.webm"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"VP80"), 10, (640, 360))
    frame = cv2.resize(np.ascontiguousarray(two_faces()[..., ::-1]), (640, 360))
    for _ in range(60):
        writer.write(frame)
    writer.release()
    return path


def test_video_is_analysed_and_its_results_displayed(page, video):
    open_page(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", video)
    expect(page.locator("[data-name]")).to_have_text("two faces.webm")
    wait_for(page, "document.querySelector('[data-facts]').textContent.includes(' of ')")
    expect(page.locator(".track-events")).to_have_count(2, timeout=60_000)
    assert page.locator(".track-events rect").count() >= 2
    wait_for(page, "document.querySelector('.player').readyState >= 1")
    # The list has the same events as the timeline, for the keyboard.
    page.focus(".track-events summary >> nth=0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    text = page.evaluate("document.activeElement.textContent")
    assert re.fullmatch(r"[\d.]+ s to [\d.]+ s: looks \w+, peak \d+\u00a0%", text)
    page.evaluate("document.querySelector('.player').currentTime = 3")
    page.keyboard.press("Enter")
    wait_for(page, f"Math.abs(document.querySelector('.player').currentTime - {float(text.split()[0])}) < 0.1")
    with page.expect_download() as saved:
        page.click("text=Events (CSV)")
    assert "happy" in saved.value.path().read_text()
    page.click("text=Delete the video and its results")
    expect(page.locator("[data-intro]")).to_be_visible()


def test_video_is_cancelled(page, video, app):
    open_page(page, "/video")
    page.select_option("[name=fps]", "30")
    page.set_input_files("[data-file]", video)
    expect(page.locator("[data-status]")).to_have_text(re.compile("Analysing|Waiting"))
    page.click("[data-cancel]")
    expect(page.locator("[data-status]")).to_contain_text("Cancelled")
    assert sum(service_of(app).jobs.states().values()) == 0


@pytest.fixture
def gate(app, analysis):
    """The gate of the analysis, cleared; all jobs are removed at the end."""
    analysis.gate.clear()
    yield analysis.gate
    analysis.gate.set()
    for job in service_of(app).jobs.list_jobs():
        service_of(app).jobs.remove(job.id)


@pytest.fixture
def no_streams(app):
    streams = service_of(app).jobs.streams
    acquired = [streams.acquire(blocking=False) for _ in range(10)]
    yield
    for _ in range(sum(acquired)):
        streams.release()


DROP = """name => {
  const data = new DataTransfer();
  data.items.add(new File(["video"], name, { type: "video/webm" }));
  document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data }));
}"""


def upload_video(page, video):
    """The page while it follows the analysis of a video."""
    open_page(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", video)
    expect(page.locator("[data-status]")).to_have_text("Analysing …")


def test_failed_removal_is_reported(page, video, gate, app):
    broken = "**/api/v1/videos/*"
    upload_video(page, video)
    page.route(broken, lambda route: route.abort() if route.request.method == "DELETE" else route.continue_())
    page.click("[data-cancel]")
    expect(page.locator("[data-note]")).to_contain_text("may still be on the server")
    expect(page.locator("[data-status]")).to_have_text("Analysing …")
    assert service_of(app).jobs.states()["running"] == 1
    gate.set()
    page.click("text=Delete the video and its results", timeout=60_000)
    expect(page.locator("[data-result] [role=alert]")).to_contain_text("may still be on the server")
    assert service_of(app).jobs.states()["done"] == 1
    page.unroute(broken)
    # A job that the server does not know any more is removed, too.
    [job] = service_of(app).jobs.list_jobs()
    service_of(app).jobs.remove(job.id)
    page.click("text=Delete the video and its results")
    expect(page.locator("[data-intro]")).to_be_visible()


def test_second_video_waits_for_the_end_of_the_first(page, video, gate, app):
    upload_video(page, video)
    page.evaluate(DROP, "other.webm")
    expect(page.locator("[data-note]")).to_contain_text("One video is analysed at a time")
    expect(page.locator("[data-name]")).to_have_text("two faces.webm")
    assert sum(service_of(app).jobs.states().values()) == 1
    gate.set()
    expect(page.locator(".track-events")).to_have_count(2, timeout=60_000)
    page.evaluate(DROP, "other.webm")
    expect(page.locator("[data-name]")).to_have_text("other.webm")
    expect(page.locator(".track-events")).to_have_count(0)
    expect(page.locator("[data-status]")).to_contain_text("'other.webm'")


def test_video_is_not_lost_when_the_server_does_not_respond_for_a_while(page, video, gate, no_streams):
    upload_video(page, video)
    page.route("**/api/v1/videos/*", lambda route: route.fulfill(status=503, json={"detail": "A bad moment."}), times=1)
    expect(page.locator("[data-status]")).to_have_text("A bad moment.")
    expect(page.locator("[data-status]")).to_have_text("Analysing …")
    page.click("nav >> text=About")
    page.route("**/api/v1/videos/*", lambda route: route.abort(), times=1)
    page.click("nav >> text=Video")
    expect(page.locator("[data-status]")).to_contain_text("cannot be reached")
    gate.set()
    expect(page.locator(".track-events")).to_have_count(2, timeout=60_000)
    expect(page.locator("[data-name]")).to_have_text("two faces.webm")


def test_video_that_is_no_longer_on_the_server_is_reported(page, video, gate, no_streams, app):
    upload_video(page, video)
    id_ = service_of(app).jobs.list_jobs()[0].id
    page.route("**/api/v1/videos/*", lambda route: route.fulfill(status=404, json={"detail": "Gone."}))
    expect(page.locator("[data-status]")).to_contain_text("no longer on the server")
    assert page.evaluate("sessionStorage.getItem('mien.video')") is None
    page.evaluate("id => sessionStorage.setItem('mien.video', `/api/v1/videos/${id}`)", id_)
    open_page(page, "/video")
    wait_for(page, "sessionStorage.getItem('mien.video') === null")
    expect(page.locator("[data-intro]")).to_be_visible()


def test_file_that_is_not_a_video_has_a_message(page, tmp_path):
    (tmp_path / "holiday.mp4").write_bytes(b"\0" * 1000)
    open_page(page, "/video")
    page.set_input_files("[data-file]", tmp_path / "holiday.mp4")
    expect(page.locator("[data-status]")).to_contain_text("'holiday.mp4'")
    page.click("text=Another video")
    expect(page.locator("[data-intro]")).to_be_visible()


def test_polling_replaces_the_event_stream(page, video, no_streams):
    open_page(page, "/video")
    page.select_option("[name=fps]", "5")
    page.set_input_files("[data-file]", video)
    expect(page.locator(".track-events")).to_have_count(2, timeout=60_000)


# Accessibility


def test_pages_are_usable_with_the_keyboard(page):
    open_page(page, "/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(8):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.dataset.sample") == "portraits.jpg":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(".face-card")
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('box')"):
            break
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert re.fullmatch(r"Face \d .*looks \w+, \d+\u00a0%\. Select\.", name)
    page.keyboard.press("Enter")
    expect(page.locator("summary:focus")).to_have_count(1)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("[data-title]")).to_contain_text("Why it looks")
    assert page.evaluate("document.activeElement.id") == "main"


PATHS = ["/", "/live", "/video", "/explain", "/models", "/about", "/api"]


@pytest.mark.parametrize("path", PATHS)
def test_phone_layout_has_no_horizontal_scrolling_and_large_buttons(chromium, address, path):
    options = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
    with open_tab(chromium, address, expected=EXPECTED, **options) as page:
        open_page(page, path)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        if path in ("/", "/explain"):
            page.click("[data-sample='portraits.jpg']")
            page.wait_for_selector(".face-card, .dashboard section")
            assert page.evaluate("document.documentElement.scrollWidth") <= 390
        small = page.evaluate("""[...document.querySelectorAll('button, nav a, select, summary')]
          .filter(each => each.offsetParent && !each.closest('.maps, .annotated'))
          .map(each => each.getBoundingClientRect()).filter(box => box.height < 36).length""")
        assert small == 0


def list_violations(page):
    """The serious and critical violations that axe reports."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is in the extra 'dev'")
    violations = axe.Axe().run(page).response["violations"]
    serious = [each for each in violations if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {[node['html'][:160] for node in each['nodes']]}" for each in serious]


@pytest.fixture
def axe_page(chromium, address):
    """A tab that permits the script of axe, which the pages' own policy forbids."""
    context = chromium.new_context(base_url=address, bypass_csp=True)
    yield context.new_page()
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_reports_no_serious_violation(axe_page, path, scheme, tmp_path):
    axe_page.emulate_media(color_scheme=scheme)
    open_page(axe_page, path)
    axe_page.wait_for_load_state("networkidle")
    assert list_violations(axe_page) == []
    if path in ("/", "/explain"):
        axe_page.click("[data-sample='portraits.jpg']")
        axe_page.wait_for_selector(".face-card, .dashboard section")
        axe_page.wait_for_timeout(300)
        assert list_violations(axe_page) == []
        if path == "/":
            axe_page.set_input_files("[data-file]", write_group(tmp_path / "group.jpg"))
            axe_page.wait_for_selector(".face-line:nth-of-type(24)")
            assert list_violations(axe_page) == []
    if path == "/live":
        axe_page.click("[data-start]")
        axe_page.wait_for_selector("[data-bars] dl")
        assert list_violations(axe_page) == []


def test_layout_is_stable_while_a_photo_is_read(page):
    open_page(page, "/")
    page.evaluate("""window.jumps = 0; new PerformanceObserver(list => {
      for (const each of list.getEntries()) if (!each.hadRecentInput) window.jumps += each.value;
    }).observe({ type: 'layout-shift', buffered: true })""")
    page.click("[data-sample='portraits.jpg']")
    page.wait_for_selector(".face-card")
    page.wait_for_timeout(300)
    assert page.evaluate("window.jumps") < 0.1
