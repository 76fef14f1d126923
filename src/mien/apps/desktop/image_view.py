"""A picture in a page: as large as there is room for, the face that is meant marked, and faces to click on."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from mien.apps.desktop.live_style import Picture
from mien.apps.desktop.style import Theme
from mien.results import Box, Pixels


class Stage(tk.Canvas):
    """``resized`` is called with the room there is: whoever shows pictures makes them fit, and not in Tk's thread.

    ``clicked`` is called with a place in pixels of what is shown.
    """

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
        self.corner = (0, 0)
        self._words = self.create_text(0, 0, fill=shades.muted, font=theme.letters(15), justify="center")
        self.bind("<Configure>", self._changed)
        self.bind("<Button-1>", self._click)

    @property
    def room(self) -> tuple[int, int]:
        """The largest picture that is shown."""
        edge = self._theme.long(12)
        return max(self.winfo_width() - 2 * edge, 1), max(self.winfo_height() - 2 * edge, 1)

    def show(self, pixels: Pixels | None, words: str = "") -> None:
        """These pixels, in the middle; ``words`` where there are none."""
        self.itemconfigure(self._words, text=words if pixels is None else "")
        if pixels is not None:
            self._place(pixels)
        if pixels is not self._pixels:
            self._pixels = pixels
            self._picture.hide() if pixels is None else self._picture.show(pixels)

    def mark(self, boxes: tuple[Box, ...]) -> None:
        """Mark these places, in pixels of what is shown."""
        self.delete("mark")
        left, top = self.corner
        gap = self._theme.long(5)
        for box in boxes:
            x, y = left + box.x, top + box.y
            corners = x - gap, y - gap, x + box.width + gap, y + box.height + gap
            self.create_rectangle(*corners, outline=self._theme.shades.accent, width=self._theme.long(2), tags="mark")

    def _place(self, pixels: Pixels) -> None:
        self.corner = (self.winfo_width() - pixels.shape[1]) // 2, (self.winfo_height() - pixels.shape[0]) // 2
        self._picture.move(*self.corner)

    def _changed(self, event: tk.Event[tk.Misc]) -> None:
        self.coords(self._words, event.width // 2, event.height // 2)
        self.itemconfigure(self._words, width=max(event.width - self._theme.long(60), 50))
        if self._pixels is not None:
            self.mark(())
            self._place(self._pixels)
        self._resized(*self.room)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        if self._clicked and self._pixels is not None:
            self._clicked(event.x - self.corner[0], event.y - self.corner[1])
