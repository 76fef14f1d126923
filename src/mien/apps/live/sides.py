"""What stands beside the moving picture: who looks how, a small timeline, and facts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.apps.live.look import DARK, Picture, Shades, rgb
from mien.labels import colour
from mien.moments.words import percent
from mien.types import Reading
from mien.words import looks

#: The panel's width in pixels, the space at its edges, and the seconds that the timeline shows.
WIDE, EDGE, SHOWN = 300, 18, 20.0

#: Where the bars begin below the words, the height of a row, and how far from the edge a bar begins and ends.
_BARS, _ROW, _NAMES, _NUMBERS = 84, 30, 84, 44


class Bars(tk.Canvas):
    """One person's shares as bars, and above them what the expression looks like."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str], shades: Shades = DARK) -> None:
        self._shades, self._labels = shades, tuple(labels)
        long, letters = shades.long, shades.letters
        height = long(_BARS + _ROW * len(labels) + 6)
        super().__init__(parent, width=long(WIDE), height=height, background=shades.panel, highlightthickness=0)
        room = long(WIDE - 2 * EDGE)
        self._who = self.create_text(long(EDGE), long(18), anchor="nw", fill=shades.muted, font=letters(13))
        self._says = self.create_text(long(EDGE), long(36), anchor="nw", fill=shades.ink, width=room)
        self._rows = [self._row(place, label) for place, label in enumerate(self._labels)]

    def show(self, reading: Reading | None) -> None:
        who, says = _told(reading)
        self.itemconfigure(self._who, text=who)
        self.itemconfigure(self._says, text=says, font=self._shades.letters(21 if len(says) < 22 else 16, bold=True))
        shares = dict(reading.emotions.shares) if reading and reading.quality.ok else {}
        left, right = self._shades.long(EDGE + _NAMES), self._shades.long(WIDE - EDGE - _NUMBERS)
        for label, (bar, number, top) in zip(self._labels, self._rows, strict=True):
            share = shares.get(label, 0.0)
            self.coords(bar, left, top, left + max(share * (right - left), 1), top + self._shades.long(10))
            self.itemconfigure(number, text=percent(share) if shares else "")

    def _row(self, place: int, label: str) -> tuple[int, int, int]:
        long, shades = self._shades.long, self._shades
        top, high, middle = long(_BARS + place * _ROW), long(10), long(_BARS + place * _ROW + 5)
        left, right, font = long(EDGE + _NAMES), long(WIDE - EDGE), shades.letters(13)
        self.create_text(long(EDGE), middle, anchor="w", text=label[:12], fill=shades.ink, font=font)
        self.create_rectangle(left, top, right - long(_NUMBERS), top + high, fill=shades.line, width=0)
        bar = self.create_rectangle(left, top, left, top + high, fill=colour(label, self._labels), width=0)
        number = self.create_text(right, middle, anchor="e", fill=shades.muted, font=font)
        return bar, number, top


def _told(reading: Reading | None) -> tuple[str, str]:
    if reading is None:
        return "", "no face in view"
    who = f"Person {reading.track}" if reading.track is not None else "A face"
    if not reading.quality.ok:
        return f"{who}, hard to judge", reading.quality.reason or "the face is not clear"
    if reading.emotions.uncertain:
        return f"{who}, unsure", "nothing stands out"
    return who, looks(reading.emotions.top)


class Strip(tk.Canvas):
    """The last seconds of the largest face: shares stacked, newest at the right."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str], shades: Shades = DARK, height: int = 84) -> None:
        long = shades.long
        super().__init__(
            parent, width=long(WIDE), height=long(height + 44), background=shades.panel, highlightthickness=0
        )
        words = f"the last {SHOWN:g} seconds"
        self.create_text(long(EDGE), long(8), anchor="nw", text=words, fill=shades.muted, font=shades.letters(13))
        self._tones = np.array([rgb(colour(label, tuple(labels))) for label in labels], np.uint8)
        self._empty = np.array(rgb(shades.line), np.uint8)
        self._pixels = np.tile(self._empty, (long(height), long(WIDE - 2 * EDGE), 1))
        self._picture = Picture(self, long(EDGE), long(30))
        self._per_second = self._pixels.shape[1] / SHOWN
        self._at: float | None = None

    def show(self, reading: Reading | None, seconds: float) -> None:
        """What there was to see at this time; the strip moves by as many columns as have passed."""
        if self._at is None or seconds < self._at:
            self._at = seconds - 1 / self._per_second
        columns = int((seconds - self._at) * self._per_second)
        if not columns:
            return
        self._at += columns / self._per_second
        columns = min(columns, self._pixels.shape[1])
        self._pixels = np.roll(self._pixels, -columns, axis=1)
        self._pixels[:, -columns:] = self._column(reading)[:, None]
        self._picture.show(self._pixels)

    def _column(self, reading: Reading | None) -> NDArray[np.uint8]:
        height = len(self._pixels)
        if reading is None or not reading.quality.ok:
            return np.tile(self._empty, (height, 1))
        edges = np.rint(np.cumsum([share.share for share in reading.emotions.shares]) * height).astype(int)
        places = np.searchsorted(edges, np.arange(height), side="right").clip(0, len(self._tones) - 1)
        # The first label stands at the bottom, as in the report.
        return np.asarray(self._tones[places][::-1])


class Facts(tk.Canvas):
    """Frames a second, the delay, what was dropped."""

    def __init__(self, parent: tk.Misc, shades: Shades = DARK) -> None:
        self._shades = shades
        wide, high = shades.long(WIDE), shades.long(96)
        super().__init__(parent, width=wide, height=high, background=shades.panel, highlightthickness=0)
        self._values = [self._line(place, name) for place, name in enumerate(("frames read", "delay", "left out"))]

    def show(self, rate: float, delay: float, dropped: int) -> None:
        told = (f"{rate:.1f} a second", f"{delay * 1000:.0f} ms", f"{dropped:,}")
        for item, text in zip(self._values, told, strict=True):
            self.itemconfigure(item, text=text)

    def _line(self, place: int, name: str) -> int:
        long, font = self._shades.long, self._shades.letters(13)
        top = long(18 + 26 * place)
        self.create_text(long(EDGE), top, anchor="w", text=name, fill=self._shades.muted, font=font)
        return self.create_text(long(WIDE - EDGE), top, anchor="e", fill=self._shades.ink, font=font)
