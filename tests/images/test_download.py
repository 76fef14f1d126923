"""Downloads of images from a local server that answers in many wrong ways."""

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
    """Each path is answered in another way."""

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

    def truncated(self):
        self.answer(body=PORTRAITS[:1000], Content_Length=len(PORTRAITS))

    def too_long(self):
        self.answer(Content_Length=10**12)

    def endless(self):
        self.answer()
        try:
            while True:
                self.wfile.write(b"x" * 65536)
        except OSError:
            pass

    def slow(self):
        self.answer()
        try:
            for _ in range(1000):
                self.wfile.write(b"x")
                time.sleep(0.05)
        except OSError:
            pass

    def unresponsive(self):
        self.server.released.wait(5)

    def redirect(self):
        self.answer(302, Location="/photo")

    def loop(self):
        self.answer(302, Location="/loop")

    def redirect_to_file(self):
        self.answer(302, Location="file:///etc/passwd")

    def malformed(self):
        self.wfile.write(b"\xff\xfe\r\n\r\n")

    def wrong_length(self):
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


def download_error(url: str, **limits) -> FetchError:
    with pytest.raises(FetchError) as caught:
        images.download_image(url, **limits)
    assert caught.value.expected
    assert caught.value.remedy
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", ["photo", "without-length", "redirect", "with spaces", "photo?size=large&x=ü"])
def test_image_is_downloaded(address, name):
    assert images.download_image(f"{address}/{name}") == PORTRAITS


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing", "the server answered 404 Not Found"),
        ("broken", "the server answered 500"),
        ("truncated", "truncated after 1,000 of"),
        ("too-long", "more than"),
        ("loop", "the server answered 302"),
        ("redirect-to-file", "302"),
        ("malformed", "could not be downloaded"),
        ("wrong-length", "could not be downloaded"),
    ],
)
def test_failed_download_has_the_reason(address, name, message):
    error = download_error(f"{address}/{name}")
    assert f"/{name}'" in error.happened
    assert message in error.happened


def test_endless_answer_is_aborted_at_the_limit(address):
    assert "more than 1,000,000 bytes" in download_error(f"{address}/endless", max_bytes=1_000_000).happened


def test_answer_of_exactly_the_limit_is_downloaded(address):
    assert images.download_image(f"{address}/photo", max_bytes=len(PORTRAITS)) == PORTRAITS
    download_error(f"{address}/photo", max_bytes=len(PORTRAITS) - 1)


@pytest.mark.parametrize(("name", "message"), [("unresponsive", "stopped sending"), ("slow", "took too long")])
def test_slow_download_is_aborted_after_the_timeout(address, name, message):
    start = time.perf_counter()
    assert message in download_error(f"{address}/{name}", timeout=0.3).happened
    assert time.perf_counter() - start < 20


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/a.jpg", "photo.jpg", "", "data:,x"])
def test_only_http_addresses_are_downloaded(url):
    assert "cannot be downloaded" in download_error(url).happened


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/a.jpg", "http://", "http://[::bad/a.jpg", "http://127.0.0.1:port/"]
)
def test_address_without_a_server_is_an_error(url):
    assert download_error(url, timeout=2).happened


def test_load_image_does_not_download(address):
    with pytest.raises(SourceError, match="--allow-url"):
        images.load_image(f"{address}/photo")


@pytest.mark.full
def test_import_does_not_import_the_http_client():
    code = "import sys; from mien import images; print({'ssl', 'http.client', 'urllib.request'} & {*sys.modules})"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "set()"
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = images.no_such_name
