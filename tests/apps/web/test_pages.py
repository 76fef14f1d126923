"""The pages: content security, headers, structure, size, assets."""

import gzip
import re
from html.parser import HTMLParser

import pytest

from mien.apps.web import pages
from mien.apps.web.pages import PAGES
from mien.models import ModelCard, resolve_model
from web import make_app

PATHS = [*(path for path, *_ in PAGES), "/api"]


@pytest.fixture(scope="module")
def client():
    return make_app().test_client()


class TagParser(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.texts = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


@pytest.mark.parametrize("path", PATHS)
def test_page_has_neither_inline_scripts_nor_inline_styles(client, path):
    response = client.get(path)
    assert response.status_code == 200
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    for tag, attributes in TagParser(response.text).tags:
        assert "style" not in attributes, tag
        assert not [name for name in attributes if name.startswith("on")], tag
        assert tag != "style"
        if tag == "script":
            assert attributes.get("src", "").startswith("/assets/") or attributes["type"] == "application/json"


@pytest.mark.parametrize("path", PATHS)
def test_page_has_security_headers_and_no_cookie(client, path):
    headers = client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "Set-Cookie" not in headers


@pytest.mark.parametrize("path", PATHS)
def test_page_has_title_heading_language_and_skip_link(client, path):
    text = client.get(path).text
    tags = TagParser(text).tags
    assert [tag for tag, _ in tags].count("title") >= 1
    assert any(tag == "a" and facts.get("href") == "#main" for tag, facts in tags)
    assert any(facts.get("id") == "main" for tag, facts in tags if tag == "main")
    assert dict(tags)["html"]["lang"] == "en"
    assert "<h1" in text
    current = [facts["href"] for tag, facts in tags if tag == "a" and facts.get("aria-current") == "page"]
    assert current == ([path] if path != "/api" else [])


@pytest.mark.parametrize("path", PATHS)
def test_all_references_of_a_page_are_own_and_exist(client, path):
    text = client.get(path).text
    references = re.findall(r'(?:src|href)="([^"#]+)"', text)
    assert [each for each in references if not each.startswith("/")] == []
    for each in set(references):
        assert client.get(each).status_code == 200, each


def load_modules(client, base, name, modules):
    """Add a script and the scripts that it imports to ``modules``."""
    if name in modules:
        return modules
    text = client.get(f"{base}/{name}").text
    modules[name] = text
    for other in re.findall(r'from "\./([\w.]+)"', text):
        load_modules(client, base, other, modules)
    return modules


@pytest.mark.parametrize(
    ("path", "script"), [("/", "photo.js"), ("/live", "live.js"), ("/video", "video.js"), ("/explain", "explain.js")]
)
def test_page_with_all_its_files_is_small(client, path, script):
    text = client.get(path).text
    base = f"/assets/{pages.assets_version()}"
    scripts = load_modules(client, base, script, load_modules(client, base, "app.js", {}))
    small = [client.get(each).data for each in set(re.findall(r'src="([^"]+\.jpg)"', text))]
    total = (
        len(text) + len(client.get(f"{base}/style.css").data) + sum(map(len, scripts.values())) + sum(map(len, small))
    )
    assert total < 100_000
    assert len(gzip.compress(text.encode())) < 20_000


def test_scripts_import_only_existing_scripts():
    files = pages.load_assets()
    for name, data in files.items():
        if name.endswith(".js"):
            for other in re.findall(rb'(?:from|import\()\s*"\./([\w.]+)"', data):
                assert other.decode() in files, name


def test_scripts_never_parse_text_as_html():
    for name, data in pages.load_assets().items():
        if name.endswith(".js") and name != "walkthrough.js":
            assert not re.search(rb"innerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", data), name


def test_assets_are_cached_by_their_current_version_only(client):
    response = client.get(f"/assets/{pages.assets_version()}/app.js")
    assert "immutable" in response.headers["Cache-Control"]
    assert client.get("/assets/0000/app.js").headers["Cache-Control"] == "no-cache"
    unchanged = client.get(
        f"/assets/{pages.assets_version()}/app.js", headers={"If-None-Match": response.headers["ETag"]}
    )
    assert unchanged.status_code == 304


def test_pages_never_say_what_a_person_is(client):
    for path in PATHS:
        text = re.sub(r"<[^>]+>", " ", client.get(path).text)
        assert not re.search(r"\b(he|she|person|people) (is|are) (angry|happy|sad|afraid|neutral)", text)


def test_models_page_has_the_facts_of_the_card(client):
    text = client.get("/models").text
    card = ModelCard.read(resolve_model("base"))
    accuracy = f"{100 * card.metrics['accuracy']:.1f}"
    for value in (accuracy, f"{card.parameters:,}", "precision", "recall", "Accuracy against coverage", *card.labels):
        assert value in text


def test_unknown_address_is_a_problem_and_not_a_page(client):
    response = client.get("/<script>alert(1)</script>")
    assert response.status_code == 404
    assert response.content_type == "application/problem+json"


def test_old_address_of_the_explanations_redirects(client):
    response = client.get("/inside")
    assert (response.status_code, response.headers["Location"]) == (301, "/explain")
