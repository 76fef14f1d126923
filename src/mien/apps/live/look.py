"""How the live window looks: its colours, letters and pictures."""

from __future__ import annotations

import tkinter as tk
from tkinter.font import Font

from PIL import Image, ImageTk

from mien.types import Pixels

GROUND, PANEL, RAISED, LINE = "#14171b", "#1c2025", "#262c33", "#333941"
INK, MUTED, ACCENT = "#e9e7e2", "#a3a9b2", "#5fd0c5"


def letters(pixels: int, bold: bool = False) -> Font:
    """Letters so many pixels high, on any screen."""
    return Font(family="DejaVu Sans", size=-pixels, weight="bold" if bold else "normal")


class Picture:
    """A picture on a canvas that changes many times a second: its pixels are replaced, nothing is made anew."""

    def __init__(self, canvas: tk.Canvas, x: float = 0, y: float = 0) -> None:
        self._canvas = canvas
        self._photo: ImageTk.PhotoImage | None = None
        self._item = canvas.create_image(x, y, anchor="nw")

    def show(self, pixels: Pixels) -> None:
        image = Image.fromarray(pixels)
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
