"""Live sessions: ``POST /live`` opens one, frames of a camera are posted into it one by one, ``DELETE`` closes it.

The faces of a session are tracked and smoothed as in all apps. A session has positions and scores, no images; it is
removed when no frame arrives for a minute. Only the client that opened it can use it: its address is compared, beside
the id, which cannot be guessed.
"""

from __future__ import annotations

import time

from flask import Blueprint, Response, g, jsonify, request, url_for

from mien.apps.session.live_camera import select_main_track
from mien.apps.session.uploads import check_image_size
from mien.apps.web.errors import HttpProblem
from mien.apps.web.image_routes import crop_activations, decode_upload, select_engine
from mien.apps.web.live_sessions import IDLE_SECONDS, MAX_FRAME_BYTES, MAX_FRAME_PIXELS, SessionsFull
from mien.apps.web.service import current_service
from mien.apps.web.uploads import number_option, parse_request

routes = Blueprint("live", __name__)

#: The largest time of a frame on the clock of a client.
_MAX_SECONDS = 1e7


@routes.post("/live")
def open_session() -> tuple[Response, int]:
    """201 and the address for the frames of one camera."""
    service = current_service()
    try:
        session = service.live.open(select_engine(service, request.args.to_dict()), request.remote_addr or "")
    except SessionsFull as full:
        status, owner = (429, "This client") if full.of_client else (503, "The server")
        detail = f"{owner} has as many live sessions as are accepted. Try again in a little while."
        raise HttpProblem(status, detail, headers={"Retry-After": str(round(IDLE_SECONDS))}) from full
    address = url_for("live.analyze", id_=session.id)
    response = jsonify(
        links={"frames": address, "self": url_for("live.close", id_=session.id)}, idle_seconds=IDLE_SECONDS
    )
    response.headers["Location"] = address
    return response, 201


@routes.post("/live/<id_>/frames")
def analyze(id_: str) -> Response:
    """The tracked and smoothed faces of a frame; with ``maps`` also the activations of the main track.

    While a frame of the same session is analysed another one is rejected with status 429: a client that is too fast
    loses frames, and the server needs no queue.
    """
    service = current_service()
    session = service.live.get(id_, request.remote_addr or "")
    if session is None:
        detail = "There is no such live session. It ends after a minute without a frame; open another one."
        raise HttpProblem(404, detail)
    # A frame in base64 and the form around it are a little larger.
    request.max_content_length = min(service.settings.max_bytes, MAX_FRAME_BYTES * 3 // 2)
    frame_request = parse_request(request, service.settings)
    if len(frame_request.uploads) != 1:
        raise HttpProblem(400, "One frame was expected in a request.")
    [upload], options = frame_request.uploads, frame_request.options
    check_image_size(upload.name, len(upload.data), MAX_FRAME_BYTES)
    if not session.lock.acquire(blocking=False):
        service.metrics.live_frames.labels(outcome="dropped").inc()
        raise HttpProblem(429, "A frame of this session is being analysed.", headers={"Retry-After": "1"})
    try:
        with service.slot(upload):
            pixels = decode_upload(service, upload, MAX_FRAME_PIXELS)
            client_seconds = number_option(
                options, "seconds", 0, _MAX_SECONDS, "the time of the frame, which does not decrease"
            )
            seconds = session.next_seconds(client_seconds, time.monotonic())
            frame = session.stream.analyze(pixels, seconds)
            session.main_track = select_main_track(frame, session.main_track)
            service.metrics.live_frames.labels(outcome="read").inc()
            main = next((i for i, each in enumerate(frame) if each.track == session.main_track), None)
            activations = None
            if options.get("maps") and main is not None:
                activations = crop_activations(service, session.engine, pixels, frame.result.faces[main], options)
    finally:
        session.lock.release()
    g.facts = {"images": 1, "faces": len(frame.result)}
    image = {**frame.result.to_dict(), "source": upload.name}
    return jsonify(
        frame=frame.index,
        seconds=round(seconds, 3),
        main_track=session.main_track if main is not None else None,
        image=image,
        activations=activations,
    )


@routes.delete("/live/<id_>")
def close(id_: str) -> tuple[str, int]:
    """Remove the session."""
    if not current_service().live.close(id_, request.remote_addr or ""):
        raise HttpProblem(404, "There is no such live session.")
    return "", 204
