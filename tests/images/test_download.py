"""Fetching a picture from an address: a real server on this machine that behaves badly in every way."""

import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mien import images
from mien.errors import FetchError, SourceError

PORTRAITS = (Path(__file__).parents[2] / "examples" / "portraits.jpg").read_bytes()


class Server(BaseHTTPRequestHandler):
    """Each path is one way to behave."""

    def do_GET(self):
        name = self.path.strip("/").split("?")[0]
        getattr(self, name.replace("-", "_").replace("%20", "_"), self.missing)()

    def answer(self, status=200, body=b"", **headers):
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def photo(self):
        self.answer(body=PORTRAITS, Content_Length=len(PORTRAITS))

    def with_spaces(self):
        self.photo()

    def without_length(self):
        self.answer(body=PORTRAITS)

    def missing(self):
        self.answer(404)

    def broken(self):
        self.answer(500)

    def cut(self):
        self.answer(body=PORTRAITS[:1000], Content_Length=len(PORTRAITS))

    def says_much(self):
        self.answer(Content_Length=10**12)

    def endless(self):
        self.answer()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def drips(self):
        self.answer()
        try:
            for _ in range(100):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    def silent(self):
        self.server.released.wait(5)

    def moved(self):
        self.answer(302, Location="/photo")

    def circle(self):
        self.answer(302, Location="/circle")

    def to_a_file(self):
        self.answer(302, Location="file:///etc/passwd")

    def nonsense(self):
        self.wfile.write(b"\xff\xfe\r\n\r\n")

    def odd_length(self):
        self.answer(Content_Length="many")

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def address():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    server.released = threading.Event()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def refused(url: str, **limits) -> FetchError:
    with pytest.raises(FetchError) as caught:
        images.download_image(url, **limits)
    assert caught.value.expected
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["photo", "without-length", "moved", "with spaces", "photo?size=large&x=ü"])
def test_a_picture_arrives(address, name):
    assert images.download_image(f"{address}/{name}") == PORTRAITS


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing-here", "the server answered 404 Not Found"),
        ("broken", "the server answered 500"),
        ("cut", "cut off after 1,000 of"),
        ("says-much", "more than"),
        ("circle", "the server answered 302"),
        ("to-a-file", "302"),
        ("nonsense", "could not be fetched"),
        ("odd-length", "could not be fetched"),
    ],
)
def test_what_goes_wrong_is_told(address, name, told):
    error = refused(f"{address}/{name}")
    assert f"/{name}'" in error.happened
    assert told in error.happened


def test_an_endless_answer_is_stopped_at_the_limit(address):
    assert "more than 1,000,000 bytes" in refused(f"{address}/endless", max_bytes=1_000_000).happened


def test_the_limit_itself_is_allowed(address):
    assert images.download_image(f"{address}/photo", max_bytes=len(PORTRAITS)) == PORTRAITS
    refused(f"{address}/photo", max_bytes=len(PORTRAITS) - 1)


@pytest.mark.parametrize(("name", "told"), [("silent", "fell silent"), ("drips", "took too long")])
def test_a_slow_server_is_not_waited_for(address, name, told):
    start = time.perf_counter()
    assert told in refused(f"{address}/{name}", timeout=0.3).happened
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.jpg", "photo.jpg", "", "data:,x"])
def test_only_the_web(url):
    assert "cannot be fetched" in refused(url).happened


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.jpg", "http://", "http://[::bad/a.jpg", "http://127.0.0.1:port/"]
)
def test_where_no_server_is(url):
    assert refused(url, timeout=2).happened


def test_nobody_listens_to_a_url_in_picture(address):
    with pytest.raises(SourceError, match="--allow-url"):
        images.load_image(f"{address}/photo")


def test_nothing_of_the_network_is_loaded_before_it_is_asked_for():
    code = "import sys; from mien import media; print({'ssl', 'http.client', 'urllib.request'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="fetched"):
        _ = images.fetched
