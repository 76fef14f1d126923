"""Films: ``POST /videos`` begins a job; its state, its events, its results; ``DELETE`` ends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import isfinite

from flask import Blueprint, Response, g, jsonify, request, send_file, url_for

from mien.apps.web.api.readings import engine_for
from mien.apps.web.errors import HttpProblem
from mien.apps.web.jobs import ENDS, Job, QueueFull
from mien.apps.web.service import current_service
from mien.apps.web.uploads import parse_request
from mien.video.results import RESULT_FILES

routes = Blueprint("videos", __name__)

#: A stream of events says something at least this often (seconds), and so notices that nobody listens any more.
_PULSE = 2.0

_FPS = 10.0


@routes.post("/videos")
def begin() -> tuple[Response, int]:
    """202 and the job. The film is read in the background; results stay for some minutes, or until they are deleted."""
    own = current_service()
    if not own.settings.max_film_bytes:
        raise HttpProblem(404, "This server reads no films.")
    said = parse_request(request, own.settings)
    if len(said.uploads) != 1:
        raise HttpProblem(400, "One film is read in one job.")
    upload = said.uploads[0]
    if upload.error:
        raise upload.error
    if not upload.data:
        raise HttpProblem(
            422, f"'{upload.name}' is empty. A film was expected: mp4, mov, webm, mkv, avi or an animated GIF."
        )
    end = own.settings.max_film_seconds
    options = {"fps": _rate(said.words.get("fps")), "blur": _yes(said.words.get("blur")), "end": end}
    try:
        job = own.jobs.add(upload.data, upload.name, engine_for(own, said.words), options)
    except QueueFull as full:
        told = "As many films are being read or kept here as may be. Try again in a little while."
        raise HttpProblem(503, told, headers={"Retry-After": "30"}) from full
    g.facts = {"job": job.id[:6]}
    response = jsonify(_told(job))
    response.headers["Location"] = url_for("videos.state", id_=job.id)
    return response, 202


@routes.get("/videos/<id_>")
def state(id_: str) -> Response:
    """How far the job is; with ``found`` when it is done."""
    return jsonify(_told(_job(id_)))


@routes.get("/videos/<id_>/events")
def events(id_: str) -> Response:
    """The same each time it changes, as server-sent events; 503 where too many listen: then ask for the state."""
    job, streams = _job(id_), current_service().jobs.streams
    if not streams.acquire(blocking=False):
        raise HttpProblem(503, "Too many listen at once. Ask for the state every second.", headers={"Retry-After": "1"})
    response = Response(_stream(job, _told(job)["links"]), content_type="text/event-stream; charset=utf-8")
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(streams.release)
    return response


@routes.get("/videos/<id_>/<any('report.html','faces.csv','events.csv','subtitles.vtt','film.webm'):name>")
def result(id_: str, name: str) -> Response:
    """One of the results of a job that is done."""
    job = _job(id_)
    path = job.folder / name
    if name not in job.results or not path.is_file():
        raise HttpProblem(404, f"There is no {name} of this film, or not yet.")
    save = request.args.get("save") == "1"
    kind = RESULT_FILES[name]
    response = send_file(path, mimetype=kind.partition(";")[0], as_attachment=save, download_name=name, etag=False)
    response.headers["Cache-Control"] = "no-store"
    if name == "report.html":
        response.headers["Content-Security-Policy"] = _apart(path.read_text(encoding="utf-8"))
    if name == "film.webm":
        # The report lives in a sandbox, so this film comes from elsewhere as far as it knows.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


@routes.delete("/videos/<id_>")
def leave(id_: str) -> tuple[str, int]:
    """Stop the job and remove everything of it."""
    if not current_service().jobs.remove(id_):
        raise _gone()
    return "", 204


def _job(id_: str) -> Job:
    job = current_service().jobs.get(id_)
    if job is None:
        raise _gone()
    return job


def _gone() -> HttpProblem:
    return HttpProblem(404, "There is no such film here. Results are removed some minutes after the end.")


def _told(job: Job) -> dict[str, object]:
    own = url_for("videos.state", id_=job.id)
    links = {"self": own, "events": f"{own}/events", **{name: f"{own}/{name}" for name in job.results}}
    return {**job.to_dict(), "links": links}


def _stream(job: Job, links: object) -> Iterator[str]:
    yield "retry: 2000\n\n"
    for news in job.news(_PULSE):
        if news is None:
            yield ": still there\n\n"
            continue
        own = str(links["self"]) if isinstance(links, dict) else ""
        news["links"] = {"self": own, "events": f"{own}/events", **{name: f"{own}/{name}" for name in news["results"]}}
        kind = "end" if news["state"] in ENDS else "state"
        yield f"event: {kind}\ndata: {json.dumps(news, ensure_ascii=False)}\n\n"


def _apart(page: str) -> str:
    """The page's own policy, in a sandbox: its styles are inline, so it must be nobody to the rest of this site."""
    begin = page.index('http-equiv="Content-Security-Policy" content="') + 46
    own = page[begin : page.index('"', begin)].replace("file:", "")
    return f"{own}; frame-ancestors 'none'; sandbox allow-scripts allow-downloads"


def _rate(given: str | None) -> float:
    if not given:
        return _FPS
    try:
        rate = float(given)
    except ValueError:
        rate = -1.0
    if not (isfinite(rate) and 0.1 <= rate <= 60):
        raise HttpProblem(400, "'fps' is how many frames are read of each second: from 0.1 to 60.")
    return rate


def _yes(given: str | None) -> bool:
    return str(given or "").strip().lower() in ("1", "true", "yes", "on")
