"""Access to the service: API keys, host names, origins, rate limits; request ids, error responses, the log."""

import json
import logging

import pytest

from fakes import FakeClassifier
from mien.apps.web.monitoring import JsonFormatter, TextFormatter
from web import READINGS, image_bytes, make_app, make_fake_engine, post_bytes

HEALTH = "/api/v1/health"


def make_client(**settings):
    return make_app(make_fake_engine(), **settings).test_client()


@pytest.fixture(scope="module")
def client():
    return make_client()


def test_api_needs_a_key_and_pages_do_not():
    client = make_client(keys=("first", "second"))
    rejected = post_bytes(client, image_bytes())
    assert rejected.status_code == 401
    assert rejected.headers["WWW-Authenticate"] == "Bearer"
    assert post_bytes(client, image_bytes(), headers={"Authorization": "Bearer second"}).status_code == 200
    assert post_bytes(client, image_bytes(), headers={"X-API-Key": "first"}).status_code == 200
    for key in ("", "firs", "firstsecond", "É"):
        assert post_bytes(client, image_bytes(), headers={"X-API-Key": key}).status_code == 401
    for path in ("/", "/live", "/explain", "/api", "/api/openapi.json", "/api/v1/health", "/api/v1/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/api/v1/metrics").status_code == 401
    assert client.post("/analyze", json={}).status_code == 401


@pytest.mark.parametrize(
    ("host", "hosts", "status"),
    [
        ("localhost:8000", (), 200),
        ("127.0.0.1", (), 200),
        ("[::1]:80", (), 200),
        ("10.0.0.7:8000", (), 200),
        ("evil.example", (), 421),
        ("localhost.evil.example", (), 421),
        ("127.0.0.1.evil.example", (), 421),
        ("a b", (), 421),
        ("mien.example", ("mien.example",), 200),
        ("MIEN.example.", ("mien.example",), 200),
        ("a.mien.example", ("*.mien.example",), 200),
        ("evilmien.example", ("*.mien.example",), 421),
        ("anything", ("*",), 200),
    ],
)
def test_only_own_host_names_are_accepted(client, host, hosts, status):
    client = make_client(hosts=hosts) if hosts else client
    assert client.get(HEALTH, headers={"Host": host}).status_code == status


def test_requests_of_other_sites_need_an_allowed_origin(client):
    origin = {"Origin": "https://a.example"}
    rejected = post_bytes(client, image_bytes(), headers=origin)
    assert rejected.status_code == 403
    assert "Access-Control-Allow-Origin" not in rejected.headers
    assert post_bytes(client, image_bytes(), headers={"Origin": "null"}).status_code == 403
    assert post_bytes(client, image_bytes(), headers={"Origin": "http://localhost"}).status_code == 200
    allowed = post_bytes(make_client(origins=("https://a.example",)), image_bytes(), headers=origin)
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "Origin" in allowed.headers["Vary"]
    response = post_bytes(make_client(origins=("*",)), image_bytes(), headers=origin)
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_preflight_request_needs_no_key():
    client = make_client(origins=("https://a.example",), keys=("k",))
    headers = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    response = client.options(READINGS, headers=headers)
    assert response.status_code == 204
    assert "POST" in response.headers["Access-Control-Allow-Methods"]


def test_rate_limit_is_for_each_client_and_not_for_health():
    client = make_client(rate=6, proxies=1)
    one, other = {"X-Forwarded-For": "1.2.3.4"}, {"X-Forwarded-For": "1.2.3.5"}
    assert post_bytes(client, image_bytes(), headers=one).status_code == 200
    rejected = post_bytes(client, image_bytes(), headers=one)
    assert (rejected.status_code, int(rejected.headers["Retry-After"]) >= 1) == (429, True)
    assert post_bytes(client, image_bytes(), headers=other).status_code == 200
    assert client.get(HEALTH, headers=one).status_code == 200


def test_forwarded_addresses_are_ignored_without_a_proxy():
    client = make_client(rate=6)
    codes = [post_bytes(client, b"", headers={"X-Forwarded-For": f"1.2.3.{i}"}).status_code for i in range(3)]
    assert 429 in codes


def test_request_id_of_the_client_is_used_if_it_is_plain(client):
    assert client.get(HEALTH, headers={"X-Request-ID": "abcdefgh-1"}).headers["X-Request-ID"] == "abcdefgh-1"
    for invalid in ("a", "x" * 100, "a b c d e f g", 'x"; drop'):
        assert client.get(HEALTH, headers={"X-Request-ID": invalid}).headers["X-Request-ID"] != invalid


def test_unexpected_exception_is_logged_but_not_sent(caplog):
    class FaultyClassifier(FakeClassifier):
        def run(self, faces):
            raise ZeroDivisionError("secret")

    app = make_app(make_fake_engine(FaultyClassifier()))
    with caplog.at_level(logging.INFO, "mien.web"):
        response = app.test_client().post(READINGS, data=image_bytes(), content_type="image/png")
    assert response.status_code == 500
    assert "secret" not in response.text
    assert "ZeroDivisionError" in caplog.text


def test_log_has_one_line_for_each_request_without_names_and_addresses(client, caplog):
    with caplog.at_level(logging.INFO, "mien.web"):
        response = post_bytes(client, image_bytes(), f"{READINGS}?name=secret.png")
        client.get(HEALTH)
    [record] = caplog.records
    line = JsonFormatter().format(record)
    fields = {"id": response.headers["X-Request-ID"], "method": "POST", "route": READINGS, "status": 200, "faces": 1}
    assert fields.items() <= json.loads(line).items()
    assert "secret" not in line
    assert "127.0.0.1" not in line


def test_log_formatters_write_json_or_text():
    record = logging.LogRecord("mien.web", logging.INFO, "", 0, "request", None, None)
    record.facts = {"status": 200}
    assert json.loads(JsonFormatter().format(record))["status"] == 200
    assert TextFormatter().format(record).endswith("request status=200")


def test_wrong_keys_are_limited_and_the_right_key_is_not():
    client = make_client(keys=("first",))
    codes = [client.get("/api/v1/models", headers={"X-API-Key": f"wrong {n}"}).status_code for n in range(40)]
    assert codes[0] == 401
    assert codes[-1] == 429
    answer = client.get("/api/v1/models", headers={"X-API-Key": "wrong"})
    assert int(answer.headers["Retry-After"]) >= 1
    assert all(client.get("/api/v1/models", headers={"X-API-Key": "first"}).status_code == 200 for _ in range(40))
