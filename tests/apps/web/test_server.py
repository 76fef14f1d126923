"""The HTTP server on a real socket: nothing on the disk, limits in bytes and time, graceful stop, processes."""

import http.client
import json
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
from contextlib import ExitStack, suppress

import pytest
from waitress.adjustments import Adjustments

from command import command, environment
from mien.apps.web.server import MEMORY_ARENAS, LimitingRequestParser, WebServer
from video_files import two_faces, write_still_video
from web import (
    ASTRONAUT,
    READINGS,
    VIDEOS,
    GatedClassifier,
    image_bytes,
    make_app,
    make_fake_engine,
    running_server,
    service_of,
    wait_until,
)

full = pytest.mark.full
unix = pytest.mark.skipif(os.name == "nt", reason="signals and /proc of Unix")
IMAGE = {"Content-Type": "image/png"}


def send_request(address, method="GET", path="/api/v1/health", body=None, headers=None):
    """The status, the headers and the body of the response."""
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def send_bytes(address, data: bytes, timeout=10.0) -> bytes:
    """All bytes of the response; they may be missing if the server closes the connection while data is sent."""
    response = b""
    with socket.create_connection(address, timeout=timeout) as client, suppress(ConnectionError):
        client.sendall(data)
        while part := client.recv(65536):
            response += part
    return response


def request_head(length, path=READINGS):
    return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n".encode()


CHUNKED_HEAD = f"POST {READINGS} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
CHUNK = b"%x\r\n%s\r\n" % (100_000, b"\0" * 100_000)


# Without a socket


def make_parsers(count, **settings):
    """Parsers of one server."""
    service = service_of(make_app(make_fake_engine(), **settings))
    parser = type("BoundParser", (LimitingRequestParser,), {"service": service, "body_lengths": {}})
    return [parser(Adjustments(inbuf_overflow=1 << 62)) for _ in range(count)]


def test_parser_rejects_a_body_by_its_declared_length():
    image, video, too_long = make_parsers(3, max_bytes=1_000_000, max_video_bytes=3_000_000)
    image.received(request_head(2_000_000))
    video.received(request_head(2_000_000, VIDEOS))
    too_long.received(request_head(4_000_000, VIDEOS))
    assert (image.rejection.code, video.rejection, too_long.rejection.code) == (413, None, 413)


def test_parser_rejects_a_chunked_body_by_its_length_so_far():
    [parser] = make_parsers(1, max_bytes=1_000_000)
    parser.received(CHUNKED_HEAD)
    parser.received(10 * CHUNK)
    assert parser.error is None
    parser.received(2 * CHUNK)
    assert (parser.error.code, parser.completed) == (413, True)


def test_sum_of_all_bodies_is_limited_also_for_chunked_ones():
    limits = {"max_bytes": 250_000_000, "max_video_bytes": 0}
    first, second, chunked, later = make_parsers(4, **limits)
    first.received(request_head(200_000_000))
    assert first.rejection is None
    second.received(request_head(100_000_000))
    assert second.rejection.code == 503
    # What has arrived of a chunked body counts, too.
    chunked.received(CHUNKED_HEAD)
    chunked.received(20 * CHUNK)
    assert chunked.error is None
    later.received(request_head(55_000_000))
    assert later.rejection.code == 503
    first.close()
    after = type(later)(Adjustments())
    after.received(request_head(100_000_000))
    assert after.rejection is None


# On a socket


@full
def test_large_upload_is_never_written_to_the_disk(monkeypatch):
    """Both waitress and Werkzeug would write it to a temporary file, with these functions."""
    import tempfile

    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp", "mkdtemp"):
        monkeypatch.setattr(tempfile, name, lambda *_, **__: pytest.fail("a temporary file"))
    data = image_bytes() + b"\0" * 8_000_000  # bytes after the end of a PNG are ignored
    form = b"--x\r\nContent-Disposition: form-data; name=file; filename=a.png\r\n\r\n" + data + b"\r\n--x--\r\n"
    with running_server(make_app(make_fake_engine())) as address:
        raw = send_request(address, "POST", READINGS, data, IMAGE)
        multipart = send_request(address, "POST", READINGS, form, {"Content-Type": "multipart/form-data; boundary=x"})
    assert (raw[0], multipart[0]) == (200, 200)


@full
def test_too_large_request_gets_a_problem_before_or_after_its_body():
    app = make_app(make_fake_engine(), max_bytes=1_000_000, max_video_bytes=3_000_000)
    with running_server(app) as address:
        status, headers, body = send_request(address, "POST", READINGS, b"\0" * 2_000_000, IMAGE)
        assert status == 413
        assert headers["Content-Type"] == "application/problem+json"
        assert "1 MB" in json.loads(body)["detail"]
        assert send_request(address, "POST", VIDEOS, b"\0" * 2_000_000, IMAGE)[0] == 202
        assert send_request(address, "POST", VIDEOS, b"\0" * 4_000_000, IMAGE)[0] == 413
        expect = request_head(99_999_999).replace(b"Host:", b"Expect: 100-continue\r\nHost:")
        assert send_bytes(address, expect).startswith(b"HTTP/1.1 413")
        response = send_bytes(address, CHUNKED_HEAD + 14 * CHUNK + b"0\r\n\r\n")
        assert not response or b" 413 " in response.partition(b"\r\n")[0]
        assert send_request(address)[0] == 200


@full
def test_deadline_of_a_chunked_request_grows_with_its_length():
    app = make_app(make_fake_engine())
    with running_server(app, request_seconds=0.3) as address, socket.create_connection(address) as client:
        client.settimeout(20)
        client.sendall(CHUNKED_HEAD + 30 * CHUNK)
        time.sleep(3)  # longer than the deadline of a short request, shorter than that of 3 MB
        client.sendall(b"0\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 422")


@full
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
def test_malformed_request_gets_a_problem(head):
    with running_server(make_app(make_fake_engine())) as address:
        first_line, _, rest = send_bytes(address, head).partition(b"\r\n")
        assert 400 <= int(first_line.split()[1]) <= 501
        assert b"application/problem+json" in rest
        assert send_request(address)[0] == 200


@full
def test_connections_of_slow_requests_are_closed_and_do_not_delay_others():
    with running_server(make_app(make_fake_engine()), request_seconds=0.5) as address:
        slow = [socket.create_connection(address, timeout=20) for _ in range(60)]
        try:
            for client in slow:
                client.sendall(request_head(50) + b"abc")
            assert send_request(address, "POST", READINGS, image_bytes(), IMAGE)[0] == 200
            for client in slow:
                assert client.recv(10) == b""
        finally:
            for client in slow:
                client.close()


@full
def test_stop_finishes_open_requests_and_accepts_no_new_ones():
    classifier = GatedClassifier()
    classifier.gate.clear()
    app = make_app(make_fake_engine(classifier))
    server = WebServer(app)
    results = []
    thread = threading.Thread(target=lambda: results.append(server.run()))
    thread.start()
    with ThreadPoolExecutor(1) as pool:
        request = pool.submit(send_request, server.address, "POST", READINGS, image_bytes(), IMAGE)
        assert classifier.started.wait(10)
        server.stop()
        assert service_of(app).stopping.wait(10)

        def is_closed():
            try:
                socket.create_connection(server.address, timeout=1).close()
            except OSError:
                return True
            return False

        wait_until(is_closed)
        classifier.gate.set()
        assert request.result(10)[0] == 200
    thread.join(10)
    assert results == [True]


@full
def test_folder_for_videos_is_empty_after_a_stop(tmp_path):
    with running_server(make_app(make_fake_engine(), scratch=str(tmp_path))) as address:
        send_request(address, "POST", READINGS, image_bytes(), IMAGE)
        assert send_request(address, "POST", VIDEOS, b"not a video", IMAGE)[0] == 202
    assert list(tmp_path.iterdir()) == []


# Processes


def start_server(*arguments, **variables) -> tuple[subprocess.Popen, str]:
    process = subprocess.Popen(
        command("serve", "--port", "0", *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**environment(), "MIEN_DETECTOR": "haar", **variables},
    )
    line = process.stdout.readline()
    assert "http://" in line, process.stderr.read()
    return process, re.search(r"http://\S+", line)[0]


@full
@unix
def test_signal_stops_the_process_and_its_log_is_json():
    process, address = start_server()
    with urllib.request.urlopen(f"{address}/api/v1/health") as response:
        assert response.status == 200
    request = urllib.request.Request(f"{address}{READINGS}?name=secret.jpg", ASTRONAUT.read_bytes(), IMAGE)
    with urllib.request.urlopen(request) as response:
        request_id = response.headers["X-Request-ID"]
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=15)
    assert process.returncode == 0
    [line] = [json.loads(line) for line in log.splitlines()]
    assert {"id": request_id, "method": "POST", "route": READINGS, "status": 200, "faces": 1}.items() <= line.items()
    assert "secret" not in log
    assert "127.0.0.1" not in log


@full
@unix
def test_used_port_is_an_error_that_names_a_free_port():
    with socket.socket() as used:
        used.bind(("127.0.0.1", 0))
        used.listen()
        port = used.getsockname()[1]
        completed = subprocess.run(command("serve", "--port", str(port)), capture_output=True, text=True, timeout=30)
    assert completed.returncode == 1
    assert completed.stderr.count("\n") == 1
    free = int(re.search(r"mien serve --port (\d+)", completed.stderr)[1])
    assert port < free < port + 100


@full
@unix
def test_gunicorn_serves_the_app(tmp_path):
    pytest.importorskip("gunicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--workers", "1", "--threads", "4", "--bind", f"127.0.0.1:{port}", "mien.apps.web:create_app()"]
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *arguments],
        cwd=tmp_path,
        env={**environment(), "MIEN_DETECTOR": "haar"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def accepts_connections():
        with suppress(OSError):
            return send_request(("127.0.0.1", port))[0] == 200

    try:
        wait_until(accepts_connections)
        status, _, body = send_request(("127.0.0.1", port), "POST", READINGS, ASTRONAUT.read_bytes(), IMAGE)
        assert status == 200
        assert len(json.loads(body)["images"][0]["faces"]) == 1
    finally:
        process.terminate()
        process.wait(15)


COUNT_ARENAS = """
import ctypes, threading
from mien.apps.web import server
{}
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fdopen.restype = ctypes.c_void_p
barrier = threading.Barrier(12)
def allocate():
    barrier.wait(10)
    libc.malloc(50_000)
    barrier.wait(10)
threads = [threading.Thread(target=allocate) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
libc.malloc_info(0, libc.fdopen(1, b"w"))
libc.fflush(None)
"""


def count_arenas(*, limited: bool, **variables: str) -> int:
    """The memory arenas that twelve threads of a process use."""
    code = COUNT_ARENAS.format("server.limit_memory_arenas()" if limited else "")
    inherited = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    completed = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=inherited | variables, check=True
    )
    return completed.stdout.count("<heap nr=")


@full
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="memory arenas of glibc")
def test_memory_arenas_are_limited_unless_a_variable_sets_them():
    assert count_arenas(limited=False) > MEMORY_ARENAS
    assert count_arenas(limited=True) <= MEMORY_ARENAS
    assert count_arenas(limited=True, MALLOC_ARENA_MAX="7") > MEMORY_ARENAS


@full
def test_idle_connections_do_not_shut_others_out():
    """More connections than the server has, all without a request; whoever sends one is answered."""
    with running_server(make_app(make_fake_engine())) as address, ExitStack() as stack:
        for _ in range(480):
            stack.enter_context(socket.create_connection(address, timeout=5))
        for _ in range(30):
            start = time.monotonic()
            assert send_request(address)[0] == 200
            assert time.monotonic() - start < 10
            stack.enter_context(socket.create_connection(address, timeout=5))


@full
@unix
@pytest.mark.parametrize("state", ["running", "waiting", "cancelled", "done", "client gone"])
def test_signal_stops_the_process_in_every_state_of_a_video(state, tmp_path):
    """Within the grace of two seconds and a few more for Python itself, although the video takes minutes."""
    seconds = 1 if state == "done" else 600
    content = write_still_video(tmp_path / "clip.webm", two_faces(), seconds, 10, "-g", "600").read_bytes()
    process, address = start_server(MIEN_GRACE="2", MIEN_MAX_VIDEO_SECONDS="3600")
    host, port = address.removeprefix("http://").split(":")

    def post():
        status, _, body = send_request((host, int(port)), "POST", VIDEOS, content, {"Content-Type": "video/webm"})
        assert status == 202, body
        return json.loads(body)["id"]

    def state_of(job):
        return json.loads(send_request((host, int(port)), "GET", f"{VIDEOS}/{job}")[2])["state"]

    try:
        job = post()
        wait_until(lambda: state_of(job) == ("done" if state == "done" else "running"))
        if state == "waiting":
            assert state_of(post()) == "waiting"
        if state == "cancelled":
            assert send_request((host, int(port)), "DELETE", f"{VIDEOS}/{job}")[0] == 204
        if state == "client gone":
            with socket.create_connection((host, int(port))) as client:
                client.sendall(f"GET {VIDEOS}/{job}/events HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
                client.recv(10)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=12)
        assert process.returncode in (0, 1)
    finally:
        process.kill()
        process.communicate()
