"""The images of the walkthrough page: photo, crop, evidence maps, and the feature maps of each layer as one image.

Each image is in the page once, in an SVG ``<defs>`` element; the steps refer to it, or to a part of it, by its id.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.explain.explanation import Explanation, Layer, Saliency
from mien.explain.figures.colormaps import Scale, choose_scale, colour_evidence, colour_indices, colour_table
from mien.explain.figures.evidence import warp_to_square
from mien.html import data_uri
from mien.html.images import encode_image, shrink_image
from mien.results import Pixels

#: Longest side of the photo in the page, in pixels.
_LONGEST = 1100

#: Feature maps of a layer, at most; and pixels of all feature maps of a page, so that it stays under 3 MB.
_MAPS, _PIXELS = 48, 900_000

#: Feature maps with a longer side than this are scaled down for the page.
_MAP_SIDE = 28

#: Side of the crop in colour, before it is scaled to the input of the network.
_COLOUR_SIDE = 240

#: Small evidence maps are enlarged by this factor before they are coloured, so that colours change smoothly.
_ENLARGEMENT = 4


@dataclass(frozen=True, eq=False, slots=True)
class MapSheet:
    """Feature maps of one layer side by side in one image, strongest first.

    ``name`` is the id of the image, ``size`` its width and height; ``width`` and ``height`` are those of one map.
    """

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
        """The part of the image with the map of a channel, as a ``viewBox``."""
        row, column = divmod(self.channels.index(channel), self.columns)
        return f"{column * (self.width + 1)} {row * (self.height + 1)} {self.width} {self.height}"


@dataclass(frozen=True, eq=False)
class PageImages:
    """An explanation with its images. ``layers`` have a step each; ``sheets`` by layer name; ``prefix`` starts ids."""

    explanation: Explanation
    pixels: Pixels | None
    layers: tuple[Layer, ...]
    sheets: Mapping[str, MapSheet]
    prefix: str = ""

    def id(self, name: str) -> str:
        return f"{self.prefix}{name}".replace(" ", "-")

    @property
    def side(self) -> int:
        return int(self.explanation.crop.shape[0])

    @property
    def labels(self) -> tuple[str, ...]:
        return self.explanation.emotions.labels

    @property
    def photo_size(self) -> tuple[int, int]:
        """Width and height of the photo, which must be there."""
        assert self.pixels is not None
        height, width = self.pixels.shape[:2]
        return width, height

    @property
    def square(self) -> str:
        """The corners of the crop in the photo, as the points of an SVG polygon; empty where they are unknown."""
        placement = self.explanation.placement
        return "" if placement is None else " ".join(f"{x:.1f},{y:.1f}" for x, y in placement.corners())

    @property
    def crop_uri(self) -> str:
        return data_uri(encode_image(self.explanation.crop))

    @property
    def photo_uri(self) -> str:
        assert self.pixels is not None
        return data_uri(encode_image(shrink_image(self.pixels, _LONGEST), "webp"), "image/webp")

    def overlays(self) -> list[tuple[str, str]]:
        """The id and the data URI of each evidence map."""
        return [(self.id(f"evidence-{each.method}"), _overlay_uri(each)) for each in self.explanation.maps]

    @cached_property
    def last_maps(self) -> MapSheet | None:
        """The feature maps before global average pooling, if they are on the page."""
        last = _last_layer([sheet.layer for sheet in self.sheets.values()], self.explanation)
        return None if last is None else self.sheets[last.name]


def build_images(
    explanation: Explanation, pixels: Pixels | None, layers: Sequence[str] | None, prefix: str = ""
) -> PageImages:
    chosen = tuple(each for each in explanation.layers if layers is None or each.name in layers)
    first = [each for each in explanation.layers if explanation.kernels and each.name == explanation.kernels.layer]
    spatial = list(dict.fromkeys([*first, *(each for each in chosen if len(each.shape) == 3)]))
    pixels_of_maps = sum(min(each.shape[1], _MAP_SIDE) * min(each.shape[2], _MAP_SIDE) for each in spatial)
    most = max(6, min(_MAPS, _PIXELS // max(pixels_of_maps, 1)))
    needed = [each.channel for each in explanation.contributions[:12]]
    last = _last_layer(spatial, explanation)
    sheets = {
        each.name: build_map_sheet(each, f"{prefix}maps{index}", most, needed if each is last else ())
        for index, each in enumerate(spatial)
    }
    sheets = {name: sheet for name, sheet in sheets.items() if sheet.channels}
    return PageImages(explanation, pixels, chosen, sheets, prefix)


def _last_layer(spatial: Sequence[Layer], explanation: Explanation) -> Layer | None:
    """The layer before global average pooling: the last one whose means are the inputs of the contributions."""
    means = {each.channel: each.activation for each in explanation.contributions}
    for layer in reversed(spatial):
        if layer.shape[0] == len(means):
            actual = layer.activations.reshape(len(layer.activations), -1).mean(axis=1)
            expected = [means[channel] for channel in range(len(actual))]
            if np.allclose(expected, actual, rtol=1e-3, atol=1e-3):
                return layer
    return None


def build_map_sheet(layer: Layer, name: str, most: int = _MAPS, needed: Sequence[int] = ()) -> MapSheet:
    """The ``most`` strongest non-constant maps, and the channels ``needed``, each scaled to its own maximum."""
    channels = tuple(dict.fromkeys([*layer.active_channels()[:most], *needed]))
    maps = [_shrink_map(layer.activations[channel]) for channel in channels]
    colours = choose_scale(layer.activations)
    height, width = maps[0].shape if maps else (1, 1)
    columns = min(8, max(len(maps), 1))
    sheet = np.zeros((-(-max(len(maps), 1) // columns) * (height + 1), columns * (width + 1)), np.uint8)
    for index, each in enumerate(maps):
        row, column = divmod(index, columns)
        top, left = row * (height + 1), column * (width + 1)
        sheet[top : top + height, left : left + width] = colour_indices(each, colours)
    image = Image.fromarray(sheet)
    image.putpalette(colour_table(colours).tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    size = (sheet.shape[1], sheet.shape[0])
    return MapSheet(name, layer, channels, width, height, columns, colours, data_uri(buffer.getvalue()), size)


def _shrink_map(values: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = values.shape
    if max(height, width) <= _MAP_SIDE:
        return values
    size = (min(width, _MAP_SIDE), min(height, _MAP_SIDE))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)


def _overlay_uri(saliency: Saliency) -> str:
    """An evidence map as an image that is transparent where there is no evidence."""
    side = saliency.map.shape[0]
    size = _ENLARGEMENT * side if side <= 64 else side
    values = np.asarray(cv2.resize(saliency.map, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)
    colours, opacity = colour_evidence(values, saliency.signed, saliency.strongest)
    buffer = io.BytesIO()
    pixels = np.dstack([colours, np.rint(opacity * 0.95 * 255).astype(np.uint8)])
    Image.fromarray(pixels).save(buffer, "WEBP", quality=80, method=4)
    return data_uri(buffer.getvalue(), "image/webp")


def colour_crop_uri(images: PageImages) -> str:
    """The crop in colour, upright, as a data URI; empty without a photo."""
    placement, pixels = images.explanation.placement, images.pixels
    if placement is None or pixels is None:
        return ""
    side = min(_COLOUR_SIDE, max(round(placement.side), images.side))
    target = np.array([(0, 0), (side, 0), (side, side)], np.float32)
    source = np.array(placement.corners()[:3], np.float32)
    matrix = np.asarray(cv2.getAffineTransform(source, target), np.float64)
    crop = warp_to_square(pixels, matrix, side, borderMode=cv2.BORDER_REPLICATE)
    return data_uri(encode_image(crop, "webp", 86), "image/webp")
