"""WebSettings: where they come from, which wins, and what is said of wrong ones; keys, hosts, origins and rates."""

import subprocess
import tomllib

import pytest

from command import command, environment
from mien.apps.web.settings import WebSettings, format_toml, load_settings, load_settings_with_origins
from mien.errors import MienError
from web import READINGS, app_of, fake_engine, picture, send


def test_an_argument_wins_over_a_variable_and_that_over_the_file(tmp_path):
    file = tmp_path / "mien.toml"
    file.write_text('port = 1111\nthreads = 8\nhost = "0.0.0.0"\norigins = ["https://a.example"]\n')
    known = load_settings_with_origins(
        {"port": 3333, "config": str(file)}, {"MIEN_PORT": "2222", "MIEN_THREADS": "16", "MIEN_DEBUG": "1"}
    )
    assert (known.settings.port, known.settings.threads, known.settings.host) == (3333, 16, "0.0.0.0")
    assert known.settings.origins == ("https://a.example",)
    assert known.origins["port"] == "argument"
    assert known.origins["threads"] == "MIEN_THREADS"
    assert known.origins["host"] == "file mien.toml"
    assert known.origins["log"] == "default"


def test_lists_in_variables_have_commas():
    assert load_settings({}, {"MIEN_KEYS": "one, two,,"}).keys == ("one", "two")
    assert load_settings({}, {"MIEN_HOSTS": ""}).hosts == ()


def test_what_is_printed_says_the_same_again(tmp_path):
    known = load_settings_with_origins({"rate": 30, "origins": ("https://a.example",), "scratch": 'a"b\\c'}, {})
    text = "\n".join(format_toml(known))
    assert load_settings(tomllib.loads(text), {}) == known.settings


def test_keys_are_not_shown():
    assert "secret" not in "\n".join(format_toml(load_settings_with_origins({"keys": ("secret",)}, {})))
    with pytest.raises(MienError) as refused:
        load_settings({"keys": 5}, {})
    assert "5" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"prot": 1}, "Did you mean 'port'?"),
        ({"port": "many"}, "a whole number"),
        ({"port": 70_000}, "65535"),
        ({"port": 1.5}, "a whole number"),
        ({"port": True}, "a whole number"),
        ({"threads": 1}, "from 4 on"),
        ({"deadline": float("nan")}, "from 0.1 on"),
        ({"log": "loud"}, "auto, text, json or off"),
        ({"origins": 5}, "a list of words"),
        ({"host": 5}, "text"),
        ({"config": "nowhere.toml"}, "cannot be read"),
    ],
)
def test_a_wrong_setting_is_a_sentence(given, said):
    with pytest.raises(MienError, match=said.replace("?", r"\?").replace("(", r"\(")):
        load_settings(given, {})


def test_a_file_that_is_no_toml_is_said(tmp_path):
    (tmp_path / "x.toml").write_text("port: 5")
    with pytest.raises(MienError, match="no TOML file"):
        load_settings({"config": str(tmp_path / "x.toml")}, {})


def test_print_config_shows_everything():
    done = subprocess.run(command("serve", "--print-config", "--port", "9"), capture_output=True, text=True, timeout=30)
    assert done.returncode == 0
    shown = tomllib.loads(done.stdout)
    assert shown["port"] == 9
    assert set(shown) == set(WebSettings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--model", "bas"], 1, "Did you mean 'base'?"),
        (["--model", "no/such.onnx"], 1, "no/such.onnx"),
        (["--detector", "harr"], 1, "Did you mean 'haar'?"),
        (["--prot", "5"], 2, "--prot"),
        (["--port", "99999"], 2, "--port"),
        (["--config", "nowhere.toml"], 1, "nowhere.toml"),
        (["--host", "256.1.1.1"], 1, "cannot listen"),
    ],
)
def test_a_bad_start_is_one_sentence(arguments, status, said, tmp_path):
    done = subprocess.run(
        command("serve", "--port", "0", *arguments) if "--port" not in arguments else command("serve", *arguments),
        capture_output=True,
        text=True,
        timeout=30,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr


# Who may ask


def client_of(**settings):
    return app_of(fake_engine(), **settings).test_client()


def test_a_key_is_asked_for_and_pages_need_none():
    client = client_of(keys=("first", "second"))
    refused = send(client, picture())
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert send(client, picture(), headers={"Authorization": "Bearer second"}).status_code == 200
    assert send(client, picture(), headers={"X-API-Key": "first"}).status_code == 200
    for wrong in ("", "firs", "firstsecond", "É"):
        assert send(client, picture(), headers={"X-API-Key": wrong}).status_code == 401
    for path in ("/", "/live", "/api", "/api/openapi.json", "/api/v1/health", "/api/v1/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/api/v1/metrics").status_code == 401
    assert client.post("/analyze", json={}).status_code == 401


@pytest.mark.parametrize(
    ("host", "settings", "status"),
    [
        ("localhost:8000", {}, 200),
        ("127.0.0.1", {}, 200),
        ("[::1]:80", {}, 200),
        ("10.0.0.7:8000", {}, 200),
        ("evil.example", {}, 421),
        ("localhost.evil.example", {}, 421),
        ("127.0.0.1.evil.example", {}, 421),
        ("mien.example", {"hosts": ("mien.example",)}, 200),
        ("MIEN.example.", {"hosts": ("mien.example",)}, 200),
        ("a.mien.example", {"hosts": ("*.mien.example",)}, 200),
        ("evilmien.example", {"hosts": ("*.mien.example",)}, 421),
        ("anything", {"hosts": ("*",)}, 200),
        ("a b", {"hosts": ()}, 421),
    ],
)
def test_a_name_that_is_not_ours_is_not_answered_to(host, settings, status):
    assert client_of(**settings).get("/api/v1/health", headers={"Host": host}).status_code == status


def test_pages_of_other_sites_are_refused_and_named_ones_let_in():
    origin = {"Origin": "https://a.example"}
    refused = send(client_of(), picture(), headers=origin)
    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert send(client_of(), picture(), headers={"Origin": "null"}).status_code == 403
    assert send(client_of(), picture(), headers={"Origin": "http://localhost"}).status_code == 200
    let_in = send(client_of(origins=("https://a.example",)), picture(), headers=origin)
    assert let_in.status_code == 200
    assert let_in.headers["Access-Control-Allow-Origin"] == "https://a.example"
    assert "Origin" in let_in.headers["Vary"]
    assert send(client_of(origins=("*",)), picture(), headers=origin).headers["Access-Control-Allow-Origin"] == "*"


def test_a_preflight_is_answered_without_a_key():
    client = client_of(origins=("https://a.example",), keys=("k",))
    asked = {"Origin": "https://a.example", "Access-Control-Request-Method": "POST"}
    answer = client.options(READINGS, headers=asked)
    assert answer.status_code == 204
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]


def test_a_rate_bounds_each_client():
    client = client_of(rate=60, proxies=1)
    codes = [send(client, picture(), headers={"X-Forwarded-For": "1.2.3.4"}).status_code for _ in range(12)]
    assert codes[:10] == [200] * 10
    assert 429 in codes
    refused = send(client, picture(), headers={"X-Forwarded-For": "1.2.3.4"})
    assert int(refused.headers["Retry-After"]) >= 1
    assert send(client, picture(), headers={"X-Forwarded-For": "1.2.3.5"}).status_code == 200
    assert client.get("/api/v1/health", headers={"X-Forwarded-For": "1.2.3.4"}).status_code == 200


def test_who_is_in_front_is_believed_only_when_told():
    client = client_of(rate=6)
    codes = [send(client, picture(), headers={"X-Forwarded-For": f"1.2.3.{i}"}).status_code for i in range(4)]
    assert 429 in codes
