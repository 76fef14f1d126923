"""The pictures in a request, from whichever of its shapes: a form, a raw body, or JSON with base64."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any, NamedTuple

from flask import Request
from werkzeug.datastructures import FileStorage

from mien.apps.web.errors import HttpProblem
from mien.apps.web.settings import Settings
from mien.errors import SourceUnreadable
from mien.images.decode import decoded
from mien.images.sources import clean_file_name
from mien.results import Pixels

#: So many maps of a layer are sent where nobody says how many, and at most.
DEFAULT_MAPS, MAX_MAPS = 12, 256

_DATA = re.compile(r"data:[^,]{0,200},")


class InMemoryRequest(Request):
    """Files of a form stay in memory, however large: Werkzeug would write them to the disk."""

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


@dataclass(frozen=True)
class Upload:
    """One picture as it came: its name, made harmless, and its bytes; or why there are none."""

    name: str
    data: bytes
    error: SourceUnreadable | None = None

    def pixels(self, limit: int) -> Pixels:
        """Upright RGB uint8, or one of :class:`mien.errors.SourceError` with the picture's name."""
        if self.error:
            raise self.error
        return decoded(BytesIO(self.data), f"'{self.name}'", limit)


class ImageRequest(NamedTuple):
    """A request's pictures, and what else it says, from wherever it says it."""

    uploads: list[Upload]
    words: dict[str, str]


def parse_request(request: Request, settings: Settings) -> ImageRequest:
    """Pictures as ``file`` parts, as the body itself, or as JSON; words from the query, the form or the JSON."""
    kind = request.mimetype
    if kind == "multipart/form-data":
        found = _from_form(request)
    elif kind == "application/json":
        found = _from_json(request)
    elif kind == "application/x-www-form-urlencoded":
        raise HttpProblem(415, "Send pictures as multipart/form-data, as image bytes, or as JSON with base64.")
    else:
        found = _from_body(request)
    if len(found.uploads) > settings.max_pictures:
        raise HttpProblem(
            413, f"There are {len(found.uploads)} pictures; at most {settings.max_pictures} come together."
        )
    return found


def parse_form(request: Request, name: str) -> tuple[list[FileStorage], dict[str, str]]:
    """The files of a form under a name, and its words."""
    try:
        files, words = request.files.getlist(name), request.form.to_dict()
    except (ValueError, LookupError) as error:  # what Werkzeug's parser lets through
        raise HttpProblem(400, "The form is torn: each part needs a name, and its end.") from error
    return files, {key: value for key, value in words.items() if key}


def _from_form(request: Request) -> ImageRequest:
    files, words = parse_form(request, "file")
    if not files:
        others = sorted(name for name in {*request.files, *request.form} if name)
        told = f" It has {', '.join(repr(clean_file_name(name)) for name in others[:5])}." if others else ""
        raise HttpProblem(400, f"The form has no part 'file' with a picture in it.{told}")
    uploads = [Upload(clean_file_name(file.filename or f"picture {i}"), file.read()) for i, file in enumerate(files, 1)]
    return ImageRequest(uploads, {**words, **request.args.to_dict()})


def _from_body(request: Request) -> ImageRequest:
    data = request.get_data(cache=False)
    if not data:
        raise HttpProblem(
            400, "The request is empty. Send a picture: its bytes, a form with 'file', or JSON with base64."
        )
    return ImageRequest([Upload(clean_file_name(request.args.get("name", "picture")), data)], request.args.to_dict())


def _from_json(request: Request) -> ImageRequest:
    told = parse_json(request)
    pictures = told.pop("pictures", None)
    if not isinstance(pictures, list) or not pictures:
        raise HttpProblem(400, 'The JSON needs "pictures": a list of {"name": ..., "data": base64} or of base64 texts.')
    words = {key: str(value) for key, value in told.items() if isinstance(value, str | int | float)}
    uploads = [_from_entry(entry, number) for number, entry in enumerate(pictures, 1)]
    return ImageRequest(uploads, {**words, **request.args.to_dict()})


def parse_json(request: Request) -> dict[str, Any]:
    """The JSON object that a request is."""
    try:
        told = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError) as error:
        raise HttpProblem(400, f"The request is no JSON that can be read: {_word(error)}.") from error
    if not isinstance(told, dict):
        raise HttpProblem(400, "The JSON is no object: {...} was expected.")
    return told


def _from_entry(entry: Any, number: int) -> Upload:
    name, data = f"picture {number}", entry
    if isinstance(entry, dict):
        data = entry.get("data")
        name = clean_file_name(entry["name"]) if isinstance(entry.get("name"), str) else name
    if not isinstance(data, str):
        raise HttpProblem(400, f'Picture {number} in the JSON is no text: base64 was expected, or {{"data": base64}}.')
    try:
        return Upload(name, decode_base64(data))
    except ValueError as error:
        why = SourceUnreadable(f"'{name}' is no base64: {_word(error)}", "The picture's bytes were expected in base64")
        return Upload(name, b"", why)


def decode_base64(text: str) -> bytes:
    """The bytes behind base64 text, with or without ``data:image/...;base64,`` before it; ValueError otherwise."""
    begins = _DATA.match(text)
    if begins and ";base64" not in begins[0]:
        raise ValueError("the data address is not base64")
    text = text[begins.end() :] if begins else text
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError(str(error)) from error


def integer_option(words: dict[str, str], name: str, least: int, most: int) -> int | None:
    """A whole number that a request may give, or None."""
    given = words.get(name, "").strip()
    if not given:
        return None
    if not re.fullmatch(r"\d{1,9}", given) or not least <= int(given) <= most:
        raise HttpProblem(
            400, f"'{name}' is {clean_file_name(given)!r}: a whole number from {least} to {most} was expected."
        )
    return int(given)


def negotiate_content_type(request: Request, kinds: list[str]) -> str:
    """The kind of answer that a request would have; the first where it does not say."""
    kind = request.accept_mimetypes.best_match(kinds) if request.accept_mimetypes else kinds[0]
    if kind is None:
        raise HttpProblem(406, f"An answer is one of: {', '.join(kinds)}.")
    return kind


def text_option(words: dict[str, str], name: str) -> str | None:
    """A word that a request may give, or None."""
    return words.get(name, "").strip()[:4000] or None


def _word(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    return clean_file_name(str(error)).rstrip(".")
