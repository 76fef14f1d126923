"""The images and options of a request, from each of its formats: a form, a raw body, or JSON with base64."""

from __future__ import annotations

import base64
import binascii
import json
import re
from io import BytesIO
from math import nan
from typing import IO, Any, NamedTuple

from flask import Request
from werkzeug.datastructures import FileStorage

from mien.apps.session.uploads import Upload
from mien.apps.web.errors import HttpProblem
from mien.apps.web.settings import WebSettings
from mien.errors import SourceUnreadable
from mien.images.sources import clean_file_name

#: The number of feature maps of a layer that are sent: by default, and at most.
DEFAULT_MAPS, MAX_MAPS = 12, 256

#: Braces and commas that the entry of one image in JSON has at most; a name may have some too.
_JSON_MARKS = 20

_DATA_URL = re.compile(r"data:[^,]{0,200},")


class InMemoryRequest(Request):
    """A request whose uploads stay in memory. Werkzeug's own class writes large ones to the disk."""

    max_form_parts = 200
    max_form_memory_size = 200_000

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return BytesIO()


class ImageRequest(NamedTuple):
    """The files of a request, and its options from the query, the form or the JSON object."""

    uploads: list[Upload]
    options: dict[str, str]


def parse_request(request: Request, settings: WebSettings) -> ImageRequest:
    """Files as parts ``file`` of a form, as the body itself, or in JSON. HttpProblem for anything else."""
    content_type = request.mimetype
    if content_type == "multipart/form-data":
        parsed = _parse_multipart(request)
    elif content_type == "application/json":
        parsed = _parse_json_images(request, settings)
    elif content_type == "application/x-www-form-urlencoded":
        raise HttpProblem(415, "Send images as multipart/form-data, as image bytes, or as JSON with base64.")
    else:
        parsed = _parse_body(request)
    if len(parsed.uploads) > settings.max_images:
        count, limit = len(parsed.uploads), settings.max_images
        raise HttpProblem(413, f"The request has {count} images; at most {limit} are accepted.")
    return parsed


def parse_form(request: Request, name: str) -> tuple[list[FileStorage], dict[str, str]]:
    """The files of a form in parts with this name, and its other fields."""
    try:
        files, fields = request.files.getlist(name), request.form.to_dict()
    except (ValueError, LookupError) as error:  # Werkzeug's parser does not catch these
        raise HttpProblem(400, "Malformed multipart form: each part needs a name, and its end.") from error
    return files, {key: value for key, value in fields.items() if key}


def _parse_multipart(request: Request) -> ImageRequest:
    files, fields = parse_form(request, "file")
    if not files:
        others = sorted(name for name in {*request.files, *request.form} if name)
        suffix = f" It has {', '.join(repr(clean_file_name(name)) for name in others[:5])}." if others else ""
        raise HttpProblem(400, f"The form has no part 'file' with an image.{suffix}")
    uploads = [Upload(clean_file_name(file.filename or f"image {i}"), file.read()) for i, file in enumerate(files, 1)]
    return ImageRequest(uploads, {**fields, **request.args.to_dict()})


def _parse_body(request: Request) -> ImageRequest:
    data = request.get_data(cache=False)
    if not data:
        detail = "The request is empty. Send an image: its bytes, a form with 'file', or JSON with base64."
        raise HttpProblem(400, detail)
    return ImageRequest([Upload(clean_file_name(request.args.get("name", "image")), data)], request.args.to_dict())


def _parse_json_images(request: Request, settings: WebSettings) -> ImageRequest:
    # Counted before they are parsed: a million empty entries need fifty times the memory of the text.
    body = request.get_data()
    if sum(map(body.count, (b"{", b"[", b","))) > _JSON_MARKS * (settings.max_images + 1):
        raise HttpProblem(413, f"The JSON has too many entries; at most {settings.max_images} images are accepted.")
    content = parse_json(request)
    images = content.pop("images", None)
    if not isinstance(images, list) or not images:
        detail = 'The JSON object needs "images": a list of {"name": ..., "data": base64} or of base64 texts.'
        raise HttpProblem(400, detail)
    options = {key: str(value) for key, value in content.items() if isinstance(value, str | int | float)}
    uploads = [_parse_entry(entry, number) for number, entry in enumerate(images, 1)]
    return ImageRequest(uploads, {**options, **request.args.to_dict()})


def parse_json(request: Request) -> dict[str, Any]:
    """The JSON object in the body of a request."""
    try:
        content = json.loads(request.get_data())
    except (ValueError, RecursionError) as error:
        raise HttpProblem(400, f"The body is not valid JSON: {_reason(error)}.") from error
    if not isinstance(content, dict):
        raise HttpProblem(400, "The JSON is not an object: {...} was expected.")
    return content


def _parse_entry(entry: Any, number: int) -> Upload:
    name, data = f"image {number}", entry
    if isinstance(entry, dict):
        data = entry.get("data")
        name = clean_file_name(entry["name"]) if isinstance(entry.get("name"), str) else name
    if not isinstance(data, str):
        raise HttpProblem(400, f'Image {number} is not a text: base64 was expected, or {{"data": base64}}.')
    try:
        return Upload(name, decode_base64(data))
    except ValueError as error:
        happened = f"'{name}' is not valid base64: {_reason(error)}"
        return Upload(name, b"", SourceUnreadable(happened, "The bytes of the image were expected in base64"))


def decode_base64(text: str) -> bytes:
    """The bytes of a base64 text, with or without ``data:image/...;base64,`` before it; ValueError otherwise."""
    prefix = _DATA_URL.match(text)
    if prefix and ";base64" not in prefix[0]:
        raise ValueError("the data URL is not in base64")
    text = text[prefix.end() :] if prefix else text
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def integer_option(options: dict[str, str], name: str, minimum: int, maximum: int) -> int | None:
    """The value of an option; None if it is missing or empty, HttpProblem if it is out of bounds."""
    text = options.get(name, "").strip()
    if not text:
        return None
    if not re.fullmatch(r"\d{1,9}", text) or not minimum <= int(text) <= maximum:
        detail = f"'{name}' is {clean_file_name(text)!r}: a whole number from {minimum} to {maximum} was expected."
        raise HttpProblem(400, detail)
    return int(text)


def number_option(options: dict[str, str], name: str, minimum: float, maximum: float, meaning: str) -> float | None:
    """The value of an option that is ``meaning``; None if it is missing or empty, HttpProblem if out of bounds."""
    text = options.get(name, "").strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = nan
    if not minimum <= value <= maximum:
        raise HttpProblem(400, f"'{name}' is {meaning}: a number from {minimum:g} to {maximum:g}.")
    return value


def text_option(options: dict[str, str], name: str) -> str | None:
    """The value of an option; None if it is missing or empty."""
    return options.get(name, "").strip()[:4000] or None


def negotiate_content_type(request: Request, content_types: list[str]) -> str:
    """The content type of the response that the request prefers; the first one if it has no preference."""
    accepted = request.accept_mimetypes
    content_type = accepted.best_match(content_types) if accepted else content_types[0]
    if content_type is None:
        raise HttpProblem(406, f"The response is available as {', '.join(content_types)}.")
    return content_type


def _reason(error: BaseException) -> str:
    return "the nesting is too deep" if isinstance(error, RecursionError) else clean_file_name(str(error)).rstrip(".")
