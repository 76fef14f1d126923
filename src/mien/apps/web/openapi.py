"""The description of the API (OpenAPI 3.1), as JSON and as a page.

It is written by hand, in plain values: the routes return JSON of values of the library, whose ``to_dict`` methods carry
no types that a generator could read, so that generated schemas would need the same text in another place. A test
compares the document with the routes and validates real responses against it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, TypeAlias

from flask import Blueprint, Response, jsonify, render_template

from mien._version import __version__
from mien.apps.session.uploads import MB
from mien.apps.session.video_jobs import FINAL_STATES, RUNNING, WAITING
from mien.apps.web.live_sessions import MAX_FRAME_BYTES, MAX_FRAME_PIXELS
from mien.apps.web.uploads import DEFAULT_MAPS, MAX_MAPS
from mien.explain.explanation import METHODS
from mien.faces.detectors import detector_names
from mien.models.decision import PRIORS
from mien.video.results import RESULT_FILES

Schema: TypeAlias = dict[str, Any]

routes = Blueprint("openapi", __name__)

_DESCRIPTION = """Predicts what the facial expressions in images and videos look like, and explains how.

Nothing that is sent is stored. URLs and paths in requests are never opened. Every error is `application/problem+json`
with a message that says what happened, what was expected, and what to do."""


@routes.get("/openapi.json")
def document() -> Response:
    return jsonify(openapi_document())


@routes.get("", strict_slashes=False)
def reference() -> str:
    """The page with the same content."""
    content = openapi_document()
    by_tag = {tag["name"]: (tag["description"], list(_operations(content, tag["name"]))) for tag in content["tags"]}
    return render_template("reference.html", document=content, by_tag=by_tag, describe=_describe_schema)


@cache
def openapi_document() -> dict[str, Any]:
    return {
        "openapi": "3.1.0",
        "info": {"title": "mien", "version": __version__, "description": _DESCRIPTION, "license": {"name": "MIT"}},
        "servers": [{"url": "/"}],
        "security": [{}, {"bearer": []}, {"header": []}],
        "tags": [
            {"name": "images", "description": "Photos, and frames of a camera."},
            {"name": "live", "description": "Frames of a camera, tracked and smoothed, by the process that opened it."},
            {"name": "videos", "description": "Analysed in the background, by the process that received them."},
            {"name": "service", "description": "The models, and the state of the service."},
            {"name": "DeepFace", "description": "For programs that call DeepFace's own server."},
        ],
        "paths": _paths(),
        "components": {
            "schemas": {
                **_reading_schemas(),
                **_explanation_schemas(),
                **_video_schemas(),
                **_service_schemas(),
                **_deepface_schemas(),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


# Building blocks of schemas

NUMBER: Schema = {"type": "number"}
TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
BOOLEAN: Schema = {"type": "boolean"}
OBJECT: Schema = {"type": "object"}
BINARY: Schema = {"type": "string", "contentMediaType": "application/octet-stream"}

_TYPES = {"number": NUMBER, "text": TEXT, "integer": INTEGER, "boolean": BOOLEAN, "object": OBJECT}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def _nullable(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(description: str, properties: str, **schemas: Schema) -> Schema:
    """An object with ``properties``: "name: type, other?: type". An optional one has ``?`` after its name.

    A type is a word of :data:`_TYPES`, the name of a schema, a list of it ``[type]``, or one that may be null
    ``type|null``. A property without a type has its schema in ``schemas``.
    """
    fields, required = {}, []
    for field in properties.split(", "):
        name, _, kind = field.partition(": ")
        if not name.endswith("?"):
            required.append(name)
        name = name.removesuffix("?")
        fields[name] = _parse_type(kind) if kind else schemas[name]
    head = {"description": description} if description else {}
    return {"type": "object", **head, "properties": fields, "required": required}


def _parse_type(kind: str) -> Schema:
    if kind.endswith("|null"):
        return _nullable(_parse_type(kind.removesuffix("|null")))
    if kind.startswith("["):
        return _array(_parse_type(kind[1:-1]))
    return _TYPES[kind] if kind in _TYPES else _ref(kind)


def _probabilities(description: str) -> Schema:
    value = {"type": "number", "minimum": 0, "maximum": 1}
    return {"type": "object", "description": description, "additionalProperties": value}


# Schemas


def _reading_schemas() -> dict[str, Schema]:
    face = _object(
        "One face and what its expression looks like.",
        "box, detection, emotion, scores, uncertain, quality, track, mixture, votes, label_scores, landmarks, tag?",
        box=_array(INTEGER, minItems=4, maxItems=4, description="x, y, width, height in pixels of the upright image"),
        detection={**NUMBER, "description": "confidence of the face detector"},
        emotion={**TEXT, "description": "the label with the largest score"},
        scores=_probabilities("what most people would call the expression: probability of each label"),
        uncertain=_nullable({**TEXT, "description": "why the prediction is uncertain"}),
        quality=_object("Is the face clear enough for a prediction?", "ok: boolean, reason: text|null"),
        track=_nullable({**INTEGER, "description": "number of the face in a video"}),
        mixture=_probabilities("the leading expression, then others with many predicted votes"),
        votes=_nullable(_probabilities("predicted annotator votes (FER+)")),
        label_scores=_nullable(_probabilities("what FER2013's label would be; null for a model with one target")),
        landmarks=_nullable(_array(_array(NUMBER, minItems=2, maxItems=2))),
        tag=_nullable(_ref("Tag")),
    )
    tag = _object(
        "The label of a face, in pixels of the image; only with `display_width`. Null if there is no space for one.",
        "text: text, text_height: integer, box",
        box=_array(INTEGER, minItems=4, maxItems=4, description="x, y, width, height"),
    )
    image = _object(
        "The result of one image, as `mien predict --json` prints it. An image without a face has an empty list.",
        "source: text, size, faces: [Face], detector: text, model: text",
        size=_array(INTEGER, minItems=2, maxItems=2, description="width, height"),
    )
    entry: Schema = {"anyOf": [_object("", "name?: text, data: text"), TEXT]}
    upload = _object(
        "Images in base64, with or without `data:image/...;base64,`.",
        "images, model?: text, detector?: text, prior?, min_face?",
        images=_array(entry, minItems=1, maxItems=32),
        prior={"enum": list(PRIORS)},
        min_face={**INTEGER, "minimum": 1},
    )
    return {
        "Face": face,
        "Tag": tag,
        "Image": image,
        "FailedImage": _object("An image that could not be read.", "source: text, error: text"),
        "Readings": _object("", "images", images=_array({"anyOf": [_ref("Image"), _ref("FailedImage")]})),
        "ImagesInJson": upload,
    }


def _explanation_schemas() -> dict[str, Schema]:
    scores = _probabilities("probability of each label")
    array = _object(
        "Integers from 0 to 255, row by row, in base64; `scale` is the colour scale in which they are indices.",
        "shape: [integer], data, scale?, strongest?",
        data={**TEXT, "contentEncoding": "base64"},
        scale={"enum": ["sea", "ember", "tide"]},
        strongest={**NUMBER, "description": "the value at the end of the scale"},
    )
    field = _object("", "size: number, stride: number, offset_y: number, offset_x: number")
    layer = _object(
        "The strongest feature maps of a layer.",
        "name: text, kind: text, channels: [integer], channel_count: integer, zero_activation, receptive_field",
        zero_activation={**INTEGER, "description": "channels that are constant on this face"},
        receptive_field=_nullable(field),
    )
    explanation = _object(
        "How the network computes its prediction for one face; see `mien explain --json`.",
        "number: integer|null, emotion: text, scores, target: text, versus: text|null, logits, temperature: number, "
        "maps: [object], layers: [object], contributions: [object], costs: [object], counterfactual: object|null, "
        "notes: [text], arrays",
        scores=scores,
        logits={"type": "object", "additionalProperties": NUMBER},
        arrays=_object("", "crop: Array, region_map: Array, maps: [EvidenceMap], layers: [LayerArray]"),
    )
    activations = _object(
        "",
        "emotion: text, scores, regions: object|null, crop: Array, map: EvidenceMap|null, layers: [LayerArray]",
        scores=scores,
    )
    evidence = _object("", "method: text, target: text, versus: text|null")
    return {
        "Array": array,
        "EvidenceMap": {"allOf": [_ref("Array"), evidence]},
        "LayerArray": {"allOf": [_ref("Array"), layer]},
        "Explanation": explanation,
        "Explanations": _object("", "source: text, size: [integer], explanations: [Explanation]"),
        "Activations": _object("", "image: Image, activations", activations=_nullable(activations)),
        "LiveSession": _object(
            "",
            "links, idle_seconds: number",
            links={"type": "object", "additionalProperties": TEXT},
            idle_seconds={**NUMBER, "description": "seconds without a frame after which the session is removed"},
        ),
        "LiveFrame": _object(
            "The tracked faces of a frame with smoothed scores.",
            "frame: integer, seconds: number, main_track: integer|null, image: Image, activations",
            main_track=_nullable({**INTEGER, "description": "the track of the largest face, whose change is delayed"}),
            activations=_nullable(activations),
        ),
    }


def _video_schemas() -> dict[str, Schema]:
    event = _object("", "track: integer, emotion: text, start: number, end: number, peak: number, peak_at: number")
    track = _object(
        "One face from its first to its last frame.",
        "track: integer, first: number, last: number, visible_seconds: number, judged_seconds: number, "
        "uncertain_seconds: number, emotions, unjudged_seconds",
        emotions=_probabilities("part of the judged time of each emotion"),
        unjudged_seconds={"type": "object", "additionalProperties": NUMBER, "description": "seconds by reason"},
    )
    job = _object(
        "The job of a video. The optional members are added while it is analysed.",
        "id: text, source: text, state, error: text|null, results: [text], links, size?: [integer], seconds?, of?, "
        "frames?: integer, frames_per_second?: number|null, tracks?: integer, events?: integer, damage?, summary?",
        state={"enum": [WAITING, RUNNING, *FINAL_STATES]},
        links={"type": "object", "additionalProperties": TEXT},
        seconds={**NUMBER, "description": "position of the last analysed frame"},
        of=_nullable({**NUMBER, "description": "position of the end"}),
        damage=_nullable({**TEXT, "description": "why a part of the video could not be read"}),
        summary=_object("", "start: number, end: number, tracks, events", tracks=_array(track), events=_array(event)),
    )
    return {"VideoJob": job}


def _service_schemas() -> dict[str, Schema]:
    model = _object(
        "",
        "name: text, default: boolean, colours, card",
        colours={"type": "object", "additionalProperties": {"type": "string", "pattern": "^#[0-9a-f]{6}$"}},
        card={**OBJECT, "description": "the model card: labels, input, scores, licence"},
    )
    problem = _object(
        "RFC 9457. `detail` is the message for people.",
        "type: text, title: text, status: integer, detail: text, request_id?: text|null, error?, "
        "images?: [FailedImage]",
        error={**TEXT, "description": "the class of the error, such as SourceUnreadable"},
    )
    states: Schema = {"enum": ["ready", "full", "stopping"]}
    return {
        "Models": _object("", "models, detector: text", models=_array(model)),
        "Health": _object("", "status: text, version: text"),
        "Ready": _object("", "status, model: text, detector: text", status=states),
        "Problem": problem,
    }


def _deepface_schemas() -> dict[str, Schema]:
    face = _object(
        "",
        "emotion, dominant_emotion: text, region, face_confidence: number",
        emotion={"type": "object", "additionalProperties": NUMBER, "description": "percentages"},
        region={"type": "object", "additionalProperties": _nullable({"anyOf": [INTEGER, _array(INTEGER)]})},
    )
    options = _object(
        "As DeepFace's own server accepts it, without paths and URLs.",
        "img, actions?, detector_backend?: text, enforce_detection?: boolean, align?: boolean, anti_spoofing?: boolean",
        img={**TEXT, "description": "data:image/...;base64, and the image"},
        actions=_array({"enum": ["emotion"]}),
    )
    return {
        "DeepFaceResults": _object("", "results", results=_array(face)),
        "DeepFaceOptions": options,
        "DeepFaceError": _object("", "error: text"),
    }


# Paths

#: Errors that every route may have: host name, origin, key, rate limit, size, queue.
_COMMON = ("400", "401", "403", "413", "415", "421", "422", "429", "503")

_STATUS_TEXTS = {
    "400": "Invalid request.",
    "401": "A key is needed.",
    "403": "The origin is not allowed.",
    "404": "Not found.",
    "406": "The response is not available in an accepted content type.",
    "413": "Too large: bytes, pixels or number of images.",
    "415": "Unsupported content type of the request.",
    "421": "The host name is not accepted.",
    "422": "The content is not an image or a video, or is damaged.",
    "429": "Rate limit; see Retry-After.",
    "503": "The server is busy; see Retry-After.",
}


def _paths() -> dict[str, Any]:
    job_id = {"name": "id", "in": "path", "required": True, "schema": TEXT, "description": "The id of the job."}
    file_name = {"name": "name", "in": "path", "required": True, "schema": {"enum": list(RESULT_FILES)}}
    session_id = {**job_id, "description": "The id of the live session."}
    closed = {"204": {"description": "The session is removed."}}
    problems = (*_COMMON, "404")
    close_session = _operation("live", "Close a live session", closed, problems)
    state = _operation("videos", "State, progress and summary of a job", _json("VideoJob"), problems)
    removed = {"204": {"description": "The video and its results are removed."}}
    delete = _operation("videos", "Cancel a job and remove its results", removed, problems)
    ready = {"200": _json("Ready"), "503": {**_json("Ready"), "description": "The queue is full, or a stop began."}}
    return {
        "/api/v1/readings": {"post": _readings()},
        "/api/v1/explanations": {"post": _explanations()},
        "/api/v1/activations": {"post": _activations()},
        "/api/v1/live": {"post": _open_live_session()},
        "/api/v1/live/{id}": {"parameters": [session_id], "delete": close_session},
        "/api/v1/live/{id}/frames": {"parameters": [session_id], "post": _live_frame()},
        "/api/v1/videos": {"post": _create_video()},
        "/api/v1/videos/{id}": {"parameters": [job_id], "get": state, "delete": delete},
        "/api/v1/videos/{id}/events": {"parameters": [job_id], "get": _video_events()},
        "/api/v1/videos/{id}/{name}": {"parameters": [job_id, file_name], "get": _video_result()},
        "/api/v1/models": {"get": _operation("service", "The models and their cards", _json("Models"))},
        "/api/v1/health": {"get": _operation("service", "Is the process alive?", _json("Health"), ())},
        "/api/v1/ready": {"get": _operation("service", "Are new requests accepted?", ready, ())},
        "/api/v1/metrics": {"get": _operation("service", "Metrics for Prometheus", _content("text/plain", TEXT))},
        "/api/openapi.json": {"get": _operation("service", "This description", _content("application/json", {}), ())},
        "/analyze": {"post": _analyze()},
    }


def _operation(
    tag: str, summary: str, success: dict[str, Any], problems: tuple[str, ...] = _COMMON, **more: Any
) -> dict[str, Any]:
    """An operation; ``success`` is its response with status 200, or several by status."""
    responses = success if {"200", "201", "202", "204"} & set(success) else {"200": success}
    return {
        "tags": [tag],
        "summary": summary,
        **more,
        "responses": {**responses, **{status: _problem(status) for status in problems}},
    }


def _problem(status: str) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {"description": _STATUS_TEXTS[status], "content": content}


def _content(content_type: str, schema: Schema, **others: Schema) -> dict[str, Any]:
    schemas = {content_type: schema, **others}
    return {"description": "Success.", "content": {kind: {"schema": each} for kind, each in schemas.items()}}


def _json(name: str) -> dict[str, Any]:
    return _content("application/json", _ref(name))


def _query(name: str, schema: Schema, description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "schema": schema, "description": description, "required": False}


_NAME = _query("name", TEXT, "The name of a file that is sent as the body itself.")


def _engine_parameters() -> list[dict[str, Any]]:
    return [
        _query("model", TEXT, "The name of a model, see /models. Default: the default model."),
        _query("detector", {"enum": list(detector_names())}, "The face detector."),
        _query("prior", {"enum": list(PRIORS)}, "Class frequencies that the scores assume: of FER2013, or all equal."),
        _query("min_face", {**INTEGER, "minimum": 1, "maximum": 100000}, "The smallest face to detect, in pixels."),
    ]


def _layer_parameters() -> list[dict[str, Any]]:
    maps = {**INTEGER, "minimum": 1, "maximum": MAX_MAPS}
    return [
        _query("layers", TEXT, "auto, all, or names of layers, separated by commas."),
        _query("maps", maps, f"Number of feature maps of each layer. Default: {DEFAULT_MAPS}."),
    ]


def _request_body(json: bool = True, many: bool = True) -> dict[str, Any]:
    files = _array(BINARY, minItems=1, maxItems=32 if many else 1)
    content: dict[str, Any] = {
        "multipart/form-data": {"schema": {"type": "object", "properties": {"file": files}, "required": ["file"]}},
        "application/octet-stream": {"schema": BINARY},
        "image/*": {"schema": BINARY},
    }
    if json:
        content["application/json"] = {"schema": _ref("ImagesInJson")}
    return {"required": True, "content": content}


def _readings() -> dict[str, Any]:
    others = {"text/csv": TEXT, "image/jpeg": BINARY, "image/png": BINARY}
    description = (
        "One or several images. An image of several that cannot be read has `error` in its entry; if none can be read, "
        "the response is an error. With `Accept: text/csv` the response is a table, with `image/jpeg` or `image/png` "
        "the annotated image."
    )
    width = _query(
        "display_width",
        {**INTEGER, "minimum": 1, "maximum": 100000},
        "The width in pixels at which the image will be displayed: each face then has the position of its label, in a "
        "size that is readable at this width.",
    )
    return _operation(
        "images",
        "Predict what the expressions of faces look like",
        _content("application/json", _ref("Readings"), **others),
        (*_COMMON, "404", "406"),
        description=description,
        parameters=[*_engine_parameters(), width, _NAME],
        requestBody=_request_body(),
    )


def _explanations() -> dict[str, Any]:
    face: Schema = {"anyOf": [{**INTEGER, "minimum": 1}, {"const": "all"}]}
    names = ", ".join(METHODS)
    parameters = [
        _query("face", face, "The number of the face, the largest is 1; or all."),
        _query("methods", {**TEXT, "examples": list(METHODS)}, f"Any of {names}, separated by commas."),
        _query("target", TEXT, "The label that evidence is computed for. Default: the leading one."),
        _query("versus", TEXT, "The label that the target is compared with."),
        *_layer_parameters(),
        _query("seed", {**INTEGER, "minimum": 0, "maximum": 999999999}, "The seed of methods with random numbers."),
        _query("part", {"enum": ["body"]}, "With HTML: only the content of the page's body."),
    ]
    return _operation(
        "images",
        "Explain the prediction for a face",
        _content("application/json", _ref("Explanations"), **{"text/html": TEXT}),
        (*_COMMON, "404", "406"),
        description="With `Accept: text/html` the response is the walkthrough page.",
        parameters=[*parameters, *_engine_parameters(), _NAME],
        requestBody=_request_body(many=False),
    )


def _activations() -> dict[str, Any]:
    face = _query("face", {**INTEGER, "minimum": 1, "maximum": 100000}, "The number of the face, the largest is 1.")
    return _operation(
        "images",
        "Predictions for an image, and the activations of one face, for live video",
        _json("Activations"),
        (*_COMMON, "404"),
        parameters=[face, *_layer_parameters(), *_engine_parameters(), _NAME],
        requestBody=_request_body(many=False),
    )


def _open_live_session() -> dict[str, Any]:
    return _operation(
        "live",
        "Open a session for the frames of one camera",
        {"201": {**_json("LiveSession"), "headers": {"Location": {"schema": TEXT}}}},
        (*_COMMON, "404"),
        description="Faces are tracked and smoothed over the frames of a session. It has no images. Only the client "
        "that opened it can use it. 503 when the server has too many sessions, 429 when this client has.",
        parameters=_engine_parameters()[:3],
    )


def _live_frame() -> dict[str, Any]:
    seconds = _query("seconds", {**NUMBER, "minimum": 0}, "The time of the frame. Default: the time of its arrival.")
    return _operation(
        "live",
        "Predictions for a frame, tracked and smoothed",
        _json("LiveFrame"),
        (*_COMMON, "404"),
        description="429 while another frame of the session is analysed: leave the frame out. A frame has at most "
        f"{MAX_FRAME_BYTES // MB} MB and {MAX_FRAME_PIXELS:,} pixels. With `maps` also the activations of the main "
        "track.",
        parameters=[seconds, *_layer_parameters(), _NAME],
        requestBody=_request_body(many=False),
    )


def _create_video() -> dict[str, Any]:
    parameters = [
        _query("fps", {**NUMBER, "minimum": 0.1, "maximum": 60}, "Frames analysed per second, at most."),
        _query("blur", {"enum": ["0", "1"]}, "Blur faces in the report and in the annotated video."),
    ]
    return _operation(
        "videos",
        "Create a job that analyses a video",
        {"202": {**_json("VideoJob"), "headers": {"Location": {"schema": TEXT}}}},
        (*_COMMON, "404"),
        parameters=[*parameters, *_engine_parameters()[:2], _NAME],
        requestBody=_request_body(json=False, many=False),
    )


def _video_events() -> dict[str, Any]:
    description = (
        "`state` after each change, and one `end`; the data is the job. 503 if there are too many streams: then poll "
        "the job."
    )
    success = _content("text/event-stream", TEXT)
    return _operation(
        "videos", "Changes of a job as server-sent events", success, (*_COMMON, "404"), description=description
    )


def _video_result() -> dict[str, Any]:
    types = {each.partition(";")[0] for each in RESULT_FILES.values()}
    content = {each: {"schema": TEXT if each.startswith("text") else BINARY} for each in sorted(types)}
    save = [_query("save", {"enum": ["0", "1"]}, "1: as an attachment, which browsers save.")]
    success = {"200": {"description": "The file.", "content": content}}
    return _operation("videos", "One result file", success, (*_COMMON, "404"), parameters=save)


def _analyze() -> dict[str, Any]:
    form: Schema = {
        "type": "object",
        "properties": {"img": {"anyOf": [BINARY, TEXT]}, "detector_backend": TEXT, "enforce_detection": TEXT},
        "required": ["img"],
    }
    body = {"application/json": {"schema": _ref("DeepFaceOptions")}, "multipart/form-data": {"schema": form}}
    error = _json("DeepFaceError")
    responses = {
        "200": _json("DeepFaceResults"),
        **{status: {**error, "description": _STATUS_TEXTS[status]} for status in ("400", "413", "422")},
    }
    problems = tuple(status for status in _COMMON if status not in responses)
    return _operation(
        "DeepFace",
        "The emotions of faces in DeepFace's format",
        responses,
        problems,
        requestBody={"required": True, "content": body},
    )


# The page


def _operations(content: dict[str, Any], tag: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """The method, the path and the description of each operation with this tag."""
    for path, item in content["paths"].items():
        for method in ("get", "post", "delete"):
            if method in item and tag in item[method]["tags"]:
                operation = item[method]
                parameters = [*item.get("parameters", []), *operation.get("parameters", [])]
                yield method, path, {**operation, "parameters": parameters}


def _describe_schema(schema: Schema) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "const" in schema:
        return str(schema["const"])
    if "anyOf" in schema:
        return " or ".join(map(_describe_schema, schema["anyOf"]))
    if "allOf" in schema:
        return " and ".join(map(_describe_schema, schema["allOf"]))
    if schema.get("type") == "array":
        return f"list of {_describe_schema(schema['items'])}"
    if "contentMediaType" in schema:
        return "bytes"
    values = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(values, dict):
        return f"object of {_describe_schema(values)}"
    names = {"string": "text", "integer": "integer", "null": "null"}
    return names.get(str(schema.get("type")), str(schema.get("type", "any value")))
