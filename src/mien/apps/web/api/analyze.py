"""``POST /analyze`` in the format of DeepFace's server, for programs that call that.

It opens neither paths nor URLs. DeepFace's server opens both for every client, which so can read files of the machine
and send requests into its network.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from mien import compat
from mien.apps.session.uploads import Upload
from mien.apps.web.api.readings import decode_upload
from mien.apps.web.errors import HttpProblem, status_code
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import decode_base64, parse_form, parse_json
from mien.errors import MienError, SourceError, SourceUnreadable
from mien.images.sources import clean_file_name

routes = Blueprint("analyze", __name__)

_DETECTORS = {"opencv": "haar", "haar": "haar", "yunet": "yunet"}


@routes.post("/analyze")
def analyze() -> tuple[Response, int]:
    """``{"results": [...]}`` with an entry for each face; ``{"error": message}``, with 400 where there is none."""
    service = current_service()
    try:
        upload, options = _parse_request()
        with service.slot():
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
