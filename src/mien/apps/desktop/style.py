"""Small drawings for buttons, by name: strokes in a square of 24 by 24, drawn smooth at any size and in any colour."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from tkinter import font as fonts
from tkinter import ttk
from typing import Any, NamedTuple

from PIL import Image, ImageDraw, ImageTk

from mien.apps.desktop import system_settings
from mien.apps.desktop.live_style import DARK, LIGHT, Shades
from mien.apps.desktop.settings import Settings

#: The side of the square in which the strokes stand, and how much finer they are drawn.
SIDE, _FINER = 24, 4


class Stroke(NamedTuple):
    """``line``: points; ``box``: corners, radius; ``oval``: corners; filled: ``area``, points; ``dot``, corners."""

    kind: str
    points: tuple[float, ...]
    wide: float = 1.7


def _line(*points: float) -> Stroke:
    return Stroke("line", points)


def _box(*points: float) -> Stroke:
    return Stroke("box", points)


def _oval(*points: float) -> Stroke:
    return Stroke("oval", points)


def _area(*points: float) -> Stroke:
    return Stroke("area", points)


def _dot(*points: float) -> Stroke:
    return Stroke("dot", points)


_FRAME = _box(3, 4.5, 21, 19.5, 3)

_ICONS: dict[str, tuple[Stroke, ...]] = {
    "photo": (_FRAME, _dot(7, 8, 10, 11), _line(4, 17, 9.5, 12.5, 13, 16, 16.5, 12.5, 20, 16)),
    "camera": (_box(3, 7, 21, 19.5, 3), _line(8, 7, 9.5, 4.5, 14.5, 4.5, 16, 7), _oval(8.4, 9.2, 15.6, 16.4)),
    "video": (_box(2.5, 6, 15.5, 18, 3), _line(15.5, 11, 21, 7.6, 21, 16.4, 15.5, 13)),
    "inside": (
        _line(12, 3.5, 21, 8, 12, 12.5, 3, 8, 12, 3.5),
        _line(3, 12, 12, 16.5, 21, 12),
        _line(3, 16, 12, 20.5, 21, 16),
    ),
    "models": (
        *(_line(3.5, y, 20.5, y) for y in (6.5, 12, 17.5)),
        *(_dot(x - 2.3, y - 2.3, x + 2.3, y + 2.3) for x, y in ((15, 6.5), (8, 12), (16.5, 17.5))),
    ),
    "open": (_line(3.5, 18.5, 3.5, 6, 9, 6, 11, 8.2, 20, 8.2, 20, 18.5, 3.5, 18.5),),
    "save": (_line(12, 4, 12, 15), _line(7.2, 10.6, 12, 15.4, 16.8, 10.6), _line(4.5, 19.5, 19.5, 19.5)),
    "play": (_area(8, 5.5, 18.5, 12, 8, 18.5),),
    "pause": (_area(7, 5.5, 10.4, 5.5, 10.4, 18.5, 7, 18.5), _area(13.6, 5.5, 17, 5.5, 17, 18.5, 13.6, 18.5)),
    "stop": (_area(6.5, 6.5, 17.5, 6.5, 17.5, 17.5, 6.5, 17.5),),
    "snapshot": (_oval(3.5, 3.5, 20.5, 20.5), _dot(8, 8, 16, 16)),
    "close": (_line(6.5, 6.5, 17.5, 17.5), _line(17.5, 6.5, 6.5, 17.5)),
    "down": (_line(7, 10, 12, 15, 17, 10),),
    "left": (_line(14.5, 6, 8.5, 12, 14.5, 18),),
    "right": (_line(9.5, 6, 15.5, 12, 9.5, 18),),
    "check": (_line(5.5, 12.5, 10, 17, 18.5, 7.5),),
    "drop": (
        _box(3, 3, 21, 21, 4),
        _line(12, 7, 12, 15.6),
        _line(8, 12, 12, 16, 16, 12),
    ),
    "warn": (_line(12, 4, 21, 19.5, 3, 19.5, 12, 4), _line(12, 10, 12, 14.2), _dot(11.1, 15.8, 12.9, 17.6)),
    "again": (
        _line(
            19, 12, 18.2, 15.3, 15.6, 18, 12, 19, 8.2, 18, 5.6, 15.2, 5, 12, 5.8, 8.8, 8.4, 6, 12, 5, 16, 6.2, 18.4, 8.4
        ),
        _line(18.8, 4, 18.8, 8.8, 14, 8.8),
    ),
}


@lru_cache(maxsize=256)
def icon(name: str, side: int, hue: str) -> Image.Image:
    """The drawing as RGBA, ``side`` pixels wide."""
    image = Image.new("RGBA", (side * _FINER,) * 2, (*_rgb(hue), 0))
    draw = ImageDraw.Draw(image)
    for stroke in _ICONS[name]:
        _drawn(draw, stroke, side * _FINER / SIDE, hue)
    return image.resize((side, side), Image.Resampling.BOX)


def _drawn(draw: ImageDraw.ImageDraw, stroke: Stroke, unit: float, hue: str) -> None:
    points, wide = [value * unit for value in stroke.points], max(round(stroke.wide * unit), 1)
    match stroke.kind:
        case "line":
            _rounded_line(draw, points, wide, hue)
        case "box":
            draw.rounded_rectangle(points[:4], points[4], outline=hue, width=wide)
        case "oval":
            draw.ellipse(points, outline=hue, width=wide)
        case "dot":
            draw.ellipse(points, fill=hue)
        case "area":
            draw.polygon(points, fill=hue)
            _rounded_line(draw, [*points, *points[:2]], wide, hue)


def _rounded_line(draw: ImageDraw.ImageDraw, points: list[float], wide: int, hue: str) -> None:
    draw.line(points, fill=hue, width=wide, joint="curve")
    for x, y in zip(points[0::2], points[1::2], strict=True):
        draw.ellipse((x - wide / 2, y - wide / 2, x + wide / 2, y + wide / 2), fill=hue)


def _rgb(hue: str) -> tuple[int, int, int]:
    return int(hue[1:3], 16), int(hue[3:5], 16), int(hue[5:7], 16)


# ==== mien.apps.desktop.rounded
# Round corners for ttk: small pictures whose edges stay and whose middle is stretched.

_FINER_rounded = 4


def plate(side: int, radius: float, fill: str, outline: str | None = None, wide: float = 1.0) -> Image.Image:
    """A square with round corners, RGBA; ``outline`` lies inside its edge."""
    large = side * _FINER_rounded
    image = Image.new("RGBA", (large, large), (*_rgb(outline or fill), 0))
    draw = ImageDraw.Draw(image)
    corner = (0, 0, large - 1, large - 1)
    if outline:
        draw.rounded_rectangle(corner, radius * _FINER_rounded, fill=outline)
        inset = round(wide * _FINER_rounded)
        inner = (inset, inset, large - 1 - inset, large - 1 - inset)
        draw.rounded_rectangle(inner, max(radius * _FINER_rounded - inset, 0), fill=fill)
    else:
        draw.rounded_rectangle(corner, radius * _FINER_rounded, fill=fill)
    return image.resize((side, side), Image.Resampling.BOX)


def wide_plate(image: Image.Image, border: int, side: int, behind: str = "") -> Image.Image:
    """The same plate with a large middle, for large areas: Tk lays the middle out like tiles, and many take seconds.

    On the colour ``behind`` it needs no transparency, which Tk draws slowly too.
    """
    if behind:
        ground = Image.new("RGB", image.size, behind)
        ground.paste(image, mask=image)
        image = ground
    end, large = image.width - border, Image.new(image.mode, (side, side))
    spans = ((0, border, 0, border), (border, end, border, side - border), (end, image.width, side - border, side))
    for top, bottom, to_top, to_bottom in spans:
        for left, right, to_left, to_right in spans:
            part = image.crop((left, top, right, bottom))
            large.paste(part.resize((to_right - to_left, to_bottom - to_top)), (to_left, to_top))
    return large


def bar(width: int, height: int, part: float, fill: str, ground: str, behind: str) -> Image.Image:
    """A bar with round ends that is filled to this part, on the colour behind it."""
    image = Image.new("RGB", (width * _FINER_rounded, height * _FINER_rounded), behind)
    draw, radius = ImageDraw.Draw(image), height * _FINER_rounded / 2
    draw.rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, fill=ground)
    full = Image.new("RGB", image.size, behind)
    ImageDraw.Draw(full).rounded_rectangle((0, 0, image.width - 1, image.height - 1), radius, fill=fill)
    # Cut off where it ends: a round end would make little look like more.
    image.paste(full.crop((0, 0, round(image.width * min(part, 1.0)), image.height)))
    return image.resize((width, height), Image.Resampling.BOX)


def switch(side: int, on: bool, fill: str, outline: str, mark: str) -> Image.Image:
    """A box to tick."""
    image = plate(side, side * 0.28, fill, outline, max(side / 14, 1))
    if on:
        draw = ImageDraw.Draw(image := image.resize((side * _FINER_rounded,) * 2))
        points = [value * side * _FINER_rounded for value in (0.24, 0.52, 0.43, 0.7, 0.77, 0.32)]
        draw.line(points, fill=mark, width=round(side * _FINER_rounded * 0.11), joint="curve")
        image = image.resize((side, side), Image.Resampling.BOX)
    return image


def disc(side: int, fill: str, outline: str) -> Image.Image:
    return plate(side, side / 2, fill, outline, max(side / 14, 1))


def mixed(one: str, other: str, part: float) -> str:
    """A colour between two: ``part`` of the other."""
    values = zip(_rgb(one), _rgb(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * part):02x}" for a, b in values)


# ==== mien.apps.desktop.styles
# ttk in the theme's colours: flat, with round corners, and a ring around what has the keyboard.

_numbers = count(1)

#: Sides of the plates behind large areas, and how wide the middle of a button's is, in pixels.
_LARGE, _WIDE = 400, 120


def apply(theme: Theme) -> ttk.Style:
    """Make the styles for this theme, and use them for every widget of ttk."""
    style = ttk.Style(theme.root)
    style.theme_create(name := f"mien-{next(_numbers)}", parent="clam")
    style.theme_use(name)
    for part in (_surfaces, _words, _buttons, _rail, _fields, _switches, _moving, _tables, _grounds):
        part(style, theme)
    _lists(theme)
    return style


def _lay(style: ttk.Style, name: str, parts: Any) -> None:
    """Of what a widget is made; type checkers know layouts less well than Tk does."""
    style.layout(name, parts)


def _surfaces(style: ttk.Style, theme: Theme) -> None:
    shades = theme.shades
    style.configure(".", background=shades.ground, foreground=shades.ink, font=theme.letters(14), borderwidth=0)
    style.configure(".", focuscolor=shades.accent, troughcolor=shades.line, selectbackground=shades.accent)
    style.configure("TFrame", background=shades.ground)
    style.configure("Panel.TFrame", background=shades.panel)
    style.configure("Raised.TFrame", background=shades.raised)
    style.configure("Line.TFrame", background=shades.line)
    style.configure("TSeparator", background=shades.line)
    for name, fill, edge in (
        ("Card", shades.raised, shades.line),
        ("Soft", shades.panel, shades.panel),
        ("Warn", theme.tones.warn_ground, theme.tones.warn_ground),
    ):
        element, border = f"{name}.plate", theme.long(12)
        small = plate(theme.long(28), theme.long(10), fill, edge, theme.long(1))
        image = theme.keep(wide_plate(small, border, _LARGE, "" if name == "Warn" else shades.ground))
        style.element_create(element, "image", image, border=border, padding=0, sticky="nsew")
        _lay(style, f"{name}.TFrame", [(element, {"sticky": "nsew"})])
        style.configure(f"{name}.TFrame", background=shades.ground)


def _words(style: ttk.Style, theme: Theme) -> None:
    shades, tones = theme.shades, theme.tones
    grounds = {"": shades.ground, "Panel.": shades.panel, "Card.": shades.raised, "Warn.": tones.warn_ground}
    for prefix, ground in {**grounds, "Soft.": shades.panel}.items():
        for name, hue, size, bold in (
            ("", shades.ink, 14, False),
            ("Strong.", shades.ink, 14, True),
            ("Muted.", shades.muted, 13, False),
            ("Title.", shades.ink, 20, True),
            ("Large.", shades.ink, 17, True),
            ("Doubt.", tones.warn, 13, False),
            ("Wrong.", tones.wrong, 13, False),
        ):
            style.configure(f"{prefix}{name}TLabel", background=ground, foreground=hue, font=theme.letters(size, bold))


def _buttons(style: ttk.Style, theme: Theme) -> None:
    shades, tones = theme.shades, theme.tones
    accent = shades.accent
    kinds = {
        "": (shades.raised, shades.line, shades.ink, tones.hover),
        "Main.": (accent, accent, tones.on_accent, _lighter(theme)),
        "Quiet.": (None, None, shades.ink, tones.hover),
        "Panel.Quiet.": (None, None, shades.ink, tones.hover),
    }
    for prefix, (fill, edge, ink, hover) in kinds.items():
        ground = shades.panel if prefix.startswith("Panel") else shades.ground
        element = f"{prefix}Button.plate"
        _plates(style, theme, element, fill or ground, edge or ground, hover, theme.long(9))
        inside = ("Button.padding", {"sticky": "nsew", "children": [("Button.label", {"sticky": "nsew"})]})
        for widget in ("TButton", "Toolbutton"):
            _lay(style, f"{prefix}{widget}", [(element, {"sticky": "nsew", "children": [inside]})])
            style.configure(f"{prefix}{widget}", foreground=ink, background=ground, anchor="center")
            style.configure(f"{prefix}{widget}", padding=(theme.long(14), theme.long(7)), font=theme.letters(14, True))
            style.map(f"{prefix}{widget}", foreground=[("disabled", shades.muted)], background=[])
        arrow = ("Menubutton.indicator", {"side": "right", "sticky": ""})
        named = ("Menubutton.padding", {"sticky": "nsew", "children": [arrow, ("Menubutton.label", {"side": "left"})]})
        _lay(style, f"{prefix}TMenubutton", [(element, {"sticky": "nsew", "children": [named]})])
        style.configure(f"{prefix}TMenubutton", foreground=ink, background=ground, font=theme.letters(14, True))
        style.configure(f"{prefix}TMenubutton", padding=(theme.long(14), theme.long(7), theme.long(8), theme.long(7)))
        style.map(f"{prefix}TMenubutton", foreground=[("disabled", shades.muted)], background=[])
    down = theme.icon("down", side=18)
    style.element_create("Menubutton.indicator", "image", down, sticky="", padding=theme.long(2))


def _plates(
    style: ttk.Style, theme: Theme, element: str, fill: str, edge: str, hover: str, radius: int, selected: str = ""
) -> None:
    """A button's ground in all of its states."""
    shades, tones, side, border = theme.shades, theme.tones, theme.long(30), theme.long(12)

    def made(ground: str, line: str, wide: float = 1) -> Any:
        small = plate(side, radius, ground, line, theme.long(wide))
        return theme.keep(wide_plate(small, border, 2 * border + _WIDE))

    chosen: tuple[Any, ...] = ()
    if selected:
        chosen = ("selected", "focus", made(selected, shades.accent, 2)), ("selected", made(selected, selected))
    style.element_create(
        element,
        "image",
        made(fill, edge),
        ("disabled", made(fill, edge)),
        ("pressed", made(tones.pressed if edge != shades.accent else hover, edge)),
        *chosen,
        ("focus", "active", made(hover, _ring(theme, fill), 2)),
        ("focus", made(fill, _ring(theme, fill), 2)),
        ("active", made(hover, edge if edge == fill else shades.accent)),
        border=border,
        width=2 * border,
        height=2 * border,
        padding=0,
        sticky="nsew",
    )


def _ring(theme: Theme, fill: str) -> str:
    return theme.shades.ink if fill == theme.shades.accent else theme.shades.accent


def _lighter(theme: Theme) -> str:
    pass

    return mixed(theme.shades.accent, theme.shades.ink, 0.15)


def _rail(style: ttk.Style, theme: Theme) -> None:
    """The pages at the left, and a row of choices of which one is on."""
    shades = theme.shades
    chosen = theme.tones.pressed
    _plates(style, theme, "Rail.plate", shades.panel, shades.panel, theme.tones.hover, theme.long(10), chosen)
    label = ("Radiobutton.label", {"sticky": ""})
    inside = ("Radiobutton.padding", {"sticky": "nsew", "children": [label]})
    _lay(style, "Rail.TRadiobutton", [("Rail.plate", {"sticky": "nsew", "children": [inside]})])
    style.configure("Rail.TRadiobutton", background=shades.panel, foreground=shades.muted, font=theme.letters(12))
    style.configure("Rail.TRadiobutton", padding=(theme.long(6), theme.long(8)), anchor="center", compound="top")
    style.map("Rail.TRadiobutton", foreground=[("selected", shades.ink), ("active", shades.ink)], background=[])
    _plates(style, theme, "Choice.plate", shades.ground, shades.line, theme.tones.hover, theme.long(9), chosen)
    for name in ("Choice.TRadiobutton", "Choice.TCheckbutton"):
        _lay(style, name, [("Choice.plate", {"sticky": "nsew", "children": [inside]})])
        style.configure(name, background=shades.ground, foreground=shades.ink, font=theme.letters(14, True))
        style.configure(name, padding=(theme.long(14), theme.long(7)), anchor="center")
        style.map(name, foreground=[("disabled", shades.muted)], background=[])


def _fields(style: ttk.Style, theme: Theme) -> None:
    shades, radius, side = theme.shades, theme.long(8), theme.long(28)

    def made(line: str, wide: float = 1) -> Any:
        small, border = plate(side, radius, shades.raised, line, theme.long(wide)), theme.long(10)
        return theme.keep(wide_plate(small, border, 2 * border + _WIDE))

    style.element_create(
        "Field.plate", "image", made(shades.line), ("focus", made(shades.accent, 2)), border=theme.long(10),
        sticky="nsew", padding=theme.long(2), width=theme.long(20), height=theme.long(20),
    )  # fmt: skip
    style.element_create("Field.arrow", "image", theme.icon("down", side=18), sticky="", padding=theme.long(3))
    area = ("Combobox.textarea", {"sticky": "nsew"})
    padded = ("Combobox.padding", {"expand": "1", "sticky": "nsew", "children": [area]})
    field = {"sticky": "nsew", "children": [("Field.arrow", {"side": "right", "sticky": "ns"}), padded]}
    _lay(style, "TCombobox", [("Field.plate", field)])
    _lay(style, "TEntry", [("Field.plate", {"sticky": "nsew", "children": [padded]})])
    for name in ("TCombobox", "TEntry"):
        style.configure(name, foreground=shades.ink, insertcolor=shades.ink, padding=(theme.long(8), theme.long(4)))
        style.configure(name, selectbackground=shades.raised, selectforeground=shades.ink, background=shades.ground)
        style.map(name, foreground=[("disabled", shades.muted)], background=[], fieldbackground=[])


def _switches(style: ttk.Style, theme: Theme) -> None:
    shades, side = theme.shades, theme.long(20)
    off = theme.keep(switch(side, False, shades.raised, shades.muted, shades.ink))
    on = theme.keep(switch(side, True, shades.accent, shades.accent, theme.tones.on_accent))
    focused = theme.keep(switch(side, False, shades.raised, shades.accent, shades.ink))
    kept = theme.keep(switch(side, True, shades.accent, shades.ink, theme.tones.on_accent))
    style.element_create(
        "Tick.indicator", "image", off, ("selected", "focus", kept), ("selected", on), ("focus", focused), sticky="w"
    )
    label = ("Checkbutton.label", {"side": "left", "sticky": ""})
    # The room between the box and its words.
    style.element_create("Tick.gap", "image", theme.keep(Image.new("RGBA", (theme.long(8), 1))))
    left = {"side": "left", "sticky": ""}
    layout = [
        ("Checkbutton.padding", {"sticky": "nsew", "children": [("Tick.indicator", left), ("Tick.gap", left), label]})
    ]
    for name, ground in (("TCheckbutton", shades.ground),):
        _lay(style, name, layout)
        style.configure(name, background=ground, foreground=shades.ink, font=theme.letters(14), padding=theme.long(4))
        style.map(name, background=[], foreground=[("disabled", shades.muted)])


def _moving(style: ttk.Style, theme: Theme) -> None:
    """Scrollbars, sliders, progress: thin, without arrows."""
    shades, thin = theme.shades, theme.long(10)
    for way, sticky in (("Vertical", "ns"), ("Horizontal", "ew")):
        thumb, over = (theme.keep(plate(thin, thin / 2, hue)) for hue in (theme.tones.pressed, shades.muted))
        name = f"{way}.Thin.thumb"
        style.element_create(name, "image", thumb, ("active", over), border=thin // 2 - 1, sticky="nsew")
        trough = (
            f"{way}.Scrollbar.trough",
            {"sticky": sticky, "children": [(name, {"expand": "1", "sticky": "nsew"})]},
        )
        _lay(style, f"{way}.TScrollbar", [trough])
        style.configure(f"{way}.TScrollbar", troughcolor=shades.ground, background=shades.ground, borderwidth=0)
        style.configure(f"{way}.TScrollbar", bordercolor=shades.ground, lightcolor=shades.ground, relief="flat")
    line = theme.keep(plate(theme.long(6), theme.long(3), shades.line))
    full = theme.keep(plate(theme.long(6), theme.long(3), shades.accent))
    style.element_create("Bar.trough", "image", line, border=theme.long(2), sticky="ew")
    style.element_create("Bar.full", "image", full, border=theme.long(2), sticky="ew")
    inner = [("Bar.full", {"side": "left", "sticky": "ew"})]
    _lay(style, "Horizontal.TProgressbar", [("Bar.trough", {"sticky": "ew", "children": inner})])
    style.configure("Horizontal.TProgressbar", background=shades.ground)
    knob = theme.keep(disc(theme.long(18), shades.accent, shades.accent))
    held = theme.keep(disc(theme.long(18), shades.accent, shades.ink))
    style.element_create("Knob.slider", "image", knob, ("focus", held), ("active", held), sticky="")
    style.element_create("Knob.trough", "image", line, border=theme.long(2), sticky="ew")
    _lay(style, "Horizontal.TScale", [("Knob.trough", {"sticky": "ew"}), ("Knob.slider", {"side": "left"})])
    style.configure("Horizontal.TScale", background=shades.ground)


def _tables(style: ttk.Style, theme: Theme) -> None:
    shades = theme.shades
    _lay(style, "Treeview", [("Treeview.treearea", {"sticky": "nsew"})])
    style.configure("Treeview", background=shades.raised, fieldbackground=shades.raised, foreground=shades.ink)
    style.configure("Treeview", rowheight=theme.long(30), font=theme.letters(13), borderwidth=0, relief="flat")
    style.map("Treeview", background=[("selected", theme.tones.pressed)], foreground=[("selected", shades.ink)])
    style.configure("Treeview.Heading", background=shades.raised, foreground=shades.muted, relief="flat")
    style.configure("Treeview.Heading", font=theme.letters(12, True), padding=(theme.long(4), theme.long(6)))
    style.map("Treeview.Heading", background=[("active", theme.tones.hover)])


def _grounds(style: ttk.Style, theme: Theme) -> None:
    """What shows behind round corners, for what stands on a card or a panel."""
    widgets = ("TButton", "Main.TButton", "TMenubutton", "TCombobox", "TEntry", "TCheckbutton", "Horizontal.TScale")
    shades = theme.shades
    for prefix, ground in (("Panel", shades.panel), ("Card", shades.raised)):
        for name in (*widgets, "Choice.TRadiobutton", "Choice.TCheckbutton", "Horizontal.TProgressbar"):
            style.configure(f"{prefix}.{name}", background=ground)


def _lists(theme: Theme) -> None:
    """What is of Tk and not of ttk: the lists that fields drop down, and menus."""
    shades, root = theme.shades, theme.root
    for name, value in (
        ("background", shades.raised), ("foreground", shades.ink), ("selectBackground", shades.accent),
        ("selectForeground", theme.tones.on_accent), ("borderWidth", 0), ("font", theme.letters(14)),
    ):  # fmt: skip
        root.option_add(f"*TCombobox*Listbox.{name}", value)


def menu(theme: Theme, parent: tk.Misc) -> tk.Menu:
    """An empty menu in the theme's colours."""
    shades = theme.shades
    return tk.Menu(
        parent,
        tearoff=False,
        background=shades.raised,
        foreground=shades.ink,
        activebackground=shades.accent,
        activeforeground=theme.tones.on_accent,
        disabledforeground=shades.muted,
        selectcolor=shades.ink,
        # The room around the words of an entry.
        activeborderwidth=theme.long(4),
        borderwidth=theme.long(1),
        relief="flat",
        font=theme.letters(14),
    )


# ==== mien.apps.desktop.theme
# How the desktop looks: one palette in light and in dark, letters and lengths in the size its reader needs.

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
        self.screen = system_settings.pixel_size(root.winfo_fpixels("1i"))
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
            self._photos[key] = self.photo(icon(name, self.long(side), hue or self.shades.ink))
        return self._photos[key]

    def face(self, label: str, side: float, among: tuple[str, ...] = ()) -> ImageTk.PhotoImage:
        """The drawn face of an expression."""
        from mien.explain.figures.icons import draw_icon

        key = "face", label, side, among
        if key not in self._photos:
            self._photos[key] = self.photo(draw_icon(label, self.long(side), among))
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
