"""The files for deployment: links, variables, settings, container image, AWS Lambda."""

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
from mien.apps.web.monitoring import logger
from mien.apps.web.settings import WebSettings, load_settings
from web import ASTRONAUT, make_app, make_fake_engine

ROOT = Path(__file__).parents[3]
PAGES = sorted((ROOT / "docs" / "deploy").glob("*.md"))
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / "render.yaml", *(ROOT / "deploy").rglob("*.*")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_refer_to_existing_files(page):
    links = re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_variables_are_settings():
    settings = {f"MIEN_{name.upper()}" for name in WebSettings.__dataclass_fields__} | {"MIEN_HOME", "MIEN_CONFIG"}
    settings.add("MIEN_RUNS")  # of the Streamlit app, on its own page
    variables = {
        word
        for path in [*FILES, *PAGES]
        if path.is_file()
        for word in re.findall(r"\bMIEN_[A-Z_]+[A-Z]", path.read_text(encoding="utf-8"))
    }
    assert variables - settings == set()
    assert {"MIEN_HOSTS", "MIEN_KEYS"} <= variables


def test_settings_on_the_page_exist():
    table = (ROOT / "docs" / "deploy" / "README.md").read_text(encoding="utf-8").partition("## What is stored")[0]
    names = {name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}
    assert names
    assert names <= set(WebSettings.__dataclass_fields__)


def test_example_configuration_is_valid():
    path = ROOT / "deploy" / "systemd" / "mien.toml"
    assert load_settings({"config": str(path)}, {}).settings.hosts == ("mien.example.org",)
    assert tomllib.loads(path.read_text(encoding="utf-8"))["proxies"] == 1


def test_image_runs_without_root_and_checks_its_health():
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert text.count("\nFROM ") >= 1
    assert "USER 10001:10001" in text
    assert "HEALTHCHECK" in text
    assert "/api/v1/health" in text
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert [name for line in copied for name in line.split() if not (ROOT / name).exists()] == []
    included = re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for line in copied for name in line.split()} == set(included)


def test_task_definition_is_read_only_and_without_capabilities():
    [container] = json.loads((ROOT / "deploy" / "aws" / "ecs-task.json").read_text(encoding="utf-8"))[
        "containerDefinitions"
    ]
    assert container["readonlyRootFilesystem"]
    assert container["linuxParameters"]["capabilities"]["drop"] == ["ALL"]


def make_event(method="GET", path="/api/v1/health", body=b"", **headers):
    """The event of a function URL, payload format 2.0."""
    return {
        "version": "2.0",
        "rawPath": path.partition("?")[0],
        "rawQueryString": path.partition("?")[2],
        "headers": {"host": "abc.lambda-url.eu-west-1.on.aws", "x-forwarded-proto": "https", **headers},
        "requestContext": {"http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "1.2.3.4"}},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
    }


def run_event(app, *arguments, **headers):
    response = aws.run_event(app, make_event(*arguments, **headers))
    return response["statusCode"], response["headers"], base64.b64decode(response["body"])


def test_lambda_events_return_responses():
    app = make_app(hosts=("*",))
    status, headers, body = run_event(app)
    assert (status, json.loads(body)["status"]) == (200, "ok")
    assert headers["X-Content-Type-Options"] == "nosniff"
    content_type = {"content-type": "image/jpeg"}
    status, _, body = run_event(app, "POST", "/api/v1/readings?name=a.jpg", ASTRONAUT.read_bytes(), **content_type)
    [image] = json.loads(body)["images"]
    assert (status, image["source"], len(image["faces"])) == (200, "a.jpg", 1)
    assert run_event(app, "POST", "/api/v1/readings", b"not an image", **content_type)[0] == 422
    assert run_event(make_app(make_fake_engine()))[0] == 421


@pytest.fixture
def unchanged_log():
    """The handler configures the log of its process."""
    before = logger.handlers[:], logger.propagate, logger.level
    yield
    logger.handlers[:], logger.propagate = before[:2]
    logger.setLevel(before[2])


def test_lambda_handler_creates_the_app_once(monkeypatch, unchanged_log):
    monkeypatch.setenv("MIEN_DETECTOR", "haar")
    handle = aws.LambdaHandler()
    assert handle(make_event())["statusCode"] == 200
    app = handle.app
    assert handle(make_event(path="/api/v1/models"))["statusCode"] == 200
    assert handle.app is app
    assert handle(make_event("POST", "/api/v1/videos", b"x", **{"content-type": "video/mp4"}))["statusCode"] == 404


DOCKERFILES = [ROOT / "Dockerfile", *sorted((ROOT / "deploy").rglob("Dockerfile*"))]


@pytest.mark.full
@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_linter_reports_nothing_for_the_image(path):
    search_path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    if (linter := shutil.which("hadolint", path=search_path)) is None:
        pytest.skip("hadolint is in the extra 'dev' on Linux")
    completed = subprocess.run([linter, str(path)], capture_output=True, text=True, check=False)
    assert completed.stdout == ""
    assert completed.returncode == 0


def stage_instructions(keyword):
    """The instructions of the first stage of the Dockerfile, one line each."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
    first = text.split("\nFROM ")[1]
    return re.findall(rf"^{keyword} (.+)$", first, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="the image is one of Linux")
def test_instructions_of_the_image_create_a_small_environment(tmp_path):
    """The instructions of the Dockerfile without Docker, except for Python and the model file of the detector."""
    for line in stage_instructions("COPY"):
        *names, target = line.split()
        for name in names:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, tmp_path / (name if target == "./" else target))
    for instruction in stage_instructions("RUN"):
        line = instruction.replace("python -m venv", f"{sys.executable} -m venv")
        line = line.replace("/venv", f"{tmp_path}/venv").replace("/models", f"{tmp_path}/models")
        subprocess.run(["sh", "-ec", line], cwd=tmp_path, env={**os.environ, "YUNET": "0"}, check=True)
    files = [path for path in (tmp_path / "venv").rglob("*") if path.is_file() and not path.is_symlink()]
    assert sum(path.stat().st_size for path in files) < 400_000_000
    arguments = [tmp_path / "venv/bin/mien", "serve", "--print-config"]
    assert "port = 8000" in subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
