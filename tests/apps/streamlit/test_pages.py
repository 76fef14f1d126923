"""The pages of the Streamlit page in Streamlit's own test: uploads, results, choices, runs, data, and errors."""

import json
import os
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("streamlit", reason="the page needs the extra 'streamlit'")

from group_photo import write_group
from mien.apps.session.uploads import Upload
from mien.apps.streamlit import results, session_state
from mien.apps.streamlit.pages import data, experiments
from mien.apps.streamlit.pages import video as video_page
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import EXPLANATION, FIGURES, RESULTS, WALKTHROUGH, clean_file_name
from mien.engine import Engine
from mien.errors import MienError, MissingExtra
from mien.html.environment import render_macro
from mien.html.images import encode_image
from mien.labels import EMOTIONS, label_colour
from mien.text import count_expressions, summarize_expressions
from mien.training import run_folder
from mien.training.recipe import NetworkSettings
from run_folders import write_run
from streamlit_page import (
    ASTRONAUT,
    CLIP,
    EXAMPLES,
    PORTRAITS,
    click,
    create_page_test,
    read_in_test,
    write_finished_run,
)
from tiny import tiny_card, tiny_model


@pytest.fixture(autouse=True)
def settings(monkeypatch, tmp_path):
    """The page's own settings, independent of the environment of the test run."""
    for name in ("MIEN_MODEL", "MIEN_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MIEN_DETECTOR", "haar")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def engine():
    return Engine.load(detector="haar")


def image_file(path: Path):
    return path.name, path.read_bytes(), "image/jpeg"


def gray_file(side=40):
    return "wall.png", encode_image(np.full((side, side, 3), 128, np.uint8)), "image/png"


def upload(page, *uploads):
    page.file_uploader[0].set_value(list(uploads)).run()
    assert not page.exception
    return page


def page_text(page) -> str:
    """All texts of the page: Markdown and HTML."""
    kinds = (page.title, page.header, page.markdown, page.caption, page.info, page.error, page.warning)
    return "\n".join([*(each.value for kind in kinds for each in kind), *(each.body for each in page.get("html"))])


def images(page):
    return [*page.get("image"), *page.get("imgs")]


# Photos


def test_an_empty_page_offers_samples_and_shows_the_disclaimer():
    page = create_page_test().run()
    assert not page.exception
    assert "What an expression looks like is not what a person feels." in page_text(page)
    assert "Nothing is stored" in page_text(page)
    assert [button.label for button in page.button] == ["Two portraits", "An astronaut", "An officer"]


def test_a_sample_is_read_and_cleared():
    page = create_page_test().run()
    click(page, "Two portraits")
    assert "2 faces in one photo" in page_text(page)
    click(page, "Clear")
    assert "Two portraits" in [button.label for button in page.button]


def test_results_are_those_of_the_engine(engine):
    expected = [{**engine.read(path).to_dict(), "source": path.name} for path in (PORTRAITS, ASTRONAUT)]
    assert read_in_test([PORTRAITS, ASTRONAUT]) == expected


def test_a_card_has_headline_votes_and_all_probabilities():
    page = upload(create_page_test().run(), image_file(PORTRAITS))
    content = page_text(page)
    assert "looks happy\u00a0· 100" in content
    assert "Predicted annotator votes" in content
    assert content.count("class='mien-bar'") == 2 * len(EMOTIONS)
    assert [button.label for button in page.button].count("Explain") == 2


def test_a_group_has_a_summary_a_line_for_each_face_and_a_filter(engine, tmp_path):
    path = write_group(tmp_path / "group.jpg")
    result = engine.read(path)
    page = upload(create_page_test().run(), image_file(path))
    assert summarize_expressions(result.readings) in page_text(page)
    assert page_text(page).count("<details") == len(result) == 24
    assert "<details class='mien-line' aria-label='Face 3'>" in page_text(page)
    counts = count_expressions(result.readings)
    name, count = next(iter(counts.items()))
    page.selectbox(key="expression 0").select(name).run()
    assert page_text(page).count("<details") == count
    # The button of a line explains the face of that line.
    number = next(n for n, reading in enumerate(result, 1) if reading.emotions.top == name)
    page.button(key=f"explain 0 {number}").click().run()
    assert not page.exception
    assert page.selectbox(key="face").value == number


def test_results_stay_until_their_photo_is_removed():
    page = upload(create_page_test().run(), image_file(ASTRONAUT))
    [(key, result)] = page.session_state[RESULTS].items()
    upload(page, image_file(ASTRONAUT), image_file(PORTRAITS))
    assert page.session_state[RESULTS][key] is result
    assert len(page.session_state[RESULTS]) == 2
    upload(page, image_file(PORTRAITS))
    assert key not in page.session_state[RESULTS]


def test_images_without_a_face_and_damaged_images_are_reported():
    page = create_page_test().run()
    upload(page, gray_file(), ("damaged.jpg", PORTRAITS.read_bytes()[:900], "image/jpeg"))
    assert "No face in one photo; 1 could not be read" in page_text(page)
    assert page.info[0].value.startswith("No face was found.")
    [error] = page.error
    assert "damaged" in error.value
    assert "<bytes>" not in error.value


def test_another_detector_reads_again():
    page = upload(create_page_test().run(), image_file(ASTRONAUT))
    page.selectbox(key="detector").select("none").run()
    assert "detector none" in page_text(page).replace("\\", "")


def test_a_url_selects_model_and_detector():
    page = create_page_test()
    page.query_params["detector"] = "none"
    page.query_params["model"] = "no such model"
    page.run()
    assert page.selectbox(key="detector").value == "none"
    assert page.selectbox(key="model").value == "base"


def test_a_model_with_other_labels(monkeypatch, tmp_path):
    labels = ("happy", "sad", "bored")
    path = tmp_path / "three.onnx"
    path.write_bytes(tiny_model(tiny_card(labels=labels, vote_labels=())))
    monkeypatch.setenv("MIEN_MODEL", str(path))
    page = upload(create_page_test().run(), image_file(ASTRONAUT))
    assert label_colour("bored", labels) in page_text(page)
    assert "Predicted annotator votes" not in page_text(page)
    page = click(create_page_test("explain").run(), "An astronaut")
    assert not page.exception
    assert "bored" in page.selectbox(key="target").options


def test_an_error_is_a_message_without_a_traceback(monkeypatch):
    monkeypatch.setenv("MIEN_DETECTOR", "yunet")
    page = click(create_page_test().run(), "Two portraits")
    assert not page.exception
    assert "mien models pull yunet" in page.error[0].value


def test_file_names_are_escaped():
    escaped = r"\!\[x\]\(http\://a\.b\) \*\:red\[c\]\* \$d\$"
    assert escape_markdown("![x](http://a.b) *:red[c]* $d$") == escaped
    assert clean_file_name("../../etc/pass\u202ewd\n.jpg") == "passwd.jpg"
    assert clean_file_name("///") == "image"


def test_labels_of_a_model_cannot_insert_html():
    label = "<img src=x onerror=alert(1)>"
    bars = render_macro("bars", [(label, 0.5)], (label,), {}, template="faces.html")
    assert "<img src=x" not in bars
    assert "&lt;img src=x" in bars


def test_uploads_are_deleted_when_they_are_replaced_and_when_the_page_changes(monkeypatch):
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.uploaded_file_manager import UploadedFileRec

    manager = MemoryUploadedFileManager("/upload")
    context = SimpleNamespace(uploaded_file_mgr=manager, session_id="visit")
    monkeypatch.setattr(session_state, "get_script_run_ctx", lambda: context)
    monkeypatch.setattr(session_state, "st", SimpleNamespace(session_state={}))
    for name in "abc":
        manager.add_file("visit", UploadedFileRec(name, f"{name}.jpg", "image/jpeg", b"..."))
    first, second, third = (SimpleNamespace(file_id=name) for name in "abc")
    session_state.track_uploads("photos", [first, second])
    session_state.track_uploads("video", [third])
    session_state.track_uploads("photos", [second])
    assert set(manager.file_storage["visit"]) == {"b", "c"}
    session_state.release_uploads()
    assert set(manager.file_storage["visit"]) == set()


# Explanations


def explain(path: Path = PORTRAITS):
    page = create_page_test("explain").run()
    page.file_uploader[0].set_value(image_file(path)).run()
    assert not page.exception
    return page


@pytest.mark.full
def test_face_target_comparison_and_method_are_chosen():
    page = explain()
    assert "Why it looks" in page_text(page)
    page.selectbox(key="target").select("happy").run()
    assert "Evidence for happy" in page_text(page)
    assert "Why it looks" not in page_text(page)
    page.selectbox(key="face").select(2)
    page.selectbox(key="versus").select("sad")
    page.selectbox(key="method").select("occlusion").run()
    assert "Why it looks happy compared with sad" in page_text(page)
    assert not page.exception


@pytest.mark.full
def test_every_view_has_figures():
    page = explain(ASTRONAUT)
    for view in ("Feature maps", "Pooling", "Every layer", "Softmax", "Network"):
        page.button_group(key="view").set_value(view).run()
        assert not page.exception
        assert images(page)


@pytest.mark.full
def test_the_walkthrough_can_be_saved_and_nothing_of_a_cleared_photo_stays():
    page = explain(ASTRONAUT)
    page.button_group(key="view").set_value("Walkthrough").run()
    assert not page.exception
    assert page.get("download_button")
    assert "<html" in page.session_state[WALKTHROUGH][1]
    page.button_group(key="view").set_value("Softmax").run()
    slots = (RESULTS, EXPLANATION, FIGURES, WALKTHROUGH)
    assert all(page.session_state[slot] for slot in slots)
    click(page, "Another photo")
    assert [slot for slot in slots if page.session_state.get(slot)] == []


def test_an_image_without_a_face_has_no_explanation():
    page = create_page_test("explain").run()
    page.file_uploader[0].set_value(gray_file()).run()
    assert page.info[0].value.startswith("No face was found.")


# Videos


@pytest.fixture
def temporary_folder(tmp_path, monkeypatch):
    """The folder for temporary files of the page."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def test_a_video_is_analysed_in_a_folder_that_is_deleted(engine, temporary_folder):
    reports, latest = [], video_page.LatestFrame()
    video = Upload("clip.webm", CLIP.read_bytes())
    report = video_page.analyze_upload(engine, video, 2.0, False, reports.append, latest)
    assert set(report.files) == {
        "report.html",
        "faces.csv",
        "events.csv",
        "subtitles.vtt",
        "timeline.json",
        "annotated.webm",
    }
    assert report.tracks
    assert reports[-1]["frames"] == report.facts["frames"]
    assert latest.pop() is not None
    assert latest.pop() is None
    assert list(temporary_folder.iterdir()) == []


def test_a_damaged_video_is_reported_with_its_own_name(engine, temporary_folder):
    video = Upload("holiday.mp4", b"not a video")
    with pytest.raises(MienError, match=r"holiday\.mp4") as raised:
        video_page.analyze_upload(engine, video, 5.0, False, lambda facts: None)
    assert str(temporary_folder) not in str(raised.value)
    assert list(temporary_folder.iterdir()) == []


@pytest.mark.full
def test_an_exception_of_the_page_cancels_the_video(engine, temporary_folder):
    def stop(facts):
        raise KeyError("a click")

    with pytest.raises(KeyError):
        video_page.analyze_upload(engine, Upload("clip.webm", CLIP.read_bytes()), 2.0, False, stop)
    assert list(temporary_folder.iterdir()) == []


def test_the_timeline_has_a_row_for_each_track_and_the_colours_of_the_labels():
    event = {"track": 2, "emotion": "fear", "start": 0.5, "end": 2.0, "peak": 0.8, "peak_at": 1.0}
    chart = video_page.timeline_chart([event, {**event, "track": 1, "emotion": "happy"}], 3.0)
    assert chart["encoding"]["y"]["sort"] == ["Track 1", "Track 2"]
    assert chart["encoding"]["color"]["scale"] == {
        "domain": ["fear", "happy"],
        "range": [label_colour("fear"), label_colour("happy")],
    }
    assert chart["data"]["values"][0]["description"] == "looks fearful"


# Experiments


@pytest.fixture
def runs_folder(tmp_path, monkeypatch):
    folder = tmp_path / "runs"
    write_finished_run(folder / "narrow", width=32, accuracy=0.55)
    write_finished_run(folder / "wide", seed=1, width=64, accuracy=0.75)
    write_run(folder / "young", 2, planned=9, finished=False)
    monkeypatch.setenv("MIEN_RUNS", str(folder))
    return folder


@pytest.mark.full
def test_runs_are_listed_and_compared_side_by_side(runs_folder):
    page = create_page_test("experiments").run()
    assert not page.exception
    assert list(page.dataframe[0].value["Run"]) == ["narrow", "wide", "young"]
    assert list(page.dataframe[0].value["State"]) == ["finished", "finished", "stopped"]
    assert len(images(page)) == 2  # the curves and the confusion matrix of the first
    page.multiselect(key="run").set_value(["narrow", "wide", "young"]).run()
    assert not page.exception
    assert list(page.dataframe[1].value["model"]) == ["wide", "narrow"]
    assert "significant" in page_text(page)
    assert "not significant" not in page_text(page)
    assert "Available when the run is finished" in page_text(page)
    assert "net.width" in list(page.dataframe[2].value["Setting"])


def test_settings_of_one_run_are_compared_with_the_defaults(runs_folder):
    rows = experiments.compare_settings([run_folder.find_run("wide", runs_folder)])
    assert {"Setting": "net.width", "wide": "64", "default": f"{NetworkSettings().width}"} in rows


def test_an_empty_folder_of_runs_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_RUNS", str(tmp_path / "nothing"))
    page = create_page_test("experiments").run()
    assert not page.exception
    assert "mien train" in page.info[0].value


def test_a_missing_package_is_reported_with_its_extra():
    with pytest.raises(MissingExtra, match="'lab'"), results.require_lab():
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")


# Data


@pytest.mark.full
def test_synthetic_faces_are_reported():
    page = create_page_test("data").run()
    click(page, "Try it with synthetic faces")
    assert not page.exception
    assert page.header[0].value == "Synthetic faces"
    assert json.loads(page.session_state["data report"].numbers)["faces"]


@pytest.mark.full
def test_a_report_of_synthetic_faces_has_page_numbers_and_figures():
    steps = []
    report = data.report_synthetic(steps.append, 140)
    assert json.loads(report.numbers)["faces"]
    assert "<html" in report.page
    assert report.figures.startswith(b"PK")
    assert "checking" in steps


def test_an_uploaded_table_is_refused_under_its_own_name(temporary_folder):
    with pytest.raises(MienError, match=r"mine\.csv") as raised:
        data.report_uploads([Upload("mine.csv", b"a,b\n1,2\n")], lambda step: None)
    assert str(temporary_folder) not in str(raised.value)
    assert list(temporary_folder.iterdir()) == []


def test_a_page_for_other_machines_reads_no_local_paths():
    page = create_page_test("data").run()
    assert len(page.text_input) == 0


# About, camera


def test_the_about_page_has_limitations_and_prohibited_uses():
    page = create_page_test("about").run()
    assert not page.exception
    assert "Not to judge, sort, hire" in page.warning[0].value
    assert "It is often wrong" in page_text(page)


def test_the_camera_opens_after_its_notice():
    page = create_page_test("camera").run()
    assert "Ask the people beside you first" in page_text(page)
    assert not page.get("camera_input")
    click(page, "Open the camera")
    assert len(page.get("camera_input")) == 1


# The file for Streamlit's own command and its cloud


def test_the_example_has_the_page_and_its_settings(monkeypatch):
    from streamlit.testing.v1 import AppTest

    monkeypatch.setenv("MIEN_MAX_PIXELS", "30_000_000")  # the example sets it; here it is removed after the test
    folder, package = EXAMPLES / "streamlit", files("mien.apps.streamlit").joinpath("start")
    page = AppTest.from_file(folder / "streamlit_app.py", default_timeout=60).run()
    assert not page.exception
    assert "Two portraits" in [button.label for button in page.button]
    settings = ".streamlit/config.toml"
    assert (folder / settings).read_text("utf-8") == package.joinpath(settings).read_text("utf-8")
    assert ".[streamlit]" in (folder / "requirements.txt").read_text("utf-8").splitlines()


def test_the_folder_of_the_app_contains_no_other_module():
    """Streamlit puts this folder first on the import path."""
    modules = [file.name for file in Path(str(files("mien.apps.streamlit").joinpath("start"))).glob("*.py")]
    assert modules == ["app.py"]
