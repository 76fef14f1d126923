"""The shapes of what goes in and comes out."""

from __future__ import annotations

from functools import cache
from typing import Any

from flask import Blueprint, Response, jsonify, render_template

from mien._version import __version__
from mien.apps.web.uploads import DEFAULT_MAPS, MAX_MAPS
from mien.explain.explanation import METHODS
from mien.video.results import RESULT_FILES

Schema = dict[str, Any]

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
WHOLE: Schema = {"type": "integer"}
TRUTH: Schema = {"type": "boolean"}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def several(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def thing(told: str = "", optional: tuple[str, ...] = (), **parts: Schema) -> Schema:
    """An object with these parts; all but the optional ones are always there."""
    always = [name for name in parts if name not in optional]
    return {"type": "object", **({"description": told} if told else {}), "properties": parts, "required": always}


def _shares(told: str) -> Schema:
    return {
        "type": "object",
        "description": told,
        "additionalProperties": {"type": "number", "minimum": 0, "maximum": 1},
    }


def schemas() -> dict[str, Schema]:
    return {**_readings(), **_arrays(), **_inside(), **_films(), **_service(), **_deepface()}


def _readings() -> dict[str, Schema]:
    quality = thing("Is the face good enough to judge?", ok=TRUTH, reason=maybe(TEXT))
    face = thing(
        "One face and what its expression looks like.",
        box=several(WHOLE, minItems=4, maxItems=4, description="x, y, width, height in pixels of the upright picture"),
        detection=NUMBER,
        emotion={**TEXT, "description": "the label with the largest share"},
        scores=_shares("every label's share"),
        uncertain=maybe({**TEXT, "description": "why the reading is uncertain"}),
        quality=quality,
        track=maybe(WHOLE),
        mixture=_shares("the expressions that stand out together"),
        votes=maybe(_shares("what ten people would say")),
        landmarks=maybe(several(several(NUMBER, minItems=2, maxItems=2))),
    )
    picture = thing(
        "What `mien predict --json` prints for a picture. No face is an empty list.",
        source=TEXT,
        size=several(WHOLE, minItems=2, maxItems=2, description="width, height"),
        faces=several(ref("Face")),
        detector=TEXT,
        model=TEXT,
    )
    failed = thing("A picture that could not be read.", source=TEXT, error=TEXT)
    entry: Schema = {"anyOf": [thing(optional=("name",), name=TEXT, data=TEXT), TEXT]}
    sent = thing(
        "Pictures in base64, with or without `data:image/...;base64,`.",
        optional=("model", "detector", "min_face"),
        pictures=several(entry, minItems=1, maxItems=32),
        model=TEXT,
        detector=TEXT,
        min_face={**WHOLE, "minimum": 1},
    )
    either: Schema = {"anyOf": [ref("Picture"), ref("FailedPicture")]}
    return {
        "Face": face,
        "Picture": picture,
        "FailedPicture": failed,
        "Readings": thing(pictures=several(either)),
        "SentPictures": sent,
    }


def _arrays() -> dict[str, Schema]:
    array = thing(
        "Whole numbers from 0 to 255, row by row, in base64; `scale` names the colours they are places on.",
        optional=("scale", "strongest"),
        shape=several(WHOLE),
        data={**TEXT, "contentEncoding": "base64"},
        scale={"enum": ["sea", "ember", "tide"]},
        strongest=NUMBER,
    )
    mapped = {"allOf": [ref("Array"), thing(method=TEXT, target=TEXT, versus=maybe(TEXT))]}
    receptive_field = thing(size=NUMBER, stride=NUMBER, offset_y=NUMBER, offset_x=NUMBER)
    layer = {
        "allOf": [
            ref("Array"),
            thing(
                "A layer's strongest channels, and how many there are.",
                name=TEXT,
                kind=TEXT,
                channels=several(WHOLE),
                of=WHOLE,
                zero_activation=WHOLE,
                receptive_field=maybe(receptive_field),
            ),
        ]
    }
    return {"Array": array, "Map": mapped, "LayerMaps": layer}


def _inside() -> dict[str, Schema]:
    arrays = thing(
        crop=ref("Array"), region_map=ref("Array"), maps=several(ref("Map")), layers=several(ref("LayerMaps"))
    )
    explanation = thing(
        "One face, and what the network made of it; see `mien explain --json`.",
        number=maybe(WHOLE),
        emotion=TEXT,
        scores=_shares("every label's share"),
        target=TEXT,
        versus=maybe(TEXT),
        logits={"type": "object", "additionalProperties": NUMBER},
        temperature=NUMBER,
        maps=several({"type": "object"}),
        layers=several({"type": "object"}),
        contributions=several({"type": "object"}),
        costs=several({"type": "object"}),
        counterfactual=maybe({"type": "object"}),
        counterfactual_searched={"type": "boolean"},
        notes=several(TEXT),
        arrays=arrays,
    )
    look = thing(
        emotion=TEXT,
        scores=_shares("every label's share"),
        regions=maybe({"type": "object"}),
        crop=ref("Array"),
        map=maybe(ref("Map")),
        layers=several(ref("LayerMaps")),
    )
    return {
        "Explanation": explanation,
        "Explanations": thing(source=TEXT, size=several(WHOLE), explanations=several(ref("Explanation"))),
        "Look": thing(picture=ref("Picture"), look=maybe(look)),
    }


def _films() -> dict[str, Schema]:
    event = thing(person=WHOLE, label=TEXT, start=NUMBER, end=NUMBER, peak=NUMBER, peak_at=NUMBER)
    person = thing(
        person=WHOLE, first=NUMBER, last=NUMBER, seen=NUMBER, judged=NUMBER, looks=_shares("parts of the judged time")
    )
    found = thing(start=NUMBER, end=NUMBER, people=several(person), events=several(event))
    progress = {"seconds": NUMBER, "of": maybe(NUMBER), "frames": WHOLE, "frames_per_second": maybe(NUMBER)}
    later = {"size": several(WHOLE), **progress, "people": WHOLE, "events": WHOLE, "complaint": maybe(TEXT)}
    job = thing(
        "A film's job. What is known later is there later.",
        optional=(*later, "found"),
        id=TEXT,
        source=TEXT,
        state={"enum": ["waiting", "reading", "done", "failed", "cancelled"]},
        error=maybe(TEXT),
        results=several(TEXT),
        links={"type": "object", "additionalProperties": TEXT},
        **later,
        found=found,
    )
    return {"Job": job}


def _service() -> dict[str, Schema]:
    model = thing(
        name=TEXT,
        default=TRUTH,
        colours={"type": "object", "additionalProperties": {"type": "string", "pattern": "^#[0-9a-f]{6}$"}},
        card={"type": "object", "description": "what the model says about itself"},
    )
    problem = thing(
        "RFC 9457. `detail` is the sentence for people.",
        optional=("request_id", "error", "pictures"),
        type=TEXT,
        title=TEXT,
        status=WHOLE,
        detail=TEXT,
        request_id=maybe(TEXT),
        error={**TEXT, "description": "the kind of failure, such as SourceUnreadable"},
        pictures=several(ref("FailedPicture")),
    )
    return {
        "Models": thing(models=several(model), detector=TEXT),
        "Health": thing(status=TEXT, version=TEXT),
        "Ready": thing(status={"enum": ["ready", "full", "leaving"]}, model=TEXT, detector=TEXT),
        "Problem": problem,
    }


def _deepface() -> dict[str, Schema]:
    region = {"type": "object", "additionalProperties": maybe({"anyOf": [WHOLE, several(WHOLE)]})}
    face = thing(
        emotion={"type": "object", "additionalProperties": NUMBER, "description": "percentages"},
        dominant_emotion=TEXT,
        region=region,
        face_confidence=NUMBER,
    )
    asked = thing(
        "As DeepFace's own server takes it, but for paths and addresses.",
        optional=("actions", "detector_backend", "enforce_detection", "align", "anti_spoofing"),
        img={**TEXT, "description": "data:image/...;base64, and the picture"},
        actions=several({"enum": ["emotion"]}),
        detector_backend=TEXT,
        enforce_detection=TRUTH,
        align=TRUTH,
        anti_spoofing=TRUTH,
    )
    return {
        "DeepFaceResults": thing(results=several(face)),
        "DeepFaceAsked": asked,
        "DeepFaceError": thing(error=TEXT),
    }


# ==== mien.apps.web.openapi.paths
# What may be asked for, with what, and what comes back.

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
        "/api/v1/readings": {"post": _readings_paths()},
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


def _readings_paths() -> dict[str, Any]:
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
        _query(
            "maps", {**WHOLE, "minimum": 1, "maximum": MAX_MAPS}, f"Maps of each layer. Without it: {DEFAULT_MAPS}."
        ),
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
        _query(
            "maps", {**WHOLE, "minimum": 1, "maximum": MAX_MAPS}, f"Maps of each layer. Without it: {DEFAULT_MAPS}."
        ),
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
    return {"name": "name", "in": "path", "required": True, "schema": {"enum": list(RESULT_FILES)}}


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
    kinds = {kind.partition(";")[0]: TEXT if kind.startswith("text") else _BINARY for kind in RESULT_FILES.values()}
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


# ==== mien.apps.web.openapi
# The description of the API (OpenAPI 3.1), in one place and in plain values; a test holds it against the routes.

_ABOUT = """Reads what facial expressions look like in pictures and films, and shows what happens inside the network.

Nothing that is sent is kept. No address and no path is ever opened. Every failure is `application/problem+json` with
one sentence that says what happened, what was expected, and what to do."""


@cache
def openapi_document() -> dict[str, Any]:
    """The whole document."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "mien", "version": __version__, "description": _ABOUT, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"header": []}],
        "tags": [
            {"name": "pictures", "description": "Photos, and frames of a camera."},
            {"name": "films", "description": "Read in the background; jobs live in the process that took them."},
            {"name": "service", "description": "What there is, and how it is."},
            {"name": "DeepFace", "description": "For programs that call DeepFace's own server."},
        ],
        "paths": paths(),
        "components": {
            "schemas": schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


# ==== mien.apps.web.api.described
# ``/api/openapi.json``: what there is, for programs; and ``/api``: the same, for people.

routes = Blueprint("described", __name__)


@routes.get("/openapi.json")
def described() -> Response:
    return jsonify(openapi_document())


@routes.get("", strict_slashes=False)
def reference() -> str:
    known = openapi_document()
    by_tag = {tag["name"]: (tag["description"], list(_of(known, tag["name"]))) for tag in known["tags"]}
    return render_template("reference.html", document=known, by_tag=by_tag, shape=_shape)


def _of(known: dict[str, Any], tag: str) -> Any:
    for path, item in known["paths"].items():
        for verb in ("get", "post", "delete"):
            if verb in item and tag in item[verb]["tags"]:
                told = item[verb]
                yield verb, path, {**told, "parameters": [*item.get("parameters", []), *told.get("parameters", [])]}


def _shape(schema: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(map(_shape, schema["anyOf"]))
    if "allOf" in schema:
        return " and ".join(map(_shape, schema["allOf"]))
    if schema.get("type") == "array":
        return f"list of {_shape(schema['items'])}"
    if "contentMediaType" in schema:
        return "bytes"
    inner = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(inner, dict):
        return f"object of {_shape(inner)}"
    return {"string": "text", "number": "number", "integer": "whole number", "boolean": "true or false"}.get(
        str(schema.get("type")), str(schema.get("type", "anything"))
    )
