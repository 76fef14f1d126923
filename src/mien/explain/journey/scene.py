"""What all steps draw from: the picture, the face, and the maps of each layer as one small picture."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.explain.explanation import Explanation, Layer
from mien.explain.journey.heat import heat
from mien.explain.journey.parts import use
from mien.explain.pictures.tones import Scale, scale, scale_for, steps
from mien.html import data_uri
from mien.html.images import Format, encode_image
from mien.types import Pixels

#: The longest side of the picture in the page, in pixels.
_LONGEST = 1100

#: Maps of a layer, at most; and what all maps of a page may have in pixels, so that it stays under 3 MB.
_MAPS, _PIXELS = 48, 900_000

#: Maps with more places than this to a side are made smaller for the page.
_PLACES = 28


@dataclass(frozen=True, eq=False, slots=True)
class Atlas:
    """The maps of one layer side by side in one picture, strongest first. ``scale`` is the one they are coloured in."""

    name: str
    layer: Layer
    channels: tuple[int, ...]
    width: int
    height: int
    columns: int
    scale: Scale
    uri: str
    size: tuple[int, int]

    def box(self, channel: int) -> str:
        """Where a channel's map lies, as a ``viewBox``."""
        place = self.channels.index(channel)
        row, column = divmod(place, self.columns)
        return f"{column * (self.width + 1)} {row * (self.height + 1)} {self.width} {self.height}"

    def tile(self, channel: int, told: str = "", css: str = "tile-map") -> str:
        return use(self.name, self.box(channel), told, css)

    def image(self) -> str:
        width, height = self.size
        return f"<image id='{self.name}' width='{width}' height='{height}' href='{self.uri}'/>"


@dataclass(frozen=True, eq=False)
class Scene:
    """One explanation, ready to be drawn; ``layers`` are those that get steps, ``prefix`` begins every id."""

    told: Explanation
    pixels: Pixels | None
    layers: tuple[Layer, ...]
    atlases: Mapping[str, Atlas]
    prefix: str = ""

    def id(self, name: str) -> str:
        return f"{self.prefix}{name}".replace(" ", "-")

    @property
    def side(self) -> int:
        return int(self.told.crop.shape[0])

    @property
    def labels(self) -> tuple[str, ...]:
        return self.told.emotions.labels

    @property
    def photo_box(self) -> str:
        assert self.pixels is not None, "asked only by steps that show the picture"
        height, width = self.pixels.shape[:2]
        return f"0 0 {width} {height}"

    def crop(self, told: str = "", css: str = "face-map") -> str:
        """The face as the network got it."""
        return use(self.id("face-image"), f"0 0 {self.side} {self.side}", told, css)

    @cached_property
    def last_maps(self) -> Atlas | None:
        """The maps that the global pooling takes, where they are shown."""
        last = _last([each.layer for each in self.atlases.values()], self.told)
        return None if last is None else self.atlases[last.name]

    def store(self) -> str:
        """Every picture once, out of sight; the steps show them, or parts of them, by name."""
        inside = "".join(self._stored())
        return (
            f"<svg class='store' width='0' height='0' aria-hidden='true' focusable='false'><defs>{inside}</defs></svg>"
        )

    def _stored(self) -> Iterator[str]:
        side = self.side
        crop = data_uri(encode_image(self.told.crop))
        yield f"<image id='{self.id('face-image')}' width='{side}' height='{side}' href='{crop}' class='cells'/>"
        if self.pixels is not None:
            height, width = self.pixels.shape[:2]
            photo = data_uri(*_photo(self.pixels))
            yield f"<image id='{self.id('photo-image')}' width='{width}' height='{height}' href='{photo}'/>"
        for saliency in self.told.maps:
            name = self.id(f"heat-{saliency.method}")
            yield f"<image id='{name}' width='{side}' height='{side}' href='{heat(saliency)}'/>"
        yield from (atlas.image().replace("<image", "<image class='cells'", 1) for atlas in self.atlases.values())


def set_scene(explanation: Explanation, pixels: Pixels | None, layers: Sequence[str] | None, prefix: str = "") -> Scene:
    chosen = tuple(each for each in explanation.layers if layers is None or each.name in layers)
    first = [each for each in explanation.layers if explanation.kernels and each.name == explanation.kernels.layer]
    placed = list(dict.fromkeys([*first, *(each for each in chosen if len(each.shape) == 3)]))
    most = _most(placed)
    needed = [each.channel for each in explanation.contributions[:12]]
    atlases = {
        each.name: atlas_of(each, f"{prefix}maps{place}", most, needed if each is _last(placed, explanation) else ())
        for place, each in enumerate(placed)
    }
    return Scene(explanation, pixels, chosen, {name: each for name, each in atlases.items() if each.channels}, prefix)


def _last(placed: Sequence[Layer], explanation: Explanation) -> Layer | None:
    """The maps that the global pooling takes: the last whose means are what contributes."""
    means = {each.channel: each.activation for each in explanation.contributions}
    fitting = [each for each in placed if each.shape[0] == len(means) and _has_means(each, means)]
    return fitting[-1] if fitting else None


def _has_means(layer: Layer, means: Mapping[int, float]) -> bool:
    found = layer.activations.reshape(len(layer.activations), -1).mean(axis=1)
    return np.allclose([means[channel] for channel in range(len(found))], found, rtol=1e-3, atol=1e-3)


def _most(placed: Sequence[Layer]) -> int:
    """How many maps of each layer there is room for."""
    of_each = [min(each.shape[1], _PLACES) * min(each.shape[2], _PLACES) for each in placed]
    return max(6, min(_MAPS, _PIXELS // max(sum(of_each), 1)))


def atlas_of(layer: Layer, name: str, most: int = _MAPS, needed: Sequence[int] = ()) -> Atlas:
    """The strongest maps that say anything, and those that are ``needed``, each against its own strongest value."""
    alive = [channel for channel in layer.order if float(np.ptp(layer.activations[channel])) > 0]
    channels = tuple(dict.fromkeys([*alive[:most], *needed]))
    maps = [_small(layer.activations[channel]) for channel in channels]
    how = scale_for(layer.activations)
    height, width = maps[0].shape if maps else (1, 1)
    columns = min(8, max(len(maps), 1))
    sheet = np.zeros((-(-max(len(maps), 1) // columns) * (height + 1), columns * (width + 1)), np.uint8)
    for place, each in enumerate(maps):
        row, column = divmod(place, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = steps(each, how)
    uri = data_uri(_indexed(sheet, how))
    return Atlas(name, layer, channels, width, height, columns, how, uri, (sheet.shape[1], sheet.shape[0]))


def _small(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape
    if max(height, width) <= _PLACES:
        return values
    shrunk = cv2.resize(values, (min(width, _PLACES), min(height, _PLACES)), interpolation=cv2.INTER_AREA)
    return np.asarray(shrunk, np.float32)


def _indexed(sheet: NDArray[np.uint8], how: Scale) -> bytes:
    image = Image.fromarray(sheet)
    image.putpalette(scale(how).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _photo(pixels: Pixels) -> tuple[bytes, str]:
    factor = _LONGEST / max(pixels.shape[:2])
    if factor < 1:
        size = (max(round(pixels.shape[1] * factor), 1), max(round(pixels.shape[0] * factor), 1))
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    kind: Format = "webp"
    return encode_image(pixels, kind), f"image/{kind}"
