"""How live pictures look, in light and in dark: colours, letters, and pictures that move."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from tkinter.font import Font

from PIL import Image, ImageTk

from mien.results import Pixels


@dataclass(frozen=True)
class Shades:
    """The colours as ``#rrggbb``, and how large a pixel of the drawing is on this screen, for who reads it."""

    ground: str
    panel: str
    raised: str
    line: str
    ink: str
    muted: str
    accent: str
    scale: float = 1.0
    family: str = "DejaVu Sans"

    def long(self, pixels: float) -> int:
        """A length in pixels of this screen."""
        return round(pixels * self.scale)

    def letters(self, pixels: float, bold: bool = False) -> Font:
        """Letters so many pixels high."""
        return Font(family=self.family, size=-self.long(pixels), weight="bold" if bold else "normal")


DARK = Shades("#14171b", "#1c2025", "#262c33", "#333941", "#e9e7e2", "#a3a9b2", "#5fd0c5")
LIGHT = Shades("#fdfcfa", "#f5f3ef", "#ffffff", "#e3e1dc", "#1c2128", "#5b6470", "#0b6e69")


def rgb(code: str) -> tuple[int, int, int]:
    """``#rrggbb`` as numbers."""
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16)


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
