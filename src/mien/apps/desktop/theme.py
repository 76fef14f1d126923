"""How the desktop looks: one palette in light and in dark, letters and lengths in the size its reader needs."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass, replace
from tkinter import font as fonts

from PIL import Image, ImageTk

from mien.apps.desktop import icons, system
from mien.apps.desktop.rounded import mixed
from mien.apps.desktop.settings import Settings
from mien.apps.live.look import DARK, LIGHT, Shades

#: Letters that look of today, the first that is there; the last stands for whatever Tk has.
_FAMILIES = {
    "win32": ("Segoe UI Variable Text", "Segoe UI"),
    "aqua": (".AppleSystemUIFont", "Helvetica Neue"),
    "x11": ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "Roboto", "DejaVu Sans"),
}


@dataclass(frozen=True)
class Tones:
    """The colours beside those of :class:`Shades`."""

    on_accent: str
    warn: str
    warn_ground: str
    wrong: str
    hover: str
    pressed: str


def _tones(shades: Shades, dark: bool) -> Tones:
    own = ("#06201e", "#f0c674", "#2e2717", "#ee9180") if dark else ("#ffffff", "#8a5a00", "#fdf3dc", "#b3452e")
    return Tones(*own, mixed(shades.panel, shades.ink, 0.07), mixed(shades.panel, shades.ink, 0.14))


class Theme:
    """One look for one window. Pictures made here live as long as it does."""

    def __init__(self, root: tk.Misc, settings: Settings, before: Theme | None = None) -> None:
        """``before`` is the look until now, whose letters stay the same."""
        self.root, self.dark = root, settings.shows_dark
        #: How many pixels one of the drawing takes, before anybody asks for larger text.
        self.screen = system.pixel_size(root.winfo_fpixels("1i"))
        scale = self.screen * settings.text
        self.shades: Shades = replace(
            DARK if self.dark else LIGHT, scale=scale, family=before.shades.family if before else family(root)
        )
        self.tones = _tones(self.shades, self.dark)
        self._fonts: dict[tuple[float, bool], fonts.Font] = {}
        self._photos: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self.kept: list[ImageTk.PhotoImage] = []

    def long(self, pixels: float) -> int:
        return self.shades.long(pixels)

    def letters(self, size: float = 14, bold: bool = False) -> fonts.Font:
        key = size, bold
        if key not in self._fonts:
            self._fonts[key] = self.shades.letters(size, bold)
        return self._fonts[key]

    def icon(self, name: str, hue: str | None = None, side: float = 20) -> ImageTk.PhotoImage:
        """A drawing for a button."""
        key = "icon", name, hue, side
        if key not in self._photos:
            self._photos[key] = self.photo(icons.icon(name, self.long(side), hue or self.shades.ink))
        return self._photos[key]

    def face(self, label: str, side: float, among: tuple[str, ...] = ()) -> ImageTk.PhotoImage:
        """The drawn face of an expression."""
        from mien.explain.pictures.faces import face

        key = "face", label, side, among
        if key not in self._photos:
            self._photos[key] = self.photo(face(label, self.long(side), among))
        return self._photos[key]

    def photo(self, image: Image.Image) -> ImageTk.PhotoImage:
        return ImageTk.PhotoImage(image, master=self.root)

    def keep(self, image: Image.Image) -> ImageTk.PhotoImage:
        """For ttk, which does not keep the pictures that it draws with."""
        self.kept.append(self.photo(image))
        return self.kept[-1]


def family(root: tk.Misc) -> str:
    wanted = _FAMILIES.get(root.tk.call("tk", "windowingsystem"), ())
    there = frozenset(fonts.families(root))
    usual = str(fonts.nametofont("TkDefaultFont", root).actual("family"))
    return next((name for name in wanted if name in there), usual)
