"""The appearance of the window: colours, fonts and sizes in light and dark, and the styles of ttk's widgets.

Widgets are flat with round corners, and have a ring when they have the keyboard focus.
"""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from itertools import count
from tkinter import font as fonts
from tkinter import ttk
from typing import Any

from PIL import Image, ImageTk

from mien.apps.desktop.drawing import draw_check_box, draw_icon, draw_rounded_square, mix_colors, stretch_middle
from mien.apps.desktop.settings import DesktopSettings, display_scale

#: The preferred fonts of each window system; where none is installed, Tk's default is used.
_FAMILIES = {
    "win32": ("Segoe UI Variable Text", "Segoe UI"),
    "aqua": (".AppleSystemUIFont", "Helvetica Neue"),
    "x11": ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "Open Sans", "Roboto", "DejaVu Sans"),
}

#: The sides of the images behind large areas, and the width of the middle of a button's image, in pixels.
_LARGE_SIDE, _BUTTON_MIDDLE = 400, 120


@dataclass(frozen=True)
class Palette:
    """Colours as ``#rrggbb``: backgrounds of the window, panels and cards, lines, text, and signals."""

    background: str
    panel: str
    card: str
    line: str
    text: str
    muted: str
    accent: str
    on_accent: str
    warning: str
    warning_background: str
    error: str

    @property
    def hover(self) -> str:
        return mix_colors(self.panel, self.text, 0.07)

    @property
    def pressed(self) -> str:
        return mix_colors(self.panel, self.text, 0.14)


DARK = Palette(
    "#14171b", "#1c2025", "#262c33", "#333941", "#e9e7e2", "#a3a9b2", "#5fd0c5",
    "#06201e", "#f0c674", "#2e2717", "#ee9180",
)  # fmt: skip
LIGHT = Palette(
    "#fdfcfa", "#f5f3ef", "#ffffff", "#e3e1dc", "#1c2128", "#5b6470", "#0b6e69",
    "#ffffff", "#8a5a00", "#fdf3dc", "#b3452e",
)  # fmt: skip


class Theme:
    """Colours, sizes and fonts of one window. The images that it makes live as long as it does."""

    def __init__(self, root: tk.Misc, settings: DesktopSettings, previous: Theme | None = None) -> None:
        """``previous`` is the theme until now, whose font family is kept."""
        self.root, self.dark = root, settings.shows_dark
        #: Screen pixels per pixel of the design, without the user's text size.
        self.screen_scale = display_scale(root.winfo_fpixels("1i"))
        #: The same with the text size.
        self.scale = self.screen_scale * settings.text
        self.colors = DARK if self.dark else LIGHT
        self.family: str = previous.family if previous else choose_font_family(root)
        self._fonts: dict[tuple[float, bool], fonts.Font] = {}
        self._photos: dict[tuple[object, ...], ImageTk.PhotoImage] = {}
        self._style_images: list[ImageTk.PhotoImage] = []

    def px(self, pixels: float) -> int:
        """A length of the design in pixels of this screen."""
        return round(pixels * self.scale)

    def font(self, size: float = 14, bold: bool = False) -> fonts.Font:
        """A font so many pixels of the design high."""
        key = size, bold
        if key not in self._fonts:
            weight: Any = "bold" if bold else "normal"
            self._fonts[key] = fonts.Font(self.root, family=self.family, size=-self.px(size), weight=weight)
        return self._fonts[key]

    def icon(self, name: str, color: str | None = None, side: float = 20) -> ImageTk.PhotoImage:
        key = "icon", name, color, side
        if key not in self._photos:
            self._photos[key] = self.photo(draw_icon(name, self.px(side), color or self.colors.text))
        return self._photos[key]

    def face_icon(self, label: str, side: float, labels: tuple[str, ...] = ()) -> ImageTk.PhotoImage:
        """The face that stands for an expression; ``labels`` are all labels of the model."""
        from mien.explain.figures.icons import draw_icon as draw_face_icon

        key = "face", label, side, labels
        if key not in self._photos:
            self._photos[key] = self.photo(draw_face_icon(label, self.px(side), labels))
        return self._photos[key]

    def photo(self, image: Image.Image) -> ImageTk.PhotoImage:
        return ImageTk.PhotoImage(image, master=self.root)

    def style_image(self, image: Image.Image) -> ImageTk.PhotoImage:
        """An image for a style: ttk holds no reference to it."""
        self._style_images.append(self.photo(image))
        return self._style_images[-1]


def choose_font_family(root: tk.Misc) -> str:
    preferred = _FAMILIES.get(root.tk.call("tk", "windowingsystem"), ())
    installed = frozenset(fonts.families(root))
    default = str(fonts.nametofont("TkDefaultFont", root).actual("family"))
    return next((name for name in preferred if name in installed), default)


_numbers = count(1)


def apply_theme(theme: Theme) -> ttk.Style:
    """Define the styles of this theme for all widgets of ttk. The caller keeps a reference to the result."""
    style = ttk.Style(theme.root)
    style.theme_create(name := f"mien-{next(_numbers)}", parent="clam")
    style.theme_use(name)
    for configure in (
        _configure_frames,
        _configure_labels,
        _configure_buttons,
        _configure_choices,
        _configure_fields,
        _configure_check_boxes,
        _configure_bars,
        _configure_tables,
        _configure_backgrounds,
    ):
        configure(style, theme)
    _configure_lists(theme)
    return style


def _set_layout(style: ttk.Style, name: str, elements: Any) -> None:
    # The type stubs of layouts are narrower than what Tk accepts.
    style.layout(name, elements)


def _configure_frames(style: ttk.Style, theme: Theme) -> None:
    colors = theme.colors
    style.configure(".", background=colors.background, foreground=colors.text, font=theme.font(14), borderwidth=0)
    style.configure(".", focuscolor=colors.accent, troughcolor=colors.line, selectbackground=colors.accent)
    style.configure("TFrame", background=colors.background)
    style.configure("Panel.TFrame", background=colors.panel)
    style.configure("CardInner.TFrame", background=colors.card)
    for name, fill, edge in (
        ("Card", colors.card, colors.line),
        ("Soft", colors.panel, colors.panel),
        ("Warn", colors.warning_background, colors.warning_background),
    ):
        element, border = f"{name}.shape", theme.px(12)
        square = draw_rounded_square(theme.px(28), theme.px(10), fill, edge, theme.px(1))
        image = theme.style_image(
            stretch_middle(square, border, _LARGE_SIDE, "" if name == "Warn" else colors.background)
        )
        style.element_create(element, "image", image, border=border, padding=0, sticky="nsew")
        _set_layout(style, f"{name}.TFrame", [(element, {"sticky": "nsew"})])
        style.configure(f"{name}.TFrame", background=colors.background)


def _configure_labels(style: ttk.Style, theme: Theme) -> None:
    colors = theme.colors
    backgrounds = {
        "": colors.background,
        "Panel.": colors.panel,
        "Card.": colors.card,
        "Warn.": colors.warning_background,
    }
    for prefix, background in {**backgrounds, "Soft.": colors.panel}.items():
        for name, color, size, bold in (
            ("", colors.text, 14, False),
            ("Strong.", colors.text, 14, True),
            ("Muted.", colors.muted, 13, False),
            ("Title.", colors.text, 20, True),
            ("Large.", colors.text, 17, True),
            ("Warning.", colors.warning, 13, False),
            ("Error.", colors.error, 13, False),
        ):
            style.configure(
                f"{prefix}{name}TLabel", background=background, foreground=color, font=theme.font(size, bold)
            )


def _configure_buttons(style: ttk.Style, theme: Theme) -> None:
    colors = theme.colors
    accent = colors.accent
    light_accent = mix_colors(accent, colors.text, 0.15)
    kinds = {
        "": (colors.card, colors.line, colors.text, colors.hover),
        "Primary.": (accent, accent, colors.on_accent, light_accent),
        "Quiet.": (None, None, colors.text, colors.hover),
        "Panel.Quiet.": (None, None, colors.text, colors.hover),
    }
    for prefix, (fill, border, text_color, hover) in kinds.items():
        background = colors.panel if prefix.startswith("Panel") else colors.background
        element = f"{prefix}Button.shape"
        _create_button_shape(style, theme, element, fill or background, border or background, hover, theme.px(9))
        content = ("Button.padding", {"sticky": "nsew", "children": [("Button.label", {"sticky": "nsew"})]})
        _set_layout(style, f"{prefix}TButton", [(element, {"sticky": "nsew", "children": [content]})])
        style.configure(f"{prefix}TButton", foreground=text_color, background=background, anchor="center")
        style.configure(f"{prefix}TButton", padding=(theme.px(14), theme.px(7)), font=theme.font(14, True))
        style.map(f"{prefix}TButton", foreground=[("disabled", colors.muted)], background=[])
        arrow = ("Menubutton.indicator", {"side": "right", "sticky": ""})
        label = ("Menubutton.padding", {"sticky": "nsew", "children": [arrow, ("Menubutton.label", {"side": "left"})]})
        _set_layout(style, f"{prefix}TMenubutton", [(element, {"sticky": "nsew", "children": [label]})])
        style.configure(f"{prefix}TMenubutton", foreground=text_color, background=background, font=theme.font(14, True))
        style.configure(f"{prefix}TMenubutton", padding=(theme.px(14), theme.px(7), theme.px(8), theme.px(7)))
        style.map(f"{prefix}TMenubutton", foreground=[("disabled", colors.muted)], background=[])
    down = theme.icon("down", side=18)
    style.element_create("Menubutton.indicator", "image", down, sticky="", padding=theme.px(2))


def _create_button_shape(
    style: ttk.Style, theme: Theme, element: str, fill: str, border: str, hover: str, radius: int, selected: str = ""
) -> None:
    """The background of a button in all of its states; ``selected`` is its colour while it is selected."""
    colors, side, margin = theme.colors, theme.px(30), theme.px(12)
    ring = colors.text if fill == colors.accent else colors.accent

    def shape(background: str, line: str, width: float = 1) -> Any:
        square = draw_rounded_square(side, radius, background, line, theme.px(width))
        return theme.style_image(stretch_middle(square, margin, 2 * margin + _BUTTON_MIDDLE))

    selected_shapes: tuple[Any, ...] = ()
    if selected:
        selected_shapes = (
            ("selected", "focus", shape(selected, colors.accent, 2)),
            ("selected", shape(selected, selected)),
        )
    style.element_create(
        element,
        "image",
        shape(fill, border),
        ("disabled", shape(fill, border)),
        ("pressed", shape(colors.pressed if border != colors.accent else hover, border)),
        *selected_shapes,
        ("focus", "active", shape(hover, ring, 2)),
        ("focus", shape(fill, ring, 2)),
        ("active", shape(hover, border if border == fill else colors.accent)),
        border=margin,
        width=2 * margin,
        height=2 * margin,
        padding=0,
        sticky="nsew",
    )


def _configure_choices(style: ttk.Style, theme: Theme) -> None:
    """The buttons of the pages, and rows of choices."""
    colors, radius = theme.colors, theme.px(10)
    _create_button_shape(style, theme, "Page.shape", colors.panel, colors.panel, colors.hover, radius, colors.pressed)
    label = ("Radiobutton.label", {"sticky": ""})
    content = ("Radiobutton.padding", {"sticky": "nsew", "children": [label]})
    _set_layout(style, "Page.TRadiobutton", [("Page.shape", {"sticky": "nsew", "children": [content]})])
    style.configure("Page.TRadiobutton", background=colors.panel, foreground=colors.muted, font=theme.font(12))
    style.configure("Page.TRadiobutton", padding=(theme.px(6), theme.px(8)), anchor="center", compound="top")
    style.map("Page.TRadiobutton", foreground=[("selected", colors.text), ("active", colors.text)], background=[])
    _create_button_shape(
        style, theme, "Choice.shape", colors.background, colors.line, colors.hover, theme.px(9), colors.pressed
    )
    for name in ("Choice.TRadiobutton", "Choice.TCheckbutton"):
        _set_layout(style, name, [("Choice.shape", {"sticky": "nsew", "children": [content]})])
        style.configure(name, background=colors.background, foreground=colors.text, font=theme.font(14, True))
        style.configure(name, padding=(theme.px(14), theme.px(7)), anchor="center")
        style.map(name, foreground=[("disabled", colors.muted)], background=[])


def _configure_fields(style: ttk.Style, theme: Theme) -> None:
    colors, radius, side = theme.colors, theme.px(8), theme.px(28)

    def shape(line: str, width: float = 1) -> Any:
        square, margin = draw_rounded_square(side, radius, colors.card, line, theme.px(width)), theme.px(10)
        return theme.style_image(stretch_middle(square, margin, 2 * margin + _BUTTON_MIDDLE))

    style.element_create(
        "Field.shape", "image", shape(colors.line), ("focus", shape(colors.accent, 2)), border=theme.px(10),
        sticky="nsew", padding=theme.px(2), width=theme.px(20), height=theme.px(20),
    )  # fmt: skip
    style.element_create("Field.arrow", "image", theme.icon("down", side=18), sticky="", padding=theme.px(3))
    area = ("Combobox.textarea", {"sticky": "nsew"})
    padded = ("Combobox.padding", {"expand": "1", "sticky": "nsew", "children": [area]})
    field = {"sticky": "nsew", "children": [("Field.arrow", {"side": "right", "sticky": "ns"}), padded]}
    _set_layout(style, "TCombobox", [("Field.shape", field)])
    name, padding = "TCombobox", (theme.px(8), theme.px(4))
    style.configure(name, foreground=colors.text, insertcolor=colors.text, padding=padding)
    style.configure(name, selectbackground=colors.card, selectforeground=colors.text, background=colors.background)
    style.map(name, foreground=[("disabled", colors.muted)], background=[], fieldbackground=[])


def _configure_check_boxes(style: ttk.Style, theme: Theme) -> None:
    colors, side = theme.colors, theme.px(20)

    def box(checked: bool, fill: str, border: str, mark: str) -> Any:
        return theme.style_image(draw_check_box(side, checked, fill, border, mark))

    style.element_create(
        "Tick.indicator",
        "image",
        box(False, colors.card, colors.muted, colors.text),
        ("selected", "focus", box(True, colors.accent, colors.text, colors.on_accent)),
        ("selected", box(True, colors.accent, colors.accent, colors.on_accent)),
        ("focus", box(False, colors.card, colors.accent, colors.text)),
        sticky="w",
    )
    style.element_create("Tick.gap", "image", theme.style_image(Image.new("RGBA", (theme.px(8), 1))))
    left = {"side": "left", "sticky": ""}
    elements = [("Tick.indicator", left), ("Tick.gap", left), ("Checkbutton.label", left)]
    _set_layout(style, "TCheckbutton", [("Checkbutton.padding", {"sticky": "nsew", "children": elements})])
    style.configure("TCheckbutton", background=colors.background, foreground=colors.text)
    style.configure("TCheckbutton", font=theme.font(14), padding=theme.px(4))
    style.map("TCheckbutton", background=[], foreground=[("disabled", colors.muted)])


def _configure_bars(style: ttk.Style, theme: Theme) -> None:
    """Scroll bars, sliders and progress bars: thin, without arrows."""
    colors, width, background = theme.colors, theme.px(10), theme.colors.background

    def shape(side: int, color: str, border: str | None = None) -> Any:
        line = max(side / 14, 1)
        return theme.style_image(draw_rounded_square(side, side / 2, color, border, line))

    for orientation, sticky in (("Vertical", "ns"), ("Horizontal", "ew")):
        name, bar = f"{orientation}.Thin.thumb", f"{orientation}.TScrollbar"
        active = ("active", shape(width, colors.muted))
        style.element_create(name, "image", shape(width, colors.pressed), active, border=width // 2 - 1, sticky="nsew")
        thumb = (name, {"expand": "1", "sticky": "nsew"})
        _set_layout(style, bar, [(f"{orientation}.Scrollbar.trough", {"sticky": sticky, "children": [thumb]})])
        style.configure(bar, troughcolor=background, background=background, borderwidth=0)
        style.configure(bar, bordercolor=background, lightcolor=background, relief="flat")
    track, filled = shape(theme.px(6), colors.line), shape(theme.px(6), colors.accent)
    style.element_create("Bar.trough", "image", track, border=theme.px(2), sticky="ew")
    style.element_create("Bar.full", "image", filled, border=theme.px(2), sticky="ew")
    full = ("Bar.full", {"side": "left", "sticky": "ew"})
    _set_layout(style, "Horizontal.TProgressbar", [("Bar.trough", {"sticky": "ew", "children": [full]})])
    style.configure("Horizontal.TProgressbar", background=background)
    knob = shape(theme.px(18), colors.accent, colors.accent)
    active_knob = shape(theme.px(18), colors.accent, colors.text)
    style.element_create("Knob.slider", "image", knob, ("focus", active_knob), ("active", active_knob), sticky="")
    style.element_create("Knob.trough", "image", track, border=theme.px(2), sticky="ew")
    _set_layout(style, "Horizontal.TScale", [("Knob.trough", {"sticky": "ew"}), ("Knob.slider", {"side": "left"})])
    style.configure("Horizontal.TScale", background=background)


def _configure_tables(style: ttk.Style, theme: Theme) -> None:
    colors = theme.colors
    _set_layout(style, "Treeview", [("Treeview.treearea", {"sticky": "nsew"})])
    style.configure("Treeview", background=colors.card, fieldbackground=colors.card, foreground=colors.text)
    style.configure("Treeview", rowheight=theme.px(30), font=theme.font(13), borderwidth=0, relief="flat")
    style.map("Treeview", background=[("selected", colors.pressed)], foreground=[("selected", colors.text)])
    style.configure("Treeview.Heading", background=colors.card, foreground=colors.muted, relief="flat")
    style.configure("Treeview.Heading", font=theme.font(12, True), padding=(theme.px(4), theme.px(6)))
    style.map("Treeview.Heading", background=[("active", colors.hover)])


def _configure_backgrounds(style: ttk.Style, theme: Theme) -> None:
    """The colour behind round corners of widgets on a panel or a card."""
    widgets = ("TButton", "Primary.TButton", "TMenubutton", "TCombobox", "TCheckbutton", "Horizontal.TScale")
    colors = theme.colors
    for prefix, background in (("Panel", colors.panel), ("Card", colors.card)):
        for name in (*widgets, "Choice.TRadiobutton", "Choice.TCheckbutton", "Horizontal.TProgressbar"):
            style.configure(f"{prefix}.{name}", background=background)


def _configure_lists(theme: Theme) -> None:
    """The lists of combo boxes, which belong to Tk and not to ttk."""
    colors, root = theme.colors, theme.root
    for name, value in (
        ("background", colors.card), ("foreground", colors.text), ("selectBackground", colors.accent),
        ("selectForeground", colors.on_accent), ("borderWidth", 0), ("font", theme.font(14)),
    ):  # fmt: skip
        root.option_add(f"*TCombobox*Listbox.{name}", value)


def create_menu(theme: Theme, parent: tk.Misc) -> tk.Menu:
    """An empty menu in the theme's colours."""
    colors = theme.colors
    return tk.Menu(
        parent,
        tearoff=False,
        background=colors.card,
        foreground=colors.text,
        activebackground=colors.accent,
        activeforeground=colors.on_accent,
        disabledforeground=colors.muted,
        selectcolor=colors.text,
        activeborderwidth=theme.px(4),
        borderwidth=theme.px(1),
        relief="flat",
        font=theme.font(14),
    )
