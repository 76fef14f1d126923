"""``POST /videos`` creates a job; its state, its events, its results; ``DELETE`` removes it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flask import Blueprint, Response, g, jsonify, request, send_file, url_for

from mien.apps.session.video_jobs import FINAL_STATES, VideoJob
from mien.apps.web.errors import HttpProblem
from mien.apps.web.image_routes import select_engine
from mien.apps.web.jobs import QueueFull, VideoOptions
from mien.apps.web.service import current_service
from mien.apps.web.uploads import number_option, parse_request
from mien.video.results import RESULT_FILES

routes = Blueprint("videos", __name__)

#: An event stream sends something at least this often (seconds), which also detects clients that have disconnected.
_HEARTBEAT = 2.0

_DEFAULT_FPS = 10.0

_CSP_META = 'http-equiv="Content-Security-Policy" content="'


@routes.post("/videos")
def create() -> tuple[Response, int]:
    """202 and the job. Results are removed after some minutes, or when the job is deleted."""
    service = current_service()
    if not service.settings.max_video_bytes:
        raise HttpProblem(404, "Videos are disabled on this server.")
    video_request = parse_request(request, service.settings)
    if len(video_request.uploads) != 1:
        raise HttpProblem(400, "One video was expected in a request.")
    [upload], options = video_request.uploads, video_request.options
    video_options = VideoOptions(
        fps=number_option(options, "fps", 0.1, 60, "the number of frames analysed per second") or _DEFAULT_FPS,
        end=service.settings.max_video_seconds,
        blur=options.get("blur", "").strip().lower() in ("1", "true", "yes", "on"),
    )
    engine = select_engine(service, options)
    try:
        job = service.jobs.add(upload.video_bytes(), upload.name, engine, video_options)
    except QueueFull as full:
        detail = "The server has as many videos as it accepts. Try again in a little while."
        raise HttpProblem(503, detail, headers={"Retry-After": "30"}) from full
    g.facts = {"job": job.id[:6]}
    response = jsonify(_with_links(job.to_dict()))
    response.headers["Location"] = url_for("videos.state", id_=job.id)
    return response, 202


@routes.get("/videos/<id_>")
def state(id_: str) -> Response:
    """The state and the progress of the job, and the summary of the video when it is done."""
    return jsonify(_with_links(_find_job(id_).to_dict()))


@routes.get("/videos/<id_>/events")
def events(id_: str) -> Response:
    """The same after each change, as server-sent events; 503 if there are too many streams: then poll the state."""
    job, streams = _find_job(id_), current_service().jobs.streams
    if not streams.acquire(blocking=False):
        detail = "There are too many event streams. Poll the state every second."
        raise HttpProblem(503, detail, headers={"Retry-After": "1"})
    response = Response(
        _stream_events(job, url_for("videos.state", id_=id_)), content_type="text/event-stream; charset=utf-8"
    )
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(streams.release)
    return response


@routes.get(f"/videos/<id_>/<any({','.join(map(repr, RESULT_FILES))}):name>")
def result(id_: str, name: str) -> Response:
    """One result file of a job that is done."""
    job = _find_job(id_)
    path = job.files.get(name)
    if path is None or not path.is_file():
        raise HttpProblem(404, f"This video has no {name}, or not yet.")
    save = request.args.get("save") == "1"
    content_type = RESULT_FILES[name].partition(";")[0]
    response = send_file(path, mimetype=content_type, as_attachment=save, download_name=name, etag=False)
    response.headers["Cache-Control"] = "no-store"
    if name == "report.html":
        response.headers["Content-Security-Policy"] = _sandbox_policy(path.read_text(encoding="utf-8"))
    if content_type.startswith("video/"):
        # The report is in a sandbox, for which this video is from another origin.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@routes.delete("/videos/<id_>")
def delete(id_: str) -> tuple[str, int]:
    """Cancel the job and remove the video and all results."""
    if not current_service().jobs.remove(id_):
        raise _missing_job_error()
    return "", 204


def _find_job(id_: str) -> VideoJob:
    job = current_service().jobs.get(id_)
    if job is None:
        raise _missing_job_error()
    return job


def _missing_job_error() -> HttpProblem:
    return HttpProblem(404, "There is no such video. Results are removed some minutes after the end of the analysis.")


def _with_links(report: dict[str, Any], address: str = "") -> dict[str, Any]:
    """The report of a job with the links to its parts; ``address`` is needed outside a request."""
    address = address or url_for("videos.state", id_=report["id"])
    results = {name: f"{address}/{name}" for name in report["results"]}
    return {**report, "links": {"self": address, "events": f"{address}/events", **results}}


def _stream_events(job: VideoJob, address: str) -> Iterator[str]:
    yield "retry: 2000\n\n"
    for report in job.reports(_HEARTBEAT):
        if report is None:
            yield ": heartbeat\n\n"
            continue
        event = "end" if report["state"] in FINAL_STATES else "state"
        yield f"event: {event}\ndata: {json.dumps(_with_links(report, address), ensure_ascii=False)}\n\n"


def _sandbox_policy(page: str) -> str:
    """The policy of the page itself, in a sandbox: it has inline styles, so it must not act for this site."""
    start = page.index(_CSP_META) + len(_CSP_META)
    policy = page[start : page.index('"', start)].replace("file:", "")
    return f"{policy}; frame-ancestors 'none'; sandbox allow-scripts allow-downloads"
