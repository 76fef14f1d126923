"""``POST /analyze`` as DeepFace's own server answers it, for programs that already call that.

What it does not do: open a path or an address. DeepFace's server does both for whoever asks, and so reads the
machine's files and calls its neighbours.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, request

from mien import compat
from mien.apps.web.api.readings import pixels_of
from mien.apps.web.errors import HttpProblem, status_code
from mien.apps.web.service import WebService, current_service
from mien.apps.web.uploads import Upload, decode_base64, parse_form, parse_json
from mien.errors import MienError, SourceError, SourceUnreadable
from mien.images.sources import clean_file_name

routes = Blueprint("analyze", __name__)

_BACKENDS = {"opencv": "haar", "haar": "haar", "yunet": "yunet"}


@routes.post("/analyze")
def analyze() -> tuple[Response, int]:
    """``{"results": [...]}``, one for each face; ``{"error": sentence}`` with 400 where there is none."""
    own = current_service()
    try:
        upload, words = _asked()
        with own.turn():
            return jsonify(results=_analyzed(own, upload, words)), 200
    except HttpProblem as problem:
        return jsonify(error=problem.detail), problem.status
    except SourceError as error:
        return jsonify(error=str(error)), status_code(error)
    except MienError as error:
        return jsonify(error=str(error)), 400


def _analyzed(own: WebService, upload: Upload, words: dict[str, Any]) -> Any:
    backend = str(words.get("detector_backend") or "opencv")
    pixels = pixels_of(own, upload)
    return compat.analyze(
        pixels[..., ::-1],  # its arrays are BGR
        actions=_actions(words.get("actions")),
        enforce_detection=_flag(words.get("enforce_detection"), True),
        detector_backend="skip" if backend == "skip" else "yunet",
        anti_spoofing=_flag(words.get("anti_spoofing"), False),
        engine=own.engines.get(None, _BACKENDS.get(backend) if "detector_backend" in words else None),
    )


def _asked() -> tuple[Upload, dict[str, Any]]:
    if request.mimetype == "multipart/form-data":
        files, fields = parse_form(request, "img")
        words: dict[str, Any] = dict(fields)
        if files:
            return Upload(clean_file_name(files[0].filename or "img"), files[0].read()), words
    else:
        words = parse_json(request)
    # Older clients of DeepFace say img_path for the same thing.
    return _picture(words.get("img", words.get("img_path"))), words


def _picture(given: Any) -> Upload:
    if not isinstance(given, str) or not given:
        raise HttpProblem(400, "There is no 'img': send the picture as an upload, or as data:image/...;base64, text.")
    if not given.startswith("data:image/"):
        told = "'img' is neither an upload nor data:image/...;base64, text. Paths and addresses are never opened here."
        raise HttpProblem(400, told)
    try:
        return Upload("img", decode_base64(given))
    except ValueError as error:
        raise SourceUnreadable(
            f"'img' is no base64: {clean_file_name(str(error))}", "The picture's bytes were expected"
        ) from error


def _actions(given: Any) -> list[str]:
    """Who names none gets what there is, though DeepFace's own default is four."""
    if isinstance(given, str):
        given = [
            word for word in given.strip("[]() ").replace('"', "").replace("'", "").replace(" ", "").split(",") if word
        ]
    if not given:
        return ["emotion"]
    return [str(each) for each in given] if isinstance(given, list) else [str(given)]


def _flag(given: Any, otherwise: bool) -> bool:
    if given is None:
        return otherwise
    return given if isinstance(given, bool) else str(given).strip().lower() not in ("false", "0", "no", "")
