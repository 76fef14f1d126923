"""The service: readings in every shape, explanations, models, DeepFace's shape, and what is told of the service."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from mien.apps.web.openapi import openapi_document
from mien.engine import Engine
from mien.labels import EMOTIONS
from web import ASTRONAUT, HOPPER, PORTRAITS, READINGS, app_of, fake_engine, picture, send, service, upload


@pytest.fixture(scope="module")
def app():
    return app_of()


@pytest.fixture
def client(app):
    return app.test_client()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def fits(name, value):
    """The answer is what the description says."""
    known = openapi_document()
    schema = {"$ref": f"#/components/schemas/{name}", "components": known["components"]}
    errors = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)]
    assert errors == []


# Readings


def test_a_reading_is_what_predict_prints(client):
    answer = send(client, PORTRAITS.read_bytes())
    assert answer.status_code == 200
    [told] = answer.json["pictures"]
    printed = json.loads(Engine.load(detector="haar").read(PORTRAITS).to_json())
    assert told | {"source": ""} == printed | {"source": ""}
    fits("Readings", answer.json)


def test_a_form_brings_several_and_a_bad_one_is_an_entry(client):
    data = upload(("a.jpg", ASTRONAUT.read_bytes()), ("b.txt", b"hello"), ("c.jpg", HOPPER.read_bytes()))
    answer = client.post(READINGS, data=data)
    assert answer.status_code == 200
    first, bad, last = answer.json["pictures"]
    assert [len(first["faces"]), len(last["faces"])] == [1, 1]
    assert bad["source"] == "b.txt"
    assert bad["error"].startswith("'b.txt' is text, not a picture")
    fits("Readings", answer.json)


def test_json_brings_base64_with_and_without_its_address(client):
    plain = base64.b64encode(ASTRONAUT.read_bytes()).decode()
    told = {"pictures": [{"name": "a.jpg", "data": plain}, f"data:image/jpeg;base64,{plain}"]}
    answer = client.post(READINGS, json=told)
    assert [each["source"] for each in answer.json["pictures"]] == ["a.jpg", "picture 2"]
    assert all(len(each["faces"]) == 1 for each in answer.json["pictures"])


def test_all_bad_is_a_problem_that_names_each(client):
    answer = client.post(READINGS, data=upload(("a", b"x"), ("b", b"y")))
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    assert [each["source"] for each in answer.json["pictures"]] == ["a", "b"]
    assert answer.json["error"] == "SourceUnreadable"
    fits("Problem", answer.json)


def test_a_table_is_asked_for_by_accept(client):
    answer = send(client, PORTRAITS.read_bytes(), headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["face"] for row in rows} == {"1", "2"}
    assert set(EMOTIONS) <= set(rows[0])


@pytest.mark.parametrize(("kind", "form"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
def test_a_painted_picture_is_asked_for_by_accept(client, kind, form):
    answer = send(client, ASTRONAUT.read_bytes(), headers={"Accept": kind})
    before, painted = pixels(ASTRONAUT.read_bytes()), pixels(answer.data)
    assert (answer.content_type, Image.open(io.BytesIO(answer.data)).format) == (kind, form)
    assert painted.shape == before.shape
    assert (painted != before).any()


def test_what_nobody_can_answer_with_is_406(client):
    assert send(client, b"x", headers={"Accept": "audio/mpeg"}).status_code == 406


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("model=bas", 404, "Did you mean 'base'?"),
        ("model=../../etc/passwd", 404, "There is no model"),
        ("detector=harr", 404, "Did you mean 'haar'?"),
        ("min_face=0", 400, "'min_face'"),
        ("min_face=many", 400, "'min_face'"),
    ],
)
def test_wrong_words_are_answered_with_advice(client, query, status, said):
    answer = send(client, ASTRONAUT.read_bytes(), f"{READINGS}?{query}")
    assert answer.status_code == status
    assert said in answer.json["detail"]


def test_a_request_may_name_its_detector(client):
    answer = send(client, HOPPER.read_bytes(), f"{READINGS}?detector=none")
    assert answer.json["pictures"][0]["detector"] == "none"


def test_the_smallest_face_is_passed_on(client):
    answer = send(client, ASTRONAUT.read_bytes(), f"{READINGS}?min_face=400")
    assert answer.json["pictures"][0]["faces"] == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\x00b\r\nX-Evil: 1", "abX-Evil: 1"),
        ("\ud800\u202e", "picture"),
        ("", "picture"),
        ("n" * 5000, "n" * 120),
        ("Ärger 😀.jpg", "Ärger 😀.jpg"),
    ],
)
def test_names_are_shown_made_harmless(client, name, shown):
    told = {"pictures": [{"name": name, "data": base64.b64encode(picture()).decode()}]}
    answer = client.post(READINGS, json=told)
    assert answer.json["pictures"][0]["source"] == shown
    assert "X-Evil" not in answer.headers


# Inside


def test_an_explanation_has_its_arrays(client):
    answer = send(client, HOPPER.read_bytes(), "/api/v1/explanations?methods=cam,occlusion&target=sad&versus=neutral")
    assert answer.status_code == 200
    fits("Explanations", answer.json)
    [told] = answer.json["explanations"]
    assert (told["target"], told["versus"]) == ("sad", "neutral")
    assert [each["method"] for each in told["arrays"]["maps"]] == ["cam", "occlusion"]
    for layer in told["arrays"]["layers"]:
        size = len(base64.b64decode(layer["data"]))
        assert size == layer["shape"][0] * max(layer["shape"][1:] or [1]) ** 2 if len(layer["shape"]) == 3 else size > 0


def test_the_walkthrough_comes_as_a_page(client):
    answer = send(client, HOPPER.read_bytes(), "/api/v1/explanations?name=h.jpg", headers={"Accept": "text/html"})
    assert answer.content_type.startswith("text/html")
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "h.jpg" in answer.text
    part = send(client, HOPPER.read_bytes(), "/api/v1/explanations?part=body", headers={"Accept": "text/html"})
    assert part.text.startswith("<div class='walkthrough'")
    assert " style=" not in part.text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("face=3", "There is no face number 3"),
        ("methods=camm", "Did you mean 'cam'?"),
        ("target=joyful", "does not know the expression"),
        ("layers=stagge1", "has no layer"),
    ],
)
def test_wrong_questions_are_answered_with_advice(client, query, said):
    answer = send(client, HOPPER.read_bytes(), f"/api/v1/explanations?{query}")
    assert 400 <= answer.status_code < 500
    assert said in answer.json["detail"]


def test_a_picture_without_a_face_has_no_explanation(client):
    answer = send(client, picture(200, 200), "/api/v1/explanations?face=all")
    assert answer.json["explanations"] == []


def test_a_look_brings_reading_and_inside_at_once(client):
    answer = send(client, HOPPER.read_bytes(), "/api/v1/looks?maps=4")
    fits("Look", answer.json)
    assert answer.json["look"]["emotion"] == answer.json["picture"]["faces"][0]["emotion"]
    assert max(len(each["channels"]) for each in answer.json["look"]["layers"] if len(each["shape"]) == 3) == 4
    assert send(client, picture(200, 200), "/api/v1/looks").json["look"] is None


# DeepFace's shape


def data_address(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def test_analyze_answers_in_deepface_s_shape(client):
    answer = client.post("/analyze", json={"img": data_address(HOPPER.read_bytes()), "actions": ["emotion"]})
    assert answer.status_code == 200
    fits("DeepFaceResults", answer.json)
    [face] = answer.json["results"]
    assert set(face["emotion"]) == set(EMOTIONS)
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["dominant_emotion"] == max(face["emotion"], key=face["emotion"].__getitem__)


def test_analyze_takes_an_upload(client):
    answer = client.post("/analyze", data={"img": (io.BytesIO(HOPPER.read_bytes()), "h.jpg"), "actions": '["emotion"]'})
    assert len(answer.json["results"]) == 1


@pytest.mark.parametrize(
    "img", ["/etc/passwd", "examples/hopper.jpg", "http://127.0.0.1:1/x.jpg", "file:///etc/passwd"]
)
@pytest.mark.parametrize("word", ["img", "img_path"])
def test_analyze_opens_no_path_and_no_address(client, img, word):
    answer = client.post("/analyze", json={word: img})
    assert answer.status_code == 400
    assert "never opened" in answer.json["error"]


def test_analyze_refuses_what_mien_does_not_judge(client):
    answer = client.post("/analyze", json={"img": data_address(HOPPER.read_bytes()), "actions": ["age"]})
    assert (answer.status_code, "age" in answer.json["error"]) == (400, True)


def test_analyze_without_a_face_is_an_error_unless_it_may_be(client):
    told = {"img": data_address(picture(200, 200, form="JPEG"))}
    assert client.post("/analyze", json=told).status_code == 400
    assert len(client.post("/analyze", json={**told, "enforce_detection": False}).json["results"]) == 1


# The service itself


def test_models_tell_their_cards(client):
    answer = client.get("/api/v1/models")
    fits("Models", answer.json)
    assert answer.json["models"][0]["default"]
    assert answer.json["models"][0]["card"]["labels"] == list(EMOTIONS)


def test_health_and_readiness(client, app):
    fits("Health", client.get("/api/v1/health").json)
    assert client.get("/api/v1/ready").status_code == 200
    service(app).leaving.set()
    try:
        answer = client.get("/api/v1/ready")
    finally:
        service(app).leaving.clear()
    assert (answer.status_code, answer.json["status"]) == (503, "leaving")
    fits("Ready", answer.json)


def test_metrics_count_what_happened():
    client = app_of().test_client()
    send(client, ASTRONAUT.read_bytes())
    send(client, b"no picture")
    lines = client.get("/api/v1/metrics").text.splitlines()
    assert 'mien_requests_total{method="POST",route="/api/v1/readings",status="200"} 1.0' in lines
    assert 'mien_pictures_total{outcome="failed"} 1.0' in lines
    assert 'mien_faces_total{expression="happy",model="base"} 1.0' in lines
    for stage in ("wait", "decode", "detect", "score"):
        assert any(line.startswith(f'mien_stage_seconds_count{{stage="{stage}"}}') for line in lines)
    assert "mien_model_faces_total 1.0" in lines
    assert not any("_created" in line for line in lines)


def test_prometheus_can_read_the_metrics(client):
    for line in client.get("/api/v1/metrics").text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name.partition("{")[0].replace("_", "").isalnum()
            float(value)


def test_an_engine_of_one_s_own_answers():
    client = app_of(fake_engine()).test_client()
    [told] = send(client, picture()).json["pictures"]
    assert (told["model"], told["detector"]) == ("fake", "fake")
    assert client.get("/api/v1/models").json["models"][0]["name"] == "fake"
    assert send(client, picture(), f"{READINGS}?detector=haar").status_code == 404


# The description


def test_every_route_is_described_and_every_description_has_a_route(app):
    ours = {
        (rule.rule.replace("<id_>", "{id}").partition("<any")[0], method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/v1", "/api/openapi", "/analyze"))
    }
    told = {
        (path.replace("{id}/{name}", "{id}/"), verb.upper())
        for path, item in openapi_document()["paths"].items()
        for verb in item
        if verb != "parameters"
    }
    assert ours == told


def test_the_description_holds_together(client):
    known = client.get("/api/openapi.json").json
    assert known["openapi"].startswith("3.1")
    names = set(known["components"]["schemas"])
    used = set(_refs(known))
    assert used <= names
    for name in names:
        Draft202012Validator.check_schema(known["components"]["schemas"][name])


def _refs(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner.rpartition("/")[2]] if key == "$ref" else _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)
