"""The network at work on the largest face: the crop it sees, its maps layer by layer, and the softmax, all moving."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from mien.apps.desktop.live_style import DARK, Picture, Shades, rgb
from mien.apps.session.live_explanation import LiveActivations
from mien.explain.figures.colormaps import apply_colours, choose_scale
from mien.labels import label_colour
from mien.results import Pixels
from mien.text import format_percent

if TYPE_CHECKING:
    from mien.explain.explanation import Layer

#: The strip's height, the largest and smallest side of a picture in it, the space between, and the softmax's width.
HIGH, _LARGEST, _SMALLEST, _GAP, _SOFTMAX = 182, 118, 66, 14, 236

#: Channels shown of a layer: three rows of three.
_GRID = 3


class Inside(tk.Canvas):
    """A strip under the picture. The channels of each layer are chosen once and stay, so that they can be followed."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str], shades: Shades = DARK) -> None:
        self._shades, self._long, self._font = shades, shades.long, shades.letters(12)
        super().__init__(parent, height=shades.long(HIGH), background=shades.panel, highlightthickness=0)
        self._labels = tuple(labels)
        self._chosen: dict[str, NDArray[np.int64]] = {}
        self._strongest: dict[str, float] = {}
        self._pictures: list[Picture] = []
        self._titles: list[int] = []
        self._bars: list[tuple[int, ...]] = []
        self._side = self._long(_LARGEST)
        self._rate = self._words(self._long(_GAP), self._long(HIGH - 14))

    def show(self, seen: LiveActivations) -> None:
        maps = [layer for layer in seen.activations.layers if layer.activations.ndim == 3]
        vectors = [layer for layer in seen.activations.layers if layer.activations.ndim == 1 and layer.shape[0] > 16]
        self._side = self._fitting(len(maps) + 1, len(vectors))
        drawn = [("the face", _large(_three(seen.activations.crop), self._side))]
        drawn += [(layer.name, self._drawn(layer)) for layer in maps]
        drawn += [(layer.name, self._vector(layer)) for layer in vectors]
        self._room(len(drawn))
        left = self._long(_GAP)
        for (title, pixels), picture, item in zip(drawn, self._pictures, self._titles, strict=True):
            picture.move(left, self._long(36))
            picture.show(pixels)
            self.coords(item, left, self._long(24))
            self.itemconfigure(item, text=_short(title, pixels.shape[1] / self._shades.scale))
            left += pixels.shape[1] + self._long(_GAP)
        self._softmax(left + self._long(8), seen)
        self.itemconfigure(self._rate, text=f"{seen.rate:.0f} updates a second, track {seen.reading.track}")

    def _fitting(self, squares: int, halves: int) -> int:
        """The side with which everything fits into the strip."""
        free = self.winfo_width() - self._long(_SOFTMAX + _GAP * (squares + halves + 2))
        return max(min(int(free / (squares + halves / 2)), self._long(_LARGEST)), self._long(_SMALLEST))

    def clear(self) -> None:
        """Choose the channels anew when it is next shown."""
        self._chosen.clear()
        self._strongest.clear()

    def _drawn(self, layer: Layer) -> Pixels:
        maps = layer.activations
        chosen = self._chosen.setdefault(layer.name, np.array(layer.order[: _GRID**2]))
        # The brightest so far stays the measure: what gets stronger gets lighter.
        strongest = max(float(np.abs(maps[chosen]).max(initial=0)), 0.98 * self._strongest.get(layer.name, 0.0), 1e-6)
        self._strongest[layer.name] = strongest
        step, tone = self._side // _GRID, choose_scale(maps[chosen])
        side, sheet = step - 2, np.full((self._side, self._side, 3), rgb(self._shades.panel), np.uint8)
        for place, values in enumerate(maps[chosen]):
            top, left = (step * part for part in divmod(place, _GRID))
            small = apply_colours(values, tone, strongest)
            cut = cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST)
            sheet[top : top + side, left : left + side] = cut
        return sheet

    def _vector(self, layer: Layer) -> Pixels:
        """A layer without places, as cells in the channels' own order."""
        values = layer.activations
        strongest = max(float(np.abs(values).max(initial=0)), 0.98 * self._strongest.get(layer.name, 0.0), 1e-6)
        self._strongest[layer.name] = strongest
        columns = max(round((len(values) / 2) ** 0.5), 1)
        padded = np.pad(values, (0, -len(values) % columns))
        tone = apply_colours(padded.reshape(-1, columns), choose_scale(values), strongest)
        size = self._side // 2, self._side
        return np.asarray(cv2.resize(tone, size, interpolation=cv2.INTER_NEAREST), np.uint8)

    def _softmax(self, left: int, seen: LiveActivations) -> None:
        if not self._bars:
            self._bars = [self._bar(label) for label in self._labels]
            self._softmax_title = self._words(left, 0, "softmax")
        long = self._long
        self.coords(self._softmax_title, left, long(24))
        for place, (share, items) in enumerate(zip(seen.activations.emotions.scores, self._bars, strict=True)):
            name, ground, bar, number = items
            top, start = self._top(place), left + long(70)
            self.coords(name, left, top + long(4))
            self.coords(ground, start, top, start + long(108), top + long(9))
            self.coords(bar, start, top, start + max(share.score * long(108), 1), top + long(9))
            self.coords(number, start + long(152), top + long(4))
            self.itemconfigure(number, text=format_percent(share.score, no_break=True))

    def _bar(self, label: str) -> tuple[int, ...]:
        return (
            self.create_text(0, 0, anchor="w", text=label[:10], fill=self._shades.ink, font=self._font),
            self.create_rectangle(0, 0, 0, 0, fill=self._shades.line, width=0),
            self.create_rectangle(0, 0, 0, 0, fill=label_colour(label, self._labels), width=0),
            self.create_text(0, 0, anchor="e", fill=self._shades.muted, font=self._font),
        )

    def _top(self, place: int) -> int:
        return self._long(38 + place * (HIGH - 60) / max(len(self._labels), 1))

    def _words(self, x: int, y: int, text: str = "") -> int:
        return self.create_text(x, y, anchor="w", text=text, fill=self._shades.muted, font=self._font)

    def _room(self, count: int) -> None:
        while len(self._pictures) < count:
            self._pictures.append(Picture(self))
            self._titles.append(self._words(0, 0))


def _three(crop: NDArray[np.uint8]) -> Pixels:
    flat = crop[..., 0] if crop.ndim == 3 and crop.shape[-1] == 1 else crop
    return np.repeat(flat[..., None], 3, axis=2) if flat.ndim == 2 else flat


def _large(pixels: Pixels, side: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_NEAREST), np.uint8)


def _short(name: str, width: float) -> str:
    """The end of a name, which says what it is, in so many pixels."""
    room = max(int(width / 6.6), 6)
    return name if len(name) <= room else f"…{name[1 - room :]}"
