"""Everybody in a film over its time: shares stacked, events below, a line where one looks. A click looks there."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from PIL import Image, ImageTk

from mien.apps.desktop.rendering import marks, stacked
from mien.apps.desktop.style import Theme
from mien.apps.desktop.video_state import Course, Seen
from mien.apps.desktop.widgets import Soon, with_bar
from mien.labels import label_colour
from mien.text import describe_label, format_duration, format_time, percent_words

_WORDS, _SHARES, _EVENTS, _GAP, _AXIS = 26, 54, 12, 14, 26


class Timeline(ttk.Frame):
    """``sought`` is called with the seconds of a click; the arrow keys move by a second."""

    def __init__(self, parent: tk.Misc, theme: Theme, sought: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._theme, self._sought = theme, sought
        shades = theme.shades
        self.canvas = tk.Canvas(self, background=shades.ground, highlightthickness=theme.long(2), height=10, width=10)
        self.canvas.configure(highlightbackground=shades.ground, highlightcolor=shades.accent, takefocus=True)
        self.canvas.pack(side="left", fill="both", expand=True)
        with_bar(self, self.canvas)
        self._course, self._length, self._at = Course(), 1.0, 0.0
        self._labels: tuple[str, ...] = ()
        self._photos: list[ImageTk.PhotoImage] = []
        self._soon = Soon(self, self._draw)
        self.canvas.bind("<Configure>", self._soon)
        self.canvas.bind("<Button-1>", self._click)
        self.canvas.bind("<B1-Motion>", self._click)
        for key, by in (("<Left>", -1.0), ("<Right>", 1.0)):
            self.canvas.bind(key, lambda _event, by=by: self._sought(max(self._at + by, 0.0)))  # type: ignore[misc]

    def show(self, course: Course, labels: tuple[str, ...], length: float) -> None:
        self._course, self._labels, self._length = course, labels, max(length, 0.1)
        self._soon()

    def look(self, at: float) -> None:
        """Move the line."""
        self._at = at
        x = self._x(at)
        self.canvas.coords("cursor", x, 0, x, self._high)
        self.canvas.tag_raise("cursor")

    @property
    def _high(self) -> int:
        each = self._theme.long(_WORDS + _SHARES + _EVENTS + _GAP)
        return each * len(self._course.people) + self._theme.long(_AXIS)

    def _x(self, seconds: float) -> float:
        return self._left + (seconds - self._course.start) / self._length * self._wide

    @property
    def _left(self) -> int:
        return self._theme.long(6)

    @property
    def _wide(self) -> int:
        return max(self.canvas.winfo_width() - 2 * self._left, 10)

    def _draw(self) -> None:
        canvas, theme = self.canvas, self._theme
        canvas.delete("all")
        self._photos = []
        top = 0
        for seen in self._course.people:
            self._person(seen, top)
            top += theme.long(_WORDS + _SHARES + _EVENTS + _GAP)
        text: dict[str, Any] = {"fill": theme.shades.muted, "font": theme.letters(11)}
        end = self._course.start + self._length
        for at in marks(self._course.start, end, max(self._wide // theme.long(90), 1)):
            x = self._x(at)
            canvas.create_line(x, top, x, top + theme.long(4), fill=theme.shades.muted)
            anchor: Any = "nw" if x < self._left + theme.long(20) else "ne" if x > self._wide else "n"
            canvas.create_text(x, top + theme.long(6), text=format_time(at), anchor=anchor, **text)
        canvas.create_line(0, 0, 0, 0, fill=theme.shades.ink, width=theme.long(2), tags="cursor")
        canvas.configure(scrollregion=(0, 0, canvas.winfo_width(), self._high))
        self.look(self._at)

    def _person(self, seen: Seen, top: int) -> None:
        theme, canvas, long = self._theme, self.canvas, self._theme.long
        name = f"Person {seen.person.number}"
        words = canvas.create_text(self._left, top, text=name, anchor="nw", fill=theme.shades.ink)
        canvas.itemconfigure(words, font=theme.letters(13, True))
        right = canvas.bbox(words)[2] + long(12)
        story = canvas.create_text(right, top + long(1), text=_story(seen), anchor="nw", fill=theme.shades.muted)
        canvas.itemconfigure(story, font=theme.letters(12))
        y, size = top + long(_WORDS), (self._wide, long(_SHARES))
        times = self._course.start, self._course.start + self._length
        image = Image.fromarray(stacked(seen.steps, self._labels, size, times, theme.shades.panel))
        self._photos.append(theme.photo(image))
        canvas.create_image(self._left, y, image=self._photos[-1], anchor="nw")
        y += long(_SHARES) + long(3)
        for event in self._course.events:
            if event.person == seen.person.number:
                hue, left = label_colour(event.label, self._labels), self._x(event.start)
                last = max(self._x(event.end) - 1, left + 1)
                canvas.create_rectangle(left, y, last, y + long(_EVENTS - 3), fill=hue, width=0)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        part = min(max((event.x - self._left) / self._wide, 0.0), 1.0)
        self._sought(self._course.start + part * self._length)


def _story(seen: Seen) -> str:
    leading = [
        f"{describe_label(label)} {percent_words(part)}" for label, part in seen.person.leading()[:3] if part >= 0.01
    ]
    said = ", ".join(leading) if leading else "no expression stood out"
    return f"seen for {format_duration(seen.person.seen)} · {said}"
