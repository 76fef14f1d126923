"""The routes for images: results, explanations, activations for live video, and DeepFace's own ``/analyze``.

Arrays are ``{"shape": [...], "data": base64}``: integers from 0 to 255, row by row. Those of evidence maps and layers
have a ``scale`` too, the name of a colour scale (:mod:`mien.explain.figures.colormaps`) in which the integers are
indices, and ``strongest``, the value at the end of the scale.

``/analyze`` opens neither paths nor URLs. DeepFace's server opens both for every client, which so can read files of the
machine and send requests into its network.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, g, jsonify, request
from numpy.typing import NDArray

from mien import compat
from mien.apps.session.uploads import Upload
from mien.apps.web.errors import HttpProblem, problem_from_error, status_code
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import (
    DEFAULT_MAPS,
    MAX_MAPS,
    ImageRequest,
    decode_base64,
    integer_option,
    negotiate_content_type,
    parse_form,
    parse_json,
    parse_request,
    text_option,
)
from mien.engine import Engine
from mien.errors import MienError, SourceError, SourceUnreadable, suggest_name
from mien.explain import Activations, Explanation, Layer, Saliency
from mien.explain.figures import colormaps
from mien.images.sources import clean_file_name
from mien.results import Face, Failure, FrameResult, Pixels
from mien.table import format_table

routes = Blueprint("images", __name__)
deepface_routes = Blueprint("deepface", __name__)

#: The content types of the response, the default first.
JSON, CSV, PNG, JPEG, HTML = "application/json", "text/csv", "image/png", "image/jpeg", "text/html"


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
        body = {"images": [_result_to_dict(each, image_request.options) for each in results]}
        return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)
    return Response(format_table(results, engine.labels, engine.vote_labels), content_type=f"{CSV}; charset=utf-8")


def select_engine(service: WebService, options: dict[str, str]) -> Engine:
    """The engine for the model, the detector and the prior that a request names, or the default."""
    return service.engines.get(*(text_option(options, name) for name in ("model", "detector", "prior")))


def decode_upload(service: WebService, upload: Upload, max_pixels: int | None = None) -> Pixels:
    """The pixels of an upload within the limits, RGB uint8; else a SourceError."""
    limit = service.settings.max_pixels if max_pixels is None else min(max_pixels, service.settings.max_pixels)
    with service.metrics.measure_stage("decode"):
        return upload.decode_image(limit)


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
        with service.slot(upload, bounded=i == 0):
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


def _result_to_dict(result: FrameResult | Failure, options: dict[str, str]) -> dict[str, Any]:
    """The result; with the option ``display_width`` each face also has the ``tag`` of its box."""
    body = result.to_dict()
    if "display_width" in options and isinstance(result, FrameResult):
        from mien.draw import place_tags

        tags = place_tags(result, result.size, numbered=True, pixel_ratio=_pixel_ratio(result, options))
        for face, tag in zip(body["faces"], tags, strict=True):
            face["tag"] = tag and tag.to_dict()
    return body


def _pixel_ratio(result: FrameResult, options: dict[str, str]) -> float:
    """Pixels of the image for each pixel of the display, at least 1: images are not enlarged on the display."""
    display_width = integer_option(options, "display_width", 1, 100_000)
    return max(result.size[0] / display_width, 1.0) if display_width else 1.0


def _annotated_image(service: WebService, engine: Engine, image_request: ImageRequest, content_type: str) -> Response:
    """The image with boxes and labels."""
    from mien.draw import draw_readings
    from mien.html.images import encode_image

    if len(image_request.uploads) != 1:
        raise HttpProblem(400, "An annotated image is available for one image in a request.")
    [upload] = image_request.uploads
    with service.slot(upload):
        pixels = decode_upload(service, upload)
        result = read_pixels(service, engine, pixels, upload.name, image_request.options)
        g.facts = {"images": 1, "faces": len(result)}
        annotated = draw_readings(
            pixels, result, numbered=True, pixel_ratio=_pixel_ratio(result, image_request.options)
        )
        data = encode_image(annotated, "png") if content_type == PNG else encode_image(annotated, "jpeg", 90)
    return Response(data, content_type=content_type)


@routes.post("/explanations")
def explain() -> Response:
    """The explanation of one face, or of all; as HTML the walkthrough, a standalone page."""
    content_type = negotiate_content_type(request, [JSON, HTML])
    service, image_request = current_service(), _parse_single_image(current_service())
    engine = select_engine(service, image_request.options)
    with service.slot(image_request.uploads[0]):
        pixels = decode_upload(service, image_request.uploads[0])
        with service.metrics.measure_stage("explain"):
            explanations = _explain(engine, pixels, image_request.options)
        g.facts = {"images": 1, "faces": len(explanations)}
        if content_type == HTML:
            return _walkthrough(explanations, pixels, image_request)
        height, width = pixels.shape[:2]
        maps, name = _map_count(image_request.options), image_request.uploads[0].name
        body = {
            "source": name,
            "size": [width, height],
            "explanations": [
                {**each.to_dict(), "source": name, "arrays": explanation_arrays(each, maps)} for each in explanations
            ],
        }
        return Response(json.dumps(body, ensure_ascii=False), content_type=JSON)


@routes.post("/activations")
def activations() -> Response:
    """The result of one image, and the activations of the face numbered ``face``, by default the largest."""
    service, image_request = current_service(), _parse_single_image(current_service())
    options, [upload] = image_request.options, image_request.uploads
    engine = select_engine(service, options)
    with service.slot(upload):
        pixels = decode_upload(service, upload)
        result = read_pixels(service, engine, pixels, upload.name, options)
        index = (integer_option(options, "face", 1, 100_000) or 1) - 1
        arrays = None
        if index < len(result):
            arrays = crop_activations(service, engine, pixels, result.faces[index], options)
        g.facts = {"images": 1, "faces": len(result)}
    return jsonify(image=result.to_dict(), activations=arrays)


def crop_activations(
    service: WebService, engine: Engine, pixels: Pixels, face: Face, options: dict[str, str]
) -> dict[str, Any]:
    """The activations for a face, of the layers and with the number of maps in the options."""
    crop = engine.crop(pixels, face)
    with service.metrics.measure_stage("activations"):
        layers = _select_layers(engine, options)
        return activation_arrays(engine.activations(crop, layers), _map_count(options))


def explanation_arrays(explanation: Explanation, maps: int) -> dict[str, Any]:
    """The arrays of an explanation, with the ``maps`` strongest feature maps of each layer."""
    return {
        "crop": pack_array(explanation.crop),
        "region_map": pack_array(explanation.region_map),
        "maps": [_saliency_array(each) for each in explanation.maps],
        "layers": [layer_array(each, maps) for each in explanation.layers],
    }


def activation_arrays(activations: Activations, maps: int) -> dict[str, Any]:
    return {
        "emotion": activations.emotions.top,
        "scores": dict(activations.emotions.scores),
        "regions": None if activations.regions is None else activations.regions.to_dict(),
        "crop": pack_array(activations.crop),
        "map": None if activations.map is None else _saliency_array(activations.map),
        "layers": [layer_array(each, maps) for each in activations.layers],
    }


def layer_array(layer: Layer, maps: int) -> dict[str, Any]:
    """The strongest feature maps of a layer; all values of a layer without spatial positions."""
    flat = layer.activations.ndim == 1
    channels = list(range(layer.shape[0]) if flat else layer.order[:maps])
    values = np.asarray(layer.activations[channels])
    return {
        "name": layer.name,
        "kind": layer.kind,
        "channels": channels,
        "channel_count": layer.shape[0],
        "zero_activation": layer.zero_activation,
        "receptive_field": None if layer.receptive_field is None else layer.receptive_field._asdict(),
        **_scaled_array(values, colormaps.choose_scale(values)),
    }


def pack_array(values: NDArray[np.uint8]) -> dict[str, Any]:
    return {"shape": list(values.shape), "data": base64.b64encode(values.tobytes()).decode()}


def _saliency_array(saliency: Saliency) -> dict[str, Any]:
    scale: colormaps.Scale = "tide" if saliency.signed else "ember"
    facts = {"method": saliency.method, "target": saliency.target, "versus": saliency.versus}
    return {**facts, **_scaled_array(saliency.map, scale)}


def _scaled_array(values: NDArray[np.floating[Any]], scale: colormaps.Scale) -> dict[str, Any]:
    strongest = float(np.abs(values).max(initial=0.0))
    indices = colormaps.colour_indices(values, scale)
    return {"scale": scale, "strongest": round(strongest, 6), **pack_array(indices)}


def _parse_single_image(service: WebService) -> ImageRequest:
    image_request = parse_request(request, service.settings)
    if len(image_request.uploads) != 1:
        raise HttpProblem(400, "Explanations are available for one image in a request.")
    return image_request


def _map_count(options: dict[str, str]) -> int:
    return integer_option(options, "maps", 1, MAX_MAPS) or DEFAULT_MAPS


def _select_layers(engine: Engine, options: dict[str, str]) -> str:
    """The layers that a request names. A name that the model does not have is an error of the request."""
    layers = text_option(options, "layers") or "auto"
    names = ("auto", "all", *engine.layers)
    for name in layers.split(","):
        if name.strip() not in names:
            happened = f"The model has no layer '{clean_file_name(name)}'"
            raise MienError(happened, "'auto', 'all' or names of layers were expected", suggest_name(name, names))
    return layers


def _explain(engine: Engine, pixels: Pixels, options: dict[str, str]) -> tuple[Explanation, ...]:
    return engine.explain_image(
        pixels,
        None if options.get("face") == "all" else integer_option(options, "face", 1, 100_000) or 1,
        methods=text_option(options, "methods") or ("cam",),
        layers=_select_layers(engine, options),
        target=text_option(options, "target"),
        versus=text_option(options, "versus"),
        seed=integer_option(options, "seed", 0, 999_999_999) or 0,
        min_face=integer_option(options, "min_face", 1, 100_000),
    )


def _walkthrough(explanations: tuple[Explanation, ...], pixels: Pixels, image_request: ImageRequest) -> Response:
    """The page; with ``part=body`` only its content, for a page that has the style and the script already."""
    from mien.explain.page import render_walkthrough, render_walkthrough_body

    if len(explanations) != 1:
        expected = "The number of a face was expected"
        raise MienError("The walkthrough is available for one face", expected, "Send face=1, or omit it")
    explanation = replace(explanations[0], source=image_request.uploads[0].name)
    content_type = f"{HTML}; charset=utf-8"
    if image_request.options.get("part") == "body":
        return Response(render_walkthrough_body(explanation, pixels), content_type=content_type)
    response = Response(render_walkthrough(explanation, pixels), content_type=content_type)
    response.headers["Content-Disposition"] = 'attachment; filename="walkthrough.html"'
    return response


_DETECTORS = {"opencv": "haar", "haar": "haar", "yunet": "yunet"}


@deepface_routes.post("/analyze")
def analyze() -> tuple[Response, int]:
    """``{"results": [...]}`` with an entry for each face; ``{"error": message}``, with 400 where there is none."""
    service = current_service()
    try:
        upload, options = _parse_request()
        with service.slot(upload):
            return jsonify(results=_analyze(service, upload, options)), 200
    except HttpProblem as problem:
        return jsonify(error=problem.detail), problem.status
    except SourceError as error:
        return jsonify(error=str(error)), status_code(error)
    except MienError as error:
        return jsonify(error=str(error)), 400


def _analyze(service: WebService, upload: Upload, options: dict[str, Any]) -> Any:
    backend = str(options.get("detector_backend") or "opencv")
    detector = _DETECTORS.get(backend) if "detector_backend" in options else None
    return compat.analyze(
        decode_upload(service, upload)[..., ::-1],  # its arrays are BGR
        actions=_parse_actions(options.get("actions")),
        enforce_detection=_parse_flag(options.get("enforce_detection"), True),
        detector_backend="skip" if backend == "skip" else "yunet",
        anti_spoofing=_parse_flag(options.get("anti_spoofing"), False),
        engine=service.engines.get(None, detector),
    )


def _parse_request() -> tuple[Upload, dict[str, Any]]:
    if request.mimetype == "multipart/form-data":
        files, fields = parse_form(request, "img")
        options: dict[str, Any] = dict(fields)
        if files:
            return Upload(clean_file_name(files[0].filename or "img"), files[0].read()), options
    else:
        options = parse_json(request)
    # Older clients of DeepFace use the name img_path for the same content.
    return _parse_image(options.get("img", options.get("img_path"))), options


def _parse_image(text: Any) -> Upload:
    if not isinstance(text, str) or not text:
        raise HttpProblem(400, "'img' is missing: send the image as an upload, or as data:image/...;base64, text.")
    if not text.startswith("data:image/"):
        detail = "'img' is neither an upload nor data:image/...;base64, text. Paths and URLs are not opened here."
        raise HttpProblem(400, detail)
    try:
        return Upload("img", decode_base64(text))
    except ValueError as error:
        happened = f"'img' is not valid base64: {clean_file_name(str(error))}"
        raise SourceUnreadable(happened, "The bytes of the image were expected") from error


def _parse_actions(value: Any) -> list[str]:
    """By default only the emotion, while DeepFace's default is four actions."""
    if isinstance(value, str):
        value = [word for word in value.translate(str.maketrans("", "", "[]()\"' ")).split(",") if word]
    if not value:
        return ["emotion"]
    return [str(each) for each in value] if isinstance(value, list) else [str(value)]


def _parse_flag(value: Any, default: bool) -> bool:
    if value is None:
        return default
    return value if isinstance(value, bool) else str(value).strip().lower() not in ("false", "0", "no", "")
