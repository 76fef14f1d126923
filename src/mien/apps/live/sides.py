"""What stands beside the moving picture: who looks how, a small timeline, and facts."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mien.apps.live.look import INK, LINE, MUTED, PANEL, Picture, letters
from mien.labels import colour
from mien.moments.words import percent
from mien.types import Reading
from mien.words import looks

#: The panel's width in pixels, the space at its edges, and the seconds that the timeline shows.
WIDE, EDGE, SHOWN = 300, 18, 20.0

_ROW, _BARS = 30, 84


class Bars(tk.Canvas):
    """One person's shares as bars, and above them what the expression looks like."""

    def __init__(self, parent: tk.Misc, labels: Sequence[str]) -> None:
        height = _BARS + _ROW * len(labels) + 6
        super().__init__(parent, width=WIDE, height=height, background=PANEL, highlightthickness=0)
        self._labels = tuple(labels)
        self._who = self.create_text(EDGE, 18, anchor="nw", fill=MUTED, font=letters(13))
        self._says = self.create_text(EDGE, 36, anchor="nw", fill=INK, font=letters(21, bold=True))
        self._rows = [self._row(place, label) for place, label in enumerate(self._labels)]

    def show(self, reading: Reading | None) -> None:
        who, says = _told(reading)
        self.itemconfigure(self._who, text=who)
        self.itemconfigure(self._says, text=says, font=letters(21 if len(says) < 22 else 16, bold=True))
        shares = dict(reading.emotions.shares) if reading and reading.quality.ok else {}
        for label, (bar, number, top) in zip(self._labels, self._rows, strict=True):
            share = shares.get(label, 0.0)
            left = EDGE + 84
            self.coords(bar, left, top, left + max(share * (WIDE - left - EDGE - 44), 1), top + 10)
            self.itemconfigure(number, text=percent(share) if shares else "")

    def _row(self, place: int, label: str) -> tuple[int, int, int]:
        top = _BARS + place * _ROW
        left, right = EDGE + 84, WIDE - EDGE
        self.create_text(EDGE, top + 5, anchor="w", text=label[:12], fill=INK, font=letters(13))
        self.create_rectangle(left, top, right - 44, top + 10, fill=LINE, width=0)
        bar = self.create_rectangle(left, top, left, top + 10, fill=colour(label, self._labels), width=0)
        number = self.create_text(right, top + 5, anchor="e", fill=MUTED, font=letters(13))
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

    def __init__(self, parent: tk.Misc, labels: Sequence[str], height: int = 84) -> None:
        super().__init__(parent, width=WIDE, height=height + 44, background=PANEL, highlightthickness=0)
        self.create_text(EDGE, 8, anchor="nw", text=f"the last {SHOWN:g} seconds", fill=MUTED, font=letters(13))
        self._tones = np.array([_rgb(colour(label, tuple(labels))) for label in labels], np.uint8)
        self._empty = np.array(_rgb(LINE), np.uint8)
        self._pixels = np.tile(self._empty, (height, WIDE - 2 * EDGE, 1))
        self._picture = Picture(self, EDGE, 30)
        self._per_second = (WIDE - 2 * EDGE) / SHOWN
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

    def __init__(self, parent: tk.Misc) -> None:
        super().__init__(parent, width=WIDE, height=96, background=PANEL, highlightthickness=0)
        self._values = [self._line(place, name) for place, name in enumerate(("frames read", "delay", "left out"))]

    def show(self, rate: float, delay: float, dropped: int) -> None:
        told = (f"{rate:.1f} a second", f"{delay * 1000:.0f} ms", f"{dropped:,}")
        for item, text in zip(self._values, told, strict=True):
            self.itemconfigure(item, text=text)

    def _line(self, place: int, name: str) -> int:
        top = 18 + 26 * place
        self.create_text(EDGE, top, anchor="w", text=name, fill=MUTED, font=letters(13))
        return self.create_text(WIDE - EDGE, top, anchor="e", fill=INK, font=letters(13))


def _rgb(code: str) -> tuple[int, int, int]:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)
