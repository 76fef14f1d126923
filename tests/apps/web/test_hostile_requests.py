"""Hostile requests: each gets a 4xx response with a message, and does not affect the next request."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from web import ASTRONAUT, READINGS, image_bytes, make_app, multipart_form, post_bytes

pytestmark = pytest.mark.full


@pytest.fixture(scope="module")
def app():
    return make_app(max_pixels=2_000_000, max_bytes=3_000_000)


@pytest.fixture
def client(app):
    client = app.test_client()
    yield client
    response = post_bytes(client, ASTRONAUT.read_bytes())
    assert (response.status_code, len(response.json["images"][0]["faces"])) == (200, 1)


def check_rejected(response, *statuses):
    """The message of a response that has one of the statuses, by default any 4xx."""
    assert response.status_code in (statuses or range(400, 500)), response.text[:300]
    assert response.content_type == "application/problem+json"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    message = response.json["detail"]
    assert message
    assert len(message) < 1200
    assert "Traceback" not in response.text
    assert "site-packages" not in response.text
    return message


def png_with_size(width: int, height: int) -> bytes:
    """A PNG whose header has this size, without the pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def decompression_bomb() -> bytes:
    """A few kilobytes that become hundreds of megabytes when they are decoded."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG", compress_level=9)
    return stream.getvalue()


HTML = b"<!doctype html><script>alert(1)</script>"
JPEG = image_bytes(64, 64, file_format="JPEG")

INVALID = {
    "nothing but zeros": b"\0" * 10_000,
    "a page": HTML,
    "a script after a GIF signature": b"GIF89a" + HTML,
    "a program": b"\x7fELF" + b"\0" * 100,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "svg with an entity bomb": b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aa'>]><svg>&a;</svg>",
    "a zip": b"PK\x03\x04" + b"\0" * 100,
    "a playlist": b"#EXTM3U\nfile:///etc/passwd\n",
    "a cut JPEG": ASTRONAUT.read_bytes()[:9000],
    "a cut PNG": image_bytes(400, 400)[:60],
    "a TIFF that points outside": b"II*\0\xff\xff\xff\x7f",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n",
    "imagemagick's own": b"push graphic-context\nfill 'url(https://example.org/|id)'\npop graphic-context",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in INVALID.items()])
@pytest.mark.parametrize("path", [READINGS, "/api/v1/explanations", "/api/v1/activations"])
def test_files_that_are_not_images_are_rejected_by_their_content(client, data, path):
    check_rejected(post_bytes(client, data, path), 422)


@pytest.mark.parametrize(
    "data", [png_with_size(60_000, 60_000), png_with_size(2**31 - 1, 2**31 - 1), decompression_bomb()]
)
def test_decompression_bomb_is_rejected_before_decoding(client, data):
    message = check_rejected(post_bytes(client, data), 413, 422)
    assert "too large" in message or "damaged" in message


def test_polyglot_file_is_decoded_by_its_beginning(client):
    response = post_bytes(client, JPEG + b"PK\x03\x04" + HTML)
    assert response.status_code == 200
    assert response.content_type == "application/json"


def test_file_suffix_and_declared_type_are_ignored(client):
    form = {"file": (io.BytesIO(JPEG), "x.exe", "application/x-msdownload")}
    assert client.post(READINGS, data=form).status_code == 200
    check_rejected(client.post(READINGS, data={"file": (io.BytesIO(HTML), "x.jpg", "image/jpeg")}), 422)


def test_too_large_requests_are_rejected(client):
    check_rejected(post_bytes(client, b"\xff\xd8\xff" + b"\0" * 4_000_000), 413)
    check_rejected(client.post(READINGS, **multipart_form(("a.jpg", b"\0" * 4_000_000))), 413)


def test_forms_with_too_many_files_are_rejected(client):
    check_rejected(client.post(READINGS, **multipart_form(*[(f"{i}.png", b"x") for i in range(10_000)])), 413)
    check_rejected(client.post(READINGS, **multipart_form(*[(f"{i}.png", image_bytes()) for i in range(40)])), 413)


def test_forms_with_too_many_fields_are_rejected(client):
    check_rejected(client.post(READINGS, **multipart_form(("a", b"x"), **{f"f{i}": "x" for i in range(10_000)})), 413)


def test_forms_with_a_very_long_field_are_rejected(client):
    check_rejected(client.post(READINGS, **multipart_form(("a", b"x"), x="y" * 1_000_000)), 413)


@pytest.mark.parametrize(
    "body",
    [
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\nno end",
        b"--x\r\nContent-Disposition: form-data\r\n\r\nno name\r\n--x--\r\n",
        b"--x\r\n\r\n\r\n--x--\r\n",
        b"--y\r\nContent-Disposition: form-data; name=file\r\n\r\nwrong boundary\r\n--y--\r\n",
        b"--x\r\nContent-Disposition: form-data; name=file; filename*=UTF-8''%00%ff\r\n\r\nz\r\n--x--\r\n",
        b"--x--\r\n",
        b"",
        b"\0" * 5000,
    ],
)
def test_malformed_forms_are_rejected(client, body):
    check_rejected(client.post(READINGS, data=body, content_type="multipart/form-data; boundary=x"), 400, 413, 422)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\u20ac"]
)
def test_forms_without_a_boundary_are_rejected(client, kind):
    check_rejected(
        client.post(READINGS, data=b"--x--", content_type=kind.encode("latin-1", "replace").decode("latin-1")), 400, 413
    )


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"images":' + "[" * 200_000 + "]" * 200_000 + "}",
        "{",
        "null",
        "[]",
        "{}",
        '{"images": []}',
        '{"images": "x"}',
        '{"images": [1]}',
        '{"images": [null]}',
        '{"images": [{"data": 5}]}',
        '{"images": [{"name": "a"}]}',
        '{"images": ["not base64!"]}',
        '{"images": ["data:image/png,plain"]}',
        '{"images": ["data:image/png;base64,####"]}',
        '{"images": ["\\ud800"]}',
        '{"images": ["AA=A"]}',
        '{"images": ["http://127.0.0.1/x.jpg"]}',
        '{"images": ["/etc/passwd"]}',
        '{"images": [""]}',
        '{"images": NaN}',
        "\ufeff{}",
        '{"images": 1' + "0" * 10_000 + "}",
    ],
)
def test_invalid_json_is_rejected(client, body):
    check_rejected(client.post(READINGS, data=body.encode(), content_type="application/json"), 400, 413, 422)


def test_large_json_is_rejected(client):
    body = json.dumps({"images": ["A" * 5_000_000]})
    check_rejected(client.post(READINGS, data=body, content_type="application/json"), 413)


def test_bodies_of_other_encodings_and_types_are_rejected(client):
    check_rejected(client.post(READINGS, data=b"\xff\xfe\x00", content_type="application/json"), 400)
    check_rejected(client.post(READINGS, data=b"x=1", content_type="application/x-www-form-urlencoded"), 415)
    check_rejected(client.post(READINGS, content_type="image/png"), 400)


@pytest.mark.parametrize(
    "query",
    ["name=" + "%00" * 10, "name=%0d%0aSet-Cookie:x", "model=%00", "detector=%ff%fe", "min_face=١٢", "min_face=1e9"],
)
def test_query_cannot_add_headers(client, query):
    response = client.post(f"{READINGS}?{query}", data=JPEG, content_type="image/jpeg")
    assert response.status_code == 200 or check_rejected(response)
    assert "Set-Cookie" not in response.headers


@pytest.mark.parametrize(
    "path",
    [
        "/assets/x/../../settings.py",
        "/assets/x/..%2f..%2fsettings.py",
        "/assets/x//etc/passwd",
        "/assets/x/%2e%2e/%2e%2e/settings.py",
        "/assets/x/web.css",
        "/static/web.css",
        "/api/v1/videos/../models",
        "/api/v1/videos/x/film",
        "/api/v1/videos/%2e%2e/report.html",
        "/.git/config",
    ],
)
def test_paths_outside_of_the_assets_are_not_served(client, path):
    check_rejected(client.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PROPFIND", "DELETE"])
def test_unsupported_methods_are_rejected(client, method):
    check_rejected(client.open(READINGS, method=method), 405)


def test_images_of_extreme_shapes_are_accepted(client):
    for size in ((1, 1), (1, 2000), (2000, 1), (1414, 1414)):
        assert post_bytes(client, image_bytes(*size)).status_code == 200


def test_damaged_images_never_cause_a_server_error(client):
    random = np.random.default_rng(0)
    whole = bytearray(ASTRONAUT.read_bytes())
    for _ in range(40):
        damaged = bytearray(whole)
        for place in random.integers(0, len(damaged), 30):
            damaged[place] = random.integers(0, 256)
        assert post_bytes(client, bytes(damaged)).status_code in (200, 413, 422)


def test_analyze_rejects_invalid_images(client):
    for body in ({}, {"img": 5}, {"img": ""}, {"img": "data:image/png;base64,!"}, {"img": "data:image/png,x"}, []):
        response = client.post("/analyze", json=body)
        assert 400 <= response.status_code < 500
        assert response.json["error"]
    bomb = base64.b64encode(decompression_bomb()).decode()
    assert client.post("/analyze", json={"img": f"data:image/png;base64,{bomb}"}).status_code == 413


@pytest.mark.parametrize("entry", [b'{"data":"A"},', b"[],", b'"",'])
def test_json_with_a_million_entries_is_refused_before_it_is_parsed(entry, monkeypatch):
    body = b'{"images": [' + entry * 1_000_000 + b'""]}'
    client = make_app().test_client()

    def parse(text):
        raise AssertionError("the JSON is parsed")

    monkeypatch.setattr("mien.apps.web.uploads.json.loads", parse)
    answer = client.post(READINGS, data=body, content_type="application/json")
    assert answer.status_code == 413
    assert "too many entries" in answer.get_data(as_text=True)
