"""The files for deploying: whole, named where they are spoken of, and doing what they say where that can be tried."""

import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from mien.apps.web import aws
from mien.apps.web.settings import WebSettings, load_settings
from web import ASTRONAUT, app_of, fake_engine

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "deploy").glob("*.md"))
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / "render.yaml", *(ROOT / "deploy").rglob("*.*")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_variable_is_a_setting():
    known = {f"MIEN_{name.upper()}" for name in WebSettings.__dataclass_fields__} | {"MIEN_HOME", "MIEN_CONFIG"}
    known.add("MIEN_RUNS")  # the Streamlit page's, on its own page
    named = {
        word
        for path in [*FILES, *PAGES]
        if path.is_file()
        for word in re.findall(r"\bMIEN_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert named - known == set()
    assert {"MIEN_HOSTS", "MIEN_KEYS"} <= named


def test_every_setting_that_the_page_names_is_one():
    table = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8").partition("## What is kept")[0]
    names = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert names
    assert names <= set(WebSettings.__dataclass_fields__)


def test_the_example_of_a_file_is_one():
    path = ROOT / "deploy" / "systemd" / "mien.toml"
    assert load_settings({"config": str(path)}, {}).hosts == ("mien.example.org",)
    assert tomllib.loads(path.read_text(encoding="utf-8"))["proxies"] == 1


def test_the_image_is_nobody_s_and_looks_after_its_health():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert text.count("\nFROM ") >= 1
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert "/api/v1/health" in text
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert [name for words in copied for name in words.split() if not (ROOT / name).exists()] == []
    let_in = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for words in copied for name in words.split()} == set(let_in)


def test_the_task_is_json_and_closed():
    [told] = json.loads((ROOT / "deploy" / "aws" / "ecs-task.json").read_text(encoding="utf-8"))["containerDefinitions"]
    assert told["readonlyRootFilesystem"]
    assert told["linuxParameters"]["capabilities"]["drop"] == ["ALL"]


def event(method="GET", path="/api/v1/health", body=b"", **headers):
    """What a function URL hands over, payload format 2.0."""
    return {
        "version": "2.0",
        "rawPath": path.partition("?")[0],
        "rawQueryString": path.partition("?")[2],
        "headers": {"host": "abc.lambda-url.eu-west-1.on.aws", "x-forwarded-proto": "https", **headers},
        "requestContext": {"http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def answered(app, *what, **how):
    told = aws.run_event(app, event(*what, **how))
    return told["statusCode"], told["headers"], base64.b64decode(told["body"])


def test_lambda_s_events_are_answered():
    app = app_of(hosts=("*",))
    status, headers, body = answered(app)
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert headers["X-Content-Type-Options"] == "nosniff"
    kind = {"content-type": "image/jpeg"}
    status, _, body = answered(app, "POST", "/api/v1/readings?name=a.jpg", ASTRONAUT.read_bytes(), **kind)
    [told] = json.loads(body)["pictures"]
    assert (status, told["source"], len(told["faces"])) == (200, "a.jpg", 1)
    assert answered(app, "POST", "/api/v1/readings", b"no picture", **kind)[0] == 422
    assert answered(app_of(fake_engine()))[0] == 421


def test_lambda_s_handler_keeps_its_app(monkeypatch):
    monkeypatch.setenv("MIEN_DETECTOR", "haar")
    monkeypatch.setattr(aws, "_apps", [])
    monkeypatch.setattr("mien.apps.web.request_log.configure_logging", lambda kind: None)
    assert aws.handler(event())["statusCode"] == 200
    [app] = aws._apps
    assert aws.handler(event(path="/api/v1/models"))["statusCode"] == 200
    assert aws._apps == [app]
    assert aws.handler(event("POST", "/api/v1/videos", b"x", **{"content-type": "video/mp4"}))["statusCode"] == 404


IMAGES = [ROOT / "Dockerfile", *sorted((ROOT / "deploy").rglob("Dockerfile*"))]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_the_linter_of_images_finds_nothing(path):
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if (linter := shutil.which("hadolint", path=places)) is None:
        pytest.skip("hadolint is in the extra 'dev' on Linux")
    done = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert done.returncode == 0


def steps(word):
    """What the first stage of the image copies, or runs, in one line each."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    first = text.split("\nFROM ")[1]
    return re.findall(rf"^{word} (.+)$", first, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the image is one of Linux")
def test_the_steps_of_the_image_make_a_small_environment_that_serves(tmp_path):
    """Docker's own steps, but for the Python and the detector: what is copied, and each line that runs."""
    for words in steps("COPY"):
        *names, to = words.split()
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tmp_path / (name if to == "./" else to))
    for step in steps("RUN"):
        line = step.replace("python -m venv", f"{sys.executable} -m venv")
        line = line.replace("/venv", f"{tmp_path}/venv").replace("/models", f"{tmp_path}/models")
        subprocess.run(["sh", "-ec", line], cwd=tmp_path, env={**os.environ, "YUNET": "0"}, check=True)
    files = [path for path in (tmp_path / "venv").rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < 400_000_000
    words = [tmp_path / "venv/bin/mien", "serve", "--print-config"]
    assert "port = 8000" in subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
