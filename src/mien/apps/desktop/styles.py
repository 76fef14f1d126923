"""ttk in the theme's colours: flat, with round corners, and a ring around what has the keyboard."""

from __future__ import annotations

import tkinter as tk
from itertools import count
from tkinter import ttk
from typing import Any

from PIL import Image

from mien.apps.desktop.rounded import disc, plate, switch, wide_plate
from mien.apps.desktop.theme import Theme

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
    from mien.apps.desktop.rounded import mixed

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
