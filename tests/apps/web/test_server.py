"""The server on a real socket: nothing on the disk, bounds in bytes and time, a stop that finishes what was begun."""

import http.client
import json
import logging
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from command import command, environment
from fakes import FakeClassifier
from mien.apps.web import server as arenas
from mien.apps.web import server as arrival
from mien.apps.web.request_log import JsonFormatter, TextFormatter
from mien.apps.web.server import _adjusted
from web import ASTRONAUT, READINGS, app_of, fake_engine, listening, picture, service

unix = pytest.mark.skipif(os.name == "nt", reason="signals and /proc as Unix has them")
IMAGE = {"Content-Type": "image/png"}


def ask(address, method="GET", path="/api/v1/health", body=None, headers=None):
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def talk(address, data: bytes, patience=10.0) -> bytes:
    """What comes back; nothing where the server closed before all was sent, as it may."""
    got = b""
    with socket.create_connection(address, timeout=patience) as peer, suppress(ConnectionError):
        peer.sendall(data)
        while piece := peer.recv(65536):
            got += piece
    return got


def test_a_large_upload_never_touches_the_disk(monkeypatch):
    """Both waitress and Werkzeug would write it to a temporary file, by way of this module."""
    import tempfile

    made = []
    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, lambda *_, **__: made.append(1) or pytest.fail("a temporary file"))
    data = picture(16, 16) + b"\0" * 8_000_000  # what comes behind a PNG's end is ignored
    boundary = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n" + data + b"\r\n--x--\r\n"
    with listening(app_of(fake_engine())) as address:
        raw = ask(address, "POST", READINGS, data, IMAGE)
        form = ask(address, "POST", READINGS, boundary, {"Content-Type": "multipart/form-data; boundary=x"})
    assert (raw[0], form[0], made) == (200, 200, [])


def test_too_long_is_said_before_or_after_it_was_sent():
    app = app_of(fake_engine(), max_bytes=1_000_000, max_film_bytes=3_000_000)
    with listening(app) as address:
        status, headers, body = ask(address, "POST", READINGS, b"\0" * 2_000_000, IMAGE)
        assert status == 413
        assert headers["Content-Type"] == "application/problem+json"
        assert "1 MB" in json.loads(body)["detail"]
        # Films may be longer, but only where films go.
        assert ask(address, "POST", "/api/v1/videos", b"\0" * 2_000_000, IMAGE)[0] == 202
        assert ask(address, "POST", "/api/v1/videos", b"\0" * 4_000_000, IMAGE)[0] == 413
        expecting = (
            f"POST {READINGS} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n"
        )
        assert talk(address, expecting.encode()).startswith(b"HTTP/1.1 413")
        answer = talk(address, chunks(14) + b"0\r\n\r\n")
        assert not answer or b" 413 " in answer.partition(b"\r\n")[0]
        assert ask(address)[0] == 200


def chunks(count: int, path: str = READINGS) -> bytes:
    """The beginning of a request whose body comes in chunks of 100 kB and does not end."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (100_000, b"\0" * 100_000) for _ in range(count))


def test_what_comes_in_chunks_counts_among_all_that_is_on_its_way(monkeypatch):
    monkeypatch.setattr(arrival, "_BUDGET", 0)
    own = service(app_of(fake_engine(), max_bytes=5_000_000, max_film_bytes=6_000_000))
    parser = type("Parser", (arrival.LimitingRequestParser,), {"service": own, "arriving": {}})
    told = f"POST {READINGS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n".encode()
    one, other, third, later = (parser(_adjusted(own.settings)) for _ in range(4))
    one.received(chunks(0))
    assert one.received(chunks(40).partition(b"\r\n\r\n")[2]) > 4_000_000
    assert (one.error, one.completed) == (None, False)
    other.received(told)
    assert other.refused.code == 503
    third.received(chunks(0))
    third.received(chunks(30).partition(b"\r\n\r\n")[2])
    assert (third.error.code, third.completed) == (503, True)
    one.close()
    third.close()
    later.received(told)
    assert later.refused is None


def test_a_long_body_in_chunks_has_as_long_as_one_whose_length_is_told():
    with listening(app_of(fake_engine()), patience=0.3) as address, socket.create_connection(address) as peer:
        peer.settimeout(20)
        peer.sendall(chunks(30))
        time.sleep(3)
        peer.sendall(b"0\r\n\r\n")
        assert peer.recv(100).startswith(b"HTTP/1.1 422")


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 6\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\nY: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 32_760 + b"\r\n\r\n",
        b"\0\xff\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_in_the_shape_of_all_errors(head):
    with listening(app_of(fake_engine())) as address:
        answer = talk(address, head)
        first, _, rest = answer.partition(b"\r\n")
        assert 400 <= int(first.split()[1]) <= 501
        assert b"application/problem+json" in rest
        assert ask(address)[0] == 200


def test_a_body_that_never_comes_is_given_up():
    with listening(app_of(fake_engine()), patience=0.3) as address:
        began = time.monotonic()
        head = f"POST {READINGS} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc"
        assert talk(address, head.encode(), 15) == b""
        assert time.monotonic() - began < 8


def test_many_slow_ones_do_not_keep_others_waiting():
    with listening(app_of(fake_engine()), patience=0.5) as address:
        slow = [socket.create_connection(address) for _ in range(60)]
        try:
            for peer in slow:
                peer.sendall(b"POST /api/v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n")
            began = time.monotonic()
            assert ask(address, "POST", READINGS, picture(), IMAGE)[0] == 200
            assert time.monotonic() - began < 2
            for peer in slow:
                peer.settimeout(10)
                assert peer.recv(10) == b""
        finally:
            for peer in slow:
                peer.close()


class Slow(FakeClassifier):
    def __init__(self):
        super().__init__()
        self.begun = threading.Event()

    def run(self, faces):
        self.begun.set()
        time.sleep(0.6)
        return super().run(faces)


def test_a_stop_finishes_what_was_begun_and_takes_nothing_new():
    from mien.apps.web.server import WebServer

    classifier = Slow()
    app = app_of(fake_engine(classifier=classifier))
    server = WebServer(app)
    finished = []
    thread = threading.Thread(target=lambda: finished.append(server.run()))
    thread.start()
    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(ask, server.address, "POST", READINGS, picture(), IMAGE)
        assert classifier.begun.wait(5)
        server.stop()
        time.sleep(0.2)
        with pytest.raises(OSError):
            socket.create_connection(server.address, timeout=1).close()
        assert begun.result(10)[0] == 200
    thread.join(10)
    assert finished == [True]


def started(*arguments, **more) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(
        command("serve", "--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "MIEN_DETECTOR": "haar", **more},
    )
    line = process.stdout.readline()
    assert "http://" in line, process.stderr.read()
    return process, re.search(r"http://\S+", line)[0]


@unix
def test_a_signal_ends_the_server_with_nothing_lost_and_lines_of_json():
    process, address = started()
    with urllib.request.urlopen(f"{address}/api/v1/health") as answer:
        assert answer.status == 200
    request = urllib.request.Request(f"{address}{READINGS}?name=secret.jpg", ASTRONAUT.read_bytes(), IMAGE)
    with urllib.request.urlopen(request) as answer:
        number = answer.headers["X-Request-ID"]
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=15)
    assert process.returncode == 0
    [told] = [json.loads(line) for line in err.splitlines()]
    assert {"id": number, "method": "POST", "route": READINGS, "status": 200, "faces": 1}.items() <= told.items()
    assert "secret" not in err
    assert "127.0.0.1" not in err


@unix
def test_a_port_that_is_taken_names_the_next_that_is_free():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(command("serve", "--port", str(port)), capture_output=True, text=True, timeout=30)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    free = int(re.search(r"mien serve --port (\d+)", done.stderr)[1])
    assert port < free < port + 100


@unix
def test_gunicorn_serves_the_same_app(tmp_path):
    pytest.importorskip("gunicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--workers", "1", "--threads", "4", "--bind", f"127.0.0.1:{port}", "mien.apps.web:create_app()"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *words],
        cwd=tmp_path,
        env={**environment(), "MIEN_DETECTOR": "haar"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(100):
            try:
                status, _, body = ask(("127.0.0.1", port), "POST", READINGS, ASTRONAUT.read_bytes(), IMAGE)
                break
            except OSError:
                time.sleep(0.1)
        assert status == 200
        assert len(json.loads(body)["pictures"][0]["faces"]) == 1
    finally:
        process.terminate()
        process.wait(15)


def test_lines_of_the_log():
    record = logging.LogRecord("mien.web", logging.INFO, "", 0, "request", None, None)
    record.facts = {"status": 200}
    assert json.loads(JsonFormatter().format(record))["status"] == 200
    assert TextFormatter().format(record).endswith("request status=200")


def test_a_number_of_one_s_own_is_kept_and_a_strange_one_is_not():
    client = app_of(fake_engine()).test_client()
    path = "/api/v1/health"
    assert client.get(path, headers={"X-Request-ID": "abcdefgh-1"}).headers["X-Request-ID"] == "abcdefgh-1"
    for strange in ("a", "x" * 100, "a b c d e f g", 'x"; drop'):
        assert client.get(path, headers={"X-Request-ID": strange}).headers["X-Request-ID"] != strange


def test_a_bug_is_one_sentence_and_the_log_has_the_rest(caplog):
    class Broken(FakeClassifier):
        def run(self, faces):
            raise ZeroDivisionError("secret place")

    app = app_of(fake_engine(classifier=Broken()))
    with caplog.at_level(logging.INFO, "mien.web"):
        answer = app.test_client().post(READINGS, data=picture(), content_type="image/png")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "ZeroDivisionError" in caplog.text


def test_nothing_but_strangers_is_left_in_the_folder_for_films(tmp_path):
    app = app_of(fake_engine(), scratch=str(tmp_path))
    with listening(app) as address:
        ask(address, "POST", READINGS, picture(), IMAGE)
        ask(address, "POST", "/api/v1/videos", b"no film", IMAGE)
        time.sleep(0.3)
    assert list(Path(tmp_path).iterdir()) == []


ARENAS = """
import ctypes, threading
from mien.apps.web import arenas, arrival
{}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
meet = threading.Barrier(12)
def work():
    meet.wait(10)
    libc.malloc(50_000)
    meet.wait(10)
threads = [threading.Thread(target=work) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.malloc_info(0, libc.fdopen(1, b"w"))
libc.fflush(None)
"""


def pools(*, fewer: bool, **variables: str) -> int:
    code = ARENAS.format("arenas.few()" if fewer else "")
    environment = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"} | variables
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    return done.stdout.count("<heap nr=")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="pools as glibc has them")
def test_threads_share_a_few_pools_of_memory():
    assert pools(fewer=False) > arenas.POOLS
    assert pools(fewer=True) <= arenas.POOLS
    assert pools(fewer=True, MALLOC_ARENA_MAX="7") > arenas.POOLS
