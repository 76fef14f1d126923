"""The pages as the server sends them: small, whole, safe, and nothing from anywhere else."""

import gzip
import re
from html.parser import HTMLParser

import pytest

from mien.apps.web import assets
from mien.apps.web.pages import PAGES
from mien.models import ModelCard, resolve_model
from web import app_of

PATHS = [*(path for path, *_ in PAGES), "/api"]


@pytest.fixture(scope="module")
def client():
    return app_of().test_client()


class Parts(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


@pytest.mark.parametrize("path", PATHS)
def test_a_page_holds_no_inline_script_and_no_inline_style(client, path):
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for tag, attributes in Parts(answer.text).tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert tag != "style"
        if tag == "script":
            assert attributes.get("src", "").startswith("/assets/") or attributes["type"] == "application/json"


@pytest.mark.parametrize("path", PATHS)
def test_every_answer_has_the_headers_of_a_careful_server(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_one_title_one_heading_and_a_way_to_its_content(client, path):
    text = client.get(path).text
    tags = Parts(text).tags
    assert [tag for tag, _ in tags].count("title") >= 1
    assert any(tag == "a" and facts.get("href") == "#main" for tag, facts in tags)
    assert any(facts.get("id") == "main" for tag, facts in tags if tag == "main")
    assert dict(tags)["html"]["lang"] == "en"
    assert "<h1" in text
    current = [facts["href"] for tag, facts in tags if tag == "a" and facts.get("aria-current") == "page"]
    assert current == ([path] if path != "/api" else [])


@pytest.mark.parametrize("path", PATHS)
def test_whatever_a_page_asks_for_is_there_and_ours(client, path):
    text = client.get(path).text
    wanted = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert [each for each in wanted if not each.startswith("/")] == []
    for each in set(wanted):
        assert client.get(each).status_code == 200, each


def modules(client, base, name, seen):
    """A script and whatever it imports at once."""
    if name in seen:
        return seen
    text = client.get(f"{base}/{name}").text
    seen[name] = text
    for other in re.findall(r'from "\./([\w.]+)"', text):
        modules(client, base, other, seen)
    return seen


@pytest.mark.parametrize(
    ("path", "script"), [("/", "photo.js"), ("/live", "live.js"), ("/video", "video.js"), ("/inside", "inside.js")]
)
def test_a_page_and_all_that_it_needs_is_small(client, path, script):
    text = client.get(path).text
    base = f"/assets/{assets.assets_version()}"
    scripts = modules(client, base, script, modules(client, base, "app.js", {}))
    small = [client.get(each).data for each in set(re.findall(r'src="([^"]+\.jpg)"', text))]
    total = (
        len(text) + len(client.get(f"{base}/style.css").data) + sum(map(len, scripts.values())) + sum(map(len, small))
    )
    assert total < 100_000
    assert len(gzip.compress(text.encode())) < 20_000


def test_every_script_names_only_scripts_that_are_there():
    known = assets.load_assets()
    for name, data in known.items():
        if name.endswith(".js"):
            for other in re.findall(rb'(?:from|import\()\s*"\./([\w.]+)"', data):
                assert other.decode() in known, name


def test_no_script_makes_html_of_text():
    for name, data in assets.load_assets().items():
        if name.endswith(".js") and name != "walkthrough.js":
            assert not re.search(rb"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", data), name


def test_what_does_not_change_may_be_kept_and_what_is_older_may_not(client):
    fresh = client.get(f"/assets/{assets.assets_version()}/app.js")
    assert "immutable" in fresh.headers["Cache-Control"]
    assert client.get("/assets/0000/app.js").headers["Cache-Control"] == "no-cache"
    again = client.get(f"/assets/{assets.assets_version()}/app.js", headers={"If-None-Match": fresh.headers["ETag"]})
    assert again.status_code == 304


def test_nobody_is_said_to_be_anything(client):
    for path in PATHS:
        words = re.sub(r"<[^>]+>", " ", client.get(path).text)
        assert not re.search(r"\b(he|she|person|people) (is|are) (angry|happy|sad|afraid|neutral)", words)


def test_the_models_page_tells_the_card(client):
    text = client.get("/models").text
    card = ModelCard.read(resolve_model("base"))
    right = f"{100 * card.metrics['accuracy']:.1f}"
    for words in (right, f"{card.parameters:,}", "found when it is so", "Surer", *card.labels):
        assert words in text


def test_a_name_that_comes_from_outside_cannot_become_a_page(client):
    answer = client.get("/<script>alert(1)</script>")
    assert answer.status_code == 404
    assert answer.content_type == "application/problem+json"
