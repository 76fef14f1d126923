"""``POST /readings``: what the expressions of the faces in images look like."""

from __future__ import annotations

import io
import json
from dataclasses import replace

from flask import Blueprint, Response, g, request

from mien.apps.session.uploads import Upload
from mien.apps.web.errors import HttpProblem, problem_from_error
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import ImageRequest, integer_option, negotiate_content_type, parse_request, text_option
from mien.engine import Engine
from mien.errors import MienError
from mien.results import Failure, FrameResult, Pixels
from mien.table import CsvTable

routes = Blueprint("readings", __name__)

#: The content types of the response, the default first.
JSON, CSV, PNG, JPEG = "application/json", "text/csv", "image/png", "image/jpeg"


@routes.post("/readings")
def read() -> Response:
    """The result of each image as in ``mien predict --json``; ``source`` and ``error`` for one that failed."""
    content_type = negotiate_content_type(request, [JSON, CSV, JPEG, PNG])
    service, image_request = current_service(), parse_request(request, current_service().settings)
    engine = select_engine(service, image_request.options)
    if content_type in (PNG, JPEG):
        return _annotated_image(service, engine, image_request, content_type)
    results = _read_images(service, engine, image_request)
    g.facts = {"images": len(results), "faces": sum(len(each) for each in results if isinstance(each, FrameResult))}
    if content_type == JSON:
        body = {"images": [each.to_dict() for each in results]}
        return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)
    text = io.StringIO(newline="")
    table = CsvTable(text, engine.labels)
    for each in results:
        table.write(each)
    return Response(text.getvalue(), content_type=f"{CSV}; charset=utf-8")


def select_engine(service: WebService, options: dict[str, str]) -> Engine:
    """The engine for the model and the detector that a request names, or the default."""
    return service.engines.get(text_option(options, "model"), text_option(options, "detector"))


def decode_upload(service: WebService, upload: Upload) -> Pixels:
    """The pixels of an upload within the limits, RGB uint8; else a SourceError."""
    with service.metrics.measure_stage("decode"):
        return upload.decode_image(service.settings.max_pixels)


def read_pixels(service: WebService, engine: Engine, pixels: Pixels, name: str, options: dict[str, str]) -> FrameResult:
    """The result of one image, which is also counted in the metrics."""
    result = engine.read(pixels, min_face=integer_option(options, "min_face", 1, 100_000))
    for reading in result:
        service.metrics.faces.labels(model=result.model, emotion=reading.emotions.top).inc()
    service.metrics.images.labels(outcome="read").inc()
    return replace(result, source=name)


def _read_images(service: WebService, engine: Engine, image_request: ImageRequest) -> list[FrameResult | Failure]:
    """A result or a failure for each image; HttpProblem if all failed."""
    results: list[FrameResult | Failure] = []
    failures: list[Failure] = []
    for i, upload in enumerate(image_request.uploads):
        # A slot for each image, so that a request with many does not delay others.
        with service.slot(bounded=i == 0):
            try:
                pixels = decode_upload(service, upload)
                results.append(read_pixels(service, engine, pixels, upload.name, image_request.options))
            except MienError as error:
                service.metrics.images.labels(outcome="failed").inc()
                failures.append(Failure(upload.name, error))
                results.append(failures[-1])
    if len(failures) == len(results):
        problem = problem_from_error(failures[0].error)
        if len(failures) > 1:
            problem.members["images"] = [each.to_dict() for each in failures]
        raise problem
    return results


def _annotated_image(service: WebService, engine: Engine, image_request: ImageRequest, content_type: str) -> Response:
    """The image with boxes and labels."""
    from mien.draw import draw_readings
    from mien.html.images import encode_image

    if len(image_request.uploads) != 1:
        raise HttpProblem(400, "An annotated image is available for one image in a request.")
    [upload] = image_request.uploads
    with service.slot():
        pixels = decode_upload(service, upload)
        result = read_pixels(service, engine, pixels, upload.name, image_request.options)
        g.facts = {"images": 1, "faces": len(result)}
        annotated = draw_readings(pixels, result)
        data = encode_image(annotated, "png") if content_type == PNG else encode_image(annotated, "jpeg", 90)
    return Response(data, content_type=content_type)
