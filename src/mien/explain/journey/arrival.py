"""How a face comes to the network: the picture, where the face is, and the crop."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.explain.journey.parts import together, use
from mien.explain.journey.step import Step
from mien.html import data_uri
from mien.html.images import encode_image
from mien.types import Pixels

if TYPE_CHECKING:
    from mien.explain.explanation import Placing
    from mien.explain.journey.scene import Scene

#: The side of the crop in colour, before it becomes what the network gets.
_COLOUR_SIDE = 240

_GRAY = "Small and gray is enough: an expression lives in shapes."
_COLOUR = "Three of them make a dot, for red, green and blue."


def picture(scene: Scene) -> Step:
    assert scene.pixels is not None
    height, width = scene.pixels.shape[:2]
    told = f"The picture, {width} by {height} pixels"
    return Step(
        key="picture",
        short="Picture",
        eyebrow="the picture",
        title="It begins with a picture",
        words=f"To a computer this is {height * width:,} dots, and each dot is three numbers: how much red, green and "
        "blue. Nothing in those numbers says yet that there is a person, let alone an expression.",
        facts=(("size", f"{width:,} × {height:,} dots"), ("numbers", f"{height * width * 3:,}")),
        html=f"<div class='photo'>{_sized(scene, use(scene.id('photo-image'), scene.photo_box, told))}</div>",
        aside="<p class='hint muted'><kbd>←</kbd> <kbd>→</kbd> lead through the steps.</p>",
        thumb=_thumb(scene),
    )


def face(scene: Scene) -> Step:
    told = scene.told
    assert told.face is not None
    box = told.face.box
    facts = [("found by", escape(told.detector)), ("face", f"{box.width} × {box.height} dots")]
    facts += [("sure that it is a face", f"{100 * told.face.detection:.0f} %")] if told.face.detection < 1 else []
    points = ", and marks eyes, nose and mouth" if told.face.landmarks else ""
    return Step(
        key="face",
        short="Face",
        eyebrow="detection",
        title="Somebody is in it",
        words="A first, small program looks for faces of every size, everywhere in the picture, and draws a box "
        f"around what looks like one{points}. What lies outside the bright square the network never sees.",
        facts=tuple(facts),
        html=f"<div class='photo'>{_sized(scene, _found(scene))}</div>",
        thumb=use(scene.id("photo-image"), _around(scene), css="thumb"),
    )


def crop(scene: Scene) -> Step:
    side, gray = scene.side, scene.told.crop.ndim == 2
    numbers = scene.told.crop.size
    enlarged = ""
    if scene.told.placing is not None and scene.told.placing.side < side:
        enlarged = " This face was so small that it had to be enlarged, and no detail comes from that."
    return Step(
        key="crop",
        short="Crop",
        eyebrow="the crop",
        title=f"All the network gets: {side} × {side} dots",
        words=f"The square is cut out, turned upright and made small: {numbers:,} numbers from 0 (dark) to 255 "
        f"(bright) are all that is left. {_GRAY if gray else _COLOUR}{enlarged}",
        html=_cropped(scene),
        thumb=scene.crop(css="thumb"),
        aside=_remarks(scene),
    )


def _thumb(scene: Scene) -> str:
    assert scene.pixels is not None
    height, width = scene.pixels.shape[:2]
    side = min(height, width)
    return use(scene.id("photo-image"), f"{(width - side) / 2:g} {(height - side) / 2:g} {side} {side}", css="thumb")


def _sized(scene: Scene, drawn: str) -> str:
    """With a size of its own, so that the page can fit it in either way."""
    assert scene.pixels is not None
    height, width = scene.pixels.shape[:2]
    factor = 1100 / max(height, width)
    return drawn.replace("<svg", f"<svg width='{width * factor:.0f}' height='{height * factor:.0f}'", 1)


def _around(scene: Scene) -> str:
    placing = scene.told.placing
    if placing is None:
        assert scene.told.face is not None
        x, y, width, height = scene.told.face.box
        return f"{x} {y} {width} {height}"
    return f"{placing.left:.1f} {placing.top:.1f} {placing.side:.1f} {placing.side:.1f}"


def _found(scene: Scene) -> str:
    """The picture, all of it but the square in the shade, with the box and the five points."""
    told = f"The picture with the face marked. {scene.told.source and 'Face ' + str(scene.told.number or 1)}"
    inside = "".join(_marks(scene))
    return (
        f"<svg viewBox='{scene.photo_box}' role='img' aria-label='{escape(told)}' focusable='false'>"
        f"<use href='#{scene.id('photo-image')}'/>{inside}</svg>"
    )


def _marks(scene: Scene) -> Iterator[str]:
    told = scene.told
    assert scene.pixels is not None
    assert told.face is not None
    height, width = scene.pixels.shape[:2]
    stroke = max(height, width) / 260
    if told.placing is not None:
        square = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners(told.placing))
        yield f"<path class='shade' fill-rule='evenodd' d='M0 0H{width}V{height}H0ZM{square.replace(' ', 'L')}Z'/>"
        yield f"<polygon class='square' points='{square}' stroke-width='{stroke:.2f}'/>"
    box = told.face.box
    yield (
        f"<rect class='box' x='{box.x}' y='{box.y}' width='{box.width}' height='{box.height}' rx='{stroke * 2:.1f}' "
        f"stroke-width='{stroke * 0.7:.2f}' stroke-dasharray='{stroke * 3:.1f} {stroke * 2:.1f}'/>"
    )
    for point in told.face.landmarks or ():
        radius = max(box.width / 45, stroke)
        place = f"cx='{point.x:.1f}' cy='{point.y:.1f}' r='{radius:.1f}'"
        yield f"<circle class='point' {place} stroke-width='{stroke / 2:.2f}'/>"


def corners(placing: Placing) -> list[tuple[float, float]]:
    """The corners of the crop in the picture, clockwise from its upper left."""
    left, top, side, lean = placing
    middle, turn = np.array([left + side / 2, top + side / 2]), np.deg2rad(lean)
    matrix = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    half = side / 2
    places = [(-half, -half), (half, -half), (half, half), (-half, half)]
    return [tuple(float(value) for value in middle + matrix @ np.array(place)) for place in places]  # type: ignore[misc]


def _cropped(scene: Scene) -> str:
    side = scene.side
    small = scene.crop(f"The face as the network gets it, {side} by {side} dots")
    probe = "<span data-told>Point at a dot to read its number.</span>"
    values = escape(_values(scene))
    got = together(f"<div class='probe' data-values='{values}' data-side='{side}'>{small}</div>", probe, "got")
    cut = _in_colour(scene)
    if not cut:
        return f"<div class='cropped'>{got}</div>"
    image = f"<img alt='The square, cut out of the picture and turned upright' src='{cut}'>"
    arrow = "<span class='arrow' aria-hidden='true'>→</span>"
    return f"<div class='cropped two'>{together(image, 'cut out and upright')}{arrow}{got}</div>"


def _values(scene: Scene) -> str:
    """Each dot's brightness as two hexadecimal digits, row by row."""
    crop = scene.told.crop
    gray = crop if crop.ndim == 2 else cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    return gray.tobytes().hex() if scene.side <= 96 else ""


def _in_colour(scene: Scene) -> str:
    placing, pixels = scene.told.placing, scene.pixels
    if placing is None or pixels is None:
        return ""
    side = min(_COLOUR_SIDE, max(round(placing.side), scene.side))
    there = np.array([(0, 0), (side, 0), (side, side)], np.float32)
    matrix = np.asarray(cv2.getAffineTransform(np.array(corners(placing)[:3], np.float32), there), np.float64)
    small, turn = _shrunk(pixels, matrix), _scaled(matrix)
    cut = cv2.warpAffine(small, turn, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return data_uri(encode_image(np.asarray(cut, np.uint8), "webp", 86), "image/webp")


def _factor(matrix: NDArray[np.float64]) -> int:
    """How many dots of the picture fall on one of the crop, where there are several."""
    return max(1, int(1 / max(float(np.hypot(matrix[0, 0], matrix[0, 1])), 1e-6)))


def _shrunk(pixels: Pixels, matrix: NDArray[np.float64]) -> Pixels:
    # warpAffine takes single dots: a large face is made small first, so that it does not flicker.
    size = (max(pixels.shape[1] // _factor(matrix), 1), max(pixels.shape[0] // _factor(matrix), 1))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _scaled(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    factor = _factor(matrix)
    return np.asarray(matrix @ np.diag([factor, factor, 1.0]))


def _remarks(scene: Scene) -> str:
    quality = scene.told.quality
    if quality is None or quality.ok or not quality.reason:
        return ""
    return f"<p class='note warn'>Hard to judge: {escape(quality.reason)}.</p>"
