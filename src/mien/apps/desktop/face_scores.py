"""What one face looks like, as bars and in words: the same on the pages for photos and for the inside."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from PIL import ImageTk

from mien.apps.desktop.style import Theme, bar
from mien.apps.desktop.widgets import Words
from mien.labels import label_colour
from mien.results import Emotions, Reading, Score
from mien.text import (
    allocate_ten_votes,
    describe_doubts,
    describe_mixture,
    describe_votes,
    format_headline,
    format_percent,
)

_ROW, _BAR = 30, 10


class Bars(tk.Canvas):
    """Every share with its drawn face, its bar and its number; the largest first, or in the model's order."""

    def __init__(self, parent: tk.Misc, theme: Theme, ground: str, *, ranked: bool = True) -> None:
        super().__init__(parent, background=ground, highlightthickness=0, height=1, width=10)
        self._theme, self._ground, self._ranked = theme, ground, ranked
        self._emotions: Emotions | None = None
        self._bars: list[ImageTk.PhotoImage] = []
        self.bind("<Configure>", lambda _event: self._draw())

    def show(self, emotions: Emotions | None) -> None:
        self._emotions = emotions
        rows = len(emotions.scores) if emotions else 0
        self.configure(height=self._theme.long(_ROW * rows))
        self._draw()

    def _draw(self) -> None:
        self.delete("all")
        self._bars = []
        emotions = self._emotions
        if emotions is None or self.winfo_width() < 20:
            return
        shares = emotions.ranked() if self._ranked else emotions.scores
        names = max(self._theme.letters(13).measure(share.label) for share in shares)
        for place, share in enumerate(shares):
            self._row(place, share, emotions.labels, names)

    def _row(self, place: int, share: Score, labels: tuple[str, ...], names: int) -> None:
        theme, long = self._theme, self._theme.long
        middle, right = long(_ROW * (place + 0.5)), self.winfo_width()
        numbers = theme.letters(13).measure("100 %") + long(10)
        left = long(28) + min(names, right // 3) + long(10)
        self.create_image(0, middle, image=theme.face(share.label, 20, labels), anchor="w")
        text: dict[str, Any] = {"font": theme.letters(13), "fill": theme.shades.ink}
        self.create_text(long(28), middle, text=share.label, anchor="w", **text)
        wide, line = max(right - left - numbers, long(20)), theme.shades.line
        image = bar(wide, long(_BAR), share.score, label_colour(share.label, labels), line, self._ground)
        self._bars.append(theme.photo(image))
        self.create_image(left, middle, image=self._bars[-1], anchor="w")
        self.create_text(right, middle, text=format_percent(share.score), anchor="e", **text)


class People(tk.Canvas):
    """What ten people would say, as ten drawn faces."""

    def __init__(self, parent: tk.Misc, theme: Theme, ground: str) -> None:
        super().__init__(parent, background=ground, highlightthickness=0, height=1, width=10)
        self._theme = theme

    def show(self, votes: tuple[Score, ...] | None) -> None:
        self.delete("all")
        theme = self._theme
        self.configure(height=theme.long(28) if votes else 1)
        labels = tuple(vote.label for vote in votes or ())
        for place, label in enumerate(allocate_ten_votes(votes) if votes else ()):
            self.create_image(theme.long(25) * place, 0, image=theme.face(label, 22, labels), anchor="nw")


class FaceCard(ttk.Frame):
    """One face in words and bars: what is seen first, what speaks against it, everything else."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.long(16))
        self._theme = theme
        self.columnconfigure(1, weight=1)
        ground, gap = theme.shades.raised, theme.long(10)
        self._icon = ttk.Label(self, style="Card.TLabel")
        self._who = ttk.Label(self, style="Card.Muted.TLabel")
        self._says = Words(self, style="Card.Large.TLabel")
        self._icon.grid(row=0, column=0, rowspan=2, sticky="n", padx=(0, gap))
        self._who.grid(row=0, column=1, sticky="w")
        self._says.grid(row=1, column=1, sticky="ew")
        self._doubts = Words(self, style="Card.Doubt.TLabel")
        self._bars, self._people = Bars(self, theme, ground), People(self, theme, ground)
        self._told = Words(self, style="Card.Muted.TLabel")
        for row, part in enumerate((self._doubts, self._bars, self._people, self._told), 2):
            part.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(gap, 0))

    def show(self, reading: Reading, who: str) -> None:
        emotions, theme = reading.emotions, self._theme
        self._icon.configure(image=theme.face(emotions.top, 40, emotions.labels))
        self._who.configure(text=who)
        self._says.configure(text=format_headline(reading))
        self._doubts.configure(text="\n".join(describe_doubts(reading)))
        self._doubts.grid() if describe_doubts(reading) else self._doubts.grid_remove()
        self._bars.show(emotions)
        self._people.show(emotions.votes)
        self._people.grid() if emotions.votes else self._people.grid_remove()
        told = [sentence for sentence in (describe_votes(reading), describe_mixture(reading)) if sentence]
        self._told.configure(text="\n".join(told))
        self._told.grid() if told else self._told.grid_remove()
