"""A picture in a page: as large as there is room for, the face that is meant marked, and faces to click on."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from mien.apps.desktop.theme import Theme
from mien.apps.desktop.viewing import fitted
from mien.apps.live.look import Picture
from mien.types import Box, Pixels


class Stage(tk.Canvas):
    """``resized`` is called with the room there is, ``clicked`` with a place in pixels of what is shown."""

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        resized: Callable[[int, int], None],
        clicked: Callable[[float, float], None] | None = None,
    ) -> None:
        shades = theme.shades
        super().__init__(parent, background=shades.panel, highlightthickness=0, width=10, height=10)
        self._theme, self._resized, self._clicked = theme, resized, clicked
        self._picture = Picture(self)
        self._pixels: Pixels | None = None
        self._corner = (0, 0)
        self._words = self.create_text(0, 0, fill=shades.muted, font=theme.letters(15), justify="center")
        self.bind("<Configure>", self._changed)
        self.bind("<Button-1>", self._click)

    @property
    def room(self) -> tuple[int, int]:
        """The largest picture that is shown."""
        edge = self._theme.long(12)
        return max(self.winfo_width() - 2 * edge, 1), max(self.winfo_height() - 2 * edge, 1)

    def show(self, pixels: Pixels | None, words: str = "") -> None:
        """Pixels of any size; those of the right one are shown as they are. ``words`` stand where there are none."""
        self.itemconfigure(self._words, text=words if pixels is None else "")
        self._pixels = pixels
        if pixels is None:
            self._picture.hide()
            self.mark(())
            return
        shown = pixels if self._fits(pixels) else fitted(pixels, self.room)
        self._corner = (self.winfo_width() - shown.shape[1]) // 2, (self.winfo_height() - shown.shape[0]) // 2
        self._picture.move(*self._corner)
        self._picture.show(shown)

    def mark(self, boxes: tuple[Box, ...]) -> None:
        """Mark these places, in pixels of what is shown."""
        self.delete("mark")
        left, top = self._corner
        gap = self._theme.long(5)
        for box in boxes:
            x, y = left + box.x, top + box.y
            corners = x - gap, y - gap, x + box.width + gap, y + box.height + gap
            self.create_rectangle(*corners, outline=self._theme.shades.accent, width=self._theme.long(2), tags="mark")

    def _fits(self, pixels: Pixels) -> bool:
        width, height = self.room
        free = width - pixels.shape[1], height - pixels.shape[0]
        return bool(min(free) >= 0 and (min(free) < 2 or max(pixels.shape) < 64))

    def _changed(self, event: tk.Event[tk.Misc]) -> None:
        self.coords(self._words, event.width // 2, event.height // 2)
        self.itemconfigure(self._words, width=max(event.width - self._theme.long(60), 50))
        if self._pixels is not None:
            self.show(self._pixels)
        self._resized(*self.room)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        if self._clicked and self._pixels is not None:
            self._clicked(event.x - self._corner[0], event.y - self._corner[1])
