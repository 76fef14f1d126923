"""Pictures that were read: what came of each, and how it is shown."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from mien.apps.portrait import portrait
from mien.apps.streamlit.held import Photo
from mien.draw import paint
from mien.engine import Engine
from mien.errors import MienError
from mien.html.images import encode_image, shrink_image
from mien.report import CsvTable
from mien.types import Failure, FrameResult

#: The longest side of a picture on the page, the side of a face beside its reading, and how much is around that.
LONGEST, SIDE, AROUND = 1600, 144, 0.25

_QUALITY = 88


@dataclass(frozen=True, eq=False)
class Read:
    """One picture's result. ``shown`` is the painted picture as JPEG, ``faces`` are small ones; a failure has none."""

    photo: Photo
    result: FrameResult | Failure
    shown: bytes = b""
    faces: tuple[bytes, ...] = ()


class Count(NamedTuple):
    pictures: int
    faces: int
    failed: int


def read(engine: Engine, photo: Photo) -> Read:
    """A picture that cannot be read is a failure in its place."""
    try:
        pixels = photo.pixels()
        result = replace(engine.read(pixels), source=photo.name)
    except MienError as error:
        return Read(photo, Failure(photo.name, error))
    faces = tuple(encode_image(portrait(pixels, each.face.box, SIDE, AROUND), "jpeg", _QUALITY) for each in result)
    return Read(photo, result, encode_image(shrink_image(paint(pixels, result), LONGEST), "jpeg", _QUALITY), faces)


def annotated(engine: Engine, photo: Photo) -> bytes:
    """The whole picture with boxes and labels, as JPEG."""
    pixels = photo.pixels()
    return encode_image(paint(pixels, engine.read(pixels)), "jpeg", 92)


def counted(reads: Iterable[Read]) -> Count:
    results = [each.result for each in reads]
    found = [each for each in results if isinstance(each, FrameResult)]
    return Count(len(found), sum(map(len, found)), len(results) - len(found))


def as_json(reads: Sequence[Read]) -> str:
    """Each picture as ``mien predict --json`` prints it."""
    return json.dumps({"pictures": [each.result.to_dict() for each in reads]}, ensure_ascii=False, indent=2)


def as_csv(reads: Sequence[Read], labels: Sequence[str]) -> str:
    text = io.StringIO(newline="")
    table = CsvTable(text, labels)
    for each in reads:
        table.write(each.result)
    return text.getvalue()
