"""Images on a Tk canvas: one that changes many times a second, and the view of an image with marked faces."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable

from PIL import Image, ImageTk

from mien.apps.desktop.style import Theme
from mien.results import Box, Pixels


class CanvasImage:
    """An image on a canvas whose pixels can be replaced quickly: the photo is reused while its size stays the same."""

    def __init__(self, canvas: tk.Canvas, x: float = 0, y: float = 0) -> None:
        self._canvas = canvas
        self._photo: ImageTk.PhotoImage | None = None
        self._item = canvas.create_image(x, y, anchor="nw")

    def show(self, image: Pixels | Image.Image) -> None:
        image = image if isinstance(image, Image.Image) else Image.fromarray(image)
        if self._photo is None or (self._photo.width(), self._photo.height()) != image.size:
            self._photo = ImageTk.PhotoImage(image, master=self._canvas)
            self._canvas.itemconfigure(self._item, image=self._photo)
        else:
            self._photo.paste(image)

    def move(self, x: float, y: float) -> None:
        self._canvas.coords(self._item, x, y)

    def hide(self) -> None:
        self._canvas.itemconfigure(self._item, image="")
        self._photo = None


class ImageView(tk.Canvas):
    """Shows an image in the middle of a canvas.

    ``on_resize`` is called with the available width and height: images are scaled elsewhere, not in Tk's thread.
    ``on_click`` is called with x and y in pixels of the image.
    """

    def __init__(
        self,
        parent: tk.Misc,
        theme: Theme,
        on_resize: Callable[[int, int], None],
        on_click: Callable[[float, float], None] | None = None,
    ) -> None:
        colors = theme.colors
        super().__init__(parent, background=colors.panel, highlightthickness=0, width=10, height=10)
        self._theme, self._on_resize, self._on_click = theme, on_resize, on_click
        self._image = CanvasImage(self)
        self._pixels: Pixels | None = None
        #: Left and top of the image in the canvas.
        self.corner = (0, 0)
        self._text = self.create_text(0, 0, fill=colors.muted, font=theme.font(15), justify="center")
        self.bind("<Configure>", self._resize)
        self.bind("<Button-1>", self._click)

    @property
    def available_size(self) -> tuple[int, int]:
        """Width and height of the largest image that fits."""
        margin = self._theme.px(12)
        return max(self.winfo_width() - 2 * margin, 1), max(self.winfo_height() - 2 * margin, 1)

    def show(self, pixels: Pixels | None, text: str = "") -> None:
        """Show these pixels, or ``text`` where there are none."""
        self.itemconfigure(self._text, text=text if pixels is None else "")
        if pixels is not None:
            self._center(pixels)
        if pixels is not self._pixels:
            self._pixels = pixels
            if pixels is None:
                self._image.hide()
            else:
                self._image.show(pixels)

    def mark(self, boxes: tuple[Box, ...]) -> None:
        """Draw a frame around these boxes, in pixels of the image."""
        self.delete("mark")
        left, top = self.corner
        gap = self._theme.px(5)
        for box in boxes:
            x, y = left + box.x, top + box.y
            corners = x - gap, y - gap, x + box.width + gap, y + box.height + gap
            self.create_rectangle(*corners, outline=self._theme.colors.accent, width=self._theme.px(2), tags="mark")

    def _center(self, pixels: Pixels) -> None:
        self.corner = (self.winfo_width() - pixels.shape[1]) // 2, (self.winfo_height() - pixels.shape[0]) // 2
        self._image.move(*self.corner)

    def _resize(self, event: tk.Event[tk.Misc]) -> None:
        self.coords(self._text, event.width // 2, event.height // 2)
        self.itemconfigure(self._text, width=max(event.width - self._theme.px(60), 50))
        if self._pixels is not None:
            self.mark(())
            self._center(self._pixels)
        self._on_resize(*self.available_size)

    def _click(self, event: tk.Event[tk.Misc]) -> None:
        if self._on_click and self._pixels is not None:
            self._on_click(event.x - self.corner[0], event.y - self.corner[1])
