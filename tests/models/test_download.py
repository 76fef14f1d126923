"""Downloads of published files: complete and verified, or not at all."""

import os
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mien.errors import FetchError, ModelDamaged
from mien.models import find_model_file, list_models, pull_model
from mien.models.checksums import PUBLISHED_FILES, Checksum
from mien.models.download import install_file, stream_download

CONTENT = bytes(range(256)) * 900


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder, and CONTENT as the published file 'yunet'."""
    monkeypatch.setenv("MIEN_HOME", str(tmp_path / "home"))
    published = PUBLISHED_FILES["yunet"]._replace(file="yunet.onnx", checksum=Checksum.of(CONTENT))
    monkeypatch.setitem(PUBLISHED_FILES, "yunet", published)
    return tmp_path / "home"


class Publisher(BaseHTTPRequestHandler):
    """A server that answers each path in another way, most of them wrong."""

    def do_GET(self):
        getattr(self, f"send_{self.path.strip('/')}")()

    def send_complete(self, content=CONTENT, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(length or len(content)))
        self.end_headers()
        self.wfile.write(content)

    def send_unsized(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT)

    def send_truncated(self):
        self.send_complete(CONTENT[:50_000], len(CONTENT))

    def send_reset(self):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"400\r\n" + CONTENT[:100])

    def send_wrong(self):
        self.send_complete(CONTENT[::-1])

    def send_endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(CONTENT)
        except OSError:
            self.server.disconnected.set()

    def send_pointer(self):
        self.send_complete(b"version https://git-lfs.github.com/spec/v1\n")

    def send_redirect(self, to="/complete"):
        self.send_response(302)
        self.send_header("Location", to)
        self.end_headers()

    def send_loop(self):
        self.send_redirect("/loop")

    def send_file(self):
        self.send_redirect("file:///etc/passwd")

    def send_missing(self):
        self.send_error(404)

    def send_broken(self):
        self.send_error(500)

    def send_nothing(self):
        self.server.closing.wait(5)

    def send_slowly(self):
        self.send_response(200)
        self.end_headers()
        for offset in range(0, 1000):
            if self.server.closing.wait(0.05):
                return
            try:
                self.wfile.write(CONTENT[offset : offset + 1])
            except OSError:
                return

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def publisher():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Publisher)
    server.closing, server.disconnected = threading.Event(), threading.Event()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield server
    server.closing.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def address(publisher, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return f"http://127.0.0.1:{publisher.server_port}"


def pull_error(url, **limits) -> FetchError:
    with pytest.raises(FetchError) as caught:
        pull_model("yunet", url=url, **limits)
    assert "mien models pull yunet --from FILE" in caught.value.remedy
    assert caught.value.expected
    return caught.value


def test_published_file_is_downloaded_once(cache, address):
    assert find_model_file("yunet") is None
    path = pull_model("yunet", url=f"{address}/complete")
    assert path == cache / "yunet.onnx"
    assert path.read_bytes() == CONTENT
    assert find_model_file("yunet") == path
    assert pull_model("yunet", url=f"{address}/missing") == path
    assert [file.name for file in cache.iterdir()] == ["yunet.onnx"]


def test_progress_counts_up_to_the_size(cache, address):
    calls = []
    pull_model("yunet", url=f"{address}/complete", progress=lambda count, total: calls.append((count, total)))
    assert calls == sorted(calls)
    assert calls[-1] == (len(CONTENT), len(CONTENT))


@pytest.mark.parametrize("answer", ["redirect", "unsized"])
def test_redirects_and_answers_without_a_length_are_downloaded(cache, address, answer):
    assert pull_model("yunet", url=f"{address}/{answer}").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("truncated", "truncated after 50,000 of 230,400 bytes"),
        ("reset", "connection was closed early"),
        ("wrong", "another file"),
        ("endless", "another file"),
        ("pointer", "truncated after 43 of"),
        ("loop", "302"),
        ("file", "302"),
        ("missing", "404"),
        ("broken", "500"),
    ],
)
def test_failed_download_leaves_no_file(cache, address, answer, message):
    assert message in str(pull_error(f"{address}/{answer}"))
    assert list(cache.iterdir()) == [] if cache.exists() else True
    assert find_model_file("yunet") is None


def test_endless_answer_is_disconnected(cache, address, publisher):
    publisher.disconnected.clear()
    pull_error(f"{address}/endless")
    assert publisher.disconnected.wait(20)


def test_message_about_another_file_has_both_hashes(cache, address):
    error = pull_error(f"{address}/wrong")
    assert Checksum.of(CONTENT[::-1]).sha256 in error.happened
    assert Checksum.of(CONTENT).sha256 in error.expected


def test_server_that_sends_nothing_is_left_after_the_timeout(cache, address):
    assert "the server stopped sending" in pull_error(f"{address}/nothing", timeout=0.2).happened


def test_slow_server_is_left_after_the_deadline(cache, address):
    start = time.monotonic()
    assert "not complete after 0.4 seconds" in pull_error(f"{address}/slowly", deadline=0.4).happened
    assert time.monotonic() - start < 20  # all of it would take 50 seconds


def test_unreachable_addresses_are_fetch_errors(cache):
    assert "could not be fetched" in pull_error("http://127.0.0.1:9/file").happened
    assert "could not be fetched" in pull_error("http://no-such-host.invalid/").happened
    assert "https://" in pull_error("file:///etc/passwd").happened


def test_failed_download_keeps_the_existing_file(cache, address):
    path = pull_model("yunet", url=f"{address}/complete")
    path.write_bytes(b"damaged")
    pull_error(f"{address}/wrong")
    assert path.read_bytes() == b"damaged"
    assert pull_model("yunet", url=f"{address}/complete").read_bytes() == CONTENT


def test_changed_file_in_the_cache_is_model_damaged(cache, address):
    path = pull_model("yunet", url=f"{address}/complete")
    path.write_bytes(CONTENT[::-1])
    with pytest.raises(ModelDamaged, match="was changed") as caught:
        find_model_file("yunet")
    assert "mien models pull yunet" in caught.value.remedy
    path.write_bytes(CONTENT[:-1])
    with pytest.raises(ModelDamaged, match="truncated"):
        find_model_file("yunet")


def test_local_copy_is_verified(cache, tmp_path):
    source = tmp_path / "copy"
    source.write_bytes(CONTENT[:-1])
    with pytest.raises(FetchError, match="truncated"):
        pull_model("yunet", source=source)
    source.write_bytes(CONTENT)
    assert pull_model("yunet", source=source).read_bytes() == CONTENT
    assert source.exists()
    for unreadable in (tmp_path / "missing", tmp_path):
        with pytest.raises(FetchError, match="cannot be read"):
            pull_model("yunet", source=unreadable)


def test_cache_folder_that_cannot_be_created_is_a_fetch_error(cache, address):
    cache.write_bytes(b"a file in place of the folder")
    with pytest.raises(FetchError, match="MIEN_HOME"):
        pull_model("yunet", url=f"{address}/complete")
    assert find_model_file("yunet") is None


@pytest.mark.full
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limits on file size")
def test_full_disk_leaves_no_file(tmp_path):
    """A limit on the file size stands for a full disk: writing beyond it fails with an error of the system."""
    (tmp_path / "copy").write_bytes(CONTENT)
    code = """
import resource, signal, sys
from pathlib import Path
from mien.errors import FetchError
from mien.models import pull_model
from mien.models.checksums import PUBLISHED_FILES, Checksum
content = Path(sys.argv[1]).read_bytes()
PUBLISHED_FILES["yunet"] = PUBLISHED_FILES["yunet"]._replace(file="yunet.onnx", checksum=Checksum.of(content))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
try:
    pull_model("yunet", source=Path(sys.argv[1]))
except FetchError as error:
    print(error)
"""
    environment = {**os.environ, "MIEN_HOME": str(tmp_path / "home")}
    command = [sys.executable, "-c", code, str(tmp_path / "copy")]
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert "could not be written" in process.stdout
    assert "Free some space" in process.stdout
    assert list((tmp_path / "home").iterdir()) == []


def test_interrupted_download_leaves_no_file(cache, address):
    def interrupt(count, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_model("yunet", url=f"{address}/complete", progress=interrupt)
    assert list(cache.iterdir()) == []


def test_old_temporary_files_are_removed_and_new_ones_are_not(cache, address):
    cache.mkdir()
    old, new = cache / ".mien-0a.part", cache / ".mien-0b.part"
    for file in (old, new):
        file.write_bytes(b"part")
    os.utime(old, (0, 0))
    pull_model("yunet", url=f"{address}/complete")
    assert not old.exists()
    assert new.exists()


def test_simultaneous_downloads_do_not_interfere(cache, address):
    published = PUBLISHED_FILES["yunet"]
    target = cache / "yunet.onnx"

    def chunks_with_a_second_download():
        chunks = stream_download(published, f"{address}/complete", timeout=20, deadline=20)
        yield next(chunks)
        pull_model("yunet", url=f"{address}/complete")
        yield from chunks

    assert install_file(published, chunks_with_a_second_download(), target) == target
    assert target.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [target]


def test_downloaded_file_is_listed_with_its_path(cache, address):
    entries = {entry.name: entry for entry in list_models()}
    assert entries["yunet"][1:] == ("detector", "fetched", None)
    pull_model("yunet", url=f"{address}/complete")
    assert {entry.name: entry.path for entry in list_models()}["yunet"] == cache / "yunet.onnx"


def test_published_yunet_has_the_checksum_of_the_table(yunet_file, tmp_path, monkeypatch):
    monkeypatch.setenv("MIEN_HOME", str(tmp_path))
    expected = tmp_path / "face_detection_yunet_2026may.onnx"
    assert pull_model("yunet", source=Path(yunet_file)) == expected
    assert find_model_file("yunet") == expected
