"""The faces of one picture, explained one after the other: what is known of the picture joins what the network says."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mien.errors import MienError
from mien.explain import Explanation, Placing
from mien.explain.inside import Inside
from mien.faces.crop import Framing, as_input, in_crop, placed
from mien.types import Face, FrameResult


def dissect(
    inside: Inside,
    result: FrameResult,
    crops: Sequence[NDArray[np.uint8]],
    framing: Framing,
    number: int | None,
    **how: Any,
) -> tuple[Explanation, ...]:
    """An explanation for each face of a result that was read from these crops, or for the one with this number."""
    inside.check(how["methods"], how["layers"], how["target"], how["versus"])
    chosen = range(len(result)) if number is None else [_place(number, result)]
    return tuple(_explained(inside, result, crops[place], framing, place, how) for place in chosen)


def _place(number: int, result: FrameResult) -> int:
    if 1 <= number <= len(result):
        return number - 1
    many = "is 1 face" if len(result) == 1 else f"are {len(result)} faces"
    happened = f"There is no face number {number} in {result.source}"
    raise MienError(happened, f"There {many} in it; the largest is number 1", "Leave the number out to have all")


def _explained(
    inside: Inside,
    result: FrameResult,
    crop: NDArray[np.uint8],
    framing: Framing,
    place: int,
    how: dict[str, Any],
) -> Explanation:
    reading, card = result.readings[place], inside.card
    return inside.explain(
        as_input(crop[None], card.side, card.color)[0],
        landmarks=in_crop(reading.face, framing, card.side),
        **how,
        number=place + 1,
        source=result.source,
        size=result.size,
        detector=result.detector,
        face=reading.face,
        quality=reading.quality,
        placing=Placing(*placed(reading.face, framing)),
        notes=_small(reading.face, card.side),
    )


def _small(face: Face, side: int) -> tuple[str, ...]:
    width = min(face.box.width, face.box.height)
    if width >= side / 2:
        return ()
    return (f"The face is only {width} pixels wide; the network saw it enlarged to {side}, and so are the maps.",)
