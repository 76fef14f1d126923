"""What may be asked for, with what, and what comes back."""

from __future__ import annotations

from typing import Any

from mien.apps.film.gathered import RESULTS
from mien.apps.web.intake import MAPS, MOST_MAPS
from mien.apps.web.openapi.schemas import NUMBER, TEXT, WHOLE, Schema, ref, several
from mien.explain.question import METHODS

_BINARY: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}

#: Any route may give these: a wrong host or origin, a missing key, too many requests.
_ALWAYS = ("400", "401", "403", "413", "415", "421", "422", "429", "503")

_TOLD = {
    "400": "The request is not as it should be.",
    "401": "A key is needed.",
    "403": "Pages of other sites may not ask.",
    "404": "There is no such thing.",
    "406": "No such kind of answer.",
    "413": "Too large: in bytes, pixels or pictures.",
    "415": "No such kind of request.",
    "421": "The server does not answer to that name.",
    "422": "Not a picture, or not a film, or damaged.",
    "429": "Too many requests; Retry-After says when.",
    "503": "Too much to do; Retry-After says when.",
}


def paths() -> dict[str, Any]:
    return {
        "/api/v1/readings": {"post": _readings()},
        "/api/v1/explanations": {"post": _explanations()},
        "/api/v1/looks": {"post": _looks()},
        "/api/v1/videos": {"post": _videos()},
        "/api/v1/videos/{id}": {"parameters": [_id()], "get": _job(), "delete": _leave()},
        "/api/v1/videos/{id}/events": {"parameters": [_id()], "get": _events()},
        "/api/v1/videos/{id}/{name}": {"parameters": [_id(), _result_name()], "get": _result()},
        "/api/v1/models": {"get": _told("service", "The models, and what each says about itself", _json("Models"))},
        "/api/v1/health": {"get": _told("service", "Does the process live?", _json("Health"), ())},
        "/api/v1/ready": {"get": _ready()},
        "/api/v1/metrics": {"get": _told("service", "Counts and times for Prometheus", _answer("text/plain", TEXT))},
        "/api/openapi.json": {"get": _told("service", "This description", _answer("application/json", {}), ())},
        "/analyze": {"post": _analyze()},
    }


def _told(tag: str, summary: str, ok: Any, problems: tuple[str, ...] = _ALWAYS, **more: Any) -> dict[str, Any]:
    """An operation; ``ok`` is its answer under 200, or several under their statuses."""
    good = ok if "200" in ok or "202" in ok or "204" in ok else {"200": ok}
    return {
        "tags": [tag],
        "summary": summary,
        **more,
        "responses": {**good, **{each: _problem(each) for each in problems}},
    }


def _problem(status: str) -> dict[str, Any]:
    return {"description": _TOLD[status], "content": {"application/problem+json": {"schema": ref("Problem")}}}


def _answer(kind: str, schema: Schema, **others: Schema) -> dict[str, Any]:
    content = {kind: {"schema": schema}, **{each: {"schema": shape} for each, shape in others.items()}}
    return {"description": "As asked.", "content": content}


def _json(name: str) -> dict[str, Any]:
    return _answer("application/json", ref(name))


def _query(name: str, schema: Schema, told: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": told, "required": False}


def _reader() -> list[dict[str, Any]]:
    return [
        _query("model", TEXT, "A model's name, from /models. Without it: the usual one."),
        _query("detector", {"enum": ["auto", "haar", "yunet", "none"]}, "Who finds the faces."),
        _query("min_face", {**WHOLE, "minimum": 1, "maximum": 100000}, "The smallest face to look for, in pixels."),
    ]


def _name() -> dict[str, Any]:
    return _query("name", TEXT, "What to call a picture that is the body itself.")


def _body(json: bool = True, many: bool = True) -> dict[str, Any]:
    files = several(_BINARY, minItems=1, maxItems=32 if many else 1)
    content: dict[str, Any] = {
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": files}, "required": ["file"]}},
        "application/octet-stream": {"schema": _BINARY},
        "image/*": {"schema": _BINARY},
    }
    if json:
        content["application/json"] = {"schema": ref("SentPictures")}
    return {"required": True, "content": content}


def _readings() -> dict[str, Any]:
    ok = _answer("application/json", ref("Readings"), **{"text/csv": TEXT, "image/jpeg": _BINARY, "image/png": _BINARY})
    told = (
        "One picture or several. A bad one among several has `error` in its place; if all are bad, so is the answer. "
        "With `Accept: text/csv` the table comes, with `image/jpeg` or `image/png` the one picture, painted."
    )
    more = {"description": told, "parameters": [*_reader(), _name()], "requestBody": _body()}
    return _told("pictures", "What the expressions in pictures look like", ok, (*_ALWAYS, "404", "406"), **more)


def _explanations() -> dict[str, Any]:
    asked = [
        _query("face", {"anyOf": [{**WHOLE, "minimum": 1}, {"const": "all"}]}, "Which face, largest first; or all."),
        _query("methods", {**TEXT, "examples": list(METHODS)}, f"Any of {', '.join(METHODS)}, with commas between."),
        _query("target", TEXT, "The expression that evidence is sought for. Without it: the leading one."),
        _query("versus", TEXT, "The expression it is held against."),
        _query("layers", TEXT, "auto, all, or layers by name, with commas between."),
        _query("maps", {**WHOLE, "minimum": 1, "maximum": MOST_MAPS}, f"Maps of each layer. Without it: {MAPS}."),
        _query("seed", {**WHOLE, "minimum": 0, "maximum": 999999999}, "For methods with chance."),
        _query("part", {"enum": ["body"]}, "Of HTML: only what stands in the page."),
    ]
    ok = _answer("application/json", ref("Explanations"), **{"text/html": TEXT})
    told = "With `Accept: text/html` the response is the walkthrough page."
    more = {"description": told, "parameters": [*asked, *_reader(), _name()], "requestBody": _body(many=False)}
    return _told("pictures", "What happens inside the network on a face", ok, (*_ALWAYS, "404", "406"), **more)


def _looks() -> dict[str, Any]:
    asked = [
        _query("face", {**WHOLE, "minimum": 1, "maximum": 100000}, "Which face, largest first."),
        _query("layers", TEXT, "auto, all, or layers by name, with commas between."),
        _query("maps", {**WHOLE, "minimum": 1, "maximum": MOST_MAPS}, f"Maps of each layer. Without it: {MAPS}."),
    ]
    more = {"parameters": [*asked, *_reader(), _name()], "requestBody": _body(many=False)}
    summary = "The readings of a picture and a quick look inside, for cameras"
    return _told("pictures", summary, _json("Look"), (*_ALWAYS, "404"), **more)


def _videos() -> dict[str, Any]:
    asked = [
        _query("fps", {**NUMBER, "minimum": 0.1, "maximum": 60}, "Frames read of each second, at most."),
        _query("blur", {"enum": ["0", "1"]}, "Hide faces in the report and the painted film."),
    ]
    ok = {"202": {**_json("Job"), "headers": {"Location": {"schema": TEXT}}}}
    more = {"parameters": [*asked, *_reader()[:2], _name()], "requestBody": _body(json=False, many=False)}
    return _told("films", "Begin to read a film", ok, (*_ALWAYS, "404"), **more)


def _id() -> dict[str, Any]:
    return {"name": "id", "in": "path", "required": True, "schema": TEXT, "description": "The job's id."}


def _result_name() -> dict[str, Any]:
    return {"name": "name", "in": "path", "required": True, "schema": {"enum": list(RESULTS)}}


def _job() -> dict[str, Any]:
    return _told("films", "How far a film is read, and what was found", _json("Job"), (*_ALWAYS, "404"))


def _leave() -> dict[str, Any]:
    ok = {"204": {"description": "Everything of it is gone."}}
    return _told("films", "Stop a job and remove everything of it", ok, (*_ALWAYS, "404"))


def _events() -> dict[str, Any]:
    ok = _answer("text/event-stream", TEXT)
    told = "`state` while it goes on, and one `end`; the data is the job. 503 where too many listen: ask for the job."
    return _told("films", "A job's changes as server-sent events", ok, (*_ALWAYS, "404"), description=told)


def _result() -> dict[str, Any]:
    kinds = {kind.partition(";")[0]: TEXT if kind.startswith("text") else _BINARY for kind in RESULTS.values()}
    ok = {"200": {"description": "The file.", "content": {kind: {"schema": shape} for kind, shape in kinds.items()}}}
    save = [_query("save", {"enum": ["0", "1"]}, "1 to have it saved and not shown.")]
    return _told("films", "One result of a film that is read", ok, (*_ALWAYS, "404"), parameters=save)


def _ready() -> dict[str, Any]:
    ok = {"200": _json("Ready"), "503": {**_json("Ready"), "description": "Full, or leaving."}}
    return _told("service", "Is new work welcome?", ok, ())


def _analyze() -> dict[str, Any]:
    form: Schema = {
        "type": "object",
        "properties": {"img": {"anyOf": [_BINARY, TEXT]}, "detector_backend": TEXT, "enforce_detection": TEXT},
        "required": ["img"],
    }
    body = {
        "application/json": {"schema": ref("DeepFaceAsked")},
        "multipart/form-data": {"schema": form},
    }
    error = _json("DeepFaceError")
    ok = {
        "200": _json("DeepFaceResults"),
        **{each: {**error, "description": _TOLD[each]} for each in ("400", "413", "422")},
    }
    problems = tuple(each for each in _ALWAYS if each not in ok)
    more = {"requestBody": {"required": True, "content": body}}
    return _told("DeepFace", "The emotions of faces, in DeepFace's shape", ok, problems, **more)
