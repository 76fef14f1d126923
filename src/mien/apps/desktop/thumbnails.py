"""The pictures that are open as a film strip; only those in view are drawn, so that thousands are as quick as ten."""

from __future__ import annotations

import tkinter as tk
from collections import OrderedDict
from io import BytesIO
from tkinter import ttk

from PIL import Image, ImageTk

from mien.apps.desktop.pictures import Album, Shot
from mien.apps.desktop.style import Theme
from mien.apps.desktop.widgets import Soon
from mien.labels import label_colour
from mien.results import FrameResult

_SIDE, _GAP, _LINE = 76, 10, 4

#: Thumbnails that stay decoded.
_KEPT = 120


class Strip(ttk.Frame):
    """Arrow keys, Home and End go through it; a click goes there."""

    def __init__(self, parent: tk.Misc, theme: Theme, album: Album) -> None:
        super().__init__(parent, style="Panel.TFrame", padding=(theme.long(12), theme.long(8)))
        self._theme, self._album = theme, album
        # Pictures are no text: large letters would leave little room for the one that is looked at.
        self._part = min(theme.shades.scale, theme.screen * 1.25)
        shades, high = theme.shades, self._long(_SIDE + _LINE + 12)
        self.canvas = tk.Canvas(self, height=high, background=shades.panel, highlightthickness=theme.long(2))
        self.canvas.configure(highlightbackground=shades.panel, highlightcolor=shades.accent, takefocus=True)
        self._bar = ttk.Scrollbar(self, orient="horizontal", command=self._scroll)
        self.canvas.pack(fill="x")
        self._photos: OrderedDict[int, ImageTk.PhotoImage] = OrderedDict()
        self._offset, self._place = 0.0, -1
        self._soon = Soon(self, self._draw)
        self.canvas.bind("<Configure>", self._soon)
        self.canvas.bind("<Button-1>", self._click)
        for key, by in (("<Left>", -1), ("<Right>", 1), ("<Home>", -(10**9)), ("<End>", 10**9)):
            self.canvas.bind(key, lambda _event, by=by: self._step(by))  # type: ignore[misc]
        for event in ("<MouseWheel>", "<Button-4>", "<Button-5>"):
            self.canvas.bind(event, self._wheel)

    def show(self) -> None:
        """As the album stands now."""
        if self._album.place != self._place:
            self._place = self._album.place
            self._into_view()
        self._soon()

    def _long(self, pixels: float) -> int:
        return round(pixels * self._part)

    @property
    def _step_wide(self) -> int:
        return self._long(_SIDE + _GAP)

    @property
    def _whole(self) -> int:
        return self._step_wide * len(self._album.shots)

    def _draw(self) -> None:
        canvas, shots, wide = self.canvas, self._album.shots, self.canvas.winfo_width()
        canvas.delete("all")
        self._offset = min(max(self._offset, 0), max(self._whole - wide, 0))
        first = int(self._offset // self._step_wide)
        last = min(int((self._offset + wide) // self._step_wide) + 1, len(shots))
        for place in range(first, last):
            self._one(place, shots[place], round(place * self._step_wide - self._offset))
        long = max(self._whole, 1)
        self._bar.set(self._offset / long, (self._offset + wide) / long)
        if self._whole > wide and not self._bar.winfo_ismapped():
            self._bar.pack(fill="x", pady=(self._theme.long(4), 0))
        elif self._whole <= wide and self._bar.winfo_ismapped():
            self._bar.pack_forget()

    def _one(self, place: int, shot: Shot, x: int) -> None:
        theme, canvas, side = self._theme, self.canvas, self._long(_SIDE)
        top, left = theme.long(4), x + theme.long(4)
        middle = left + side // 2, top + side // 2
        canvas.create_rectangle(left, top, left + side, top + side, fill=theme.shades.raised, width=0)
        if photo := self._photo(shot):
            canvas.create_image(*middle, image=photo)
        if shot.error:
            canvas.create_image(*middle, image=theme.icon("warn", theme.tones.wrong, 28))
        foot = top + side + theme.long(3)
        canvas.create_rectangle(left, foot, left + side, foot + theme.long(_LINE), fill=self._hue(shot), width=0)
        if place == self._album.place:
            edge, wide = theme.long(2), theme.long(3)
            corners = (left - edge, top - edge, left + side + edge, top + side + edge)
            canvas.create_rectangle(*corners, outline=theme.shades.accent, width=wide)

    def _photo(self, shot: Shot) -> ImageTk.PhotoImage | None:
        if shot.small is None:
            return None
        if shot.number not in self._photos:
            image: Image.Image = Image.open(BytesIO(shot.small))
            side = self._long(_SIDE)
            part = side / min(image.size)
            image = image.resize((max(round(image.width * part), side), max(round(image.height * part), side)))
            left, top = (image.width - side) // 2, (image.height - side) // 2
            self._photos[shot.number] = self._theme.photo(image.crop((left, top, left + side, top + side)))
        self._photos.move_to_end(shot.number)
        while len(self._photos) > _KEPT:
            self._photos.popitem(last=False)
        return self._photos[shot.number]

    def _hue(self, shot: Shot) -> str:
        """What the largest face looks like; a plain line while nobody knows, or nobody is there."""
        if isinstance(shot.result, FrameResult) and shot.result.readings:
            emotions = shot.result.readings[0].emotions
            return label_colour(emotions.top, emotions.labels)
        return self._theme.shades.line if shot.result is None else self._theme.shades.muted

    def _into_view(self) -> None:
        left, wide = self._place * self._step_wide, max(self.canvas.winfo_width(), self._step_wide)
        self._offset = min(max(self._offset, left + self._step_wide - wide), left)

    def _step(self, by: int) -> None:
        self._album.go(min(max(self._album.place + by, 0), len(self._album.shots) - 1))

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        self.canvas.focus_set()
        self._album.go(int((event.x + self._offset) // self._step_wide))

    def _scroll(self, *words: str) -> None:
        if words[0] == "moveto":
            self._offset = float(words[1]) * self._whole
        else:
            self._offset += int(words[1]) * self._step_wide * (3 if words[2] == "units" else 8)
        self._soon()

    def _wheel(self, event: tk.Event[tk.Misc]) -> str:
        self._offset += self._step_wide * (-1 if event.num == 4 or event.delta > 0 else 1)
        self._soon()
        return "break"
