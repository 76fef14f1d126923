"""The Streamlit page's logic, in Streamlit's own test: uploads, readings, choices, runs, data, and what is refused."""

import json
import os
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

if not os.environ.get("MIEN_REQUIRE_BROWSER"):
    pytest.importorskip("streamlit", reason="the page needs the extra 'streamlit'")

from made_runs import made_run
from mien.apps.streamlit import datasets, engines, image_input, results, video_result
from mien.apps.streamlit import runs as trials
from mien.apps.streamlit.image_input import clean_file_name
from mien.apps.streamlit.results import escape_markdown
from mien.apps.streamlit.session_state import UploadedPhoto
from mien.engine import Engine
from mien.errors import MienError, MissingExtra
from mien.html.images import encode_image
from mien.labels import EMOTIONS, label_colour
from mien.training import run_folder
from mien.training.recipe import NetworkSettings
from streamlit_page import ASTRONAUT, CLIP, EXAMPLES, PORTRAITS, finished_run, page_test, read_in_test
from tiny import tiny_card, tiny_model


@pytest.fixture(autouse=True)
def quiet(monkeypatch, tmp_path):
    """Nothing of whoever runs the tests reaches the page."""
    for name in ("MIEN_MODEL", "MIEN_DETECTOR", "MIEN_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MIEN_DETECTOR", "haar")
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))


def upload(page, *files):
    page.file_uploader[0].set_value(list(files)).run()
    assert not page.exception
    return page


def photo(path: Path):
    return path.name, path.read_bytes(), "image/jpeg"


def said(page) -> str:
    """Everything that stands on the page, as HTML and Markdown."""
    kinds = (page.title, page.header, page.markdown, page.caption, page.info, page.error, page.warning)
    return "\n".join([*(each.value for kind in kinds for each in kind), *(each.body for each in page.get("html"))])


def pictures(page):
    return [*page.get("image"), *page.get("imgs")]


# Photos


def test_an_empty_page_says_what_to_do_and_what_mien_is_not(monkeypatch):
    page = page_test().run()
    assert not page.exception
    assert "What an expression looks like is not what a person feels." in said(page)
    assert "Nothing is kept" in said(page)
    assert [button.label for button in page.button] == ["Two portraits", "An astronaut", "An officer"]


def test_a_sample_is_read_and_put_away():
    page = page_test().run()
    page.button[0].click().run()
    assert "2 faces in one photo" in said(page)
    [clear] = [button for button in page.button if button.label == "Clear"]
    clear.click().run()
    assert "Two portraits" in [button.label for button in page.button]


def test_nothing_of_a_photo_that_is_put_away_stays():
    page = inside_of(ASTRONAUT)
    page.button_group(key="view").set_value("Step by step").run()
    page.button_group(key="view").set_value("Softmax").run()
    made = ("what was read", "face explained", "inside drawn", "walkthrough")
    assert all(page.session_state[slot] for slot in made)
    [another] = [button for button in page.button if button.label == "Another photo"]
    another.click().run()
    assert [slot for slot in made if page.session_state.get(slot)] == []


def test_what_was_read_stays_when_a_photo_joins_and_goes_with_its_own():
    page = upload(page_test().run(), photo(ASTRONAUT))
    [(first, read)] = page.session_state["what was read"].items()
    upload(page, photo(ASTRONAUT), photo(PORTRAITS))
    assert page.session_state["what was read"][first] is read
    assert len(page.session_state["what was read"]) == 2
    upload(page, photo(PORTRAITS))
    assert first not in page.session_state["what was read"]


def test_two_models_of_one_name_read_for_themselves(monkeypatch, tmp_path):
    for name, labels in (("one", ("happy", "sad")), ("two", ("bored", "sad"))):
        (tmp_path / f"{name}.onnx").write_bytes(tiny_model(tiny_card(labels=labels, vote_labels=())))
    both = tuple(str(tmp_path / f"{name}.onnx") for name in ("one", "two"))
    monkeypatch.setattr(engines, "models", lambda: both)
    page = upload(page_test().run(), photo(ASTRONAUT))
    page.selectbox(key="model").select(both[1]).run()
    [read] = page.session_state["what was read"].values()
    assert read.result.readings[0].emotions.labels == ("bored", "sad")


def test_readings_are_the_engines_own():
    engine = Engine.load(detector="haar")
    expected = [{**engine.read(path).to_dict(), "source": path.name} for path in (PORTRAITS, ASTRONAUT)]
    assert read_in_test([PORTRAITS, ASTRONAUT]) == expected


def test_a_card_says_all_that_there_is_to_say():
    page = upload(page_test().run(), photo(PORTRAITS))
    told = said(page)
    assert "looks happy&nbsp;· 9" in told
    assert "Predicted annotator votes" in told
    assert told.count("mien-track'>") >= 2 * len(EMOTIONS)
    assert [button.label for button in page.button].count("See inside") == 2


def test_no_face_and_a_broken_file_are_said_in_their_places():
    gray = encode_image(np.full((40, 40, 3), 128, np.uint8))
    page = upload(
        page_test().run(), ("wall.png", gray, "image/png"), ("torn.jpg", PORTRAITS.read_bytes()[:900], "image/jpeg")
    )
    assert "No face in one photo; 1 could not be read" in said(page)
    assert page.info[0].value.startswith("No face was found.")
    [error] = page.error
    assert "torn" in error.value
    assert "<bytes>" not in error.value


def test_files_are_let_go_when_they_are_replaced_and_when_their_place_is_left(monkeypatch):
    from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
    from streamlit.runtime.uploaded_file_manager import UploadedFileRec

    held = MemoryUploadedFileManager("/upload")
    run = SimpleNamespace(uploaded_file_mgr=held, session_id="visit")
    monkeypatch.setattr(image_input, "get_script_run_ctx", lambda: run)
    monkeypatch.setattr(image_input, "st", SimpleNamespace(session_state={}))
    for name in "abc":
        held.add_file("visit", UploadedFileRec(name, f"{name}.jpg", "image/jpeg", b"..."))
    first, second, third = (SimpleNamespace(file_id=name) for name in "abc")
    image_input.track_uploads("photos", [first, second])
    image_input.track_uploads("film", [third])
    image_input.track_uploads("photos", [second])
    assert set(held.file_storage["visit"]) == {"b", "c"}
    image_input.release_uploads()
    assert set(held.file_storage["visit"]) == set()


def test_another_detector_reads_anew():
    page = upload(page_test().run(), photo(ASTRONAUT))
    page.selectbox(key="detector").select("none").run()
    assert "found by none" in said(page).replace("\\", "")


def test_an_address_chooses_model_and_detector():
    page = page_test()
    page.query_params["detector"] = "none"
    page.query_params["model"] = "no such model"
    page.run()
    assert page.selectbox(key="detector").value == "none"
    assert page.selectbox(key="model").value == "base"


def test_a_model_without_some_labels_works(monkeypatch, tmp_path):
    labels = ("happy", "sad", "bored")
    path = tmp_path / "three.onnx"
    path.write_bytes(tiny_model(tiny_card(labels=labels, vote_labels=())))
    monkeypatch.setenv("MIEN_MODEL", str(path))
    page = upload(page_test().run(), photo(ASTRONAUT))
    told = said(page)
    assert label_colour("bored", labels) in told
    assert "Predicted annotator votes" not in told
    inside = page_test("inside")
    inside.run().button[1].click().run()
    assert not inside.exception
    assert "bored" in inside.selectbox(key="target").options


def test_what_cannot_work_is_a_sentence_and_no_traceback(monkeypatch):
    monkeypatch.setenv("MIEN_DETECTOR", "yunet")
    page = page_test().run()
    page.button[0].click().run()
    assert not page.exception
    assert "mien models pull yunet" in page.error[0].value


def test_names_are_shown_as_they_are():
    assert escape_markdown(
        "![x](http://a.b) *:red[c]* $d$"
    ) == r"\!\[x\]\(http\:\/\/a\.b\) \*\:red\[c\]\* \$d\$".replace(r"\/", "/")
    assert clean_file_name("../../etc/pass\u202ewd\n.jpg") == "passwd.jpg"
    assert clean_file_name("///") == "picture"


def test_a_card_hands_no_markup_through():
    label = "<img src=x onerror=alert(1)>"
    shares = results.render_bars([(label, 0.5)], (label,))
    assert "<img src=x" not in shares
    assert "&lt;img src=x" in shares


# Inside


def inside_of(path: Path = PORTRAITS):
    page = page_test("inside").run()
    page.file_uploader[0].set_value(photo(path)).run()
    assert not page.exception
    return page


def test_inside_is_asked_by_face_expression_and_method():
    page = inside_of()
    assert "Why it looks" in said(page)
    page.selectbox(key="target").select("happy").run()
    assert "Evidence for happy" in said(page)
    assert "Why it looks" not in said(page)
    page.selectbox(key="face").select(2)
    page.selectbox(key="versus").select("sad")
    page.selectbox(key="method").select("occlusion").run()
    assert "Why it looks happy compared with sad" in said(page)
    assert not page.exception


def test_every_view_of_the_inside_has_pictures():
    page = inside_of(ASTRONAUT)
    for view in ("Feature maps", "Pooling", "Every layer", "Softmax", "The network"):
        page.button_group(key="view").set_value(view).run()
        assert not page.exception
        assert pictures(page)


def test_the_way_through_the_network_can_be_saved():
    page = inside_of(ASTRONAUT)
    page.button_group(key="view").set_value("Step by step").run()
    assert not page.exception
    assert page.get("download_button")
    assert "How a network reads this face" in page.session_state["walkthrough"][1]


def test_a_picture_without_a_face_has_no_inside():
    page = page_test("inside").run()
    page.file_uploader[0].set_value(("wall.png", encode_image(np.full((40, 40, 3), 90, np.uint8)), "image/png")).run()
    assert page.info[0].value.startswith("No face was found.")


# Films


def test_a_film_is_read_in_a_folder_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard, seen = [], []
    engine = Engine.load(detector="haar")
    film = video_result.analyze_upload(
        engine, UploadedPhoto("clip.webm", CLIP.read_bytes()), 2.0, False, heard.append, seen.append
    )
    assert set(film.files) == {"report.html", "faces.csv", "events.csv", "subtitles.vtt", "film.webm"}
    assert film.people
    assert heard[-1]["frames"] == film.facts["frames"] == len(seen)
    assert list(tmp_path.iterdir()) == []


def test_a_film_that_is_none_is_named_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    engine = Engine.load(detector="haar")
    with pytest.raises(MienError, match=r"holiday\.mp4") as caught:
        video_result.analyze_upload(
            engine, UploadedPhoto("holiday.mp4", b"no film at all"), 5.0, False, lambda _: None, lambda _: None
        )
    assert "mien-film" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_timeline_has_a_row_for_each_person_and_the_colours_of_the_labels():
    event = {"person": 2, "label": "fear", "start": 0.5, "end": 2.0, "peak": 0.8, "peak_at": 1.0}
    drawn = video_result.timeline_chart([event, {**event, "person": 1, "label": "happy"}], 3.0)
    assert drawn["encoding"]["y"]["sort"] == ["Person 1", "Person 2"]
    assert drawn["encoding"]["color"]["scale"] == {
        "domain": ["fear", "happy"],
        "range": [label_colour("fear"), label_colour("happy")],
    }
    assert drawn["data"]["values"][0]["looked"] == "looks afraid"


# Experiments


@pytest.fixture
def runs(tmp_path, monkeypatch):
    home = tmp_path / "runs"
    finished_run(home / "narrow", width=32, right=0.55)
    finished_run(home / "wide", seed=1, width=64, right=0.75)
    made_run(home / "young", 2, planned=9, finished=False)
    monkeypatch.setenv("MIEN_RUNS", str(home))
    return home


def test_runs_are_listed_and_one_is_looked_at(runs):
    page = page_test("experiments").run()
    assert not page.exception
    assert list(page.dataframe[0].value["Run"]) == ["narrow", "wide", "young"]
    assert list(page.dataframe[0].value["State"]) == ["finished", "finished", "stopped"]
    assert len(pictures(page)) == 2  # curves and confusion


def test_runs_are_compared_side_by_side(runs):
    page = page_test("experiments").run()
    page.multiselect(key="run").set_value(["narrow", "wide", "young"]).run()
    assert not page.exception
    compared = page.dataframe[1].value
    assert list(compared["model"]) == ["wide", "narrow"]
    assert "significant" in said(page)
    assert "not significant" not in said(page)
    assert "Drawn when the run is finished" in said(page)
    assert "net.width" in list(page.dataframe[2].value["Setting"])


def test_settings_of_one_run_stand_beside_the_usual_ones(runs):
    rows = trials.compare_settings([run_folder.find_run("wide", runs)])
    assert {"Setting": "net.width", "wide": "64", "usual": f"{NetworkSettings().width}"} in rows


def test_no_runs_is_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_RUNS", str(tmp_path / "nothing"))
    page = page_test("experiments").run()
    assert not page.exception
    assert "mien train" in page.info[0].value


def test_a_missing_laboratory_is_named():
    def missing():
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")

    with pytest.raises(MissingExtra, match="'lab'"), trials.require_lab():
        missing()


# Data


def test_drawn_faces_are_reported_on(monkeypatch):
    monkeypatch.setattr(datasets, "DRAWN", 140)
    page = page_test("data").run()
    next(button for button in page.button if button.label == "Try it with drawn faces").click().run()
    assert not page.exception
    assert page.header[0].value == "Drawn faces"
    assert json.loads(page.session_state["data report"].table)["faces"]


def test_a_sent_table_is_refused_in_its_own_name():
    page = page_test("data").run()
    page.file_uploader[0].set_value([("mine.csv", b"a,b\n1,2\n", "text/csv")])
    next(button for button in page.button if button.label == "Make the report").click().run()
    assert not page.exception
    [error] = page.error
    assert "mine" in error.value
    assert "mien-data" not in error.value.replace("\\", "")


def test_only_a_page_for_this_computer_reads_its_paths():
    page = page_test("data").run()
    assert len(page.text_input) == 0


# About


def test_limits_and_uses_stand_in_plain_sight():
    page = page_test("about").run()
    assert not page.exception
    assert "Not to judge, sort, hire" in page.warning[0].value
    assert "It is wrong often" in said(page)


def test_the_camera_is_closed_until_somebody_has_read_the_notice():
    page = page_test("camera").run()
    assert "Ask those beside you first" in said(page)
    assert not page.get("camera_input")
    page.button[0].click().run()
    assert len(page.get("camera_input")) == 1


# The file for Streamlit's own command and its cloud


def test_the_example_shows_the_page_with_the_settings_of_the_page():
    from streamlit.testing.v1 import AppTest

    folder, own = EXAMPLES / "streamlit", files("mien.apps.streamlit.start")
    page = AppTest.from_file(folder / "streamlit_app.py", default_timeout=60).run()
    assert not page.exception
    assert "Two portraits" in [button.label for button in page.button]
    settings = ".streamlit/config.toml"
    assert (folder / settings).read_text("utf-8") == own.joinpath(settings).read_text("utf-8")
    assert ".[streamlit]" in (folder / "requirements.txt").read_text("utf-8").splitlines()


def test_streamlits_own_command_finds_the_library_and_not_the_room(tmp_path):
    """The folder of the file comes first when Streamlit imports: nothing but the file may lie in it."""
    lying = [each.name for each in Path(str(files("mien.apps.streamlit.start"))).iterdir() if each.suffix == ".py"]
    assert sorted(lying) == ["__init__.py", "app.py"]
