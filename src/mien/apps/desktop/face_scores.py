"""The expression of one face: scores as bars, predicted votes as icons, and a card with all of it in words."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any, NamedTuple

from mien.apps.desktop.drawing import draw_bar
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import CanvasImage, WrappedLabel, set_visible
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


class _Row(NamedTuple):
    """The items of one bar on the canvas."""

    icon: int
    label: int
    bar: CanvasImage
    percent: int


class ScoreBars(tk.Canvas):
    """A row for each label: icon, name, bar and probability. The canvas items are reused, for a live camera.

    Rows are in the order of the model's labels, or by score where ``ranked``. With ``labels`` the rows are there also
    while there is no face. ``compact`` rows are lower and have no icons.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        background: str,
        labels: tuple[str, ...] = (),
        *,
        ranked: bool = False,
        compact: bool = False,
    ) -> None:
        super().__init__(parent, background=background, highlightthickness=0, height=1, width=10)
        self._theme, self._background, self._labels, self._ranked = theme, background, labels, ranked
        self._row_height, self._font_size, self._icon_width = (17, 12, 0) if compact else (30, 13, 28)
        self._emotions: Emotions | None = None
        self._rows: list[_Row] = []
        self.bind("<Configure>", lambda _event: self._draw())
        self._set_height()

    def show(self, emotions: Emotions | None) -> None:
        self._emotions = emotions
        self._set_height()
        self._draw()

    def _set_height(self) -> None:
        count = len(self._emotions.scores if self._emotions else self._labels)
        height = self._theme.px(self._row_height * count)
        if int(str(self.cget("height"))) != max(height, 1):
            self.configure(height=max(height, 1))

    def _draw(self) -> None:
        emotions = self._emotions
        if self.winfo_width() < 20:
            return
        if emotions is None:
            values: list[tuple[str, float | None]] = [(label, None) for label in self._labels]
        else:
            values = list(emotions.ranked() if self._ranked else emotions.scores)
        labels = emotions.labels if emotions else self._labels
        while len(self._rows) < len(values):
            self._rows.append(self._create_row())
        names = max((self._theme.font(self._font_size).measure(label) for label, _ in values), default=0)
        for place, row in enumerate(self._rows):
            if place < len(values):
                self._update_row(row, place, *values[place], labels, names)
            else:
                self._hide_row(row)

    def _create_row(self) -> _Row:
        text: dict[str, Any] = {"font": self._theme.font(self._font_size), "fill": self._theme.colors.text}
        return _Row(
            self.create_image(0, 0, anchor="w"),
            self.create_text(0, 0, anchor="w", **text),
            CanvasImage(self),
            self.create_text(0, 0, anchor="e", **text),
        )

    def _update_row(
        self, row: _Row, place: int, label: str, score: float | None, labels: tuple[str, ...], names: int
    ) -> None:
        theme, px = self._theme, self._theme.px
        middle, right = px(self._row_height * (place + 0.5)), self.winfo_width()
        percents = theme.font(self._font_size).measure("100 %") + px(10)
        left = px(self._icon_width) + min(names, right // 3) + px(10)
        if self._icon_width:
            self.coords(row.icon, 0, middle)
            self.itemconfigure(row.icon, image=theme.face_icon(label, 20, labels))
        self.coords(row.label, px(self._icon_width), middle)
        self.itemconfigure(row.label, text=label)
        width, height = max(right - left - percents, px(20)), px(10)
        filled = round(width * min(score or 0.0, 1.0))
        row.bar.move(left, middle - height // 2)
        row.bar.show(draw_bar(width, height, filled, label_colour(label, labels), theme.colors.line, self._background))
        self.coords(row.percent, right, middle)
        self.itemconfigure(row.percent, text="" if score is None else format_percent(score))

    def _hide_row(self, row: _Row) -> None:
        self.itemconfigure(row.icon, image="")
        self.itemconfigure(row.label, text="")
        self.itemconfigure(row.percent, text="")
        row.bar.hide()


class VoteIcons(tk.Canvas):
    """The predicted votes of ten annotators, as ten icons."""

    def __init__(self, parent: tk.Misc, theme: Theme, background: str) -> None:
        super().__init__(parent, background=background, highlightthickness=0, height=1, width=10)
        self._theme = theme

    def show(self, votes: tuple[Score, ...] | None) -> None:
        self.delete("all")
        theme = self._theme
        self.configure(height=theme.px(28) if votes else 1)
        labels = tuple(vote.label for vote in votes or ())
        for place, label in enumerate(allocate_ten_votes(votes) if votes else ()):
            self.create_image(theme.px(25) * place, 0, image=theme.face_icon(label, 22, labels), anchor="nw")


class FaceCard(ttk.Frame):
    """One face in words and bars: the headline, doubts about it, all scores, the votes."""

    def __init__(self, parent: tk.Misc, theme: Theme) -> None:
        super().__init__(parent, style="Card.TFrame", padding=theme.px(16))
        self._theme = theme
        self.columnconfigure(1, weight=1)
        background, gap = theme.colors.card, theme.px(10)
        self._icon = ttk.Label(self, style="Card.TLabel")
        self._caption = ttk.Label(self, style="Card.Muted.TLabel")
        self._headline = WrappedLabel(self, style="Card.Large.TLabel")
        self._icon.grid(row=0, column=0, rowspan=2, sticky="n", padx=(0, gap))
        self._caption.grid(row=0, column=1, sticky="w")
        self._headline.grid(row=1, column=1, sticky="ew")
        self._doubts = WrappedLabel(self, style="Card.Warning.TLabel")
        self._bars, self._votes = ScoreBars(self, theme, background, ranked=True), VoteIcons(self, theme, background)
        self._sentences = WrappedLabel(self, style="Card.Muted.TLabel")
        for row, part in enumerate((self._doubts, self._bars, self._votes, self._sentences), 2):
            part.grid(row=row, column=0, columnspan=2, sticky="ew", pady=(gap, 0))

    def show(self, reading: Reading, caption: str) -> None:
        emotions = reading.emotions
        self._icon.configure(image=self._theme.face_icon(emotions.top, 40, emotions.labels))
        self._caption.configure(text=caption)
        self._headline.configure(text=format_headline(reading))
        self._bars.show(emotions)
        self._votes.show(emotions.votes)
        set_visible(self._votes, emotions.votes is not None)
        sentences = [sentence for sentence in (describe_votes(reading), describe_mixture(reading)) if sentence]
        for label, lines in ((self._doubts, describe_doubts(reading)), (self._sentences, sentences)):
            label.configure(text="\n".join(lines))
            set_visible(label, bool(lines))
