"""Live sessions: tracking and smoothing of frames that arrive one by one, their limits and their end."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

import web
from mien import Engine
from mien.apps.session.live_camera import FrameStream
from mien.apps.web import live_sessions
from mien.images import load_image
from web import EXAMPLES, check_schema

LIVE = "/api/v1/live"


@pytest.fixture
def app(tmp_path):
    app = web.make_app(scratch=str(tmp_path), live_sessions=4)
    yield app
    web.service_of(app).jobs.close()


@pytest.fixture
def client(app):
    return app.test_client()


def photo(name="hopper"):
    return (EXAMPLES / f"{name}.jpg").read_bytes()


def open_session(client, **query):
    response = client.post(LIVE, query_string=query)
    assert response.status_code == 201
    check_schema("LiveSession", response.json)
    return response.json["links"]


def send(client, links, data=None, address="127.0.0.1", **query):
    return client.post(
        links["frames"],
        data=photo() if data is None else data,
        content_type="image/jpeg",
        query_string=query,
        environ_base={"REMOTE_ADDR": address},
    )


def test_frames_have_the_results_of_a_stream(client):
    links, stream = open_session(client), FrameStream(Engine.load(detector="haar"))
    for number, name in enumerate(["portraits", "portraits", "hopper"]):
        response = send(client, links, photo(name), seconds=0.2 * number)
        check_schema("LiveFrame", response.json)
        frame = stream.analyze(load_image(EXAMPLES / f"{name}.jpg").pixels, 0.2 * number)
        assert response.json["frame"] == number
        faces = frame.result.to_dict()["faces"]
        assert [face["track"] for face in response.json["image"]["faces"]] == [face["track"] for face in faces]
        for face, expected in zip(response.json["image"]["faces"], faces, strict=True):
            assert list(face["scores"].values()) == pytest.approx(list(expected["scores"].values()), abs=1e-6)
    assert response.json["main_track"] == response.json["image"]["faces"][0]["track"]


def test_activations_are_those_of_the_main_track(client):
    links = open_session(client)
    assert send(client, links).json["activations"] is None
    body = send(client, links, maps=4).json
    check_schema("LiveFrame", body)
    assert max(len(layer["channels"]) for layer in body["activations"]["layers"] if len(layer["shape"]) == 3) == 4
    gray = web.image_bytes(64, 64)
    assert send(client, links, gray, maps=4).json["activations"] is None


def test_sessions_of_two_clients_are_separate(client):
    first, second = open_session(client), open_session(client)
    assert first["frames"] != second["frames"]
    assert len(first["frames"].split("/")[-2]) >= 32
    for _ in range(2):
        assert send(client, first).json["image"]["faces"][0]["track"] == 1
    assert send(client, second).json["frame"] == 0


def test_session_belongs_to_the_client_that_opened_it(client):
    links = open_session(client)
    assert send(client, links, address="192.0.2.7").status_code == 404
    assert client.delete(links["self"], environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 404
    assert send(client, links).json["frame"] == 0


def test_number_of_sessions_is_limited(client):
    links = [open_session(client) for _ in range(2)]
    response = client.post(LIVE)
    assert response.status_code == 429
    assert "This client" in response.json["detail"]
    for _ in range(2):
        assert client.post(LIVE, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 201
    response = client.post(LIVE, environ_base={"REMOTE_ADDR": "192.0.2.8"})
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "60"
    assert client.delete(links[0]["self"]).status_code == 204
    assert client.delete(links[0]["self"]).status_code == 404
    assert send(client, links[0]).status_code == 404
    open_session(client)


@pytest.mark.parametrize("size", [live_sessions.MAX_FRAME_BYTES + 1, 2 * live_sessions.MAX_FRAME_BYTES])
def test_large_frame_is_rejected(client, size):
    links = open_session(client)
    response = send(client, links, photo() + bytes(size - len(photo())))
    assert response.status_code == 413
    assert "MIEN_" not in response.json["detail"]
    assert send(client, links).json["frame"] == 0


def test_frame_with_many_pixels_is_rejected_before_it_is_decoded(client):
    links = open_session(client)
    response = send(client, links, web.image_bytes(3001, 3000))
    assert response.status_code == 413
    assert "Send a smaller one" in response.json["detail"]


def test_frames_are_counted(app, client):
    links = open_session(client)
    send(client, links)
    with web.service_of(app).live.get(links["self"].split("/")[-1], "127.0.0.1").lock:
        send(client, links)
    metrics = client.get("/api/v1/metrics").text
    assert "mien_live_sessions 1.0" in metrics
    assert 'mien_live_frames_total{outcome="read"} 1.0' in metrics
    assert 'mien_live_frames_total{outcome="dropped"} 1.0' in metrics


def test_idle_session_is_removed(app, client, monkeypatch):
    links, clock = open_session(client), time.monotonic() + live_sessions.IDLE_SECONDS - 1
    monkeypatch.setattr(live_sessions.time, "monotonic", lambda: clock)
    assert send(client, links).status_code == 200
    monkeypatch.setattr(live_sessions.time, "monotonic", lambda: clock + live_sessions.IDLE_SECONDS + 1)
    assert len(web.service_of(app).live) == 0
    assert send(client, links).status_code == 404


def test_frame_that_comes_too_early_is_rejected(app, client):
    links = open_session(client)
    session = web.service_of(app).live.get(links["self"].split("/")[-1], "127.0.0.1")
    with session.lock:
        response = send(client, links)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "1"
    assert send(client, links).status_code == 200


@pytest.mark.parametrize("seconds", ["-1", "nan", "soon", "1e99"])
def test_invalid_times_are_rejected(client, seconds):
    response = send(client, open_session(client), seconds=seconds)
    assert response.status_code == 400
    assert "'seconds'" in response.json["detail"]


def test_time_never_decreases(client):
    links = open_session(client)
    assert send(client, links, seconds=5).json["seconds"] == 5
    assert send(client, links, seconds=3).json["seconds"] == 5


@pytest.mark.parametrize("data", [b"no image", np.zeros(10).tobytes()])
def test_frame_that_is_no_image_leaves_the_session(client, data):
    links = open_session(client)
    assert send(client, links, data).status_code == 422
    assert send(client, links).json["frame"] == 0


def test_clients_that_send_at_once_lose_frames_and_no_memory(app):
    links, statuses = open_session(app.test_client()), []

    def send_frames():
        client = app.test_client()
        statuses.extend(send(client, links).status_code for _ in range(5))

    threads = [threading.Thread(target=send_frames) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(statuses) <= {200, 429}
    assert send(app.test_client(), links).json["frame"] == statuses.count(200)
