"""``POST /readings``: what the expressions in pictures look like."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, g, request

from mien.apps.web.errors import HttpProblem, problem_from_error
from mien.apps.web.metrics import measure_stage
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import (
    ImageRequest,
    Upload,
    integer_option,
    negotiate_content_type,
    parse_request,
    text_option,
)
from mien.engine import Engine
from mien.errors import MienError
from mien.results import Failure, FrameResult, Pixels
from mien.table import CsvTable

routes = Blueprint("readings", __name__)

#: What an answer may be, in the order of preference.
JSON, CSV, PNG, JPEG = "application/json", "text/csv", "image/png", "image/jpeg"


@routes.post("/readings")
def read() -> Response:
    """Each picture is a result as ``mien predict --json`` prints it; one that failed has ``error`` in its place."""
    kind = negotiate_content_type(request, [JSON, CSV, JPEG, PNG])
    own, said = current_service(), parse_request(request, current_service().settings)
    engine = engine_for(own, said.words)
    if kind in (PNG, JPEG):
        return _painted(own, engine, said, kind)
    results = [_read_or_fail(own, engine, upload, said, first=i == 0) for i, upload in enumerate(said.uploads)]
    _refuse_if_all_failed(results)
    g.facts = {"pictures": len(results), "faces": sum(len(each) for each in results if isinstance(each, FrameResult))}
    return _as_csv(results, engine.labels) if kind == CSV else _as_json(results)


def engine_for(own: WebService, words: dict[str, str]) -> Engine:
    """The engine that a request names, or the usual one."""
    return own.engines.get(text_option(words, "model"), text_option(words, "detector"))


def pixels_of(own: WebService, upload: Upload) -> Pixels:
    with measure_stage(own.metrics, "decode"):
        return upload.pixels(own.settings.max_pixels)


def read_pixels(own: WebService, engine: Engine, pixels: Pixels, name: str, words: dict[str, str]) -> FrameResult:
    """Read pixels that are within the limits; what was found is counted."""
    result = engine.read(pixels, min_face=integer_option(words, "min_face", 1, 100_000))
    for reading in result:
        own.metrics.faces.labels(model=result.model, expression=reading.emotions.top).inc()
    own.metrics.pictures.labels(outcome="read").inc()
    return replace(result, source=name)


def _read_or_fail(
    own: WebService, engine: Engine, upload: Upload, said: ImageRequest, *, first: bool
) -> FrameResult | Failure:
    # A turn for each picture, so that many in one request do not keep others from theirs.
    with own.turn(bounded=first):
        try:
            return read_pixels(own, engine, pixels_of(own, upload), upload.name, said.words)
        except MienError as error:
            own.metrics.pictures.labels(outcome="failed").inc()
            return Failure(upload.name, error)


def _refuse_if_all_failed(results: list[FrameResult | Failure]) -> None:
    failures = [each for each in results if isinstance(each, Failure)]
    if len(failures) < len(results):
        return
    problem = problem_from_error(failures[0].error)
    if len(failures) > 1:
        problem.more["pictures"] = [each.to_dict() for each in failures]
    raise problem


def _as_json(results: list[FrameResult | Failure]) -> Response:
    body: dict[str, Any] = {"pictures": [each.to_dict() for each in results]}
    return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)


def _as_csv(results: list[FrameResult | Failure], labels: tuple[str, ...]) -> Response:
    text = io.StringIO(newline="")
    table = CsvTable(text, labels)
    for each in results:
        table.write(each)
    return Response(text.getvalue(), content_type=f"{CSV}; charset=utf-8")


def _painted(own: WebService, engine: Engine, said: ImageRequest, kind: str) -> Response:
    """The picture with boxes and labels; one picture at a time."""
    from mien.draw import draw_readings
    from mien.html.images import encode_image

    if len(said.uploads) != 1:
        raise HttpProblem(400, "An annotated picture is made of one picture at a time.")
    with own.turn():
        pixels = pixels_of(own, said.uploads[0])
        result = read_pixels(own, engine, pixels, said.uploads[0].name, said.words)
        g.facts = {"pictures": 1, "faces": len(result)}
        painted = draw_readings(pixels, result)
        data = encode_image(painted, "png") if kind == PNG else encode_image(painted, "jpeg", 90)
    return Response(data, content_type=kind)
