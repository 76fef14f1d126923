"""``POST /explanations``: how the network computes its prediction for a face; ``POST /activations`` for live video.

Arrays are ``{"shape": [...], "data": base64}``: integers from 0 to 255, row by row. Those of evidence maps and layers
have a ``scale`` too, the name of a colour scale (:mod:`mien.explain.figures.colormaps`) in which the integers are
indices, and ``strongest``, the value at the end of the scale.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import numpy as np
from flask import Blueprint, Response, g, jsonify, request
from numpy.typing import NDArray

from mien.apps.web.api.readings import decode_upload, read_pixels, select_engine
from mien.apps.web.errors import HttpProblem
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import (
    DEFAULT_MAPS,
    MAX_MAPS,
    ImageRequest,
    integer_option,
    negotiate_content_type,
    parse_request,
    text_option,
)
from mien.engine import Engine
from mien.errors import MienError, suggest_name
from mien.explain import Activations, Explanation, Layer, Saliency
from mien.explain.figures import colormaps
from mien.images.sources import clean_file_name
from mien.results import Pixels

routes = Blueprint("explanations", __name__)

JSON, HTML = "application/json", "text/html"


@routes.post("/explanations")
def explain() -> Response:
    """The explanation of one face, or of all; as HTML the walkthrough, a standalone page."""
    content_type = negotiate_content_type(request, [JSON, HTML])
    service, image_request = current_service(), _parse_single_image(current_service())
    engine = select_engine(service, image_request.options)
    with service.slot():
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
    with service.slot():
        pixels = decode_upload(service, upload)
        result = read_pixels(service, engine, pixels, upload.name, options)
        index = (integer_option(options, "face", 1, 100_000) or 1) - 1
        arrays = None
        if index < len(result):
            crop = engine.crop(pixels, result.faces[index])
            with service.metrics.measure_stage("activations"):
                layers = _select_layers(engine, options)
                arrays = activation_arrays(engine.activations(crop, layers), _map_count(options))
        g.facts = {"images": 1, "faces": len(result)}
    return jsonify(image=result.to_dict(), activations=arrays)


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
