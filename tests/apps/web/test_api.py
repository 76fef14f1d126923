"""The API: readings, explanations, activations, DeepFace's format, models, health, metrics, the OpenAPI document."""

import base64
import csv
import io
import json

import numpy as np
import pytest
from jsonschema import Draft202012Validator
from PIL import Image

from mien.apps.web.openapi import openapi_document
from mien.draw import place_tags
from mien.engine import Engine
from mien.labels import EMOTIONS
from web import (
    ASTRONAUT,
    HOPPER,
    PORTRAITS,
    READINGS,
    check_schema,
    form_files,
    image_bytes,
    make_app,
    make_fake_engine,
    post_bytes,
    service_of,
)

EXPLANATIONS, ACTIVATIONS = "/api/v1/explanations", "/api/v1/activations"


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture(scope="module")
def client(app):
    return app.test_client()


@pytest.fixture(scope="module")
def fake_client():
    """For what does not depend on the model."""
    return make_app(make_fake_engine()).test_client()


def decode(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# Readings


def test_reading_equals_the_result_of_the_library(client):
    response = post_bytes(client, PORTRAITS.read_bytes())
    assert response.status_code == 200
    [image] = response.json["images"]
    expected = json.loads(Engine.load(detector="haar").read(PORTRAITS).to_json())
    assert image | {"source": ""} == expected | {"source": ""}
    check_schema("Readings", response.json)


def test_form_with_several_images_reports_the_invalid_one(fake_client):
    data = form_files(("a.png", image_bytes()), ("b.txt", b"hello"), ("c.png", image_bytes()))
    response = fake_client.post(READINGS, data=data)
    assert response.status_code == 200
    first, invalid, last = response.json["images"]
    assert [len(first["faces"]), len(last["faces"])] == [1, 1]
    assert invalid["source"] == "b.txt"
    assert invalid["error"].startswith("'b.txt' is text, not a")
    check_schema("Readings", response.json)


def test_json_accepts_base64_and_data_urls(fake_client):
    data = base64.b64encode(image_bytes()).decode()
    response = fake_client.post(
        READINGS, json={"images": [{"name": "a.png", "data": data}, f"data:image/png;base64,{data}"]}
    )
    assert [image["source"] for image in response.json["images"]] == ["a.png", "image 2"]
    assert all(len(image["faces"]) == 1 for image in response.json["images"])


def test_request_with_only_invalid_images_is_an_error_with_all_messages(fake_client):
    response = fake_client.post(READINGS, data=form_files(("a", b"x"), ("b", b"y")))
    assert response.status_code == 422
    assert response.content_type == "application/problem+json"
    assert [image["source"] for image in response.json["images"]] == ["a", "b"]
    assert response.json["error"] == "SourceUnreadable"
    check_schema("Problem", response.json)


def test_number_of_images_is_limited():
    client = make_app(make_fake_engine(), max_images=2).test_client()
    response = client.post(READINGS, data=form_files(*((f"{i}.png", image_bytes()) for i in range(3))))
    assert (response.status_code, response.json["detail"]) == (413, "The request has 3 images; at most 2 are accepted.")


def test_accept_csv_returns_a_table(client):
    response = post_bytes(client, PORTRAITS.read_bytes(), headers={"Accept": "text/csv"})
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert {row["face"] for row in rows} == {"1", "2"}
    assert set(EMOTIONS) <= set(rows[0])


@pytest.mark.parametrize(("content_type", "file_format"), [("image/jpeg", "JPEG"), ("image/png", "PNG")])
def test_accept_image_returns_the_annotated_image(fake_client, content_type, file_format):
    original = image_bytes(80, 80)
    response = post_bytes(fake_client, original, headers={"Accept": content_type})
    assert (response.content_type, Image.open(io.BytesIO(response.data)).format) == (content_type, file_format)
    assert decode(response.data).shape == (80, 80, 3)
    assert (decode(response.data) != decode(original)).any()


def test_display_width_adds_the_positions_of_labels(client):
    response = post_bytes(client, PORTRAITS.read_bytes(), f"{READINGS}?display_width=480")
    check_schema("Readings", response.json)
    [image] = response.json["images"]
    result = Engine.load(detector="haar").read(PORTRAITS)
    tags = place_tags(result, result.size, numbered=True, pixel_ratio=result.size[0] / 480)
    assert [face.pop("tag") for face in image["faces"]] == [tag.to_dict() for tag in tags]
    assert image["faces"] == result.to_dict()["faces"]
    assert "tag" not in post_bytes(client, PORTRAITS.read_bytes()).json["images"][0]["faces"][0]
    assert post_bytes(client, PORTRAITS.read_bytes(), f"{READINGS}?display_width=0").status_code == 400


def test_accept_of_another_type_is_not_acceptable(fake_client):
    assert post_bytes(fake_client, b"x", headers={"Accept": "audio/mpeg"}).status_code == 406


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("model=bas", 404, "Did you mean 'base'?"),
        ("model=../../etc/passwd", 404, "There is no model"),
        ("detector=harr", 404, "Did you mean 'haar'?"),
        ("min_face=0", 400, "'min_face'"),
        ("min_face=many", 400, "'min_face'"),
    ],
)
def test_invalid_options_are_errors_with_a_suggestion(client, query, status, message):
    response = post_bytes(client, image_bytes(), f"{READINGS}?{query}")
    assert response.status_code == status
    assert message in response.json["detail"]


def test_request_selects_detector_and_smallest_face(client):
    response = post_bytes(client, HOPPER.read_bytes(), f"{READINGS}?detector=none")
    assert response.json["images"][0]["detector"] == "none"
    response = post_bytes(client, ASTRONAUT.read_bytes(), f"{READINGS}?min_face=400")
    assert response.json["images"][0]["faces"] == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\x00b\r\nX-Evil: 1", "abX-Evil: 1"),
        ("n" * 5000, "n" * 120),
        ("Ärger 😀.jpg", "Ärger 😀.jpg"),
    ],
)
def test_file_names_are_cleaned(fake_client, name, source):
    images = [{"name": name, "data": base64.b64encode(image_bytes()).decode()}]
    response = fake_client.post(READINGS, json={"images": images})
    assert response.json["images"][0]["source"] == source
    assert "X-Evil" not in response.headers


def test_file_names_without_printable_characters_are_replaced(fake_client):
    images = [{"name": name, "data": base64.b64encode(image_bytes()).decode()} for name in ("\ud800\u202e", "")]
    response = fake_client.post(READINGS, json={"images": images})
    [source] = {image["source"] for image in response.json["images"]}
    assert source.isprintable()
    assert source


def test_engine_of_the_caller_is_used_for_all_requests(fake_client):
    [image] = post_bytes(fake_client, image_bytes()).json["images"]
    assert (image["model"], image["detector"]) == ("fake", "fake")
    assert fake_client.get("/api/v1/models").json["models"][0]["name"] == "fake"
    assert post_bytes(fake_client, image_bytes(), f"{READINGS}?detector=haar").status_code == 404


# Explanations


def test_explanation_has_arrays_of_maps_and_layers(client):
    response = post_bytes(
        client, HOPPER.read_bytes(), f"{EXPLANATIONS}?methods=cam,occlusion&target=sad&versus=neutral"
    )
    assert response.status_code == 200
    check_schema("Explanations", response.json)
    [explanation] = response.json["explanations"]
    assert (explanation["target"], explanation["versus"]) == ("sad", "neutral")
    assert [each["method"] for each in explanation["arrays"]["maps"]] == ["cam", "occlusion"]
    for layer in explanation["arrays"]["layers"]:
        assert len(base64.b64decode(layer["data"])) == np.prod(layer["shape"])


def test_walkthrough_is_a_page_or_its_body(client):
    response = post_bytes(client, HOPPER.read_bytes(), f"{EXPLANATIONS}?name=h.jpg", headers={"Accept": "text/html"})
    assert response.content_type.startswith("text/html")
    assert "attachment" in response.headers["Content-Disposition"]
    assert "h.jpg" in response.text
    body = post_bytes(client, HOPPER.read_bytes(), f"{EXPLANATIONS}?part=body", headers={"Accept": "text/html"}).text
    assert body.startswith("<div class='walkthrough'")
    assert " style=" not in body


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("face=3", "There is no face number 3"),
        ("methods=camm", "Did you mean 'cam'?"),
        ("target=joyful", "'joyful'"),
        ("layers=stagge1", "has no layer"),
    ],
)
def test_invalid_options_of_explanations_are_errors(client, query, message):
    response = post_bytes(client, HOPPER.read_bytes(), f"{EXPLANATIONS}?{query}")
    assert 400 <= response.status_code < 500
    assert message in response.json["detail"]


def test_image_without_a_face_has_no_explanation(client):
    response = post_bytes(client, image_bytes(200, 200), f"{EXPLANATIONS}?face=all")
    assert response.json["explanations"] == []


def test_activations_come_with_the_reading(client):
    response = post_bytes(client, HOPPER.read_bytes(), f"{ACTIVATIONS}?maps=4")
    check_schema("Activations", response.json)
    activations = response.json["activations"]
    assert activations["emotion"] == response.json["image"]["faces"][0]["emotion"]
    assert max(len(layer["channels"]) for layer in activations["layers"] if len(layer["shape"]) == 3) == 4
    assert post_bytes(client, image_bytes(200, 200), ACTIVATIONS).json["activations"] is None


# DeepFace's format


def data_url(data: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()


def test_analyze_responds_in_the_format_of_deepface(client):
    response = client.post("/analyze", json={"img": data_url(HOPPER.read_bytes()), "actions": ["emotion"]})
    assert response.status_code == 200
    check_schema("DeepFaceResults", response.json)
    [face] = response.json["results"]
    assert set(face["emotion"]) == set(EMOTIONS)
    assert sum(face["emotion"].values()) == pytest.approx(100)
    assert face["dominant_emotion"] == max(face["emotion"], key=face["emotion"].__getitem__)


def test_analyze_accepts_an_upload(client):
    upload = {"img": (io.BytesIO(HOPPER.read_bytes()), "h.jpg"), "actions": '["emotion"]'}
    assert len(client.post("/analyze", data=upload).json["results"]) == 1


@pytest.mark.parametrize("name", ["img", "img_path"])
@pytest.mark.parametrize("value", ["/etc/passwd", "examples/hopper.jpg", "http://127.0.0.1:1/x.jpg", "file:///etc/x"])
def test_analyze_opens_neither_paths_nor_urls(fake_client, value, name):
    response = fake_client.post("/analyze", json={name: value})
    assert response.status_code == 400
    assert "not opened" in response.json["error"]


def test_analyze_rejects_other_actions(fake_client):
    response = fake_client.post("/analyze", json={"img": data_url(HOPPER.read_bytes()), "actions": ["age"]})
    assert (response.status_code, "age" in response.json["error"]) == (400, True)


def test_analyze_without_a_face_depends_on_enforce_detection(client):
    options = {"img": data_url(image_bytes(200, 200, file_format="JPEG"))}
    assert client.post("/analyze", json=options).status_code == 400
    assert len(client.post("/analyze", json={**options, "enforce_detection": False}).json["results"]) == 1


# The service


def test_models_are_listed_with_their_cards(client):
    response = client.get("/api/v1/models")
    check_schema("Models", response.json)
    assert response.json["models"][0]["default"]
    assert response.json["models"][0]["card"]["labels"] == list(EMOTIONS)


def test_readiness_ends_when_the_server_stops(client, app):
    check_schema("Health", client.get("/api/v1/health").json)
    assert client.get("/api/v1/ready").status_code == 200
    service_of(app).stopping.set()
    try:
        response = client.get("/api/v1/ready")
    finally:
        service_of(app).stopping.clear()
    assert (response.status_code, response.json["status"]) == (503, "stopping")
    check_schema("Ready", response.json)


def test_metrics_count_requests_images_faces_and_stages():
    client = make_app().test_client()
    post_bytes(client, ASTRONAUT.read_bytes())
    post_bytes(client, b"not an image")
    lines = client.get("/api/v1/metrics").text.splitlines()
    assert 'mien_requests_total{method="POST",route="/api/v1/readings",status="200"} 1.0' in lines
    assert 'mien_images_total{outcome="failed"} 1.0' in lines
    assert 'mien_faces_total{emotion="happy",model="base"} 1.0' in lines
    for stage in ("wait", "decode", "detect", "score"):
        assert any(line.startswith(f'mien_stage_seconds_count{{stage="{stage}"}}') for line in lines)
    assert "mien_model_faces_total 1.0" in lines
    assert 'mien_videos{state="waiting"} 0.0' in lines
    assert not any("_created" in line for line in lines)


def test_metrics_are_in_the_text_format_of_prometheus(fake_client):
    for line in fake_client.get("/api/v1/metrics").text.splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name.partition("{")[0].replace("_", "").isalnum()
            float(value)


# The OpenAPI document


def test_document_and_routes_are_the_same(app):
    routes = {
        (rule.rule.replace("<id_>", "{id}").partition("<any")[0], method)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
        if rule.rule.startswith(("/api/v1", "/api/openapi", "/analyze"))
    }
    operations = {
        (path.replace("{id}/{name}", "{id}/"), method.upper())
        for path, item in openapi_document()["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert routes == operations


def test_document_is_valid_and_has_all_schemas_that_it_refers_to(fake_client):
    document = fake_client.get("/api/openapi.json").json
    assert document["openapi"].startswith("3.1")
    schemas = document["components"]["schemas"]
    assert set(_references(document)) <= set(schemas)
    for schema in schemas.values():
        Draft202012Validator.check_schema(schema)


def _references(value):
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner.rpartition("/")[2]] if key == "$ref" else _references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _references(inner)
