"""What is sent to hurt: each is answered with a 4xx and one sentence, and the next request as if nothing had been."""

import base64
import io
import json
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from web import ASTRONAUT, READINGS, app_of, form, picture, send


@pytest.fixture(scope="module")
def app():
    return app_of(max_pixels=2_000_000, max_bytes=3_000_000)


@pytest.fixture
def client(app):
    client = app.test_client()
    yield client
    answer = send(client, ASTRONAUT.read_bytes())
    assert (answer.status_code, len(answer.json["pictures"][0]["faces"])) == (200, 1)


def refused(answer, *statuses):
    assert answer.status_code in (statuses or range(400, 500)), answer.text[:300]
    assert answer.content_type == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    told = answer.json["detail"]
    assert told
    assert len(told) < 1200
    assert "Traceback" not in answer.text
    assert "site-packages" not in answer.text
    return told


def png_of_size(width: int, height: int) -> bytes:
    """A header that promises a large picture, and nothing behind it."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")
    )


def real_bomb() -> bytes:
    """A few kilobytes that are hundreds of megabytes when they are decoded."""
    stream = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(stream, "PNG", compress_level=9)
    return stream.getvalue()


HTML = b"<!doctype html><script>alert(1)</script>"
JPEG = picture(64, 64, form="JPEG")

BAD = {
    "nothing but zeros": b"\0" * 10_000,
    "a page": HTML,
    "a script in a picture's coat": b"GIF89a" + HTML,
    "a program": b"\x7fELF" + b"\0" * 100,
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "svg with an entity bomb": b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'aa'>]><svg>&a;</svg>",
    "a zip": b"PK\x03\x04" + b"\0" * 100,
    "a playlist": b"#EXTM3U\nfile:///etc/passwd\n",
    "a cut JPEG": ASTRONAUT.read_bytes()[:9000],
    "a cut PNG": picture(400, 400)[:60],
    "a TIFF that points outside": b"II*\0\xff\xff\xff\x7f",
    "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n(/etc/passwd) run\n",
    "imagemagick's own": b"push graphic-context\nfill 'url(https://example.org/|id)'\npop graphic-context",
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in BAD.items()])
@pytest.mark.parametrize("path", [READINGS, "/api/v1/explanations", "/api/v1/looks"])
def test_what_is_no_picture_is_refused_by_its_content(client, data, path):
    refused(send(client, data, path), 422)


@pytest.mark.parametrize("data", [png_of_size(60_000, 60_000), png_of_size(2**31 - 1, 2**31 - 1), real_bomb()])
def test_a_bomb_is_refused_before_it_is_decoded(client, data):
    told = refused(send(client, data), 413, 422)
    assert "too large" in told or "damaged" in told


def test_a_polyglot_is_read_as_what_it_begins_as(client):
    answer = send(client, JPEG + b"PK\x03\x04" + HTML)
    assert answer.status_code == 200
    assert answer.content_type == "application/json"


def test_the_suffix_and_the_declared_kind_decide_nothing(client):
    sent = {"file": (io.BytesIO(JPEG), "x.exe", "application/x-msdownload")}
    assert client.post(READINGS, data=sent).status_code == 200
    refused(client.post(READINGS, data={"file": (io.BytesIO(HTML), "x.jpg", "image/jpeg")}), 422)


def test_too_many_bytes(client):
    refused(send(client, b"\xff\xd8\xff" + b"\0" * 4_000_000), 413)
    refused(client.post(READINGS, **form(("a.jpg", b"\0" * 4_000_000))), 413)


def test_too_many_parts(client):
    refused(client.post(READINGS, **form(*[(f"{i}.png", b"x") for i in range(10_000)])), 413)
    refused(client.post(READINGS, **form(*[(f"{i}.png", picture()) for i in range(40)])), 413)


def test_ten_thousand_fields(client):
    refused(client.post(READINGS, **form(("a", b"x"), **{f"f{i}": "x" for i in range(10_000)})), 413)


def test_a_field_that_does_not_end(client):
    refused(client.post(READINGS, **form(("a", b"x"), x="y" * 1_000_000)), 413)


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
def test_forms_that_are_torn(client, body):
    refused(client.post(READINGS, data=body, content_type="multipart/form-data; boundary=x"), 400, 413, 422)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\u20ac"]
)
def test_forms_without_a_boundary(client, kind):
    refused(
        client.post(READINGS, data=b"--x--", content_type=kind.encode("latin-1", "replace").decode("latin-1")), 400, 413
    )


@pytest.mark.parametrize(
    "body",
    [
        "[" * 100_000,
        '{"pictures":' + "[" * 200_000 + "]" * 200_000 + "}",
        "{",
        "null",
        "[]",
        "{}",
        '{"pictures": []}',
        '{"pictures": "x"}',
        '{"pictures": [1]}',
        '{"pictures": [null]}',
        '{"pictures": [{"data": 5}]}',
        '{"pictures": [{"name": "a"}]}',
        '{"pictures": ["not base64!"]}',
        '{"pictures": ["data:image/png,plain"]}',
        '{"pictures": ["data:image/png;base64,####"]}',
        '{"pictures": ["\\ud800"]}',
        '{"pictures": ["AA=A"]}',
        '{"pictures": ["http://127.0.0.1/x.jpg"]}',
        '{"pictures": ["/etc/passwd"]}',
        '{"pictures": [""]}',
        '{"pictures": NaN}',
        "\ufeff{}",
        '{"pictures": 1' + "0" * 10_000 + "}",
    ],
)
def test_json_that_is_none_or_another(client, body):
    refused(client.post(READINGS, data=body.encode(), content_type="application/json"), 400, 422)


def test_huge_json(client):
    told = json.dumps({"pictures": ["A" * 5_000_000]})
    refused(client.post(READINGS, data=told, content_type="application/json"), 413)


def test_json_in_another_encoding_and_none_at_all(client):
    refused(client.post(READINGS, data=b"\xff\xfe\x00", content_type="application/json"), 400)
    refused(client.post(READINGS, data=b"x=1", content_type="application/x-www-form-urlencoded"), 415)
    refused(client.post(READINGS, content_type="image/png"), 400)


@pytest.mark.parametrize(
    "query",
    ["name=" + "%00" * 10, "name=%0d%0aSet-Cookie:x", "model=%00", "detector=%ff%fe", "min_face=١٢", "min_face=1e9"],
)
def test_queries_that_smuggle(client, query):
    answer = client.post(f"{READINGS}?{query}", data=JPEG, content_type="image/jpeg")
    assert answer.status_code == 200 or refused(answer)
    assert "Set-Cookie" not in answer.headers


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
def test_paths_that_climb(client, path):
    refused(client.get(path), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "TRACE", "PROPFIND", "DELETE"])
def test_methods_that_are_not_there(client, method):
    refused(client.open(READINGS, method=method), 405)


def test_pictures_of_every_shape_pass(client):
    for size in ((1, 1), (1, 2000), (2000, 1), (1414, 1414)):
        assert send(client, picture(*size)).status_code == 200


def test_noise_never_brings_it_down(client):
    random = np.random.default_rng(0)
    whole = bytearray(ASTRONAUT.read_bytes())
    for _ in range(40):
        spoilt = bytearray(whole)
        for place in random.integers(0, len(spoilt), 30):
            spoilt[place] = random.integers(0, 256)
        assert send(client, bytes(spoilt)).status_code in (200, 413, 422)


def test_analyze_is_as_careful(client):
    for told in ({}, {"img": 5}, {"img": ""}, {"img": "data:image/png;base64,!"}, {"img": "data:image/png,x"}, []):
        answer = client.post("/analyze", json=told)
        assert 400 <= answer.status_code < 500
        assert answer.json["error"]
    bomb = base64.b64encode(real_bomb()).decode()
    assert client.post("/analyze", json={"img": f"data:image/png;base64,{bomb}"}).status_code == 413
