"""Scores over time: the timelines of all tracks of a video, and the last seconds of a live camera."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

import numpy as np
from PIL import Image, ImageTk

from mien.apps.desktop.drawing import axis_marks, draw_timeline, parse_color, stack_scores
from mien.apps.desktop.image_view import CanvasImage
from mien.apps.desktop.style import Theme
from mien.apps.desktop.video_state import TrackTimeline, VideoProgress
from mien.apps.desktop.widgets import IdleCallback, add_scrollbar
from mien.labels import label_colour
from mien.results import Reading
from mien.text import describe_label, format_duration, format_percent, format_time

#: Heights of the parts of a track, and of the axis, in pixels of the design.
_TITLE, _SCORES, _EVENTS, _GAP, _AXIS = 26, 54, 12, 14, 26


class TimelineView(ttk.Frame):
    """A row for each track: its summary, its stacked scores, and its events; and the position as a line.

    ``on_seek`` is called with the seconds of a click; the arrow keys move by one second.
    """

    def __init__(self, parent: tk.Misc, theme: Theme, on_seek: Callable[[float], None]) -> None:
        super().__init__(parent)
        self._theme, self._on_seek = theme, on_seek
        colors = theme.colors
        self.canvas = tk.Canvas(self, background=colors.background, highlightthickness=theme.px(2), height=10, width=10)
        self.canvas.configure(highlightbackground=colors.background, highlightcolor=colors.accent, takefocus=True)
        self.canvas.pack(side="left", fill="both", expand=True)
        add_scrollbar(self, self.canvas)
        self._progress, self._length, self._position = VideoProgress(), 1.0, 0.0
        self._labels: tuple[str, ...] = ()
        self._photos: list[ImageTk.PhotoImage] = []
        self._left = theme.px(6)
        self._request_draw = IdleCallback(self, self._draw)
        self.canvas.bind("<Configure>", self._request_draw)
        self.canvas.bind("<Button-1>", self._click)
        self.canvas.bind("<B1-Motion>", self._click)
        for key, step in (("<Left>", -1.0), ("<Right>", 1.0)):
            self.canvas.bind(key, lambda _event, step=step: self._on_seek(max(self._position + step, 0.0)))  # type: ignore[misc]

    def show(self, progress: VideoProgress, labels: tuple[str, ...], length: float) -> None:
        """``length`` is the duration of the video in seconds."""
        self._progress, self._labels, self._length = progress, labels, max(length, 0.1)
        self._request_draw()

    def set_position(self, seconds: float) -> None:
        self._position = seconds
        x = self._x(seconds)
        self.canvas.coords("cursor", x, 0, x, self._height)
        self.canvas.tag_raise("cursor")

    @property
    def _row_height(self) -> int:
        return self._theme.px(_TITLE + _SCORES + _EVENTS + _GAP)

    @property
    def _height(self) -> int:
        return self._row_height * len(self._progress.tracks) + self._theme.px(_AXIS)

    @property
    def _width(self) -> int:
        return max(self.canvas.winfo_width() - 2 * self._left, 10)

    def _x(self, seconds: float) -> float:
        return self._left + (seconds - self._progress.start) / self._length * self._width

    def _draw(self) -> None:
        canvas, theme = self.canvas, self._theme
        canvas.delete("all")
        self._photos = []
        top = 0
        for track in self._progress.tracks:
            self._draw_track(track, top)
            top += self._row_height
        text: dict[str, Any] = {"fill": theme.colors.muted, "font": theme.font(11)}
        end = self._progress.start + self._length
        for seconds in axis_marks(self._progress.start, end, max(self._width // theme.px(90), 1)):
            x = self._x(seconds)
            canvas.create_line(x, top, x, top + theme.px(4), fill=theme.colors.muted)
            anchor: Any = "nw" if x < self._left + theme.px(20) else "ne" if x > self._width else "n"
            canvas.create_text(x, top + theme.px(6), text=format_time(seconds), anchor=anchor, **text)
        canvas.create_line(0, 0, 0, 0, fill=theme.colors.text, width=theme.px(2), tags="cursor")
        canvas.configure(scrollregion=(0, 0, canvas.winfo_width(), self._height))
        self.set_position(self._position)

    def _draw_track(self, track: TrackTimeline, top: int) -> None:
        theme, canvas, px = self._theme, self.canvas, self._theme.px
        name = f"Track {track.summary.number}"
        title = canvas.create_text(self._left, top, text=name, anchor="nw", fill=theme.colors.text)
        canvas.itemconfigure(title, font=theme.font(13, True))
        right = canvas.bbox(title)[2] + px(12)
        facts = canvas.create_text(right, top + px(1), text=_describe_track(track), anchor="nw")
        canvas.itemconfigure(facts, fill=theme.colors.muted, font=theme.font(12))
        y, size = top + px(_TITLE), (self._width, px(_SCORES))
        span = self._progress.start, self._progress.start + self._length
        image = Image.fromarray(draw_timeline(track.steps, self._labels, size, span, theme.colors.panel))
        self._photos.append(theme.photo(image))
        canvas.create_image(self._left, y, image=self._photos[-1], anchor="nw")
        y += px(_SCORES) + px(3)
        for event in self._progress.events:
            if event.track == track.summary.number:
                color, left = label_colour(event.emotion, self._labels), self._x(event.start)
                last = max(self._x(event.end) - 1, left + 1)
                canvas.create_rectangle(left, y, last, y + px(_EVENTS - 3), fill=color, width=0)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        fraction = min(max((event.x - self._left) / self._width, 0.0), 1.0)
        self._on_seek(self._progress.start + fraction * self._length)


def _describe_track(track: TrackTimeline) -> str:
    leading = [
        f"{describe_label(label)} {format_percent(fraction)}"
        for label, fraction in list(track.summary.emotions().items())[:3]
        if fraction >= 0.01
    ]
    emotions = ", ".join(leading) if leading else "no expression stands out"
    return f"visible for {format_duration(track.summary.visible_seconds)} · {emotions}"


class RecentTimeline(tk.Canvas):
    """The scores of the followed face in the last seconds, the newest at the right."""

    def __init__(
        self, parent: tk.Misc, theme: Theme, labels: tuple[str, ...], *, width: int, margin: int, seconds: float = 20.0
    ) -> None:
        """``width`` and ``margin`` are in pixels of the design."""
        px, height = theme.px, 84
        super().__init__(
            parent, width=px(width), height=px(height + 44), background=theme.colors.panel, highlightthickness=0
        )
        caption: dict[str, Any] = {"fill": theme.colors.muted, "font": theme.font(13)}
        self.create_text(px(margin), px(8), anchor="nw", text=f"the last {seconds:g} seconds", **caption)
        self._labels = labels
        self._empty = np.array(parse_color(theme.colors.line), np.uint8)
        self._pixels = np.tile(self._empty, (px(height), px(width - 2 * margin), 1))
        self._image = CanvasImage(self, px(margin), px(30))
        self._per_second = self._pixels.shape[1] / seconds
        self._newest: float | None = None

    def show(self, reading: Reading | None, seconds: float) -> None:
        """Add the reading at this time, and move the older ones to the left."""
        if self._newest is None or seconds < self._newest:
            self._newest = seconds - 1 / self._per_second
        columns = int((seconds - self._newest) * self._per_second)
        if not columns:
            return
        self._newest += columns / self._per_second
        columns = min(columns, self._pixels.shape[1])
        self._pixels = np.roll(self._pixels, -columns, axis=1)
        if reading is None or not reading.quality.ok:
            self._pixels[:, -columns:] = self._empty
        else:
            scores = [score for _, score in reading.emotions.scores]
            self._pixels[:, -columns:] = stack_scores(scores, self._labels, len(self._pixels))[:, None]
        self._image.show(self._pixels)
